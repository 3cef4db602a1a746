"""ONNX operators that are affine on images: convolutions, average pools, batch normalisation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.formats.onnx_arithmetic import scaled
from polyrank.network.formats.onnx_call import Call, Operator, Value
from polyrank.network.lowering import Affine
from polyrank.network.lowering.linear import averages, convolution, means, transposed_convolution
from polyrank.network.lowering.normalisation import folded_normalisation
from polyrank.network.lowering.windows import Windows, place_windows

__all__ = ["OPERATORS", "images_of", "windows_of"]


def windows_of(call: Call, spatial: Sequence[int], kernel: Sequence[int]) -> Windows:
    """The windows that a node's attributes describe."""
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


def images_of(call: Call) -> Affine:
    """The first input, which must have the shape (N, C, …)."""
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
    tensor = images_of(call)
    kernel = call.constant(1, "the kernel")
    if kernel.ndim != len(tensor.shape) or kernel.shape[2:] != tuple(
        call.integers_of("kernel_shape") or kernel.shape[2:]
    ):
        raise FormatError(
            f"{call.node.where}: a kernel of shape {kernel.shape} does not fit the input's shape "
            f"{tensor.shape}"
        )
    windows = windows_of(call, tensor.shape[2:], kernel.shape[2:])
    linear = convolution(tensor.shape, kernel, windows, call.integer("group", 1), call.node.where)
    return [_with_bias(call, call.tape.apply(linear, tensor, call.name), 2)]


def _conv_transpose(call: Call) -> list[Value]:
    tensor = images_of(call)
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
            total = full - size
            if total < 0:
                raise UnsupportedError(
                    f"{call.node.where}: along axis {k} the kernel reaches {full} cells of the "
                    f"{size} that {'output_shape' if wanted is not None else auto_pad} asks for; "
                    "where the missing ones go is read in different ways by different programs: "
                    "export the model with explicit pads and output_padding"
                )
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
    tensor = images_of(call)
    windows = windows_of(call, tensor.shape[2:], call.integers_of("kernel_shape") or [])
    counted = bool(call.integer("count_include_pad", 0))
    linear = averages(tensor.shape, windows, count_padding=counted)
    return [call.tape.apply(linear, tensor, call.name)]


def _global_average_pool(call: Call) -> list[Value]:
    tensor = images_of(call)
    axes = tuple(range(2, len(tensor.shape)))
    return [call.tape.apply(means(tensor.shape, axes, mean=True), tensor, call.name)]


def _batch_normalization(call: Call) -> list[Value]:
    old_training = call.opset < 7 and not call.integer("is_test", 0)
    if call.integer("training_mode", 0) or old_training:
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


OPERATORS: Mapping[str, Operator] = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_average_pool,
}
