"""The domain's side of a proof: the chart of the manifest is the domain, and its box holds it.

A run works in coordinates y of the domain's affine hull, ``x = origin + basis y``. From the
domain as it was given this module re-derives the inequalities ``A y ≤ b`` and checks

* that every y with these inequalities is a point of the domain and every point of the domain has
  such a y: the affine hull is that of the rows which are equalities, as ``0 = Σ λ_j row_j`` with
  λ > 0 shows (those that the proof names; λ is checked, not trusted);
* that the bounding box holds the domain: rows that bound one coordinate, or multipliers.

That the domain is full-dimensional in y is proved by any witness.

With ``lineality`` l > 0 the chart is a *section*: the claim is that the domain is ``chart + L``
with a linear space L of dimension l, along which neither a row of the domain nor the first layer
changes, and that chart and L meet in one direction only, 0. Then regions, codewords, ranks and
absences on the domain are those on the chart (the layers' values at a point depend on its part in
the chart). Proved by the matrix M of the rows of the domain and of layer 1 in the coordinates of
the domain: ``ker M`` has dimension ≥ l because M has rank ≤ coordinates − l; M is one-to-one on
the chart's directions; and their number is that of the affine hull less l.

Source: A. Schrijver, Theory of Linear and Integer Programming (1986), sections 7.3 and 8.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from flint import fmpq, fmpq_mat, fmpz_mat, nmod_mat

from polyrank.errors import DomainError
from polyrank.network.normal_form import Network
from polyrank.network.rational import Terms, to_fmpq
from polyrank.polyhedra.domain import domain_from_dict
from polyrank.polyhedra.system import AffineSystem, Inequalities, is_identity, vector
from polyrank.proof.farkas import proved
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.proof.layers import Layers, Problem
from polyrank.proof.rows import Frame

__all__ = ["problem_of"]

IntRow = tuple[int, ...]

_PRIME = 9223372036854775783


def _rationals(name: str, values: Any) -> list[fmpq]:
    """Numbers that a manifest states."""
    try:
        return [to_fmpq(v) for v in values] if isinstance(values, list) else []
    except (ValueError, TypeError) as error:
        raise ProofRejectedError(f"the {name} of the manifest is damaged: {error}") from None


def _matrix(name: str, values: Any) -> fmpq_mat:
    """A matrix that a manifest states, row by row; nearly all of a wide one is "0"."""
    rows = values if isinstance(values, list) else []
    k = len(rows[0]) if rows and isinstance(rows[0], list) else 0
    if any(not isinstance(row, list) or len(row) != k for row in rows):
        raise ProofRejectedError(f"the {name} of the manifest is damaged: its rows differ")
    matrix = fmpq_mat(len(rows), k)
    for i, row in enumerate(rows):
        places = [j for j, v in enumerate(row) if v != "0"]
        for j, v in zip(places, _rationals(name, [row[j] for j in places]), strict=True):
            matrix[i, j] = v
    return matrix


def problem_of(manifest: Mapping[str, Any], network: Network, layers: int) -> tuple[Problem, Frame]:
    """Check the chart against the domain; network and walls in its coordinates u.

    Where the domain is bounded, ``y = centre + half · u`` takes the cube ``|u_l| ≤ 1`` to the
    bounding box; elsewhere u = y.

    Raises
    ------
    NotDecidedError
        If nothing proves the chart to be the domain.
    ProofRejectedError
        If it is not the domain, or what is to prove it does not.
    """
    chart, n = manifest["chart"], network.input_dim
    point, basis = _rationals("chart", chart["origin"]), _matrix("chart", chart["basis"])
    k = basis.ncols()
    if len(point) != n or basis.nrows() != n:
        raise ProofRejectedError(f"the chart has points of R^{len(point)}, the network R^{n}")
    origin = vector(point)
    try:
        system = domain_from_dict(manifest["domain"]).system(n)
    except DomainError as error:
        raise ProofRejectedError(f"the domain of the manifest is damaged: {error}") from None
    hints = chart.get("proof")
    hints = hints if isinstance(hints, dict) else {}
    lineality = chart.get("lineality", 0)
    rows = _restricted(system, origin, basis, hints.get("equalities"), network, lineality)
    box = _box(chart, _walls(rows), k, hints.get("box"))
    bounded = box is not None
    lower, upper = box or ([fmpq(-1)] * k, [fmpq(1)] * k)
    centre = [(low + high) / 2 for low, high in zip(lower, upper, strict=True)]
    half = [(high - low) / 2 for low, high in zip(lower, upper, strict=True)]
    origin += basis * vector(centre)
    walls = _walls(_in_cube(rows, centre, half))
    biases = (v for layer in network.layers for v in layer.bias.entries())
    central = not any(origin.entries()) and not any(biases)
    dim = k
    cube: list[IntRow] = []
    if not bounded:
        cube = [_axis(k, l, sign) for l in range(k + 1) for sign in (-1, 1)]
        if central and not any(wall[-1] for wall in walls):
            cube = cube[: 2 * k]
        else:
            dim, cube = k + 1, cube[:-1]
            walls.append(_axis(k, k, 1))
    stretch = fmpq_mat(k, k)
    for l, factor in enumerate(half):
        stretch[l, l] = factor
    composed = Layers(network, layers, origin, stretch if is_identity(basis) else basis * stretch)
    problem = Problem(composed, (*walls, *cube), len(walls), dim, bounded)
    return problem, Frame(tuple(centre), tuple(half))


def _index(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(value)
    return value


def _in_cube(rows: Inequalities, centre: Sequence[fmpq], half: Sequence[fmpq]) -> Inequalities:
    """The inequalities of ``y = centre + half · u``."""
    moved = rows.values(vector(centre))
    return Inequalities(
        rows.k,
        tuple(tuple((l, v * half[l]) for l, v in terms) for terms in rows.terms),
        tuple(bound - v for bound, v in zip(rows.bounds, moved, strict=True)),
    )


def _walls(rows: Inequalities) -> list[IntRow]:
    """The rows ``b_i − A_i u ≥ 0`` that are not constant."""
    walls = []
    for terms, bound in zip(rows.terms, rows.bounds, strict=True):
        if terms:
            walls.append(_row(terms, bound, rows.k))
        elif bound < 0:
            raise ProofRejectedError(f"the domain is empty: a row says 0 <= {bound}")
    return walls


def _axis(k: int, l: int, sign: int) -> IntRow:
    return tuple(sign * (j == l) for j in range(k + 1))


def _row(terms: Terms, bound: fmpq, k: int) -> IntRow:
    """``bound − terms · u`` times a positive number that makes its k + 1 entries coprime."""
    row = [0] * (k + 1)
    integers = _integers([*(-v for _, v in terms), bound])
    for (l, _), v in zip(terms, integers[:-1], strict=True):
        row[l] = v
    row[-1] = integers[-1]
    return tuple(row)


def _integers(values: Sequence[fmpq]) -> IntRow:
    """A positive multiple with coprime integer entries."""
    scale = math.lcm(*(int(v.q) for v in values))
    whole = [int((v * scale).p) for v in values]
    common = math.gcd(*whole) or 1
    return tuple(v // common for v in whole)


def _restricted(
    system: AffineSystem,
    origin: fmpq_mat,
    basis: fmpq_mat,
    equalities: Any,
    network: Network,
    lineality: int,
) -> Inequalities:
    """The system's inequalities in the chart's coordinates; proves that the chart is its hull."""
    shift = origin - system.origin
    if is_identity(system.basis):
        inner_origin, inner_basis = shift, basis
    else:
        transposed = system.basis.transpose()
        gram = transposed * system.basis  # regular: the basis has full column rank
        inner_origin = gram.solve(transposed * shift) if system.k else fmpq_mat(0, 1)
        inner_basis = gram.solve(transposed * basis) if system.k else fmpq_mat(0, basis.ncols())
        if system.basis * inner_origin != shift or system.basis * inner_basis != basis:
            raise ProofRejectedError("the chart leaves the affine space of the domain")
    k = basis.ncols()
    plain = is_identity(inner_basis)
    if not plain and inner_basis.rank() != k:
        raise ProofRejectedError("the columns of the chart's basis are dependent")
    given = system.inequalities
    moved = given.values(inner_origin)
    bounds = tuple(bound - v for bound, v in zip(given.bounds, moved, strict=True))
    rows = Inequalities(k, given.terms, bounds)
    if not plain:
        rows = Inequalities.of(system.A * inner_basis, vector(bounds))
    if lineality:
        _prove_section(system, network, inner_basis, lineality)
    if k + lineality != system.k:
        _prove_hull(system, rows, k + lineality, equalities)
    return rows


def _prove_section(
    system: AffineSystem, network: Network, inner_basis: fmpq_mat, lineality: int
) -> None:
    """``ker M`` has dimension ≥ ``lineality`` and meets the chart's directions in 0 only."""
    weight = network.layers[0].weight_exact
    seen = weight if is_identity(system.basis) else weight * system.basis
    rows = [row for row in (*system.A.tolist(), *seen.tolist()) if any(row)]
    matrix = fmpq_mat(len(rows), system.k, [v for row in rows for v in row])
    most = system.k - lineality
    if len(rows) > most and _integral(matrix).rank() > most:
        raise ProofRejectedError(
            f"the chart leaves out {lineality} dimensions, but the domain's rows and the first "
            f"layer see more than the other {most}"
        )
    columns = _integral(matrix * inner_basis)
    residues = nmod_mat(columns, _PRIME)  # its rank is at most that over the rationals
    k = inner_basis.ncols()
    if residues.rank() != k and columns.rank() != k:
        raise ProofRejectedError("the chart leaves out a direction that its own columns span")


