"""Coordinates of R^m that are coordinates of an affine subspace of dimension at most 3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flint import fmpq

from polyrank.image.echelon import echelon

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
    base: Sequence[fmpq] | None = None
    rows: list[list[fmpq]] = []
    pivots: list[int] = []
    for p in points:
        base = p if base is None else base
        rows, pivots = echelon([*rows, [x - o for x, o in zip(p, base, strict=True)]])
        if len(pivots) > 3:
            return None
    more = [k for k in range(len(base or ())) if k not in pivots]
    first, second, third = sorted([*pivots, *more[: 3 - len(pivots)]])
    return first, second, third
