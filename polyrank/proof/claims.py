"""Trusted: the claims of steps, of leaves and of rows of the table, decided on exact integers.

Every function says why a claim does not hold; "" if it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

from polyrank.proof.farkas import proved
from polyrank.proof.layers import Problem, Region
from polyrank.proof.rows import Listed

__all__ = ["described", "inside", "ranked", "signed", "vanishing"]


def signed(
    problem: Problem,
    region: Region,
    goal: int,
    rows: Sequence[int],
    columns: Sequence[int] = (),
    *,
    by_rows: bool,
) -> str:
    """The goal is ≥ 0, and not identically 0, where the rows are.

    Parameters
    ----------
    problem : Problem
    region : Region
        On which goal and rows are.
    goal, rows : numbers of rows
    columns : coordinates in which they are made to agree; none: in all
    by_rows : bool
        The step names rows; else it is about the bounding box alone.
    """
    name = f"unit {(goal >> 1) - len(problem.walls) - region.layers.starts[region.layer]}"
    wanted = problem.row(region, goal)
    if not any(wanted):
        return f"{name} is identically zero"
    real = [problem.row(region, n) for n in rows if not problem.is_artificial(n)]
    if proved(wanted, real, bounded=problem.bounded, columns=columns or None):
        return ""
    if by_rows:
        return f"the rows do not prove the sign of {name}"
    return f"the bounding box does not decide {name}"


def vanishing(region: Region, unit: int) -> str:
    """A unit is identically zero."""
    return f"unit {unit} is not identically zero" if any(region.exact[unit]) else ""


def inside(problem: Problem, region: Region, number: int, point: Sequence[int], row: int) -> str:
    """A row of a region is positive at the witness of a row of the table; artificial walls are.

    ``point``: the witness as k + 1 integers (:meth:`polyrank.proof.rows.Listed.exact`).
    """
    if problem.is_artificial(number):
        return ""
    if number >> 1 < len(problem.walls):
        terms = problem.terms[number >> 1]
        value = sum([a * point[l] for l, a in terms]) * (-1 if number & 1 else 1)
    else:
        own = problem.row(region, number)
        value = sum([own[l] * point[l] for l in compress(range(len(own)), own)])
    return "" if value > 0 else f"the witness of row {row} is not inside"


def ranked(region: Region, rank: int, row: int) -> str:
    """The rank of the layers below a region is the one that a row of the table states."""
    if region.rank == rank:
        return ""
    return f"row {row} states ranks with {rank} for layer {region.layer}, not {region.rank}"


def described(region: Region, listed: Listed, i: int, row: int) -> str:
    """Row i of those listed, of the table row ``row``, states the bits and ranks of a region."""
    if (region.code, region.zeros) != listed.words(i):
        return f"row {row} states another codeword"
    ranks = tuple(listed.ranks[i].tolist())
    if region.ranks() != ranks:
        return f"row {row} states ranks {ranks}, not {region.ranks()}"
    return ""
