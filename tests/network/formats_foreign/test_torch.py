"""Torch files: state dicts and Sequentials, zip and legacy, against the standard unpickler."""

from __future__ import annotations

import io
import pickle
import time
import zipfile
from collections import OrderedDict, defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.forward import forward_exact
from polyrank.network.rational import to_fmpq
from tests.conftest import shared
from tests.network.formats_foreign.torch_files import (
    Called,
    Instance,
    Tensor,
    legacy_file,
    linear,
    module,
    sequential,
    state,
    zip_file,
)

W0 = np.array([[0.1, -0.2], [0.3, 0.7], [-1.5, 1e-7]], dtype=np.float32)
B0 = np.array([0.01, -3.3, 1e20], dtype=np.float32)
W1 = np.array([[1.1, 0.0, -2.7]], dtype=np.float32)
B1 = np.array([0.9], dtype=np.float32)
STATE = {"fc1__weight": W0, "fc1__bias": B0, "fc2__weight": W1, "fc2__bias": B1}
WRITERS = [zip_file, legacy_file]
ACTIVATION = "torch.nn.modules.activation"
NORMS = "torch.nn.modules.batchnorm"


def same(network: pr.Network, *expected: tuple[Any, Any]) -> None:
    assert len(network.layers) == len(expected)
    for layer, (weight, bias) in zip(network.layers, expected, strict=True):
        assert layer.weight.is_float
        assert np.array_equal(layer.weight.approx, np.asarray(weight, dtype=float))
        assert np.array_equal(layer.bias.approx, np.asarray(bias, dtype=float))


@pytest.mark.parametrize("write", WRITERS)
def test_state_dict(tmp_path, write):
    network = pr.load(write(tmp_path / "a.pt", state(**STATE)))
    same(network, (W0, B0), (W1, B1))
    assert [set(layer.slopes_exact) for layer in network.layers] == [
        {(fmpq(0), fmpq(1))},
        {(fmpq(1), fmpq(1))},
    ]
    assert any("no activations: relu" in note for note in network.source["notes"])


@pytest.mark.parametrize("protocol", range(1, 6))  # 0 cannot refer to storages
def test_every_pickle_protocol(tmp_path, protocol):
    same(
        pr.load(zip_file(tmp_path / "a.pt", state(**STATE), protocol=protocol)), (W0, B0), (W1, B1)
    )


@pytest.mark.parametrize("write", WRITERS)
def test_options_choose_the_activation(tmp_path, write):
    path = write(tmp_path / "a.pth", state(**STATE))
    assert pr.load(path, slope="1/100").layers[0].slopes_exact[0][0] == fmpq(1, 100)
    assert pr.load(path, activation="abs").layers[0].slopes_exact[0][0] == -1
    assert pr.load(path, output_relu=True).layers[1].slopes_exact[0][0] == 0


def test_a_thousand_layers_take_no_time(tmp_path):
    """The directory of the zip is read once, not once for every tensor."""
    content = OrderedDict()
    for k in range(1000):
        content[f"net.{2 * k}.weight"] = Tensor(np.eye(2))
        content[f"net.{2 * k}.bias"] = Tensor(np.ones(2))
    path = zip_file(tmp_path / "a.pt", content)
    start = time.monotonic()
    assert len(pr.load(path).layers) == 1000
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("kind", "array"),
    [
        ("f8", np.array([[0.1, -1e-300]])),
        ("f2", np.array([[0.1, -65504.0]], dtype=np.float16)),
        ("bf", np.array([[1.5, -(2.0**100)]], dtype=np.float32)),
        ("i8", np.array([[3, -(2**40)]])),
        ("u1", np.array([[3, 255]], dtype=np.uint8)),
    ],
)
def test_element_types(tmp_path, kind, array):
    content = OrderedDict([("weight", Tensor(array, kind=kind))])
    (layer,) = pr.load(zip_file(tmp_path / "a.pt", content)).layers
    assert np.array_equal(layer.weight.approx, array.astype(float))


