"""Short coordinates for interior points: rounded inside the cell, checked exactly.

An interior point of a cell is often made from points of other cells. Exact coordinates then grow
with every step, and arithmetic with them slows down without end; but an open cell holds points of
few bits around every point.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import fmpq, fmpq_mat

from polyrank.lp.farkas import Row, values_at
from polyrank.network.rational import exponent

__all__ = ["leading_bits", "short_point"]

#: Coordinates of at most this many bits are left as they are.
_LONG = 256
_FEWEST = 32


def short_point(rows: Sequence[Row], point: fmpq_mat) -> fmpq_mat:
    """A point near a given one, with short coordinates, at which every row is still positive.

    Parameters
    ----------
    rows : sequence of Row
        Integers ``(a, b)`` with ``a·u + b > 0`` at the point.
    point : fmpq_mat, shape (d, 1)

    Returns
    -------
    fmpq_mat, shape (d, 1)
        The leading bits of every coordinate, 32 or twice, four times, ... as many: the fewest that
        **prove** to lie strictly inside; the point itself where none shorter do, or it is short.
    """
    size = max((_bits(v) for v in point.entries()), default=0)
    if size <= _LONG:
        return point
    bits = _FEWEST
    while 2 * bits < size:
        short = fmpq_mat(point.nrows(), 1, [leading_bits(v, bits) for v in point.entries()])
        if all(v > 0 for v in values_at(rows, short)):
            return short
        bits *= 2
    return point


def _bits(value: fmpq) -> int:
    return int(value.p).bit_length() + int(value.q).bit_length()


def leading_bits(value: fmpq, bits: int) -> fmpq:
    """The first bits of a number of any magnitude, rounded down."""
    p, q = int(value.p), int(value.q)
    shift = bits - exponent(value)
    if shift < 0:
        return fmpq((p // (q << -shift)) << -shift)
    return fmpq((p << shift) // q, 1 << shift)
