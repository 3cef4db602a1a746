"""Vertices in one place: counted, and made one vertex where that is wanted.

Files that list three corners per triangle, each with coordinates of its own, hold a complex of
isolated triangles. Which vertices are one is not for a program to guess: it is said, and done on
request.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from polyrank.network.rational import RationalArray
from polyrank.topology.manifold import Manifold, build_manifold, with_note

__all__ = ["coincident_note", "merged_points", "places"]


def places(points: RationalArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the different points, in order of first appearance.

    Returns
    -------
    number : int64, shape (V,)
        Points with exactly equal coordinates have the same number.
    first : int64, shape (m,)
        The first point of every number.
    """
    if points.exact is None:
        # −0.0 is 0.0
        _, first, number = np.unique(
            points.approx + 0.0, axis=0, return_index=True, return_inverse=True
        )
        order = np.argsort(first)
        rank = np.empty(len(first), np.int64)
        rank[order] = np.arange(len(first))
        return rank[number.ravel()], first[order].astype(np.int64)
    known: dict[tuple[str, ...], int] = {}
    numbers, starts = [], []
    for i, row in enumerate(points.exact.tolist()):
        key = tuple(map(str, row))
        if key not in known:
            known[key] = len(known)
            starts.append(i)
        numbers.append(known[key])
    return np.array(numbers, np.int64), np.array(starts, np.int64)


def coincident_note(points: RationalArray) -> str:
    """A sentence for complexes with several vertices in one place; empty if there are none."""
    count = points.shape[0]
    different = places(points)[1].size
    if different == count:
        return ""
    return (
        f"{count:,} vertices lie in {different:,} places: vertices with equal coordinates are not "
        "joined (--merge-points makes them one)"
    )


def merged_points(manifold: Manifold) -> Manifold:
    """The complex with the vertices of one place made one vertex.

    It is the image of M under the identification of vertices: a simplex with two corners in one
    place becomes a lower one, and simplices with the same corners become one.
    """
    number, first = places(manifold.points)
    if first.size == manifold.points.shape[0]:
        return manifold
    entries = [v for i in first.tolist() for v in manifold.point(i)]
    points = RationalArray.from_rationals(entries, (first.size, manifold.ambient))
    facets: list[NDArray[np.int64]] = []
    labels: list[NDArray[np.int64]] = []
    collapsed = 0
    labelled = any((own >= 0).any() for own in manifold.labels)
    for simplices, own, chosen in zip(
        manifold.simplices, manifold.labels, manifold.maximal, strict=True
    ):
        rows = np.sort(number[simplices[chosen]], axis=1)
        sizes = 1 + (rows[:, 1:] != rows[:, :-1]).sum(axis=1)
        collapsed += int((sizes < rows.shape[1]).sum())
        for size in np.unique(sizes).tolist():
            same = rows[sizes == size]
            keep = np.concatenate(
                [np.ones((len(same), 1), dtype=bool), same[:, 1:] != same[:, :-1]], axis=1
            )
            facets.append(same[keep].reshape(-1, size))
            labels.append(own[chosen][sizes == size])
    note = f"{manifold.points.shape[0]:,} vertices were merged into {first.size:,} by coordinates"
    if collapsed:
        note += f"; {collapsed:,} simplices had two corners in one place and became lower ones"
    if labelled and any((own < 0).any() for own in labels):
        labelled = False
        note += "; labels were dropped: some simplices have none"
    before = _without(manifold.note, coincident_note(manifold.points))
    made = build_manifold(
        points, facets, manifold.name, labels=labels if labelled else None, note=before
    )
    return replace(with_note(made, note), degrees=manifold.degrees)


def _without(note: str, part: str) -> str:
    return "; ".join(p for p in note.split("; ") if p and p != part)
