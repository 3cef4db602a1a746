"""A certificate on disk of the images of a curve or surface; :mod:`polyrank.proof.image` checks it.

The images are made once more with all points kept as vertices, so that every map is that of its
layer, vertex by vertex, and not only homotopic to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import RefutedError, UnsupportedError
from polyrank.image.barcode import LayerImages
from polyrank.image.barcode_object import counted
from polyrank.image.candidates import candidates
from polyrank.image.cut import Parts
from polyrank.image.glue import Glued
from polyrank.image.homogeneous import rationals
from polyrank.image.hulls import Hulls, hulls_of_points
from polyrank.image.manifold_file import planes_writer, write_manifold, write_statement
from polyrank.image.meeting import Apart, separate_exactly, separated
from polyrank.image.overlay import ImageComplex, steps
from polyrank.network.normal_form import Layer
from polyrank.proof.image import STATEMENT
from polyrank.regions.directory import new_directory
from polyrank.topology.manifold import Manifold

__all__ = ["save_images"]

Numbers = NDArray[np.int64]
_INT, _INTS = pa.int64(), pa.list_(pa.int64())
_TEXTS = pa.list_(pa.string())


def save_images(
    found: LayerImages, directory: str | Path, *, network_file: Mapping[str, Any] | None = None
) -> Path:
    """Write the images of a curve or a surface with what proves them, to a new directory.

    Parameters
    ----------
    found : LayerImages
        Its decided layers are written.
    directory : path
    network_file : mapping, optional
        ``path`` and reading ``options`` of the network's file, so that the checker can read it
        again; without it the checker must be told.

    Raises
    ------
    UnsupportedError
        If M has tetrahedra.
    RunError
        If the directory exists or cannot be written.
    """
    manifold, network = found.manifold, found.network
    if manifold.dimension > 2:
        raise UnsupportedError(
            f"{manifold.name} has dimension {manifold.dimension}: certificates of images are those "
            "of curves and surfaces"
        )
    last = max((k for k in found.layers if k is not None), default=-1)
    with new_directory(directory) as root:
        write_manifold(manifold, root)
        if last >= 0:
            order = _order(manifold)
            for step in steps(network, manifold, last, contours=False, all_points=True):
                if step.parts is None or step.glued is None:
                    continue
                k = step.image.layer or 0
                _write_complex(step.image, k, root)
                _write_map(step.parts, step.glued, network.layers[k - 1] if k else None, k, root,
                           order if k == 0 else None)  # fmt: skip
                _write_planes(step.image, root / f"planes_{k}.parquet")
        claims = {
            "layers": last,
            "asked": max([last, *(k for k, _ in found.undecided)]),
            "coefficients": found.homology.coefficients,
            "degrees": found.degrees,
            "groups": [list(found.groups(k).groups) for k in found.layers],
            "bars": [
                {"degree": degree, "birth": birth, "death": death, "count": count}
                for (degree, birth, death), count in counted(found.bars)
            ],
        }
        write_statement(claims, STATEMENT, network, network_file, root)
    return root


def _order(manifold: Manifold) -> tuple[list[int], list[int]]:
    """The edges and triangles of M in the order of their vertices: its own numbers."""
    out = []
    for d in (1, 2):
        rows = manifold.simplices[d].tolist() if d <= manifold.dimension else []
        out.append(sorted(range(len(rows)), key=rows.__getitem__))
    return out[0], out[1]


def _table(root: Path, name: str, columns: Mapping[str, tuple[Iterable[Any], Any]]) -> None:
    arrays = {key: pa.array(list(values), kind) for key, (values, kind) in columns.items()}
    pq.write_table(pa.table(arrays), root / name, compression="zstd")


def _write_complex(image: ImageComplex, k: int, root: Path) -> None:
    texts = ([str(v) for v in rationals(p)] for p in image.points)
    _table(root, f"points_{k}.parquet", {"x": (texts, _TEXTS)})
    first, second = image.edges.T.tolist() if len(image.edges) else ([], [])
    _table(root, f"edges_{k}.parquet", {"first": (first, _INT), "second": (second, _INT)})
    _table(root, f"faces_{k}.parquet", {"vertices": (image.faces, _INTS)})


def _write_map(
    parts: Parts,
    glued: Glued,
    layer: Layer | None,
    k: int,
    root: Path,
    order: tuple[list[int], list[int]] | None,
) -> None:
    paths: Sequence[list[tuple[int, int]]] = glued.paths
    number: dict[int, int] = {}
    if order is not None:
        paths = [paths[e] for e in order[0]]
        number = {f: i for i, f in enumerate(order[1])}
    _table(
        root,
        f"paths_{k}.parquet",
        {
            "edges": ([[e for e, _ in own] for own in paths], _INTS),
            "signs": ([[s for _, s in own] for own in paths], _INTS),
        },
    )
    units = [] if layer is None else np.flatnonzero(layer.has_hyperplane).tolist()
    filled = [
        (number.get(f, f), _signs(parts, part, units), [g for g, _ in own])
        for (f, part), own in zip(parts.polygons, glued.areas, strict=True)
        if own
    ]
    _table(
        root,
        f"areas_{k}.parquet",
        {
            "face": ((f for f, _, _ in filled), _INT),
            "signs": ((s for _, s, _ in filled), pa.binary()),
            "faces": ((own for _, _, own in filled), _INTS),
        },
    )


def _signs(parts: Parts, part: Sequence[int], units: Sequence[int]) -> bytes:
    out = []
    for j in units:
        values = [parts.rows[v][j] for v in part]
        out.append((max(values) > 0) - (min(values) < 0))
    return np.array(out, np.int8).tobytes()


def _hulls(image: ImageComplex) -> Hulls:
    """The maximal cells: faces, edges in no face, vertices in no edge."""
    sides = {frozenset(e) for face in image.faces for e in pairwise([*face, face[0]])}
    loose = [e for e in image.edges.tolist() if frozenset(e) not in sides]
    alone = np.setdiff1d(np.arange(len(image.points)), image.edges)
    cells = [*map(sorted, image.faces), *map(sorted, loose), *([v] for v in alone.tolist())]
    counts = [len(image.faces), len(loose), len(alone)]
    return hulls_of_points(image.points, cells, np.repeat(np.array([2, 1, 0], np.int64), counts))


def _write_planes(image: ImageComplex, file: Path) -> None:
    own = _hulls(image)
    sides = _Sides(image)
    with planes_writer(file, "first", "second") as write:
        for pairs in candidates(own):
            faces = [sides.of(own, i, j) for i, j in pairs.tolist()]
            common = np.array([len(own.common_face(i, j)) for i, j in pairs.tolist()], np.int64)
            plain = np.array(
                [len(a) == len(b) == c for (a, b), c in zip(faces, common, strict=True)]
            )
            apart, normal = separated(own, pairs, np.minimum(common, 2) - 1)
            apart &= plain
            if own.scaled()[2].any():  # the checker projects in the coordinates of the images
                apart[:] = False
            near: list[Any] = normal.tolist()
            exact: list[Any] = [None] * len(pairs)
            for k in np.flatnonzero(~apart).tolist():
                near[k], exact[k] = None, _exact(own, pairs[k].tolist(), faces[k])
            write(pairs.T.tolist(), near, exact)


class _Sides:
    """The sides of the faces that have more vertices than two, with their ends."""

    def __init__(self, image: ImageComplex) -> None:
        self.long = [
            _long_sides(face, [rationals(image.points[v]) for v in face]) for face in image.faces
        ]

    def of(self, own: Hulls, i: int, j: int) -> tuple[set[int], set[int]]:
        """The vertices of the least face of either cell that holds all common vertices."""
        common = set(own.common_face(i, j).tolist())
        first, second = (self._around(cell, common) for cell in (i, j))
        return first, second

    def _around(self, cell: int, common: set[int]) -> set[int]:
        if not common or cell >= len(self.long):
            return common
        # a corner is a face by itself; what is inside of a side is in no other one
        for side, ends in self.long[cell]:
            if common <= side and not (len(common) == 1 and common <= ends):
                return side
        return common


def _long_sides(
    face: Sequence[int], places: Sequence[tuple[fmpq, ...]]
) -> list[tuple[set[int], set[int]]]:
    steps = [
        [y - x for x, y in zip(p, q, strict=True)]
        for p, q in zip(places, [*places[1:], places[0]], strict=True)
    ]
    corners = [k for k in range(len(face)) if not _parallel(steps[k - 1], steps[k])]
    out = []
    for k, stop in zip(corners, [*corners[1:], corners[0] + len(face)], strict=True):
        if stop > k + 1:
            side = [face[i % len(face)] for i in range(k, stop + 1)]
            out.append((set(side), {side[0], side[-1]}))
    return out


def _parallel(u: Sequence[fmpq], v: Sequence[fmpq]) -> bool:
    k = next(i for i, x in enumerate(u) if x != 0)
    return all(u[k] * y == v[k] * x for x, y in zip(u, v, strict=True))


def _exact(own: Hulls, pair: Sequence[int], faces: tuple[set[int], set[int]]) -> list[str]:
    above, below = (
        [own.exact(v) for v in own.vertices(cell).tolist() if v not in face]
        for cell, face in zip(pair, faces, strict=True)
    )
    shared = [own.exact(v) for v in sorted(faces[0] | faces[1])]
    found = separate_exactly(above, below, shared)
    if not isinstance(found, Apart):
        raise RefutedError(f"the cells {pair} of an image overlap: please report this case")
    return [str(v) for v in found.normal]
