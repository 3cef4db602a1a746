"""Keras layers as steps on exact affine tensors; channels, units and features come last."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.activations import (
    FINAL_ACTIVATIONS,
    Activation,
    activation,
    normalised,
)
from polyrank.network.lowering import Affine, LinearMap, Tape
from polyrank.network.lowering.affine import gather, stack
from polyrank.network.lowering.linear import product
from polyrank.network.lowering.normalisation import folded_normalisation
from polyrank.network.lowering.piecewise import clip
from polyrank.network.lowering.values import Values, as_values, full
from polyrank.network.rational import to_fmpq

__all__ = ["EXPORT", "PACKAGES", "LayerConfig", "Recorder"]

EXPORT = "in Python: model.export('model.onnx', format='onnx'), and load that file"
PACKAGES = frozenset({"keras", "tf_keras", "tensorflow"})
"""Where the classes of Keras are, in the words of the files that say so."""

_NOTHING = frozenset(
    {"Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout", "SpatialDropout1D",
     "SpatialDropout2D", "ActivityRegularization", "InputLayer"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """A layer: its class, its name and what ``config`` says of it."""

    kind: str
    name: str
    config: Mapping[str, Any]

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"layer {self.name!r} ({self.kind})"

    def number(self, key: str, default: float) -> fmpq:
        """A number of the configuration, as the float64 that JSON text stands for."""
        value = self.config.get(key)
        value = default if value is None else value
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not math.isfinite(value)
        ):
            raise FormatError(f"{self.where}: {key} is {value!r}; expected a number")
        return to_fmpq(value)


class Recorder:
    """Applies layers to tensors and records their units.

    Parameters
    ----------
    tape : Tape
    weights : mapping
        The arrays of every layer by its name.
    old : bool
        True for files of Keras 1 and 2, whose hard sigmoid is ``clip(0.2 z + 0.5, 0, 1)``.
    """

    def __init__(self, tape: Tape, weights: Mapping[str, list[NDArray[Any]]], *, old: bool) -> None:
        self.tape = tape
        self.weights = weights
        self.old = old
        self.notes: list[str] = []
        self._taken: set[str] = set()

    def apply(self, layer: LayerConfig, inputs: Sequence[Affine], *, cut: bool) -> Affine:
        """The layer's output; ``cut`` leaves out a final Softmax, Sigmoid or Tanh.

        Raises
        ------
        UnsupportedError
            If the layer is not piecewise linear or not known, by name.
        FormatError
            If its configuration or its arrays do not fit.
        """
        if layer.kind in _MERGES:
            return _MERGES[layer.kind](self, layer, inputs)
        if len(inputs) != 1:
            raise FormatError(f"{layer.where} has {len(inputs)} inputs; expected one")
        if layer.kind in _NOTHING:
            return inputs[0]
        if layer.kind not in _LAYERS:
            raise UnsupportedError(f"{layer.where} is not read from Keras files; {EXPORT}")
        result = _LAYERS[layer.kind](self, layer, inputs[0])
        return self._activated(layer, result, cut=cut)

    def arrays(self, layer: LayerConfig, count: int) -> list[Values]:
        """The arrays of a layer, exactly."""
        found = self.weights.get(layer.name, [])
        if layer.name in self._taken:
            raise FormatError(
                f"two layers are called {layer.name!r}: their weights cannot be told apart; give "
                "them names of their own and save the model again"
            )
        self._taken.add(layer.name)
        if len(found) != count:
            raise FormatError(f"{layer.where} has {len(found)} arrays; expected {count}")
        return [as_values(array, f"{layer.where}: array {k}") for k, array in enumerate(found)]

    def _activated(self, layer: LayerConfig, tensor: Affine, *, cut: bool) -> Affine:
        if layer.kind == "Softmax":
            given: Any = "softmax"
        else:
            given = layer.config.get("activation")
        name, config = _activation_name(given, layer)
        if name is None:
            return tensor
        if cut and normalised(name) in FINAL_ACTIVATIONS:
            self.notes.append(f"{layer.where}: the final {name} was cut off as asked")
            return tensor
        if normalised(name) == "relu" and config:
            return self.rectified(LayerConfig("ReLU", layer.name, config), tensor)
        return self._record(tensor, self._named(name, config, layer), layer.name)

    def _named(self, name: str, config: Mapping[str, Any], layer: LayerConfig) -> Activation:
        key = normalised(name)
        if key == "leakyrelu":
            part = LayerConfig("activation leaky_relu", layer.name, config)
            slope = part.number("negative_slope", float(part.number("alpha", 0.2)))
            return Activation("leaky_relu", slope, fmpq(1))
        if key == "hardtanh" and self.old:
            raise UnsupportedError(f"{layer.where}: Keras 2 has no hard_tanh")
        if key == "hardsigmoid" and self.old:
            fifth, half = to_fmpq(0.2), fmpq(1, 2)
            self.notes.append(f"{layer.where}: hard_sigmoid as in Keras 2, clip(0.2 z + 0.5, 0, 1)")
            return Activation(
                "hard_sigmoid", fmpq(1), fmpq(1), (fmpq(0), fmpq(1)), scale=fifth, shift=half
            )
        try:
            return activation(name)
        except NetworkError as problem:
            raise type(problem)(f"{layer.where}: {problem}") from None

    def _record(self, tensor: Affine, act: Activation, name: str) -> Affine:
        if act.clip is None:
            if act.neg == act.pos == 1:
                return tensor
            neg, pos = full(tensor.size, act.neg), full(tensor.size, act.pos)
            return self.tape.activate(tensor, neg, pos, name)
        if act.scale != 1:
            linear = LinearMap.scaling(tensor.shape, full(tensor.size, act.scale))
            tensor = self.tape.apply(linear, tensor, name)
        shifted = tensor.shifted(full(tensor.size, act.shift))
        return clip(self.tape, shifted, *act.clip, name)

    def rectified(self, layer: LayerConfig, tensor: Affine) -> Affine:
        """A ReLU layer with slope and maximum."""
        if layer.number("threshold", 0.0) != 0:
            raise UnsupportedError(f"{layer.where} has a threshold, where it is not continuous")
        slope = layer.number("negative_slope", 0.0)
        top = None if layer.config.get("max_value") is None else layer.number("max_value", 0.0)
        if top is not None and top < 0:
            raise FormatError(f"{layer.where}: max_value is {top}, below 0")
        if slope == 0 and top is not None:
            return clip(self.tape, tensor, fmpq(0), top, layer.name)
        ones = np.ones(tensor.size)
        result = self.tape.activate(tensor, full(tensor.size, slope), ones, layer.name)
        return clip(self.tape, result, None, top, layer.name)

    def scaled(self, tensor: Affine, factors: Values, offsets: Values, name: str) -> Affine:
        """Multiply and add along the last axis."""
        spread = [np.broadcast_to(v, tensor.shape).ravel() for v in (factors, offsets)]
        linear = LinearMap.scaling(tensor.shape, spread[0])
        return self.tape.apply(linear, tensor, name).shifted(spread[1])


def _activation_name(given: Any, layer: LayerConfig) -> tuple[str | None, Mapping[str, Any]]:
    if given is None:
        return None, {}
    if isinstance(given, str):
        return given, {}
    if isinstance(given, Mapping):
        config = given.get("config")
        if isinstance(config, str):  # a function, serialised by its name
            return config, {}
        name = given.get("class_name")
        own = given.get("registered_name") in (None, "relu", name)
        module = given.get("module")
        if isinstance(name, str) and own and str(module or "keras").split(".")[0] in PACKAGES:
            return name, config if isinstance(config, Mapping) else {}
    raise UnsupportedError(f"{layer.where} has an activation of its own; {EXPORT}")


def _dense(recorder: Recorder, layer: LayerConfig, tensor: Affine) -> Affine:
    biased = bool(layer.config.get("use_bias", True))
    arrays = recorder.arrays(layer, 2 if biased else 1)
    kernel = arrays[0]
    if kernel.ndim != 2 or not tensor.shape or kernel.shape[0] != tensor.shape[-1]:
        raise FormatError(
            f"{layer.where}: a kernel of shape {kernel.shape} does not fit inputs of shape "
            f"{tensor.shape}"
        )
    linear = product(tensor.shape, kernel, constant_left=False, where=layer.where)
    result = recorder.tape.apply(linear, tensor, layer.name)
    if not biased:
        return result
    if arrays[1].shape != (kernel.shape[1],):
        raise FormatError(f"{layer.where}: the bias has shape {arrays[1].shape}")
    return result.shifted(np.broadcast_to(arrays[1], result.shape).ravel())


def _normalisation(recorder: Recorder, layer: LayerConfig, tensor: Affine) -> Affine:
    rank = len(tensor.shape)
    axis = layer.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if axis not in {-1, rank} or not rank:
        raise UnsupportedError(f"{layer.where} normalises along axis {axis}; only the last is read")
    scale, center = (bool(layer.config.get(key, True)) for key in ("scale", "center"))
    arrays = recorder.arrays(layer, 2 + scale + center)
    width = tensor.shape[-1]
    if any(array.shape != (width,) for array in arrays):
        raise FormatError(f"{layer.where} does not fit {width} units")
    gamma = arrays[0] if scale else np.ones(width)
    beta = arrays[int(scale)] if center else np.zeros(width)
    factors, offsets = folded_normalisation(
        gamma, beta, arrays[-2], arrays[-1], layer.number("epsilon", 1e-3), layer.where
    )
    recorder.notes.append(
        f"{layer.where}: the factor gamma / sqrt(variance + epsilon) is defined as the float64 "
        "nearest to it; the shift is exact"
    )
    return recorder.scaled(tensor, factors, offsets, layer.name)


def _prelu(recorder: Recorder, layer: LayerConfig, tensor: Affine) -> Affine:
    (slope,) = recorder.arrays(layer, 1)
    try:
        spread = np.broadcast_to(slope, tensor.shape).ravel()
    except ValueError:
        raise FormatError(f"{layer.where}: slopes of shape {slope.shape}") from None
    return recorder.tape.activate(tensor, spread, np.ones(tensor.size), layer.name)


def _leaky(recorder: Recorder, layer: LayerConfig, tensor: Affine) -> Affine:
    slope = layer.number("negative_slope", float(layer.number("alpha", 0.3)))
    neg = full(tensor.size, slope)
    return recorder.tape.activate(tensor, neg, np.ones(tensor.size), layer.name)


def _rescaling(recorder: Recorder, layer: LayerConfig, tensor: Affine) -> Affine:
    parts = []
    for key, default in (("scale", 1.0), ("offset", 0.0)):
        value = as_values(layer.config.get(key, default), f"{layer.where}: {key}")
        if value.shape not in {(), (1,), tensor.shape[-1:]}:
            raise FormatError(f"{layer.where}: {key} has shape {value.shape}")
        parts.append(value)
    return recorder.scaled(tensor, parts[0], parts[1], layer.name)


def _flatten(_: Recorder, layer: LayerConfig, tensor: Affine) -> Affine:
    if layer.config.get("data_format") not in (None, "channels_last") and len(tensor.shape) > 1:
        raise UnsupportedError(
            f"{layer.where} has the channels first, and moves them to the end; {EXPORT}"
        )
    return tensor.reshaped((tensor.size,))


def _reshape(_: Recorder, layer: LayerConfig, tensor: Affine) -> Affine:
    shape = layer.config.get("target_shape")
    if not isinstance(shape, list) or not all(isinstance(n, int) for n in shape):
        raise FormatError(f"{layer.where}: the target shape is {shape!r}")
    try:
        return tensor.reshaped(np.empty(tensor.size, dtype=bool).reshape(shape).shape)
    except ValueError:
        raise FormatError(f"{layer.where}: {tensor.shape} cannot take the shape {shape}") from None


def _unchanged(_: Recorder, __: LayerConfig, tensor: Affine) -> Affine:
    return tensor


def _summed(recorder: Recorder, layer: LayerConfig, inputs: Sequence[Affine]) -> Affine:
    signs = [1.0, -1.0] if layer.kind == "Subtract" else [1.0] * len(inputs)
    if len(signs) != len(inputs) or len({tensor.shape for tensor in inputs}) != 1:
        shapes = [tensor.shape for tensor in inputs]
        raise FormatError(f"{layer.where} has inputs of shapes {shapes}")
    terms = list(zip(inputs, signs, strict=True))
    return recorder.tape.combine(terms, inputs[0].shape, layer.name)


def _concatenated(recorder: Recorder, layer: LayerConfig, inputs: Sequence[Affine]) -> Affine:
    tensors = recorder.tape.align(inputs, layer.name)
    starts = np.cumsum([0, *(tensor.size for tensor in tensors)])
    rank = len(tensors[0].shape)
    axis = layer.config.get("axis", -1)
    whole = type(axis) is int and axis != 0  # axis 0 is the batch
    axis = axis - 1 if whole and axis > 0 else axis
    parts = [t.numbering() + start for t, start in zip(tensors, starts[:-1], strict=True)]
    fits = whole and -rank <= axis < rank
    lengths = {tuple(np.delete(part.shape, axis)) if fits else part.shape for part in parts}
    if not fits or len(lengths) != 1:
        shapes = [tensor.shape for tensor in inputs]
        raise FormatError(f"{layer.where} cannot join {shapes} along axis {axis}")
    index = np.concatenate(parts, axis=axis)
    return gather(stack(tensors), index)


_LAYERS: Mapping[str, Callable[[Recorder, LayerConfig, Affine], Affine]] = {
    "Activation": _unchanged,
    "BatchNormalization": _normalisation,
    "Dense": _dense,
    "Flatten": _flatten,
    "LeakyReLU": _leaky,
    "PReLU": _prelu,
    "ReLU": Recorder.rectified,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "Softmax": _unchanged,
}
_MERGES: Mapping[str, Callable[[Recorder, LayerConfig, Sequence[Affine]], Affine]] = {
    "Add": _summed,
    "Concatenate": _concatenated,
    "Subtract": _summed,
}
