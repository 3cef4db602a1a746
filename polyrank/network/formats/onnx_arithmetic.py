"""ONNX operators that are affine: sums, scalings, products with constants, sums over axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from flint import fmpq

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.onnx_call import Call, Operator, Value, shape_of
from polyrank.network.formats.onnx_graph import Node
from polyrank.network.lowering import Affine, LinearMap
from polyrank.network.lowering.affine import check_size, gather
from polyrank.network.lowering.linear import (
    means,
    product,
)
from polyrank.network.lowering.values import (
    Values,
    add,
    as_rationals,
    as_values,
    multiply,
    settle,
)

__all__ = ["OPERATORS", "common_shape", "reduced_axes", "reduced_shape", "refusal", "scaled"]


def refusal(node: Node) -> UnsupportedError:
    """What is said of a product of two values that are not constant."""
    what = "values" if node.op == "Mul" else "matrices"
    return UnsupportedError(
        f"{node.where} multiplies two {what} that depend on the network's input; that is not "
        "piecewise linear"
    )


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


def _spread(call: Call) -> Call:
    """The call with its second argument shaped as operator sets before 7 broadcast it.

    There ``broadcast = 1`` places the second shape inside of the first, at ``axis`` or at the
    end; without it the shapes are equal.
    """
    if call.opset >= 7:
        return call
    first, second = call.value(0), call.value(1)
    whole, part = shape_of(first), shape_of(second)
    if not call.integer("broadcast", 0):
        if whole != part:
            raise FormatError(
                f"{call.node.where}: the shapes {whole} and {part} differ, and operator set "
                f"{call.opset} broadcasts only where the attribute says so"
            )
        return call
    start = call.integer("axis", len(whole) - len(part))
    start += len(whole) if start < 0 else 0
    inner = whole[start : start + len(part)]
    if (
        start < 0
        or len(inner) != len(part)
        or any(b not in (1, a) for a, b in zip(inner, part, strict=True))
    ):
        raise FormatError(
            f"{call.node.where}: the shape {part} does not lie in {whole} from axis {start} on"
        )
    shape = (*part, *(1,) * (len(whole) - start - len(part)))
    second = second.reshaped(shape) if isinstance(second, Affine) else second.reshape(shape)
    return replace(call, values=(first, second, *call.values[2:]))


def _add(call: Call) -> list[Value]:
    return _signed_sum(_spread(call), [1.0, 1.0])


def _sub(call: Call) -> list[Value]:
    return _signed_sum(_spread(call), [1.0, -1.0])


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
    call = _spread(call)
    left, right = call.value(0), call.value(1)
    if not isinstance(left, Affine) and not isinstance(right, Affine):
        if left.dtype.kind in "iu" and right.dtype.kind in "iu":
            return [left * right]
        return [multiply(as_values(left, call.node.where), as_values(right, call.node.where))]
    if isinstance(right, Affine):
        if isinstance(left, Affine):
            raise refusal(call.node)
        return [scaled(call, right, as_values(left, call.node.where))]
    return [scaled(call, left, as_values(right, call.node.where))]


def _div(call: Call) -> list[Value]:
    call = _spread(call)
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


def _dequantize(call: Call) -> list[Value]:
    stored, scale = call.constant(0, "the quantised numbers"), call.constant(1, "the scale")
    if call.integer("block_size", 0):
        raise UnsupportedError(f"{call.node.where} is blocked; use one scale per tensor or axis")
    zero = np.zeros(()) if call.given(2) is None else call.constant(2, "the zero point")
    if scale.ndim == 1 and scale.size != 1:
        shape = [1] * stored.ndim
        shape[call.axis(call.integer("axis", 1), stored.ndim)] = scale.size
        scale = scale.reshape(shape)
        zero = zero.reshape(shape) if zero.ndim else zero
    return [multiply(add(stored, multiply(zero, np.array(-1.0))), scale)]


def _multiplied(call: Call, left: Value, right: Value) -> Affine:
    if isinstance(left, Affine) and isinstance(right, Affine):
        raise refusal(call.node)
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


def _flattened(value: Value) -> Value:
    shape = (shape_of(value)[0], math.prod(shape_of(value)[1:]))
    return value.reshaped(shape) if isinstance(value, Affine) else value.reshape(shape)


def _gemm(call: Call) -> list[Value]:
    left, right = call.value(0), call.value(1)
    if call.opset < 7 and len(shape_of(left)) > 2:  # as MATLAB writes it: images are flattened
        left = _flattened(left)
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


OPERATORS: Mapping[str, Operator] = {
    "Add": _add,
    "DequantizeLinear": _dequantize,
    "Div": _div,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Mean": _mean,
    "Mul": _mul,
    "Neg": _neg,
    "ReduceMean": _reduce_mean,
    "ReduceSum": _reduce_sum,
    "Sub": _sub,
    "Sum": _sum,
}
