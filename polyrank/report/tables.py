"""Tables for a terminal, as plain text: the layers of a run, the layers of a network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import accumulate, zip_longest
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.report.summary import format_histogram

__all__ = ["fitted", "layers_table", "plain_table", "word_text", "word_texts"]

_WIDTH = 100
#: A column of words is not made narrower than this.
_LEAST = 16


def _width() -> int:
    """How wide lines may be: 100 columns, or more where the variable COLUMNS says so."""
    asked = os.environ.get("COLUMNS", "")
    return max(_WIDTH, int(asked)) if asked.isdecimal() else _WIDTH


def fitted(text: str) -> str:
    """Lines of words that are too wide, broken between words; what follows is set in.

    Examples
    --------
    >>> print(fitted("  " + 30 * "word " + "end"))
      word word word word word word word word word word word word word word word word word word word
        word word word word word word word word word word word end
    """
    lines = []
    for line in text.split("\n"):
        inset = (len(line) - len(line.lstrip()) + 2) * " "
        lines += wrap(
            line,
            _width(),
            subsequent_indent=inset,
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        ) or [""]
    return "\n".join(lines)


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to the widest entry; the numbers of a column stand right-aligned.

    Nothing is left out of a table that is wider than 100 columns (or the variable COLUMNS): entries
    of words go on in the next line, and columns that still do not fit stand in a table below, with
    the first column again.
    """
    columns = [[str(entry) for entry in column] for column in zip(header, *rows, strict=True)]
    right = [all(_is_number(entry) for entry in column[1:]) for column in columns]
    widths = _fitting(columns, right)
    blocks: list[list[int]] = [[]]
    for j in range(len(columns)):
        own = [*blocks[-1], j]
        if blocks[-1] and sum(widths[i] + 2 for i in own) - 2 > _width():
            blocks.append([0, j] if j else [j])
        else:
            blocks[-1].append(j)
    return "\n\n".join(
        _block([columns[j] for j in own], [widths[j] for j in own], [right[j] for j in own])
        for own in blocks
    )


def _fitting(columns: Sequence[Sequence[str]], right: Sequence[bool]) -> list[int]:
    """Widths of the columns, those of words narrower where the table would be too wide."""
    widths = [max(map(len, column)) for column in columns]
    while (over := sum(widths) + 2 * len(widths) - 2 - _width()) > 0:
        flexible = [j for j, flush in enumerate(right) if not flush and widths[j] > _LEAST]
        if not flexible:
            break
        widest = max(flexible, key=lambda j: widths[j])
        widths[widest] = max(_LEAST, widths[widest] - over)
    return widths


def _block(columns: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[bool]) -> str:
    lines = []
    for n, row in enumerate(zip(*columns, strict=True)):
        cells = [_broken(entry, width) for entry, width in zip(row, widths, strict=True)]
        for part in zip_longest(*cells, fillvalue=""):
            entries = [
                entry.rjust(width) if flush else entry.ljust(width)
                for entry, width, flush in zip(part, widths, right, strict=True)
            ]
            lines.append("  ".join(entries).rstrip())
        if n == 0:
            lines.append("  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _broken(entry: str, width: int) -> list[str]:
    """An entry in lines of a width, broken between words where that is possible."""
    if len(entry) <= width:
        return [entry]
    return wrap(entry, width, break_on_hyphens=False)


def _is_number(entry: str) -> bool:
    return entry == "-" or entry.lstrip("≥≤ ").replace(",", "").isdigit()


def layers_table(layers: Sequence[Mapping[str, Any]], *, certified: bool) -> str:
    """The rows of :func:`polyrank.report.summary.layer_summary` as text.

    Regions, low-rank ones and ranks are those of layers 1..K. Of a run that is not certified the
    counts are marked as lower bounds, the least rank as an upper one.
    """
    least, most = ("", "") if certified else ("≥ ", "≤ ")
    header = ["layer", "units", "bits", "regions of layers 1..K", "min rank", "low-rank"]
    header.append("ranks" if certified else "ranks (at least)")
    return plain_table(
        header,
        [
            [
                str(row["layer"]),
                f"{row['units']:,}",
                f"{row['bits']:,}",
                f"{least}{row['decomposition']:,}",
                "-" if row["min_rank"] is None else f"{most}{row['min_rank']}",
                f"{least}{row['decomposition_low_rank']:,}",
                format_histogram(row["decomposition_rank_histogram"]),
            ]
            for row in layers
        ],
    )


def word_text(word: Sequence[Any] | NDArray[Any], layer_bits: Sequence[int]) -> str:
    """A codeword as 0 and 1, layers that have bits separated by ``|``.

    Examples
    --------
    >>> word_text([True, False, True], [2, 0, 1])
    '10|1'
    """
    (text,) = word_texts(np.asarray(word, dtype=bool)[None], layer_bits)
    return text


def word_texts(words: NDArray[Any], layer_bits: Sequence[int]) -> list[str]:
    """The same of many codewords, one per row."""
    rows = len(words)
    signs = np.where(words, np.uint8(ord("1")), np.uint8(ord("0")))
    bar = np.full((rows, 1), ord("|"), np.uint8)
    ends = accumulate(layer_bits)
    layers = [signs[:, end - n : end] for n, end in zip(layer_bits, ends, strict=True) if n]
    parts = [part for layer in layers for part in (bar, layer)][1:]
    text = np.concatenate([bar[:, :0], *parts], axis=1).tobytes().decode("ascii")
    width = len(text) // max(1, rows)
    return [text[r * width : (r + 1) * width] for r in range(rows)]
