"""Independent answers in exact arithmetic, for comparison with polyrank.

Nothing here comes from polyrank except the container :class:`polyrank.network.normal_form.Network`
that carries the numbers. Two methods that share no step with the search, nor with each other
(a third, for arrangements, is :mod:`tests.deletion_restriction`):

* :func:`regions_by_generators`: cells as cones over their exact vertices, split unit by unit by
  the double description method. No LP, no floating point, unbounded cells included.
* :func:`regions_by_sign_vectors`: every sign vector, each decided by Fourier-Motzkin elimination.

Conventions (SPEC 3): bit 1 iff z > 0 in the interior; a unit that is identically zero on a region
has bit 0, sign 0, and splits nothing. Domains are tuples of rows ``(a_1, ..., a_n, b)`` meaning
``a . x <= b``; the empty tuple is R^n.

References
----------
Motzkin, Raiffa, Thompson, Thrall, "The double description method", 1953. Fukuda and Prodon,
"Double description method revisited", 1996, Proposition 7 (combinatorial adjacency).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from operator import mul
from typing import Any

from polyrank.network.normal_form import Network

__all__ = [
    "ExactLayer",
    "Leaf",
    "Matrix",
    "Number",
    "OracleRegion",
    "Vector",
    "affine_maps",
    "bits_at",
    "box_rows",
    "exact_layers",
    "exact_rank",
    "leaves",
    "primitive",
    "rank_histogram",
    "regions_by_generators",
    "regions_by_sign_vectors",
    "regions_of_layers",
    "restrict",
]

Vector = tuple[Fraction, ...]
Matrix = tuple[Vector, ...]
IntVector = tuple[int, ...]
Number = Fraction | int | float | str


@dataclass(frozen=True, slots=True)
class ExactLayer:
    """One layer in fractions: weights (rows), biases, slopes a⁻ and a⁺."""

    weight: Matrix
    bias: Vector
    neg: Vector
    pos: Vector


@dataclass(frozen=True, slots=True)
class OracleRegion:
    """A non-empty full-dimensional activation region.

    Attributes
    ----------
    bits : tuple of int
        The codeword, layer-major, units with a hyperplane only.
    signs : tuple of int
        The same with −1, 0, +1; 0 where the unit is identically zero on the region.
    ranks : tuple of int
        Exact rank of the linear part of the map through layer K, K = 1..L.
    maps : tuple of Matrix
        ``maps[K - 1]`` is the affine map through layer K: rows ``(g_1, ..., g_n, c)``.
    witness : tuple of Fraction
        A point of the interior (of the region and of the domain).
    vertices : tuple of points
        The vertices of the closure (none if the closure contains a line, or by sign vectors).
    bounded : bool
        Whether the region is bounded (always False when found by sign vectors).
    """

    bits: tuple[int, ...]
    signs: tuple[int, ...]
    ranks: tuple[int, ...]
    maps: tuple[Matrix, ...]
    witness: Vector
    vertices: tuple[Vector, ...] = ()
    bounded: bool = False


# ---------------------------------------------------------------------------------------------
# the network in fractions


def _fractions(values: Iterable[Any]) -> Vector:
    return tuple(Fraction(int(v.p), int(v.q)) for v in values)


def exact_layers(network: Network) -> list[ExactLayer]:
    """The layers of a network as fractions."""
    layers = []
    for layer in network.layers:
        flat = _fractions(layer.weight.entries())
        width = layer.inputs
        rows = tuple(flat[i * width : (i + 1) * width] for i in range(layer.units))
        layers.append(
            ExactLayer(
                rows,
                _fractions(layer.bias.entries()),
                _fractions(layer.slope_neg.entries()),
                _fractions(layer.slope_pos.entries()),
            )
        )
    return layers


def restrict(layers: list[ExactLayer], origin: Vector, basis: Matrix) -> list[ExactLayer]:
    """The network in slice coordinates u, where x = origin + basis u (basis: n rows)."""
    first = layers[0]
    columns = tuple(zip(*basis, strict=True))
    weight = tuple(tuple(_dot(row, column) for column in columns) for row in first.weight)
    bias = tuple(_dot(row, origin) + b for row, b in zip(first.weight, first.bias, strict=True))
    return [ExactLayer(weight, bias, first.neg, first.pos), *layers[1:]]


def box_rows(lower: Sequence[Number], upper: Sequence[Number]) -> Matrix:
    """The rows of the box ``lower <= x <= upper``."""
    n = len(lower)
    rows = []
    for i in range(n):
        unit = [Fraction(int(i == j)) for j in range(n)]
        rows.append((*unit, Fraction(upper[i])))
        rows.append((*(-v for v in unit), -Fraction(lower[i])))
    return tuple(rows)


def _dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def _identity(n: int) -> Matrix:
    return tuple(tuple(Fraction(int(i == j)) for j in range(n + 1)) for i in range(n))


def _pre_activation(layer: ExactLayer, before: Matrix, unit: int) -> Vector:
    """Row ``(g, c)`` of z = W h + b, where h is the affine map ``before``."""
    weights = layer.weight[unit]
    width = len(before[0]) if before else 1
    row = [Fraction(0)] * width
    for w, h in zip(weights, before, strict=True):
        if w:
            row = [r + w * v for r, v in zip(row, h, strict=True)]
    row[-1] += layer.bias[unit]
    return tuple(row)


def _slope(layer: ExactLayer, unit: int, bit: int, row: Vector) -> Vector:
    factor = layer.pos[unit] if bit else layer.neg[unit]
    return tuple(factor * v for v in row)


def bits_at(layers: list[ExactLayer], point: Vector) -> tuple[tuple[int, ...], bool]:
    """Codeword of a point, and whether no unit with a hyperplane vanishes there."""
    h = point
    bits: list[int] = []
    strict = True
    for layer in layers:
        z = [_dot(row, h) + b for row, b in zip(layer.weight, layer.bias, strict=True)]
        for value, neg, pos in zip(z, layer.neg, layer.pos, strict=True):
            if neg != pos:
                bits.append(int(value > 0))
                strict = strict and value != 0
        h = tuple(
            value * (pos if value > 0 else neg)
            for value, neg, pos in zip(z, layer.neg, layer.pos, strict=True)
        )
    return tuple(bits), strict


def affine_maps(layers: list[ExactLayer], bits: Sequence[int], n: int) -> tuple[Matrix, ...]:
    """The affine maps through layers 1..L that a codeword selects, whether realised or not."""
    chosen = iter(bits)
    before = _identity(n)
    maps = []
    for layer in layers:
        rows = []
        for unit in range(len(layer.weight)):
            bit = next(chosen) if layer.neg[unit] != layer.pos[unit] else 1
            rows.append(_slope(layer, unit, bit, _pre_activation(layer, before, unit)))
        before = tuple(rows)
        maps.append(before)
    return tuple(maps)


def exact_rank(rows: Sequence[Sequence[Fraction]]) -> int:
    """Rank over the rationals, by elimination in integers (Bareiss 1968)."""
    return _rank([primitive(row) for row in rows if any(row)])


def _rank(rows: Sequence[IntVector]) -> int:
    matrix = [list(row) for row in rows if any(row)]
    if len(matrix) < 2:
        return len(matrix)
    rank, previous = 0, 1
    for column in range(len(matrix[0])):
        pivot = next((i for i in range(rank, len(matrix)) if matrix[i][column]), None)
        if pivot is None:
            continue
        matrix[rank], matrix[pivot] = matrix[pivot], matrix[rank]
        top = matrix[rank]
        for i in range(rank + 1, len(matrix)):
            row = matrix[i]
            matrix[i] = [
                (top[column] * v - row[column] * t) // previous
                for v, t in zip(row, top, strict=True)
            ]
        previous = top[column]
        rank += 1
        if rank == len(matrix):
            break
    return rank


def primitive(row: Sequence[Fraction] | Sequence[int]) -> IntVector:
    """The positive multiple of a rational vector with coprime integer entries."""
    fractions = [Fraction(v) for v in row]
    scale = lcm(*(v.denominator for v in fractions))
    integers = [v.numerator * (scale // v.denominator) for v in fractions]
    common = gcd(*integers)
    return tuple(v // common for v in integers) if common > 1 else tuple(integers)


def rank_histogram(regions: Iterable[OracleRegion], layer: int) -> dict[int, int]:
    """How many regions have which rank through a layer (1-based)."""
    counts: dict[int, int] = {}
    for region in regions:
        rank = region.ranks[layer - 1]
        counts[rank] = counts.get(rank, 0) + 1
    return counts


# ---------------------------------------------------------------------------------------------
# first method: generators of cones


@dataclass(frozen=True, slots=True)
class _Unit:
    """One unit in integers: z = (Σ p_j h_j + bias) / denominator, slopes as (p, q)."""

    terms: tuple[tuple[int, int], ...]
    bias: int
    denominator: int
    slopes: tuple[tuple[int, int], tuple[int, int]]
    hinge: bool


_Row = tuple[int, int, IntVector]
"""An affine function ``p / q · g`` with a primitive integer vector g (the last entry constant)."""


def _in_integers(layers: Sequence[ExactLayer]) -> list[list[_Unit]]:
    units = []
    for layer in layers:
        units.append([])
        pairs = zip(layer.weight, layer.bias, layer.neg, layer.pos, strict=True)
        for weights, bias, neg, pos in pairs:
            scale = lcm(bias.denominator, *(w.denominator for w in weights))
            terms = tuple(
                (j, w.numerator * (scale // w.denominator)) for j, w in enumerate(weights) if w
            )
            slopes = (neg.numerator, neg.denominator), (pos.numerator, pos.denominator)
            constant = bias.numerator * (scale // bias.denominator)
            units[-1].append(_Unit(terms, constant, scale, slopes, neg != pos))
    return units


def _coordinates(n: int) -> tuple[_Row, ...]:
    return tuple((1, 1, tuple(int(i == j) for j in range(n + 1))) for i in range(n))


def _functional(unit: _Unit, before: Sequence[_Row], n: int) -> _Row:
    """The pre-activation of a unit, where ``before`` is the map below it."""
    scale = lcm(*(before[j][1] for j, _ in unit.terms))
    row = [0] * n + [unit.bias * scale]
    for j, weight in unit.terms:
        p, q, g = before[j]
        factor = weight * p * (scale // q)
        if factor:
            row = [r + factor * v for r, v in zip(row, g, strict=True)]
    common = gcd(*row)
    if common > 1:
        return common, unit.denominator * scale, tuple(v // common for v in row)
    return int(common > 0), unit.denominator * scale, tuple(row)


def _times(slope: tuple[int, int], row: _Row) -> _Row:
    p, q = slope[0] * row[0], slope[1] * row[1]
    if not p:
        return 0, 1, row[2]
    common = gcd(p, q)
    return p // common, q // common, row[2]


def _map_in_fractions(rows: Sequence[_Row]) -> Matrix:
    return tuple(tuple(Fraction(p, q) * v for v in g) for p, q, g in rows)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A region as it is found: the closed cone over it, and the maps in integers.

    Attributes
    ----------
    bits, signs : tuple of int
        As in :class:`OracleRegion`.
    functionals : tuple of integer vectors
        The primitive pre-activations of the units with a hyperplane, in the order of the bits.
    maps : tuple of tuples
        Per layer one row ``(p, q, g)``, meaning ``p / q · g``, per unit.
    cone : _Cone
        Its generators.
    """

    bits: tuple[int, ...]
    signs: tuple[int, ...]
    functionals: tuple[IntVector, ...]
    maps: tuple[tuple[_Row, ...], ...]
    cone: _Cone

    @property
    def ranks(self) -> tuple[int, ...]:
        """Exact rank of the linear part of the map through every layer."""
        return tuple(_rank([g[:-1] for p, _, g in rows if p]) for rows in self.maps)


