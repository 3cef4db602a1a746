"""A restriction on disk: Parquet files of the cells of every dimension, and a manifest.

=========================  =====================================================================
``manifest.json``          network hash, manifold, numbers of cells, Euler characteristic
``vertices.parquet``       ``x`` (approximate), ``corners`` and ``weights`` (barycentric), ``ends``,
                           ``layer``, ``unit``: the edge that was cut and the unit that vanishes
                           there, which define the vertex exactly; ``image_K`` for every layer
``cells-d.parquet``        per d-cell: ``carrier_dimension``, ``carrier``, ``codeword``, ``zero``
                           (units that vanish on it), ``rank_K``, ``tangent_rank_K``, ``maximal``,
                           ``faces`` with ``incidence``, ``vertices``, ``witness`` (weights of the
                           corners 1..d, exact) or ``witness_exact``
``simplices-d.parquet``    the simplices of M: ``corners``, ``label``; for d = 0 also the point
                           ``x``, and ``x_exact`` where it is no float64
=========================  =====================================================================
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from polyrank.chains.chain import vertex_incidence
from polyrank.network.forward import pack_bits
from polyrank.regions.directory import new_directory
from polyrank.regions.manifest import network_entry, versions
from polyrank.topology.manifold import Manifold
from polyrank.topology.restriction import Restriction

__all__ = ["cells_manifest", "save_cells"]

FORMAT = 1


def cells_manifest(restriction: Restriction) -> dict[str, Any]:
    """What a restriction is of, and its numbers; JSON-serialisable."""
    manifold, complex_ = restriction.manifold, restriction.complex
    maximal = [int(m.sum()) for m in restriction.maximal]
    return {
        "polyrank_cells": FORMAT,
        "network": network_entry(restriction.network),
        "manifold": {**manifold.summary(), "classes": list(manifold.classes)},
        "cells": list(complex_.cells),
        "maximal_cells": maximal,
        "euler_characteristic": complex_.euler_characteristic,
        "euler_characteristic_of_manifold": manifold.complex.euler_characteristic,
        "tangent_rank_histogram": [_histogram(restriction, k) for k in range(restriction.layers)],
        "vertices_decided_in_rationals": restriction.vertices.exact_decisions,
        "certified": True,
        "versions": versions(),
    }


def _histogram(restriction: Restriction, k: int) -> dict[str, int]:
    parts = [r[m, k] for r, m in zip(restriction.tangent_rank, restriction.maximal, strict=True)]
    values, counts = np.unique(np.concatenate(parts), return_counts=True)
    return {str(v): int(c) for v, c in zip(values.tolist(), counts, strict=True)}


def save_cells(restriction: Restriction, directory: str | Path) -> Path:
    """Write a restriction to a new directory.

    Raises
    ------
    RunError
        If the directory exists or cannot be written.
    """
    with new_directory(directory) as root:
        pq.write_table(_vertices(restriction), root / "vertices.parquet", compression="zstd")
        for d in range(len(restriction.signs)):
            table = _cells(restriction, d)
            pq.write_table(table, root / f"cells-{d}.parquet", compression="zstd")
        for d in range(len(restriction.manifold.simplices)):
            table = _simplices(restriction.manifold, d)
            pq.write_table(table, root / f"simplices-{d}.parquet", compression="zstd")
        # last, so that a directory without a manifest is one that was not finished
        text = json.dumps(cells_manifest(restriction), indent=1) + "\n"
        (root / "manifest.json").write_text(text, encoding="utf-8")
    return root


def _fixed(rows: NDArray[Any]) -> pa.Array:
    if rows.shape[1] == 0:
        return pa.array([[]] * len(rows), pa.list_(pa.float64()))
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(rows).ravel()), rows.shape[1]
    )


def _binary(rows: NDArray[np.uint8], null: NDArray[np.bool_] | None = None) -> pa.Array:
    width = rows.shape[1]
    flat = np.ascontiguousarray(rows).tobytes()
    values = [flat[i * width : (i + 1) * width] for i in range(len(rows))]
    return pa.array(values, pa.binary(), mask=null)


def _vertices(restriction: Restriction) -> pa.Table:
    table = restriction.vertices
    columns = {
        "x": _fixed(table.points()),
        "corners": _fixed(table.corners),
        "weights": _fixed(table.weights),
        "ends": _fixed(table.ends),
        "layer": pa.array(table.layer.astype(np.int32)),
        "unit": pa.array(table.unit.astype(np.int32)),
    }
    for k in range(1, restriction.layers + 1):
        columns[f"image_{k}"] = _fixed(restriction.image_points(k))
    return pa.table(columns)


def _cells(restriction: Restriction, d: int) -> pa.Table:
    signs, maximal = restriction.signs[d], restriction.maximal[d]
    zero = signs == 0
    columns: dict[str, Any] = {
        "carrier_dimension": pa.array(restriction.carrier[d][:, 0].astype(np.int8)),
        "carrier": pa.array(restriction.carrier[d][:, 1]),
        "codeword": _binary(restriction.codewords(d)),
        "zero": _binary(pack_bits(zero), ~zero.any(axis=1)),
        "maximal": pa.array(maximal),
    }
    for k in range(restriction.layers):
        columns[f"rank_{k + 1}"] = pa.array(restriction.ambient_rank[d][:, k])
        columns[f"tangent_rank_{k + 1}"] = pa.array(restriction.tangent_rank[d][:, k])
    if d:
        # a copy: Arrow keeps the memory, and scipy may sort the indices of a matrix in place
        matrix = restriction.complex.boundary[d - 1].copy()
        matrix.sort_indices()
        offsets = pa.array(matrix.indptr.astype(np.int32))
        columns["faces"] = pa.ListArray.from_arrays(offsets, pa.array(matrix.indices))
        columns["incidence"] = pa.ListArray.from_arrays(
            offsets, pa.array(matrix.data.astype(np.int8))
        )
        spanned = vertex_incidence(restriction.complex, d)
        columns["vertices"] = pa.ListArray.from_arrays(
            pa.array(spanned.indptr.astype(np.int32)), pa.array(spanned.indices)
        )
    if maximal.any():
        found = restriction.witnesses
        columns["witness"] = _fixed(found.weights[d])
        exact = [found.exact.get((d, c)) for c in range(len(signs))]
        columns["witness_exact"] = pa.array(
            [None if e is None else [str(v) for v in e] for e in exact], pa.list_(pa.string())
        )
    return pa.table(columns)


def _simplices(manifold: Manifold, d: int) -> pa.Table:
    columns = {"corners": _fixed(manifold.simplices[d]), "label": pa.array(manifold.labels[d])}
    if d == 0:
        columns["x"] = _fixed(manifold.points.approx)
        if not manifold.points.is_float:
            exact = [[str(v) for v in manifold.point(i)] for i in range(len(manifold.labels[0]))]
            columns["x_exact"] = pa.array(exact, pa.list_(pa.string()))
    return pa.table(columns)
