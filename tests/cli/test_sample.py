"""``polyrank sample``: what is printed, written and refused, with which exit status."""

from __future__ import annotations

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest


def test_against_a_run(polyrank, plane, tmp_path):
    run, out = tmp_path / "run", tmp_path / "est"
    assert polyrank("enumerate", plane, "--box", "-3", "3", "-o", run, "-q").status == 0
    found = polyrank("sample", plane, "--uniform", "5000", "--run", run, "-o", out, "--json")
    assert found.status == 0
    shown = json.loads(found.out)
    assert shown["cross_check"]["regions"] == 7
    assert shown["cross_check"]["contradictions"] == []
    assert (out / "estimate.json").exists()
    text = polyrank("sample", plane, "--normal", "500", "--run", run)
    assert text.status == 0
    assert "regions hit: " in text.out
    same = polyrank("sample", plane, "--uniform", "9", "--run", run, "--box", "-3", "3,3")
    assert same.status == 0
    other = polyrank("sample", plane, "--uniform", "9", "--run", run, "--box", "-2", "2")
    assert other.status == 1
    assert "is not that of the run" in other.err
    again = polyrank("sample", plane, "--uniform", "9", "-o", out, "--box", "-1", "1")
    assert again.status == 1
    assert "exists already" in again.err
    relu = polyrank("sample", plane, "--uniform", "9", "--run", run, "--output-relu")
    assert relu.status == 1
    assert "is not that of the run" in relu.err


@pytest.mark.parametrize("through", [[], ["--through-layer", "1"]])
def test_a_contradiction_has_status_4_and_the_point(polyrank, plane, tmp_path, through):
    run = tmp_path / "run"
    polyrank("enumerate", plane, "--output-relu", "--box", "-3", "3", "-o", run, "-q", *through)
    (shard,) = (run / "regions").glob("part-*.parquet")
    table = pq.read_table(shard)
    pq.write_table(table.slice(1), shard)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["counts"]["regions"] -= 1
    (run / "manifest.json").write_text(json.dumps(manifest))
    found = polyrank("sample", plane, "--output-relu", "--uniform", "5000", "--run", run)
    assert found.status == 4
    assert "does not list this codeword" in found.err
    # layer by layer, of the layers of the run
    word = r"codeword [01]{3} at" if through else r"codeword [01]{3}\|[01] at"
    assert re.search(word, " ".join(found.err.split()))
    assert "at the exact point (" in found.err


def test_points(polyrank, plane, tmp_path):
    path = tmp_path / "p.npy"
    np.save(path, np.array([[1.0, 1.0], [0.0, 1.0], [9.0, 9.0]]))
    shown = json.loads(
        polyrank("sample", plane, "--points", path, "--box", "-3", "3", "--json").out
    )
    assert (shown["points"], shown["outside_domain"], shown["on_hyperplane"]) == (3, 1, 1)


@pytest.fixture
def pool(tmp_path):
    """(x, y) -> relu(max(x, y) - 1) as a MaxPool reads it: y + relu(x - y)."""
    path = tmp_path / "pool.npz"
    np.savez(
        path,
        W0=np.array([[1.0, -1.0], [0.0, 1.0], [0.0, -1.0]]), b0=np.zeros(3),
        W1=np.array([[1.0, 1.0, -1.0]]), b1=np.array([-1.0]),
        W2=np.array([[1.0]]), b2=np.zeros(1),
    )  # fmt: skip
    return path


