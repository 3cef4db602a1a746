"""Hyperplane arrangements and networks whose number of regions is known from a theorem.

An :class:`Arrangement` ``{normals[i] . x = offsets[i]}`` is the one-layer network with
``z_i = normals[i] . x - offsets[i]``. Every builder names the formula or the published sequence
(OEIS) that gives its number of regions; the numbers themselves are in :data:`FAMILIES`,
:data:`GRAPHS` and :data:`DOCTESTS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product
from math import comb, factorial, prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray
from tests.oracles import Number

__all__ = [
    "DOCTESTS",
    "FAMILIES",
    "GRAPHS",
    "Arrangement",
    "Family",
    "affine_instance",
    "bigraphical",
    "generic",
    "generic_central",
    "generic_central_count",
    "generic_count",
    "graphical",
    "linear_instance",
    "montufar",
    "montufar_bound",
    "readme_arrangement",
    "sawtooth",
    "simplicial_arrangements",
]

Row = tuple[Number, ...]
Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Hyperplanes ``normals[i] . x = offsets[i]`` in R^n."""

    normals: tuple[Row, ...]
    offsets: Row

    @property
    def dim(self) -> int:
        """Dimension n of the space."""
        return len(self.normals[0])

    def network(self, *, output: bool = False) -> Network:
        """The one-layer ReLU network; with ``output`` an affine layer (the sum) follows."""
        m, n = len(self.normals), self.dim
        weight = RationalArray.from_rationals(
            [_rational(v) for row in self.normals for v in row], (m, n)
        )
        bias = RationalArray.from_rationals([-_rational(v) for v in self.offsets], (m,))
        if not output:
            return Network.from_arrays([weight], [bias], output_relu=True, name="arrangement")
        return Network.from_arrays([weight, np.ones((1, m))], [bias, [0.0]], name="arrangement")


def _rational(value: Number) -> Fraction:
    return Fraction(value)


def _difference(n: int, i: int, j: int, sign: int = -1) -> Row:
    """The normal of ``x_i - x_j`` (``x_i + x_j`` with sign +1)."""
    row = [0] * n
    row[i] = 1
    row[j] += sign
    return tuple(row)


def _unit(n: int, i: int) -> Row:
    return tuple(int(i == j) for j in range(n))


def _central(normals: Iterable[Row]) -> Arrangement:
    rows = tuple(normals)
    return Arrangement(rows, (0,) * len(rows))


def _deformation(n: int, shifts: Sequence[int]) -> Arrangement:
    """``x_i - x_j = s`` for i < j and s in shifts."""
    pairs = [(i, j, s) for i, j in combinations(range(n), 2) for s in shifts]
    return Arrangement(
        tuple(_difference(n, i, j) for i, j, _ in pairs), tuple(s for _, _, s in pairs)
    )


def _type_b(n: int) -> Arrangement:
    return _central([*_type_d(n).normals, *(_unit(n, i) for i in range(n))])


def _type_d(n: int) -> Arrangement:
    return _central(
        _difference(n, i, j, sign) for i, j in combinations(range(n), 2) for sign in (-1, 1)
    )


def _resonance(n: int) -> Arrangement:
    return _central(row for row in product((0, 1), repeat=n) if any(row))


def _threshold_functions(n: int) -> Arrangement:
    return _central((1, *v) for v in product((0, 1), repeat=n))


def _boolean_braid(n: int) -> Arrangement:
    braid = [_difference(n, i, j) for i, j in combinations(range(n), 2)]
    return _central([*(_unit(n, i) for i in range(n)), *braid])


@dataclass(frozen=True, slots=True)
class Family:
    """A family of arrangements with the published number of regions for every n.

    ``regions`` are the published terms, ``formula`` a closed form where there is one, and
    ``bounded`` the published numbers of relatively bounded regions.
    """

    build: Callable[[int], Arrangement]
    source: str
    regions: dict[int, int]
    formula: Callable[[int], int] | None = None
    bounded: dict[int, int] | None = None


def _from(start: int, *terms: int) -> dict[int, int]:
    return dict(enumerate(terms, start))


