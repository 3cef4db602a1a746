"""Hyperplanes that only the last bits tell apart, in every room, against independent answers."""

from __future__ import annotations

import pytest

from tests.scales import count
from tests.slivers import comparison

_ROOMS = {
    "cells": 12,
    "graph": 12,
    "complex": 16,
    "minrank": 12,
    "sampling": 16,
    "topology": 12,
    "proof": 8,
    "verification": 15,
    "image": 12,
    "regions": 12,
}
"""How many networks; about two seconds each room."""


@pytest.mark.parametrize("room", _ROOMS)
def test_slivers(room: str) -> None:
    outcomes = count(comparison(room), 0, _ROOMS[room])
    assert "DIFFERENT" not in outcomes
    assert len(outcomes) > 2


@pytest.mark.slow
@pytest.mark.parametrize("room", _ROOMS)
def test_many_slivers(room: str) -> None:
    assert "DIFFERENT" not in count(comparison(room), 1000, 20 * _ROOMS[room])
