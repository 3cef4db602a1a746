"""``polyrank enumerate``: every activation region and its exact ranks."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

import polyrank as pr
from polyrank_cli.estimate import show_estimate, warn_if_endless
from polyrank_cli.failures import (
    INTERRUPTED,
    UNDECIDED,
    refuse_existing,
    say,
    say_interrupted,
    sentences,
)
from polyrank_cli.options import (
    DomainChoice,
    ForceOption,
    JobsOption,
    JsonOption,
    LimitChoice,
    QuietOption,
    Reading,
    SearchTreeOption,
    ThroughLayerOption,
    directory_output,
)
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyrank.api.run import Run
    from polyrank.cells.task import SearchProgress
    from polyrank.network.normal_form import Network
    from polyrank.regions.run import Run as RegionRun

__all__ = ["enumerate_command"]


class Engine(StrEnum):
    """The engines, as the command line spells them."""

    auto = "auto"
    dictionary = "dictionary"
    vertices = "vertices"
    highs = "highs"


def enumerate_command(
    network: Annotated[
        Path | None,
        typer.Argument(metavar="NETWORK", help="Saved weights; with --resume, if they have moved."),
    ] = None,
    *,
    domain: DomainChoice,
    through_layer: ThroughLayerOption = None,
    reading: Reading,
    engine: Annotated[
        Engine,
        typer.Option(
            help="Compiled simplex dictionaries, cells with vertices (dimension 1 to 3), or HiGHS "
            "as a cross-check; auto takes the faster of the first two."
        ),
    ] = Engine.auto,
    output: Annotated[
        Path | None,
        directory_output("Stream the regions to a new directory."),
    ] = None,
    proof: SearchTreeOption = False,
    graph: Annotated[
        bool,
        typer.Option("--graph", help="Make the region graph too, in -o/--output (polyrank graph)."),
    ] = False,
    jobs: JobsOption = None,
    limit: LimitChoice,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Work on a cluster of Dask: its scheduler's address, or local:N for N processes.",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Go on with a run that was interrupted, stopped or killed; the question stays.",
        ),
    ] = None,
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate",
            help="Only estimate regions, time and disk, by random probes of the tree, beside "
            "proved bounds.",
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Go on although it is not expected to end.")
    ] = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List every activation region of NETWORK on a domain (default: all of R^n), certified.

    Exit status: 0 certified, 3 undecided cells remain or a limit was reached, 1 error, 2 wrong
    usage, 130 interrupted (what was found stays in -o/--output, labelled as partial, and goes on
    with --resume).
    """
    # numpy and pyarrow load here, which is more than --help may take
    from polyrank_cli.convention import in_its_units, needs_convention  # noqa: PLC0415
    from polyrank_cli.domains import chosen_domain  # noqa: PLC0415

    if resume is not None:
        given = {
            "-o/--output": output is not None,
            "--through-layer": through_layer is not None,
            "--engine": engine is not Engine.auto,
            "--proof": proof,
            "a domain": domain != DomainChoice(),
            "--estimate": estimate,
            "options of reading": network is None and reading != Reading(),
        }
        _refuse([name for name, here in given.items() if here])
    elif network is None:
        raise typer.BadParameter("name the NETWORK, or a run with --resume")
    for name, wanted in (("--proof", proof), ("--graph", graph)):
        if wanted and output is None and resume is None:
            raise typer.BadParameter(
                f"{name} writes to the run directory; name it with -o/--output"
            )
    with sentences():
        limits = limit.limits()
        tell = None if quiet else partial(warn_if_endless, yes=yes)
        if resume is not None:
            loaded = None if network is None else reading.load(network)
            _end(
                lambda progress: pr.resume_run(
                    resume,
                    loaded,
                    jobs=jobs,
                    limits=limits,
                    progress=progress,
                    foresight=tell,
                    cluster=cluster,
                ),
                resume,
                graph=graph,
                jobs=jobs,
                as_json=as_json,
                quiet=quiet,
            )
        if network is None:
            raise AssertionError("refused above")
        notes: dict[str, Any] = {}
        if domain.vnnlib is not None:
            notes["vnnlib"] = {"file": domain.vnnlib.name, "case": domain.case}
        loaded = reading.load(network)
        where = chosen_domain(domain, loaded)
        if domain.vnnlib is not None and needs_convention(loaded, reading):
            loaded, reading, notes["convention"] = in_its_units(network, loaded, where, reading)
            if not quiet:
                say(notes["convention"])
        if estimate:
            show_estimate(
                pr.estimate_run(
                    loaded,
                    where,
                    through_layer=through_layer,
                    engine=engine.value,
                    jobs=jobs,
                    proof=proof,
                ),
                as_json=as_json,
            )
            return
        refuse_existing(output, force=force)
        file = reading.record(network)
        _end(
            lambda progress: pr.enumerate_regions(
                loaded,
                where,
                out=output,
                through_layer=through_layer,
                engine=engine.value,
                progress=progress,
                notes=notes,
                proof=proof,
                network_file=file,
                jobs=jobs,
                limits=limits,
                foresight=tell,
                cluster=cluster,
            ),
            output,
            graph=graph,
            jobs=jobs,
            as_json=as_json,
            quiet=quiet,
        )


