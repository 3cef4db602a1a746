"""The operator vectors that ship with the onnx package, for every operator that is read.

Every node test made of supported operators is evaluated exactly and in float, and equals the
expected output, or is refused for one of the reasons listed here.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from polyrank.errors import NetworkError
from polyrank.network.formats.onnx import OPERATORS, network_from_graph
from polyrank.network.formats.onnx_logic import OPERATORS as QUESTIONS
from polyrank.network.formats.onnx_parse import parse_model
from polyrank.network.forward import forward
from polyrank.network.normal_form import Network
from polyrank.network.sparse import by_rows

FLOATS = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16}

# which inputs are the network's; the others become initialisers (default: the first)
VARIABLE = {
    "Add": [[0, 1]], "Sub": [[0, 1]], "Sum": [[0, 1, 2]], "Mean": [[0, 1, 2]],
    "Max": [[0, 1, 2]], "Min": [[0, 1, 2]], "Concat": [[0, 1]], "Where": [[1, 2]],
    "Mul": [[0], [1]], "MatMul": [[0], [1]], "Gemm": [[0], [1], [0, 2]], "Range": [[]],
    **{op: [[0], []] for op in QUESTIONS},
}  # fmt: skip

REFUSED = [
    r"BatchNormalization\) is in training mode",
    r"Dropout\) is in training mode",
    r"Cast\) casts a value that depends on the input to an integer",
    r"multiplies two (values|matrices) that depend on the network's input",
    r"asks a question of values that depend on the network's input",
    r"Resize\): mode 'cubic'",
    r"Resize\): mode 'linear' with antialias",
    r"Resize\): mode '\w+' with antialias or aspect policy 'not_(larger|smaller)'",
    r"Resize\): the coordinate transformation 'tf_crop_and_resize'",
    r"Resize\): align_corners with a scale of .* is read differently",  # onnxruntime differs too
    r"DequantizeLinear\) is blocked",
    r"MaxPool\) also gives the indices of the maxima",
    r"more than the [\d,]+ that are allowed",
    r"is boolean; expected numbers",
    r"holds strings; expected numbers",
    r"the kernel reaches 9 cells of the 10 that output_shape asks for",  # programs differ
    r"is nan; every number must be finite",
    r"output '\w+' is empty",
    r"only the first dimension may be symbolic",  # the vectors with a dimension of length 0
    r"1 entries cannot be split into \[0, 0, 0\]",  # a tensor of length 0, taken as a batch
    r"a tensor of shape \(1, 3, 4\) cannot take the shape \[3, 4, 0\]",  # likewise
]

# expected outputs that the vectors give with few digits
ROUNDED = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 1e-3}


def _array(value: Any) -> np.ndarray:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def _tensor(value: Any, name: str) -> TensorProto:
    tensor = TensorProto()
    tensor.CopyFrom(
        value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value))
    )
    tensor.name = name
    return tensor


def _cases() -> Iterator[tuple[str, onnx.ModelProto, np.ndarray, np.ndarray]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the generators of the vectors overflow on purpose
        from onnx.backend.test.loader import load_model_tests

        cases = load_model_tests(kind="node")
    for case in cases:
        graph = case.model.graph
        if not {n.op_type for n in graph.node} <= set(OPERATORS):
            continue
        values, expected = case.data_sets[0]
        op = graph.node[0].op_type if len(graph.node) == 1 else "several"
        for positions in VARIABLE.get(op, [[0]]):
            free = [
                k
                for k in positions
                if k < len(graph.input) and graph.input[k].type.tensor_type.elem_type in FLOATS
            ]
            model = onnx.ModelProto()
            model.CopyFrom(case.model)
            if op == "Not":  # its vectors are of operator set 1; it has not changed since
                model.opset_import[0].version = 6
            infos = [
                onnx.ValueInfoProto.FromString(graph.input[k].SerializeToString()) for k in free
            ]
            for k, value in enumerate(values):
                if k not in free:
                    model.graph.initializer.append(_tensor(value, graph.input[k].name))
            del model.graph.input[:]
            unused = helper.make_tensor_value_info("unused", TensorProto.FLOAT, [1])
            model.graph.input.extend(infos or [unused])
            if not positions and graph.output[0].type.tensor_type.elem_type == TensorProto.BOOL:
                _as_numbers(model)
            point = [_array(values[k]).ravel().astype(float) for k in free] or [np.zeros(1)]
            result = np.concatenate([_array(v).ravel().astype(float) for v in expected])
            yield case.name, model, np.concatenate(point), result


def _as_numbers(model: onnx.ModelProto) -> None:
    """Cast the answers of a model, which are boolean, to 0 and 1."""
    answer = model.graph.output[0].name
    model.graph.node.append(helper.make_node("Cast", [answer], ["number"], to=TensorProto.FLOAT))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("number", TensorProto.FLOAT, None))


def exact_output(network: Network, point: np.ndarray) -> np.ndarray:
    """The network in fractions, from the non-zero weights only, rounded once at the end."""
    h = [Fraction(v) for v in point]
    for layer in network.layers:
        exact = None if layer.weight.exact is None else layer.weight.exact
        z = [Fraction(int(b.p), int(b.q)) for b in layer.bias.entries()]
        entries = by_rows(layer.weight).tocoo()
        for i, j, v in zip(*(a.tolist() for a in (*entries.coords, entries.data)), strict=True):
            if exact is None:
                z[i] += Fraction(v) * h[j]
            else:
                entry = exact[i, j]
                z[i] += Fraction(int(entry.p), int(entry.q)) * h[j]
        neg, pos = list(layer.slope_neg.entries()), list(layer.slope_pos.entries())
        h = []
        for k, v in enumerate(z):
            slope = pos[k] if v > 0 else neg[k]
            h.append(v * Fraction(int(slope.p), int(slope.q)))
    return np.array([float(v) for v in h])


def _read(model: onnx.ModelProto, name: str) -> tuple[Network | None, str]:
    try:
        parsed = parse_model(model.SerializeToString(), None)
        return network_from_graph(parsed, cut_final=False, name=name), ""
    except NetworkError as error:
        return None, str(error)


@pytest.mark.slow
@pytest.mark.long  # one of the models has 89,373 units on 98,304 inputs
def test_operator_vectors(capsys):
    passed: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for name, model, point, expected in _cases():
        if not np.isfinite(point).all():  # casts of inf and NaN
            continue
        network, problem = _read(model, name)
        if network is None:
            reasons = [r for r in REFUSED if re.search(r, problem)]
            assert reasons, f"{name}: {problem}"
            refused[reasons[0]] += 1
            continue
        tolerance = ROUNDED.get(name, 1e-5)
        for what, got in (
            ("exact", exact_output(network, point)),
            ("float", forward(network, point)),
        ):
            assert got.shape == expected.shape, (name, what)
            close = np.allclose(got, expected, rtol=tolerance, atol=1e-6)
            assert close, (name, what, got[:10], expected[:10])
        for used in {n.op_type for n in model.graph.node}:
            passed[used] += 1
    lines = [f"{op:24} {passed[op]:4} vectors" for op in sorted(OPERATORS)]
    lines += [f"refused {count:4}: {reason}" for reason, count in refused.items()]
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert not set(OPERATORS) - set(passed)
    assert set(refused) == set(REFUSED)
