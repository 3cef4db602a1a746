"""How people store networks: what a file says is believed, several networks are never chained.

Every layout is written here with numpy and the stand-ins of ``torch_files``; the expected function
is evaluated from the same matrices by a few lines of numpy, in the order and with the activations
that the layout means.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from scipy.io import savemat

import polyrank as pr
from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.module_names import _BRANCHES, _staged
from polyrank.network.forward import forward
from tests.network.formats_foreign.torch_files import (
    Instance,
    Tensor,
    linear,
    module,
    sequential,
    zip_file,
)

ACTIVATION = "torch.nn.modules.activation"
FUNCTIONS = {
    "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z,
    "abs": np.abs,
    "leaky": lambda z: np.where(z > 0, z, 0.25 * z),
    "hardtanh": lambda z: np.clip(z, -1, 1),
}


def matrices(*widths: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Small integers, so that floats are exact: one (weight, bias) for each layer."""
    rng = np.random.default_rng([seed, *widths])
    return [
        (rng.integers(-4, 5, (n, m)).astype(float), rng.integers(-4, 5, n).astype(float))
        for m, n in pairwise(widths)
    ]


def named(names: str, layers, weight="weight", bias="bias") -> dict[str, np.ndarray]:
    """``"0 2"`` and two layers: ``0.weight, 0.bias, 2.weight, 2.bias``."""
    found = {}
    for name, (W, b) in zip(names.split(), layers, strict=True):
        found[f"{name}.{weight}"] = W
        found[f"{name}.{bias}"] = b
    return found


def tensors(arrays) -> OrderedDict:
    return OrderedDict((k, Tensor(v)) for k, v in arrays.items())


def same_function(network, layers, activations: str) -> None:
    names = activations.split()
    assert network.widths[0] == layers[0][0].shape[1]
    X = np.random.default_rng(5).integers(-9, 10, (40, layers[0][0].shape[1])) / 4
    h = X
    for (W, b), name in zip(layers, names, strict=True):
        h = FUNCTIONS[name](h @ W.T + b)
    np.testing.assert_array_equal(forward(network, X), h)


THREE = matrices(3, 4, 4, 2)
AUTO = matrices(6, 4, 2, 4, 6)
CODE = matrices(3, 3, 3, 3, 3, seed=8)

# names of the layers, layers, activations: state dicts (and safetensors) of one network
ONE = [
    ("0 2 4", THREE, "relu relu linear"),
    ("0 1 3", THREE, "linear relu linear"),
    ("0 2 3", THREE, "relu linear linear"),
    ("0 1 2", THREE, "linear linear linear"),
    ("1 3 5", THREE, "relu relu linear"),
    ("0 3 6", THREE, "relu relu linear"),
    ("net.0 net.2 net.4", THREE, "relu relu linear"),
    ("net.0 net.1 net.3", THREE, "linear relu linear"),
    ("net.0 net.1 net.2", THREE, "linear linear linear"),
    ("layers.0 layers.1 layers.2", THREE, "relu relu linear"),
    ("layers.0 layers.2 layers.3", THREE, "relu linear linear"),
    ("fcs.0 fcs.1 out", THREE, "relu relu linear"),
    ("module.layers.0 module.layers.1 module.layers.2", THREE, "relu relu linear"),
    ("module.0 module.2 module.4", THREE, "relu relu linear"),
    ("_orig_mod.model.0 _orig_mod.model.2 _orig_mod.model.4", THREE, "relu relu linear"),
    ("fc1 fc2 fc3", THREE, "relu relu linear"),
    ("fc1 fc2 out", THREE, "relu relu linear"),
    ("input_layer hidden.0 output_layer", THREE, "relu relu linear"),
    ("layers.0.linear layers.1.linear layers.2.linear", THREE, "relu relu linear"),
    ("0.0 1.0 2", THREE, "relu relu linear"),
    ("0.0 0.2 1", THREE, "relu relu linear"),
    ("0 1.1 2.1", THREE, "relu relu linear"),
    ("0 1.0 1.1", THREE, "linear linear linear"),
    ("features.0 features.2 classifier", THREE, "relu relu linear"),
    ("backbone.0 backbone.2 head.0", THREE, "relu relu linear"),
    ("encoder.0 encoder.2 decoder.0 decoder.2", AUTO, "relu linear relu linear"),
    ("encoder.0 encoder.2 decoder.0 decoder.2", CODE, "relu linear relu linear"),
    ("encoder.0 encoder.2 decoder.1 decoder.3", AUTO, "relu relu relu linear"),
    ("model.encoder.0 model.encoder.2 model.decoder.0 model.decoder.2", AUTO,
     "relu linear relu linear"),
    ("encoder.fc1 encoder.fc2 decoder.fc1 decoder.fc2", AUTO, "relu linear relu linear"),
    ("enc1 enc2 dec1 dec2", AUTO, "relu linear relu linear"),
    ("encoder decoder", matrices(5, 2, 5), "linear linear"),
    ("encoder.0 encoder.2 bottleneck decoder.0", AUTO, "relu relu linear linear"),
]  # fmt: skip


