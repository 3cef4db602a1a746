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

    def __init__(self, root: tuple[bytes, tuple[str, ...]]) -> None:
        #: by digest: how often a cell was left more than taken, and its decisions (paired: both)
        self.cells = {root[0]: (1, root[1])}
        self.blocks: dict[int, int] = {}
        self.next = 0
        self.segments = self.steps = self.tests = self.leaves = 0

    def add(self, done: Replayed) -> None:
        """Count a segment in."""
        self.segments += 1
        self.steps += done.steps
        self.tests += done.tests
        self.leaves += done.leaves
        self._count(done.head, -1, ())
        for key, texts in done.deferred:
            self._count(key, 1, texts)
        if done.leaves:
            if done.row < self.next or done.row in self.blocks:
                raise ProofRejectedError(f"row {done.row} is described twice by the log")
            self.blocks[done.row] = done.leaves
            while self.next in self.blocks:
                self.next += self.blocks.pop(self.next)

    def _count(self, key: bytes, by: int, texts: tuple[str, ...]) -> None:
        count, known = self.cells.get(key, (0, ()))
        self.cells[key] = (count + by, texts or known)
        if not count + by:
            del self.cells[key]

    @property
    def open(self) -> list[str]:
        """Deferred cells that no segment continues, by the text of their decisions."""
        return [
            text for count, texts in self.cells.values() for _ in range(count) for text in texts
        ]

    def close(self, rows: int, undecided: int) -> None:
        """Check that all segments are one tree, whose leaves are all rows of the table."""
        if any(count < 0 for count, _ in self.cells.values()):
            raise ProofRejectedError("a segment continues a cell that no other segment defers")
        if len(self.open) != undecided:
            raise ProofRejectedError(
                f"{len(self.open)} cells of the tree are not continued, {undecided} are called "
                "undecided"
            )
        if self.blocks or self.next != rows:
            raise ProofRejectedError(
                f"the log describes rows 0 to {self.next - 1} without a gap, the table has {rows}"
            )
