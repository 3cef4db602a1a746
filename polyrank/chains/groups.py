"""Homology of chain complexes, exactly: over ℤ with torsion, over ℚ, over prime fields.

The complex is first reduced by an acyclic matching (:mod:`polyrank.chains.morse`), then by unit
pivots (:mod:`polyrank.chains.elimination`); what is left is decided by the integer Smith normal
form, or by ranks over the field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from polyrank.chains.chain import ChainComplex, Mask
from polyrank.chains.elimination import (
    INTEGERS,
    Coefficients,
    SmallComplex,
    invariant_factors,
    parse_coefficients,
    rank_over,
)
from polyrank.chains.morse import critical_complex

__all__ = ["Homology", "block_homology", "coefficients_name", "homology", "reduced_pair"]


@dataclass(frozen=True, slots=True)
class Homology:
    """Homology groups of degrees 0..k.

    Attributes
    ----------
    coefficients : str
        ``"Z"``, ``"Q"`` or a prime.
    betti : tuple of int
        Ranks of the free parts, or dimensions over the field.
    torsion : tuple of tuple of int
        Per degree, the invariant factors > 1, each dividing the next; empty over a field.
    """

    coefficients: str
    betti: tuple[int, ...]
    torsion: tuple[tuple[int, ...], ...]

    def group(self, degree: int) -> str:
        """The group of one degree, such as ``Z^2 + Z/2``, ``Q`` or ``F3^4``; ``0`` if trivial."""
        symbol = self.coefficients if self.coefficients in {"Z", "Q"} else f"F{self.coefficients}"
        rank = self.betti[degree]
        free = [] if rank == 0 else [symbol if rank == 1 else f"{symbol}^{rank}"]
        return " + ".join(free + [f"Z/{t}" for t in self.torsion[degree]]) or "0"

    @property
    def groups(self) -> tuple[str, ...]:
        """All groups, degree 0 first."""
        return tuple(self.group(d) for d in range(len(self.betti)))

    def below(self, degree: int | None) -> Homology:
        """The groups of lower degrees; all of them for None."""
        return Homology(self.coefficients, self.betti[:degree], self.torsion[:degree])

    def __str__(self) -> str:
        return ", ".join(self.groups)


def homology(complex_: ChainComplex, coefficients: str | int = "Z") -> Homology:
    """The homology of a chain complex.

    Parameters
    ----------
    complex_ : ChainComplex
    coefficients : "Z", "Q" or a prime

    Returns
    -------
    Homology
        Of degrees 0..k. **Proves** the groups of this chain complex: every step is exact.

    Examples
    --------
    >>> from polyrank.chains.chain import from_facets
    >>> projective_plane = [[0, 1, 2], [0, 2, 3], [0, 1, 5], [0, 4, 5], [0, 3, 4],
    ...                     [1, 2, 4], [1, 3, 4], [1, 3, 5], [2, 3, 5], [2, 4, 5]]
    >>> complex_, _ = from_facets(projective_plane)
    >>> print(homology(complex_), "|", homology(complex_, 2))
    Z, Z/2, 0 | F2, F2, F2
    """
    ring = parse_coefficients(coefficients)
    critical, boundary = critical_complex(complex_)
    small = SmallComplex.build([[0] * len(c) for c in critical], boundary, ring)
    small.cancel()
    return block_homology(small, None)


def block_homology(small: SmallComplex, label: int | None) -> Homology:
    """The homology of the cells of one label (of all, if None) of a reduced complex."""
    ring: Coefficients = small.coefficients
    degrees = len(small.labels)
    own = small.block(label)
    own.cancel()
    ranks = [0]
    factors: list[list[int]] = [[]]
    for d in range(1, degrees):
        matrix = own.matrix(d)
        factors.append(invariant_factors(matrix) if ring == INTEGERS else [])
        ranks.append(len(factors[-1]) if ring == INTEGERS else rank_over(matrix, ring))
    ranks.append(0)
    factors.append([])
    betti = tuple(len(own.cells(d)) - ranks[d] - ranks[d + 1] for d in range(degrees))
    torsion = tuple(tuple(t for t in factors[d + 1] if t > 1) for d in range(degrees))
    return Homology(coefficients_name(ring), betti, torsion)


def coefficients_name(ring: Coefficients) -> str:
    """``"Z"``, ``"Q"`` or the prime."""
    return {-1: "Z", 0: "Q"}.get(ring, str(ring))


def reduced_pair(complex_: ChainComplex, mask: Mask, coefficients: str | int) -> SmallComplex:
    """The pair (M, A) reduced: cells of A have label 0, the others label 1.

    The homology of label 0 is H(A), of label 1 H(M, A), of all H(M).
    """
    ring = parse_coefficients(coefficients)
    labels = tuple((~m).astype(np.int64) for m in mask)
    critical, boundary = critical_complex(complex_, labels)
    kept = [own[c].tolist() for own, c in zip(labels, critical, strict=True)]
    small = SmallComplex.build(kept, boundary, ring)
    small.cancel()
    return small
