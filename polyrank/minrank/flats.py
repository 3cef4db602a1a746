"""The compiled search for a flat of small rank that meets every cover.

The linear parts of the units, modulo a prime, are the elements of a matroid. A *cover* is a set of
units of which at least one is live on every region. The search asks whether the live units of some
region can lie in a flat of rank < r: it chooses a cover that the current flat misses, adds each of
its units in turn, closes, and goes on. A unit that has had its turn is banned from the flats of
its later siblings. A flat that meets every known cover is handed out, to be refuted by a new
cover or to be found realised.

Source of the branching: J. W. Chinneck, Feasibility and Infeasibility in Optimization (2008),
chapter 7 (covers of irreducible infeasible subsystems); here on flats instead of sets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyrank.lp.jit import fused, inner, kernel

__all__ = ["DONE", "MERSENNE", "NEEDED", "PAUSED", "Stack", "advance", "new_stack"]

DONE, NEEDED, PAUSED = 0, 1, 2
"""All flats are refuted; the flat on top needs a decision; the budget of nodes is used up."""

MERSENNE = 2147483647
"""2**31 − 1, the prime whose residues are fast."""

_DEPTH, _NODES = 0, 1


class Stack(NamedTuple):
    """The path from the root to the current flat; level d holds a flat of rank d over the root.

    Attributes
    ----------
    reduced : ndarray of int64, shape (levels, m, k)
        The elements modulo the flat and the prime.
    flat, banned : ndarray of bool, shape (levels, m)
    cover : ndarray of int64, shape (levels, m)
        Elements to be added in turn; ``size`` of them, −1 before a cover is chosen.
    size, turn : ndarray of int64, shape (levels,)
    scalar : ndarray of int64, shape (2,)
        Depth, and flats entered so far.
    """

    reduced: NDArray[np.int64]
    flat: NDArray[np.bool_]
    banned: NDArray[np.bool_]
    cover: NDArray[np.int64]
    size: NDArray[np.int64]
    turn: NDArray[np.int64]
    scalar: NDArray[np.int64]


def new_stack(elements: NDArray[np.int64], levels: int) -> Stack:
    """A stack at the flat of the elements that are zero."""
    m, k = elements.shape
    stack = Stack(
        np.zeros((levels, m, k), dtype=np.int64),
        np.zeros((levels, m), dtype=np.bool_),
        np.zeros((levels, m), dtype=np.bool_),
        np.zeros((levels, m), dtype=np.int64),
        np.full(levels, -1, dtype=np.int64),
        np.zeros(levels, dtype=np.int64),
        np.zeros(2, dtype=np.int64),
    )
    stack.reduced[0] = elements
    stack.flat[0] = ~elements.any(axis=1)
    return stack


@fused
def _residue(value, prime):
    """A number in [0, 2**63) modulo the prime; modulo 2**31 − 1 without a division."""
    if prime == MERSENNE:
        value = (value & MERSENNE) + (value >> 31)
        value = (value & MERSENNE) + (value >> 31)
        return value - MERSENNE if value >= MERSENNE else value
    return value % prime


@inner
def _inverse(value, prime):
    """The inverse of a residue, by Fermat's little theorem."""
    result, base, power = 1, value, prime - 2
    while power > 0:
        if power & 1:
            result = _residue(result * base, prime)
        base = _residue(base * base, prime)
        power >>= 1
    return result


