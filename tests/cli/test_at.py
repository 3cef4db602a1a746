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


def test_no_time(polyrank, plane):
    found = polyrank("at", plane, "1,1/3", "--time", "0")
    assert found.status == 3
    assert "at least 0 facets; 3 rows are not decided (--time)" in found.out


def test_many_inputs(polyrank, tmp_path):
    """784 inputs: facets by name; and what the time left undecided is counted, with status 3."""
    W = np.zeros((2, 784))
    W[0, 0], W[1, 1] = 1.0, 2.0
    path = tmp_path / "net.npz"
    np.savez(path, W0=W, b0=np.array([0.0, 1.0]), W1=np.ones((1, 2)), b1=np.array([3.0]))
    np.save(tmp_path / "x.npy", np.full((1, 784), 0.5))
    found = json.loads(polyrank("at", path, tmp_path / "x.npy", "--json").out)
    # x0 = 0 at 1/2, 2 x1 + 1 = 0 at 1; the output has no hyperplane
    assert [(f["of"], f["distance_squared"]) for f in found["facets"]] == [
        (["layer 1 unit 1"], "1/4"),
        (["layer 1 unit 2"], "1"),
    ]
    assert found["undecided_rows"] == 0
    text = polyrank("at", path, tmp_path / "x.npy")
    assert text.status == 0
    assert "2 facets:" in text.out
    cut = polyrank("at", path, tmp_path / "x.npy", "--time", "0")
    assert cut.status == 3
    assert "at least 0 facets; 2 rows are not decided (--time)" in cut.out
    assert "distance 0.5: layer 1 unit 1" in cut.out
    shown = polyrank("at", path, tmp_path / "x.npy", "--time", "0", "--json")
    assert shown.status == 3
    assert json.loads(shown.out)["undecided_rows"] == 2


def test_a_long_list_of_facets_is_cut(polyrank, tmp_path):
    path = tmp_path / "net.npz"
    W = np.zeros((1, 120))
    W[0, 0] = 1.0
    np.savez(path, W0=W, b0=np.array([0.0]), W1=np.ones((1, 1)), b1=np.array([3.0]))
    np.save(tmp_path / "x.npy", np.full((1, 120), 0.5))
    text = polyrank("at", path, tmp_path / "x.npy", "--box", "-1", "1")
    assert "240 facets:" in text.out
    assert "… and 140 more (--json has all)" in text.out
    shown = polyrank("at", path, tmp_path / "x.npy", "--box", "-1", "1", "--json")
    assert len(json.loads(shown.out)["facets"]) == 240  # x0 > 0 hides the wall x0 = -1
