"""Sampled manifolds, their subdivision by a network, chain complexes and exact homology.

The names below are loaded on first use::

    from polyrank import load
    from polyrank.topology import homology_table, restrict, shape
    cells = restrict(load("net.npz"), shape("torus:40"))
    homology_table(cells, rank=0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyrank.room import public

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

_, __getattr__, __dir__ = public(
    __name__,
    {
        ".chains.chain": ["ChainComplex"],
        ".chains.groups": ["Homology", "homology"],
        ".chains.pair": ["collapse_in_turn", "collapsed_homology"],
        "curves": ["curve_through"],
        "files": ["read_manifold"],
        "layers": ["homology_table"],
        "low_rank": ["LowRankPart", "low_rank_part"],
        "manifold": ["Manifold", "build_manifold"],
        "merging": ["merged_points"],
        "point_cloud": ["complex_of_points"],
        "reading": ["open_cells"],
        "restriction": ["Restriction", "restrict"],
        "shapes": ["shape"],
        "store": ["save_cells"],
    },
)
