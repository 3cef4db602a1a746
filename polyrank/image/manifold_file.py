"""The files of certificates about M: points, facets, polytopes, hyperplanes, and the statement."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from polyrank.network.normal_form import Network
from polyrank.proof.statement_file import StatementFile
from polyrank.regions.directory import write_whole
from polyrank.regions.manifest import network_entry, versions
from polyrank.topology.manifold import Manifold

__all__ = ["planes_writer", "write_manifold", "write_pieces", "write_statement"]

Facets = dict[tuple[int, ...], int]
#: Takes columns of numbers, float normals (None where they are exact), exact ones (None where not).
Write = Callable[
    [Sequence[Sequence[int]], Sequence[Sequence[float] | None], Sequence[Sequence[str] | None]],
    None,
]


def write_manifold(
    manifold: Manifold, root: Path, classes: Sequence[NDArray[Any]] | None = None
) -> Facets:
    """Write ``points.parquet`` and ``facets.parquet``; the facets are returned with their numbers.

    Parameters
    ----------
    manifold : Manifold
    root : Path
    classes : sequence of int arrays, optional
        Per dimension the class of every simplex; then the facets get a column ``class``.
    """
    facets = _facets(manifold)
    pq.write_table(_points(manifold), root / "points.parquet", compression="zstd")
    columns = {"corners": pa.array([list(f) for f in facets], pa.list_(pa.int64()))}
    if classes is not None:
        labels = [
            own[chosen].tolist() for own, chosen in zip(classes, manifold.maximal, strict=True)
        ]
        columns["class"] = pa.array([v for own in labels for v in own], pa.int64())
    pq.write_table(pa.table(columns), root / "facets.parquet", compression="zstd")
    return facets


def write_pieces(listed: Iterable[tuple[int, bytes]], root: Path) -> None:
    """Write ``pieces.parquet``: polytopes by the number of a facet and the signs of the units."""
    rows = list(listed)
    columns = {
        "facet": pa.array([facet for facet, _ in rows], pa.int64()),
        "signs": pa.array([signs for _, signs in rows], pa.binary()),
    }
    pq.write_table(pa.table(columns), root / "pieces.parquet", compression="zstd")


@contextmanager
def planes_writer(file: Path, *names: str) -> Iterator[Write]:
    """A function that adds rows to a table of hyperplanes.

    Parameters
    ----------
    file : Path
    names : str
        The columns of the numbers.
    """
    near, exact = pa.list_(pa.float64()), pa.list_(pa.string())
    numbers = [(name, pa.int64()) for name in names]
    schema = pa.schema([*numbers, ("normal", near), ("normal_exact", exact)])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:

        def write(
            columns: Sequence[Sequence[int]],
            normals: Sequence[Sequence[float] | None],
            texts: Sequence[Sequence[str] | None],
        ) -> None:
            arrays = [pa.array(own, pa.int64()) for own in columns]
            arrays += [pa.array(normals, near), pa.array(texts, exact)]
            writer.write_table(pa.table(arrays, schema=schema))

        yield write


def write_statement(
    claims: Mapping[str, Any],
    kind: StatementFile,
    network: Network,
    network_file: Mapping[str, Any] | None,
    root: Path,
) -> None:
    """Write what a certificate states, last: a directory without it is one that was not finished.

    Parameters
    ----------
    claims : mapping
    kind : StatementFile
    network : Network
        The one of the claims.
    network_file : mapping or None
        ``path`` and reading ``options`` of its file.
    root : Path
    """
    stated = {
        **claims,
        kind.key: kind.format,
        "network": network_entry(network),
        "network_file": None if network_file is None else dict(network_file),
        "versions": versions(),
    }
    write_whole(root / kind.name, (json.dumps(stated, indent=1) + "\n").encode())


def _facets(manifold: Manifold) -> Facets:
    """The maximal simplices of M with their numbers."""
    out: Facets = {}
    for simplices, chosen in zip(manifold.simplices, manifold.maximal, strict=True):
        for row in simplices[chosen].tolist():
            out[tuple(row)] = len(out)
    return out


def _points(manifold: Manifold) -> pa.Table:
    columns = {"x": pa.array(manifold.points.approx.tolist(), pa.list_(pa.float64()))}
    if not manifold.points.is_float:
        exact = [[str(v) for v in manifold.point(i)] for i in range(manifold.points.shape[0])]
        columns["x_exact"] = pa.array(exact, pa.list_(pa.string()))
    return pa.table(columns)
