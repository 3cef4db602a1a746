"""The manifold of a certificate as it lies on disk, and the points of its simplices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from flint import fmpq

from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float, fmpq_from_text
from polyrank.proof.format import ProofRejectedError

__all__ = ["MixedPoint", "column", "image_at", "mixed_point", "read_manifold", "read_planes"]

Exact = list[fmpq]


def column(file: Path, name: str) -> list[Any]:
    """One column of a table."""
    return list(pq.read_table(file, columns=[name])[name].to_pylist())


def exact_rows(
    near: Iterable[Sequence[float]], texts: Iterable[Sequence[str] | None]
) -> list[Exact]:
    """Rows of rationals: the numbers that floats encode, or where there are texts, these."""
    return [
        [fmpq_from_float(v) for v in row]
        if strings is None
        else [fmpq_from_text(v) for v in strings]
        for row, strings in zip(near, texts, strict=True)
    ]


def read_planes(file: Path, *names: str) -> Iterator[tuple[tuple[int, ...], Exact]]:
    """The rows of a table of hyperplanes, batch by batch: numbers, and a normal vector.

    Parameters
    ----------
    file : Path
        With ``normal`` (float64), or where these are not the numbers, ``normal_exact``.
    names : str
        The columns of the numbers.
    """
    # a reader that reads ahead keeps all that it has read
    for batch in pq.ParquetFile(file, pre_buffer=False).iter_batches(1 << 14):
        normals = exact_rows(batch["normal"].to_pylist(), batch["normal_exact"].to_pylist())
        numbers = zip(*(batch[name].to_pylist() for name in names), strict=True)
        yield from zip(numbers, normals, strict=True)


def read_manifold(path: Path, network: Network) -> tuple[list[Exact], list[list[int]]]:
    """The points of ``points.parquet``, and the simplices of ``facets.parquet``.

    Raises
    ------
    ProofRejectedError
        If they are no complex in the input space of the network.
    """
    table = pq.read_table(path / "points.parquet")
    near = table["x"].to_pylist()
    exact = table["x_exact"].to_pylist() if "x_exact" in table.column_names else [None] * len(near)
    points = exact_rows(near, exact)
    facets = [list(map(int, row)) for row in column(path / "facets.parquet", "corners")]
    if not facets:
        raise ProofRejectedError("the manifold has no simplices")
    for number, corners in enumerate(facets):
        if len(set(corners)) != len(corners) or not corners:
            raise ProofRejectedError(f"facet {number} is {corners}: it repeats a vertex")
        if min(corners) < 0 or max(corners) >= len(points):
            raise ProofRejectedError(f"facet {number} is {corners}: there is no such vertex")
    for number, point in enumerate(points):
        if len(point) != network.input_dim:
            raise ProofRejectedError(f"point {number} is not of the network's input dimension")
    return points, facets


@dataclass(frozen=True, slots=True)
class MixedPoint:
    """A point of M.

    Attributes
    ----------
    weights : mapping of int to fmpq
        Its barycentric coordinates that are not 0: two points of M are equal iff these are.
    place : tuple of fmpq
        Where it lies in R^n.
    """

    weights: Mapping[int, fmpq]
    place: tuple[fmpq, ...]


def mixed_point(
    stated: Mapping[str, Any], points: Sequence[Exact], simplices: Iterable[frozenset[int]]
) -> MixedPoint:
    """The point of M that a certificate names by ``simplex``, ``weights`` and ``point``.

    Raises
    ------
    ProofRejectedError
        If the weights are no barycentric coordinates on a face of one of the simplices, or the
        point is elsewhere.
    """
    mixed = {
        int(v): fmpq_from_text(w) for v, w in zip(stated["simplex"], stated["weights"], strict=True)
    }
    if any(w <= 0 for w in mixed.values()) or sum(mixed.values(), fmpq(0)) != 1:
        raise ProofRejectedError(f"the weights {stated['weights']} are no barycentric coordinates")
    if not any(mixed.keys() <= f for f in simplices):
        raise ProofRejectedError(f"{stated['simplex']} is no simplex of the manifold")
    place = [fmpq(0)] * len(points[0])
    for v, w in mixed.items():
        place = [p + w * x for p, x in zip(place, points[v], strict=True)]
    if [fmpq_from_text(v) for v in stated["point"]] != place:
        raise ProofRejectedError("a point is not where its weights say")
    return MixedPoint(mixed, tuple(place))


def image_at(network: Network, point: MixedPoint, layer: int) -> tuple[fmpq, ...]:
    """Φ_K of a point, by the plain forward pass; K = 0 gives its place."""
    return point.place if layer == 0 else tuple(forward_exact(network, point.place, layer=layer))
