"""Sections: what the first layer does not see is left out, and every answer is the one on R^n.

Networks of 4 to 6 inputs whose first layer reads a projection to 0 to 3 coordinates, on domains
that do or do not depend on the rest. Expected: exact enumeration on all of R^n by generators, which
has lines and knows no charts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

import polyrank as pr
from polyrank.graph.build import region_graph
from polyrank.graph.geometry import Regions
from polyrank.graph.linear_regions import linear_regions
from polyrank.graph.low_rank import low_rank_part
from polyrank.lp.farkas import value_at
from polyrank.network.forward import affine_map, codeword_exact
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from polyrank.polyhedra import Polytope, Slice, WholeSpace
from polyrank.posed import section as section_module
from polyrank.posed.chart import chart
from polyrank.posed.section import chart_for, quotient, section
from polyrank.proof.check import check
from polyrank.proof.format import ProofRejectedError
from polyrank.sampling.crosscheck import RunCheck
from tests.checks import check_run
from tests.examples import polytope, whole
from tests.graph.brute_force import adjacent_pairs
from tests.oracles import regions_by_generators
from tests.proof.runs import Copy, write
from tests.strategies import degenerate_networks

Rows = Sequence[Sequence[Fraction]]


def seen_through(network: Network, projection: Rows) -> Network:
    """The network after a linear map of R^n."""
    first = network.layers[0]
    weight = fmpq_mat(first.weight.to_fmpq_mat()) * matrix(projection)
    moved = RationalArray.from_fmpq_mat(weight)
    layer = Layer(moved, first.bias, first.slope_neg, first.slope_pos, first.name)
    return Network((layer, *network.layers[1:]), network.name)


def matrix(rows: Rows) -> fmpq_mat:
    """Exact matrix of rows of fractions."""
    entries = [fmpq(v.numerator, v.denominator) for row in rows for v in map(Fraction, row)]
    return fmpq_mat(len(rows), len(rows[0]), entries)


@st.composite
def wide(draw: st.DrawFn) -> tuple[Network, Any, Any]:
    """A network on R^n, n = 4..6, that sees less; a domain, and the same as rows for the oracle."""
    inner = draw(degenerate_networks(max_inputs=3, max_hidden=2, max_bits=7))
    m, n = inner.input_dim, draw(st.integers(4, 6))
    entry = st.sampled_from([0, 0, 1, 1, -1, 2, -3]).map(Fraction)
    projection = [[draw(entry) for _ in range(n)] for _ in range(m)]
    net = seen_through(inner, projection)
    kind = draw(st.sampled_from(["whole", "whole", "seen", "other"]))
    if kind == "whole":
        return net, WholeSpace(), whole()
    count = draw(st.integers(1, 3))
    if kind == "seen":  # rows that depend on what the first layer sees
        factors = [[Fraction(draw(st.integers(-2, 2))) for _ in range(m)] for _ in range(count)]
        table = [
            [sum((f * row[j] for f, row in zip(line, projection, strict=True)), Fraction(0))
             for j in range(n)]
            for line in factors
        ]  # fmt: skip
    else:
        table = [[draw(entry) for _ in range(n)] for _ in range(count)]
    bounds = [Fraction(draw(st.integers(1, 4)), 2) for _ in table]
    rows = [(*row, bound) for row, bound in zip(table, bounds, strict=True)]
    return net, Polytope(table, bounds), polytope(*rows)


def listed(run: Any) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Codeword to ranks."""
    table = run.table
    words = [tuple(w) for block in run.codewords() for w in block.tolist()]
    ranks = zip(*(table.column(f"rank_{k}").to_pylist() for k in range(1, run.layers + 1)),
                strict=True)  # fmt: skip
    return dict(zip(words, ranks, strict=True))


@settings(max_examples=60, deadline=None)
@given(wide())
def test_the_regions_are_those_of_the_whole_space(drawn: tuple[Network, Any, Any]) -> None:
    net, domain, space = drawn
    want = regions_by_generators(net, space.rows)
    run = pr.enumerate_regions(net, domain)
    assert run.certified
    assert listed(run) == {bits: region.ranks for bits, region in want.items()}
    assert check_run(net, domain, run).failures == []
    assert run.dimension == net.input_dim  # of the domain, whatever its chart
    for x, word in zip(run.witnesses(), listed(run), strict=True):
        assert x.nrows() == net.input_dim
        assert tuple(codeword_exact(net, x).bits.astype(int).tolist()) == word


