"""A run: the regions that one enumeration found, what they prove, and where they came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from flint import fmpq, fmpq_mat

from polyrank.errors import RunError
from polyrank.network.rational import fmpq_from_float, to_fmpq
from polyrank.polyhedra.domain import Domain, domain_from_dict
from polyrank.regions.histogram import RankHistogram
from polyrank.regions.layerwise import count_prefixes, decompose
from polyrank.regions.manifest import REGIONS_NAME, read_manifest, shard_files
from polyrank.regions.schema import column_bits, numbers, region_schema
from polyrank.stages import tell

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from polyrank.network.normal_form import Network

__all__ = [
    "OPEN_NAME",
    "REGIONS_NAME",
    "UNDECIDED_NAME",
    "Run",
    "open_run",
    "prefix_list",
    "read_prefixes",
    "read_shards",
    "witness_point",
]

UNDECIDED_NAME = "undecided.json"
#: Prefixes of the cells that a run which ended early left open.
OPEN_NAME = "open.json"


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The activation regions of a network on a domain, through one layer, as one enumeration left.

    Attributes
    ----------
    manifest : mapping
        Everything that is not a row: network, domain, chart, options, versions, counts, timings.
    path : Path or None
        The run directory; None for a run in memory.

    Notes
    -----
    **Proves**: every row is a region (its witness was verified with exact signs) with the rank
    that it states; if ``certified``, there is no other region. **Does not prove** anything about
    regions that are not listed while ``certified`` is False: then ``count`` is a lower bound.
    """

    manifest: Mapping[str, Any]
    path: Path | None
    _table: pa.Table | None
    _prefixes: tuple[str, ...]

    @classmethod
    def in_memory(
        cls, manifest: Mapping[str, Any], table: pa.Table, prefixes: Sequence[str] = ()
    ) -> Run:
        """A run whose table is an Arrow table in memory."""
        return cls(manifest, None, table, tuple(prefixes))

    @classmethod
    def on_disk(cls, manifest: Mapping[str, Any], path: Path) -> Run:
        """A run whose table is read from its directory when it is asked for."""
        return cls(manifest, path, None, read_prefixes(path, manifest))

    @property
    def status(self) -> str:
        """``finished``, ``stopped`` (at a limit), ``interrupted``, ``failed`` or ``running``.

        ``running`` is also that of a process that was killed.
        """
        return str(self.manifest["status"])

    @property
    def certified(self) -> bool:
        """True if the list of regions is proved complete: finished and nothing undecided."""
        return (
            self.status == "finished" and bool(self.manifest["certified"]) and self.undecided == 0
        )

    @property
    def count(self) -> int:
        """Number of regions listed: all of them if ``certified``, else a lower bound."""
        return int(self.manifest["counts"]["regions"])

    @property
    def undecided(self) -> int:
        """Number of codeword prefixes below which something could not be decided."""
        return int(self.manifest["counts"]["undecided"])

    @property
    def undecided_prefixes(self) -> tuple[str, ...]:
        """The undecided cells, as :func:`polyrank.cells.task.prefix_text` spells them.

        One character per unit, layers separated by ``|``: 0, 1, z (identically zero), = (a
        multiple of an earlier unit, decided with it), ? (not decided).
        """
        return self._prefixes

    @property
    def count_interval(self) -> tuple[int, int | None]:
        """Proven bounds of the number of regions; None where there is no upper bound.

        A cell with u units that were not decided holds at most 2^u codewords. What a run that did
        not finish left open is bounded by :func:`polyrank.cells.subtree.most_regions`, unless it
        was killed.
        """
        if self.status != "finished":
            bound = (self.manifest.get("open") or {}).get("regions_at_most")
            return self.count, None if bound is None else max(self.count, int(bound))
        if not self.manifest["certified"] and not self._prefixes:
            return self.count, None
        return self.count, self.count + sum(
            2 ** min(self.bits, prefix.count("?")) for prefix in self._prefixes
        )

    @property
    def open_prefixes(self) -> tuple[str, ...]:
        """Cells that a run which ended early left open, spelled as ``undecided_prefixes``.

        Empty of a finished run, of one in memory, and of one that was killed.

        Raises
        ------
        RunError
            If the list is damaged.
        """
        if self.path is None or self.status in {"finished", "running"}:
            return ()
        if not (self.path / OPEN_NAME).exists():
            return ()
        return _read_list(self.path / OPEN_NAME)

    @property
    def bits(self) -> int:
        """Number N of codeword bits."""
        return int(self.manifest["bits"])

    @property
    def layers(self) -> int:
        """Number L of layers that were enumerated; each has a rank column."""
        return int(self.manifest["layers"])

    @property
    def layer_bits(self) -> tuple[int, ...]:
        """Number of codeword bits of every layer that was enumerated."""
        return tuple(self.network["bits"][: self.layers])

    @property
    def network_layers(self) -> int:
        """Number of layers of the network, the output among them: at least ``layers``."""
        return len(self.network["bits"])

    @property
    def coordinates(self) -> int:
        """Number k of chart coordinates y, the length of a witness."""
        rows = self.manifest["chart"]["basis"]
        return len(rows[0]) if rows else 0

    @property
    def lineality(self) -> int:
        """Dimension of the linear space L that the chart leaves out: the domain is chart plus L.

        Neither the network nor the domain's rows change along L, so that every region is its part
        in the chart plus L; see :mod:`polyrank.posed.section`. 0 on all bounded domains.
        """
        return int(self.manifest["chart"].get("lineality", 0))

    @property
    def dimension(self) -> int:
        """Dimension of the domain."""
        return self.coordinates + self.lineality

    @property
    def network(self) -> Mapping[str, Any]:
        """Name, hash, widths, bits per layer and source of the network."""
        entry: Mapping[str, Any] = self.manifest["network"]
        return entry

    def check_network(self, network: Network) -> None:
        """Refuse a network whose exact function is not that of the run.

        Raises
        ------
        RunError
            If it is another one.
        """
        if network.sha256 != self.network["hash"]:
            raise RunError(
                f"the network {network.name!r} is not that of the run ({self.network['name']!r}): "
                f"its hash is {network.sha256[:12]}…, expected {str(self.network['hash'])[:12]}…; "
                f"give the same file with the same options{self._reading}"
            )

    @property
    def _reading(self) -> str:
        """The options with which the run read its network, where it says so."""
        entry = self.manifest.get("network_file") or {}
        given = [
            f"--{name.replace('_', '-')}" if value is True else f"{name.replace('_', ' ')} {value}"
            for name, value in (entry.get("options") or {}).items()
            if value is not None and value is not False
        ]
        return f" ({', '.join(given)})" if given else ""

    @property
    def domain(self) -> Domain:
        """The domain, exactly as it was given."""
        return domain_from_dict(self.manifest["domain"])

    @property
    def origin(self) -> fmpq_mat:
        """Origin of the chart, shape (n, 1): x = origin + basis y."""
        entries = [to_fmpq(v) for v in self.manifest["chart"]["origin"]]
        return fmpq_mat(len(entries), 1, entries)

    @property
    def basis(self) -> fmpq_mat:
        """Basis of the chart, shape (n, k): x = origin + basis y."""
        rows = self.manifest["chart"]["basis"]
        cols = len(rows[0]) if rows else 0
        return fmpq_mat(len(rows), cols, [to_fmpq(v) for row in rows for v in row])

    def rank_histogram(self, layer: int | None = None) -> dict[int, int]:
        """Number of listed regions by their rank through a layer.

        Parameters
        ----------
        layer : int, optional
            1-based; by default the last layer that was enumerated (of a full run: the output).

        Raises
        ------
        RunError
            If there is no such layer.
        """
        k = self.chosen_layer(layer)
        return {int(rank): int(n) for rank, n in self.manifest["rank_histogram"][k - 1].items()}

    @property
    def min_rank(self) -> tuple[int | None, ...]:
        """Least rank per layer over the listed regions; None where no region is listed."""
        return tuple(min(self.rank_histogram(k), default=None) for k in range(1, self.layers + 1))

    def chosen_layer(self, layer: int | None) -> int:
        """The layer that is asked for, 1-based; by default the last one that was enumerated.

        Raises
        ------
        RunError
            If there is no such layer.
        """
        k = self.layers if layer is None else layer
        if not 1 <= k <= self.layers:
            raise RunError(f"layer {k} is not part of this run; it has layers 1 to {self.layers}")
        return k

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the table (see :mod:`polyrank.regions.schema`)."""
        return region_schema(self.bits, self.layers, self.coordinates)

    @property
    def table(self) -> pa.Table:
        """All regions as one Arrow table; of a directory, read into memory at every call."""
        if self._table is not None:
            return self._table
        return pa.Table.from_batches(self.batches(), schema=self.schema)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Iterate over the regions by row group, so that memory does not grow with their number.

        Parameters
        ----------
        columns : sequence of str, optional
            Read only these columns.

        Raises
        ------
        RunError
            If a shard is missing or damaged.
        """
        if self.path is not None:
            yield from read_shards(self.path, columns)
        elif self._table is not None:
            table = self._table if columns is None else self._table.select(list(columns))
            yield from table.to_batches()

    def ranks_between(
        self, layer: int, least: int, most: int
    ) -> Iterator[tuple[int, NDArray[np.int16]]]:
        """Iterate over the row groups that may hold such ranks: first row, ranks of all its rows.

        Of a directory, row groups are left out, unread, where the statistics of their files show
        that no rank is between ``least`` and ``most``.

        Raises
        ------
        RunError
            If there is no such layer, or a shard is damaged.
        """
        name = f"rank_{self.chosen_layer(layer)}"
        if self.path is None:
            begin = 0
            for batch in self.batches([name]):
                yield begin, numbers(batch.column(name))
                begin += batch.num_rows
        else:
            yield from _ranks_between(self.path, name, least, most)

    def codewords(self) -> Iterator[NDArray[np.uint8]]:
        """Iterate over the codewords, unpacked: 0/1 arrays ``(r, N)``, one per row group."""
        for batch in self.batches(["codeword"]):
            yield column_bits(batch.column("codeword"), self.bits).view("uint8")

    def witnesses(self) -> Iterator[fmpq_mat]:
        """Iterate over the witnesses as exact points x of the input space, ``(n, 1)``, by row."""
        origin, basis = self.origin, self.basis
        for batch in self.batches(["witness", "witness_exact"]):
            floats, exact = batch.column("witness"), batch.column("witness_exact")
            for y, spelled in zip(floats, exact, strict=True):
                point = witness_point(y.as_py(), spelled.as_py())
                yield origin + basis * fmpq_mat(len(point), 1, list(point))

    def at_layer(self, layer: int) -> pa.Table:
        """The decomposition of the domain by the first layers: one row per distinct prefix.

        Parameters
        ----------
        layer : int
            K, 1-based.

        Returns
        -------
        Table
            ``codeword`` (bits of layers 1..K, packed), ``regions`` (number of regions of this run
            inside) and ``rank_1..rank_K``; as many rows as the decomposition has regions.

        Notes
        -----
        A region of the first K layers has non-empty interior, so it holds a region of every
        later decomposition: the distinct prefixes of a certified run are all of its regions.

        Raises
        ------
        RunError
            If there is no such layer.
        """
        k = self.chosen_layer(layer)
        prefix_bits = sum(self.network["bits"][:k])
        ranks = [f"rank_{j}" for j in range(1, k + 1)]
        return decompose(self._told(["codeword", *ranks]), prefix_bits, ranks)

    def decomposition_counts(self, layer: int) -> tuple[int, dict[int, int]]:
        """The number of regions of the decomposition by the first layers, and their ranks.

        The length of the table of :meth:`at_layer` and the histogram of its last rank, in memory
        that does not grow with either.

        Raises
        ------
        RunError
            If there is no such layer.
        """
        k = self.chosen_layer(layer)
        bits = sum(self.network["bits"][:k])
        if bits == self.bits:  # the prefix is the codeword
            return self.count, self.rank_histogram(k)
        return count_prefixes(self._told(["codeword", f"rank_{k}"]), bits, f"rank_{k}")

    def _told(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The regions by row group, telling how many have been read."""
        read = 0
        for batch in self.batches(columns):
            tell("rows of the table", read, self.count)
            yield batch
            read += batch.num_rows


def witness_point(
    floats: Sequence[float] | None, spelled: Sequence[str] | None
) -> tuple[fmpq, ...]:
    """The witness in chart coordinates that a row states in one of its two columns, exact.

    Raises
    ------
    RunError
        If it states none.
    """
    if spelled is not None:
        return tuple(to_fmpq(v) for v in spelled)
    if floats is None:
        raise RunError("a row of the run states no witness")
    return tuple(fmpq_from_float(v) for v in floats)


def open_run(path: str | PathLike[str]) -> Run:
    """Open a run directory, also a partial one (see ``Run.status``).

    Parameters
    ----------
    path : path
        The folder that ``out`` of :func:`polyrank.enumerate_regions`, or ``-o``, named.

    Raises
    ------
    RunError
        If it is not a run, or a finished run lacks rows that its manifest counts.
    """
    directory = Path(path)
    manifest = read_manifest(directory)
    run = Run.on_disk(manifest, directory)
    rows = 0
    for shard in shard_files(directory):
        footer = _footer(shard)
        if not footer.schema.to_arrow_schema().equals(run.schema):
            raise RunError(f"{shard} is damaged: its columns are not those of the manifest")
        rows += int(footer.num_rows)
    if run.status == "running":
        # the process was killed (or still writes): the shards on disk are what there is
        histogram = RankHistogram.of(run.batches(), run.layers)
        manifest["counts"]["regions"] = histogram.rows
        manifest["rank_histogram"] = histogram.as_json()
        return run
    if rows != run.count:
        raise RunError(
            f"{directory} is damaged: its manifest counts {run.count} regions, "
            f"but its shards hold {rows}"
        )
    return run


def read_shards(directory: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Iterate over the row groups of the shards of a run directory, in order.

    Raises
    ------
    RunError
        If a shard is damaged.
    """
    for shard in shard_files(directory):
        try:
            with pq.ParquetFile(shard) as file:
                for group in range(file.num_row_groups):
                    yield from file.read_row_group(group, columns=columns).to_batches()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise RunError(f"{shard} cannot be read: {error}") from None


def _ranks_between(
    directory: Path, name: str, least: int, most: int
) -> Iterator[tuple[int, NDArray[np.int16]]]:
    """See :meth:`Run.ranks_between`."""
    begin = 0
    for shard in shard_files(directory):
        try:
            with pq.ParquetFile(shard) as file:
                at = file.schema_arrow.get_field_index(name)
                for group in range(file.num_row_groups):
                    footer = file.metadata.row_group(group)
                    known = footer.column(at).statistics
                    outside = (
                        known is not None
                        and known.has_min_max
                        and (known.max < least or known.min > most)
                    )
                    if not outside:
                        column = file.read_row_group(group, columns=[name]).column(name)
                        yield begin, numbers(column)
                    begin += footer.num_rows
        except (pa.ArrowException, OSError, ValueError) as error:
            raise RunError(f"{shard} cannot be read: {error}") from None


def _footer(shard: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(shard)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RunError(f"{shard} cannot be read: {error}") from None


def read_prefixes(directory: Path, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The undecided cells of a run directory (see ``Run.undecided_prefixes``).

    Raises
    ------
    RunError
        If they are missing, damaged, or not as many as the manifest counts.
    """
    expected = manifest["counts"]["undecided"]
    if not expected:
        return ()
    path = directory / UNDECIDED_NAME
    prefixes = _read_list(path)
    if len(prefixes) != expected:
        raise RunError(
            f"{path} lists {len(prefixes)} undecided prefixes, but the manifest counts {expected}"
        )
    return prefixes


def prefix_list(bits: int, prefixes: Sequence[str]) -> str:
    """The text of a file of prefixes, undecided or open."""
    return json.dumps({"bits": bits, "prefixes": prefixes}, indent=1) + "\n"


def _read_list(path: Path) -> tuple[str, ...]:
    try:
        prefixes = tuple(json.loads(path.read_text(encoding="utf-8"))["prefixes"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None
    for prefix in prefixes:
        if not isinstance(prefix, str) or set(prefix) - set("01z=?|"):
            raise RunError(
                f"{path} is damaged: {str(prefix)[:60]!r} is not made of 0, 1, z, =, ? and |"
            )
    return prefixes
