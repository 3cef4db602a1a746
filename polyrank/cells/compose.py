"""Composite affine rows of a layer on a region, in float64 with a proven error bound.

On a region with fixed codeword through layer k − 1, the pre-activations of layer k are affine in
the chart coordinates u. Rows are scaled by powers of two (exact) to magnitude ≤ 1; an integer
``power`` keeps the exponent that restores the value that the next layer reads. Exponents are
integers because a product of weights, slopes and widths soon leaves the range of floats: scaled
rows meet neither overflow nor underflow, and a row is called zero only if no term of it is there.
"""

from __future__ import annotations

import math

import numpy as np

from polyrank.cells.arrays import ZERO_ROW
from polyrank.lp.jit import kernel, shared

__all__ = ["UNIT_ROUNDOFF", "compose", "exponent_of", "gamma", "power_of_two"]

UNIT_ROUNDOFF = 2.0**-53
#: Factors of a layer within 2**±FACTOR_RANGE are used as they are; others are brought below one.
FACTOR_RANGE = 300
#: Rows below 2**−300, and biases far from their layer, are composed again on their own scale.
FINE = 2.0**-300
#: Terms below 2**−600 of a row's largest are left out, and counted in its error.
LEFT_OUT = -600


@kernel
def gamma(n):
    """Higham's γ_n = n u / (1 − n u), rounded up: n roundings cost at most this, relatively."""
    return n * 2.0**-53 * (1.0 + 2.0**-30)


@shared
def exponent_of(value):
    """The exponent e of a positive float: 2**(e − 1) ≤ value < 2**e, read off its bits."""
    e = (np.float64(value).view(np.int64) >> 52) & 0x7FF
    if e == 0 or e == 0x7FF:
        return math.frexp(value)[1]
    return e - 1022


@shared
def power_of_two(exponent):
    """The float 2**exponent, assembled from its bits."""
    if exponent < -1022 or exponent > 1023:
        return math.ldexp(1.0, int(exponent))
    return np.int64((exponent + 1023) << 52).view(np.float64)


@shared
def _scaled(value, shift):
    """``value · 2**shift``, exact wherever the result is neither subnormal nor infinite."""
    if shift < -1022 or shift > 1023:
        return math.ldexp(value, int(shift))
    return value * power_of_two(shift)


@shared
def _factors(slope, power, units_in, factor):
    """Factors ``slope_j · 2**(power_j − base)`` of the normalised rows below.

    Returns (number of factors that are not zero, base, whether every one is within
    2**±FACTOR_RANGE). The base is 0 if all are; otherwise the largest factor is in [1/2, 1), and
    those below 2**LEFT_OUT may vanish.
    """
    live = 0
    low = math.inf
    high = 0.0
    for j in range(units_in):
        if slope[j] == 0.0 or power[j] == ZERO_ROW:
            factor[j] = 0.0
            continue
        live += 1
        f = 0.0
        if abs(power[j]) <= 500:
            f = slope[j] * power_of_two(power[j])
        factor[j] = f
        low = min(low, abs(f))
        high = max(high, abs(f))
    if live == 0 or (low >= 2.0**-FACTOR_RANGE and high <= 2.0**FACTOR_RANGE):
        return live, 0, True
    base = ZERO_ROW
    for j in range(units_in):
        if slope[j] != 0.0 and power[j] != ZERO_ROW:
            base = max(base, exponent_of(slope[j]) + power[j])
    for j in range(units_in):
        if slope[j] != 0.0 and power[j] != ZERO_ROW:
            factor[j] = _scaled(slope[j], max(power[j] - base, -4096))
    return live, base, False


@shared
def _on_its_own(
    weight, bias, exact_weight, slope, rows, row_error, power, constant_column, units_in, i, g,
    work,
):  # fmt: skip
    """Row i from its own terms, scaled so that the largest is about one.

    Writes the coefficients to ``work[:, i]``; returns (error, power): the true row is
    ``2**power · (work[:, i] ± error)``, and zero if power is ZERO_ROW. Every term is at most one;
    terms below 2**LEFT_OUT are left out, which costs twice that much (|row ± error| ≤ 2).
    """
    width = rows.shape[1]
    for l in range(width):
        work[l, i] = 0.0
    top = ZERO_ROW
    terms = 0
    for j in range(units_in):
        w = weight[j, i]
        if w != 0.0 and slope[j] != 0.0 and power[j] != ZERO_ROW:
            terms += 1
            top = max(top, exponent_of(w) + exponent_of(slope[j]) + power[j])
    b = bias[i]
    if b != 0.0:
        top = max(top, exponent_of(b))
    if top == ZERO_ROW:
        return 0.0, ZERO_ROW
    size = 0.0
    lost = 1
    for j in range(units_in):
        w = weight[j, i]
        if w == 0.0 or slope[j] == 0.0 or power[j] == ZERO_ROW:
            continue
        e, f = exponent_of(w), exponent_of(slope[j])
        below = e + f + power[j] - top
        if below < LEFT_OUT:
            lost += 1
            continue
        c = _scaled(w, -e) * _scaled(slope[j], -f) * power_of_two(below)
        size += abs(c) * (row_error[j] + g)
        for l in range(width):
            work[l, i] += c * rows[j, l]
    if b != 0.0:
        if exponent_of(b) - top < LEFT_OUT:
            lost += 1
        else:
            b = _scaled(b, -top)
            work[constant_column, i] += b
            if terms > 0 or not exact_weight:
                size += g * abs(b)
    if terms > 0:
        size += lost * 2.0 ** (LEFT_OUT + 2)
    return size * (1.0 + 2.0**-40), top