@settings(max_examples=25, deadline=None)
@given(wide())
def test_the_same_with_and_without(drawn: tuple[Network, Any, Any]) -> None:
    net, domain, _ = drawn
    divided = pr.enumerate_regions(net, domain)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(section_module, "PLAIN", 1000)
        plain = pr.enumerate_regions(net, domain)
        assert plain.lineality == 0
        graph = region_graph(plain, net)
    assert listed(divided) == listed(plain)
    other = region_graph(divided, net)
    words, names = list(listed(plain)), list(listed(divided))
    pairs = [
        {frozenset((w[a], w[b])) for a, b in zip(g.source.tolist(), g.target.tolist(), strict=True)}
        for w, g in ((words, graph), (names, other))
    ]
    assert pairs[0] == pairs[1]
    degrees = [
        dict(zip(w, np.diff(g.facet_start).tolist(), strict=True))
        for w, g in ((words, graph), (names, other))
    ]
    assert degrees[0] == degrees[1]


@settings(max_examples=15, deadline=None)
@given(wide())
def test_neighbours_by_generators(drawn: tuple[Network, Any, Any]) -> None:
    net, domain, space = drawn
    run = pr.enumerate_regions(net, domain)
    graph = region_graph(run, net)
    words = list(listed(run))
    found = {
        frozenset((words[a], words[b]))
        for a, b in zip(graph.source.tolist(), graph.target.tolist(), strict=True)
    }
    assert found == adjacent_pairs(net, space.rows)[0]


@settings(max_examples=40, deadline=None)
@given(wide())
def test_the_premises_of_the_theorem(drawn: tuple[Network, Any, Any]) -> None:
    net, domain, _ = drawn
    before = chart(domain, net.input_dim)
    after = section(net, before)
    first = net.layers[0].weight_exact
    rows = [*before.A.tolist(), *(first * before.basis).tolist()]
    m = fmpq_mat(len(rows), before.k, [v for row in rows for v in row])
    assert after.k == (m.rank() if not before.bounded else before.k)
    assert after.dimension == before.k
    seen = quotient(net, before)
    if seen is None:
        assert after is before
        return
    forms = seen.forms
    assert forms.rank() == after.k == forms.nrows()
    columns = [[m[i, j] for j in seen.axes] for i in range(m.nrows())]
    assert fmpq_mat(len(rows), after.k, [v for row in columns for v in row]).rank() == after.k
    inside = after.A * after.interior
    assert all(v < b for v, b in zip(inside.entries(), after.b.entries(), strict=True))


def _projected_network() -> Network:
    """On R^5 through (x0 + x2, x1 − x4): four regions of the plane in layer 1, more in layer 2."""
    first = [[1, 0, 1, 0, 0], [0, 1, 0, 0, -1], [1, 1, 1, 0, -1]]
    return Network.from_arrays([first, [[1, -1, 1], [0, 1, 1]]], [[0, 0, -1], [-1, 0.5]])


_FLAT = Slice([1, 0, 0, 0, 0, 0], np.eye(6, 5).tolist())  # x5 = 0
_HALF = Polytope([[1, 0, 1, 0, 0]], [1])
_FLAT_POLYTOPE = Polytope(
    [[1, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, -1, 0]], [1, 2, -2]
)  # x3 = 2: flat, with lines in x0 − x2 and x1 + x4


def _in_r6() -> Network:
    first = [[1, 0, 1, 0, 0, 2], [0, 1, 0, 0, -1, 1], [1, 1, 1, 0, -1, 0]]
    return Network.from_arrays([first, [[1, -1, 1], [0, 1, 1]]], [[0, 0, -1], [-1, 0.5]])


PROVED = [
    (_projected_network, WholeSpace(), 3),
    (_projected_network, _HALF, 3),
    (_projected_network, _FLAT_POLYTOPE, 2),
    (_in_r6, _FLAT, 3),
    (lambda: Network.from_arrays([np.zeros((2, 4)), [[1, 1]]], [[1, -1], [0]]), WholeSpace(), 4),
]


@pytest.mark.parametrize(("make", "domain", "lineality"), PROVED)
def test_proofs_are_accepted(make: Any, domain: Any, lineality: int, tmp_path: Path) -> None:
    run = write(tmp_path / "run", make(), domain)
    assert run.certified
    assert run.lineality == lineality
    for exact in (False, True):
        report = check(tmp_path / "run", exact=exact)
        assert report.complete
        assert report.checked == run.count


def _claim(lineality: int) -> Any:
    return lambda manifest: manifest["chart"].update(lineality=lineality)


def _column(at: int, values: Sequence[str]) -> Any:
    def change(manifest: dict[str, Any]) -> None:
        for row, v in zip(manifest["chart"]["basis"], values, strict=True):
            row[at] = v

    return change


