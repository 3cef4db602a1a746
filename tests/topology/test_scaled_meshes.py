"""Cells, low-rank parts and their homology on curves, surfaces and solids of any magnitude.

``python -m tests.scales topology 100000`` runs 10^5 random networks. The oracle cuts one simplex
after another in rationals, takes ranks of exact images, and reads homology off the order complex
of the cells: chains of faces, mod 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray
from polyrank.topology.layers import LayerHomology, homology_table
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.restriction import Restriction, restrict
from tests.scales import count, exactly, scaled_box, scaled_network
from tests.topology.exact_subdivision import ExactCell, Point, glued_cells, preactivations

Key = tuple[frozenset[int], tuple[int, ...]]

#: Facets, and corners in the unit cube (halves).
SHAPES: dict[str, tuple[list[list[list[int]]], list[list[float]]]] = {
    "segments": ([[[0, 1], [1, 2]]], [[0], [0.5], [1]]),
    "two segments": ([[[0, 1], [2, 3]]], [[0], [0.5], [0.5], [1]]),
    "circle": ([[[0, 1], [1, 2], [2, 0]]], [[0, 0], [1, 0.5], [0.5, 1]]),
    "square": ([[[0, 1], [1, 2], [2, 3], [3, 0]]], [[0, 0], [1, 0], [1, 1], [0, 1]]),
    "strip": ([[[0, 1, 2], [1, 2, 3]]], [[0, 0], [1, 0], [0, 1], [1, 1]]),
    "triangle and tail": ([[[0, 1, 2]], [[2, 3]]], [[0, 0], [1, 0.5], [0.5, 1], [1, 1]]),
    "curve in space": (
        [[[0, 1], [1, 2], [2, 3], [3, 0]]],
        [[0, 0, 0], [1, 0, 0.5], [1, 1, 1], [0, 0.5, 1]],
    ),
    "sphere": (
        [[[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]],
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]],
    ),
    "solid": ([[[0, 1, 2, 3]]], [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.5, 0.5, 1]]),
}


def scaled_corners(rng: np.random.Generator, corners: list[list[float]]) -> RationalArray:
    """Points of the unit cube in a box of any widths and offsets."""
    lower, upper = scaled_box(rng, len(corners[0]))
    points = [
        exactly(a + (b - a) * Fraction(c))
        for corner in corners
        for a, b, c in zip(lower, upper, corner, strict=True)
    ]
    return RationalArray.from_rationals(points, (len(corners), len(lower)))


def scaled_mesh(rng: np.random.Generator, name: str) -> Manifold:
    """One of the shapes in a box of any widths and offsets."""
    facets, corners = SHAPES[name]
    return build_manifold(scaled_corners(rng, corners), facets, name)


def network_on(rng: np.random.Generator, manifold: Manifold) -> Network:
    """A network with many hyperplanes through the middle of a face of the mesh."""
    facet = manifold.simplices[-1][int(rng.integers(len(manifold.simplices[-1])))].tolist()
    chosen = facet[: int(rng.integers(1, len(facet) + 1))]
    middle = [
        sum(column, fmpq(0)) / len(chosen)
        for column in zip(*map(manifold.point, chosen), strict=True)
    ]
    near = [Fraction(float(Fraction(int(v.p), int(v.q)))) for v in middle]
    return scaled_network(rng, manifold.ambient, near)


def agrees(seed: int) -> str:
    """Compare cells, tangent ranks, ``A_r^K``, H(M), H(A) and H(M/A) in all layers."""
    rng = np.random.default_rng(seed)
    name = list(SHAPES)[seed % len(SHAPES)]
    manifold = scaled_mesh(rng, name)
    network = network_on(rng, manifold)
    cells = glued_cells(network, manifold)
    if len(cells) > 150:
        return "too large for the oracle"
    found = restrict(network, manifold)
    numbers = _numbered(found)
    assert set(numbers) == set(cells)
    ranks = {key: _ranks(network, cell) for key, cell in cells.items()}
    for key, (d, i) in numbers.items():
        assert d == cells[key].dimension
        assert found.tangent_rank[d][i].tolist() == ranks[key]
    faces = _faces(cells)
    rank = int(rng.integers(2))
    reading = "collapsing" if rng.random() < 0.7 else "all"
    table = homology_table(found, rank=rank, coefficients=2, reading=reading)
    whole = _betti(faces, set(cells), set())
    for layer, row in enumerate(table):
        part = {
            key
            for key in cells
            if not any(key in below for below in faces.values())
            and ranks[key][layer] <= rank
            and (reading == "all" or ranks[key][layer] < cells[key].dimension)
        }
        part |= set().union(*(faces[key] for key in part))
        _compare(row, numbers, part, whole, faces)
    return name


def _numbered(found: Restriction) -> dict[Key, tuple[int, int]]:
    out = {}
    simplices = found.manifold.simplices
    for d, (signs, carriers) in enumerate(zip(found.signs, found.carrier, strict=True)):
        pairs = zip(signs.tolist(), carriers.tolist(), strict=True)
        for i, (sign, (cd, ci)) in enumerate(pairs):
            key = frozenset(simplices[cd][ci].tolist()), tuple(sign)
            assert key not in out, "a cell is listed twice"
            out[key] = d, i
    return out


def _compare(
    row: LayerHomology,
    numbers: dict[Key, tuple[int, int]],
    part: set[Key],
    whole: list[int],
    faces: dict[Key, set[Key]],
) -> None:
    assert {key for key, (d, i) in numbers.items() if row.part.mask[d][i]} == part
    relative = _betti(faces, set(numbers), part)
    quotient = [relative[0] + bool(part), *relative[1:]]  # H(M/A) is H(M, A) and one more point
    for groups, expected in (
        (row.homology.manifold, whole),
        (row.homology.part, _betti(faces, part, set())),
        (row.homology.relative, relative),
        (row.homology.one_point, quotient),
    ):
        betti = list(groups.betti)
        assert betti == expected[: len(betti)]
        assert not any(expected[len(betti) :])


def _ranks(network: Network, cell: ExactCell) -> list[int]:
    """The dimension of the cell's image in every layer, from the images of its vertices."""
    images = [_images(network, point) for point in cell.points]
    out = []
    for layer in range(len(network.layers)):
        first, *others = [image[layer] for image in images]
        rows = [[a - b for a, b in zip(other, first, strict=True)] for other in others]
        out.append(int(fmpq_mat(rows).rank()) if rows else 0)
    return out


