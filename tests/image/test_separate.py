"""Classes apart or not: known geometry, and brute force over all pairs of cells in rationals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from flint import fmpq

from polyrank.errors import DomainError, RefutedError
from polyrank.image.apart import Disjoint, Meeting
from polyrank.image.class_pair import HullMeeting, LayerPair
from polyrank.image.hyperplane import Hyperplane
from polyrank.image.pieces import pieces
from polyrank.image.separate import Separation, separate
from polyrank.image.separation_object import SCOPE, separation_object
from polyrank.lp.deadline import OutOfTimeError
from polyrank.network.forward import forward, forward_exact
from polyrank.network.normal_form import Layer, Network, affine_layer
from polyrank.network.rational import RationalArray, fmpq_from_text
from polyrank.topology.manifold import Manifold, build_manifold
from polyrank.topology.ranks import cell_vertices
from polyrank.topology.restriction import Restriction
from polyrank.topology.shapes import shape
from tests.image.hulls import hulls_meet
from tests.image.test_linking import gauss, torus_link


def network(*layers: tuple[Any, Any, float], output: tuple[Any, Any] | None = None) -> Network:
    """Layers (W, b, slope below 0), and an affine output layer."""
    made = []
    for weight, bias, slope in layers:
        units = len(weight)
        made.append(
            Layer(
                RationalArray.from_floats(np.asarray(weight, float)),
                RationalArray.from_floats(np.asarray(bias, float)),
                RationalArray.from_floats(np.full(units, float(slope))),
                RationalArray.from_floats(np.ones(units)),
            )
        )
    if output is not None:
        made.append(affine_layer(np.asarray(output[0], float), np.asarray(output[1], float)))
    return Network(tuple(made), "made by hand")


def random_network(seed: int, widths: tuple[int, ...], slope: float, *, whole: bool) -> Network:
    random = np.random.default_rng(seed)
    weights = [random.normal(size=(b, a)) for a, b in pairwise(widths)]
    biases = [random.normal(size=b) / 2 for b in widths[1:]]
    if whole:  # small integers: cells that touch, collapse and coincide
        weights, biases = [np.round(w) for w in weights], [np.round(b) for b in biases]
    return Network.from_arrays(weights, biases, slope=slope)


def two_circles(m: int, centre: tuple[float, float], radius: float = 1.0) -> Manifold:
    t = 2 * np.pi * np.arange(m) / m
    one = np.round(np.stack([np.cos(t), np.sin(t)], axis=1) * 1024) / 1024
    i = np.arange(m)
    edges = np.stack([i, (i + 1) % m], axis=1)
    points = np.concatenate([one, radius * one + np.array(centre)])
    return build_manifold(
        points, [np.concatenate([edges, edges + m])], "two circles", labels=[np.repeat([0, 1], m)]
    )


def check(found: Separation) -> None:
    """Every certificate, by the plain forward pass and by exact arithmetic on all vertices."""
    network_ = found.restriction.network
    for row in found.rows:
        if isinstance(row.images, Meeting):
            for side in (row.images.first, row.images.second):
                assert sum(side.weights.values(), fmpq(0)) == 1
                assert min(side.weights.values()) > 0
                place = _place(found.restriction.manifold, side.weights)
                assert place == side.point
                assert _image(network_, side.point, row.layer) == row.images.image
        if isinstance(row.images, Disjoint):
            assert row.images.distance > 0
        if isinstance(row.linear, Hyperplane):
            for label, sign in ((row.first, 1), (row.second, -1)):
                for image in _images(found, label, row.layer):
                    assert sign * row.linear.value(image) > 0
        if isinstance(row.linear, HullMeeting):
            for side in (row.linear.first, row.linear.second):
                assert sum((w for w, _ in side), fmpq(0)) == 1
                assert min(w for w, _ in side) > 0
                total = [fmpq(0)] * len(row.linear.image)
                for w, at in side:
                    image = _image(network_, at.point, row.layer)
                    total = [t + w * v for t, v in zip(total, image, strict=True)]
                assert tuple(total) == row.linear.image
    if found.classification is not None:
        for own in found.classification.classes:
            assert _image(network_, own.at.point, found.restriction.layers) == own.output


def _place(manifold: Manifold, weights: Mapping[int, fmpq]) -> tuple[fmpq, ...]:
    """The point, whose corners must span a simplex of M."""
    corners = sorted(weights)
    assert corners in manifold.simplices[len(corners) - 1].tolist()
    total = [fmpq(0)] * manifold.ambient
    for corner, w in weights.items():
        total = [t + w * v for t, v in zip(total, manifold.point(corner), strict=True)]
    return tuple(total)


def _image(network_: Network, x: tuple[fmpq, ...], layer: int) -> tuple[fmpq, ...]:
    return forward_exact(network_, list(x), layer=layer) if layer else x


def _images(found: Separation, label: int, layer: int) -> list[tuple[fmpq, ...]]:
    return [x for hull in _hulls(found, label, layer) for x in hull]


def _hulls(found: Separation, label: int, layer: int) -> list[list[tuple[fmpq, ...]]]:
    cells = found.restriction
    return [
        [
            _image(cells.network, tuple(cells.vertices.exact_point(v)), layer)
            for v in _corners(cells, d, cell)
        ]
        for d, cell in _cells(cells, found, label)
    ]


def _cells(cells: Restriction, found: Separation, label: int) -> list[tuple[int, int]]:
    out = []
    for d, mask in enumerate(cells.maximal):
        for cell in np.flatnonzero(mask).tolist():
            carrier = cells.carrier[d][cell]
            if cells.manifold.labels[int(carrier[0])][int(carrier[1])] == label:
                out.append((d, cell))
    return out


def _corners(cells: Restriction, d: int, cell: int) -> list[int]:
    return cell_vertices(cells._cut, d, cell)


def brute_force(found: Separation, layer: int) -> bool:
    """Do the images of classes 0 and 1 meet: every pair of cells, by weights."""
    sides = [_hulls(found, label, layer) for label in (0, 1)]
    return any(hulls_meet(a, b) for a, b in product(*sides))


def _small(seed: int) -> tuple[Network, Manifold]:
    slope = (0.0, -1.0, 0.5, 0.0)[seed % 4]
    net = random_network(seed, (2, 2, 2, 2), slope, whole=seed % 8 >= 4)
    return net, two_circles(4, (0.5, 2.25 + seed % 3))


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(s, marks=pytest.mark.slow) for s in range(8, 48))]
)
def test_agrees_with_brute_force(seed: int) -> None:
    found = separate(*_small(seed))
    check(found)
    for row in found.rows:
        assert row.disjoint is not brute_force(found, row.layer)
        hulls = [_images(found, label, row.layer) for label in (0, 1)]
        assert row.separable is not hulls_meet(*hulls)
    assert found.decided


def _solids(move: float) -> Manifold:
    """Two cubes of six tetrahedra each."""
    corners = np.array(list(product((0.0, 1.0), repeat=3)))
    paths = [[0, a, a | b, 7] for a, b in ((1, 2), (2, 1), (1, 4), (4, 1), (2, 4), (4, 2))]
    tetrahedra = np.array(paths)
    return build_manifold(
        np.concatenate([corners, corners[:, ::-1] + np.array([move, 0.25, 0.5])]),
        [np.concatenate([tetrahedra, tetrahedra + 8])],
        labels=[np.repeat([0, 1], 6)],
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_surfaces_and_solids_agree_with_brute_force(seed: int) -> None:
    slope = (0.0, -1.0, 0.5)[seed % 3]
    space = (shape("linked-tori:3"), _solids(1.5), _solids(0.75), shape("disk-in-annulus:3"))[
        seed % 4
    ]
    widths = (space.ambient, 2 + seed % 2, 2)
    found = separate(random_network(seed, widths, slope, whole=seed % 2 == 1), space)
    check(found)
    for row in found.rows:
        assert row.disjoint is not brute_force(found, row.layer)
        hulls = [sorted(set(_images(found, label, row.layer))) for label in (0, 1)]
        assert row.separable is not hulls_meet(*hulls)


def test_brute_force_sees_both_answers() -> None:
    """The test above is about something: these verdicts occur."""
    seen = set()
    for seed in range(16):
        seen |= {(row.disjoint, row.separable) for row in separate(*_small(seed)).rows}
    assert {(True, True), (False, False)} <= seen


@pytest.mark.parametrize("seed", range(6))
def test_distances_are_lower_bounds(seed: int) -> None:
    """Sampled points are never nearer than the bound, and the bound is not far below them."""
    net = random_network(seed, (2, 4, 3), -1.0, whole=False)
    found = separate(net, two_circles(40, (0.0, 5.0)))
    for row in found.rows:
        if not isinstance(row.images, Disjoint):
            continue
        ends = [
            np.array([[float(v.p) / float(v.q) for v in x] for x in _images(found, c, row.layer)])
            for c in (0, 1)
        ]
        least = min(float(np.linalg.norm(a - ends[1], axis=1).min()) for a in ends[0])
        bound = float(row.images.distance.p) / float(row.images.distance.q)
        assert bound <= least
        assert bound <= row.images.near * (1 + 1e-9)
        assert bound > 0.99 * row.images.near
        # a fine sample of the curves themselves
        x = found.restriction.manifold.points.approx.reshape(2, 40, 2)
        t = np.arange(25)[None, None, :, None] / 25
        curve = (1 - t) * x[:, :, None] + t * np.roll(x, -1, axis=1)[:, :, None]
        values = forward(net, curve.reshape(-1, 2), layer=row.layer) if row.layer else curve
        sides = values.reshape(2, 1000, -1)
        least = min(float(np.linalg.norm(sides[1] - y, axis=1).min()) for y in sides[0])
        assert bound <= least * (1 + 1e-9)
        verify_planes(found, row)


def verify_planes(found: Separation, row: LayerPair) -> None:
    """Every hyperplane in rationals, at the exact images of all vertices of both pieces."""
    assert isinstance(row.images, Disjoint)
    own = pieces(found.restriction, row.layer)
    seen = set()
    planes = [(pair, w.tolist(), float(t)) for pair, w, t in zip(
        map(tuple, row.images.pairs.tolist()), row.images.normals, row.images.offsets, strict=True
    )]  # fmt: skip
    for (i, j), w, t in planes:
        seen.add((i, j))
        if (i, j) in row.images.exact:
            assert all(map(math.isnan, w))
            continue
        normal = [fmpq(*v.as_integer_ratio()) for v in w]
        offset = fmpq(*t.as_integer_ratio())
        ends = [
            [
                sum((a * b for a, b in zip(normal, y, strict=True)), fmpq(0))
                for y in own.exact_image(p)
            ]
            for p in (i, j)
        ]
        assert min(ends[0]) > offset > max(ends[1])
        gap, square = min(ends[0]) - max(ends[1]), sum((a * a for a in normal), fmpq(0))
        assert gap * gap >= row.images.distance**2 * square
    for (i, j), plane in row.images.exact.items():
        assert min(plane.value(y) for y in own.exact_image(i)) > 0
        assert max(plane.value(y) for y in own.exact_image(j)) < 0
    assert len(seen) == len(row.images.pairs)
    # all other pairs have boxes further apart, or the floats of a pair that is there
    low, high = own.boxes()
    family = {}
    for p in range(own.count):
        d, number = int(own.carrier_dimension[p]), int(own.carrier[p])
        family.setdefault(int(found.restriction.manifold.labels[d][number]), []).append(p)
    bound = float(row.images.distance.p) / float(row.images.distance.q)
    for i, j in product(family[0], family[1]):
        apart = np.maximum(0, np.maximum(low[j] - high[i], low[i] - high[j]))
        assert (i, j) in seen or np.linalg.norm(apart) >= bound * (1 - 1e-12)


@pytest.mark.parametrize("power", [0, -400, 400])
def test_hyperplanes_of_surfaces(power: int) -> None:
    """No two pieces have one image here, so that every near pair is listed."""
    scale = 2.0**power
    net = network((scale * np.eye(3), [0, 0, 0], 0.5), output=([[1, 2, 0], [0, 1, 3]], [0, 0]))
    found = separate(net, shape("linked-tori:4,tube=1/4"))
    for row in found.rows:
        if row.disjoint:
            verify_planes(found, row)
    assert found.rows[1].disjoint


def test_many_pieces_with_one_image_are_one() -> None:
    """Two disks that two layers collapse to a point each: one pair, not a million."""
    disk = shape("disk:60")
    points, facets = disk.points.approx, disk.simplices[2]
    both = build_manifold(
        np.concatenate([points, points + np.array([10.0, 0])]),
        [np.concatenate([facets, facets + len(points)])],
        labels=[np.repeat([0, 1], len(facets))],
    )
    # x ↦ min(max(x − 3, 0), 1)
    net = network(([[1, 0]], [-3], 0), ([[-1]], [1], 0), output=([[-1]], [1]))
    found = separate(net, both)
    last = found.rows[-1].images
    assert isinstance(last, Disjoint)
    assert len(last.pairs) + len(last.exact) == 1
    assert fmpq(999_999, 1_000_000) < last.distance <= 1


def _near_one(steps: list[fmpq], labels: list[int]) -> Manifold:
    """Points 1 + s · 2^−90: one float for all of them."""
    entries = [1 + s * fmpq(1, 2**90) for s in steps]
    points = RationalArray.from_rationals(entries, (len(entries), 1))
    return build_manifold(points, [np.arange(len(entries))[:, None]], labels=[labels])


def test_equal_floats_are_not_equal_points() -> None:
    steps = [fmpq(k) for k in range(5)]
    net = network(output=([[2.0]], [0]))
    meets = separate(net, _near_one([*steps, fmpq(3)], [0] * 5 + [1]))
    assert [r.disjoint for r in meets.rows] == [False, False]
    check(meets)
    apart = separate(net, _near_one([*steps, fmpq(9, 2)], [0] * 5 + [1]))
    check(apart)
    for row, factor in zip(apart.rows, (1, 2), strict=True):
        assert isinstance(row.images, Disjoint)
        assert len(row.images.exact) == 5
        assert row.images.distance == fmpq(factor, 2**91)
        for (i, j), plane in row.images.exact.items():
            assert i < 5 == j
            assert plane.normal != (0,)
    between = separate(net, _near_one([*steps, fmpq(5, 2)], [0] * 5 + [1]))
    assert [r.disjoint for r in between.rows] == [True, True]
    assert [r.separable for r in between.rows] == [False, False]
    check(between)


def test_gaps_whose_squares_vanish() -> None:
    """Boxes 2^−700 apart beside coordinates of size 1: the pair is not forgotten."""
    for gap in (2.0**-700, 0.0):
        points = [[0.0, 1.0], [0.0, -1.0], [gap, 0.0], [gap, 2.0]]
        two = build_manifold(points, [[[0, 1], [2, 3]]], labels=[[0, 1]])
        row = separate(network(output=(np.eye(2), [0, 0])), two).rows[0]
        assert row.disjoint is (gap > 0)
        if isinstance(row.images, Disjoint):
            assert row.images.distance == fmpq(1, 2**700)


def test_not_all_hyperplanes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network(output=(np.eye(3), [0, 0, 0]))
    whole = separate(net, shape("linked-tori:6"), layers=[0]).rows[0].images
    monkeypatch.setattr("polyrank.image.apart._MOST_KEPT", 1)
    monkeypatch.setattr("polyrank.image.apart.BATCH", 16)
    part = separate(net, shape("linked-tori:6"), layers=[0]).rows[0].images
    assert isinstance(whole, Disjoint)
    assert isinstance(part, Disjoint)
    assert len(whole.pairs) == whole.count
    assert len(part.pairs) <= 16 < part.count
    assert part.distance > fmpq(99, 100) * whole.distance


def test_known_distance() -> None:
    """Two squares at distance 1/2: the bound is just below it."""
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    edges = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
    both = build_manifold(
        np.concatenate([square, square + [1.5, 0]]),  # noqa: RUF005
        [np.concatenate([edges, edges + 4])],
        labels=[np.repeat([3, 7], 4)],
    )
    net = network(output=(np.eye(2) * 4, [0, 0]))
    rows = separate(net, both).pair(7, 3)
    for row, expected in zip(rows, (0.5, 2.0), strict=True):
        assert isinstance(row.images, Disjoint)
        assert expected * (1 - 1e-9) < float(row.images.distance.p) / float(row.images.distance.q)
        assert row.images.distance <= fmpq(*expected.as_integer_ratio())
        assert row.separable


def test_a_folded_circle_meets_its_mirror_image() -> None:
    """(x, |y|) takes two circles above and below the axis to one."""
    net = network(([[1, 0], [0, 1]], [0, 0], -1), output=([[0, 1]], [0]))
    found = separate(net, two_circles(8, (0.0, -6.0)))
    assert found.first_meeting(0, 1) is None  # centres (0, 0) and (0, −6): |y| is 0..1 and 5..7
    assert [r.separable for r in found.rows] == [True, True, True]
    shifted = network(([[1, 0], [0, 1]], [0, 3], -1), output=([[0, 1]], [0]))
    found = separate(shifted, two_circles(8, (0.0, -6.0)))
    assert found.first_meeting(0, 1) == 1
    assert [r.disjoint for r in found.rows] == [True, False, False]
    check(found)


def test_concentric_circles_need_the_absolute_value() -> None:
    """No line separates a circle from one around it; after (|x|, |y|) one does."""
    inner = two_circles(8, (0.0, 0.0), 4.0)
    net = network(([[1, 0], [0, 1]], [0, 0], -1), output=([[1, 1], [-1, -1]], [-2, 2]))
    found = separate(net, inner)
    assert [row.separable for row in found.rows] == [False, True, True]
    assert [row.disjoint for row in found.rows] == [True, True, True]
    check(found)
    # |x| + |y| ≥ 4 on the outer circle and ≤ √2 (octagon) on the inner one
    assert found.classification is not None
    assert not found.classification.certified  # output 0 is greatest on the outer circle, class 1
    swapped = network(([[1, 0], [0, 1]], [0, 0], -1), output=([[-1, -1], [1, 1]], [2, -2]))
    classification = separate(swapped, inner).classification
    assert classification is not None
    assert classification.certified
    # class 1: s − 2 − (2 − s) with s = |x| + |y| least at a vertex on an axis: s = 4
    assert classification.classes[1].margin == 4


def test_two_units_and_the_disk_in_its_annulus() -> None:
    """With widths 2 the images meet, or no line lies between them; a pair or a proof is shown."""
    for seed in range(5):
        net = random_network(seed, (2, 2, 2), 0.0, whole=False)
        found = separate(net, shape("disk-in-annulus:12"))
        check(found)
        assert found.rows[-1].separable is False
        assert found.rows[0].disjoint is True
        assert found.rows[0].separable is False


def test_tori_that_are_pulled_apart_and_pushed_together() -> None:
    tori = shape("linked-tori:8")
    # |y| − 1.6 folds the second torus (in the plane y = 0, |y| ≤ 1/2) and the first one
    together = network(([[1, 0, 0]], [0], 0), output=([[1]], [0]))
    found = separate(together, tori, layers=[0, 1])
    assert [r.disjoint for r in found.rows] == [True, False]
    assert found.first_meeting(0, 1) == 1
    check(found)
    apart = separate(network(output=(np.eye(3), [0, 0, 0])), tori)
    assert [r.disjoint for r in apart.rows] == [True, True]
    assert [r.separable for r in apart.rows] == [False, False]
    check(apart)


def _linking(found: Separation) -> list[tuple[int, ...] | None]:
    return [None if r.linking is None else r.linking.divisors for r in found.rows]


def test_linked_tori_stay_linked_under_homeomorphisms() -> None:
    turn = np.array([[0, 1, 0], [1, 0, 0.5], [0, 0.25, 1]])
    net = network(
        (turn, [0.5, 0, 1], 0.25), (np.eye(3)[::-1], [0, 0, 1], 0.5), output=(turn, [0] * 3)
    )
    found = separate(net, shape("linked-tori:8"))
    assert _linking(found) == [(1,)] * 4
    kinds = [s.kind for s in found.on_space]
    assert kinds == ["homeomorphism"] * 3
    # orientation: the matrix of linking numbers of the same loops changes its sign with it
    sign = 1
    for row, layer in zip(found.rows[1:], found.on_space, strict=True):
        sign *= layer.orientation
        first, own = found.rows[0].linking, row.linking
        assert first is not None
        assert own is not None
        assert (own.matrix == sign * first.matrix).all()
    assert [s.orientation for s in found.on_space] == [-1, -1, -1]
    assert found.core_numbers(0, 1) == {0: 1, 1: -1, 2: 1, 3: -1}
    assert found.linking_changes(0, 1) == []


def _circles_in_space(second_centre: float) -> Manifold:
    t = 2 * np.pi * np.arange(12) / 12
    flat = np.round(np.stack([np.cos(t), np.sin(t), 0 * t], axis=1) * 256) / 256
    i = np.arange(12)
    edges = np.stack([i, (i + 1) % 12], axis=1)
    other = flat[:, [0, 2, 1]] + np.array([second_centre, 0, 0])
    return build_manifold(
        np.concatenate([flat, other]),
        [np.concatenate([edges, edges + 12])],
        "two circles in space",
        labels=[np.repeat([0, 1], 12)],
    )


def _gauss_of_images(found: Separation, layer: int) -> int:
    """The linking number of finely sampled images of two circles, by the Gauss integral."""
    sides = []
    for label in (0, 1):
        corners = found.restriction.manifold.points.approx[12 * label : 12 * label + 12]
        t = np.arange(6)[None, :, None] / 6
        x = ((1 - t) * corners[:, None] + t * np.roll(corners, -1, axis=0)[:, None]).reshape(-1, 3)
        for step in found.restriction.network.layers[:layer]:
            z = x @ step.weight.approx.T + step.bias.approx
            x = np.where(z > 0, step.slope_pos.approx, step.slope_neg.approx) * z
        sides.append(x)
    return round(gauss(*sides))


def test_a_fold_that_unlinks() -> None:
    """|·| on the third axis after a shear takes a Hopf link to two circles apart: −1 to 0."""
    shear = ([[1, 0, 0], [0, 1, 0], [0, 2, 1]], [9, 9, 0.25], -1)
    found = separate(network(shear, output=(np.eye(3), [0, 0, 0])), _circles_in_space(1.0))
    numbers = [None if r.linking is None else int(r.linking.matrix[0, 0]) for r in found.rows]
    assert numbers == [-1, 0, 0]
    assert numbers[:2] == [_gauss_of_images(found, layer) for layer in (0, 1)]
    assert [r.disjoint for r in found.rows] == [True, True, True]
    assert [s.kind for s in found.on_space] == ["not one-to-one", "homeomorphism"]
    assert found.linking_changes(0, 1) == [(0, 1)]
    assert found.core_numbers(0, 1) == {0: -1, 1: 0, 2: 0}
    # the fold is one-to-one on the two circles, and on them only
    assert found.on_manifold == (True, True, True)
    assert [found.one_to_one(k) for k in (1, 2)] == ["on M only", "on R^n"]
    check(found)


@pytest.mark.parametrize(
    ("matrix", "sign"),
    [([[2, 1, 0], [0, 1, 1], [1, 0, 1]], 1), ([[0, 1, 0], [1, 0, 0], [2, 1, 1]], -1)],
)
def test_a_torus_link_through_affine_layers(matrix: list[list[int]], sign: int) -> None:
    """T(2, 4): its number ±2 is multiplied by the sign of the determinant."""
    curves = [np.round(c * 256) / 256 for c in torus_link(2, 24)]
    i = np.arange(24)
    ring = np.stack([i, (i + 1) % 24], axis=1)
    link = build_manifold(
        np.concatenate(curves), [np.concatenate([ring, ring + 24])], labels=[np.repeat([0, 1], 24)]
    )
    expected = round(gauss(*curves))
    assert abs(expected) == 2
    assert round(np.linalg.det(matrix) / abs(np.linalg.det(matrix))) == sign
    # the second layer is affine on the image, and mirrors it as the first did
    net = network((matrix, [99, 99, 99], 0.5), output=(matrix, [1, 0, -1]))
    rows = separate(net, link).rows
    numbers = [None if r.linking is None else int(r.linking.matrix[0, 0]) for r in rows]
    assert numbers == [expected, sign * expected, expected]


@pytest.mark.parametrize(("order", "sign"), [((0, 1, 2), -1), ((1, 0, 2), 1)])
def test_linking_in_a_subspace_of_a_wider_layer(order: tuple[int, ...], sign: int) -> None:
    """R³ → R⁵ is affine where all units are positive, and folds space where they are not."""
    wide = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1]])
    wide[:3] = wide[list(order)]
    hopf = _circles_in_space(1.0)
    rows = separate(network((wide, [9] * 5, 0), output=(np.eye(5), [0] * 5)), hopf).rows
    assert [None if r.linking is None else int(r.linking.matrix[0, 0]) for r in rows] == [
        -1,
        sign,
        sign,
    ]
    assert [r.linking.coordinates for r in rows if r.linking] == [(0, 1, 2)] * 3
    bent = separate(network((wide, [0.125] * 5, 0.5)), hopf).rows[1]
    assert bent.linking is None
    assert bent.no_linking.endswith("the images lie in no 3-dimensional subspace")


@pytest.mark.parametrize(
    ("weight", "bias", "expected"),
    [
        ([[2, 1, 1], [-1, 3, -3], [1, 2, 2]], [0.0, -0.5, -0.5], 2),
        ([[-3, -3, -1], [2, -1, 2], [-1, -2, 2]], [1.5, -1.5, -1.5], 1),
        ([[-1, 3, 0], [-3, 2, 2], [2, -2, -3]], [1.5, -1.5, 0.0], 0),
    ],
)
def test_folds_against_the_gauss_integral(
    weight: list[list[int]], bias: list[float], expected: int
) -> None:
    found = separate(network((weight, bias, -1)), _circles_in_space(1.0))
    assert found.rows[1].linking is not None
    own = int(found.rows[1].linking.matrix[0, 0])
    assert abs(own) == expected
    assert own == _gauss_of_images(found, 1)


def test_where_a_layer_is_one_to_one() -> None:
    hopf = _circles_in_space(1.0)
    eye, zero = np.eye(3), [0, 0, 0]
    # a fold of all of space along planes through both circles, then a layer on what is glued
    folds = network((eye, zero, 0), (eye, [1, 1, 1], 0.5), (eye - 1, zero, 0), output=(eye, zero))
    found = separate(folds, hopf)
    assert found.on_manifold == (True, False, False, False, False)
    kinds = [found.one_to_one(k) for k in (1, 2, 3, 4)]
    assert kinds == ["on neither", "on R^n", "not on R^n", "on R^n"]
    wide = network((np.eye(5)[:, :3], [9] * 5, 0), output=(eye[:, :1] @ np.ones((1, 5)), zero))
    found = separate(wide, hopf)
    assert found.on_space[0].kind == "not decided"
    assert found.one_to_one(1) == "on M"
    assert found.one_to_one(2) == "on neither"
    assert separate(folds, hopf, linking=False).one_to_one(1) == "not asked"
    injective = network((np.eye(5)[:, :3], [0] * 5, 0.5), output=(np.zeros((1, 5)), [0]))
    found = separate(injective, hopf)
    assert [s.kind for s in found.on_space] == ["one-to-one", "not one-to-one"]
    glued = network(
        (eye, zero, 0), (np.eye(5)[:, :3], [0] * 5, 0), output=(eye[:, [0, 1, 2, 0, 1]], zero)
    )
    assert separate(glued, hopf).one_to_one(2) == "not decided"


def test_one_to_one_on_m_without_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long(*_: object) -> None:
        raise OutOfTimeError

    monkeypatch.setattr("polyrank.image.separate.layer_verdict", too_long)
    found = separate(network((np.eye(3), [0, 0, 0], 0)), _circles_in_space(1.0))
    assert found.on_manifold == (None, None)
    assert found.one_to_one(1) == "not on R^n"


def _rings(centres: list[float], labels: list[int]) -> Manifold:
    """Flat circles and upright ones in turn, each linked with its neighbours at distance 1."""
    t = 2 * np.pi * np.arange(8) / 8
    flat = np.round(np.stack([np.cos(t), np.sin(t), 0 * t], axis=1) * 256) / 256
    i = np.arange(8)
    points, edges = [], []
    for k, x in enumerate(centres):
        points.append(flat[:, [0, 2, 1] if k % 2 else [0, 1, 2]] + np.array([x, 0, 0]))
        edges.append(np.stack([i, (i + 1) % 8], axis=1) + 8 * k)
    return build_manifold(
        np.concatenate(points), [np.concatenate(edges)], labels=[np.repeat(labels, 8)]
    )


def test_several_rings() -> None:
    identity = network(output=(np.eye(3), [0, 0, 0]))
    # two Hopf links far apart: the matrix is diagonal, of rank 2
    two = separate(identity, _rings([0, 1, 10, 11], [0, 1, 0, 1]))
    row = two.rows[0]
    assert row.linking is not None
    assert row.linking.divisors == (1, 1)
    assert two.core_numbers(0, 1) == {}
    # nothing is linked
    none = separate(identity, _rings([0, 5, 10, 15], [0, 1, 0, 1]))
    assert none.core_numbers(0, 1) == {0: 0, 1: 0}
    assert none.rows[0].linking is not None
    assert none.rows[0].linking.divisors == ()
    # a ring that links two of the other class: one row of two numbers, rank 1
    chain = separate(identity, _rings([0, 1, 2], [0, 1, 0]))
    assert chain.core_numbers(0, 1) == {0: 1, 1: 1}


def test_only_some_classes() -> None:
    path = build_manifold(
        [[0.0], [1.0], [2.0], [3.0]], [[[0, 1], [1, 2], [2, 3]]], labels=[[0, 2, 1]]
    )
    net = network(output=([[2.0]], [-3]))
    found = separate(net, path, only=[0, 1])
    assert found.classes == (0, 1)
    assert found.unclassed == 1
    assert [r.disjoint for r in found.rows] == [True, True]
    assert found.rows[0].separable
    assert found.classification is not None
    assert found.classification.certified
    assert separate(net, path).first_meeting(0, 2) == 0
    with pytest.raises(DomainError, match=r"has no class 7 \(labels\); it has 0, 1, 2"):
        separate(net, path, only=[0, 7])
    with pytest.raises(DomainError, match="has 1 labels; two or more are needed: name at least"):
        separate(net, path, only=[1])
    with pytest.raises(DomainError, match=r"has no class 1 \(labels\); it has none"):
        separate(net, shape("interval:3"), only=[1], classes="labels")


def test_why_there_is_no_linking_number() -> None:
    tori = shape("linked-tori:6")
    flat = network(output=([[1, 0, 0], [0, 1, 0]], [0, 0]))
    rows = separate(flat, tori).rows
    assert rows[1].no_linking == "the space of the layer is R^2"
    assert separate(flat, tori, linking=False).rows[0].no_linking == "not asked for"
    collapsed = network(output=(np.zeros((3, 3)), [0, 0, 0]))
    assert separate(collapsed, tori).rows[1].no_linking == "the images meet"
    intervals = build_manifold(
        np.eye(3)[[0, 1, 2, 0]] + np.arange(4)[:, None], [[[0, 1], [2, 3]]], labels=[[0, 1]]
    )
    assert separate(collapsed, intervals).rows[0].no_linking == (
        "one of the classes has no closed curve"
    )
    points = build_manifold(np.eye(3)[:2], [[[0], [1]]], labels=[[0, 1]])
    rows = separate(network(output=(np.eye(3), [0] * 3)), points).rows
    assert rows[0].no_linking == "one of the classes has no closed curve"
    assert rows[0].separable
    undecided = separate(collapsed, tori, seconds=0).rows[0]
    assert undecided.no_linking == "not decided whether the images are disjoint"


def test_too_many_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.image.class_layer._MOST_LOOPS", 3)
    rows = separate(network(output=(np.eye(3), [0] * 3)), shape("linked-tori:6")).rows
    assert rows[0].no_linking == "more than 3 pairs of closed curves"


def test_without_time() -> None:
    """Nothing is decided, but by a hyperplane that floats propose and prove."""
    net = network(output=(np.eye(2), [0, 0]))
    found = separate(net, two_circles(6, (0.5, 0.0)), seconds=0)
    assert not found.decided
    assert {(r.verdict, r.separable) for r in found.rows} == {("not decided", None)}
    assert found.first_meeting(0, 1) is None
    assert found.no_classification == "not decided at a limit"
    apart = separate(net, two_circles(6, (5.0, 0.0)), seconds=0)
    for row in apart.rows:
        assert row.separable
        assert isinstance(row.images, Disjoint)
        assert 0 < row.images.distance <= 3
    assert separation_object(apart)["pairs"][0]["layers"][0]["distance_about"] is None


def test_classes_that_share_a_vertex_meet_there() -> None:
    path = build_manifold([[0.0], [1.0], [2.0]], [[[0, 1], [1, 2]]], labels=[[0, 1]])
    found = separate(network(output=([[2.0]], [0])), path)
    assert [r.disjoint for r in found.rows] == [False, False]
    meeting = found.rows[0].images
    assert isinstance(meeting, Meeting)
    assert meeting.first.point == meeting.second.point == (1,)
    check(found)


def test_components() -> None:
    tori = shape("linked-tori:6")
    found = separate(network(output=(np.eye(3), [0] * 3)), tori, classes="components")
    assert found.by == "components"
    assert found.classes == (0, 1)
    assert found.classification is None
    assert "components of M" in found.no_classification
    bare = build_manifold([[0.0], [1.0], [3.0], [4.0], [9.0]], [[[0, 1], [2, 3]], [[4]]])
    found = separate(network(output=([[-1.0]], [0])), bare)
    assert found.by == "components"
    assert found.classes == (0, 1, 2)
    assert all(r.separable for r in found.rows)
    assert len(found.rows) == 6


@pytest.mark.parametrize("power", [-500, -200, 200, 500])
def test_extreme_scales(power: int) -> None:
    """Weights of 2^±500: the same verdicts as at scale 1."""
    near = two_circles(8, (0.0, 2.5))
    scale = 2.0**power
    for weight, bias in (([[1, 0], [0, 1]], [0, 0]), ([[1, 0], [0, 1]], [0, -1.25])):
        plain = network((weight, bias, -1), output=(np.eye(2), [0, 0]))
        large = network(
            (np.array(weight) * scale, np.array(bias) * scale, -1), output=(np.eye(2), [0, 0])
        )
        one, other = separate(plain, near), separate(large, near)
        check(other)
        assert [r.disjoint for r in one.rows] == [r.disjoint for r in other.rows]
        assert [r.separable for r in one.rows] == [r.separable for r in other.rows]
        for a, b in zip(one.rows[1:], other.rows[1:], strict=True):
            if isinstance(a.images, Disjoint) and isinstance(b.images, Disjoint):
                ratio = b.images.distance / a.images.distance / fmpq(2) ** power
                assert fmpq(99, 100) < ratio < fmpq(101, 100)


def test_beyond_all_floats() -> None:
    """Weights of 10^±400 as rationals: no float is finite, the answers are exact."""
    for huge in (fmpq(10) ** 300, fmpq(1, 10**300)):
        layers = [
            Layer(
                RationalArray.from_rationals([huge, 0, 0, huge], (2, 2)),
                RationalArray.from_floats(np.zeros(2)),
                RationalArray.from_floats(np.full(2, slope)),
                RationalArray.from_floats(np.ones(2)),
            )
            for slope in (0.5, 0.5)
        ]
        found = separate(Network(tuple(layers), "huge"), two_circles(5, (0.25, 2.5)))
        assert [r.disjoint for r in found.rows] == [True, True, True]
        assert [r.separable for r in found.rows] == [True, True, True]
        check(found)


def test_margins() -> None:
    circles = two_circles(8, (4.0, 0.0))
    one = separate(network(output=([[1, 0]], [-2])), circles).classification
    assert one is not None
    assert one.rule == "sign"
    assert one.certified
    # f = x − 2: −1 at (1, 0) on class 0, 1 at (3, 0) on class 1
    assert [c.margin for c in one.classes] == [1, 1]
    assert [c.at.point for c in one.classes] == [(1, 0), (3, 0)]
    assert [c.rival for c in one.classes] == [1, 0]
    tie = separate(network(output=([[1, 0]], [-1])), circles).classification
    assert tie is not None
    assert not tie.certified
    assert tie.worst.margin == 0
    assert tie.worst.label == 0
    three = network(output=([[-1, 0], [1, 0], [0, 0]], [2, -2, -9]))
    best = separate(three, circles).classification
    assert best is not None
    assert best.rule == "argmax"
    assert best.worst.margin == 2  # (2 − x) − (x − 2) at x = 1
    wrong = separate(network(output=([[1, 0], [-1, 0]], [0, 0])), circles).classification
    assert wrong is not None
    assert wrong.worst.at.point == (5, 0)
    assert wrong.worst.margin == -10


@pytest.mark.parametrize("seed", range(4))
def test_margins_against_samples(seed: int) -> None:
    net = random_network(seed, (2, 5, 4, 3), 0.0, whole=False)
    disk = shape("disk-in-annulus:12")
    found = separate(net, disk, layers=[3]).classification
    assert found is not None
    random = np.random.default_rng(seed)
    triangles = disk.simplices[2]
    weights = random.dirichlet(np.ones(3), size=(200, len(triangles)))
    x = np.einsum("stj,tjn->stn", weights, disk.points.approx[triangles]).reshape(-1, 2)
    label = np.tile(disk.labels[2], 200)
    for layer in net.layers[:-1]:
        x = np.maximum(x @ layer.weight.approx.T + layer.bias.approx, 0)
    x = x @ net.layers[-1].weight.approx.T + net.layers[-1].bias.approx
    for own in found.classes:
        scores = x[label == own.label]
        margin = scores[:, own.label] - np.delete(scores, own.label, axis=1).max(axis=1)
        least = float(own.margin.p) / float(own.margin.q)
        assert least <= margin.min() + 1e-9
        assert least > margin.min() - 1.0  # the samples come near it


def test_why_there_is_no_classification() -> None:
    circles = two_circles(6, (4.0, 0.0))
    identity = network(output=(np.eye(2), [0, 0]))
    assert separate(identity, circles, layers=[0]).no_classification == (
        "the output layer was not asked for"
    )
    three = build_manifold(
        [[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]],
        [[[0, 1], [2, 3], [4, 5]]],
        labels=[[0, 1, 4]],
    )
    two = separate(network(output=([[1.0], [0.0]], [0, 0])), three)
    assert "the label 4 names no output: the network has 2" in two.no_classification
    one = separate(network(output=([[1.0]], [0])), three)
    assert "one output tells two classes apart by its sign, M has 3" in one.no_classification


@pytest.mark.parametrize(
    ("manifold", "arguments", "message"),
    [
        ("circle:8", {}, "circle has 1 components; two or more are needed: label its facets"),
        ("circle:8", {"classes": "labels"}, "circle has 0 labels"),
        ("spirals:4", {"layers": [2]}, "layer 2 must be between 0 and 1"),
        ("spirals:4", {"layers": [-1]}, "layer -1 must be between 0 and 1"),
        ("spirals:4", {"layers": []}, "layer none must be between 0 and 1"),
        ("linked-tori:4", {}, "linked tori lies in R\\^3, but the network takes 2 inputs"),
    ],
)
def test_refusals(manifold: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        separate(network(output=(np.eye(2), [0, 0])), shape(manifold), **arguments)


def test_too_many_classes() -> None:
    points = build_manifold(np.arange(60.0)[:, None], [np.arange(60)[:, None]])
    with pytest.raises(DomainError, match=r"has 60 components, more than 1,000 pairs"):
        separate(network(output=([[1.0]], [0])), points)


def test_no_such_pair() -> None:
    found = separate(network(output=(np.eye(2), [0, 0])), two_circles(6, (4.0, 0.0)))
    with pytest.raises(DomainError, match="0 and 5 are no pair of classes of M; it has 0, 1"):
        found.pair(0, 5)


def test_internal_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What should never happen is refused, not printed."""
    net = network(([[1, 0], [0, 1]], [0, 3], -1), output=([[0, 1]], [0]))
    circles = two_circles(8, (0.0, -6.0))
    monkeypatch.setattr("polyrank.image.apart.image_of", lambda *_: (fmpq(1, 7),))
    with pytest.raises(RefutedError, match="not mapped to the common point"):
        separate(net, circles)
    monkeypatch.undo()
    monkeypatch.setattr("polyrank.image.margin.image_of", lambda *_: (fmpq(1, 7),))
    with pytest.raises(RefutedError, match="a vertex is not mapped to its image"):
        separate(network(output=([[1, 0]], [0])), two_circles(8, (4.0, 0.0)))


