"""Whether the codewords of a table are all different, in memory that does not grow with the table.

Equal words have equal digests, so that words whose digests all differ are **proved** to differ;
two rows with one digest are compared themselves. Digests are sorted into 256 parts by their first
byte, which wait in temporary files where there are many, and every part is looked at alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Self

import numpy as np

from polyrank.regions.parts import Parts

__all__ = ["Distinct"]

_ENTRY = np.dtype([("digest", "V16"), ("row", "<i8")])


class Distinct:
    """Words that come one by one; use it as a context manager.

    Examples
    --------
    >>> with Distinct() as words:
    ...     for word in (b"a", b"b", b"a"):
    ...         words.add(word)
    ...     words.repeated(lambda first, second: True)
    2
    """

    def __init__(self) -> None:
        self._count = 0
        self._parts = Parts()

    def add(self, word: bytes) -> None:
        """Take in the next row's word."""
        digest = hashlib.blake2b(word, digest_size=16).digest()
        self._parts.append(digest[0], digest + self._count.to_bytes(8, "little"))
        self._count += 1

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
    """Rows of a part whose word an earlier row of it has."""
    part = np.frombuffer(content, _ENTRY)
    digests, inverse, counts = np.unique(part["digest"], return_inverse=True, return_counts=True)
    if len(digests) == len(part):
        return
    for which in np.flatnonzero(counts > 1).tolist():
        rows = np.sort(part["row"][inverse.ravel() == which]).tolist()
        for k, later in enumerate(rows):
            if any(same(earlier, later) for earlier in rows[:k]):
                yield later