FAMILIES: dict[str, Family] = {
    "braid": Family(
        lambda n: _deformation(n, (0,)),
        "OEIS A000142: orderings of n numbers",
        _from(2, 2, 6, 24, 120, 720),
        factorial,
    ),
    "shi": Family(
        lambda n: _deformation(n, (0, 1)),
        "OEIS A000272: (n+1)^(n-1) (Shi 1986)",
        _from(2, 3, 16, 125, 1296),
        lambda n: (n + 1) ** (n - 1),
        _from(2, 1, 4, 27, 256),
    ),
    "catalan": Family(
        lambda n: _deformation(n, (-1, 0, 1)),
        "OEIS A001761: n! Catalan(n) = (2n)!/(n+1)!",
        _from(2, 4, 30, 336, 5040),
        lambda n: factorial(2 * n) // factorial(n + 1),
        _from(2, 2, 12, 120, 1680),
    ),
    "linial": Family(
        lambda n: _deformation(n, (1,)),
        "OEIS A007889 (Postnikov and Stanley 2000); bounded: A283828",
        _from(2, 2, 7, 36, 246, 2104),
        lambda n: sum(comb(n, k) * (k + 1) ** (n - 1) for k in range(n + 1)) // 2**n,
        _from(2, 0, 1, 4, 26, 212),
    ),
    "semiorder": Family(
        lambda n: _deformation(n, (-1, 1)),
        "OEIS A006531: labeled semiorders",
        _from(2, 3, 19, 183, 2371),
        None,
        _from(2, 1, 7, 61, 751),
    ),
    "type_b": Family(
        _type_b,
        "OEIS A000165: order 2^n n! of the Weyl group B_n",
        _from(2, 8, 48, 384, 3840, 46080),
        lambda n: 2**n * factorial(n),
    ),
    "type_d": Family(
        _type_d,
        "OEIS A002866: order 2^(n-1) n! of the Weyl group D_n",
        _from(2, 4, 24, 192, 1920, 23040),
        lambda n: 2 ** (n - 1) * factorial(n),
    ),
    "threshold_graphs": Family(
        lambda n: _central(_difference(n, i, j, 1) for i, j in combinations(range(n), 2)),
        "OEIS A005840: labeled threshold graphs",
        _from(2, 2, 8, 46, 332, 2874),
    ),
    "resonance": Family(
        _resonance,
        "OEIS A034997 (all-subsets arrangement)",
        _from(2, 6, 32, 370, 11292, 1066044),
    ),
    "threshold_functions": Family(
        _threshold_functions,
        "OEIS A000609: Boolean threshold functions of n variables",
        _from(2, 14, 104, 1882, 94572),
    ),
    "boolean_braid": Family(
        _boolean_braid,
        "(n+1)!: the braid arrangement of n+1 numbers with x_0 = 0",
        _from(2, 6, 24, 120, 720, 5040),
        lambda n: factorial(n + 1),
    ),
}
"""Every family with published numbers of regions."""


