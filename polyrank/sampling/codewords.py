"""Codewords of many points, certified: a rigorous float filter first, integers for the rest.

A batch goes through the network in floating point beside a bound of the error of every
pre-activation. A sign is taken only where the value exceeds its bound; a point with a sign left
open is evaluated again in the next arithmetic: float32, float64, integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq_mat
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_array

from polyrank.errors import NetworkError
from polyrank.network.composition import split_map
from polyrank.network.forward import pack_bits
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray, fmpq_from_float
from polyrank.network.sparse import SparseArray, by_rows, places
from polyrank.polyhedra.system import is_identity
from polyrank.posed.branch import Branch
from polyrank.sampling.integer_layers import (
    IntegerLayer,
    common_denominator,
    integer_layer,
    vanishes_around,
)

__all__ = ["CertifiedCodewords", "CodewordFilter", "restricted_network"]

_BLOCK_ENTRIES = 1 << 21
_EXACT_BLOCK = 64


@dataclass(frozen=True, slots=True, eq=False)
class CertifiedCodewords:
    """Codewords of a block of r points.

    **Proves** that the points with ``on_hyperplane`` False lie strictly inside the activation
    region with this codeword. For the others the codeword is that of the point (0 where z = 0),
    but the set of points with it need not be a region.

    Attributes
    ----------
    start : int
        Number of the block's first point.
    packed : ndarray of uint8, shape (r, ⌈B/8⌉)
    on_hyperplane : ndarray of bool, shape (r,)
        Some unit vanishes at the point, but not on a neighbourhood of it.
    corrected_bits : int
        Bits in which the plain floating-point pass was wrong.
    exact_points : int
        Points that the float filter could not decide.
    """

    start: int
    packed: NDArray[np.uint8]
    on_hyperplane: NDArray[np.bool_]
    corrected_bits: int
    exact_points: int


@dataclass(frozen=True, slots=True, eq=False)
class _FloatLayer:
    weight: Any  # (inputs, units), in the float type; an array, or sparse
    bias: NDArray[Any]
    bound: Any  # |weight| and what its rounding can add
    neg: NDArray[Any]
    pos: NDArray[Any]
    exact: bool
    gamma: float
    tiny: float
    zero_bias: NDArray[np.bool_]
    places: csr_array  # of the entries that are not zero, (units, inputs)
    flat: tuple[NDArray[np.bool_], NDArray[np.bool_]]  # slope exactly 0 on the two sides


class CodewordFilter:
    """Certified codewords of points of one network.

    Parameters
    ----------
    network : Network
    dtype : float64 (default) or float32
        The first arithmetic. The points themselves are float64 numbers, taken exactly.

    Notes
    -----
    Error analysis: an inner product of m terms that are not zero, in any order of summation and
    with or without fused operations, errs by at most ``γ_m Σ|w||h|`` and an underflow term (Higham,
    Accuracy and Stability of Numerical Algorithms, 2002, section 3.1). An activation is Lipschitz
    with the larger of its slopes, so that an undecided sign does not invalidate what follows.
    """

    def __init__(self, network: Network, dtype: DTypeLike = np.float64) -> None:
        kind = np.dtype(dtype)
        if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise NetworkError(f"points run through float32 or float64, not {kind}")
        self.network = network
        self.dtype = kind
        rungs = [kind] if kind == np.dtype(np.float64) else [kind, np.dtype(np.float64)]
        self._rungs = [(rung, [_float_layer(v, rung) for v in network.layers]) for rung in rungs]
        self._integers: list[IntegerLayer] | None = None

    def blocks(self, points: Any, block: int | None = None) -> Iterator[CertifiedCodewords]:
        """Certify the rows of an array ``(N, n)`` (also a memory map), block by block.

        Raises
        ------
        NetworkError
            If the points do not have n coordinates or are not finite.
        """
        n = self.network.input_dim
        if len(np.shape(points)) != 2 or np.shape(points)[1] != n:
            raise NetworkError(
                f"points of shape {np.shape(points)} do not fit a network of {n} inputs: "
                f"expected (N, {n})"
            )
        size = block or max(1, _BLOCK_ENTRIES // max(self.network.widths))
        for start in range(0, len(points), size):
            yield self.certify(np.asarray(points[start : start + size], np.float64), start)

    def certify(self, X: NDArray[np.float64], start: int = 0) -> CertifiedCodewords:
        """Certify one block of points, float64 ``(r, n)``."""
        if not np.isfinite(X).all():
            row = int(np.flatnonzero(~np.isfinite(X).all(axis=1))[0])
            raise NetworkError(f"point {start + row} is not finite")
        bits = np.zeros((len(X), sum(self.network.bits)), dtype=bool)
        plain = np.zeros_like(bits)
        left = np.arange(len(X))
        for level, (kind, layers) in enumerate(self._rungs):
            found, open_rows = _filtered(layers, X[left], kind, self.network)
            bits[left] = found
            if level == 0:
                plain[:] = found
            left = left[open_rows]
            if not left.size:
                break
        on_plane = np.zeros(len(X), dtype=bool)
        for first in range(0, left.size, _EXACT_BLOCK):
            rows = left[first : first + _EXACT_BLOCK]
            bits[rows], on_plane[rows] = self._exactly(X[rows])
        return CertifiedCodewords(
            start,
            np.asarray(pack_bits(bits)).reshape(len(X), -1),
            on_plane,
            int((bits != plain).sum()),
            int(left.size),
        )

    def _exactly(self, X: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        if self._integers is None:
            self._integers = [integer_layer(layer) for layer in self.network.layers]
        width = len(X)
        columns, scale = common_denominator([fmpq_from_float(v) for v in X.T.ravel().tolist()])
        bits: list[NDArray[np.bool_]] = []
        vanishing: list[tuple[int, int, int]] = []  # row, layer, unit
        for k, (layer, step) in enumerate(zip(self.network.layers, self._integers, strict=True)):
            values = step.times(columns, width)
            shifted = [
                v + b * scale
                for v, b in zip(values, (b for b in step.bias for _ in range(width)), strict=True)
            ]
            positive = np.array([v > 0 for v in shifted], dtype=bool).reshape(-1, width)
            zero = np.array([v == 0 for v in shifted], dtype=bool).reshape(-1, width)
            zero[~layer.has_hyperplane] = False
            vanishing += [(int(r), k, int(u)) for u, r in zip(*np.nonzero(zero), strict=True)]
            bits.append(positive[layer.has_hyperplane].T)
            scale = scale * step.scale * step.slope_scale
            columns = [
                v * (pair[1] if v > 0 else pair[0])
                for v, pair in zip(
                    shifted, (s for s in step.slopes for _ in range(width)), strict=True
                )
            ]
        word = np.concatenate(bits, axis=1)
        return word, self._on_plane(word, vanishing, self._integers)

    def _on_plane(
        self,
        words: NDArray[np.bool_],
        vanishing: Sequence[tuple[int, int, int]],
        integers: Sequence[IntegerLayer],
    ) -> NDArray[np.bool_]:
        """Points where a unit vanishes without vanishing on a neighbourhood.

        Taken layer by layer: while all zeros below are identical ones, the network is affine
        around the point, and a unit vanishes around it iff its linear part is zero.
        """
        out = np.zeros(len(words), dtype=bool)
        for row, layer, unit in sorted(vanishing, key=lambda v: v[1]):
            if not out[row]:
                out[row] = not vanishes_around(self.network, integers, words[row], layer, unit)
        return out


def _float_layer(layer: Layer, kind: np.dtype[Any]) -> _FloatLayer:
    info = np.finfo(kind)
    roundoff = float(info.eps) / 2
    where = places(layer.weight)
    sparse = isinstance(layer.weight, SparseArray)
    whole = by_rows(layer.weight) if sparse else layer.weight.approx
    parts = (layer.bias, layer.slope_neg, layer.slope_pos)
    with np.errstate(over="ignore", under="ignore"):
        bias, neg, pos = (part.approx.astype(kind) for part in parts)
        weight = whole.astype(kind)
    exact = layer.weight.is_float and not (weight != whole).sum()
    exact = exact and all(
        part.is_float and bool((cast == part.approx).all())
        for part, cast in zip(parts, (bias, neg, pos), strict=True)
    )
    tiny = float(info.tiny)
    bound = abs(weight)
    if not exact:
        # of entries that are not zero, also where their floats are: others add no term to a sum
        more = bound.data if sparse else bound
        more *= kind.type(1 + 8 * roundoff)
        more += kind.type(tiny) * (1 if sparse else layer.weight.nonzero)
    # m products and sums, the bias, and the rounding of the weights themselves; terms 0 are exact
    terms = int(np.diff(where.indptr).max()) + 8
    gamma = terms * roundoff / (1 - terms * roundoff)
    return _FloatLayer(
        weight.T if sparse else np.ascontiguousarray(weight.T),
        bias,
        bound.T if sparse else np.ascontiguousarray(bound.T),
        neg,
        pos,
        exact,
        gamma,
        tiny * terms,
        ~layer.bias.nonzero,
        where,
        (~layer.slope_neg.nonzero, ~layer.slope_pos.nonzero),
    )


def _filtered(
    layers: Sequence[_FloatLayer], X: NDArray[np.float64], kind: np.dtype[Any], network: Network
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Signs as the float pass has them, and which points have a sign that is not proved."""
    roundoff = float(np.finfo(kind).eps) / 2
    open_rows = np.zeros(len(X), dtype=bool)
    bits = []
    with np.errstate(all="ignore"):
        h = X.astype(kind)
        error = np.zeros_like(h)
        if kind != X.dtype:
            rounded = h.astype(np.float64) != X
            error = np.where(rounded, np.abs(h) * kind.type(4 * roundoff) + np.finfo(kind).tiny, 0)
            error = error.astype(kind)
        vanishes = np.zeros(h.shape, dtype=bool)
        for step, layer in zip(layers, network.layers, strict=True):
            z = h @ step.weight + step.bias
            relative = np.abs(h) * kind.type(step.gamma) + error * kind.type(1 + step.gamma)
            # γ|h| may underflow, and a large weight brings what is lost back into range
            relative[(h != 0) | (error != 0)] += 4 * np.finfo(kind).smallest_subnormal
            spread = relative @ step.bound
            slack = kind.type(1 + 4 * step.gamma)
            reach = kind.type(8 * roundoff) * (np.abs(z) + np.abs(step.bias))
            radius = (spread + reach) * slack + kind.type(step.tiny)
            active = z > 0
            sure = np.isfinite(z) & (np.abs(z) > radius)
            # identically zero: no bias, and every input that counts is identically zero
            null = np.zeros(z.shape, dtype=bool)
            maybe = ~sure & step.zero_bias
            rows, units = (np.flatnonzero(maybe.any(axis=a)) for a in (1, 0))
            if units.size:
                at = np.ix_(rows, units)
                counting = step.places[units] @ (~vanishes[rows]).T.astype(np.int64)
                null[at] = maybe[at] & (counting.T == 0)
            z[null], radius[null], active[null] = 0, 0, False
            split = layer.has_hyperplane
            open_rows |= (~sure & ~null)[:, split].any(axis=1)
            bits.append(active[:, split])
            slope = np.where(active, step.pos, step.neg)
            steepest = np.maximum(np.abs(step.neg), np.abs(step.pos))
            lipschitz = np.where(sure, np.abs(slope), steepest)
            flat = np.where(active, step.flat[1], step.flat[0])
            vanishes = null | (sure & flat)
            h = z * slope
            error = (radius * lipschitz + np.abs(h) * kind.type(2 * roundoff)) * slack
            error += np.abs(z) * kind.type(2 * step.tiny) + kind.type(step.tiny)
            plain = (np.abs(step.pos) == 1) & ((step.neg == 0) | (np.abs(step.neg) == 1))
            if step.exact:
                error = np.where(plain & sure, np.where(slope == 0, 0, radius), error).astype(kind)
            h[vanishes], error[vanishes] = 0, 0
    return np.concatenate(bits, axis=1), open_rows


def restricted_network(network: Network, origin: fmpq_mat, basis: fmpq_mat) -> Network:
    """The network as a function of y, with ``x = origin + basis y``, exactly.

    Parameters
    ----------
    network : Network
    origin, basis : fmpq_mat, shapes (n, 1) and (n, k)

    Returns
    -------
    Network
        k inputs; the network itself where y = x.
    """
    if is_identity(basis) and all(v == 0 for v in origin.entries()):
        return network
    first = network.layers[0]
    weight, bias = split_map(
        Branch(network, origin, basis).preactivation(1, np.zeros(0, dtype=bool))
    )
    layer = Layer(
        RationalArray.from_fmpq_mat(weight),
        RationalArray.from_fmpq_mat(bias, vector=True),
        first.slope_neg,
        first.slope_pos,
        first.name,
    )
    return Network((layer, *network.layers[1:]), network.name, network.source)
