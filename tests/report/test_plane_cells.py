"""Polygons from the complex are those that are cut exactly, and so are the borders."""

from __future__ import annotations

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import UncertifiedError
from polyrank.report import plane_cells as home
from polyrank.report.plane_cells import PlaneCells, plane_cells
from tests.examples import LINEAR, layer, network


def _network(seed: int) -> pr.Network:
    rng = np.random.default_rng(seed)
    draw = rng.integers if seed % 2 else (lambda a, b, size: rng.normal(size=size))
    return pr.Network.from_arrays(
        [draw(-2, 3, (5, 2)), draw(-2, 3, (4, 5)), draw(-2, 3, (1, 4))],
        [draw(-2, 3, 5), draw(-2, 3, 4), draw(-2, 3, 1)],
    )


def _edges(found: PlaneCells, group: np.ndarray, only: int | None) -> set[tuple[float, ...]]:
    return {
        tuple(np.round(sorted(map(tuple, piece.tolist())), 9).ravel().tolist())
        for piece in found.border(group, only=only)
    }


@pytest.mark.parametrize("seed", range(12))
def test_both_ways_draw_the_same(seed: int) -> None:
    run = pr.enumerate_regions(_network(seed), pr.Box(-2, 2))
    fast, exact = plane_cells(run.access), plane_cells(run.access, exact=True)
    assert fast.exact is None
    assert fast.frame == exact.frame == (-2, 2, -2, 2)
    for one, other in zip(fast.polygons, exact.polygons, strict=True):
        # the complex may keep a vertex of a neighbour on a straight side
        points = {tuple(np.round(p, 9).tolist()) for p in one}
        assert {tuple(np.round(p, 9).tolist()) for p in other} <= points
        assert _area(one) == pytest.approx(_area(other), abs=1e-9)
        assert _area(one) > 0
    low = (np.asarray(run.table["rank_2"]) < 2).astype(np.int32)
    length = [
        sum(float(np.linalg.norm(p[0] - p[1])) for p in found.border(low, only=1))
        for found in (fast, exact)
    ]
    assert length[0] == pytest.approx(length[1], abs=1e-9)


def _area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return float(0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def test_what_the_complex_cannot_give_is_cut_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network(layer([[1, 0], [0, 1]], [0, 0]), layer([[1, 1]], [0], LINEAR))
    box = pr.enumerate_regions(net, pr.Box(-1, 1))
    assert plane_cells(box.access).exact is None
    assert plane_cells(pr.enumerate_regions(net).access).exact is not None
    assert plane_cells(box.access, [-1, 0, -1, 1]).exact is not None

    def fails(*_: object, **__: object) -> None:
        raise UncertifiedError("a vertex is open")

    monkeypatch.setattr(home, "cell_complex", fails)
    assert plane_cells(box.access).exact is not None
