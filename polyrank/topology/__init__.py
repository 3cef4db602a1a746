"""Sampled manifolds, their subdivision by a network, chain complexes and exact homology.

The names below are loaded on first use::

    from polyrank import load
    from polyrank.topology import homology_table, restrict, shape
    cells = restrict(load("net.npz"), shape("torus:40"))
    homology_table(cells, rank=0)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyrank.chains.chain import ChainComplex
    from polyrank.chains.groups import Homology, homology
    from polyrank.chains.pair import collapse_in_turn, collapsed_homology
    from polyrank.topology.curves import curve_through
    from polyrank.topology.files import read_manifold
    from polyrank.topology.layers import homology_table
    from polyrank.topology.low_rank import LowRankPart, low_rank_part
    from polyrank.topology.manifold import Manifold, build_manifold
    from polyrank.topology.merging import merged_points
    from polyrank.topology.point_cloud import complex_of_points
    from polyrank.topology.reading import open_cells
    from polyrank.topology.restriction import Restriction, restrict
    from polyrank.topology.shapes import shape
    from polyrank.topology.store import save_cells

__all__ = [
    "ChainComplex",
    "Homology",
    "LowRankPart",
    "Manifold",
    "Restriction",
    "build_manifold",
    "collapse_in_turn",
    "collapsed_homology",
    "complex_of_points",
    "curve_through",
    "homology",
    "homology_table",
    "low_rank_part",
    "merged_points",
    "open_cells",
    "read_manifold",
    "restrict",
    "save_cells",
    "shape",
]

_HOME = {
    "ChainComplex": "chains.chain",
    "Homology": "chains.groups",
    "LowRankPart": "topology.low_rank",
    "Manifold": "topology.manifold",
    "Restriction": "topology.restriction",
    "build_manifold": "topology.manifold",
    "collapse_in_turn": "chains.pair",
    "collapsed_homology": "chains.pair",
    "complex_of_points": "topology.point_cloud",
    "curve_through": "topology.curves",
    "homology": "chains.groups",
    "homology_table": "topology.layers",
    "low_rank_part": "topology.low_rank",
    "merged_points": "topology.merging",
    "open_cells": "topology.reading",
    "read_manifold": "topology.files",
    "restrict": "topology.restriction",
    "save_cells": "topology.store",
    "shape": "topology.shapes",
}


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'polyrank.topology' has no attribute {name!r}") from None
    value = getattr(importlib.import_module(f"polyrank.{home}"), name)
    globals()[name] = value
    return value
