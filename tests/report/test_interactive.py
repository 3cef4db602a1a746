"""The maps under the pointer of a page: of the outputs that are shown, exact and in floats."""

from __future__ import annotations

import numpy as np
import pytest

import polyrank as pr
from polyrank.network import nearest_float
from polyrank.report import interactive
from polyrank.report.plane_cells import plane_cells

_NET = pr.random_network("3-7-5-6", seed=3, affine_output=True)
_PLANE = pr.Slice([0.25, 0, -1], [[1, 0], [0, 1], [0.5, -2]], pr.Box(-1, 1))


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("layers", [None, 1, 2])
def test_maps_of_the_page(monkeypatch: pytest.MonkeyPatch, exact: bool, layers: int | None) -> None:
    """Along the slice u ↦ A (origin + basis u) + c, of the map on the input space."""
    pytest.importorskip("matplotlib")
    run = pr.enumerate_regions(_NET, _PLANE, through_layer=layers)
    regions = run.regions()
    monkeypatch.setattr(interactive, "_MOST_EXACT", run.count if exact else 0)
    source, shown, numbers = interactive._columns(regions, plane_cells(regions), 1)
    basis, origin = np.array([[1, 0], [0, 1], [0.5, -2]]), np.array([0.25, 0, -1])
    assert run.count == len(source["region"]) > 5
    for row, region in enumerate(run[:]):
        slope, constant = region.affine_map_exact(run.layers)
        A = np.array([[nearest_float(v) for v in line] for line in slope.tolist()])
        c = np.array([nearest_float(v) for v in constant.entries()])
        expected = np.column_stack([A @ basis, A @ origin + c])
        assert len(expected) > 4
        found = [[source[f"map_{u}_{j}"][row] for j in range(3)] for u in range(4)]
        assert np.allclose(found, expected[:4], rtol=1e-12, atol=1e-12)
    assert len(numbers) == 12
    name = "output 0" if layers is None else f"layer {layers} unit 1"
    assert shown[3][0] == (name if exact else f"{name}, in floats")
    units = (7, 5, 6)[run.layers - 1]
    assert shown[-1] == ("", f"and {units - 4} outputs more")
