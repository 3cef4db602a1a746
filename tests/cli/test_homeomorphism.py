"""``polyrank homeomorphism``."""

from __future__ import annotations

import json

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.network.forward import forward_exact


def test_a_fold(polyrank, fold):
    ran = polyrank("homeomorphism", fold, "circle:16", "--json")
    assert ran.status == 0
    shown = json.loads(ran.out)
    assert shown["by_layer"] == ["one-to-one", "one-to-one", "not one-to-one"]
    assert (shown["layer"], shown["first_layer"]) == (2, 2)
    first, second = shown["collision"]["points"]
    assert (first["simplex"], first["weights"]) != (second["simplex"], second["weights"])
    net = pr.load(fold)
    images = [
        forward_exact(net, [fmpq(*map(int, (v + "/1").split("/")[:2])) for v in p["point"]])
        for p in (first, second)
    ]
    assert images[0] == images[1]
    assert [str(v) for v in images[0]] == shown["collision"]["image"]
    text = polyrank("homeomorphism", fold, "circle:16").out
    assert "certified: not one-to-one from layer 2 on; layers 0 to 1 are" in text


def test_a_layer_that_is_one_to_one(polyrank, fold):
    ran = polyrank("homeomorphism", fold, "circle:16", "--layer", "1")
    assert ran.status == 0
    assert "certified: layers 0 to 1 are homeomorphisms of M onto their images" in ran.out
    shown = json.loads(polyrank("homeomorphism", fold, "circle:16", "--layer", 1, "--json").out)
    assert shown["verdict"] == "one-to-one"
    assert shown["collision"] is None


def test_all_overlaps(polyrank, fold):
    # of 16 edges every one lies on its mirror image, and the neighbours of that touch it
    ran = polyrank("homeomorphism", fold, "circle:16", "--all", "--json")
    shown = json.loads(ran.out)["overlaps"]
    assert shown["share_of_m"]["1"] == {"by_simplex": "1", "by_volume": 1.0}
    assert shown["pairs_by_dimension"]["1"] == 8
    assert len(shown["list"]) == shown["pairs"]
    text = polyrank("homeomorphism", fold, "circle:16", "--all").said
    assert "1 of its simplices, exactly" in text


def test_a_manifold_that_meets_itself(polyrank, fold, tmp_path):
    eight = tmp_path / "eight.json"
    points = [[-1, -1], [1, 1], [1, -1], [-1, 1]]
    eight.write_text(json.dumps({"points": points, "facets": [[0, 1], [1, 2], [2, 3], [3, 0]]}))
    ran = polyrank("homeomorphism", fold, eight)
    assert ran.status == 0
    assert "not one-to-one from layer 0 on, which is M itself in R^n" in ran.out


def test_a_time_limit(polyrank, fold):
    ran = polyrank("homeomorphism", fold, "circle:16", "--time", "0", "--all")
    assert ran.status == 3
    assert "not decided: layer 2, at the time limit" in ran.out
    ran = polyrank("homeomorphism", fold, "circle:16", "--time", "0", "--json")
    assert ran.status == 3
    assert json.loads(ran.out)["verdict"] == "not decided"


@pytest.mark.parametrize("arguments", [["circle:2"], ["sphere:2"], ["circle:8", "--layer", "3"]])
def test_errors_are_sentences(polyrank, fold, arguments):
    ran = polyrank("homeomorphism", fold, *arguments)
    assert ran.status == 1
    assert ran.err.startswith("polyrank: error: ")


def test_a_certificate_is_written_and_checked(polyrank, fold, tmp_path):
    ran = polyrank("homeomorphism", fold, "circle:16", "-o", tmp_path / "c")
    assert ran.status == 0
    ran = polyrank("check", tmp_path / "c")
    assert ran.status == 0
    assert "accepted: layer 2 is not one-to-one on M" in ran.out
    assert "layers 0 to 1 are one-to-one" in ran.out
    shown = json.loads(polyrank("check", tmp_path / "c", "--json").out)
    assert (shown["verdict"], shown["proved_through"], shown["refuted_from"]) == ("accepted", 1, 2)
    again = polyrank("homeomorphism", fold, "circle:16", "-o", tmp_path / "c")
    assert again.status == 1
    assert "exists already" in again.err
    polyrank("homeomorphism", fold, "circle:16", "--layer", "1", "-o", tmp_path / "d")
    ran = polyrank("check", tmp_path / "d")
    assert "accepted: layer 1 is one-to-one on M, a homeomorphism onto its image" in ran.out
    polyrank("homeomorphism", fold, "circle:16", "--time", "0", "-o", tmp_path / "e")
    ran = polyrank("check", tmp_path / "e")
    assert ran.status == 3
    assert "not decided: layer 2 is not decided" in ran.out
    stated = json.loads((tmp_path / "d" / "certificate.json").read_text())
    stated["verdict"] = "not one-to-one"
    (tmp_path / "d" / "certificate.json").write_text(json.dumps(stated))
    assert polyrank("check", tmp_path / "d").status == 4


def test_a_box(polyrank, fold, tmp_path):
    ran = polyrank("homeomorphism", fold, "--box", "-1", "1", "--json")
    shown = json.loads(ran.out)
    assert shown["first_layer"] == 2
    assert shown["manifold"]["simplices"] == [4, 5, 2]
    ran = polyrank("homeomorphism", fold, "--box", "-1,0", "1,1/3", "-o", tmp_path / "c")
    assert "certified: layers 0 to 2 are homeomorphisms" in ran.out
    assert "accepted: layer 2 is one-to-one" in polyrank("check", tmp_path / "c").out


def test_layers_on_all_of_space(polyrank, fold):
    shown = json.loads(polyrank("homeomorphism", fold, "--whole-space", "--json").out)
    assert [v["verdict"] for v in shown["layers"]] == ["one-to-one", "not one-to-one"]
    assert len(shown["layers"][1]["points"]) == 2
    text = polyrank("homeomorphism", fold, "--whole-space", "--layer", "2").out
    assert "layer 2: x' = (" in text
    assert polyrank("homeomorphism", fold, "--whole-space", "--layer", "3").status == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["circle:8", "--box", "-1", "1"],
        ["circle:8", "--whole-space"],
        ["--whole-space", "--all"],
    ],
)
def test_wrong_usage(polyrank, fold, arguments):
    assert polyrank("homeomorphism", fold, *arguments).status == 2


def test_boxes_of_many_dimensions_are_refused(polyrank, tmp_path):
    np.savez(tmp_path / "wide.npz", W0=np.ones((2, 7)), b0=np.zeros(2))
    ran = polyrank("homeomorphism", tmp_path / "wide.npz", "--box", "0", "1")
    assert ran.status == 1
    assert "at most 6 are divided" in ran.err
