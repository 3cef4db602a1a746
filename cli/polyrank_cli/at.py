"""``polyrank at``: the region of one point, exactly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyrank_cli.failures import UNDECIDED, sentences
from polyrank_cli.options import DomainChoice, JsonOption, NetworkArgument, QuietOption, Reading
from polyrank_cli.rationals import ROUNDED, root, root_text, shown, shown_point
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from polyrank.network.normal_form import Network
    from polyrank.sampling.region_at import FacetAt, LowerRank, RegionAt

__all__ = ["at_command"]

_SHOWN = 100


def at_command(
    network: NetworkArgument,
    point: Annotated[
        str,
        typer.Argument(metavar="POINT", help="Exact numbers, as in -1/3,0.2, or a npy file."),
    ],
    *,
    row: Annotated[int, typer.Option(metavar="I", min=0, help="Row of the npy file, from 0.")] = 0,
    layer: Annotated[
        int | None,
        typer.Option(metavar="K", min=1, help="Look for lower rank at this layer (default: all)."),
    ] = None,
    budget: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Regions that the search for lower rank may take."),
    ] = 200,
    time: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.0, help="Stop after so many seconds, honestly."),
    ] = 60.0,
    domain: DomainChoice,
    reading: Reading,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """The region of NETWORK around POINT, in exact arithmetic.

    Codeword, ranks, affine map, facets with their distances, and the nearest region of lower rank
    with the point where it begins. Where the budget of the search ends first, a proved lower bound
    of that distance is printed instead. In hundreds of dimensions no lower rank is looked for, and
    rows that --time leaves undecided are counted; exit status 3 then.
    """
    # numpy and flint load here, which is more than --help may take
    from polyrank.sampling.points import exact_point  # noqa: PLC0415
    from polyrank.sampling.region_at import region_at  # noqa: PLC0415
    from polyrank_cli.domains import chosen_domain  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    with sentences():
        loaded = reading.load(network)
        where = chosen_domain(domain, loaded)
        with stage_line(quiet=quiet or as_json):
            found = region_at(
                loaded,
                exact_point(point, row),
                where,
                layers=None if layer is None else (layer,),
                budget=budget,
                seconds=time,
            )
    if as_json:
        typer.echo(json.dumps(_object(found)))
    else:
        _print(found, loaded)
    if found.undecided:
        raise typer.Exit(UNDECIDED)


def _strings(values: Any) -> list[str] | None:
    return None if values is None else [str(v) for v in values]


def _facet(facet: FacetAt) -> dict[str, Any]:
    return {
        "of": list(facet.names),
        "wall": facet.wall,
        "distance" if facet.nearest else "distance_at_most": root(facet.distance_squared),
        "distance_squared": str(facet.distance_squared),
        "crossing": _strings(facet.crossing),
    }


def _lower(found: LowerRank) -> dict[str, Any]:
    square = found.distance_squared
    return {
        "layer": found.layer,
        "rank_here": found.rank_here,
        "found": found.found,
        "rank": found.rank,
        "codeword": None if found.codeword is None else _bits(found.codeword),
        "distance" if found.found else "no_nearer_than": None if square is None else root(square),
        "distance_squared": None if square is None else str(square),
        "crossing": _strings(found.crossing),
    }


def _bits(word: Any) -> str:
    return "".join(str(int(v)) for v in word)


def _object(found: RegionAt) -> dict[str, Any]:
    J, c = found.J, found.c
    return {
        "point": _strings(found.point),
        "codeword": _bits(found.bits),
        "on_hyperplanes": list(found.hyperplanes),
        "ranks": [low if low == high else [low, high] for low, high in found.ranks],
        "affine_map": None
        if J is None or c is None
        else {
            "linear": [[str(v) for v in r] for r in J.tolist()],
            "constant": _strings(c.entries()),
        },
        "nearest_facet": None if found.nearest_row is None else _facet(found.nearest_row),
        "facets": None if found.facets is None else [_facet(f) for f in found.facets],
        "undecided_rows": found.undecided,
        "lower_rank": [_lower(v) for v in found.lower],
        "regions_taken": found.visited,
    }


def _print(found: RegionAt, network: Network) -> None:
    from polyrank.report.tables import word_text  # noqa: PLC0415  (loads numpy)

    tell(f"codeword {word_text(found.bits, network.bits)}")
    ranks = ", ".join(str(low) if low == high else f"{low}..{high}" for low, high in found.ranks)
    tell(f"rank through layers 1 to {len(found.ranks)}: {ranks}")
    if found.hyperplanes:
        tell(
            f"the point lies on the hyperplane of {', '.join(found.hyperplanes)}: it is in no open "
            "region, and the ranks are those of its codeword"
        )
        return
    if found.J is None or found.c is None:
        tell("the network is too large for its exact map and facets")
        return
    lines: list[str] = []
    if found.J.nrows() * found.J.ncols() <= 100:
        lines.append("x -> A x + c, rows of A | c:")
        for r, c in zip(found.J.tolist(), found.c.entries(), strict=True):
            lines.append(f"  {', '.join(map(shown, r))} | {shown(c)}")
    facets = found.facets or ()
    if found.undecided:
        lines.append(
            f"at least {len(facets)} facets; {found.undecided} rows are not decided (--time), "
            "every other one is redundant:"
        )
        if found.nearest_row is not None and not any(
            f.distance_squared == found.nearest_row.distance_squared for f in facets
        ):
            facets = (found.nearest_row, *facets)
    else:
        lines.append(f"{len(facets)} facets:" if facets else "no facets")
    for facet in facets[:_SHOWN]:
        most = "" if facet.nearest else "at most "
        text = f"  distance {most}{root_text(facet.distance_squared)}: {', '.join(facet.names)}"
        if len(facet.crossing) <= 8:
            text += f", crossing at {shown_point(facet.crossing)}"
        lines.append(text)
    if len(facets) > _SHOWN:
        lines.append(f"  … and {len(facets) - _SHOWN} more (--json has all)")
    lines += [_lower_text(v, found.visited) for v in found.lower]
    tell("\n".join(lines))
    if any("≈" in line for line in lines):
        tell(ROUNDED)


def _lower_text(lower: LowerRank, visited: int) -> str:
    head = f"layer {lower.layer}, rank {lower.rank_here} here: "
    if lower.distance_squared is None:
        return head + "no region has a lower rank"
    distance = root_text(lower.distance_squared)
    if not lower.found or lower.crossing is None:
        return head + (
            f"no lower rank nearer than {distance}; the budget of {visited} regions (--budget) or "
            "the time (--time) ended"
        )
    where = f" at {shown_point(lower.crossing)}" if len(lower.crossing) <= 8 else ""
    return head + f"rank {lower.rank} at distance {distance}{where}"
