"""Faces of a complex as meshes for viewers: PLY, OBJ, VTU and VTK through meshio, and VTP."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.complex.cell_complex import CellComplex
from polyrank.errors import UnsupportedError
from polyrank.regions.directory import new_file

__all__ = ["MESH_SUFFIXES", "cycles", "mesh_file", "write_mesh"]

MESH_SUFFIXES = (".ply", ".obj", ".vtp", ".vtu", ".vtk")


def cycles(boundary: Sequence[Any], chosen: NDArray[np.bool_]) -> list[list[int]]:
    """Vertices of the chosen 2-cells of a complex in cyclic order.

    Parameters
    ----------
    boundary : sequence of sparse arrays
        Incidence numbers of edges with vertices, (f_0, f_1), and of 2-cells with edges, (f_1, f_2).
    chosen : ndarray of bool, shape (f_2,)
    """
    edges = boundary[0].tocsc()
    ends = edges.indices.reshape(-1, 2)
    signs = edges.data.reshape(-1, 2)
    tail = np.where(signs[:, 0] < 0, ends[:, 0], ends[:, 1])
    head = np.where(signs[:, 0] < 0, ends[:, 1], ends[:, 0])
    faces = boundary[1].tocsc()
    found = []
    for f in np.flatnonzero(chosen).tolist():
        span = slice(faces.indptr[f], faces.indptr[f + 1])
        following = {}
        for e, s in zip(faces.indices[span].tolist(), faces.data[span].tolist(), strict=True):
            a, b = (tail[e], head[e]) if s > 0 else (head[e], tail[e])
            following[int(a)] = int(b)
        v = next(iter(following))
        cycle = []
        for _ in following:
            cycle.append(v)
            v = following[v]
        found.append(cycle)
    return found


def mesh_file(path: str | Path) -> Path:
    """The path, if a mesh can be written there; asked before the work that makes it is done.

    Raises
    ------
    UnsupportedError
        If the suffix is none of ``MESH_SUFFIXES``, there is no such folder, or meshio is needed and
        not installed.
    """
    target = Path(path)
    if target.suffix not in MESH_SUFFIXES:
        raise UnsupportedError(f"{target.name}: meshes are written as {', '.join(MESH_SUFFIXES)}")
    if not target.parent.is_dir():
        raise UnsupportedError(f"{target}: there is no folder {target.parent}")
    if target.suffix != ".vtp" and find_spec("meshio") is None:
        raise UnsupportedError("meshes need meshio: pip install 'polyrank[mesh]'")
    return target


def write_mesh(
    path: str | Path,
    cells: CellComplex,
    mask: tuple[NDArray[np.bool_], ...] | None = None,
) -> None:
    """Write the 2-cells, or the edges where there are none, of a complex or of a subcomplex.

    Coordinates are approximate and in the chart's coordinates y, padded with zeros to R^3. Polygons
    are split into triangles, except in VTP files.

    Raises
    ------
    UnsupportedError
        See :func:`mesh_file`.
    """
    target = mesh_file(path)
    if target.suffix == ".vtp":
        with new_file(target) as draft:
            draft.write_text(_vtp(cells, mask))
        return
    import meshio  # noqa: PLC0415  (optional)

    points = np.zeros((len(cells.vertices), 3))
    points[:, : cells.dimension] = cells.vertices
    blocks: list[tuple[str, NDArray[Any]]] = []
    if cells.dimension >= 2:
        chosen = np.ones(cells.f_vector[2], dtype=bool) if mask is None else mask[2]
        triangles = [
            (cycle[0], cycle[i], cycle[i + 1])
            for cycle in cycles(cells.boundary, chosen)
            for i in range(1, len(cycle) - 1)
        ]
        if triangles:
            blocks.append(("triangle", np.array(triangles, dtype=np.int32)))
    if not blocks:
        wanted = np.ones(cells.f_vector[1], dtype=bool) if mask is None else mask[1]
        ends = cells.boundary[0].tocsc().indices.reshape(-1, 2)
        blocks.append(("line", ends[wanted].astype(np.int32)))
    with new_file(target) as draft:
        meshio.Mesh(points, blocks).write(draft)


def _vtp(cells: CellComplex, mask: tuple[NDArray[np.bool_], ...] | None) -> str:
    """VTK PolyData in XML, which meshio does not write: whole polygons, or lines."""
    points = np.zeros((len(cells.vertices), 3))
    points[:, : cells.dimension] = cells.vertices
    polygons: list[list[int]] = []
    if cells.dimension >= 2:
        chosen = np.ones(cells.f_vector[2], dtype=bool) if mask is None else mask[2]
        polygons = cycles(cells.boundary, chosen)
    lines: list[list[int]] = []
    if not polygons:
        wanted = np.ones(cells.f_vector[1], dtype=bool) if mask is None else mask[1]
        lines = cells.boundary[0].tocsc().indices.reshape(-1, 2)[wanted].tolist()
    rows = "\n".join(" ".join(repr(float(v)) for v in point) for point in points)
    return (
        '<VTKFile type="PolyData" version="0.1" byte_order="LittleEndian"><PolyData>\n'
        f'<Piece NumberOfPoints="{len(points)}" NumberOfVerts="0" NumberOfLines="{len(lines)}" '
        f'NumberOfStrips="0" NumberOfPolys="{len(polygons)}">\n<Points>\n'
        f'<DataArray type="Float64" NumberOfComponents="3" format="ascii">\n{rows}\n'
        f"</DataArray>\n</Points>\n{_faces('Lines', lines)}{_faces('Polys', polygons)}"
        "</Piece></PolyData></VTKFile>\n"
    )


def _faces(name: str, faces: list[list[int]]) -> str:
    connectivity = " ".join(str(v) for face in faces for v in face)
    offsets = " ".join(str(n) for n in np.cumsum([len(face) for face in faces]).tolist())
    return (
        f'<{name}><DataArray type="Int64" Name="connectivity" format="ascii">{connectivity}'
        f'</DataArray><DataArray type="Int64" Name="offsets" format="ascii">{offsets}'
        f"</DataArray></{name}>\n"
    )
