"""Parts of a search tree: what a task of a long run is, and what it leaves for others.

A task of a run is a :class:`Subtree`: open cells that follow one another in the search's order.
Whoever works on it spends a budget of work (:mod:`polyrank.cells.work`); what is still open then is
divided into the next subtrees. All of this depends on the cells alone, so that the tree of tasks,
and what is found in which order, does not depend on who works where, or how often he dies.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.opposite import opposite
from polyrank.cells.task import UNDECIDED, Task, prefix_text
from polyrank.counts.arrangement import regions
from polyrank.network.rational import to_fmpq

__all__ = [
    "Cell",
    "Subtree",
    "VertexCell",
    "divided",
    "most_regions",
    "prefixes_of",
    "subtree_from_json",
    "subtree_to_json",
    "undivided",
]


@dataclass(frozen=True, slots=True)
class VertexCell:
    """An open cell with its vertices.

    Attributes
    ----------
    data : bytes
        For a core of the same build (:class:`polyrank.cells.vertices.core.VertexCore`).
    prefix : str
        As :func:`polyrank.cells.task.prefix_text` spells it.
    """

    data: bytes
    prefix: str


#: An open cell: a prefix with points inside, or a cell with its vertices.
Cell = Task | VertexCell

#: Subtrees that a task leaves at most.
_PARTS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Subtree:
    """Open cells that follow one another in the order of the search.

    Attributes
    ----------
    cells : tuple
        The next one first.
    shares : tuple of float
        Of the tree, cell by cell: halved at every cut, no more than a guess.
    generation : int
        Tasks above this one in the tree of tasks.
    """

    cells: tuple[Cell, ...]
    shares: tuple[float, ...]
    generation: int = 0

    @property
    def share(self) -> float:
        """Of the tree."""
        return math.fsum(self.shares)


def undivided(unit_start: NDArray[np.int64], interior: fmpq_mat) -> Subtree:
    """The whole domain as one open cell in which nothing is decided.

    Parameters
    ----------
    unit_start : ndarray, shape (L + 1,)
        First unit of each layer, then their number.
    interior : fmpq_mat, shape (k, 1)
        A point strictly inside.
    """
    units = int(unit_start[-1])
    decision = np.full(units, UNDECIDED, dtype=np.int8)
    point = tuple(interior.entries())
    return Subtree((Task(-1, decision, np.zeros(units, dtype=np.int8), (point,)),), (1.0,))


def divided(rest: Sequence[tuple[Cell, float]], generation: int) -> tuple[Subtree, ...]:
    """Open cells, the next one first, as subtrees in the same order.

    The last cell is the largest: it becomes one subtree, all others together another one.
    """
    if not rest:
        return ()
    first = max(1, len(rest) - (_PARTS - 1))
    groups = [rest[:first], *([one] for one in rest[first:])]
    return tuple(
        Subtree(tuple(c for c, _ in group), tuple(s for _, s in group), generation)
        for group in groups
    )


def most_regions(prefix: str, hyperplane: Sequence[bool], dim: int) -> int:
    """An upper bound of the regions in a cell, by its prefix.

    u hyperplanes divide a convex cell of dimension k into at most Σ_{j≤k} C(u, j) cells (Buck 1943;
    Zaslavsky 1975): the units of the layer that are not decided, then those of each later layer.

    Parameters
    ----------
    prefix : str
        As :func:`polyrank.cells.task.prefix_text` spells it.
    hyperplane : sequence of bool
        Which units of all layers have a hyperplane.
    dim : int
        Dimension k.

    Examples
    --------
    >>> most_regions("1?|??", [True] * 4, 2)
    8
    """
    bound, place = 1, 0
    for layer in prefix.split("|"):
        letters = zip(layer, hyperplane[place : place + len(layer)], strict=True)
        unknown = sum(1 for letter, has in letters if letter == "?" and has)
        place += len(layer)
        bound *= regions(unknown, dim)
    return bound


def prefixes_of(
    cell: Cell, unit_start: NDArray[np.int64], hyperplane: Sequence[bool]
) -> tuple[str, ...]:
    """An open cell as :func:`polyrank.cells.task.prefix_text` spells it; two if it is paired.

    Parameters
    ----------
    cell : Cell
    unit_start : ndarray, shape (L + 1,)
        First unit of each layer, then their number.
    hyperplane : sequence of bool
        Which units of all layers have a hyperplane.
    """
    if isinstance(cell, VertexCell):
        return (cell.prefix,)
    own = prefix_text(cell.decision, unit_start)
    if not cell.paired:
        return (own,)
    return own, prefix_text(opposite(cell.decision, np.array(hyperplane, bool)), unit_start)


def subtree_to_json(tree: Subtree) -> dict[str, Any]:
    """A subtree as an object of JSON."""
    return {
        "generation": tree.generation,
        "shares": list(tree.shares),
        "cells": [_cell_to_json(cell) for cell in tree.cells],
    }


def subtree_from_json(entry: Mapping[str, Any]) -> Subtree:
    """The subtree that :func:`subtree_to_json` wrote.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none.
    """
    return Subtree(
        tuple(_cell_from_json(cell) for cell in entry["cells"]),
        tuple(float(v) for v in entry["shares"]),
        int(entry["generation"]),
    )


def _cell_to_json(cell: Cell) -> Any:
    if isinstance(cell, VertexCell):
        packed = pa.compress(cell.data, codec="zstd", asbytes=True)
        return [cell.prefix, len(cell.data), base64.b64encode(packed).decode()]
    return {
        "layer": cell.layer,
        "decision": (cell.decision + ord("1")).astype(np.uint8).tobytes().decode(),
        "splits": (cell.splits + ord("0")).astype(np.uint8).tobytes().decode(),
        "points": [[str(v) for v in point] for point in cell.points],
        "paired": cell.paired,
    }


def _cell_from_json(entry: Any) -> Cell:
    if isinstance(entry, list):
        prefix, size, text = entry
        data = pa.decompress(base64.b64decode(text), size, codec="zstd", asbytes=True)
        return VertexCell(bytes(data), str(prefix))
    points: list[tuple[fmpq, ...]] = [tuple(map(to_fmpq, point)) for point in entry["points"]]
    return Task(
        int(entry["layer"]),
        np.frombuffer(entry["decision"].encode(), np.uint8).astype(np.int8) - np.int8(ord("1")),
        np.frombuffer(entry["splits"].encode(), np.uint8).astype(np.int8) - np.int8(ord("0")),
        tuple(points),
        bool(entry["paired"]),
    )
