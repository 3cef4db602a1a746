"""Numbers of regions of hyperplane arrangements in general position (Schläfli, Zaslavsky, Cover).

Sources: L. Schläfli, "Theorie der vielfachen Kontinuität" (1852); T. Zaslavsky, "Facing up to
arrangements", Memoirs AMS 154 (1975), Theorem A; T. M. Cover, "Geometrical and statistical
properties of systems of linear inequalities", IEEE Trans. Electronic Computers EC-14 (1965).
"""

from __future__ import annotations

from math import comb

__all__ = ["central_regions", "regions"]


def regions(n: int, m: int) -> int:
    """Regions of n hyperplanes in general position in R^m: ``Z(n, m) = Σ_{j ≤ m} C(n, j)``.

    The greatest number that n hyperplanes can have in R^m, and an upper bound for the part of them
    that meets a convex domain.

    Examples
    --------
    >>> regions(3, 2), regions(5, 9), regions(0, 4)
    (7, 32, 1)
    """
    _natural(n, m)
    return sum(comb(n, j) for j in range(min(n, m) + 1))


def central_regions(n: int, m: int) -> int:
    """Regions of n hyperplanes through 0, else in general position: ``2 Σ_{j < m} C(n − 1, j)``.

    The number of a first layer without biases (Cover's function counting theorem).

    Examples
    --------
    >>> central_regions(3, 2), central_regions(5, 9), central_regions(4, 1)
    (6, 32, 2)
    """
    _natural(n, m)
    if n == 0 or m == 0:
        return 1
    return 2 * sum(comb(n - 1, j) for j in range(min(n, m)))


def _natural(*numbers: int) -> None:
    for number in numbers:
        if number < 0:
            raise ValueError(f"{number} is negative; units and dimensions are not")
