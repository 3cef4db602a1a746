"""Leading layers without biases, later ones with: cones whose apexes all lie on one line or point.

Where a layer has no constants on any region, the multipliers that prove its signs are zero on
whatever bounds the domain. Neither the search, nor the walk over facets, nor the checker leaves
such cells to rational arithmetic. Regions come from the generators of cones in integers, the number
for a first layer in general position from Cover's theorem.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

import polyrank as pr
from polyrank.counts.arrangement import central_regions
from polyrank.graph.build import region_graph
from polyrank.network.normal_form import Network
from polyrank.proof import claims
from polyrank.proof.check import check
from tests.checks import differences
from tests.oracles import regions_by_generators

ORTHANT = pr.Polytope(-np.eye(3), [0, 0, 0])
#: Name: widths, how many layers have no biases, the domain and its rows, the engine.
CASES = {
    "plane": ([2, 5, 4, 1], 1, None, (), "vertices"),
    "space": ([3, 6, 4, 1], 1, None, (), "vertices"),
    "space, dictionaries": ([3, 6, 4, 1], 1, None, (), "dictionary"),
    "two of three layers": ([3, 5, 4, 3, 1], 2, None, (), "dictionary"),
    "two of three layers, vertices": ([2, 5, 4, 4, 1], 2, None, (), "vertices"),
    "four dimensions": ([4, 6, 4, 1], 1, None, (), "dictionary"),
    "a cone": ([3, 6, 4, 1], 1, ORTHANT, ((-1, 0, 0, 0), (0, -1, 0, 0), (0, 0, -1, 0)),
               "dictionary"),
}  # fmt: skip


def network(widths: list[int], leading: int, *, whole: bool, seed: int = 0) -> Network:
    dice = np.random.default_rng(seed)
    weights, biases = [], []
    for number, (n, m) in enumerate(itertools.pairwise(widths)):
        if whole:
            weights.append(dice.integers(-3, 4, size=(m, n)) * 1.0)
            biases.append(dice.integers(-3, 4, size=m) * float(number >= leading))
        else:
            weights.append(dice.normal(size=(m, n)))
            biases.append(dice.normal(size=m) * (number >= leading))
    return Network.from_arrays(weights, biases)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_regions_are_those_of_the_oracle(tmp_path, name, whole):
    widths, leading, domain, rows, engine = CASES[name]
    net = network(widths, leading, whole=whole)
    found = pr.enumerate_regions(net, domain, engine=engine, out=tmp_path / "run", proof=True)
    oracle = regions_by_generators(net, tuple(tuple(map(Fraction, row)) for row in rows))
    assert differences(net, found, oracle) == []
    pr.save(net, tmp_path / "net.json")
    assert check(tmp_path / "run", network=tmp_path / "net.json").complete
    assert check(tmp_path / "run", network=tmp_path / "net.json", exact=True).complete


@pytest.mark.parametrize("name", CASES)
def test_little_is_left_to_rationals(tmp_path, monkeypatch, name):
    """Of networks in general position: by the search nothing, by the checker no sign of layer 1."""
    widths, leading, domain, _, engine = CASES[name]
    net = network(widths, leading, whole=False, seed=1)
    run = pr.enumerate_regions(net, domain, engine=engine, out=tmp_path / "run", proof=True)
    ladder = run.manifest["search"]["ladder"]
    if engine == "dictionary" and domain is None:
        assert (ladder["by_rationals"], ladder["exact_cells"]) == (0, 0)
    asked = []
    signed = claims.signed

    def counted(problem, region, *arguments, **options):
        asked.append(region.layer)
        return signed(problem, region, *arguments, **options)

    monkeypatch.setattr(claims, "signed", counted)
    pr.save(net, tmp_path / "net.json")
    assert check(tmp_path / "run", network=tmp_path / "net.json").complete
    assert 0 not in asked


@pytest.mark.parametrize("seed", range(3))
def test_rows_of_few_dimensions_need_no_rationals(seed):
    """Layers 2 and 3 where few units are active: their rows span less than the space."""
    net = network([3, 6, 6, 6, 1], 0, whole=False, seed=seed)
    run = pr.enumerate_regions(net, engine="dictionary")
    ladder = run.manifest["search"]["ladder"]
    assert (ladder["by_rationals"], ladder["exact_cells"]) == (0, 0)
    assert differences(net, run, regions_by_generators(net)) == []


def test_a_first_layer_has_as_many_regions_as_cover_says():
    for widths in ([2, 7, 3, 1], [3, 8, 3, 1], [4, 8, 3, 1]):
        net = network(widths, 1, whole=False, seed=2)
        run = pr.enumerate_regions(net, engine="dictionary", through_layer=1)
        assert run.count == central_regions(widths[1], widths[0])


@pytest.mark.parametrize("leading", [0, 1, 2])
def test_the_graph_satisfies_eulers_relation(leading):
    """Regions, the edges between them and the vertices of the generators divide the plane."""
    net = network([2, 5, 4, 1], leading, whole=False, seed=3)
    run = pr.enumerate_regions(net, engine="dictionary")
    graph = region_graph(run, net)
    assert graph.closure.symmetric
    assert not graph.closure.gaps
    vertices = {v for region in regions_by_generators(net).values() for v in region.vertices}
    assert len(vertices) - len(graph.source) + run.count == 1