def generic(p: int, n: int) -> Arrangement:
    """p hyperplanes of R^n in general position: ``(1, t, ..., t^(n-1)) . x = t^n``.

    Any n normals, and any n + 1 augmented normals, form a Vandermonde matrix with distinct nodes.
    """
    nodes = [k - p // 2 for k in range(p)]
    return Arrangement(
        tuple(tuple(t**e for e in range(n)) for t in nodes), tuple(t**n for t in nodes)
    )


def generic_count(p: int, n: int) -> int:
    """Regions of p hyperplanes in general position in R^n (Buck 1943): Σ_{i<=n} C(p, i)."""
    return sum(comb(p, i) for i in range(n + 1))


def generic_central(p: int, n: int) -> Arrangement:
    """p hyperplanes through 0 in general position (Vandermonde normals)."""
    return _central(generic(p, n).normals)


def generic_central_count(p: int, n: int) -> int:
    """Regions of p generic hyperplanes through 0 (Cover 1965): 2 Σ_{i<n} C(p-1, i)."""
    return 2 * sum(comb(p - 1, i) for i in range(n))


# ---------------------------------------------------------------------------------------------
# graphs: regions of x_i = x_j over the edges are the acyclic orientations (Greene and Zaslavsky)


def graphical(n: int, edges: Iterable[Edge]) -> Arrangement:
    """``x_i - x_j = 0`` for every edge of a graph on n vertices."""
    return _central(_difference(n, i, j) for i, j in edges)


def _cycle(n: int) -> list[Edge]:
    return [(i, (i + 1) % n) for i in range(n)]


def _multipartite(*sizes: int) -> list[Edge]:
    part = [k for k, size in enumerate(sizes) for _ in range(size)]
    return [(i, j) for i, j in combinations(range(len(part)), 2) if part[i] != part[j]]


_GRID = [(3 * r + c, 3 * r + c + 1) for r in range(3) for c in range(2)] + [
    (3 * r + c, 3 * r + c + 3) for r in range(2) for c in range(3)
]
_CUBE = [(i, j) for i, j in combinations(range(8), 2) if (i ^ j).bit_count() == 1]
_PETERSEN = [
    *_cycle(5),
    *((i, i + 5) for i in range(5)),
    *((5 + i, 5 + (i + 2) % 5) for i in range(5)),
]

GRAPHS: dict[str, tuple[int, list[Edge], int]] = {
    "C5": (5, _cycle(5), 30),
    "house": (5, [*_cycle(5), (1, 4)], 42),
    "K3,3": (6, _multipartite(3, 3), 230),
    "K4,4": (8, _multipartite(4, 4), 6902),
    "Q3": (8, _CUBE, 1862),
    "Petersen": (10, _PETERSEN, 16680),
    "octahedron K2,2,2": (6, _multipartite(2, 2, 2), 426),
    "grid 3x3": (9, _GRID, 2398),
}
"""Name: (vertices, edges, number of acyclic orientations = |chromatic polynomial at -1|)."""


def bigraphical(n: int, shifts: Mapping[Edge, Number]) -> Arrangement:
    """``x_u - x_v = shifts[u, v]`` for every ordered pair given (Hopkins and Perkinson 2016)."""
    return Arrangement(tuple(_difference(n, u, v) for u, v in shifts), tuple(shifts.values()))


_C4 = [(0, 1), (0, 3), (1, 2), (2, 3)]
_DIRECTED_C4 = [edge for u, v in _C4 for edge in ((u, v), (v, u))]
_DOCTEST_SHIFTS = dict(
    zip(
        [(0, 1), (0, 3), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2), (3, 0)],
        [1, 2, 3, 0, 2, 1, 2, 0],
        strict=True,
    )
)
_GENERIC_SHIFTS = [3, 10, 35, 121, 367, 1042, 3001, 9973]  # no signed sum around the cycle is 0


def _extended_shi(roots: Sequence[Row], m: int) -> Arrangement:
    """``root . x = k`` for positive roots and -m < k <= m."""
    pairs = [(root, k) for root in roots for k in range(1 - m, m + 1)]
    return Arrangement(tuple(root for root, _ in pairs), tuple(k for _, k in pairs))


def _roots(n: int, axis: int) -> list[Row]:
    """Positive roots of B_n (axis 1) or C_n (axis 2)."""
    return [*_type_d(n).normals, *(tuple(axis * int(v) for v in _unit(n, i)) for i in range(n))]


DOCTESTS: dict[str, tuple[Arrangement, int]] = {
    "bigraphical C4": (bigraphical(4, _DOCTEST_SHIFTS), 63),
    "G-semiorder of C4": (bigraphical(4, dict.fromkeys(_DIRECTED_C4, 1)), 59),
    "generic bigraphical C4": (
        bigraphical(4, dict(zip(_DIRECTED_C4, _GENERIC_SHIFTS, strict=True))),
        65,
    ),
    "Shi B3 m=3": (_extended_shi(_roots(3, 1), 3), 6859),
    "Shi C3": (_extended_shi(_roots(3, 2), 1), 343),
}
"""Arrangements of the SageMath doctests; extended Shi: (1 + m h)^n, h the Coxeter number."""


def readme_arrangement() -> Arrangement:
    """The arrangement in the README of CountingChambers.jl: 10 regions."""
    columns = [(-1, 1), (1, 0), (1, 1), (0, 1)]
    return Arrangement(tuple(columns), (1, 0, 1, 0))


# ---------------------------------------------------------------------------------------------
# files


def _columns(path: Path) -> list[Row]:
    """Columns of a text matrix; integers as they are, decimals as the float64 they denote."""
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return [tuple(Fraction(float(v)) for v in column) for column in zip(*rows, strict=True)]


