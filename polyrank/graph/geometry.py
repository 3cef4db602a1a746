"""One region of a run, exactly: rows in chart coordinates, generators, volume, inscribed ball."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.brief import brief
from polyrank.errors import RunError
from polyrank.graph.listing import chart_of_run, words_of_run
from polyrank.graph.region_graph import RegionGraph
from polyrank.lp.farkas import value_at
from polyrank.network.forward import affine_map, unpack_bits
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float
from polyrank.posed.branch import WALL, RowName
from polyrank.posed.double_description import vertices_and_rays
from polyrank.posed.polytope import Generators, volume
from polyrank.posed.problem import Problem
from polyrank.posed.region import IntRow, Region
from polyrank.regions.run import Run, witness_point

__all__ = ["Ball", "RegionGeometry", "Regions"]


@dataclass(frozen=True, slots=True)
class Ball:
    """An inscribed ball in chart coordinates.

    **Proves**: the ball lies in the closed region (the centre and the squared radius are exact).
    **Does not prove** that it is the largest; a float linear program proposed the centre.
    """

    centre: tuple[fmpq, ...]
    radius_squared: fmpq


@brief("bounded", vertices=lambda found: len(found.generators.vertices))
@dataclass(frozen=True, slots=True, eq=False)
class RegionGeometry:
    """A closed region in chart coordinates y.

    Attributes
    ----------
    rows : tuple of Row
        One integer row ``(a, b)`` per facet: ``a·y + b ≥ 0``, non-redundant.
    generators : Generators
    lineality : int
        With ``lineality`` > 0 the region is this set plus a linear space of that dimension, which
        the chart leaves out.
    """

    rows: tuple[IntRow, ...]
    generators: Generators
    lineality: int = 0

    @property
    def bounded(self) -> bool:
        """True if the region is bounded."""
        return self.generators.bounded and not self.lineality

    @property
    def volume(self) -> fmpq | None:
        """Exact volume in chart coordinates; None if the region's is infinite."""
        return None if self.lineality else volume(self.generators, len(self.rows))

    def ball(self) -> Ball | None:
        """A large inscribed ball; None where there is no largest one, or none was found.

        None as well where the chart leaves directions out: its distances are not the region's.
        """
        k = len(self.rows[0]) - 1 if self.rows else 0
        if not k or self.lineality:
            return None
        table = np.array(
            [[float(fmpq(v)) if abs(v) < 2**1000 else np.inf for v in row] for row in self.rows]
        )
        norms = np.linalg.norm(table[:, :k], axis=1)
        if not np.isfinite(table).all() or not np.isfinite(norms).all():
            return None
        from scipy.optimize import linprog  # noqa: PLC0415  (half a second of every start)

        found = linprog(
            np.append(np.zeros(k), -1.0),
            A_ub=np.column_stack([-table[:, :k] / norms[:, None], np.ones(len(table))]),
            b_ub=table[:, k] / norms,
            bounds=[(None, None)] * k + [(0, None)],
        )
        if found.status != 0:
            return None
        centre = tuple(fmpq_from_float(v) for v in found.x[:k].tolist())
        column = fmpq_mat(k, 1, list(centre))
        best: fmpq | None = None
        for row in self.rows:
            value = value_at(row, column)
            if value <= 0:
                return None
            square = value * value / fmpq(sum(a * a for a in row[:k]))
            best = square if best is None or square < best else best
        return None if best is None else Ball(centre, best)


