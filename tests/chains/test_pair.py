"""Pairs and quotients: published relative groups, excision-like identities, the exact sequence."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrank.chains import exact_sequence
from polyrank.chains.chain import ChainComplex, Mask, closure, components, from_facets, subcomplex
from polyrank.chains.exact_sequence import long_exact_sequence
from polyrank.chains.groups import homology, reduced_pair
from polyrank.chains.pair import collapse_in_turn, collapsed_homology
from polyrank.errors import RefutedError
from polyrank.topology.shapes import shape
from tests.conftest import shared


def pair(facets, part) -> tuple[ChainComplex, Mask]:
    """A complex and the subcomplex that some of its simplices generate."""
    complex_, simplices = from_facets(facets)
    wanted = {tuple(sorted(f)) for f in part}
    chosen = [[tuple(r) in wanted for r in rows.tolist()] for rows in simplices]
    return complex_, closure(complex_, chosen)


def cycle(n: int) -> list[list[int]]:
    return [[i, (i + 1) % n] for i in range(n)]


def test_published_relative_pairs():
    entries = json.loads(shared("known_answers/triangulations_homology.json").read_text())
    assert len(entries["relative_pairs"]) >= 8
    for entry in entries["relative_pairs"]:
        complex_, mask = pair(entry["X"], entry["A"])
        for p, key in ((2, "computed_mod2"), (32003, "computed_mod_32003")):
            found = collapsed_homology(complex_, mask, p)
            assert list(found.relative.betti) == entry[key], entry["name"]
        found = collapsed_homology(complex_, mask)
        if entry["relative_betti_expected"] is not None:
            assert list(found.relative.betti) == entry["relative_betti_expected"]
        assert found.manifold == homology(complex_)


def check_identities(complex_: ChainComplex, mask: Mask, coefficients: str | int = "Z"):
    """H(M, A) = H̃(M/A); the parts agree with separate computations; ranks add up."""
    found = collapsed_homology(complex_, mask, coefficients)
    assert found.manifold == homology(complex_, coefficients)
    assert found.part == homology(subcomplex(complex_, mask), coefficients)
    empty = not any(m.any() for m in mask)
    reduced = list(found.one_point.betti)
    reduced[0] -= 0 if empty else 1
    assert list(found.relative.betti) == reduced
    assert found.relative.torsion == found.one_point.torsion
    sequence = found.sequence
    for d in range(len(complex_.cells)):
        connecting = sequence.connecting[d + 1] if d + 1 < len(complex_.cells) else 0
        assert found.part.betti[d] == connecting + sequence.inclusion[d]
        assert found.manifold.betti[d] == sequence.inclusion[d] + sequence.projection[d]
        assert found.relative.betti[d] == sequence.projection[d] + sequence.connecting[d]
    assert collapse_in_turn(complex_, mask, coefficients)[-1] == found.per_component
    if found.components <= 1:
        assert found.per_component == found.one_point
    return found


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from(["Z", "Q", 2, 3]))
def test_random_pairs(seed, coefficients):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 5))
    facets = [rng.choice(9, size=size, replace=False).tolist() for _ in range(12)]
    complex_, _ = from_facets(facets)
    chosen = [rng.random(f) < 0.15 for f in complex_.cells]
    check_identities(complex_, closure(complex_, chosen), coefficients)


def test_torsion_in_the_sequence():
    """RP² relative to its projective line: H_2 = Z, and ∂: H_2 → H_1(A) is multiplication by 2."""
    facets = [
        *([0, 1, 2], [0, 2, 3], [0, 1, 5], [0, 4, 5], [0, 3, 4]),
        *([1, 2, 4], [1, 3, 4], [1, 3, 5], [2, 3, 5], [2, 4, 5]),
    ]
    # 0-1-3 is no face, and not null-homotopic: its quotient is a sphere, H_1 = 0
    complex_, mask = pair(facets, [[0, 1], [1, 3], [0, 3]])
    found = check_identities(complex_, mask)
    assert str(found.relative) == "0, 0, Z"
    assert str(found.manifold) == "Z, Z/2, 0"
    assert found.sequence.connecting == (0, 0, 1)
    modulo_2 = collapsed_homology(complex_, mask, 2)
    assert modulo_2.sequence.connecting == (0, 0, 0)
    assert modulo_2.sequence.inclusion == (1, 1, 0)


@pytest.mark.parametrize("n", range(1, 8))
def test_circle_with_n_arcs(n):
    """From 0 → H_1(S¹) = Z → H_1(S¹, A) → H̃_0(A) = Z^(n−1) → 0: one point gives n loops.

    Each arc to a point of its own gives a circle. The wedge of n loops of the paper's equations
    13 and 14 is the former, M/A, whose reduced homology the relative groups are.
    """
    complex_, mask = pair(cycle(4 * n), [[4 * i, 4 * i + 1] for i in range(n)])
    found = check_identities(complex_, mask)
    assert found.components == n
    assert str(found.relative) == f"0, {'Z' if n == 1 else f'Z^{n}'}"
    assert found.one_point.betti == (1, n)
    assert found.per_component.betti == (1, 1)
    assert found.sequence.connecting == (0, n - 1)


def test_images_between_one_point_and_one_each():
    """Four arcs, two images: identify two pairs of points of a circle."""
    complex_, mask = pair(cycle(16), [[4 * i, 4 * i + 1] for i in range(4)])
    found = collapsed_homology(complex_, mask, "Z", [0, 1, 0, 1])
    assert found.per_image.betti == (1, 3)
    assert found.classes == 2
    assert found.one_point.betti == (1, 4)


def test_torus_with_its_loops():
    """The table of the appendix: a loop that bounds a disk, and the two that do not.

    T/(contractible loop) = T ∨ S²: (1, 2, 2). T/(essential loop): a sphere with two points
    identified, up to homotopy S² ∨ S¹: (1, 1, 1), whichever essential loop it is.
    """
    torus = shape("torus:12x12")
    corner = torus.points.approx
    edges = torus.simplices[1]
    around = np.arctan2(corner[:, 1], corner[:, 0])
    tube = np.hypot(corner[:, 0], corner[:, 1])
    flat = np.abs(corner[:, 2]) < 1e-6
    loops = {
        "outer": flat & (tube > 2.9),
        "inner": flat & (tube < 1.1),
        "around the tube": np.abs(around) < 1e-6,
    }
    for name, own in loops.items():
        mask = closure(torus.complex, [own, own[edges].all(axis=1)])
        assert homology(subcomplex(torus.complex, mask)).betti == (1, 1, 0), name
        found = check_identities(torus.complex, mask)
        assert str(found.one_point) == "Z, Z, Z", name
        assert str(found.relative) == "0, Z, Z", name
    star = (torus.simplices[2] == 0).any(axis=1)
    link = [e for t in torus.simplices[2][star].tolist() if (e := [v for v in t if v])]
    chosen = [[False] * len(corner), [list(e) in link for e in edges.tolist()]]
    found = check_identities(torus.complex, closure(torus.complex, chosen))
    assert str(found.one_point) == "Z, Z^2, Z^2"
    assert found.sequence.inclusion == (1, 0, 0)


def test_components_in_turn():
    """Two disjoint essential loops of a torus: T/~ has H_1 = Z, then Z; H_2 = Z, then Z²."""
    torus = shape("torus:12x12")
    corner = torus.points.approx
    flat = np.abs(corner[:, 2]) < 1e-6
    mask = closure(torus.complex, [flat, flat[torus.simplices[1]].all(axis=1)])
    assert components(torus.complex, mask)[0] == 2
    steps = collapse_in_turn(torus.complex, mask)
    # the second circle lies on the pinched sphere, and collapsing it gives two spheres that
    # touch in two points: S² ∨ S² ∨ S¹
    assert [str(h) for h in steps] == ["Z, Z^2, Z", "Z, Z, Z", "Z, Z, Z^2"]
    assert collapsed_homology(torus.complex, mask).one_point.betti == (1, 2, 2)


@pytest.mark.parametrize(("coefficients", "field"), [("Z", "Q"), ("Q", "Q"), (3, "3")])
def test_large_parts_are_checked_by_ranks(coefficients, field, monkeypatch):
    complex_, mask = pair(cycle(40), [[4 * i, 4 * i + 1] for i in range(10)])
    small = collapsed_homology(complex_, mask, coefficients).sequence
    assert small.by_subgroups
    monkeypatch.setattr(exact_sequence, "SUBGROUP_LIMIT", 3)
    large = collapsed_homology(complex_, mask, coefficients).sequence
    assert not large.by_subgroups
    assert large.checked_over == field
    for name in ("inclusion", "projection", "connecting"):
        assert getattr(large, name) == getattr(small, name)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from(["Z", "Q", 2]))
def test_ranks_agree_with_subgroups(seed, coefficients):
    rng = np.random.default_rng(seed)
    facets = [rng.choice(8, size=3, replace=False).tolist() for _ in range(14)]
    complex_, _ = from_facets(facets)
    mask = closure(complex_, [rng.random(f) < 0.2 for f in complex_.cells])
    manifold = homology(complex_, coefficients)
    small = reduced_pair(complex_, mask, coefficients)
    one = long_exact_sequence(small, manifold)
    ring = 0 if coefficients == "Z" else small.coefficients
    ranks = exact_sequence._by_ranks(small, manifold, ring)
    assert [tuple(r) for r in zip(*ranks, strict=True)] == [
        one.inclusion,
        one.projection,
        one.connecting,
    ]


@pytest.mark.parametrize("coefficients", ["Z", "Q", 3])
def test_a_wrong_incidence_is_refuted(coefficients, monkeypatch):
    """A disk relative to its boundary, whose boundary loop is made to bound a point: ∂∂ ≠ 0."""
    complex_, mask = pair([[0, 1, 2]], [[0, 1], [1, 2], [0, 2]])
    manifold = homology(complex_, coefficients)
    small = reduced_pair(complex_, mask, coefficients)
    long_exact_sequence(small, manifold)
    with pytest.raises(RefutedError, match="the reduced pair has the homology"):
        long_exact_sequence(small, homology(from_facets(cycle(3))[0], coefficients))
    (face,) = small.cells(2, 1)
    (edge,) = small.cells(1, 0)
    assert small.columns[2][face].keys() == {edge}
    (point,) = small.cells(0)
    small.columns[1][edge] = {point: 1}
    monkeypatch.setattr(exact_sequence, "block_homology", lambda *_: manifold)
    with pytest.raises(RefutedError, match="not exact at H_"):
        long_exact_sequence(small, manifold)
    monkeypatch.setattr(exact_sequence, "SUBGROUP_LIMIT", 0)
    with pytest.raises(RefutedError, match="not exact at H_0"):
        long_exact_sequence(small, manifold)
