"""The regions of a plane run as polygons to be drawn: from its complex, else exactly one by one.

On a bounded domain the complex has all vertices and edges at once, found by sign vectors; their
coordinates are those of its float vertices, with their proven errors far below a pixel. Where a
window is asked for, or the domain is unbounded, every region is cut exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.complex.build import cell_complex
from polyrank.complex.cell_complex import CellComplex
from polyrank.complex.mesh import cycles
from polyrank.errors import PolyrankError
from polyrank.graph.geometry import Regions
from polyrank.network.forward import packed_rows
from polyrank.network.rational import nearest_float
from polyrank.regions.schema import fixed_binary_rows
from polyrank.report.polygons import Point, check_plane, group_border, polygons

__all__ = ["Corners", "PlaneCells", "floats", "plane_cells"]

Corners = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PlaneCells:
    """Polygons of the regions of a plane run, and the edges between them.

    Attributes
    ----------
    polygons : list of ndarray, shape (v, 2)
        One per region, counter-clockwise; empty where the window shows nothing of it.
    frame : (x_low, x_high, y_low, y_high)
        What is shown.
    exact : list of list of (fmpq, fmpq), or None
        The same with exact vertices, where they were computed.
    """

    polygons: list[Corners]
    frame: tuple[float, float, float, float]
    exact: list[list[Point]] | None
    _regions: Regions
    _edges: NDArray[np.float64] | None = None
    _sides: NDArray[np.int64] | None = None

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Which regions are seen, (R,)."""
        return np.array([len(p) > 0 for p in self.polygons], dtype=bool)

    def border(self, group: NDArray[np.int32], *, only: int | None = None) -> list[Corners]:
        """Edges with different groups on their two sides, or with one side outside of the domain.

        Parameters
        ----------
        group : ndarray of int, shape (R,)
        only : int, optional
            Edges of this group alone.
        """
        if self._edges is None or self._sides is None:
            return group_border(self._regions, group, self.exact or [], only=only)
        beside = np.where(self._sides >= 0, np.append(group, -1)[self._sides], -1)
        chosen = beside[:, 0] != beside[:, 1]
        if only is not None:
            chosen &= (beside == only).any(axis=1)
        return list(self._edges[chosen])


def plane_cells(
    regions: Regions, window: Sequence[Any] | None = None, *, exact: bool = False
) -> PlaneCells:
    """The polygons of a run on a two-dimensional domain.

    Parameters
    ----------
    regions : Regions
    window : (x_low, x_high, y_low, y_high), optional
        Exact numbers; see :func:`polyrank.report.polygons.polygons`.
    exact : bool
        Exact vertices are needed.

    Raises
    ------
    UnsupportedError, ValueError
        As :func:`polyrank.report.polygons.polygons`.
    """
    check_plane(regions)
    chart, run = regions.chart, regions.run
    if window is None and not exact and chart.lower is not None and chart.upper is not None:
        try:
            cells = cell_complex(regions.network, run.domain, through_layer=run.layers)
            found = _of_complex(regions, cells, (chart.lower, chart.upper))
        except PolyrankError:
            found = None  # every region is cut by itself instead
        if found is not None:
            return found
    shapes, frame = polygons(regions, window)
    low_x, high_x, low_y, high_y = map(nearest_float, frame)
    return PlaneCells([floats(s) for s in shapes], (low_x, high_x, low_y, high_y), shapes, regions)


def floats(shape: list[Point]) -> Corners:
    """The vertices of an exact polygon to nearest floats, (v, 2)."""
    return np.array([[nearest_float(v) for v in p] for p in shape]).reshape(len(shape), 2)


def _of_complex(
    regions: Regions, cells: CellComplex, box: tuple[Sequence[fmpq], Sequence[fmpq]]
) -> PlaneCells | None:
    """From the complex; None if its regions are not those that the run lists."""
    run = regions.run
    table = run.table
    listed = fixed_binary_rows(table.column("codeword"))
    zero = fixed_binary_rows(table.column("zero"))
    rows = {
        (w.tobytes(), z.tobytes()): r for r, (w, z) in enumerate(zip(listed, zero, strict=True))
    }
    signs = cells.signs.of_units(2)
    keys = (packed_rows(signs > 0), packed_rows(signs == 0))
    row_of = np.array(
        [rows.get((w.tobytes(), z.tobytes()), -1) for w, z in zip(*keys, strict=True)], np.int64
    )
    if len(row_of) != run.count or (row_of < 0).any():
        return None
    corners: list[Corners] = [np.empty((0, 2))] * run.count
    for r, cycle in zip(
        row_of.tolist(), cycles(cells.boundary, np.ones(len(row_of), bool)), strict=True
    ):
        corners[r] = cells.vertices[cycle]
    ends = cells.boundary[0].tocsc().indices.reshape(-1, 2)
    faces = cells.boundary[1].tocsr()
    first = faces.indices[faces.indptr[:-1]]
    last = faces.indices[faces.indptr[1:] - 1]
    sides = np.column_stack([row_of[first], np.where(first == last, -1, row_of[last])])
    (x0, y0), (x1, y1) = ([nearest_float(v) for v in side] for side in box)
    return PlaneCells(corners, (x0, x1, y0, y1), None, regions, cells.vertices[ends], sides)
