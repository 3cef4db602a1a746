"""Gzip: what comes out is what went in, and never more than allowed."""

from __future__ import annotations

import gzip

import pytest

from polyrank.errors import FormatError
from polyrank.network.formats.gunzip import gunzip

TEXT = b"(assert (<= X_0 1))\n" * 50


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (gzip.compress(TEXT), TEXT),
        (gzip.compress(b""), b""),
        (gzip.compress(TEXT) + gzip.compress(b"more"), TEXT + b"more"),
        (gzip.compress(TEXT) + bytes(512), TEXT),
        (gzip.compress(TEXT, 0), TEXT),
    ],
    ids=["one", "empty", "two members", "padded", "stored"],
)
def test_inflates(data, expected):
    assert gzip.decompress(data) == expected
    assert gunzip(data, max_bytes=len(expected), name="a.gz") == expected


def test_the_bound_is_on_what_comes_out():
    bomb = gzip.compress(bytes(10**7))
    assert len(bomb) < 10**5
    with pytest.raises(FormatError, match="a.gz inflates to more than 1000 bytes"):
        gunzip(bomb, max_bytes=1000, name="a.gz")
    with pytest.raises(FormatError, match="inflates to more than 1003 bytes"):
        gunzip(gzip.compress(TEXT) + gzip.compress(b"more"), max_bytes=1003, name="a.gz")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a gzip file"),
        (b"(assert)", "is not a gzip file"),
        (gzip.compress(TEXT)[:-1], "ends too early"),
        (gzip.compress(TEXT)[:20], "ends too early"),
        (gzip.compress(TEXT)[:-8] + bytes(8), "damaged"),
        (gzip.compress(TEXT) + b"text", "something after its gzip data: b'text'"),
    ],
    ids=["nothing", "text", "a byte short", "beginning", "wrong sums", "with text behind"],
)
def test_refused(data, message):
    with pytest.raises(FormatError, match=message):
        gunzip(data, max_bytes=10**6, name="a.gz")
