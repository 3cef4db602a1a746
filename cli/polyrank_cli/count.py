"""``polyrank count``: how many regions there are, without listing them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

import polyrank as pr
from polyrank_cli.enumerate import Engine
from polyrank_cli.failures import INTERRUPTED, UNDECIDED, say, sentences
from polyrank_cli.options import (
    DomainChoice,
    JobsOption,
    JsonOption,
    LimitChoice,
    NetworkArgument,
    Only,
    QuietOption,
    Reading,
    ThroughLayerOption,
)
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyrank.regions.count import RegionCount

__all__ = ["count_command"]


def count_command(
    network: NetworkArgument,
    *,
    domain: DomainChoice,
    through_layer: ThroughLayerOption = None,
    reading: Reading,
    engine: Annotated[Engine, typer.Option(help="As for polyrank enumerate.")] = Engine.auto,
    ranks: Annotated[
        bool,
        typer.Option(
            "--ranks/--no-ranks",
            help="Count ranks too.",
        ),
    ] = True,
    cross_check: Annotated[
        bool,
        typer.Option(
            "--cross-check/--no-cross-check",
            help="For one layer on R^n: count by deletion and restriction too (10 s at most).",
        ),
    ] = True,
    limit: Annotated[LimitChoice, Only(("time", "max_regions", "max_memory"))],
    jobs: JobsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Count the activation regions of NETWORK on a domain (default: all of R^n), certified.

    No region is kept: memory does not grow with their number.

    Exit status: 0 certified, 3 undecided cells remain or a limit was reached, 1 error, 2 wrong
    usage, 130 interrupted (what was counted is printed, as bounds).
    """
    from polyrank_cli.convention import in_its_units, needs_convention  # noqa: PLC0415
    from polyrank_cli.domains import chosen_domain  # noqa: PLC0415
    from polyrank_cli.progress import progress_line  # noqa: PLC0415

    with sentences():
        loaded = reading.load(network)
        where = chosen_domain(domain, loaded)
        if domain.vnnlib is not None and needs_convention(loaded, reading):
            loaded, reading, note = in_its_units(network, loaded, where, reading)
            if not quiet:
                say(note)
        with progress_line(quiet=quiet or as_json) as progress:
            found = pr.count_regions(
                loaded,
                where,
                through_layer=through_layer,
                engine=engine.value,
                jobs=jobs,
                ranks=ranks,
                cross_check=cross_check,
                limits=limit.limits(),
                progress=progress,
            )
        if as_json:
            typer.echo(json.dumps(asdict(found)))
        else:
            for line in _lines(found):
                tell(line)
        if found.status == "interrupted":
            say("interrupted; what was counted is above")
            raise typer.Exit(INTERRUPTED)
        if not found.certified:
            raise typer.Exit(UNDECIDED)


def _lines(found: RegionCount) -> Iterator[str]:
    from polyrank.report.summary import counted_as, large, rank_lines  # noqa: PLC0415

    regions = counted_as(found.regions)
    if found.certified:
        yield f"certified: exactly {regions}"
    else:
        why = {"stopped": f"stopped at {found.limit}", "interrupted": "it was interrupted"}.get(
            found.status, f"{found.undecided:,} cells are undecided"
        )
        yield f"at least {regions} and at most {large(found.at_most)}; {why}"
    yield f"layers 1..{found.layers} of {found.network_layers}"
    if found.halved:
        yield "one of every two opposite regions was searched"
    if found.second is not None:
        yield f"by deletion and restriction: {found.second:,}"
    listed = "" if found.certified else " of the regions found"
    yield from rank_lines(found.rank_histogram or (), listed)
    yield f"{found.seconds:.2f} s; {found.tests:,} tests"
