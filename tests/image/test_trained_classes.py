"""Trained networks on linked tori and on published data: what they do to the classes.

``data/tori_relu.npz`` and ``data/tori_abs.npz`` are 3-3-3-3-2 networks trained for this test on the
vertices of ``linked-tori:45`` (cross-entropy, Adam, 4,000 steps of 512 points; the best of six
seeds, with 96 % and 100 % of the vertices classified), weights in float32.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import polyrank as pr
from polyrank.image.apart import Disjoint, Meeting
from polyrank.image.separate import Separation, separate
from polyrank.network.forward import forward_exact
from polyrank.topology.point_cloud import complex_of_points, read_labels, read_points
from polyrank.topology.shapes import shape
from tests.conftest import shared
from tests.image.test_linking import gauss

DATA = Path(__file__).parent / "data"


def _tori(name: str, m: int) -> Separation:
    return separate(pr.load(DATA / f"tori_{name}.npz", activation=name), shape(f"linked-tori:{m}"))


def _plain(found: Separation, x: np.ndarray, layer: int) -> np.ndarray:
    for step in found.restriction.network.layers[:layer]:
        z = x @ step.weight.approx.T + step.bias.approx
        x = np.where(z > 0, step.slope_pos.approx, step.slope_neg.approx) * z
    return x


def _cores(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Curves along the two tori."""
    t = 2 * np.pi * np.arange(n) / n
    first = np.stack([2.5 * np.cos(t), 2.5 * np.sin(t), 0 * t], axis=1)
    return first, first[:, [0, 2, 1]] + np.array([2.0, 0, 0])


@pytest.mark.parametrize("m", [12, pytest.param(45, marks=pytest.mark.slow)])
def test_a_relu_network_glues_the_tori(m: int) -> None:
    found = _tori("relu", m)
    rows = found.pair(0, 1)
    assert [r.disjoint for r in rows] == [True, False, False, False, False]
    assert rows[0].linking is not None
    assert rows[0].linking.divisors == (1,)
    for row in rows[1:]:
        assert isinstance(row.images, Meeting)
        one, other = (
            forward_exact(found.restriction.network, list(p.point), layer=row.layer)
            for p in (row.images.first, row.images.second)
        )
        assert one == other == row.images.image
        assert row.images.first.point != row.images.second.point
    assert found.classification is not None
    assert not found.classification.certified


@pytest.mark.parametrize("m", [12, pytest.param(45, marks=pytest.mark.slow)])
def test_an_absolute_value_network_unlinks_them(m: int) -> None:
    found = _tori("abs", m)
    rows = found.pair(0, 1)
    assert [r.disjoint for r in rows] == [True] * 5
    assert [r.linking.divisors if r.linking else None for r in rows] == [(1,), (), (), (), None]
    assert found.linking_changes(0, 1) == [(0, 1)]
    assert [r.separable for r in rows] == [False, False, True, True, True]
    for row in rows[:4]:
        curves = (_plain(found, curve, row.layer) for curve in _cores())
        assert abs(round(gauss(*curves))) == (1 if row.layer == 0 else 0)
    for row in rows:
        assert isinstance(row.images, Disjoint)
        points = found.restriction.manifold.points.approx
        half = len(points) // 2
        ends = _plain(found, points, row.layer)
        least = min(float(np.linalg.norm(ends[half:] - end, axis=1).min()) for end in ends[:half])
        assert float(row.images.distance.p) / float(row.images.distance.q) <= least
    assert found.classification is not None
    assert found.classification.certified


@pytest.mark.slow
def test_nine_pairs_of_linked_rings() -> None:
    """D-II of Beshkov (2026): every ring is linked with one ring of the other class."""
    pytest.importorskip("gudhi")
    cloud = complex_of_points(
        read_points(shared("beshkov_quotient/D-II-test.npy")), 0.08,
        labels=read_labels(shared("beshkov_quotient/D-II-test-labels.npy")), name="D-II",
    )  # fmt: skip
    net = pr.load(shared("beshkov_quotient/D-II_model_0.pth"))
    row = separate(net, cloud, layers=[0]).pair(0, 1)[0]
    assert row.disjoint
    assert row.linking is not None
    assert row.linking.divisors == (1,) * 9
