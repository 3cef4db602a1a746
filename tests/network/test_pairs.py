"""Which array is the weight or the bias of which layer."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyrank as pr
from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.pairs import network_from_arrays, pair_arrays
from polyrank.network.forward import forward

A, B, C = np.arange(6.0).reshape(3, 2), np.arange(12.0).reshape(4, 3), np.arange(4.0).reshape(1, 4)
a, b, c = np.arange(3.0), np.arange(4.0), np.arange(1.0)


def net(arrays, *, ordered=True, **options):
    return network_from_arrays(arrays, LoadOptions(**options), name="n", ordered=ordered)


EXPECTED = net({"W0": A, "b0": a, "W1": B, "b1": b, "W2": C, "b2": c}).sha256


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    "arrays",
    [
        {"b2": c, "W2": C, "W1": B, "b1": b, "b0": a, "W0": A},
        {"W1": A, "b1": a, "W2": B, "b2": b, "W3": C, "b3": c},
        {"10.weight": C, "10.bias": c, "0.weight": A, "0.bias": a, "2.weight": B, "2.bias": b},
        {"net.fc1.weight": A, "net.fc1.bias": a, "net.fc2.weight": B, "net.fc2.bias": b,
         "net.fc3.weight": C, "net.fc3.bias": c},
        {"weight_0": A, "bias_0": a, "weight_1": B, "bias_1": b, "weight_2": C, "bias_2": c},
        {"l0/W": A, "l0/b": a[:, None], "l1/W": B, "l1/b": b[None, :], "l2/W": C, "l2/b": c},
        {"arr_0": A, "arr_1": a, "arr_2": B, "arr_3": b, "arr_4": C, "arr_5": c},
        {"dense/kernel:0": A.T, "dense/bias:0": a, "dense_1/kernel:0": B.T, "dense_1/bias:0": b,
         "dense_2/kernel:0": C.T, "dense_2/bias:0": c},
        {"enter.weight": A, "enter.bias": a, "middle.weight": B, "middle.bias": b,
         "out.weight": C, "out.bias": c},
    ],
)  # fmt: skip
def test_layouts(arrays, ordered):
    assert net(arrays, ordered=ordered).sha256 == EXPECTED


def test_without_order_the_only_chain_is_found():
    arrays = {"b.weight": C, "b.bias": c, "m.weight": A, "m.bias": a, "x.weight": B, "x.bias": b}
    assert net(arrays, ordered=False).sha256 == EXPECTED
    with pytest.raises(NetworkError, match="shapes do not chain"):
        net(arrays, ordered=True)


def test_without_order_two_chains_are_ambiguous():
    arrays = {"first.weight": np.eye(2), "second.weight": np.ones((2, 2))}
    assert net(arrays, ordered=True).widths == (2, 2, 2)
    with pytest.raises(FormatError, match="order of the layers first, second is ambiguous"):
        net(arrays, ordered=False)
    with pytest.raises(FormatError, match="is not found: their shapes do not chain"):
        net({"first.weight": A, "second.weight": A}, ordered=False)


def test_the_search_for_an_order_is_bounded():
    names = [f"{letter}.weight" for letter in "abcdefghijklmnopqrst"]
    arrays = {name: np.eye(2) for name in names} | {"z.weight": np.ones((3, 7))}
    with pytest.raises(FormatError, match="ambiguous"):
        net(arrays, ordered=False)


def test_what_has_no_role_is_named_and_not_taken_for_a_network():
    """A pruned layer: the arrays that no rule knows are no set of weights beside the others."""
    arrays = {}
    for k, weight, bias in ((0, A, a), (2, B, b), (4, C, c)):
        arrays[f"{k}.bias"] = bias
        arrays |= {f"{k}.weight_orig": weight, f"{k}.weight_mask": np.ones_like(weight)}
    with pytest.raises(UnsupportedError, match=r"'0.weight_orig' of shape \(3, 2\) is neither"):
        net(arrays)


def test_a_missing_bias_is_zero_and_said():
    for arrays in ({"W0": A, "W1": B}, {"x.0.weight": A, "x.1.weight": B}, {"p": A, "q": B}):
        found = net(arrays)
        assert not any(layer.bias.approx.any() for layer in found.layers)
        assert sum("has no bias: taken as zero" in note for note in found.source["notes"]) == 2


def test_slopes_in_the_file():
    arrays = {"W0": A, "b0": a, "slope_neg0": a / 4, "slope_pos0": a}
    found = net(arrays)
    assert found.layers[0].slope_neg.approx.tolist() == [0, 0.25, 0.5]
    with pytest.raises(NetworkError, match="states its slopes: leave out"):
        net(arrays, activation="abs")


def test_activations_are_recorded():
    found = net({"W0": A, "b0": a, "W1": B, "b1": b}, activation="abs")
    assert found.layers[0].slope_neg.approx.tolist() == [-1, -1, -1]
    assert found.source["notes"] == [
        "the file stores no activations: abs between the layers (as asked), none on the output"
    ]


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({}, FormatError, "holds no arrays"),
        ({"b0": a}, FormatError, "there is no W0"),
        ({"W2": A}, FormatError, "start at W2"),
        ({"W0": A, "W2": B}, FormatError, "W1 is missing: the file has W0 to W2"),
        ({"W0": A, "b1": b}, FormatError, "b1 has no W1"),
        ({"W0": A, "slope_neg0": a}, FormatError, "slope_pos0 is missing"),
        ({"fc.weight": A, "bn.running_mean": a}, UnsupportedError, "'bn.running_mean' of shape"),
        ({"conv.weight": np.zeros((2, 1, 3, 3))}, UnsupportedError, "only dense layers"),
        ({"fc.weight": A, "fc.W": A}, FormatError, "'fc' has two of W"),
        ({"fc.bias": a}, FormatError, "the bias of 'fc' has no weight"),
        ({"x": a, "y": A}, UnsupportedError, r"'x' of shape \(3,\) has no place"),
        ({"x": A, "y": a, "z": a}, UnsupportedError, "'z' of shape"),
        ({"W0": A, "b0": b}, NetworkError, r"W0: the bias has shape \(4,\)"),
        ({"W0": A, "b0": np.array([1, np.nan, 2])}, NetworkError, r"W0, bias: entry \(1,\) is nan"),
        ({"W0": A.T, "W1": B.T}, NetworkError, "if they are stored so, transpose them"),
        ({"W0": a}, NetworkError, "must be a matrix"),
    ],
)
def test_what_is_not_a_dense_network_is_refused(arrays, error, message):
    with pytest.raises(error, match=message):
        net(arrays)


PIECES = st.sampled_from(
    ["a", "0", "1", "2", ".", "/", "_", "weight", "bias", "W", "b", "actor", "critic", "encoder",
     "decoder", "head", "q", "net", "kernel", ":0", "~", "", " ", "é", "embed", "coefs_"]
)  # fmt: skip
KEYS = st.lists(st.lists(PIECES, max_size=7).map("".join), min_size=1, max_size=8, unique=True)


@settings(max_examples=400)
@given(keys=KEYS, ordered=st.booleans(), part=st.none() | st.lists(PIECES, max_size=4).map("".join))
def test_any_names_give_a_network_or_a_sentence(keys, ordered, part):
    arrays = {key: (np.eye(2) if k % 2 == 0 else np.ones(2)) for k, key in enumerate(keys)}
    with suppress(NetworkError):  # any other exception fails the test
        net(arrays, ordered=ordered, part=part)


def test_pairs_keep_the_bias_of_their_weight():
    pairs = pair_arrays({"u.bias": a, "u.weight": A}, ordered=True)
    assert [(pair.key, pair.weight is A, pair.bias is a) for pair in pairs] == [("u", True, True)]


@pytest.mark.parametrize(
    ("names", "apart"),
    [
        (["backbone.0", "cls_head", "reg_head"], "cls_head, reg_head"),
        (["backbone.0", "backbone.2", "head.0", "aux.0"], "head.0, aux.0"),
        (["backbone", "classifier", "regressor"], "classifier, regressor"),
        (["features.0", "fc_class", "fc_box"], "fc_class, fc_box"),
    ],
)
def test_two_heads_whose_sizes_fit_are_not_chained(names, apart):
    """Names tell of two outputs of one backbone; that the second fits on the first is chance."""
    arrays = {}
    for k, name in enumerate(names):
        units = 2 if k == len(names) - 1 else 4
        arrays[f"{name}.weight"] = np.ones((units, 3 if k == 0 else 4))
        arrays[f"{name}.bias"] = np.ones(units)
    with pytest.raises(FormatError, match="several sets of weights") as caught:
        net(arrays)
    assert all(name.partition(".")[0] in str(caught.value) for name in apart.split(", "))
    assert net(arrays, part=",".join(names[:-1])).widths[-1] == 4


def test_the_note_about_a_stated_output_is_true(tmp_path):
    """A file that names the activation of its output only: the note does not deny it."""
    path = tmp_path / "net.npz"
    np.savez(path, W0=[[1.0]], b0=[0.0], W1=[[1.0]], b1=[-1.0], output_activation="relu")
    network = pr.load(path)
    believed, assumed = network.source["notes"]
    assert believed.endswith("(output_activation: relu on the output): they are believed")
    assert assumed == "the file stores no other activations: relu between the layers (the default)"
    np.testing.assert_array_equal(forward(network, np.array([[0.5], [3.0]])), [[0.0], [2.0]])