def _integral(matrix: fmpq_mat) -> fmpz_mat:
    return matrix.numer_denom()[0]


def _prove_hull(system: AffineSystem, here: Inequalities, k: int, equalities: Any) -> None:
    """All of the domain lies in a space of dimension k: independent rows hold with equality.

    With λ > 0 and ``Σ λ_j (b_j − A_j y) = 0`` every one of these rows vanishes wherever all are
    ≥ 0. They vanish on the chart, where they are the rows ``here``, and their rank says that
    nothing else does.
    """
    given = system.inequalities
    try:
        indices = [_index(i) for i in equalities["indices"]]
        values = [to_fmpq(v) for v in equalities["values"]]
        rows = [_row(given.terms[i], given.bounds[i], given.k) for i in indices]
    except (KeyError, TypeError, ValueError, IndexError):
        raise NotDecidedError(
            f"the chart has dimension {k}, the domain's coordinates {system.k}: no multipliers "
            "prove that the domain is flat"
        ) from None
    if len(values) != len(rows) or any(v <= 0 for v in values):
        raise ProofRejectedError("the equalities of the domain need positive multipliers")
    flat = fmpq_mat(len(rows), system.k + 1, [v for row in rows for v in row])
    sums = fmpq_mat(1, len(rows), values) * flat
    normals = fmpq_mat(len(rows), system.k, [v for row in rows for v in row[:-1]])
    vanish = all(here.bounds[i] == 0 and not here.terms[i] for i in indices)
    if any(sums.entries()) or not vanish or normals.rank() != system.k - k:
        raise ProofRejectedError("the equalities do not prove the affine hull of the domain")


