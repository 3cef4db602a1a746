"""Rows of the table, each checked by its own witness: where there is no proof log."""

from __future__ import annotations

from polyrank.proof import claims
from polyrank.proof.format import ProofRejectedError
from polyrank.proof.layers import Problem, Region
from polyrank.proof.replay import decide
from polyrank.proof.rounding import Rounding, Status
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
    known = 0
    if rounding is not None:
        status = rounding.rows(first, listed)
        for left in rounding.left:
            if reason := decide(left, problem, listed, first):
                raise ProofRejectedError(_named(left.where, reason))
        known = len(listed.code) if status == Status.DONE else rounding.state.leaves
    line: list[Region] = [Region(problem.layers, None, 0, 0)]
    for i in range(known, len(listed.code)):
        if reason := _wrong(problem, line, listed, i, first + i):
            raise ProofRejectedError(_named(first + i, reason))
    return listed


def _named(row: int, reason: str) -> str:
    return reason if f"row {row}" in reason else f"row {row}: {reason}"


def _wrong(problem: Problem, line: list[Region], listed: Listed, i: int, row: int) -> str:
    """Why a row is no region; ``line`` holds the regions of the row before, layer by layer."""
    layers = problem.layers
    code, vanishing = listed.words(i)
    if (code | vanishing) >> sum(here.bits for here in layers.layers):
        return f"row {row} has more bits than there are units"
    for k, here in enumerate(layers.layers):
        region = line[k]
        positive = here.unpacked(code >> region.bits)
        zero = here.unpacked(vanishing >> region.bits)
        known = line[k + 1] if k + 1 < len(line) else None
        if known is not None and (known.positive, known.zero) == (positive, zero):
            continue
        for unit in here.places if zero else ():
            if zero >> unit & 1 and (positive >> unit & 1 or claims.vanishing(region, unit)):
                return f"wrong zero bit of unit {unit}"
        line[k + 1 :] = [Region(layers, region, positive, zero)]
    if reason := claims.described(line[-1], listed, i, row):
        return reason
    point = listed.exact(i)
    for wall in range(len(problem.walls)):
        if reason := claims.inside(problem, line[0], 2 * wall, point, row):
            return reason
    for k, here in enumerate(layers.layers):
        part = line[k + 1]
        for unit in here.places:
            if not part.zero >> unit & 1:
                number = problem.number(k, unit, positive=bool(part.positive >> unit & 1))
                if reason := claims.inside(problem, line[k], number, point, row):
                    return reason
    return ""
