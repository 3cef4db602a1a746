"""The chart of a domain: its affine hull, with coordinates, an interior point and a bounding box.

A domain may be flat (a box with lower = upper somewhere, opposite rows, rows that touch): then
every region of the ambient space meets it in an empty interior. The chart goes down to the affine
hull, where the domain is full-dimensional. Everything is decided exactly and carries its proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from flint import fmpq, fmpq_mat

from polyrank.errors import EmptyDomainError
from polyrank.lp.axis_parallel import axis_bounds, axis_interior
from polyrank.lp.certificates import Infeasible, Minimum, Unbounded
from polyrank.lp.exact import minimise
from polyrank.lp.exact_interior import (
    AffineHull,
    RelativeInterior,
    affine_hull,
    interior_point,
)
from polyrank.lp.exact_simplex import Cell
from polyrank.lp.farkas import Multipliers, Row, integer_row, integer_rows, values_at
from polyrank.network.composition import product
from polyrank.network.normal_form import Layer
from polyrank.network.rational import Terms
from polyrank.polyhedra.domain import Box, Domain
from polyrank.polyhedra.system import (
    AffineSystem,
    Inequalities,
    identity,
    is_identity,
    vector,
)

__all__ = [
    "BoundingBox",
    "Chart",
    "ChartProof",
    "bounding_box",
    "chart",
    "emptiness_message",
    "simplified",
]


#: Charts of boxes of at most this dimension are kept: networks are asked again on their box.
_SMALL = 16


@dataclass(frozen=True, slots=True)
class ChartProof:
    """What proves a chart; see :func:`polyrank.posed.chart_check.verify_chart`.

    Attributes
    ----------
    hull : AffineHull
        The affine hull inside the coordinates of the domain's system.
    equalities : Multipliers or None
        ``0 = Σ λ_j row_j`` over the integer rows of the system: those in its support hold with
        equality on all of the domain. None if the domain is full-dimensional in its system.
    lower, upper : tuple of Minimum
        The minima of ``y_j`` and ``−y_j`` over the integer rows of the chart. Empty if the
        bounding box is read off rows that bound one coordinate each, or the chart is unbounded.
    ray : tuple of int
        A direction in which the chart is unbounded; empty if it is bounded.
    """

    hull: AffineHull
    equalities: Multipliers | None
    lower: tuple[Minimum, ...]
    upper: tuple[Minimum, ...]
    ray: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Chart:
    """The domain ``{origin + basis y : A y ≤ b}``, full-dimensional in the coordinates y of R^k.

    Attributes
    ----------
    origin : fmpq_mat, shape (n, 1)
    basis : fmpq_mat, shape (n, k)
        Full column rank. For a full-dimensional domain of R^n, origin 0 and the identity: y = x.
    inequalities : Inequalities
        A y ≤ b. Rows that are identically 0 are dropped; there may be none.
    interior : fmpq_mat, shape (k, 1)
        ``A y < b`` in every row; dyadic.
    lower, upper : tuple of fmpq, or None
        The exact bounding box of the domain in y; None if the domain is unbounded.
    names : tuple of str
        One name per row, for messages.
    proof : ChartProof
    lineality : int
        Dimension of a linear space L that was divided out: the domain is the set above plus L, and
        neither its rows nor the network see L (:mod:`polyrank.posed.section`).
    """

    origin: fmpq_mat
    basis: fmpq_mat
    inequalities: Inequalities
    interior: fmpq_mat
    lower: tuple[fmpq, ...] | None
    upper: tuple[fmpq, ...] | None
    names: tuple[str, ...]
    proof: ChartProof
    lineality: int = 0

    @property
    def n(self) -> int:
        """Dimension of the space of x."""
        return self.basis.nrows()

    @property
    def k(self) -> int:
        """Number of coordinates y."""
        return self.basis.ncols()

    @property
    def dimension(self) -> int:
        """Dimension of the domain."""
        return self.k + self.lineality

    @property
    def A(self) -> fmpq_mat:
        """The matrix of the inequalities, shape (m, k)."""
        return self.inequalities.A

    @property
    def b(self) -> fmpq_mat:
        """Their bounds, shape (m, 1)."""
        return self.inequalities.b

    @cached_property
    def rows(self) -> tuple[tuple[int, ...], ...]:
        """The rows ``b_i − A_i·y ≥ 0``, each in k + 1 coprime integers."""
        return tuple(integer_rows(self.inequalities))

    @cached_property
    def is_plain(self) -> bool:
        """True if the coordinates y are the inputs x."""
        return is_identity(self.basis) and not any(self.origin.entries())

    def direction_of(self, step: fmpq_mat) -> fmpq_mat:
        """The direction in the space of x, (n, 1), of one in the coordinates y, (k, 1)."""
        return step if self.is_plain else self.basis * step

    def point_of(self, y: fmpq_mat) -> fmpq_mat:
        """The point x, (n, 1), whose coordinates are y, (k, 1)."""
        return y if self.is_plain else self.origin + self.basis * y

    def linear_rows(self, layer: Layer) -> Iterator[Terms]:
        """The rows of ``W · basis``, (m, k), without their zeros: how layer 1 depends on y."""
        # the identity is by far the most frequent basis, and the largest
        if is_identity(self.basis):
            yield from layer.weight.terms()
            return
        for row in product(layer, self.basis).tolist():
            yield tuple((j, v) for j, v in enumerate(row) if v != 0)

    @property
    def bounded(self) -> bool:
        """True if y is bounded: of the domain, or of its section."""
        return self.lower is not None


def chart(domain: Domain, n: int) -> Chart:
    """The chart of a domain of R^n.

    **Proves** that the domain is not empty (an interior point), its affine hull (multipliers for
    the equalities), that it is bounded (multipliers for each side of the bounding box) or not (a
    ray). :func:`polyrank.posed.chart_check.verify_chart` checks all of it.

    Parameters
    ----------
    domain : Domain
    n : int
        Dimension of the input space.

    Raises
    ------
    EmptyDomainError
        If the domain is empty; the message shows Farkas multipliers of its rows.
    DomainError
        If the domain has another dimension than n.
    TypeError
        If it is no domain at all.
    """
    if isinstance(domain, Box) and n <= _SMALL:
        return _box_chart(domain, n)
    if not hasattr(domain, "system"):
        raise TypeError(
            f"domain is {type(domain).__name__}, expected a Box, Polytope, Slice, Simplex or "
            "WholeSpace"
        )
    return _chart(domain.system(n))


@lru_cache(maxsize=16)
def _box_chart(box: Box, n: int) -> Chart:
    return _chart(box.system(n))


def _chart(system: AffineSystem) -> Chart:
    rows = integer_rows(system.inequalities)
    read_off = axis_bounds(rows, system.k)
    if read_off is None:
        inside = interior_point(Cell.from_rows(rows, system.k))
    else:
        inside = axis_interior(rows, read_off)
    if isinstance(inside, Infeasible):
        raise EmptyDomainError(emptiness_message(system, inside.multipliers))
    flat = _to_hull(system, rows, inside)
    same = flat.inequalities is system.inequalities
    chart_rows = rows if same else integer_rows(flat.inequalities)
    point = fmpq_mat(len(flat.hull.free), 1, [inside.point[j, 0] for j in flat.hull.free])
    interior = simplified(chart_rows, point)
    box = bounding_box(chart_rows, interior)
    proof = ChartProof(flat.hull, inside.multipliers, box.lower_proof, box.upper_proof, box.ray)
    return Chart(
        flat.origin,
        flat.basis,
        flat.inequalities,
        interior,
        box.lower,
        box.upper,
        flat.names,
        proof,
    )


def emptiness_message(system: AffineSystem, multipliers: Multipliers) -> str:
    """The proof of emptiness in the user's own rows: multipliers and what they add up to."""
    bounds = system.inequalities.bounds
    terms = sorted(zip(multipliers.indices, multipliers.values, strict=True))
    weights = integer_row(value * _scale(system, i) for i, value in terms)
    total = sum((w * bounds[i] for w, (i, _) in zip(weights, terms, strict=True)), fmpq(0))
    shown = [f"{w} * ({system.names[i]})" for w, (i, _) in zip(weights, terms, strict=True)]
    text = " + ".join(shown[:12])
    more = f" + ... ({len(shown) - 12} more)" if len(shown) > 12 else ""
    return (
        f"the domain is empty: {text}{more} adds up to 0 <= {total} (Farkas multipliers); "
        "loosen one of these constraints"
    )


