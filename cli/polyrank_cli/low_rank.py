"""``polyrank low-rank``: the components of the low-rank part."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

import polyrank as pr
from polyrank_cli.failures import UNDECIDED, sentences
from polyrank_cli.options import JsonOption, QuietOption, RunArgument
from polyrank_cli.rationals import ROUNDED, root, root_text, shown_point
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from polyrank.graph.nearest import NearestPoint

__all__ = ["low_rank_command"]


def low_rank_command(
    run: RunArgument,
    below: Annotated[
        int | None,
        typer.Option(
            metavar="M", min=0, help="Rank below M is low (default: the domain's dimension)."
        ),
    ] = None,
    layer: Annotated[
        int | None, typer.Option(metavar="K", help="Rank through layer K (default: the last).")
    ] = None,
    nearest: Annotated[
        str | None,
        typer.Option(
            metavar="POINT", help="Also the nearest low-rank point to an input: x0,x1,... exact."
        ),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Components of the low-rank part of RUN, which needs its graph (``polyrank graph``).

    Two numbers: components through facets, and of the closed set, whose regions may touch in a
    vertex only. The image is printed where the map is constant on a component. With --nearest the
    distance is exact; it is marked where a nearer point is not excluded.

    Exit status: 0, 3 if the run is not certified, so that there may be more, 1 error, 2 wrong
    usage.
    """
    # these load pyarrow and flint, which have no place in --help
    from polyrank.graph.geometry import Regions  # noqa: PLC0415
    from polyrank.graph.low_rank import low_rank_part  # noqa: PLC0415
    from polyrank.graph.nearest import nearest_low_rank  # noqa: PLC0415
    from polyrank.graph.store import load_graph, stored_network  # noqa: PLC0415
    from polyrank.network.rational import to_fmpq  # noqa: PLC0415
    from polyrank.report.tables import plain_table  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    with sentences():
        opened = pr.open_run(run)
        access = Regions(opened, stored_network(opened), load_graph(opened))
        bound = opened.dimension if below is None else below
        with stage_line(quiet=quiet or as_json):
            part = low_rank_part(access, bound, layer)
        near = None
        if nearest is not None:
            try:
                point = [to_fmpq(v.strip()) for v in nearest.split(",")]
            except ValueError as problem:
                raise typer.BadParameter(str(problem), param_hint="--nearest") from None
            near = nearest_low_rank(access, point, bound, layer)
        if as_json:
            shown: dict[str, Any] = {
                "layer": part.layer,
                "below": part.below,
                "certified_run": opened.certified,
                "regions": part.regions,
                "facet_components": len(part.components),
                "contact_components": part.contact_components,
                "components": [
                    {
                        "regions": c.regions.tolist(),
                        "ranks": {str(k): v for k, v in c.ranks.items()},
                        "bounded": c.bounded,
                        "touches_wall": c.touches_wall,
                        "contact": c.contact,
                        "image": None if c.image is None else [str(v) for v in c.image],
                        "rank_0_images": [[str(v) for v in image] for image in c.images],
                    }
                    for c in part.components
                ],
            }
            if nearest is not None:
                shown["nearest"] = None if near is None else _nearest_object(near)
            typer.echo(json.dumps(shown))
        else:
            if not opened.certified:
                tell(
                    "the run is not certified: at least these regions are of low rank; others may "
                    "join components, and extend them to infinity or to the wall"
                )
            through = part.contact_components
            tell(
                f"rank below {part.below} through layer {part.layer}: {part.regions:,} regions, "
                f"{len(part.components):,} components through facets, "
                f"{'not computed' if through is None else f'{through:,}'} through any contact"
            )
            words = {True: "yes", False: "no", None: "-"}
            table = [
                [
                    str(number),
                    f"{len(c.regions):,}",
                    " ".join(f"{r}:{n}" for r, n in c.ranks.items()),
                    words[c.bounded],
                    words[c.touches_wall],
                    "-" if c.contact is None else str(c.contact),
                    "-" if c.image is None else shown_point(c.image),
                ]
                for number, c in enumerate(part.components)
            ]
            header = ["component", "regions", "ranks", "bounded", "wall", "contact", "image"]
            if table:
                text = plain_table(header, table)
                tell(text)
                if "≈" in text:
                    tell(ROUNDED)
            if nearest is not None:
                none = "there is none" if opened.certified else "no listed region is of low rank"
                tell(f"nearest: {none}" if near is None else _nearest_text(near))
    if not opened.certified:
        raise typer.Exit(UNDECIDED)


def _nearest_object(near: NearestPoint) -> dict[str, Any]:
    return {
        "region": near.region,
        "rank": near.rank,
        "x": [str(v) for v in near.x],
        "distance_squared": str(near.distance_squared),
        "distance": root(near.distance_squared),
        "proved": near.proved,
        "programs": near.programs,
    }


def _nearest_text(near: NearestPoint) -> str:
    how = "proved to be the least" if near.proved else "proved upper bound, a nearer may exist"
    return (
        f"nearest: {shown_point(near.x)} in the closure of region {near.region}, rank {near.rank}, "
        f"at distance {root_text(near.distance_squared)} ({how})"
    )
