"""The files that every certificate about M has: its points, its facets, and the statement."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from polyrank.topology.manifold import Manifold

__all__ = ["write_manifold", "write_statement"]

Facets = dict[tuple[int, ...], int]


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


def write_statement(stated: Mapping[str, Any], root: Path) -> None:
    """Write ``certificate.json``, last: a directory without it is one that was not finished."""
    text = json.dumps(stated, indent=1) + "\n"
    (root / "certificate.json").write_text(text, encoding="utf-8")


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
