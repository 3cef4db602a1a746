"""What users say a domain is: whole space, box, polytope, slice or simplex, all exact.

Every class has ``dimension`` (None where the ambient dimension is left to the network),
``system(n)``, the exact :class:`~polyrank.polyhedra.system.AffineSystem` in R^n, and
``describe()``, a JSON-serialisable dict from which :func:`domain_from_dict` rebuilds it.
Numbers may be ints, floats (the dyadic rationals that they encode), decimal strings,
``"p/q"`` strings, Fractions or fmpq.

Source: the domains of section "Domain" of the mathematical contract; G. M. Ziegler, Lectures on
Polytopes (1995), section 1.1 (H-polyhedra) and 0 (simplices).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from flint import fmpq, fmpq_mat

from polyrank.errors import DomainError
from polyrank.polyhedra.entries import exact_matrix, exact_number, exact_vector, is_scalar
from polyrank.polyhedra.system import (
    AffineSystem,
    Inequalities,
    identity,
    inequality_name,
    vector,
)

__all__ = ["Box", "Domain", "Polytope", "Simplex", "Slice", "WholeSpace", "domain_from_dict"]


def _check_dimension(what: str, found: int, n: int) -> None:
    if found != n:
        raise DomainError(f"{what} has dimension {found}, but the space has dimension {n}")


@dataclass(frozen=True, slots=True)
class WholeSpace:
    """All of R^n, for whatever n the network has.

    Examples
    --------
    >>> WholeSpace().system(2).m
    0
    """

    @property
    def dimension(self) -> int | None:
        """Always None: the whole space fits every network."""
        return None

    def system(self, n: int, symbol: str = "x") -> AffineSystem:
        """The exact system in R^n: no inequalities."""
        del symbol
        return AffineSystem(fmpq_mat(n, 1), identity(n), Inequalities(n, (), ()), ())

    def describe(self) -> dict[str, Any]:
        """``{"kind": "whole space"}``."""
        return {"kind": "whole space"}


@dataclass(frozen=True, slots=True, init=False)
class Box:
    """The closed box ``{x : lower ≤ x ≤ upper}``; coordinates with lower = upper are fixed.

    Parameters
    ----------
    lower, upper : number or sequence of n numbers
        A single number holds for every coordinate.

    Raises
    ------
    DomainError
        If a bound is not a finite number, a lower bound is above its upper bound, or the two
        sequences differ in length.

    Examples
    --------
    >>> Box(-1, "0.5").system(1).names
    ('x0 <= 1/2', 'x0 >= -1')
    """

    lower: fmpq | tuple[fmpq, ...]
    upper: fmpq | tuple[fmpq, ...]

    def __init__(self, lower: Any, upper: Any) -> None:
        low, high = _bounds(lower, "lower bound"), _bounds(upper, "upper bound")
        if isinstance(low, tuple) and isinstance(high, tuple) and len(low) != len(high):
            raise DomainError(f"the box has {len(low)} lower bounds but {len(high)} upper bounds")
        if not isinstance(low, tuple) and not isinstance(high, tuple):
            pairs = [(low, high)]
        else:
            size = len(low) if isinstance(low, tuple) else len(high)  # type: ignore[arg-type]
            if size == 0:
                raise DomainError("the box has no coordinates; give at least one bound")
            pairs = list(zip(_spread(low, size), _spread(high, size), strict=True))
        for i, (a, b) in enumerate(pairs):
            if a > b:
                where = f" in coordinate {i}" if len(pairs) > 1 else ""
                raise DomainError(
                    f"the box is empty: the lower bound {a} is above the upper bound {b}{where}"
                )
        object.__setattr__(self, "lower", low)
        object.__setattr__(self, "upper", high)

    @property
    def dimension(self) -> int | None:
        """Number of coordinates, or None if both bounds are single numbers."""
        for side in (self.lower, self.upper):
            if isinstance(side, tuple):
                return len(side)
        return None

    def bounds(self, n: int) -> tuple[tuple[fmpq, ...], tuple[fmpq, ...]]:
        """Lower and upper bounds of all n coordinates.

        Raises
        ------
        DomainError
            If the box has another dimension than n.
        """
        if self.dimension is not None:
            _check_dimension("the box", self.dimension, n)
        return _spread(self.lower, n), _spread(self.upper, n)

    def system(self, n: int, symbol: str = "x") -> AffineSystem:
        """The exact system in R^n: rows ``x_i ≤ upper_i`` and ``−x_i ≤ −lower_i``, alternating."""
        lower, upper = self.bounds(n)
        up, down = fmpq(1), fmpq(-1)
        terms = tuple(((i, sign),) for i in range(n) for sign in (up, down))
        sides = list(zip(lower, upper, strict=True))
        bounds = tuple(bound for low, high in sides for bound in (high, -low))
        names = tuple(
            name
            for i, (low, high) in enumerate(sides)
            for name in (f"{symbol}{i} <= {high}", f"{symbol}{i} >= {low}")
        )
        return AffineSystem(fmpq_mat(n, 1), identity(n), Inequalities(n, terms, bounds), names)

    def describe(self) -> dict[str, Any]:
        """``kind``, ``lower`` and ``upper`` as exact strings (a list unless a single number)."""
        return {"kind": "box", "lower": _spelled(self.lower), "upper": _spelled(self.upper)}


def _bounds(value: Any, what: str) -> fmpq | tuple[fmpq, ...]:
    if is_scalar(value):
        return exact_number(value, what)
    return exact_vector(value, what)


def _spread(side: fmpq | tuple[fmpq, ...], n: int) -> tuple[fmpq, ...]:
    return side if isinstance(side, tuple) else (side,) * n


def _spelled(side: fmpq | tuple[fmpq, ...]) -> str | list[str]:
    return [str(v) for v in side] if isinstance(side, tuple) else str(side)


@dataclass(frozen=True, slots=True, init=False)
class Polytope:
    """The closed polyhedron ``{x : A x ≤ b}``; it may be unbounded, flat or empty.

    Parameters
    ----------
    A : array_like, shape (m, n)
    b : array_like, shape (m,)

    Raises
    ------
    DomainError
        If the shapes do not fit or an entry is not a finite number. Emptiness is decided later,
        with a certificate, by :func:`polyrank.posed.chart.chart`.
    """

    A: fmpq_mat
    b: fmpq_mat

    def __init__(self, A: Any, b: Any) -> None:
        matrix = exact_matrix(A, "A")
        bound = exact_vector(b, "b")
        if matrix.nrows() != len(bound):
            raise DomainError(
                f"A has {matrix.nrows()} rows but b has {len(bound)} entries; "
                "a polytope A x <= b needs one bound per row"
            )
        object.__setattr__(self, "A", matrix)
        object.__setattr__(self, "b", vector(bound))

    @property
    def dimension(self) -> int | None:
        """Number of columns of A."""
        return self.A.ncols()

    def system(self, n: int, symbol: str = "x") -> AffineSystem:
        """The exact system in R^n, with the rows of A in their order."""
        _check_dimension("the polytope", self.A.ncols(), n)
        rows = Inequalities.of(self.A, self.b)
        names = tuple(
            inequality_name(terms, bound, symbol, i)
            for i, (terms, bound) in enumerate(zip(rows.terms, rows.bounds, strict=True))
        )
        return AffineSystem(fmpq_mat(n, 1), identity(n), rows, names)

    def describe(self) -> dict[str, Any]:
        """``kind``, ``dimension``, ``A`` (rows) and ``b`` as exact strings."""
        return {
            "kind": "polytope",
            "dimension": self.A.ncols(),
            "A": _spelled_rows(self.A),
            "b": [str(v) for v in self.b.entries()],
        }


def _spelled_rows(matrix: fmpq_mat) -> list[list[str]]:
    return [[str(v) for v in row] for row in matrix.tolist()]


@dataclass(frozen=True, slots=True, init=False)
class Slice:
    """The affine slice ``{origin + basis u : u in inner}`` of R^n.

    Parameters
    ----------
    origin : sequence of n numbers
    basis : array_like, shape (n, k)
        Its k columns span the directions and must be linearly independent.
    inner : Domain, optional
        A domain in the slice coordinates u of R^k; all of R^k by default.

    Raises
    ------
    DomainError
        If the shapes do not fit, the columns are dependent, or ``inner`` has another dimension.
    """

    origin: fmpq_mat
    basis: fmpq_mat
    inner: Domain

    def __init__(self, origin: Any, basis: Any, inner: Domain | None = None) -> None:
        start = exact_vector(origin, "origin")
        matrix = exact_matrix(basis, "basis")
        if matrix.nrows() != len(start):
            raise DomainError(
                f"the basis has {matrix.nrows()} rows but the origin has {len(start)} entries; "
                "expected one column of the basis per slice coordinate"
            )
        rank = matrix.rank()
        if rank != matrix.ncols():
            raise DomainError(
                f"the {matrix.ncols()} columns of the slice's basis are linearly dependent "
                f"(rank {rank}); leave out the redundant ones"
            )
        inside = WholeSpace() if inner is None else inner
        if inside.dimension is not None and inside.dimension != matrix.ncols():
            raise DomainError(
                f"the slice has {matrix.ncols()} coordinates, but the domain in them has "
                f"dimension {inside.dimension}"
            )
        object.__setattr__(self, "origin", vector(start))
        object.__setattr__(self, "basis", matrix)
        object.__setattr__(self, "inner", inside)

    @property
    def dimension(self) -> int | None:
        """Dimension n of the ambient space."""
        return self.origin.nrows()

    def system(self, n: int, symbol: str = "x") -> AffineSystem:
        """The exact system in R^n; its rows are those of the inner domain, in u."""
        _check_dimension("the slice", self.origin.nrows(), n)
        inner_symbol = "u" if symbol == "x" else symbol + "'"
        inside = self.inner.system(self.basis.ncols(), inner_symbol)
        return inside.through(self.origin, self.basis)

    def describe(self) -> dict[str, Any]:
        """``kind``, ``origin``, ``basis`` (rows) and the ``inner`` domain's description."""
        return {
            "kind": "slice",
            "origin": [str(v) for v in self.origin.entries()],
            "basis": _spelled_rows(self.basis),
            "inner": self.inner.describe(),
        }


