"""Edges of arrangements against Zaslavsky, simplicial arrangements, Coxeter groups, real networks.

The cells of codimension one of an arrangement lie on one hyperplane H each and are the regions of
the restriction to H: the number of edges of the region graph is Σ_H r(A^H), which deletion and
restriction count without any geometry. In a simplicial arrangement of rank n every region has
exactly n facets (for Coxeter arrangements these are the simple reflections).
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise
from math import comb, gcd, lcm
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

import polyrank as pr
from polyrank.graph.build import region_graph
from polyrank.graph.geometry import Regions
from polyrank.graph.hamming import hamming_pairs
from polyrank.lp.farkas import value_at
from polyrank.network.normal_form import Network
from polyrank.polyhedra.vnnlib import vnnlib_domain
from tests.conftest import ROOT, shared
from tests.deletion_restriction import _canonical, _restriction, _whitney
from tests.examples import layer, network
from tests.families import (
    FAMILIES,
    Arrangement,
    _central,
    _unit,
    affine_instance,
    generic_central,
    linear_instance,
    simplicial_arrangements,
)
from tests.graph.test_adjacency import _graph, _sound, _words


def _edge_count(arrangement: Arrangement) -> int:
    """Σ_H r(A^H) over the distinct hyperplanes."""
    planes = set()
    for normal, offset in zip(arrangement.normals, arrangement.offsets, strict=True):
        row = [Fraction(v) for v in (*normal, offset)]
        if any(row[:-1]):
            scale = lcm(*(v.denominator for v in row))
            whole = [int(v * scale) for v in row]
            planes.add(_canonical(tuple(v // gcd(*whole) for v in whole)))
    n = arrangement.dim
    total = 0
    for wall in planes:
        if n == 1:
            total += 1
            continue
        rest = _restriction([p for p in planes if p != wall], wall)
        chi = _whitney(tuple(rest), n - 1, {})
        total += abs(sum(c if power % 2 == 0 else -c for power, c in enumerate(chi)))
    return total


@pytest.mark.parametrize(
    ("name", "n"),
    [
        pytest.param(name, n, marks=pytest.mark.slow if regions > 2000 else (), id=f"{name} {n}")
        for name, family in FAMILIES.items()
        for n, regions in family.regions.items()
        if regions <= 60_000
    ],
)
def test_edges_of_families(name: str, n: int) -> None:
    arrangement = FAMILIES[name].build(n)
    run, graph = _graph(arrangement.network())
    _sound(run, graph)
    assert graph.edges == _edge_count(arrangement)
    if arrangement.dim > 1:
        assert graph.edges < arrangement.dim * run.count  # mean degree < 2 n


@pytest.mark.parametrize(("p", "n"), [(6, 3), (7, 4), (9, 5)])
def test_edges_of_generic_central_arrangements(p: int, n: int) -> None:
    run, graph = _graph(generic_central(p, n).network())
    _sound(run, graph)
    # each hyperplane is cut by p − 1 generic central ones in dimension n − 1
    assert graph.edges == p * 2 * sum(comb(p - 2, i) for i in range(n - 1))


def _dyadic(widths: list[int], wall: int | None = None, at: int = 0) -> Network:
    """A random network of multiples of 2**-9, or its restriction to ``x_wall = at``."""
    rng = np.random.default_rng(sum(widths))
    weights, biases = [], []
    for fan_in, units in pairwise([*widths, 1]):
        weights.append(np.rint(rng.normal(0, np.sqrt(2 / fan_in), (units, fan_in)) * 512) / 512)
        biases.append(np.rint(rng.normal(0, 0.1, units) * 512) / 512)
    if wall is not None:
        biases[0] = biases[0] + at * weights[0][:, wall]
        weights[0] = np.delete(weights[0], wall, axis=1)
    return Network.from_arrays(weights, biases)


@pytest.mark.parametrize(
    "widths",
    [[2, 12, 12], [2, 40], [3, 9, 7, 5], [3, 20], [4, 9, 6], [5, 11], [7, 10], [9, 8]],
    ids=str,
)
def test_facets_on_the_walls_of_a_box_are_the_regions_of_the_walls(widths: list[int]) -> None:
    net = _dyadic(widths)
    run, graph = _graph(net, pr.Box(-1, 1))
    _sound(run, graph)
    words = [bytes(w) for w in _words(run)]
    of_region = np.repeat(np.arange(run.count), np.diff(graph.facet_start))
    found = sorted(
        sorted(words[r] for r in of_region[graph.facet_unit == -1 - wall])
        for wall in range(2 * widths[0])
    )
    expected = sorted(
        sorted(
            bytes(w) for w in _words(pr.enumerate_regions(_dyadic(widths, wall, at), pr.Box(-1, 1)))
        )
        for wall in range(widths[0])
        for at in (-1, 1)
    )
    assert found == expected


def _coxeter(kind: str, n: int) -> Arrangement:
    rows = []
    for i, j in combinations(range(n), 2):
        for sign in (1, -1):
            row = [0] * n
            row[i], row[j] = 1, sign
            rows.append(tuple(row))
    if kind == "B":
        rows += [_unit(n, i) for i in range(n)]
    return _central(rows)


@pytest.mark.parametrize(
    ("kind", "n", "order"), [("B", 2, 8), ("B", 3, 48), ("B", 4, 384), ("D", 4, 192)]
)
def test_chambers_of_coxeter_groups_have_n_walls(kind: str, n: int, order: int) -> None:
    run, graph = _graph(_coxeter(kind, n).network())
    _sound(run, graph)
    assert run.count == order
    assert (graph.degrees() == n).all()


def test_simplicial_arrangements_of_rank_three() -> None:
    found = simplicial_arrangements(
        shared("simplicial_arrangements/rank3_simplicial_rational.json")
    )
    chosen = [key for key, (_, regions) in found.items() if regions <= 400]
    assert chosen
    for key in chosen:
        arrangement, regions = found[key]
        run, graph = _graph(arrangement.network())
        _sound(run, graph)
        assert run.count == regions
        assert (graph.degrees() == 3).all(), key
        assert 2 * graph.edges == 3 * regions


def _inside(rows: Any, own: int, point: fmpq_mat) -> bool:
    return all(value_at(row, point) > 0 for i, row in enumerate(rows) if i != own)


@pytest.mark.parametrize("kind", ["box", "whole", "slice"])
def test_crossing_points_lie_on_the_shared_facet_only(kind: str) -> None:
    """Each is exactly on the facet, and strictly inside every other facet of both regions."""
    rng = np.random.default_rng(8)
    shapes = [(5, 3), (5, 5), (1, 5)]
    net = Network.from_arrays(
        [rng.integers(-4, 5, size=s) / 4 for s in shapes],
        [rng.integers(-4, 5, size=s[0]) / 4 for s in shapes],
    )
    where = {
        "box": pr.Box(-2, 2),
        "whole": pr.WholeSpace(),
        "slice": pr.Slice(origin=["1/3", 0, 1], basis=[[1, 0], [2, "1/7"], [0, 1]]),
    }[kind]
    run, graph = _graph(net, where)
    _sound(run, graph)
    regions = Regions(run, net, graph)
    for e in range(graph.edges):
        a, b = int(graph.source[e]), int(graph.target[e])
        assert regions.edge(a, b) == regions.edge(b, a) == e
        point = regions.crossing(e)
        column = fmpq_mat(len(point), 1, list(point))
        for r in (a, b):
            rows = regions.rows(r)
            start, end = graph.facet_start[r : r + 2]
            own = [i for i, to in enumerate(graph.facet_to[start:end].tolist()) if to in (a, b)]
            assert len(own) == 1
            assert value_at(rows[own[0]], column) == 0
            assert _inside(rows, own[0], column)
    with pytest.raises(pr.RunError, match=f"there is no edge {graph.edges}"):
        regions.crossing(graph.edges)
    assert regions.edge(0, 0) is None


def test_a_region_beyond_the_largest_float() -> None:
    tiny = Fraction(1, 2**500)
    net = network(layer([[tiny]], [0]), layer([[tiny]], [-(2**100)]))
    run, graph = _graph(net)
    _sound(run, graph)
    assert (run.count, graph.edges) == (3, 2)
    regions = Regions(run, net, graph)
    points = sorted(regions.crossing(e)[0] for e in range(2))
    assert points == [fmpq(0), fmpq(2) ** 1100]


def test_hamming_pairs_against_all_pairs() -> None:
    rng = np.random.default_rng(5)
    apart = 0
    for _ in range(4):
        shapes = [(7, 2), (7, 7), (7, 7), (1, 7)]
        net = Network.from_arrays(
            [np.round(rng.normal(size=s), 2) for s in shapes],
            [np.round(rng.normal(size=s[0]), 2) for s in shapes],
        )
        run, graph = _graph(net, pr.Box(-2, 2))
        words = np.array(_words(run))
        close = {
            (i, j)
            for i, j in combinations(range(len(words)), 2)
            if int((words[i] != words[j]).sum()) == 1
        }
        edges = set(zip(graph.source.tolist(), graph.target.tolist(), strict=True))
        assert hamming_pairs(run, graph) == (len(close), len(close - edges))
        apart += len(close - edges)
    assert apart > 0
    net = network(layer([[1, 1]], [0], ("1", "1")))  # no hyperplane at all
    run, graph = _graph(net)
    assert hamming_pairs(run, graph) == (0, 0)


def _acas(name: str, prop: int) -> tuple[str, str, Any]:
    return f"acasxu_onnx/{name}.onnx", f"property {prop}", f"acasxu_onnx/prop_{prop}.vnnlib"


_REAL: list[tuple[str, str, Any]] = [
    ("gol_toolbox/demo_8_nodes.pth", "whole", pr.WholeSpace()),
    ("affinitree_npz/iris_44.npz", "box", pr.Box(-1, 1)),
    ("neuralverification_nnet/tiny_nnet.nnet", "whole", pr.WholeSpace()),
    ("neuralverification_nnet/small_nnet.nnet", "whole", pr.WholeSpace()),
    ("neuralverification_nnet/R2_R2.nnet", "whole", pr.WholeSpace()),
    ("relucent/ckpt0_d2_w8_nh1.pt", "whole", pr.WholeSpace()),
    ("relucent/ckpt4392_d4_w8_nh1.pt", "whole", pr.WholeSpace()),
    ("relucent/ckpt5303_d4_w10_nh1.pt", "whole", pr.WholeSpace()),
    ("relucent/ckpt6013_d4_w12_nh1.pt", "whole", pr.WholeSpace()),
    ("relucent/torus_boundary_model_seed2.pt", "whole", pr.WholeSpace()),
    ("canonicalpoly/model1.pt", "whole", pr.WholeSpace()),
]
_REAL_SLOW: list[tuple[str, str, Any]] = [
    ("relucent/ckpt5490_d4_w10_nh3.pt", "whole", pr.WholeSpace()),
    ("beshkov_quotient/D-I_model_0.pth", "box", pr.Box(-10, 10)),
    ("beshkov_quotient/D-I_model_2.pth", "box", pr.Box(-10, 10)),
    ("beshkov_quotient/D-I_model_4.pth", "whole", pr.WholeSpace()),
    ("berzins_bunny/2,2x50,relu,bunny", "box", pr.Box(-1, 1)),
    ("berzins_bunny/2,4x32,relu,bunny", "whole", pr.WholeSpace()),
    ("berzins_bunny/3,3x16,relu,bunny", "box", pr.Box(-1, 1)),
    _acas("ACASXU_run2a_1_1_batch_2000", 3),
    _acas("ACASXU_run2a_1_1_batch_2000", 4),
]


@pytest.mark.parametrize(
    ("path", "where", "domain"),
    [
        *(pytest.param(*case, id=f"{case[0]} {case[1]}") for case in _REAL),
        *(
            pytest.param(*case, marks=pytest.mark.slow, id=f"{case[0]} {case[1]}")
            for case in _REAL_SLOW
        ),
    ],
)
def test_closure_of_real_networks(path: str, where: str, domain: Any) -> None:
    net = pr.load(shared(path))
    chosen = vnnlib_domain(shared(domain)) if isinstance(domain, str) else domain
    run, graph = _graph(net, chosen)
    assert run.certified
    _sound(run, graph)
    assert 2 * graph.edges < 2 * run.dimension * run.count


@pytest.mark.slow
def test_closure_of_the_horizontal_collision_avoidance_network() -> None:
    net = pr.load(ROOT / "examples/horizontal_cas/HCAS_rect_v6_pra0_tau00_25HU_3000.nnet")
    header = net.source["header"]
    run, graph = _graph(net, pr.Box(header["lower"], header["upper"]))
    _sound(run, graph)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["data_aff_R_13_5", "data_aff_R_14_7", "data_aff_perm_6"])
def test_edges_of_affine_instances(name: str) -> None:
    arrangement = affine_instance(shared(f"isf_arrangements/test/affine_data/{name}.txt"))
    run, graph = _graph(arrangement.network())
    _sound(run, graph)
    assert graph.edges == _edge_count(arrangement)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["data_rand_7_11_4", "data_perm_6"])
def test_edges_of_linear_instances(name: str) -> None:
    arrangement = linear_instance(shared(f"isf_arrangements/test/linear_data/{name}.txt"))
    run, graph = _graph(arrangement.network())
    _sound(run, graph)
    assert graph.edges == _edge_count(arrangement)


@pytest.mark.slow
def test_a_region_deleted_from_a_real_run_is_named() -> None:
    net = pr.load(shared("gol_toolbox/demo_8_nodes.pth"))
    run = pr.enumerate_regions(net)
    words = _words(run)
    for gone in range(0, run.count, 5):
        keep = [i for i in range(run.count) if i != gone]
        damaged = pr.Run.in_memory(run.manifest, run.table.take(keep))
        graph = region_graph(damaged, net)
        assert not graph.closure.closed
        assert {gap.codeword for gap in graph.closure.gaps} == {words[gone]}