@inner
def _enter(s, depth, element, last, prime):
    """Close the flat with one more element at the next level; False if that takes in a banned one.

    On the last level nothing is added any more, so its elements are not reduced.
    """
    m, k = s.reduced.shape[1], s.reduced.shape[2]
    child = depth + 1
    pivot = 0
    while s.reduced[depth, element, pivot] == 0:
        pivot += 1
    scale = _inverse(s.reduced[depth, element, pivot], prime)
    for i in range(m):
        s.banned[child, i] = s.banned[depth, i]
        if s.flat[depth, i]:
            s.flat[child, i] = True
            if child < last:
                for j in range(k):
                    s.reduced[child, i, j] = 0
            continue
        f = prime - _residue(s.reduced[depth, i, pivot] * scale, prime)
        zero = True
        if child < last:
            total = 0
            for j in range(k):
                v = s.reduced[depth, i, j] + f * s.reduced[depth, element, j]
                v = _residue(v, prime)
                s.reduced[child, i, j] = v
                total |= v
            zero = total == 0
        else:
            for j in range(k):
                v = s.reduced[depth, i, j] + f * s.reduced[depth, element, j]
                if _residue(v, prime) != 0:
                    zero = False
                    break
        if zero and s.banned[depth, i]:
            return False
        s.flat[child, i] = zero
    s.size[child] = -1
    return True


@inner
def _leaf_is_refuted(s, depth, element, covers, lengths, count, prime):
    """Whether a known cover misses the flat with one more element; only the cover is reduced."""
    k = s.reduced.shape[2]
    pivot = 0
    while s.reduced[depth, element, pivot] == 0:
        pivot += 1
    head = s.reduced[depth, element, pivot]
    for c in range(count - 1, -1, -1):
        missed = True
        for q in range(lengths[c]):
            e = covers[c, q]
            if s.flat[depth, e] or e == element:
                missed = False
                break
            tail = s.reduced[depth, e, pivot]
            parallel = True
            for j in range(k):
                a = _residue(s.reduced[depth, e, j] * head, prime)
                if a != _residue(tail * s.reduced[depth, element, j], prime):
                    parallel = False
                    break
            if parallel:
                missed = False
                break
        if missed:
            return True
    return False


@inner
def _choose(s, depth, last, covers, lengths, count):
    """A known cover that the flat misses, with the fewest elements that are not banned."""
    best, fewest = -1, covers.shape[1] + 1
    for c in range(count - 1, -1, -1):
        allowed = 0
        missed = True
        for q in range(lengths[c]):
            e = covers[c, q]
            if s.flat[depth, e]:
                missed = False
                break
            if not s.banned[depth, e]:
                allowed += 1
        if missed and allowed < fewest:
            best, fewest = c, allowed
            if allowed == 0 or depth == last:
                break
    return best


@kernel
def advance(s, covers, lengths, count, last, prime, budget):
    """Go on until all flats are refuted, one needs a decision, or the budget is used up.

    Parameters
    ----------
    s : Stack
    covers : ndarray of int64, shape (c, w)
        Row i lists ``lengths[i]`` elements; ``count`` rows are in use.
    last : int
        Greatest rank over the root that a flat may have.
    prime : int
        Below 2**31.
    budget : int
        Flats to enter.

    Returns
    -------
    int
        ``DONE``: **proves** (modulo the covers) that every flat with the live units of a region
        has rank > ``last`` over the root. ``NEEDED``: the flat at the current depth meets every
        cover. ``PAUSED``.
    """
    depth = s.scalar[_DEPTH]
    entered = 0
    while True:
        if s.size[depth] < 0:
            best = _choose(s, depth, last, covers, lengths, count)
            if best < 0:
                s.scalar[_DEPTH] = depth
                return NEEDED
            size = 0
            if depth < last:
                for q in range(lengths[best]):
                    e = covers[best, q]
                    if not s.banned[depth, e]:
                        s.cover[depth, size] = e
                        size += 1
            s.size[depth] = size
            s.turn[depth] = 0
        if s.turn[depth] == s.size[depth]:
            depth -= 1
            if depth < 0:
                return DONE
            continue
        if entered >= budget:
            s.scalar[_DEPTH] = depth
            return PAUSED
        element = s.cover[depth, s.turn[depth]]
        s.turn[depth] += 1
        entered += 1
        s.scalar[_NODES] += 1
        free = False
        if depth + 1 < last or not _leaf_is_refuted(
            s, depth, element, covers, lengths, count, prime
        ):
            free = _enter(s, depth, element, last, prime)
        s.banned[depth, element] = True
        if free:
            depth += 1
