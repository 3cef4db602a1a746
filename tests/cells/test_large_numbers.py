"""Arrangements in other coordinates and at other magnitudes: the counts of those in small numbers.

With M regular, x ↦ M x maps the regions of the planes ``A M x = b`` to those of ``A y = b``, and
positive multiples of a row are the same hyperplane: the published counts hold, however long the
numbers are. Where hyperplanes meet, floats of 53 bits cannot decide; still no cell is left to
rationals for the length of its numbers alone.
"""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import polyrank as pr
from polyrank.cells.search import search
from polyrank.network.normal_form import Network
from polyrank.posed.problem import Problem
from tests.families import FAMILIES, Arrangement, generic, generic_count

_CASES = [("resonance", 4), ("braid", 6), ("type_b", 4), ("shi", 5), ("linial", 5)]


def _turned(arrangement: Arrangement, bits: int, seed: int = 0) -> Arrangement:
    """The arrangement in random coordinates: normals times a matrix of integers of so many bits."""
    n, rng = arrangement.dim, random.Random(seed)
    m = [[rng.randrange(-(2**bits), 2**bits) for _ in range(n)] for _ in range(n)]
    rows = tuple(
        tuple(sum(Fraction(row[i]) * m[i][j] for i in range(n)) for j in range(n))
        for row in arrangement.normals
    )
    return Arrangement(rows, arrangement.offsets)


def _rescaled(arrangement: Arrangement, bits: int, seed: int = 0) -> Arrangement:
    """Every hyperplane by another positive multiple of its row."""
    rng = random.Random(seed)
    rows, offsets = [], []
    for row, offset in zip(arrangement.normals, arrangement.offsets, strict=True):
        factor = Fraction(rng.randrange(1, 2**bits), rng.randrange(1, 2**bits))
        rows.append(tuple(factor * Fraction(v) for v in row))
        offsets.append(factor * Fraction(offset))
    return Arrangement(tuple(rows), tuple(offsets))


def _moved(arrangement: Arrangement) -> Arrangement:
    """Every second hyperplane away from 0, by small numbers: several vertices, still special."""
    offsets = tuple(Fraction(i % 2 * (i % 3 - 1)) for i in range(len(arrangement.normals)))
    return Arrangement(arrangement.normals, offsets)


def _counted(network: Network, domain: pr.Box | pr.WholeSpace | None = None) -> tuple[int, int]:
    """Regions, and cells that were settled in rationals."""
    found = search(Problem.on(network, domain or pr.WholeSpace()), lambda _: None)
    assert found.certified
    return found.regions, found.ladder.get("exact_cells", 0)


@pytest.mark.parametrize("bits", [40, 56, 100, 300])
@pytest.mark.parametrize(("name", "n"), _CASES)
def test_published_counts_in_long_coordinates(name: str, n: int, bits: int) -> None:
    arrangement = FAMILIES[name].build(n)
    network = _turned(arrangement, bits).network()
    assert _counted(network) == (FAMILIES[name].regions[n], 0)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [56, 300])
def test_resonance_5_in_long_coordinates(bits: int) -> None:
    network = _turned(FAMILIES["resonance"].build(5), bits).network()
    assert _counted(network) == (11_292, 0)


@pytest.mark.parametrize("bits", [56, 100, 300])
def test_moved_hyperplanes_in_long_coordinates(bits: int) -> None:
    moved = _moved(FAMILIES["resonance"].build(4))
    wanted, _ = _counted(moved.network())
    assert _counted(_turned(moved, bits).network()) == (wanted, 0)


@pytest.mark.parametrize("bits", [7, 60, 200])
@pytest.mark.parametrize(("name", "n"), _CASES)
def test_published_counts_of_rational_multiples(name: str, n: int, bits: int) -> None:
    arrangement = FAMILIES[name].build(n)
    assert _counted(_rescaled(arrangement, bits).network()) == (FAMILIES[name].regions[n], 0)


