"""Reading back what :func:`polyrank.topology.store.save_cells` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from polyrank.chains.chain import ChainComplex, simplicial_complex
from polyrank.errors import DomainError, RunError
from polyrank.network.forward import unpack_bits
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray
from polyrank.topology.manifold import Manifold
from polyrank.topology.restriction import Restriction
from polyrank.topology.store import FORMAT
from polyrank.topology.vertices import VertexTable

__all__ = ["open_cells"]


def open_cells(directory: str | Path, network: Network) -> Restriction:
    """The restriction in a directory of cells.

    Parameters
    ----------
    directory : path
    network : Network
        The network that it is of; its hash must be the one in the manifest. A restriction through
        the first K layers is of the network of these layers.

    Raises
    ------
    RunError
        If the directory is not complete, cannot be read, or is of another network.

    Notes
    -----
    **Does not prove** the cells again: it trusts the files, but for ∂∂ = 0.
    """
    root = Path(directory)
    try:
        manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
        if manifest.get("polyrank_cells") != FORMAT:
            raise RunError(f"{root}: expected cells of format {FORMAT}")
        if manifest["network"]["hash"] != network.sha256:
            raise RunError(
                f"{root} holds the cells of another network ({manifest['network']['name']}); give "
                "that one, with the options it was read with"
            )
        return _restriction(root, manifest, network)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException, DomainError) as error:
        raise RunError(f"{root} is not a complete directory of cells: {error}") from None


def _restriction(root: Path, manifest: dict[str, Any], network: Network) -> Restriction:
    dimensions = len(manifest["cells"])
    manifold = _manifold(root, manifest["manifold"], dimensions)
    total = sum(network.bits)
    signs, carrier, ranks, boundary = [], [], [], []
    layers = len(network.layers)
    for d in range(dimensions):
        table = pq.read_table(root / f"cells-{d}.parquet")
        rows = table.num_rows
        signs.append(_signs(table, rows, total))
        parts = [table["carrier_dimension"].to_numpy(), table["carrier"].to_numpy()]
        carrier.append(np.stack(parts, axis=1).astype(np.int64))
        own = [table[f"tangent_rank_{k + 1}"].to_numpy() for k in range(layers)]
        ranks.append(np.stack(own, axis=1).astype(np.int16))
        if d:
            faces = table["faces"].combine_chunks()
            numbers = table["incidence"].combine_chunks().flatten().to_numpy()
            columns = np.repeat(np.arange(rows), np.diff(faces.offsets.to_numpy()))
            entries = (numbers.astype(np.int64), (faces.flatten().to_numpy(), columns))
            boundary.append(sparse.csc_array(entries, shape=(len(signs[d - 1]), rows)))
    complex_ = ChainComplex(tuple(len(s) for s in signs), tuple(boundary))
    return Restriction(
        network,
        manifold,
        complex_,
        tuple(signs),
        tuple(carrier),
        tuple(ranks),
        _vertices(root, manifold, network, manifest["vertices_decided_in_rationals"]),
    )


def _signs(table: pa.Table, rows: int, total: int) -> NDArray[np.int8]:
    width = (total + 7) // 8
    words = np.frombuffer(b"".join(table["codeword"].to_pylist()), np.uint8).reshape(rows, width)
    nothing = bytes(width)
    zeros = b"".join(nothing if z is None else z for z in table["zero"].to_pylist())
    zero = unpack_bits(np.frombuffer(zeros, np.uint8).reshape(rows, width), total)
    out = np.where(unpack_bits(words, total), 1, -1).astype(np.int8)
    out[zero] = 0
    return out


def _matrix(table: pa.Table, name: str) -> NDArray[Any]:
    array = table[name].combine_chunks()
    return np.asarray(array.flatten().to_numpy().reshape(len(array), -1))


def _manifold(root: Path, entry: dict[str, Any], dimensions: int) -> Manifold:
    tables = [pq.read_table(root / f"simplices-{d}.parquet") for d in range(dimensions)]
    simplices = [_matrix(t, "corners").astype(np.int64) for t in tables]
    points = RationalArray.from_floats(_matrix(tables[0], "x"))
    if "x_exact" in tables[0].column_names:
        exact = [v for row in tables[0]["x_exact"].to_pylist() for v in row]
        points = RationalArray.from_rationals(exact, points.shape)
    complex_, ordered = simplicial_complex(simplices)
    labels = tuple(t["label"].to_numpy().astype(np.int64) for t in tables)
    degrees = entry.get("degrees")
    return Manifold(entry["name"], points, ordered, complex_, labels, entry["note"], degrees)


def _vertices(root: Path, manifold: Manifold, network: Network, decided: int) -> VertexTable:
    table = pq.read_table(root / "vertices.parquet")
    return VertexTable(
        manifold,
        network,
        _matrix(table, "ends").astype(np.int64),
        table["layer"].to_numpy().astype(np.int64),
        table["unit"].to_numpy().astype(np.int64),
        _matrix(table, "corners").astype(np.int64),
        _matrix(table, "weights").copy(),
        decided,
    )
