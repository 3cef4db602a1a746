"""Disjoint sets of numbers that are joined one by one."""

from __future__ import annotations

__all__ = ["DisjointSets"]


class DisjointSets:
    """Sets of the numbers 0, …, n − 1, at first of one each."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, v: int) -> int:
        """The representative of the set of v."""
        parent = self._parent
        while parent[v] != v:
            parent[v] = parent[parent[v]]
            v = parent[v]
        return v

    def join(self, a: int, b: int) -> None:
        """Join two sets; the representative is that of b."""
        self._parent[self.find(a)] = self.find(b)
