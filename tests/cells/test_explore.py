"""Tasks: the same tree, regions, order, witnesses and proof, whoever works on them and when."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.cells.explore import explorer
from polyrank.cells.search import search
from polyrank.cells.subtree import (
    Subtree,
    VertexCell,
    divided,
    most_regions,
    prefixes_of,
    subtree_from_json,
    subtree_to_json,
)
from polyrank.cells.task import Batch
from polyrank.cells.work import Work
from polyrank.errors import EmptyDomainError, UnsupportedError
from polyrank.network.normal_form import Network
from polyrank.posed.chart import Chart
from polyrank.posed.problem import Problem
from polyrank.posed.section import chart_for
from tests.cells.test_search_paths import _domain, _network


def _through_json(tree: Subtree) -> Subtree:
    return subtree_from_json(json.loads(json.dumps(subtree_to_json(tree))))


def _in_tasks(
    network: Network,
    chart: Chart,
    engine: str,
    works: Sequence[float],
    *,
    seed: int,
    proof: bool = False,
    same_worker: bool = True,
) -> dict[str, Any]:
    """All tasks in some order; what they give, in the order of the tree of tasks."""
    problem, dice = Problem.of(network, chart), random.Random(seed)
    worker = explorer(problem, engine, proof=proof)
    waiting: dict[tuple[int, ...], Subtree] = {(): worker.root()}
    done: dict[tuple[int, ...], tuple[list[Batch], bytes, Any]] = {}
    while waiting:
        path = dice.choice(sorted(waiting)) if seed else min(waiting)
        tree = _through_json(waiting.pop(path))
        who = worker if same_worker else explorer(problem, engine, proof=proof)
        found: list[Batch] = []
        log: list[bytes] = []
        out = who.explore(
            tree,
            works[min(tree.generation, len(works) - 1)],
            sink=found.append,
            proof=log.append if proof else None,
            stopped=lambda: False,
        )
        assert out.complete
        done[path] = found, b"".join(log), (out.undecided, out.counts["tests"])
        waiting |= {(*path, i): rest for i, rest in enumerate(out.rest)}
    batches = [batch for path in sorted(done) for batch in done[path][0]]
    return {
        "tasks": sorted(done),
        "logs": [done[path][1] for path in sorted(done)],
        "rest": [done[path][2] for path in sorted(done)],
        # row by row: where a batch ends depends on the clock
        "exact": [b.witness_exact.get(r) for b in batches for r in range(len(b.rank))],
        **{
            name: b"".join(getattr(b, name).tobytes() for b in batches)
            for name in ("codeword", "zero", "rank", "witness")
        },
    }


def _codewords(network: Network, chart: Chart, engine: str) -> list[bytes]:
    rows: list[bytes] = []
    search(Problem.of(network, chart), lambda b: rows.extend(map(bytes, b.codeword)), engine=engine)
    return rows


@pytest.mark.parametrize("proof", [False, True])
def test_degenerate_networks(proof: bool) -> None:
    compared = many = 0
    for seed in range(24):
        rng = np.random.default_rng(seed)
        net = _network(rng)
        try:
            where = chart_for(net, _domain(rng, net.input_dim))
        except EmptyDomainError:
            continue
        for engine in ("dictionary", "highs", "vertices"):
            try:
                rows = _codewords(net, where, engine)
            except UnsupportedError:
                continue
            options: dict[str, Any] = {"works": (300, 600, 1000), "proof": proof}
            one = _in_tasks(net, where, engine, seed=0, **options)
            assert one["codeword"] == b"".join(rows), (seed, engine)
            assert one == _in_tasks(net, where, engine, seed=7, **options), (seed, engine)
            fresh = _in_tasks(net, where, engine, seed=3, same_worker=False, **options)
            assert one == fresh, (seed, engine)
            compared += 1
            many += len(one["tasks"]) > 3
    assert compared > 30
    assert many > 10


SHAPES = [
    ((3, 10, 8, 2), pr.WholeSpace()),
    ((4, 12, 6, 2), pr.Box(-1, 1)),
    ((5, 12, 1), pr.WholeSpace()),
    ((2, 16, 16, 1), pr.WholeSpace()),
]


@pytest.mark.parametrize(("widths", "domain"), SHAPES, ids=str)
@pytest.mark.parametrize("engine", ["dictionary", "vertices"])
def test_many_tasks(widths: Sequence[int], domain: Any, engine: str) -> None:
    """Weights on a coarse grid: hyperplanes touch, tie and coincide."""
    rng = np.random.default_rng(len(widths))
    net = Network.from_arrays(
        [np.round(rng.normal(size=(m, n)) * 4) / 4 for n, m in pairwise(widths)],
        [np.round(rng.normal(size=m) * 8) / 8 for m in widths[1:]],
    )
    where = chart_for(net, domain)
    works = (2000, 5000) if engine == "dictionary" else (10, 25)
    try:
        rows = _codewords(net, where, engine)
    except UnsupportedError:
        assert widths[0] > 3
        return
    one = _in_tasks(net, where, engine, works, seed=0, proof=True)
    assert one["codeword"] == b"".join(rows)
    assert len(one["tasks"]) >= 3
    assert one == _in_tasks(net, where, engine, works, seed=5, proof=True, same_worker=False)


def test_a_stopped_task_says_so() -> None:
    rng = np.random.default_rng(0)
    net = Network.from_arrays([rng.normal(size=(40, 5))], [rng.normal(size=40)], output_relu=True)
    where = chart_for(net, pr.WholeSpace())
    for engine in ("dictionary", "highs"):
        worker = explorer(Problem.of(net, where), engine)
        found: list[Batch] = []
        looks = iter([False] * 5)
        out = worker.explore(
            worker.root(), 1e9, sink=found.append, proof=None, stopped=partial(next, looks, True)
        )
        assert not out.complete
        # whoever goes on is not disturbed by what was left
        again = worker.explore(
            worker.root(), 1.0, sink=found.append, proof=None, stopped=lambda: False
        )
        assert again.complete


def test_prefixes_of_open_cells() -> None:
    rng = np.random.default_rng(2)
    net = Network.from_arrays([rng.normal(size=(8, 2))], [rng.normal(size=8)], output_relu=True)
    where, start = chart_for(net, pr.Box(-9, 9)), np.array([0, 8])
    for engine in ("dictionary", "vertices", "highs"):
        worker = explorer(Problem.of(net, where), engine)
        assert prefixes_of(worker.root().cells[0], start, [True] * 8) == ("????????",)
        found: list[Batch] = []
        out = worker.explore(
            worker.root(), 0.5, sink=found.append, proof=None, stopped=lambda: False
        )
        for cell in (cell for tree in out.rest for cell in tree.cells):
            (text,) = prefixes_of(cell, start, [True] * 8)
            assert len(text) == 8
            assert set(text) <= set("01?")
            assert "0" in text or "1" in text


def test_order_and_sizes_of_what_is_left() -> None:
    cells: list[Any] = [(bytes([i]), 2.0**-i) for i in range(10, 0, -1)]
    trees = divided(cells, 3)
    assert [len(t.cells) for t in trees] == [9, 1]
    assert [c for t in trees for c in t.cells] == [c for c, _ in cells]
    assert {t.generation for t in trees} == {3}
    assert sum(t.share for t in trees) == pytest.approx(1.0 - 2.0**-10)
    assert divided([], 1) == ()
    assert [len(t.cells) for t in divided(cells[:2], 1)] == [1, 1]


def test_most_regions_is_never_too_few() -> None:
    """Of one layer in general position it is Zaslavsky's number."""
    assert most_regions("?????", [True] * 5, 2) == 1 + 5 + 10
    assert most_regions("?1?0z|???|", [True] * 8, 1) == 3 * 4
    assert most_regions("?=?|??", [True, True, False, True, False], 3) == 2 * 2
    assert most_regions("", [], 0) == 1


