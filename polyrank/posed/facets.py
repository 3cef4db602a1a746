"""The facets of a polyhedron around an interior point, in rational arithmetic.

Source: K. L. Clarkson, "More output-sensitive geometric algorithms", FOCS 1994: a row is tested
against the facets that are already known; where they do not imply it, the ray to the violation
finds a new facet.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq, fmpq_mat

from polyrank.lp.deadline import look
from polyrank.lp.exact import Cell, nonnegative, strictly_inside
from polyrank.lp.farkas import Multipliers, value_at, values_at
from polyrank.lp.short_points import short_point
from polyrank.network.rational import exponent

__all__ = ["Crossing", "facets_of", "step_across"]

Row = tuple[int, ...]

_PERTURBATIONS = 24


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """One facet: its row, positive inside, and a point of its relative interior."""

    row: Row
    point: fmpq_mat


def facets_of(rows: Sequence[Row], inside: fmpq_mat) -> list[Crossing]:
    """All facets of ``{y : a·y + b ≥ 0}``; **proves** every other row redundant.

    Parameters
    ----------
    rows : sequence of Row
        Distinct, in lowest terms, with a ≠ 0.
    inside : fmpq_mat, shape (k, 1)
        Strictly inside every row.

    Raises
    ------
    OutOfTimeError
        At the caller's time limit (:func:`polyrank.lp.deadline.time_limit`), if there is one.
    """
    k = inside.nrows()
    draw = random.Random(0)  # noqa: S311
    start = values_at(rows, inside)
    pending = sorted(range(len(rows)), key=lambda i: start[i], reverse=True)
    found: dict[Row, Crossing] = {}
    while pending:
        look()
        row = rows[pending[-1]]
        if row in found:
            pending.pop()
            continue
        known = Cell.from_rows(list(found), k)
        verdict = nonnegative(known, row, inside)
        if isinstance(verdict, Multipliers):
            pending.pop()
            continue
        beyond = strictly_inside(known, row, verdict.point, inside)
        hit = _first_hit(rows, start, inside, beyond)
        for power in range(_PERTURBATIONS):
            if len(hit[0]) == 1:
                break
            # rows that meet in one point of the ray: another ray nearby tells them apart
            size = sum((abs(v) for v in (beyond - inside).entries()), fmpq(0))
            shift = [fmpq(draw.randint(-1000, 1000), 1000 << (2 * power)) for _ in range(k)]
            near = beyond + fmpq_mat(k, 1, shift) * size
            if value_at(row, near) < 0 and all(value_at(other, near) > 0 for other in found):
                hit = _first_hit(rows, start, inside, near)
        if len(hit[0]) == 1:
            (first,), point = hit
            found[rows[first]] = Crossing(rows[first], point)
            continue
        pending.pop()
        others = [other for other in rows if other != row]
        cell = Cell.from_rows(others, k)
        verdict = nonnegative(cell, row, inside)
        if not isinstance(verdict, Multipliers):
            beyond = strictly_inside(cell, row, verdict.point, inside)
            (_, point) = _first_hit([row], [value_at(row, inside)], inside, beyond)
            found[row] = Crossing(row, point)
    return [found[row] for row in rows if row in found]


def _first_hit(
    rows: Sequence[Row], start: Sequence[fmpq], inside: fmpq_mat, beyond: fmpq_mat
) -> tuple[list[int], fmpq_mat]:
    """The rows that vanish first on the way from inside to beyond, and where they do."""
    share = fmpq(1)
    first: list[int] = []
    for i, (before, after) in enumerate(zip(start, values_at(rows, beyond), strict=True)):
        if after >= 0:
            continue
        at = before / (before - after)
        if at < share:
            share, first = at, [i]
        elif at == share:
            first.append(i)
    return first, inside + (beyond - inside) * share


def step_across(rows: Sequence[Row], point: fmpq_mat, direction: fmpq_mat) -> fmpq_mat:
    """A point close to ``point + ε direction``, strictly inside every row, with short coordinates.

    The rows are those of the neighbour; those that vanish at the point grow in the direction.

    Raises
    ------
    ValueError
        If no such point exists: a row vanishes at the point and does not grow.
    """
    k = point.nrows()
    slopes = [value_at((*row[:k], 0), direction) for row in rows]
    values = values_at(rows, point)
    if any(v < 0 or (v == 0 and s <= 0) for v, s in zip(values, slopes, strict=True)):
        raise ValueError("the point is not on a facet that the direction crosses into these rows")
    reach = [v / -s for v, s in zip(values, slopes, strict=True) if s < 0]
    length = fmpq(1)
    if reach and (least := min(reach)) <= 1:
        length = fmpq(1, 1 << (1 - exponent(least)))
    inside = point + direction * length
    return short_point(rows, inside)
