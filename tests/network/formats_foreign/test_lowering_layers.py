"""Which layers a graph becomes: what is carried, composed, merged and left alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.forward import forward_exact
from polyrank.network.lowering.affine import Affine, LinearMap, check_size, gather, stack
from polyrank.network.lowering.piecewise import clip, maximum, tournament
from polyrank.network.lowering.sequence import Sequence
from polyrank.network.lowering.tape import Tape
from polyrank.network.lowering.windows import place_windows, window_entries
from polyrank.network.rational import to_fmpq
from tests.network.formats_foreign.onnx_models import build, loaded, node

RNG = np.random.default_rng(3)


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def test_residual_block_carries_its_input(tmp_path):
    """y = V relu(W x) + x: the skipped x rides on linear units beside the ReLU."""
    W, V = floats(4, 3), floats(3, 4)
    model = build(
        [
            node("Gemm", ["x", "W"], ["z"], transB=1),
            node("Relu", ["z"], ["h"]),
            node("Gemm", ["h", "V"], ["v"], transB=1),
            node("Add", ["v", "x"], ["y"]),
        ],
        {"x": [1, 3]},
        {"W": W, "V": V},
    )
    first, second = loaded(model, tmp_path).layers
    assert np.array_equal(first.weight.approx, np.vstack([W, np.eye(3)]).astype(float))
    assert first.has_hyperplane.tolist() == [True] * 4 + [False] * 3
    assert np.array_equal(second.weight.approx, np.hstack([V, np.eye(3)]).astype(float))
    assert first.weight.is_float
    assert second.weight.is_float


def test_wide_skip_is_carried_as_its_image(tmp_path):
    """A skip of 20 inputs through a 20 → 2 map is carried as the two numbers that are needed."""
    S, W, V = floats(2, 20), floats(5, 20), floats(2, 5)
    model = build(
        [
            node("Gemm", ["x", "S"], ["s"], transB=1),
            node("Gemm", ["x", "W"], ["z"], transB=1),
            node("Relu", ["z"], ["h"]),
            node("Gemm", ["h", "V"], ["v"], transB=1),
            node("Add", ["v", "s"], ["y"]),
        ],
        {"x": [1, 20]},
        {"S": S, "W": W, "V": V},
    )
    network = loaded(model, tmp_path)
    assert network.widths == (20, 7, 2)
    assert np.array_equal(network.layers[0].weight.approx, np.vstack([W, S]).astype(float))


def test_parallel_branches_share_a_layer(tmp_path):
    A, B = floats(2, 2), floats(3, 2)
    model = build(
        [
            node("Gemm", ["x", "A"], ["a"], transB=1),
            node("Abs", ["a"], ["p"]),
            node("Gemm", ["x", "B"], ["b"], transB=1),
            node("Relu", ["b"], ["q"]),
            node("Concat", ["p", "q"], ["y"], axis=1),
        ],
        {"x": [1, 2]},
        {"A": A, "B": B},
    )
    (layer,) = loaded(model, tmp_path).layers
    assert np.array_equal(layer.weight.approx, np.vstack([A, B]).astype(float))
    assert [neg for neg, _ in layer.slopes_exact] == [-1, -1, 0, 0, 0]


def test_output_in_another_order_needs_no_layer(tmp_path):
    W = floats(4, 2)
    model = build(
        [
            node("Gemm", ["x", "W"], ["z"], transB=1),
            node("Relu", ["z"], ["h"]),
            node("Reshape", ["h", "s"], ["r"]),
            node("Transpose", ["r"], ["y"], perm=[1, 0]),
        ],
        {"x": [1, 2]},
        {"W": W, "s": np.array([2, 2])},
    )
    (layer,) = loaded(model, tmp_path).layers
    assert np.array_equal(layer.weight.approx, W[[0, 2, 1, 3]].astype(float))


def test_output_order_of_a_rational_layer(tmp_path):
    W = floats(2, 2)
    model = build(
        [
            node("Gemm", ["x", "W"], ["z"], transB=1),
            node("Div", ["z", "three"], ["d"]),
            node("Relu", ["d"], ["h"]),
            node("Gather", ["h", "order"], ["y"], axis=1),
        ],
        {"x": [1, 2]},
        {"W": W, "three": np.float32(3), "order": np.array([1, 0])},
    )
    (layer,) = loaded(model, tmp_path).layers
    exact = [to_fmpq(Fraction(float(W[i, j])) / 3) for i in (1, 0) for j in (0, 1)]
    assert list(layer.weight.entries()) == exact
    assert not layer.weight.is_float


def test_nodes_that_the_output_does_not_need_are_left_out(tmp_path):
    model = build(
        [
            node("Sin", ["x"], ["s"]),
            node("Softmax", ["s"], ["t"]),
            node("Relu", ["x"], ["y"]),
        ],
        {"x": [1, 2]},
    )
    assert loaded(model, tmp_path).widths == (2, 2)


def test_nodes_need_not_be_in_order(tmp_path):
    model = build([node("Neg", ["h"], ["y"]), node("Relu", ["x"], ["h"])], {"x": [1, 2]})
    network = loaded(model, tmp_path)
    assert list(forward_exact(network, [1, -1])) == [-1, 0]


def test_several_inputs_and_outputs_are_concatenated_in_order(tmp_path):
    model = build(
        [node("Sub", ["a", "b"], ["y"]), node("Relu", ["b"], ["z"])],
        {"a": [1, 2], "b": [2]},
        outputs=("z", "y"),
    )
    network = loaded(model, tmp_path)
    assert list(forward_exact(network, [10, 20, 3, -4])) == [3, 0, 7, 24]
    notes = network.source["notes"]
    assert any("input vector is 'a' [1, 2] then 'b' [2]" in note for note in notes)
    assert any("output vector is 'z' then 'y'" in note for note in notes)


def test_batch_normalisation_factor(tmp_path):
    """The folded factor is the float64 nearest to scale / sqrt(var + eps): here 1/2 and 3."""
    scale, var = np.array([1.0, 3.0], np.float32), np.array([3.75, 0.75], np.float32)
    model = build(
        [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=0.25)],
        {"x": [1, 2]},
        {"s": scale, "b": np.float32([5, 6]), "m": np.float32([2, -1]), "v": var},
    )
    network = loaded(model, tmp_path)
    assert list(forward_exact(network, ["1/3", "1/7"])) == [
        fmpq(1, 6) - 1 + 5, fmpq(3, 7) + 3 + 6,
    ]  # fmt: skip
    assert any("float64 nearest" in note for note in network.source["notes"])


def test_average_pool_divides_exactly(tmp_path):
    model = build([node("AveragePool", ["x"], ["y"], kernel_shape=[3])], {"x": [1, 1, 3]})
    (layer,) = loaded(model, tmp_path).layers
    assert list(layer.weight.entries()) == [fmpq(1, 3)] * 3


def test_max_pool_is_a_tournament(tmp_path):
    model = build([node("MaxPool", ["x"], ["y"], kernel_shape=[4])], {"x": [1, 1, 4]})
    network = loaded(model, tmp_path)
    assert network.bits == (2, 1, 0)  # three matches
    assert any("refine the argmax pattern" in note for note in network.source["notes"])


def test_equal_matches_of_overlapping_windows_are_played_once():
    tape = Tape(3)
    x = Affine.variables(0, (3,))
    result = tournament(tape, x, np.array([[0, 1], [0, 1], [1, 2]]), "m")
    layers = tape.lower(result)
    assert int(layers[0].has_hyperplane.sum()) == 2


def test_constant_branches_have_no_units(tmp_path):
    model = build(
        [
            node("Relu", ["c"], ["d"]),
            node("MaxPool", ["d"], ["m"], kernel_shape=[2]),
            node("Clip", ["m", "lo", "hi"], ["k"]),
            node("Flatten", ["k"], ["f"]),
            node("Add", ["x", "f"], ["y"]),
        ],
        {"x": [1, 1]},
        {"c": np.float32([[[-1, 5]]]), "lo": np.float32(0), "hi": np.float32(3)},
    )
    network = loaded(model, tmp_path)
    assert network.bits == (0,)
    assert list(forward_exact(network, [1])) == [4]


def test_max_of_two_constants_and_of_dead_tensors():
    tape = Tape(2)
    zero = Affine(
        (1,), np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0), np.ones(1)
    )
    two = Affine.fixed(np.array([2.0]))
    result = maximum(tape, zero, two, "m")
    layers = tape.lower(stack([result, Affine.variables(0, (2,))]))
    assert layers[-1].units == 3


@pytest.mark.parametrize(
    ("low", "high", "bits"),
    [(None, None, 0), (0, None, 1), (None, 2, 1), (0, 2, 2), (3, 3, 0), (4, 1, 0)],
)
def test_clip(low, high, bits):
    bounds = [None if v is None else fmpq(v) for v in (low, high)]
    tape = Tape(1)
    result = clip(tape, Affine.variables(0, (1,)), *bounds, "c")
    layers = tape.lower(result)
    assert sum(int(layer.has_hyperplane.sum()) for layer in layers) == bits


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 17, 21])
def test_clip_bounds_that_mean_no_bound(tmp_path, opset):
    top = float(np.finfo(np.float32).max)
    if opset < 11:
        model = build([node("Clip", ["x"], ["y"], min=0.0, max=top)], {"x": [1, 1]}, opset=opset)
    else:
        constants = {"lo": np.float32(0), "hi": np.float32(np.inf)}
        model = build(
            [node("Clip", ["x", "lo", "hi"], ["y"])], {"x": [1, 1]}, constants, opset=opset
        )
    assert loaded(model, tmp_path).bits == (1,)


def test_sums_of_mixing_maps_are_never_rounded(tmp_path):
    """A x + B x has coefficients beyond float64 here: both summands become units."""
    A = floats(3, 3)
    B = floats(3, 3) * np.float32(2.0) ** -60
    model = build(
        [
            node("Gemm", ["x", "A"], ["a"], transB=1),
            node("Gemm", ["x", "B"], ["b"], transB=1),
            node("Add", ["a", "b"], ["y"]),
        ],
        {"x": [1, 3]},
        {"A": A, "B": B},
    )
    network = loaded(model, tmp_path)
    assert network.widths == (3, 6, 3)
    assert np.array_equal(network.layers[0].weight.approx, np.vstack([A, B]).astype(float))


def test_rational_maps_are_composed(tmp_path):
    """A mean over 3 of 5 numbers, then weights: one layer of fractions."""
    V = np.arange(6, dtype=np.float32).reshape(2, 3)
    model = build(
        [
            node("AveragePool", ["x"], ["p"], kernel_shape=[3]),
            node("Flatten", ["p"], ["f"]),
            node("Gemm", ["f", "V"], ["y"], transB=1),
        ],
        {"x": [1, 1, 5]},
        {"V": V},
    )
    (layer,) = loaded(model, tmp_path).layers
    assert list(layer.weight.entries())[:5] == [0, fmpq(1, 3), 1, 1, fmpq(2, 3)]


def test_mean_of_a_mixing_map_keeps_the_map_as_a_layer(tmp_path):
    A, b = floats(3, 2), floats(3)
    model = build(
        [
            node("Gemm", ["x", "A", "b"], ["z"], transB=1),
            node("ReduceMean", ["z"], ["m"], axes=[1]),
            node("Gather", ["z", "i"], ["g"], axis=1),
            node("Mul", ["g", "none"], ["n"]),
            node("Concat", ["m", "n"], ["y"], axis=1),
        ],
        {"x": [1, 2]},
        {"A": A, "b": b, "i": np.array([1]), "none": np.float32(0)},
    )
    network = loaded(model, tmp_path)
    assert network.widths == (2, 3, 2)
    assert np.array_equal(network.layers[0].weight.approx, A.astype(float))
    assert list(network.layers[1].weight.entries()) == [fmpq(1, 3)] * 3 + [fmpq(0)] * 3


# ---- errors of the graph room


def test_too_large():
    with pytest.raises(UnsupportedError, match="more than the 16,777,216"):
        check_size(2**40, "the thing")
    tape = Tape(10_000)
    wide = gather(Affine.variables(0, (10_000,)), np.zeros(10_000, dtype=np.int64))
    with pytest.raises(
        UnsupportedError, match="the linear part through layer 'r' needs 100,000,000 entries"
    ):
        tape.relu(wide, "r")


def test_overflow_of_a_composition():
    chain = Sequence(1)
    chain.scale(np.array([1e200]), "a")
    chain.scale(np.array([1e200]), "b")
    with pytest.raises(NetworkError, match="too large for float64"):
        chain.layers()


def test_sequence_shapes():
    chain = Sequence(2)
    with pytest.raises(NetworkError, match="fc has a weight of shape"):
        chain.linear(np.ones((3, 3)), None, "fc")
    with pytest.raises(NetworkError, match=r"fc: the bias has shape \(2,\); expected \(3,\)"):
        chain.linear(np.ones((3, 2)), np.ones(2), "fc")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": [5]}, "does not fit into axis 0 of length 4"),
        ({"kernel": [2, 2]}, "do not describe windows over 1 spatial axes"),
        ({"kernel": [2], "strides": [0]}, "do not describe windows"),
        ({"kernel": [2], "pads": [-1, 0]}, "with pads -1, 0 does not fit"),
        ({"kernel": [2], "auto_pad": "SAME"}, "auto_pad is 'SAME'"),
    ],
)
def test_windows_that_do_not_fit(options, message):
    with pytest.raises(FormatError, match=message):
        place_windows([4], options.pop("kernel"), where="node", **options)


@pytest.mark.parametrize("size", [1, 4, 5, 7])
@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_window_entries_against_a_loop(size, kernel, stride, ceil_mode):
    low, high = 1, 1
    if kernel > size + 2:
        return
    windows = place_windows(
        [size], [kernel], strides=[stride], pads=[low, high], ceil_mode=ceil_mode
    )
    # rounding the number up: a window starts where the one before has not reached the end, but
    # never beyond the input (as PyTorch and onnxruntime do)
    if ceil_mode:
        starts = [
            s for s in range(-low, size, stride) if s == -low or s - stride + kernel < size + high
        ]
    else:
        starts = [s for s in range(-low, size + high, stride) if s + kernel <= size + high]
    expected = [
        [c if 0 <= c < size else (-1 if c < size + high else -2) for c in range(s, s + kernel)]
        for s in starts
    ]
    assert window_entries(windows).tolist() == expected


def test_empty_and_filled_gathers():
    x = Affine.variables(0, (2,))
    result = gather(x, np.array([-1, 1]), 2.5)
    assert result.constant.tolist() == [2.5, 0.0]
    empty = Affine.fixed(np.zeros(0))
    assert gather(empty, np.array([-1]), 1.0).constant.tolist() == [1.0]
    third = Affine.fixed(np.array([fmpq(1, 3)], dtype=object))
    assert list(gather(third, np.array([0, -1]), 0.5).constant) == [fmpq(1, 3), fmpq(1, 2)]
    assert LinearMap.scaling((0,), np.zeros(0)).is_monomial
