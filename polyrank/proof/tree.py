"""Trusted: the files of a verdict's proof: the tree of boxes, and the steps of exact leaves.

:mod:`polyrank.proof.verdict` describes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.digits import json_value
from polyrank.polyhedra.violation import Question
from polyrank.proof.format import ProofRejectedError

__all__ = ["CLOSED", "EXACT", "MAGIC", "Leaf", "Node", "exact_steps", "leaves_of"]

MAGIC = b"polyrank boxes 1\n"
CLOSED, EXACT = 0, 1
_COMBINATION, _MULTIPLIED = 65535, 65534
_DEEPEST = 4096
_LONGEST = 1 << 28  # bytes of the steps of an exact leaf

Floats = NDArray[np.float64]


class Node(NamedTuple):
    """A cell: the box, the node above, the sign that is assumed here and not there.

    ``sign`` is g + 1 where unit g is ≥ 0, −g − 1 where it is ≤ 0, and 0 for the half of a box.
    """

    low: Floats
    high: Floats
    above: Node | None
    sign: int = 0

    def line(self) -> list[Node]:
        """The nodes from the root to this one."""
        out = []
        node: Node | None = self
        while node is not None:
            out.append(node)
            node = node.above
        return out[::-1]

    def signs(self) -> list[int]:
        """The signs that are assumed, the first one first."""
        return [node.sign for node in self.line() if node.sign]

    def assumed(self, units: int) -> NDArray[np.int8]:
        """Of every unit, the sign that is assumed, or 0."""
        out = np.zeros(units, dtype=np.int8)
        for sign in self.signs():
            out[abs(sign) - 1] = 1 if sign > 0 else -1
        return out


class Leaf(NamedTuple):
    """A leaf of the tree.

    Attributes
    ----------
    code : int
        :data:`CLOSED` or :data:`EXACT`.
    node : Node
    factors : (rows of all disjuncts,)
        How the rows of each disjunct are combined; zeros of an exact leaf.
    shares, pushes : (disjuncts, units), or None
        Where a disjunct has multipliers of units: the slope of the free line of every unit, as a
        share of the way from that of the negative side to that of the positive one (nan: none is
        given), and the multiplier ≥ 0 of each assumed sign, times the sign.
    """

    code: int
    node: Node
    factors: Floats
    shares: Floats | None = None
    pushes: Floats | None = None


def leaves_of(
    file: Path, question: Question, units: int, low: Floats, high: Floats, where: str
) -> Iterator[Leaf]:
    """The leaves of a tree in order; ``units`` are those of which signs may be assumed."""
    with pa.CompressedInputStream(pa.OSFile(str(file)), "zstd") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise ProofRejectedError(f"{file.name} does not start with {MAGIC!r}")
        reader = _Reader(stream, question, units, where)
        stack = [Node(low, high, None)]
        while stack:
            node = stack.pop()
            code = reader.number()
            if code == EXACT:
                yield Leaf(code, node, reader.none)
            elif code == CLOSED:
                yield reader.closed(node)
            else:
                across, upper_first = divmod(code - 2, 2)
                if across >= len(low) + units or len(stack) > _DEEPEST:
                    raise ProofRejectedError(f"{where}: code {code} is none")
                halves = (
                    _halved(node, across, where)
                    if across < len(low)
                    else _divided(node, across - len(low), where)
                )
                stack += halves[::-1] if upper_first else halves
        if stream.read(1):
            raise ProofRejectedError(f"{where}: something follows the tree")


def _halved(node: Node, across: int, where: str) -> list[Node]:
    """The upper half and the lower one."""
    a, b = node.low, node.high
    if not (np.isfinite(a[across]) and np.isfinite(b[across])):
        raise ProofRejectedError(f"{where}: a box without bounds is halved")
    middle = 0.5 * (a[across] + b[across])
    upper, lower = b.copy(), a.copy()
    upper[across] = lower[across] = middle
    return [Node(lower, b, node), Node(a, upper, node)]


def _divided(node: Node, unit: int, where: str) -> list[Node]:
    """The part where a unit is ≥ 0 and that where it is ≤ 0."""
    if any(abs(sign) == unit + 1 for sign in node.signs()):
        raise ProofRejectedError(f"{where}: a cell is divided twice by unit {unit}")
    return [Node(node.low, node.high, node, sign) for sign in (unit + 1, -unit - 1)]


class _Reader:
    """Numbers of a tree, and what follows a closed leaf."""

    def __init__(self, stream: Any, question: Question, units: int, where: str) -> None:
        self.stream, self.units, self.where = stream, units, where
        self.sizes = [len(disjunct) for disjunct in question.disjuncts]
        self.starts = np.cumsum([0, *self.sizes]).tolist()
        self.none = np.zeros(self.starts[-1])

    def take(self, count: int) -> bytes:
        """The next bytes."""
        data: bytes = self.stream.read(count)
        if len(data) < count:
            raise ProofRejectedError(f"{self.where}: the tree ends early")
        return data

    def number(self) -> int:
        """The next number."""
        return int.from_bytes(self.take(2), "little")

    def closed(self, node: Node) -> Leaf:
        """A leaf whose disjuncts are refuted by what follows."""
        factors = self.none.copy()
        shares = pushes = None
        seen = set()
        for _ in self.sizes:
            disjunct, row = self.number(), self.number()
            if disjunct >= len(self.sizes) or disjunct in seen:
                raise ProofRejectedError(f"{self.where}: a leaf refutes disjunct {disjunct}")
            seen.add(disjunct)
            first, count = self.starts[disjunct], self.sizes[disjunct]
            if row in (_COMBINATION, _MULTIPLIED):
                factors[first : first + count] = np.frombuffer(self.take(4 * count), "<f4")
            elif row < count:
                factors[first + row] = 1.0
            else:
                raise ProofRejectedError(f"{self.where}: disjunct {disjunct} has no row {row}")
            if row != _MULTIPLIED:
                continue
            if shares is None or pushes is None:
                shares = np.full((len(self.sizes), self.units), np.nan)
                pushes = np.zeros((len(self.sizes), self.units))
            shares[disjunct] = np.frombuffer(self.take(self.units), np.uint8) / 255.0
            for sign in node.signs():
                (push,) = np.frombuffer(self.take(4), "<f4").tolist()
                if not 0 <= push < np.inf:
                    raise ProofRejectedError(f"{self.where}: a multiplier of a sign is {push}")
                pushes[disjunct, abs(sign) - 1] = push if sign > 0 else -push
        return Leaf(CLOSED, node, factors, shares, pushes)


def exact_steps(file: Path) -> Iterator[Any]:
    """The steps of the exact leaves, in order."""
    with pa.CompressedInputStream(pa.OSFile(str(file)), "zstd") as stream:
        rest = b""
        while chunk := stream.read(1 << 20):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST:
                raise ProofRejectedError(f"{file.name} has a line of more than {_LONGEST} bytes")
            for line in lines:
                yield json_value(line)
        if rest:
            yield json_value(rest)
