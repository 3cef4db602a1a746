"""More ONNX operators that move, repeat, pad or interpolate entries."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.formats.onnx_arithmetic import common_shape
from polyrank.network.formats.onnx_call import Call, Operator, Value, rearranged, shape_of
from polyrank.network.formats.onnx_shape import numbering
from polyrank.network.lowering import LinearMap
from polyrank.network.lowering.affine import check_size, stack
from polyrank.network.lowering.values import Values, as_rationals, as_values
from polyrank.network.rational import to_fmpq

__all__ = ["OPERATORS"]


def _pad(call: Call) -> list[Value]:
    value = call.value(0)
    index = numbering(value)
    pads = call.integers_of("pads", 1)
    axes = list(range(index.ndim))
    if call.given(3) is not None:
        axes = [call.axis(axis, index.ndim) for axis in call.integers(3, "the axes")]
    if pads is None or len(pads) != 2 * len(axes):
        raise FormatError(f"{call.node.where}: the pads {pads} do not fit {len(axes)} axes")
    widths = [(0, 0)] * index.ndim
    for k, axis in enumerate(axes):
        widths[axis] = (pads[k], pads[len(axes) + k])
    # negative pads crop; an axis is cropped before it is padded
    crop = tuple(
        slice(max(0, -low), length - max(0, -high))
        for (low, high), length in zip(widths, index.shape, strict=True)
    )
    kept = index[crop]
    grow = [(max(0, low), max(0, high)) for low, high in widths]
    check_size(math.prod(n + a + b for n, (a, b) in zip(kept.shape, grow, strict=True)), call.name)
    mode = call.text("mode", "constant")
    if mode == "constant":
        fill = 0.0
        if "value" in call.node.attributes:
            fill = float(call.number("value", 0.0))
        elif call.given(2) is not None and call.array(2, "the padding").size:
            fill = float(call.array(2, "the padding").ravel()[0])
        if not math.isfinite(fill):
            raise UnsupportedError(f"{call.node.where} pads with {fill}; expected a finite number")
        return [rearranged(value, np.pad(kept, grow, constant_values=-1), fill)]
    if mode not in {"reflect", "edge", "wrap"}:
        raise FormatError(
            f"{call.node.where}: the mode is {mode!r}; expected constant, reflect, edge or wrap"
        )
    padded: NDArray[np.int64] = np.pad(kept, grow, mode=mode)  # type: ignore[call-overload]
    return [rearranged(value, padded)]


def _expand(call: Call) -> list[Value]:
    value = call.value(0)
    wanted = call.integers(1, "the shape")
    if min(wanted, default=0) < 0:
        raise FormatError(f"{call.node.where}: {wanted} is not a shape")
    shape = common_shape(call, [shape_of(value), tuple(wanted)])
    return [rearranged(value, np.broadcast_to(numbering(value), shape))]


def _tile(call: Call) -> list[Value]:
    value = call.value(0)
    index = numbering(value)
    repeats = call.integers(1, "the repeats")
    if len(repeats) != index.ndim or min(repeats, default=0) < 0:
        raise FormatError(f"{call.node.where}: repeats {repeats} do not fit shape {index.shape}")
    check_size(index.size * math.prod(repeats), call.node.where)
    return [rearranged(value, np.tile(index, repeats))]


def _where(call: Call) -> list[Value]:
    condition = call.array(0, "the condition").astype(bool)
    values = [call.value(1), call.value(2)]
    shape = common_shape(call, [condition.shape, *(shape_of(v) for v in values)])
    if all(isinstance(v, np.ndarray) for v in values):
        return [np.where(condition, *values)]
    tensors = call.tape.align([call.as_affine(v) for v in values], call.name)
    first = np.broadcast_to(tensors[0].numbering(), shape)
    second = np.broadcast_to(tensors[1].numbering() + tensors[0].size, shape)
    return [rearranged(stack(tensors), np.where(condition, first, second))]


def _gather_elements(call: Call) -> list[Value]:
    value = call.value(0)
    index = numbering(value)
    axis = call.axis(call.integer("axis", 0), index.ndim)
    where = call.array(1, "the indices").astype(np.int64)
    length = index.shape[axis]
    if where.ndim != index.ndim or bool(((where < -length) | (where >= length)).any()):
        raise FormatError(f"{call.node.where}: the indices do not fit the shape {index.shape}")
    reach = tuple(slice(None) if k == axis else slice(0, n) for k, n in enumerate(where.shape))
    return [rearranged(value, np.take_along_axis(index[reach], where % length, axis=axis))]


def _gather_nd(call: Call) -> list[Value]:
    value = call.value(0)
    index = numbering(value)
    where = call.array(1, "the indices").astype(np.int64)
    batch = call.integer("batch_dims", 0)
    depth = where.shape[-1] if where.ndim else 0
    if not 0 <= batch < max(1, where.ndim) or batch + depth > index.ndim or depth == 0:
        raise FormatError(f"{call.node.where}: the indices do not fit the shape {index.shape}")
    leading = np.indices(where.shape[:-1])[:batch]
    lengths = np.array(index.shape[batch : batch + depth])
    if bool(((where < -lengths) | (where >= lengths)).any()):
        raise FormatError(f"{call.node.where}: an index is outside of the shape {index.shape}")
    places = (*leading, *np.moveaxis(where % lengths, -1, 0))
    return [rearranged(value, index[places])]


def _range(call: Call) -> list[Value]:
    start, limit, delta = (call.array(k, "a bound").ravel() for k in range(3))
    if not start.size == limit.size == delta.size == 1 or delta[0] == 0:
        raise FormatError(f"{call.node.where}: {start}, {limit}, {delta} describe no range")
    check_size(max(0, math.ceil((limit[0] - start[0]) / delta[0])), call.node.where)
    return [np.arange(start[0], limit[0], delta[0], dtype=start.dtype)]


def _blocks(call: Call) -> tuple[Value, NDArray[np.int64], int]:
    value = call.value(0)
    index, size = numbering(value), call.integer("blocksize", 0)
    if index.ndim != 4 or size < 1:
        raise FormatError(f"{call.node.where}: blocks of {size} do not fit the shape {index.shape}")
    return value, index, size


def _depth_to_space(call: Call) -> list[Value]:
    value, index, size = _blocks(call)
    n, c, h, w = index.shape
    if call.text("mode", "DCR") == "CRD":
        split = index.reshape(n, c // size**2, size, size, h, w).transpose(0, 1, 4, 2, 5, 3)
    else:
        split = index.reshape(n, size, size, c // size**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    return [rearranged(value, split.reshape(n, c // size**2, h * size, w * size))]


def _space_to_depth(call: Call) -> list[Value]:
    value, index, size = _blocks(call)
    n, c, h, w = index.shape
    split = index.reshape(n, c, h // size, size, w // size, size)
    order = (0, 1, 3, 5, 2, 4) if call.text("mode", "DCR") == "CRD" else (0, 3, 5, 1, 2, 4)
    split = split.transpose(order)
    return [rearranged(value, split.reshape(n, c * size**2, h // size, w // size))]


def _resize(call: Call) -> list[Value]:
    value = call.value(0)
    shape = shape_of(value)
    if call.opset < 11 or call.node.op == "Upsample":
        scales, sizes, settings = _scales(call, 1), None, ("asymmetric", "floor")
    else:
        scales = _scales(call, 2)
        sizes = None if call.given(3) is None else call.integers(3, "the sizes")
        settings = (
            call.text("coordinate_transformation_mode", "half_pixel"),
            call.text("nearest_mode", "round_prefer_floor"),
        )
    mode = call.text("mode", "nearest")
    policy = call.text("keep_aspect_ratio_policy", "stretch")
    if mode not in {"nearest", "linear"} or call.integer("antialias", 0) or policy != "stretch":
        raise UnsupportedError(
            f"{call.node.where}: mode {mode!r} with antialias or aspect policy {policy!r} is not "
            "read; use mode nearest or linear"
        )
    given = call.integers_of("axes")
    axes = list(range(len(shape))) if given is None else [call.axis(a, len(shape)) for a in given]
    if len(scales or sizes or []) != len(axes):
        raise FormatError(f"{call.node.where}: scales or sizes do not fit {len(axes)} axes")
    result = list(shape)
    sources = [_stay(length) for length in shape]
    for k, axis in enumerate(axes):
        length = shape[axis]
        scale = scales[k] if scales else fmpq(sizes[k], length) if sizes else fmpq(1)
        count = sizes[k] if sizes else int((scale * length).floor())
        if count < 1 or scale <= 0:
            raise FormatError(f"{call.node.where}: nothing is left along axis {axis}")
        check_size(count, call.node.where)
        result[axis] = count
        if settings[0] == "align_corners" and scale * length != count:
            raise UnsupportedError(
                f"{call.node.where}: align_corners with a scale of {scale} for {length} cells is "
                "read differently by different programs; give sizes instead"
            )
        if count != length or scale != 1:
            spots = [_spot(x, scale, length, count, settings[0], call) for x in range(count)]
            sources[axis] = (
                _nearest(spots, length, settings[1], call)
                if mode == "nearest"
                else _linear(spots, length)
            )
    check_size(math.prod(result), call.node.where)
    return [_interpolated(call, value, tuple(result), sources)]


Source = list[tuple[NDArray[np.int64], Values]]
"""Terms of an interpolation along one axis: source index and weight for every target index."""


def _scales(call: Call, position: int) -> list[fmpq] | None:
    found = call.node.attributes.get("scales")
    if found is None:
        if call.given(position) is None or call.array(position, "the scales").size == 0:
            return None
        found = call.array(position, "the scales").ravel()
    return [to_fmpq(v) for v in as_rationals(as_values(found, "the scales"))]


def _spot(x: int, scale: fmpq, length: int, count: int, mode: str, call: Call) -> fmpq:
    half = fmpq(1, 2)
    if mode == "asymmetric":
        return x / scale
    if mode == "align_corners":
        return fmpq(x * (length - 1), count - 1) if count > 1 else fmpq(0)
    if mode == "half_pixel" or (mode == "pytorch_half_pixel" and count > 1):
        return (x + half) / scale - half
    if mode == "pytorch_half_pixel":
        return fmpq(0)
    if mode == "half_pixel_symmetric":
        adjustment = count / (scale * length)
        return fmpq(length, 2) * (1 - adjustment) + (x + half) / scale - half
    raise UnsupportedError(
        f"{call.node.where}: the coordinate transformation {mode!r} is not read; use half_pixel, "
        "asymmetric or align_corners"
    )


def _stay(length: int) -> Source:
    return [(np.arange(length, dtype=np.int64), np.ones(length))]


def _nearest(spots: Sequence[fmpq], length: int, mode: str, call: Call) -> Source:
    half = fmpq(1, 2)
    rules = {
        "round_prefer_floor": lambda s: (s - half).ceil(),
        "round_prefer_ceil": lambda s: (s + half).floor(),
        "floor": lambda s: s.floor(),
        "ceil": lambda s: s.ceil(),
    }
    if mode not in rules:
        raise FormatError(f"{call.node.where}: nearest_mode is {mode!r}")
    index = np.array([int(rules[mode](s)) for s in spots], dtype=np.int64)
    return [(np.clip(index, 0, length - 1), np.ones(len(spots)))]


def _linear(spots: Sequence[fmpq], length: int) -> Source:
    low = np.array([int(s.floor()) for s in spots], dtype=np.int64)
    share = np.array([s - s.floor() for s in spots], dtype=object)
    return [
        (np.clip(low, 0, length - 1), as_values(1 - share)),
        (np.clip(low + 1, 0, length - 1), as_values(share)),
    ]


def _interpolated(
    call: Call, value: Any, shape: tuple[int, ...], sources: Sequence[Source]
) -> Value:
    index = numbering(value)
    if all(len(source) == 1 for source in sources):
        return rearranged(value, index[np.ix_(*(source[0][0] for source in sources))])
    rows, columns, entries = [], [], []
    target = np.arange(math.prod(shape), dtype=np.int64)
    for terms in itertools.product(*sources):
        weight = np.ones((), dtype=object)
        for _, share in terms:
            weight = np.multiply.outer(weight, as_rationals(share))
        rows.append(target)
        columns.append(index[np.ix_(*(places for places, _ in terms))].ravel())
        entries.append(weight.ravel())
    linear = LinearMap(
        shape, np.concatenate(rows), np.concatenate(columns), as_values(np.concatenate(entries))
    )
    return call.tape.apply(linear, call.as_affine(value), call.name)


OPERATORS: Mapping[str, Operator] = {
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Pad": _pad,
    "Range": _range,
    "Resize": _resize,
    "SpaceToDepth": _space_to_depth,
    "Tile": _tile,
    "Upsample": _resize,
    "Where": _where,
}
