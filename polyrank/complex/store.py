"""A complex on disk: one Parquet table per dimension, a manifest, the exact network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from flint import fmpq

from polyrank.complex.cell_complex import CellComplex
from polyrank.errors import RunError
from polyrank.network.formats.writing import save
from polyrank.regions.directory import new_directory
from polyrank.regions.manifest import chart_entry, network_entry, versions

__all__ = ["COMPLEX_FORMAT", "cells_table", "write_complex"]

COMPLEX_FORMAT = 1


def cells_table(cells: CellComplex, d: int) -> pa.Table:
    """The d-cells as an Arrow table.

    Columns: ``sign``, a list of −1, 0, 1 per unit with a hyperplane; ``walls``, the domain rows
    that hold with equality; ``faces`` and ``incidence``, the facets of the cell (d ≥ 1) and their
    signs; for vertices ``y`` (approximate) and ``error``; for regions ``rank_1`` to ``rank_L``.
    """
    count = cells.f_vector[d]
    signs = cells.signs.of_units(d)
    columns: dict[str, Any] = {}
    if signs.shape[1]:
        columns["sign"] = pa.FixedSizeListArray.from_arrays(pa.array(signs.ravel()), signs.shape[1])
    walls = cells.signs.on_walls(d)
    offsets = np.concatenate([[0], np.cumsum(walls.sum(axis=1))]).astype(np.int32)
    columns["walls"] = pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(np.nonzero(walls)[1].astype(np.int32))
    )
    if d:
        matrix = cells.boundary[d - 1].tocsc()
        bounds = pa.array(matrix.indptr.astype(np.int32))
        columns["faces"] = pa.ListArray.from_arrays(
            bounds, pa.array(matrix.indices.astype(np.int64))
        )
        columns["incidence"] = pa.ListArray.from_arrays(bounds, pa.array(matrix.data))
    else:
        k = cells.dimension
        columns["y"] = pa.FixedSizeListArray.from_arrays(pa.array(cells.vertices.ravel()), k)
        columns["error"] = pa.array(cells.vertex_error)
    if d == cells.dimension:
        for layer in range(cells.ranks.shape[1]):
            columns[f"rank_{layer + 1}"] = pa.array(cells.ranks[:, layer])
    table = pa.table(columns)
    if table.num_rows != count:
        raise RunError(f"the table of {d}-cells has {table.num_rows} rows, expected {count}")
    return table


def write_complex(
    path: str | Path,
    cells: CellComplex,
    domain: dict[str, Any],
    *,
    notes: dict[str, Any] | None = None,
    volume: fmpq | None = None,
) -> dict[str, Any]:
    """Write ``cells-0.parquet`` … ``cells-k.parquet``, ``network.json`` and ``complex.json``.

    Returns
    -------
    dict : the manifest.

    Raises
    ------
    RunError
        If the directory exists or cannot be written.
    """
    manifest = {
        "format": COMPLEX_FORMAT,
        "network": network_entry(cells.network),
        "domain": domain,
        "chart": chart_entry(cells.chart),
        "dimension": cells.dimension,
        "f_vector": list(cells.f_vector),
        "euler_characteristic": cells.euler_characteristic,
        "certified": True,
        "notes": notes or {},
        "versions": versions(),
    }
    if volume is not None:
        manifest["volume"] = str(volume)
    with new_directory(path) as target:
        for d in range(cells.dimension + 1):
            pq.write_table(cells_table(cells, d), target / f"cells-{d}.parquet", compression="zstd")
        save(cells.network, target / "network.json")
        (target / "complex.json").write_text(json.dumps(manifest, indent=1))
    return manifest