def _images(network: Network, point: Point) -> list[list[fmpq]]:
    return [
        [p * v if v > 0 else n * v for v, (n, p) in zip(z, layer.slopes_exact, strict=True)]
        for z, layer in zip(preactivations(network, point), network.layers, strict=True)
    ]


def _faces(cells: dict[Key, ExactCell]) -> dict[Key, set[Key]]:
    """The proper faces of every cell: fewer corners or more zeros, and otherwise the same signs."""
    return {
        (corners, signs): {
            (below, own)
            for below, own in cells
            if (below, own) != (corners, signs)
            and below <= corners
            and all(a in (0, b) for a, b in zip(own, signs, strict=True))
        }
        for corners, signs in cells
    }


def _betti(faces: dict[Key, set[Key]], cells: set[Key], part: set[Key]) -> list[int]:
    """Betti numbers mod 2 of (cells, part), by chains of faces that do not lie in the part."""
    chains: list[list[tuple[Key, ...]]] = [[(key,) for key in cells - part]]
    starts = {key: [(key,)] for key in cells}
    while chains[-1]:
        longer = {key: [(key, *c) for f in faces[key] for c in starts[f]] for key in cells}
        chains.append([c for key in cells - part for c in longer[key]])
        starts = longer
    sizes = [len(level) for level in chains]
    ranks = [0] + [_rank_mod_2(_boundaries(*pair)) for pair in pairwise(chains)]
    ranks.append(0)
    betti = [size - ranks[d] - ranks[d + 1] for d, size in enumerate(sizes)]
    return [*betti, 0, 0, 0, 0][:4]


def _boundaries(lower: list[tuple[Key, ...]], upper: list[tuple[Key, ...]]) -> Iterable[int]:
    """Columns as bit masks. A chain is in the part if its largest cell is: those are no rows."""
    row = {chain: 1 << i for i, chain in enumerate(lower)}
    for chain in upper:
        yield sum(row.get(chain[:i] + chain[i + 1 :], 0) for i in range(len(chain)))


def _rank_mod_2(columns: Iterable[int]) -> int:
    pivots: dict[int, int] = {}
    for column in columns:
        rest = column
        while rest and rest.bit_length() in pivots:
            rest ^= pivots[rest.bit_length()]
        if rest:
            pivots[rest.bit_length()] = rest
    return len(pivots)


def test_meshes_of_any_magnitude() -> None:
    outcomes = count(agrees, 0, 45)
    assert "DIFFERENT" not in outcomes
    assert set(SHAPES) <= set(outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_many_meshes_of_any_magnitude(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 300 * block, 300)
