"""Weights that are kept sparse: the same codewords, ties, ranks and values as dense ones."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import polyrank as pr
from polyrank.network import sparse
from polyrank.network.forward import forward
from polyrank.network.lowering import tape
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from polyrank.network.sparse import SparseArray, block, by_rows, entries_at
from polyrank.sampling.estimate import sample
from tests.conftest import shared
from tests.sampling.test_vertex_cut import pooled


def made_sparse(net: Network) -> Network:
    """The same network with every weight but the first kept sparse."""
    later = [
        Layer(SparseArray(by_rows(v.weight)), v.bias, v.slope_neg, v.slope_pos, v.name)
        for v in net.layers[1:]
    ]
    return Network((net.layers[0], *later), net.name)


def drawn(seed: int) -> Network:
    """Small integers, zeros, layers without biases: ties and dependent rows are common."""
    rng = np.random.default_rng(seed)
    sizes = [3, *rng.integers(1, 7, rng.integers(2, 4)), 2]
    W = [rng.integers(-2, 3, (b, a)) * (rng.random((b, a)) < 0.6) / 2 for a, b in pairwise(sizes)]
    return Network.from_arrays(W, [rng.integers(-1, 2, len(w)) / 4.0 for w in W])


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([np.float32, np.float64]))
def test_samples_do_not_depend_on_how_weights_are_kept(seed: int, dtype: type) -> None:
    net = drawn(seed)
    other = made_sparse(net)
    X = np.random.default_rng(seed).integers(-4, 5, (40, 3)) / 2.0
    a, b = (sample(n, [X], ties="inactive", dtype=dtype, follow=True) for n in (net, other))
    assert np.array_equal(a.packed, b.packed)
    assert np.array_equal(a.tied, b.tied)
    assert np.array_equal(a.of_point, b.of_point)
    assert np.array_equal(a.ranks.lower, b.ranks.lower)
    assert np.array_equal(a.ranks.upper, b.ranks.upper)
    assert np.array_equal(forward(net, X), forward(other, X))


def test_a_sparse_array_is_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.array([[0, 0.5, 0], [-2.0, 0, 0]])
    found = SparseArray(csr_array(table))
    assert (found.shape, found.is_float) == ((2, 3), True)
    assert list(entries_at(found, by_rows(found))) == [fmpq(1, 2), fmpq(-2)]
    rows, columns = np.array([1, 0]), np.array([0, 2])
    assert block(found, rows, columns) == fmpq_mat(2, 2, [-2, 0, 0, 0])
    assert block(RationalArray.from_floats(table), rows, columns) == block(found, rows, columns)
    again = pickle.loads(pickle.dumps(found))
    assert (again.table != found.table).nnz == 0
    assert again.stored() == found.stored() != SparseArray(csr_array(-table)).stored()
    assert np.array_equal(found.approx, table)
    assert found.to_fmpq_mat()[0, 1] == fmpq(1, 2)
    monkeypatch.setattr(sparse, "MOST_DENSE", 5)
    for ask in (lambda: found.approx, lambda: found.nonzero, found.to_fmpq_mat):
        with pytest.raises(pr.UnsupportedError, match="2 units on 3 inputs has a weight of 6"):
            ask()
    with pytest.raises(pr.UnsupportedError, match="6 entries"):
        list(found.entries())


def test_fractions_keep_their_places() -> None:
    """An entry that no float is near to is not zero."""
    array = RationalArray.from_rationals(["1/3", 0, 0, "1e-400"], (2, 2))
    table = by_rows(array)
    assert table.indices.tolist() == [0, 1]
    assert list(entries_at(array, table)) == [fmpq(1, 3), fmpq(1, fmpq(10) ** 400)]
    one = np.array([1])
    assert block(array, one, one)[0, 0] > 0


def test_large_layers_of_a_graph_are_sparse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pooled network above the limit: as dense ones are, and refused where it must be."""
    net = pooled(8)
    monkeypatch.setattr(tape, "MOST_DENSE", 1)
    weight = net.layers[1].weight.approx
    rows, columns = np.nonzero(weight)
    kept = tape._matrix(rows, columns, weight[rows, columns], weight.shape)
    assert isinstance(kept, SparseArray)
    assert np.array_equal(kept.table.toarray(), weight)
    with pytest.raises(pr.UnsupportedError, match="a layer of fractions needs"):
        tape._matrix(rows[:1], columns[:1], np.array([fmpq(1, 3)]), weight.shape)
    monkeypatch.setattr(sparse, "MOST_DENSE", 1)
    with pytest.raises(pr.UnsupportedError, match="kept sparse"):
        pr.enumerate_regions(made_sparse(net))
    for ask in (pr.minimum_rank, pr.maximum_rank):
        with pytest.raises(pr.UnsupportedError, match="kept sparse"):
            ask(made_sparse(net), layer=2)


@pytest.mark.slow
def test_a_pooled_network_with_400_million_entries() -> None:
    """MaxPool of 23,328 units: pixels that no window covers and ten outputs bound its ranks."""
    net = pr.load(shared("vnncomp_mnist") / "Convnet_maxpool.onnx")
    assert isinstance(net.layers[1].weight, SparseArray)
    found = pr.sample(net, np.random.default_rng(0).normal(size=(1, 784)), jobs=1)
    assert found.ranks.upper[0].tolist()[-1] == found.ranks.lower[0].tolist()[-1] == 10
    assert found.ranks.exact  # noise never leaves a rank open
    assert (found.ranks.upper[0, 1:] <= 625).all()  # the windows cover 25 x 25 pixels
    with pytest.raises(pr.UnsupportedError, match="kept sparse"):
        pr.enumerate_regions(net, pr.Box(0, 1))
