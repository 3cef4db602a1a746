"""ONNX operators that are affine: sums, scalings, products with constants, convolutions, means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from flint import fmpq

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.onnx_call import Call, Operator, Value, shape_of
from polyrank.network.graph import Affine, LinearMap
from polyrank.network.graph.affine import check_size, gather
from polyrank.network.graph.linear import (
    averages,
    convolution,
    means,
    product,
    transposed_convolution,
)
from polyrank.network.graph.values import (
    Values,
    add,
    as_rationals,
    as_values,
    multiply,
    nearest_root,
    settle,
)
from polyrank.network.graph.windows import Windows, place_windows
from polyrank.network.rational import to_fmpq

__all__ = ["OPERATORS"]


def common_shape(call: Call, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape that numpy's broadcasting gives."""
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        listed = ", ".join(map(str, shapes))
        raise FormatError(f"{call.node.where}: the shapes {listed} do not fit together") from None
    check_size(math.prod(shape), call.node.where)
    return shape


def scaled(call: Call, tensor: Affine, factors: Values) -> Affine:
    """The tensor times constants, broadcast to one shape."""
    shape = common_shape(call, [tensor.shape, factors.shape])
    spread = gather(tensor, np.broadcast_to(tensor.numbering(), shape))
    linear = LinearMap.scaling(shape, np.broadcast_to(factors, shape).ravel())
    return call.tape.apply(linear, spread, call.name)


def _signed_sum(call: Call, signs: Sequence[float]) -> list[Value]:
    arrays = [call.value(k) for k in range(len(signs))]
    if all(not isinstance(a, Affine) and np.asarray(a).dtype.kind in "iu" for a in arrays):
        total = arrays[0]
        for sign, array in zip(signs[1:], arrays[1:], strict=True):
            total = total + array if sign > 0 else total - array
        return [total]
    tensors = [call.as_affine(a) for a in arrays]
    shape = common_shape(call, [t.shape for t in tensors])
    return [call.tape.combine(list(zip(tensors, signs, strict=True)), shape, call.name)]


def _add(call: Call) -> list[Value]:
    return _signed_sum(call, [1.0, 1.0])


def _sub(call: Call) -> list[Value]:
    return _signed_sum(call, [1.0, -1.0])


def _sum(call: Call) -> list[Value]:
    return _signed_sum(call, [1.0] * len(call.values))


def _mean(call: Call) -> list[Value]:
    (total,) = _sum(call)
    share = as_values(np.array(fmpq(1, len(call.values)), dtype=object))
    return [scaled(call, call.as_affine(total), share)]


def _neg(call: Call) -> list[Value]:
    value = call.value(0)
    if not isinstance(value, Affine):
        return [-value]
    return [scaled(call, value, np.array(-1.0))]


def _mul(call: Call) -> list[Value]:
    left, right = call.value(0), call.value(1)
    if not isinstance(left, Affine) and not isinstance(right, Affine):
        if left.dtype.kind in "iu" and right.dtype.kind in "iu":
            return [left * right]
        return [multiply(as_values(left, call.node.where), as_values(right, call.node.where))]
    if isinstance(right, Affine):
        if isinstance(left, Affine):
            raise UnsupportedError(
                f"{call.node.where} multiplies two values that depend on the network's input; "
                "that is not piecewise linear"
            )
        return [scaled(call, right, as_values(left, call.node.where))]
    return [scaled(call, left, as_values(right, call.node.where))]


def _div(call: Call) -> list[Value]:
    numerator = call.value(0)
    divisor = call.array(1, "the divisor")
    if bool((divisor == 0).any()):
        raise NetworkError(f"{call.node.where} divides by zero")
    integral = divisor.dtype.kind in "iu"
    if integral and not isinstance(numerator, Affine) and numerator.dtype.kind in "iu":
        quotient = np.abs(numerator) // np.abs(divisor)
        return [(quotient * np.sign(numerator) * np.sign(divisor)).astype(divisor.dtype)]
    exact = as_rationals(as_values(divisor, f"{call.node.where}: the divisor"))
    inverse = np.array([1 / v for v in exact.ravel()], dtype=object).reshape(exact.shape)
    return [scaled(call, call.as_affine(numerator), settle(inverse))]


def _multiplied(call: Call, left: Value, right: Value) -> Affine:
    if isinstance(left, Affine) and isinstance(right, Affine):
        raise UnsupportedError(
            f"{call.node.where} multiplies two matrices that depend on the network's input; that "
            "is not piecewise linear"
        )
    if isinstance(right, Affine):
        constant = as_values(left, call.node.where)
        linear = product(right.shape, constant, constant_left=True, where=call.node.where)
        return call.tape.apply(linear, right, call.name)
    tensor = call.as_affine(left)
    constant = as_values(right, call.node.where)
    linear = product(tensor.shape, constant, constant_left=False, where=call.node.where)
    return call.tape.apply(linear, tensor, call.name)


def _matmul(call: Call) -> list[Value]:
    return [_multiplied(call, call.value(0), call.value(1))]


