"""Layers of one module that are several networks: twins, heads and copies, though all sizes fit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from safetensors.numpy import save_file

import polyrank as pr
from polyrank.errors import FormatError
from polyrank.network.formats.siblings import repetition
from tests.network.formats_foreign.test_layouts import matrices, named, same_function, tensors
from tests.network.formats_foreign.torch_files import zip_file

A, B = matrices(4, 8, 4, seed=1), matrices(4, 8, 4, seed=2)
A3, B3 = matrices(4, 8, 8, 4, seed=1), matrices(4, 8, 8, 4, seed=2)
SQUARE = matrices(4, 4, 4, 4, 4, seed=3)


def written(path, arrays):
    """The arrays as a state dict, an npz file or safetensors, by the ending of the name."""
    if path.suffix == ".pt":
        return zip_file(path, tensors(arrays))
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    return path


@pytest.mark.parametrize("form", ["pt", "npz", "safetensors"])
@pytest.mark.parametrize(
    ("names", "prefix"),
    [
        ("l1 l2 l3 l4 l5 l6", ""),  # TD3 as published
        ("l1 l2 l3 l4 l5 l6", "critic."),
        ("linear1 linear2 linear3 linear4 linear5 linear6", ""),  # soft actor-critic
        ("fc1 fc2 fc3 fc4 fc5 fc6", "module.critic."),
    ],
)
@pytest.mark.parametrize("outputs", [4, 1])
def test_a_twin_critic_is_not_chained_where_it_could_be(tmp_path, names, prefix, outputs, form):
    """As many outputs as inputs: l3 fits l4, and only the sizes, twice the same, tell."""
    first, second = (matrices(outputs, 8, 8, outputs, seed=seed) for seed in (1, 2))
    own = [prefix + name for name in names.split()]
    path = written(tmp_path / f"net.{form}", named(" ".join(own), [*first, *second]))
    blocks = [",".join(names.split()[:3]), ",".join(names.split()[3:])]
    with pytest.raises(FormatError, match="several networks, as in a twin critic") as caught:
        pr.load(path)
    assert f"--part {blocks[0]}, or" in str(caught.value)
    for block, layers in zip(blocks, (first, second), strict=True):
        same_function(pr.load(path, part=block), layers, "relu relu linear")
    whole = pr.load(path, part=",".join(blocks))
    same_function(whole, [*first, *second], "relu relu relu relu relu linear")


TWINS = [
    ("fc1_a fc2_a", "fc1_b fc2_b", "fc_a", "fc_b"),
    ("fc1 fc2", "fc1_target fc2_target", "fc", "fc_target"),
    ("l1 l2", "l1t l2t", "l", "lt"),
    ("qf0.0 qf0.2", "qf1.0 qf1.2", "qf0", "qf1"),  # Stable-Baselines3
    ("critic.qf0.0 critic.qf0.2", "critic.qf1.0 critic.qf1.2", "critic.qf0", "qf1"),
    ("Q1.0 Q1.2", "Q2.0 Q2.2", "Q1", "Q2"),
    ("q1l1 q1l2", "q2l1 q2l2", "q1", "q2"),
    ("nets.0.0 nets.0.2", "nets.1.0 nets.1.2", "nets.0", "nets.1"),
    ("members.0.fc1 members.0.fc2", "members.1.fc1 members.1.fc2", "members.0", "members.1"),
]


@pytest.mark.parametrize("form", ["pt", "npz", "safetensors"])
@pytest.mark.parametrize(("first", "second", "part", "other"), TWINS)
def test_twins_are_refused_and_can_be_chosen(tmp_path, first, second, part, other, form):
    path = written(tmp_path / f"net.{form}", {**named(first, A), **named(second, B)})
    with pytest.raises(FormatError, match="several sets of weights"):
        pr.load(path)
    same_function(pr.load(path, part=part), A, "relu linear")
    same_function(pr.load(path, part=other), B, "relu linear")


@pytest.mark.parametrize("form", ["pt", "npz", "safetensors"])
@pytest.mark.parametrize(
    ("names", "parts"),
    [
        ("fc1 fc2 V A", "fc, V, A"),  # dueling networks
        ("fc1 fc2 val adv", "fc, val, adv"),
        ("fc_h_v fc_h_a fc_z_v fc_z_a", "v, a"),
        ("fc1 fc2 fc_value fc_advantage", "fc, fc_value, fc_advantage"),
        ("fc1 fc2 value_stream advantage_stream", "fc, value_stream, advantage_stream"),
        ("linear1 linear2 mean_linear log_std_linear", "linear, mean_linear, log_std_linear"),
        ("fc1 fc2 fc_pi fc_v", "fc, fc_pi, fc_v"),
        ("fc1 fc2 out1 out2", "fc, out1, out2"),
        ("fc1 fc2 output_a output_b", "fc, output_a, output_b"),
        ("fc1 fc2 fc_x fc_y", "fc, fc_x, fc_y"),
        ("fc1 fc2 tower1 tower2", "fc, tower1, tower2"),
        ("stem1 stem2 branch_1 branch_2", "stem, branch_1, branch_2"),
        ("fc1 fc2 expert1 expert2", "fc, expert1, expert2"),
        ("fc1 fc21 fc22 fc3", "fc, fc21, fc22"),  # the variational autoencoder of torch's examples
    ],
)
def test_heads_are_not_chained(tmp_path, names, parts, form):
    path = written(tmp_path / f"net.{form}", named(names, SQUARE))
    with pytest.raises(FormatError, match="several sets of weights") as caught:
        pr.load(path)
    for part in parts.split(", "):
        assert part in str(caught.value)
    trunk = named(names, SQUARE)
    first, head = names.split()[0], names.split()[2]
    layers = [(trunk[f"{name}.weight"], trunk[f"{name}.bias"]) for name in (first, head)]
    same_function(pr.load(path, part=f"{first},{head}"), layers, "relu linear")


@pytest.mark.parametrize("form", ["pt", "npz", "safetensors"])
@pytest.mark.parametrize(
    "names", ["heads.0 heads.1", "net.experts.0 net.experts.1", "critics.0 critics.1"]
)
def test_lists_of_heads_are_no_chain(tmp_path, names, form):
    """Elements of a list that is called heads lie side by side, also where it stands alone."""
    path = written(tmp_path / f"net.{form}", named(names, SQUARE[:2]))
    first = names.split()[0]
    with pytest.raises(FormatError, match=f"several sets of weights, {first}"):
        pr.load(path)
    same_function(pr.load(path, part=first), SQUARE[:1], "linear")
    trunk = written(tmp_path / f"trunk.{form}", named(f"trunk.0 {names}", SQUARE[:3]))
    with pytest.raises(FormatError, match="several sets of weights"):
        pr.load(trunk)


def test_experts_and_their_router(tmp_path):
    path = written(tmp_path / "net.npz", named("experts.0 experts.1 router", SQUARE[:3]))
    with pytest.raises(FormatError, match="several sets of weights, experts.0, experts.1, router"):
        pr.load(path)


@pytest.mark.parametrize(
    ("names", "widths"),
    [
        ("fc1 fc2 fc3 fc4", (4, 8, 8, 8, 2)),
        ("fc1 fc2 fc3 fc4", (4, 4, 4, 4, 4)),  # equal widths say nothing
        ("fc1 fc2 fc3 fc4", (4, 8, 2, 8, 4)),
        ("0 2 4 6", (4, 8, 4, 8, 4)),  # a Sequential is a chain
        ("net.0 net.2 net.4 net.6", (4, 8, 4, 8, 4)),
        ("encoder.0 encoder.2 decoder.0 decoder.2", (4, 8, 2, 8, 4)),
        ("enc1 enc2 dec1 dec2", (4, 8, 4, 8, 4)),
        ("fc1_in fc1_out fc2_in fc2_out", (4, 8, 4, 8, 2)),
        ("input hidden1 hidden2 output", (4, 8, 8, 8, 4)),
        ("fc9 fc10 fc11 fc12", (4, 8, 8, 8, 4)),
        ("fc1 fc2 fc3 out", (4, 4, 4, 4, 4)),
        ("a b c d", (4, 8, 8, 8, 4)),
    ],
)
@pytest.mark.parametrize("form", ["pt", "npz"])
def test_one_network_stays_one(tmp_path, names, widths, form):
    layers = matrices(*widths, seed=4)
    path = written(tmp_path / f"net.{form}", named(names, layers))
    linear = " ".join(["linear"] * len(layers))
    same_function(pr.load(path, activation="linear"), layers, linear)


def test_a_list_of_arrays_is_a_chain(tmp_path):
    """``arr_0, arr_1, …`` are in the order of the chain, also where sizes repeat themselves."""
    path = tmp_path / "net.npz"
    np.savez(path, *[array for pair in [*A, *B] for array in pair])
    same_function(pr.load(path), [*A, *B], "relu relu relu linear")


@pytest.mark.parametrize(
    ("widths", "length"),
    [
        ((4, 8, 4, 8, 4), 2),
        ((4, 8, 8, 4, 8, 8, 4), 3),
        ((4, 8, 4, 8, 4, 8, 4), 2),
        ((4, 8, 6, 4, 8, 6, 4, 8, 6, 4), 3),
        ((1, 2, 1), None),
        ((4, 4, 4, 4, 4), None),
        ((4, 8, 4, 8, 4, 8), None),
        ((4, 8, 4, 8, 5), None),
        ((4,), None),
    ],
)
def test_the_block_that_repeats(widths, length):
    assert repetition(list(pairwise(widths))) == length