def test_no_point_left_is_said_loudly_and_not_with_status_0(polyrank, pool, tmp_path):
    """A black background: every point has ties, as the images of a MaxPool network."""
    path = tmp_path / "black.npy"
    np.save(path, np.array([[0.0, 0.0], [2.0, 2.0], [0.0, 0.0], [3.0, 0.0]]))
    found = polyrank("sample", pool, "--points", path, "--json")
    assert found.status == 3
    shown = json.loads(found.out)
    assert (shown["points"], shown["on_hyperplane"], shown["distinct_codewords"]) == (4, 4, 0)
    assert shown["ranks_exact"] is None
    assert "NO POINT IS LEFT" in found.err
    assert "of 4 points 0 are outside the domain and 4 lie on a hyperplane" in found.err
    assert "--ties inactive takes these with the bit 1 iff z > 0" in found.err
    taken = polyrank("sample", pool, "--points", path, "--ties", "inactive", "--json")
    assert taken.status == 0
    shown = json.loads(taken.out)
    # by hand: (0, 0) has no unit on; (2, 2) has relu(y) and the second layer; (3, 0) relu(x - y)
    assert (shown["ties"], shown["distinct_codewords"], shown["on_hyperplane"]) == (
        "inactive",
        3,
        4,
    )
    assert shown["ranks_exact"] is True
    assert shown["ranks"][1]["by_samples"] == {"0": 2, "1": 2}
    text = polyrank("sample", pool, "--points", path, "--ties", "inactive")
    assert text.status == 0
    assert "4 points on a hyperplane taken with the bit 1 iff z > 0" in text.out
    assert "3 of the codewords have points on hyperplanes only" in text.out


def test_nothing_inside_the_domain_is_said_as_well(polyrank, plane, tmp_path):
    path = tmp_path / "far.npy"
    np.save(path, np.array([[9.0, 9.0]]))
    found = polyrank("sample", plane, "--points", path, "--box", "-1", "1")
    assert found.status == 3
    assert "of 1 points 1 are outside the domain and 0 lie on a hyperplane" in found.err
    assert "--ties" not in found.err


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3)), "2 inputs"),
        (np.full((1, 2), np.nan), "not finite"),
        (np.zeros(2), "shape"),
    ],
)
def test_points_refused(polyrank, plane, tmp_path, array, message):
    path = tmp_path / "p.npy"
    np.save(path, array)
    found = polyrank("sample", plane, "--points", path)
    assert found.status == 1
    assert message in found.err


def test_wrong_usage(polyrank, plane, tmp_path):
    assert polyrank("sample", plane).status == 2
    below = polyrank("sample", plane, "--normal", "3", "--below", "1")
    assert below.status == 2
    assert "--run" in below.err
    assert polyrank("sample", plane, "--uniform", "3", "--normal", "3").status == 2
    unbounded = polyrank("sample", plane, "--uniform", "3")
    assert unbounded.status == 1
    assert "unbounded" in unbounded.err
    path = tmp_path / "p.npy"
    np.save(path, np.zeros((1, 2)))
    flat = polyrank("sample", plane, "--points", path, "--box", "0,0", "0,1")
    assert flat.status == 1
    assert "flat" in flat.err


def test_a_run_of_other_options_names_them(polyrank, plane, tmp_path):
    run = tmp_path / "run"
    options = ("--output-relu", "--activation", "leaky_relu", "--slope", "1/8")
    assert polyrank("enumerate", plane, *options, "-o", run, "-q").status == 0
    found = polyrank("sample", plane, "--normal", "9", "--run", run)
    assert found.status == 1
    assert "with the same options (--output-relu, activation leaky_relu, slope 1/8)" in found.err
    assert polyrank("sample", plane, "--normal", "9", "--run", run, *options).status == 0


def test_points_one_by_one_and_a_picture(polyrank, plane, tmp_path):
    out, picture = tmp_path / "estimate", tmp_path / "ranks.png"
    found = polyrank(
        "sample", plane, "--normal", "40", "-o", out, "--per-point", "--picture", picture
    )
    assert found.status == 0
    assert pq.read_table(out / "points.parquet").num_rows == 40
    assert picture.stat().st_size > 5000
    assert polyrank("sample", plane, "--normal", "4", "--per-point").status == 2
    refused = polyrank("sample", plane, "--normal", "4", "--picture", tmp_path / "no" / "x.png")
    assert (refused.status, refused.out) == (1, "")
