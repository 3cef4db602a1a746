"""The long exact sequence of a pair (M, A), with its maps, checked.

``… → H_d(A) --i--> H_d(M) --j--> H_d(M, A) --∂--> H_{d−1}(A) → …``: the maps are induced by the
inclusion, the projection and the boundary of the reduced complex. Where that is small, image and
kernel are computed separately at every place and compared as subgroups (over ℤ as lattices, torsion
included). Where it is large, the ranks of the maps are checked against a separate computation of
H(M): exactness over a field is an identity between these ranks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from flint import fmpz_mat

from polyrank.chains.elimination import (
    INTEGERS,
    RATIONALS,
    Coefficients,
    SmallComplex,
    rank_over,
)
from polyrank.chains.groups import Homology, block_homology, coefficients_name
from polyrank.chains.submodules import kernel, preimage, same, stack
from polyrank.errors import RefutedError

__all__ = ["ExactSequence", "long_exact_sequence"]

#: Up to this many cells in one degree of the reduced complex, subgroups are compared.
SUBGROUP_LIMIT = 48


@dataclass(frozen=True, slots=True)
class ExactSequence:
    """Ranks of the maps of the long exact sequence, all exactness checks passed.

    Attributes
    ----------
    inclusion : tuple of int
        Rank of ``i: H_d(A) → H_d(M)``, degree 0 first (free ranks over ℤ).
    projection : tuple of int
        Rank of ``j: H_d(M) → H_d(M, A)``.
    connecting : tuple of int
        Rank of ``∂: H_d(M, A) → H_{d−1}(A)``; 0 in degree 0.
    checked_over : str
        The coefficients over which exactness was verified at every place: for large complexes over
        ℤ, these are the rationals.
    by_subgroups : bool
        True if image and kernel were compared as subgroups, False if by their ranks.
    """

    inclusion: tuple[int, ...]
    projection: tuple[int, ...]
    connecting: tuple[int, ...]
    checked_over: str
    by_subgroups: bool

    def below(self, degree: int | None) -> ExactSequence:
        """The ranks in lower degrees; all of them for None."""
        return replace(
            self,
            inclusion=self.inclusion[:degree],
            projection=self.projection[:degree],
            connecting=self.connecting[:degree],
        )


def long_exact_sequence(small: SmallComplex, manifold: Homology) -> ExactSequence:
    """Assemble the sequence of a reduced pair and check that it is exact at every place.

    Parameters
    ----------
    small : SmallComplex
        From :func:`polyrank.chains.groups.reduced_pair`.
    manifold : Homology
        H(M) with the same coefficients, computed without the pair.

    Raises
    ------
    RefutedError
        If image and kernel differ somewhere, or H(M) is not that of the pair: the incidence
        numbers or the reduction are wrong.
    """
    ring = small.coefficients
    if block_homology(small, None) != manifold:
        raise RefutedError(
            f"the reduced pair has the homology {block_homology(small, None)}, but M has {manifold}"
        )
    degrees = range(len(small.labels))
    by_subgroups = max((len(own) for own in small.labels), default=0) <= SUBGROUP_LIMIT
    if by_subgroups:
        ranks = [_degree(small, d, ring) for d in degrees]
    else:
        ring = RATIONALS if ring == INTEGERS else ring
        ranks = _by_ranks(small, manifold, ring)
    inclusion, projection, connecting = zip(*ranks, strict=True) if ranks else ((), (), ())
    return ExactSequence(
        tuple(inclusion),
        tuple(projection),
        tuple(connecting),
        coefficients_name(ring),
        by_subgroups,
    )


def _by_ranks(small: SmallComplex, manifold: Homology, ring: Coefficients) -> list[list[int]]:
    """Ranks of i_d, j_d and ∂_d over a field, checked against the Betti numbers of M.

    ∂_M is block triangular: its rank is that of the two blocks plus the rank of ``ker → coker``
    between them, which is the connecting map.
    """
    of_part, of_rest, of_all = (_ranks(small.block(x), ring) for x in (0, 1, None))
    connecting = [c - a - b for a, b, c in zip(of_part, of_rest, of_all, strict=True)]
    out = []
    for d, betti in enumerate(manifold.betti):
        part = len(small.cells(d, 0)) - of_part[d] - of_part[d + 1]
        rest = len(small.cells(d, 1)) - of_rest[d] - of_rest[d + 1]
        inclusion, projection = part - connecting[d + 1], rest - connecting[d]
        if min(inclusion, projection) < 0 or inclusion + projection != betti:
            raise RefutedError(
                f"the long exact sequence is not exact at H_{d}(M) over {coefficients_name(ring)}: "
                f"ranks {inclusion} + {projection}, but dimension {betti}"
            )
        out.append([inclusion, projection, connecting[d]])
    return out


def _ranks(block: SmallComplex, ring: Coefficients) -> list[int]:
    """The rank of ∂_d over a field, d = 0..k + 1; the block is used up."""
    pairs = block.cancel()
    left = [rank_over(block.matrix(d), ring) for d in range(len(pairs))]
    return [*(p + r for p, r in zip(pairs, left, strict=True)), 0]


def _degree(small: SmallComplex, d: int, ring: Coefficients) -> list[int]:
    """Ranks of i_d, j_d, ∂_d, with the three checks at H_d(M), H_d(M, A) and H_{d−1}(A)."""
    part = len(small.cells(d, 0))
    rest = len(small.cells(d, 1))
    below = len(small.cells(d - 1, 0))
    cycles = {x: kernel(_rows(small, d, x), ring) for x in (0, 1, None)}
    bounds = {x: _rows(small, d + 1, x) for x in (0, 1, None)}
    included = _padded(cycles[0], 0, rest)
    projected = _columns(cycles[None], part, part + rest)
    joined = _joined(small, d)  # the A-part of the boundary of the relative cells
    connected = cycles[1] * joined
    bounds_below = _rows(small, d, 0)  # boundaries of A in degree d − 1
    image_i = stack(included, bounds[None])
    image_j = stack(projected, bounds[1])
    image_c = stack(connected, bounds_below)
    below_cycles = kernel(_rows(small, d - 1, 0), ring)
    below_bounds = _rows(small, d, None)
    padded_below = _padded(below_cycles, 0, len(small.cells(d - 1, 1)))
    checks = {
        f"H_{d}(M)": (image_i, preimage(cycles[None], projected, bounds[1], ring)),
        f"H_{d}(M, A)": (image_j, preimage(cycles[1], connected, bounds_below, ring)),
        f"H_{d - 1}(A)": (image_c, preimage(below_cycles, padded_below, below_bounds, ring)),
    }
    for place, (image, core) in checks.items():
        if not same(image, core, ring):
            raise RefutedError(
                f"the long exact sequence is not exact at {place} over {coefficients_name(ring)}"
            )
    if below == 0 and d == 0:
        connecting = 0
    else:
        connecting = rank_over(image_c, ring) - rank_over(bounds_below, ring)
    return [
        rank_over(image_i, ring) - rank_over(bounds[None], ring),
        rank_over(image_j, ring) - rank_over(bounds[1], ring),
        connecting,
    ]


def _rows(small: SmallComplex, d: int, label: int | None) -> fmpz_mat:
    """∂_d transposed: a row per d-cell; the cells of A stand before the others."""
    if label is not None:
        return small.matrix(d, label, label).transpose()
    a, r = small.cells(d, 0), small.cells(d, 1)
    out = fmpz_mat(len(a) + len(r), len(small.cells(d - 1, 0)) + len(small.cells(d - 1, 1)))
    blocks = [
        (0, 0, small.matrix(d, 0, 0)),
        (len(a), 0, small.matrix(d, 0, 1)),
        (len(a), len(small.cells(d - 1, 0)), small.matrix(d, 1, 1)),
    ]
    for top, left, block in blocks:
        for i in range(block.nrows()):
            for j in range(block.ncols()):
                if block[i, j] != 0:
                    out[top + j, left + i] = block[i, j]
    return out


def _joined(small: SmallComplex, d: int) -> fmpz_mat:
    return small.matrix(d, 0, 1).transpose()


def _padded(rows: fmpz_mat, before: int, after: int) -> fmpz_mat:
    width = before + rows.ncols() + after
    entries = [v for row in rows.tolist() for v in [0] * before + row + [0] * after]
    return fmpz_mat(rows.nrows(), width, entries)


def _columns(rows: fmpz_mat, start: int, stop: int) -> fmpz_mat:
    entries = [v for row in rows.tolist() for v in row[start:stop]]
    return fmpz_mat(rows.nrows(), stop - start, entries)
