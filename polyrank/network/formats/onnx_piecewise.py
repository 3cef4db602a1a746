"""ONNX operators that are continuous piecewise linear but not affine."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from flint import fmpq

from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.formats.onnx_arithmetic import (
    common_shape,
    reduced_axes,
    reduced_shape,
)
from polyrank.network.formats.onnx_call import Call, Operator, Value
from polyrank.network.formats.onnx_images import images_of, windows_of
from polyrank.network.lowering import Affine
from polyrank.network.lowering.affine import gather
from polyrank.network.lowering.linear import means
from polyrank.network.lowering.piecewise import (
    absolute,
    clip,
    hard_sigmoid,
    maximum,
    minimum,
    negated,
    tournament,
)
from polyrank.network.lowering.values import as_rationals, full
from polyrank.network.lowering.windows import window_entries
from polyrank.network.rational import to_fmpq

__all__ = ["OPERATORS"]

_UNBOUNDED = float(np.finfo(np.float32).max)  # the stored form of "no bound"


def _relu(call: Call) -> list[Value]:
    return [call.tape.relu(call.affine(0), call.name)]


def _leaky_relu(call: Call) -> list[Value]:
    tensor = call.affine(0)
    slope = full(tensor.size, call.number("alpha", 0.01))
    return [call.tape.activate(tensor, slope, np.ones(tensor.size), call.name)]


def _prelu(call: Call) -> list[Value]:
    tensor = call.affine(0)
    slope = call.constant(1, "the slope")
    if call.opset < 7 and slope.ndim == 1 and slope.size > 1 and len(tensor.shape) > 2:
        slope = slope.reshape(-1, *(1,) * (len(tensor.shape) - 2))  # one for each channel
    shape = common_shape(call, [tensor.shape, slope.shape])
    if shape != tensor.shape:
        raise FormatError(
            f"{call.node.where}: slopes of shape {slope.shape} do not fit {tensor.shape}"
        )
    spread = np.broadcast_to(slope, shape).ravel()
    return [call.tape.activate(tensor, spread, np.ones(tensor.size), call.name)]


def _abs(call: Call) -> list[Value]:
    return [absolute(call.tape, call.affine(0), call.name)]


def _bound(call: Call, attribute: str, position: int) -> fmpq | None:
    found = call.node.attributes.get(attribute)
    if found is None:
        if call.given(position) is None:
            return None
        array = call.array(position, f"the bound {attribute!r}")
        if array.size != 1:
            raise FormatError(f"{call.node.where}: the bound {attribute!r} is not one number")
        if array.dtype == object:
            return to_fmpq(as_rationals(array).ravel()[0])
        found = float(array.astype(np.float64).ravel()[0])
    if not isinstance(found, (int, float)) or math.isnan(found):
        raise FormatError(f"{call.node.where}: the bound {attribute!r} is {found!r}")
    outward = found >= _UNBOUNDED if attribute == "max" else found <= -_UNBOUNDED
    if outward:
        return None
    if math.isinf(found):
        raise FormatError(f"{call.node.where}: the bound {attribute!r} is {found}")
    return to_fmpq(found)


def _clip(call: Call) -> list[Value]:
    low, high = _bound(call, "min", 1), _bound(call, "max", 2)
    return [clip(call.tape, call.affine(0), low, high, call.name)]


def _hard_sigmoid(call: Call) -> list[Value]:
    alpha, beta = call.number("alpha", 0.2), call.number("beta", 0.5)
    return [hard_sigmoid(call.tape, call.affine(0), alpha, beta, call.name)]


def _extremum(call: Call, *, largest: bool) -> list[Value]:
    tensors = [call.affine(k) for k in range(len(call.values))]
    shape = common_shape(call, [tensor.shape for tensor in tensors])
    spread = [gather(t, np.broadcast_to(t.numbering(), shape)) for t in tensors]
    choose = maximum if largest else minimum
    while len(spread) > 1:
        pairs = zip(spread[0::2], spread[1::2], strict=False)
        rest = spread[-1:] if len(spread) % 2 else []
        spread = [choose(call.tape, a, b, call.name) for a, b in pairs] + rest
    return [spread[0]]


def _max(call: Call) -> list[Value]:
    return _extremum(call, largest=True)


def _min(call: Call) -> list[Value]:
    return _extremum(call, largest=False)


def _max_pool(call: Call) -> list[Value]:
    if len(call.node.outputs) > 1 and call.node.outputs[1]:
        raise UnsupportedError(
            f"{call.node.where} also gives the indices of the maxima, which are not continuous"
        )
    tensor = images_of(call)
    windows = windows_of(call, tensor.shape[2:], call.integers_of("kernel_shape") or [])
    cells = window_entries(windows)
    images = math.prod(tensor.shape[:2])
    base = np.arange(images, dtype=np.int64).reshape(-1, 1, 1) * math.prod(tensor.shape[2:])
    groups = np.where(cells < 0, -1, base + cells).reshape(-1, cells.shape[1])
    shape = (*tensor.shape[:2], *windows.counts)
    return [_played(call, tensor, groups).reshaped(shape)]


def _played(call: Call, tensor: Affine, groups: Value) -> Affine:
    if groups.shape[1] == 0 or bool((groups < 0).all(axis=1).any()):
        raise FormatError(f"{call.node.where} takes the maximum of nothing")
    note = (
        "maxima over several numbers are played as tournaments: their bits refine the argmax "
        "pattern, and linear regions may join several activation regions"
    )
    if groups.shape[1] > 2 and note not in call.notes:
        call.notes.append(note)
    return tournament(call.tape, tensor, groups, call.name)


def _reduce_extremum(call: Call, tensor: Affine, axes: tuple[int, ...]) -> Affine:
    index = tensor.numbering()
    kept = [axis for axis in range(index.ndim) if axis not in axes]
    groups = index.transpose(*kept, *axes).reshape(
        math.prod(tensor.shape[axis] for axis in kept), -1
    )
    return _played(call, tensor, groups)


def _reduce_max(call: Call) -> list[Value]:
    tensor = call.affine(0)
    axes = reduced_axes(call, len(tensor.shape))
    if axes is None:
        return [tensor]
    result = _reduce_extremum(call, tensor, axes)
    return [result.reshaped(reduced_shape(call, tensor.shape, axes))]


def _reduce_min(call: Call) -> list[Value]:
    tensor = call.affine(0)
    axes = reduced_axes(call, len(tensor.shape))
    if axes is None:
        return [tensor]
    result = _reduce_extremum(call, negated(call.tape, tensor, call.name), axes)
    shape = reduced_shape(call, tensor.shape, axes)
    return [negated(call.tape, result, call.name).reshaped(shape)]


def _global_max_pool(call: Call) -> list[Value]:
    tensor = call.affine(0)
    axes = tuple(range(2, len(tensor.shape)))
    result = _reduce_extremum(call, tensor, axes)
    return [result.reshaped((*tensor.shape[:2], *(1,) * len(axes)))]


def _reduce_l1(call: Call) -> list[Value]:
    tensor = absolute(call.tape, call.affine(0), call.name)
    axes = reduced_axes(call, len(tensor.shape))
    if axes is None:
        return [tensor]
    result = call.tape.apply(means(tensor.shape, axes, mean=False), tensor, call.name)
    return [result.reshaped(reduced_shape(call, tensor.shape, axes))]


OPERATORS: Mapping[str, Operator] = {
    "Abs": _abs,
    "Clip": _clip,
    "GlobalMaxPool": _global_max_pool,
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _leaky_relu,
    "Max": _max,
    "MaxPool": _max_pool,
    "Min": _min,
    "PRelu": _prelu,
    "ReduceL1": _reduce_l1,
    "ReduceMax": _reduce_max,
    "ReduceMin": _reduce_min,
    "Relu": _relu,
}
