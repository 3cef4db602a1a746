"""Graphs on disk: sparse arrays and edges beside the run's regions, and exports.

``<run>/graph/`` holds ``graph.json`` (closure check, counts, statistics), ``facets.npz``,
``edges.parquet`` and ``network.json``, the exact network, so that later questions need nothing
else. While a graph is made ``<run>/graph.tasks/`` holds the regions that are done.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polyrank.errors import RunError, UnsupportedError
from polyrank.graph.region_graph import MISSING, Closure, Gap, RegionGraph
from polyrank.network.formats import load, save
from polyrank.network.normal_form import Network
from polyrank.network.rational import to_fmpq
from polyrank.regions.directory import disk_errors, new_directory, new_file
from polyrank.regions.run import Run
from polyrank.regions.schema import column_bits
from polyrank.regions.scratch import Column, scratch

if TYPE_CHECKING:
    import networkx as nx
    from flint import fmpq
    from numpy.typing import NDArray

__all__ = [
    "GRAPH_NAME",
    "NETWORKX_LIMIT",
    "TASKS_NAME",
    "edges_table",
    "export_graph",
    "has_graph",
    "load_graph",
    "save_graph",
    "stored_network",
    "to_networkx",
]

GRAPH_NAME = "graph"
#: Beside it while it is made: what a later call of ``polyrank graph`` goes on with.
TASKS_NAME = "graph.tasks"
_FORMAT = 2
#: Most regions that are turned into networkx objects (about 2 kB each).
NETWORKX_LIMIT = 200_000


_ROW_GROUP = 1 << 18
#: Facets, or bytes, that are looked at at once.
_BLOCK = 1 << 22
#: Bytes of the head of a member of a zip file, before its name.
_LOCAL_HEADER = 30


def _edges_schema(k: int) -> pa.Schema:
    return pa.schema(
        [
            ("source", pa.int32()),
            ("target", pa.int32()),
            ("unit", pa.int32()),
            ("beyond", pa.list_(pa.float64(), k) if k else pa.list_(pa.float64())),
            ("beyond_exact", pa.list_(pa.string())),
        ]
    )


def edges_table(graph: RegionGraph, begin: int = 0, end: int | None = None) -> pa.Table:
    """Edges as an Arrow table: source, target, unit, beyond, beyond_exact.

    ``beyond`` is null where the point behind the facet is the target's witness, or spelled as
    fractions in ``beyond_exact``.
    """
    k = graph.dimension
    stop = graph.edges if end is None else min(end, graph.edges)
    count = stop - begin
    schema = _edges_schema(k)
    points: Any = pa.nulls(count, schema.field("beyond").type)
    first, last = np.searchsorted(graph.beyond_edge, [begin, stop])
    if k and last > first:
        values = np.zeros((count, k))
        missing = np.ones(count, dtype=bool)
        places = graph.beyond_edge[first:last] - begin
        values[places] = graph.beyond[first:last]
        missing[places] = False
        points = pa.FixedSizeListArray.from_arrays(
            pa.array(values.ravel()), k, mask=pa.array(missing)
        )
    exact: Any = pa.nulls(count, pa.list_(pa.string()))
    if graph.beyond_exact:
        exact = pa.array(
            [
                [str(v) for v in graph.beyond_exact[e]] if e in graph.beyond_exact else None
                for e in range(begin, stop)
            ],
            pa.list_(pa.string()),
        )
    return pa.table(
        [
            pa.array(graph.source[begin:stop]),
            pa.array(graph.target[begin:stop]),
            pa.array(graph.unit[begin:stop]),
            points,
            exact,
        ],
        schema=schema,
    )


def _write_edges(graph: RegionGraph, path: Path) -> None:
    """Write the edges by row groups, so that memory does not grow with their number."""
    with pq.ParquetWriter(path, _edges_schema(graph.dimension), compression="zstd") as writer:
        for begin in range(0, graph.edges, _ROW_GROUP):
            writer.write_table(edges_table(graph, begin, begin + _ROW_GROUP))


def save_graph(graph: RegionGraph, network: Network, run: Run) -> Path:
    """Write a graph into its run's directory; one that is there is replaced.

    Raises
    ------
    RunError
        If the run is in memory or the directory cannot be written.
    """
    if run.path is None:
        raise RunError("the run is in memory; enumerate it with out=... to keep its graph")
    draft = run.path / f"{GRAPH_NAME}.partial"
    final = run.path / GRAPH_NAME
    closure = graph.closure
    with disk_errors(draft):
        if draft.exists():
            shutil.rmtree(draft)
    with new_directory(draft):
        np.savez(
            draft / "facets.npz",
            start=graph.facet_start, unit=graph.facet_unit, to=graph.facet_to,
        )  # fmt: skip
        _write_edges(graph, draft / "edges.parquet")
        save(network, draft / "network.json")
        entry = {
            "polyrank_graph": _FORMAT,
            "network": network.sha256,
            "dimension": graph.dimension,
            "regions": graph.regions,
            "edges": graph.edges,
            "closure": {
                "facets": closure.facets,
                "wall_facets": closure.wall_facets,
                "missing": closure.missing,
                "symmetric": closure.symmetric,
                "components": closure.components,
                "gaps": [
                    {
                        "region": gap.region,
                        "unit": gap.unit,
                        "beyond": [str(v) for v in gap.beyond],
                        "codeword": "".join(map(str, gap.codeword)),
                    }
                    for gap in closure.gaps
                ],
            },
            "statistics": dict(graph.statistics),
        }
        (draft / "graph.json").write_text(json.dumps(entry, indent=2) + "\n", encoding="utf-8")
        if final.exists():
            shutil.rmtree(final)
        draft.rename(final)
    shutil.rmtree(run.path / TASKS_NAME, ignore_errors=True)
    return final


def load_graph(run: Run) -> RegionGraph:
    """Read the graph of a run directory.

    Raises
    ------
    RunError
        If there is none, or it is damaged or of other regions.
    """
    folder = _folder(run)
    try:
        entry = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
        start, unit, to = _mapped(folder / "facets.npz", ("start", "unit", "to"))
        source, target, crossed = _read_ends(folder / "edges.parquet")
        if entry["polyrank_graph"] != _FORMAT:
            raise RunError(
                f"{folder} has graph format {entry['polyrank_graph']!r}, expected {_FORMAT}"
            )
        closure = entry["closure"]
        gaps = tuple(
            Gap(
                gap["region"],
                gap["unit"],
                tuple(to_fmpq(v) for v in gap["beyond"]),
                tuple(map(int, gap["codeword"])),
            )
            for gap in closure["gaps"]
        )
        checked = Closure(
            closure["facets"], closure["wall_facets"], _missing(to), gaps,
            closure["symmetric"], closure["components"],
        )  # fmt: skip
        k = int(entry["dimension"])
        at, points, spelled = _read_points(folder / "edges.parquet", k)
        statistics = entry["statistics"]
    except (
        OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile, pa.ArrowException,
    ) as error:  # fmt: skip
        raise RunError(f"{folder} cannot be read: {error}") from None
    if len(start) != run.count + 1:
        raise RunError(f"{folder} describes {len(start) - 1} regions, but the run has {run.count}")
    return RegionGraph(
        k, start, unit, to, source, target, crossed, at, points, spelled, checked, statistics
    )


def _mapped(path: Path, names: Sequence[str]) -> list[NDArray[Any]]:
    """Arrays of an ``.npz`` that is not compressed, mapped: they are read where they are asked for.

    Raises
    ------
    BadZipFile, KeyError, ValueError, OSError
        If it is no such file.
    """
    out: list[NDArray[Any]] = []
    with path.open("rb") as file, ZipFile(file) as members:
        for name in names:
            entry = members.getinfo(f"{name}.npy")
            if entry.compress_type != ZIP_STORED:
                raise ValueError(f"{name} is compressed")
            file.seek(entry.header_offset)
            header = file.read(_LOCAL_HEADER)
            lengths = (int.from_bytes(header[i : i + 2], "little") for i in (26, 28))
            file.seek(entry.header_offset + _LOCAL_HEADER + sum(lengths))
            begin, checksum, left = file.tell(), 0, entry.file_size
            while left and (block := file.read(min(left, _BLOCK))):
                checksum, left = zlib.crc32(block, checksum), left - len(block)
            if left or checksum != entry.CRC:
                raise ValueError(f"{name} is damaged")
            file.seek(begin)
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError(f"{name} is no array")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            size = int(np.prod(shape)) * dtype.itemsize
            if fortran or dtype.hasobject or file.tell() - begin + size != entry.file_size:
                raise ValueError(f"{name} has another size than its file says")
            if not size:
                out.append(np.zeros(shape, dtype))
                continue
            out.append(np.memmap(file, dtype, "r", file.tell(), shape))
    return out


def _missing(to: NDArray[np.int32]) -> int:
    """How many facets lead to no listed region, block by block."""
    blocks = range(0, len(to), _BLOCK)
    return sum(int((to[i : i + _BLOCK] == MISSING).sum()) for i in blocks)


def _read_ends(path: Path) -> list[NDArray[np.int32]]:
    """Source, target and unit of the edges, row group by row group."""
    names = ["source", "target", "unit"]
    with pq.ParquetFile(path, pre_buffer=False) as file:  # else it keeps what it has read
        out = [scratch(file.metadata.num_rows, np.int32) for _ in names]
        row = 0
        for batch in file.iter_batches(_ROW_GROUP, columns=names):
            for column, name in zip(out, names, strict=True):
                column[row : row + len(batch)] = batch.column(name).to_numpy()
            row += len(batch)
    if row != len(out[0]):
        raise ValueError("the file of edges has another number of rows than it says")
    return out


def _read_points(
    path: Path, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], dict[int, tuple[fmpq, ...]]]:
    """The edges with a point of their own and these points, and those that are fractions.

    Most edges have none; they are read by row groups, since a missing point takes the room of one.
    """
    at, points = Column(np.int64), Column(np.float64, k)
    spelled: dict[int, tuple[fmpq, ...]] = {}
    with pq.ParquetFile(path, pre_buffer=False) as file:  # else it keeps what it has read
        first = 0
        for batch in file.iter_batches(_ROW_GROUP, columns=["beyond", "beyond_exact"]):
            floats, exact = batch.column("beyond"), batch.column("beyond_exact")
            if k and floats.null_count < len(floats):
                at.append(first + np.flatnonzero(floats.is_valid().to_numpy(zero_copy_only=False)))
                points.append(floats.drop_null().flatten().to_numpy().reshape(-1, k))
            if exact.null_count < len(exact):
                spelled |= {
                    first + i: tuple(to_fmpq(v) for v in text)
                    for i, text in enumerate(exact.to_pylist())
                    if text is not None
                }
            first += len(batch)
    return at.whole(), points.whole(), spelled


def stored_network(run: Run) -> Network:
    """The network that was stored with a run's graph.

    Raises
    ------
    RunError
        If the run has no graph.
    """
    network = load(_folder(run) / "network.json")
    if network.sha256 != run.network["hash"]:
        raise RunError(f"{_folder(run) / 'network.json'} is not the network of the run")
    return network


def has_graph(run: Run) -> bool:
    """Whether a graph lies in the run's directory."""
    return run.path is not None and (run.path / GRAPH_NAME).is_dir()


