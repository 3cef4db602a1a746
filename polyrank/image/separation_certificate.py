"""A certificate on disk of a separation; :mod:`polyrank.proof.separation` checks it.

The planes are found again while they are written: for every two different images whose boxes are
nearer than the stated distance, a normal along which they are that far apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.image.apart import Disjoint
from polyrank.image.manifold_file import (
    planes_writer,
    write_manifold,
    write_pieces,
    write_statement,
)
from polyrank.image.near_images import near_planes
from polyrank.image.pieces import Pieces, pieces
from polyrank.image.separate import Separation
from polyrank.image.separation_object import separation_object
from polyrank.proof.separation import STATEMENT
from polyrank.regions.directory import new_directory

__all__ = ["save_separation"]

Numbers = NDArray[np.int64]


def save_separation(
    found: Separation, directory: str | Path, *, network_file: Mapping[str, Any] | None = None
) -> Path:
    """Write what was decided of classes, with its proofs, to a new directory.

    Parameters
    ----------
    found : Separation
    directory : path
    network_file : mapping, optional
        ``path`` and reading ``options`` of the network's file, so that the checker can read it
        again; without it the checker must be told.

    Raises
    ------
    RunError
        If the directory exists or cannot be written.
    """
    stated = separation_object(found)
    with new_directory(directory) as root:
        facets = write_manifold(found.restriction.manifold, root, found.cells.of_simplex)
        _write_planes(found, stated, facets, root)
        claims = stated | {"loops": _loops(found)}
        write_statement(claims, STATEMENT, found.network, network_file, root)
    return root


def _loops(found: Separation) -> list[dict[str, Any]]:
    """The loops whose linking numbers are stated, as edges of M with multiplicities."""
    edges = found.restriction.manifold.simplices[1] if found.cells.loops else np.empty((0, 2))
    return [
        {
            "class": label,
            "loops": [
                [[*edges[e].tolist(), s] for e, s in zip(lo.edges, lo.signs.tolist(), strict=True)]
                for lo in loops
            ],
        }
        for label, loops in found.cells.loops.items()
    ]


def _write_planes(
    found: Separation, stated: dict[str, Any], facets: dict[tuple[int, ...], int], root: Path
) -> None:
    """Write the planes; the distances that they prove replace those that are stated."""
    rows = {tuple(own["classes"]): own["layers"] for own in stated["pairs"]}
    listed: dict[tuple[int, bytes], int] = {}
    with planes_writer(root / "planes.parquet", "layer", "first", "second") as write:
        for place, layer in enumerate(found.layers):
            own = pieces(found.restriction, layer)
            family = found.cells.families(own)
            for a, b in combinations(found.classes, 2):
                images = found.pair(a, b)[place].images
                # where one hyperplane proved the distance, it does so for the checker
                if not isinstance(images, Disjoint) or not images.count:
                    continue
                table, distance = _planes(own, family[a], family[b], images.distance)
                rows[a, b][place]["distance_at_least"] = str(distance)
                sides = [
                    [_listed(own, piece, facets, listed) for piece in side]
                    for side in (table[0], table[1])
                ]
                write([[layer] * len(sides[0]), *sides], table[2], table[3])
    write_pieces(listed, root)


def _listed(
    own: Pieces,
    piece: int,
    facets: dict[tuple[int, ...], int],
    listed: dict[tuple[int, bytes], int],
) -> int:
    key = facets[tuple(own.simplex(piece))], own.signs(piece).tobytes()
    return listed.setdefault(key, len(listed))


def _planes(
    own: Pieces, first: Numbers, second: Numbers, distance: fmpq
) -> tuple[tuple[list[int], list[int], list[Any], list[Any]], fmpq]:
    """Pieces, float and exact normals, and the distance that these prove."""
    table: tuple[list[int], list[int], list[Any], list[Any]] = ([], [], [], [])
    for i, j, normal, gap in near_planes(
        own, _distinct(own, first), _distinct(own, second), distance
    ):
        distance = min(distance, gap)
        near = isinstance(normal, np.ndarray)
        table[0].append(i)
        table[1].append(j)
        table[2].append(list(map(float, normal)) if near else None)
        table[3].append(None if near else list(map(str, normal)))
    return table, distance


def _distinct(own: Pieces, family: Numbers) -> Numbers:
    """One piece of every image."""
    seen: dict[frozenset[tuple[fmpq, ...]], int] = {}
    for piece in family.tolist():
        seen.setdefault(frozenset(own.exact_image(piece)), piece)
    return np.array(list(seen.values()), np.int64)
