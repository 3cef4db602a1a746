"""Networks that others trained: every file of these formats loads, and is the function it stores.

The same function in two formats is compared through onnxruntime, which shares no code with
polyrank; texts are read a second time by the few lines of :func:`second_reading`.
"""

from __future__ import annotations

import re
import warnings
from itertools import pairwise, product

import numpy as np
import pytest

from polyrank.errors import NetworkError
from polyrank.network.formats import load, save
from polyrank.network.forward import affine_map, codeword_exact, forward, forward_exact
from polyrank.network.normalisation import fold_normalisation
from polyrank.network.rational import nearest_float
from tests.conftest import shared

ARCHCOMP = "archcomp_ainncs/benchmarks/"
SPREAD = {
    "acasxu_nnet": 5,
    "hcas_nnet": 2,
    "vcas_nnet": 1,
    "sisl_nnet": 2,
    "neuralverification_nnet": 4,
    "marabou_nnet": 6,
    "marabou_coav": 1,
    "archcomp_ainncs": 5,
    "rpm": 1,
}
"""Folders of the shared data and the number of .nnet files in each."""


def second_reading(text, x):
    """What the format's description says, by another route: the numbers as one stream.

    The parameters are the last numbers of the file, as many as the sizes call for.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("//")]
    rows = [[float(v) for v in re.findall(r"[^,\s]+", line)] for line in lines]
    depth = int(rows[0][0])
    sizes = [int(v) for v in rows[1][: depth + 1]]
    count = sum(n * (m + 1) for m, n in pairwise(sizes))
    stream = np.concatenate(rows)[-count:]
    means, ranges = np.array(rows[5]), np.array(rows[6])
    plain = len(means) == 1 and sizes[0] + 1 > 1
    h = x if plain else (x - means[: sizes[0]]) / ranges[: sizes[0]]
    for k, (m, n) in enumerate(pairwise(sizes)):
        W, b = stream[: n * m].reshape(n, m), stream[n * m : n * (m + 1)]
        stream = stream[n * (m + 1) :]
        h = h @ W.T + b
        if k < depth - 1:
            h = np.maximum(h, 0)
    return h if plain else h * ranges[-1] + means[-1]


def sample(net, count, rng):
    header = net.source.get("header", {})
    if header.get("lower") is None or net.source["normalisation"] != "folded":
        return rng.uniform(-1, 1, (count, net.input_dim))
    return rng.uniform(header["lower"], header["upper"], (count, net.input_dim))


@pytest.mark.parametrize("folder", SPREAD)
def test_every_nnet_file_is_the_function_of_its_text(folder):
    paths = sorted(shared(folder).rglob("*.nnet"))
    assert len(paths) == SPREAD[folder]
    rng = np.random.default_rng(11)
    for path in paths:
        net = load(path)
        X = sample(net, 40, rng)
        expected = second_reading(path.read_text(), X)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(forward(net, X), expected, rtol=1e-9, atol=1e-9 * scale)
        exact = [nearest_float(v) for v in forward_exact(net, X[0].tolist())]
        np.testing.assert_allclose(exact, expected[0], rtol=1e-9, atol=1e-9 * scale)


def onnx_outputs(path, X):
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (put,) = session.get_inputs()
    shape = [n if isinstance(n, int) else 1 for n in put.shape]
    rows = [session.run(None, {put.name: x.reshape(shape)})[0].ravel() for x in X]
    return np.array(rows)


@pytest.mark.parametrize(
    ("text", "graph", "raw", "tolerance"),
    [
        # normalised inputs and outputs in the .onnx: the raw network of the header
        *(
            (
                f"acasxu_nnet/ACASXU_run2a_{k}_batch_2000.nnet",
                f"acasxu_onnx/ACASXU_run2a_{k}_batch_2000.onnx",
                True,
                2e-5,
            )
            for k in ("1_1", "1_9", "2_1", "4_5", "5_9")
        ),
        # the same weights with the normalisation folded into the .onnx
        ("sisl_nnet/TestNetwork2.nnet", "sisl_nnet/TestNetwork2.onnx", False, 2e-5),
        # normalised again; the text has six significant digits
        *(
            (
                f"{ARCHCOMP}VCAS/nnet_networks/VertCAS_noResp_{k}_v9_20HU_200.nnet",
                f"{ARCHCOMP}VCAS/onnx_networks/VertCAS_noResp_{k}_v9_20HU_200.onnx",
                True,
                1e-4,
            )
            for k in ("pra01", "pra05")
        ),
        # no normalisation; the text has five decimals
        *(
            (f"{ARCHCOMP}{name}.nnet", f"{ARCHCOMP}{name}.onnx", False, 2e-4)
            for name in (
                "Airplane/controller_airplane",
                "Double_Pendulum/controller_double_pendulum_less_robust",
                "Single_Pendulum/controller_single_pendulum",
            )
        ),
    ],
)
def test_the_same_weights_in_two_formats_are_one_function(text, graph, raw, tolerance):
    net = load(shared(text), raw=raw)
    X = sample(net, 64, np.random.default_rng(5)).astype(np.float32)
    expected = onnx_outputs(shared(graph), X)
    scale = np.abs(expected).max()
    assert np.abs(forward(net, X) - expected).max() <= tolerance * scale


def test_raw_and_folded_acas_networks_differ_by_the_normalisation():
    path = shared("acasxu_nnet/ACASXU_run2a_1_1_batch_2000.nnet")
    folded, raw = load(path), load(path, raw=True)
    header = folded.source["header"]
    x = np.array([30000.0, 1.0, -2.0, 500.0, 700.0])
    inner = (x - header["means"][:5]) / header["ranges"][:5]
    np.testing.assert_allclose(
        forward(folded, x), forward(raw, inner) * header["ranges"][5] + header["means"][5]
    )
    assert header["means"][5] == 7.5188840201005975  # as the header says
    assert header["upper"] == [60760.0, 3.141593, 3.141593, 1200.0, 1200.0]


@pytest.mark.parametrize("name", ["iris", "iris_44", "mnist-5-5", "mnist_10-4x10", "mnist_20-4x10"])
def test_affinitree_networks(name):
    path = shared(f"affinitree_npz/{name}.npz")
    net = load(path)
    X = np.random.default_rng(2).normal(size=(30, net.input_dim))
    h = X
    with np.load(path, allow_pickle=False) as arrays:
        for key in sorted(arrays.files):  # the order that affinitree itself reads in
            if key.endswith("linear.weights"):
                h = h @ arrays[key].T + arrays[key.replace("weights", "bias")]
            elif key.endswith("relu"):
                h = np.maximum(h, 0)
    np.testing.assert_allclose(forward(net, X), h, rtol=1e-12, atol=1e-12)


def vertices(A, b):
    """Vertices of a bounded polygon {A x <= b}, in floats."""
    found = []
    for i, j in product(range(len(A)), repeat=2):
        if i < j and abs(np.linalg.det(A[[i, j]])) > 1e-9:
            x = np.linalg.solve(A[[i, j]], b[[i, j]])
            if (A @ x <= b + 1e-7).all():
                found.append(x)
    return np.array(found)


def test_the_affine_maps_of_the_rpm_network():
    """Every published (polygon, affine map) of the 2-16-16-1 network, at the polygon's centre.

    The maps are those of the network in physical units: with ``norm_params.npz`` folded in.
    """
    loadmat = pytest.importorskip("scipy.io").loadmat
    published = loadmat(shared("rpm/models/quadratic/quadratic_pwa.mat"))
    stored = load(shared("rpm/models/quadratic/weights.npz"))
    with np.load(shared("rpm/models/quadratic/norm_params.npz")) as given:
        net = fold_normalisation(
            stored,
            input_mean=given["X_mean"],
            input_scale=given["X_std"],
            output_mean=given["Y_mean"],
            output_scale=given["Y_std"],
        )
    assert net.widths == (2, 16, 16, 1)
    seen = set()
    for A, b, C, d in zip(*(published[key].ravel() for key in "AbCd"), strict=True):
        centre = vertices(A, b.ravel()).mean(axis=0)
        word = codeword_exact(net, centre.tolist())
        J, c = affine_map(net, word.bits)
        np.testing.assert_allclose([nearest_float(v) for v in J.entries()], C.ravel(), atol=1e-12)
        np.testing.assert_allclose([nearest_float(v) for v in c.entries()], d.ravel(), atol=1e-12)
        seen.add(word.packed.tobytes())
    assert len(seen) == 202  # as known_counts.json says


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("weights_dynamics_1hz_2nd", (3, 16, 2)),
        ("weights_state2image_small", (2, 64, 128)),
    ],
)
def test_rpm_taxinet_weights(name, widths):
    assert load(shared(f"rpm/models/taxinet/{name}.npz")).widths == widths


@pytest.mark.parametrize(
    "path",
    [
        "rpm/models/quadratic/norm_params.npz",
        "rpm/models/taxinet/norm_params_dynamics_1hz_2nd.npz",
        "manifest.json",
        "known_answers/known_counts.json",
        "simplicial_arrangements/rank3_simplicial_rational.json",
    ],
)
def test_files_that_hold_no_network_are_refused(path):
    with pytest.raises(NetworkError) as caught:
        load(shared(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("extension", ["npz", "safetensors", "nnet", "json", "onnx"])
def test_a_real_network_survives_every_format(tmp_path, extension):
    raw = load(shared("hcas_nnet/HCAS_rect_v6_pra1_tau05_25HU_3000.nnet"), raw=True)
    save(raw, tmp_path / f"hcas.{extension}")
    assert load(tmp_path / f"hcas.{extension}").sha256 == raw.sha256
    folded = load(shared("hcas_nnet/HCAS_rect_v6_pra1_tau05_25HU_3000.nnet"))
    if extension == "json":
        save(folded, tmp_path / "folded.json")
        assert load(tmp_path / "folded.json").sha256 == folded.sha256
    else:
        with pytest.raises(NetworkError, match="is not a float64 number"):
            save(folded, tmp_path / f"folded.{extension}")
