"""What a notebook shows of a network and of a run: small tables."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from polyrank.report.network import network_rows
from polyrank.report.summary import depth, format_histogram, layer_summary, verdict

if TYPE_CHECKING:
    from polyrank.network.normal_form import Network
    from polyrank.regions.run import Run

__all__ = ["html_table", "network_html", "run_html"]

#: Counting the regions of the first layers reads every row: only of runs up to this size.
_MOST_ROWS = 1_000_000


def run_html(run: Run) -> str:
    """The verdict and the layers of a run."""
    network = run.network
    title = f"{network['name']} {'-'.join(map(str, network['widths']))}"
    if run.count <= _MOST_ROWS:
        rows = [
            (
                row["layer"],
                row["units"],
                row["bits"],
                f"{row['decomposition']:,}",
                format_histogram(row["decomposition_rank_histogram"]),
            )
            for row in layer_summary(run)
        ]
        head: Sequence[str] = ("layer", "units", "bits", "regions of layers 1..K", "rank: regions")
    else:
        rows = [
            (k, run.network["widths"][k], run.network["bits"][k - 1], f"{run.count:,}", "")
            for k in range(1, run.layers + 1)
        ]
        head = ("layer", "units", "bits", "regions", "")
    return (
        f"<div><b>{escape(title)}</b>: {escape(verdict(run))}; {escape(depth(run))}</div>"
        + html_table(head, rows)
    )


def network_html(network: Network) -> str:
    """The layers of a network: units, hyperplanes, activations."""
    title = f"{network.name} {'-'.join(map(str, network.widths))}"
    return f"<div><b>{escape(title)}</b></div>" + html_table(*network_rows(network))


def html_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; the cells are escaped."""

    def line(tag: str, cells: Sequence[object]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(c))}</{tag}>" for c in cells) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    return f"<table><thead>{line('th', head)}</thead><tbody>{body}</tbody></table>"
