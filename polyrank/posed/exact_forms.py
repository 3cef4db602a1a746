"""Rows of layer 1 that floats do not hold, for proofs in integers: residues of exact multiples.

Where hyperplanes meet, signs of multipliers have to be decided exactly. The native core does so in
integers where its float rows are integers in disguise; for others it has these residues. An
identity between rows holds in all linear coordinates or in none, so the coordinates are those in
which the rows of layer 1 are short: an arrangement of small integers that was turned by a matrix of
large ones is one of small integers again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import gcd, isqrt
from typing import NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat
from numpy.typing import NDArray

from polyrank.lp.farkas import integer_row
from polyrank.native.records import call
from polyrank.network.exact_rank import exact_rank
from polyrank.posed.cube import IntRow

__all__ = ["ExactForms", "exact_forms", "no_forms"]

#: Primes beyond those that a proof needs: some divide determinants.
_SPARE = 2
_BITS = 30.99  # of a prime
_MOST_PRIMES = 64
#: Up to so many primes the rows are taken as they are.
_FEW = 6
#: Larger tables are not made.
_MOST_ENTRIES, _MOST_DIMENSIONS = 1 << 14, 24


class ExactForms(NamedTuple):
    """Exact multiples of the walls, then of the rows of layer 1, in coordinates of their own.

    Attributes
    ----------
    residues : ndarray of int64, shape (rows, primes, d + 1)
    norm : ndarray of float64, shape (rows,)
        Bounds of the Euclidean norms; 0 of rows that are zero or too long, negative where another
        row stands for one that no identity needs.
    """

    residues: NDArray[np.int64]
    norm: NDArray[np.float64]


def exact_forms(walls: Sequence[IntRow], guards: int, first: fmpq_mat, linear: int) -> ExactForms:
    """The exact rows of a problem.

    Parameters
    ----------
    walls : sequence of tuple of int
    guards : int
        How many of them, the last ones, bound cones only.
    first : fmpq_mat, shape (units, d + 1)
        Rows of layer 1 in cube coordinates.
    linear : int
        How many leading coordinates are directions of the domain: others are left alone.
    """
    width = first.ncols()
    if (len(walls) + first.nrows()) * width > _MOST_ENTRIES or width > _MOST_DIMENSIONS:
        return no_forms(width - 1)
    units = [integer_row(row) for row in first.tolist()]
    rows = [*walls, *units]
    if _primes(units, width) > _FEW:
        short = _shortened(rows, units, linear)
        if short is not None and _primes(short[len(walls) :], width) < _primes(units, width):
            rows = short
    # those that bound cones are in no identity: any vector that completes a basis stands for them
    idle = range(len(walls) - guards, len(walls))
    anything = np.random.default_rng(0).integers(-(1 << 16), 1 << 16, size=(guards, width - 1))
    for i, vector in zip(idle, anything.tolist(), strict=True):
        rows[i] = (*vector, 0)
    primes = _word_primes()[: _primes(rows, width)]
    residues = np.array([[[v % p for v in row] for p in primes] for row in rows], dtype=np.int64)
    norm = np.array([_norm(row) for row in rows])
    norm[list(idle)] *= -1.0
    return ExactForms(residues.reshape(len(rows), len(primes), width), norm)


def no_forms(dim: int) -> ExactForms:
    """No rows at all, of d = ``dim`` coordinates."""
    return ExactForms(np.zeros((0, 0, dim + 1), dtype=np.int64), np.zeros(0))


@cache
def _word_primes() -> list[int]:
    """The primes below 2^31 that the native core takes, in its order."""
    out = np.zeros(_MOST_PRIMES, dtype=np.int64)
    count = call("polyrank_word_primes", out)
    return [int(p) for p in out[:count]]


def _norm(row: IntRow) -> float:
    """A bound of the Euclidean norm, rounded upwards; 0 for a zero row and one that is too long."""
    squares = sum(v * v for v in row)
    if squares.bit_length() > 1800:
        return 0.0
    return float(isqrt(squares) + 1) * (1.0 + 2.0**-50) if squares else 0.0


def _primes(rows: Sequence[IntRow], width: int) -> int:
    """How many primes the proofs need that ask for the longest rows."""
    bits = sorted((sum(v * v for v in row).bit_length() / 2 for row in rows), reverse=True)
    return int((sum(bits[:width]) + 4) / _BITS) + 1 + _SPARE


def _shortened(rows: Sequence[IntRow], units: Sequence[IntRow], linear: int) -> list[IntRow] | None:
    """All rows in coordinates in which those of the units are short; None where they are few.

    With F the units' linear parts and ``U F = [R; 0]`` their Hermite form, ``F R^-1`` consists of
    columns of an inverse of U: it spans all integer vectors of the column space of F, of which LLL
    finds short ones. The other columns are divided by what their entries have in common.
    """
    table = fmpz_mat([list(row[:linear]) for row in units])
    if exact_rank(fmpq_mat(table)) < linear:
        return None
    hermite = table.hnf()
    corner = fmpq_mat(linear, linear, [hermite[i, j] for i in range(linear) for j in range(linear)])
    turned = (fmpq_mat(table) * corner.inv()).numer_denom()[0]
    _, change = turned.transpose().lll(True)
    basis = corner.inv() * fmpq_mat(change.transpose())
    parts = fmpq_mat([list(row[:linear]) for row in rows]) * basis
    common = [gcd(*(row[l] for row in units)) or 1 for l in range(linear, len(rows[0]))]
    return [
        integer_row([*part, *(fmpq(v, c) for v, c in zip(row[linear:], common, strict=True))])
        for part, row in zip(parts.tolist(), rows, strict=True)
    ]