def test_strided_tensors(tmp_path):
    """A transposed matrix and a slice, stored as views of larger storages."""
    base = np.arange(12.0).reshape(3, 4)
    turned = Tensor(base.T)
    cut = Tensor(np.ascontiguousarray(base))
    cut.size, cut.stride, cut.offset = (2, 4), (4, 1), 4
    content = OrderedDict([("0.weight", turned), ("1.weight", cut)])
    network = pr.load(legacy_file(tmp_path / "a.pt", content))
    same(network, (base.T, np.zeros(4)), (base[1:], np.zeros(2)))


def test_tensors_of_version_3_and_empty_ones(tmp_path):
    named = Tensor(W1)
    named.dtype = "float32"
    content = OrderedDict([("0.weight", named), ("unused", Tensor(np.zeros((0, 4))))])
    path = zip_file(tmp_path / "a.pt", content)
    with pytest.raises(UnsupportedError, match=r"'unused' of shape \(0, 4\)"):
        pr.load(path)
    same(pr.load(zip_file(path, OrderedDict([("0.weight", named)]))), (W1, [0.0]))


def test_state_dicts_of_other_mappings(tmp_path):
    """OrderedDict and defaultdict are made by calls, which are taken as plain mappings."""
    for content in (
        OrderedDict([("weight", Tensor(W1)), ("bias", Tensor(B1))]),
        defaultdict(None, {"weight": Tensor(W1), "bias": Tensor(B1)}),
    ):
        same(pr.load(zip_file(tmp_path / "a.pt", content)), (W1, B1))


def test_checkpoint_with_other_entries(tmp_path):
    content = {
        "epoch": 3,
        "loss": Instance("mynets", "Loss", {"x": 1}),
        "model_state_dict": state(**STATE),
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
    }
    network = pr.load(zip_file(tmp_path / "a.pt", content))
    same(network, (W0, B0), (W1, B1))
    assert any("not read: epoch, loss, optimizer" in note for note in network.source["notes"])


def test_several_state_dicts(tmp_path):
    content = {"actor": state(**STATE), "critic": state(**STATE)}
    with pytest.raises(FormatError, match="several sets of weights, actor, critic"):
        pr.load(zip_file(tmp_path / "a.pt", content))


def test_tensors_beside_settings(tmp_path):
    content = {"W.weight": Tensor(W0), "W.bias": Tensor(B0), "epoch": 7}
    network = pr.load(zip_file(tmp_path / "a.pt", content))
    same(network, (W0, B0))
    assert "not tensors, not read: epoch" in network.source["notes"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list; expected a state dict"),
        ({"a": 1}, "holds no tensors"),
        ({}, "holds a dict; expected a state dict"),
        (Instance("mynets", "Net", {"x": 1}), "holds a mynets.Net; expected a state dict"),
        (state(conv__weight=np.zeros((2, 1, 3, 3))), "shape .2, 1, 3, 3.*ONNX"),
    ],
)
def test_refused_contents(tmp_path, content, message):
    with pytest.raises(UnsupportedError, match=message):
        pr.load(zip_file(tmp_path / "a.pt", content))


# ---- whole modules


@pytest.mark.parametrize("write", WRITERS)
def test_sequential(tmp_path, write):
    slope = Tensor(np.array([0.5, -0.25, 2.0], dtype=np.float32), parameter=True)
    content = sequential(
        module("torch.nn.modules.dropout", "Dropout", p=0.5),
        sequential(linear(W0, B0), module(ACTIVATION, "PReLU", _parameters={"weight": slope})),
        linear(W1, None),
        module(ACTIVATION, "LeakyReLU", negative_slope=0.1),
    )
    network = pr.load(write(tmp_path / "a.pt", content))
    same(network, (W0, B0), (W1, [0.0]))
    assert [neg for neg, _ in network.layers[0].slopes_exact] == [fmpq(1, 2), fmpq(-1, 4), 2]
    assert network.layers[1].slopes_exact[0][0] == to_fmpq(0.1)


