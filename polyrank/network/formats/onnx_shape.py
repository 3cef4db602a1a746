"""ONNX operators that only move numbers around, make constants, or do nothing at inference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.formats.onnx_call import Call, Operator, Value, rearranged, shape_of
from polyrank.network.lowering import Affine
from polyrank.network.lowering.affine import check_size, stack

__all__ = ["OPERATORS"]

_FLOAT_TYPES = {1: np.float32, 10: np.float16, 11: np.float64}
_INTEGER_TYPES = {
    2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64,
    9: np.bool_, 12: np.uint32, 13: np.uint64,
}  # fmt: skip
_BFLOAT16 = 16


def numbering(value: Value) -> NDArray[np.int64]:
    """The row-major number of every entry, in the value's shape."""
    return np.arange(math.prod(shape_of(value)), dtype=np.int64).reshape(shape_of(value))


def _identity(call: Call) -> list[Value]:
    return [call.value(0)]


def _dropout(call: Call) -> list[Value]:
    value = call.value(0)
    if call.opset < 7 and not call.integer("is_test", 0) and call.number("ratio", 0.5) != 0:
        raise UnsupportedError(
            f"{call.node.where} is in training mode, which is random; export the model for "
            "inference (is_test = 1)"
        )
    training = call.given(2)
    if training is not None and bool(np.asarray(call.array(2, "training_mode")).any()):
        ratio = 0.5 if call.given(1) is None else float(call.array(1, "ratio"))
        if ratio != 0.0:
            raise UnsupportedError(
                f"{call.node.where} is in training mode, which is random; export the model for "
                "inference (model.eval())"
            )
    return [value, np.ones(shape_of(value), dtype=bool)]


def _cast(call: Call) -> list[Value]:
    value, target = call.value(0), call.integer("to", 0)
    if isinstance(value, Affine):
        if target in _FLOAT_TYPES or target == _BFLOAT16:
            return [value]
        raise UnsupportedError(
            f"{call.node.where} casts a value that depends on the input to an integer or other "
            "type; rounding is not continuous"
        )
    if target == _BFLOAT16:
        return [value]
    dtype = _FLOAT_TYPES.get(target) or _INTEGER_TYPES.get(target)
    if dtype is None:
        raise UnsupportedError(f"{call.node.where} casts to the type number {target}")
    return [np.asarray(value, dtype=float if value.dtype == object else None).astype(dtype)]


def _resized_shape(call: Call, shape: tuple[int, ...], wanted: Sequence[int]) -> tuple[int, ...]:
    keep_zero = call.integer("allowzero", 0)
    result = [
        shape[k] if length == 0 and not keep_zero and k < len(shape) else length
        for k, length in enumerate(wanted)
    ]
    size = math.prod(shape)
    if result.count(-1) == 1:
        rest = -math.prod(result)
        if rest > 0 and size % rest == 0:
            result[result.index(-1)] = size // rest
    if min(result, default=0) < 0 or math.prod(result) != size:
        raise FormatError(
            f"{call.node.where}: a tensor of shape {shape} cannot take the shape {list(wanted)}"
        )
    return tuple(result)


def _reshaped(value: Value, shape: Sequence[int]) -> Value:
    if isinstance(value, Affine):
        return value.reshaped(tuple(shape))
    return value.reshape(shape)


def _reshape(call: Call) -> list[Value]:
    value = call.value(0)
    wanted = call.integers_of("shape", 1)
    if wanted is None:
        raise FormatError(f"{call.node.where} lacks its shape")
    return [_reshaped(value, _resized_shape(call, shape_of(value), wanted))]