def linear_instance(path: Path) -> Arrangement:
    """An IncrementalSignFeasibility instance: columns are normals."""
    return _central(_columns(path))


def affine_instance(path: Path) -> Arrangement:
    """The same with right-hand sides in the last row."""
    columns = _columns(path)
    return Arrangement(tuple(c[:-1] for c in columns), tuple(c[-1] for c in columns))


def simplicial_arrangements(path: Path) -> dict[str, tuple[Arrangement, int]]:
    """Simplicial arrangements of rank 3 with their published numbers of regions."""
    entries = json.loads(path.read_text())["arrangements"]
    return {
        "A({}, {})_{}".format(*entry["key"]): (
            _central(tuple(Fraction(v) for v in normal) for normal in entry["normals"]),
            int(entry["regions_published"]),
        )
        for entry in entries
    }


# ---------------------------------------------------------------------------------------------
# deep constructions


def sawtooth(k: int) -> Network:
    """The k-fold composition of the tent map t(x) = 2 relu(x) - 4 relu(x - 1/2) (Telgarsky).

    On [0, 1]: 2^k activation regions. On R: 3 for k = 1, and 2^k + 2 for k >= 2, since on both
    outer pieces the first tent goes to −∞ and stays in one region.
    """
    first = [[1], [1]]
    inner = [[2, -4], [2, -4]]
    weights = [first, *([inner] * (k - 1)), [[2, -4]]]
    biases = [*([[0, -0.5]] * k), [0]]
    return Network.from_arrays(
        [np.array(w, dtype=float) for w in weights], biases, name=f"sawtooth {k}"
    )


def montufar(n: int, folds: Sequence[int], last: int) -> Network:
    """The folding construction of Montufar, Pascanu, Cho and Bengio (2014), Theorem 5.

    Hidden layer l has n groups of ``folds[l]`` units; a group folds [0, p/2], p = folds[l], onto
    [0, 1/2] p times: h_1 = relu(y), h_i = relu(2y - (i - 1)), folded = h_1 - h_2 + h_3 - ...
    The last hidden layer has ``last`` generic hyperplanes, all of whose intersections lie inside
    the cube [0, 1/2]^n. The input is [0, folds[0]/2]^n; on it there are exactly
    :func:`montufar_bound` regions, on R^n at least that many.
    """
    weights, biases = [], []
    read = np.eye(n)  # input coordinates, then folded coordinates rescaled to [0, p/2]
    for p in folds:
        slopes = np.array([1.0] + [2.0] * (p - 1))
        weights.append(np.kron(np.eye(n), slopes[:, None]) @ read)
        biases.append(np.tile(-np.arange(p, dtype=float), n))
        signs = np.array([[(-1.0) ** i for i in range(p)]])
        read = np.kron(np.eye(n), signs)  # onto [0, 1/2]^n
        following = folds[len(weights)] if len(weights) < len(folds) else 1
        read = read * following
    normals, offsets = _hyperplanes_in_half_cube(last, n)
    weights.append(normals @ read)
    biases.append(offsets)
    weights.append(np.ones((1, last)))
    biases.append(np.zeros(1))
    return Network.from_arrays(weights, biases, name="montufar")


def _hyperplanes_in_half_cube(m: int, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Generic ``normals . y + offsets = 0`` whose n-fold intersections lie inside (0, 1/2)^n.

    With y = 1/4 + u and the generic arrangement (1, t, ..., t^(n-1)) . v = t^n, whose vertices
    have coordinates bounded by elementary symmetric functions of the nodes, u = v / 2^s is small.
    """
    nodes = [k - m // 2 for k in range(m)]
    reach = prod(1 + abs(t) for t in nodes)
    scale = 4 * 2 ** reach.bit_length()
    normals = np.array([[float(scale * t**e) for e in range(n)] for t in nodes])
    offsets = np.array([-float(t**n) for t in nodes]) - normals.sum(axis=1) / 4
    return normals, offsets


def montufar_bound(n: int, folds: Sequence[int], last: int) -> int:
    """Π_{l<L} folds_l^n · Σ_{j<=n} C(last, j): the lower bound of Theorem 5."""
    return int(prod(p**n for p in folds)) * sum(comb(last, j) for j in range(n + 1))
