"""Certificates of images: true ones are accepted, and every false one is rejected."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import UnsupportedError
from polyrank.image.barcode import image
from polyrank.image.image_certificate import save_images
from polyrank.network.normal_form import Network, affine_layer, relu_layer
from polyrank.proof.image import check_image, is_image
from polyrank.proof.persistence import barcode, torsion
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.shapes import shape
from tests.proof.certificates import altered, assert_needs_its_files, assert_refused, dropped


def written(root: Path, network: Network, space: Manifold, **options: Any) -> Path:
    file = root / "net.json"
    pr.save(network, file)
    found = image(pr.load(file), space, **options)
    return save_images(found, root / "certificate", network_file={"path": "../net.json"})


def squared() -> tuple[Network, Manifold]:
    """A curve of eight edges twice around a square: the covering circle → circle of degree 2."""
    square = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]] * 2)
    octagon = np.array([[2, 1], [1, 2], [-1, 2], [-2, 1], [-2, -1], [-1, -2], [1, -2], [2, -1]])
    space = build_manifold(np.hstack([square, octagon]), [[[k, (k + 1) % 8] for k in range(8)]])
    return Network((affine_layer(np.eye(4)[:2], [0, 0]),)), space


#: (x, y) ↦ (x, |y|), one unit a layer wide enough: a circle goes to an arc.
FOLD = Network(
    (
        relu_layer([[1, 0], [-1, 0], [0, 1], [0, -1]], np.zeros(4)),
        affine_layer([[1, -1, 0, 0], [0, 0, 1, 1]], [0, 0]),
    )
)


def test_a_folded_circle(tmp_path: Path) -> None:
    path = written(tmp_path, FOLD, shape("circle:12"))
    assert is_image(path)
    report = check_image(path)
    assert report.groups == (("Z", "Z"),) * 3 + (("Z", "0"),)
    assert (report.layer, report.doubt) == (2, "")
    assert report.planes > 0


def test_a_covering_of_degree_2(tmp_path: Path) -> None:
    path = written(tmp_path, *squared())
    assert check_image(path).groups == (("Z", "Z"),) * 3
    over_two = written(below(tmp_path), *squared(), coefficients=2)
    bars = json.loads((over_two / "certificate.json").read_text())["bars"]
    # modulo 2 the class dies and another one is born
    assert {(b["degree"], b["birth"], b["death"]) for b in bars if b["degree"]} == {
        (1, 0, 2),
        (1, 2, None),
    }
    assert check_image(over_two).groups[2] == ("F2", "F2")


def below(path: Path) -> Path:
    (path / "second").mkdir()
    return path / "second"


@pytest.mark.parametrize("seed", range(5))
def test_curves_in_random_networks(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    network = Network(
        (
            relu_layer(random.normal(size=(3, 2)), random.normal(size=3) / 2),
            relu_layer(random.normal(size=(3, 3)), random.normal(size=3) / 2, slope=0.25),
            affine_layer(random.normal(size=(2, 3)), np.zeros(2)),
        )
    )
    report = check_image(written(tmp_path, network, shape("circle:15")))
    assert report.groups == tuple(
        tuple(image(network, shape("circle:15")).groups(k).groups) for k in (None, 0, 1, 2, 3)
    )


@pytest.mark.parametrize("seed", range(3))
def test_surfaces_in_random_networks(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    whole = seed == 1  # small integers: coplanar overlaps and common sides
    weights = [random.normal(size=(3, 3)), random.normal(size=(2, 3))]
    if whole:
        weights = [np.round(2 * w) for w in weights]
    network = Network(
        (relu_layer(weights[0], [0.25, -0.5, 0]), affine_layer(weights[1], np.zeros(2)))
    )
    report = check_image(written(tmp_path, network, shape("torus:5")))
    assert report.groups[0] == ("Z", "Z^2", "Z")
    assert report.doubt == ""


def test_torsion(tmp_path: Path) -> None:
    # the six-vertex projective plane in general position in R^5, and a projection of it to R^4
    facets = [[0, 1, 2], [0, 2, 3], [0, 1, 5], [0, 4, 5], [0, 3, 4]]
    facets += [[1, 2, 4], [1, 3, 4], [1, 3, 5], [2, 3, 5], [2, 4, 5]]
    points = np.concatenate([np.zeros((1, 5)), np.eye(5)])
    space = build_manifold(points, [facets])
    report = check_image(written(tmp_path, Network((affine_layer(np.eye(5), np.ones(5)),)), space))
    assert report.groups == (("Z", "Z/2", "0"),) * 3


def test_pieces_of_several_dimensions(tmp_path: Path) -> None:
    # a triangle, a segment through it and a point beside it: glued by a projection
    points = [[0, 0, 0], [4, 0, 0], [0, 4, 0], [-1, 1, 1], [3, 1, 1], [9, 9, 9]]
    space = build_manifold(points, [[[5]], [[3, 4]], [[0, 1, 2]]])
    network = Network((affine_layer([[1, 0, 0], [0, 1, 0]], [0, 0]),))
    report = check_image(written(tmp_path, network, space))
    assert report.groups == (("Z^3", "0", "0"),) * 2 + (("Z^2", "0", "0"),)


def test_what_is_not_decided(tmp_path: Path) -> None:
    report = check_image(written(tmp_path, FOLD, shape("circle:9"), most_cells=18))
    assert report.doubt == "layers 1 to 2 are not decided"
    report = check_image(written(below(tmp_path), FOLD, shape("circle:12"), seconds=0.0))
    assert report.groups in {(("Z", "Z"),) * n for n in (1, 2)}


@pytest.mark.parametrize("exponent", [-500, 500])
def test_extreme_scales(tmp_path: Path, exponent: int) -> None:
    layers = (relu_layer(np.eye(2) * 2.0**exponent, np.zeros(2), slope=-1),)
    report = check_image(written(tmp_path, Network(layers), shape("circle:8")))
    assert report.groups[-1] == ("Z", "0")


def test_solids_have_no_certificate(tmp_path: Path) -> None:
    space = build_manifold(np.concatenate([np.zeros((1, 3)), np.eye(3)]), [[[0, 1, 2, 3]]])
    network = Network((affine_layer(np.eye(3), np.zeros(3)),))
    with pytest.raises(UnsupportedError, match="curves and surfaces"):
        written(tmp_path, network, space)


# --- the homology of the checker -------------------------------------------------------------


def test_invariant_factors() -> None:
    assert torsion([{0: 2}, {1: 6}, {2: 1}]) == (2, 6)
    assert torsion([{0: 1, 1: 1}, {0: 1, 1: -1}]) == (2,)
    assert torsion([{0: 4}, {1: 6}]) == (2, 12)
    assert torsion([]) == ()


@pytest.mark.parametrize("degree", [2, 3, 6])
def test_coverings_of_a_circle(degree: int) -> None:
    def circle(n: int) -> list[list[dict[int, int]]]:
        return [[{} for _ in range(n)], [{k: -1, (k + 1) % n: 1} for k in range(n)], []]

    n = 3 * degree
    wrapped = [[{k % 3: 1} for k in range(n)], [{k % 3: 1} for k in range(n)], []]
    for prime in (0, 2, 3):
        found = barcode([circle(n), circle(3)], [wrapped], prime)
        dies = bool(prime) and degree % prime == 0
        loops = {(1, 0, 1): 1, (1, 1, None): 1} if dies else {(1, 0, None): 1}
        assert found == Counter({(0, 0, None): 1, **loops})


# --- false certificates -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    cylinder = Network((relu_layer(np.eye(3), [0, 0, -0.25], slope=-1),))
    return {
        "circle": written(tmp_path_factory.mktemp("circle"), FOLD, shape("circle:12")),
        "sphere": written(tmp_path_factory.mktemp("sphere"), cylinder, shape("sphere:1")),
    }


def entry(name: str, row: int, value: Any) -> Callable[[dict[str, list[Any]]], None]:
    return lambda columns: columns[name].__setitem__(row, value)


def added(**values: Any) -> Callable[[dict[str, list[Any]]], None]:
    def change(columns: dict[str, list[Any]]) -> None:
        for name, column in columns.items():
            column.append(values[name])

    return change


def copied(columns: dict[str, list[Any]]) -> None:
    columns["x"][1] = columns["x"][0]


def extended(columns: dict[str, list[Any]]) -> None:
    columns["edges"][0] = [*columns["edges"][0], columns["edges"][0][-1]]
    columns["signs"][0] = [*columns["signs"][0], -columns["signs"][0][-1]]


def shortened(columns: dict[str, list[Any]]) -> None:
    columns["edges"][0], columns["signs"][0] = columns["edges"][0][:-1], columns["signs"][0][:-1]


def negated(columns: dict[str, list[Any]]) -> None:
    near = columns["normal"]
    row = next(i for i, w in enumerate(near) if w is not None)
    near[row] = [-v for v in near[row]]


def twice(columns: dict[str, list[Any]]) -> None:
    columns["faces"][0] = [*columns["faces"][0], columns["faces"][0][0]]


def exchanged(columns: dict[str, list[Any]]) -> None:
    columns["faces"][0], columns["faces"][1] = columns["faces"][1], columns["faces"][0]


def crossed(columns: dict[str, list[Any]]) -> None:
    face = columns["vertices"][0]
    other = next(v for v in columns["vertices"][-1] if v not in face)
    columns["vertices"][0] = [other, *face[1:]]


def emptied(columns: dict[str, list[Any]]) -> None:
    columns["faces"][0] = []


def other_signs(columns: dict[str, list[Any]]) -> None:
    columns["signs"][0] = bytes(len(columns["signs"][0]))


def bar(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda s: change(s["bars"][-1])


@pytest.mark.parametrize(
    ("case", "name", "change", "reason"),
    [
        ("circle", "points_1", copied, "two vertices are one point"),
        ("circle", "points_1", entry("x", 0, ["1/3", "0", "0", "0"]), "hyperplane|not go to a"),
        ("circle", "points_1", entry("x", 0, ["1"]), "does not lie in"),
        ("circle", "points_1", added(x=["7", "7", "7", "7"]), "the image of nothing"),
        ("circle", "points_1", dropped, "names a vertex that does not exist"),
        ("circle", "edges_1", dropped, "walk|nothing separates|does not hold|does not exist"),
        ("circle", "edges_1", added(first=0, second=0), "one end only"),
        ("circle", "edges_1", added(first=0, second=99), "names a vertex that does not exist"),
        ("circle", "edges_2", added(first=0, second=2), "nothing separates|does not hold"),
        ("circle", "paths_1", dropped, "the walks are not those of the edges"),
        ("circle", "paths_1", shortened, "ends too early"),
        ("circle", "paths_1", extended, "goes on after its end"),
        ("circle", "paths_1", entry("edges", 0, [99]), "ends too early"),
        ("circle", "paths_1", entry("signs", 0, [3]), "ends too early|not a complete"),
        ("circle", "paths_1", entry("signs", 0, [-1]), "leaves the image"),
        ("circle", "planes_1", dropped, "nothing separates"),
        ("circle", "planes_1", negated, "does not hold"),
        ("circle", "planes_1", entry("normal", 0, [1.0]), "does not hold"),
        ("circle", "planes_1", entry("first", 0, -1), "a cell that does not exist"),
        ("circle", "facets", entry("corners", 0, [0, 0]), "repeats a vertex"),
        ("circle", "facets", entry("corners", 0, [0, 1, 2, 3]), "tetrahedra"),
        ("circle", "points", added(x=[5.0, 5.0]), "no vertex of the manifold"),
        ("circle", "points", entry("x", 0, [5.0, 5.0]), "not go to a vertex"),
        ("circle", None, lambda s: s["groups"][3].__setitem__(1, "Z"), "groups of the images"),
        ("circle", None, lambda s: s["groups"].pop(), "groups of the images"),
        ("circle", None, bar(lambda b: b.update(death=None)), "the barcode"),
        ("circle", None, bar(lambda b: b.update(count=2)), "the barcode"),
        ("circle", None, lambda s: s["bars"].pop(), "the barcode"),
        ("circle", None, lambda s: s.update(layers=1), "the barcode"),
        ("circle", None, lambda s: s.update(layers=3), "is no layer"),
        ("circle", None, lambda s: s.update(coefficients="9"), "no prime"),
        ("circle", None, lambda s: s.update(coefficients="-3"), "no prime"),
        ("circle", None, lambda s: s.update(coefficients=str(2**127 - 1)), "groups of the images"),
        ("circle", None, lambda s: s.update(coefficients="2"), "groups of the images"),
        ("circle", None, lambda s: s.update(degrees=1), "the barcode"),
        ("circle", None, lambda s: s.update(degrees=5), "5 degrees"),
        ("sphere", "faces_1", dropped, "nothing|does not|doubled|exist"),
        (
            "sphere",
            "faces_1",
            crossed,
            "nothing separates|does not|no side|not ",
        ),
        ("sphere", "faces_1", entry("vertices", 0, [0, 1]), "is no polygon"),
        ("sphere", "faces_1", entry("vertices", 0, [0, 1, 0]), "is no polygon"),
        ("sphere", "areas_1", twice, "listed twice"),
        ("sphere", "areas_1", emptied, "do not fill"),
        ("sphere", "areas_1", exchanged, "does not lie in the image of its part"),
        ("sphere", "areas_1", other_signs, "do not fill"),
        ("sphere", "areas_1", entry("faces", 0, [999]), "listed twice or do not exist"),
        ("sphere", "areas_1", added(face=0, signs=b"\1\1\1\1", faces=[0]), "does not exist"),
    ],
)
def test_false_certificates_are_rejected(
    tmp_path: Path,
    proofs: dict[str, Path],
    case: str,
    name: str | None,
    change: Callable[[Any], Any],
    reason: str,
) -> None:
    path = altered(proofs[case], tmp_path, name and f"{name}.parquet", change)
    assert_refused(check_image, path, reason)


def test_files_that_are_missing_or_of_another_kind(tmp_path: Path, proofs: dict[str, Path]) -> None:
    path = assert_needs_its_files(
        check_image,
        proofs["circle"],
        tmp_path,
        other=Network((affine_layer(np.eye(2), [0, 0]),)),
        table="areas_2.parquet",
        key="polyrank_image",
    )
    (path / "certificate.json").write_text("nothing")
    assert not is_image(path)
    assert not is_image(tmp_path)
