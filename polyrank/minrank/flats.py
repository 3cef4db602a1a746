"""The search of the native core for a flat of small rank that meets every cover.

``polyrank/native/src/flats.hpp`` has the method and its source.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.native.records import Handle, call

__all__ = ["DONE", "MERSENNE", "NEEDED", "PAUSED", "Flats", "flats_of_prefixes"]

DONE, NEEDED, PAUSED = 0, 1, 2
"""All flats are refuted; the current flat needs a decision; the budget of flats is used up."""

MERSENNE = 2147483647
"""2**31 − 1, the prime whose residues are fast."""


class Flats:
    """The path from the flat of the elements that are zero to the current flat.

    Parameters
    ----------
    elements : ndarray of int64, shape (m, k)
        The linear parts of the units modulo the prime.
    levels : int
        One more than the greatest rank that is searched.
    """

    __slots__ = ("_handle", "_units")

    def __init__(self, elements: NDArray[np.int64], levels: int) -> None:
        self._units = len(elements)
        pointer = call("polyrank_flats_new", elements, levels, restype=Handle.pointer_type)
        self._handle = Handle(pointer, "polyrank_flats_free")

    @property
    def depth(self) -> int:
        """Rank of the current flat over the root."""
        return int(call("polyrank_flats_depth", self._handle))

    @property
    def nodes(self) -> int:
        """Flats entered so far."""
        return int(call("polyrank_flats_nodes", self._handle))

    @property
    def flat(self) -> NDArray[np.bool_]:
        """The current flat: one truth value per element."""
        out: NDArray[Any] = np.zeros(self._units, dtype=np.bool_)
        call("polyrank_flats_flat", self._handle, out)
        return out

    @property
    def banned(self) -> NDArray[np.bool_]:
        """The elements that no flat below the current one may take in."""
        out: NDArray[Any] = np.zeros(self._units, dtype=np.bool_)
        call("polyrank_flats_banned", self._handle, out)
        return out

    def advance(
        self,
        covers: NDArray[np.int64],
        lengths: NDArray[np.int64],
        count: int,
        last: int,
        prime: int,
        budget: int,
    ) -> int:
        """Go on until all flats are refuted, one needs a decision, or the budget is used up.

        Parameters
        ----------
        covers : ndarray of int64, shape (c, w)
            Row i lists ``lengths[i]`` elements; ``count`` rows are in use: those of the call
            before, and new ones after them.
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
            has rank > ``last`` over the root. ``NEEDED``: the current flat meets every cover.
            ``PAUSED``.
        """
        status = call(
            "polyrank_flats_advance", self._handle, covers, lengths, count, last, prime, budget
        )
        if status < 0:
            raise MemoryError("the native core could not allocate its arrays")
        return int(status)


def flats_of_prefixes(
    positive: NDArray[np.uint8],
    sides: tuple[NDArray[np.int64], NDArray[np.int64]],
    shape: tuple[int, int],
    clauses: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], int],
    rank: int,
    prime: int,
    budget: int,
) -> tuple[NDArray[np.bool_], int, int]:
    """On which prefixes of a layer the known clauses refute every rank below ``rank``.

    Parameters
    ----------
    positive : ndarray of uint8, shape (b, d)
        The units of the layer that are on, prefix by prefix.
    sides : two ndarrays of int64, shape (d, m · v)
        What a unit adds to the elements of the next layer, (m, v), where it is off and where it is
        on, modulo the prime.
    shape : (int, int)
        m, and how many of these units come first because they are live everywhere.
    clauses
        Units that must be on (c, n), off (c, n), and the covers as :meth:`Flats.advance` has them.
    rank, prime, budget : int

    Returns
    -------
    shown : ndarray of bool, shape (b,)
        True **proves** (modulo the clauses) that every region of the prefix has rank ≥ ``rank``.
    done : int
        The budget lasted for so many prefixes; at least one.
    nodes : int
    """
    out: NDArray[np.uint8] = np.zeros(len(positive), dtype=np.uint8)
    nodes: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
    off, on = sides
    done = call(
        "polyrank_flats_of_prefixes", positive, on, off, *shape, *clauses, rank, prime, budget, out,
        nodes,
    )  # fmt: skip
    if done < 0:
        raise MemoryError("the native core could not allocate its arrays")
    return out.astype(bool), int(done), int(nodes[0])
