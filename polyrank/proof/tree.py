"""Trusted: the files of a verdict's proof: the tree of boxes, and the steps of exact leaves.

:mod:`polyrank.proof.verdict` describes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.polyhedra.violation import Question
from polyrank.proof.format import ProofRejectedError

__all__ = ["CLOSED", "EXACT", "MAGIC", "Node", "exact_steps", "leaves_of"]

MAGIC = b"polyrank boxes 1\n"
CLOSED, EXACT = 0, 1
_COMBINATION = 65535
_DEEPEST = 4096

Floats = NDArray[np.float64]
#: A box, low and high, with the node above it.
Node: TypeAlias = "tuple[Floats, Floats, Node | None]"


def leaves_of(
    file: Path, question: Question, low: Floats, high: Floats, where: str
) -> Iterator[tuple[int, Node, Floats]]:
    """The leaves of a tree in order: code, node, and the factors of a closed one."""
    sizes = [len(disjunct) for disjunct in question.disjuncts]
    starts = np.cumsum([0, *sizes]).tolist()
    none = np.zeros(starts[-1])
    with pa.CompressedInputStream(pa.OSFile(str(file)), "zstd") as stream:

        def take(count: int) -> bytes:
            data: bytes = stream.read(count)
            if len(data) < count:
                raise ProofRejectedError(f"{where}: the tree ends early")
            return data

        def number() -> int:
            return int.from_bytes(take(2), "little")

        if stream.read(len(MAGIC)) != MAGIC:
            raise ProofRejectedError(f"{file.name} does not start with {MAGIC!r}")
        stack: list[Node] = [(low, high, None)]
        while stack:
            node = stack.pop()
            a, b, _ = node
            code = number()
            if code == EXACT:
                yield code, node, none
            elif code == CLOSED:
                factors = none.copy()
                seen = set()
                for _ in sizes:
                    disjunct, row = number(), number()
                    if disjunct >= len(sizes) or disjunct in seen:
                        raise ProofRejectedError(f"{where}: a leaf refutes disjunct {disjunct}")
                    seen.add(disjunct)
                    first, count = starts[disjunct], sizes[disjunct]
                    if row == _COMBINATION:
                        factors[first : first + count] = np.frombuffer(take(4 * count), "<f4")
                    elif row < count:
                        factors[first + row] = 1.0
                    else:
                        raise ProofRejectedError(f"{where}: disjunct {disjunct} has no row {row}")
                yield code, node, factors
            else:
                across, upper_first = divmod(code - 2, 2)
                if across >= len(low) or len(stack) > _DEEPEST:
                    raise ProofRejectedError(f"{where}: code {code} is none")
                if not (np.isfinite(a[across]) and np.isfinite(b[across])):
                    raise ProofRejectedError(f"{where}: a box without bounds is halved")
                middle = 0.5 * (a[across] + b[across])
                upper, lower = b.copy(), a.copy()
                upper[across] = lower[across] = middle
                halves: list[Node] = [(lower, b, node), (a, upper, node)]
                stack += halves[::-1] if upper_first else halves
        if stream.read(1):
            raise ProofRejectedError(f"{where}: something follows the tree")


def exact_steps(file: Path) -> Iterator[Any]:
    """The steps of the exact leaves, in order."""
    with pa.CompressedInputStream(pa.OSFile(str(file)), "zstd") as stream:
        rest = b""
        while chunk := stream.read(1 << 20):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield json.loads(line)
        if rest:
            yield json.loads(rest)
