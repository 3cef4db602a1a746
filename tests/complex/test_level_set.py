"""Level sets and decision boundaries: published topology, hand-made sets, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.complex.level_set import decision_boundary, level_homology, level_set
from polyrank.errors import NetworkError
from polyrank.network.normal_form import Network, affine_layer, relu_layer

#: |x| + |y| as a network, and a second output that is constant.
DIAMOND = Network(
    (
        relu_layer([[1, 0], [-1, 0], [0, 1], [0, -1]], [0, 0, 0, 0]),
        affine_layer([[1, 1, 1, 1], [0, 0, 0, 0]], [0, 1]),
    ),
    "diamond",
)


def test_a_diamond() -> None:
    """|x| + |y| = 1 in the square of half width 2 is a circle of four edges."""
    found = level_set(DIAMOND, pr.Box(-2, 2), 1)
    assert found.f_vector == (4, 4, 0)
    assert found.description == "output 0 = 1"
    assert level_homology(found).groups == ("Z", "Z", "0")
    assert level_homology(found, 2).betti == (1, 1, 0)
    same = decision_boundary(DIAMOND, pr.Box(-2, 2), 0, 1)
    assert same.f_vector == found.f_vector
    assert same.description == "output 0 = output 1"


def test_levels_that_touch_or_miss() -> None:
    """The minimum is one vertex; below it there is nothing; in the smaller box four arcs remain."""
    point = level_set(DIAMOND, pr.Box(-2, 2), 0)
    assert point.f_vector == (1, 0, 0)
    assert level_homology(point).groups == ("Z", "0", "0")
    nothing = level_set(DIAMOND, pr.Box(-2, 2), "-1/3")
    assert (nothing.f_vector, nothing.euler_characteristic) == ((0, 0, 0), 0)
    arcs = level_set(DIAMOND, pr.Box("-3/4", "3/4"), 1)
    assert level_homology(arcs).groups == ("Z^4", "0", "0")
    corners = level_set(DIAMOND, pr.Box("-1/2", "1/2"), 1)
    assert corners.f_vector == (4, 0, 0)


def test_a_level_that_fills_regions() -> None:
    """relu(x) = 0 is a half square, cells of dimension 2 included."""
    net = Network((relu_layer([[1, 0]], [0]),))
    found = level_set(net, pr.Box(-1, 1), 0)
    assert found.f_vector == (4, 4, 1)
    assert level_homology(found).groups == ("Z", "0", "0")


def test_torus_of_a_published_boundary(shared_data: Any) -> None:
    """relucent's example: Betti numbers [1, 2, 1]."""
    net = pr.load(shared_data("relucent/torus_boundary_model_seed2.pt"))
    found = level_set(net, pr.Box(-2, 2), 0)
    assert level_homology(found).groups == ("Z", "Z^2", "Z", "0")
    # a closed surface: every edge of it has two of its faces
    faces = abs(found.complex.boundary[1][found.mask[1]][:, found.mask[2]])
    assert set(np.asarray(faces.sum(axis=1)).ravel().tolist()) == {2}


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("2,2x50,relu,bunny", ("Z", "Z", "0")),
        ("2,4x32,relu,bunny", ("Z", "Z", "0")),
        pytest.param("3,3x16,relu,bunny", ("Z", "0", "Z", "0"), marks=pytest.mark.slow),
    ],
)
def test_bunnies(shared_data: Any, name: str, groups: tuple[str, ...]) -> None:
    """The outline is one closed curve, the surface one sphere."""
    net = pr.load(shared_data(f"berzins_bunny/{name}"))
    found = level_set(net, pr.Box(-1, 1), 0)
    assert level_homology(found).groups == groups
    assert found.complex.euler_characteristic == 1


def test_refusals() -> None:
    with pytest.raises(NetworkError, match="'diamond' has outputs 0 to 1, got 2"):
        level_set(DIAMOND, pr.Box(-1, 1), 0, output=2)
    with pytest.raises(NetworkError, match="between two outputs, got 1 twice"):
        decision_boundary(DIAMOND, pr.Box(-1, 1), 1, 1)
    with pytest.raises(NetworkError, match="got -1"):
        decision_boundary(DIAMOND, pr.Box(-1, 1), 0, -1)


def test_saved_network_is_the_one_with_the_level(tmp_path: Path) -> None:
    from polyrank.complex.store import write_complex

    found = level_set(DIAMOND, pr.Box(-2, 2), 1)
    write_complex(tmp_path / "cells", found.complex, pr.Box(-2, 2).describe())
    again = pr.load(tmp_path / "cells" / "network.json")
    assert again.sha256 == found.complex.network.sha256
