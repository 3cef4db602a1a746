"""Tables for a terminal, as plain text: the layers of a run, the layers of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from numpy.typing import NDArray

from polyrank.report.summary import format_histogram

__all__ = ["layers_table", "plain_table", "word_text"]


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to the widest entry; the numbers of a column stand right-aligned."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(_is_number(entry) for entry in column[1:]) for column in columns]
    lines = [
        "  ".join(
            entry.rjust(width) if flush else entry.ljust(width)
            for entry, width, flush in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in [header, *rows]
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


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
    text = "".join("1" if bit else "0" for bit in word)
    ends = accumulate(layer_bits)
    return "|".join(text[end - n : end] for n, end in zip(layer_bits, ends, strict=True) if n)
