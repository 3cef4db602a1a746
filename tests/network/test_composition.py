"""Products with weights that are mostly zero: the same as with the dense matrix, in small steps."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from scipy.sparse import csr_array

import polyrank as pr
from polyrank.lp.farkas import integer_table
from polyrank.network import composition, rational
from polyrank.network.composition import preactivation, product
from polyrank.network.normal_form import Layer, Network, relu_layer
from polyrank.network.rational import RationalArray
from polyrank.network.sparse import SparseArray
from polyrank.posed.branch import Branch
from polyrank.posed.chart import chart

NO_BITS = np.zeros(0, dtype=bool)


def _dense(seed: int) -> np.ndarray:
    """7 × 5, with rows that are zero at the start, in the middle and at the end."""
    rng = np.random.default_rng(seed)
    W = rng.integers(-9, 10, (7, 5)) * (rng.random((7, 5)) < 0.4) / 8
    W[[0, 3, 6]] = 0
    return W


def _layers(seed: int) -> list[Layer]:
    """One weight as floats, as entries that are not zero, and as rationals one third of it."""
    W = _dense(seed)
    bias = np.arange(7) / 4 - 1
    thirds = [fmpq(int(8 * v), 24) for v in W.ravel()]
    return [
        relu_layer(W, bias),
        relu_layer(SparseArray(csr_array(W)), bias),
        relu_layer(RationalArray.from_rationals(thirds, (7, 5)), bias),
    ]


@pytest.mark.parametrize("kind", range(3))
@pytest.mark.parametrize("seed", range(3))
def test_terms_are_the_entries_that_are_not_zero(kind: int, seed: int) -> None:
    weight = _layers(seed)[kind].weight
    table = fmpq_mat(7, 5)
    for i, row in enumerate(weight.terms()):
        assert [j for j, _ in row] == sorted({j for j, v in row if v != 0})
        for j, v in row:
            table[i, j] = v
    assert table == weight.to_fmpq_mat()


def test_an_entry_that_no_float_is_near_to_is_a_term() -> None:
    array = RationalArray.from_rationals(["1e-400", 0, 0, "1/3"], (2, 2))
    assert list(array.terms()) == [((0, 1 / fmpq(10) ** 400),), ((1, fmpq(1, 3)),)]


@pytest.mark.parametrize("kind", range(3))
@pytest.mark.parametrize("columns", [0, 1, 2, 4, 5, 9])
@pytest.mark.parametrize("step", [1, 60, 1 << 23])
def test_products(kind: int, columns: int, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against FLINT's product, entry by entry and in blocks of one, some and all rows."""
    monkeypatch.setattr(rational, "SPARSE", 2.0)
    monkeypatch.setattr(composition, "_PRODUCTS", step)
    layer = _layers(1)[kind]
    assert layer.sparse_rows is not None
    rng = np.random.default_rng(columns)
    entries = [fmpq(int(p), int(q)) for p, q in rng.integers(1, 9, (5 * columns, 2))]
    below = fmpq_mat(5, columns, entries)
    expected = layer.weight.to_fmpq_mat() * below
    assert product(layer, below) == expected
    if columns:
        bias = fmpq_mat(7, columns)
        for i, v in enumerate(layer.bias.entries()):
            bias[i, columns - 1] = v
        assert preactivation(layer, below) == expected + bias


@pytest.mark.parametrize("share", [0.0, 2.0], ids=["dense", "sparse"])
@pytest.mark.parametrize(
    "domain",
    [
        pr.WholeSpace(),
        pr.Box(-1, 2),
        pr.Slice([1, 0, "1/3", 0, 2], [[1, 0], [0, 2], [1, 1], [0, 0], [3, 1]], pr.Box(-2, 2)),
        pr.Box([0, 1, 0, 0, 0], [1, 1, 2, 1, 1]),
    ],
    ids=["R5", "box", "slice", "flat"],
)
def test_rows_on_charts(share: float, domain: pr.Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    """``W · basis`` and ``[W · basis | W · origin + b]``, by their definitions."""
    monkeypatch.setattr(rational, "SPARSE", share)
    for layer in _layers(2):
        where = chart(domain, 5)
        weight = layer.weight.to_fmpq_mat()
        linear = weight * where.basis
        table = fmpq_mat(7, where.k)
        for i, row in enumerate(where.linear_rows(layer)):
            for j, v in row:
                assert v != 0
                table[i, j] = v
        assert table == linear
        shift = weight * where.origin + layer.bias.to_fmpq_mat()
        both = fmpq_mat(
            [[*row, v] for row, v in zip(linear.tolist(), shift.entries(), strict=True)]
        )
        branch = Branch.on(Network((layer,)), where)
        assert branch.preactivation(1, NO_BITS) == both
        assert list(branch.rows(1, NO_BITS)) == integer_table(both)
