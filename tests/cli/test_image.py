"""``polyrank image``."""

from __future__ import annotations

import json
from itertools import islice

import numpy as np
import pytest

from polyrank.image import barcode


def test_an_arc(polyrank, fold):
    """The circle is folded to an arc by the second layer, not by the first."""
    ran = polyrank("image", fold, "circle:16", "--json")
    assert ran.status == 0
    shown = json.loads(ran.out)
    assert [level["layer"] for level in shown["levels"]] == ["M", 0, 1, 2]
    assert [level["groups"] for level in shown["levels"]] == [["Z", "Z"]] * 3 + [["Z", "0"]]
    assert shown["levels"][3]["map"][1] == {
        "degree": 1,
        "rank": 0,
        "kernel_rank": 1,
        "cokernel_rank": 0,
        "kernel": "Z",
        "cokernel": "0",
    }
    assert shown["barcode"]["bars"] == [
        {"degree": 0, "birth": "M", "death": None, "count": 1},
        {"degree": 1, "birth": "M", "death": 2, "count": 1},
    ]
    assert shown["ranks"]["by_degree"][1][0] == [1, 1, 1, 0]
    assert "cellular" in shown["theorem"]


def test_components_that_meet(polyrank, plane, tmp_path):
    """Two segments that the network takes to lines: [0, 3] and [1, 5]."""
    points = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    np.savez(tmp_path / "two.npz", points=points, simplices=np.array([[0, 1], [2, 3]]))
    ran = polyrank("image", plane, tmp_path / "two.npz")
    assert ran.status == 0, ran.err
    assert "H_0 class dies at layer 2" in ran.out
    assert "the components of the vertices 0 and 2 of M meet" in ran.out


def test_tables(polyrank, fold):
    ran = polyrank("image", fold, "circle:16", "--barcode", "--coefficients", "3")
    assert ran.status == 0
    assert "F3, F3" in ran.out
    assert "dies at 2" in ran.out
    assert "ranks of H_1(row) -> H_1(column):" in ran.out
    assert "certified: every image is the exact common refinement" in ran.out
    assert "what it was sampled from is not known" in ran.out


def test_one_layer_and_the_map_from_m(polyrank, fold):
    shown = json.loads(polyrank("image", fold, "circle:16", "--layer", "2", "--json").out)
    assert [level["layer"] for level in shown["levels"]] == ["M", 2]
    assert shown["levels"][1]["map_from"] == "M"


def test_two_ways(polyrank, fold):
    ran = polyrank("image", fold, "circle:16", "--way", "both", "--json")
    shown = json.loads(ran.out)
    assert shown["ways"] == ["overlay", "nerve"]
    assert "functorial nerve theorem" in shown["theorem"]
    # layer 2: two edges in each of 8 places, and 7 pairs of neighbouring places
    assert shown["levels"][3]["simplices"][:2] == [16, 8 + 7 * 4]
    alone = polyrank("image", fold, "circle:16", "--way", "nerve")
    assert "simplices of the nerve" in alone.out
    assert alone.status == 0


def test_interrupted(polyrank, fold, monkeypatch):
    """Ctrl-C while layer 2 is made: the layers before are printed."""
    made = barcode.images

    def stopped(*arguments, **options):
        yield from islice(made(*arguments, **options), 3)  # M, layer 0, layer 1
        raise KeyboardInterrupt

    monkeypatch.setattr(barcode, "images", stopped)
    ran = polyrank("image", fold, "circle:16")
    assert ran.status == 130
    assert "not decided: layer 2: overlay: interrupted" in ran.out
    assert "Z, Z" in ran.out


def test_out_of_time(polyrank, fold):
    ran = polyrank("image", fold, "circle:16", "--time", "0")
    assert ran.status == 3
    assert "not decided: layer 2: overlay: the time limit has passed" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["circle:8", "--coefficients", "4"], "coefficients must be Z, Q or a prime"),
        (["circle:8", "--layer", "3"], "layer 3 must be between 0 and 2"),
        (["sphere:2"], "sphere lies in R^3"),
    ],
)
def test_refused(polyrank, fold, arguments, message):
    ran = polyrank("image", fold, *arguments)
    assert ran.status == 1
    assert message in " ".join(ran.err.split())


def test_a_certificate_is_written_and_checked(polyrank, fold, tmp_path):
    ran = polyrank("image", fold, "circle:12", "-o", tmp_path / "c")
    assert ran.status == 0, ran.err
    ran = polyrank("check", tmp_path / "c")
    assert ran.status == 0, ran.err
    assert "accepted: the homology of the images of M through layer 2" in ran.out
    assert "layer M: Z, Z" in ran.out
    assert "and the barcode over Q" in ran.out
    shown = json.loads(polyrank("check", tmp_path / "c", "--json").out)
    assert (shown["verdict"], shown["layer"]) == ("accepted", 2)
    again = polyrank("image", fold, "circle:12", "-o", tmp_path / "c")
    assert again.status == 1
    assert "exists already" in again.err
    stated = json.loads((tmp_path / "c" / "certificate.json").read_text())
    stated["groups"][1][0] = "Z^2"
    (tmp_path / "c" / "certificate.json").write_text(json.dumps(stated))
    assert polyrank("check", tmp_path / "c").status == 4
    polyrank("image", fold, "circle:12", "--time", "0", "-o", tmp_path / "d")
    ran = polyrank("check", tmp_path / "d")
    assert ran.status == 3
    assert "not decided: layers" in ran.out
