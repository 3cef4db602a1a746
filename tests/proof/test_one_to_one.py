"""Certificates of one-to-one layers: true ones are accepted, and every false one is rejected."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from flint import fmpq
from hypothesis import given, settings

import polyrank as pr
from polyrank.errors import RunError
from polyrank.image.certificate import save_certificate
from polyrank.image.pieces import pieces
from polyrank.network.normal_form import Network, relu_layer
from polyrank.network.rational import RationalArray
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.proof.one_to_one import check_one_to_one, is_certificate
from polyrank.proof.polytopes import affine_polytopes
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.restriction import restrict
from polyrank.topology.shapes import shape
from tests.proof.certificates import (
    altered,
    assert_needs_its_files,
    assert_refused,
    dropped,
    edited,
    rewritten,
)
from tests.strategies import degenerate_networks


def leaky(*widths: int, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    layers = [
        relu_layer(rng.normal(size=(b, a)), 0.3 * rng.normal(size=b), slope=0.5)
        for a, b in pairwise(widths)
    ]
    return Network(tuple(layers))


def written(root: Path, network: Network, space: Manifold, layer: int | None = None) -> Path:
    file = root / "net.json"
    pr.save(network, file)
    found = pr.homeomorphism(pr.load(file), space, layer=layer)
    return save_certificate(found, root / "certificate", network_file={"path": "../net.json"})


SOLID = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]


@pytest.mark.parametrize(
    ("network", "space"),
    [
        (leaky(2, 2, 3), shape("circle:9")),
        (leaky(3, 3, 3), shape("sphere:2")),
        (leaky(3, 4, 5), shape("torus:5")),
        (leaky(3, 3), shape("sphere-and-circle:2")),
        (leaky(3, 3), build_manifold(SOLID, [[[0, 1, 2, 3], [1, 2, 3, 4]]])),
    ],
)
def test_true_certificates_are_accepted(tmp_path: Path, network: Network, space: Manifold) -> None:
    # leaky networks that do not lose dimensions are one-to-one on all of R^n
    path = written(tmp_path, network, space)
    assert is_certificate(path)
    report = check_one_to_one(path)
    depth = len(network.layers)
    assert (report.layer, report.proved_through, report.refuted_from) == (depth, depth, None)
    assert report.doubt == ""
    assert report.pieces == pieces(restrict(network, space), depth).count
    assert report.pairs > 0


FOLD = Network(
    (
        relu_layer([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], np.zeros(4)),
        relu_layer([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]], np.zeros(2), slope=1),
    )
)


def test_a_fold_is_accepted_with_its_first_layer(tmp_path: Path) -> None:
    report = check_one_to_one(written(tmp_path, FOLD, shape("circle:12")))
    assert (report.proved_through, report.refuted_from, report.doubt) == (1, 2, "")


def test_points_that_are_no_floats(tmp_path: Path) -> None:
    thirds = RationalArray.from_rationals(["1/3", "0", "0", "1/3", "-1/3", "-1/3"], (3, 2))
    triangle = build_manifold(thirds, [[[0, 1], [1, 2], [0, 2]]])
    report = check_one_to_one(written(tmp_path, FOLD, triangle, layer=1))
    assert report.proved_through == 1


def test_hyperplanes_that_only_rationals_find(tmp_path: Path) -> None:
    # two triangles on an edge whose wings are 2^-60 apart: floats do not prove that
    space = build_manifold(
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 2.0**-60]], [[[0, 1, 2], [0, 1, 3]]]
    )
    network = Network.from_arrays([np.eye(3)], [np.ones(3)])
    path = written(tmp_path, network, space, layer=1)
    exact = pq.read_table(path / "pairs.parquet")["normal_exact"].to_pylist()
    assert exact[0] is not None
    assert check_one_to_one(path).proved_through == 1


def test_what_is_not_decided(tmp_path: Path) -> None:
    file = tmp_path / "net.json"
    pr.save(FOLD, file)
    found = pr.homeomorphism(pr.load(file), shape("circle:12"), seconds=0.0)
    path = save_certificate(found, tmp_path / "certificate", network_file={"path": "../net.json"})
    report = check_one_to_one(path)
    assert report.doubt == "layer 2 is not decided"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"first_layer": 2}, "first layer"),
        ({"by_layer": ["one-to-one", "one-to-one", "not one-to-one"]}, "of the layers"),
        ({"by_layer": ["one-to-one", "one-to-one", "one-to-one"]}, "of the layers"),
    ],
)
def test_true_words_that_nothing_proves_are_not_decided(tmp_path, change, reason):
    """Layer 2 is left open: what is said of it is neither proved nor shown to be false."""
    file = tmp_path / "net.json"
    pr.save(FOLD, file)
    found = pr.homeomorphism(pr.load(file), shape("circle:12"), seconds=0.0)
    path = save_certificate(found, tmp_path / "certificate", network_file={"path": "../net.json"})
    edited(path, lambda s: s.update(change))
    with pytest.raises(NotDecidedError, match=reason):
        check_one_to_one(path)


@given(degenerate_networks())
@settings(max_examples=20)
def test_the_polytopes_are_the_pieces(network: Network) -> None:
    # two ways to the same cells: all at once with shared faces, and one simplex at a time
    if network.input_dim not in (2, 3):
        return
    space = (
        shape("disk:3")
        if network.input_dim == 2
        else build_manifold(SOLID, [[[0, 1, 2, 3], [1, 2, 3, 4]]])
    )
    restriction = restrict(network, space)
    for layer in range(len(network.layers) + 1):
        own = pieces(restriction, layer)
        want = {
            (own.signs(i).tobytes(), tuple(own.simplex(i))): {
                tuple(own.exact(v)) for v in own.vertices(i).tolist()
            }
            for i in range(own.count)
        }
        got = {}
        for simplex in space.simplices[-1].tolist():
            corners = [space.point(v) for v in simplex]
            for part in affine_polytopes(network, layer, corners):
                key = np.array(part.signs, np.int8).tobytes(), tuple(simplex)
                assert key not in got
                got[key] = {tuple(row) for row in part.images.tolist()}
                assert all(sum(w, fmpq(0)) == 1 for w in part.weights)
        assert got == want


# --- false certificates -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a figure that has a proved layer and a pair of points with one image."""
    return written(tmp_path_factory.mktemp("true"), FOLD, shape("circle:12"))


