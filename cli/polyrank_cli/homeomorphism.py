"""``polyrank homeomorphism``: is a layer one-to-one on a manifold, and if not, since when."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import polyrank as pr
from polyrank_cli.failures import UNDECIDED, refuse_existing, sentences
from polyrank_cli.manifolds import chosen_manifold
from polyrank_cli.options import (
    ForceOption,
    JsonOption,
    ManifoldChoice,
    NetworkArgument,
    QuietOption,
    Reading,
    TimeOption,
    directory_output,
)
from polyrank_cli.rationals import ROUNDED, short_point, shown, shown_point
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from polyrank.image.collision import Collision
    from polyrank.image.homeomorphism import Homeomorphism
    from polyrank.image.overlap import Overlaps
    from polyrank.network.normal_form import Network
    from polyrank.polyhedra.domain import Box
    from polyrank.topology.manifold import Manifold

__all__ = ["homeomorphism_command"]

_LISTED, _SHOWN = 1000, 10  # pairs, and groups and their members


def homeomorphism_command(
    network: NetworkArgument,
    manifold: Annotated[
        str | None,
        typer.Argument(
            metavar="[MANIFOLD]",
            help="As for restrict: a file, a shape such as torus:40, or with --alpha or --rips a "
            "point cloud. Not with --box or --whole-space.",
            show_default=False,
        ),
    ] = None,
    *,
    box: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="LO HI",
            help="On all of the box LO <= x <= HI: two numbers, or two comma-separated lists.",
        ),
    ] = None,
    whole_space: Annotated[
        bool,
        typer.Option(
            "--whole-space", help="Every layer by itself, on all of the space of its inputs."
        ),
    ] = False,
    layer: Annotated[
        int | None,
        typer.Option(metavar="K", help="The layer (default: the last one); 0 is M itself in R^n."),
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Also list every pair of pieces whose images overlap, and groups with one image.",
        ),
    ] = False,
    time: TimeOption = None,
    output: Annotated[
        Path | None,
        directory_output("Write a certificate for polyrank check."),
    ] = None,
    cloud: ManifoldChoice,
    reading: Reading,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Whether layer K of NETWORK is one-to-one on MANIFOLD: proved, or two points with one image.

    M is compact: a layer that is one-to-one is a homeomorphism onto its image. With --box the same
    for all of a box, whose regions are the pieces; with --whole-space for single layers on R^n.

    Exit status: 0 decided, 1 error, 2 wrong usage, 3 not decided, 130 interrupted.
    """
    # these load numpy and scipy, which have no place in --help
    from polyrank.image.certificate import save_certificate  # noqa: PLC0415
    from polyrank.image.homeomorphism import homeomorphism  # noqa: PLC0415
    from polyrank.image.overlap import overlap_decomposition  # noqa: PLC0415
    from polyrank.image.statement import homeomorphism_object  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    limit = float("inf") if time is None else time
    if (manifold is not None) + (box is not None) + whole_space != 1:
        raise typer.BadParameter("give one of MANIFOLD, --box and --whole-space")
    if whole_space and (every or output is not None):
        raise typer.BadParameter("--all and --output do not go with --whole-space")
    with sentences():
        loaded = reading.load(network)
        if whole_space:
            _on_spaces(loaded, layer, limit, as_json=as_json)
            return
        space: Manifold | Box
        if manifold is not None:
            space = chosen_manifold(manifold, cloud)
        else:
            low, high = (side.split(",") if "," in side else side for side in box or ())
            space = pr.Box(low, high)
        refuse_existing(output, force=force)
        with stage_line(quiet=quiet or as_json):
            found = homeomorphism(loaded, space, layer=layer, seconds=limit)
        if output is not None:
            save_certificate(found, output, network_file=reading.record(network))
        decomposition = None
        if every:
            with stage_line(quiet=quiet or as_json):
                decomposition = overlap_decomposition(found.restriction, found.layer, seconds=limit)
        if as_json:
            typer.echo(json.dumps(homeomorphism_object(found, decomposition)))
        else:
            _show(found, decomposition)
        if found.one_to_one is None or (decomposition is not None and not decomposition.complete):
            raise typer.Exit(UNDECIDED)


