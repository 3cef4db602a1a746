"""Images that touch, nearly touch or overlap by the last bit of a coordinate, or by far less.

Simplices are thrown together: their corners lie on a small grid, in other corners, or on other
simplices and their lines, and half of them are moved from there by 2^-52 or so along an axis. The
brute force has basic solutions in rationals. ``python -m tests.image.test_touching 10000`` compares
that many.
"""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest

from polyrank.image.intersection import meeting_dimension
from polyrank.image.overlap import overlap_decomposition
from polyrank.image.pieces import pieces
from polyrank.image.separate import separate
from polyrank.network.normal_form import Network, affine_layer, relu_layer
from polyrank.network.rational import RationalArray
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.restriction import restrict
from tests.image.brute_force import all_overlaps
from tests.image.test_homeomorphism import check_all_pairs, through
from tests.image.test_nerve import compare
from tests.image.test_scales import classes_agree
from tests.scales import count

Place = list[Fraction]

_MOST_PIECES, _MOST_CELLS = 6, 60
_BITS = 40, 50, 51, 52, 52, 53, 60, 200, 1000
_DIMENSIONS = {1: [1], 2: [1, 1, 2], 3: [1, 2, 2, 3], 4: [1, 2, 2]}
"""Of the simplices, by that of the space."""


class _Heap:
    """Simplices in R^m; ``labels`` are their classes."""

    def __init__(self, rng: np.random.Generator, m: int) -> None:
        self.rng, self.m = rng, m
        self.places: list[Place] = []
        self.simplices: list[list[int]] = []
        self.labels: list[int] = []

    def throw(self, dimension: int, label: int = 0, *, own: bool = False) -> None:
        """One more simplex; with ``own`` no corner is one of another simplex."""
        corners: list[int] = []
        while len(corners) <= dimension:
            if self.places and not own and self.rng.random() < 0.35:
                v = int(self.rng.integers(len(self.places)))
                corners += [v] if v not in corners else []
            else:
                self.places.append(self._place())
                corners.append(len(self.places) - 1)
        if sorted(corners) not in map(sorted, self.simplices):
            self.simplices.append(corners)
            self.labels.append(label)

    def _place(self) -> Place:
        rng, kind = self.rng, self.rng.random()
        if kind < 0.35 or not self.simplices:
            place = [Fraction(int(v)) for v in rng.integers(-2, 3, self.m)]
        elif kind < 0.5:
            place = list(self.places[int(rng.integers(len(self.places)))])
        elif kind < 0.7:  # on the line through two others
            a, b = (self.places[int(rng.integers(len(self.places)))] for _ in range(2))
            share = Fraction(int(rng.choice([1, 2, 4, 7, 16, -8])), 8)
            place = [x + (y - x) * share for x, y in zip(a, b, strict=True)]
        else:
            corners = self.simplices[int(rng.integers(len(self.simplices)))]
            weights = rng.multinomial(8, np.full(len(corners), 1 / len(corners))).tolist()
            place = [Fraction(0)] * self.m
            for w, v in zip(weights, corners, strict=True):
                place = [x + y * w / 8 for x, y in zip(place, self.places[v], strict=True)]
        if rng.random() < 0.5:
            step = Fraction(int(rng.choice([-1, 1, 1, 2])), 1 << int(rng.choice(_BITS)))
            place[int(rng.integers(self.m))] += step
        return place

    def manifold(self) -> Manifold:
        """All of them, with their classes."""
        points = RationalArray.from_rationals(
            [v for place in self.places for v in place], (len(self.places), self.m)
        )
        sizes = sorted(set(map(len, self.simplices)))
        pairs = list(zip(self.simplices, self.labels, strict=True))
        groups = [[own for own in pairs if len(own[0]) == size] for size in sizes]
        labels = [np.array([label for _, label in own]) for own in groups]
        return build_manifold(points, [[s for s, _ in own] for own in groups], labels=labels)


def _heap(rng: np.random.Generator, m: int, most: int) -> Manifold:
    heap = _Heap(rng, m)
    for _ in range(int(rng.integers(2, most + 1))):
        heap.throw(int(rng.choice(_DIMENSIONS[m])))
    return heap.manifold()


def _affine(rng: np.random.Generator, m: int) -> np.ndarray:
    """A matrix of determinant ± a power of two."""
    matrix = np.eye(m)
    for _ in range(3):
        i, j = rng.integers(0, m, 2)
        if i != j:
            matrix[i] += float(rng.choice([-1, 1, 2])) * matrix[j]
    return matrix * np.ldexp(1.0, rng.integers(-3, 4, (m, 1)))


