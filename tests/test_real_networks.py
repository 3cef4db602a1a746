"""Networks that others trained: published region polytopes, published counts, oracles.

The counts of known_answers/known_counts.json are published (``golden``) or come from a second
method; those of the exact oracle are computed here.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import polyrank as pr
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray
from tests.checks import check_run, differences, rows_of
from tests.conftest import shared
from tests.examples import Space, box, whole
from tests.oracles import Matrix, affine_maps, exact_layers, regions_by_generators
from tests.strategies import realistic_network

Array = NDArray[np.float64]


def _agrees(net: Network, space: Space) -> Any:
    """Enumerate and compare with the exact oracle and the exact checks."""
    domain = space.domain()
    run = pr.enumerate_regions(net, domain=domain)
    assert not differences(net, run, regions_by_generators(net, space.rows))
    report = check_run(net, domain, run)
    assert report.ok, report.failures
    return run


def _codewords(run: Any) -> set[tuple[int, ...]]:
    return {row.bits for row in rows_of(run.table, run.bits, run.layers)}


# ---------------------------------------------------------------------------------------------
# Vincent and Schwager, "Reachable Polyhedral Marching" (2021): all polytopes and affine maps


def _rows(matrix: Any) -> list[list[Fraction]]:
    return [[Fraction(float(v)) for v in row] for row in np.atleast_2d(matrix)]


def _flat(vector: Any) -> list[Fraction]:
    return [Fraction(float(v)) for v in np.ravel(vector)]


def _normalised(
    weights: list[Any], biases: list[Any], means: list[Any], stds: list[Any]
) -> Network:
    """y = W(... (x - mean_x) / std_x ...) · std_y + mean_y, folded without rounding."""
    W, b = [_rows(w) for w in weights], [_flat(v) for v in biases]
    (mean_x, mean_y), (std_x, std_y) = map(_flat, means), map(_flat, stds)
    W[0] = [[w / s for w, s in zip(row, std_x, strict=True)] for row in W[0]]
    b[0] = [
        v - sum((w * m for w, m in zip(row, mean_x, strict=True)), Fraction(0))
        for row, v in zip(W[0], b[0], strict=True)
    ]
    W[-1] = [[s * w for w in row] for row, s in zip(W[-1], std_y, strict=True)]
    b[-1] = [s * v + m for v, s, m in zip(b[-1], std_y, mean_y, strict=True)]
    return Network.from_arrays(
        [
            RationalArray.from_rationals([v for r in rows for v in r], (len(rows), len(rows[0])))
            for rows in W
        ],
        [RationalArray.from_rationals(v, (len(v),)) for v in b],
    )


def _pendulum() -> tuple[Network, Space, list[Any]]:
    from scipy.io import loadmat

    data = loadmat(shared("rpm/models/Pendulum/NN_params_pendulum.mat"))
    net = _normalised(
        list(data["weights"][0]),
        list(data["biases"][0]),
        [data["X_mean"], data["Y_mean"]],
        [data["X_std"], data["Y_std"]],
    )
    half_turn = Fraction(np.pi / 2)
    space = box([-half_turn] * 2, [half_turn] * 2)
    return net, space, _published(shared("rpm/models/Pendulum/pendulum_pwa.mat"))


def _quadratic() -> tuple[Network, Space, list[Any]]:
    folder = shared("rpm/models/quadratic")
    with np.load(folder / "weights.npz") as data:
        arrays = [data[f"arr_{i}"] for i in range(6)]
    with np.load(folder / "norm_params.npz") as data:
        means, stds = [data["X_mean"], data["Y_mean"]], [data["X_std"], data["Y_std"]]
    net = _normalised(arrays[::2], arrays[1::2], means, stds)
    return net, box([-1, -1], [1, 1]), _published(folder / "quadratic_pwa.mat")


def _published(path: Path) -> list[Any]:
    """(A, b, C, d) of every region: C x + d on A x <= b."""
    from scipy.io import loadmat

    data = loadmat(path)
    parts = [[data[key][i, 0] for key in "AbCd"] for i in range(data["A"].shape[0])]
    return [(A, b.ravel(), C, d.ravel()) for A, b, C, d in parts]


@pytest.mark.parametrize(
    ("model", "regions", "ranks"),
    [(_pendulum, 18, {2: 18}), (_quadratic, 202, {1: 202})],
    ids=["pendulum", "quadratic"],
)
def test_published_piecewise_affine_maps(model: Any, regions: int, ranks: dict[int, int]) -> None:
    """Every affine map and polytope of the file is found, once, and nothing else.

    The file's maps differ from each other by more than 1e-3 in some coefficient and are stated in
    float64, so that a match within 1e-12 is unambiguous.
    """
    net, space, published = model()
    run = _agrees(net, space)
    assert (run.count, len(published)) == (regions, regions)
    assert run.rank_histogram(layer=len(net.layers)) == ranks

    layers = exact_layers(net)
    rows = list(rows_of(run.table, run.bits, run.layers))
    found = np.array([_coefficients(affine_maps(layers, row.bits, 2)[-1]) for row in rows])
    stated = np.array([np.column_stack([C, d]).ravel() for _, _, C, d in published])
    apart = np.abs(stated[:, None] - stated[None]).max(axis=2)
    assert apart[~np.eye(regions, dtype=bool)].min() > 1e-3
    distance = np.abs(found[:, None] - stated[None]).max(axis=2)
    nearest = distance.argmin(axis=1)
    assert sorted(nearest) == list(range(regions))
    assert distance.min(axis=1).max() < 1e-12

    for row, number in zip(rows, nearest, strict=True):
        A, b, _, _ = published[number]
        assert row.witness is not None
        witness = np.array([int(v.p) / int(v.q) for v in row.witness])
        assert (A @ witness <= b + 1e-12).all()


def _coefficients(matrix: Matrix) -> list[float]:
    return [float(v) for row in matrix for v in row]


# ---------------------------------------------------------------------------------------------
# relucent's checkpoints; its counts treat the output unit as a ReLU


def _relucent() -> list[Any]:
    """(file, widths, regions with output ReLU, regions of the hidden layers or None)."""
    table = [
        ("ckpt0_d2_w8_nh1", (2, 8, 1), 49, 37),
        ("ckpt4392_d4_w8_nh1", (4, 8, 1), 272, 163),
        ("ckpt5303_d4_w10_nh1", (4, 10, 1), 640, 386),
        ("ckpt6013_d4_w12_nh1", (4, 12, 1), 1237, 794),
        ("ckpt5490_d4_w10_nh3", (4, 10, 10, 10, 1), 27420, None),
        ("torus_boundary_model_seed2", (3, 15, 15, 1), 3884, 3622),
    ]
    return [pytest.param(*row, id=row[0]) for row in table]


@pytest.mark.parametrize(("name", "widths", "regions", "hidden"), _relucent())
def test_relucent_counts(
    name: str, widths: tuple[int, ...], regions: int, hidden: int | None
) -> None:
    path = shared(f"relucent/{name}.pt")
    net = pr.load(path, output_relu=True)
    assert net.widths == widths
    run = pr.enumerate_regions(net)
    assert (run.count, run.undecided, run.certified) == (regions, 0, True)
    report = check_run(net, pr.WholeSpace(), run, limit=500)
    assert report.ok, report.failures
    if hidden is not None:
        assert run.at_layer(len(net.layers) - 1).num_rows == hidden
        affine = pr.enumerate_regions(pr.load(path))
        assert (affine.count, affine.certified) == (hidden, True)


@pytest.mark.parametrize("name", ["ckpt0_d2_w8_nh1", "ckpt4392_d4_w8_nh1", "ckpt5303_d4_w10_nh1"])
def test_relucent_regions_by_the_oracle(name: str) -> None:
    _agrees(pr.load(shared(f"relucent/{name}.pt"), output_relu=True), whole())


def test_relucent_table_is_that_of_the_known_answers() -> None:
    known = json.loads(shared("known_answers/known_counts.json").read_text())["networks"]
    by_name = {Path(e["net"]).stem: e for e in known if e["net"].startswith("relucent/")}
    table = {row.values[0]: row.values[1:] for row in _relucent()}
    assert set(table) == set(by_name)
    for name, (widths, regions, hidden) in table.items():
        entry = by_name[name]
        stated = [
            entry.get("regions_with_output_relu"),
            entry.get("recomputed_here"),
            entry.get("recomputed_here_with_output_relu"),
        ]
        assert list(widths) == entry["widths"]
        assert {v for v in stated if v is not None} == {regions}
        assert entry.get("hidden_only_here") == hidden


# ---------------------------------------------------------------------------------------------
# small trained networks against the oracle


@pytest.mark.parametrize("name", ["tiny_nnet", "small_nnet", "small_nnet_id", "R2_R2"])
def test_small_nnet_files(name: str) -> None:
    net = pr.load(shared(f"neuralverification_nnet/{name}.nnet"))
    _agrees(net, whole())
    _agrees(net, box([-1] * net.input_dim, [1] * net.input_dim))


@pytest.mark.parametrize(
    "path",
    ["canonicalpoly/model1.pt", "gol_toolbox/demo_8_nodes.pth", "affinitree_npz/iris_44.npz"],
)
def test_small_trained_networks(path: str) -> None:
    _agrees(pr.load(shared(path)), whole())


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 2, 4])
def test_networks_with_cells_of_relative_area_1e_13(number: int) -> None:
    """The D-I networks of Beshkov's quotient-homology paper, on a square around the data."""
    net = pr.load(shared(f"beshkov_quotient/D-I_model_{number}.pth"))
    _agrees(net, box([-10, -10], [10, 10]))


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", ["2,2x50,relu,bunny", "2,4x32,relu,bunny"])
def test_signed_distance_networks(name: str) -> None:
    _agrees(pr.load(shared(f"berzins_bunny/{name}")), box([-1, -1], [1, 1]))