def test_linking_numbers_without_a_projection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.image.linking._TRIES", 0)
    found = separate(network(output=(np.eye(3), [0, 0, 0])), _circles_in_space(1.0))
    assert {r.no_linking for r in found.rows} == {"not decided at a limit"}
    assert found.linking_changes(0, 1) == []


def test_combinations_and_margins_in_the_object() -> None:
    net = network(([[1, 0], [0, 1]], [0, 0], -1), output=([[1, 1], [-1, -1]], [-2, 2]))
    shown = separation_object(separate(net, two_circles(8, (0.0, 0.0), 4.0)))
    rows = shown["pairs"][0]["layers"]
    weights = [fmpq_from_text(part["weight"]) for part in rows[0]["convex_combinations"]["first"]]
    assert sum(weights, fmpq(0)) == 1
    assert rows[1]["hyperplane"]["normal"]
    assert shown["classification"]["certified"] is False
    assert fmpq_from_text(shown["classification"]["least_margin"]) < 0
    linked = separation_object(
        separate(network(output=(np.eye(3), [0, 0, 0])), _circles_in_space(1.0))
    )
    assert linked["pairs"][0]["linking_numbers"] == {"0": -1, "1": -1}
    assert linked["layers_on_space"][0]["one_to_one"] == "on R^n"


def test_progress_and_object() -> None:
    seen: list[tuple[int, int]] = []
    net = network(([[1, 0], [0, 1]], [0, 0], -1), output=([[1, 0]], [0]))
    found = separate(
        net, two_circles(6, (4.0, 0.0)), progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]
    shown = separation_object(found)
    assert shown["scope"] == SCOPE
    assert shown["pairs"][0]["classes"] == [0, 1]
    assert [row["images"] for row in shown["pairs"][0]["layers"]] == [r.verdict for r in found.rows]
