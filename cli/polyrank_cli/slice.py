"""``polyrank slice``: every region on a segment, triangle, line or plane through data points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import polyrank as pr
from polyrank_cli.failures import (
    INTERRUPTED,
    UNDECIDED,
    refuse_existing,
    say_interrupted,
    sentences,
)
from polyrank_cli.options import (
    ForceOption,
    JobsOption,
    JsonOption,
    MnistOption,
    NetworkArgument,
    PointsOption,
    QuietOption,
    Reading,
    SearchTreeOption,
    ThroughLayerOption,
    directory_output,
)
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from polyrank.regions.run import Run
    from polyrank.sampling.slices import AmbientRanks

__all__ = ["slice_command"]


def slice_command(
    network: NetworkArgument,
    rows: Annotated[
        str | None,
        typer.Argument(metavar="I,J[,K]", help="Rows of the points, from 0 (default: all)."),
    ] = None,
    *,
    points: PointsOption = None,
    mnist: MnistOption = None,
    extended: Annotated[
        bool,
        typer.Option("--extended", help="The whole line or plane, not the segment or triangle."),
    ] = False,
    through_layer: ThroughLayerOption = None,
    ambient: Annotated[
        bool, typer.Option("--ambient/--no-ambient", help="Ranks on the whole input space too.")
    ] = True,
    output: Annotated[
        Path | None,
        directory_output("Write the run to a new directory."),
    ] = None,
    proof: SearchTreeOption = False,
    jobs: JobsOption = None,
    reading: Reading,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List every region of NETWORK that a slice through two or three points crosses, certified.

    The run's ranks are those of the map restricted to the slice; ambient.parquet beside it has
    those of the map on the whole input space, row by row. The points are taken exactly.

    Exit status: 0 certified, 3 undecided cells remain, 1 error, 2 wrong usage, 130 interrupted
    (what was found stays in -o/--output, labelled as partial).
    """
    # numpy and pyarrow load here, which is more than --help may take
    from polyrank.cells.threads import asked_threads  # noqa: PLC0415
    from polyrank.regions.enumerate import EnumerationInterrupted  # noqa: PLC0415
    from polyrank.sampling.points import (  # noqa: PLC0415
        input_points,
        mnist_images,
        points_file,
    )
    from polyrank.sampling.slices import (  # noqa: PLC0415
        ambient_ranks,
        chosen_points,
        slice_through,
    )
    from polyrank_cli.progress import progress_line  # noqa: PLC0415

    if (points is None) == (mnist is None):
        raise typer.BadParameter("give exactly one of --points and --mnist")
    if proof and output is None:
        raise typer.BadParameter("--proof writes to the run directory; name it with -o/--output")
    numbers = None if rows is None else _numbers(rows)
    with sentences():
        loaded = reading.load(network)
        data = points_file(points) if points is not None else mnist_images(Path(str(mnist)))
        chosen = chosen_points(input_points(data, loaded), numbers)
        domain = slice_through(chosen, extended=extended)
        refuse_existing(output, force=force)
        try:
            with progress_line(quiet=quiet or as_json) as progress:
                run = pr.enumerate_regions(
                    loaded,
                    domain,
                    out=output,
                    through_layer=through_layer,
                    progress=progress,
                    notes={"slice": {"file": (points or mnist or Path()).name, "rows": numbers}},
                    proof=proof,
                    network_file=reading.record(network),
                    jobs=jobs,
                )
        except EnumerationInterrupted as interruption:
            _show(interruption.run, None, as_json=as_json)
            say_interrupted(output)
            raise typer.Exit(INTERRUPTED) from None
        around = None
        if ambient:
            around = ambient_ranks(run, loaded, workers=asked_threads(jobs))
            if output is not None:
                around.save(output, loaded)
        _show(run, around, as_json=as_json)
        if not run.certified:
            raise typer.Exit(UNDECIDED)


def _numbers(rows: str) -> list[int]:
    try:
        return [int(v) for v in rows.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{rows!r} is no list of rows such as 0,7") from None


def _show(run: Run, around: AmbientRanks | None, *, as_json: bool) -> None:
    from polyrank.report.summary import (  # noqa: PLC0415
        depth,
        rank_lines,
        run_object,
        verdict,
    )

    layers = range(1, run.layers + 1)
    if as_json:
        shown = run_object(run)
        if around is not None:
            shown["ambient_rank_histogram"] = [around.histogram(k) for k in layers]
            shown["in_hyperplane"] = int(around.in_hyperplane.sum())
        typer.echo(json.dumps(shown))
        return
    tell(verdict(run))
    tell(depth(run))
    listed = "" if run.certified else ", listed regions"
    lines = rank_lines(run.manifest["rank_histogram"], f" along the slice{listed}")
    if around is not None:
        whole = [around.histogram(k) for k in layers]
        lines += rank_lines(whole, f" on the input space{listed}")
    tell("\n".join(lines))
    if around is not None and around.in_hyperplane.any():
        tell(
            f"{int(around.in_hyperplane.sum())} regions lie in a hyperplane of the input space: "
            "their ranks there are those of the codeword with the bit 0"
        )
    if run.path is not None:
        tell(f"written to {run.path}")
