"""Sparse elimination of small chain complexes: over ℤ by unit pivots, over fields by any pivot.

Cancelling an incidence a < b that is a unit of the ring removes both cells and keeps the homology.
In a filtered complex (a subcomplex A and the rest) only pairs with the same label are cancelled,
which keeps the homology of A, of the whole and of the pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flint import fmpz, fmpz_mat, nmod_mat

from polyrank.errors import DomainError

__all__ = [
    "INTEGERS",
    "RATIONALS",
    "Coefficients",
    "SmallComplex",
    "invariant_factors",
    "parse_coefficients",
    "rank_over",
]

#: 0 stands for ℚ, −1 for ℤ, a prime p for the field of p elements.
Coefficients: TypeAlias = int
INTEGERS: Coefficients = -1
RATIONALS: Coefficients = 0


def parse_coefficients(text: str | int) -> Coefficients:
    """``"Z"``, ``"Q"`` or a prime number.

    Raises
    ------
    DomainError
        If it is none of these; a composite number is no field.

    Examples
    --------
    >>> parse_coefficients("Z"), parse_coefficients("Q"), parse_coefficients("7")
    (-1, 0, 7)
    """
    shown = str(text).strip()
    if shown.upper() == "Z":
        return INTEGERS
    if shown.upper() == "Q":
        return RATIONALS
    if shown.isdecimal() and len(shown) <= 9 and fmpz(int(shown)).is_prime():
        return int(shown)
    raise DomainError(f"coefficients must be Z, Q or a prime below 10^9, got {shown!r}")


@dataclass(slots=True)
class SmallComplex:
    """A chain complex as columns of Python integers, to be reduced in place.

    Attributes
    ----------
    labels : list of dict
        Per dimension, ``{cell: label}`` of the cells that are left.
    columns : list of dict
        ``columns[d][b]`` is ``{a: value}``, the boundary of the d-cell b; ``columns[0]`` is empty.
    coefficients : int
        What was inverted: −1 only ±1, 0 every non-zero rational, p what p does not divide.
    """

    labels: list[dict[int, int]]
    columns: list[dict[int, dict[int, int]]]
    coefficients: Coefficients

    @classmethod
    def build(
        cls,
        labels: Sequence[Sequence[int]],
        boundary: Sequence[Iterable[tuple[int, int, int]]],
        coefficients: Coefficients,
    ) -> SmallComplex:
        """From the labels of the cells and (row, column, value) triples of ∂_1, ∂_2, ..."""
        columns: list[dict[int, dict[int, int]]] = [{} for _ in labels]
        for d, entries in enumerate(boundary, start=1):
            columns[d] = {b: {} for b in range(len(labels[d]))}
            for row, column, value in entries:
                number = value % coefficients if coefficients > 0 else value
                if number:
                    columns[d][column][row] = number
        return cls([dict(enumerate(own)) for own in labels], columns, coefficients)

    def block(self, label: int | None) -> SmallComplex:
        """A copy of the cells of one label (of all, if None) that may all be cancelled."""
        kept = [
            {c for c, own in labels.items() if label is None or own == label}
            for labels in self.labels
        ]
        columns: list[dict[int, dict[int, int]]] = [{} for _ in kept]
        for d in range(1, len(kept)):
            for b in kept[d]:
                below = kept[d - 1]
                columns[d][b] = {a: v for a, v in self.columns[d][b].items() if a in below}
        return SmallComplex([dict.fromkeys(own, 0) for own in kept], columns, self.coefficients)

    def cancel(self) -> list[int]:
        """Cancel invertible pairs with equal labels until none is left.

        Over ℚ only ±1 are cancelled, too: what is left is small, and its rank is taken exactly.
        Returns the number of pairs of cells of dimensions d − 1 and d, for d = 0..k.
        """
        counts = [0]
        for d in range(1, len(self.labels)):
            before = len(self.labels[d])
            self._cancel_in(d)
            counts.append(before - len(self.labels[d]))
        return counts

    def _invertible(self, value: int) -> bool:
        return self.coefficients > 0 or value in {1, -1}

    def _cancel_in(self, d: int) -> None:
        columns, p = self.columns[d], self.coefficients
        rows: dict[int, set[int]] = {a: set() for a in self.labels[d - 1]}
        for b, column in columns.items():
            for a in column:
                rows[a].add(b)
        above = self.columns[d + 1] if d + 1 < len(self.columns) else {}
        waiting = sorted(columns, key=lambda b: len(columns[b]))
        while waiting:
            changed: list[int] = []
            for b in waiting:
                if b not in columns:
                    continue
                column = columns[b]
                own = self.labels[d][b]
                pivots = [
                    a
                    for a, v in column.items()
                    if self._invertible(v) and self.labels[d - 1][a] == own
                ]
                if not pivots:
                    continue
                a = min(pivots, key=lambda r: (len(rows[r]), r))
                inverse = pow(column[a], -1, p) if p > 0 else column[a]
                for other in list(rows[a]):
                    if other == b:
                        continue
                    target = columns[other]
                    factor = target[a] * inverse
                    for r, v in column.items():
                        new = target.get(r, 0) - factor * v
                        if p > 0:
                            new %= p
                        if new:
                            target[r] = new
                            rows[r].add(other)
                        else:
                            target.pop(r, None)
                            rows[r].discard(other)
                    changed.append(other)
                for r in column:
                    rows[r].discard(b)
                del columns[b], self.labels[d][b], rows[a], self.labels[d - 1][a]
                self.columns[d - 1].pop(a, None)
                for target in above.values():
                    target.pop(b, None)
            waiting = sorted(set(changed) & columns.keys(), key=lambda b: (len(columns[b]), b))

    def cells(self, d: int, label: int | None = None) -> list[int]:
        """The d-cells left, of one label or of all."""
        if not 0 <= d < len(self.labels):
            return []
        return [c for c, own in self.labels[d].items() if label is None or own == label]

    def matrix(self, d: int, row_label: int | None = None, label: int | None = None) -> fmpz_mat:
        """∂_d as a dense integer matrix, or the block between two labels."""
        rows, columns = self.cells(d - 1, row_label), self.cells(d, label)
        number = {a: i for i, a in enumerate(rows)}
        out = fmpz_mat(len(rows), len(columns))
        if not 1 <= d < len(self.columns):
            return out
        for j, b in enumerate(columns):
            for a, v in self.columns[d][b].items():
                if a in number:
                    out[number[a], j] = v
        return out


def rank_over(matrix: fmpz_mat, coefficients: Coefficients) -> int:
    """The rank over ℚ (also for ℤ) or over the field of p elements."""
    if matrix.nrows() == 0 or matrix.ncols() == 0:
        return 0
    if coefficients > 0:
        return int(nmod_mat(matrix, coefficients).rank())
    return int(matrix.rank())


def invariant_factors(matrix: fmpz_mat) -> list[int]:
    """The non-zero diagonal of the Smith normal form, positive, each dividing the next."""
    if matrix.nrows() == 0 or matrix.ncols() == 0:
        return []
    form = matrix.snf()
    size = min(form.nrows(), form.ncols())
    return [abs(int(form[i, i])) for i in range(size) if form[i, i] != 0]
