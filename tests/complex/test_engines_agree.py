"""Both engines and the region graph against the complex: regions, ranks, edges, proofs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.cells.vertices import search as module
from polyrank.complex.build import cell_complex
from polyrank.errors import DomainError
from polyrank.graph.build import region_graph
from polyrank.network.normal_form import Network
from polyrank.posed.chart import chart
from polyrank.proof.check import check
from tests.cells.exact_only import regions
from tests.cells.test_search_paths import _network
from tests.strategies import realistic_network

ROOT = Path(__file__).resolve().parents[2]


def _same(net: Network, domain: Any) -> int:
    where = chart(domain, net.input_dim)
    mine, _ = regions(net, where, engine="vertices")
    other, _ = regions(net, where, engine="dictionary")
    assert mine == other
    return len(mine)


@pytest.mark.parametrize("model", [0, 2, 4])
def test_cells_near_1e_13(shared_data: Any, model: int) -> None:
    """Ten trained layers of 15 units in the plane; some cells have 1e-13 of the area."""
    net = pr.load(shared_data(f"beshkov_quotient/D-I_model_{model}.pth"))
    points = np.load(shared_data("beshkov_quotient/D-I-train.npy")).reshape(-1, 2)
    box = pr.Box(points.min(axis=0).tolist(), points.max(axis=0).tolist())
    assert _same(net, box) > 1000
    cells = cell_complex(net, box)
    assert cells.euler_characteristic == 1


@pytest.mark.slow
def test_horizontal_cas() -> None:
    net = pr.load(ROOT / "examples/horizontal_cas/HCAS_rect_v6_pra0_tau00_25HU_3000.nnet")
    header = net.source["header"]
    assert _same(net, pr.Box(header["lower"], header["upper"])) == 111_254


@pytest.mark.parametrize("seed", range(12))
def test_edges_of_the_graph_are_inner_facets(seed: int) -> None:
    """Regions that share a facet, from linear programs and from the complex."""
    rng = np.random.default_rng(900 + seed)
    if seed % 2:
        net = _network(rng)
    else:
        kind = ["integer", "duplicated", "bias-free", "dead", "pruned", "quantised"][seed // 2]
        net = realistic_network(kind, (2 + seed // 2 % 2, 5, 4, 2), seed)
    box = pr.Box(-1, 1)
    run = pr.enumerate_regions(net, box, engine="dictionary")
    graph = region_graph(run, net)
    codes = [bytes(row) for row in run.table.column("codeword").to_pylist()]
    expected = {
        frozenset((codes[a], codes[b]))
        for a, b in zip(graph.source.tolist(), graph.target.tolist(), strict=True)
    }
    cells = cell_complex(net, box)
    positive = cells.signs.of_units(cells.dimension) > 0
    packed = np.packbits(positive, axis=1, bitorder="little")
    rows = cells.boundary[-1].tocsr()
    found = set()
    for f in np.flatnonzero(cells.regions_per_facet == 2).tolist():
        a, b = rows.indices[rows.indptr[f] : rows.indptr[f + 1]].tolist()
        found.add(frozenset((packed[a].tobytes(), packed[b].tobytes())))
    assert found == expected


@pytest.mark.parametrize("segment", [1, 100_000])
def test_proofs_are_accepted(tmp_path: Path, monkeypatch: Any, segment: int) -> None:
    """The proof log of this engine, in one segment and in very small ones."""
    monkeypatch.setattr(module, "_SEGMENT", segment)
    for kind in ("integer", "duplicated", "bias-free", "dead", "pruned", "quantised"):
        for widths in ((1, 5, 3, 1), (2, 6, 5, 2), (3, 5, 4, 1)):
            net = realistic_network(kind, widths, 5)
            path = tmp_path / f"{kind}-{widths[0]}"
            run = pr.enumerate_regions(net, pr.Box(-1, 1), out=path, engine="vertices", proof=True)
            report = check(path)
            assert (report.complete, report.checked) == (True, run.count)


def test_complex_of_a_run(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    net = pr.Network.from_arrays(
        [rng.normal(size=(5, 2)), np.ones((1, 5))], [rng.normal(size=5), [0]]
    )
    run = pr.enumerate_regions(net, pr.Box(-1, 1), out=tmp_path / "run")
    assert run.complex().f_vector[2] == run.count
    again = pr.open_run(tmp_path / "run")
    assert again.complex(net).f_vector == run.complex().f_vector
    with pytest.raises(DomainError, match="bounded"):
        pr.enumerate_regions(net).complex()
