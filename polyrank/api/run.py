"""A run together with what the rooms below make of it: its regions, graph and picture.

:func:`polyrank.enumerate_regions` and :func:`polyrank.open_run` return this class; it adds nothing
to :class:`polyrank.regions.run.Run` but shortcuts.
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, overload

import numpy as np
import pyarrow as pa
from flint import fmpq_mat

from polyrank.api.html import run_html
from polyrank.api.region import Region, Selection
from polyrank.api.rows import Rows, readable_table
from polyrank.errors import RunError, UnsupportedError
from polyrank.graph.build import region_graph
from polyrank.graph.geometry import Regions
from polyrank.graph.region_graph import RegionGraph
from polyrank.graph.store import NETWORKX_LIMIT, has_graph, load_graph, stored_network
from polyrank.network.formats import load_as_stated
from polyrank.network.forward import codeword_exact, packed_rows
from polyrank.network.normal_form import Network, unit_name
from polyrank.network.rational import to_fmpq
from polyrank.polyhedra.domain import Domain, domain_from_dict
from polyrank.regions.directory import new_file
from polyrank.regions.enumerate import enumerate_regions as _enumerate_regions
from polyrank.regions.enumerate import resume_run as _resume_run
from polyrank.regions.run import Run as RegionRun
from polyrank.regions.run import open_run as _open_run
from polyrank.regions.saving import save_run
from polyrank.regions.scratch import Column
from polyrank.report.summary import depth, layer_summary, seen, verdict
from polyrank.report.tables import layers_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from polyrank.api.graph import Graph
    from polyrank.complex.cell_complex import CellComplex

__all__ = ["Run", "enumerate_regions", "open_run", "resume_run"]

P = ParamSpec("P")


@dataclass(frozen=True, slots=True, eq=False)
class Run(RegionRun):
    """The activation regions of a network on a domain, with their graph and their picture.

    A run is a sequence of :class:`~polyrank.api.region.Region`: ``len(run)``, ``run[3]``,
    ``run[:9]``, ``for region in run``. See :class:`polyrank.regions.run.Run` for what it proves.
    The network is the one that was enumerated; of a run directory it is the one kept with its graph
    or its proof, else it has to be given.
    """

    _source: Network | None = field(default=None, repr=False)
    _made: dict[str, Any] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        network = self.network
        where = "" if self.path is None else f", {str(self.path)!r}"
        return (
            f"Run({network['name']!r} {'-'.join(map(str, network['widths']))}: "
            f"{verdict(self)}{where})"
        )

    def _repr_html_(self) -> str:
        return run_html(self)

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return True  # also where no region is listed

    def __iter__(self) -> Iterator[Region]:
        return (Region(self, r) for r in range(self.count))

    @overload
    def __getitem__(self, index: int) -> Region: ...
    @overload
    def __getitem__(self, index: slice) -> Selection: ...
    def __getitem__(self, index: int | slice) -> Region | Selection:
        if isinstance(index, slice):
            return Selection(self, range(self.count)[index])
        number = operator.index(index)
        if not -self.count <= number < self.count:
            raise IndexError(f"there is no region {number}: the run lists {self.count:,}")
        return Region(self, number % self.count)

    @property
    def unit_names(self) -> tuple[str, ...]:
        """``"layer K unit i"``, counted from 1, for every bit of a codeword."""
        return tuple(
            unit_name(k, u)
            for k, layer in enumerate(self.source().layers[: self.layers], start=1)
            for u in layer.has_hyperplane.nonzero()[0].tolist()
        )

    @property
    def access(self) -> Regions:
        """:meth:`regions` of the run's own network, made once."""
        if "access" not in self._made:
            self._made["access"] = self.regions()
        made: Regions = self._made["access"]
        return made

    @property
    def rows(self) -> Rows:
        """Single rows of the table, by number."""
        if "rows" not in self._made:
            self._made["rows"] = Rows(self)
        made: Rows = self._made["rows"]
        return made

    def find(self, x: Any) -> Region | None:
        """The region that holds a point.

        Parameters
        ----------
        x : sequence of n numbers
            Each is taken exactly: a float as the rational that it encodes, ``"1/3"`` as it says.

        Returns
        -------
        Region or None
            None if no listed region has the point's codeword; of a certified run that means that
            the point lies outside of the domain, or on a boundary between regions.

        Raises
        ------
        NetworkError
            If it does not have n coordinates.
        RunError
            If the network is not known.

        Notes
        -----
        **Proves**: the point lies in the domain and every unit has the sign there that it has on
        the whole region.
        """
        import pyarrow.compute as pc  # noqa: PLC0415  (a tenth of every start)

        network = self.source()
        at = codeword_exact(network, x, layer=self.layers)
        if not _holds(self.domain, x, network.input_dim):
            return None
        packed = packed_rows(np.array([at.bits, at.sign_vector == 0]))
        word, zero = packed[0].tobytes(), packed[1].tobytes()
        begin = 0
        for batch in self.batches(["codeword", "zero"]):
            same = pc.equal(batch.column("codeword"), pa.scalar(word, self.schema[0].type))
            for r in np.flatnonzero(np.asarray(same)).tolist():
                own = batch.column("zero")[r].as_py()
                if (bytes(len(zero)) if own is None else own) == zero:
                    return Region(self, begin + r)
            begin += batch.num_rows
        return None

    def where(
        self,
        *,
        rank: int | None = None,
        layer: int | None = None,
        below: int | None = None,
        least: int | None = None,
    ) -> Selection:
        """The regions of one rank, or of ranks between limits, through a layer.

        Of a run directory only the column of these ranks is read, and of it only the row groups
        that may hold one. More than two million numbers of regions lie in a temporary file.

        Parameters
        ----------
        rank : int, optional
            Exactly this rank.
        layer : int, optional
            1-based; default: the last that was enumerated.
        below, least : int, optional
            Ranks less than ``below``, and at least ``least``.

        Raises
        ------
        RunError
            If there is no such layer, or the disk of the temporary files is full.
        """
        low = max(-1 if least is None else least, -1 if rank is None else rank)
        high = min(1 << 15 if below is None else below - 1, 1 << 15 if rank is None else rank)
        found = Column(np.int64)
        for begin, ranks in self.ranks_between(self.layers if layer is None else layer, low, high):
            found.append(begin + np.flatnonzero((ranks >= low) & (ranks <= high)))
        return Selection(self, found.whole())

    def to_arrow(self) -> pa.Table:
        """The regions for eyes and data frames; see :func:`polyrank.api.rows.readable_table`."""
        return readable_table(self, self.layer_bits)

    def to_pandas(self) -> Any:
        """:meth:`to_arrow` as a data frame of pandas.

        Raises
        ------
        UnsupportedError
            If pandas is not installed.
        """
        try:
            return self.to_arrow().to_pandas()
        except ModuleNotFoundError:
            raise UnsupportedError("pandas is not installed: pip install pandas") from None

    def to_polars(self) -> Any:
        """:meth:`to_arrow` as a data frame of polars.

        Raises
        ------
        UnsupportedError
            If polars is not installed.
        """
        try:
            polars = importlib.import_module("polars")
        except ModuleNotFoundError:
            raise UnsupportedError("polars is not installed: pip install polars") from None
        return polars.from_arrow(self.to_arrow())

    def save(self, path: str | Path) -> Run:
        """Write a run that was kept in memory to a new directory, and return that run.

        Raises
        ------
        RunError
            If the run lies in a directory already, or the new one exists or cannot be written.
        """
        return _with(save_run(self, path), self._source)

    def summary(self) -> str:
        """The verdict and a table of the layers, as ``polyrank summary`` prints them."""
        lines = [verdict(self), depth(self), seen(self)]
        table = layers_table(layer_summary(self), certified=self.certified)
        return "\n".join([*filter(None, lines), table])

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

    def graph(self, network: Network | None = None, *, limit: int = NETWORKX_LIMIT) -> Graph:
        """The region graph for networkx: regions that share a facet are joined.

        Nodes carry ``rank`` (through the last layer), ``codeword`` and ``witness``, edges the
        crossed ``unit``; ``.plot()`` draws it.
        **Proves**: see :class:`~polyrank.graph.region_graph.RegionGraph`.

        Parameters
        ----------
        network : Network, optional
            The network of the run.
        limit : int
            Most regions that become networkx objects.

        Raises
        ------
        UnsupportedError
            If there are more regions than ``limit``.
        RunError
            If the network is not known or is another one.
        """
        from polyrank.api.graph import Graph  # noqa: PLC0415  (loads networkx)

        return Graph.of(self.regions(network), limit)

    def plot(self, network: Network | None = None, **options: Any) -> Figure:
        """A picture of the regions of a domain or slice of one or two dimensions.

        Parameters
        ----------
        network : Network, optional
            The network of the run.
        **options
            Those of :func:`polyrank.report.map.draw_map` (``colour`` or ``color``, ``values``,
            ``points``, ``window``, ``ax`` …) or, in one dimension,
            :func:`polyrank.report.line_map.draw_line_map` (``layer``, ``ax``).

        Raises
        ------
        UnsupportedError
            If the domain has more than two dimensions or matplotlib is not installed.
        RunError
            If the network is not known or is another one.
        """
        from polyrank.report.line_map import draw_line_map  # noqa: PLC0415  (know matplotlib)
        from polyrank.report.map import draw_map  # noqa: PLC0415

        if "color" in options:
            options["colour"] = options.pop("color")
        if self.dimension == 1 and not self.lineality:
            return draw_line_map(self.regions(network), **options)
        return draw_map(self.regions(network), **options)

    def report(self, path: str | Path, network: Network | None = None, **options: Any) -> Path:
        """Write one self-contained page about the run, ``.html``, and return its path.

        Parameters
        ----------
        path : path
        network : Network, optional
            The network of the run; where it is not known the page says what is missing for that.
        **options
            Those of :func:`polyrank.report.page.report_page` (``layer``, ``below``, ``images``).

        Raises
        ------
        UnsupportedError
            If the suffix is not .html, there is no such folder, or jinja2 or bokeh is missing.
        RunError
            If the given network is another one, or the disk is full or cannot be written.
        """
        from polyrank.report.page import page_file, report_page  # noqa: PLC0415  (loads bokeh)

        target = page_file(path)
        try:
            access = self.regions(network)
        except RunError:
            if network is not None:
                raise
            access = None
        page = report_page(self, access, **options)
        with new_file(target) as draft:
            draft.write_text(page, encoding="utf-8")
        return target

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
        from polyrank.complex.build import cell_complex  # noqa: PLC0415  (loads scipy)

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
            If the network is not known, or is another one than that of the run.
        """
        found = self._known() if given is None else given
        self.check_network(found)
        return found

    def _known(self) -> Network:
        if self._source is not None:
            return self._source
        if has_graph(self):
            return stored_network(self)
        entry = self.manifest.get("network_file")
        if entry is not None and self.path is not None:
            file = self.path / str(entry["path"])  # an absolute path stays what it is
            if file.is_file():
                return load_as_stated(file, entry.get("options"))
        raise RunError(
            "the run does not know its network's file; give the network: network=polyrank.load(…)"
        )


def _holds(domain: Domain, x: Any, n: int) -> bool:
    """True if a point lies in a closed domain of R^n; exact."""
    system = domain.system(n)
    entries = x.entries() if isinstance(x, fmpq_mat) else [to_fmpq(v) for v in x]
    offset = fmpq_mat(n, 1, entries) - system.origin
    turned = system.basis.transpose()
    y = (turned * system.basis).solve(turned * offset) if system.k else fmpq_mat(0, 1)
    if system.basis * y != offset:
        return False
    return system.inequalities.holds_at(y)


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


@wraps(_resume_run)
def resume_run(path: str | Path, network: Network | None = None, **options: Any) -> Run:
    """Go on with a run that ended early."""
    return _with(_resume_run(path, network, **options), network)


@wraps(_open_run)
def open_run(path: str | Path) -> Run:
    """Open a run directory."""
    return _with(_open_run(path), None)