def _folder(run: Run) -> Path:
    if run.path is None or not has_graph(run):
        where = "the run in memory" if run.path is None else str(run.path)
        raise RunError(f"{where} has no graph yet; make it with: polyrank graph RUN")
    return run.path / GRAPH_NAME


def to_networkx(graph: RegionGraph, run: Run, *, limit: int = NETWORKX_LIMIT) -> nx.Graph:
    """A networkx graph: ``rank``, ``codeword``, ``witness`` on nodes, ``unit`` on edges.

    Ranks are those through the last layer of the run. The values are plain strings and numbers.

    Raises
    ------
    UnsupportedError
        If the run has more regions than ``limit``.
    """
    if graph.regions > limit:
        raise UnsupportedError(
            f"the graph has {graph.regions:,} regions; networkx takes at most {limit:,} here: "
            "export .npz or .parquet, or raise the limit"
        )
    import networkx as nx  # noqa: PLC0415  (a tenth of a second of every start)

    out = nx.Graph()
    table = run.table
    words = column_bits(table.column("codeword"), run.bits).astype(np.uint8)
    ranks = table.column(f"rank_{run.layers}").to_pylist()
    floats = table.column("witness").to_pylist()
    exact = table.column("witness_exact").to_pylist()
    for r in range(graph.regions):
        point = exact[r] if floats[r] is None else [repr(v) for v in floats[r]]
        out.add_node(
            r, rank=ranks[r], codeword="".join(map(str, words[r].tolist())), witness=" ".join(point)
        )
    out.add_edges_from(
        (a, b, {"unit": u})
        for a, b, u in zip(
            graph.source.tolist(), graph.target.tolist(), graph.unit.tolist(), strict=True
        )
    )
    return out