@dataclass(frozen=True, slots=True, init=False)
class Simplex:
    """The convex hull of k + 1 affinely independent points of R^n.

    Parameters
    ----------
    vertices : array_like, shape (k + 1, n)
        One vertex per row.

    Raises
    ------
    DomainError
        If an entry is not a finite number or the vertices are affinely dependent.

    Notes
    -----
    The system's coordinates are the barycentric weights ``y_1..y_k`` of all vertices but the
    first: ``x = v_0 + Σ y_i (v_i − v_0)``, ``y ≥ 0``, ``Σ y_i ≤ 1``.
    """

    vertices: fmpq_mat

    def __init__(self, vertices: Any) -> None:
        matrix = exact_matrix(vertices, "vertices")
        if matrix.nrows() == 0:
            raise DomainError("a simplex needs at least one vertex")
        k = matrix.nrows() - 1
        rank = _edges(matrix).rank()
        if rank != k:
            raise DomainError(
                f"the {k + 1} vertices are affinely dependent: they span only {rank} of the "
                f"{k} dimensions of a simplex"
            )
        object.__setattr__(self, "vertices", matrix)

    @property
    def dimension(self) -> int | None:
        """Dimension n of the ambient space."""
        return self.vertices.ncols()

    def system(self, n: int, symbol: str = "x") -> AffineSystem:
        """The exact system in R^n; row 0 is the weight of vertex 0, row i that of vertex i."""
        del symbol
        _check_dimension("the simplex", self.vertices.ncols(), n)
        k = self.vertices.nrows() - 1
        A, b = fmpq_mat(k + 1, k), fmpq_mat(k + 1, 1)
        b[0, 0] = fmpq(1)
        for i in range(k):
            A[0, i], A[i + 1, i] = fmpq(1), fmpq(-1)
        if k == 0:  # a point: the row "weight of vertex 0 >= 0" says 0 <= 1
            A, b = fmpq_mat(0, 0), fmpq_mat(0, 1)
        names = tuple(f"weight of vertex {i} >= 0" for i in range(A.nrows()))
        origin = vector(self.vertices.tolist()[0])
        return AffineSystem(origin, _edges(self.vertices), Inequalities.of(A, b), names)

    def describe(self) -> dict[str, Any]:
        """``kind`` and ``vertices`` as exact strings."""
        return {"kind": "simplex", "vertices": _spelled_rows(self.vertices)}


