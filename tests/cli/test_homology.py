"""``polyrank homology``."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

import polyrank as pr
from polyrank.network.forward import forward_exact


@pytest.fixture
def clip(tmp_path):
    """(x, y) ↦ (clip(x), clip(y)) to [−1/2, 1/2], affine output."""
    path = tmp_path / "clip.npz"
    np.savez(
        path,
        W0=np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]),
        b0=np.array([0.5, -0.5, 0.5, -0.5]),
        W1=np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]]),
        b1=np.array([-0.5, -0.5]),
    )
    return path


def test_four_arcs_of_a_circle(polyrank, clip):
    """The corners: one point makes a wedge of four circles, one point each a circle."""
    ran = polyrank("homology", clip, "circle:24", "--json")
    assert ran.status == 0
    shown = json.loads(ran.out)
    hidden, out = shown["layers"]
    assert (hidden["components"], out["components"], out["classes"]) == (1, 4, 4)
    assert shown["coefficients"] == "Z"
    assert out["H(M)"]["groups"] == ["Z", "Z"]
    assert out["H(M,A)"]["groups"] == ["0", "Z^4"]
    assert out["H(M/A), one point"]["betti"] == [1, 4]
    assert out["H(M/~), one point per component"]["betti"] == [1, 1]
    assert out["H(M/~), one point per image"]["betti"] == [1, 1]
    assert sorted(out["images"]) == sorted(
        [[a, b] for a in ("1/2", "-1/2") for b in ("1/2", "-1/2")]
    )
    assert out["long_exact_sequence"]["rank_of_connecting"] == [0, 3]
    assert out["long_exact_sequence"]["exact"] is True
    assert len(shown["not_decided"]) == 2


def test_the_image_beside_the_quotients(polyrank, clip):
    """A circle clipped to a square: the image is its boundary, whatever the quotients are."""
    shown = json.loads(polyrank("homology", clip, "circle:24", "--json").out)
    assert [row["H(image)"]["groups"] for row in shown["layers"]] == [["Z", "Z"]] * 2
    ran = polyrank("homology", clip, "circle:24")
    assert "H(image) is the homology of Phi_K(M) itself, decided" in ran.out
    late = polyrank("homology", clip, "circle:24", "--image-time", "0")
    assert late.status == 0
    assert "not decided" in late.out
    shown = json.loads(polyrank("homology", clip, "circle:24", "--image-time", "0", "--json").out)
    assert [row["H(image)"] for row in shown["layers"]] == [None, None]


def test_table(polyrank, clip):
    ran = polyrank(
        "homology", clip, "circle:24", "--layer", "2", "--coefficients", "3", "--in-turn"
    )
    assert ran.status == 0
    assert "F3, F3^4" in ran.out
    assert "components collapsed in turn: [F3, F3] x5" in ran.out
    assert "exact at every place (over 3, by subgroups)" in ran.out
    assert "Not decided: H(M/A) and H(M/~) are the homology of quotients of M" in ran.out


def test_points_of_the_low_rank_part(polyrank, clip):
    """Every listed point lies on the circle's polygon and goes to the image of its component."""
    ran = polyrank("homology", clip, "circle:24", "--layer", "2", "--json", "--cells")
    (out,) = json.loads(ran.out)["layers"]
    assert len(out["cells_of_A"]) == sum(out["cells"])
    net = pr.load(clip)
    for entry in out["cells_of_A"]:
        assert sum(map(Fraction, entry["weights"])) == 1
        assert all(Fraction(w) > 0 for w in entry["weights"])
        image = [str(v) for v in forward_exact(net, entry["point"])]
        assert image == out["images"][entry["component"]]
    assert "cells_of_A" not in json.loads(polyrank("homology", clip, "circle:8", "--json").out)


def test_what_is_not_decided_is_said(polyrank, clip):
    ran = polyrank("homology", clip, "disk:8", "--below", "2")
    assert "is a convention" in ran.out
    assert "a map of full rank everywhere may fold M" in ran.said
    ambient = polyrank("homology", clip, "circle:8", "--below", "2", "--ambient", "--layer", "1")
    assert "rank: that of J_K on R^n, at most r = 1" in ambient.out
    assert "A (all): closure of all maximal cells of rank at most r" in ambient.out
    assert (
        "homology of quotients"
        in json.loads(polyrank("homology", clip, "disk:8", "--json").out)["not_decided"][0]
    )


def test_notes_are_shown(polyrank, clip, tmp_path):
    facets = tmp_path / "edge.txt"
    facets.write_text("0 1\n")
    ran = polyrank("homology", clip, facets)
    assert "the file has no points" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["circle:8", "--coefficients", "4"], "coefficients must be Z, Q or a prime"),
        (["circle:8", "--layer", "3"], "layer 3 must be between 1 and 2"),
        (["circle:8", "--layer", "0"], "layer 0 must be between 1 and 2"),
        (["circle:8", "--below", "0"], "no cell has rank < 0"),
        (["sphere:2"], "sphere lies in R^3"),
    ],
)
def test_refused(polyrank, clip, arguments, message):
    ran = polyrank("homology", clip, *arguments)
    assert ran.status == 1
    assert message in " ".join(ran.err.split())


def test_points_are_for_json(polyrank, clip):
    ran = polyrank("homology", clip, "circle:8", "--cells")
    assert ran.status == 2
    assert "--cells lists the cells of A in the object of --json" in ran.err


def test_a_layer_named_twice_is_one_row(polyrank, clip):
    ran = polyrank("homology", clip, "circle:8", "--layer", "1", "--layer", "1", "--json")
    assert len(json.loads(ran.out)["layers"]) == 1


def test_both_readings_of_the_low_rank_part(polyrank, clip):
    """At rank 1 every segment of a curve has low rank; those that go to a point are collapsed."""
    shown = {}
    for name in ("collapsing", "all"):
        ran = polyrank("homology", clip, "circle:24", "--below", "2", "--low-rank", name, "--json")
        shown[name] = json.loads(ran.out)["layers"][1]
        assert shown[name]["low_rank_cells"] == name
        text = polyrank("homology", clip, "circle:24", "--below", "2", "--low-rank", name).said
        assert f"A ({name}): closure of {shown[name]['low_rank_cells_are']}" in text
    assert shown["collapsing"]["H(M/A), one point"]["betti"] == [1, 4]
    assert shown["all"]["H(M/A), one point"]["betti"] == [1, 0]
    default = json.loads(polyrank("homology", clip, "circle:24", "--below", "2", "--json").out)
    assert default["layers"][1] == shown["collapsing"]


def test_the_degrees_of_a_skeleton(polyrank, clip, tmp_path):
    pytest.importorskip("gudhi")
    np.save(tmp_path / "four.npy", np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.25]]))
    cloud = ["homology", clip, tmp_path / "four.npy", "--rips", "2"]
    assert "H(M): Z, 0, 0, 0   (degrees 0, 1, ...)" in polyrank(*cloud).out
    ran = polyrank(*cloud, "--max-dimension", "2")
    assert "H(M): Z, 0   (degrees 0, 1, ..., those below 2 only)" in ran.out
    assert "homology is given in degrees below 2 only" in ran.out