@shared
def compose(
    weight, bias, exact_weight, exact_arithmetic, slope, rows, row_error, power, constant_column,
    units_in, units_out, out_rows, out_error, out_power, factor, work, magnitude,
):  # fmt: skip
    """Rows of one layer from the rows of the layer below.

    Parameters
    ----------
    weight : (units_in, units_out) array
        Transposed weight matrix, float64 rounding of the exact one: no entry is 0 that is not 0
        exactly, all others are within 2**±500.
    bias : (units_out,) array
        The same, of any finite magnitude where it is exact and of 2**±1000 elsewhere.
    exact_weight : bool
        The float weights, biases and slopes are the exact ones.
    exact_arithmetic : bool
        Every product and sum below is known to be exact in float64 (small integers).
    slope : (units_in,) array
        Slope of each unit below on this region (0 for an inactive ReLU), 0 or within 2**±500.
    rows, row_error, power : (units_in, d + 1), (units_in,), (units_in,) arrays
        The true row below is ``2**power · (row ± error)``, ``|row|`` and error at most 1.
    constant_column : int
        Column that takes the bias (d, or the homogenising coordinate).
    out_rows, out_error, out_power : outputs of the same kind for this layer.
    factor : (units_in,), work : (d + 1, units_out), magnitude : (units_out,) scratch.

    Notes
    -----
    ``|error_i| ≤ Σ_j |W_ij f_j| (error_j + γ) + γ |b_i|`` with γ for the number of terms, since
    normalised rows have entries of magnitude ≤ 1. A row all of whose terms vanish is exact.

    Underflow. With |f_j| ≤ 2**300 (or ≤ 1) a product ``W_ij (f_j row_jl)`` is off by at most
    2**(500 − 1074) where one of its factors is subnormal; with a base other than 0, factors that
    are subnormal or vanish are below 2**−1022 and their terms below 2**(500 − 1021). Of a row
    whose largest coefficient or error is at least FINE, the error computed is at least
    γ Σ_j |W_ij f_j| ≥ 2**−54 FINE, so all of this is below 2**−100 of it (for up to 2**60 units)
    and is covered by the factor 1 + 2**−40. Every other row that is not known to have no terms is
    composed on its own scale.
    """
    width = rows.shape[1]
    for l in range(width):
        for i in range(units_out):
            work[l, i] = 0.0
    live, base, ordinary = _factors(slope, power, units_in, factor)
    g = gamma(4 + live + (0 if exact_weight else 2))
    rounding = 0.0 if exact_arithmetic else g
    for i in range(units_out):
        magnitude[i] = 0.0
    if units_out <= 4:
        # dot products: no branch on units that are off as often as not
        for i in range(units_out):
            for j in range(units_in):
                c = weight[j, i] * factor[j]
                magnitude[i] += abs(c) * (row_error[j] + rounding)
                for l in range(width):
                    work[l, i] += c * rows[j, l]
    for j in range(units_in if units_out > 4 else 0):
        f = factor[j]
        if f == 0.0:
            continue
        af = abs(f) * (row_error[j] + rounding)
        if width == 3:
            v0, v1, v2 = f * rows[j, 0], f * rows[j, 1], f * rows[j, 2]
            for i in range(units_out):
                c = weight[j, i]
                magnitude[i] += abs(c) * af
                work[0, i] += c * v0
                work[1, i] += c * v1
                work[2, i] += c * v2
        elif width == 4:
            v0, v1, v2, v3 = f * rows[j, 0], f * rows[j, 1], f * rows[j, 2], f * rows[j, 3]
            for i in range(units_out):
                c = weight[j, i]
                magnitude[i] += abs(c) * af
                work[0, i] += c * v0
                work[1, i] += c * v1
                work[2, i] += c * v2
                work[3, i] += c * v3
        else:
            for i in range(units_out):
                magnitude[i] += abs(weight[j, i]) * af
            for l in range(width):
                v = f * rows[j, l]
                if v != 0.0:
                    for i in range(units_out):
                        work[l, i] += weight[j, i] * v
    for i in range(units_out):
        b = bias[i]
        e = magnitude[i] * (1.0 + 2.0**-40)
        # without a base that fits all, no magnitude may mean that every term underflowed
        alone = not ordinary and not exact_arithmetic and magnitude[i] == 0.0
        if not ordinary and b != 0.0:
            shift = exponent_of(b) - base
            alone = alone or (abs(shift) > -LEFT_OUT and not exact_arithmetic)
            b = 0.0 if alone else _scaled(b, -base)
        work[constant_column, i] += b
        if not exact_arithmetic and (e > 0.0 or not exact_weight):
            e += g * abs(b)
        big = 0.0
        for l in range(width):
            if abs(work[l, i]) > big:
                big = abs(work[l, i])
        top = big if big > e else e
        own = base
        if alone or not (top >= FINE or exact_arithmetic):
            if ordinary and magnitude[i] == 0.0 and b == 0.0:
                top = 0.0  # every term would count: |W_ij f_j| γ ≥ 2**(−500 − 300 − 53)
            else:
                e, own = _on_its_own(
                    weight, bias, exact_weight, slope, rows, row_error, power, constant_column,
                    units_in, i, g, work,
                )  # fmt: skip
                top = e
                for l in range(width):
                    if abs(work[l, i]) > top:
                        top = abs(work[l, i])
        if top == 0.0:
            for l in range(width):
                out_rows[i, l] = 0.0
            out_error[i] = 0.0
            out_power[i] = ZERO_ROW
            continue
        exponent = exponent_of(top)
        down = power_of_two(-exponent)
        for l in range(width):
            out_rows[i, l] = work[l, i] * down
        out_error[i] = e * down
        out_power[i] = exponent + own
