"""The independent check of a chart against the domain: no search, no linear program.

Ranks of small rational matrices apart, it evaluates rows at points and adds rows up.
"""

from __future__ import annotations

from flint import fmpq_mat

from polyrank.lp.axis_parallel import axis_bounds
from polyrank.lp.certificates import verify_minimum
from polyrank.lp.farkas import integer_rows, value_at, values_at, verify_farkas
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.system import AffineSystem
from polyrank.posed.chart import Chart

__all__ = ["verify_chart"]


def verify_chart(domain: Domain, chart: Chart) -> bool:
    """Check every claim of a chart from its proof.

    **Proves**: ``{origin + basis y : A y ≤ b}`` is the domain, y has the dimension of its affine
    hull, ``interior`` is strictly interior, and the bounding box is exact or the domain unbounded.
    """
    system = domain.system(chart.n)
    return (
        _is_affine_hull(system, chart)
        and _is_restriction(system, chart)
        and all(value > 0 for value in values_at(chart.rows, chart.interior))
        and _is_bounding_box(chart)
    )


def _is_affine_hull(system: AffineSystem, chart: Chart) -> bool:
    """The equalities hold on the domain, and y parametrises exactly their common zeros."""
    hull, proof = chart.proof.hull, chart.proof.equalities
    rows = integer_rows(system.inequalities)
    tight = () if proof is None else proof.indices
    if proof is not None and not (
        proof.constant == 0
        and all(v > 0 for v in proof.values)
        and verify_farkas(rows, (0,) * (system.k + 1), proof)
    ):
        return False
    normals = fmpq_mat(len(tight), system.k, [v for i in tight for v in rows[i][:-1]])
    on_hull = all(value_at(rows[i], hull.origin) == 0 for i in tight)
    return (
        on_hull
        and chart.k == len(hull.free) == system.k - normals.rank()
        and not any(v != 0 for v in (normals * hull.basis).entries())
        and all(
            hull.basis[i, j] == int(i == hull.free[j]) for i in hull.free for j in range(chart.k)
        )
        and chart.origin == system.origin + system.basis * hull.origin
        and chart.basis == system.basis * hull.basis
    )


def _is_restriction(system: AffineSystem, chart: Chart) -> bool:
    """The rows of the chart are those of the system on the hull, minus true constant ones."""
    A = system.A * chart.proof.hull.basis
    moved = system.inequalities.values(chart.proof.hull.origin)
    b = [bound - v for bound, v in zip(system.inequalities.bounds, moved, strict=True)]
    kept = [i for i, row in enumerate(A.tolist()) if any(v != 0 for v in row)]
    return (
        all(bound >= 0 for i, bound in enumerate(b) if i not in set(kept))
        and chart.A.tolist() == [A.tolist()[i] for i in kept]
        and chart.b.entries() == [b[i] for i in kept]
        and chart.names == tuple(system.names[i] for i in kept)
    )


def _is_bounding_box(chart: Chart) -> bool:
    rows = chart.rows
    proof, k = chart.proof, chart.k
    if chart.lower is None or chart.upper is None:
        ray = fmpq_mat(len(proof.ray), 1, list(proof.ray))
        return (
            chart.lower is chart.upper is None
            and len(proof.ray) == k
            and any(proof.ray)
            and all(v >= 0 for v in values_at([(*row[:-1], 0) for row in rows], ray))
        )
    read_off = axis_bounds(rows, k)
    if read_off is not None:
        return list(chart.lower) == read_off.lower and list(chart.upper) == read_off.upper
    minima = (*proof.lower, *proof.upper)
    values = (*chart.lower, *(-v for v in chart.upper))
    if len(minima) != 2 * k or len(values) != 2 * k:
        return False
    for c, (minimum, value) in enumerate(zip(minima, values, strict=True)):
        objective = [0] * (k + 1)
        objective[c % k] = 1 if c < k else -1
        if minimum.value != value or not verify_minimum(rows, objective, minimum):
            return False
    return True