def _edges(vertices: fmpq_mat) -> fmpq_mat:
    """Columns ``v_i − v_0``, shape (n, k)."""
    first, *others = vertices.tolist()
    entries = [v[j] - first[j] for j in range(vertices.ncols()) for v in others]
    return fmpq_mat(vertices.ncols(), len(others), entries)


Domain: TypeAlias = WholeSpace | Box | Polytope | Slice | Simplex

_DEEPEST = 20  # a slice of a slice of ...; deeper descriptions are hostile


def domain_from_dict(description: Mapping[str, Any]) -> Domain:
    """Rebuild a domain from its ``describe()``, exactly.

    Raises
    ------
    DomainError
        If the description is not one of a domain.

    Examples
    --------
    >>> domain_from_dict(Box(0, "1/3").describe()) == Box(0, "1/3")
    True
    """
    return _rebuild(description, _DEEPEST)


def _rebuild(description: Any, depth: int) -> Domain:
    if depth == 0:
        raise DomainError(f"the domain's description nests more than {_DEEPEST} slices")
    if not isinstance(description, Mapping):
        raise DomainError(
            f"a domain's description must be a mapping, not {type(description).__name__}"
        )
    kind = description.get("kind")
    builders: dict[str, Callable[[], Domain]] = {
        "whole space": WholeSpace,
        "box": lambda: Box(_part(description, "lower"), _part(description, "upper")),
        "polytope": lambda: _polytope(description),
        "slice": lambda: Slice(
            _part(description, "origin"),
            _part(description, "basis"),
            _rebuild(_part(description, "inner"), depth - 1),
        ),
        "simplex": lambda: Simplex(_part(description, "vertices")),
    }
    build = builders.get(kind) if isinstance(kind, str) else None
    if build is None:
        raise DomainError(f"unknown kind of domain {kind!r}; expected one of {sorted(builders)}")
    return build()


def _part(description: Mapping[str, Any], key: str) -> Any:
    if key not in description:
        raise DomainError(f"the description of a {description['kind']} lacks {key!r}")
    return description[key]


def _polytope(description: Mapping[str, Any]) -> Polytope:
    rows = _part(description, "A")
    if rows != []:
        return Polytope(rows, _part(description, "b"))
    n = _part(description, "dimension")  # without a row only this tells the shape
    if not isinstance(n, int) or not 0 < n < 10**6:
        raise DomainError(f"the description of a polytope has dimension {n!r}; expected 1, 2, ...")
    return Polytope(fmpq_mat(0, n), _part(description, "b"))
