"""Trusted: lines around the difference of two units with one pair of slopes, and their use.

**Lemma.** Let f(z) be ``neg z`` for z < 0 and ``pos z`` for z ≥ 0, and ``δ = z_a − z_b ∈ [l, u]``.
Then ``f(z_a) − f(z_b)`` lies between ``min(neg δ, pos δ)`` and ``max(neg δ, pos δ)``, and so below
the chord of the greater over [l, u] and above that of the lesser. *Proof.* The slope of a chord of
f is between neg and pos. The maximum of two linear functions is convex, the minimum concave. ∎

**Lemma.** Let f be convex. If ``f(z_a) = s z_a`` for s = neg or s = pos, then ``f(z_a) − f(z_b) ≤
s δ``; if ``f(z_b) = s z_b``, then it is ``≥ s δ``. For a concave f the two change places. *Proof.*
A convex f is the greater of its two lines: ``f(z) ≥ s z``. ∎

For such a d and any p, q: ``p h_a + q h_b = p d + (p + q) h_b = (p + q) h_a − q d``. Which of the
three is bounded is free; here it is the one whose lines can be off by least.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Twins", "pair_step", "twin_lines"]

Floats = NDArray[np.float64]
#: Below and above, or of the sides of a line: slope and offset.
_Two = tuple[Floats, Floats]

_LEAST = 2.0**-1000


class _Line(NamedTuple):
    """Lines below and above (b, h) of functions, and by how much they can be off."""

    low_slope: Floats
    low_offset: Floats
    low_gap: Floats
    high_slope: Floats
    high_offset: Floats
    high_gap: Floats

    def slope(self, factor: Floats) -> Floats:
        """Of the line that bounds multiples (b, m, h) from below."""
        return _chosen(factor, self.low_slope, self.high_slope)

    def offset(self, factor: Floats) -> Floats:
        """Of the same line."""
        return _chosen(factor, self.low_offset, self.high_offset)

    def loss(self, factor: Floats) -> Floats:
        """By how much the multiple of the line can be off."""
        return np.abs(factor) * _chosen(factor, self.low_gap, self.high_gap)


def _chosen(factor: Floats, low: Floats, high: Floats) -> Floats:
    return np.where(factor < 0, high[:, None], low[:, None])


class Twins(NamedTuple):
    """The twins of a layer of 2 h units: unit i and unit h + i.

    Attributes
    ----------
    open_ : (b, h)
        A sign of one of the two is not proved, and their difference is bounded.
    first, second, difference : lines
        Of both and of the first less the second.
    size : (b, h)
        What a line of the difference can be in magnitude.
    """

    open_: NDArray[np.bool_]
    first: _Line
    second: _Line
    difference: _Line
    size: Floats


def twin_lines(
    slopes: _Two,
    bounds: _Two,
    proved: NDArray[np.int8],
    apart: _Two,
    low: _Two,
    high: _Two,
) -> Twins:
    """The lines of the differences of twins.

    Parameters
    ----------
    slopes : pair of (2 h,)
        neg and pos.
    bounds : pair of (b, 2 h)
        Of the pre-activations.
    proved : (b, 2 h)
        Their signs, 0 where they are open.
    apart : pair of (b, h)
        Bounds of the differences of pre-activations.
    low, high : pairs of (b, 2 h)
        Slopes and offsets of the units' own lines.
    """
    h = apart[0].shape[1]
    neg, pos = slopes
    low_gap, high_gap = np.zeros_like(low[0]), np.zeros_like(low[0])
    for z in (bounds[0], np.zeros_like(bounds[0]), bounds[1]):
        value = z * np.where(z > 0, pos, neg)
        low_gap = np.maximum(low_gap, value - (low[0] * z + low[1]))
        high_gap = np.maximum(high_gap, high[0] * z + high[1] - value)
    open_ = (proved == 0) & (neg != pos)
    low_gap, high_gap = np.where(open_, low_gap, 0.0), np.where(open_, high_gap, 0.0)
    own = [*low, low_gap, *high, high_gap]
    first, second = (_Line(*(v[:, part] for v in own)) for part in (slice(h), slice(h, None)))
    difference, size = _differences(neg[:h], pos[:h], apart, proved[:, :h], proved[:, h:])
    known = np.isfinite(apart[0]) & np.isfinite(apart[1])  # bounds that overflowed say nothing
    return Twins(known & (open_[:, :h] | open_[:, h:]), first, second, difference, size)


def _differences(
    neg: Floats, pos: Floats, apart: _Two, sign_a: NDArray[np.int8], sign_b: NDArray[np.int8]
) -> tuple[_Line, Floats]:
    l, u = apart
    least, most, convex = np.minimum(neg, pos), np.maximum(neg, pos), pos > neg
    crossed = (l < 0) & (u > 0)
    chord_low, chord_high = (least * u - most * l) / (u - l), (most * u - least * l) / (u - l)
    drop = np.minimum(most * l - chord_low * l, least * u - chord_low * u)
    lift = np.maximum(least * l - chord_high * l, most * u - chord_high * u)
    below, above = np.where(convex, sign_b, sign_a), np.where(convex, sign_a, sign_b)
    low_slope = np.where(crossed, chord_low, np.where(u <= 0, most, least))
    high_slope = np.where(crossed, chord_high, np.where(u <= 0, least, most))
    known_low, known_high = np.where(below > 0, pos, neg), np.where(above > 0, pos, neg)
    low_slope = np.where(below != 0, known_low, low_slope)
    high_slope = np.where(above != 0, known_high, high_slope)
    low_offset = np.where(crossed & (below == 0), drop, 0.0)
    high_offset = np.where(crossed & (above == 0), lift, 0.0)
    low_gap, high_gap = np.zeros_like(l), np.zeros_like(l)
    for x in (l, u):
        top = np.where(above != 0, known_high * x, np.maximum(neg * x, pos * x))
        bottom = np.where(below != 0, known_low * x, np.minimum(neg * x, pos * x))
        low_gap = np.maximum(low_gap, top - (low_slope * x + low_offset))
        high_gap = np.maximum(high_gap, high_slope * x + high_offset - bottom)
    steep = np.abs(neg) + np.abs(pos) + np.abs(low_slope) + np.abs(high_slope)
    size = _LEAST + 4 * steep * np.maximum(np.abs(l), np.abs(u))
    line = _Line(low_slope, low_offset, low_gap, high_slope, high_offset, high_gap)
    return line, size


def pair_step(
    twins: Twins,
    row: Floats,
    carried: Floats,
    terms: Floats,
    size: Floats,
    reach: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Rows (b, m, 2 h) of a layer's outputs one step down, where twins are taken together.

    Parameters
    ----------
    carried, terms : (b, m, 2 h)
        Coefficients of the pre-activations and constants, unit by unit; those of twins that are
        taken together are replaced.
    size, reach : (b, 2 h)
        What the units' lines, and sums ``Σ |W| H + |b|``, are in magnitude.

    Returns
    -------
    carried, terms
    error : (b, m)
        Magnitudes of all that was added up, of which rounding is a share.
    """
    h = twins.size.shape[1]
    p, q = row[..., :h], row[..., h:]
    s = p + q
    first, second, apart = twins.first, twins.second, twins.difference
    direct = first.loss(p) + second.loss(q)
    by_second, by_first = apart.loss(p) + second.loss(s), apart.loss(-q) + first.loss(s)
    used = twins.open_[:, None] & (np.minimum(by_first, by_second) < direct)
    on_second = by_second <= by_first
    t = np.where(on_second, p, -q)
    of_apart = t * apart.slope(t)
    of_base = s * np.where(on_second, second.slope(s), first.slope(s))
    constant = t * apart.offset(t) + s * np.where(on_second, second.offset(s), first.offset(s))
    of_first = np.where(on_second, of_apart, of_base + of_apart)
    of_second = np.where(on_second, of_base - of_apart, -of_apart)
    near, far = reach[:, None, :h], reach[:, None, h:]
    error = (
        np.abs(t) * twins.size[:, None]
        + np.abs(s) * np.where(on_second, size[:, None, h:], size[:, None, :h])
        + np.abs(of_apart) * (near + far)
        + np.abs(of_base) * np.where(on_second, far, near)
    )
    both = np.concatenate([used, used], axis=2)
    return (
        np.where(both, np.concatenate([of_first, of_second], axis=2), carried),
        np.where(both, np.concatenate([constant, np.zeros_like(constant)], axis=2), terms),
        np.where(used, error, 0.0).sum(axis=2),
    )
