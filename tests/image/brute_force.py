"""Do two polytopes meet beyond a common face? By all basic solutions, with no linear program.

The pairs (α, β) of convex combinations of P and of Q with one value are a polytope; its vertices
are the basic feasible solutions of ``Σ α_i (p_i, 1) = Σ β_j (q_j, 1)``, ``Σ α = 1``. P and Q meet
beyond the common face F iff some vertex has α_i > 0 for a vertex i outside F.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

from polyrank.image.pieces import Pieces

__all__ = ["all_overlaps", "beyond_face"]

Rows = list[list[Fraction]]


def solve(
    columns: Sequence[Sequence[Fraction]], target: Sequence[Fraction]
) -> list[Fraction] | None:
    """The solution of a linear system with independent columns; None if there is none, or more."""
    n = len(columns)
    rows = [[c[i] for c in columns] + [target[i]] for i in range(len(target))]
    at = 0
    for c in range(n):
        pivot = next((r for r in range(at, len(rows)) if rows[r][c]), None)
        if pivot is None:
            return None
        rows[at], rows[pivot] = rows[pivot], rows[at]
        rows[at] = [v / rows[at][c] for v in rows[at]]
        for r in range(len(rows)):
            if r != at and rows[r][c]:
                rows[r] = [a - rows[r][c] * b for a, b in zip(rows[r], rows[at], strict=True)]
        at += 1
    if any(row[n] for row in rows[at:]):
        return None
    return [rows[c][n] for c in range(n)]


def beyond_face(first: Rows, second: Rows, own: set[int]) -> bool:
    """Whether conv(first) ∩ conv(second) has a point outside the face of its own vertices."""
    one = Fraction(1)
    columns = [[*p, one, one] for p in first] + [
        [*(-v for v in q), -one, Fraction(0)] for q in second
    ]
    target = [Fraction(0)] * (len(first[0]) + 1) + [one]
    for size in range(2, len(target) + 1):
        for chosen in combinations(range(len(columns)), size):
            found = solve([columns[c] for c in chosen], target)
            if found is None or any(v <= 0 for v in found):
                continue
            if any(c < len(first) and c not in own for c in chosen):
                return True
    return False


def all_overlaps(pieces: Pieces) -> set[tuple[int, int]]:
    """All pairs of pieces of full rank that meet beyond their common face, pair by pair."""
    places = [
        [[Fraction(int(v.p), int(v.q)) for v in p] for p in pieces.exact_image(i)]
        for i in range(pieces.count)
    ]
    out = set()
    for i, j in combinations(range(pieces.count), 2):
        common = set(pieces.common_face(i, j).tolist())
        own = {k for k, v in enumerate(pieces.vertices(i).tolist()) if v in common}
        if beyond_face(places[i], places[j], own):
            out.add((i, j))
    return out
