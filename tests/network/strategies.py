"""Hypothesis strategies for tiny networks that are drawn to be degenerate."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import strategies as st

from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray

floats = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 5e-324, 2.0**-200, 2.0**200]),
    st.integers(-4, 4).map(float),
    st.floats(-8, 8, width=32),
)
"""Weights of which many are equal, zero or extreme."""

fractions = st.fractions(-4, 4, max_denominator=12)
slopes = st.sampled_from(
    [(0, 1), (0, 1), (0, 1), (1, 1), (-1, 1), (Fraction(1, 100), 1), (0.1, 1), (2, -3), (0, 0)]
)

dyadic_slopes = st.sampled_from([(0, 1), (1, 1), (-1, 1), (0.25, 1), (2, -3), (0, 0)])


def arrays(draw, entries, shape):
    count = 1
    for n in shape:
        count *= n
    values = draw(st.lists(entries, min_size=count, max_size=count))
    return RationalArray.from_rationals(values, shape)


@st.composite
def networks(draw, *, max_layers=3, max_width=4, entries=None, slope_pairs=slopes):
    """A network of 1..max_layers layers with mixed slopes and, mostly, float weights."""
    kind = draw(st.sampled_from([floats, floats, fractions])) if entries is None else entries
    widths = draw(st.lists(st.integers(1, max_width), min_size=2, max_size=max_layers + 1))
    layers = []
    for k, (inputs, units) in enumerate(pairwise(widths)):
        weight = arrays(draw, kind, (units, inputs))
        bias = arrays(draw, kind, (units,))
        pairs = draw(st.lists(slope_pairs, min_size=units, max_size=units))
        if k == len(widths) - 2 and draw(st.booleans()):
            pairs = [(1, 1)] * units
        neg = RationalArray.from_rationals([p[0] for p in pairs], (units,))
        pos = RationalArray.from_rationals([p[1] for p in pairs], (units,))
        layers.append(Layer(weight, bias, neg, pos, f"layer {k + 1}"))
    return Network(tuple(layers))