def _box(
    chart: Mapping[str, Any], walls: Sequence[IntRow], k: int, hints: Any
) -> tuple[list[fmpq], list[fmpq]] | None:
    """The bounding box that the manifest states, proved to hold the domain."""
    if chart.get("lower") is None or chart.get("upper") is None:
        return None
    lower, upper = (_rationals("bounding box", chart[side]) for side in ("lower", "upper"))
    if len(lower) != k or len(upper) != k:
        raise ProofRejectedError("the bounding box of the manifest has another dimension")
    axes: dict[int, list[IntRow]] = {}  # walls of one coordinate, as functions of that one
    for wall in walls:
        places = list(compress(range(k), wall))
        if len(places) == 1:
            axes.setdefault(places[0], []).append((wall[places[0]], wall[-1]))
    for l in range(k):
        if lower[l] >= upper[l]:
            raise ProofRejectedError(f"the bounding box is flat: {lower[l]} <= y{l} <= {upper[l]}")
        for sign, bound in ((1, lower[l]), (-1, upper[l])):
            goal = _integers([fmpq(sign), -sign * bound])
            if any(proved(goal, [row], bounded=False) for row in axes.get(l, [])):
                continue
            try:
                chosen = [walls[_index(i)] for i in hints[l if sign > 0 else k + l]]
            except (IndexError, TypeError, ValueError, KeyError):
                chosen = []
            whole = [0] * (k + 1)
            whole[l], whole[-1] = goal
            if not proved(whole, chosen, bounded=False):
                # a domain that is a box reaches all of its sides
                is_box = sum(map(len, axes.values())) == len(walls)
                raise (ProofRejectedError if is_box else NotDecidedError)(
                    f"nothing proves y{l} {'>=' if sign > 0 else '<='} {bound} on the domain"
                )
    return lower, upper