def export_graph(graph: RegionGraph, run: Run, path: Path) -> None:
    """Write a graph as ``.graphml``, ``.gexf``, ``.dot``, or its edges as ``.parquet`` or ``.csv``.

    ``.npz`` is a CSR matrix of scipy whose entries are the crossed unit + 1. The columns of a
    ``.csv`` are source, target and unit (the bit that differs), counted from 0.

    Raises
    ------
    UnsupportedError
        For another suffix, or a graph too large for networkx.
    """
    suffix = path.suffix.lower()
    if suffix not in (".graphml", ".gexf", ".dot", ".csv", ".parquet", ".npz"):
        raise UnsupportedError(
            f"{path.name}: a graph is written as .graphml, .gexf, .dot, .csv, .parquet or .npz"
        )
    with new_file(path) as draft:
        if suffix == ".npz":
            from scipy.sparse import save_npz  # noqa: PLC0415  (a tenth of a second of every start)

            save_npz(draft, graph.adjacency())
        elif suffix == ".parquet":
            _write_edges(graph, draft)
        elif suffix in (".csv", ".dot"):
            _write_lines(graph, draft, dot=suffix == ".dot")
        else:
            made = to_networkx(graph, run)
            import networkx as nx  # noqa: PLC0415  (a tenth of a second of every start)

            (nx.write_graphml if suffix == ".graphml" else nx.write_gexf)(made, draft)


def _write_lines(graph: RegionGraph, path: Path, *, dot: bool) -> None:
    """One edge per line, block by block."""
    line = "  {} -- {} [unit={}];\n" if dot else "{},{},{}\n"
    with path.open("w", encoding="utf-8") as file:
        file.write("graph regions {\n" if dot else "source,target,unit\n")
        if dot:
            file.writelines(f"  {r};\n" for r in range(graph.regions))
        for begin in range(0, graph.edges, _ROW_GROUP):
            block = slice(begin, begin + _ROW_GROUP)
            columns = (graph.source[block], graph.target[block], graph.unit[block])
            file.writelines(
                line.format(*edge)
                for edge in zip(*(column.tolist() for column in columns), strict=True)
            )
        if dot:
            file.write("}\n")