@pytest.mark.parametrize(
    ("part", "function"),
    [
        (module(ACTIVATION, "ReLU"), lambda z: max(z, 0)),
        (module(ACTIVATION, "ReLU6"), lambda z: min(max(z, 0), 6)),
        (module(ACTIVATION, "Hardtanh", min_val=-0.5, max_val=2.0), lambda z: min(max(z, -0.5), 2)),
        (module(ACTIVATION, "Hardsigmoid"), lambda z: min(max(z / 6 + Fraction(1, 2), 0), 1)),
        (module("torch.nn.modules.linear", "Identity"), lambda z: z),
    ],
)
def test_sequential_activations(tmp_path, part, function):
    network = pr.load(zip_file(tmp_path / "a.pt", sequential(linear(np.eye(2), None), part)))
    for x in ([-4, 1], ["1/3", 9], [0, "-1/7"], [-3, 3]):
        exact = [Fraction(v) for v in x]
        assert list(forward_exact(network, x)) == [to_fmpq(Fraction(function(v))) for v in exact]


def batch_norm(weight, bias, mean, variance, epsilon=1e-5):
    return module(
        "torch.nn.modules.batchnorm",
        "BatchNorm1d",
        eps=epsilon,
        _parameters={
            "weight": None if weight is None else Tensor(weight, parameter=True),
            "bias": None if bias is None else Tensor(bias, parameter=True),
        },
        _buffers={"running_mean": Tensor(mean), "running_var": Tensor(variance)},
    )


def test_batch_norm_factor_is_the_nearest_float64(tmp_path):
    """The factor is checked by squaring: no other float64 is nearer to gamma / sqrt(v + eps)."""
    gamma, beta = np.array([1.25, -0.3, 0.0]), np.array([0.1, 0.2, 0.3])
    mean, variance = np.array([0.5, -0.7, 2.0]), np.array([0.9, 1e-9, 3.0])
    content = sequential(
        linear(W0, B0), batch_norm(gamma, beta, mean, variance), module(ACTIVATION, "ReLU")
    )
    network = pr.load(zip_file(tmp_path / "a.pt", content))
    (layer,) = network.layers
    for k in range(3):
        square = Fraction(gamma[k]) ** 2 / (Fraction(variance[k]) + Fraction(1e-5))
        factor = Fraction(0)
        if gamma[k]:
            entry = layer.weight.to_fmpq_mat()[k, 0]
            factor = Fraction(int(entry.p), int(entry.q)) / Fraction(float(W0[k, 0]))
        near = float(factor)
        assert Fraction(near) == factor
        for other in (np.nextafter(near, np.inf), np.nextafter(near, -np.inf)):
            middle = (abs(factor) + abs(Fraction(float(other)))) / 2
            assert (middle**2 > square) == (abs(other) > abs(near))
        shift = Fraction(beta[k]) - factor * Fraction(mean[k]) + factor * Fraction(float(B0[k]))
        assert list(layer.bias.entries())[k] == to_fmpq(shift)
    assert any("float64 nearest" in note for note in network.source["notes"])