FALSE = [
    (_claim(0), "no multipliers"),
    (_claim(2), "no multipliers"),
    (_claim(4), "see more than the other 1"),
    (_claim(5), "see more than the other 0"),
    (_column(0, ["1", "0", "-1", "0", "0"]), "a direction that its own columns span"),
    (_column(1, ["0", "1", "0", "0", "1"]), "a direction that its own columns span"),
    (_column(1, ["0", "0", "0", "1", "0"]), "a direction that its own columns span"),
    (lambda m: m["chart"]["lower"] or m["chart"].update(lower=["-9", "-9"], upper=["9", "9"]),
     "nothing proves"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), FALSE)
def test_a_false_section_is_rejected(change: Any, reason: str, tmp_path: Path) -> None:
    write(tmp_path / "run", _projected_network())
    copy = Copy(tmp_path / "run", tmp_path / "copy")
    copy.edit(change)
    for exact in (False, True):
        with pytest.raises(pr.PolyrankError, match=reason):
            check(copy.path, exact=exact)


def test_a_section_that_hides_a_row_of_the_domain_is_rejected(tmp_path: Path) -> None:
    """The first layer does not see x3, but the domain's row does: x3 cannot be left out."""
    net = _projected_network()
    write(tmp_path / "run", net)
    copy = Copy(tmp_path / "run", tmp_path / "copy")
    copy.edit(lambda m: m.update(domain=Polytope([[0, 0, 0, 1, 0]], [0]).describe()))
    with pytest.raises(ProofRejectedError, match="see more than the other 2"):
        check(copy.path)


@pytest.mark.parametrize("value", [-1, "3", True, None, 1.5])
def test_a_damaged_lineality(value: Any, tmp_path: Path) -> None:
    write(tmp_path / "run", _projected_network())
    copy = Copy(tmp_path / "run", tmp_path / "copy")
    copy.edit(lambda m: m["chart"].update(lineality=value))
    with pytest.raises(pr.RunError, match=r"chart\.lineality"):
        pr.open_run(copy.path)


def test_up_to_three_dimensions_keep_their_coordinates() -> None:
    net = Network.from_arrays([[[1.0, 0, 0]], [[1.0]]], [[0.0], [0.0]])
    made = chart_for(net, WholeSpace())
    assert (made.k, made.lineality) == (3, 0)


def test_what_is_said_of_a_region_in_a_section() -> None:
    net = _projected_network()
    run = pr.enumerate_regions(net)
    regions = Regions(run, net, region_graph(run, net))
    for r in range(run.count):
        shape = regions.geometry(r)
        assert (shape.lineality, shape.bounded, shape.volume, shape.ball()) == (
            3,
            False,
            None,
            None,
        )
        slope, _ = regions.affine_map(r)
        assert slope.ncols() == 5
        assert slope.rank() == run.table.column(f"rank_{run.layers}").to_pylist()[r]
    part = low_rank_part(regions, 5)
    assert part.regions == run.count
    assert all(c.bounded is False for c in part.components)


@pytest.mark.parametrize(
    ("net", "domain"),
    [(_projected_network(), None), (_projected_network(), _FLAT_POLYTOPE), (_in_r6(), _FLAT)],
)
def test_nearest_low_rank_points_are_nearest_in_the_whole_space(net: Network, domain: Any) -> None:
    """Against all sets of tight rows of every low-rank region, in R^n itself."""
    from polyrank.graph.nearest import nearest_low_rank

    run = pr.enumerate_regions(net, domain)
    regions = Regions(run, net, region_graph(run, net))
    ranks = run.table.column("rank_2").to_pylist()
    plain = chart(domain or WholeSpace(), net.input_dim)
    rng = np.random.default_rng(4)
    for _ in range(4):
        point = [fmpq(int(v), 3) for v in rng.integers(-9, 10, net.input_dim)]
        found = nearest_low_rank(regions, point, 1, 2)
        assert found is not None
        away = [u - v for u, v in zip(found.x, point, strict=True)]
        assert found.distance_squared == sum((v * v for v in away), fmpq(0))
        low = [r for r, rank in enumerate(ranks) if rank < 1]
        assert found.proved
        assert found.distance_squared == _least(net, plain, regions, low, point)


