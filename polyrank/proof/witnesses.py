"""Rows of the table, each checked by its own witness: where there is no proof log, or a sample."""

from __future__ import annotations

import numpy as np

from polyrank.proof.claims import Claims
from polyrank.proof.format import ProofRejectedError
from polyrank.proof.layers import Problem, Region
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
    line: list[Region] = [Region(layers, None, 0, 0)]
    for i, (code, zeros) in enumerate(zip(listed.code, listed.zero, strict=True), first):
        rows = [2 * w for w in range(len(problem.walls))]
        for k, here in enumerate(layers.layers):
            region = line[k]
            bits = enumerate(here.places, region.bits)
            signs = [(unit, code >> bit & 1, zeros >> bit & 1) for bit, unit in bits]
            for unit, up, vanishes in signs:
                if vanishes and (up or any(region.exact[unit])):
                    raise ProofRejectedError(f"row {i}: wrong zero bit of unit {unit}")
                if not vanishes:
                    rows.append(problem.number(k, unit, positive=bool(up)))
            positive = sum(up << unit for unit, up, _ in signs)
            zero = sum(vanishes << unit for unit, _, vanishes in signs)
            known = line[k + 1] if k + 1 < len(line) else None
            if known is None or (known.positive, known.zero) != (positive, zero):
                line[k + 1 :] = [Region(layers, region, positive, zero)]
        if (code | zeros) >> line[-1].bits:
            raise ProofRejectedError(f"row {i} has more bits than there are units")
        claims.leaves.append((i, line[-1], rows))
    bad = claims.failed(np.zeros(0, np.uint8), listed, first)
    if bad is not None:
        raise ProofRejectedError(bad[1])
    return listed
