"""What else files say: every refusal and every rarely taken reading of the layouts."""

from __future__ import annotations

import gzip
import struct
from collections import OrderedDict

import numpy as np
import pytest
from scipy.io import savemat

import polyrank as pr
from polyrank.errors import FormatError, NetworkError, UnsupportedError
from tests.network.formats_foreign.test_layouts import (
    ACTIVATION,
    AUTO,
    THREE,
    A,
    B,
    mat,
    metadata,
    named,
    npz,
    pt,
    same_function,
    tensors,
)
from tests.network.formats_foreign.test_matlab import HEAD, element
from tests.network.formats_foreign.torch_files import (
    Called,
    Tensor,
    linear,
    module,
    sequential,
    zip_file,
)


@pytest.mark.parametrize("write", [pt, npz, metadata, mat])
@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"activations": ["relu", "relu", "abs"], "output_activation": "relu"}, "layer twice"),
        ({"activation": "relu", "output_activation": ["relu", "abs"]}, "names 2 activations"),
    ],
)
def test_contradictions(tmp_path, write, said, message):
    with pytest.raises(NetworkError, match=message):
        pr.load(write(tmp_path / "net", named("0 2 4", THREE), said))


def test_an_output_that_is_named_twice_alike(tmp_path):
    said = {"activations": ["relu", "relu", "abs"], "output_activation": "abs"}
    path = pt(tmp_path / "net", named("0 2 4", THREE), said)
    same_function(pr.load(path), THREE, "relu relu abs")
    path = pt(tmp_path / "net", named("0 2 4", THREE), {"output_activation": "abs"})
    same_function(pr.load(path), THREE, "relu relu abs")
    same_function(pr.load(path, activation="linear"), THREE, "linear linear abs")


def test_two_slopes(tmp_path):
    said = {"negative_slope": 0.5, "leaky_slope": 0.25}
    with pytest.raises(FormatError, match="states two slopes"):
        pr.load(pt(tmp_path / "net", named("0 2 4", THREE), said))


def test_a_stated_activation_where_numbers_leave_no_room(tmp_path):
    """The file says that there is one, so that the numbers are those of a list."""
    path = pt(tmp_path / "net", named("0 1 2", THREE), {"activation": "abs"})
    same_function(pr.load(path), THREE, "abs abs linear")


def test_settings_of_the_optimiser_say_nothing(tmp_path):
    said = {"optimizer_activation": "tanh", "config": {"scheduler": {"activation": "tanh"}}}
    said |= {"config2": {("a", 1): "tanh", 3: "x"}}
    path = pt(tmp_path / "net", named("0 2 4", THREE), said)
    same_function(pr.load(path), THREE, "relu relu linear")


def test_enumerations_name_activations(tmp_path):
    said = {"activation": Called("mynets", "Activation", "abs")}
    same_function(
        pr.load(pt(tmp_path / "net", named("0 2 4", THREE), said)), THREE, "abs abs linear"
    )
    for value in (Called("mynets", "Activation", 3), Called("mynets", "Activation", "tanh")):
        with pytest.raises(NetworkError, match="activation"):
            pr.load(pt(tmp_path / "net", named("0 2 4", THREE), {"activation": value}))


def test_checkpoints_with_nested_networks_and_parameters(tmp_path):
    state = OrderedDict((k, Tensor(v, parameter=True)) for k, v in named("0 2", A).items())
    content = {"networks": {"policy": state, "note": "x"}, "epoch": 1}
    network = pr.load(zip_file(tmp_path / "a.pt", content))
    same_function(network, A, "relu linear")
    assert any("read 'networks.policy'" in note for note in network.source["notes"])


def test_parts_of_a_whole_module(tmp_path):
    relu = module(ACTIVATION, "ReLU")
    inner = [sequential(linear(*one[0]), relu, linear(*one[1])) for one in (A, B)]
    whole = sequential(*inner)
    path = zip_file(tmp_path / "a.pt", whole)
    same_function(pr.load(path), [*A, *B], "relu linear relu linear")
    same_function(pr.load(path, part="1"), B, "relu linear")
    with pytest.raises(UnsupportedError, match="no part 'x'; it has 0, 1"):
        pr.load(path, part="x")
    parallel = module("torch.nn.parallel.data_parallel", "DataParallel", _modules={"module": whole})
    same_function(pr.load(zip_file(tmp_path / "b.pt", parallel), part="0"), A, "relu linear")
    broken = module("torch.nn.parallel.data_parallel", "DataParallel", _modules={"module": 3})
    with pytest.raises(UnsupportedError, match="DataParallel, whose Python code"):
        pr.load(zip_file(tmp_path / "c.pt", broken))


NORM = {"weight": np.ones(4), "bias": np.zeros(4), "running_mean": np.zeros(4),
        "running_var": np.full(4, 1.0 - 1e-5), "num_batches_tracked": np.array(3)}  # fmt: skip


def normed(number: int, stem: str = "net") -> dict[str, np.ndarray]:
    return {f"{stem}.{number}.{key}": value for key, value in NORM.items()}


