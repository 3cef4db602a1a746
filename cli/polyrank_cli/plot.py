"""``polyrank plot``: a picture of a run of one or two dimensions, or of a region graph."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import polyrank as pr
from polyrank_cli.failures import sentences
from polyrank_cli.options import QuietOption, RunArgument
from polyrank_cli.streams import tell

__all__ = ["plot_command"]


class ColourBy(StrEnum):
    """What the colours say."""

    rank = "rank"
    ambient_rank = "ambient-rank"
    linear_region = "linear-region"
    output_class = "class"


def plot_command(
    run: RunArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="A .png, .svg or .pdf file.")
    ],
    colour: Annotated[
        ColourBy, typer.Option("--colour", "--color", help="What the colours say.")
    ] = ColourBy.rank,
    layer: Annotated[
        int | None, typer.Option(metavar="K", help="Ranks or maps through layer K.")
    ] = None,
    below: Annotated[
        int | None,
        typer.Option(
            metavar="M", help="Outline regions of rank below M (default: 2, or the layer's width)."
        ),
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Data on top: .npy, .csv, or .npz with X and maybe y."),
    ] = None,
    graph: Annotated[
        bool,
        typer.Option(
            "--graph", help="A dot per region, a line per shared facet; in any dimension."
        ),
    ] = False,
    window: Annotated[
        tuple[str, str, str, str] | None,
        typer.Option(metavar="X0 X1 Y0 Y1", help="Part of the plane to show, exact numbers."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Draw the regions of a RUN of one or two dimensions, or with --graph its region graph.

    The run needs its graph: polyrank graph. On a segment the units of a layer are drawn along it.
    """
    # these load numpy, flint and matplotlib, which have no place in --help
    from polyrank.errors import FormatError  # noqa: PLC0415
    from polyrank.graph.geometry import Regions  # noqa: PLC0415
    from polyrank.graph.store import load_graph, stored_network  # noqa: PLC0415
    from polyrank.network.formats.npz import read_arrays  # noqa: PLC0415
    from polyrank.network.rational import to_fmpq  # noqa: PLC0415
    from polyrank.report.graph_map import draw_graph  # noqa: PLC0415
    from polyrank.report.line_map import draw_line_map  # noqa: PLC0415
    from polyrank.report.map import draw_map  # noqa: PLC0415
    from polyrank.report.picture import picture_file, save_picture  # noqa: PLC0415
    from polyrank.sampling.points import points_file  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    with sentences():
        picture_file(output)
        opened = pr.open_run(run)
        access = Regions(opened, stored_network(opened), load_graph(opened))
        on_segment = opened.dimension == 1 and not opened.lineality
        if graph or on_segment:
            if (points, window, below) != (None, None, None) or colour != ColourBy.rank:
                raise typer.BadParameter("--colour, --below, --points and --window are for maps")
            draw = draw_graph if graph else draw_line_map
            save_picture(draw(access, layer=layer), output)
            tell(f"written to {output}")
            return
        data = labels = None
        if points is not None and points.suffix == ".npz":
            arrays, _ = read_arrays(points)
            if "X" not in arrays:
                raise FormatError(f"{points}: there is no array X of points (m, 2)")
            data, labels = arrays["X"], arrays.get("y")
        elif points is not None:
            data = points_file(points)
        try:
            frame = None if window is None else [to_fmpq(v) for v in window]
        except ValueError as problem:
            raise typer.BadParameter(str(problem), param_hint="--window") from None
        with stage_line(quiet=quiet):
            figure = draw_map(
                access,
                colour=colour.value,
                layer=layer,
                below=below,
                points=data,
                labels=labels,
                window=frame,
            )
        save_picture(figure, output)
        tell(f"written to {output}")
