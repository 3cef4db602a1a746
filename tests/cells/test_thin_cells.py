"""Arrangements with large integers: cells that hold no float64 point, without rational steps.

Two hyperplanes with normals W and e − W leave a wedge whose width is 1 / |W| of its distance; a few
more, on a moment curve, cut it into cells that floats cannot hold. Counts come from deletion and
restriction, witnesses and ranks are verified in rationals, proofs by the checker.
"""

from __future__ import annotations

import random

import pytest

import polyrank as pr
from polyrank.cells.dictionary_search import DictionarySearch
from polyrank.cells.engine import Options
from polyrank.network.normal_form import Network
from polyrank.posed.problem import Problem
from polyrank.proof.check import check
from tests.checks import check_run
from tests.deletion_restriction import region_count
from tests.examples import layer


def wedge(bits: int, dimension: int, planes: int, seed: int = 0) -> list[tuple[int, ...]]:
    """W and e − W with random integers of so many bits, and points of the moment curve."""
    rng = random.Random(seed)
    low, high = 1 << (bits - 1), (1 << bits) - 1
    W = [rng.randint(low, high) * rng.choice((-1, 1)) for _ in range(dimension)]
    start = -(planes // 2)
    curve = [tuple(t**k for k in range(dimension)) for t in range(start, start + planes)]
    return [tuple(W), (1 - W[0], *(-w for w in W[1:])), *curve]


def arrangement(normals, offsets=None) -> Network:
    return Network((layer(normals, [0] * len(normals) if offsets is None else offsets),))


def thin_rows(run) -> int:
    """Rows whose witness is no float64 point."""
    return sum(1 for exact in run.table.column("witness_exact").to_pylist() if exact)


@pytest.mark.parametrize("domain", [pr.WholeSpace(), pr.Box(-1, 1), pr.Box(-3, 5)])
# around a centre that is not zero rows are exact up to 53 bits of their value there
@pytest.mark.parametrize(("bits", "dimension", "planes"), [(40, 4, 7), (46, 4, 8), (48, 5, 7)])
def test_wedges_need_no_rationals(tmp_path, bits, dimension, planes, domain):
    """Every region, every witness and the proof; and nothing was settled in rationals."""
    normals = wedge(bits, dimension, planes)
    network = arrangement(normals)
    run = pr.enumerate_regions(
        network, domain, engine="dictionary", out=tmp_path / "run", proof=True
    )
    # central: a box around 0 meets every cone
    assert run.count == region_count(normals, [0] * len(normals))
    assert run.certified
    assert check_run(network, domain, run).ok
    assert check(tmp_path / "run").complete
    assert run.manifest["search"]["ladder"]["exact_cells"] == 0


def test_wedges_have_cells_without_a_float_point():
    """The mechanism is met: some witnesses are sums of two doubles, and few digits more."""
    run = pr.enumerate_regions(arrangement(wedge(50, 5, 9, seed=1)), engine="dictionary")
    assert thin_rows(run) > 0
    for region in run:
        assert all(int(v.q).bit_length() < 400 for v in region.witness_exact)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("bits", [10, 20, 30, 40, 50])
def test_affine_arrangements_of_large_integers(seed, bits):
    """Nearly dependent hyperplanes: copies and sums off by one."""
    rng = random.Random(100 * bits + seed)
    n = rng.choice((2, 3, 4))
    rows = [[rng.randint(-(1 << bits), 1 << bits) for _ in range(n + 1)] for _ in range(n + 3)]
    for _ in range(3):
        a, b = rng.choice(rows), rng.choice(rows)
        near = [x + y for x, y in zip(a, b, strict=True)] if rng.random() < 0.5 else list(a)
        near[rng.randrange(n + 1)] += rng.choice((-1, 1))
        rows.append(near)
    distinct = list(dict.fromkeys(tuple(row) for row in rows if any(row[:n])))
    normals, offsets = [row[:n] for row in distinct], [row[n] for row in distinct]
    network = arrangement(normals, offsets)
    run = pr.enumerate_regions(network, engine="dictionary")
    assert run.certified
    # the layer has + offset, the arrangement a·x = offset
    assert run.count == region_count(normals, [-v for v in offsets])
    assert check_run(network, pr.WholeSpace(), run).ok


def test_threads_and_tasks_find_the_same_thin_cells():
    """Points of two doubles pass from one thread to another, and through the queue of tasks."""
    network = arrangement(wedge(50, 5, 11, seed=2))
    alone = pr.enumerate_regions(network, engine="dictionary", jobs=1)
    together = pr.enumerate_regions(network, engine="dictionary", jobs=4)
    assert alone.table.equals(together.table)
    assert thin_rows(alone) > 0


@pytest.mark.parametrize("budget", [1, 7, 100])
def test_open_cells_keep_their_points(budget):
    """A search that is stopped again and again hands its cells on with exact points."""
    normals = wedge(48, 4, 6, seed=3)
    problem = Problem.on(arrangement(normals), pr.WholeSpace())
    words: list[bytes] = []
    tasks = None
    while tasks is None or tasks:
        found = DictionarySearch(
            problem,
            lambda batch: words.extend(map(bytes, batch.codeword)),
            Options(tasks=tasks, budget=budget),
        ).run()
        tasks = found.open
        assert found.ladder["by_rationals"] == 0
    assert len(words) == len(set(words)) == region_count(normals, [0] * len(normals))
