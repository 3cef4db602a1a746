"""Files that were once read as another function, or refused without need; the true values beside.

The files are in ``data/cases``; their functions were found with onnxruntime, and with the public
tools that wrote them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.forward import forward

CASES = Path(__file__).parent / "data" / "cases"
TORCH = CASES.parent / "torch"
COMPUTED = json.loads((TORCH / "outputs.json").read_text())
POINTS = np.random.default_rng(3).integers(-12, 13, (60, 2)) / 4
GIVEN = np.array([[-3, -3], [-1, 2], [0.5, 0.25], [2, -1.5], [3, 3]])
# what torch 2.13 computes in float64 at GIVEN, before and after one step of training
BEFORE = [-1.247473316917, -0.521598341236, -0.563980402445, -0.58250253053, -0.382285267572]
AFTER = [-1.252516554624, -0.522875672428, -0.56529544064, -0.583855275728, -0.383285254698]


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("ckpt_acc_tensor.pth", BEFORE),
        ("ckpt_imagenet.pth", BEFORE),
        ("tuple_key.pt", BEFORE),
        ("torch_sequential_now.pt", BEFORE),
        ("ckpt_torchdocs.pth", AFTER),
        ("ckpt_dp.pth", AFTER),
        ("ckpt_list.pth", AFTER),
    ],
)
def test_checkpoints_hold_one_small_relu_network(name, outputs):
    """All were written from Linear(2, 3), ReLU, Linear(3, 1), by different scripts."""
    network = pr.load(CASES / name)
    assert (network.widths, network.bits) == ((2, 3, 1), (3, 0))
    np.testing.assert_allclose(forward(network, GIVEN).ravel(), outputs, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("name", "parts"),
    [("actor_critic.pt", ("actor", "critic")), ("chain_hint.pt", ("q_net", "q_net_target"))],
)
def test_two_networks_in_one_state_dict(name, parts):
    with pytest.raises(FormatError, match=f"several sets of weights, {parts[0]}, {parts[1]}") as e:
        pr.load(CASES / name)
    assert "transpose" not in str(e.value)
    for part in parts:
        network = pr.load(CASES / name, part=part)
        assert len(network.layers) == 2
        assert [layer.name for layer in network.layers] == [f"{part}.0", f"{part}.2"]


def test_the_autoencoder_has_8_hyperplanes():
    network = pr.load(CASES / "sd_autoencoder.pt")
    assert network.widths == (6, 4, 2, 4, 6)
    assert network.bits == (4, 0, 4, 0)
    assert any("no activation on the code" in note for note in network.source["notes"])
    assert pr.load(CASES / "sd_autoencoder.pt", activation="relu,relu,relu").bits == (4, 2, 4, 0)
    assert pr.load(CASES / "sd_autoencoder.pt", part="encoder").bits == (4, 0)


@pytest.mark.parametrize(
    ("name", "said"), [("mat_tansig.mat", "tansig"), ("npz_act_string.npz", "tanh")]
)
def test_activations_that_the_file_names_are_refused(name, said):
    with pytest.raises(UnsupportedError, match=f"'{said}' is not piecewise linear"):
        pr.load(CASES / name)


def test_a_relu_on_the_output_is_kept():
    network = pr.load(CASES / "mat_relu_out.mat")
    assert network.bits == (3, 1)
    # 4 hyperplanes, by the matrices of the file
    W0, b0 = np.array([[2.0, 1], [0, -2], [-1, -3]]), np.array([1.0, 0, -1])
    hidden = np.maximum(POINTS @ W0.T + b0, 0)
    out = np.maximum(hidden @ np.array([[-3.0, -3, -2]]).T + 0.5, 0)
    np.testing.assert_array_equal(forward(network, POINTS), out)


@pytest.mark.parametrize("name", sorted(COMPUTED["outputs"]))
def test_files_of_torch_2_13_are_the_functions_that_torch_computes(name):
    """Checkpoints of scripts and of Lightning, whole modules, ModuleLists, compiled modules."""
    file, _, part = name.partition("|")
    network = pr.load(TORCH / f"{file}.pt", part=part or None)
    found = forward(network, np.array(COMPUTED["points"]))
    np.testing.assert_allclose(found, COMPUTED["outputs"][name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lightning_gelu.pt", "hyper_parameters.act: GELU"),
        ("full_tanh.pt", "args.activation: tanh"),
        ("ac.pt", "several sets of weights, actor, critic"),
    ],
)
def test_files_of_torch_2_13_that_are_refused(name, message):
    with pytest.raises((UnsupportedError, FormatError), match=message):
        pr.load(TORCH / name)
