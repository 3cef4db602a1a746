"""A hand-made arrangement: three lines in the plane, and a writer's view of its regions.

The lines x = 0, y = 0, x + y = 1 are in general position: Zaslavsky's theorem gives
1 + 3 + 3 = 7 regions. The second "layer" has one unit with the line x + y = 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.regions.schema import pack_bits

BITS = 3
LAYERS = 2
DIM = 2

# bits (x > 0, y > 0, x + y > 1), a point of the region, ranks through the layers: the first
# layer is (relu(x), relu(y)), the second relu(x + y - 1) after (x, y) itself
REGIONS = [
    ((0, 0, 0), (-1.0, -1.0), (0, 0)),
    ((0, 1, 0), (-1.0, 0.5), (1, 0)),
    ((0, 1, 1), (-1.0, 3.0), (1, 1)),
    ((1, 0, 0), (0.5, -1.0), (1, 0)),
    ((1, 0, 1), (3.0, -1.0), (1, 1)),
    ((1, 1, 0), (0.25, 0.25), (2, 0)),
    ((1, 1, 1), (1.0, 1.0), (2, 1)),
]


@dataclass(frozen=True)
class FakeBatch:
    codeword: NDArray[np.uint8]
    zero: NDArray[np.uint8]
    rank: NDArray[np.int16]
    witness: NDArray[np.float64]
    witness_exact: Mapping[int, tuple[fmpq, ...]] = field(default_factory=dict)


def batch(rows: list[Any] = REGIONS) -> FakeBatch:
    codeword = pack_bits(np.array([r[0] for r in rows]).reshape(len(rows), BITS))
    return FakeBatch(
        codeword,
        np.zeros_like(codeword),
        np.array([r[2] for r in rows], dtype=np.int16).reshape(len(rows), LAYERS),
        np.array([r[1] for r in rows], dtype=np.float64).reshape(len(rows), DIM),
    )


def manifest() -> dict[str, Any]:
    return {
        "network": {"name": "fake", "hash": "0" * 64, "widths": [2, 2, 1], "bits": [2, 1]},
        "domain": {"kind": "whole space"},
        "chart": {
            "origin": ["1/3", "0"],
            "basis": [["1", "0"], ["0", "1"]],
            "lower": None,
            "upper": None,
        },
        "options": {},
    }
