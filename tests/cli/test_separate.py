"""``polyrank separate``: what is printed, exit statuses, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Outcome


@pytest.fixture
def folding(tmp_path: Path) -> Path:
    """(x, y) ↦ (|x|, |y|) ↦ (3 − s, s − 3) with s = |x| + |y|."""
    path = tmp_path / "folding.json"
    layers = [
        {"weight": [[1, 0], [0, 1]], "bias": [0, 0], "activation": "abs"},
        {"weight": [[-1, -1], [1, 1]], "bias": ["7/4", "-7/4"]},
    ]
    path.write_text(json.dumps({"layers": layers}), encoding="utf-8")
    return path


def test_a_disk_and_its_annulus(polyrank: Callable[..., Outcome], folding: Path) -> None:
    ran = polyrank("separate", folding, "disk-in-annulus:12")
    assert ran.status == 0, ran.err
    assert "classes 0 and 1" in ran.out
    assert "layer 0: no hyperplane, since a convex combination of" in ran.out
    assert "layer 1: (" in ran.out
    assert "certified: every point of M is classified by its label (argmax)" in ran.out
    assert "all of this is about this network on this triangulated M" in ran.out


def test_a_certificate_is_written_and_checked(
    polyrank: Callable[..., Outcome], folding: Path, tmp_path: Path
) -> None:
    target = tmp_path / "c"
    assert polyrank("separate", folding, "disk-in-annulus:12", "-o", target).status == 0
    ran = polyrank("check", target)
    assert ran.status == 0, ran.err
    assert "accepted: 2 classes at the layers 0, 1, 2" in ran.out
    assert "3 apart and 0 with a common point; 2 with a hyperplane and 1 without" in ran.out
    assert "the least margins are those over all of M" in ran.out
    assert "not verified: that layers are one-to-one on M or on R^n" in ran.out
    shown = json.loads(polyrank("check", target, "--json").out)
    assert (shown["verdict"], shown["apart"], shown["margins"]) == ("accepted", 3, True)
    again = polyrank("separate", folding, "disk-in-annulus:12", "-o", target)
    assert again.status == 1
    assert "exists already" in again.err
    stated = json.loads((target / "certificate.json").read_text())
    stated["pairs"][0]["layers"][1]["distance_at_least"] = "7"
    (target / "certificate.json").write_text(json.dumps(stated))
    assert polyrank("check", target).status == 4
    polyrank("separate", folding, "disk-in-annulus:12", "--time", "0", "-o", tmp_path / "d")
    ran = polyrank("check", tmp_path / "d")
    assert ran.status == 3
    assert "questions are not decided" in ran.out


def test_the_object(polyrank: Callable[..., Outcome], folding: Path) -> None:
    ran = polyrank("separate", folding, "disk-in-annulus:12", "--json")
    shown = json.loads(ran.out)
    assert shown["decided"] is True
    (pair,) = shown["pairs"]
    assert pair["separable_layers"] == [1, 2]
    assert pair["first_layer_that_meets"] is None
    assert [row["images"] for row in pair["layers"]] == ["disjoint"] * 3
    assert shown["classification"]["certified"] is True
    assert shown["layers_on_space"][0]["kind"] == "not one-to-one"


def test_a_meeting(polyrank: Callable[..., Outcome], plane: Path) -> None:
    """One output that is 0 on a quadrant: both classes are there."""
    ran = polyrank("separate", plane, "disk-in-annulus:12")
    assert ran.status == 0
    assert "they meet from layer 1 on" in ran.out
    assert "  x' = " in ran.out
    assert "refuted: not every point of M is classified by its label" in ran.out


def test_linking_numbers(polyrank: Callable[..., Outcome], tmp_path: Path) -> None:
    path = tmp_path / "space.npz"
    np.savez(path, W0=np.eye(3)[::-1], b0=np.zeros(3))
    ran = polyrank("separate", path, "linked-tori:6", "--classes", "components")
    assert ran.status == 0
    assert "components 0 and 1" in ran.out
    assert "no classification: the classes are components of M, no labels" in ran.out
    rows = [line.split() for line in ran.out.splitlines() if line.strip()[:1] in "01"]
    assert [row[-1] for row in rows[:2]] == ["1", "-1"]  # W has determinant −1
    off = polyrank("separate", path, "linked-tori:6", "--no-linking", "--json")
    assert json.loads(off.out)["pairs"][0]["layers"][0]["no_linking"] == "not asked for"


def test_a_change_of_the_linking_number(polyrank: Callable[..., Outcome], tmp_path: Path) -> None:
    t = 2 * np.pi * np.arange(12) / 12
    flat = np.round(np.stack([np.cos(t), np.sin(t), 0 * t], axis=1) * 256) / 256
    other = flat[:, [0, 2, 1]] + np.array([1.0, 0, 0])
    i = np.arange(12)
    edges = np.stack([i, (i + 1) % 12], axis=1)
    np.savez(
        tmp_path / "hopf.npz",
        points=np.concatenate([flat, other]),
        simplices=np.concatenate([edges, edges + 12]),
        labels=np.repeat([0, 1], 12),
    )
    layer = {"weight": [[1, 0, 0], [0, 1, 0], [0, 2, 1]], "bias": [9, 9, 0.25]}
    net = tmp_path / "net.json"
    net.write_text(json.dumps({"layers": [{**layer, "activation": "abs"}]}), encoding="utf-8")
    ran = polyrank("separate", net, tmp_path / "hopf.npz")
    assert ran.status == 0, ran.err
    assert "the linking number changes between layers 0 and 1" in ran.out


def test_rings_and_only_some_classes(polyrank: Callable[..., Outcome], tmp_path: Path) -> None:
    t = 2 * np.pi * np.arange(8) / 8
    flat = np.round(np.stack([np.cos(t), np.sin(t), 0 * t], axis=1) * 256) / 256
    moves = [(0, [0, 1, 2]), (1, [0, 2, 1]), (10, [0, 1, 2]), (11, [0, 2, 1])]
    rings = [flat[:, order] + np.array([x, 0, 0]) for x, order in moves]
    i = np.arange(8)
    ring = np.stack([i, (i + 1) % 8], axis=1)
    labels = np.append(np.repeat([0, 1, 0, 1], 8), 5)
    np.savez(
        tmp_path / "rings.npz",
        points=np.concatenate([*rings, [[50.0, 0, 0], [51.0, 0, 0]]]),
        simplices=np.concatenate([*(ring + 8 * k for k in range(4)), [[32, 33]]]),
        labels=labels,
    )
    np.savez(tmp_path / "net.npz", W0=np.eye(3), b0=np.zeros(3))
    ran = polyrank(
        "separate", tmp_path / "net.npz", tmp_path / "rings.npz", "--class", 0, "--class", 1
    )
    assert ran.status == 0, ran.err
    assert "1 simplices are in none of the classes: nothing is said of them" in ran.out
    assert "1 (x2)" in ran.out


def test_a_skeleton_is_called_one(
    polyrank: Callable[..., Outcome], folding: Path, tmp_path: Path
) -> None:
    grid = np.array([[x, y] for x in (0.0, 1.0) for y in (0.0, 1.0)])
    np.save(tmp_path / "cloud.npy", np.concatenate([grid, grid + [5, 0]]))  # noqa: RUF005
    np.save(tmp_path / "labels.npy", np.repeat([0, 1], 4))
    cloud = [tmp_path / "cloud.npy", "--rips", "2", "--labels", tmp_path / "labels.npy"]
    whole = polyrank("separate", folding, *cloud)
    assert whole.status == 0, whole.err
    assert "skeleton" not in whole.out
    part = polyrank("separate", folding, *cloud, "--max-dimension", "1")
    assert "M is a skeleton: nothing is said of the simplices above its dimension" in part.out
    shown = json.loads(polyrank("separate", folding, *cloud, "--max-dimension", "1", "--json").out)
    assert shown["manifold"]["skeleton"] is True


def test_undecided(polyrank: Callable[..., Outcome], folding: Path) -> None:
    ran = polyrank("separate", folding, "disk-in-annulus:12", "--time", "0", "--layer", "0")
    assert ran.status == 3
    assert "not decided" in ran.out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["circle:8"], 1, "circle has 1 components; two or more are needed"),
        (["disk-in-annulus:8", "--layer", "7"], 1, "layer 7 must be between 0 and 2"),
        (["linked-tori:5"], 1, "lies in R^3, but the network takes 2 inputs"),
        (["disk-in-annulus:8", "--classes", "x"], 2, "Invalid value"),
        (["disk-in-annulus:8", "--class", "0"], 1, "has 1 labels; two or more are needed"),
        (["disk-in-annulus:8", "--class", "9"], 1, "has no class 9 (labels); it has 0, 1"),
        (["disk-in-annulus:8", "--labels", "x.npy"], 2, "--labels goes with --alpha or --rips"),
        (["nothing.off"], 1, "nothing.off"),
    ],
)
def test_refusals(
    polyrank: Callable[..., Outcome],
    folding: Path,
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    ran = polyrank("separate", folding, *arguments)
    assert ran.status == status
    assert message in ran.err
    assert "Traceback" not in ran.err
