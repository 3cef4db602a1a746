"""Regions checked by their own witnesses: signs of every unit, full dimension, exact ranks.

This proves that each row is a region, and nothing about regions that are not listed.
"""

from __future__ import annotations

from polyrank.proof.format import ProofRejectedError
from polyrank.proof.prefix import ExactLayers, IntRow, Prefix
from polyrank.proof.rows import Listed, Rows
from polyrank.proof.segment import Cone, outside

__all__ = ["check_rows"]


def check_rows(layers: ExactLayers, cone: Cone, table: Rows, first: int, count: int) -> Listed:
    """Check ``count`` rows of a table from row ``first`` on.

    **Proves**: each is an activation region (full-dimensional: the exact signs at the witness are
    strict, except of units that are identically zero) with the ranks that it states.

    Raises
    ------
    ProofRejectedError
        Naming the first row that is not.
    """
    listed = table.slice(first, count)
    walls = [row for row in cone.walls if row is not None]
    bounds: list[IntRow] = []
    counts: list[int] = []
    path = [layers.root()]
    for i, (code, zero) in enumerate(zip(listed.code, listed.zero, strict=True)):
        before = len(bounds)
        bounds += walls
        position = 0
        signs = b""
        for k, here in enumerate(layers.layers):
            if k >= len(path) or path[k].signs != signs:
                path[k:] = [_child(path[k - 1], signs)]
            prefix = path[k]
            decision = []
            for unit, plane in enumerate(here.plane):
                if not plane:
                    decision.append(1)
                    continue
                row = prefix.row(unit)
                positive, vanishes = code >> position & 1, zero >> position & 1
                position += 1
                if vanishes != (not any(row)) or (vanishes and positive):
                    raise ProofRejectedError(f"row {first + i}: wrong zero bit {position - 1}")
                decision.append(2 if vanishes else positive)
                if not vanishes:
                    bounds.append(row if positive else tuple([-v for v in row]))
            signs += bytes(decision)
        if code >> position or zero >> position:
            raise ProofRejectedError(f"row {first + i} has more bits than there are units")
        last = path[-1]
        ranks = (*last.ranks, last.rank(list(signs[len(last.signs) :])))
        if ranks != listed.ranks[i]:
            raise ProofRejectedError(
                f"row {first + i} states ranks {listed.ranks[i]}, the exact ones are {ranks}"
            )
        counts.append(len(bounds) - before)
    bad = outside(bounds, counts, listed.points)
    if bad >= 0:
        raise ProofRejectedError(
            f"row {first + bad}: the codeword is not that of the witness, or it is not inside"
        )
    return listed


def _child(below: Prefix, signs: bytes) -> Prefix:
    return below.child(list(signs[len(below.signs) :]))
