"""Counterexamples hidden where bounds are nearly tight (SoundnessBench): found, or proved away.

A network that is constant but for narrow bumps, whose places and heights are known exactly: whether
a property holds is known by construction, however small the gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray
from polyrank.polyhedra.dnf import Inequality
from polyrank.polyhedra.violation import (
    OutputRow,
    Question,
    satisfied,
    specification_of,
)
from polyrank.proof.verdict import check_verdict
from polyrank.verification.properties import output_bounds

Place = tuple[Fraction, ...]
DEPTH = Fraction(1, 1000)
#: Width of a bump, of a domain of width 2.
WIDTH = Fraction(1, 2**10)
#: Exponents of two: of the inputs, of the hidden layer, of the outputs.
SCALES = [
    (0, 0, 0), (300, 0, 0), (-300, 0, 0), (0, 300, 0), (0, -300, 0), (0, 0, 300), (0, 0, -300),
    (300, -300, 300), (-300, 300, -300), (300, 300, 300), (-300, -300, -300),
]  # fmt: skip


def _array(values, shape) -> RationalArray:
    return RationalArray.from_rationals(values, shape)


def _layer(weight, bias, slope) -> Layer:
    m, n = len(weight), len(weight[0])
    flat = [v for row in weight for v in row]
    return Layer(
        _array(flat, (m, n)), _array(bias, (m,)), _array([slope] * m, (m,)), _array([1] * m, (m,))
    )


def _power(exponent: int) -> Fraction:
    return Fraction(2) ** exponent


def hidden(
    places: Sequence[Place],
    heights: Sequence[Fraction],
    scale: tuple[int, int, int] = (0, 0, 0),
    leak: Fraction = Fraction(0),
    deeper: int = 0,
) -> Network:
    """Output j is ``DEPTH − heights[j] · bump(x)``: a bump of height 1 around ``places[j]``.

    Inputs are ``2^a`` times as large, the outputs ``2^c``, the layer between them ``2^b``. With
    LeakyReLU of slope ``leak`` the outputs are greater elsewhere and the same at the places;
    ``deeper``: so many layers more, which are the identity by pairs of units.
    """
    a, b, c = (_power(e) for e in scale)
    d, m = len(places[0]), len(places)
    first, bias = [], []
    for place in places:
        for l in range(d):
            for s in (1, -1):
                steep = s * b / (WIDTH * (1 - leak))  # of u and −u: (1 − leak) |u|
                first.append([steep / a if j == l else Fraction(0) for j in range(d)])
                bias.append(-steep * place[l])
    # 1 − Σ |x − place| / WIDTH > 0 only near the place
    second = [[Fraction(-(2 * d * j <= u < 2 * d * (j + 1))) for u in range(2 * d * m)]
              for j in range(m)]  # fmt: skip
    third = [[-heights[j] * c / b if i == j else Fraction(0) for i in range(m)] for j in range(m)]
    between = []
    if deeper:  # v = (v⁺ − (−v)⁺), with leaks times 1 + leak
        unit = [[Fraction(int(i == j)) for i in range(m)] for j in range(m)]
        split = [*unit, *([-v for v in row] for row in unit)]
        joined = [[*row, *(-v for v in row)] for row in unit]
        again = [
            [sum((s[k] * joined[k][t] for k in range(m)), Fraction(0)) for t in range(2 * m)]
            for s in split
        ]
        between = [_layer(w, [Fraction(0)] * 2 * m, leak) for w in [split, *[again] * (deeper - 1)]]
        shrunk = (1 + leak) ** deeper
        third = [[v / shrunk for v in [*row, *(-v for v in row)]] for row in third]
    return Network(
        (
            _layer(first, bias, leak),
            _layer(second, [b] * m, leak),
            *between,
            _layer(third, [DEPTH * c] * m, 1),
        ),
        "hidden",
    )


def _drawn(seed: int, d: int, count: int) -> list[Place]:
    """Distinct places at least 2⁻⁷ from each other, in the box [−1/2, 1/2]^d."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(2**6, size=(count,), replace=False)
    places = []
    for cell in cells:
        inner = rng.integers(-(2**11), 2**11, d)
        inner[0] = -(2**11) + int(cell) * 2**6 + int(rng.integers(16, 48))
        places.append(tuple(Fraction(int(v), 2**12) for v in inner))
    return places


def _box(d: int, exponent: int) -> pr.Box:
    size = _power(exponent)
    return pr.Box([str(-size)] * d, [str(size)] * d)


def _decided(network, property_, verdict, tmp_path, **options) -> None:
    """The verdict; a counterexample by the exact forward pass, a proof by the checker."""
    out = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
    found = pr.verify(network, property_, out=out, proof=True, **options)
    assert found.verdict == verdict
    assert check_verdict(out).verdict == verdict
    if verdict == "violated":
        x = found.counterexample.x
        assert satisfied(property_.violation, x, forward_exact(network, x))


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_a_hidden_counterexample_is_found_and_a_near_miss_is_safe(d, seed, tmp_path):
    places = _drawn(seed, d, 1)
    for gap, verdict in (
        (Fraction(1, 10**9), "violated"),
        (Fraction(1, 10**25), "violated"),
        (Fraction(0), "holds"),
        (Fraction(-1, 10**25), "holds"),
    ):
        network = hidden(places, [DEPTH + gap])
        safe = output_bounds(network, pr.Box(-1, 1), lower=0)
        _decided(network, safe, verdict, tmp_path, jobs=1 + seed % 2)


#: The unit in the last place of the outputs, and margins that no float shows beside them.
MARGINS = [Fraction(1, 2**62), Fraction(1, 2**60), Fraction(1, 2**500)]


