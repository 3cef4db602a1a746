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
    ],
)
def test_refused(polyrank, plane, arguments, status, message):
    ran = polyrank("restrict", plane, *arguments)
    assert ran.status == status
    assert message in " ".join(ran.err.split())
