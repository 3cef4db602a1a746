"""``check`` for certificates of one-to-one layers: every claim re-derived in rational arithmetic.

**Theorem.** Let M be a finite simplicial complex with vertices in R^n, and let its facets be
divided into polytopes, the sets where all units of the layers 1..K keep their sign. Let Φ_K be of
full rank on each. For every two polytopes c, c' with common vertices F let a coordinate separate
the images of c and c', or let there be (w, t) with w·Φ(v) = t on F, w·Φ(v) > t at the other
vertices of c and w·Φ(v) < t at those of c'. Then Φ_K is one-to-one on M.

*Proof.* The polytopes of M and their faces are a polyhedral complex, so that c and c' meet in a
common face, the hull of their common vertices. By the hyperplane the images meet in that of F only,
so that Φ(x) = Φ(x') with x in c, x' in c' is Φ(y) with y in F; being of full rank, Φ is one-to-one
on c and on c', and x = y = x'. ∎

The polytopes are computed here, by :mod:`polyrank.proof.polytopes`, and not read; boxes are made
of the exact images; a hyperplane is evaluated in rationals. What is refuted needs two points only:
they are different points of M, and the plain forward pass takes them to one image.

Files of a certificate
----------------------
====================  ==========================================================================
``certificate.json``  network, layer, verdict, the two points with one image
``points.parquet``    ``x`` (float64), and ``x_exact`` where that is not the number
``facets.parquet``    ``corners``: simplices of M that cover it
``pieces.parquet``    ``facet`` and ``signs`` (int8 per unit): the numbers of the polytopes
``pairs.parquet``     ``first``, ``second``: polytopes; ``normal`` (or ``normal_exact``): near w; w
                      is its projection to the orthogonal complement of the differences of Φ(F)
====================  ==========================================================================

The last two are of the layer that is proved to be one-to-one: ``proved_layer``, −1 if there is
none.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.errors import RunError
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float, fmpq_from_text
from polyrank.proof.format import ProofRejectedError
from polyrank.proof.network_file import named_network
from polyrank.proof.polytopes import affine_polytopes
from polyrank.proof.stated import check_hash

__all__ = ["FORMAT", "OneToOneReport", "check_one_to_one", "is_certificate"]

FORMAT = 1
_NAME = "certificate.json"
_BLOCK = 1 << 20  # entries of a block of comparisons


@dataclass(frozen=True, slots=True)
class OneToOneReport:
    """What was found. A rejection is a :class:`ProofRejectedError`.

    Attributes
    ----------
    layer : int
        K, of which the certificate speaks.
    proved_through : int
        Φ_0, …, Φ_k are proved to be one-to-one on M (Φ_0 is its position); −1 for none.
    refuted_from : int or None
        From this layer on, two points of M have one image.
    facets, pieces, pairs : int
        Simplices of M; polytopes; pairs with a hyperplane.
    doubt : str
        Why layer K is not decided; empty if it is.
    seconds : float
    """

    layer: int
    proved_through: int
    refuted_from: int | None
    facets: int
    pieces: int
    pairs: int
    doubt: str
    seconds: float


@dataclass(slots=True)
class _Piece:
    vertices: list[int]
    images: fmpq_mat


def is_certificate(path: Path) -> bool:
    """Whether a directory holds a certificate, and not a run."""
    return (path / _NAME).exists()


def check_one_to_one(path: Path, *, network: Path | None = None) -> OneToOneReport:
    """Check a certificate that ``polyrank homeomorphism -o`` wrote.

    Parameters
    ----------
    path : Path
    network : Path, optional
        The file of the network, where it is no longer where the certificate says.

    Raises
    ------
    ProofRejectedError
        If a claim is false or the certificate proves something else.
    NotDecidedError
        If the network's file holds another network; it is a ProofRejectedError.
    RunError, NetworkError
        If the certificate or the network's file cannot be read.
    """
    started = time.perf_counter()
    try:
        stated = json.loads((path / _NAME).read_text(encoding="utf-8"))
        if stated.get("polyrank_certificate") != FORMAT:
            raise RunError(f"{path}: expected a certificate of format {FORMAT}")
        layer, proved = int(stated["layer"]), int(stated["proved_layer"])
        own = named_network(path, stated, network)
        check_hash(own, stated, "certificate")
        points = _points(path / "points.parquet")
        facets = [list(map(int, row)) for row in _column(path / "facets.parquet", "corners")]
        _check_facets(facets, points, own)
        if not proved <= layer <= len(own.layers):
            raise ProofRejectedError(f"layer {layer} is none of the {len(own.layers)} layers")
        pieces = pairs = 0
        if proved >= 0:
            pieces, pairs = _check_proof(path, own, proved, points, facets)
        refuted = None
        if stated["collision"] is not None:
            refuted = _check_collision(own, stated["collision"], points, facets)
    except (
        OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, pa.ArrowException,
    ) as error:  # fmt: skip
        raise RunError(f"{path} is not a complete certificate: {error}") from None
    known = refuted is not None and refuted <= layer
    doubt = "" if known or proved == layer else f"layer {layer} is not decided"
    verdict = "not one-to-one" if known else "not decided" if doubt else "one-to-one"
    if stated["verdict"] != verdict:
        raise ProofRejectedError(f"the certificate says {stated['verdict']}, its proofs {verdict}")
    first = refuted if known and refuted == proved + 1 else None
    if stated["first_layer"] != first:
        raise ProofRejectedError(
            f"the certificate says that the first layer that is not one-to-one is "
            f"{stated['first_layer']}, its proofs {first}"
        )
    seconds = time.perf_counter() - started
    return OneToOneReport(
        layer, proved, refuted if known else None, len(facets), pieces, pairs, doubt, seconds
    )


def _column(file: Path, name: str) -> list[Any]:
    return list(pq.read_table(file, columns=[name])[name].to_pylist())


def _points(file: Path) -> list[list[fmpq]]:
    table = pq.read_table(file)
    exact = table["x_exact"].to_pylist() if "x_exact" in table.column_names else None
    out = []
    for i, row in enumerate(table["x"].to_pylist()):
        if exact is not None and exact[i] is not None:
            out.append([fmpq_from_text(v) for v in exact[i]])
        else:
            out.append([fmpq_from_float(v) for v in row])
    return out


def _check_facets(facets: list[list[int]], points: list[list[fmpq]], network: Network) -> None:
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


def _check_collision(
    network: Network,
    stated: Mapping[str, Any],
    points: list[list[fmpq]],
    facets: list[list[int]],
) -> int:
    """The first layer at which the two points have one image."""
    sets = [frozenset(f) for f in facets]
    weights, places = [], []
    for own in stated["points"]:
        mixed = {
            int(v): fmpq_from_text(w) for v, w in zip(own["simplex"], own["weights"], strict=True)
        }
        if any(w <= 0 for w in mixed.values()) or sum(mixed.values(), fmpq(0)) != 1:
            raise ProofRejectedError(f"the weights {own['weights']} are no barycentric coordinates")
        if not any(mixed.keys() <= f for f in sets):
            raise ProofRejectedError(f"{own['simplex']} is no simplex of the manifold")
        place = [fmpq(0)] * network.input_dim
        for v, w in mixed.items():
            place = [p + w * x for p, x in zip(place, points[v], strict=True)]
        if [fmpq_from_text(v) for v in own["point"]] != place:
            raise ProofRejectedError("the point of a collision is not where its weights say")
        weights.append(mixed)
        places.append(place)
    if weights[0] == weights[1]:
        raise ProofRejectedError("the two points of the collision are one point of M")
    layer = int(stated["layer"])
    for k in range(layer + 1):
        first, second = (tuple(p) if k == 0 else forward_exact(network, p, layer=k) for p in places)
        if (first == second) != (k == layer):
            raise ProofRejectedError(f"layer {layer} is not the first at which the two points meet")
    if [fmpq_from_text(v) for v in stated["image"]] != list(first):
        raise ProofRejectedError("the common image of the collision is another one")
    return layer


def _check_proof(
    path: Path, network: Network, layer: int, points: list[list[fmpq]], facets: list[list[int]]
) -> tuple[int, int]:
    """The numbers of pieces and of pairs with a hyperplane, all of them verified."""
    pieces = _pieces(path, network, layer, points, facets)
    count = len(pieces)
    proved: list[NDArray[np.int64]] = []
    for first, second, normals in _pairs(path / "pairs.parquet"):
        if len(first) and not (
            min(first.min(), second.min()) >= 0 and max(first.max(), second.max()) < count
        ):
            raise ProofRejectedError("a pair names a piece that does not exist")
        for i, j, w in zip(first.tolist(), second.tolist(), normals, strict=True):
            if not _separates(pieces[i], pieces[j], w):
                raise ProofRejectedError(f"the hyperplane of pieces {i} and {j} does not hold")
        proved.append(np.minimum(first, second) * count + np.maximum(first, second))
    known = np.unique(np.concatenate([np.zeros(0, np.int64), *proved]))
    for codes in _box_pairs(*_boxes(pieces), count):
        missing = codes[~np.isin(codes, known)]
        if missing.size:
            i, j = divmod(int(missing[0]), count)
            raise ProofRejectedError(f"nothing separates the images of pieces {i} and {j}")
    return count, int(known.size)


def _pieces(
    path: Path, network: Network, layer: int, points: list[list[fmpq]], facets: list[list[int]]
) -> list[_Piece]:
    """The polytopes of all facets, in the order of the file, each of full rank."""
    numbers: dict[tuple[int, bytes], int] = {}
    listed = pq.read_table(path / "pieces.parquet")
    for facet, signs in zip(listed["facet"].to_pylist(), listed["signs"].to_pylist(), strict=True):
        numbers[facet, signs] = len(numbers)
    if len(numbers) != listed.num_rows:
        raise ProofRejectedError("a piece is listed twice")
    found: dict[int, _Piece] = {}
    vertices: dict[tuple[tuple[int, int, int], ...], int] = {}
    for facet, corners in enumerate(facets):
        ordered = sorted(corners)
        for part in affine_polytopes(network, layer, [points[c] for c in ordered]):
            number = numbers.get((facet, np.array(part.signs, np.int8).tobytes()))
            if number is None:
                raise ProofRejectedError(f"a piece of facet {facet} is not listed")
            own = []
            for weights in part.weights:
                key = tuple(
                    (c, int(w.p), int(w.q)) for c, w in zip(ordered, weights, strict=True) if w != 0
                )
                own.append(vertices.setdefault(key, len(vertices)))
            if _affine_rank(part.images) != len(corners) - 1:
                raise ProofRejectedError(f"the map has no full rank on piece {number}")
            found[number] = _Piece(own, part.images)
    if len(found) != len(numbers):
        raise ProofRejectedError("a piece is listed that does not exist")
    return [found[i] for i in range(len(numbers))]


def _affine_rank(images: fmpq_mat) -> int:
    rows = images.tolist()
    entries = [a - b for row in rows[1:] for a, b in zip(row, rows[0], strict=True)]
    return int(fmpq_mat(len(rows) - 1, images.ncols(), entries).rank()) if entries else 0


def _pairs(
    file: Path,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], list[list[fmpq]]]]:
    for batch in pq.ParquetFile(file).iter_batches(1 << 14):
        exact = batch["normal_exact"].to_pylist()
        normals = [
            [fmpq_from_float(v) for v in near]
            if strings is None
            else [fmpq_from_text(v) for v in strings]
            for near, strings in zip(batch["normal"].to_pylist(), exact, strict=True)
        ]
        yield (
            batch["first"].to_numpy(zero_copy_only=False).astype(np.int64),
            batch["second"].to_numpy(zero_copy_only=False).astype(np.int64),
            normals,
        )


def _separates(first: _Piece, second: _Piece, near: Sequence[fmpq]) -> bool:
    """Whether the projected normal vector is constant on the common vertices, and strict beside."""
    m = first.images.ncols()
    if len(near) != m:
        return False
    common = set(first.vertices) & set(second.vertices)
    shared = [
        first.images[r, c] for r, v in enumerate(first.vertices) if v in common for c in range(m)
    ]
    rows = fmpq_mat(len(common), m, shared)
    w = _projected(rows, fmpq_mat(m, 1, list(near)))
    levels = (rows * w).entries()
    if any(v != levels[0] for v in levels):
        return False
    up, down = (
        [
            v
            for v, own in zip((p.images * w).entries(), p.vertices, strict=True)
            if own not in common
        ]
        for p in (first, second)
    )
    if not common:
        return bool(min(up) > max(down))
    return all(v > levels[0] for v in up) and all(v < levels[0] for v in down)


def _projected(rows: fmpq_mat, w: fmpq_mat) -> fmpq_mat:
    """W without its components along the differences of the rows."""
    if rows.nrows() < 2:
        return w
    lines = rows.tolist()
    entries = [a - b for row in lines[1:] for a, b in zip(row, lines[0], strict=True)]
    edges, rank = fmpq_mat(len(lines) - 1, rows.ncols(), entries).rref()
    kept = [v for row in edges.tolist()[:rank] for v in row]
    basis = fmpq_mat(rank, rows.ncols(), kept)
    factors = (basis * basis.transpose()).solve(basis * w)
    return w - basis.transpose() * factors


def _boxes(pieces: list[_Piece]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Floats below and above all coordinates of the images."""
    low, high = [], []
    for piece in pieces:
        columns = piece.images.transpose().tolist()
        low.append([_rounded(min(c), -1) for c in columns])
        high.append([_rounded(max(c), 1) for c in columns])
    shape = (len(pieces), pieces[0].images.ncols())
    return np.array(low).reshape(shape), np.array(high).reshape(shape)