def _scale(system: AffineSystem, i: int) -> fmpq:
    """The factor by which row i was multiplied to make it coprime integers."""
    one = system.inequalities.only((i,))
    (row,), (terms,), (bound,) = integer_rows(one), one.terms, one.bounds
    if bound != 0:
        return row[-1] / bound
    return next((-row[j] / v for j, v in terms), fmpq(1))


@dataclass(frozen=True, slots=True)
class _Flat:
    """The system restricted to its affine hull, rows that are constant on it dropped."""

    hull: AffineHull
    origin: fmpq_mat
    basis: fmpq_mat
    inequalities: Inequalities
    names: tuple[str, ...]


def _to_hull(system: AffineSystem, rows: Sequence[Row], inside: RelativeInterior) -> _Flat:
    k = system.k
    constant = any(not any(row[:k]) for row in rows)
    if not inside.equalities and not constant:
        whole = AffineHull(fmpq_mat(k, 1), identity(k), tuple(range(k)))
        return _Flat(whole, system.origin, system.basis, system.inequalities, system.names)
    hull = affine_hull([rows[i] for i in inside.equalities], k)
    on_hull = _on_hull(system.inequalities, hull)
    kept = [i for i, terms in enumerate(on_hull.terms) if terms]
    plain = is_identity(system.basis)
    return _Flat(
        hull,
        system.origin + (hull.origin if plain else system.basis * hull.origin),
        hull.basis if plain else system.basis * hull.basis,
        on_hull.only(kept),
        tuple(system.names[i] for i in kept),
    )


