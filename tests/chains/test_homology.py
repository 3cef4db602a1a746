"""Homology against published groups, gudhi over fields, and dense Smith normal forms."""

from __future__ import annotations

import json

import numpy as np
import pytest
from flint import fmpz_mat
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from polyrank.chains import morse
from polyrank.chains.chain import ChainComplex, from_facets, simplicial_complex
from polyrank.chains.elimination import invariant_factors, parse_coefficients, rank_over
from polyrank.chains.groups import Homology, homology
from polyrank.errors import DomainError
from polyrank.topology.files import read_manifold
from tests.conftest import shared

KNOWN = "known_answers/triangulations_homology.json"

# "Z+Z_2" is published notation; SU2_SO3 is published modulo 2, where it is Z_2 in degrees
# 0, 2, 3, 5; over Z (Barden's manifold SU(3)/SO(3)): Z, 0, Z/2, 0, 0, Z
OVER_Z = {"lutz_SU2_SO3": "Z,0,Z_2,0,0,Z"}


def published(text: str) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Betti numbers and torsion of "Z,Z+Z_2,Z_5^3,0"."""
    betti, torsion = [], []
    for group in text.split(","):
        rank, factors = 0, []
        for part in [] if group == "0" else group.split("+"):
            base, _, power = part.partition("^")
            times = int(power or 1)
            if base == "Z":
                rank += times
            else:
                factors += [int(base.removeprefix("Z_"))] * times
        betti.append(rank)
        torsion.append(tuple(factors))
    return tuple(betti), tuple(torsion)


def by_universal_coefficients(over_z: Homology, p: int) -> tuple[int, ...]:
    """dim H_d(F_p) = rank H_d + p-torsion of H_d + p-torsion of H_{d−1}."""
    counts = [sum(t % p == 0 for t in own) for own in over_z.torsion]
    return tuple(b + counts[d] + (counts[d - 1] if d else 0) for d, b in enumerate(over_z.betti))


def test_published_triangulations():
    entries = json.loads(shared(KNOWN).read_text())["complexes"]
    assert len(entries) >= 16
    for name, entry in entries.items():
        complex_, _ = from_facets(entry["facets"])
        found = homology(complex_)
        expected = published(OVER_Z.get(name, entry["H"]))
        assert (found.betti, found.torsion) == expected, name
        assert list(complex_.cells) == entry.get("f_vector", list(complex_.cells))
        assert homology(complex_, "Q").betti == found.betti
        for p, key in ((2, "betti_mod2"), (3, "betti_mod3"), (32003, "betti_mod_32003")):
            assert homology(complex_, p).betti == tuple(entry[key]), (name, p)
            assert by_universal_coefficients(found, p) == tuple(entry[key]), (name, p)


def test_the_files_of_lutz():
    """The lists of facets themselves, not only their copies in the table."""
    folder = shared("lutz_triangulations")
    wanted = {"poincare": "Z,0,0,Z", "dunce_hat": "Z,0,0", "K3_16": "Z,0,Z^22,0,Z"}
    for name, groups in wanted.items():
        found = homology(read_manifold(folder / name).complex)
        assert (found.betti, found.torsion) == published(groups)


def random_facets(rng: np.random.Generator, vertices: int, size: int, count: int):
    return [rng.choice(vertices, size=size, replace=False).tolist() for _ in range(count)]


@pytest.mark.parametrize("p", [2, 3, 11])
@pytest.mark.parametrize("seed", range(6))
def test_gudhi_over_fields(seed, p):
    gudhi = pytest.importorskip("gudhi")
    rng = np.random.default_rng(seed)
    facets = random_facets(rng, 12, 3 + seed % 3, 40)
    tree = gudhi.SimplexTree()
    for facet in facets:
        tree.insert(facet)
    tree.set_dimension(tree.upper_bound_dimension())
    tree.compute_persistence(homology_coeff_field=p, persistence_dim_max=True)
    complex_, _ = from_facets(facets)
    expected = tuple(tree.betti_numbers())
    assert homology(complex_, p).betti[: len(expected)] == expected


def dense(complex_: ChainComplex) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """A second method: the Smith normal form of every whole boundary matrix."""
    factors = [[]]
    for matrix in complex_.boundary:
        rows = [[int(v) for v in row] for row in matrix.toarray().tolist()]
        flat = [v for row in rows for v in row]
        factors.append(invariant_factors(fmpz_mat(*matrix.shape, flat)))
    factors.append([])
    betti = tuple(f - len(factors[d]) - len(factors[d + 1]) for d, f in enumerate(complex_.cells))
    return betti, tuple(
        tuple(t for t in factors[d + 1] if t > 1) for d in range(len(complex_.cells))
    )


@st.composite
def chain_complexes(draw: st.DrawFn) -> ChainComplex:
    """∂_1 = 0, ∂_2 any small integers (all groups occur), ∂_3 combinations of their kernel."""
    edges, faces = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    entry = st.sampled_from([0, 0, 1, -1, 2, -3, 4])
    second = np.array(
        draw(
            st.lists(
                st.lists(entry, min_size=faces, max_size=faces), min_size=edges, max_size=edges
            )
        ),
        dtype=np.int64,
    )
    null, nullity = fmpz_mat(second.tolist()).nullspace()
    columns = [[int(v) for v in row] for row in null.transpose().tolist()][: int(nullity)]
    bodies = draw(st.integers(0, 3))
    third = np.zeros((faces, bodies), np.int64)
    for j in range(bodies):
        for column in columns:
            third[:, j] += draw(st.sampled_from([0, 1, -1, 2])) * np.array(column)
    first = np.zeros((1, edges), np.int64)
    matrices = tuple(sparse.csc_array(m) for m in (first, second, third))
    return ChainComplex((1, edges, faces, bodies), matrices)


@settings(max_examples=150)
@given(chain_complexes())
def test_any_integer_chain_complex(complex_):
    found = homology(complex_)
    assert (found.betti, found.torsion) == dense(complex_)
    assert homology(complex_, "Q").betti == found.betti
    for p in (2, 3):
        assert homology(complex_, p).betti == by_universal_coefficients(found, p)


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_random_simplicial_complexes(seed):
    rng = np.random.default_rng(seed)
    complex_, _ = from_facets(random_facets(rng, 8, int(rng.integers(2, 5)), 14))
    found = homology(complex_)
    assert (found.betti, found.torsion) == dense(complex_)


def test_numbers_beyond_64_bits():
    """Telescope a_i ~ 2 a_{i+1} for i < 70, with a_0 ~ 0: H_1 = Z/2^70."""
    steps = 70
    second = np.zeros((steps + 1, steps + 1), np.int64)
    second[0, 0] = 1
    for i in range(steps):
        second[i, i + 1] += 1
        second[i + 1, i + 1] = -2
    loops = ChainComplex(
        (1, steps + 1, steps + 1),
        (sparse.csc_array(np.zeros((1, steps + 1), np.int64)), sparse.csc_array(second)),
    )
    found = homology(loops)
    assert found.torsion == ((), (2**70,), ())
    assert found.group(1) == f"Z/{2**70}"
    assert homology(loops, 2).betti == (1, 1, 1)
    assert homology(loops, 3).betti == (1, 0, 0)


def doubling(steps: int) -> ChainComplex:
    """∂b_i = a_i − 2 a_{i+1}, ∂c = a_0 + a_n: the paths from c double n times."""
    second = np.zeros((steps + 1, steps + 1), np.int64)
    for i in range(steps):
        second[i, i], second[i + 1, i] = 1, -2
    second[0, steps] = second[steps, steps] = 1
    first = np.zeros((1, steps + 1), np.int64)
    return ChainComplex(
        (1, steps + 1, steps + 1), (sparse.csc_array(first), sparse.csc_array(second))
    )


@pytest.mark.parametrize("steps", [3, 40, 62, 63, 100])
def test_gradient_paths_beyond_64_bits(steps):
    """a_0 = 2^n a_n and a_0 = −a_n: H_1 = Z/(2^n + 1)."""
    assert homology(doubling(steps)).torsion == ((), (2**steps + 1,), ())
    assert homology(doubling(steps), "Q").betti == (1, 0, 0)


def test_gradient_paths_in_integers_of_any_size(monkeypatch):
    calls = []
    monkeypatch.setattr(morse, "_flow", lambda *a: calls.append(a))
    for seed in range(5):
        complex_, _ = from_facets(random_facets(np.random.default_rng(seed), 9, 4, 20))
        found = homology(complex_)
        assert (found.betti, found.torsion) == dense(complex_)
    assert len(calls) == 5


def test_a_million_cells():
    """A triangulated torus of 2 · 300² triangles: 540,000 cells, in a few seconds."""
    m = 300
    i, j = (a.ravel() for a in np.meshgrid(np.arange(m), np.arange(m), indexing="ij"))

    def corner(a, b):
        return (a % m) * m + b % m

    facets = np.concatenate(
        [
            np.stack([corner(i, j), corner(i + 1, j), corner(i + 1, j + 1)], 1),
            np.stack([corner(i, j), corner(i, j + 1), corner(i + 1, j + 1)], 1),
        ]
    )
    complex_, _ = simplicial_complex([facets.astype(np.int64)])
    assert str(homology(complex_)) == "Z, Z^2, Z"


def test_groups_as_text():
    found = Homology("Z", (1, 0, 2), ((), (2, 4), ()))
    assert found.groups == ("Z", "Z/2 + Z/4", "Z^2")
    assert Homology("3", (1, 2), ((), ())).groups == ("F3", "F3^2")
    assert str(Homology("Q", (1, 0), ((), ()))) == "Q, 0"


@pytest.mark.parametrize("text", ["4", "0", "1", "R", "-3", "10000000000", "Z/2", ""])
def test_coefficients_that_are_no_ring_we_know(text):
    with pytest.raises(DomainError, match="must be Z, Q or a prime"):
        parse_coefficients(text)


def test_coefficients():
    assert [parse_coefficients(t) for t in ("z", " Q ", 2, "999999937")] == [-1, 0, 2, 999999937]


def test_ranks_of_empty_matrices():
    assert rank_over(fmpz_mat(0, 3), 2) == 0
    assert invariant_factors(fmpz_mat(2, 0)) == []


@pytest.mark.parametrize("seed", range(3))
def test_complexes_that_no_matching_makes_small(seed):
    """Sixty loops, sixty dense relations: thousands of entries are left for elimination."""
    rng = np.random.default_rng(seed)
    second = rng.integers(-1, 2, size=(60, 60))
    second[:, 0] = second[:, 1] + 2 * second[:, 2]  # not of full rank
    first = np.zeros((1, 60), np.int64)
    complex_ = ChainComplex((1, 60, 60), (sparse.csc_array(first), sparse.csc_array(second)))
    found = homology(complex_)
    assert (found.betti, found.torsion) == dense(complex_)
    assert homology(complex_, 5).betti == by_universal_coefficients(found, 5)
