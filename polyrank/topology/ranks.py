"""Exact ranks of the map through every layer on every cell, ambient and tangent.

*Ambient*: the rank over ℚ of ``J_K = D_K W_K ⋯ D_1 W_1`` for the cell's codeword (a unit that is
0 counts as inactive). *Tangent*: the rank of Φ_K on the cell itself, the dimension of its image.
The rank modulo a prime is a lower bound; ``min(rank through K − 1, live units of layer K)`` an
upper one; where they meet the rank is proved, the rest is settled by elimination over ℚ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.ordered_work import each
from polyrank.network.forward import pack_bits
from polyrank.network.modular import (
    SMALL_PRIMES,
    Residues,
    fitting_prime,
    layer_residues,
    products_mod,
    ranks_mod,
)
from polyrank.network.normal_form import Network
from polyrank.posed.branch import Branch
from polyrank.posed.ranks import ExactRanks, sloped_units
from polyrank.topology.manifold import Manifold
from polyrank.topology.residues import (
    edge_residues,
    image_residues,
)
from polyrank.topology.subdivide import Subdivision

__all__ = ["ambient_ranks", "cell_vertices", "position_ranks", "tangent_ranks"]

_BLOCK = 1 << 18  # entries of a block of matrices: 2 MB


def ambient_ranks(
    network: Network, signs: NDArray[np.int8], *, jobs: int | None = None
) -> NDArray[np.int16]:
    """Ranks of ``J_K`` for given sign vectors.

    Parameters
    ----------
    network : Network
    signs : int8, shape (f, N)
        Sign vectors over the units with a hyperplane; fewer columns than N give the ranks
        through the layers that they cover.
    jobs : int, optional
        Threads; default: all that this process may use.

    Returns
    -------
    ndarray of int16, shape (f, L)
        Exact, through the layers 1..L covered by the columns.
    """
    if not len(signs):
        return np.zeros((0, _covered(network, signs)), np.int16)
    words = pack_bits(signs > 0) if signs.shape[1] else np.zeros((len(signs), 1), np.uint8)
    rows = np.ascontiguousarray(words).view(np.dtype((np.void, words.shape[1]))).ravel()
    _, first, number = np.unique(rows, return_index=True, return_inverse=True)
    distinct = np.where(signs[first] > 0, 1, -1).astype(np.int8)
    n = network.input_dim
    identity = fmpq_mat(n, n, [fmpq(int(i == j)) for i in range(n) for j in range(n)])
    base = Bases(np.eye(n, dtype=np.int64)[None], np.array([n]), lambda _: identity)
    prime = fitting_prime(SMALL_PRIMES[0], network)
    ranks = _ranks(network, distinct, np.zeros(len(distinct), np.int64), base, prime, jobs)
    return np.asarray(ranks[number.ravel()])


def tangent_ranks(
    network: Network, sub: Subdivision, *, jobs: int | None = None
) -> list[NDArray[np.int16]]:
    """Ranks of Φ_K restricted to every cell: the dimension of its image.

    A simplex of M may be degenerate in position (its vertices affinely dependent): a cell is a
    set of barycentric coordinates, and its rank is that of Φ_K as a function of these.

    Parameters
    ----------
    network : Network
    sub : Subdivision
    jobs : int, optional
        Threads; default: all that this process may use.

    Returns
    -------
    list of int16 arrays, shape (f_d, L)
        Per dimension d; exact.
    """
    manifold = sub.vertices.manifold
    layers = _covered(network, sub.signs[0])
    prime = fitting_prime(SMALL_PRIMES[0], network, manifold.points)
    out = [np.full((len(s), layers), -1, np.int16) for s in sub.signs]
    for d, simplices in enumerate(manifold.simplices):
        full = np.flatnonzero((sub.carrier[d] == d)[:, 0])
        base = _edge_bases(manifold, d, edge_residues(manifold, simplices, prime), prime)
        out[d][full] = _ranks(
            network, sub.signs[d][full], sub.carrier[d][full, 1], base, prime, jobs
        )
    _lower_cells(network, sub, out, prime)
    return out


def position_ranks(network: Network, manifold: Manifold) -> list[NDArray[np.int64]]:
    """Dimension of every simplex as a set of points of R^n, per dimension, exact; (f_d,).

    It is below d where the vertices of a d-simplex are affinely dependent. The network only says
    which prime is used.
    """
    prime = fitting_prime(SMALL_PRIMES[0], network, manifold.points)
    return [
        _edge_bases(manifold, d, edge_residues(manifold, simplices, prime), prime).rank
        for d, simplices in enumerate(manifold.simplices)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Bases:
    """Matrices B_i by which the linear parts are multiplied from the right.

    Attributes
    ----------
    residues : int64 array, shape (f, n, k)
        Modulo the prime.
    rank : int array, shape (f,)
        Exact ranks.
    exact : callable
        The number i to B_i over ℚ.
    """

    residues: Residues
    rank: NDArray[np.int64]
    exact: Callable[[int], fmpq_mat]


def _edge_bases(manifold: Manifold, d: int, base: Residues, prime: int) -> Bases:
    """The edge vectors of the d-simplices; their rank is below d where one is degenerate."""
    exact = partial(_edge_vectors, manifold, d)
    rank = ranks_mod(base, prime)
    for i in np.flatnonzero(rank < min(d, manifold.ambient)).tolist():
        rank[i] = int(exact(i).rank())
    return Bases(base, rank, exact)


def _covered(network: Network, signs: NDArray[np.int8]) -> int:
    """The number of layers that the columns of sign vectors cover; the output layer included."""
    total = np.cumsum(network.bits)
    return int(np.searchsorted(total, signs.shape[1], side="right"))


def _ranks(
    network: Network,
    signs: NDArray[np.int8],
    which: NDArray[np.int64],
    base: Bases,
    prime: int,
    jobs: int | None = None,
) -> NDArray[np.int16]:
    """Ranks of ``J_K B_i`` for sign vectors and the numbers i of base matrices B_i."""
    layers = _covered(network, signs)
    out = np.zeros((len(signs), layers), np.int16)
    k = base.residues.shape[2]
    if not len(signs) or k == 0 or layers == 0:
        return out
    widest = max(layer.units for layer in network.layers[:layers])
    step = max(1, _BLOCK // (widest * k))
    reduced = [layer_residues(layer, prime) for layer in network.layers[:layers]]
    sloped = [sloped_units(layer) for layer in network.layers[:layers]]
    random = np.random.default_rng(0)
    mix = [random.integers(1, prime, size=(k, la.units)) for la in network.layers[:layers]]

    def block(start: int) -> NDArray[np.int64]:
        """Fill a block of rows, and say which of them are not proved."""
        part = slice(start, start + step)
        J = base.residues[which[part]]
        bound = base.rank[which[part]]
        proved = np.ones(len(J), dtype=bool)
        column = 0
        for index, layer in enumerate(network.layers[:layers]):
            weight, _, low, high = reduced[index]
            split = layer.has_hyperplane
            count = int(split.sum())
            own = np.ones((len(J), layer.units), np.int8)
            own[:, split] = signs[part, column : column + count]
            column += count
            J = products_mod(weight, J, prime)
            up = (own > 0) | ~split
            J = J * np.where(up, high, low)[:, :, None] % prime
            # a slope that is 0 modulo the prime need not be 0
            live = (np.where(up, *sloped[index]) & ((own != 0) | ~split)).sum(axis=1)
            bound = np.minimum(bound, live)
            # a random projection to k rows keeps the rank, or lowers the lower bound
            lower = ranks_mod(products_mod(mix[index], J, prime), prime)
            proved &= lower == bound
            out[part, index] = lower
            bound = lower  # replaced below where this is not yet proved
        return start + np.flatnonzero(~proved)

    starts = range(0, len(signs), step)
    unsettled = {int(row) for rows in each(block, starts, jobs) for row in rows}
    _settle(network, signs, which, base.exact, out, unsettled)
    return out


def _settle(
    network: Network,
    signs: NDArray[np.int8],
    which: NDArray[np.int64],
    exact_base: Callable[[int], fmpq_mat],
    out: NDArray[np.int16],
    unsettled: set[int],
) -> None:
    """Replace ranks that the bounds left open by ranks over ℚ, from that layer on."""
    seen: dict[tuple[int, bytes], list[int]] = {}
    layers = out.shape[1]
    for row in sorted(unsettled):
        key = int(which[row]), signs[row].tobytes()
        if key not in seen:
            origin = fmpq_mat(network.input_dim, 1)
            branch = Branch(network, origin, exact_base(int(which[row])))
            own = signs[row, : branch.starts[layers]]
            seen[key] = ExactRanks(branch, layers).ranks(own > 0, own == 0)
        out[row] = seen[key]


def _edge_vectors(manifold: Manifold, d: int, simplex: int) -> fmpq_mat:
    corners = [manifold.point(v) for v in manifold.simplices[d][simplex].tolist()]
    n = manifold.ambient
    entries = [corners[j + 1][i] - corners[0][i] for i in range(n) for j in range(d)]
    return fmpq_mat(n, d, entries)


def _lower_cells(
    network: Network, sub: Subdivision, ranks: list[NDArray[np.int16]], prime: int
) -> None:
    """Ranks on cells inside larger cells, where M has none of that dimension itself.

    A facet of a cell of rank ρ has rank ρ or ρ − 1; it is ρ − 1 if a unit of a later layer, which
    sees the image only, vanishes on the facet and not on the cell. What this leaves open is bounded
    by the images of the vertices modulo a prime, and else decided by their exact images.
    """
    later = np.cumsum(network.bits)
    images: tuple[list[Residues], NDArray[np.bool_]] | None = None
    for d in range(len(ranks) - 1, -1, -1):
        open_cells = np.flatnonzero((ranks[d] < 0).any(axis=1))
        if not open_cells.size:
            continue
        low = np.zeros((open_cells.size, ranks[d].shape[1]), np.int16)
        high = np.full_like(low, d)
        rows = sub.boundary[d].tocsr()[open_cells]
        cell = np.repeat(np.arange(open_cells.size), np.diff(rows.indptr))
        above = rows.indices
        own, over = sub.signs[d][open_cells[cell]], sub.signs[d + 1][above]
        cut = (own == 0) & (over != 0)
        for k in range(ranks[d].shape[1]):
            rank = ranks[d + 1][above, k]
            lost = cut[:, later[k] :].any(axis=1)
            np.minimum.at(high[:, k], cell, rank - lost.astype(np.int16))
            np.maximum.at(low[:, k], cell, rank - 1)
        # composing maps never raises a rank
        high = np.minimum.accumulate(high, axis=1)
        low = np.maximum.accumulate(low[:, ::-1], axis=1)[:, ::-1].copy()
        undecided = np.flatnonzero((low < high).any(axis=1))
        if undecided.size:
            images = images or image_residues(network, sub, low.shape[1], prime)
            _bound_by_images(sub, d, open_cells, undecided, low, high, images, prime)
        ranks[d][open_cells] = np.where(low == high, high, -1)
        for i in np.flatnonzero((low < high).any(axis=1)).tolist():
            c = int(open_cells[i])
            members = cell_vertices(sub, d, c)
            for k in np.flatnonzero(low[i] < high[i]).tolist():
                exact = [sub.vertices.exact_image(v, k + 1) for v in members]
                base = exact[0]
                entries = [a - b for image in exact[1:] for a, b in zip(image, base, strict=True)]
                ranks[d][c, k] = int(fmpq_mat(len(exact) - 1, len(base), entries).rank())


def _bound_by_images(
    sub: Subdivision,
    d: int,
    cells: NDArray[np.int64],
    chosen: NDArray[np.int64],
    low: NDArray[np.int16],
    high: NDArray[np.int16],
    images: tuple[list[Residues], NDArray[np.bool_]],
    prime: int,
) -> None:
    """Raise lower bounds to the rank of the images of the vertices modulo the prime."""
    residues, usable = images
    corners = _independent_vertices(sub, d, cells[chosen])
    fit = usable[corners].all(axis=1)
    for k, image in enumerate(residues):
        todo = np.flatnonzero((low[chosen, k] < high[chosen, k]) & fit)
        if todo.size:
            at = image[corners[todo]]
            spread = (at[:, 1:] - at[:, :1]).transpose(0, 2, 1) % prime
            rows = chosen[todo]
            low[rows, k] = np.maximum(low[rows, k], ranks_mod(spread, prime))


def _independent_vertices(sub: Subdivision, d: int, cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Some d + 1 vertices of every d-cell, affinely independent; shape (f, d + 1).

    Those of a facet, and one outside of it: a vertex of another facet.
    """
    if d == 0:
        return cells[:, None]
    matrix = sub.boundary[d - 1]
    first, second = matrix.indices[matrix.indptr[cells]], matrix.indices[matrix.indptr[cells] + 1]
    base = _independent_vertices(sub, d - 1, first.astype(np.int64))
    other = second.astype(np.int64)
    if d == 1:
        apex = other
    elif d == 2:
        ends = sub.boundary[0][:, other].indices.reshape(-1, 2)
        taken = (ends[:, :1] == base).any(axis=1)
        apex = np.where(taken, ends[:, 1], ends[:, 0]).astype(np.int64)
    else:
        found = []
        for one, two in zip(first.tolist(), other.tolist(), strict=True):
            inside = set(cell_vertices(sub, d - 1, one))
            found.append(next(v for v in cell_vertices(sub, d - 1, two) if v not in inside))
        apex = np.array(found, dtype=np.int64)
    return np.concatenate([base, apex[:, None]], axis=1)


def cell_vertices(sub: Subdivision, d: int, cell: int) -> list[int]:
    """The vertices of a d-cell, ascending."""
    cells = {cell}
    for matrix in reversed(sub.boundary[:d]):
        cells = {
            int(r) for c in cells for r in matrix.indices[matrix.indptr[c] : matrix.indptr[c + 1]]
        }
    return sorted(cells)