@pytest.mark.parametrize(("names", "layers", "activations"), ONE)
@pytest.mark.parametrize("form", ["pt", "npz", "safetensors"])
def test_one_network(tmp_path, names, layers, activations, form):
    arrays = named(names, layers)
    path = tmp_path / f"net.{form}"
    if form == "pt":
        zip_file(path, tensors(arrays))
    elif form == "npz":
        np.savez(path, **arrays)
    elif names == "fcs.0 fcs.1 out" or len({W.shape for W, _ in layers}) > 1:
        save_file(arrays, path)
    else:
        pytest.skip("without an order of the tensors the names must tell it")
    network = pr.load(path)
    same_function(network, layers, activations)
    notes = " ".join(network.source["notes"])
    assert "relu between the layers (the default)" in notes or "none between" in notes


@pytest.mark.parametrize("given", ["relu relu relu", "relu linear relu", "abs linear leaky"])
def test_every_joint_can_be_set(tmp_path, given):
    for names in ("encoder.0 encoder.2 decoder.0 decoder.2", "0 1 2 3", "net.0 net.2 net.3 net.5"):
        path = zip_file(tmp_path / "a.pt", tensors(named(names, AUTO)))
        option = ",".join("leaky_relu" if name == "leaky" else name for name in given.split())
        slope = 0.25 if "leaky" in given else None
        same_function(pr.load(path, activation=option, slope=slope), AUTO, f"{given} linear")


def test_one_name_goes_where_there_is_room(tmp_path):
    path = zip_file(tmp_path / "a.pt", tensors(named("0 1 3", THREE)))
    same_function(pr.load(path, activation="abs"), THREE, "linear abs linear")
    path = zip_file(tmp_path / "b.pt", tensors(named("0 1 2", THREE)))
    same_function(pr.load(path, activation="abs"), THREE, "abs abs linear")
    path = zip_file(tmp_path / "c.pt", tensors(named("layers.0 layers.1 layers.2", THREE)))
    network = pr.load(path)
    assert any("numbered without gaps" in note for note in network.source["notes"])
    same_function(pr.load(path, activation="linear"), THREE, "linear linear linear")


A, B, C = matrices(3, 3, 3, seed=1), matrices(3, 3, 3, seed=2), matrices(3, 3, 3, seed=3)

