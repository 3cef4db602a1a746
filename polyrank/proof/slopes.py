"""Trusted: the exact affine maps of listed regions, and norms of their linear parts.

A map is a matrix of integers over one positive denominator (:mod:`polyrank.proof.layers`). Nothing
is rounded. Consecutive codewords share their first layers, which are composed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flint import fmpq, fmpq_mat

from polyrank.network.normal_form import Network
from polyrank.polyhedra.system import identity
from polyrank.proof.layers import Layers, Region
from polyrank.proof.rows import Rows

__all__ = ["AffineMap", "Maps", "at_least", "at_most", "layers_on_inputs"]

_BLOCK = 8192


class AffineMap(NamedTuple):
    """``u ↦ (rows · (u, 1)) / scale``, in integers, scale > 0."""

    rows: list[list[int]]
    scale: int


def layers_on_inputs(network: Network) -> Layers:
    """All layers, as functions of the inputs themselves."""
    n = network.input_dim
    return Layers(network, len(network.layers), fmpq_mat(n, 1), identity(n))


class Maps:
    """The affine maps of regions, by codeword."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._path: list[tuple[int, Region]] = []
        self._last = layers.layers[-1]
        self._scale = layers.scales[-1] * self._last.slope_scale

    def of(self, code: int) -> AffineMap:
        """The map of the whole network where the units have these signs (bit 1: > 0)."""
        region = Region(self._layers, None, 0, 0)
        same = True
        for number, layer in enumerate(self._layers.layers):
            bits = code & ((1 << layer.bits) - 1)
            code >>= layer.bits
            same = same and number < len(self._path) and self._path[number][0] == bits
            if not same:
                del self._path[number:]
                above = self._path[-1][1] if self._path else region
                self._path.append((bits, Region(self._layers, above, layer.unpacked(bits), 0)))
        whole = self._path[-1][1]
        below = whole.below
        if below is None:
            raise ValueError("a network has a layer")
        pairs = zip(below.exact, self._last.slopes, strict=True)
        rows = [
            [slopes[whole.positive >> i & 1] * v for v in row]
            for i, (row, slopes) in enumerate(pairs)
        ]
        return AffineMap(rows, self._scale)

    def all(self, table: Rows) -> Iterator[tuple[int, AffineMap]]:
        """Codeword and map of every row of a table of regions."""
        for first in range(0, table.count, _BLOCK):
            listed = table.slice(first, _BLOCK)
            for i in range(len(listed.code)):
                code, _ = listed.words(i)
                yield code, self.of(code)


def at_most(found: AffineMap, norm: str, bound: fmpq) -> bool:
    """Whether the operator norm of the linear part is ≤ bound; for "2" its square."""
    if norm == "2":
        if _frobenius(found) <= bound:
            return True
        return _definite(_shifted(found, bound), strict=False)
    return _greatest_sum(found, norm) <= bound * found.scale


def at_least(found: AffineMap, norm: str, bound: fmpq) -> bool:
    """Whether the operator norm of the linear part is ≥ bound; for "2" its square."""
    if norm == "2":
        # the greatest eigenvalue of G is below the bound iff bound − G is positive definite
        return not _definite(_shifted(found, bound), strict=True)
    return _greatest_sum(found, norm) >= bound * found.scale


def _greatest_sum(found: AffineMap, norm: str) -> int:
    linear = [row[:-1] for row in found.rows]
    lines = linear if norm == "inf" else list(zip(*linear, strict=True))
    return max((sum(map(abs, line)) for line in lines), default=0)


def _frobenius(found: AffineMap) -> fmpq:
    return fmpq(sum(v * v for row in found.rows for v in row[:-1]), found.scale**2)


def _shifted(found: AffineMap, bound: fmpq) -> list[list[fmpq]]:
    """``bound − G`` with G = JJᵀ or JᵀJ, the smaller one: they share what is not 0."""
    linear = [row[:-1] for row in found.rows]
    wide = len(linear) > len(linear[0]) if linear else False
    lines = [list(line) for line in zip(*linear, strict=True)] if wide else linear
    square = found.scale**2
    return [
        [
            bound * (i == j) - fmpq(sum(a * b for a, b in zip(p, q, strict=True)), square)
            for j, q in enumerate(lines)
        ]
        for i, p in enumerate(lines)
    ]


def _definite(matrix: list[list[fmpq]], *, strict: bool) -> bool:
    """Whether a symmetric matrix is positive (semi)definite: by elimination, exactly."""
    rows = [list(row) for row in matrix]
    for i in range(len(rows)):
        pivot = rows[i][i]
        if pivot < 0 or (pivot == 0 and (strict or any(rows[i][i + 1 :]))):
            return False
        if pivot == 0:
            continue
        for j in range(i + 1, len(rows)):
            factor = rows[j][i] / pivot
            if factor != 0:
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i], strict=True)]
    return True
