"""A slope whose float is 0: every verb answers exactly, or refuses in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

_NET = '{"layers": [{"weight": [[1]], "bias": [0], "activation": "leaky_relu", "slope": "1e-400"}]}'


@pytest.fixture
def steep(tmp_path: Path) -> Path:
    path = tmp_path / "steep.json"
    path.write_text(_NET)
    return path


@pytest.mark.parametrize(
    "call",
    [
        ("enumerate",),
        ("enumerate", "--box", -1, 1),
        ("enumerate", "--box", -1, 1, "--engine", "dictionary"),
        ("complex", "--box", -1, 1, "-o", "cells"),
    ],
)
def test_what_the_search_cannot_take_is_refused(
    polyrank: Any, steep: Path, monkeypatch: pytest.MonkeyPatch, call: tuple[Any, ...]
) -> None:
    monkeypatch.chdir(steep.parent)
    outcome = polyrank(call[0], steep, *call[1:])
    assert outcome.status == 1
    assert "layer 1: slope_neg[0] has magnitude 2**-1328" in outcome.err
    assert "rescale units by powers of two" in outcome.err


def test_what_needs_no_floats_is_answered(polyrank: Any, steep: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "points.npy", np.array([[0.5], [-0.25]]))
    for arguments in (
        ("info", steep),
        ("at", steep, "--", "-1/2"),
        ("minrank", steep, "--layer", 1, "--box", -1, 1),
        ("sample", steep, "--points", tmp_path / "points.npy"),
        ("convert", steep, tmp_path / "same.json"),
        ("enumerate", steep, "--box", -1, 1, "--engine", "highs"),
    ):
        outcome = polyrank(*arguments)
        assert outcome.status == 0, outcome.err
    # x -> 1e-400 x is no constant: the rank on either side is 1
    assert "1:2" in outcome.out
