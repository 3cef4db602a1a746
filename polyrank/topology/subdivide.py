"""The subdivision of a manifold by a network: layer by layer, unit by unit, all cells at once.

M is subdivided as a whole: a cell with vertices on both sides of a unit's hyperplane is cut into
a positive part, a negative part and the part between them, in every dimension. Since cells share
their faces before a cut, they share them after it: nothing has to be found again by coordinates,
and a cell is known by (simplex of M, sign vector). The work depends on the dimension of M, not on
that of its space, and every decision is the exact sign of a unit at a vertex.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from polyrank.chains.chain import ChainComplex
from polyrank.errors import DomainError
from polyrank.network.normal_form import Network
from polyrank.stages import tell
from polyrank.topology.manifold import Manifold
from polyrank.topology.vertices import LayerValues, VertexTable, activated, affine_step

__all__ = ["Subdivision", "subdivide"]


@dataclass(slots=True)
class Subdivision:
    """The cells of M cut by a network.

    Attributes
    ----------
    boundary : list of csc_array
        ``boundary[d − 1]`` is ∂_d.
    signs : list of int8, shape (f_d, N)
        Sign vector of every d-cell over the N units with a hyperplane.
    carrier : list of int64, shape (f_d, 2)
        The smallest simplex of M that contains the cell: its dimension and its number.
    vertices : VertexTable
    """

    boundary: list[Any]
    signs: list[NDArray[np.int8]]
    carrier: list[NDArray[np.int64]]
    vertices: VertexTable

    @property
    def complex(self) -> ChainComplex:
        """The chain complex, ∂∂ = 0 checked."""
        return ChainComplex(tuple(len(s) for s in self.signs), tuple(self.boundary))


def subdivide(
    network: Network,
    manifold: Manifold,
    *,
    through_layer: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Subdivision:
    """Cut every simplex of M along every hyperplane of the network.

    **Proves** that the cells are all the sets {x in a simplex's interior : sign vector} that are
    not empty, that each is listed once, and their incidences: every sign at every vertex is
    exact, and a cell meets a unit's hyperplane in its interior iff it has vertices on both sides.

    Parameters
    ----------
    network : Network
    manifold : Manifold
    through_layer : int, optional
        Cut by the layers 1..K only; default: all.
    progress : callable, optional
        Called with (units done, units) after every unit.

    Raises
    ------
    DomainError
        If the points of the manifold are not of the network's input dimension.
    """
    if manifold.ambient != network.input_dim:
        raise DomainError(
            f"{manifold.name} lies in R^{manifold.ambient}, but the network takes "
            f"{network.input_dim} inputs"
        )
    bits = network.bits[:through_layer]
    total = sum(bits)
    sub = Subdivision(
        boundary=[m.copy() for m in manifold.complex.boundary],
        signs=[np.zeros((f, total), np.int8) for f in manifold.complex.cells],
        carrier=[
            np.stack([np.full(f, d), np.arange(f)], axis=1)
            for d, f in enumerate(manifold.complex.cells)
        ],
        vertices=VertexTable.of_manifold(manifold, network),
    )
    h = manifold.points.approx
    error = np.zeros_like(h) if manifold.points.is_float else np.abs(h) * 2.0**-52 + 1e-300
    sub.vertices.images.append((h, error))
    done = 0
    with np.errstate(all="ignore"):  # an overflow gives nan, which decides nothing
        for k, layer in enumerate(network.layers[:through_layer], start=1):
            z, bound = affine_step(layer, h, error)
            values = LayerValues(z, bound, np.sign(z).astype(np.int8))
            split = np.flatnonzero(layer.has_hyperplane)
            known = (np.abs(z) > bound) | ((z == 0) & (bound == 0)) | ~layer.has_hyperplane
            sub.vertices.settle(values, k, np.flatnonzero(~known.all(axis=1)))
            for unit in split.tolist():
                _cut(sub, values, k, unit, done)
                done += 1
                tell("units that divide M", done, total)
                if progress is not None:
                    progress(done, total)
            h, error = activated(layer, values)
            sub.vertices.images.append((h, error))
    return sub


def _cut(sub: Subdivision, values: LayerValues, layer: int, unit: int, column: int) -> None:
    """Cut all cells by one unit, whose signs go to one column of the sign vectors."""
    sign = values.sign[:, unit]
    positive, negative = [sign > 0], [sign < 0]
    for matrix in sub.boundary:
        positive.append(_touched(matrix, positive[-1]))
        negative.append(_touched(matrix, negative[-1]))
    for d, own in enumerate(sub.signs):
        own[:, column] = positive[d].astype(np.int8) - negative[d].astype(np.int8)
    both = [np.flatnonzero(p & n) for p, n in zip(positive, negative, strict=True)]
    if not any(b.size for b in both):
        return
    top = len(sub.signs)
    if top > 1 and both[1].size:
        _new_vertices(sub, values, layer, unit, both[1])
    old = [len(s) for s in sub.signs]
    boundary: list[Any] = []
    for d in range(1, top):
        # columns: the old cells (the cut ones become their positive parts), the negative parts,
        # then the cells between the parts of cut (d + 1)-cells
        rows = old[d - 1] + both[d - 1].size + both[d].size
        cut = _cut_columns(sub.boundary[d - 1], positive, both, d, old, rows)
        if d + 1 < top and both[d + 1].size:
            between = _between(sub.boundary[d], positive, both, d + 1, old)
            fresh = cut @ between
            fresh.eliminate_zeros()
            cut = sparse.csc_array(sparse.hstack([cut, fresh], format="csc"))
        boundary.append(cut)
    sub.boundary = boundary
    for d in range(top):
        parts_sign, parts_carrier = [sub.signs[d]], [sub.carrier[d]]
        if both[d].size:
            parts_sign[0][both[d], column] = 1
            lower = sub.signs[d][both[d]]
            lower[:, column] = -1
            parts_sign.append(lower)
            parts_carrier.append(sub.carrier[d][both[d]])
        if d + 1 < top and both[d + 1].size:
            # the parent's signs before this unit; its own column is set here
            middle = sub.signs[d + 1][both[d + 1]]
            middle[:, column] = 0
            parts_sign.append(middle)
            parts_carrier.append(sub.carrier[d + 1][both[d + 1]])
        if len(parts_sign) > 1:
            sub.signs[d] = np.concatenate(parts_sign)
            sub.carrier[d] = np.concatenate(parts_carrier)


def _touched(matrix: Any, faces: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which columns have an entry in one of the rows."""
    hits = np.concatenate([[0], np.cumsum(faces[matrix.indices])])
    return np.asarray(hits[matrix.indptr[1:]] > hits[matrix.indptr[:-1]])


def _cut_columns(
    matrix: Any,
    positive: list[NDArray[np.bool_]],
    both: list[NDArray[np.int64]],
    d: int,
    old: list[int],
    rows: int,
) -> Any:
    """∂_d on the old cells and the negative parts of the cut ones."""
    entries = matrix.tocoo()
    row, column = (c.astype(np.int64) for c in entries.coords)
    data = entries.data
    row_part = _numbers(old[d - 1], both[d - 1], old[d - 1])
    column_part = _numbers(old[d], both[d], old[d])
    row_cut, column_cut = row_part[row] >= 0, column_part[column] >= 0
    # a face of a cut cell goes to the side where it lies; a cut face gives a part to each side
    to_minus = column_cut & ~row_cut & ~positive[d - 1][row]
    twice = row_cut  # then the column is cut as well
    count = both[d].size
    middle = old[d - 1] + both[d - 1].size + np.arange(count)
    orientation = np.full(count, -1, data.dtype)
    if d == 1:
        # a new vertex is a positive point: the parts of an edge are oriented like the edge
        up = column_cut & positive[0][row]
        orientation = np.zeros(count, data.dtype)
        orientation[column_part[column[up]] - old[1]] = -data[up]
    all_rows = [row, row_part[row[twice]], middle, middle]
    all_columns = [
        np.where(to_minus, column_part[column], column),
        column_part[column[twice]],
        both[d],
        old[d] + np.arange(count),
    ]
    all_data = [data, data[twice], orientation, -orientation]
    return sparse.csc_array(
        (np.concatenate(all_data), (np.concatenate(all_rows), np.concatenate(all_columns))),
        shape=(rows, old[d] + count),
    )


def _between(
    matrix: Any,
    positive: list[NDArray[np.bool_]],
    both: list[NDArray[np.int64]],
    d: int,
    old: list[int],
) -> Any:
    """Per cut d-cell, the chain of the faces of its positive part that are not between the parts.

    The boundary of that chain is the boundary of the cell between the parts.
    """
    chosen = matrix[:, both[d]].tocoo()
    row, column = chosen.coords
    keep = positive[d - 1][row]
    return sparse.csc_array(
        (chosen.data[keep], (row[keep], column[keep])),
        shape=(old[d - 1] + both[d - 1].size, both[d].size),
    )


def _numbers(size: int, chosen: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    """Number of the negative part of every cut cell, −1 for the others."""
    out = np.full(size, -1, np.int64)
    out[chosen] = start + np.arange(chosen.size)
    return out


def _new_vertices(
    sub: Subdivision, values: LayerValues, layer: int, unit: int, edges: NDArray[np.int64]
) -> None:
    """The points where a unit vanishes on the edges that it cuts, with their values."""
    matrix = sub.boundary[0][:, edges]
    ends = matrix.indices.reshape(-1, 2).astype(np.int64)  # an edge has two ends
    swap = values.sign[ends[:, 0], unit] < 0
    ends[swap] = ends[swap][:, ::-1]
    a, b = ends[:, 0], ends[:, 1]
    high, low = np.abs(values.z[a, unit]), np.abs(values.z[b, unit])
    share = high / (high + low)
    high_error, low_error = values.error[a, unit], values.error[b, unit]
    # |t − t̃| ≤ (e_a |z_b| + e_b |z_a|) / ((|z_a| + |z_b|) (|z_a| + |z_b| − e_a − e_b))
    both = high + low
    left = both - high_error - low_error - 2.0**-48 * (both + high_error + low_error)
    slack = (low_error * share + high_error * (low / both)) / left
    slack = np.where(left > 0, slack * (1 + 2.0**-40) + 2.0**-48, np.inf)[:, None]
    za, zb = values.z[a], values.z[b]
    ea, eb = values.error[a], values.error[b]
    t = share[:, None]
    z = za + t * (zb - za)
    rounding = 2.0**-49 * (np.abs(za) + np.abs(zb))
    # a convex combination of two errors, and the error of the share times the difference
    error = np.maximum(ea, eb) + slack * np.abs(zb - za) + rounding
    error = error * (1 + 2.0**-40) + 1e-290
    sa, sb = values.sign[a], values.sign[b]
    equal = np.where(sa == 0, sb, np.where((sb == 0) | (sa == sb), sa, 0)).astype(np.int8)
    forced = (sa * sb) >= 0
    split = sub.vertices.network.layers[layer - 1].has_hyperplane
    # the signs of units without a hyperplane are those of floats: only exact zeros are zeros
    vanish = (sa == 0) & (sb == 0) & (split | ((ea == 0) & (eb == 0)))
    vanish[:, unit] = True
    forced[:, unit] = True
    equal[:, unit] = 0
    z[vanish] = 0.0
    error[vanish] = 0.0
    sign = np.where(forced, equal, np.sign(z)).astype(np.int8)
    # the columns before this unit have been cut already: there, both ends lie on one side
    known = forced | (np.abs(z) > error) | ~split
    first = sub.vertices.count
    corners = _corners(sub, edges)
    sub.vertices.append(ends, np.nan_to_num(share, nan=0.5), corners, layer, unit)
    values.z = np.concatenate([values.z, z])
    values.error = np.concatenate([values.error, error])
    values.sign = np.concatenate([values.sign, sign])
    sub.vertices.settle(values, layer, first + np.flatnonzero(~known.all(axis=1)))


def _corners(sub: Subdivision, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """The vertices of the simplices of M that carry these edges, padded with −1."""
    simplices = sub.vertices.manifold.simplices
    carrier = sub.carrier[1][edges]
    out = np.full((edges.size, len(simplices)), -1, np.int64)
    for d, table in enumerate(simplices):
        own = carrier[:, 0] == d
        out[own, : d + 1] = table[carrier[own, 1]]
    return out