def test_whole_modules_are_refused_with_the_line_that_exports_them(tmp_path):
    content = module("mynets", "Net", _modules={"fc": linear(W0, B0)})
    with pytest.raises(
        UnsupportedError, match=r"class mynets\.Net.*torch\.save\(model\.state_dict"
    ):
        pr.load(zip_file(tmp_path / "a.pt", content))
    inside = sequential(linear(W0, B0), module("mynets", "Activation"))
    with pytest.raises(UnsupportedError, match=r"mynets\.Activation, whose Python code is not run"):
        pr.load(zip_file(tmp_path / "b.pt", inside))


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ([module("torch.nn.modules.conv", "Conv2d"), linear(W0, B0)], UnsupportedError, "Conv2d"),
        ([linear(W0, B0), module(ACTIVATION, "Tanh")], UnsupportedError,
         r"1 \(Tanh\) is none of .*as the last layer it can be dropped with --cut-final"),
        ([linear(W0, B0), module(ACTIVATION, "Softshrink")], UnsupportedError,
         r"1 \(Softshrink\) is none of .*Identity\); in Python"),
        ([linear(W0, B0), module(ACTIVATION, "PReLU")], FormatError, r"1 \(PReLU\) has no weight"),
        ([module(ACTIVATION, "ReLU")], UnsupportedError, "no Linear layer"),
        ([linear(W0, B0), linear(W0, B0)], NetworkError, "shapes do not chain: 1"),
        ([linear(W0, B0), module(ACTIVATION, "LeakyReLU", negative_slope="x")], FormatError, "'x'"),
        ([linear(W0, B0), batch_norm(None, None, B1, B1)], NetworkError, "does not fit 3 units"),
        ([linear(W0, B0), batch_norm(None, None, B0, -np.ones(3))], NetworkError, "variance"),
        ([linear(W0, B0), module(NORMS, "BatchNorm1d")], NetworkError, "running statistics"),
        ([module("torch.nn.modules.linear", "Linear")], FormatError, "no weight matrix"),
        ([linear(W0, B0), module("torch.nn.modules.linear", "Linear")], FormatError, "no weight"),
        ([linear(W0, B0), 3], FormatError, "not a pickled module"),
        ([module("torch.nn.modules.container", "Sequential", _modules=3)], FormatError, "parts"),
        ([module("torch.nn.modules.linear", "Linear", _parameters={"weight": 3})], FormatError,
         "weight is not a tensor"),
        ([linear(W0 * np.nan, B0)], NetworkError, "nan"),
    ],
)  # fmt: skip
def test_refused_modules(tmp_path, parts, error, message):
    with pytest.raises(error, match=message):
        pr.load(zip_file(tmp_path / "a.pt", sequential(*parts)))


def with_state(part, **state):
    """The same module with more in its ``__dict__``."""
    part.state.update(state)
    return part


CODE = Called("mynets", "Doubled")  # an instance of a class whose code is not at hand


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: sequential(with_state(linear(W0, B0), _forward_hooks=OrderedDict({3: CODE}))),
         "the module '0' has forward hooks, code that may change what it computes"),
        (lambda: sequential(with_state(linear(W0, B0), _forward_pre_hooks=OrderedDict({3: CODE}))),
         "the module '0' has forward hooks"),
        (lambda: sequential(
            linear(W0, B0), with_state(module(ACTIVATION, "ReLU"), _forward_hooks={0: CODE})),
         "the module '1' has forward hooks"),
        (lambda: with_state(sequential(linear(W0, B0)), _forward_hooks=OrderedDict({0: CODE})),
         "the module Sequential has forward hooks"),
        (lambda: sequential(with_state(sequential(linear(W0, B0)), _forward_pre_hooks={0: CODE})),
         "the module '0' has forward hooks"),
        (lambda: sequential(linear(W0, B0), with_state(module(ACTIVATION, "ReLU"), forward=CODE)),
         "the module '1' has a forward of its own"),
        (lambda: with_state(
            module("torch.nn.parallel.data_parallel", "DataParallel",
                   _modules=OrderedDict(module=sequential(linear(W0, B0)))),
            _forward_hooks={0: CODE}),
         "the module DataParallel has forward hooks"),
    ],
)  # fmt: skip
def test_code_that_a_module_carries_is_not_passed_over(tmp_path, write, content, message):
    """A known class with hooks or a forward of its own computes what that code says."""
    with pytest.raises(UnsupportedError, match=message):
        pr.load(write(tmp_path / "a.pt", content()))


def test_hooks_that_change_nothing_are_no_hindrance(tmp_path):
    """Hooks of the backward pass and of saving do not touch what is computed."""
    idle = {"_backward_hooks": OrderedDict({0: CODE}), "_state_dict_hooks": OrderedDict({0: CODE})}
    empty = {"_forward_hooks": OrderedDict(), "_forward_pre_hooks": OrderedDict()}
    content = sequential(with_state(linear(W0, B0), **idle, **empty))
    same(pr.load(zip_file(tmp_path / "a.pt", content)), (W0, B0))


def test_an_attribute_hides_a_parameter(tmp_path):
    """Python looks into the instance first; a bias set as a plain tensor counts."""
    other = np.array([5.0, 6.0, 7.0])
    content = sequential(with_state(linear(W0, B0), bias=Tensor(other)))
    same(pr.load(zip_file(tmp_path / "a.pt", content)), (W0, other))


