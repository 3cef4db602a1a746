"""Composite affine rows of a layer on a region, in float64 with a proven error bound.

On a region with fixed codeword through layer k − 1, the pre-activations of layer k are affine in
the chart coordinates u. Rows are scaled by powers of two (exact) to magnitude ≤ 1; ``scale`` keeps
the factor that restores the value that the next layer reads.
"""

from __future__ import annotations

import math

import numpy as np

from polyrank.lp.jit import kernel, shared

__all__ = ["UNIT_ROUNDOFF", "compose", "exponent_of", "gamma", "power_of_two"]

UNIT_ROUNDOFF = 2.0**-53
#: Rows smaller than this are not resolved in float64; exact arithmetic decides them.
TINY = 2.0**-400


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
        return math.ldexp(1.0, exponent)
    return np.int64((exponent + 1023) << 52).view(np.float64)


@shared
def compose(
    weight, bias, exact_weight, exact_arithmetic, slope, rows, row_error, scale, constant_column,
    units_in, units_out, out_rows, out_error, out_scale, work, magnitude,
):  # fmt: skip
    """Rows of one layer from the rows of the layer below.

    Parameters
    ----------
    weight : (units_in, units_out) array
        Transposed weight matrix, float64 rounding of the exact one.
    bias : (units_out,) array
    exact_weight : bool
        The float weights and biases are the exact ones.
    exact_arithmetic : bool
        Every product and sum below is known to be exact in float64 (small integers).
    slope : (units_in,) array
        Slope of each unit below on this region (0 for an inactive ReLU).
    rows, row_error, scale : (units_in, d + 1), (units_in,), (units_in,) arrays
        Normalised rows below, coefficient error bounds of the normalised rows, scale factors.
    constant_column : int
        Column that takes the bias (d, or the homogenising coordinate).
    out_rows, out_error, out_scale : outputs of the same kind for this layer.
    work : (d + 1, units_out) scratch; magnitude : (units_out,) scratch.

    Notes
    -----
    ``|error_i| ≤ Σ_j |W_ij s_j| (error_j + γ) + γ |b_i|`` with γ for the number of terms, since
    normalised rows have entries of magnitude ≤ 1. A row all of whose terms vanish is exact.
    """
    width = rows.shape[1]
    for l in range(width):
        for i in range(units_out):
            work[l, i] = 0.0
    terms = 4
    for j in range(units_in):
        terms += int(slope[j] * scale[j] != 0.0)
    g = gamma(terms + (0 if exact_weight else 2))
    for i in range(units_out):
        magnitude[i] = 0.0
    if units_out <= 4:
        # dot products: no branch on units that are off as often as not
        for i in range(units_out):
            for j in range(units_in):
                c = weight[j, i] * (slope[j] * scale[j])
                magnitude[i] += abs(c) * (row_error[j] + (0.0 if exact_arithmetic else g))
                for l in range(width):
                    work[l, i] += c * rows[j, l]
    for j in range(units_in if units_out > 4 else 0):
        f = slope[j] * scale[j]
        if f == 0.0:
            continue
        af = abs(f) * (row_error[j] + (0.0 if exact_arithmetic else g))
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
        work[constant_column, i] += b
        e = magnitude[i] * (1.0 + 2.0**-40)
        if not exact_arithmetic and (e > 0.0 or not exact_weight):
            e += g * abs(b)
        big = 0.0
        for l in range(width):
            if abs(work[l, i]) > big:
                big = abs(work[l, i])
        if big == 0.0 and e == 0.0:
            for l in range(width):
                out_rows[i, l] = 0.0
            out_error[i] = 0.0
            out_scale[i] = 0.0
            continue
        if big < TINY and e < TINY:
            # Too close to underflow for a relative bound: keep only |coefficient| ≤ 2 TINY.
            for l in range(width):
                out_rows[i, l] = 0.0
            out_error[i] = 1.0
            out_scale[i] = 2.0 * TINY
            continue
        power = exponent_of(big if big > e else e)
        down = power_of_two(-power)
        for l in range(width):
            out_rows[i, l] = work[l, i] * down
        out_error[i] = e * down
        out_scale[i] = power_of_two(power)
