"""Blocks of regions, the tasks of a region graph: what one gives, and how it is kept.

The regions of a run are walked over in blocks of consecutive ones. What a block gives depends on
the run alone, not on other blocks, on the thread that makes it or on where the work was
interrupted: the walk begins afresh at its first region, and a facet between regions of two blocks
is found in both.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.graph.region_graph import Gap
from polyrank.network.rational import to_fmpq

__all__ = ["Block", "block_ends", "packed", "unpacked"]

#: A block has at least and at most so many regions; between them a run has about so many blocks.
_LEAST, _MOST, _BLOCKS = 1 << 13, 1 << 17, 64


def block_ends(regions: int) -> Iterator[tuple[int, int]]:
    """First region and end of every block of a run.

    Examples
    --------
    >>> list(block_ends(20_000))
    [(0, 8192), (8192, 16384), (16384, 20000)]
    """
    size = min(_MOST, max(_LEAST, -(-regions // _BLOCKS)))
    for begin in range(0, regions, size):
        yield begin, min(regions, begin + size)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The facets of the regions ``begin .. end − 1``.

    Attributes
    ----------
    begin, end : int
    source, target, row : ndarray of int32, shape (e,)
        Edges, each from its earlier region; ``row`` is numbered as in the walk.
    alone : ndarray of bool, shape (e,)
        The target finds the edge by itself.
    wall_region, wall_row : ndarray of int32
        Facets on the domain's wall.
    back : ndarray of int32, shape (b, 3)
        Facets that lead to an earlier region, found by themselves: region, earlier region, row.
    nowhere : ndarray of int32, shape (n, 2)
        Facets that lead to no listed region: region, row.
    opened : ndarray of int64
        Regions that rationals settled.
    owner, point : ndarray of int64 (p,), ndarray of float64 (p, k)
        Points that prove edges, by the edge's number in the block.
    exact : mapping of int to tuple of fmpq
        Those that are not float64.
    gaps : tuple of Gap
        The first facets that lead nowhere, described.
    statistics : mapping
    """

    begin: int
    end: int
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    row: NDArray[np.int32]
    alone: NDArray[np.bool_]
    wall_region: NDArray[np.int32]
    wall_row: NDArray[np.int32]
    back: NDArray[np.int32]
    nowhere: NDArray[np.int32]
    opened: NDArray[np.int64]
    owner: NDArray[np.int64]
    point: NDArray[np.float64]
    exact: Mapping[int, tuple[fmpq, ...]] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    statistics: Mapping[str, int] = field(default_factory=dict)


_ARRAYS = tuple(f.name for f in fields(Block) if "NDArray" in str(f.type))


def packed(block: Block) -> tuple[dict[str, Any], bytes]:
    """A block as the journal and a shard keep it."""
    file = io.BytesIO()
    np.savez(file, **{name: getattr(block, name) for name in _ARRAYS})
    entry = {
        "begin": block.begin,
        "end": block.end,
        "exact": {str(e): [str(v) for v in q] for e, q in block.exact.items()},
        "gaps": [
            {
                "region": gap.region,
                "unit": gap.unit,
                "beyond": [str(v) for v in gap.beyond],
                "codeword": list(gap.codeword),
            }
            for gap in block.gaps
        ],
        "statistics": dict(block.statistics),
    }
    return entry, file.getvalue()


def unpacked(entry: Mapping[str, Any], shard: bytes) -> Block:
    """The block that :func:`packed` made them of."""
    with np.load(io.BytesIO(shard), allow_pickle=False) as arrays:
        columns = {name: arrays[name] for name in _ARRAYS}
    return Block(
        int(entry["begin"]),
        int(entry["end"]),
        **columns,
        exact={int(e): tuple(map(to_fmpq, q)) for e, q in entry["exact"].items()},
        gaps=tuple(
            Gap(g["region"], g["unit"], tuple(map(to_fmpq, g["beyond"])), tuple(g["codeword"]))
            for g in entry["gaps"]
        ),
        statistics=entry["statistics"],
    )
