"""``polyrank restrict``."""

from __future__ import annotations

import json

import numpy as np
import pytest


def test_cells_of_a_disk(polyrank, plane, tmp_path):
    """Three lines in general position cut the disk of radius 1."""
    out = tmp_path / "cells"
    ran = polyrank("restrict", plane, "disk:12", "-o", out)
    assert ran.status == 0
    assert "certified: no cell is missing, none is invented" in ran.out
    assert "Euler characteristic 1, of the manifold 1" in ran.out
    assert f"written to {out}" in ran.out
    assert (out / "manifest.json").exists()
    again = polyrank("restrict", plane, "disk:12", "-o", out)
    assert again.status == 1
    assert "exists already" in again.err


def test_json(polyrank, plane):
    ran = polyrank("restrict", plane, "disk:12", "--json", "--through-layer", "1")
    shown = json.loads(ran.out)
    assert len(shown["tangent_rank_histogram"]) == 1
    assert shown["manifold"]["simplices"][0] == 25
    assert shown["cells"][2] == shown["maximal_cells"][2]
    assert shown["output"] is None


def test_a_file_and_a_class(polyrank, plane, tmp_path):
    path = tmp_path / "two.npz"
    points = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    np.savez(path, points=points, simplices=[[0, 1, 2], [1, 2, 3]], labels=[0, 1])
    ran = polyrank("restrict", plane, path, "--class", "1", "--json")
    assert json.loads(ran.out)["manifold"]["name"] == "two, class 1"


def test_point_clouds(polyrank, plane, tmp_path):
    pytest.importorskip("gudhi")
    t = 2 * np.pi * np.arange(12) / 12
    np.save(tmp_path / "ring.npy", np.stack([np.cos(t), np.sin(t)], 1))
    np.save(tmp_path / "labels.npy", np.repeat([0, 1], 6))
    for option in ("--alpha", "--rips"):
        ran = polyrank("restrict", plane, tmp_path / "ring.npy", option, "0.3")
        assert ran.status == 0
        assert "an approximation of what they were sampled from" in ran.out
    ran = polyrank(
        "restrict", plane, tmp_path / "ring.npy", "--alpha", "0.3", "--labels",
        tmp_path / "labels.npy", "--class", "0", "--json",
    )  # fmt: skip
    assert json.loads(ran.out)["manifold"]["simplices"][0] == 6


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["torus:8"], 1, "torus lies in R^3, but the network takes 2 inputs"),
        (["circle:2"], 1, "resolution of a circle must be 3"),
        (["nothing.off"], 1, "no such file"),
        (["circle:8", "--through-layer", "9"], 1, "layer 9 must be between 1 and 2"),
        (["circle:8", "--class", "3"], 1, "has the label 3"),
        (["x.npy", "--alpha", "1", "--rips", "1"], 2, "exclude each other"),
        (["circle:8", "--labels", "l.npy"], 2, "--labels goes with --alpha or --rips"),
        (["x.npy", "--alpha", "1"], 1, "cannot read x.npy"),
        (["circle:8", "--max-dimension", "2"], 2, "--max-dimension goes with --alpha or --rips"),
        (["circle:8", "--low-rank", "all"], 2, "--low-rank and --ambient go with --below"),
        (["circle:8", "--below", "2", "--low-rank", "some"], 2, "is not one of"),
        (["circle:8", "--below", "0"], 1, "no cell has rank < 0"),
    ],
)
def test_refused(polyrank, plane, arguments, status, message):
    ran = polyrank("restrict", plane, *arguments)
    assert ran.status == status
    assert message in " ".join(ran.err.split())


def test_the_low_rank_part(polyrank, plane):
    """x ↦ three units on a circle: at rank 1 every segment has low rank, few are collapsed."""
    ran = polyrank("restrict", plane, "circle:12", "--below", "2", "--low-rank", "all", "--json")
    part = json.loads(ran.out)["low_rank"]
    cells = json.loads(ran.out)["cells"]
    assert part["low_rank_cells"] == "all"
    assert part["layers"][0] == {"cells": [0, cells[1]], "components": 1}
    ran = polyrank("restrict", plane, "circle:12", "--below", "1")
    assert "A (collapsing), r = 0: the maximal cells of rank at most r whose image" in ran.out
    assert "components of A" in ran.out


def test_points_in_one_place_are_merged_on_request(polyrank, plane, tmp_path):
    path = tmp_path / "square.json"
    points = [[0, 0], [1, 0], [0, 1], [1, 0], [0, 1], [1, 1]]
    path.write_text(json.dumps({"points": points, "facets": [[0, 1, 2], [3, 4, 5]]}))
    ran = polyrank("restrict", plane, path)
    assert "6 vertices lie in 4 places" in ran.out
    assert "Euler characteristic 2" in ran.out
    ran = polyrank("restrict", plane, path, "--merge-points")
    assert "6 vertices were merged into 4 by coordinates" in ran.out
    assert "Euler characteristic 1" in ran.out


def test_a_triangle_on_a_line(polyrank, plane, tmp_path):
    """Degenerate in position, an ordinary triangle of the complex."""
    path = tmp_path / "flat.json"
    path.write_text(json.dumps({"points": [[-1, 0], [0, 0], [2, 0]], "facets": [[0, 1, 2]]}))
    ran = polyrank("restrict", plane, path, "--json")
    assert ran.status == 0
    shown = json.loads(ran.out)
    assert shown["euler_characteristic"] == 1
    assert "2" not in shown["tangent_rank_histogram"][0]