# names of the layers of A and of B, the part that is A (and B): sizes always fit
SEVERAL = [
    ("actor.0 actor.2", "critic.0 critic.2", "actor", "critic"),
    ("actor.fc1 actor.fc2", "critic.fc1 critic.fc2", "actor", "critic"),
    ("actor_fc1 actor_fc2", "critic_fc1 critic_fc2", "actor", "critic"),
    ("fc1_actor fc2_actor", "fc1_critic fc2_critic", "actor", "critic"),
    ("actorFc1 actorFc2", "criticFc1 criticFc2", "actor", "critic"),
    ("actor1 actor2", "critic1 critic2", "actor", "critic"),
    ("q_net.0 q_net.2", "q_net_target.0 q_net_target.2", "q_net", "q_net_target"),
    ("qf1.0 qf1.2", "qf2.0 qf2.2", "qf1", "qf2"),
    ("q1_fc1 q1_fc2", "q2_fc1 q2_fc2", "q1", "q2"),
    ("pi.0 pi.2", "vf.0 vf.2", "pi", "vf"),
    ("pi1 pi2", "v1 v2", "pi", "v"),
    ("policy_net.0 policy_net.2", "value_net.0 value_net.2", "policy_net", "value_net"),
    ("mlp_extractor.policy_net.0 action_net", "mlp_extractor.value_net.0 value_net",
     "mlp_extractor.policy_net,action_net", "mlp_extractor.value_net,value_net"),
    ("online.0 online.2", "target.0 target.2", "online", "target"),
    ("student.0 student.2", "teacher.0 teacher.2", "student", "teacher"),
    ("generator.0 generator.2", "discriminator.0 discriminator.2", "generator", "discriminator"),
    ("0.0 0.2", "1.0 1.2", "0", "1"),
    ("models.0.0 models.0.2", "models.1.0 models.1.2", "models.0", "1"),
    ("net1.0 net1.2", "net2.0 net2.2", "net1", "net2"),
    ("a1 a2", "b1 b2", "a", "b"),
    ("module.actor.0 module.actor.2", "module.critic.0 module.critic.2", "actor", "module.critic"),
    ("encoder.0 encoder.2", "encoder_target.0 encoder_target.2", "encoder", "encoder_target"),
    ("model.0 model.2", "ema_model.0 ema_model.2", "model", "ema_model"),
    ("blocks.0.fc1 blocks.0.fc2", "blocks.1.fc1 blocks.1.fc2", "blocks.0", "blocks.1"),
    ("dynamics.0 dynamics.2", "reward.0 reward.2", "dynamics", "reward"),
    ("controller.0 controller.2", "lyapunov.0 lyapunov.2", "controller", "lyapunov"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second", "part", "other"), SEVERAL)
@pytest.mark.parametrize("form", ["pt", "npz", "safetensors", "interleaved"])
def test_several_networks_are_refused_and_can_be_chosen(tmp_path, first, second, part, other, form):
    arrays = {**named(first, A), **named(second, B)}
    if form == "interleaved":
        keys = [k for pair in zip(first.split(), second.split(), strict=True) for k in pair]
        arrays = {f"{k}.{role}": arrays[f"{k}.{role}"] for k in keys for role in ("weight", "bias")}
    path = tmp_path / f"net.{'pt' if form == 'interleaved' else form}"
    if path.suffix == ".pt":
        zip_file(path, tensors(arrays))
    elif form == "npz":
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    with pytest.raises(FormatError, match="several sets of weights") as caught:
        pr.load(path)
    for name in (part, other):
        assert name.split(",")[0].rpartition(".")[2] in str(caught.value)
    for name, layers in ((part, A), (other, B)):
        network = pr.load(path, part=name)
        same_function(network, layers, "relu linear")
        assert any(f"read the part {name} as asked" in n for n in network.source["notes"])


@pytest.mark.parametrize(
    ("arrays", "names"),
    [
        (named("shared.0 shared.2 actor critic", [*A, *B]), "shared, actor, critic"),
        (named("trunk.0 trunk.2 policy_head value_head", [*A, *B]), "policy_head, value_head"),
        (named("trunk.0 trunk.2 head1 head2", [*A, *B]), "head1, head2"),
        (named("shared.0 head_a.0 head_b.0", [*A, B[0]]), "head_a.*, head_b"),
        (named("trunk.0 trunk.2 head_x head_y", [*A, *B]), "head_x, head_y"),
        (named("critic_a critic_b", A), "critic_?a, critic_?b"),
        (named("encoder.0 encoder.2 fc_mu fc_logvar decoder.0 decoder.2", [*A, *B, *C]),
         "fc_mu, fc_logvar"),
        (named("feature advantage value", [*A, B[0]]), "advantage, value"),
        (named("q_proj k_proj v_proj", [*A, B[0]]), "q_proj, k_proj, v_proj"),
        (named("net net.actor.0 net.actor.2 net.critic.0 net.critic.2", [C[0], *A, *B]),
         "net.actor, net.critic"),
        (named("encoder.0 encoder.2 decoder.0 decoder.2", [*matrices(3, 4, 2), *A]),
         "encoder, decoder"),
    ],
)  # fmt: skip
def test_heads_and_branches_are_not_chained(tmp_path, arrays, names):
    with pytest.raises(FormatError, match=f"several sets of weights, .*{names}"):
        pr.load(zip_file(tmp_path / "a.pt", tensors(arrays)))


def test_layers_that_are_described_one_by_one_in_a_checkpoint(tmp_path):
    layers = [{"type": "Linear"}, {"type": "Tanh"}, {"type": "Linear"}]
    content = {"state_dict": tensors(named("0 2", A)), "model_config": {"layers": layers}}
    path = zip_file(tmp_path / "a.pt", content)
    with pytest.raises(UnsupportedError, match=r"Tanh under model_config.layers.1.type, which may"):
        pr.load(path)
    same_function(pr.load(path, activation="relu"), A, "relu linear")


def test_parts_can_be_joined(tmp_path):
    path = zip_file(
        tmp_path / "a.pt", tensors(named("trunk.0 trunk.2 actor critic log_std", [*A, *B, C[0]]))
    )
    network = pr.load(path, part="trunk,critic")
    same_function(network, [*A, B[1]], "relu relu linear")
    assert any("not read: actor, log_std" in note for note in network.source["notes"])


def test_what_belongs_to_other_parts_is_not_looked_at(tmp_path):
    arrays = {
        "log_std": np.zeros(2),
        **named("mlp_extractor.policy_net.0", A[:1]),
        **named("features.conv", [(np.zeros((2, 1, 3, 3)), np.zeros(2))]),
        "features.bn.running_mean": np.zeros(2),
        **named("action_net", A[1:]),
    }
    path = zip_file(tmp_path / "a.pt", tensors(arrays))
    with pytest.raises(UnsupportedError):
        pr.load(path)
    same_function(pr.load(path, part="mlp_extractor.policy_net,action_net"), A, "relu linear")


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        (named("fc1 fc2 skip", [*A, B[0]]), FormatError, "'skip' is by its name a branch.*fc1,fc2"),
        (named("blocks.0.fc blocks.0.shortcut blocks.1.fc", [*A, B[0]]), FormatError, "a branch"),
        ({"weight_ih": A[0][0], "weight_hh": A[1][0]}, FormatError, "a branch"),
        ({"rnn.weight_ih_l0": A[0][0], "rnn.weight_hh_l0": A[1][0]}, FormatError, "a branch"),
        ({"embedding.weight": A[0][0], **named("fc", A[1:])}, UnsupportedError, "a table"),
        ({**named("fc1 fc2", A), "log_std": A[0][1]}, UnsupportedError, "neither a weight nor"),
        ({**named("actor.0 actor.2", A), **named("critic.0 critic.2", B), "log_std": A[0][1]},
         FormatError, "several sets of weights, actor, critic"),
        ({**named("actor.0 actor.2", A), **named("critic.0 critic.2", B),
          "critic.norm.weight": A[0][1]}, FormatError, "several sets of weights, actor, critic"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["pt", "npz"])
def test_layers_that_are_not_links_of_a_chain(tmp_path, arrays, error, message, form):
    path = tmp_path / f"a.{form}"
    if form == "pt":
        zip_file(path, tensors(arrays))
    else:
        np.savez(path, **arrays)
    with pytest.raises(error, match=message):
        pr.load(path)


@pytest.mark.parametrize(
    ("weight", "bias", "turned"),
    [
        ("params/Dense_{}/kernel", "params/Dense_{}/bias", True),
        ("Dense_{}.kernel", "Dense_{}.bias", True),
        ("dense_{}/kernel:0", "dense_{}/bias:0", True),
        ("model/fc{}/w:0", "model/fc{}/b:0", True),
        ("fully_connected_{}/weights:0", "fully_connected_{}/biases:0", True),
        ("mlp/~/linear_{}/w", "mlp/~/linear_{}/b", True),
        ("layer{}/W", "layer{}/b", False),
        ("weight_{}", "bias_{}", False),
        ("weights_{}", "biases_{}", False),
        ("weights{}", "biases{}", False),
        ("net_W{}", "net_b{}", False),
        ("layers.{}.weight", "layers.{}.bias", False),
        ("arr_{}w", "arr_{}b", False),
    ],
)
@pytest.mark.parametrize("square", [True, False])
def test_names_of_other_libraries(tmp_path, weight, bias, turned, square):
    """Square matrices chain both ways: only the names say which way they are stored."""
    network = matrices(3, 3, 3, 3) if square else THREE
    arrays = {}
    for k, (W, b) in enumerate(network):
        arrays[weight.format(k)] = W.T if turned else W
        arrays[bias.format(k)] = b
    np.savez(tmp_path / "a.npz", **arrays)
    same_function(pr.load(tmp_path / "a.npz"), network, "relu relu linear")


@pytest.mark.parametrize(
    ("first", "second", "parts"),
    [
        ("actor_{}{}", "critic_{}{}", ("actor", "critic")),
        ("actor/{}{}", "critic/{}{}", ("actor", "critic")),
        ("{}{}", "target_{}{}", ("unnamed", "target")),
        ("net1_{}{}", "net2_{}{}", ("net1", "net2")),
        ("model/pi_fc{1}/{0}", "model/vf_fc{1}/{0}", ("pi", "vf")),
        ("params/actor/Dense_{1}/{0}", "params/critic/Dense_{1}/{0}", ("actor", "params.critic")),
    ],
)
def test_several_networks_in_arrays(tmp_path, first, second, parts):
    arrays = {}
    for pattern, network in ((first, A), (second, B)):
        for k, (W, b) in enumerate(network):
            arrays[pattern.format("W", k)] = W
            arrays[pattern.format("b", k)] = b
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(FormatError, match="several sets of weights"):
        pr.load(tmp_path / "a.npz")
    for part, network in zip(parts, (A, B), strict=True):
        same_function(pr.load(tmp_path / "a.npz", part=part), network, "relu linear")


NAMES = st.from_regex(r"[a-z]{2,8}(_[a-z]{2,6})?", fullmatch=True)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=NAMES, second=NAMES, inner=st.sampled_from(["0 2", "fc1 fc2", "lin out"]))
def test_two_modules_of_any_name_are_never_chained_unasked(tmp_path, first, second, inner):
    """Only names that say their order (encoder, decoder) join two modules with several layers."""
    assume(first != second and not _staged([first, second]))
    assume(not {*first.split("_"), *second.split("_")} & _BRANCHES)
    one, two = (" ".join(f"{name}.{k}" for k in inner.split()) for name in (first, second))
    path = zip_file(tmp_path / "a.pt", tensors({**named(one, A), **named(two, B)}))
    with pytest.raises(FormatError, match=f"several sets of weights, {first}, {second},"):
        pr.load(path)
    same_function(pr.load(path, part=second), B, "relu linear")
    alone = zip_file(tmp_path / "b.pt", tensors(named(one, A)))
    assert pr.load(alone).widths == (3, 3, 3)


@pytest.mark.parametrize("name", ["last.ckpt", "pytorch_model.bin", "checkpoint", "best.tar"])
def test_torch_files_of_other_extensions(tmp_path, name):
    content = {"state_dict": tensors(named("net.0 net.2", A)), "epoch": 2}
    same_function(pr.load(zip_file(tmp_path / name, content)), A, "relu linear")


def test_weights_of_scikit_learn(tmp_path):
    """coefs_ of a perceptron are (in, out)."""
    layers = {f"coefs_{k}": W.T for k, (W, _) in enumerate(A)}
    layers |= {f"intercepts_{k}": b for k, (_, b) in enumerate(A)}
    identity = {"activation": np.array("identity")}
    for said, activations in (({}, "relu linear"), (identity, "linear linear")):
        np.savez(tmp_path / "a.npz", **layers, **said)
        same_function(pr.load(tmp_path / "a.npz"), A, activations)
    said = {"activation": np.array("relu"), "out_activation_": np.array("softmax")}
    np.savez(tmp_path / "a.npz", **layers, **said)
    with pytest.raises(UnsupportedError, match="'softmax' is not piecewise linear"):
        pr.load(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("part", "message"),
    [("critics", "no part 'critics'; it has actor, critic"), (",", "needs the name of a part"),
     ("act", "no part 'act'"), ("actor.1", "no part 'actor.1'")],
)  # fmt: skip
def test_parts_that_are_not_there(tmp_path, part, message):
    arrays = {**named("actor.0 actor.2", A), **named("critic.0 critic.2", B)}
    with pytest.raises(UnsupportedError, match=message):
        pr.load(zip_file(tmp_path / "a.pt", tensors(arrays)), part=part)


def test_part_does_not_go_with_one_network(tmp_path):
    path = tmp_path / "a.nnet"
    path.write_text("1,1,1,1,\n1,1,\n0\n0\n1\n0\n1\n1,\n0,\n")
    with pytest.raises(NetworkError, match="--part does not apply to nnet files: they hold one"):
        pr.load(path, part="x")


def test_the_td3_critic_names_its_two_chains(tmp_path):
    """Two Q-networks in one module, l1 to l3 and l4 to l6: only the sizes tell."""
    first, second = matrices(5, 4, 4, 1, seed=4), matrices(5, 4, 4, 1, seed=5)
    path = zip_file(tmp_path / "a.pt", tensors(named("l1 l2 l3 l4 l5 l6", [*first, *second])))
    with pytest.raises(NetworkError, match="--part l1,l2,l3 or --part l4,l5,l6") as caught:
        pr.load(path)
    assert "transpose" not in str(caught.value)
    same_function(pr.load(path, part="l4,l5,l6"), second, "relu relu linear")


# ---- containers of state dicts


def test_checkpoints_of_several_state_dicts(tmp_path):
    actor, critic = tensors(named("0 2", A)), tensors(named("0 2", B))
    contents = [
        {"actor": actor, "critic": critic, "epoch": 3},
        {"networks": {"actor": actor, "critic": critic}},
        {"actor": sequential(*(linear(W, b) for W, b in A)), "critic": sequential(linear(*B[0]))},
    ]
    for content in contents[:2]:
        path = zip_file(tmp_path / "a.pt", content)
        with pytest.raises(FormatError, match="several sets of weights, .*actor, .*critic"):
            pr.load(path)
        same_function(pr.load(path, part="critic"), B, "relu linear")
    path = zip_file(tmp_path / "b.pt", contents[2])
    with pytest.raises(FormatError, match="several sets of weights, actor, critic"):
        pr.load(path)
    same_function(pr.load(path, part="critic"), B[:1], "linear")
    path = zip_file(tmp_path / "c.pt", {"actor": actor, "critic": sequential(linear(*B[0]))})
    with pytest.raises(FormatError, match="of which some are whole modules"):
        pr.load(path)


def test_lists(tmp_path):
    state = tensors(named("0 2", A))
    same_function(pr.load(zip_file(tmp_path / "a.pt", [state])), A, "relu linear")
    path = zip_file(tmp_path / "b.pt", [state, tensors(named("0 2", B))])
    with pytest.raises(FormatError, match="several sets of weights, 0, 1"):
        pr.load(path)
    same_function(pr.load(path, part="1"), B, "relu linear")
    flat = [Tensor(array) for layer in A for array in layer]
    same_function(pr.load(zip_file(tmp_path / "c.pt", flat)), A, "relu linear")
    same_function(pr.load(zip_file(tmp_path / "d.pt", tuple(flat))), A, "relu linear")
    same_function(pr.load(zip_file(tmp_path / "e.pt", {"weights": flat})), A, "relu linear")
    two = {"weights": [Tensor(W) for W, _ in A], "biases": [Tensor(b) for _, b in A], "epoch": 3}
    with pytest.raises(NetworkError):
        pr.load(zip_file(tmp_path / "f.pt", {"weights": [Tensor(A[0][0]), 3]}))
    del two["epoch"]
    same_function(pr.load(zip_file(tmp_path / "f.pt", two)), A, "relu linear")


def test_autoencoder_in_two_state_dicts(tmp_path):
    content = {
        "encoder": tensors(named("0 2", AUTO[:2])),
        "decoder": tensors(named("0 2", AUTO[2:])),
    }
    path = zip_file(tmp_path / "a.pt", content)
    same_function(pr.load(path), AUTO, "relu linear relu linear")
    same_function(pr.load(path, part="encoder"), AUTO[:2], "relu linear")
    same_function(pr.load(path, part="decoder"), AUTO[2:], "relu linear")


@pytest.mark.parametrize(
    "extra",
    [
        {"acc": Tensor(np.array(0.5)), "optimizer": {"state": {0: {"m": Tensor(A[0][0])}}}},
        {("a", 1): 3, Instance("mynets", "Key", {}): 4, "x": None},
        {"hyper_parameters": {"lr": 0.1, "lr_schedule": "linear", "mode": "step", "name": "exp"}},
        {"pytorch-lightning_version": "2.1", "callbacks": {("x", "y"): {"best": Tensor(A[0][0])}},
         "loops": {"state_dict": {}}, "lr_schedulers": [{"gamma": 0.1}]},
        {"args": Instance("argparse", "Namespace", {"lr": 1.0, "act": "relu"})},
        {"normalizer": {"mean": Tensor(np.zeros(3)), "std": Tensor(np.ones(3))}},
        {"data": {"x_train": Tensor(np.zeros((9, 3)))}, "losses": [Tensor(np.array(1.0))]},
        {"adam": {"state": {0: {"exp_avg": Tensor(A[0][0])}}, "param_groups": [{"lr": 0.1}]}},
    ],
)  # fmt: skip
def test_checkpoints_as_training_scripts_write_them(tmp_path, extra):
    content = {**extra, "state_dict": tensors(named("model.0 model.2", A))}
    network = pr.load(zip_file(tmp_path / "a.pt", content))
    same_function(network, A, "relu linear")
    for key in extra:
        assert isinstance(key, (tuple, Instance)) or any(key in n for n in network.source["notes"])


# ---- activations that a file states


def pt(path, arrays, said):
    return zip_file(path.with_suffix(".pt"), {"state_dict": tensors(arrays), **said})


def flat_pt(path, arrays, said):
    return zip_file(path.with_suffix(".pt"), {**tensors(arrays), **said})


def npz(path, arrays, said):
    np.savez(path.with_suffix(".npz"), **arrays, **{k: np.array(v) for k, v in said.items()})
    return path.with_suffix(".npz")


def metadata(path, arrays, said):
    words = {k: v if isinstance(v, str) else json.dumps(v) for k, v in said.items()}
    save_file(arrays, path.with_suffix(".safetensors"), words)
    return path.with_suffix(".safetensors")


def document(path, arrays, said):
    layers = {f"W{k}": arrays[f"{2 * k}.weight"].tolist() for k in range(3)}
    layers |= {f"b{k}": arrays[f"{2 * k}.bias"].tolist() for k in range(3)}
    path.with_suffix(".json").write_text(json.dumps({**layers, **said}))
    return path.with_suffix(".json")


def mat(path, arrays, said):
    cells = {}
    for key, role in (("W", "weight"), ("b", "bias")):
        cells[key] = np.empty((1, 3), dtype=object)
        cells[key][0] = [None, None, 3]
        for k in range(3):
            array = arrays[f"{2 * k}.{role}"]
            cells[key][0, k] = array if role == "weight" else array[:, None]
    words = {k: np.array(v, dtype=object) if isinstance(v, list) else v for k, v in said.items()}
    savemat(path.with_suffix(".mat"), {**cells, **words})
    return path.with_suffix(".mat")


def struct(path, arrays, said):
    one = {f"W{k + 1}": arrays[f"{2 * k}.weight"] for k in range(3)}
    one |= {f"b{k + 1}": arrays[f"{2 * k}.bias"] for k in range(3)}
    words = {k: np.array(v, dtype=object) if isinstance(v, list) else v for k, v in said.items()}
    savemat(path.with_suffix(".mat"), {"net": {**one, **words}})
    return path.with_suffix(".mat")


WRITERS = [pt, flat_pt, npz, metadata, document, mat, struct]
STATED = [
    ({"activation": "relu"}, "relu relu linear"),
    ({"act": "abs"}, "abs abs linear"),
    ({"activation": "hardtanh"}, "hardtanh hardtanh linear"),
    ({"activations": ["relu", "abs", "linear"]}, "relu abs linear"),
    ({"act_fcns": ["poslin", "purelin", "poslin"]}, "relu linear relu"),
    ({"activations": ["relu", "linear"]}, "relu linear linear"),
    ({"activation": "relu,abs,relu"}, "relu abs relu"),
    ({"activation": "relu", "output_activation": "relu"}, "relu relu relu"),
    ({"hidden_activation": "relu", "out_activation": "identity"}, "relu relu linear"),
    ({"act1": "relu", "act2": "abs", "act3": "linear"}, "relu abs linear"),
    ({"transferFcn": "satlins"}, "hardtanh hardtanh linear"),
    ({"activation": "nn.LeakyReLU(negative_slope=0.25)"}, "leaky leaky linear"),
    ({"activation": "<class 'torch.nn.modules.activation.ReLU'>"}, "relu relu linear"),
    ({"activation": "torch.nn.ReLU()"}, "relu relu linear"),
    ({"activation": "Rectified Linear"}, "relu relu linear"),
]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(("said", "activations"), STATED)
def test_stated_activations_are_believed(tmp_path, write, said, activations):
    path = write(tmp_path / "net", named("0 2 4", THREE), said)
    network = pr.load(path)
    same_function(network, THREE, activations)
    assert any("the file states its activations" in note for note in network.source["notes"])
    for option in ({"activation": "relu"}, {"slope": 0.5}):
        with pytest.raises(NetworkError, match="leave out --activation"):
            pr.load(path, **option)


CURVED = [
    {"activation": "tanh"}, {"activations": ["tansig", "purelin", "purelin"]},
    {"transferFcn": "logsig"}, {"nonlinearity": "swish"}, {"activation": "relu6x"},
    {"hidden": "sigmoid"}, {"kinds": ["tanh", "tanh", "tanh"]}, {"act_fn": "nn.Tanh()"},
    {"activations": ["relu", "relu"], "output_activation": "softmax"},
    {"activation": "<function tanh at 0x7f>"}, {"activation": "Softplus(beta=2)"},
    {"activation": "sign"}, {"act0": "relu", "act1": "gelu", "act2": "linear"},
    {"activations": ["relu"] * 5}, {"activation": "relu", "nonlin": "abs"},
]  # fmt: skip


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("said", CURVED, ids="-".join)
def test_other_activations_are_refused(tmp_path, write, said):
    if write is document and not {"hidden", "kinds"}.isdisjoint(said):
        pytest.skip("a key of a .json file that is not known is refused anyway")
    path = write(tmp_path / "net", named("0 2 4", THREE), said)
    with pytest.raises(NetworkError, match="activation"):
        pr.load(path)


@pytest.mark.parametrize("write", WRITERS)
def test_a_stated_final_activation_can_be_cut(tmp_path, write):
    for said in (
        {"activation": "relu", "output_activation": "softmax"},
        {"activations": ["relu", "relu", "logsig"]},
    ):
        path = write(tmp_path / "net", named("0 2 4", THREE), said)
        with pytest.raises(UnsupportedError, match="--cut-final"):
            pr.load(path)
        network = pr.load(path, cut_final=True)
        same_function(network, THREE, "relu relu linear")
        assert any("was cut off as asked" in note for note in network.source["notes"])


@pytest.mark.parametrize("write", [pt, flat_pt, npz, document, mat])
def test_slopes_that_are_stated(tmp_path, write):
    """As a number beside the weights; the caller may say otherwise."""
    path = write(tmp_path / "net", named("0 2 4", THREE), {"negative_slope": 0.25})
    network = pr.load(path)
    same_function(network, THREE, "leaky leaky linear")
    assert any("negative_slope = 0.25" in note for note in network.source["notes"])
    same_function(pr.load(path, activation="relu"), THREE, "relu relu linear")
    said = {"activation": "leaky_relu", "negative_slope": 0.25, "output_activation": "relu"}
    path = write(tmp_path / "b", named("0 2 4", THREE), said)
    same_function(pr.load(path), THREE, "leaky leaky relu")


def test_slopes_as_tensors(tmp_path):
    arrays = {**named("0 2 4", THREE), "negative_slope": np.array([0.25])}
    save_file(arrays, tmp_path / "a.safetensors")
    same_function(pr.load(tmp_path / "a.safetensors"), THREE, "leaky leaky linear")


@pytest.mark.parametrize("key", ["output_relu", "relu_last", "final_relu"])
def test_a_flag_for_the_output(tmp_path, key):
    path = pt(tmp_path / "a", named("0 2 4", THREE), {key: True})
    same_function(pr.load(path), THREE, "relu relu relu")
    path = pt(tmp_path / "a", named("0 2 4", THREE), {key: False})
    same_function(pr.load(path), THREE, "relu relu linear")


def test_names_of_lists_of_layers(tmp_path):
    for name in ("hidden", "fc", "linears", "layer_list"):
        names = f"{name}.0 {name}.1 out"
        same_function(
            pr.load(zip_file(tmp_path / "a.pt", tensors(named(names, THREE)))), THREE,
            "relu relu linear",
        )  # fmt: skip


@pytest.mark.parametrize("write", [pt, flat_pt, npz, metadata])
def test_words_that_say_nothing_of_activations(tmp_path, write):
    said = {"author": "Ada", "lr_schedule": "linear", "mode": "step", "loss": "mse", "task": "abs"}
    network = pr.load(write(tmp_path / "net", named("0 2 4", THREE), said))
    same_function(network, THREE, "relu relu linear")


@pytest.mark.parametrize(
    ("said", "activations"),
    [
        ({"activation": Instance(ACTIVATION, "ReLU", {})}, "relu relu linear"),
        ({"hparams": {"net": {"activation": "abs"}}}, "abs abs linear"),
        ({"config": {"activation": module(ACTIVATION, "LeakyReLU", negative_slope=0.25)}},
         "leaky leaky linear"),
        ({"args": Instance("argparse", "Namespace", {"act": "abs"})}, "abs abs linear"),
        ({"activation": "leaky_relu", "negative_slope": 0.25}, "leaky leaky linear"),
        ({"activation": "relu", "negative_slope": 0.25}, "relu relu linear"),
        ({"negative_slope": 0.25}, "leaky leaky linear"),
    ],
)  # fmt: skip
def test_what_training_scripts_say(tmp_path, said, activations):
    same_function(pr.load(pt(tmp_path / "net", named("0 2 4", THREE), said)), THREE, activations)


def test_classes_and_instances_that_are_not_piecewise_linear(tmp_path):
    for said in (
        {"activation": module(ACTIVATION, "Tanh")},
        {"hyper_parameters": {"activation_fn": Instance(ACTIVATION, "GELU", {})}},
        {"args": Instance("argparse", "Namespace", {"nonlinearity": "tanh"})},
    ):
        with pytest.raises(UnsupportedError, match="not piecewise linear"):
            pr.load(pt(tmp_path / "net", named("0 2 4", THREE), said))


@pytest.mark.parametrize(
    "value",
    [
        Instance("mynets", "Sine", {}),
        Instance(ACTIVATION, "Hardtanh", {"min_val": -2.0, "max_val": 2.0, "inplace": False}),
        module(ACTIVATION, "PReLU", _parameters={"weight": Tensor(np.array([0.1]))}),
        Instance(ACTIVATION, "ELU", {"alpha": 1.0}),
        [Instance(ACTIVATION, "ReLU", {}), Instance(ACTIVATION, "Tanh", {}), "linear"],
    ],
)
@pytest.mark.parametrize("key", ["activation", "act_fn", "nonlinearity", "hidden_activation"])
def test_objects_that_are_no_plain_activation(tmp_path, key, value):
    path = pt(tmp_path / "net", named("0 2 4", THREE), {key: value})
    with pytest.raises(NetworkError, match="activation"):
        pr.load(path)


def test_objects_that_are_plain_activations(tmp_path):
    for value, name in (
        (Instance(ACTIVATION, "Hardtanh", {"min_val": -1.0, "max_val": 1.0}), "hardtanh"),
        (module(ACTIVATION, "ReLU", inplace=True), "relu"),
        (module(ACTIVATION, "LeakyReLU", negative_slope=0.25, inplace=False), "leaky"),
    ):
        path = pt(tmp_path / "net", named("0 2 4", THREE), {"activation": value})
        same_function(pr.load(path), THREE, f"{name} {name} linear")


@pytest.mark.parametrize("write", [pt, npz, metadata])
@pytest.mark.parametrize(
    "said",
    [
        {"act_space": "box"}, {"act_type": "discrete"}, {"activation_checkpointing": "none"},
        {"transfer_learning": "yes"}, {"nonlinear_solver": "newton"}, {"hidden": "relu"},
        {"action_type": "tanh"}, {"loss": "mse"}, {"output_loss": "sigmoid"}, {"act": "relu"},
        {"activation": "ReLU", "act_fn": "relu"},
    ],
)  # fmt: skip
def test_other_words_do_not_change_the_network(tmp_path, write, said):
    same_function(
        pr.load(write(tmp_path / "net", named("0 2 4", THREE), said)), THREE, "relu relu linear"
    )


@pytest.mark.parametrize("write", [pt, npz, metadata])
@pytest.mark.parametrize(
    "said",
    [
        {"hidden": "tanh"}, {"types": ["sigmoid", "linear"]}, {"kinds": ["relu", "relu", "relu"]},
        {"layer_types": ["linear", "relu", "linear"]}, {"function": "leaky_relu"},
    ],
)  # fmt: skip
def test_words_that_may_be_activations_are_asked_about(tmp_path, write, said):
    path = write(tmp_path / "net", named("0 2 4", THREE), said)
    with pytest.raises(UnsupportedError, match="may be its activations.*--activation relu"):
        pr.load(path)
    same_function(pr.load(path, activation="abs"), THREE, "abs abs linear")


def test_each_part_has_its_own_activation(tmp_path):
    arrays = {**named("actor.0 actor.2", A), **named("critic.0 critic.2", B)}
    said = {"actor_activation": "abs", "critic_activation": "tanh"}
    for write in (pt, npz, metadata):
        path = write(tmp_path / "net", arrays, said)
        same_function(pr.load(path, part="actor"), A, "abs linear")
        with pytest.raises(UnsupportedError, match="'tanh' is not piecewise linear"):
            pr.load(path, part="critic")


def test_several_networks_in_json_and_structs(tmp_path):
    def layers(network):
        return {"layers": [{"weight": W.tolist(), "bias": b.tolist()} for W, b in network]}

    path = tmp_path / "a.json"
    path.write_text(json.dumps({"actor": layers(A), "critic": {**layers(B), "activation": "abs"}}))
    with pytest.raises(FormatError, match="several sets of weights, actor, critic"):
        pr.load(path)
    same_function(pr.load(path, part="actor"), A, "relu linear")
    same_function(pr.load(path, part="critic"), B, "abs linear")
    with pytest.raises(FormatError, match="no part 'x'; it has actor, critic"):
        pr.load(path, part="x")
    path.write_text(json.dumps({"model": layers(A), "activation": "abs"}))
    same_function(pr.load(path), A, "abs linear")
    lists = {"weights": [W.tolist() for W, _ in A], "biases": [b.tolist() for _, b in A]}
    path.write_text(json.dumps({**lists, "activation": "abs"}))
    same_function(pr.load(path), A, "abs linear")
    path.write_text(json.dumps({**lists, "biases": [[0, 0, 0]]}))
    with pytest.raises(FormatError, match='"biases" must be a list of 2'):
        pr.load(path)
    path.write_text(json.dumps({**layers(A), "activation": "relu", "name": "n"}))
    assert pr.load(path).name == "n"
    stated = layers(A)
    stated["layers"][0]["activation"] = "relu"
    path.write_text(json.dumps({**stated, "activation": "abs"}))
    with pytest.raises(FormatError, match="stated twice"):
        pr.load(path)

    def one(network):
        (W1, b1), (W2, b2) = network
        return {"W1": W1, "b1": b1, "W2": W2, "b2": b2}

    savemat(tmp_path / "a.mat", {"actor": one(A), "critic": one(B)})
    with pytest.raises(FormatError, match="several networks, the structs actor, critic"):
        pr.load(tmp_path / "a.mat")
    same_function(pr.load(tmp_path / "a.mat", part="critic"), B, "relu linear")


def test_slopes_and_words_contradict(tmp_path):
    (W, b), *_ = A
    np.savez(
        tmp_path / "a.npz", W0=W, b0=b, slope_neg0=b, slope_pos0=b, activation=np.array("relu")
    )
    with pytest.raises(NetworkError, match="states its slopes, and activations too"):
        pr.load(tmp_path / "a.npz")
