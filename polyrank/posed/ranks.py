"""Exact ranks of the maps through the layers on a region: one ladder.

The rank over ℚ of ``J_K = D_K W_K ⋯ D_1 W_1 B`` (B a basis of the domain's affine hull) is at most
``min(rank J_{K−1}, live units of layer K)``, and at least its rank modulo a prime. Where the two
meet, the rank is proved; elsewhere :func:`~polyrank.network.exact_rank.rank_of_rows` decides.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from polyrank.network.exact_rank import rank_of_rows
from polyrank.network.normal_form import Layer
from polyrank.posed.branch import Branch

__all__ = ["ExactRanks", "sloped_units"]

_CACHED = 1 << 14


@lru_cache(maxsize=256)
def sloped_units(layer: Layer) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which units have a slope that is not 0, exactly: where they are active, and where not."""
    low, high = zip(*layer.slopes_exact, strict=True)
    return np.array([v != 0 for v in high]), np.array([v != 0 for v in low])


class ExactRanks:
    """Exact ranks through every layer for given codewords.

    Parameters
    ----------
    branch : Branch
        Ranks are those of its maps: of a chart's coordinates.
    layers : int, optional
        Number of layers; default: all.
    """

    def __init__(self, branch: Branch, layers: int | None = None) -> None:
        self._branch = branch
        self._layers = branch.network.layers[:layers]
        self._known: OrderedDict[tuple[int, bytes, bytes], int] = OrderedDict()

    def ranks(self, codeword: NDArray[np.bool_], zero: NDArray[np.bool_]) -> list[int]:
        """Rank through layers 1..L on the region with this codeword.

        Parameters
        ----------
        codeword, zero : arrays of bool, shape (N,)
            Over the units with a hyperplane: positive on the region, and identically zero there.
        """
        rank = self._branch.k
        starts = self._branch.starts
        out: list[int] = []
        for k, layer in enumerate(self._layers, start=1):
            key = k, codeword[: starts[k]].tobytes(), zero[: starts[k]].tobytes()
            if key in self._known:
                self._known.move_to_end(key)
            else:
                live = np.where(self._branch.active(k, codeword), *sloped_units(layer))
                live[layer.has_hyperplane] &= ~zero[starts[k - 1] : starts[k]]
                self._known[key] = self._rank(k, codeword, np.flatnonzero(live), rank)
                if len(self._known) > _CACHED:
                    self._known.popitem(last=False)
            rank = self._known[key]
            out.append(rank)
        return out

    def _rank(
        self, layer: int, codeword: NDArray[np.bool_], live: NDArray[np.int64], below: int
    ) -> int:
        """Rank of the rows of the live units: slopes that are not 0 change no rank."""
        most = min(below, len(live))
        if most == 0:
            return 0
        rows = self._branch.rows(layer, codeword)
        return rank_of_rows((rows[i][:-1] for i in live.tolist()), at_most=most)