def doubled(columns: dict[str, list[Any]]) -> None:
    for column in columns.values():
        column.append(column[0])


def facet_of(corners: list[int]) -> Callable[[dict[str, list[Any]]], Any]:
    def change(columns: dict[str, list[Any]]) -> None:
        columns["corners"][0] = corners

    return change


def other_point(stated: dict[str, Any]) -> None:
    stated["collision"]["points"][1] = stated["collision"]["points"][0]


def moved_point(stated: dict[str, Any]) -> None:
    own = stated["collision"]["points"][0]
    own["point"] = [f"{v}1" for v in own["point"]]


def shifted_point(stated: dict[str, Any]) -> None:
    # (1, 0), which is the only point with its image
    own = stated["collision"]["points"][0]
    own.update(simplex=[0], weights=["1"], point=["1", "0"])


def weights(*values: str) -> Callable[[dict[str, Any]], Any]:
    return lambda s: s["collision"]["points"][0].update(
        simplex=[0, 1][: len(values)], weights=list(values)
    )


def sign_changed(columns: dict[str, list[Any]]) -> None:
    columns["signs"][0] = bytes(255 if b == 1 else 1 for b in columns["signs"][0])


def normal_changed(columns: dict[str, list[Any]]) -> None:
    columns["normal"][0] = [-v for v in columns["normal"][0]]


def normal_shortened(columns: dict[str, list[Any]]) -> None:
    columns["normal"][0] = columns["normal"][0][:-1]


