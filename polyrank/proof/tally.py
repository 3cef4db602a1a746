"""Trusted: segments put together to one tree.

A cell is named by a digest. Every segment takes one cell away and leaves those that it defers, all
of them smaller (but for a segment without steps, which takes and leaves the same). So if the cells
that are left and taken cancel out, the domain counting as left once, then every segment continues
a cell that is part of the domain, and their leaves and what is left over cover it.
"""

from __future__ import annotations

from polyrank.proof.format import ProofRejectedError
from polyrank.proof.replay import Replayed

__all__ = ["Tally"]


class Tally:
    """Puts segments together: every deferred cell is continued once, every row described once."""

    def __init__(self, root: bytes) -> None:
        self.balance = {root: 1}
        self.blocks: dict[int, int] = {}
        self.next = 0
        self.segments = self.steps = self.tests = self.leaves = 0

    def add(self, done: Replayed) -> None:
        """Count a segment in."""
        self.segments += 1
        self.steps += done.steps
        self.tests += done.tests
        self.leaves += done.leaves
        for key, by in ((done.head, -1), *((key, 1) for key in done.deferred)):
            self.balance[key] = self.balance.get(key, 0) + by
            if not self.balance[key]:
                del self.balance[key]
        if done.leaves:
            if done.row < self.next or done.row in self.blocks:
                raise ProofRejectedError(f"row {done.row} is described twice by the log")
            self.blocks[done.row] = done.leaves
            while self.next in self.blocks:
                self.next += self.blocks.pop(self.next)

    @property
    def open(self) -> int:
        """Deferred cells that no segment continues."""
        return sum(v for v in self.balance.values() if v > 0)

    def close(self, rows: int, undecided: int) -> None:
        """Check that all segments are one tree, whose leaves are all rows of the table."""
        if any(v < 0 for v in self.balance.values()):
            raise ProofRejectedError("a segment continues a cell that no other segment defers")
        if self.open != undecided:
            raise ProofRejectedError(
                f"{self.open} cells of the tree are not continued, {undecided} are called undecided"
            )
        if self.blocks or self.next != rows:
            raise ProofRejectedError(
                f"the log describes rows 0 to {self.next - 1} without a gap, the table has {rows}"
            )