def _transposed(value: Value) -> Value:
    if isinstance(value, Affine):
        return gather(value, value.numbering().T)
    return value.T


def _gemm(call: Call) -> list[Value]:
    left, right = call.value(0), call.value(1)
    if len(shape_of(left)) != 2 or len(shape_of(right)) != 2:
        raise FormatError(
            f"{call.node.where}: expected two matrices, got shapes {shape_of(left)} and "
            f"{shape_of(right)}"
        )
    left = _transposed(left) if call.integer("transA", 0) else left
    right = _transposed(right) if call.integer("transB", 0) else right
    result = _multiplied(call, left, right)
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    if alpha != 1:
        result = scaled(call, result, _one(alpha))
    offset = call.given(2)
    if offset is None or beta == 0:
        return [result]
    if beta != 1:
        offset = scaled(call, call.as_affine(offset), _one(beta))
    offset = call.as_affine(offset)
    if common_shape(call, [result.shape, offset.shape]) != result.shape:
        raise FormatError(
            f"{call.node.where}: C of shape {offset.shape} does not fit {result.shape}"
        )
    return [call.tape.combine([(result, 1.0), (offset, 1.0)], result.shape, call.name)]


def _one(value: fmpq) -> Values:
    return as_values(np.array(value, dtype=object))


def _windows(call: Call, spatial: Sequence[int], kernel: Sequence[int]) -> Windows:
    return place_windows(
        spatial,
        kernel,
        strides=call.integers_of("strides"),
        dilations=call.integers_of("dilations"),
        pads=call.integers_of("pads"),
        auto_pad=call.text("auto_pad", "NOTSET"),
        ceil_mode=bool(call.integer("ceil_mode", 0)),
        where=call.node.where,
    )


def _images(call: Call) -> Affine:
    tensor = call.affine(0)
    if len(tensor.shape) < 3:
        raise FormatError(
            f"{call.node.where}: the input has shape {tensor.shape}; expected (N, C, …)"
        )
    return tensor


def _with_bias(call: Call, tensor: Affine, position: int) -> Affine:
    if call.given(position) is None:
        return tensor
    bias = call.constant(position, "the bias")
    if bias.shape != (tensor.shape[1],):
        raise FormatError(
            f"{call.node.where}: the bias has shape {bias.shape}; expected ({tensor.shape[1]},)"
        )
    spread = bias.reshape(1, -1, *(1,) * (len(tensor.shape) - 2))
    return tensor.shifted(np.broadcast_to(spread, tensor.shape).ravel())


def _conv(call: Call) -> list[Value]:
    tensor = _images(call)
    kernel = call.constant(1, "the kernel")
    if kernel.ndim != len(tensor.shape) or kernel.shape[2:] != tuple(
        call.integers_of("kernel_shape") or kernel.shape[2:]
    ):
        raise FormatError(
            f"{call.node.where}: a kernel of shape {kernel.shape} does not fit the input's shape "
            f"{tensor.shape}"
        )
    windows = _windows(call, tensor.shape[2:], kernel.shape[2:])
    linear = convolution(tensor.shape, kernel, windows, call.integer("group", 1), call.node.where)
    return [_with_bias(call, call.tape.apply(linear, tensor, call.name), 2)]


def _conv_transpose(call: Call) -> list[Value]:
    tensor = _images(call)
    kernel = call.constant(1, "the kernel")
    axes = len(tensor.shape) - 2
    if kernel.ndim != axes + 2:
        raise FormatError(
            f"{call.node.where}: a kernel of shape {kernel.shape} does not fit the input's shape "
            f"{tensor.shape}"
        )
    windows = _transposed_windows(call, tensor.shape[2:], kernel.shape[2:])
    linear = transposed_convolution(
        tensor.shape, kernel, windows, call.integer("group", 1), call.node.where
    )
    return [_with_bias(call, call.tape.apply(linear, tensor, call.name), 2)]


def _transposed_windows(call: Call, spatial: Sequence[int], kernel: Sequence[int]) -> Windows:
    axes = len(spatial)
    strides = call.integers_of("strides") or [1] * axes
    dilations = call.integers_of("dilations") or [1] * axes
    extra = call.integers_of("output_padding") or [0] * axes
    pads = call.integers_of("pads") or [0] * (2 * axes)
    wanted = call.integers_of("output_shape")
    auto_pad = call.text("auto_pad", "NOTSET")
    if {len(strides), len(dilations), len(extra), len(pads) // 2} != {axes} or (
        min([*strides, *dilations, *kernel]) < 1 or min(extra) < 0
    ):
        raise FormatError(f"{call.node.where}: strides, dilations and pads do not fit {axes} axes")
    before, after, result = [], [], []
    for k in range(axes):
        reach = (kernel[k] - 1) * dilations[k] + 1
        full = strides[k] * (spatial[k] - 1) + extra[k] + reach
        if wanted is not None or auto_pad in {"SAME_UPPER", "SAME_LOWER"}:
            size = wanted[-axes:][k] if wanted is not None else spatial[k] * strides[k]
            total = max(0, full - size)
            # the specification gives the odd cell to the front except for SAME_UPPER
            low = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
            high = total - low
        else:
            low, high = (0, 0) if auto_pad == "VALID" else (pads[k], pads[axes + k])
            size = full - low - high
        if size < 1:
            raise FormatError(f"{call.node.where}: nothing is left along axis {k}")
        before.append(low)
        after.append(high)
        result.append(size)
    return Windows(
        tuple(result),
        tuple(kernel),
        tuple(strides),
        tuple(dilations),
        tuple(before),
        tuple(after),
        tuple(spatial),
    )