# ---------------------------------------------------------------------------------------------
# one function in several formats


def _write_npz(weights: list[Array], biases: list[Array], path: Path) -> None:
    named = {f"W{k}": w for k, w in enumerate(weights)}
    np.savez(path, **named, **{f"b{k}": b for k, b in enumerate(biases)})


def _write_nnet(weights: list[Array], biases: list[Array], path: Path) -> None:
    sizes = [weights[0].shape[1], *(w.shape[0] for w in weights)]
    n = sizes[0]
    lines = ["// written by a test", f"{len(weights)},{n},{sizes[-1]},{max(sizes)},"]
    lines.append(",".join(map(str, sizes)) + ",")
    lines.append("0,")
    lines += [",".join(["-1.0"] * n) + ",", ",".join(["1.0"] * n) + ","]
    lines += [",".join(["0.0"] * (n + 1)) + ",", ",".join(["1.0"] * (n + 1)) + ","]
    for w, b in zip(weights, biases, strict=True):
        lines += [",".join(repr(float(v)) for v in row) + "," for row in w]
        lines += [f"{float(v)!r}," for v in b]
    path.write_text("\n".join(lines) + "\n")


def _write_onnx(weights: list[Array], biases: list[Array], path: Path) -> None:
    """Transposed MatMul, Add and Relu nodes in float64."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, value = [], [], "x"
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        constants += [numpy_helper.from_array(w.T.copy(), f"W{k}")]
        constants += [numpy_helper.from_array(b, f"b{k}")]
        nodes.append(helper.make_node("MatMul", [value, f"W{k}"], [f"m{k}"]))
        nodes.append(helper.make_node("Add", [f"m{k}", f"b{k}"], [f"z{k}"]))
        value = f"z{k}"
        if k < len(weights) - 1:
            nodes.append(helper.make_node("Relu", [value], [f"h{k}"]))
            value = f"h{k}"
    kind = TensorProto.DOUBLE
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, [1, weights[0].shape[1]])],
        [helper.make_tensor_value_info(value, kind, [1, weights[-1].shape[0]])],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)


@pytest.mark.parametrize("kind", ["integer", "quantised", "pruned", "bias-free"])
def test_one_function_in_three_formats(kind: str, tmp_path: Path) -> None:
    net = realistic_network(kind, (3, 6, 5, 2), seed=60)
    weights = [layer.weight.approx for layer in net.layers]
    biases = [layer.bias.approx for layer in net.layers]
    expected = regions_by_generators(net)
    tables = []
    for suffix, write in [("npz", _write_npz), ("nnet", _write_nnet), ("onnx", _write_onnx)]:
        path = tmp_path / f"net.{suffix}"
        write(weights, biases, path)
        loaded = pr.load(path)
        run = pr.enumerate_regions(loaded)
        assert not differences(loaded, run, expected)
        tables.append(run.table.select(["codeword", "zero", "rank_1", "rank_2", "rank_3"]))
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


def test_the_same_acas_network_as_nnet_and_onnx() -> None:
    """SISL's ONNX file holds the .nnet weights with the normalisation folded in, in float32.

    The two functions differ by float32 rounding; on this box that moves no region away.
    """
    text = pr.load(shared("sisl_nnet/TestNetwork2.nnet"))
    graph = pr.load(shared("sisl_nnet/TestNetwork2.onnx"))
    for a, b in zip(text.layers, graph.layers, strict=True):
        np.testing.assert_allclose(a.weight.approx, b.weight.approx, rtol=1e-4, atol=1e-5)
    centre = [20000, Fraction(1, 4), Fraction(-1, 2), 600, 500]
    radius = [1000, Fraction(1, 20), Fraction(1, 20), 20, 20]
    domain = pr.Box(
        [c - r for c, r in zip(centre, radius, strict=True)],
        [c + r for c, r in zip(centre, radius, strict=True)],
    )
    runs = [pr.enumerate_regions(net, domain=domain) for net in (text, graph)]
    assert all(run.certified for run in runs)
    assert runs[0].count > 1
    assert _codewords(runs[0]) == _codewords(runs[1])