@pytest.mark.parametrize("bits", [30, 56])
def test_a_box_around_the_centre_meets_all_regions(bits: int) -> None:
    network = _turned(FAMILIES["resonance"].build(4), bits).network()
    assert _counted(network, pr.Box(-1, 1)) == (370, 0)


@pytest.mark.parametrize("bits", [56, 100])
def test_deeper_layers_see_the_same_regions(bits: int) -> None:
    """The second layer is one of floats on the outputs of the first, which are the same."""
    rng = np.random.default_rng(0)
    arrangement = _moved(FAMILIES["type_b"].build(3))
    lifted = Arrangement(
        tuple((*row, Fraction(i % 2)) for i, row in enumerate(arrangement.normals)),
        arrangement.offsets,
    )
    second = rng.normal(size=(4, len(lifted.normals)))
    bias = rng.normal(size=4)

    def network(first: Arrangement) -> Network:
        (layer,) = first.network().layers
        return Network.from_arrays([layer.weight, second], [layer.bias, bias], output_relu=True)

    wanted, _ = _counted(network(lifted))
    assert _counted(network(_turned(lifted, bits)))[0] == wanted


@pytest.mark.parametrize("power", [-400, -100, -60, 60, 100, 400])
@pytest.mark.parametrize(("p", "n"), [(9, 2), (8, 3), (8, 5)])
def test_weights_far_from_their_biases(p: int, n: int, power: int) -> None:
    arrangement = generic(p, n)
    scaled = Arrangement(
        tuple(
            tuple(Fraction(v) * Fraction(2) ** power for v in row) for row in arrangement.normals
        ),
        arrangement.offsets,
    )
    found, _ = _counted(scaled.network())
    assert found == generic_count(p, n)


@pytest.mark.parametrize("power", [-60, 60, 100])
def test_columns_of_ragged_magnitude(power: int) -> None:
    arrangement = _moved(FAMILIES["resonance"].build(4))
    wanted, _ = _counted(arrangement.network())
    ragged = Arrangement(
        tuple(
            tuple(Fraction(v) * Fraction(2) ** (power * l) for l, v in enumerate(row))
            for row in arrangement.normals
        ),
        arrangement.offsets,
    )
    assert _counted(ragged.network()) == (wanted, 0)


@pytest.mark.parametrize("power", [-200, 200])
def test_biases_of_the_second_layer_alone(power: int) -> None:
    """Without biases of the first layer, those of the second tell how far out regions lie."""
    rng = np.random.default_rng(3)
    first, second, bias = rng.normal(size=(6, 4)), rng.normal(size=(4, 6)), rng.normal(size=4)
    plain, scaled = (
        Network.from_arrays([first * f, second], [np.zeros(6), bias], output_relu=True)
        for f in (1.0, 2.0**power)
    )
    assert _counted(scaled)[0] == _counted(plain)[0]


@pytest.mark.parametrize("bits", [20, 56, 100])
def test_the_graph_in_long_coordinates(bits: int) -> None:
    """Facets of the regions are mapped to facets."""
    arrangement = FAMILIES["resonance"].build(4)
    plain, turned = (
        pr.enumerate_regions(a.network(), pr.WholeSpace()).graph()
        for a in (arrangement, _turned(arrangement, bits))
    )
    assert len(turned.edges) == len(plain.edges) == 760
    assert turned.regions is not None
    assert turned.regions.graph.closure.closed


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("bits", [56, 300])
def test_the_proofs_hold(bits: int, moved: bool, tmp_path: Path) -> None:
    """The checker solves for every multiplier anew, in rationals."""
    arrangement = FAMILIES["resonance"].build(4)
    network = _turned(_moved(arrangement) if moved else arrangement, bits).network()
    run = pr.enumerate_regions(network, pr.WholeSpace(), out=tmp_path / "run", proof=True)
    report = pr.check(tmp_path / "run")
    assert report.complete
    assert not report.doubt
    assert moved or len(run) == 370