def _average_pool(call: Call) -> list[Value]:
    tensor = _images(call)
    windows = _windows(call, tensor.shape[2:], call.integers_of("kernel_shape") or [])
    counted = bool(call.integer("count_include_pad", 0))
    linear = averages(tensor.shape, windows, count_padding=counted)
    return [call.tape.apply(linear, tensor, call.name)]


def _global_average_pool(call: Call) -> list[Value]:
    tensor = _images(call)
    axes = tuple(range(2, len(tensor.shape)))
    return [call.tape.apply(means(tensor.shape, axes, mean=True), tensor, call.name)]


def reduced_axes(call: Call, rank: int) -> tuple[int, ...] | None:
    """The axes of a reduction; None says that nothing is to be done."""
    given = call.integers_of("axes", 1)
    if not given:
        if call.integer("noop_with_empty_axes", 0):
            return None
        return tuple(range(rank))
    return call.axes(given, rank)


def reduced_shape(call: Call, shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape after a reduction over ``axes``."""
    keep = call.integer("keepdims", 1)
    return tuple(
        1 if axis in axes else length
        for axis, length in enumerate(shape)
        if keep or axis not in axes
    )


def _reduce(call: Call, *, mean: bool) -> list[Value]:
    tensor = call.affine(0)
    axes = reduced_axes(call, len(tensor.shape))
    if axes is None:
        return [tensor]
    if tensor.size == 0:
        raise FormatError(f"{call.node.where}: the input of shape {tensor.shape} is empty")
    result = call.tape.apply(means(tensor.shape, axes, mean=mean), tensor, call.name)
    return [result.reshaped(reduced_shape(call, tensor.shape, axes))]


def _reduce_sum(call: Call) -> list[Value]:
    return _reduce(call, mean=False)


def _reduce_mean(call: Call) -> list[Value]:
    return _reduce(call, mean=True)


def _batch_normalization(call: Call) -> list[Value]:
    if call.integer("training_mode", 0):
        raise UnsupportedError(f"{call.node.where} is in training mode; export it for inference")
    tensor = call.affine(0)
    channels = tensor.shape[1] if len(tensor.shape) > 1 else 1
    scale, shift, mean, variance = (
        call.constant(k, what) for k, what in enumerate(("scale", "bias", "mean", "variance"), 1)
    )
    for part in (scale, shift, mean, variance):
        if part.shape != (channels,):
            raise FormatError(
                f"{call.node.where}: parameters of shape {part.shape} do not fit {channels} "
                "channels"
            )
    factors, offsets = folded_normalisation(
        scale, shift, mean, variance, call.number("epsilon", 1e-5), call.node.where
    )
    call.notes.append(
        f"{call.node.where}: scale / sqrt(variance + epsilon) is irrational in general; the factor "
        "of a channel is defined as the float64 nearest to it (correctly rounded), the shift "
        "bias - factor * mean is exact"
    )
    index = np.arange(tensor.size).reshape(tensor.shape)
    channel = index // max(1, math.prod(tensor.shape[2:])) % channels
    result = scaled(call, tensor, factors[channel])
    return [result.shifted(offsets[channel].ravel())]


def folded_normalisation(
    scale: Values, shift: Values, mean: Values, variance: Values, epsilon: fmpq, where: str
) -> tuple[Values, Values]:
    """The factor and the shift per channel of a batch normalisation at inference.

    ``factor = fl(scale / √(variance + epsilon))`` is the float64 nearest to the real number;
    ``shift − factor · mean`` follows exactly. Source of the definition: SPEC of this package.

    Raises
    ------
    NetworkError
        If ``variance + epsilon`` is not positive.
    """
    factors = np.zeros(scale.size)
    for k in range(scale.size):
        gamma, square = to_fmpq(scale[k]), to_fmpq(variance[k]) + epsilon
        if square <= 0:
            raise NetworkError(f"{where}: variance + epsilon is {square} in channel {k}")
        root = nearest_root(gamma * gamma / square)
        factors[k] = -root if gamma < 0 else root
    return factors, add(shift, multiply(multiply(factors, mean), np.array(-1.0)))


OPERATORS: Mapping[str, Operator] = {
    "Add": _add,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Div": _div,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "MatMul": _matmul,
    "Mean": _mean,
    "Mul": _mul,
    "Neg": _neg,
    "ReduceMean": _reduce_mean,
    "ReduceSum": _reduce_sum,
    "Sub": _sub,
    "Sum": _sum,
}
