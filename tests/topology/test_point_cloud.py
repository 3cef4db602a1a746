"""Complexes of point clouds: the degrees that are printed are those of the whole complex."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import polyrank as pr
from polyrank.chains.groups import homology
from polyrank.errors import DomainError
from polyrank.topology import cliques
from polyrank.topology.layers import homology_object, homology_table
from polyrank.topology.merging import merged_points
from polyrank.topology.point_cloud import complex_of_points
from polyrank.topology.reading import open_cells
from polyrank.topology.restriction import restrict
from polyrank.topology.store import save_cells
from tests.topology.test_subdivide import random_network

gudhi = pytest.importorskip("gudhi")

HERE = Path(__file__).parent / "data"


def betti_by_gudhi(points: np.ndarray, radius: float, kind: str) -> list[int]:
    """Betti numbers over F_11 of the whole complex, by gudhi's persistent cohomology."""
    if kind == "alpha":
        tree = gudhi.AlphaComplex(points=points).create_simplex_tree(max_alpha_square=radius**2)
    else:
        tree = gudhi.RipsComplex(points=points, max_edge_length=2 * radius).create_simplex_tree(
            max_dimension=len(points) - 1
        )
    tree.compute_persistence(homology_coeff_field=11, min_persistence=-1, persistence_dim_max=True)
    return tree.betti_numbers()


@pytest.mark.parametrize(
    ("cloud", "net", "radius", "kind", "groups"),
    [
        ("rips4_plane", "net_r2", 2.0, "rips", "Z, 0, 0, 0"),
        ("alpha5_r4", "net_r4", 2.0, "alpha", "Z, 0, 0, 0, 0"),
    ],
)
def test_contractible_clouds(cloud, net, radius, kind, groups):
    made = complex_of_points(np.load(HERE / f"{cloud}.npy"), radius, kind=kind)
    assert made.degrees is None
    found = restrict(pr.load(HERE / f"{net}.npz"), made)
    (row,) = homology_table(found, rank=0, layers=[1])
    assert str(row.homology.manifold) == groups


@pytest.mark.parametrize("top", [1, 2, 3])
@pytest.mark.parametrize(("cloud", "kind"), [("rips4_plane", "rips"), ("alpha5_r4", "alpha")])
def test_a_skeleton_shows_the_degrees_below_its_dimension(cloud, kind, top, tmp_path):
    points = np.load(HERE / f"{cloud}.npy")
    made = complex_of_points(points, 2.0, kind=kind, max_dimension=top)
    whole = len(points) - 1
    assert made.degrees == (top if top < whole else None)
    assert made.dimension == min(top, whole)
    net = random_network(points.shape[1], 3, 2, seed=1)
    found = restrict(net, made)
    rows = homology_table(found, rank=1, in_turn=True)
    shown = homology_object(found, rows, "Z")
    want = ["Z"] + ["0"] * (whole if made.degrees is None else top - 1)
    for row in shown["layers"]:
        assert row["H(M)"]["groups"] == want
        for name in ("H(A)", "H(M,A)", "H(M/A), one point", "H(M/~), one point per component"):
            assert len(row[name]["groups"]) == len(want)
        assert all(len(h["groups"]) == len(want) for h in row["components_in_turn"])
        assert len(row["long_exact_sequence"]["rank_of_inclusion"]) == len(want)
    assert shown["manifold"]["degrees"] == made.degrees
    if made.degrees is not None:
        assert f"homology is given in degrees below {top} only" in made.note
    save_cells(found, tmp_path / "cells")
    assert open_cells(tmp_path / "cells", net).manifold.degrees == made.degrees
    assert merged_points(made).degrees == made.degrees
    one = complex_of_points(points, 2.0, kind=kind, max_dimension=top, labels=[7] * len(points))
    assert one.of_class(7).degrees == made.degrees


@pytest.mark.parametrize("kind", ["alpha", "rips"])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_degrees_against_gudhi(n, kind, seed):
    rng = np.random.default_rng([seed, n])
    points = rng.normal(size=(int(rng.integers(5, 13)), n))
    radius = float(rng.uniform(0.2, 0.9))
    made = complex_of_points(points, radius, kind=kind)
    want = betti_by_gudhi(points, radius, kind)
    degrees = made.dimension + 1 if made.degrees is None else made.degrees
    betti = homology(made.complex, 11).below(made.degrees).betti
    assert len(betti) == degrees
    want += [0] * max(0, degrees - len(want))
    assert list(betti) == want[:degrees]
    if made.degrees is None:
        assert not any(want[degrees:])


