"""Words of a table that are all different, or not: in memory, on disk, with equal digests."""

from __future__ import annotations

import random

import numpy as np
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
        for first in range(0, len(rows), 70):
            words.add(np.array([list(w.ljust(9)) for w in rows[first : first + 70]], np.uint8))
        assert words.repeated(lambda a, b: rows[a] == rows[b]) == expected


def test_equal_digests_are_no_equal_words(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.array([[1], [2], [3], [2]], np.uint8)
    with Distinct() as words:
        monkeypatch.setattr(words, "_digests", lambda some: np.zeros((len(some), 2), np.uint64))
        words.add(rows[:3])
        assert words.repeated(lambda a, b: rows[a] == rows[b]) is None
        words.add(rows[3:])
        assert words.repeated(lambda a, b: rows[a] == rows[b]) == 3


def test_one_changed_bit_is_another_digest() -> None:
    for width in (1, 3, 4, 33):
        rows = np.packbits(np.eye(8 * width, dtype=np.uint8), axis=1)
        with Distinct() as words:
            words.add(np.concatenate([np.zeros((1, width), np.uint8), rows]))
            assert words.repeated(lambda a, b: True) is None


def test_no_file_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAITING", 3)
    with module.Parts() as parts:
        for content in (b"ab", b"cd", b"e"):
            parts.append(7, content)
        folder = parts._file(0).parent
        assert [p.name for p in folder.iterdir()] == ["007"]
        assert list(parts)[7] == b"abcde"
    assert not folder.exists()
