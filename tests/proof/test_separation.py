"""Certificates of classes: true ones are accepted, and every false one is rejected."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import polyrank as pr
from polyrank.image.separate import separate
from polyrank.image.separation_certificate import save_separation
from polyrank.lp.deadline import OutOfTimeError
from polyrank.network.normal_form import Network, affine_layer, relu_layer
from polyrank.proof.format import ProofRejectedError
from polyrank.proof.margins import check_margin
from polyrank.proof.separation import check_separation, is_separation
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.shapes import shape
from tests.proof.certificates import altered, assert_needs_its_files, assert_refused, edited

CIRCLE = np.round(np.exp(2j * np.pi * np.arange(12) / 12) * 256) / 256
FLAT = np.stack([CIRCLE.real, CIRCLE.imag, 0 * CIRCLE.real], axis=1)
RING = np.stack([np.arange(12), (np.arange(12) + 1) % 12], axis=1)


def rings(first: np.ndarray, second: np.ndarray) -> Manifold:
    """Two closed curves of twelve edges, labelled 0 and 1."""
    return build_manifold(
        np.concatenate([first, second]),
        [np.concatenate([RING, RING + 12])],
        labels=[np.repeat([0, 1], 12)],
    )


#: A Hopf link, a fold of space that unlinks it, and an output that takes it to a plane.
HOPF = rings(FLAT, FLAT[:, [0, 2, 1]] + np.array([1.0, 0, 0]))
UNLINK = Network(
    (
        relu_layer([[1, 0, 0], [0, 1, 0], [0, 2, 1]], [9, 9, 0.25], slope=-1),
        relu_layer(np.eye(3), [-9, -9, -1], slope=0.5),
        affine_layer([[0, 0, -1], [0, 0, 1]], [0, 0]),
    )
)
#: Two circles that lie beside each other, told apart by the sign of 2 − x.
BESIDE = rings(FLAT[:, :2], FLAT[:, :2] + np.array([4.0, 0]))
SIGN = Network((affine_layer(np.eye(2), [0, 0]), affine_layer([[1, 0]], [-2])))


def written(root: Path, network: Network, space: Manifold, **options: Any) -> Path:
    file = root / "net.json"
    pr.save(network, file)
    found = separate(pr.load(file), space, **options)
    return save_separation(found, root / "certificate", network_file={"path": "../net.json"})


def test_a_link_that_is_undone_and_glued(tmp_path: Path) -> None:
    path = written(tmp_path, UNLINK, HOPF)
    assert is_separation(path)
    report = check_separation(path)
    assert (report.classes, report.layers) == ((0, 1), (0, 1, 2, 3))
    assert (report.apart, report.meeting, report.linked) == (3, 1, 3)
    assert (report.separable, report.inseparable) == (0, 4)
    assert report.margins
    assert report.doubt == ""
    assert report.planes > 0
    assert any("generate" in sentence for sentence in report.unverified)


def test_linking_numbers_in_a_wider_layer(tmp_path: Path) -> None:
    wide = np.array([[1, 0, 0, 1, 0], [0, 1, 0, 1, 1], [0, 0, 1, 0, 1]]).T
    path = written(tmp_path, Network((relu_layer(wide, [9] * 5),)), HOPF)
    assert check_separation(path).linked == 2


def test_circles_with_a_line_between_them(tmp_path: Path) -> None:
    report = check_separation(written(tmp_path, SIGN, BESIDE))
    assert (report.apart, report.separable, report.margins) == (3, 3, True)


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_on_a_disk_and_an_annulus(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    network = Network(
        (
            relu_layer(random.normal(size=(3, 2)), random.normal(size=3) / 2, slope=-1 / 2),
            relu_layer(np.round(random.normal(size=(2, 3))), np.zeros(2)),
        )
    )
    report = check_separation(written(tmp_path, network, shape("disk-in-annulus:8")))
    assert report.apart + report.meeting == 3
    assert report.doubt == ""


def test_one_layer_of_components(tmp_path: Path) -> None:
    path = written(tmp_path, UNLINK, HOPF, layers=[1], classes="components", linking=False)
    report = check_separation(path)
    assert (report.layers, report.linked, report.margins) == ((1,), 0, False)


def test_what_is_not_decided(tmp_path: Path) -> None:
    report = check_separation(written(tmp_path, UNLINK, HOPF, seconds=0.0))
    assert "not decided" in report.doubt


@pytest.mark.parametrize("exponent", [-500, 500])
def test_extreme_scales(tmp_path: Path, exponent: int) -> None:
    network = Network((affine_layer(np.eye(3) * 2.0**exponent, [0, 0, 0]),))
    report = check_separation(written(tmp_path, network, HOPF))
    assert (report.apart, report.linked) == (2, 2)


def test_pieces_that_only_rationals_tell_apart(tmp_path: Path) -> None:
    # two parallel edges 2^-70 apart, beside two that are not
    points = [[0, 0], [1, 0], [0, 2.0**-70], [1, 2.0**-70]]
    space = build_manifold(points, [[[0, 1], [2, 3]]], labels=[[0, 1]])
    network = Network((affine_layer([[1, 1], [0, 1]], [1 / 3, 1 / 3]),))
    path = written(tmp_path, network, space, layers=[1])
    assert check_separation(path).apart == 1


def test_a_distance_by_one_hyperplane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object) -> None:
        raise OutOfTimeError

    monkeypatch.setattr("polyrank.image.class_layer.decide_apart", late)
    report = check_separation(written(tmp_path, SIGN, BESIDE))
    assert (report.apart, report.separable, report.planes) == (3, 3, 0)


# --- false certificates -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    cases = {"hopf": (UNLINK, HOPF), "beside": (SIGN, BESIDE)}
    return {
        name: written(tmp_path_factory.mktemp(name), network, space)
        for name, (network, space) in cases.items()
    }


def row(layer: int, change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda s: change(s["pairs"][0]["layers"][layer])


def margin(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda s: change(s["classification"]["classes"][0])


def doubled_distance(own: dict[str, Any]) -> None:
    own["distance_at_least"] = "100"


def halved_weight(own: dict[str, Any]) -> None:
    own["convex_combinations"]["first"][0]["weight"] = "1/1000"


def other_class(own: dict[str, Any]) -> None:
    own["meeting"]["first"] = own["meeting"]["second"]


def everything_dropped(columns: dict[str, list[Any]]) -> None:
    for column in columns.values():
        column.clear()


def zero_normal(columns: dict[str, list[Any]]) -> None:
    columns["normal"][0] = [0.0] * len(columns["normal"][0])


def shortened(columns: dict[str, list[Any]]) -> None:
    columns["normal"][0] = columns["normal"][0][:-1]


def reversed_normal(columns: dict[str, list[Any]]) -> None:
    columns["normal"][0] = [-v for v in columns["normal"][0]]


def open_loop(stated: dict[str, Any]) -> None:
    del stated["loops"][0]["loops"][0][0]


def no_edge(stated: dict[str, Any]) -> None:
    stated["loops"][0]["loops"][0][0][:2] = [0, 5]


@pytest.mark.parametrize(
    ("case", "name", "change", "reason"),
    [
        ("hopf", "planes.parquet", everything_dropped, "nothing keeps the images"),
        ("hopf", "planes.parquet", zero_normal, "a hyperplane does not keep"),
        ("hopf", "planes.parquet", shortened, "a hyperplane does not keep"),
        ("hopf", "planes.parquet", reversed_normal, "a hyperplane does not keep"),
        ("hopf", "planes.parquet", lambda c: c["first"].__setitem__(0, -1), "does not exist"),
        ("hopf", "planes.parquet", lambda c: c["second"].__setitem__(0, 999), "does not exist"),
        ("hopf", "facets.parquet", lambda c: c["class"].__setitem__(0, 1), "no edge of class"),
        (
            "hopf",
            "facets.parquet",
            lambda c: c.update({"class": [0] * 24}),
            "do not have the class",
        ),
        ("hopf", "facets.parquet", lambda c: c["corners"].__setitem__(0, [0, 0]), "repeats"),
        ("hopf", "points.parquet", lambda c: c["x"].__setitem__(0, [8.0, 8.0, 8.0]), "where its"),
        ("hopf", None, row(0, doubled_distance), "a hyperplane does not keep"),
        ("hopf", None, row(0, lambda r: r.update(distance_at_least="0")), "must be positive"),
        ("hopf", None, row(0, lambda r: r.update(distance_at_least="-1")), "must be positive"),
        ("hopf", None, row(0, halved_weight), "not convex"),
        (
            "hopf",
            None,
            row(0, lambda r: r["convex_combinations"].update(image=["9", "9", "9"])),
            "are not equal",
        ),
        ("hopf", None, row(0, lambda r: r.update(images="meet")), "are stated as|is stated as"),
        ("hopf", None, row(0, lambda r: r.update(images="apart")), "is stated as|no verdict"),
        ("hopf", None, row(0, lambda r: r.update(linearly_separable=True)), "layers are stated"),
        ("hopf", None, row(0, lambda r: r["linking"].update(matrix=[[0]])), "linking numbers of"),
        ("hopf", None, row(0, lambda r: r["linking"].update(elementary_divisors=[2])), "divisors"),
        (
            "hopf",
            None,
            row(0, lambda r: r["linking"].update(coordinates=[0, 1, 1])),
            "of a 3-space",
        ),
        (
            "hopf",
            None,
            row(0, lambda r: r["linking"].update(coordinates=[0, 1, 3])),
            "of a 3-space",
        ),
        ("hopf", None, row(0, lambda r: r["linking"].update(coordinates=[1, 0, 2])), "numbers of"),
        ("hopf", None, row(3, lambda r: r.update(linking={"matrix": [[0]]})), "that may meet"),
        ("hopf", None, row(3, lambda r: r.update(images="disjoint")), "is stated as"),
        ("hopf", None, row(3, other_class), "is no simplex"),
        ("hopf", None, row(3, lambda r: r["meeting"].update(image=["7", "7"])), "not mapped to"),
        ("hopf", None, open_loop, "is not closed"),
        ("hopf", None, no_edge, "no edge of class"),
        ("hopf", None, lambda s: s.update(layers=[0, 1, 2]), "are not"),
        ("hopf", None, lambda s: s.update(layers=[0, 1, 2, 4]), "there are no layers"),
        ("hopf", None, lambda s: s.update(classes=[0]), "two classes"),
        ("hopf", None, lambda s: s.update(classes=[0, 2]), "do not have the classes"),
        ("hopf", None, lambda s: s.update(pairs=[]), "the pairs of classes"),
        ("hopf", None, lambda s: s.update(decided=False), "misstates"),
        ("hopf", None, lambda s: s.update(simplices_without_class=1), "0 simplices have none"),
        ("hopf", None, lambda s: s["pairs"][0].update(first_layer_that_meets=2), "rows say 3"),
        ("hopf", None, margin(lambda m: m.update(least_margin="0")), "the least margin of class"),
        ("hopf", None, margin(lambda m: m.update(output=["0", "0"])), "is another one"),
        ("hopf", None, margin(lambda m: m.update({"class": 1})), "is no simplex|are not those"),
        ("hopf", None, lambda s: s["classification"].update(certified=True), "does not follow"),
        ("hopf", None, lambda s: s["classification"].update(rule="sign"), "rule"),
        ("hopf", None, lambda s: s.update(classes_by="components"), "not classified"),
        ("beside", None, row(0, lambda r: r["hyperplane"].update(offset="9999")), "does not lie"),
        ("beside", None, row(0, lambda r: r["hyperplane"].update(normal=["0", "1"])), "does not"),
        ("beside", None, row(0, doubled_distance), "nothing keeps|does not keep"),
        ("beside", None, lambda s: s["pairs"][0].update(separable_layers=[0]), "rows say"),
        ("beside", None, lambda s: s["classification"].update(certified=False), "not follow"),
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
    path = altered(proofs[case], tmp_path, name, change)
    assert_refused(check_separation, path, reason)


def test_margins_of_a_layer_that_is_not_checked(tmp_path: Path, proofs: dict[str, Path]) -> None:
    path = written(tmp_path, UNLINK, HOPF, layers=[0])
    stated = json.loads((proofs["hopf"] / "certificate.json").read_text())["classification"]
    edited(path, lambda s: s.update(classification=stated))
    with pytest.raises(ProofRejectedError, match="not the output layer"):
        check_separation(path)


def test_labels_that_are_no_outputs(proofs: dict[str, Path]) -> None:
    for classes, reason in (([0, 1, 2], "one output tells"), ([0, 5], "is no output")):
        case = "beside" if len(classes) == 3 else "hopf"
        stated = json.loads((proofs[case] / "certificate.json").read_text())
        own = stated["classification"]["classes"][0] | {"class": classes[-1]}
        with pytest.raises(ProofRejectedError, match=reason):
            check_margin(own, classes, [], [0] * (1 if case == "beside" else 2))


def test_files_that_are_missing_or_of_another_kind(tmp_path: Path, proofs: dict[str, Path]) -> None:
    path = assert_needs_its_files(
        check_separation,
        proofs["hopf"],
        tmp_path,
        other=SIGN,
        table="planes.parquet",
        key="polyrank_separation",
    )
    (path / "certificate.json").write_text("nothing")
    assert not is_separation(path)
    assert not is_separation(tmp_path)


def test_the_planes_name_few_pieces(proofs: dict[str, Path]) -> None:
    planes = pq.read_table(proofs["hopf"] / "planes.parquet")
    pieces = pq.read_table(proofs["hopf"] / "pieces.parquet")
    used = set(planes["first"].to_pylist()) | set(planes["second"].to_pylist())
    assert used == set(range(pieces.num_rows))