def facet_dropped(columns: dict[str, list[Any]]) -> None:
    del columns["corners"][-1]


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("pairs.parquet", dropped, "nothing separates the images of pieces"),
        ("pairs.parquet", normal_changed, "the hyperplane of pieces"),
        ("pairs.parquet", normal_shortened, "the hyperplane of pieces"),
        ("pairs.parquet", lambda c: c["first"].__setitem__(0, 99), "a piece that does not exist"),
        ("pairs.parquet", lambda c: c["first"].__setitem__(0, -1), "a piece that does not exist"),
        ("pieces.parquet", dropped, "is not listed"),
        ("pieces.parquet", doubled, "listed twice"),
        ("pieces.parquet", sign_changed, "is not listed"),
        ("facets.parquet", facet_of([0, 0]), "repeats a vertex"),
        ("facets.parquet", facet_of([0, 99]), "no such vertex"),
        ("facets.parquet", facet_of([]), "repeats a vertex"),
        ("facets.parquet", facet_dropped, "a piece is listed that does not exist"),
        ("facets.parquet", lambda c: c["corners"].clear(), "no simplices"),
        ("points.parquet", lambda c: c["x"].__setitem__(0, [1.0]), "input dimension"),
        (None, lambda s: s.update(verdict="one-to-one"), "its proofs not one-to-one"),
        (None, lambda s: s.update(first_layer=1), "its proofs 2"),
        (None, lambda s: s["by_layer"].reverse(), "of the layers, its proofs"),
        (None, lambda s: s["decided"][0].update(verdict="not one-to-one"), "of layer [0-9], its"),
        (None, lambda s: s.update(by_layer=s["by_layer"][:2]), "of the layers, its proofs"),
        (None, lambda s: s.update(collision=None), "its proofs not decided"),
        (None, lambda s: s.update(layer=3), "none of the 2 layers"),
        (None, lambda s: s.update(proved_layer=2), "the hyperplane of pieces"),
        (None, lambda s: s.update(proved_layer=-2), "none of the 2 layers"),
        (
            None,
            lambda s: s.update(
                layer=-1, proved_layer=-1, verdict="one-to-one", collision=None, first_layer=None
            ),
            "none of the 2 layers",
        ),
        (None, lambda s: s["collision"].update(layer=-1), "which does not exist"),
        (None, lambda s: s["collision"].update(layer=3), "which does not exist"),
        (None, other_point, "one point of M"),
        (None, moved_point, "not where its weights say"),
        (None, shifted_point, "not the first at which the two points meet"),
        (None, weights("1/2"), "no barycentric coordinates"),
        (None, weights("3/2", "-1/2"), "no barycentric coordinates"),
        (
            None,
            lambda s: s["collision"]["points"][0].update(simplex=[0, 6], weights=["1/2", "1/2"]),
            "is no simplex",
        ),
        (None, lambda s: s["collision"].update(layer=1), "not the first at which"),
        (None, lambda s: s["collision"].update(image=["1", "1"]), "is another one"),
    ],
)
def test_false_certificates_are_rejected(
    tmp_path: Path, proof: Path, name: str | None, change: Callable[[Any], Any], reason: str
) -> None:
    path = altered(proof, tmp_path, name, change)
    assert_refused(check_one_to_one, path, reason)


def test_a_layer_that_loses_rank_is_not_proved(tmp_path: Path) -> None:
    # the certificate of a layer that is one-to-one, with a later one claimed: a piece collapses
    network = Network((FOLD.layers[0], relu_layer([[1.0, 1.0, 0.0, 0.0]], [0.0])))
    square = build_manifold([[1, 1], [1, 2], [2, 1]], [[[0, 1], [1, 2], [0, 2]]])
    path = written(tmp_path, network, square)
    edited(path, lambda s: s.update(proved_layer=2))
    rewritten(path, "pieces.parquet", lambda c: c.update(signs=[s + b"\x01" for s in c["signs"]]))
    with pytest.raises(ProofRejectedError, match="no full rank"):
        check_one_to_one(path)


def test_files_that_are_missing_or_of_another_kind(tmp_path: Path, proof: Path) -> None:
    path = assert_needs_its_files(
        check_one_to_one,
        proof,
        tmp_path,
        other=leaky(2, 2),
        table="pairs.parquet",
        key="polyrank_certificate",
    )
    (path / "certificate.json").write_text("[]")
    with pytest.raises(RunError, match="not a complete certificate"):
        check_one_to_one(path)


def test_a_network_that_is_not_named_must_be_given(tmp_path: Path, proof: Path) -> None:
    path = altered(proof, tmp_path, None, lambda s: s.update(network_file=None))
    with pytest.raises(RunError, match="does not say where its network is"):
        check_one_to_one(path)
    assert check_one_to_one(path, network=tmp_path / "net.json").refuted_from == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.pop("verdict"),
        lambda s: s.pop("first_layer"),
        lambda s: s.pop("polyrank_certificate"),
        lambda s: s.update(layer=float("inf")),
    ],
)
def test_a_field_that_is_missing_or_no_number(
    tmp_path: Path, proof: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    path = altered(proof, tmp_path, None, change)
    with pytest.raises(RunError, match="not a complete certificate"):
        check_one_to_one(path)


@pytest.mark.parametrize("exponent", [-500, 500])
def test_extreme_scales(tmp_path: Path, exponent: int) -> None:
    scale = 2.0**exponent
    network = Network(
        tuple(relu_layer(np.eye(2) * scale, np.ones(2) * scale, slope=0.5) for _ in range(2))
    )
    assert check_one_to_one(written(tmp_path, network, shape("circle:5"))).proved_through == 2
