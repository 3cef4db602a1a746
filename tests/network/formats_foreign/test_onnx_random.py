"""Random branching graphs: the normal form is the graph's function, in fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.network.formats.onnx import network_from_graph
from polyrank.network.formats.onnx_parse import parse_model
from polyrank.network.forward import forward_exact
from polyrank.network.rational import to_fmpq
from tests.network.formats_foreign.exact_onnx import evaluate
from tests.network.formats_foreign.onnx_models import build, node

WEIGHTS = st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0, -3.0]) | st.floats(-4, 4, width=32)
COORDINATES = st.sampled_from([Fraction(0), Fraction(1), Fraction(-1)]) | st.fractions(-3, 3)


class Draft:
    """A graph under construction; every tensor has the shape (1, width)."""

    def __init__(self, draw) -> None:
        self.draw = draw
        self.nodes = []
        self.constants = {}
        self.width = {"x": draw(st.integers(1, 3))}

    def array(self, *shape):
        values = self.draw(
            st.lists(WEIGHTS, min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))
        )
        name = f"c{len(self.constants)}"
        self.constants[name] = np.array(values, dtype=np.float32).reshape(shape)
        return name

    def integers(self, *values):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.array(values, dtype=np.int64)
        return name

    def add(self, op, inputs, width, **attributes):
        name = f"t{len(self.nodes)}"
        self.nodes.append(node(op, inputs, [name], **attributes))
        if width:
            self.width[name] = width
        return name

    def pick(self, width=None):
        names = [k for k, w in self.width.items() if width in (None, w)]
        return self.draw(st.sampled_from(names))

    def step(self):
        kind = self.draw(st.sampled_from(sorted(STEPS)))
        source = self.pick()
        STEPS[kind](self, source, self.width[source])


def _matmul(d, x, n):
    m = d.draw(st.integers(1, 3))
    product = d.add("MatMul", [x, d.array(n, m)], m)
    if d.draw(st.booleans()):
        d.add("Add", [product, d.array(m)], m)


def _pair(op):
    return lambda d, x, n: d.add(op, [x, d.pick(n)], n)


def _with_constant(op):
    return lambda d, x, n: d.add(op, [x, d.array(n)], n)


def _div(d, x, n):
    name = d.array(1)
    d.constants[name] = np.where(d.constants[name] == 0, np.float32(3), d.constants[name])
    d.add("Div", [x, name], n)


def _clip(d, x, n):
    low, high = d.array(1), d.array(1)
    first, second = d.constants[low].item(), d.constants[high].item()
    d.constants[low] = np.float32(min(first, second))
    d.constants[high] = np.float32(max(first, second))
    d.add("Clip", [x, low, high], n)


def _split(d, x, n):
    if n < 2:
        return
    sizes = d.integers(1, n - 1)
    a, b = f"t{len(d.nodes)}a", f"t{len(d.nodes)}b"
    d.nodes.append(node("Split", [x, sizes], [a, b], axis=1))
    d.width |= {a: 1, b: n - 1}


def _image(d, x, n):
    return d.add("Unsqueeze", [x, d.integers(1)], 0)


def _conv(d, x, n):
    m, stride, low, high = (d.draw(st.integers(*r)) for r in ((1, 2), (1, 2), (0, 1), (0, 1)))
    kernel = d.draw(st.integers(1, n))
    image = _image(d, x, n)
    conv = d.add(
        "Conv", [image, d.array(m, 1, kernel), d.array(m)], 0, strides=[stride], pads=[low, high]
    )
    count = (n + low + high - kernel) // stride + 1
    d.add("Flatten", [conv], m * count)


def _maxpool(d, x, n):
    kernel, stride = d.draw(st.integers(1, n)), d.draw(st.integers(1, 2))
    pool = d.add(
        "MaxPool", [_image(d, x, n)], 0, kernel_shape=[kernel], strides=[stride], pads=[0, 0]
    )
    d.add("Flatten", [pool], (n - kernel) // stride + 1)


STEPS = {
    "matmul": _matmul, "matmul2": _matmul, "conv": _conv, "maxpool": _maxpool, "split": _split,
    "clip": _clip, "div": _div,
    "add": _pair("Add"), "sub": _pair("Sub"), "max": _pair("Max"), "min": _pair("Min"),
    "max constant": _with_constant("Max"), "min constant": _with_constant("Min"),
    "scale": _with_constant("Mul"), "shift": _with_constant("Add"),
    "prelu": _with_constant("PRelu"),
    "relu": lambda d, x, n: d.add("Relu", [x], n),
    "relu2": lambda d, x, n: d.add("Relu", [x], n),
    "leaky": lambda d, x, n: d.add("LeakyRelu", [x], n, alpha=0.25),
    "abs": lambda d, x, n: d.add("Abs", [x], n),
    "neg": lambda d, x, n: d.add("Neg", [x], n),
    "mean": lambda d, x, n: d.add("ReduceMean", [x], 1, axes=[1]),
    "concat": lambda d, x, n: (
        None if n > 3 else d.add("Concat", [x, y := d.pick()], n + d.width[y], axis=1)
    ),
}  # fmt: skip


@st.composite
def graphs(draw):
    d = Draft(draw)
    for _ in range(draw(st.integers(1, 9))):
        d.step()
    if not d.nodes:
        d.add("Relu", ["x"], d.width["x"])
    wanted = [k for k in d.width if k != "x"][-draw(st.integers(1, 2)) :]
    model = build(
        d.nodes, {"x": [1, d.width["x"]]}, d.constants, wanted or [d.nodes[-1].output[0]], opset=13
    )
    n = d.width["x"]
    points = [draw(st.lists(COORDINATES, min_size=n, max_size=n)) for _ in range(3)]
    return model, points


@settings(max_examples=300)
@given(graphs())
def test_random_graphs(problem):
    model, points = problem
    data = model.SerializeToString()
    network = network_from_graph(parse_model(data, None), cut_final=False, name="random")
    for point in points:
        results = evaluate(model, {"x": np.array([point], dtype=object)})
        expected = [to_fmpq(Fraction(v)) for result in results for v in result.ravel()]
        assert list(forward_exact(network, point)) == expected