def test_stated_activations_beside_batch_normalisation(tmp_path):
    arrays = {**named("net.0 net.3 net.5", THREE), **normed(1)}
    same_function(pr.load(pt(tmp_path / "a", arrays, {})), THREE, "relu relu linear")
    said = {"activations": ["abs", "relu", "relu"]}
    same_function(pr.load(pt(tmp_path / "a", arrays, said)), THREE, "abs relu relu")
    with pytest.raises(UnsupportedError, match="'tanh' is not piecewise linear"):
        pr.load(pt(tmp_path / "a", arrays, {"activation": "tanh"}))
    network = pr.load(pt(tmp_path / "a", {**named("net.0 net.3 net.4", THREE), **normed(1)}, {}))
    same_function(network, THREE, "relu linear linear")
    assert any("modules 3 and 4 follow each other" in note for note in network.source["notes"])
    behind = {**named("net.0 net.2 net.4", AUTO[:3]), **normed(5)}
    with pytest.raises(UnsupportedError, match="not clear which comes first"):
        pr.load(pt(tmp_path / "a", behind, {"output_activation": "relu"}))


def test_several_networks_with_batch_normalisation(tmp_path):
    arrays = {**named("actor.0 actor.3", THREE[:2]), **normed(1, "actor")}
    arrays |= {**named("critic.0 critic.3", THREE[:2]), **normed(1, "critic")}
    path = pt(tmp_path / "a", arrays, {})
    with pytest.raises(FormatError, match="several sets of weights, actor, critic"):
        pr.load(path)
    same_function(pr.load(path, part="critic"), THREE[:2], "relu linear")


def test_stated_activations_beside_a_prelu(tmp_path):
    arrays = {**named("0 2", A), "1.weight": np.array([0.25])}
    same_function(pr.load(pt(tmp_path / "a", arrays, {})), A, "leaky linear")
    same_function(pr.load(pt(tmp_path / "a", arrays, {"activation": "prelu"})), A, "leaky linear")
    with pytest.raises(UnsupportedError, match="but module 1 is a PReLU"):
        pr.load(pt(tmp_path / "a", arrays, {"activation": "relu"}))


def test_stages_with_a_layer_between(tmp_path):
    """What does not fit is said when the layers are chained."""
    arrays = named("encoder.0 encoder.2 bottleneck decoder.0 decoder.2", [*AUTO[:2], *AUTO[1:]])
    with pytest.raises(NetworkError, match="shapes do not chain: encoder.2"):
        pr.load(zip_file(tmp_path / "a.pt", tensors(arrays)))


def test_parts_of_cells(tmp_path):
    path = mat(tmp_path / "net", named("0 2 4", THREE), {})
    with pytest.raises(UnsupportedError, match="no part 'actor': its cells are one network"):
        pr.load(path, part="actor")
    with pytest.raises(UnsupportedError, match="no part 'x'"):
        pr.load(npz(tmp_path / "net", named("0 2 4", THREE), {}), part="x")


def test_a_struct_beside_matrices_is_left_alone(tmp_path):
    (W, b), *_ = A
    savemat(tmp_path / "a.mat", {"W1": W, "b1": b, "log": {"loss": np.arange(5.0)}})
    assert pr.load(tmp_path / "a.mat").widths == (3, 3)


def variable(flags: int, *parts: bytes) -> bytes:
    head = element(6, struct.pack("<II", flags, 0)) + element(5, struct.pack("<ii", 1, 4))
    return HEAD + element(14, head + element(1, b"act") + b"".join(parts))


@pytest.mark.parametrize(
    ("kind", "raw", "text"),
    [
        (16, b"relu", "relu"), (1, b"relu", "relu"), (4, "relu".encode("utf-16-le"), "relu"),
        (17, "relu".encode("utf-16-le"), "relu"), (18, "relu".encode("utf-32-le"), "relu"),
    ],
)  # fmt: skip
def test_strings_of_every_encoding(tmp_path, kind, raw, text):
    from polyrank.network.formats.matlab_reader import read_mat

    path = tmp_path / "a.mat"
    path.write_bytes(variable(4, element(kind, raw)))
    assert read_mat(path) == {"act": text}


@pytest.mark.parametrize(
    ("flags", "parts", "message"),
    [
        (4, (element(9, b"relurelu"),), "stored as type 9"),
        (2, (element(5, struct.pack("<i", 0)), element(1, b"abc")), "fields are damaged"),
        (2, (element(5, struct.pack("<i", 2)), element(1, b"abc")), "fields are damaged"),
        (2, (element(5, struct.pack("<i", 2)), element(1, b"a\0b\0")), "fewer entries"),
    ],
)
def test_damaged_strings_and_structs(tmp_path, flags, parts, message):
    path = tmp_path / "a.mat"
    path.write_bytes(variable(flags, *parts))
    with pytest.raises(FormatError, match=message):
        pr.load(path)


def test_a_text_that_is_not_sherlocks(tmp_path):
    for text in ("2\n1\n5\n3\n", "2\n1\n2\n3\nx\n", "0\n1\n1\n3\n"):
        path = tmp_path / "net.txt"
        path.write_text(text)
        with pytest.raises(FormatError) as caught:
            pr.load(path)
        assert "Sherlock" not in str(caught.value)
    path.write_bytes(gzip.compress(b"x"))
    with pytest.raises(FormatError, match="compressed with gzip"):
        pr.load(path)


def test_dates_in_npz_say_nothing(tmp_path):
    path = npz(tmp_path / "net", named("0 2 4", THREE), {"day": np.datetime64("2026-01-01")})
    network = pr.load(path)
    same_function(network, THREE, "relu relu linear")
    assert "the array day is not numeric and was left out" in network.source["notes"]
