"""Trusted unless all is to be exact: rounded rows of many regions at once, and proofs on them.

The rows of a layer on a region are ``W x``, where x holds the rows of the layer below that are
passed on, and the constant 1. With W and x known up to errors, so is the product; every operation
here adds what it rounds off to the error. Residues modulo a prime are composed beside, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from polyrank.proof.integers import (
    PRIME,
    Ints,
    bit_length,
    by_cone,
    by_identity,
    digits_of,
    product,
    ranks_at_least,
    small_product,
)
from polyrank.proof.layers import Layers, Problem, Region
from polyrank.proof.proposals import Proposals

__all__ = ["Rounded"]

_FINE = 50  # bits of rounded rows from which those of the next layer are composed
_SPARE = 8  # bits of errors


class Rounded:
    """The rows of walls and regions in one table, short enough for claims.

    A *number* stands for a row: twice its place in the table, plus 1 for its negative.

    Attributes
    ----------
    values : ndarray of int64, shape (k + 1, n)
    errors : ndarray of int64, shape (n,)
    """

    def __init__(self, problem: Problem, regions: Sequence[Region]) -> None:
        self.problem = problem
        compose(problem.layers, regions)
        prove_ranks(regions)
        k = problem.layers.k
        walls = [_shifted([wall], k + 1) for wall in problem.walls]
        rows = [r for r in regions if r.layer < problem.layers.depth]
        sizes = [1] * len(walls) + [r.rounded.shape[1] for r in rows]
        known = [int(exponent > 0) for _, exponent in walls] + [r.error for r in rows]
        error: Ints = np.repeat(np.array(known, dtype=np.int64), np.array(sizes, dtype=np.int64))
        parts = [*(wall for wall, _ in walls), *(r.rounded for r in rows)]
        fine: Ints = np.concatenate([np.zeros((k + 1, 0), dtype=np.int64), *parts], axis=1)
        short = np.maximum(bit_length(np.abs(fine).max(axis=0)) - digits_of(k), 0)
        self.values: Ints = fine >> short
        self.errors: Ints = np.where(short > 0, (error >> short) + 2, error)

    def inside(self, numbers: Ints, points: Ints) -> NDArray[np.bool_]:
        """Whether rows are proved to be positive at points (k + 1, m), homogeneous, rounded."""
        row = numbers >> 1
        values = np.zeros(len(numbers), dtype=np.int64)
        doubt = np.zeros(len(numbers), dtype=np.int64)
        for coefficient, v in zip(self.values, points, strict=True):
            a = coefficient[row]
            values += a * v
            # (a + e)(v + f) with |e| ≤ error, |f| ≤ 1
            doubt += np.abs(a) + self.errors[row] * (np.abs(v) + 1)
        return np.asarray(np.where(numbers & 1, -values, values) > doubt)

    def prove(self, goal: Ints, side: Ints, numbers: Ints) -> NDArray[np.bool_]:
        """Which of m goals (row of the table, times side ±1) rows by number (d, m) prove.

        A goal that is proved is also not identically 0. Numbers below 0 stand for no row.
        """
        problem, values, errors = self.problem, self.values, self.errors
        bounded = problem.bounded
        g, g_error = values[:, goal] * side, errors[goal]
        nonzero = (np.abs(g) > g_error).any(axis=0)
        absent = numbers < 0
        row = numbers >> 1
        A = values[:, row].transpose(1, 0, 2) * np.where(absent, 0, 1 - 2 * (numbers & 1))[:, None]
        A_error = errors[row]
        if not len(numbers):
            one = np.ones_like(goal)
            proved = by_identity(g, g_error, A, A_error, numbers, one, bounded=bounded)
            return np.asarray(nonzero & proved)
        unused = absent | ((problem.artificial <= row) & (row < len(problem.walls)))
        d = len(numbers)
        propose = Proposals(A[:, :d], g[:d])
        A = np.where(unused[:, None], 0, A)
        out = np.zeros(len(goal), dtype=bool)
        if bounded:
            multipliers, scale = propose.rounded(unused)
            out = by_identity(g, g_error, A, A_error, multipliers, scale, bounded=True)
        if not out.all():
            multipliers, scale = propose.integral(unused)
            out |= by_identity(g, g_error, A, A_error, multipliers, scale, bounded=bounded)
        linear = problem.central & ~(row < len(problem.walls)).any(axis=0)
        cones = ~out & ~unused.any(axis=0) & (linear if bounded else True)
        if cones.any():
            s = np.flatnonzero(cones)
            rays = propose.rays()[:, :, s]
            out[s] = by_cone(g[:d, s], g_error[s], A[:, :d, s], A_error[:, s], rays)
        return np.asarray(out & nonzero)


def _shifted(rows: Sequence[Sequence[int]], width: int) -> tuple[Ints, int]:
    """Exact rows (n, width) as columns of at most _FINE bits, and the common exponent."""
    size = max((abs(v) for row in rows for v in row), default=0).bit_length()
    exponent = max(0, size - _FINE)
    values = [[v >> exponent for v in row] for row in rows]
    return np.ascontiguousarray(np.array(values, np.int64).reshape(len(rows), width).T), exponent


def _by_layer(regions: Sequence[Region]) -> Iterator[list[Region]]:
    groups: dict[int, list[Region]] = {}
    for region in regions:
        groups.setdefault(region.layer, []).append(region)
    for layer in sorted(groups):
        yield groups[layer]


def compose(layers: Layers, regions: Sequence[Region]) -> None:
    """Rounded rows and residues of all regions that have none yet; lower layers come first."""
    new = [r for r in regions if r.exponent < 0 and r.layer < layers.depth]
    for group in _by_layer(new):
        if group[0].below is None:
            _start(layers, group)
        else:
            _compose(layers, group, [r.below for r in group if r.below is not None])


def _start(layers: Layers, group: Sequence[Region]) -> None:
    for region in group:
        region.rounded, region.exponent = _shifted(region.exact, layers.k + 1)
        least = layers.scales[0].bit_length() - _FINE
        if least > region.exponent:  # the constant 1 has to fit as well
            region.rounded >>= least - region.exponent
            region.exponent = least
        region.error = int(region.exponent > 0)
        rows = [[v % PRIME for v in row[:-1]] for row in region.exact]
        region.residues = np.array(rows, np.int64).reshape(len(rows), layers.k).T


def _compose(layers: Layers, group: Sequence[Region], below: Sequence[Region]) -> None:
    k, m, layer = layers.k, len(group), group[0].layer
    here, units = group[0].here, below[0].here.units
    on = _flags([r.positive for r in group], units)[:, None]
    both = here.rounded.shape[1] > units + 1
    exponent = np.array([b.exponent for b in below], dtype=np.int64)
    rows = np.array([b.rounded for b in below])
    one = np.zeros((m, k + 1, 1), dtype=np.int64)
    long = max(0, layers.scales[layer - 1].bit_length() - 62)
    one[:, k, 0] = (layers.scales[layer - 1] >> long) >> np.minimum(exponent - long, 63)
    rows = np.concatenate([rows * on, *([rows * ~on] if both else []), one], axis=2)
    c = rows.shape[2]
    largest = np.abs(rows).max(axis=(1, 2), initial=0).tolist()
    out, drop, lost = product(here.rounded, rows.reshape(-1, c).T, here.norm)
    table = out.reshape(here.units, m, k + 1).transpose(1, 2, 0)
    size = bit_length(np.abs(table).max(axis=(1, 2), initial=0)).tolist()
    more = np.zeros(m, dtype=np.int64)
    for i, (region, b) in enumerate(zip(group, below, strict=True)):
        # (W + d)(x + e), where the rounded weights W lack 0 ≤ d < 1, if any, and the rows x lack e
        error = b.error * here.norm + (c * (largest[i] + b.error) if here.shift else 0)
        error = (error >> drop) + lost + (drop > 0)
        t = b.exponent + here.shift + drop
        # so that rows, errors and the integer that stands for 1 become short again
        least = layers.scales[layer].bit_length() - _FINE - t
        shift = max(0, size[i] - _FINE, error.bit_length() - _SPARE, least)
        region.error = (error >> shift) + 2 if shift else error
        region.exponent = t + shift
        more[i] = min(shift, 63)
    table = table >> more[:, None, None]
    residues = np.array([b.residues for b in below])
    residues = np.concatenate([residues * on, *([residues * ~on] if both else [])], axis=2)
    remainders = small_product(here.residues, residues.reshape(-1, c - 1).T) % PRIME
    remainders = remainders.reshape(here.units, m, k).transpose(1, 2, 0)
    for i, region in enumerate(group):
        region.rounded, region.residues = table[i], remainders[i]


def _flags(masks: Sequence[int], units: int) -> NDArray[np.bool_]:
    """Bits (m, units) of m sets of units."""
    data = b"".join([m.to_bytes(units // 8 + 1, "little") for m in masks])
    table = np.frombuffer(data, np.uint8).reshape(len(masks), -1)
    return np.unpackbits(table, axis=1, count=units, bitorder="little").astype(bool)


def prove_ranks(regions: Sequence[Region]) -> None:
    """Determine the rank of every region through the layer before its own.

    It is at most the rank through the layer before that, and at most the number of units that hand
    something on. The rank modulo a prime, which is never larger than the rank, is a lower bound.
    Where the two do not meet, the rank over the rationals is computed.
    """
    dice = np.random.default_rng(0)
    for group in _by_layer([r for r in regions if r.rank < 0]):
        below = [r.below for r in group if r.below is not None]
        live = [b.live(r.positive, r.zero) for b, r in zip(below, group, strict=True)]
        on = _flags(live, below[0].here.units)
        matrices = np.array([b.residues for b in below]) * on[:, None]
        proved = ranks_at_least(matrices.transpose(0, 2, 1), dice)
        for region, lower, b, mask in zip(group, proved.tolist(), below, live, strict=True):
            bound = min(b.rank, mask.bit_count())
            region.rank = bound if lower >= bound else b.exact_rank(region.positive, region.zero)