def _on_hull(system: Inequalities, hull: AffineHull) -> Inequalities:
    """The inequalities in the coordinates of the hull."""
    moved = system.values(hull.origin)
    bounds = tuple(b - v for b, v in zip(system.bounds, moved, strict=True))
    place = {j: column for column, j in enumerate(hull.free)}
    fixed = [j for j in range(system.k) if j not in place]
    if any(hull.basis[j, column] != 0 for j in fixed for column in range(len(place))):
        return Inequalities.of(system.A * hull.basis, vector(bounds))
    # the hull fixes coordinates: the others stay as they are
    terms = tuple(tuple((place[j], v) for j, v in row if j in place) for row in system.terms)
    return Inequalities(len(place), terms, bounds)


def simplified(rows: Sequence[Row], point: fmpq_mat) -> fmpq_mat:
    """A dyadic point of few bits that keeps at least half of the slack in every row."""
    slacks = values_at(rows, point)
    bits = 0
    while True:
        unit = fmpq(1, 1 << bits)
        rounded = [(v / unit + fmpq(1, 2)).floor() * unit for v in point.entries()]
        candidate = fmpq_mat(point.nrows(), 1, rounded)
        values = values_at(rows, candidate)
        if all(2 * value >= slack for value, slack in zip(values, slacks, strict=True)):
            return candidate
        bits = 2 * bits or 1


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """A bounding box with its proof, or a ray; see :class:`Chart` and :class:`ChartProof`."""

    lower: tuple[fmpq, ...] | None
    upper: tuple[fmpq, ...] | None
    lower_proof: tuple[Minimum, ...] = ()
    upper_proof: tuple[Minimum, ...] = ()
    ray: tuple[int, ...] = ()


def bounding_box(rows: Sequence[Row], interior: fmpq_mat) -> BoundingBox:
    """The exact bounding box of the cell of some rows around an interior point, or a ray."""
    k = interior.nrows()
    read_off = axis_bounds(rows, k)
    if read_off is not None:
        ray = [0] * k
        for j, (low, high) in enumerate(zip(read_off.lower, read_off.upper, strict=True)):
            if low is None or high is None:
                ray[j] = -1 if low is None else 1
                return BoundingBox(None, None, ray=tuple(ray))
        lower = tuple(v for v in read_off.lower if v is not None)
        upper = tuple(v for v in read_off.upper if v is not None)
        return BoundingBox(lower, upper)
    cell = Cell.from_rows(rows, k)
    minima: list[Minimum] = []
    for sign in (1, -1):
        for j in range(k):
            objective = [0] * (k + 1)
            objective[j] = sign
            found = minimise(cell, objective, interior, vertex=False)
            if isinstance(found, Unbounded):
                return BoundingBox(None, None, ray=found.ray)
            minima.append(found)
    lowest, highest = tuple(minima[:k]), tuple(minima[k:])
    return BoundingBox(
        tuple(m.value for m in lowest), tuple(-m.value for m in highest), lowest, highest
    )
