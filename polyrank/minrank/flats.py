"""The search of the native core for a flat of small rank that meets every cover.

``polyrank/native/src/flats.hpp`` has the method and its source.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.native.records import Handle, call

__all__ = ["DONE", "MERSENNE", "NEEDED", "PAUSED", "Flats"]

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
            has rank > ``last`` over the root. ``NEEDED``: the current flat meets every cover.
            ``PAUSED``.
        """
        return int(
            call(
                "polyrank_flats_advance", self._handle, covers, lengths, count, last, prime, budget
            )
        )
