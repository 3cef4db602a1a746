"""The network that several tests of verdicts ask about."""

from __future__ import annotations

import pytest

import polyrank as pr


@pytest.fixture(scope="session")
def folded() -> pr.Network:
    """|x − y| and 1 − |x − y|: both extremes lie on the line x = y and at corners."""
    return pr.Network.from_arrays(
        [[[1.0, -1.0], [-1.0, 1.0]], [[1.0, 1.0], [-1.0, -1.0]]], [[0.0, 0.0], [0.0, 1.0]]
    )