def _refuse(given: list[str]) -> None:
    if given:
        raise typer.BadParameter(
            f"--resume goes on with the question of the run; leave out {', '.join(given)}"
        )


def _end(
    work: Callable[[Callable[[SearchProgress], None] | None], Run],
    output: Path | None,
    *,
    graph: bool,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
) -> NoReturn:
    """Do the work, show how it ended, and leave with its status."""
    from polyrank.regions.enumerate import EnumerationInterrupted  # noqa: PLC0415
    from polyrank_cli.progress import progress_line  # noqa: PLC0415

    try:
        with progress_line(quiet=quiet or as_json) as progress:
            run = work(progress)
    except EnumerationInterrupted as interruption:
        _show(interruption.run, as_json=as_json)
        say_interrupted(output)
        raise typer.Exit(INTERRUPTED) from None
    if graph:
        _graph_and_show(run, run.source(), jobs, as_json=as_json, quiet=quiet)
    else:
        _show(run, as_json=as_json)
    raise typer.Exit(0 if run.certified else UNDECIDED)


def _graph_and_show(
    run: Run, network: Network, jobs: int | None, *, as_json: bool, quiet: bool
) -> None:
    """Make, keep and print the graph of a run, and leave with its status unless that is 0."""
    from polyrank.report.summary import run_object  # noqa: PLC0415
    from polyrank_cli.graph import graph_object, leave, made_graph, show_graph  # noqa: PLC0415

    graph = made_graph(run, network, jobs, quiet=quiet or as_json)
    shown = graph_object(graph, run)
    if as_json:
        typer.echo(json.dumps({**run_object(run), "graph": shown}))
    else:
        _show(run, as_json=False)
        show_graph(graph, run, shown)
    leave(graph, run)


def _show(run: RegionRun, *, as_json: bool) -> None:
    from polyrank.report.summary import (  # noqa: PLC0415
        depth,
        rank_lines,
        run_object,
        seconds,
        verdict,
    )

    if as_json:
        typer.echo(json.dumps(run_object(run)))
        return
    widths = "-".join(map(str, run.network["widths"]))
    tell(f"{run.network['name']} {widths}")
    tell(verdict(run))
    tell(depth(run))
    listed = "" if run.certified else " of the listed regions"
    for line in rank_lines(run.manifest["rank_histogram"], listed):
        tell(line)
    elapsed = seconds(run)
    if elapsed is not None:
        tests = run.manifest["search"].get("tests")  # 0 where vertices decided everything
        tell(f"{elapsed:.2f} s" + (f"; {tests:,} tests" if tests else ""))
    if run.path is not None:
        tell(f"written to {run.path}")