@pytest.mark.parametrize("margin", MARGINS, ids=["one ulp", "2^-60", "2^-500"])
@pytest.mark.parametrize(("leak", "deeper"), [(Fraction(1, 8), 0), (0, 2), (Fraction(1, 4), 1)])
def test_the_least_margins(margin, leak, deeper, tmp_path):
    """Below 0 by a margin, at 0, above it by a margin: of one output, and of either of two."""
    d, leak = 2, Fraction(leak)
    places = _drawn(21, d, 2)
    for gap, verdict in ((margin, "violated"), (Fraction(0), "holds"), (-margin, "holds")):
        network = hidden(places, [DEPTH, DEPTH + gap], leak=leak, deeper=deeper)
        assert forward_exact(network, list(map(_exact, places[1])))[1] == -_exact(gap)
        either = _asked(pr.Box(-1, 1), d, 2, _below(0), _below(1))
        _decided(network, either, verdict, tmp_path, jobs=1)
        # below both at once: nowhere, since the places are apart
        both = _asked(pr.Box(-1, 1), d, 2, _below(0, 1, strict=False))
        _decided(network, both, "holds", tmp_path, jobs=1)


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_at_every_scale(scale, tmp_path):
    """2^±300 in inputs, layers and outputs; the gap is 10⁻²⁵ of the outputs' own size."""
    (place,) = _drawn(7, 2, 1)
    for gap, verdict in ((Fraction(1, 10**25), "violated"), (Fraction(0), "holds")):
        network = hidden([place], [DEPTH + gap], scale)
        domain = _box(2, scale[0])
        assert forward_exact(network, [0, 0]) == (fmpq(1, 1000) * _exact(_power(scale[2])),)
        _decided(network, output_bounds(network, domain, lower=0), verdict, tmp_path, jobs=1)


def _exact(value: Fraction) -> fmpq:
    return fmpq(value.numerator, value.denominator)


def _below(*outputs: int, bound: Fraction = Fraction(0), strict: bool = True):
    return tuple(OutputRow(((j, fmpq(1)),), _exact(bound), strict) for j in outputs)


def _asked(domain, d, m, *disjuncts, strict=()):
    return specification_of("hidden", d, m, (Question(domain, disjuncts, strict),))


@pytest.mark.parametrize("seed", range(3))
def test_one_of_several_outputs(seed, tmp_path):
    """All outputs touch 0 and one of three falls below, by 10⁻²⁰; then none."""
    domain, d, m = pr.Box(-1, 1), 2, 3
    for low in (seed, None):
        gaps = [Fraction(1, 10**20) * (j == low) for j in range(m)]
        network = hidden(_drawn(seed, d, m), [DEPTH + gap for gap in gaps])
        each = _asked(domain, d, m, *(_below(j) for j in range(m)))
        _decided(network, each, "holds" if low is None else "violated", tmp_path, jobs=1)


@pytest.mark.parametrize("scale", SCALES[:1] + SCALES[-4:], ids=str)
def test_several_outputs_at_once(scale, tmp_path):
    """Each output falls below 0, at places of their own: never both; at one place: both."""
    d, m = 2, 2
    domain, heights = _box(d, scale[0]), [2 * DEPTH, DEPTH + Fraction(1, 10**20)]
    one, two = _drawn(11, d, m)
    for places, verdict in (((one, two), "holds"), ((one, one), "violated")):
        network = hidden(places, heights, scale)
        both = _asked(domain, d, m, _below(0, 1))
        _decided(network, both, verdict, tmp_path, jobs=1)
        either = _asked(domain, d, m, _below(0, 1), _below(1))
        _decided(network, either, "violated", tmp_path, jobs=1)


@pytest.mark.parametrize("scale", SCALES[:3] + SCALES[-2:], ids=str)
def test_equality_is_a_violation_where_it_is_not_strict(scale, tmp_path):
    """The least output is exactly 0, at one known point."""
    d = 2
    (place,) = _drawn(5, d, 1)
    network, domain = hidden([place], [DEPTH], scale), _box(d, scale[0])
    for strict, verdict in ((True, "holds"), (False, "violated")):
        asked = _asked(domain, d, 1, _below(0, strict=strict))
        _decided(network, asked, verdict, tmp_path, jobs=1)
    # a second disjunct that nothing satisfies changes nothing
    far = (OutputRow(((0, fmpq(1)),), _exact(-_power(scale[2]))),)
    asked = _asked(domain, d, 1, far, _below(0))
    _decided(network, asked, "holds", tmp_path, jobs=1)


@pytest.mark.parametrize("scale", SCALES[:3] + SCALES[-2:], ids=str)
def test_a_strict_bound_of_inputs_leaves_the_point_out(scale, tmp_path):
    """The only point with an output ≤ 0 is on the wall of the domain, which may be excluded."""
    d = 2
    (place,) = _drawn(6, d, 1)
    network, size = hidden([place], [DEPTH], scale), _power(scale[0])
    wall = place[0] * size
    domain = pr.Box([str(-size)] * d, [str(wall), str(size)])
    open_wall = (Inequality(((0, fmpq(1)),), _exact(wall), strict=True),)
    for strict, verdict in ((open_wall, "holds"), ((), "violated")):
        asked = _asked(domain, d, 1, _below(0, strict=False), strict=strict)
        _decided(network, asked, verdict, tmp_path, jobs=1)
    # beyond the wall by 10⁻²⁰ of the domain the point is inside
    network = hidden([place], [DEPTH + Fraction(1, 10**20)], scale)
    asked = _asked(domain, d, 1, _below(0), strict=open_wall)
    _decided(network, asked, "violated", tmp_path, jobs=1)
