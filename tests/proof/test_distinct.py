"""Words of a table that are all different, or not: in memory, on disk, with equal digests."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest

from polyrank.proof.distinct import Distinct
from polyrank.regions import parts as module


@pytest.mark.parametrize("waiting", [24, 1 << 16])
@pytest.mark.parametrize("seed", range(6))
def test_the_first_row_that_repeats(
    monkeypatch: pytest.MonkeyPatch, waiting: int, seed: int
) -> None:
    """Against a set of all words."""
    monkeypatch.setattr(module, "_WAITING", waiting)
    dice = random.Random(seed)
    rows = [str(dice.randrange(10**7 if seed % 2 else 800)).encode() for _ in range(1000)]
    seen: set[bytes] = set()
    expected = None
    for r, word in enumerate(rows):
        if word in seen and expected is None:
            expected = r
        seen.add(word)
    with Distinct() as words:
        for word in rows:
            words.add(word)
        assert words.repeated(lambda a, b: rows[a] == rows[b]) == expected


def test_equal_digests_are_no_equal_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class Constant:
        def __init__(self, word: bytes, **_: Any) -> None:
            self.word = word

        def digest(self) -> bytes:
            return bytes(16)

    monkeypatch.setattr(hashlib, "blake2b", Constant)
    rows = [b"a", b"b", b"c", b"b"]
    with Distinct() as words:
        for word in rows[:3]:
            words.add(word)
        assert words.repeated(lambda a, b: rows[a] == rows[b]) is None
        words.add(rows[3])
        assert words.repeated(lambda a, b: rows[a] == rows[b]) == 3


def test_no_file_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAITING", 3)
    with module.Parts() as parts:
        for content in (b"ab", b"cd", b"e"):
            parts.append(7, content)
        folder = parts._file(0).parent
        assert [p.name for p in folder.iterdir()] == ["007"]
        assert list(parts)[7] == b"abcde"
    assert not folder.exists()
