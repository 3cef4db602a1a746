"""Boxes in many dimensions: bounds that are no rows, against the dictionary and the checker."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import polyrank as pr
from polyrank.cells import dictionary_search
from polyrank.cells.dictionary import Dictionary
from polyrank.cells.search import search
from polyrank.cells.task import Batch, SearchResult
from polyrank.network.normal_form import Network, relu_layer
from polyrank.polyhedra.system import Inequalities
from polyrank.posed.chart import chart
from polyrank.posed.problem import Problem
from polyrank.proof.check import check


def _random(widths: list[int], seed: int, *, bias: float = 0.2, whole: bool = False) -> Network:
    rng = np.random.default_rng(seed)
    layers = []
    for a, b in itertools.pairwise(widths):
        weight: NDArray[np.float64] = rng.normal(size=(b, a)) / np.sqrt(a)
        offset = bias * rng.normal(size=b)
        if whole:
            weight, offset = rng.integers(-2, 3, (b, a)), rng.integers(-1, 2, b) * (bias > 0)
        layers.append(relu_layer(weight.astype(float), offset.astype(float)))
    return Network(tuple(layers))


def _searched(
    monkeypatch: pytest.MonkeyPatch, network: Network, domain: pr.Box | pr.Polytope, *, bounds: bool
) -> tuple[SearchResult, list[tuple[int, ...]]]:
    found: list[Batch] = []
    with monkeypatch.context() as patch:
        patch.setattr(dictionary_search, "Dictionary", functools.partial(Dictionary, bounds=bounds))
        problem = Problem(network, chart(domain, network.input_dim), len(network.layers))
        result = search(problem, found.append, engine="dictionary", jobs=1)
    rows = [np.concatenate([b.codeword, b.zero], axis=1).tolist() for b in found]
    return result, sorted(tuple(row) for part in rows for row in part)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("widths", "whole", "bias"),
    [
        ([3, 6, 5], False, 0.3),
        ([6, 6, 5], False, 0.3),
        ([9, 5, 4, 4], False, 0.2),
        ([4, 6, 5], True, 1.0),
        ([5, 4, 4], True, 0.0),
        ([6, 5, 4], False, 0.0),
    ],
)
def test_two_programs_agree(
    monkeypatch: pytest.MonkeyPatch, widths: list[int], whole: bool, bias: float, seed: int
) -> None:
    """Random, integer (touching) and bias-free networks; boxes of many shapes."""
    network = _random(widths, seed, whole=whole, bias=bias)
    n = widths[0]
    low, high = -np.ones(n), np.ones(n)
    if not whole and bias:
        low, high = low * 0.7, high * np.linspace(0.3, 1.9, n)
    domain = pr.Box(low, high)
    rows, expected = _searched(monkeypatch, network, domain, bounds=False)
    sparse, found = _searched(monkeypatch, network, domain, bounds=True)
    assert rows.certified
    assert sparse.certified
    assert found == expected


def test_other_walls_beside_the_box(monkeypatch: pytest.MonkeyPatch) -> None:
    network = _random([6, 6, 4], 3)
    eye = np.eye(6)
    A = np.vstack([eye, -eye, np.ones((1, 6)), [[1, -1, 0, 0, 2, 0]]])
    b = np.concatenate([np.ones(6), np.ones(6), [1.5, 0.75]])
    domain = pr.Polytope(A, b)
    _, expected = _searched(monkeypatch, network, domain, bounds=False)
    result, found = _searched(monkeypatch, network, domain, bounds=True)
    assert result.certified
    assert found == expected


def test_all_sign_vectors_in_many_dimensions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hyperplanes with independent normals through the centre cut a box into 2^m regions."""
    network = _random([200, 7], 1, bias=0.0)
    result, found = _searched(
        monkeypatch, network, pr.Box(-np.ones(200), np.ones(200)), bounds=True
    )
    assert result.certified
    assert len(set(found)) == 2**7


def test_cuts_are_seen_along_lines() -> None:
    """Independent normals, hyperplanes near the centre: 2^m regions, with next to no program."""
    run = pr.enumerate_regions(_random([400, 8], 2, bias=0.05), pr.Box(-1, 1), jobs=1)
    assert run.certified
    assert run.count == 2**8
    search = run.manifest["search"]
    assert search["ladder"]["cuts"] > 100
    assert search["pivots"] < search["ladder"]["cuts"]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(("whole", "bias"), [(False, 0.2), (True, 1.0), (False, 0.0)])
def test_proof_is_accepted(tmp_path: Path, exact: bool, whole: bool, bias: float) -> None:
    network = _random([18, 5, 4], 5, whole=whole, bias=bias)
    pr.save(network, tmp_path / "net.npz")
    network = pr.load(tmp_path / "net.npz", output_relu=True)
    run = pr.enumerate_regions(
        network,
        pr.Box(-np.ones(18), np.ones(18)),
        out=tmp_path / "run",
        proof=True,
        engine="dictionary",
        network_file={"path": str(tmp_path / "net.npz"), "options": {"output_relu": True}},
    )
    assert run.certified
    report = check(tmp_path / "run", exact=exact)
    assert report.complete
    assert report.checked == run.count


def _proved(network: Network, domain: pr.Box, folder: Path, *, regions: int) -> None:
    """One layer, read from a file: so many regions, and both checks accept the proof."""
    pr.save(network, folder / "net.npz")
    network = pr.load(folder / "net.npz", output_relu=True)
    named = {"path": str(folder / "net.npz"), "options": {"output_relu": True}}
    run = pr.enumerate_regions(network, domain, out=folder / "run", proof=True, network_file=named)
    assert (run.count, run.certified) == (regions, True)
    for exact in (False, True):
        assert check(folder / "run", exact=exact).complete


@pytest.mark.parametrize("flat", [False, True])
def test_no_matrix_of_a_wide_box_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flat: bool
) -> None:
    """A box in R^784 has one coefficient a row: nobody walks through 1,568 × 784 entries."""
    rng = np.random.default_rng(3)
    lower, upper = np.zeros(784), np.ones(784)
    if flat:
        lower[::3] = upper[::3] = 0.25  # a border without ink
    network = _random([784, 5], 3)
    centre = (lower + upper) / 2
    weight = network.layers[0].weight.approx
    # through the centre, up to a little: all sign vectors of independent rows are there
    network = Network((relu_layer(weight, -weight @ centre + 1e-6 * rng.normal(size=5)),))

    def made(_: Inequalities) -> None:
        raise AssertionError("the matrix of the box was made")

    if not flat:
        monkeypatch.setattr(Inequalities, "A", property(made))
    _proved(network, pr.Box(lower, upper), tmp_path, regions=2**5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zero columns", "twin pixels", "ragged", "nearly all fixed"])
def test_strange_wide_boxes(tmp_path: Path, kind: str) -> None:
    """Four independent rows whose hyperplanes meet near the centre: every sign vector is there."""
    rng = np.random.default_rng(5)
    weight, upper = rng.normal(size=(4, 784)), np.ones(784)
    if kind == "zero columns":
        weight[:, ::2] = 0.0
    elif kind == "twin pixels":
        weight[:, 1::2] = weight[:, ::2]
    elif kind == "ragged":
        weight *= 2.0 ** rng.integers(-60, 60, 784)
    else:
        upper[:700] = 0.0
    bias = 1e-3 * np.abs(weight).max(axis=1) * rng.normal(size=4)
    network = Network((relu_layer(weight, bias),))
    _proved(network, pr.Box(-upper, upper), tmp_path, regions=2**4)
