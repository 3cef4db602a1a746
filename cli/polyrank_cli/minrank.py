"""``polyrank minrank``: the least or the greatest rank through a layer, proved."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyrank_cli.failures import INTERRUPTED, UNDECIDED, refuse_existing, say, sentences
from polyrank_cli.options import (
    DomainChoice,
    ForceOption,
    JobsOption,
    JsonOption,
    NetworkArgument,
    QuietOption,
    Reading,
    TimeOption,
    directory_output,
)
from polyrank_cli.rationals import ROUNDED, short_point, shown
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from polyrank.minrank.deep import Depth
    from polyrank.minrank.result import MaximumRank, MinimumRank

__all__ = ["minrank_command"]


def minrank_command(
    network: NetworkArgument,
    *,
    layer: Annotated[int, typer.Option(metavar="K", help="The rank through this layer.")] = 1,
    below: Annotated[
        int | None, typer.Option(metavar="M", min=1, help="List every region of rank below M.")
    ] = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, help="List at most N regions; says so if cut off.")
    ] = 10_000,
    time: TimeOption = None,
    domain: DomainChoice,
    milp: Annotated[
        bool | None,
        typer.Option(
            "--milp/--no-milp",
            help="Ask HiGHS for a point with few live units (default: after five seconds).",
            show_default=False,
        ),
    ] = None,
    greatest: Annotated[
        bool, typer.Option("--greatest", help="The greatest rank instead of the least.")
    ] = False,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Also a witness with the least |z| as large as can be."),
    ] = False,
    seed: Annotated[
        int, typer.Option(metavar="S", min=0, help="Seed of the heuristic for good regions.")
    ] = 0,
    output: Annotated[
        Path | None,
        directory_output("Keep what is proved, and the answer, in a new directory."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Go on with the same question in the directory that -o/--output made.",
        ),
    ] = None,
    reading: Reading,
    jobs: JobsOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """The least rank of NETWORK through layer K on a domain (default: all of R^n), as an interval.

    The lower bound is proved exactly, the upper one is a region with its rational witness. Through
    layer 2 and deeper ones all regions are enumerated if that ends within seconds, which is then
    said; else layers below K are where they can matter, and layer K is not. With --greatest the two
    change places: a region with the greatest rank, and a proof that none has more. What takes long
    is kept in -o/--output: with --resume the same question goes on there, however it ended.

    Exit status: 0 if the bounds meet and the list of --below is complete, 3 if not (the time limit
    or --limit), 1 error, 2 wrong usage, 130 interrupted.
    """
    # numpy and flint load here, which is more than --help may take
    from polyrank.minrank.maximum import MaximumRankInterrupted, maximum_rank  # noqa: PLC0415
    from polyrank.minrank.minimum import MinimumRankInterrupted, minimum_rank  # noqa: PLC0415
    from polyrank_cli.convention import in_its_units, needs_convention  # noqa: PLC0415
    from polyrank_cli.domains import chosen_domain  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    which = "greatest" if greatest else "least"

    def report(lower: int, upper: int) -> None:
        if not quiet:
            say(f"the {which} rank is in [{lower}, {upper}]")

    if greatest and (below is not None or milp):
        raise typer.BadParameter("--below and --milp are about the least rank, not --greatest")
    if output is not None and resume is not None:
        raise typer.BadParameter("--resume goes on in its own directory; leave out -o/--output")
    shared: dict[str, Any] = {
        "layer": layer,
        "seconds": math.inf if time is None else time,
        "seed": seed,
        "report": report,
        "deep": deep,
        "keep": output if resume is None else resume,
        "resume": resume is not None,
        "jobs": jobs,
    }
    with sentences():
        loaded = reading.load(network)
        where = chosen_domain(domain, loaded)
        if domain.vnnlib is not None and needs_convention(loaded, reading):
            loaded, _, note = in_its_units(network, loaded, where, reading)
            if not quiet:
                say(note)
        refuse_existing(output, force=force)
        interrupted = False
        found: MinimumRank | MaximumRank
        try:
            with stage_line(quiet=quiet or as_json):
                if greatest:
                    found = maximum_rank(loaded, where, **shared)
                else:
                    found = minimum_rank(
                        loaded, where, below=below, limit=limit, milp=milp, **shared
                    )
        except (MinimumRankInterrupted, MaximumRankInterrupted) as interruption:
            interrupted, found = True, interruption.found
        if as_json:
            typer.echo(json.dumps({**found.summary(), "interrupted": interrupted}))
        else:
            _show(found, loaded.bits, deep=deep)
        if interrupted:
            kept = shared["keep"]
            goes_on = (
                "" if kept is None else f", and the same question goes on with --resume {kept}"
            )
            say(f"interrupted; what was proved until then is above{goes_on}")
            raise typer.Exit(INTERRUPTED)
        if not found.certified:
            raise typer.Exit(UNDECIDED)


def _show(found: MinimumRank | MaximumRank, bits: Sequence[int], *, deep: bool) -> None:
    from polyrank.minrank.result import MinimumRank  # noqa: PLC0415  (numpy)
    from polyrank.report.tables import word_text  # noqa: PLC0415

    which = "least" if isinstance(found, MinimumRank) else "greatest"
    through = f"{which} rank through layer {found.layer}"
    upper = found.best.rank if isinstance(found, MinimumRank) else found.upper
    if found.lower == upper:
        tell(f"certified: the {through} is exactly {upper}")
    else:
        tell(f"not settled: the {through} is at least {found.lower} and at most {upper}")
    if isinstance(found, MinimumRank) and found.solver_bound is not None:
        tell(
            f"HiGHS's own bound, not proved and not used: at least {found.solver_bound} live units"
        )
    word = word_text(found.best.codeword, bits[: found.layer])
    tell(f"best region: rank {found.best.rank}, codeword {word}")
    lines = [f"witness: {short_point(found.best.witness)}{_depth_text(found.depth)}"]
    if deep and found.deep is None:
        lines.append("deep witness: none was found in time")
    elif found.deep is not None:
        end = "; the region has points of any depth" if found.deep.unbounded else ""
        depth = _depth_text(found.deep.depth)
        lines.append(f"deep witness: {short_point(found.deep.point)}{depth}{end}")
    tell("\n".join(lines))
    if isinstance(found, MinimumRank) and found.below is not None:
        which = "all of them" if found.complete else "more may exist"
        tell(f"{len(found.regions):,} regions of rank < {found.below} listed, {which}")
        for region in found.regions:
            word = word_text(region.codeword, bits[: found.layer])
            tell(f"  rank {region.rank}: {word}")
    if isinstance(found, MinimumRank) and found.enumerated is not None:
        tell(f"all {found.enumerated:,} regions were enumerated, which is faster for so few")
    tell(
        f"{found.seconds:.2f} s; {found.cells:,} cells of the layers below, {found.pruned:,} "
        f"prefixes pruned, {found.nodes:,} nodes, {found.programs:,} linear programs"
    )
    if any("≈" in line for line in lines):
        tell(ROUNDED)


def _depth_text(depth: Depth) -> str:
    """The least pre-activation at a point, and where it is."""
    if not depth.layer:
        return ""
    return f"; least |z| {shown(depth.value)} (layer {depth.layer} unit {depth.unit})"
