"""ONNX models: the dataflow graph, evaluated on affine functions of the input, as a normal form.

Operator sets 6 to 28 are read, and files compressed with gzip as they are. What is exact, and what
is assumed:

- Every stored number is the dyadic rational that it encodes; divisions (``Div``, ``AveragePool``,
  ``ReduceMean``) are exact; the result is the real-number function of the graph, not the rounding
  of a floating-point run. Casts between floating-point types change nothing. The one exception is
  BatchNormalization, whose folded factor is defined as the float64 nearest to the real number.
- The input vector is the concatenation of the graph's inputs (those that are not initialisers),
  in the order of the file, each flattened in row-major order; the output likewise. A symbolic
  first dimension is a batch and is taken as 1.
- What is not continuous and piecewise linear is refused by name. ``cut_final`` drops a Softmax,
  LogSoftmax, Sigmoid or Tanh that gives an output of the graph.

Source: the ONNX operator specification, https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats import (
    onnx_arithmetic,
    onnx_images,
    onnx_layout,
    onnx_logic,
    onnx_piecewise,
    onnx_shape,
)
from polyrank.network.formats.gunzip import MAGIC, gunzip
from polyrank.network.formats.onnx_call import Call, Operator, Value
from polyrank.network.formats.onnx_graph import GraphModel, Node
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.source import check_shape, checked_file
from polyrank.network.lowering import Affine, Tape
from polyrank.network.lowering.affine import check_size, stack
from polyrank.network.lowering.values import is_float
from polyrank.network.normal_form import Network

__all__ = ["OPERATORS", "network_from_graph", "read"]

OPERATORS: Mapping[str, Operator] = {
    **onnx_shape.OPERATORS,
    **onnx_layout.OPERATORS,
    **onnx_logic.OPERATORS,
    **onnx_arithmetic.OPERATORS,
    **onnx_images.OPERATORS,
    **onnx_piecewise.OPERATORS,
}
"""The operators that are read, by name."""

_FINAL = frozenset({"Softmax", "LogSoftmax", "Sigmoid", "Tanh"})
_CURVED = frozenset(
    {
        "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Attention", "Celu", "Cos", "Cosh",
        "Elu", "Erf", "Exp", "GRU", "Gelu", "GroupNormalization", "HardSwish",
        "InstanceNormalization", "LRN", "LSTM", "LayerNormalization", "Log", "LogSoftmax",
        "LpNormalization", "LpPool", "MeanVarianceNormalization", "Mish", "Pow", "RMSNormalization",
        "RNN", "Reciprocal", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd",
        "ReduceSumSquare", "Selu", "Sigmoid", "Sin", "Sinh", "Softmax", "Softplus", "Softsign",
        "Sqrt", "Swish", "Tan", "Tanh",
    }
)  # fmt: skip
_BROKEN = frozenset(
    {
        "ArgMax", "ArgMin", "Ceil", "Floor", "Hardmax", "Mod", "QuantizeLinear", "Round", "Shrink",
        "Sign", "ThresholdedRelu",
    }
)  # fmt: skip
_WITH_GRAPHS = frozenset({"If", "Loop", "Scan"})  # what these read from outside is no input
_REMEDY = {
    "Sigmoid": "HardSigmoid is piecewise linear",
    "Tanh": "HardTanh (Clip) is piecewise linear",
    "Elu": "LeakyRelu is piecewise linear",
    "ThresholdedRelu": "Relu with a bias is continuous",
}
_MAX_BYTES = 2**31
_BOMB_BYTES, _BOMB_RATIO = 1 << 26, 200


def read(path: Path, options: LoadOptions) -> Network:
    """The network of an ``.onnx`` file.

    Parameters
    ----------
    path : Path
    options : LoadOptions
        ``cut_final`` is used; the file itself states the activations.

    Returns
    -------
    Network
        ``source["notes"]`` says what was folded, assumed or cut off.

    Raises
    ------
    FormatError
        If the file is missing, empty, damaged or inconsistent.
    UnsupportedError
        If the graph holds an operator that is not piecewise linear or not known, by name.
    """
    from polyrank.network.formats.onnx_parse import parse_model  # noqa: PLC0415  (imports onnx)

    checked_file(path, max_bytes=_MAX_BYTES)
    data, name = path.read_bytes(), path.stem
    if data.startswith(MAGIC):
        most = min(_MAX_BYTES, max(_BOMB_BYTES, _BOMB_RATIO * len(data)))
        data, name = gunzip(data, max_bytes=most, name=path.name), Path(name).stem
    model = parse_model(data, path.parent)
    return network_from_graph(model, cut_final=options.cut_final, name=name)


def network_from_graph(model: GraphModel, *, cut_final: bool, name: str) -> Network:
    """The normal form of a parsed graph.

    Raises
    ------
    FormatError, UnsupportedError
        As :func:`read`.
    """
    notes: list[str] = []
    model = replace(model, nodes=tuple(onnx_logic.choices_as_extrema(model.nodes)))
    producers = _producers(model)
    outputs = [_cut(producers, output, notes) if cut_final else output for output in model.outputs]
    tape, known = _inputs(model, notes)
    needed = _needed(producers, outputs, known)
    _look_at_all(needed, {name for name, value in known.items() if isinstance(value, Affine)})
    for node in needed:
        _evaluate(node, model, tape, known, notes)
    tensors = []
    for output in outputs:
        value = known[output]
        tensors.append(value if isinstance(value, Affine) else Affine.fixed(value, output))
    if len(tensors) > 1:
        notes.append("the output vector is " + " then ".join(map(repr, outputs)))
    result = stack(tensors)
    if result.size == 0:
        raise UnsupportedError(f"the output {outputs[0]!r} is empty")
    layers = tape.lower(result, producers[outputs[-1]].name if outputs[-1] in producers else name)
    return Network(layers, name, {"notes": notes, "opset": model.opset})


def _look_at_all(nodes: list[Node], variable: set[str]) -> None:
    """Refuse, before anything is folded, what is refused whatever the numbers are.

    Parameters
    ----------
    nodes : list of Node
        Every one after those that it reads.
    variable : set of str
        The tensors that depend on the network's input; grows.
    """
    for node in nodes:
        reads = [name in variable for name in node.inputs]
        if node.op not in OPERATORS:
            fixed = bool(node.inputs) and not any(reads) and node.op not in _WITH_GRAPHS
            raise _refusal(node, constant=fixed)
        if any(reads) and node.op in onnx_logic.OPERATORS:
            raise onnx_logic.refusal(node)
        if node.op in {"Mul", "MatMul", "Gemm"} and reads[:2] == [True, True]:
            raise onnx_arithmetic.refusal(node)
        if any(reads) and node.op not in {"Shape", "Size"}:
            variable.update(node.outputs[: 1 if node.op == "Dropout" else None])


def _producers(model: GraphModel) -> dict[str, Node]:
    producers: dict[str, Node] = {}
    given = {*model.constants, *(name for name, _ in model.inputs)}
    for node in model.nodes:
        for output in node.outputs:
            if output and (output in producers or output in given):
                raise FormatError(f"{node.where}: the tensor {output!r} is computed twice")
            if output:
                producers[output] = node
    return producers


def _cut(producers: Mapping[str, Node], output: str, notes: list[str]) -> str:
    node = producers.get(output)
    while node is not None and node.op == "Identity" and node.inputs[0] in producers:
        node = producers[node.inputs[0]]
    if node is None or node.op not in _FINAL or not node.inputs:
        return output
    extra = (
        "; it forgets a common shift of its arguments, so ranks are those of the arguments"
        if node.op.endswith("Softmax")
        else ""
    )
    notes.append(f"{node.where}, the last operation, was cut off as asked{extra}")
    return node.inputs[0]


def _inputs(model: GraphModel, notes: list[str]) -> tuple[Tape, dict[str, Value]]:
    shapes: list[tuple[str, tuple[int, ...]]] = []
    for name, stated in model.inputs:
        lengths = [length if isinstance(length, int) else -1 for length in stated]
        if lengths[:1] == [-1]:
            notes.append(f"the first dimension of the input {name!r} is a batch: taken as 1")
            lengths[0] = 1
        if -1 in lengths:
            raise UnsupportedError(
                f"the input {name!r} has the shape {list(stated)}; only the first dimension may "
                "be symbolic: export the model with a fixed input shape"
            )
        check_shape(lengths, f"the input {name!r}")
        shapes.append((name, tuple(lengths)))
    sizes = [math.prod(shape) for _, shape in shapes]
    check_size(sum(sizes), "the input")
    if sum(sizes) == 0:
        raise UnsupportedError("the graph has no inputs: its output is a constant")
    if len(shapes) > 1:
        listed = " then ".join(f"{name!r} {list(shape)}" for name, shape in shapes)
        notes.append(f"the input vector is {listed}, each in row-major order")
    tape = Tape(sum(sizes))
    known: dict[str, Value] = dict(model.constants)
    start = 0
    for (name, shape), size in zip(shapes, sizes, strict=True):
        known[name] = Affine.variables(start, shape)
        start += size
    return tape, known


def _needed(
    producers: Mapping[str, Node],
    outputs: list[str],
    known: Mapping[str, Value],
) -> list[Node]:
    """The nodes that the outputs need, every node after those that it reads."""
    order: list[Node] = []
    state: dict[int, bool] = {}  # False while a node waits for its inputs
    for output in outputs:
        if output not in producers and output not in known:
            raise FormatError(f"nothing computes the output {output!r}")
        waiting = [producers[output]] if output in producers else []
        while waiting:
            node = waiting[-1]
            if state.get(id(node)):
                waiting.pop()
                continue
            missing = []
            for name in filter(None, node.inputs):
                if name in known:
                    continue
                if name not in producers:
                    raise FormatError(f"{node.where}: nothing computes its input {name!r}")
                source = producers[name]
                if id(source) not in state:
                    missing.append(source)
                elif not state[id(source)]:
                    raise FormatError(f"{node.where} depends on its own output")
            if missing:
                state[id(node)] = False
                waiting.append(missing[0])
            else:
                state[id(node)] = True
                order.append(node)
                waiting.pop()
    return order


def _evaluate(
    node: Node, model: GraphModel, tape: Tape, known: dict[str, Value], notes: list[str]
) -> None:
    operator = OPERATORS[node.op]
    values = tuple(known[name] if name else None for name in node.inputs)
    constant = not any(isinstance(value, Affine) for value in values)
    call = Call(node, values, model.opset, Tape(0) if constant else tape, notes)
    try:
        results = list(operator(call))
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise FormatError(f"{node.where} is not well formed: {error}") from error
    except MemoryError:
        raise UnsupportedError(f"{node.where} needs more memory than there is") from None
    except NetworkError as error:
        if node.where in str(error):
            raise
        raise type(error)(f"{node.where}: {error}") from None
    for position, name in enumerate(node.outputs):
        if not name:
            continue
        if position >= len(results):
            raise UnsupportedError(f"{node.where}: its output number {position} is not supported")
        known[name] = _folded(results[position], values) if constant else results[position]


def _folded(value: Value, arguments: tuple[Value | None, ...]) -> Any:
    """A constant result as an array; integers stay integers, as shape computations need."""
    if not isinstance(value, Affine):
        return np.asarray(value)
    result = value.constant.reshape(value.shape)
    integral = all(a is None or np.asarray(a).dtype.kind in "iu" for a in arguments)
    if integral and is_float(result) and bool((result == np.floor(result)).all()):
        return result.astype(np.int64)
    return result


def _refusal(node: Node, *, constant: bool) -> UnsupportedError:
    if constant:
        return UnsupportedError(
            f"{node.where} is applied to constants, and {node.op} is not computed here; let an "
            "optimiser of ONNX models (onnxruntime, onnxsim) replace it by its value, which then "
            "counts as stored"
        )
    if node.op in _FINAL:
        inside = f"inside a network, {_REMEDY[node.op]}; " if node.op in _REMEDY else ""
        return UnsupportedError(
            f"{node.where} is not piecewise linear; {inside}as the last operation it can be "
            "dropped with cut_final (--cut-final)"
        )
    if node.op in _CURVED or node.op in _BROKEN:
        reason = "not piecewise linear" if node.op in _CURVED else "not continuous"
        remedy = _REMEDY.get(node.op, "replace it by a piecewise-linear operation and retrain")
        return UnsupportedError(f"{node.where} is {reason}; {remedy}")
    known = ", ".join(sorted(OPERATORS))
    return UnsupportedError(f"{node.where} is not supported; the operators read are {known}")
