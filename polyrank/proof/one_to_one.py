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

import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from flint import fmpq, fmpq_mat

from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_text
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.proof.hulls import Hull, box_pairs, outer_boxes, separates
from polyrank.proof.manifold_file import image_at, mixed_point, read_manifold, read_planes
from polyrank.proof.polytopes import affine_polytopes
from polyrank.proof.statement_file import StatementFile

__all__ = ["STATEMENT", "OneToOneReport", "check_one_to_one", "is_certificate"]

STATEMENT = StatementFile("certificate.json", "polyrank_certificate", 1, "certificate")


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


def is_certificate(path: Path) -> bool:
    """Whether a directory holds a certificate, and not a run."""
    return (path / STATEMENT.name).exists()


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
    with STATEMENT.opened(path, network) as (stated, own):
        layer, proved = int(stated["layer"]), int(stated["proved_layer"])
        points, facets = read_manifold(path, own)
        if layer < 0 or not -1 <= proved <= layer <= len(own.layers):
            raise ProofRejectedError(f"layer {layer} is none of the {len(own.layers)} layers")
        pieces = pairs = 0
        if proved >= 0:
            pieces, pairs = _check_proof(path, own, proved, points, facets)
        refuted = None
        if stated["collision"] is not None:
            refuted = _check_collision(own, stated["collision"], points, facets)
        known = refuted is not None and refuted <= layer
        doubt = "" if known or proved == layer else f"layer {layer} is not decided"
        verdict = "not one-to-one" if known else "not decided" if doubt else "one-to-one"
        if stated["verdict"] != verdict:
            raise _refusal(stated["verdict"], verdict)(
                f"the certificate says {stated['verdict']}, its proofs {verdict}"
            )
        _check_layers(stated, proved, refuted)
        first = refuted if known and refuted == proved + 1 else None
        if stated["first_layer"] != first:
            wanted = stated["first_layer"]
            open_ = type(wanted) is int and proved < wanted <= (
                layer if refuted is None else refuted
            )
            raise (NotDecidedError if open_ else ProofRejectedError)(
                f"the certificate says that the first layer that is not one-to-one is "
                f"{stated['first_layer']}, its proofs {first}"
            )
    seconds = time.perf_counter() - started
    return OneToOneReport(
        layer, proved, refuted if known else None, len(facets), pieces, pairs, doubt, seconds
    )


def _refusal(said: Any, found: str) -> type[ProofRejectedError]:
    """What is raised where the certificate says something else than its proofs."""
    possible = found == "not decided" and said in ("one-to-one", "not one-to-one")
    return NotDecidedError if possible else ProofRejectedError


def _check_layers(stated: Mapping[str, Any], proved: int, refuted: int | None) -> None:
    """What is said of every layer must follow from the layer proved and the layer refuted."""

    def verdict(layer: int) -> str:
        if refuted is not None and layer >= refuted:
            return "not one-to-one"
        return "one-to-one" if layer <= proved else "not decided"

    by_layer = [verdict(k) for k in range(int(stated["layer"]) + 1)]
    if stated["by_layer"] != by_layer:
        pairs = list(zip(stated["by_layer"], by_layer, strict=False))
        kinds = {_refusal(said, found) for said, found in pairs if said != found}
        whole = len(stated["by_layer"]) == len(by_layer)
        raise (NotDecidedError if whole and kinds == {NotDecidedError} else ProofRejectedError)(
            f"the certificate says {stated['by_layer']} of the layers, its proofs {by_layer}"
        )
    for own in stated["decided"]:
        if own["verdict"] not in (verdict(int(own["layer"])), "not decided"):
            raise _refusal(own["verdict"], verdict(int(own["layer"])))(
                f"the certificate says {own['verdict']} of layer {own['layer']}, its proofs "
                f"{verdict(int(own['layer']))}"
            )


def _check_collision(
    network: Network,
    stated: Mapping[str, Any],
    points: list[list[fmpq]],
    facets: list[list[int]],
) -> int:
    """The first layer at which the two points have one image."""
    sets = [frozenset(f) for f in facets]
    first, second = (mixed_point(own, points, sets) for own in stated["points"])
    if first.weights == second.weights:
        raise ProofRejectedError("the two points of the collision are one point of M")
    layer = int(stated["layer"])
    if not 0 <= layer <= len(network.layers):
        raise ProofRejectedError(f"the two points meet in layer {layer}, which does not exist")
    for k in range(layer + 1):
        image = image_at(network, first, k)
        if (image == image_at(network, second, k)) != (k == layer):
            raise ProofRejectedError(f"layer {layer} is not the first at which the two points meet")
    if [fmpq_from_text(v) for v in stated["image"]] != list(image):
        raise ProofRejectedError("the common image of the collision is another one")
    return layer


def _check_proof(
    path: Path, network: Network, layer: int, points: list[list[fmpq]], facets: list[list[int]]
) -> tuple[int, int]:
    """The numbers of pieces and of pairs with a hyperplane, all of them verified."""
    pieces = _pieces(path, network, layer, points, facets)
    count = len(pieces)
    proved = array("q")
    for (i, j), normal in read_planes(path / "pairs.parquet", "first", "second"):
        if not (0 <= i < count and 0 <= j < count):
            raise ProofRejectedError("a pair names a piece that does not exist")
        if not separates(pieces[i], pieces[j], normal):
            raise ProofRejectedError(f"the hyperplane of pieces {i} and {j} does not hold")
        proved.append(min(i, j) * count + max(i, j))
    known = np.unique(np.frombuffer(proved, np.int64))
    for codes in box_pairs(*outer_boxes(pieces), count):
        missing = codes[~np.isin(codes, known)]
        if missing.size:
            i, j = divmod(int(missing[0]), count)
            raise NotDecidedError(f"nothing separates the images of pieces {i} and {j}")
    return count, int(known.size)


def _pieces(
    path: Path, network: Network, layer: int, points: list[list[fmpq]], facets: list[list[int]]
) -> list[Hull]:
    """The polytopes of all facets, in the order of the file, each of full rank."""
    numbers: dict[tuple[int, bytes], int] = {}
    listed = pq.read_table(path / "pieces.parquet")
    for facet, signs in zip(listed["facet"].to_pylist(), listed["signs"].to_pylist(), strict=True):
        numbers[facet, signs] = len(numbers)
    if len(numbers) != listed.num_rows:
        raise ProofRejectedError("a piece is listed twice")
    found: dict[int, Hull] = {}
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
            found[number] = Hull(own, part.images)
    if len(found) != len(numbers):
        raise ProofRejectedError("a piece is listed that does not exist")
    return [found[i] for i in range(len(numbers))]


def _affine_rank(images: fmpq_mat) -> int:
    rows = images.tolist()
    entries = [a - b for row in rows[1:] for a, b in zip(row, rows[0], strict=True)]
    return int(fmpq_mat(len(rows) - 1, images.ncols(), entries).rank()) if entries else 0
