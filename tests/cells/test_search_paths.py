"""The search by every path: compiled against rational, in one piece against in tasks."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.cells import dictionary_search as search_module
from polyrank.cells.dictionary import Dictionary
from polyrank.cells.task import UNDECIDED, Task, prefix_text
from polyrank.compiled import has_both
from polyrank.native import library
from polyrank.network.normal_form import Layer, Network, affine_layer, relu_layer
from polyrank.network.rational import RationalArray
from polyrank.polyhedra.domain import Domain
from polyrank.posed.chart import chart
from tests.cells.exact_only import regions, regions_without_floats

FLOATS = RationalArray.from_floats


def _rows(rng: np.random.Generator, units: int, inputs: int) -> tuple[Any, Any]:
    """Rows of one of several degenerate kinds, with multiples and near multiples of each other."""
    kind = rng.integers(6)
    if kind == 0:
        weight = rng.integers(-2, 3, (units, inputs)).astype(float)
        bias = rng.integers(-2, 3, units).astype(float)
    elif kind == 1:
        weight = rng.integers(-127, 128, (units, inputs)) / 128.0
        bias = rng.integers(-127, 128, units) / 128.0
    else:
        weight, bias = rng.normal(size=(units, inputs)), 0.3 * rng.normal(size=units)
        if kind == 3:
            bias = np.zeros(units)
        if kind == 4:
            weight = weight * (rng.random((units, inputs)) < 0.5)
        if kind == 5:
            weight = weight.astype(np.float32).astype(float)
    for _ in range(rng.integers(3)):
        i, j = rng.integers(0, units, 2)
        factor = rng.choice([1.0, -1.0, 2.0, 0.5, -0.25])
        weight[i], bias[i] = factor * weight[j], factor * bias[j]
        if rng.random() < 0.5:
            bias[i] += rng.choice([1e-9, 1e-12, 1e-15, -1e-15, 0.1])
        else:
            weight[i, rng.integers(inputs)] += rng.choice([0.0, 1e-9, 1e-12, 1e-15])
    if rng.random() < 0.2:
        scale = 2.0 ** rng.integers(-200, 200)
        weight, bias = weight * scale, bias * scale
    return weight, bias


def _network(rng: np.random.Generator) -> Network:
    inputs = int(rng.integers(1, 4))
    width, layers = inputs, []
    for _ in range(rng.integers(1, 4)):
        units = int(rng.integers(1, 6))
        weight, bias = _rows(rng, units, width)
        neg = rng.choice([0.0, 0.0, 0.0, 0.25, -1.0, 1.0], units)
        pos = rng.choice([1.0, 1.0, 1.0, 2.0, 0.0], units)
        layers.append(Layer(FLOATS(weight), FLOATS(bias), FLOATS(neg), FLOATS(pos)))
        width = units
    weight, bias = _rows(rng, 2, width)
    layers.append(affine_layer(weight, bias))
    return Network(tuple(layers))


def _domain(rng: np.random.Generator, n: int) -> Domain:
    kind = rng.integers(6)
    if kind == 0:
        return pr.Box(-1, 1)
    if kind == 1:
        centre = 10.0 ** rng.integers(4) * rng.normal(size=n)
        half = 10.0 ** -rng.integers(9)
        return pr.Box((centre - half).tolist(), (centre + half).tolist())
    if kind == 2:
        A = rng.integers(-2, 3, (n, n))
        A[:, 0] += 3 * (A == 0).all(axis=1)
        return pr.Polytope(A.tolist(), rng.integers(0, 3, n).tolist())
    if kind == 3:
        basis = np.eye(n)[:, : rng.integers(1, n + 1)] + rng.integers(0, 2)
        if np.linalg.matrix_rank(basis) == basis.shape[1]:
            return pr.Slice(rng.integers(-1, 2, n).tolist(), basis.tolist())
    return pr.WholeSpace()


@pytest.mark.parametrize("seed", range(60))
def test_compiled_search_equals_rational_search(seed: int, monkeypatch: Any) -> None:
    rng = np.random.default_rng(seed)
    network = _network(rng)
    where = chart(_domain(rng, network.input_dim), network.input_dim)
    found, result = regions(network, where)
    assert result.certified
    assert found == regions_without_floats(network, where, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 2500))
def test_compiled_search_equals_rational_search_many(seed: int, monkeypatch: Any) -> None:
    test_compiled_search_equals_rational_search(seed, monkeypatch)


def _he(widths: list[int], seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    pairs = list(itertools.pairwise(widths))
    return Network.from_arrays(
        [rng.normal(0, np.sqrt(2 / a), (b, a)) for a, b in pairs],
        [rng.normal(0, 0.1, b) for _, b in pairs],
    )


@pytest.mark.parametrize("domain", [pr.Box(-1, 1), pr.WholeSpace()], ids=["box", "space"])
@pytest.mark.parametrize("budget", [1, 7, 200])
def test_any_budget_gives_the_same_regions(domain: Domain, budget: int) -> None:
    network = _he([3, 7, 6, 1])
    where = chart(domain, 3)
    whole, result = regions(network, where)
    assert result.certified
    collected: dict[Any, Any] = {}
    tasks = None
    for _ in range(10_000):
        part, result = regions(network, where, tasks=tasks, budget=budget)
        assert not collected.keys() & part.keys()
        collected |= part
        tasks = list(reversed(result.open))  # their order is of no importance
        if not tasks:
            break
        assert not result.certified
    assert collected == whole


def test_without_the_rational_rung_undecided_cells_are_counted_and_named() -> None:
    # touching but not integer: 0.1 is no sum of few powers of two, and neither is a third of it
    third = RationalArray.from_rationals(["1/3", "1/3", "1/7", "-1/7"], (2, 2))
    network = Network(
        (
            Layer(third, FLOATS(np.zeros(2)), FLOATS(np.zeros(2)), FLOATS(np.ones(2))),
            relu_layer([[1.0, 1.0], [0.1, 0.3], [-0.3, -0.1]], [0.0, 0.0, 0.0]),
            relu_layer([[1.0, 1.0, 1.0], [3.0, -1.0, 1.0]], [-0.5, -0.5]),
            affine_layer([[1.0, 1.0]], [0.0]),
        )
    )
    where = chart(pr.Box(-1, 1), 2)
    whole, result = regions(network, where)
    assert result.certified
    part, bare = regions(network, where, rational=False)
    assert part.keys() <= whole.keys()
    assert bare.certified == (not bare.undecided)
    assert len(part) == len(whole) or bare.undecided
    for text in bare.undecided:
        assert set(text) <= set("01z=?|")


def test_a_hard_cell_that_is_given_up_is_in_the_result(monkeypatch: Any) -> None:
    network = _he([2, 5, 1])
    where = chart(pr.Box(-1, 1), 2)
    with monkeypatch.context() as patch:
        patch.setattr(search_module.DictionarySearch, "_load", lambda self, task: False)
        _, result = regions(network, where, rational=False)
    assert not result.certified
    assert result.undecided == ("?" * 5 + "|?",)
    assert result.regions == 0


def test_prefix_text() -> None:
    decision = np.array([0, 1, 2, 3, UNDECIDED], dtype=np.int8)
    assert prefix_text(decision, np.array([0, 2, 5])) == "01|z=?"


def test_a_task_whose_only_point_is_no_float_is_decided_exactly() -> None:
    network = _he([1, 4, 1])
    where = chart(pr.Box(-1, 1), 1)
    nothing = np.full(5, UNDECIDED, dtype=np.int8)
    task = Task(-1, nothing, np.zeros(5, dtype=np.int8), ((fmpq(1, 3),),))
    whole, _ = regions(network, where)
    found, result = regions(network, where, tasks=[task])
    assert found == whole
    assert result.ladder["exact_cells"] > 0


def test_regions_narrower_than_the_float_grid_have_rational_witnesses() -> None:
    gap = fmpq(1, 2**90)
    cuts = [fmpq(1, 3), fmpq(1, 3) + gap]
    network = Network(
        (
            Layer(
                FLOATS([[1.0], [1.0]]),
                RationalArray.from_rationals([-c for c in cuts], (2,)),
                FLOATS(np.zeros(2)),
                FLOATS(np.ones(2)),
            ),
        )
    )
    run = pr.enumerate_regions(network, pr.Box(0, 1))
    assert (run.count, run.certified) == (3, True)
    points = sorted(point[0, 0] for point in run.witnesses())
    assert points[0] < cuts[0] < points[1] < cuts[1] < points[2]
    exact = [row for row in run.table["witness_exact"].to_pylist() if row is not None]
    assert len(exact) == 1


def test_full_buffers_change_nothing(monkeypatch: Any) -> None:
    network = _he([3, 6, 6, 1], seed=3)
    where = chart(pr.Box(-1, 1), 3)
    whole, _ = regions(network, where)

    def tiny(net: Any, dim: int, **options: Any) -> Dictionary:
        return Dictionary(net, dim, **{**options, "output": 3, "hard": 2, "points": 9})

    monkeypatch.setattr(search_module, "Dictionary", tiny)
    found, result = regions(network, where)
    assert found == whole
    assert result.certified
    assert result.ladder["points_dropped"] > 0


def test_ctrl_c_passes_through(monkeypatch: Any) -> None:
    def interrupted(*args: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(Dictionary, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        regions(_he([2, 3, 1]), chart(pr.Box(-1, 1), 2))


def test_progress_reaches_the_end() -> None:
    shares: list[float] = []
    regions(
        _he([2, 8, 8, 1]),
        chart(pr.Box(-1, 1), 2),
        progress=lambda state: shares.append(state.share),
    )
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


_SEARCHES = """
import numpy as np, polyrank as pr
from pathlib import Path
from polyrank.compiled import opened
from polyrank.native import library
from polyrank.posed.chart import chart
from tests.cells.exact_only import regions
from tests.cells.test_search_paths import _domain, _network
if PORTABLE:
    library.core = lambda core=opened(Path(library.__file__).parent, "polyrank_core"): core
    from polyrank.native import records
    records.core = library.core
for seed in range(30):
    rng = np.random.default_rng(seed)
    network = _network(rng)
    steps = []
    where = chart(_domain(rng, network.input_dim), network.input_dim)
    found, result = regions(network, where, proof=steps.append)
    print(sorted((a.hex(), b.hex(), r) for (a, b), r in found.items()), result.tests, result.pivots)
    print(b"".join(steps).hex())
"""


@pytest.mark.skipif(
    not has_both(Path(library.__file__).parent, "polyrank_core"), reason="one build is installed"
)
def test_the_core_for_any_processor_gives_the_same_bytes(pytestconfig: Any) -> None:
    outputs = []
    for portable in (False, True):
        path = os.pathsep.join([str(pytestconfig.rootpath), str(pytestconfig.rootpath / "cli")])
        done = subprocess.run(
            [sys.executable, "-c", _SEARCHES.replace("PORTABLE", str(portable))],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 10_000