def _network(rng: np.random.Generator, m: int) -> Network:
    """An affine map, and then perhaps a projection or a fold, nearly or not."""
    layers = [affine_layer(_affine(rng, m), rng.integers(-2, 3, m).astype(float))]
    kind, fewer = rng.random(), max(1, m - 1)
    if kind < 0.25:
        layers.append(affine_layer(rng.integers(-1, 2, (fewer, m)).astype(float), np.zeros(fewer)))
    elif kind < 0.5:
        slope = float(rng.choice([0, -1, 2.0**-52, -1 + 2.0**-52]))
        layers.append(relu_layer(np.eye(m), np.zeros(m), slope=slope))
    return Network(tuple(layers))


def _overlaps(rng: np.random.Generator) -> str:
    """Pairs, their dimensions and what they say of the map, against the brute force."""
    m = int(rng.choice([1, 2, 2, 3, 3, 4]))
    space, network = _heap(rng, m, 4), _network(rng, m)
    cells = restrict(network, space)
    layer = int(rng.integers(0, len(network.layers) + 1))
    listed = overlap_decomposition(cells, layer)
    own = pieces(cells, layer)
    if max(own.count, listed.pieces.count) > _MOST_PIECES:
        return "too large for the oracle"
    pairs = list(map(tuple, listed.pairs.tolist()))
    assert set(pairs) == all_overlaps(listed.pieces)
    for (i, j), d in zip(pairs, listed.dimension.tolist(), strict=True):
        assert d == meeting_dimension(*map(listed.pieces.exact_image, (i, j)))
    found = through(network, space, layer)
    if own.collapsed.any():
        assert found.at(layer) is False
        return "a cell is flattened"
    if own.count > 1:
        check_all_pairs(own)
    one_to_one = not all_overlaps(own)
    assert found.at(layer) is one_to_one
    return f"one-to-one: {one_to_one}"


def _shares(rng: np.random.Generator) -> str:
    """A one-to-one affine map keeps pairs, groups of equal images and shares."""
    m = int(rng.choice([1, 2, 2, 3]))
    space = _heap(rng, m, 6)
    cells = restrict(Network((affine_layer(_affine(rng, m), np.zeros(m)),)), space)
    before, after = (overlap_decomposition(cells, layer) for layer in (0, 1))
    own = [
        dict(zip(map(tuple, found.pairs.tolist()), found.dimension.tolist(), strict=True))
        for found in (before, after)
    ]
    assert own[0] == own[1]
    assert before.groups == after.groups
    shares = [{d: s.by_simplex for d, s in found.share.items()} for found in (before, after)]
    assert shares[0] == shares[1]
    return f"{len(shares[0])} shares"


def _groups(rng: np.random.Generator) -> str:
    """The groups of the images in two ways: by the nerve and by the common refinement."""
    m = int(rng.choice([2, 2, 3]))
    space, network = _heap(rng, m, 3), _network(rng, m)
    if space.dimension > 2 or sum(map(len, restrict(network, space).carrier)) > _MOST_CELLS:
        return "too large for the oracle"
    compare(network, space, coefficients=2)
    return "groups"


def _classes(rng: np.random.Generator) -> str:
    """Whether the images of two classes meet, and whether a hyperplane separates them."""
    m = int(rng.choice([1, 2, 2, 3, 3, 4]))
    heap = _Heap(rng, m)
    for label in (0, 1):
        for _ in range(int(rng.integers(1, 3))):
            heap.throw(int(rng.choice(_DIMENSIONS[m])), label, own=True)
    space, network = heap.manifold(), _network(rng, m)
    if sum(map(len, restrict(network, space).carrier)) > _MOST_CELLS:
        return "too large for the oracle"
    return classes_agree(separate(network, space))


_KINDS = _overlaps, _shares, _groups, _classes


def agrees(seed: int) -> str:
    """One of the questions above."""
    return _KINDS[seed % len(_KINDS)](np.random.default_rng(seed))


def test_images_that_nearly_touch() -> None:
    outcomes = count(agrees, 0, 48)
    assert "DIFFERENT" not in outcomes
    assert {"one-to-one: True", "one-to-one: False", "groups"} <= set(outcomes)
    assert {"classes: apart", "classes: meet", "2 shares"} <= set(outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_many_images_that_nearly_touch(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 200 * block, 200)


if __name__ == "__main__":
    sys.stdout.write(f"{dict(count(agrees, 0, int(sys.argv[1])))}\n")
