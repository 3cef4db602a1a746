"""Cells of every dimension by sign vector, with exact incidences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray
from scipy.sparse import csc_array

from polyrank.brief import brief
from polyrank.errors import UncertifiedError
from polyrank.network.forward import pack_bits
from polyrank.network.normal_form import Network
from polyrank.posed.branch import WALL, RowName
from polyrank.posed.chart import Chart
from polyrank.posed.problem import Problem
from polyrank.posed.region import Region

__all__ = ["CellComplex", "Signs"]


@dataclass(frozen=True, slots=True, eq=False)
class Signs:
    """Signs of every unit and every domain row on every cell, two bits each.

    Attributes
    ----------
    pos, neg : tuple of (f_d, W) uint64 arrays, d = 0..k
        Words of 64 signs: the layers one after the other, then the domain's rows. Zero is neither.
    word_start : (L + 2,) int64 array
        First word of each layer, then of the rows, then W.
    units : (L,) int64 array
        Units per layer.
    leader, leader_sign : (N,) arrays
        A unit that is a multiple of an earlier one of its layer has its sign from it (−1: none).
    hyperplane : (N,) bool array
        Units with a bit.
    rows : int
        Rows of the domain.
    """

    pos: tuple[NDArray[np.uint64], ...]
    neg: tuple[NDArray[np.uint64], ...]
    word_start: NDArray[np.int64]
    units: NDArray[np.int64]
    leader: NDArray[np.int64]
    leader_sign: NDArray[np.int8]
    hyperplane: NDArray[np.bool_]
    rows: int

    @classmethod
    def packed(
        cls, of_units: Sequence[NDArray[np.int8]], on_walls: Sequence[NDArray[np.bool_]]
    ) -> Signs:
        """From sign vectors (f_d, N') and the rows (f_d, rows) that hold with equality."""
        units, rows = of_units[0].shape[1], on_walls[0].shape[1]
        parts = [
            tuple(
                np.concatenate([_words(signs == side), _words(~walls & (side > 0))], axis=1)
                for signs, walls in zip(of_units, on_walls, strict=True)
            )
            for side in (1, -1)
        ]
        own = _words(of_units[0] > 0).shape[1]
        return cls(
            parts[0],
            parts[1],
            np.array([0, own, parts[0][0].shape[1]]),
            np.array([units]),
            np.full(units, -1),
            np.ones(units, dtype=np.int8),
            np.ones(units, dtype=bool),
            rows,
        )

    def of_units(self, d: int) -> NDArray[np.int8]:
        """Sign vectors (f_d, N') of the d-cells over the units with a hyperplane, in {−1, 0, 1}."""
        total = int(self.units.sum())
        out = np.zeros((len(self.pos[d]), total), dtype=np.int8)
        g = 0
        for layer, n in enumerate(self.units.tolist()):
            for i in range(n):
                source = i if self.leader[g + i] < 0 else int(self.leader[g + i])
                sign = 1 if self.leader[g + i] < 0 else int(self.leader_sign[g + i])
                word = int(self.word_start[layer]) + source // 64
                out[:, g + i] = sign * _column(self.pos[d], self.neg[d], word, source % 64)
            g += n
        return np.ascontiguousarray(out[:, self.hyperplane])

    def on_walls(self, d: int) -> NDArray[np.bool_]:
        """Which rows of the domain hold with equality on each d-cell, shape (f_d, rows)."""
        first = int(self.word_start[-2])
        out = np.zeros((len(self.pos[d]), self.rows), dtype=np.bool_)
        for i in range(self.rows):
            out[:, i] = _column(self.pos[d], self.neg[d], first + i // 64, i % 64) == 0
        return out


def _words(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Bits (f, n) as words of 64, (f, W)."""
    count, n = bits.shape
    wide = np.zeros((count, -(-n // 64) * 64), dtype=bool)
    wide[:, :n] = bits
    packed = pack_bits(wide)
    return packed.reshape(count, -1).view("<u8").astype(np.uint64)


def _column(
    pos: NDArray[np.uint64], neg: NDArray[np.uint64], word: int, bit: int
) -> NDArray[np.int8]:
    shift = np.uint64(bit)
    one = np.uint64(1)
    up = ((pos[:, word] >> shift) & one).astype(np.int8)
    down = ((neg[:, word] >> shift) & one).astype(np.int8)
    return up - down


@brief("f_vector")
@dataclass(frozen=True, eq=False)
class CellComplex:
    """The cells of the closures of all activation regions of a network on a bounded domain.

    A cell is the set of points with one sign vector in {−1, 0, 1}^N on one face of the domain; it
    is relatively open and convex. The cells of dimension k are the activation regions.

    Attributes
    ----------
    network : Network
    chart : Chart
        x = origin + basis · y; the cells live in the coordinates y.
    signs : Signs
    boundary : tuple of sparse (f_{d−1}, f_d) int8 arrays, d = 1..k
        ``boundary[d − 1]`` holds the incidence numbers −1, 0, 1 of d-cells with their facets.
    vertices : (f_0, k) float64 array
        Approximate coordinates y of the vertices; :meth:`exact_vertex` has the exact ones.
    vertex_error : (f_0,) float64 array
        Proven bound of the error of each coordinate, in units of the domain's half width.
    ranks : (f_k, L) int16 array
        Exact rank of the map through each layer on each region, restricted to the domain.

    Notes
    -----
    **Proves**: no cell is missing and none is invented; incidences are exact. Cells are joined by
    their sign vectors and never by distance. **Does not prove** anything about the approximate
    coordinates beyond ``vertex_error``.
    """

    network: Network
    chart: Chart
    signs: Signs
    boundary: tuple[csc_array, ...]
    vertices: NDArray[np.float64]
    vertex_error: NDArray[np.float64]
    ranks: NDArray[np.int16]

    @property
    def dimension(self) -> int:
        """Dimension k of the regions."""
        return self.chart.k

    @property
    def f_vector(self) -> tuple[int, ...]:
        """Number of cells of each dimension 0..k."""
        return tuple(len(words) for words in self.signs.pos)

    @property
    def euler_characteristic(self) -> int:
        """Σ (−1)^d f_d: 1 for a bounded convex domain, a checksum of the whole complex."""
        return sum((-1) ** d * n for d, n in enumerate(self.f_vector))

    @cached_property
    def regions_per_facet(self) -> NDArray[np.int64]:
        """How many regions each cell of dimension k − 1 bounds: 2, or 1 on the domain's wall."""
        return np.asarray(abs(self.boundary[-1]).sum(axis=1)).ravel().astype(np.int64)

    @cached_property
    def vertex_region(self) -> NDArray[np.int64]:
        """A region whose closure has each vertex, (f_0,)."""
        found = np.arange(self.f_vector[0])
        for matrix in self.boundary:
            rows = matrix.tocsr()  # every cell but the regions is a facet of another one
            found = rows.indices[rows.indptr[found]].astype(np.int64)
        return found

    @cached_property
    def _problem(self) -> Problem:
        return Problem(self.network, self.chart, self.ranks.shape[1])

    @cached_property
    def _exact_rows(self) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.bool_]]:
        """Signs of the regions and of the vertices, and walls that hold the vertices."""
        k = self.dimension
        return self.signs.of_units(k), self.signs.of_units(0), self.signs.on_walls(0)

    def exact_vertex(self, vertex: int) -> tuple[fmpq, ...]:
        """Exact coordinates y of a vertex, the common point of the hyperplanes that hold it."""
        of_regions, of_vertices, on_walls = self._exact_rows
        inside = of_regions[self.vertex_region[vertex]]
        region = Region(self._problem, inside > 0)
        names = [RowName(WALL, i) for i in np.flatnonzero(on_walls[vertex]).tolist()]
        bits = np.flatnonzero((of_vertices[vertex] == 0) & (inside != 0)).tolist()
        names += [self._problem.branch.unit_of_bit(bit) for bit in bits]
        rows = [region.row(name) for name in names]
        k = self.dimension
        table, rank = fmpq_mat(len(rows), k + 1, [v for row in rows for v in row]).rref()
        if rank != k:
            raise UncertifiedError(f"the hyperplanes through vertex {vertex} do not define a point")
        return tuple(-table[i, k] for i in range(k))
