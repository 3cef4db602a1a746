"""A run together with what the rooms below make of it: its graph and its picture.

:func:`polyrank.enumerate_regions` and :func:`polyrank.open_run` return this class; it adds nothing
to :class:`polyrank.regions.run.Run` but shortcuts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from polyrank.complex.build import cell_complex
from polyrank.complex.cell_complex import CellComplex
from polyrank.errors import RunError
from polyrank.graph.build import region_graph
from polyrank.graph.geometry import Regions
from polyrank.graph.region_graph import RegionGraph
from polyrank.graph.store import NETWORKX_LIMIT, has_graph, load_graph, stored_network, to_networkx
from polyrank.network.formats import load
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import domain_from_dict
from polyrank.regions.enumerate import enumerate_regions as _enumerate_regions
from polyrank.regions.run import Run as RegionRun
from polyrank.regions.run import open_run as _open_run

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.figure import Figure

__all__ = ["Run", "enumerate_regions", "open_run"]

P = ParamSpec("P")


@dataclass(frozen=True, slots=True, eq=False)
class Run(RegionRun):
    """The activation regions of a network on a domain, with their graph and their picture.

    See :class:`polyrank.regions.run.Run` for the regions themselves and what they prove. The
    network is the one that was enumerated; of a run directory it is the one kept with its graph or
    its proof, else it has to be given.
    """

    _source: Network | None = field(default=None, repr=False)

    def regions(self, network: Network | None = None) -> Regions:
        """Random access to the regions with their facets: rows, vertices, volumes, exact maps.

        The graph of a run directory is read from it, if it is there; otherwise it is made.

        Parameters
        ----------
        network : Network, optional
            The network of the run.

        Raises
        ------
        RunError
            If the network is not known or is another one.
        """
        mine = self.source(network)
        return Regions(self, mine, self._region_graph(mine))

    def graph(self, network: Network | None = None, *, limit: int = NETWORKX_LIMIT) -> nx.Graph:
        """The region graph for networkx: regions that share a facet are joined.

        Nodes carry ``rank`` (through the last layer), ``codeword`` and ``witness``, edges the
        crossed ``unit``. **Proves**: see :class:`~polyrank.graph.region_graph.RegionGraph`.

        Parameters
        ----------
        network : Network, optional
            The network of the run.
        limit : int
            Most regions that become networkx objects.

        Raises
        ------
        UnsupportedError
            If there are more regions than ``limit``, or networkx is not installed.
        RunError
            If the network is not known or is another one.
        """
        return to_networkx(self.regions(network).graph, self, limit=limit)

    def plot(self, network: Network | None = None, **options: Any) -> Figure:
        """A picture of the regions of a two-dimensional domain or slice.

        Parameters
        ----------
        network : Network, optional
            The network of the run.
        **options
            Those of :func:`polyrank.report.map.draw_map`.

        Raises
        ------
        UnsupportedError
            If the domain is not two-dimensional or matplotlib is not installed.
        RunError
            If the network is not known or is another one.
        """
        from polyrank.report.map import draw_map  # noqa: PLC0415  (knows matplotlib)

        return draw_map(self.regions(network), **options)

    def complex(self, network: Network | None = None) -> CellComplex:
        """All cells of the domain with their incidences, for bounded domains of dimension 1 to 3.

        The domain is searched again, with its faces kept. **Proves**: see
        :class:`~polyrank.complex.cell_complex.CellComplex`.

        Parameters
        ----------
        network : Network, optional
            The network of the run.

        Raises
        ------
        DomainError
            If the domain is unbounded.
        UnsupportedError
            If its dimension is not 1 to 3.
        RunError
            If the network is not known.
        """
        domain = domain_from_dict(self.manifest["domain"])
        layer = self.manifest["options"].get("through_layer")
        return cell_complex(self.source(network), domain, through_layer=layer)

    def _region_graph(self, network: Network) -> RegionGraph:
        if has_graph(self):
            return load_graph(self)
        return region_graph(self, network)

    def source(self, given: Network | None = None) -> Network:
        """The network of the run: the given one, else the one it was made with, else its file.

        Raises
        ------
        RunError
            If the network is not known.
        """
        if given is not None:
            return given
        if self._source is not None:
            return self._source
        if has_graph(self):
            return stored_network(self)
        entry = self.manifest.get("network_file")
        if entry is not None and self.path is not None:
            file = self.path / str(entry["path"])  # an absolute path stays what it is
            if file.is_file():
                return load(file, **dict(entry["options"]))
        raise RunError(
            "the run does not know its network's file; give the network: network=polyrank.load(…)"
        )


def _with(run: RegionRun, network: Network | None) -> Run:
    return Run(run.manifest, run.path, run._table, run._prefixes, network)  # noqa: SLF001


def _keeps_network(make: Callable[P, RegionRun]) -> Callable[P, Run]:
    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> Run:
        network = args[0] if args else kwargs["network"]
        if not isinstance(network, Network):
            raise TypeError(f"network is {type(network).__name__}, expected Network")
        return _with(make(*args, **kwargs), network)

    return made


enumerate_regions = _keeps_network(_enumerate_regions)


@wraps(_open_run)
def open_run(path: str | Path) -> Run:
    """Open a run directory."""
    return _with(_open_run(path), None)