def test_modules_state_their_activations(tmp_path):
    path = zip_file(tmp_path / "a.pt", sequential(linear(W0, B0)))
    with pytest.raises(NetworkError, match="leave out --activation"):
        pr.load(path, activation="abs")


def test_final_sigmoid_can_be_cut(tmp_path):
    path = zip_file(tmp_path / "a.pt", sequential(linear(W0, B0), module(ACTIVATION, "Sigmoid")))
    network = pr.load(path, cut_final=True)
    same(network, (W0, B0))
    assert any("cut off" in note for note in network.source["notes"])


# ---- state dicts with batch normalisation and PReLU


NORM = {"weight": np.ones(3), "bias": np.zeros(3), "running_mean": np.ones(3),
        "running_var": np.full(3, 4.0), "num_batches_tracked": np.array(7)}  # fmt: skip


def numbered(spec: dict[int, str], stem: str = "net.") -> OrderedDict[str, Any]:
    """A state dict: number → L (2→3 or 3→3), N (norm), P (PReLU, one slope), Q (three slopes)."""
    content: OrderedDict[str, Any] = OrderedDict()
    width = 2
    for number, kind in spec.items():
        if kind == "L":
            content[f"{stem}{number}.weight"] = Tensor(np.eye(3, width))
            width = 3
        elif kind == "N":
            for key, value in NORM.items():
                content[f"{stem}{number}.{key}"] = Tensor(value)
        else:
            content[f"{stem}{number}.weight"] = Tensor(np.full(1 if kind == "P" else 3, 0.5))
    return content


FACTOR = Fraction(float(1 / np.sqrt(4.0 + 1e-5)))  # 1/sqrt(4.00001): checked to be nearest below


@pytest.mark.parametrize(
    ("spec", "before"), [({0: "L", 1: "N", 3: "L"}, True), ({0: "L", 2: "N", 3: "L"}, False)]
)
def test_norm_before_or_after_the_activation(tmp_path, spec, before):
    network = pr.load(zip_file(tmp_path / "a.pt", numbered(spec)))
    x = [Fraction(3), Fraction(-1, 3)]
    z = [*x, Fraction(0)]
    if before:
        expected = [max(FACTOR * (v - 1), 0) for v in z]
    else:
        expected = [FACTOR * (max(v, 0) - 1) for v in z]
    assert list(forward_exact(network, x)) == [to_fmpq(v) for v in expected]


@pytest.mark.parametrize("spec", [{0: "L", 1: "P", 2: "L"}, {0: "L", 1: "Q", 2: "L"}])
def test_prelu_in_a_state_dict(tmp_path, spec):
    path = zip_file(tmp_path / "a.pt", numbered(spec))
    network = pr.load(path, activation="prelu" if "Q" in spec.values() else None)
    assert {neg for neg, _ in network.layers[0].slopes_exact} == {fmpq(1, 2)}
    assert len(network.layers) == 2


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (numbered({0: "L", 1: "N", 2: "L"}), {}, "not clear which number is the activation"),
        (numbered({0: "L", 2: "N", 4: "L"}), {}, "not clear which number is the activation"),
        (numbered({0: "L", 1: "Q", 2: "L"}), {}, "a PReLU, or a normalisation"),
        (numbered({0: "P", 1: "L"}), {}, "outside of the Linear layers"),
        (numbered({0: "N"}), {}, "no Linear layer"),
        (numbered({0: "L", 1: "P", 2: "L"}), {"activation": "abs"}, "leave out --activation"),
        ({**numbered({0: "L", 1: "N"}), "x.scale": Tensor(B0)}, {}, "arrays of 'x'"),
        ({**numbered({0: "L"}, "fc"), **numbered({1: "N"}, "bn")}, {}, "are not numbered"),
    ],
)
def test_ambiguous_state_dicts(tmp_path, content, options, message):
    with pytest.raises(NetworkError, match=message):
        pr.load(zip_file(tmp_path / "a.pt", content), **options)