def _flatten(call: Call) -> list[Value]:
    value = call.value(0)
    shape = shape_of(value)
    axis = call.integer("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise FormatError(f"{call.node.where}: there is no axis {axis} among {len(shape)}")
    axis += len(shape) if axis < 0 else 0
    return [_reshaped(value, (math.prod(shape[:axis]), math.prod(shape[axis:])))]


def _squeeze(call: Call) -> list[Value]:
    value = call.value(0)
    shape = shape_of(value)
    given = call.integers_of("axes", 1)
    if given is None:
        return [_reshaped(value, [length for length in shape if length != 1])]
    axes = call.axes(given, len(shape))
    if any(shape[axis] != 1 for axis in axes):
        raise FormatError(
            f"{call.node.where}: axes {list(axes)} of shape {shape} are not of length 1"
        )
    return [_reshaped(value, [length for k, length in enumerate(shape) if k not in axes])]


def _unsqueeze(call: Call) -> list[Value]:
    value = call.value(0)
    given = call.integers_of("axes", 1)
    if given is None:
        raise FormatError(f"{call.node.where} lacks its axes")
    axes = call.axes(given, len(shape_of(value)) + len(given))
    shape = list(shape_of(value))
    for axis in axes:
        shape.insert(axis, 1)
    return [_reshaped(value, shape)]


def _transpose(call: Call) -> list[Value]:
    value = call.value(0)
    rank = len(shape_of(value))
    order = call.integers_of("perm")
    if order is None:
        order = list(range(rank))[::-1]
    if len(order) != rank or sorted(order) != list(range(rank)):
        raise FormatError(f"{call.node.where}: {order} is not an order of {rank} axes")
    return [rearranged(value, numbering(value).transpose(order))]


def _concat(call: Call) -> list[Value]:
    values = [call.value(k) for k in range(len(call.values))]
    shapes = [shape_of(value) for value in values]
    axis = call.axis(call.integer("axis", 0), len(shapes[0]))
    if any(
        len(shape) != len(shapes[0])
        or any(a != b for k, (a, b) in enumerate(zip(shape, shapes[0], strict=True)) if k != axis)
        for shape in shapes
    ):
        raise FormatError(f"{call.node.where}: the shapes {shapes} do not fit along axis {axis}")
    if not any(isinstance(value, Affine) for value in values):
        return [np.concatenate(values, axis=axis)]
    tensors = call.tape.align([call.as_affine(value) for value in values], call.name)
    starts = np.cumsum([0, *(tensor.size for tensor in tensors)])
    index = [tensor.numbering() + start for tensor, start in zip(tensors, starts[:-1], strict=True)]
    return [rearranged(stack(tensors), np.concatenate(index, axis=axis))]


def _split(call: Call) -> list[Value]:
    value = call.value(0)
    index = numbering(value)
    axis = call.axis(call.integer("axis", 0), index.ndim)
    length, count = index.shape[axis], len(call.node.outputs)
    sizes = call.integers_of("split", 1)
    if sizes is None:
        piece = -(-length // count)
        sizes = [piece] * (count - 1) + [length - piece * (count - 1)]
    if sum(sizes) != length or len(sizes) != count or min(sizes, default=0) < 0:
        raise FormatError(f"{call.node.where}: {length} entries cannot be split into {sizes}")
    cuts = np.cumsum(sizes)[:-1]
    return [rearranged(value, part) for part in np.split(index, cuts, axis=axis)]


def _slice(call: Call) -> list[Value]:
    value = call.value(0)
    index = numbering(value)
    starts = call.integers_of("starts", 1)
    ends = call.integers_of("ends", 2)
    if starts is None or ends is None or len(starts) != len(ends):
        raise FormatError(f"{call.node.where} lacks its starts or ends")
    given = call.integers_of("axes", 3)
    axes = given if given is not None else list(range(len(starts)))
    steps = call.integers_of("steps", 4) or [1] * len(starts)
    if not len(axes) == len(steps) == len(starts) or 0 in steps:
        raise FormatError(f"{call.node.where}: axes {axes} and steps {steps} do not fit")
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        length = index.shape[call.axis(axis, index.ndim)]
        first = start + length if start < 0 else start
        last = end + length if end < 0 else end
        if step > 0:
            taken = np.arange(min(max(first, 0), length), min(max(last, 0), length), step)
        else:
            taken = np.arange(min(max(first, -1), length - 1), min(max(last, -1), length), step)
        index = np.take(index, taken, axis=axis)
    return [rearranged(value, index)]


def _gather(call: Call) -> list[Value]:
    value = call.value(0)
    index = numbering(value)
    axis = call.axis(call.integer("axis", 0), index.ndim)
    where = call.array(1, "the indices").astype(np.int64)
    length = index.shape[axis]
    if bool(((where < -length) | (where >= length)).any()):
        raise FormatError(f"{call.node.where}: an index is outside of an axis of length {length}")
    check_size(index.size // max(1, length) * where.size, call.node.where)
    return [rearranged(value, np.take(index, where % length, axis=axis))]


def _shape(call: Call) -> list[Value]:
    shape = shape_of(call.value(0))
    rank = len(shape)
    start, end = call.integer("start", 0), call.integer("end", rank)
    return [np.array(shape[slice(start, end)], dtype=np.int64)]


def _size(call: Call) -> list[Value]:
    return [np.array(math.prod(shape_of(call.value(0))), dtype=np.int64)]


def _constant(call: Call) -> list[Value]:
    attributes: Mapping[str, Any] = call.node.attributes
    if isinstance(attributes.get("value"), np.ndarray):
        return [attributes["value"]]
    for name, dtype in (
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if name in attributes:
            return [np.array(attributes[name], dtype=dtype)]
    raise UnsupportedError(
        f"{call.node.where} holds {sorted(attributes)}; expected a dense tensor of numbers"
    )


def _constant_of_shape(call: Call) -> list[Value]:
    shape = call.integers(0, "the shape")
    if min(shape, default=0) < 0:
        raise FormatError(f"{call.node.where}: {shape} is not a shape")
    check_size(math.prod(shape), call.node.where)
    value = call.node.attributes.get("value", np.zeros(1, dtype=np.float32))
    if not isinstance(value, np.ndarray) or value.size != 1:
        raise FormatError(f"{call.node.where}: its value is not one number")
    return [np.full(shape, value.ravel()[0], dtype=value.dtype)]


OPERATORS: Mapping[str, Operator] = {
    "Cast": _cast,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": _identity,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
