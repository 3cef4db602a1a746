"""The rank that singular values suggest, beside the one that is proved."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from polyrank.blas import one_thread
from polyrank.network.forward import unpack_bits
from polyrank.sampling.estimate import Estimate

__all__ = ["numerical_ranks"]

_OPERATIONS = 2e11


def numerical_ranks(estimate: Estimate, *, limit: int = 1000) -> dict[str, Any]:
    """Ranks by singular values (numpy's default tolerance) against the proved ones.

    Parameters
    ----------
    estimate : Estimate
    limit : int
        At most this many distinct codewords are compared, evenly spread; fewer of large networks,
        so that it takes about a minute at most.

    Returns
    -------
    dict
        ``compared``, ``of`` and ``disagreements``: codeword number, layer, numerical rank (−1 where
        the product overflowed) and proved bounds of the exact one.
    """
    network = estimate.network
    widths = network.widths
    # about 30 operations per entry and rank for singular values, one product per layer
    cost = sum(
        30 * b * widths[0] * min(b, widths[0]) + 2 * a * b * widths[0] for a, b in pairwise(widths)
    )
    count = min(limit, len(estimate.packed), max(1, int(_OPERATIONS / cost)))
    rows = np.unique(np.linspace(0, max(0, len(estimate.packed) - 1), count).astype(int))
    rows = rows[rows < len(estimate.packed)]
    found: list[dict[str, int]] = []
    with one_thread():  # threads would only wait for one another
        for r in rows.tolist():
            bits = unpack_bits(estimate.packed[r], sum(network.bits))
            J = np.eye(network.input_dim)
            position = 0
            for k, layer in enumerate(network.layers):
                on = np.ones(layer.units, dtype=bool)
                on[layer.has_hyperplane] = bits[position : position + network.bits[k]]
                position += network.bits[k]
                slope = np.where(on, layer.slope_pos.approx, layer.slope_neg.approx)
                with np.errstate(all="ignore"):
                    J = slope[:, None] * (layer.weight.approx @ J)
                # overflow has no singular values
                numerical = int(np.linalg.matrix_rank(J)) if np.isfinite(J).all() else -1
                low, high = int(estimate.ranks.lower[r, k]), int(estimate.ranks.upper[r, k])
                if not low <= numerical <= high:
                    found.append(
                        {
                            "codeword": r,
                            "layer": k + 1,
                            "numerical": numerical,
                            "lower": low,
                            "upper": high,
                        }
                    )
    return {"compared": len(rows), "of": len(estimate.packed), "disagreements": found}