def test_work_is_looked_at_where_the_counters_say() -> None:
    """However it is cut into calls, it ends at the same cell."""
    for per_cell in (0.0, 1.0, 30.0):
        ends = set()
        for seed in range(40):
            dice, work = random.Random(seed), Work(50_000.0, cell=per_cell, test=2.0)
            work.begin(1000, 7, 0)
            cells = 1000
            while not work.over:
                cells += min(work.room(cells), dice.randint(1, 400))
                work.look(cells, lambda: 7 + 3 * (cells - 1000), 0)  # noqa: B023
            ends.add(cells)
        assert len(ends) == 1
        assert 50_000 / (per_cell + 6) <= ends.pop() - 1000 < 2 * 50_000 / (per_cell + 6) + 256


def test_bytes_that_are_no_cell() -> None:
    net = Network.from_arrays([np.eye(2)], [[0.0, 0.0]], output_relu=True)
    worker = explorer(Problem.on(net, pr.Box(-1, 1)), "vertices")
    (cell,) = worker.root().cells
    assert isinstance(cell, VertexCell)
    for data in (b"", b"abc", cell.data[:-1], cell.data + b"0", b"\xff" * len(cell.data)):
        with pytest.raises(ValueError, match="no open cell"):
            worker.explore(
                Subtree((VertexCell(data, "??"),), (1.0,)),
                1.0,
                sink=lambda batch: None,
                proof=None,
                stopped=lambda: False,
            )
