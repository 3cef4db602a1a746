"""The scripts on Olah's examples: the tables that are kept, and the theorems they must obey."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gallery.papers import checked


def test_curves_in_the_plane_layer_by_layer(tmp_path: Path) -> None:
    """Homeomorphisms keep the curves apart; a positive margin needs separable hidden images."""
    pytest.importorskip("matplotlib")
    table = checked("colah_layers", tmp_path, "two_curves")
    for row in table:
        mine = [r for r in table if r["activation"] == row["activation"]]
        one = row["activation"] != "relu" and float(row["det"]) != 0
        assert (row["homeomorphism"] == "True") == one
        before = [r for r in mine if r["layer"] <= row["layer"]]
        if all(r["homeomorphism"] == "True" for r in before):
            assert row["curves"] == "disjoint"
        if row["right"] == "True":
            assert mine[-1]["separable"] == "True"
            assert float(row["sampled_accuracy"]) == 1


@pytest.mark.slow
def test_frames_of_the_plane(tmp_path: Path) -> None:
    """Where some frame of the sample has det ≤ 0, the motion is not one-to-one at all times."""
    pytest.importorskip("PIL")
    for row in checked("colah_frames", tmp_path, "frames"):
        if row["step"] == "affine" and float(row["sampled_least_det"]) <= 0:
            assert row["one_to_one_at_all_times"] == "False"
        if row["step"] == "activation":
            assert (row["one_to_one_at_all_times"] == "True") == (row["activation"] != "relu")
    for kind in ("tanh", "leaky", "relu"):
        assert (tmp_path / f"{kind}.gif").read_bytes()[:6] == b"GIF89a"


def test_two_units_are_wrong_and_three_are_right(tmp_path: Path) -> None:
    table = checked("colah_units", tmp_path, "units")
    for row in table:
        if row["units"] == "2":
            assert row["number"] == row["proved_wrong"]
            assert float(row["f_at"]) <= float(row["f_centre"])
            assert float(row["best_sampled_accuracy"]) < 1
    assert float(table[-1]["least_margin"]) > 0


def test_three_intervals_on_the_line(tmp_path: Path) -> None:
    """A monotone function is negative on no interval between two others where it is positive."""
    for row in checked("colah_line", tmp_path, "line"):
        if row["monotone"] == "True":
            assert row["right"] == row["separable"] == "False"
            assert float(row["least_margin"]) <= 0
        if row["right"] == "True":
            assert float(row["least_margin"]) > 0
            assert float(row["sampled_accuracy"]) == 1


def test_nearest_neighbours(tmp_path: Path) -> None:
    """The network is the nearest-neighbour rule: on the sample both are right, or neither."""
    for row in checked("colah_neighbours", tmp_path, "neighbours"):
        assert row["hyperplane"] == "False"  # homeomorphisms of the plane
        right = row["right_everywhere_k1"] == "True"
        assert right == (float(row["least_margin_k1"]) > 0)
        assert not right or float(row["sampled_k1"]) == 1
