"""``polyrank complex``."""

from __future__ import annotations

import json

import numpy as np
import pytest


def test_json_is_one_object(polyrank, plane, tmp_path):
    found = polyrank(
        "complex", plane, "--box", "-1", "2", "--json", "--volumes", "-o", tmp_path / "cells"
    )
    assert found.status == 0
    shown = json.loads(found.out)
    # three lines, their triangle inside the square, one of them through two corners
    assert shown["f_vector"] == [11, 17, 7]
    assert (shown["euler_characteristic"], shown["volume"]) == (1, "9")
    assert (shown["facets_inside"], shown["facets_on_wall"]) == (9, 8)
    assert json.loads((tmp_path / "cells" / "complex.json").read_text())["f_vector"] == [11, 17, 7]


def test_text_of_a_level_set(polyrank, plane, tmp_path):
    found = polyrank(
        "complex", plane, "--box", "-1", "2", "--level", "1/2", "--picture", tmp_path / "a.png",
        "--mesh", tmp_path / "a.vtp", "--coefficients", "2",
    )  # fmt: skip
    assert found.status == 0
    assert "of dimension 2; certified" in found.out
    assert "Euler characteristic 1;" in found.out
    assert "output 0 = 1/2: cells:" in found.out
    assert "homology over 2: H0 = F2, H1 = 0, H2 = 0" in found.out
    assert f"written to {tmp_path / 'a.png'}" in found.out
    assert (tmp_path / "a.vtp").exists()


def test_boundary_and_volumes(polyrank, tmp_path):
    np.savez(tmp_path / "two.npz", W0=np.eye(2), b0=np.zeros(2))
    found = polyrank(
        "complex", tmp_path / "two.npz", "--box", "-1", "1", "--boundary", "0,1", "--volumes"
    )
    assert found.status == 0
    assert "output 0 = output 1: cells: 2 of dimension 0, 1 of dimension 1" in found.out
    assert "volume of all regions together: 4" in found.out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 1, "needs a bounded domain"),
        (["--box", "-1", "1", "--level", "x"], 2, "'x' is not a rational number"),
        (["--box", "-1", "1", "--level", "0", "--of", "4"], 1, "outputs 0 to 0, got 4"),
        (["--box", "-1", "1", "--boundary", "0"], 2, "two outputs such as 0,1"),
        (["--box", "-1", "1", "--boundary", "0,1", "--level", "0"], 2, "give one of them"),
        (["--box", "-1", "1", "--level", "0", "--coefficients", "4"], 1, "4"),
        (["--box", "-1", "1", "--mesh", "a.stl"], 1, "meshes are written as"),
        (["--box", "-1", "1", "--picture", "a.gif"], 1, "a picture is written as"),
        (["--box", "-1", "1", "--of", "0"], 2, "--of says which output --level means"),
        (["--box", "0", "0"], 1, "of dimension 1 to 3, this one has dimension 0"),
        (["--box", "1", "-1"], 1, "empty"),
    ],
)
def test_refusals(polyrank, plane, arguments, status, message):
    found = polyrank("complex", plane, *arguments)
    assert found.status == status
    assert message in found.err
    assert "Traceback" not in found.err


def test_nothing_is_written_where_something_stands_in_the_way(polyrank, plane, tmp_path):
    cells = tmp_path / "cells"
    missing = tmp_path / "none" / "a.png"
    found = polyrank("complex", plane, "--box", "-1", "1", "-o", cells, "--picture", missing)
    assert (found.status, cells.exists()) == (1, False)
    assert "there is no folder" in found.err
    found = polyrank("complex", plane, "--box", "-1", "1", "-o", cells, "--mesh", missing)
    assert (found.status, cells.exists()) == (1, False)
    cells.mkdir()
    found = polyrank("complex", plane, "--box", "-1", "1", "-o", cells)
    assert found.status == 1
    assert "exists already; name a new directory" in found.err


@pytest.mark.parametrize("options", [[], ["--level", "1"], ["--boundary", "0,1"]])
def test_the_search_shows_its_progress_on_a_terminal_only(polyrank, tmp_path, monkeypatch, options):
    path = tmp_path / "two.npz"
    np.savez(path, W0=np.eye(2), b0=np.zeros(2), W1=np.eye(2), b1=np.zeros(2))
    arguments = ("complex", path, "--box", "-1", "2", *options)
    assert "of the tree" not in polyrank(*arguments).err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert "of the tree" not in polyrank(*arguments, "--json").err
    found = polyrank(*arguments)
    assert found.status == 0
    assert "100.0% of the tree" in found.err