def _least(net: Network, plain: Any, regions: Regions, low: list[int], point: list[fmpq]) -> fmpq:
    """Least squared distance of a point of R^n to closed regions, over all sets of tight rows."""
    gram = plain.basis.transpose() * plain.basis
    offset = fmpq_mat(len(point), 1, point) - plain.origin
    free = gram.solve(plain.basis.transpose() * offset)
    best = None
    for r in low:
        rows = [(*(-v for v in a), b) for a, b in zip(plain.A.tolist(), plain.b.entries(),
                                                      strict=True)]  # fmt: skip
        word = regions.codeword(r)
        bit = 0
        for k in range(1, len(net.layers) + 1):
            layer = net.layers[k - 1]
            if k == 1:
                J, c = layer.weight_exact, layer.bias_exact
            else:
                J, c = affine_map(net, word, layer=k - 1)
                J, c = layer.weight_exact * J, layer.weight_exact * c + layer.bias_exact
            J, c = J * plain.basis, c + J * plain.origin
            for i, plane in enumerate(layer.has_hyperplane.tolist()):
                if plane:
                    sign = 1 if word[bit] else -1
                    rows.append((*(sign * J[i, l] for l in range(plain.k)), sign * c[i, 0]))
                    bit += 1
        rows = [row for row in rows if any(row[:-1])]
        for size in range(plain.k + 1):
            for chosen in combinations(rows, size):
                u = free
                if size:
                    a = fmpq_mat(size, plain.k, [v for row in chosen for v in row[:-1]])
                    if a.rank() < size:
                        continue
                    b = fmpq_mat(size, 1, [row[-1] for row in chosen])
                    pull = gram.solve(a.transpose())
                    u = free - pull * (a * pull).solve(a * free + b)
                if all(value_at(row, u) >= 0 for row in rows):
                    d = plain.origin + plain.basis * u - fmpq_mat(len(point), 1, point)
                    square = (d.transpose() * d)[0, 0]
                    best = square if best is None else min(best, square)
    assert best is not None
    return best


def test_samples_of_the_whole_space_against_a_run_in_a_section() -> None:
    net = _projected_network()
    run = pr.enumerate_regions(net)
    listener = RunCheck(run, net)
    assert listener.chart.k == 5
    assert listener.sampled.input_dim == 5


def test_linear_regions_are_the_same_in_a_section(monkeypatch: pytest.MonkeyPatch) -> None:
    """25 regions of the plane; the sum of layer 2 joins some of them."""
    rng = np.random.default_rng(6)
    projection = rng.integers(-2, 3, (2, 5))
    net = Network.from_arrays(
        [rng.integers(-2, 3, (4, 2)) @ projection, rng.integers(-2, 3, (3, 4)), [[1, 1, 1]]],
        [rng.integers(-2, 3, 4), rng.integers(-2, 3, 3), [0]],
    )
    found = []
    for plain in (3, 1000):
        monkeypatch.setattr(section_module, "PLAIN", plain)
        run = pr.enumerate_regions(net)
        assert run.coordinates == (2 if plain == 3 else 5)
        graph = region_graph(run, net)
        found.append([linear_regions(run, net, graph, k)[0] for k in (1, 2, 3)])
    assert found[0] == found[1]


def _generic(seed: int, *widths: int) -> Network:
    rng = np.random.default_rng(seed)
    shapes = list(pairwise(widths))
    return Network.from_arrays(
        [rng.normal(size=(b, a)).astype(np.float32) for a, b in shapes],
        [rng.normal(size=b).astype(np.float32) for _, b in shapes],
    )


def test_eight_units_on_784_inputs(tmp_path: Path) -> None:
    """Eight independent hyperplanes: 2^8 orthants, with rank = active units, neighbours = 8."""
    net = _generic(0, 784, 8, 10)
    run = write(tmp_path / "run", replace(net, layers=net.layers[:1]))
    assert (run.count, run.certified) == (256, True)
    assert (run.coordinates, run.lineality, run.dimension) == (8, 776, 784)
    assert run.rank_histogram(1) == {k: [1, 8, 28, 56, 70, 56, 28, 8, 1][k] for k in range(9)}
    witnesses = list(run.witnesses())
    assert all(sum(v != 0 for v in x.entries()) <= 8 for x in witnesses)
    words = {tuple(codeword_exact(net, x).bits[:8].tolist()) for x in witnesses}
    assert len(words) == 256
    assert check(tmp_path / "run").complete
    graph = region_graph(run, replace(net, layers=net.layers[:1]))
    assert graph.edges == 8 * 256 // 2


def test_the_time_is_that_of_the_units() -> None:
    net = _generic(1, 784, 10, 10)
    small = _generic(1, 10, 10, 10)
    pr.enumerate_regions(small)  # compiles
    seconds = []
    for case in (small, net):
        begun = time.perf_counter()
        run = pr.enumerate_regions(case, through_layer=1)
        seconds.append(time.perf_counter() - begun)
        assert run.count == 1024
    assert seconds[1] < 20 * seconds[0] + 2  # 92 ms a region before: 94 s
