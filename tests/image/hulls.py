"""Do two convex hulls meet: a linear program over the weights, in rationals throughout."""

from __future__ import annotations

from collections.abc import Sequence

from flint import fmpq

from polyrank.lp.certificates import Infeasible
from polyrank.lp.exact import minimise
from polyrank.lp.farkas import integer_row

__all__ = ["hulls_meet"]


def hulls_meet(first: Sequence[Sequence[fmpq]], second: Sequence[Sequence[fmpq]]) -> bool:
    """Whether weights λ, μ ≥ 0 of sum 1 with ``Σ λ_i a_i = Σ μ_j b_j`` exist."""
    p, q = len(first), len(second)
    zero, one = fmpq(0), fmpq(1)
    equations = [[one] * p + [zero] * q + [-one], [zero] * p + [one] * q + [-one]]
    coordinates = range(len(first[0]))
    equations += [[*(a[k] for a in first), *(-b[k] for b in second), zero] for k in coordinates]
    rows = [integer_row(e) for e in equations]
    rows += [integer_row([-v for v in e]) for e in equations]
    rows += [tuple(int(i == j) for j in range(p + q + 1)) for i in range(p + q)]
    return not isinstance(minimise(rows, [0] * (p + q + 1)), Infeasible)