@brief("run")
class Regions:
    """Random access to the regions of a run that has a graph.

    Parameters
    ----------
    run : Run
    network : Network
    graph : RegionGraph
    """

    def __init__(self, run: Run, network: Network, graph: RegionGraph) -> None:
        self.run, self.network, self.graph = run, network, graph
        self.chart = chart_of_run(run, network)
        self.problem = Problem(network, self.chart, run.layers)

    @cached_property
    def _packed(self) -> NDArray[np.uint8]:
        return words_of_run(self.run)

    @cached_property
    def _points(self) -> tuple[Any, Any]:
        names = ["witness", "witness_exact"]
        table = pa.Table.from_batches(
            self.run.batches(names), pa.schema([self.run.schema.field(name) for name in names])
        )
        return table.column("witness"), table.column("witness_exact")

    def check(self, region: int) -> None:
        """Refuse a number that is no region.

        Raises
        ------
        RunError
            If it is out of range.
        """
        if not 0 <= region < self.graph.regions:
            raise RunError(
                f"there is no region {region}: the run lists 0 to {self.graph.regions - 1}"
            )

    def codeword(self, region: int) -> NDArray[np.bool_]:
        """Bits of a region's codeword, ``(N,)``."""
        self.check(region)
        return unpack_bits(self._packed[region], self.run.bits)

    def affine_map(self, region: int, layer: int | None = None) -> tuple[fmpq_mat, fmpq_mat]:
        """The exact map x ↦ A x + c of the input space through a layer on the region."""
        word = self.codeword(region)
        return affine_map(self.network, word, layer=layer or self.run.layers)

    def witness(self, region: int) -> tuple[fmpq, ...]:
        """The witness of a region, a chart point strictly inside."""
        self.check(region)
        floats, exact = self._points
        return witness_point(floats[region].as_py(), exact[region].as_py())

    def edge(self, a: int, b: int) -> int | None:
        """Number of the edge between two regions; None where they share no facet."""
        low, high = min(a, b), max(a, b)
        self.check(low)
        self.check(high)
        found = np.flatnonzero((self.graph.source == low) & (self.graph.target == high))
        return int(found[0]) if len(found) else None

    def crossing(self, edge: int) -> tuple[fmpq, ...]:
        """A chart point in the relative interior of the facet that the two ends of an edge share.

        It lies on the segment from the source's witness to the edge's point behind the facet.

        Raises
        ------
        RunError
            If there is no such edge.
        """
        graph = self.graph
        if not 0 <= edge < graph.edges:
            raise RunError(f"there is no edge {edge}: the graph has edges 0 to {graph.edges - 1}")
        source, target = int(graph.source[edge]), int(graph.target[edge])
        p = self.witness(source)
        at = int(np.searchsorted(graph.beyond_edge, edge))
        if edge in graph.beyond_exact:
            q = graph.beyond_exact[edge]
        elif at < len(graph.beyond_edge) and int(graph.beyond_edge[at]) == edge:
            q = tuple(fmpq_from_float(v) for v in graph.beyond[at].tolist())
        else:
            q = self.witness(target)
        row = self.facet_row(source, int(graph.unit[edge]))
        before = value_at(row, fmpq_mat(len(p), 1, list(p)))
        after = value_at(row, fmpq_mat(len(q), 1, list(q)))
        t = before / (before - after)
        return tuple(a + t * (b - a) for a, b in zip(p, q, strict=True))

    def exact(self, region: int) -> Region:
        """A region of the run by its codeword alone."""
        return Region(self.problem, self.codeword(region))

    def facet_row(self, region: int, name: int) -> IntRow:
        """The row of a wall (−1 − wall) or a codeword bit in chart coordinates, positive inside."""
        return self.exact(region).row(self._name(name))

    def rows(self, region: int) -> tuple[IntRow, ...]:
        """The facets' rows in chart coordinates, positive inside."""
        exact = self.exact(region)
        start, end = self.graph.facet_start[region : region + 2]
        names = self.graph.facet_unit[start:end].tolist()
        return tuple(exact.row(self._name(name)) for name in names)

    def _name(self, name: int) -> RowName:
        if name < 0:
            return RowName(WALL, -1 - name)
        return self.problem.branch.unit_of_bit(name)

    def geometry(self, region: int) -> RegionGeometry:
        """Non-redundant rows and exact generators of a region."""
        rows = self.rows(region)
        return RegionGeometry(rows, vertices_and_rays(rows, self.chart.k), self.chart.lineality)
