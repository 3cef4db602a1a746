"""``--part``: one network of a file that holds several, on the verbs that read a network."""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def pair(tmp_path):
    path = tmp_path / "pair.npz"
    np.savez(
        path,
        **{"actor.0.weight": np.array([[1.0, 0], [0, 1], [1, 1]]), "actor.0.bias": np.ones(3)},
        **{"actor.2.weight": np.ones((2, 3)), "actor.2.bias": np.zeros(2)},
        **{"critic.0.weight": np.array([[1.0, 0]]), "critic.0.bias": np.zeros(1)},
        **{"critic.2.weight": np.ones((2, 1)), "critic.2.bias": np.zeros(2)},
    )
    return path


@pytest.mark.parametrize(
    "command",
    [
        ("info",), ("enumerate", "--box", -1, 1), ("minrank",), ("at", "0.3,0.1"),
        ("complex", "--box", -1, 1), ("restrict", "circle:8"), ("homology", "circle:8"),
    ],
)  # fmt: skip
def test_every_verb_asks_for_a_part(polyrank, pair, command):
    verb, *rest = command
    found = polyrank(verb, pair, *rest)
    assert found.status == 1
    assert "several sets of weights, actor, critic" in found.err
    assert polyrank(verb, pair, *rest, "--part", "critic").status == 0


def test_a_run_remembers_its_part(polyrank, pair, tmp_path):
    run = tmp_path / "run"
    found = polyrank("enumerate", pair, "--part", "critic", "--json", "--proof", "-o", run)
    assert json.loads(found.out)["regions"] == 2  # one hyperplane
    assert '"part": "critic"' in (run / "manifest.json").read_text()
    assert polyrank("check", run).status == 0
    # three lines in general position: 1 + 3 + 3 regions (Zaslavsky 1975)
    other = polyrank("enumerate", pair, "--part", "actor", "--json")
    assert json.loads(other.out)["regions"] == 7


def test_what_was_assumed_is_printed(polyrank, pair):
    shown = polyrank("info", pair, "--part", "actor").out
    assert "note: read the part actor as asked; not read: critic.0, critic.2" in shown
    assert "relu between the layers (the default)" in shown
