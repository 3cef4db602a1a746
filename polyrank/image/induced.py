"""Homology of a sequence of complexes and the maps that it induces, over ℤ, ℚ and prime fields.

The telescope of the sequence is reduced by a matching that respects its filtration; what is left
has hardly more cells than there are births and deaths. Over a field its persistent homology is a
barcode. Over ℤ kernels, images and cokernels of the induced maps are quotients of lattices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from flint import fmpz_mat
from numpy.typing import NDArray

from polyrank.chains.chain import ChainComplex, subcomplex
from polyrank.chains.elimination import (
    INTEGERS,
    RATIONALS,
    Coefficients,
    SmallComplex,
    invariant_factors,
    parse_coefficients,
)
from polyrank.chains.groups import Homology, coefficients_name, homology
from polyrank.chains.morse import critical_complex
from polyrank.chains.submodules import kernel
from polyrank.chains.vectors import Number, monic, subtract, vector
from polyrank.image.sequence import ChainMap, telescope

__all__ = ["Bar", "InducedMap", "SequenceHomology", "filtration_homology", "sequence_homology"]

#: Up to this many cells in one degree of the reduced telescope, maps over ℤ are given as groups.
LATTICE_LIMIT = 120


@dataclass(frozen=True, slots=True, order=True)
class Bar:
    """A class that is born at one level and dies at another.

    Attributes
    ----------
    degree : int
    birth : int
        The first level where the class exists; it is in the image of no class before.
    death : int or None
        The first level where its image is 0, or one of an older class; None: it lives to the end.
    """

    degree: int
    birth: int
    death: int | None


@dataclass(frozen=True, slots=True)
class InducedMap:
    """``H_d(X_j) → H_d(X_k)`` over ℤ.

    Attributes
    ----------
    rank : int
    cokernel : str
        ``H_d(X_k)`` modulo the image, such as ``Z + Z/2``; ``0`` if the map is onto.
    kernel : str
        ``0`` if the map is one-to-one.
    """

    rank: int
    cokernel: str
    kernel: str


@dataclass(frozen=True, eq=False)
class SequenceHomology:
    """Homology of every level of a sequence, and of the maps between the levels.

    Attributes
    ----------
    coefficients : str
        ``"Z"``, ``"Q"`` or a prime.
    groups : tuple of Homology
        Per level.
    bars : tuple of Bar
        Over the field, over ℚ for ℤ. **Proves** all ranks of the induced maps: the rank of
        ``H_d(X_j) → H_d(X_k)`` is the number of bars of degree d with ``birth ≤ j``, ``death > k``.
    reduced : SmallComplex
        The reduced telescope over ℤ (or the field), labelled by level.
    """

    coefficients: str
    groups: tuple[Homology, ...]
    bars: tuple[Bar, ...]
    reduced: SmallComplex

    @property
    def levels(self) -> int:
        """Number of complexes of the sequence."""
        return len(self.groups)

    @property
    def degrees(self) -> int:
        """Number of degrees."""
        return len(self.groups[0].betti)

    def rank(self, degree: int, source: int, target: int) -> int:
        """The rank of ``H_d(X_j) → H_d(X_k)`` for levels j ≤ k, over the field (ℚ for ℤ)."""
        return sum(
            bar.degree == degree
            and bar.birth <= source
            and (bar.death is None or bar.death > target)
            for bar in self.bars
        )

    def ranks(self, degree: int) -> list[list[int]]:
        """Row j, column k: the rank from level j to level k; 0 below the diagonal."""
        return [
            [self.rank(degree, j, k) if j <= k else 0 for k in range(self.levels)]
            for j in range(self.levels)
        ]

    @cached_property
    def _order(self) -> list[list[int]]:
        return [sorted(own, key=lambda c: (own[c], c)) for own in self.reduced.labels]

    @property
    def lattices(self) -> bool:
        """Whether maps over ℤ are given as groups: coefficients ℤ, and few cells are left."""
        small = max((len(own) for own in self.reduced.labels), default=0) <= LATTICE_LIMIT
        return self.coefficients == "Z" and small

    def integral_map(self, degree: int, source: int, target: int) -> InducedMap:
        """``H_d(X_j) → H_d(X_k)`` over ℤ with kernel and cokernel, j ≤ k.

        With Z the cycles and B the boundaries of the parts F_j ⊂ F_k of the telescope, the cokernel
        is ``Z(F_k) / (B(F_k) + Z(F_j))`` and the kernel ``(Z(F_j) ∩ B(F_k)) / B(F_j)``.
        """
        cycles_j, bounds_j = self._lattices(degree, source)
        cycles_k, bounds_k = self._lattices(degree, target)
        width = len(self._order[degree])
        both = _rows(cycles_j + bounds_k, width)
        rank = _rank(both) - _rank(_rows(bounds_k, width))
        cokernel = _quotient(_rows(cycles_k, width), both)
        # combinations of the cycles of F_j that are boundaries in F_k
        relations = kernel(both, INTEGERS).tolist() if both.nrows() else []
        killed = [
            [sum(int(c) * z[i] for c, z in zip(row, cycles_j, strict=False)) for i in range(width)]
            for row in ([int(v) for v in r] for r in relations)
        ]
        return InducedMap(rank, cokernel, _quotient(_rows(killed, width), _rows(bounds_j, width)))

    def _lattices(self, degree: int, level: int) -> tuple[list[list[int]], list[list[int]]]:
        """Generators of the cycles and of the boundaries of F_level, in the order of the cells."""
        cells = self._order[degree]
        own = [c for c in cells if self.reduced.labels[degree][c] <= level]
        number = {c: i for i, c in enumerate(cells)}
        boundaries = []
        if degree + 1 < len(self.reduced.labels):
            for b, label in self.reduced.labels[degree + 1].items():
                if label <= level:
                    row = [0] * len(cells)
                    for a, entry in self.reduced.columns[degree + 1][b].items():
                        row[number[a]] = entry
                    boundaries.append(row)
        lower = self._order[degree - 1] if degree else []
        place = {a: i for i, a in enumerate(lower)}
        matrix = fmpz_mat(len(own), len(lower))
        for i, c in enumerate(own):
            for a, entry in self.reduced.columns[degree].get(c, {}).items():
                matrix[i, place[a]] = entry
        cycles = []
        for combination in kernel(matrix, INTEGERS).tolist():
            cycle = [0] * len(cells)
            for c, v in zip(own, combination, strict=True):
                cycle[number[c]] = int(v)
            cycles.append(cycle)
        return cycles, boundaries


def sequence_homology(
    complexes: Sequence[ChainComplex], maps: Sequence[ChainMap], coefficients: str | int = "Z"
) -> SequenceHomology:
    """Groups, barcode and induced maps of a sequence of complexes.

    Parameters
    ----------
    complexes : sequence of ChainComplex
        With the same number of dimensions.
    maps : sequence of ChainMap
        From every complex to the next.
    coefficients : "Z", "Q" or a prime

    Examples
    --------
    A circle of six edges wrapped twice around one of three:

    >>> import numpy as np
    >>> from scipy.sparse import csc_array
    >>> def circle(n):
    ...     ends = np.array([[i, (i + 1) % n] for i in range(n)])
    ...     entries = np.tile([-1, 1], n), (ends.ravel(), np.repeat(np.arange(n), 2))
    ...     return ChainComplex((n, n), (csc_array(entries, shape=(n, n)),))
    >>> twice = csc_array(np.tile(np.eye(3, dtype=np.int64), 2))
    >>> found = sequence_homology([circle(6), circle(3)], [(twice, twice)])
    >>> found.integral_map(1, 0, 1)
    InducedMap(rank=1, cokernel='Z/2', kernel='0')
    """
    whole, labels = telescope(complexes, maps)
    groups = [homology(c, coefficients) for c in complexes]
    return _of_filtration(whole, labels, groups, coefficients)


def filtration_homology(
    complex_: ChainComplex,
    labels: tuple[NDArray[np.int64], ...],
    levels: int,
    degrees: int,
    coefficients: str | int = "Z",
) -> SequenceHomology:
    """Groups, barcode and induced maps of the subcomplexes of a filtration.

    Parameters
    ----------
    complex_ : ChainComplex
    labels : tuple of int64 arrays
        Per dimension the level 0, 1, … from which a cell is there; no face comes later.
    levels : int
        Number of levels.
    degrees : int
        Number of degrees that are given: cells above that dimension are not needed in them.
    coefficients : "Z", "Q" or a prime
    """
    parts = [subcomplex(complex_, tuple(own <= k for own in labels)) for k in range(levels)]
    groups = [homology(c, coefficients).below(degrees) for c in parts]
    return _of_filtration(complex_, labels, groups, coefficients)


def _of_filtration(
    whole: ChainComplex,
    labels: tuple[NDArray[np.int64], ...],
    groups: list[Homology],
    coefficients: str | int,
) -> SequenceHomology:
    ring = parse_coefficients(coefficients)
    critical, boundary = critical_complex(whole, labels)
    kept = [own[c].tolist() for own, c in zip(labels, critical, strict=True)]
    small = SmallComplex.build(kept, boundary, ring)
    small.cancel()
    field = RATIONALS if ring == INTEGERS else ring
    bars = tuple(b for b in _persistence(small, field) if b.degree < len(groups[0].betti))
    return SequenceHomology(coefficients_name(ring), tuple(groups), bars, small)


def _persistence(small: SmallComplex, field: Coefficients) -> list[Bar]:
    """The barcode of a filtered complex, by reduction of its boundary matrices.

    Source: Zomorodian and Carlsson, Computing persistent homology (2005).
    """
    bars: list[Bar] = []
    top = len(small.labels)
    killed: list[set[int]] = [set() for _ in range(top + 1)]
    cycles: list[list[int]] = []
    for d in range(top):
        labels = small.labels[d]
        below = small.labels[d - 1] if d else {}
        pivots: dict[int, dict[int, Number]] = {}
        free = []
        for b in sorted(labels, key=lambda c: (labels[c], c)):
            column = vector(small.columns[d].get(b, {}), field)
            while column:
                low = max(column, key=lambda a: (below[a], a))
                other = pivots.get(low)
                if other is None:
                    break
                subtract(column, other, column[low], field)
            if not column:
                free.append(b)
                continue
            pivots[low] = monic(column, low, field)
            killed[d - 1].add(low)
            if below[low] < labels[b]:
                bars.append(Bar(d - 1, below[low], labels[b]))
        cycles.append(free)
    for d in range(top):
        bars += [Bar(d, small.labels[d][c], None) for c in cycles[d] if c not in killed[d]]
    return sorted(bars, key=lambda b: (b.degree, b.birth, b.death is None, b.death or 0))


def _rows(rows: list[list[int]], width: int) -> fmpz_mat:
    return fmpz_mat(len(rows), width, [v for row in rows for v in row])


def _rank(rows: fmpz_mat) -> int:
    return int(rows.rank()) if rows.nrows() and rows.ncols() else 0


def _quotient(lattice: fmpz_mat, sub: fmpz_mat) -> str:
    """The group ``lattice / sub`` for generators (rows) of both, sub within the lattice.

    The lattice is saturated or not: its basis is taken, and sub is written in that basis.
    """
    width = lattice.ncols()
    if not lattice.nrows() or not width:
        return "0"
    form = [row for row in lattice.hnf().tolist() if any(v != 0 for v in row)]
    if not form:
        return "0"
    coordinates = []
    for row in sub.tolist():
        rest = [int(v) for v in row]
        own = []
        for base in form:
            pivot = next(i for i, v in enumerate(base) if v != 0)
            factor, remainder = divmod(rest[pivot], int(base[pivot]))
            if remainder:
                raise AssertionError("not a sublattice")
            own.append(factor)
            rest = [r - factor * int(v) for r, v in zip(rest, base, strict=True)]
        if any(rest):
            raise AssertionError("not a sublattice")
        coordinates.append(own)
    factors = invariant_factors(_rows(coordinates, len(form)))
    free = len(form) - len(factors)
    parts = [] if not free else ["Z" if free == 1 else f"Z^{free}"]
    return " + ".join(parts + [f"Z/{t}" for t in factors if t > 1]) or "0"
