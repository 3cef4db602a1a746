"""``polyrank at``: the region of a point."""

from __future__ import annotations

import json

import numpy as np


def test_at(polyrank, plane, tmp_path):
    shown = json.loads(polyrank("at", plane, "1,1/3", "--json").out)
    assert shown["codeword"] == "111"
    assert shown["ranks"] == [2, 1]
    assert [f["distance_squared"] for f in shown["facets"]] == ["1/18", "1/9", "13/9"]
    assert shown["affine_map"] == {"linear": [["2", "2"]], "constant": ["-1"]}
    text = polyrank("at", plane, "1,1/3", "--budget", "1").out
    assert "3 facets:" in text
    assert "(--budget)" in text
    assert "no region has a lower rank" in polyrank("at", plane, "--", "-1,-1").out
    assert "in no open region" in polyrank("at", plane, "1,0").out
    path = tmp_path / "p.npy"
    np.save(path, np.array([[0.5, 0.25], [1.0, 3.0]]))
    found = json.loads(polyrank("at", plane, path, "--row", "1", "--layer", "1", "--json").out)
    assert found["point"] == ["1", "3"]
    assert [v["layer"] for v in found["lower_rank"]] == [1]
    assert polyrank("at", plane, path, "--row", "2").status == 1


def test_a_point_far_away_and_one_close_to_a_hyperplane(polyrank, plane):
    # x = 10^400 is beyond every float; the facets are y = 0, x = 0 with y >= 1 and x + y = 1
    far = polyrank("at", plane, "1e400,1")
    assert "distance 1.00000e+400: layer 1 unit 3, crossing at (1, 0)" in far.out
    assert "crossing at (≈1.00000000000e+400, 0)" in far.out
    assert "numbers marked ≈ are rounded" in far.out
    assert "≈" not in polyrank("at", plane, "1,1/3").out
    shown = json.loads(polyrank("at", plane, "1e400,1", "--json").out)
    assert [f["distance"] for f in shown["facets"]] == [1.0, None, None]
    near = json.loads(polyrank("at", plane, "1e-400,3", "--json").out)
    assert near["facets"][0]["distance"] == 0.0
    assert near["facets"][0]["distance_squared"] == "1/" + "1" + "0" * 800


def test_refusals(polyrank, plane):
    for point, message in (("1", "expected 2"), ("1,x", "cannot be read"), ("9,9", "outside")):
        found = polyrank("at", plane, point, "--box", "-1", "1")
        assert found.status == 1
        assert message in found.err
    assert "no layer 3" in polyrank("at", plane, "1,1", "--layer", "3").err
