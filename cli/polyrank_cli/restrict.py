"""``polyrank restrict``: a manifold divided into the cells of a network."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from polyrank_cli.failures import refuse_existing, sentences
from polyrank_cli.manifolds import ManifoldArgument, chosen_manifold
from polyrank_cli.options import (
    ForceOption,
    JobsOption,
    JsonOption,
    LowRankChoice,
    ManifoldChoice,
    NetworkArgument,
    QuietOption,
    Reading,
    ThroughLayerOption,
    directory_output,
)
from polyrank_cli.streams import tell

__all__ = ["restrict_command"]


def restrict_command(
    network: NetworkArgument,
    manifold: ManifoldArgument,
    *,
    output: Annotated[
        Path | None,
        directory_output("Write the cells to a new directory."),
    ] = None,
    through_layer: ThroughLayerOption = None,
    below: Annotated[
        int | None,
        typer.Option(
            metavar="M", help="Also show the part A of rank below M, layer by layer (--low-rank)."
        ),
    ] = None,
    chosen: LowRankChoice,
    cloud: ManifoldChoice,
    reading: Reading,
    jobs: JobsOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Divide MANIFOLD into the cells of NETWORK: exact incidences, ranks and witnesses.

    Exit status: 0 certified, 1 error, 2 wrong usage, 130 interrupted.
    """
    # these load numpy and pyarrow, which have no place in --help
    from polyrank.report.tables import plain_table  # noqa: PLC0415
    from polyrank.topology.low_rank import low_rank_summary  # noqa: PLC0415
    from polyrank.topology.restriction import restrict  # noqa: PLC0415
    from polyrank.topology.store import cells_manifest, save_cells  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    if below is None and (chosen.low_rank is not None or chosen.ambient):
        raise typer.BadParameter("--low-rank and --ambient go with --below")
    with sentences():
        loaded = reading.load(network)
        space = chosen_manifold(manifold, cloud)
        refuse_existing(output, force=force)
        begun = time.perf_counter()
        with stage_line(quiet=quiet or as_json):
            found = restrict(loaded, space, through_layer=through_layer, jobs=jobs)
        shown = cells_manifest(found)
        shown["seconds"] = time.perf_counter() - begun
        if below is not None:
            shown["low_rank"] = low_rank_summary(
                found,
                below - 1,
                ambient=chosen.ambient,
                reading=chosen.reading,
            )
        if output is not None:
            save_cells(found, output)
        shown["output"] = None if output is None else str(output)
        if as_json:
            typer.echo(json.dumps(shown))
            return
        tell(f"{space.name} in R^{space.ambient}, {loaded.name}")
        if space.note:
            tell(space.note)
        rows = [
            [str(d), f"{simplices:,}", f"{cells:,}", f"{maximal:,}"]
            for d, (simplices, cells, maximal) in enumerate(
                zip(space.complex.cells, shown["cells"], shown["maximal_cells"], strict=True)
            )
        ]
        tell(plain_table(["dimension", "simplices", "cells", "maximal"], rows))
        for k, histogram in enumerate(shown["tangent_rank_histogram"], start=1):
            text = " ".join(f"{rank}:{count:,}" for rank, count in histogram.items())
            tell(f"rank on the maximal cells through layer {k}: {text}")
        if below is not None:
            part = shown["low_rank"]
            tell(f"A ({part['low_rank_cells']}), r = {below - 1}: {part['low_rank_cells_are']}")
            lines = [
                [str(k), " ".join(f"{c:,}" for c in row["cells"]), f"{row['components']:,}"]
                for k, row in enumerate(part["layers"], start=1)
            ]
            head = ["layer", "maximal cells of A by dim", "components of A"]
            tell(plain_table(head, lines))
        tell(
            f"certified: no cell is missing, none is invented; Euler characteristic "
            f"{shown['euler_characteristic']}, of the manifold "
            f"{shown['euler_characteristic_of_manifold']}"
        )
        tell(
            f"{shown['seconds']:.2f} s, {shown['vertices_decided_in_rationals']:,} vertices "
            "decided in rational arithmetic"
        )
        if output is not None:
            tell(f"written to {output}")
