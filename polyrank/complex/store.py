"""A complex on disk: one Parquet table per dimension, a manifest, the exact network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from flint import fmpq
from numpy.typing import NDArray
from scipy.sparse import csc_array

from polyrank.complex.cell_complex import CellComplex, Signs
from polyrank.errors import RunError
from polyrank.network.formats import load
from polyrank.network.formats.writing import save
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import domain_from_dict
from polyrank.posed.chart import Chart, chart
from polyrank.regions.directory import new_directory
from polyrank.regions.manifest import chart_entry, network_entry, versions

__all__ = ["COMPLEX_FORMAT", "cells_table", "read_complex", "write_complex"]

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


def read_complex(path: str | Path) -> CellComplex:
    """A complex that :func:`write_complex` wrote.

    **Proves** what its writer proved, as far as the files are as it left them: tables of wrong
    sizes, of another network or of another chart are refused; signs and incidences are not checked
    again.

    Raises
    ------
    RunError
        If there is none, it has another format, or it is damaged.
    """
    directory = Path(path)
    try:
        manifest = json.loads((directory / "complex.json").read_text(encoding="utf-8"))
        if manifest["format"] != COMPLEX_FORMAT:
            raise RunError(
                f"{directory} has format {manifest['format']}, expected {COMPLEX_FORMAT}; write it "
                "again with polyrank complex --out"
            )
        network = load(directory / "network.json")
        where = chart(domain_from_dict(manifest["domain"]), network.input_dim)
        same = network.sha256 == manifest["network"]["hash"]
        if not same or chart_entry(where) != manifest["chart"]:
            raise RunError(f"{directory} is damaged: its network or chart is another one")
        dimensions = range(manifest["dimension"] + 1)
        tables = [pq.read_table(directory / f"cells-{d}.parquet") for d in dimensions]
        if [table.num_rows for table in tables] != manifest["f_vector"]:
            raise RunError(f"{directory} is damaged: its tables have other sizes than it says")
        return _complex(network, where, tables)
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise RunError(f"{directory} holds no complex that can be read: {error}") from error


def _complex(network: Network, where: Chart, tables: Sequence[pa.Table]) -> CellComplex:
    signs, walls, boundary = [], [], []
    for d, table in enumerate(tables):
        count = table.num_rows
        width = table.schema.field("sign").type.list_size if "sign" in table.column_names else 0
        flat = _values(table, "sign") if width else np.zeros(0, np.int8)
        signs.append(flat.astype(np.int8).reshape(count, width))
        on = np.zeros((count, where.inequalities.m), dtype=bool)
        on[np.repeat(np.arange(count), _lengths(table, "walls")), _values(table, "walls")] = True
        walls.append(on)
        if d:
            ends = np.concatenate([[0], np.cumsum(_lengths(table, "faces"))])
            entries = _values(table, "incidence").astype(np.int8), _values(table, "faces"), ends
            boundary.append(csc_array(entries, shape=(tables[d - 1].num_rows, count)))
    ranks = [name for name in tables[-1].column_names if name.startswith("rank_")]
    return CellComplex(
        network,
        where,
        Signs.packed(signs, walls),
        tuple(boundary),
        _values(tables[0], "y").reshape(-1, where.k),
        tables[0].column("error").to_numpy(),
        np.stack([tables[-1].column(name).to_numpy() for name in ranks], axis=1),
    )


def _values(table: pa.Table, name: str) -> NDArray[Any]:
    return np.asarray(table.column(name).combine_chunks().flatten().to_numpy(zero_copy_only=False))


def _lengths(table: pa.Table, name: str) -> NDArray[np.int64]:
    lengths = pc.list_value_length(table.column(name).combine_chunks())
    return np.asarray(lengths.to_numpy(zero_copy_only=False)).astype(np.int64)
