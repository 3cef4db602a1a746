"""A certificate on disk of a decision about Φ_K on M; :mod:`polyrank.proof.one_to_one` checks it.

The hyperplanes are those of the last layer that is proved to be one-to-one; they are found again
while they are written, so that no list of them is kept in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import RefutedError
from polyrank.image.candidates import candidates
from polyrank.image.homeomorphism import Homeomorphism
from polyrank.image.manifold_file import write_manifold, write_statement
from polyrank.image.meeting import Apart, decide, separated
from polyrank.image.pieces import Pieces, pieces
from polyrank.image.statement import homeomorphism_object
from polyrank.proof.one_to_one import STATEMENT
from polyrank.regions.directory import new_directory
from polyrank.regions.manifest import network_entry, versions

__all__ = ["save_certificate"]


def save_certificate(
    found: Homeomorphism, directory: str | Path, *, network_file: Mapping[str, Any] | None = None
) -> Path:
    """Write what was decided, with its proofs, to a new directory.

    Parameters
    ----------
    found : Homeomorphism
    directory : path
    network_file : mapping, optional
        ``path`` and reading ``options`` of the network's file, so that the checker can read it
        again; without it the checker must be told.

    Raises
    ------
    RunError
        If the directory exists or cannot be written.
    """
    with new_directory(directory) as root:
        manifold = found.restriction.manifold
        facets = write_manifold(manifold, root)
        if found.proved_through >= 0:
            own = pieces(found.restriction, found.proved_through)
            _write_pieces(own, facets, root / "pieces.parquet")
            _write_pairs(own, root / "pairs.parquet")
        stated = homeomorphism_object(found) | {
            STATEMENT.key: STATEMENT.format,
            "network": network_entry(found.network),
            "network_file": None if network_file is None else dict(network_file),
            "proved_layer": found.proved_through,
            "versions": versions(),
        }
        write_statement(stated, root)
    return root


def _write_pieces(own: Pieces, facets: dict[tuple[int, ...], int], file: Path) -> None:
    facet = [facets[tuple(own.simplex(i))] for i in range(own.count)]
    signs = [own.signs(i).tobytes() for i in range(own.count)]
    table = pa.table({"facet": pa.array(facet, pa.int64()), "signs": pa.array(signs, pa.binary())})
    pq.write_table(table, file, compression="zstd")


def _write_pairs(own: Pieces, file: Path) -> None:
    kind = pa.list_(pa.float64())
    schema = pa.schema(
        [
            ("first", pa.int64()),
            ("second", pa.int64()),
            ("normal", kind),
            ("normal_exact", pa.list_(pa.string())),
        ]
    )
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for pairs in candidates(own):
            apart, normal = separated(own, pairs)
            if own.scaled()[2].any():  # the checker projects in the coordinates of the images
                apart = np.zeros_like(apart)
            exact = {p: _exact(own, pairs[p]) for p in np.flatnonzero(~apart).tolist()}
            rows = [normal[p].tolist() if p not in exact else None for p in range(len(pairs))]
            strings = [
                None if p not in exact else [str(v) for v in exact[p]] for p in range(len(pairs))
            ]
            columns = [
                pa.array(pairs[:, 0]),
                pa.array(pairs[:, 1]),
                pa.array(rows, kind),
                pa.array(strings, pa.list_(pa.string())),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def _exact(own: Pieces, pair: NDArray[np.int64]) -> tuple[fmpq, ...]:
    found = decide(own, int(pair[0]), int(pair[1]))
    if not isinstance(found, Apart):
        raise RefutedError(f"pieces {pair.tolist()} of a layer that is one-to-one meet")
    return found.normal
