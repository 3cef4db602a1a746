"""``polyrank plot``: files that are pictures, what they show, and every refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")


@pytest.fixture
def drawn(polyrank: Any, plane: Path, tmp_path: Path) -> Path:
    run = tmp_path / "run"
    polyrank("enumerate", plane, "--box", "-2", "2", "-o", run, "--graph", "-q")
    return run


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
@pytest.mark.parametrize("colour", ["rank", "linear-region", "class"])
def test_every_kind_of_picture(
    polyrank: Any, drawn: Path, tmp_path: Path, suffix: str, magic: bytes, colour: str
) -> None:
    out = tmp_path / f"map{suffix}"
    done = polyrank("plot", drawn, "-o", out, "--colour", colour, "--layer", "2")
    assert done.status == 0
    assert f"written to {out}" in done.out
    assert out.read_bytes().startswith(magic)


@pytest.mark.parametrize("labelled", [True, False])
def test_data_on_top(polyrank: Any, drawn: Path, tmp_path: Path, labelled: bool) -> None:
    points = np.array([[0.5, 0.5], [-1.0, 1.0], [1.0, -1.0]])
    file = tmp_path / ("data.npz" if labelled else "data.npy")
    if labelled:
        np.savez(file, X=points, y=np.array([0, 1, 1]))
    else:
        np.save(file, points)
    out = tmp_path / "map.svg"
    done = polyrank("plot", drawn, "-o", out, "--points", file, "--window", "-1", "1", "-1/2", "1")
    assert done.status == 0
    text = out.read_text()
    assert ("data of class 1" if labelled else "3 data points") in text
    assert "rank 1" in text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (np.zeros((3, 3)), "points have shape (3, 3) and type float64, expected numbers (m, 2)"),
        (np.zeros(3), "and shape (3,); expected"),
        (np.zeros((0, 2)), "holds no points"),
        (np.array([["a", "b"]]), "expected numbers"),
        (np.array([[0, 1j]]), "expected numbers"),
        (np.array([[0.0, 1.0], [np.nan, 0.0]]), "point 1 is not finite"),
        (np.array([[np.inf, 0.0]]), "point 0 is not finite"),
    ],
)
def test_data_of_another_shape(
    polyrank: Any, drawn: Path, tmp_path: Path, data: Any, says: str
) -> None:
    np.save(tmp_path / "data.npy", data)
    done = polyrank("plot", drawn, "-o", tmp_path / "a.png", "--points", tmp_path / "data.npy")
    assert done.status == 1
    assert says in done.err


def test_labels_that_do_not_fit(polyrank: Any, drawn: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", X=np.zeros((3, 2)), y=np.zeros(2))
    done = polyrank("plot", drawn, "-o", tmp_path / "a.png", "--points", tmp_path / "data.npz")
    assert done.status == 1
    assert "3 points, but labels of shape (2,)" in done.err


def test_data_without_points(polyrank: Any, drawn: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", Z=np.zeros((3, 2)))
    done = polyrank("plot", drawn, "-o", tmp_path / "a.png", "--points", tmp_path / "data.npz")
    assert done.status == 1
    assert "there is no array X of points (m, 2)" in done.err


def test_what_is_refused(polyrank: Any, drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.png"
    assert "written as .png, .svg or .pdf" in polyrank("plot", drawn, "-o", tmp_path / "a.gif").err
    ran = polyrank("plot", drawn, "-o", out, "--layer", "3")
    assert "layer 3 is not part of this run" in ran.err
    done = polyrank("plot", drawn, "-o", out, "--window", "0", "one", "0", "1")
    assert done.status == 2
    assert "'one'" in done.err
    done = polyrank("plot", drawn, "-o", out, "--window", "1", "0", "0", "1")
    assert done.status == 1
    assert "window" in done.err
    done = polyrank("plot", drawn, "-o", out, "--window", "5", "6", "5", "6")
    assert done.status == 1
    assert "the window [5, 6] × [5, 6] misses the domain" in done.err
    done = polyrank("plot", drawn, "-o", tmp_path / "none" / "a.png")
    assert done.status == 1
    assert "there is no folder" in done.err


def test_no_graph_yet(polyrank: Any, plane: Path, tmp_path: Path) -> None:
    polyrank("enumerate", plane, "--box", "-2", "2", "-o", tmp_path / "run", "-q")
    done = polyrank("plot", tmp_path / "run", "-o", tmp_path / "a.png")
    assert done.status == 1
    assert "has no graph yet; make it with: polyrank graph RUN" in done.err


def test_classes_need_the_output_layer(polyrank: Any, plane: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    polyrank(
        "enumerate", plane, "--box", "-2", "2", "-o", run, "--graph", "-q", "--through-layer", "1"
    )
    done = polyrank("plot", run, "-o", tmp_path / "a.png", "--colour", "class")
    assert done.status == 1
    assert "the run goes through layer 1 of 2" in done.err


def test_the_graph_and_a_segment(polyrank: Any, drawn: Path, plane: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.png"
    assert polyrank("plot", drawn, "-o", out, "--graph").status == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    run = tmp_path / "segment"
    points = tmp_path / "ends.csv"
    points.write_text("-1,-1\n1,2\n")
    assert polyrank("slice", plane, "--points", points, "-o", run, "-q").status == 0
    assert polyrank("graph", run, "-q").status == 0
    assert polyrank("plot", run, "-o", tmp_path / "line.svg", "--layer", "1").status == 0
    refused = polyrank("plot", run, "-o", out, "--colour", "class")
    assert refused.status == 2
    assert "--colour, --below, --points and --window are for maps" in refused.err
    assert polyrank("plot", drawn, "-o", out, "--graph", "--below", "1").status == 2


def test_pictures_of_manifolds(polyrank: Any, plane: Path, tmp_path: Path) -> None:
    out = tmp_path / "image.png"
    assert polyrank("image", plane, "circle:12", "--picture", out).status == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    part = tmp_path / "part.svg"
    assert polyrank("homology", plane, "circle:12", "--picture", part, "--below", "2").status == 0
    assert b"<svg" in part.read_bytes()
    for verb in ("image", "homology"):
        refused = polyrank(verb, plane, "circle:12", "--picture", tmp_path / "a.gif")
        assert (refused.status, refused.out) == (1, "")
        assert "written as .png, .svg or .pdf" in refused.err
