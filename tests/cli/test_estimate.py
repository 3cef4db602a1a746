"""``polyrank enumerate --estimate``, and requests that cannot end."""

from __future__ import annotations

import json

import numpy as np


def test_small_networks_are_listed_at_once(polyrank, plane):
    shown = polyrank("enumerate", plane, "--estimate")
    assert shown.status == 0
    assert "proved: at least 4 and at most 7 regions" in shown.out
    assert "listed at once: 7 regions" in shown.out
    found = json.loads(polyrank("enumerate", plane, "--estimate", "--json").out)
    assert found["proved"] == {"at_least": 4, "at_most": 7}
    assert found["estimate"]["regions"] == 7
    assert found["endless"] is False


def test_an_estimate_says_that_it_is_one(polyrank, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "net.npz", W0=rng.normal(size=(60, 6)), b0=rng.normal(size=60))
    shown = polyrank("enumerate", tmp_path / "net.npz", "--output-relu", "--estimate")
    assert shown.status == 0
    assert "proved: at least 64 and at most" in shown.out
    assert "estimate, no proof:" in shown.out
    assert "on disk" in shown.out
    assert "certified" not in shown.out


def test_what_cannot_end(polyrank, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    net = tmp_path / "wide.npz"
    np.savez(net, W0=rng.normal(size=(70, 60)), b0=rng.normal(size=70))
    shown = polyrank("enumerate", net, "--output-relu", "--estimate")
    assert "at least 2^61" in shown.out
    for name in ("polyrank slice", "--box", "polyrank at", "polyrank minrank", "--through-layer"):
        assert name in shown.out
    # not on a terminal: it says so, and goes on (here to a limit)
    piped = polyrank("enumerate", net, "--output-relu", "--max-regions", "1")
    assert piped.status == 3
    assert "not expected to end: it has at least 2^61 regions" in piped.err
    assert polyrank("enumerate", net, "--output-relu", "--max-regions", "1", "-q").err == ""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    refused = polyrank("enumerate", net, "--output-relu", "-o", tmp_path / "run")
    assert refused.status == 1
    assert "nothing was begun" in refused.err
    assert "--yes goes on" in refused.err
    assert not (tmp_path / "run").exists()
    going = polyrank("enumerate", net, "--output-relu", "--max-regions", "1", "--yes")
    assert going.status == 3
