"""A certificate on disk of a decision about Φ_K on M; :mod:`polyrank.proof.one_to_one` checks it.

The hyperplanes are those of the last layer that is proved to be one-to-one; they are found again
while they are written, so that no list of them is kept in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import RefutedError
from polyrank.image.candidates import candidates
from polyrank.image.homeomorphism import Homeomorphism
from polyrank.image.manifold_file import (
    planes_writer,
    write_manifold,
    write_pieces,
    write_statement,
)
from polyrank.image.meeting import Apart, decide, separated
from polyrank.image.pieces import Pieces, pieces
from polyrank.image.statement import homeomorphism_object
from polyrank.proof.one_to_one import STATEMENT
from polyrank.regions.directory import new_directory

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
            write_pieces(
                ((facets[tuple(own.simplex(i))], own.signs(i).tobytes()) for i in range(own.count)),
                root,
            )
            _write_pairs(own, root / "pairs.parquet")
        claims = homeomorphism_object(found) | {"proved_layer": found.proved_through}
        write_statement(claims, STATEMENT, found.network, network_file, root)
    return root


def _write_pairs(own: Pieces, file: Path) -> None:
    with planes_writer(file, "first", "second") as write:
        for pairs in candidates(own):
            apart, normal = separated(own, pairs)
            if own.scaled()[2].any():  # the checker projects in the coordinates of the images
                apart = np.zeros_like(apart)
            near: list[Any] = normal.tolist()
            exact: list[Any] = [None] * len(pairs)
            for p in np.flatnonzero(~apart).tolist():
                near[p], exact[p] = None, [str(v) for v in _exact(own, pairs[p])]
            write(pairs.T.tolist(), near, exact)


def _exact(own: Pieces, pair: NDArray[np.int64]) -> tuple[fmpq, ...]:
    found = decide(own, int(pair[0]), int(pair[1]))
    if not isinstance(found, Apart):
        raise RefutedError(f"pieces {pair.tolist()} of a layer that is one-to-one meet")
    return found.normal