def test_a_cross_polytope_has_a_class_in_the_degree_that_needs_its_simplices():
    """The Rips complex of ±e_i at radius 3/4 is the boundary of a cross-polytope: a 3-sphere."""
    points = np.vstack([np.eye(4), -np.eye(4)])
    made = complex_of_points(points, 0.75, kind="rips")
    assert str(homology(made.complex)) == "Z, 0, 0, Z"
    assert made.degrees is None
    # in dimension 6 the sphere has dimension 5, above what is built by default
    points = np.vstack([np.eye(6), -np.eye(6)])
    made = complex_of_points(points, 0.75, kind="rips")
    assert made.degrees == 4
    assert str(homology(made.complex).below(made.degrees)) == "Z, 0, 0, 0"
    made = complex_of_points(points, 0.75, kind="rips", max_dimension=5)
    assert str(homology(made.complex)) == "Z, 0, 0, 0, 0, Z"
    assert made.degrees is None


def test_a_rips_complex_stops_where_it_grows_too_large(monkeypatch):
    points = np.random.default_rng(0).random((12, 2))
    monkeypatch.setattr(cliques, "_RIPS_SIMPLICES", 600)
    made = complex_of_points(points, 5.0, kind="rips")
    assert (made.degrees, made.dimension) == (2, 2)
    assert made.complex.cells == (12, 66, 220)
    monkeypatch.setattr(cliques, "_MAX_SIMPLICES", 200)
    with pytest.raises(DomainError, match="use a smaller radius, fewer points or a lower largest"):
        complex_of_points(points, 5.0, kind="rips")
    with pytest.raises(DomainError, match="more than 200"):
        complex_of_points(points, 5.0, kind="rips", max_dimension=3)
    assert complex_of_points(points, 5.0, kind="rips", max_dimension=1).degrees == 1


def test_points_twice_in_a_rips_complex():
    """Copies are vertices at distance 0; an alpha complex refuses them."""
    points = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 0.0]])
    made = complex_of_points(points, 1.0, kind="rips")
    assert made.complex.cells == (3, 1)
    assert "3 vertices lie in 2 places" in made.note
    found = restrict(random_network(2, 3, 1), made)
    assert str(homology(found.complex)) == "Z^2, 0"
    with pytest.raises(DomainError, match="which an alpha complex cannot"):
        complex_of_points(points, 1.0, kind="alpha")


def test_refused_dimensions():
    with pytest.raises(DomainError, match="largest dimension must be at least 1, got 0"):
        complex_of_points([[0.0], [1.0]], 1.0, max_dimension=0)


@pytest.mark.parametrize("kind", ["alpha", "rips"])
@pytest.mark.parametrize("top", [None, 1, 2])
def test_a_process_of_its_own_finds_the_same(kind, top, monkeypatch):
    points = np.random.default_rng(5).random((40, 3))
    here = cliques.cliques_of(points, 0.2, kind, top)
    monkeypatch.setattr(cliques, "_AT_ONCE", 0)
    there = cliques.cliques_of(points, 0.2, kind, top)
    assert here.degrees == there.degrees
    assert len(here.simplices) == len(there.simplices)
    for one, other in zip(here.simplices, there.simplices, strict=True):
        assert np.array_equal(one, other)


def test_what_the_process_refuses_and_how_it_ends(monkeypatch):
    monkeypatch.setattr(cliques, "_AT_ONCE", 0)
    crowd = np.random.default_rng(0).random((400, 2))
    with pytest.raises(
        DomainError, match="the rips complex has too many, possibly 10,586,800 simp"
    ):
        cliques.cliques_of(crowd, 5.0, "rips", None)
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr(cliques.sys, "executable", "/bin/false")
    with pytest.raises(DomainError, match="its process ended with status 1"):
        cliques.cliques_of(crowd, 5.0, "alpha", None)


def test_an_interrupt_ends_the_process(monkeypatch):
    """The exception that comes while the process works is passed on, and the process killed."""
    monkeypatch.setattr(cliques, "_AT_ONCE", 0)
    seen = []

    def interrupted(process, *_):
        seen.append(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(cliques.subprocess.Popen, "communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cliques.cliques_of(np.random.default_rng(0).random((50, 3)), 5.0, "alpha", None)
    assert seen[0].returncode == -9


def test_bounds_of_the_next_dimension():
    """At least the number of cliques, and for triangles exactly that."""
    rng = np.random.default_rng(3)
    points = rng.random((14, 2))
    tree = gudhi.RipsComplex(points=points, max_edge_length=0.5).create_simplex_tree(
        max_dimension=1
    )
    near = {tuple(sorted(s)) for s, _ in tree.get_skeleton(1) if len(s) == 2}
    counts = [
        sum(set(combinations(c, 2)) <= near for c in combinations(range(14), size))
        for size in (3, 4, 5)
    ]
    assert cliques.next_bound(tree, 1) == counts[0]
    for top, count in ((2, counts[1]), (3, counts[2])):
        grown = tree.copy()
        grown.expansion(top)
        assert cliques.next_bound(grown, top) >= count
