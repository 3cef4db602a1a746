"""``check`` for certificates of ``polyrank image -o``: complexes, maps and their homology.

For every layer K the certificate has a complex X_K of points, segments and convex polygons.
*Verified*: that it is embedded (:mod:`polyrank.proof.cell_complex`), so that its cells are those of
their union; that layer K takes the complex before into it, cell by cell, and covers it
(:mod:`polyrank.proof.layer_map`), so that by induction its union is Φ_K(M) and the map between two
images is cellular; that the stated groups and the barcode are those of these complexes and maps
(:mod:`polyrank.proof.persistence`). M itself is the complex of the stated facets.

Files of a certificate
----------------------
======================  ========================================================================
``certificate.json``    network, ``layers`` (the last K), ``coefficients``, ``groups`` of M, of its
                        position and of the layers, ``bars``
``points.parquet``      as in :mod:`polyrank.proof.one_to_one`, with ``facets.parquet``
``points_K.parquet``    ``x``: rationals; K = 0 is the position of M in R^n
``edges_K.parquet``     ``first``, ``second``
``faces_K.parquet``     ``vertices`` around
``paths_K.parquet``     ``edges``, ``signs``: per edge before, the walk of its image. The edges and
                        triangles of M itself are in the order of their vertices.
``areas_K.parquet``     ``face``, ``signs`` (int8 per unit with a hyperplane), ``faces``: what fills
                        the image of a part; left out where that has no area
``planes_K.parquet``    ``first``, ``second`` (faces, then edges in no face, then vertices in no
                        edge) and ``normal`` or ``normal_exact``
======================  ========================================================================
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from flint import fmpz

from polyrank.network.normal_form import Network
from polyrank.proof.cell_complex import Boundary, Cells, check_embedded, read_cells
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.proof.layer_map import ChainMap, Stated, check_map
from polyrank.proof.manifold_file import read_manifold
from polyrank.proof.persistence import barcode, torsion
from polyrank.proof.statement_file import StatementFile

__all__ = ["STATEMENT", "ImageReport", "check_image", "is_image"]

STATEMENT = StatementFile("certificate.json", "polyrank_image", 1, "certificate")


@dataclass(frozen=True, slots=True)
class ImageReport:
    """What was found. A rejection is a :class:`ProofRejectedError`.

    Attributes
    ----------
    layer : int
        The last layer of which the certificate speaks.
    coefficients : str
    groups : tuple of tuple of str
        Of M, of its position in R^n, and of the images of the layers 1..layer.
    cells, planes : int
        Cells of all images; hyperplanes between them.
    doubt : str
        What was asked for and is not decided; empty if everything is.
    seconds : float
    """

    layer: int
    coefficients: str
    groups: tuple[tuple[str, ...], ...]
    cells: int
    planes: int
    doubt: str
    seconds: float


def is_image(path: Path) -> bool:
    """Whether a directory holds a certificate of images."""
    return STATEMENT.lies_in(path)


def check_image(path: Path, *, network: Path | None = None) -> ImageReport:
    """Check a certificate that ``polyrank image -o`` wrote.

    Parameters
    ----------
    path : Path
    network : Path, optional
        The file of the network, where it is no longer where the certificate says.

    Raises
    ------
    ProofRejectedError
        If a claim is false or has no proof.
    NotDecidedError
        If the network's file holds another network; it is a ProofRejectedError.
    RunError, NetworkError
        If the certificate or the network's file cannot be read.
    """
    started = time.perf_counter()
    with STATEMENT.opened(path, network) as (stated, own):
        return _checked(path, own, stated, started)


def _checked(
    path: Path, network: Network, stated: Mapping[str, Any], started: float
) -> ImageReport:
    last, asked = int(stated["layers"]), int(stated["asked"])
    if not -1 <= last <= asked <= len(network.layers):
        raise ProofRejectedError(f"{last} is no layer of the {len(network.layers)}")
    points, facets = read_manifold(path, network)
    if max(map(len, facets)) > 3:
        raise NotDecidedError("M has tetrahedra: their images are no polygons")
    before = _complex([tuple(p) for p in points], facets)
    complexes, maps = [before.boundary()], []
    cells = planes = 0
    for k in range(last + 1):
        here = read_cells(path, k)
        width = network.layers[k - 1].units if k else network.input_dim
        planes += check_embedded(here, path / f"planes_{k}.parquet", width)
        step = network.layers[k - 1] if k else None
        maps.append(check_map(before, here, step, _map(path, k)))
        complexes.append(here.boundary())
        cells += len(here.points) + len(here.edges) + len(here.faces)
        before = here
    groups = _check_homology(stated, complexes, maps, max(map(len, facets)))
    doubt = "" if last == asked else f"layers {last + 1} to {asked} are not decided"
    spent = time.perf_counter() - started
    return ImageReport(last, stated["coefficients"], groups, cells, planes, doubt, spent)


def _complex(points: list[tuple[Any, ...]], facets: Sequence[Sequence[int]]) -> Cells:
    """The complex of the facets and their faces; every point must be a vertex."""
    edges = sorted({e for f in facets for e in combinations(sorted(f), 2)})
    faces = sorted({t for f in facets for t in combinations(sorted(f), 3)})
    if {v for f in facets for v in f} != set(range(len(points))):
        raise ProofRejectedError("a point is no vertex of the manifold")
    return Cells(points, edges, [list(t) for t in faces])


def _map(path: Path, level: int) -> Stated:
    walks, parts = (pq.read_table(path / f"{n}_{level}.parquet") for n in ("paths", "areas"))
    paths = [
        list(zip(edges, signs, strict=True))
        for edges, signs in zip(walks["edges"].to_pylist(), walks["signs"].to_pylist(), strict=True)
    ]
    columns = (parts[name].to_pylist() for name in ("face", "signs", "faces"))
    areas = {(int(f), bytes(s)): list(own) for f, s, own in zip(*columns, strict=True)}
    if len(areas) != parts.num_rows:
        raise ProofRejectedError("a part of a face is listed twice")
    return Stated(paths, areas)


def _check_homology(
    stated: Mapping[str, Any],
    complexes: Sequence[Boundary],
    maps: Sequence[ChainMap],
    top: int,
) -> tuple[tuple[str, ...], ...]:
    """The groups and the barcode must be those of the complexes."""
    name = stated["coefficients"]
    prime = 0 if name in {"Z", "Q"} else int(name)
    if prime and not fmpz(prime).is_prime():
        raise ProofRejectedError(f"{prime} is no prime")
    degrees = int(stated["degrees"])
    if not 1 <= degrees <= top:
        raise ProofRejectedError(f"{degrees} degrees of a complex of dimension {top - 1}")
    found = barcode(complexes, maps, prime)
    bars: Counter[tuple[int, int, int | None]] = Counter()
    for own in stated["bars"]:
        death = None if own["death"] is None else int(own["death"])
        bars[int(own["degree"]), int(own["birth"]), death] += int(own["count"])
    if bars != Counter({bar: n for bar, n in found.items() if bar[0] < degrees}):
        raise ProofRejectedError("the barcode of the images is another one")
    groups = []
    for k, boundary in enumerate(complexes):
        row = []
        for d in range(degrees):
            betti = sum(
                n for (e, birth, death), n in found.items()
                if e == d and birth <= k and (death is None or death > k)
            )  # fmt: skip
            factors = torsion(boundary[d + 1]) if name == "Z" and d < 2 else ()
            row.append(_group(name, betti, factors))
        groups.append(tuple(row))
    if [tuple(row) for row in stated["groups"]] != groups:
        raise ProofRejectedError(f"the groups of the images are {groups}")
    return tuple(groups)


def _group(name: str, betti: int, factors: Sequence[int]) -> str:
    symbol = name if name in {"Z", "Q"} else f"F{name}"
    free = [] if betti == 0 else [symbol if betti == 1 else f"{symbol}^{betti}"]
    return " + ".join(free + [f"Z/{t}" for t in factors]) or "0"
