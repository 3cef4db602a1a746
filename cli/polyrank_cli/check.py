"""``polyrank check``: re-derive every claim of a run without a solver."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polyrank_cli.failures import REJECTED, UNDECIDED, say, sentences
from polyrank_cli.options import JsonOption, RunArgument

if TYPE_CHECKING:
    from polyrank.proof.check import Report

__all__ = ["check_command"]


def check_command(
    run: RunArgument,
    network: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The network's file, if it is no longer where the run says."
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(metavar="K", min=1, help="Check K random subtrees instead of all."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the sample.")] = 0,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="Processes.")] = 1,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Exact integers for every step: slower, less code to trust."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a run in rational arithmetic: no region is missing, doubled or wrong.

    Exit status: 0 accepted, 4 rejected (the first bad step is named), 3 accepted but undecided
    cells remain or the run is partial, 1 the files cannot be read, 2 wrong usage.
    """
    # these load numpy, pyarrow and python-flint, which have no place in --help
    from polyrank.proof.check import check  # noqa: PLC0415
    from polyrank.proof.format import ProofRejectedError  # noqa: PLC0415

    with sentences():
        try:
            report = check(run, network=network, sample=sample, seed=seed, jobs=jobs, exact=exact)
        except ProofRejectedError as rejection:
            if as_json:
                typer.echo(json.dumps({"verdict": "rejected", "reason": str(rejection)}))
            say(f"rejected: {rejection}")
            raise typer.Exit(REJECTED) from None
        if as_json:
            verdict = "undecided" if report.open else "accepted"
            typer.echo(json.dumps({"verdict": verdict, **asdict(report)}))
        else:
            typer.echo(_sentence(report))
            typer.echo(
                f"{report.checked:,} of {report.regions:,} rows, {report.steps:,} steps, "
                f"{report.tests:,} by multipliers; {report.seconds:.2f} s"
            )
        if report.open:
            raise typer.Exit(UNDECIDED)


def _sentence(report: Report) -> str:
    regions = f"{report.regions:,} regions"
    if report.complete:
        return f"accepted: exactly {regions}, each with its exact ranks; nothing is missing"
    if not report.segments:
        return (
            f"accepted: {regions}, each with its witness and exact ranks; there is no proof log, "
            "so the absence of others was not re-derived"
        )
    if report.sampled:
        return (
            f"accepted: a random sample of {report.segments_checked} of {report.segments} "
            f"subtrees of {regions}; the rest was not checked"
        )
    return f"accepted: {regions}; {report.undecided} cells are undecided, so there may be more"
