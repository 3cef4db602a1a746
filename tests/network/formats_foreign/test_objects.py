"""Models given as objects: each is compared with the framework's own forward pass."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import NetworkError, UnsupportedError

# --- networks themselves


def test_a_network_is_called_and_shown_in_short() -> None:
    net = pr.Network.from_arrays(
        [np.eye(200), np.ones((1, 200))], [np.zeros(200), np.zeros(1)], name="wide"
    )
    assert repr(net) == "Network('wide', 200-200-1, 200 hyperplanes)"
    assert repr(net.layers[0]) == "Layer(200 -> 200, 200 hyperplanes, 'layer 1')"
    assert repr(net.layers[0].weight) == "RationalArray(200 x 200, float64)"
    assert net(np.full(200, 0.5)).tolist() == [100.0]
    assert net(np.full((3, 200), -1.0)).tolist() == [[0.0]] * 3
    third = net([Fraction(1, 3)] * 200)
    assert [str(v) for v in third] == ["200/3"]
    assert [str(v) for v in net(["1/7"] * 200)] == ["200/7"]


def test_the_wrong_number_of_coordinates_is_named() -> None:
    net = pr.Network.from_arrays([[[1.0]]], [[0.0]])
    with pytest.raises(NetworkError, match="coordinates|shape"):
        net([1.0, 2.0])
    with pytest.raises(NetworkError, match="coordinates|shape"):
        net(["1/2", "1/3"])


# --- ONNX


def _onnx_model() -> Any:
    onnx = pytest.importorskip("onnx")
    helper, proto = onnx.helper, onnx.TensorProto
    weight = onnx.numpy_helper.from_array(np.array([[1.0, -2.0], [0.5, 1.0]], np.float32), "W")
    nodes = [helper.make_node("MatMul", ["x", "W"], ["z"]), helper.make_node("Relu", ["z"], ["y"])]
    x = helper.make_tensor_value_info("x", proto.FLOAT, [1, 2])
    y = helper.make_tensor_value_info("y", proto.FLOAT, [1, 2])
    graph = helper.make_graph(nodes, "small", [x], [y], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def test_an_onnx_model_or_its_bytes() -> None:
    model = _onnx_model()
    for given in (model, model.SerializeToString()):
        net = pr.from_onnx(given)
        assert net([1.0, 2.0]).tolist() == [2.0, 0.0]  # (1 + 2/2, -2 + 2)
    assert pr.from_onnx(model).name == "small"
    assert pr.from_onnx(model, output_relu=True).bits == (2,)


def test_what_is_no_onnx_model() -> None:
    with pytest.raises(NetworkError, match=r"expected an onnx\.ModelProto or its bytes, got str"):
        pr.from_onnx("model.onnx")
    pytest.importorskip("onnx")
    with pytest.raises(NetworkError, match="not an ONNX model"):
        pr.from_onnx(b"abc")


# --- torch


def test_without_torch_nothing_is_a_module() -> None:
    with pytest.raises(NetworkError, match=r"expected a torch\.nn\.Module, got dict"):
        pr.from_torch({"weight": [[1.0]]})


def _modules(torch: Any) -> dict[str, Any]:
    nn, call = torch.nn, torch.nn.functional

    class Functional(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 5), nn.Linear(5, 4)
            self.norm, self.last = nn.BatchNorm1d(4), nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            x = torch.flatten(x, 1)
            x = call.dropout(torch.relu(self.first(x)), 0.5, self.training)
            x = call.leaky_relu(self.norm(self.second(x)), 0.125)
            return self.last(x).relu()

    return {
        "sequential": nn.Sequential(
            nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(0.25)),
            nn.Linear(4, 2),
        ),
        "functional": Functional(),
        "shared": nn.Sequential(*[nn.Linear(3, 3), nn.ReLU()] * 3),
    }  # fmt: skip


@pytest.mark.parametrize("which", ["sequential", "functional", "shared"])
def test_a_torch_module_is_its_function_in_evaluation_mode(which: str) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    module = _modules(torch)[which].double()
    for part in module.modules():
        if hasattr(part, "running_mean"):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
    net = pr.from_torch(module)
    assert module.training
    assert any("evaluation mode" in note for note in net.source["notes"])
    x = torch.randn(50, 3, dtype=torch.float64)
    assert np.allclose(net(x.numpy()), module.eval()(x).detach().numpy(), atol=1e-12)


class _NotSaved:
    """Cannot be pickled, and does not say why."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _NotSaved:
        return self

    def __reduce__(self) -> str:
        raise RuntimeError


def test_a_torch_module_that_is_no_chain() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Residual(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x: Any) -> Any:
            return x + self.linear(x)

    class Asks(Residual):
        def forward(self, x: Any) -> Any:
            return self.linear(x) if x.sum() > 0 else x

    class Doubles(Residual):
        def forward(self, x: Any) -> Any:
            return self.linear(x) * 2

    class AlwaysDrops(Residual):
        def forward(self, x: Any) -> Any:
            return nn.functional.dropout(self.linear(x), 0.5)

    with pytest.raises(UnsupportedError, match="is not a chain: 'add'"):
        pr.from_torch(Residual())
    with pytest.raises(UnsupportedError, match="cannot follow the forward of Asks"):
        pr.from_torch(Asks())
    with pytest.raises(UnsupportedError, match="calls mul, which is not read"):
        pr.from_torch(Doubles())
    with pytest.raises(UnsupportedError, match="calls dropout, which is not read"):
        pr.from_torch(AlwaysDrops())
    with pytest.raises(UnsupportedError, match="Tanh"):
        pr.from_torch(nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)))
    hooked = nn.Sequential(nn.Linear(2, 2))
    hooked[0].register_forward_hook(lambda *_: None)
    with pytest.raises(UnsupportedError, match="'0' has forward hooks"):
        pr.from_torch(hooked)
    replaced = nn.Sequential(nn.Linear(2, 2))
    replaced[0].forward = lambda x: x
    with pytest.raises(UnsupportedError, match="torch.save cannot write Sequential .*a lambda"):
        pr.from_torch(replaced)
    renewed = Doubles()
    renewed.forward = renewed.linear.forward
    with pytest.raises(UnsupportedError, match="Doubles has a forward of its own"):
        pr.from_torch(renewed)
    silent = nn.Sequential(nn.Linear(2, 2))
    silent[0].note = _NotSaved()
    with pytest.raises(UnsupportedError, match=r"torch.save cannot write Sequential \(RuntimeErr"):
        pr.from_torch(silent)
    cut = pr.from_torch(nn.Sequential(nn.Linear(2, 2), nn.Softmax(1)), cut_final=True)
    assert cut.widths == (2, 2)
