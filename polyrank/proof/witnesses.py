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
    bits = sum(here.bits for here in layers.layers)
    line: list[Region] = [Region(layers, None, 0, 0)]
    lines: list[tuple[Region, ...]] = []
    for i, (code, vanishing) in enumerate(zip(listed.code, listed.zero, strict=True)):
        if (code | vanishing) >> bits:
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
        lines.append(tuple(line))
        claims.leaves.append((first + i, line[-1], walls))
    bad = claims.failed(np.zeros(0, np.uint8), listed, first)
    if bad is not None:
        raise ProofRejectedError(bad[1])
    _check_signs(problem, listed, lines, rounding, first)
    return listed


def _check_signs(
    problem: Problem,
    listed: Listed,
    lines: Sequence[Sequence[Region]],
    rounding: Rounding | None,
    first: int,
) -> None:
    """Every unit that is not identically zero has the sign of its bit at the witness.

    ``lines`` holds, for every row, its regions of all layers below, from the domain on.
    """
    bits = sum(here.bits for here in problem.layers.layers)
    codes, zeros = (_bits(words, bits) for words in (listed.code, listed.zero))
    start = 0
    for k, here in enumerate(problem.layers.layers):
        span, start = slice(start, start + here.bits), start + here.bits
        wanted = np.where(zeros[:, span] == 0, 2 * codes[:, span] - 1, 0).astype(np.int8)
        open_signs = wanted != 0
        if rounding is not None and here.bits:
            at = np.array([line[k].index for line in lines], dtype=np.int64)
            found = rounding.signs(k, at, listed.rounded, listed.errors)
            open_signs &= found[:, here.places] != wanted
        for i, j in zip(*(v.tolist() for v in np.nonzero(open_signs)), strict=True):
            row, point = lines[i][k].exact[here.places[j]], listed.exact(i)
            if int(wanted[i, j]) * sum(a * v for a, v in zip(row, point, strict=True)) <= 0:
                raise ProofRejectedError(f"the witness of row {first + i} is not inside")


def _bits(words: Sequence[int], count: int) -> NDArray[np.int8]:
    """The lowest bits of integers, ``(words, count)``."""
    width = count // 8 + 1
    data = b"".join([(w & (1 << count) - 1).to_bytes(width, "little") for w in words])
    table = np.frombuffer(data, np.uint8).reshape(len(words), width)
    return np.unpackbits(table, axis=1, count=count, bitorder="little").astype(np.int8)


def _unpacked(here: LayerRows, bits: int) -> int:
    """The set of units of a layer from the bits of those with a hyperplane."""
    if here.bits == here.units:
        return bits & (1 << here.units) - 1
    if not here.bits:
        return 0
    return sum((bits >> j & 1) << unit for j, unit in enumerate(here.places))
