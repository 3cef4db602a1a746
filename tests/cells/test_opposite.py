"""Central arrangements: half of the tree is searched, every region has its opposite beside it."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import product
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.cells import dictionary_search as search_module
from polyrank.cells.explore import explorer
from polyrank.cells.opposite import is_central, opposite
from polyrank.cells.search import search
from polyrank.cells.subtree import prefixes_of, subtree_from_json, subtree_to_json
from polyrank.cells.task import Batch, Task, settled
from polyrank.network.normal_form import Network, affine_layer, relu_layer
from polyrank.posed.problem import Problem
from polyrank.proof.check import check
from polyrank.regions.limits import Limits
from tests.checks import check_run
from tests.families import FAMILIES
from tests.oracles import exact_layers, regions_of_layers


def _generic(dim: int, units: int, seed: int, *, slope: float = 0.0, bias: float = 0.0) -> Network:
    """One layer without biases, and an affine one."""
    rng = np.random.default_rng(seed)
    first = relu_layer(rng.normal(size=(units, dim)), np.zeros(units), slope=slope)
    return Network((first, affine_layer(rng.normal(size=(2, units)), [bias, 0.0])), "generic")


def _degenerate() -> Network:
    """Zero rows, multiples of a row of both signs, and small integers, in R^4."""
    rows = np.random.default_rng(5).integers(-1, 2, size=(8, 4)).astype(float)
    rows = np.vstack([np.zeros(4), rows, -2 * rows[:2], 3 * rows[2], np.zeros(4)])
    return Network.from_arrays([rows, np.ones((2, len(rows)))], [np.zeros(len(rows)), [0.0, 1.0]])


def _with_lineality() -> Network:
    """Four units that see a plane of R^5, and one unit that has no hyperplane."""
    rng = np.random.default_rng(9)
    rows = rng.integers(-3, 4, size=(4, 2)) @ rng.integers(-2, 3, size=(2, 5))
    return Network.from_arrays([rows.astype(float)], [np.zeros(4)], output_relu=True)


SUBJECTS = {
    "generic": _generic(4, 8, 1),
    "biases of the affine layer": _generic(3, 7, 7, bias=0.5),
    "absolute values": _generic(4, 7, 2, slope=-1.0),
    "leaky": _generic(5, 7, 3, slope=0.25),
    "degenerate": _degenerate(),
    "lineality": _with_lineality(),
    "line": Network.from_arrays([[[1.0], [-2.0], [0.0]]], [[0.0] * 3], output_relu=True),
}


def _listed(problem: Problem, engine: str, **options: Any) -> list[tuple[Any, ...]]:
    """Codeword, zero bits, ranks and witness of every region, in the order of the search."""
    found: list[Batch] = []
    result = search(problem, found.append, engine=engine, **options)
    assert result.certified
    rows = _rows(problem, found)
    assert result.regions == len(rows)
    return rows


def _rows(problem: Problem, found: list[Batch]) -> list[tuple[Any, ...]]:
    return [
        (
            bytes(batch.codeword[r]),
            bytes(batch.zero[r]),
            tuple(batch.rank[r].tolist()),
            tuple(batch.point(r).entries()),
        )
        for batch in (settled(b, problem) for b in found)
        for r in range(len(batch.rank))
    ]


def _are_pairs(problem: Problem, rows: list[tuple[Any, ...]]) -> None:
    """Row 2 i + 1 is opposite to row 2 i."""
    bits = sum(problem.network.bits[: problem.layers])
    for (code, zero, _, point), (other, same, _, turned) in zip(rows[::2], rows[1::2], strict=True):
        a, b, z = (int.from_bytes(v, "little") for v in (code, other, zero))
        assert (a ^ b, a & z, b & z) == ((1 << bits) - 1 & ~z, 0, 0)
        assert zero == same
        assert all(v == -w for v, w in zip(point, turned, strict=True))


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_same_regions_as_without_symmetry(name: str) -> None:
    """HiGHS searches the whole domain; ranks too are those of every single region."""
    net = SUBJECTS[name]
    for layers in range(1, len(net.layers) + 1):
        problem = Problem.on(net, pr.WholeSpace(), layers)
        assert is_central(net, problem.chart, layers)
        rows = _listed(problem, "dictionary")
        _are_pairs(problem, rows)
        whole = _listed(problem, "highs")
        assert Counter(row[:3] for row in rows) == Counter(row[:3] for row in whole)
        for jobs in (2, 7):
            assert _listed(problem, "dictionary", jobs=jobs) == rows


def test_ranks_of_opposite_regions_differ() -> None:
    """A ReLU layer on the orthants: the rank is the number of positive units, n − rank opposite."""
    net = Network.from_arrays([np.eye(5)], [np.zeros(5)], output_relu=True)
    run = pr.enumerate_regions(net)
    ranks = run.table["rank_1"].to_pylist()
    assert [a + b for a, b in zip(ranks[::2], ranks[1::2], strict=True)] == [5] * 16
    assert Counter(ranks) == {r: comb(5, r) for r in range(6)}


@pytest.mark.parametrize("name", SUBJECTS)
def test_runs_with_proofs(name: str, tmp_path: Path) -> None:
    """Accepted; every row re-derived, and compared with cones that are split one by one."""
    net = SUBJECTS[name]
    run = pr.enumerate_regions(net, out=tmp_path / "run", proof=True, engine="dictionary")
    for exact in (False, True):
        report = check(tmp_path / "run", exact=exact)
        assert (report.complete, report.regions, report.checked) == (True, run.count, run.count)
    assert check_run(net, run.domain, run).ok
    sampled = check(tmp_path / "run", sample=1, seed=3)
    assert sampled.segments_checked == 1
    assert run.count == len(regions_of_layers(exact_layers(net), net.input_dim))


@pytest.mark.parametrize("family", ["braid", "resonance"])
def test_published_numbers(family: str) -> None:
    build = FAMILIES[family]
    for n, count in build.regions.items():
        if 8 < count < 5000:
            problem = Problem.on(build.build(n).network(), pr.WholeSpace())
            rows = _listed(problem, "dictionary")
            _are_pairs(problem, rows)
            assert len(rows) == len({row[0] for row in rows}) == count


def test_what_is_not_central() -> None:
    rng = np.random.default_rng(0)
    rows, nothing = rng.normal(size=(5, 4)), np.zeros(5)
    one = Network.from_arrays([rows], [nothing], output_relu=True)
    shifted = Network.from_arrays([rows], [nothing + 0.5], output_relu=True)
    deep = Network.from_arrays(
        [rows, rng.normal(size=(3, 5)), np.ones((1, 3))], [nothing, np.zeros(3), [0.0]]
    )
    dead = Network.from_arrays([np.zeros((5, 4))], [nothing], output_relu=True)
    cases = [
        (one, pr.Box(-1, 1), 1),
        (one, pr.Polytope([[1.0, 0, 0, 0]], [0.0]), 1),
        (one, pr.Slice([1, 0, 0, 0], [[0, 0], [1, 0], [0, 1], [0, 0]]), 1),
        (shifted, pr.WholeSpace(), 1),
        (deep, pr.WholeSpace(), 3),
        (deep, pr.WholeSpace(), 2),
        (dead, pr.WholeSpace(), 1),
    ]
    for net, domain, layers in cases:
        problem = Problem.on(net, domain, layers)
        assert not is_central(net, problem.chart, layers)
    assert is_central(deep, Problem.on(deep, pr.WholeSpace(), 1).chart, 1)
    through = Problem.on(one, pr.Slice([0, 0, 0, 0], [[0, 0], [1, 0], [0, 1], [0, 0]]), 1)
    assert is_central(one, through.chart, 1)
    assert {row[:3] for row in _listed(through, "dictionary")} == {
        row[:3] for row in _listed(through, "highs")
    }


@pytest.mark.parametrize("name", ["generic", "degenerate"])
def test_cells_that_no_float_decides_have_opposites(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = SUBJECTS[name]
    problem = Problem.on(net, pr.WholeSpace())
    expected = Counter(row[:3] for row in _listed(problem, "dictionary"))
    monkeypatch.setattr(search_module.DictionarySearch, "_load", lambda self, task: False)
    rows = _listed(problem, "dictionary")
    _are_pairs(problem, rows)
    assert Counter(row[:3] for row in rows) == expected
    pr.enumerate_regions(net, out=tmp_path / "run", proof=True, engine="dictionary")
    assert check(tmp_path / "run").complete


def test_cells_that_are_given_up_are_named_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    net = SUBJECTS["degenerate"]
    problem = Problem.on(net, pr.WholeSpace())
    monkeypatch.setattr(search_module.DictionarySearch, "_load", lambda self, task: False)
    result = search(problem, lambda _: None, engine="dictionary", rational=False)
    assert result.undecided == ("z1???????===z|??", "z0???????===z|??")


def _in_tasks(problem: Problem, works: list[float], seed: int, *, proof: bool) -> Any:
    """All tasks in some order, each by whoever comes; what they give, in the order of the tree."""
    dice, logs = random.Random(seed), {}
    workers = [explorer(problem, "dictionary", proof=proof) for _ in range(2)]
    waiting = {(): workers[0].root()}
    done: dict[tuple[int, ...], list[tuple[Any, ...]]] = {}
    while waiting:
        path = dice.choice(sorted(waiting))
        tree = subtree_from_json(json.loads(json.dumps(subtree_to_json(waiting.pop(path)))))
        assert all(isinstance(c, Task) and c.paired == (c.layer >= 0) for c in tree.cells)
        found: list[Batch] = []
        log: list[bytes] = []
        work = works[min(tree.generation, len(works) - 1)]
        out = dice.choice(workers).explore(
            tree,
            work,
            sink=found.append,
            proof=log.append if proof else None,
            stopped=lambda: False,
        )
        assert out.complete
        done[path], logs[path] = _rows(problem, found), b"".join(log)
        waiting |= {(*path, i): rest for i, rest in enumerate(out.rest)}
    paths = sorted(done)
    return [row for path in paths for row in done[path]], [logs[path] for path in paths]


@pytest.mark.parametrize("proof", [False, True])
def test_tasks_depend_on_nobody(proof: bool) -> None:
    problem = Problem.on(_generic(5, 11, 4), pr.WholeSpace())
    rows, logs = _in_tasks(problem, [200.0, 300.0], 0, proof=proof)
    assert len(logs) > 4
    _are_pairs(problem, rows)
    assert [row[:3] for row in rows] == [row[:3] for row in _listed(problem, "dictionary")]
    for seed in (1, 2):
        assert _in_tasks(problem, [200.0, 300.0], seed, proof=proof) == (rows, logs)


def test_open_cells_are_named_on_both_sides() -> None:
    """A search with a budget: what is open and what was found are all regions, by codeword."""
    net = SUBJECTS["degenerate"]
    problem = Problem.on(net, pr.WholeSpace())
    codes = {row[0] for row in _listed(problem, "dictionary")}
    found: list[Batch] = []
    result = search(problem, found.append, engine="dictionary", budget=12)
    assert result.open
    listed = {row[0] for row in _rows(problem, found)}
    start, planes = problem.arrays.unit_start, problem.arrays.hyperplane
    prefixes = [text for cell in result.open for text in prefixes_of(cell, start, planes.tolist())]
    assert len(set(prefixes)) == 2 * len(result.open)
    inside = [
        sum(
            all(c in "?=z|" or c == b for c, b in zip(p, _bits(code, 13), strict=False))
            for p in prefixes
        )
        for code in codes
    ]
    assert all(n == (code not in listed) for n, code in zip(inside, codes, strict=True))
    rest: list[Batch] = []
    search(problem, rest.append, engine="dictionary", tasks=result.open)
    assert listed | {row[0] for row in _rows(problem, rest)} == codes
    assert sum(len(b.rank) for b in (*found, *rest)) == len(codes)
    exact: list[Batch] = []
    search(problem, exact.append, engine="highs", tasks=result.open)
    assert {row[0] for row in _rows(problem, exact)} == {row[0] for row in _rows(problem, rest)}


def _bits(code: bytes, count: int) -> str:
    value = int.from_bytes(code, "little")
    return "".join("01"[value >> i & 1] for i in range(count))


def test_decisions_on_the_opposite_cell() -> None:
    planes = np.array([True, True, True, True, True, False])
    for a, b in product((0, 1), (0, 1)):
        turned = opposite(np.array([a, b, 2, 3, -1, 1], np.int8), planes)
        assert turned.tolist() == [1 - a, 1 - b, 2, 3, -1, 1]


def test_runs_that_stop_are_honest_about_both_halves(tmp_path: Path) -> None:
    net, count = _generic(6, 14, 6), 2 * sum(comb(13, j) for j in range(6))
    whole = pr.enumerate_regions(net, out=tmp_path / "whole", proof=True)
    assert (whole.count, whole.certified) == (count, True)
    out = tmp_path / "run"
    run = pr.enumerate_regions(net, out=out, proof=True, limits=Limits(seconds=1e-9))
    assert run.status == "stopped"
    assert (run.count_interval[0] < count) == (run.count < count)
    assert run.count_interval[1] is not None
    assert run.count_interval[1] >= count
    done = pr.resume_run(out, net)
    assert done.manifest["content"] == whole.manifest["content"]
    assert check(out).complete
    points = [tuple(point.entries()) for point in done.witnesses()]
    assert all(a == tuple(-v for v in b) for a, b in zip(points[::2], points[1::2], strict=True))
    assert all(isinstance(v, fmpq) for v in points[0])


def test_an_estimate_counts_both_halves() -> None:
    """Walks that see every cell are no guess."""
    found = pr.estimate_run(_generic(4, 6, 8), seconds=0.2)
    assert (found.regions, found.whole) == (2 * (1 + 5 + 10 + 10), True)
    from polyrank.cells.probes import probe

    guess = probe(Problem.on(_generic(4, 6, 8), pr.WholeSpace()), seconds=1.0)
    assert guess.regions == pytest.approx(52, rel=0.2)
