"""Tables for a terminal, as plain text: the layers of a run, the layers of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from polyrank.report.summary import format_histogram

__all__ = ["layers_table", "plain_table"]


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
    return entry == "-" or entry.replace(",", "").isdigit()


def layers_table(layers: Sequence[Mapping[str, Any]]) -> str:
    """The rows of :func:`polyrank.report.summary.layer_summary` as text."""
    header = ["layer", "units", "bits", "regions of layers 1..K", "min rank", "low-rank", "ranks"]
    return plain_table(
        header,
        [
            [
                str(row["layer"]),
                f"{row['units']:,}",
                f"{row['bits']:,}",
                f"{row['decomposition']:,}",
                "-" if row["min_rank"] is None else str(row["min_rank"]),
                f"{row['low_rank']:,}",
                format_histogram(row["rank_histogram"]),
            ]
            for row in layers
        ],
    )
