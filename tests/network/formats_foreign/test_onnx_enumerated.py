"""Enumerations of every architecture agree with exact brute force, on boxes and small slices."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import polyrank as pr
from polyrank.network.forward import forward
from tests.checks import differences, rows_of
from tests.conftest import shared
from tests.network.formats_foreign.onnx_models import build, loaded, node
from tests.oracles import box_rows, exact_layers, regions_by_generators, regions_of_layers, restrict

RNG = np.random.default_rng(11)


def integers(*shape):
    return RNG.integers(-3, 4, size=shape).astype(np.float32)


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def mlp(activation, draw, **attributes):
    return build(
        [
            node("Gemm", ["x", "W0", "b0"], ["z0"], transB=1),
            node(activation, ["z0"], ["h0"], **attributes),
            node("Gemm", ["h0", "W1", "b1"], ["z1"], transB=1),
            node(activation, ["z1"], ["h1"], **attributes),
            node("Gemm", ["h1", "W2"], ["y"], transB=1),
        ],
        {"x": [1, 2]},
        {"W0": draw(4, 2), "b0": draw(4), "W1": draw(3, 4), "b1": draw(3), "W2": draw(2, 3)},
    )


def residual(draw):
    return build(
        [
            node("Gemm", ["x", "W0", "b0"], ["z"], transB=1),
            node("Relu", ["z"], ["h"]),
            node("Gemm", ["h", "W1"], ["v"], transB=1),
            node("Add", ["v", "x"], ["r"]),
            node("Relu", ["r"], ["s"]),
            node("Add", ["s", "z2"], ["y"]),
            node("Gemm", ["x", "W2"], ["z2"], transB=1),
        ],
        {"x": [1, 2]},
        {"W0": draw(4, 2), "b0": draw(4), "W1": draw(2, 4), "W2": draw(2, 2)},
    )


def image(draw, pool):
    nodes = [
        node("Conv", ["x", "K", "k"], ["c"], pads=[1, 1, 0, 0]),
        node("Relu", ["c"], ["h"]),
        node(pool, ["h"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "W"], ["g"], transB=1),
        node("Relu", ["g"], ["y"]),
    ]
    return build(nodes, {"x": [1, 1, 4, 4]}, {"K": draw(1, 1, 2, 2), "k": draw(1), "W": draw(2, 4)})


def clipped(draw):
    return build(
        [
            node("Gemm", ["x", "W0", "b0"], ["z0"], transB=1),
            node("Clip", ["z0", "lo", "hi"], ["h0"]),
            node("HardSigmoid", ["h0"], ["h1"]),
            node("Max", ["h1", "h0"], ["m"]),
            node("PRelu", ["m", "a"], ["y"]),
        ],
        {"x": [1, 2]},
        {"W0": draw(3, 2), "b0": draw(3), "a": np.float32([0.5, -1, 2]),
         "lo": np.float32(-1), "hi": np.float32(1)},
    )  # fmt: skip


FLAT = {
    "leaky": lambda draw: mlp("LeakyRelu", draw, alpha=0.25),
    "abs": lambda draw: mlp("Abs", draw),
    "residual": residual,
    "clipped": clipped,
}


@pytest.mark.parametrize("draw", [integers, floats])
@pytest.mark.parametrize("kind", sorted(FLAT))
@pytest.mark.parametrize("bounded", [True, False])
def test_networks_of_two_inputs(tmp_path, kind, draw, bounded):
    network = loaded(FLAT[kind](draw), tmp_path)
    domain = pr.Box([-2, -2], [2, 2]) if bounded else pr.WholeSpace()
    rows = box_rows([-2, -2], [2, 2]) if bounded else ()
    run = pr.enumerate_regions(network, domain=domain)
    assert differences(network, run, regions_by_generators(network, rows)) == []


@pytest.mark.parametrize("draw", [integers, floats])
@pytest.mark.parametrize("pool", ["MaxPool", "AveragePool"])
def test_convolutions_on_a_slice(tmp_path, pool, draw):
    network = loaded(image(draw, pool), tmp_path)
    origin = [Fraction(int(v), 4) for v in RNG.integers(-4, 5, 16)]
    basis = [[Fraction(int(v)) for v in row] for row in RNG.integers(-2, 3, (16, 2))]
    domain = pr.Slice(origin, basis, pr.Box([-1, -1], [1, 1]))
    run = pr.enumerate_regions(network, domain=domain)
    layers = restrict(exact_layers(network), tuple(origin), tuple(map(tuple, basis)))
    truth = regions_of_layers(layers, 2, box_rows([-1, -1], [1, 1]))
    found = {row.bits for row in rows_of(run.table, run.bits, run.layers)}
    assert run.certified
    assert run.undecided == 0
    assert found == set(truth)


# ---- the same weights in several formats are the same function

ARCH = "archcomp_ainncs/benchmarks"
NORMALISED = [
    *(
        (f"acasxu_nnet/ACASXU_run2a_{k}_batch_2000", f"acasxu_onnx/ACASXU_run2a_{k}_batch_2000")
        for k in ("1_1", "1_9", "2_1", "4_5", "5_9")
    ),
    *(
        (f"{ARCH}/VCAS/nnet_networks/{name}", f"{ARCH}/VCAS/onnx_networks/{name}")
        for name in ("VertCAS_noResp_pra01_v9_20HU_200", "VertCAS_noResp_pra05_v9_20HU_200")
    ),
]


def far(a, b):
    X = np.random.default_rng(0).uniform(-1, 1, (50, a.input_dim))
    y, z = forward(a, X), forward(b, X)
    return np.abs(y - z).max() / np.abs(y).max()


@pytest.mark.parametrize(("nnet", "onnx"), NORMALISED)
def test_onnx_holds_the_float32_of_the_nnet_text_without_its_normalisation(nnet, onnx):
    text = pr.load(shared(f"{nnet}.nnet"), raw=True)
    model = pr.load(shared(f"{onnx}.onnx"))
    for a, b in zip(text.layers, model.layers, strict=True):
        assert np.array_equal(a.weight.approx.astype(np.float32), b.weight.approx)
    assert far(text, model) < 1e-5
    assert far(pr.load(shared(f"{nnet}.nnet")), model) > 0.5  # the header's normalisation matters


@pytest.mark.parametrize(
    "name",
    ["Airplane/controller_airplane", "Single_Pendulum/controller_single_pendulum",
     "Double_Pendulum/controller_double_pendulum_less_robust"],
)  # fmt: skip
def test_controllers_agree_to_the_five_decimals_of_the_text(name):
    text = pr.load(shared(f"{ARCH}/{name}.nnet"))
    model = pr.load(shared(f"{ARCH}/{name}.onnx"))
    for a, b in zip(text.layers, model.layers, strict=True):
        assert np.abs(a.weight.approx - b.weight.approx).max() <= 5e-6
        assert np.abs(a.bias.approx - b.bias.approx).max() <= 5e-6
    assert far(text, model) < 1e-4


def test_sisl_onnx_has_the_normalisation_folded_in():
    model = pr.load(shared("sisl_nnet/TestNetwork2.onnx"))
    assert far(pr.load(shared("sisl_nnet/TestNetwork2.nnet")), model) < 1e-6
    assert far(pr.load(shared("sisl_nnet/TestNetwork2.nnet"), raw=True), model) > 0.1
