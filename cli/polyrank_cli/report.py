"""``polyrank report``: a page about a run that one can send."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import polyrank as pr
from polyrank_cli.failures import sentences
from polyrank_cli.options import QuietOption, Reading, RunArgument
from polyrank_cli.streams import tell

__all__ = ["report_command"]


def report_command(
    run: RunArgument,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The page to write, .html.")
    ],
    network: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The network's file, where the run does not know it."),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option(metavar="K", help="Of the map (default: the last layer with hyperplanes)."),
    ] = None,
    below: Annotated[
        int | None,
        typer.Option(
            metavar="M", help="Mark what has rank below M (default: the domain's dimension)."
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Show the homology and the barcode of the layers that polyrank image -o wrote.",
        ),
    ] = None,
    reading: Reading,
    quiet: QuietOption = False,
) -> None:
    """Write one self-contained page: question, verdict, proof, ranks, map, graph, provenance.

    Needs jinja2 and, for the map of a two-dimensional run, bokeh (polyrank[report]).
    """
    # these load numpy and pyarrow, which have no place in --help
    from polyrank.report.page import page_file  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    with sentences():
        page_file(output)  # before any work is done
        opened = pr.open_run(run)
        given = None if network is None else reading.load(network)
        with stage_line(quiet=quiet):
            target = opened.report(output, given, layer=layer, below=below, images=images)
        tell(f"written to {target}")
