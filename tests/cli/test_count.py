"""``polyrank count``."""

from __future__ import annotations

import json

import numpy as np


def test_three_lines(polyrank, plane):
    shown = polyrank("count", plane)
    assert shown.status == 0
    assert "certified: exactly 7 regions" in shown.out
    assert "by deletion and restriction: 7" in shown.out
    assert "rank through layer 1: 0:1 1:2 2:4" in shown.out
    found = json.loads(polyrank("count", plane, "--json", "--no-cross-check").out)
    assert (found["regions"], found["certified"], found["second"]) == (7, True, None)
    assert found["rank_histogram"][0] == {"0": 1, "1": 2, "2": 4}
    box = polyrank("count", plane, "--box", "0", "0.25", "--through-layer", "1")
    assert "exactly 1 region\n" in box.out
    assert "layers 1..1 of 2" in box.out


def test_opposite_regions(polyrank, tmp_path):
    np.savez(tmp_path / "net.npz", W0=np.array([[1.0, 0], [0, 1], [1, 1]]), b0=np.zeros(3))
    shown = polyrank("count", tmp_path / "net.npz", "--output-relu", "--no-ranks")
    assert "certified: exactly 6 regions" in shown.out
    assert "one of every two opposite regions" in shown.out


def test_limits(polyrank, tmp_path):
    rng = np.random.default_rng(0)
    net = tmp_path / "net.npz"
    np.savez(net, W0=rng.normal(size=(60, 8)), b0=rng.normal(size=60))
    for option in (["--time", "0.2"], ["--max-regions", "10"], ["--max-memory", "1kB"]):
        shown = polyrank("count", net, "--output-relu", *option)
        assert shown.status == 3, shown
        assert "and at most" in shown.out
        assert "stopped at the limit of" in shown.out
        assert "certified" not in shown.out
    for size in ("1.2.3GB", "1e999", "-5", ".", "٣GB"):
        refused = polyrank("count", net, "--max-memory", size)
        assert refused.status == 2
        assert "is no size such as 4GB" in refused.err
    wrong = polyrank("count", net, "--max-memory", "much")
    assert wrong.status == 2
    assert "'much' is no size" in wrong.err


def test_errors(polyrank, tmp_path, plane):
    assert polyrank("count", tmp_path / "missing.npz").status == 1
    assert polyrank("count", plane, "--through-layer", "9").status == 1
    assert polyrank("count", plane, "--box", "1", "0").status == 1
