"""Rows of the table, each checked by its own witness: where there is no proof log."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from polyrank.proof.claims import Claims
from polyrank.proof.format import ProofRejectedError
from polyrank.proof.layers import LayerRows, Problem, Region
from polyrank.proof.rounding import Rounding
from polyrank.proof.rows import Listed, Rows

__all__ = ["check_rows"]


def check_rows(
    problem: Problem, table: Rows, rounding: Rounding | None, first: int, count: int
) -> Listed:
    """Check ``count`` rows of a table from row ``first`` on, each by its own witness.

    **Proves**: each is an activation region (full-dimensional: the exact signs at the witness are
    strict, except of units that are identically zero) with the ranks that it states; nothing about
    regions that are not listed.

    Raises
    ------
    ProofRejectedError
        Naming the first row that is not.
    """
    listed = table.slice(first, count)
    layers = problem.layers
    claims = Claims(problem, rounding)
    walls = [2 * w for w in range(len(problem.walls))]
    units = [(k, unit) for k, here in enumerate(layers.layers) for unit in here.places]
    number = np.array([problem.number(k, i, positive=True) for k, i in units], dtype=np.int64)
    codes, zeros = (_bits(words, len(units)) for words in (listed.code, listed.zero))
    line: list[Region] = [Region(layers, None, 0, 0)]
    for i, (code, vanishing) in enumerate(zip(listed.code, listed.zero, strict=True)):
        if (code | vanishing) >> len(units):
            raise ProofRejectedError(f"row {first + i} has more bits than there are units")
        for k, here in enumerate(layers.layers):
            region = line[k]
            positive = _unpacked(here, code >> region.bits)
            zero = _unpacked(here, vanishing >> region.bits) if vanishing else 0
            known = line[k + 1] if k + 1 < len(line) else None
            if known is not None and (known.positive, known.zero) == (positive, zero):
                continue
            for unit in here.places if zero else ():
                if zero >> unit & 1 and (positive >> unit & 1 or any(region.exact[unit])):
                    raise ProofRejectedError(f"row {first + i}: wrong zero bit of unit {unit}")
            line[k + 1 :] = [Region(layers, region, positive, zero)]
        rows = (number + 1 - codes[i])[zeros[i] == 0]
        claims.leaves.append((first + i, line[-1], walls + rows.tolist()))
    bad = claims.failed(np.zeros(0, np.uint8), listed, first)
    if bad is not None:
        raise ProofRejectedError(bad[1])
    return listed


def _bits(words: Sequence[int], count: int) -> NDArray[np.int64]:
    """The lowest bits of integers, ``(words, count)``."""
    width = count // 8 + 1
    data = b"".join([(w & (1 << count) - 1).to_bytes(width, "little") for w in words])
    table = np.frombuffer(data, np.uint8).reshape(len(words), width)
    return np.unpackbits(table, axis=1, count=count, bitorder="little").astype(np.int64)


def _unpacked(here: LayerRows, bits: int) -> int:
    """The set of units of a layer from the bits of those with a hyperplane."""
    if here.bits == here.units:
        return bits & (1 << here.units) - 1
    return sum((bits >> j & 1) << unit for j, unit in enumerate(here.places))