def _on_spaces(network: Network, layer: int | None, limit: float, *, as_json: bool) -> None:
    from polyrank.image.statement import on_spaces_object  # noqa: PLC0415
    from polyrank.network.rational import fmpq_from_text  # noqa: PLC0415
    from polyrank.report.tables import plain_table  # noqa: PLC0415

    found = on_spaces_object(network, layer, limit)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        rows = [[str(v["layer"]), v["verdict"], v["reason"]] for v in found["layers"]]
        tell(plain_table(["layer", "on R^n", "since"], rows))
        for own in found["layers"]:
            for name, point in zip(("x ", "x'"), own["points"] or (), strict=False):
                place = short_point([fmpq_from_text(v) for v in point])
                tell(f"layer {own['layer']}: {name} = {place}")
    if any(v["verdict"] == "not decided" for v in found["layers"]):
        raise typer.Exit(UNDECIDED)


def _show(found: Homeomorphism, decomposition: Overlaps | None) -> None:
    from polyrank.image.statement import not_decided, verdict_name  # noqa: PLC0415
    from polyrank.report.tables import plain_table  # noqa: PLC0415

    space = found.restriction.manifold
    tell(f"M: {space.name} in R^{space.ambient}, {found.restriction.network.name}")
    if space.note:
        tell(space.note)
    rows = [
        [
            str(v.layer),
            verdict_name(v.one_to_one),
            f"{v.pieces:,}",
            f"{v.collapsed:,}",
            f"{v.tally.pairs:,}",
            f"{v.tally.by_floats:,}",
            f"{v.tally.exactly:,}",
        ]
        for v in found.verdicts
    ]
    header = ["layer", "verdict", "pieces", "collapsed", "pairs", "by floats", "in rationals"]
    tell(plain_table(header, rows))
    pair = found.collision
    if pair is not None:
        _show_collision(pair)
    if found.one_to_one:
        tell(f"certified: layers 0 to {found.layer} are homeomorphisms of M onto their images")
    elif found.one_to_one is None:
        tell(f"not decided: layer {found.layer}, at the time limit")
    elif found.first_layer is not None:
        tell(
            f"certified: not one-to-one from layer {found.first_layer} on"
            + (", which is M itself in R^n" if found.first_layer == 0 else "")
            + ("; layer 0, M in R^n, is" if found.first_layer == 1 else "")
            + (f"; layers 0 to {found.first_layer - 1} are" if found.first_layer > 1 else "")
        )
    elif pair is not None:
        tell(
            f"certified: not one-to-one from layer {pair.layer} on; not decided: whether the "
            "layers before it are, at the time limit"
        )
    if decomposition is not None:
        _show_overlaps(decomposition)
    for sentence in not_decided():
        tell(f"Not decided: {sentence}")


def _show_collision(pair: Collision) -> None:
    lines = [
        f"{name} = {short_point(own.point)}, on simplex {list(own.weights)} with weights "
        f"{shown_point(own.weights.values())}"
        for name, own in (("x ", pair.first), ("x'", pair.second))
    ]
    lines.append(f"one image at layer {pair.layer}: {short_point(pair.image)}")
    for line in lines:
        tell(line)
    if any("≈" in line for line in lines):
        tell(ROUNDED)


def _show_overlaps(found: Overlaps) -> None:
    from polyrank.report.tables import plain_table  # noqa: PLC0415

    own = found.pieces
    count = f"{len(found.pairs):,}" if found.complete else f"at least {len(found.pairs):,}"
    tell(
        f"layer {own.layer}: {count} pairs of {own.count:,} pieces overlap; "
        f"{found.collapsed:,} pieces are collapsed"
    )
    for d, share in found.share.items():
        tell(
            f"share of the {d}-dimensional part of M with another point of the same image: "
            f"{share.by_volume:.6g} by volume; {shown(share.by_simplex)} of its simplices, exactly"
        )
    if not found.complete:
        tell("not decided: whether there are more pairs, at the limit")
    for d, number in sorted(Counter(found.dimension.tolist()).items()):
        tell(f"{number:,} pairs overlap in dimension {d}")
    groups = found.groups
    for group in groups[:_SHOWN]:
        names = ", ".join(str(p) for p in group[:_SHOWN]) + (", ..." if group[_SHOWN:] else "")
        d = own.dimension[group[0]]
        tell(f"{len(group):,} pieces with one image, of dimension {d}: {names}")
    if groups[_SHOWN:]:
        tell(f"... and {len(groups) - _SHOWN:,} more such groups; --json has them all")
    rows = [
        [str(i), str(j), str(own.simplex(i)), str(own.simplex(j)), str(d)]
        for (i, j), d in zip(
            found.pairs[:_LISTED].tolist(), found.dimension[:_LISTED].tolist(), strict=True
        )
    ]
    header = ["piece", "piece", "simplex", "simplex", "dimension of the overlap"]
    tell(plain_table(header, rows))
    if len(found.pairs) > _LISTED:
        tell(f"... and {len(found.pairs) - _LISTED:,} more pairs; --json has them all")
