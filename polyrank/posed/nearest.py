"""The point of a closed polyhedron that is nearest to a given one, exactly.

Source: D. Goldfarb, A. Idnani, "A numerically stable dual method for solving strictly convex
quadratic programs", Mathematical Programming 27 (1983) 1-33. In rationals it needs no tolerance
and ends, since the objective grows at every full step.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import fmpq, fmpq_mat

from polyrank.lp.deadline import look
from polyrank.lp.farkas import value_at, values_at

__all__ = ["nearest_point"]

Row = tuple[int, ...]


def nearest_point(
    rows: Sequence[Row],
    point: fmpq_mat,
    on: Row | None = None,
    metric: fmpq_mat | None = None,
) -> tuple[fmpq_mat, fmpq] | None:
    """The nearest point of ``{y : a·y + b ≥ 0}``, and the squared distance.

    Parameters
    ----------
    rows : sequence of Row
        Integers ``(a, b)``, k + 1 of them.
    point : fmpq_mat, shape (k, 1)
    on : Row, optional
        A row, with a ≠ 0, that must vanish at the nearest point: a facet's.
    metric : fmpq_mat, shape (k, k), optional
        G, symmetric and positive definite: squared lengths are ``vᵀ G v``. Default: Euclidean.

    Returns
    -------
    (y, distance) or None
        None if the polyhedron is empty. **Proves** the distance: y lies in the polyhedron, and
        ``G (y − point)`` is a combination of the rows that vanish there, non-negative except for
        ``on`` (the Karush-Kuhn-Tucker conditions of a convex program).

    Raises
    ------
    OutOfTimeError
        At the caller's time limit (:func:`polyrank.lp.deadline.time_limit`), if there is one.
    """
    k = point.nrows()
    inverse = None if metric is None or not k else metric.inv()

    def raised(v: fmpq_mat) -> fmpq_mat:
        return v if inverse is None else inverse * v

    y = point
    active: list[Row] = []
    prices: list[fmpq] = []
    held = 0 if on is None else 1
    if on is not None:
        a = _normal(on, k)
        price = -value_at(on, y) / (a.transpose() * raised(a))[0, 0]
        y = y + raised(a) * price
        active, prices = [on], [price]
    while True:
        look()
        values = values_at(rows, y)
        violated = min(range(len(rows)), key=values.__getitem__, default=None)
        if violated is None or values[violated] >= 0:
            step = y - point
            square = step.transpose() * (step if metric is None else metric * step)
            return y, square[0, 0] if k else fmpq(0)
        entering, new_price = rows[violated], fmpq(0)
        a = _normal(entering, k)
        while True:
            N = fmpq_mat(len(active), k, [v for row in active for v in row[:k]])
            weights = _weights(N, raised(N.transpose()), raised(a))
            # what the active rows leave of the normal, as a direction
            rest = a - N.transpose() * fmpq_mat(len(weights), 1, weights) if weights else a
            direction = raised(rest)
            # the first price of an inequality to reach zero
            blocking = min(
                (i for i in range(held, len(active)) if weights[i] > 0),
                key=lambda i: prices[i] / weights[i],
                default=None,
            )
            speed = (a.transpose() * direction)[0, 0]
            lengths = [] if blocking is None else [prices[blocking] / weights[blocking]]
            if speed != 0:
                lengths.append(-value_at(entering, y) / speed)
            if not lengths:
                return None
            length = min(lengths)
            y = y + direction * length
            prices = [p - length * w for p, w in zip(prices, weights, strict=True)]
            new_price += length
            if speed != 0 and length == lengths[-1]:
                active.append(entering)
                prices.append(new_price)
                break
            if blocking is not None:
                del active[blocking], prices[blocking]


def _normal(row: Row, k: int) -> fmpq_mat:
    return fmpq_mat(k, 1, list(row[:k]))


def _weights(N: fmpq_mat, spread: fmpq_mat, a: fmpq_mat) -> list[fmpq]:
    """Coefficients of the projection of a normal onto the span of the active, independent ones."""
    if not N.nrows():
        return []
    out: list[fmpq] = (N * spread).solve(N * a).entries()
    return out