@dataclass(frozen=True, slots=True)
class _Cone:
    """A full-dimensional cone: lines (a basis of its lineality space) and extreme rays.

    A ray carries the set of constraints that are tight on it, as a bit mask.
    """

    lines: tuple[IntVector, ...]
    rays: tuple[tuple[IntVector, int], ...]
    constraints: int

    def sides(self, g: IntVector) -> tuple[bool, bool]:
        """Whether g takes positive, and negative, values on the cone."""
        if any(_idot(g, line) for line in self.lines):
            return True, True
        values = [_idot(g, ray) for ray, _ in self.rays]
        return max(values, default=0) > 0, min(values, default=0) < 0

    def cut(self, g: IntVector) -> _Cone:
        """The part with g >= 0; g must take positive values."""
        mark = 1 << self.constraints
        values = [_idot(g, line) for line in self.lines]
        lead = next((i for i, v in enumerate(values) if v), None)
        if lead is not None:
            axis, height = self.lines[lead], values[lead]
            if height < 0:
                axis, height = tuple(-v for v in axis), -height
            lines = tuple(
                _combine(height, line, -value, axis)
                for i, (line, value) in enumerate(zip(self.lines, values, strict=True))
                if i != lead
            )
            rays = [
                (_combine(height, ray, -_idot(g, ray), axis), tight | mark)
                for ray, tight in self.rays
            ]
            rays.append((axis, mark - 1))
            return _Cone(lines, tuple(rays), self.constraints + 1)
        heights = [_idot(g, ray) for ray, _ in self.rays]
        kept = [
            (ray, tight | mark if height == 0 else tight)
            for (ray, tight), height in zip(self.rays, heights, strict=True)
            if height >= 0
        ]
        for i, (above, tight_above) in enumerate(self.rays):
            if heights[i] <= 0:
                continue
            for j, (below, tight_below) in enumerate(self.rays):
                if heights[j] >= 0:
                    continue
                common = tight_above & tight_below
                if any(
                    tight & common == common
                    for k, (_, tight) in enumerate(self.rays)
                    if k not in (i, j)
                ):
                    continue
                kept.append((_combine(-heights[j], above, heights[i], below), common | mark))
        return _Cone(self.lines, tuple(kept), self.constraints + 1)

    def interior(self) -> IntVector:
        total = [0] * len(self.rays[0][0])
        for ray, _ in self.rays:
            total = [a + b for a, b in zip(total, ray, strict=True)]
        return tuple(total)


