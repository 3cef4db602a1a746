"""Sparse vectors over ℚ or a prime field: dictionaries of entries that are not 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from flint import fmpq

from polyrank.chains.elimination import RATIONALS, Coefficients

__all__ = ["Number", "monic", "subtract", "vector"]

#: An element of the field: a rational, or an integer modulo the prime.
Number: TypeAlias = Any


def vector(entries: Mapping[int, int], field: Coefficients) -> dict[int, Number]:
    """A vector of integers over the field; what is 0 there is left out."""
    if field == RATIONALS:
        return {k: fmpq(v) for k, v in entries.items() if v}
    return {k: v % field for k, v in entries.items() if v % field}


def monic(own: Mapping[int, Number], pivot: int, field: Coefficients) -> dict[int, Number]:
    """The multiple of a vector whose entry at the pivot is 1."""
    if field == RATIONALS:
        return {k: v / own[pivot] for k, v in own.items()}
    scale = pow(int(own[pivot]), -1, field)
    return {k: v * scale % field for k, v in own.items()}


def subtract(
    own: dict[int, Number], other: Mapping[int, Number], factor: Number, field: Coefficients
) -> None:
    """Subtract a multiple of another vector, in place."""
    for k, v in other.items():
        new = own.get(k, 0) - factor * v
        if field != RATIONALS:
            new %= field
        if new:
            own[k] = new
        else:
            own.pop(k, None)
