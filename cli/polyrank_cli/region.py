"""``polyrank region``: everything about one region."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

import polyrank as pr
from polyrank_cli.failures import sentences
from polyrank_cli.options import JsonOption, RunArgument
from polyrank_cli.rationals import ROUNDED, root_text, shown, shown_point
from polyrank_cli.streams import tell

__all__ = ["region_command"]


def region_command(
    run: RunArgument,
    number: Annotated[int, typer.Argument(metavar="ID", help="Its row in the run, from 0.")],
    as_json: JsonOption = False,
) -> None:
    """Codeword, ranks, exact affine map, facets, neighbours and geometry of one region of RUN.

    Needs the graph (``polyrank graph``). Coordinates are those of the run's chart.
    """
    # these load pyarrow and flint, which have no place in --help
    from polyrank.graph.geometry import Regions  # noqa: PLC0415
    from polyrank.graph.store import load_graph, stored_network  # noqa: PLC0415
    from polyrank.report.tables import word_text  # noqa: PLC0415

    with sentences():
        opened = pr.open_run(run)
        access = Regions(opened, stored_network(opened), load_graph(opened))
        word = access.codeword(number)
        row = opened.table.slice(number, 1).to_pylist()[0]
        slope, constant = access.affine_map(number)
        shape = access.geometry(number)
        ball = shape.ball()
        start, end = access.graph.facet_start[number : number + 2]
        found: dict[str, Any] = {
            "region": number,
            "codeword": "".join(map(str, word.astype(int))),
            "ranks": [row[f"rank_{k}"] for k in range(1, opened.layers + 1)],
            "affine_map": {
                "linear": [[str(v) for v in r] for r in slope.tolist()],
                "constant": [str(v) for v in constant.entries()],
            },
            "facets": [
                {"unit": int(u), "neighbour": int(t), "row": [str(v) for v in r]}
                for u, t, r in zip(
                    access.graph.facet_unit[start:end],
                    access.graph.facet_to[start:end],
                    shape.rows,
                    strict=True,
                )
            ],
            "neighbours": access.graph.neighbours(number).tolist(),
            "bounded": shape.bounded,
            "vertices": [[str(v) for v in p] for p in shape.generators.vertices],
            "rays": [list(map(str, r)) for r in shape.generators.rays],
            "lines": [list(map(str, r)) for r in shape.generators.lines],
            "lineality": shape.lineality,
            "volume": None if shape.volume is None else str(shape.volume),
            "ball": None
            if ball is None
            else {
                "centre": [str(v) for v in ball.centre],
                "radius_squared": str(ball.radius_squared),
            },
        }
        if as_json:
            typer.echo(json.dumps(found))
            return
        lines = [
            f"region {number}: codeword {word_text(word, opened.layer_bits)}",
            "ranks by layer: " + " ".join(map(str, found["ranks"])),
            "affine map: x -> A x + c",
        ]
        for r, c in zip(slope.tolist(), constant.entries(), strict=True):
            lines.append(f"  [{', '.join(map(shown, r))}]  {shown(c)}")
        lines.append(f"facets: {len(shape.rows)}")
        for facet in found["facets"]:
            unit, to = facet["unit"], facet["neighbour"]
            where = opened.unit_names[unit] if unit >= 0 else access.chart.names[-1 - unit]
            behind = {-1: "the wall", -2: "NO LISTED REGION"}.get(to, f"region {to}")
            lines.append(f"  {where}: {behind}")
        kind = "bounded" if found["bounded"] else "unbounded"
        lines.append(
            f"{kind}: {len(found['vertices'])} vertices, {len(found['rays'])} rays, "
            f"{len(found['lines'])} lines"
        )
        if shape.lineality:
            lines.append(
                f"in a section of {access.chart.k} coordinates; the region is this set plus a "
                f"linear space of dimension {shape.lineality}, along which the network is constant"
            )
        lines += [f"  {shown_point(point)}" for point in shape.generators.vertices]
        if shape.volume is not None:
            lines.append(f"volume: {shown(shape.volume)}")
        if ball is not None:
            radius = root_text(ball.radius_squared)
            lines.append(f"inscribed ball: radius {radius} at {shown_point(ball.centre)}")
        tell("\n".join(lines))
        if any("≈" in line for line in lines):
            tell(ROUNDED)