def _idot(a: IntVector, b: IntVector) -> int:
    return sum(map(mul, a, b))


def _combine(s: int, a: IntVector, t: int, b: IntVector) -> IntVector:
    vector = [s * x + t * y for x, y in zip(a, b, strict=True)]
    common = gcd(*vector)
    return tuple(v // common for v in vector) if common > 1 else tuple(vector)


def _domain_cone(n: int, rows: Matrix) -> _Cone:
    """The closure of {t (x, 1) : t > 0, x in the domain}; the last coordinate is t."""
    lines = tuple(tuple(int(i == j) for j in range(n + 1)) for i in range(n))
    cone = _Cone(lines, (((0,) * n + (1,), 0),), 1)
    for row in rows:
        functional = primitive([*(-v for v in row[:-1]), row[-1]])
        positive, negative = cone.sides(functional)
        if not any(functional):
            continue  # 0 . x <= 0 holds everywhere
        if not positive:
            raise ValueError("the domain has no interior point")
        if negative:
            cone = cone.cut(functional)
    return cone


def regions_by_generators(
    network: Network, rows: Matrix = ()
) -> dict[tuple[int, ...], OracleRegion]:
    """All non-empty full-dimensional activation regions, by splitting cones exactly.

    A unit with functional g splits a full-dimensional cone iff g takes both signs on its
    generators; each part is then full-dimensional, because it contains an open half ball.

    Raises
    ------
    ValueError
        If the domain has no interior point.
    """
    layers = exact_layers(network)
    return regions_of_layers(layers, network.input_dim, rows)


def regions_of_layers(
    layers: list[ExactLayer], n: int, rows: Matrix = ()
) -> dict[tuple[int, ...], OracleRegion]:
    """:func:`regions_by_generators` for layers in fractions (a slice, for example)."""
    found: dict[tuple[int, ...], OracleRegion] = {}
    for leaf in leaves(layers, n, rows):
        cone = leaf.cone
        inside = cone.interior()
        witness = tuple(Fraction(v, inside[-1]) for v in inside[:-1])
        vertices = tuple(
            tuple(Fraction(v, ray[-1]) for v in ray[:-1]) for ray, _ in cone.rays if ray[-1]
        )
        if leaf.bits in found:
            raise ValueError(f"codeword {leaf.bits} was found twice")
        found[leaf.bits] = OracleRegion(
            leaf.bits,
            leaf.signs,
            leaf.ranks,
            tuple(map(_map_in_fractions, leaf.maps)),
            witness,
            () if cone.lines else vertices,
            not cone.lines and all(ray[-1] for ray, _ in cone.rays),
        )
    return found


def leaves(layers: Sequence[ExactLayer], n: int, rows: Matrix = ()) -> Iterator[Leaf]:
    """The regions of :func:`regions_by_generators` in integers alone, each as it is found."""
    yield from _split(_in_integers(layers), 0, 0, _coordinates(n), (), _domain_cone(n, rows), n)


def _split(
    layers: list[list[_Unit]],
    k: int,
    unit: int,
    before: tuple[_Row, ...],
    current: tuple[_Row, ...],
    cone: _Cone,
    n: int,
) -> Iterator[Leaf]:
    if k == len(layers):
        yield Leaf((), (), (), (), cone)
        return
    if unit == len(layers[k]):
        for leaf in _split(layers, k + 1, 0, current, (), cone, n):
            yield Leaf(leaf.bits, leaf.signs, leaf.functionals, (current, *leaf.maps), leaf.cone)
        return
    here = layers[k][unit]
    row = _functional(here, before, n)
    if not here.hinge:
        after = (*current, _times(here.slopes[1], row))
        yield from _split(layers, k, unit + 1, before, after, cone, n)
        return
    g = row[2]
    positive, negative = cone.sides(g)
    for bit, present in ((1, positive), (0, negative or not positive)):
        if not present:
            continue
        part = cone
        if positive and negative:
            part = cone.cut(g if bit else tuple(-v for v in g))
        sign = 1 if bit else (-1 if negative else 0)
        after = (*current, _times(here.slopes[bit], row))
        for leaf in _split(layers, k, unit + 1, before, after, part, n):
            yield Leaf(
                (bit, *leaf.bits),
                (sign, *leaf.signs),
                (g, *leaf.functionals),
                leaf.maps,
                leaf.cone,
            )


# ---------------------------------------------------------------------------------------------
# second method: all sign vectors, Fourier-Motzkin


def _strictly_feasible(rows: set[IntVector], n: int) -> Vector | None:
    """A point with ``g . x + c > 0`` for every row ``(g, c)``, or None if there is none.

    Eliminates x_n, ..., x_1 and substitutes back; every step is an equivalence over the rationals.
    """
    constants = [row for row in rows if not any(row[:-1])]
    if any(row[-1] <= 0 for row in constants):
        return None
    rows = rows.difference(constants)
    if n == 0:
        return ()
    above = [row for row in rows if row[n - 1] > 0]  # lower bounds on x_n
    below = [row for row in rows if row[n - 1] < 0]
    rest = {(*row[: n - 1], row[n]) for row in rows if not row[n - 1]}
    for low in above:
        for high in below:
            mixed = _combine(-high[n - 1], low, low[n - 1], high)
            rest.add((*mixed[: n - 1], mixed[n]))
    point = _strictly_feasible(rest, n - 1)
    if point is None:
        return None

    def bound(row: IntVector) -> Fraction:
        value = sum((a * x for a, x in zip(row[: n - 1], point, strict=True)), Fraction(row[n]))
        return -value / row[n - 1]

    lower = max(map(bound, above), default=None)
    upper = min(map(bound, below), default=None)
    if lower is not None and upper is not None:
        last = (lower + upper) / 2
    elif lower is not None:
        last = lower + 1
    else:
        last = upper - 1 if upper is not None else Fraction(0)
    return (*point, last)


def regions_by_sign_vectors(
    network: Network, rows: Matrix = ()
) -> dict[tuple[int, ...], OracleRegion]:
    """The same set by walking through all sign vectors; each is decided by Fourier-Motzkin.

    A prefix without an interior point is not extended. For networks of at most about ten bits.
    """
    layers = exact_layers(network)
    n = network.input_dim
    walls = {primitive([*(-v for v in row[:-1]), row[-1]]) for row in rows if any(row)}
    units = [
        (k, unit)
        for k, layer in enumerate(layers)
        for unit in range(len(layer.weight))
        if layer.neg[unit] != layer.pos[unit]
    ]
    found: dict[tuple[int, ...], OracleRegion] = {}
    stack: list[tuple[tuple[int, ...], tuple[int, ...], set[IntVector]]] = [((), (), walls)]
    while stack:
        bits, signs, system = stack.pop()
        witness = _strictly_feasible(system, n)
        if witness is None:
            continue
        if len(bits) == len(units):
            maps = affine_maps(layers, bits, n)
            ranks = tuple(exact_rank([row[:-1] for row in m]) for m in maps)
            found[bits] = OracleRegion(bits, signs, ranks, maps, witness)
            continue
        k, unit = units[len(bits)]
        before = affine_maps(layers[:k], bits, n)[-1] if k else _identity(n)
        g = primitive(_pre_activation(layers[k], before, unit))
        if not any(g):
            stack.append(((*bits, 0), (*signs, 0), system))
            continue
        stack.append(((*bits, 1), (*signs, 1), system | {g}))
        stack.append(((*bits, 0), (*signs, -1), system | {tuple(-v for v in g)}))
    return found
