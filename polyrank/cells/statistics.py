"""Names of the counters of a search, in the order of the core's ``Statistics``."""

from __future__ import annotations

__all__ = ["STATISTICS"]

STATISTICS = (
    "tests",
    "pivots",
    "by_residual",
    "by_enclosure",
    "by_integers",
    "by_interval",
    "by_structure",
    "by_points",
    "by_vertex",
    "cuts",
    "hard",
    "cells",
    "regions",
    "rank_minors",
    "rank_cached",
    "rank_integers",
    "rank_open",
    "points_dropped",
    "refactored",
)
