"""``polyrank ensemble``: proved ranks of many networks, beside what samples of them see."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyrank_cli.failures import INTERRUPTED, UNDECIDED, say, sentences
from polyrank_cli.options import (
    DomainChoice,
    ForceOption,
    JsonOption,
    ProcessesOption,
    QuietOption,
    Reading,
)
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from polyrank.ensembles.ensemble import Ensemble
    from polyrank.polyhedra.domain import Domain

__all__ = ["ensemble_command"]


def ensemble_command(
    networks: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NETWORKS]...", help="Saved weights: files, folders, globs."),
    ] = None,
    *,
    arch: Annotated[
        str | None,
        typer.Option(metavar="WIDTHS", help="Random networks instead: 10-25 has 25 ReLUs."),
    ] = None,
    init: Annotated[
        str,
        typer.Option(
            metavar="LAW",
            help="Their weights: torch, he, normal:MU,SIGMA, uniform:A,B or dale:K,G (K inhibitory "
            "inputs of strength G); numbers as in 0.1 or 1/sqrt(n).",
        ),
    ] = "torch",
    bias: Annotated[
        str, typer.Option(metavar="LAW", help="Their biases: the same, or zero.")
    ] = "torch",
    flip: Annotated[
        int, typer.Option(metavar="R", min=0, help="Negate R random rows of every weight.")
    ] = 0,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Networks: seeds 0 to N − 1.")] = (
        100
    ),
    domain: DomainChoice,
    layer: Annotated[
        int | None, typer.Option(metavar="K", help="Ranks through this layer (default: the last).")
    ] = None,
    measure: Annotated[
        str,
        typer.Option(
            metavar="LIST", help="Of minrank, maxrank, regions, sample:N, mass:N; with commas."
        ),
    ] = "minrank",
    time: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.0, help="Time of each rank search.")
    ] = 60.0,
    max_regions: Annotated[
        int, typer.Option(metavar="N", min=1, help="Do not count more regions than N.")
    ] = 1_000_000,
    jobs: ProcessesOption = 1,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="One row per network: .parquet."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with that file.")] = False,
    force: ForceOption = False,
    reading: Reading,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Proved least and greatest ranks, counts, samples and mass of many networks.

    Existence is not mass: minrank proves that a region exists, sample:N says what N uniform points
    of the domain see, mass:N what share of it has low rank (exact in dimension 1 to 3).

    Exit status: 0, 3 if some interval or count is not settled, 1 error, 2 wrong usage,
    130 interrupted (finished rows are kept).
    """
    # numpy and pyarrow load here, which is more than --help may take
    from polyrank.ensembles.ensemble import (  # noqa: PLC0415
        EnsembleInterrupted,
        ensemble,
        saved_networks,
    )
    from polyrank.ensembles.journal import remove_table  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    if (arch is None) == (not networks):
        raise typer.BadParameter("give either saved networks or --arch")

    def report(done: int, total: int, row: Mapping[str, Any]) -> None:
        if not quiet:
            shown = [
                f"{which} rank {row[f'{name}_rank_lower']} to {row[f'{name}_rank_upper']}"
                for which, name in (("least", "min"), ("greatest", "max"))
                if f"{name}_rank_lower" in row
            ]
            say(f"{done} of {total}: {row['network']} {', '.join(shown)}".rstrip())

    if force and resume:
        raise typer.BadParameter("--resume goes on with the file that --force would replace")
    with sentences():
        members = arch if arch is not None else saved_networks(networks or [])
        where = _one_domain(domain, members, reading)
        if force and output is not None:
            remove_table(output)
        interrupted = False
        try:
            with stage_line(quiet=quiet or as_json):
                found = ensemble(
                    members,
                    where,
                    measure=measure,
                    init=init,
                    bias=bias,
                    flip=flip,
                    seeds=seeds,
                    layer=layer,
                    seconds=time,
                    most_regions=max_regions,
                    jobs=jobs,
                    output=output,
                    resume=resume,
                    reading=asdict(reading),
                    report=report,
                )
        except EnsembleInterrupted as interruption:
            interrupted, found = True, interruption.found
        if as_json:
            typer.echo(json.dumps({**found.summary(), "interrupted": interrupted}))
        else:
            _show(found)
        if interrupted:
            say(f"interrupted; {len(found.rows)} rows are kept" if output else "interrupted")
            raise typer.Exit(INTERRUPTED)
        if not found.certified:
            raise typer.Exit(UNDECIDED)


def _one_domain(choice: DomainChoice, members: str | Sequence[Path], reading: Reading) -> Domain:
    """The domain of all members; with --input-range, that which the headers of all files state."""
    from polyrank_cli.domains import chosen_domain  # noqa: PLC0415

    if not choice.input_range:
        return chosen_domain(choice)
    if isinstance(members, str):
        raise typer.BadParameter("--input-range is read from headers of saved networks, not --arch")
    first, *others = [chosen_domain(choice, reading.load(path)) for path in members]
    for path, other in zip(members[1:], others, strict=True):
        if other.describe() != first.describe():
            raise typer.BadParameter(
                f"--input-range: {path.name} states another range than {members[0].name}; give "
                "the box with --box or --box-file"
            )
    return first


def _show(found: Ensemble) -> None:
    facts = found.summary()
    tell(f"{facts['networks']} networks")
    for name, count in facts["proved"].items():
        tell(f"{name}: {count} of {facts['networks']}")
    for name, entry in facts["columns"].items():
        if name.endswith(("seconds", "_points", "_lower")) and name != "min_rank_lower":
            continue
        counted = entry.get("histogram")
        shown = "" if counted is None else "; " + ", ".join(f"{k}: {v}" for k, v in counted.items())
        tell(
            f"{name}: mean {entry['mean']:.6g}, sd {entry['standard_deviation']:.4g}, "
            f"from {entry['least']:.6g} to {entry['greatest']:.6g}{shown}"
        )