def _rounded(value: fmpq, side: int) -> float:
    """The float at the value or next to it on one side."""
    try:
        near = int(value.p) / int(value.q)
    except OverflowError:
        near = math.inf if value > 0 else -math.inf
    if math.isinf(near):
        return near if (near > 0) == (side > 0) else math.copysign(1.7976931348623157e308, near)
    gap = value - fmpq_from_float(near)
    return near if gap * side <= 0 else math.nextafter(near, side * math.inf)


def _box_pairs(
    low: NDArray[np.float64], high: NDArray[np.float64], count: int
) -> Iterator[NDArray[np.int64]]:
    """Pairs i < j of boxes that meet, as ``i · count + j``: a sweep along one axis."""
    spans = [_sweep_size(low[:, k], high[:, k]) for k in range(low.shape[1])]
    axis = int(np.argmin(spans))
    order = np.argsort(low[:, axis], kind="stable")
    starts = low[order, axis]
    ends = np.searchsorted(starts, high[order, axis], side="right")
    follow = ends - np.arange(count) - 1  # boxes that begin after this one, before it ends
    at = 0
    while at < count:
        stop = at + max(1, int(np.searchsorted(np.cumsum(follow[at:]), _BLOCK, side="right")))
        reach = follow[at:stop]
        own = np.repeat(np.arange(at, stop), reach)
        other = own + 1 + np.arange(own.size) - np.repeat(np.cumsum(reach) - reach, reach)
        a, b = order[own], order[other]
        for k in range(low.shape[1]):
            keep = (low[a, k] <= high[b, k]) & (low[b, k] <= high[a, k])
            a, b = a[keep], b[keep]
        yield np.minimum(a, b) * count + np.maximum(a, b)
        at = stop


def _sweep_size(low: NDArray[np.float64], high: NDArray[np.float64]) -> int:
    starts = np.sort(low)
    return int(np.searchsorted(starts, high, side="right").sum())
