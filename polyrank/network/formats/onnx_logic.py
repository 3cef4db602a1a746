"""ONNX comparisons and logic, on constants: how exporters compute shapes inside of the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import UnsupportedError
from polyrank.network.formats.onnx_arithmetic import common_shape
from polyrank.network.formats.onnx_call import Call, Operator, Value
from polyrank.network.formats.onnx_graph import Node
from polyrank.network.lowering import Affine
from polyrank.network.lowering.values import as_rationals, as_values

__all__ = ["OPERATORS", "refusal"]

Comparison = Callable[[Any, Any], Any]
_ARGUMENTS = ("the first argument", "the second argument")


def refusal(node: Node) -> UnsupportedError:
    """What is said of a comparison of values that are not constant."""
    return UnsupportedError(
        f"{node.where} asks a question of values that depend on the network's input; its answer "
        "is not continuous"
    )


def _constants(call: Call, count: int) -> list[NDArray[Any]]:
    if any(isinstance(call.value(k), Affine) for k in range(count)):
        raise refusal(call.node)
    return [np.asarray(call.array(k, _ARGUMENTS[k])) for k in range(count)]


def _compare(call: Call, *, holds: Comparison) -> list[Value]:
    first, second = _constants(call, 2)
    common_shape(call, [first.shape, second.shape])
    if {first.dtype.kind, second.dtype.kind} <= {"b"}:
        return [np.asarray(holds(first, second), dtype=bool)]
    if not {first.dtype.kind, second.dtype.kind} <= {"i"}:  # as exact numbers: no rounding decides
        first, second = (as_rationals(as_values(a, call.node.where)) for a in (first, second))
    return [np.asarray(holds(first, second), dtype=bool)]


def _logic(call: Call, *, combine: Comparison) -> list[Value]:
    first, second = (array.astype(bool) for array in _constants(call, 2))
    common_shape(call, [first.shape, second.shape])
    return [np.asarray(combine(first, second))]


def _not(call: Call) -> list[Value]:
    (argument,) = _constants(call, 1)
    return [~argument.astype(bool)]


OPERATORS: Mapping[str, Operator] = {
    "And": partial(_logic, combine=np.logical_and),
    "Equal": partial(_compare, holds=lambda a, b: a == b),
    "Greater": partial(_compare, holds=lambda a, b: a > b),
    "GreaterOrEqual": partial(_compare, holds=lambda a, b: a >= b),
    "Less": partial(_compare, holds=lambda a, b: a < b),
    "LessOrEqual": partial(_compare, holds=lambda a, b: a <= b),
    "Not": _not,
    "Or": partial(_logic, combine=np.logical_or),
    "Xor": partial(_logic, combine=np.logical_xor),
}