def test_clipped_activation_with_norm(tmp_path):
    path = zip_file(tmp_path / "a.pt", numbered({0: "L", 1: "N", 3: "L"}))
    network = pr.load(path, activation="hard_sigmoid")
    expected = [min(max(FACTOR * (v - 1) / 6 + Fraction(1, 2), 0), 1) for v in (5, -9, 0)]
    assert list(forward_exact(network, [5, -9])) == [to_fmpq(Fraction(v)) for v in expected]


# ---- the shared files


class _Oracle(pickle.Unpickler):
    """The standard unpickler, told to build numpy arrays: a second way to the same numbers."""

    def __init__(self, data: bytes, load: Any) -> None:
        super().__init__(io.BytesIO(data))
        self.load_storage = load

    def find_class(self, module_name: str, name: str) -> Any:
        if name == "_rebuild_tensor_v2":
            return lambda storage, offset, size, stride, *_: (storage, offset, size, stride)
        if name == "OrderedDict":
            return OrderedDict
        return name if name.endswith("Storage") else lambda *_: None

    def persistent_load(self, key: Any) -> Any:
        return np.frombuffer(
            self.load_storage(key[2]), {"FloatStorage": "<f4", "DoubleStorage": "<f8"}[key[1]]
        )


def oracle_arrays(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("data.pkl")]
        prefix = name.removesuffix("data.pkl")
        oracle = _Oracle(archive.read(name), lambda key: archive.read(f"{prefix}data/{key}"))
        content = oracle.load()
    content = content.get("state_dict", content)
    return {
        key: np.lib.stride_tricks.as_strided(
            storage[offset:], size, [s * storage.itemsize for s in stride]
        )
        for key, (storage, offset, size, stride) in content.items()
    }


FOLDERS = ("nn_lyapunov_pt", "relucent", "beshkov_quotient", "gol_toolbox", "canonicalpoly")


def test_every_shared_file_loads():
    base = shared("manifest.json").parent
    paths = [
        p for f in FOLDERS for p in sorted((base / f).iterdir()) if p.suffix in {".pt", ".pth"}
    ]
    assert len(paths) == 41
    zips = 0
    for path in paths:
        network = pr.load(path)
        if not zipfile.is_zipfile(path):
            continue
        zips += 1
        arrays = list(oracle_arrays(path).items())
        weights = [a for k, a in arrays if k.endswith("weight")]
        biases = [a for k, a in arrays if k.endswith("bias")]
        same(network, *zip(weights, biases, strict=True))
    assert zips == 31


# widths and slopes: nn_lyapunov's training scripts name them, the pickled modules hold them
LEGACY = {
    "double_integrator_model.pt": ((2, 64, 64, 64, 1), 0.0, 1),
    "double_integrator_q_model.pt": ((3, 64, 64, 64, 1), 0.0, 1),
    "johansson_system1_lyapunov.pt": ((2, 4, 4, 1), 0.1, 0.1),
    "johansson_system2_relu_10.pt": ((2, 8, 4, 1), 0.2, 1),
    "johansson_system5_lyapunov.pt": ((2, 8, 4, 1), -1.0, 1),
}


@pytest.mark.parametrize("name", sorted(LEGACY))
def test_legacy_modules(name):
    widths, hidden, last = LEGACY[name]
    network = pr.load(shared(f"nn_lyapunov_pt/{name}"))
    assert network.widths == widths
    *inner, output = network.layers
    assert {neg for layer in inner for neg, _ in layer.slopes_exact} == {to_fmpq(hidden)}
    assert {neg for neg, _ in output.slopes_exact} == {to_fmpq(last)}


def test_slope_beside_the_state_dict():
    network = pr.load(shared("nn_lyapunov_pt/pendulum_lyapunov1.pt"))
    assert {neg for neg, _ in network.layers[0].slopes_exact} == {to_fmpq(0.1)}
    assert any("negative_slope = 0.1" in note for note in network.source["notes"])
    assert any("eps_type" in note for note in network.source["notes"])
    plain = pr.load(shared("nn_lyapunov_pt/pendulum_lyapunov1.pt"), activation="relu")
    assert {neg for neg, _ in plain.layers[0].slopes_exact} == {fmpq(0)}
