"""Whether the codewords of a table are all different, in memory that does not grow with the table.

Equal words have equal digests, so that words whose digests all differ are **proved** to differ;
two rows with one digest are compared themselves. Digests are sorted into 256 parts by their first
byte, which wait in temporary files where there are many, and every part is looked at alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self

import numpy as np
from numpy.typing import NDArray

from polyrank.regions.parts import PARTS, Parts

__all__ = ["Distinct"]

_ENTRY = np.dtype([("digest", "<u8"), ("second", "<u8"), ("row", "<i8")])


class Distinct:
    """Words that come many at a time; use it as a context manager.

    Examples
    --------
    >>> with Distinct() as words:
    ...     words.add(np.array([[1, 0], [2, 0], [1, 0]], np.uint8))
    ...     words.repeated(lambda first, second: True)
    2
    """

    def __init__(self) -> None:
        self._count = 0
        self._parts = Parts()
        # nobody who does not know these numbers can make words with one digest
        self._dice = np.random.default_rng()
        self._factors = np.zeros((0, 4), np.uint64)

    def add(self, words: NDArray[np.uint8]) -> None:
        """Take in the words of the next rows, (n, bytes)."""
        entries = np.zeros(len(words), _ENTRY)
        entries["digest"], entries["second"] = self._digests(words).T
        entries["row"] = self._count + np.arange(len(words))
        self._count += len(words)
        part = (entries["digest"] >> np.uint64(56)).astype(np.int64)
        order = np.argsort(part, kind="stable")
        ends = np.cumsum(np.bincount(part, minlength=PARTS))
        for number, some in enumerate(np.split(entries[order], ends[:-1])):
            if len(some):
                self._parts.append(number, some.tobytes())

    def _digests(self, words: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """128 bits of each word, (n, 2), by multilinear hashing.

        D. Lemire and O. Kaser, Strongly universal string hashing is fast, 2014: the high halves of
        sums of products of 32 and 64 bits.
        """
        padded = np.zeros((len(words), -(-words.shape[1] // 4) * 4), np.uint8)
        padded[:, : words.shape[1]] = words
        numbers = padded.view("<u4").astype(np.uint64)
        if len(self._factors) <= numbers.shape[1]:
            shape = (numbers.shape[1] + 1, 4)
            self._factors = self._dice.integers(0, 2**64, shape, dtype=np.uint64)
        high = (numbers @ self._factors[1:] + self._factors[0]) >> np.uint64(32)
        return np.asarray(high[:, ::2] << np.uint64(32) | high[:, 1::2])

    def repeated(self, same: Callable[[int, int], bool]) -> int | None:
        """The first row whose word an earlier one has; None: **proves** that all differ.

        Parameters
        ----------
        same : callable
            Whether two rows have one word.
        """
        found = [later for part in self._parts for later in _repeated(part, same)]
        return min(found, default=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()


def _repeated(content: bytes, same: Callable[[int, int], bool]) -> Iterator[int]:
    """The first row of every digest of a part whose word an earlier row of it has."""
    part = np.frombuffer(content, _ENTRY)
    part = part[np.lexsort((part["row"], part["second"], part["digest"]))]
    equal = part[1:][["digest", "second"]] == part[:-1][["digest", "second"]]
    ends = np.flatnonzero(~np.append(equal, False))
    begins = np.append(0, ends[:-1] + 1)
    several = begins < ends
    for first, last in zip(begins[several].tolist(), ends[several].tolist(), strict=True):
        rows = part["row"][first : last + 1].tolist()
        for k, later in enumerate(rows):
            if any(same(earlier, later) for earlier in rows[:k]):
                yield later
                break
