"""ONNX operators on arrays of fractions: a second, direct reading of random small graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

__all__ = ["evaluate", "fractions"]


def fractions(array: Any) -> np.ndarray:
    """The same numbers as Fraction objects."""
    given = np.asarray(array)
    result = np.empty(given.shape, dtype=object)
    for index in np.ndindex(given.shape):
        value = given[index]
        result[index] = value if isinstance(value, Fraction) else Fraction(value.item())
    return result


def _windows(size: int, kernel: int, stride: int, low: int, high: int) -> list[list[int]]:
    count = (size + low + high - kernel) // stride + 1
    starts = [k * stride - low for k in range(count)]
    return [[s + j if 0 <= s + j < size else -1 for j in range(kernel)] for s in starts]


def _conv1d(x: Any, w: Any, b: Any, attributes: Mapping[str, Any]) -> np.ndarray:
    (stride,), (low, high) = attributes["strides"], attributes["pads"]
    windows = _windows(x.shape[2], w.shape[2], stride, low, high)
    result = np.empty((x.shape[0], w.shape[0], len(windows)), dtype=object)
    for n, m, k in np.ndindex(result.shape):
        total = b[m]
        for c in range(w.shape[1]):
            for j, place in enumerate(windows[k]):
                total += w[m, c, j] * (x[n, c, place] if place >= 0 else 0)
        result[n, m, k] = total
    return result


def _maxpool1d(x: Any, attributes: Mapping[str, Any]) -> np.ndarray:
    (kernel,), (stride,) = attributes["kernel_shape"], attributes["strides"]
    low, high = attributes["pads"]
    windows = _windows(x.shape[2], kernel, stride, low, high)
    result = np.empty((*x.shape[:2], len(windows)), dtype=object)
    for n, c, k in np.ndindex(result.shape):
        result[n, c, k] = max(x[n, c, place] for place in windows[k] if place >= 0)
    return result


def _each(x: Any, function: Any) -> np.ndarray:
    return np.vectorize(function, otypes=[object])(x)


def _node(node: onnx.NodeProto, x: Sequence[Any]) -> list[np.ndarray]:
    a = {k.name: helper.get_attribute_value(k) for k in node.attribute}
    zero = Fraction(0)
    match node.op_type:
        case "MatMul":
            return [np.dot(x[0], x[1])]
        case "Add":
            return [x[0] + x[1]]
        case "Sub":
            return [x[0] - x[1]]
        case "Mul":
            return [x[0] * x[1]]
        case "Div":
            return [x[0] / x[1]]
        case "Neg":
            return [-x[0]]
        case "Relu":
            return [_each(x[0], lambda v: max(v, zero))]
        case "LeakyRelu":
            return [_each(x[0], lambda v: v if v > 0 else v * Fraction(a["alpha"]))]
        case "PRelu":
            low = x[0] * x[1]
            return [np.where(x[0] > 0, x[0], low)]
        case "Abs":
            return [_each(x[0], abs)]
        case "Clip":
            return [_each(x[0], lambda v: min(max(v, x[1].item()), x[2].item()))]
        case "Max":
            return [np.maximum(x[0], x[1])]
        case "Min":
            return [np.minimum(x[0], x[1])]
        case "Concat":
            return [np.concatenate(x, axis=a["axis"])]
        case "Transpose":
            return [x[0].transpose(a["perm"])]
        case "Split":
            return np.split(x[0], np.cumsum([int(v) for v in x[1]])[:-1], axis=a["axis"])
        case "Conv":
            return [_conv1d(*x, a)]
        case "MaxPool":
            return [_maxpool1d(x[0], a)]
        case "ReduceMean":
            return [x[0].sum(axis=a["axes"][0], keepdims=True) / Fraction(x[0].shape[a["axes"][0]])]
        case "Unsqueeze":
            return [np.expand_dims(x[0], int(x[1].item()))]
        case "Flatten":
            return [x[0].reshape(1, -1)]
    raise NotImplementedError(node.op_type)


def evaluate(model: onnx.ModelProto, inputs: Mapping[str, Any]) -> list[np.ndarray]:
    """The outputs of a graph at a point, in fractions."""
    known = {t.name: fractions(numpy_helper.to_array(t)) for t in model.graph.initializer}
    known.update({name: fractions(value) for name, value in inputs.items()})
    for node in model.graph.node:
        results = _node(node, [known[name] for name in node.input])
        known.update(zip(node.output, results, strict=True))
    return [known[output.name] for output in model.graph.output]
