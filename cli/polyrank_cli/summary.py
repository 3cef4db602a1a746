"""``polyrank summary``: what a run directory says."""

from __future__ import annotations

import json
from typing import Annotated

import typer

import polyrank as pr
from polyrank_cli.failures import UNDECIDED, sentences
from polyrank_cli.options import JsonOption, QuietOption, RunArgument
from polyrank_cli.streams import tell

__all__ = ["summary_command"]


def summary_command(
    run: RunArgument,
    below: Annotated[
        int | None,
        typer.Option(
            metavar="M",
            help="Regions of rank below M are low-rank (default: the domain's dimension).",
        ),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show counts, rank histograms per layer, minimum ranks and low-rank regions of a run.

    Exit status: 0 if the run is certified, 3 if not (undecided cells, stopped, interrupted or
    killed), 1 if it cannot be read.
    """
    # these load pyarrow, which has no place in --help
    from polyrank.report.summary import (  # noqa: PLC0415
        depth,
        layer_summary,
        run_object,
        seen,
        verdict,
    )
    from polyrank.report.tables import layers_table  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    with sentences():
        opened = pr.open_run(run)
        with stage_line(quiet=quiet or as_json):
            layers = layer_summary(opened, below)
        if as_json:
            typer.echo(json.dumps({**run_object(opened), "layers": layers}))
        else:
            network = opened.network
            tell(f"{network['name']} {'-'.join(map(str, network['widths']))}")
            tell(verdict(opened))
            tell(depth(opened))
            if seen(opened):
                tell(seen(opened))
            tell(layers_table(layers, certified=opened.certified))
    if not opened.certified:
        raise typer.Exit(UNDECIDED)
