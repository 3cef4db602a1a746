"""Exact ranks of the maps through every layer, where the search's cheap proofs did not meet.

The rank over ℚ of ``J_K = D_K W_K ⋯ D_1 W_1 B`` (B a basis of the domain's affine hull) is bounded
below by its rank modulo a prime and above by ``min(rank J_{K−1}, live units of layer K)``; where
the two meet, the rank is proved. The rest is settled by elimination over ℚ.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, nmod_mat
from numpy.typing import NDArray

from polyrank.cells.task import Batch
from polyrank.network.exact_rank import exact_rank
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray
from polyrank.posed.chart import Chart

__all__ = ["ExactRanks"]

#: A prime below 2**63 (nmod arithmetic); a prime that divides a denominator is not used.
PRIME = 9223372036854775783
_CACHED = 4096


class ExactRanks:
    """Exact ranks through every layer for given codewords.

    Parameters
    ----------
    network : Network
    chart : Chart
        The domain: ranks are those of the map restricted to its affine hull.
    layers : int
        Number of layers.
    """

    def __init__(self, network: Network, chart: Chart, layers: int) -> None:
        self._layers = network.layers[:layers]
        self._basis = chart.basis
        self._modular: dict[int, nmod_mat | None] = {}
        self._rational: dict[int, fmpq_mat] = {}
        self._cache: OrderedDict[tuple[int, bytes], tuple[int, nmod_mat | None]] = OrderedDict()

    def settle(self, batch: Batch) -> Batch:
        """The batch with every rank −1 replaced by the exact rank."""
        open_rows = np.flatnonzero((batch.rank < 0).any(axis=1))
        if not open_rows.size:
            return batch
        rank = batch.rank.copy()
        total = sum(int(layer.has_hyperplane.sum()) for layer in self._layers)
        width = batch.codeword.shape[1]
        for r in open_rows.tolist():
            bits = np.unpackbits(batch.codeword[r], bitorder="little", count=min(total, 8 * width))
            zero = np.unpackbits(batch.zero[r], bitorder="little", count=min(total, 8 * width))
            rank[r] = self.ranks(bits, zero)
        return replace(batch, rank=rank)

    def ranks(self, bits: NDArray[np.uint8], zero: NDArray[np.uint8]) -> list[int]:
        """Rank through layers 1..L on the region with these codeword bits.

        ``bits`` and ``zero``, shape (N,), run over the units with a hyperplane: positive, and
        identically zero.
        """
        out: list[int] = []
        bound = self._basis.ncols()
        position = 0
        live_per_layer: list[NDArray[np.bool_]] = []
        key = b""
        for k, layer in enumerate(self._layers):
            count = int(layer.has_hyperplane.sum())
            positive = np.ones(layer.units, dtype=bool)
            positive[layer.has_hyperplane] = bits[position : position + count].astype(bool)
            vanish = np.zeros(layer.units, dtype=bool)
            vanish[layer.has_hyperplane] = zero[position : position + count].astype(bool)
            position += count
            live_per_layer.append(positive)
            key += np.packbits(positive).tobytes() + np.packbits(vanish).tobytes()
            slope = np.where(positive, layer.slope_pos.approx, layer.slope_neg.approx)
            live = int(((slope != 0.0) & ~vanish).sum())
            bound = min(bound, live)
            found = self._cache.get((k, key))
            if found is None:
                below = self._cache.get((k - 1, self._below)) if k else None
                image = self._image(k, positive, below[1] if below else None)
                lower = image.rank() if image is not None else -1
                value = lower if lower == bound else self._over_q(live_per_layer)
                found = (value, image)
                self._cache[(k, key)] = found
                if len(self._cache) > _CACHED:
                    self._cache.popitem(last=False)
            self._below = key
            bound = found[0]
            out.append(bound)
        return out

    _below = b""

    def _image(
        self, k: int, positive: NDArray[np.bool_], below: nmod_mat | None
    ) -> nmod_mat | None:
        """``J_k`` modulo the prime, or None where a denominator is divisible by it."""
        if k == 0:
            below = _reduce(self._basis)
        elif below is None:
            return None
        if k not in self._modular:
            self._modular[k] = _reduce(self._layers[k].weight.to_fmpq_mat())
        weight = self._modular[k]
        if weight is None or below is None:
            return None
        product = weight * below
        slopes = self._slopes(k, positive)
        diagonal = _reduce(fmpq_mat(len(slopes), 1, slopes))
        if diagonal is None:
            return None
        rows, columns = int(product.nrows()), int(product.ncols())
        entries = [
            int(diagonal[i, 0]) * int(product[i, j]) % PRIME
            for i in range(rows)
            for j in range(columns)
        ]
        return nmod_mat(rows, columns, entries, PRIME)

    def _slopes(self, k: int, positive: NDArray[np.bool_]) -> list[fmpq]:
        neg = _entries(self._layers[k].slope_neg)
        pos = _entries(self._layers[k].slope_pos)
        return [p if s else n for s, n, p in zip(positive.tolist(), neg, pos, strict=True)]

    def _over_q(self, positive: list[NDArray[np.bool_]]) -> int:
        image = self._basis
        for k, on in enumerate(positive):
            if k not in self._rational:
                self._rational[k] = self._layers[k].weight.to_fmpq_mat()
            image = self._rational[k] * image
            slopes = self._slopes(k, on)
            rows, columns = image.nrows(), image.ncols()
            image = fmpq_mat(
                rows,
                columns,
                [slopes[i] * image[i, j] for i in range(rows) for j in range(columns)],
            )
        return exact_rank(image)


def _entries(array: RationalArray) -> list[fmpq]:
    return list(array.entries())


def _reduce(matrix: fmpq_mat) -> nmod_mat | None:
    """A rational matrix modulo the prime; None where a denominator vanishes."""
    prime = fmpz(PRIME)
    out = []
    for v in matrix.entries():
        q = int(v.q) % PRIME
        if q == 0:
            return None
        out.append(int(v.p) * pow(q, -1, PRIME) % PRIME if q != 1 else int(v.p % prime))
    return nmod_mat(matrix.nrows(), matrix.ncols(), out, PRIME)
