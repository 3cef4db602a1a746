"""Coordinates of R^m that are coordinates of an affine subspace of dimension at most 3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flint import fmpq

__all__ = ["three_coordinates"]


def three_coordinates(points: Iterable[Sequence[fmpq]]) -> tuple[int, int, int] | None:
    """Three coordinates that tell all points of the affine hull apart; None if there are none.

    There are some iff the affine hull has dimension at most 3; the first are taken.

    Parameters
    ----------
    points : iterable of points of R^m, m ≥ 3
        At least one.

    Examples
    --------
    >>> corners = [[0, 0, 0, 0], [1, 0, 0, 2], [0, 0, 1, 2], [0, 1, 0, 0]]
    >>> three_coordinates([[fmpq(v) for v in p] for p in corners])
    (0, 1, 2)
    >>> three_coordinates([[fmpq(v) for v in p] for p in [*corners, [0, 0, 0, 1]]]) is None
    True
    """
    rows: dict[int, list[fmpq]] = {}  # pivot column → row, 1 at the pivot
    base: Sequence[fmpq] | None = None
    width = 0
    for p in points:
        if base is None:
            base, width = p, len(p)
        rest = [x - o for x, o in zip(p, base, strict=True)]
        for column, row in sorted(rows.items()):
            factor = rest[column]
            if factor != 0:
                rest = [v - factor * u for v, u in zip(rest, row, strict=True)]
        pivot = next((k for k, v in enumerate(rest) if v != 0), None)
        if pivot is None:
            continue
        if len(rows) == 3:
            return None
        rows[pivot] = [v / rest[pivot] for v in rest]
    more = [k for k in range(width) if k not in rows]
    first, second, third = sorted([*rows, *more[: 3 - len(rows)]])
    return first, second, third
