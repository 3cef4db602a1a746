"""The region graph as an object of networkx that can be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import networkx as nx

from polyrank.errors import RunError
from polyrank.graph.geometry import Regions
from polyrank.graph.store import to_networkx
from polyrank.report.graph_map import draw_graph

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Graph"]


class Graph(nx.Graph):  # type: ignore[misc]  # (networkx has no types)
    """A graph of networkx with the regions that it joins; see :meth:`polyrank.Run.graph`.

    A copy or a subgraph made by networkx is a graph of the same class without its regions: it
    has no picture of its own.
    """

    regions: Regions | None = None

    @classmethod
    def of(cls, regions: Regions, limit: int) -> Graph:
        """The graph of the regions of a run."""
        made = cls(to_networkx(regions.graph, regions.run, limit=limit))
        made.regions = regions
        return made

    def plot(self, **options: Any) -> Figure:
        """A dot in every region, coloured by rank, and a line through every shared facet.

        Parameters
        ----------
        **options
            Those of :func:`polyrank.report.graph_map.draw_graph` (``layer``, ``ax``).

        Raises
        ------
        RunError
            If this is a copy or a part, which does not know its regions.
        UnsupportedError
            If there are more than 20,000 regions or matplotlib is not installed.
        """
        if self.regions is None:
            raise RunError("a copy or a part of a region graph has no picture: plot run.graph()")
        return draw_graph(self.regions, **options)

    def __repr__(self) -> str:
        return f"Graph({len(self):,} regions, {self.number_of_edges():,} shared facets)"

    def _repr_html_(self) -> str:
        facets = self.number_of_edges()
        return f"<div>region graph: {len(self):,} regions, {facets:,} shared facets</div>"
