"""Continuous piecewise-linear operations, each in terms of two-slope units on a tape.

``max(a, b) = b + relu(a − b)`` and ``clip(z, lo, hi) = lo + relu(z − lo) − relu(z − hi)``. The
maximum of several numbers is a tournament of such maxima: its bits are the comparisons that were
played, so they refine the argmax pattern, and two activation regions may carry one linear map.
"""

from __future__ import annotations

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.network.lowering.affine import Affine, LinearMap, gather, stack
from polyrank.network.lowering.tape import Tape
from polyrank.network.lowering.values import full, multiply

__all__ = ["absolute", "clip", "hard_sigmoid", "maximum", "minimum", "negated", "tournament"]


def negated(tape: Tape, tensor: Affine, name: str) -> Affine:
    """``−z``."""
    return tape.apply(LinearMap.scaling(tensor.shape, -np.ones(tensor.size)), tensor, name)


def absolute(tape: Tape, tensor: Affine, name: str) -> Affine:
    """``|z|``: slopes (−1, 1)."""
    ones = np.ones(tensor.size)
    return tape.activate(tensor, -ones, ones, name)


def clip(tape: Tape, tensor: Affine, low: fmpq | None, high: fmpq | None, name: str) -> Affine:
    """``min(max(z, low), high)``; with ``low > high`` it is ``high`` everywhere.

    Parameters
    ----------
    low, high : fmpq or None
        None is no bound.
    """
    if low is not None and high is not None and low >= high:
        return Affine.fixed(full(tensor.size, high).reshape(tensor.shape))
    if low is None:
        if high is None:
            return tensor
        bound = full(tensor.size, high)
        below = negated(tape, tensor, name).shifted(bound)
        return negated(tape, tape.relu(below, name), name).shifted(bound)
    bound = full(tensor.size, low)
    above = tensor.shifted(multiply(bound, -np.ones(1)))
    if high is None:
        return tape.relu(above, name).shifted(bound)
    beyond = tensor.shifted(full(tensor.size, -high))
    pair = tape.relu(stack([above, beyond]), name)
    index = pair.numbering().reshape(2, -1)
    rises, falls = gather(pair, index[0]), gather(pair, index[1])
    difference = tape.combine([(rises, 1.0), (falls, -1.0)], (tensor.size,), name)
    return difference.shifted(bound).reshaped(tensor.shape)


def hard_sigmoid(tape: Tape, tensor: Affine, alpha: fmpq, beta: fmpq, name: str) -> Affine:
    """``min(max(alpha · z + beta, 0), 1)``."""
    scaled = tape.apply(
        LinearMap.scaling(tensor.shape, full(tensor.size, alpha)), tensor, name
    ).shifted(full(tensor.size, beta))
    return clip(tape, scaled, fmpq(0), fmpq(1), name)


def maximum(tape: Tape, a: Affine, b: Affine, name: str) -> Affine:
    """``max(a, b)`` entry by entry, for tensors of one shape: ``b + relu(a − b)``.

    ``b`` is carried beside the ReLU units; if one of the two is constant, nothing is carried.
    """
    if a.is_constant:
        a, b = b, a
    a, b = tape.align([a, b], name)
    difference = tape.combine([(a, 1.0), (b, -1.0)], a.shape, name)
    if difference.is_constant:
        return tape.combine([(b, 1.0), (tape.relu(difference, name), 1.0)], a.shape, name)
    size = a.size
    if b.is_constant:
        return tape.relu(difference, name).shifted(b.constant)
    ones = np.ones(size)
    units = tape.activate(
        stack([difference, b]), np.concatenate([np.zeros(size), ones]), np.ones(2 * size), name
    )
    index = units.numbering().reshape(2, *a.shape)
    return tape.combine(
        [(gather(units, index[0]), 1.0), (gather(units, index[1]), 1.0)], a.shape, name
    )


def minimum(tape: Tape, a: Affine, b: Affine, name: str) -> Affine:
    """``min(a, b) = −max(−a, −b)`` entry by entry, for tensors of one shape."""
    opposite = maximum(tape, negated(tape, a, name), negated(tape, b, name), name)
    return negated(tape, opposite, name)


def tournament(tape: Tape, tensor: Affine, groups: NDArray[np.int64], name: str) -> Affine:
    """The maximum over each group of entries.

    Parameters
    ----------
    tensor : Affine
    groups : ndarray of int64, shape (g, k)
        Row numbers of the entries of each group; −1 stands for nothing. Every group has at
        least one entry.

    Returns
    -------
    Affine
        Shape (g,). Equal comparisons in different groups are played once.
    """
    order = np.argsort(groups < 0, axis=1, kind="stable")  # what is there comes first
    groups = np.take_along_axis(groups, order, axis=1)
    current = tensor.reshaped((tensor.size,))
    while groups.shape[1] > 1:
        if groups.shape[1] % 2:
            groups = np.pad(groups, ((0, 0), (0, 1)), constant_values=-1)
        left, right = groups[:, 0::2], groups[:, 1::2]
        played = (left >= 0) & (right >= 0) & (left != right)
        pairs, number = np.unique(
            np.stack([left[played], right[played]]), axis=1, return_inverse=True
        )
        alone, rest = np.unique(left[~played & (left >= 0)], return_inverse=True)
        winners = maximum(tape, gather(current, pairs[0]), gather(current, pairs[1]), name)
        nexts = np.full(left.shape, -1, dtype=np.int64)
        nexts[played] = number.ravel()
        nexts[~played & (left >= 0)] = rest.ravel() + pairs.shape[1]
        current = stack(tape.align([winners, gather(current, alone)], name))
        groups = nexts
    return gather(current, groups[:, 0])
