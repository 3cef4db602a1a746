"""Questions of the compiled search, answered in rationals: vertices, signs, interior points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.exact_cells import ExactCells
from polyrank.cells.vertices.root import AT_INFINITY
from polyrank.errors import UncertifiedError
from polyrank.posed.problem import Problem

__all__ = ["ExactSigns"]

Vector = tuple[fmpq, ...]


class ExactSigns:
    """Exact hyperplanes and vertices on the current path of the search."""

    def __init__(self, problem: Problem) -> None:
        self.cells = ExactCells(problem, problem.arrays)
        self.cube = problem.cube
        self._net = problem.arrays
        self._walls = problem.walls
        self._conic = problem.cube.kind != "bounded"

    def row(self, label: int, decision: NDArray[np.int8]) -> list[fmpq]:
        """A positive multiple of a label's row ``(a, b)`` on the region that decisions fix."""
        if label < 0:
            return [fmpq(v) for v in self._walls[-1 - label]]
        layer = int(np.searchsorted(self._net.unit_start, label, side="right")) - 1
        i = label - int(self._net.unit_start[layer])
        return [fmpq(v) for v in self.cells.rows(layer, decision)[i]]

    def vertex(
        self,
        labels: NDArray[np.int64],
        decision: NDArray[np.int8],
        sides: Mapping[int, int],
    ) -> Vector:
        """Exact coordinates of the vertex with these labels, in homogeneous cube coordinates.

        The last entry is the factor of the constant column: 1, or 0 where vertices are rays of
        cones. ``sides`` then tells a ray from its opposite: signs ±1 of units of layer 1 on the
        cone, of which one at least does not vanish on the ray.

        Raises
        ------
        UncertifiedError
            If the labels do not define one vertex: a defect.
        """
        d = self.cube.dim
        rows = [self.row(int(g), decision) for g in labels if g != AT_INFINITY]
        if not self._conic:
            matrix = fmpq_mat(d, d, [v for row in rows for v in row[:d]])
            try:
                solved = matrix.solve(fmpq_mat(d, 1, [-row[d] for row in rows]))
            except ZeroDivisionError:
                raise UncertifiedError("the hyperplanes of a vertex are not independent") from None
            return (*solved.entries(), fmpq(1))
        if self.cube.kind == "homogeneous" and len(rows) == d - 2:
            rows.append([fmpq(int(l == d - 1)) for l in range(d + 1)])
        if self.cube.kind == "central" and len(rows) == d:
            return (fmpq(0),) * (d + 1)
        matrix = fmpq_mat(len(rows), d, [v for row in rows for v in row[:d]])
        reduced, rank = matrix.rref()
        if rank != d - 1:
            raise UncertifiedError("the hyperplanes of a vertex do not define one direction")
        pivots = [next(l for l in range(d) if reduced[r, l] != 0) for r in range(rank)]
        (free,) = (l for l in range(d) if l not in pivots)
        ray = [fmpq(0)] * (d + 1)
        ray[free] = fmpq(1)
        for r, l in enumerate(pivots):
            ray[l] = -reduced[r, free]
        along = 0
        if self.cube.kind == "homogeneous" and ray[d - 1] != 0:
            along = 1 if ray[d - 1] > 0 else -1
        else:
            for unit, side in sides.items():
                along = side * self.sign(tuple(ray), unit, decision)
                if along:
                    break
        if along == 0:
            raise UncertifiedError("nothing tells a direction from its opposite")
        return tuple(along * v for v in ray)

    def sign(self, vertex: Vector, label: int, decision: NDArray[np.int8]) -> int:
        """Sign of a row at an exact vertex."""
        row = self.row(label, decision)
        z = sum((a * x for a, x in zip(row, vertex, strict=True) if a != 0), fmpq(0))
        return 1 if z > 0 else (-1 if z < 0 else 0)
