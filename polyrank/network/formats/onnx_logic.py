"""ONNX comparisons and logic, on constants: how exporters compute shapes inside of the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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

__all__ = ["OPERATORS", "choices_as_extrema", "refusal"]

Comparison = Callable[[Any, Any], Any]
#: Comparisons: whether they hold where the first argument is less (-1) or greater (1).
_ORDER = {"Less": -1, "LessOrEqual": -1, "Greater": 1, "GreaterOrEqual": 1}
_ARGUMENTS = ("the first argument", "the second argument")


def refusal(node: Node) -> UnsupportedError:
    """What is said of a comparison of values that are not constant."""
    return UnsupportedError(
        f"{node.where} asks a question of values that depend on the network's input; its answer "
        "is not continuous"
    )


def choices_as_extrema(nodes: Sequence[Node]) -> list[Node]:
    """Nodes in which a choice between two values by their comparison is their maximum or minimum.

    ``Where(Less(x, low), low, x)``, which is how Clip and Max are spelled out in simpler operators,
    is ``Max(low, x)``: continuous, although the comparison alone is not.
    """
    producers = {node.outputs[0]: node for node in nodes if node.outputs}
    out = []
    for node in nodes:
        asked = producers.get(node.inputs[0]) if node.op == "Where" and node.inputs else None
        if asked is not None and asked.op in _ORDER and len(asked.inputs) == 2:
            chosen, smaller = tuple(node.inputs[1:]), tuple(asked.inputs)
            if _ORDER[asked.op] > 0:
                smaller = smaller[::-1]
            if chosen in {smaller, smaller[::-1]} and all(chosen):
                op = "Min" if chosen == smaller else "Max"
                node = replace(node, op=op, inputs=chosen)  # noqa: PLW2901
        out.append(node)
    return out


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
