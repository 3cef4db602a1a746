"""``polyrank homeomorphism``: is a layer one-to-one on a manifold, and if not, since when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polyrank_cli.failures import UNDECIDED, refuse_existing, sentences
from polyrank_cli.manifolds import ManifoldArgument, chosen_manifold
from polyrank_cli.options import JsonOption, ManifoldChoice, NetworkArgument, Reading

if TYPE_CHECKING:
    from polyrank.image.collision import Collision
    from polyrank.image.homeomorphism import Homeomorphism
    from polyrank.image.overlap import Overlaps

__all__ = ["homeomorphism_command"]


def homeomorphism_command(
    network: NetworkArgument,
    manifold: ManifoldArgument,
    *,
    layer: Annotated[
        int | None, typer.Option(metavar="K", help="The layer (default: the last one).")
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Also list every pair of pieces whose images overlap."),
    ] = False,
    time: Annotated[
        float | None,
        typer.Option(metavar="T", min=0.0, help="Give up what is not decided after T seconds."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Write a certificate for polyrank check."
        ),
    ] = None,
    cloud: ManifoldChoice,
    reading: Reading,
    as_json: JsonOption = False,
) -> None:
    """Whether layer K of NETWORK is one-to-one on MANIFOLD: proved, or two points with one image.

    M is compact: a layer that is one-to-one is a homeomorphism onto its image.

    Exit status: 0 decided, 1 error, 2 wrong usage, 3 not decided, 130 interrupted.
    """
    # these load numpy and scipy, which have no place in --help
    from polyrank.image.certificate import save_certificate  # noqa: PLC0415
    from polyrank.image.homeomorphism import homeomorphism  # noqa: PLC0415
    from polyrank.image.overlap import overlap_decomposition  # noqa: PLC0415
    from polyrank.image.statement import homeomorphism_object  # noqa: PLC0415
    from polyrank.lp.deadline import OutOfTimeError, time_limit  # noqa: PLC0415

    limit = float("inf") if time is None else time
    with sentences():
        refuse_existing(output)
        loaded = reading.load(network)
        space = chosen_manifold(manifold, cloud)
        found = homeomorphism(loaded, space, layer=layer, seconds=limit)
        if output is not None:
            save_certificate(found, output, network_file=reading.record(network))
        decomposition = None
        if every:
            try:
                with time_limit(limit):
                    decomposition = overlap_decomposition(found.restriction, found.layer)
            except OutOfTimeError:
                decomposition = None
        if as_json:
            typer.echo(json.dumps(homeomorphism_object(found, decomposition)))
        else:
            _show(found, decomposition)
        if found.one_to_one is None or (every and decomposition is None):
            raise typer.Exit(UNDECIDED)


def _show(found: Homeomorphism, decomposition: Overlaps | None) -> None:
    from polyrank.image.statement import not_decided, verdict_name  # noqa: PLC0415
    from polyrank.report.tables import plain_table  # noqa: PLC0415

    space = found.restriction.manifold
    typer.echo(f"M: {space.name} in R^{space.ambient}, {found.restriction.network.name}")
    if space.note:
        typer.echo(space.note)
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
    typer.echo(plain_table(header, rows))
    pair = found.collision
    if pair is not None:
        _show_collision(pair)
    if found.one_to_one:
        typer.echo(
            f"certified: layers 0 to {found.layer} are homeomorphisms of M onto their images"
        )
    elif found.one_to_one is None:
        typer.echo(f"not decided: layer {found.layer}, at the time limit")
    elif found.first_layer is not None:
        typer.echo(
            f"certified: not one-to-one from layer {found.first_layer} on"
            + (", which is M itself in R^n" if found.first_layer == 0 else "")
            + (f"; layers 0 to {found.first_layer - 1} are" if found.first_layer else "")
        )
    elif pair is not None:
        typer.echo(
            f"certified: not one-to-one from layer {pair.layer} on; not decided: whether the "
            "layers before it are, at the time limit"
        )
    if decomposition is not None:
        _show_overlaps(decomposition)
    for sentence in not_decided():
        typer.echo(f"Not decided: {sentence}")


def _show_collision(pair: Collision) -> None:
    for name, own in (("x ", pair.first), ("x'", pair.second)):
        weights = ", ".join(f"{v}: {w}" for v, w in own.weights.items())
        typer.echo(f"{name} = ({', '.join(map(str, own.point))}), barycentric {{{weights}}}")
    typer.echo(f"one image at layer {pair.layer}: ({', '.join(map(str, pair.image))})")


def _show_overlaps(found: Overlaps) -> None:
    from polyrank.report.tables import plain_table  # noqa: PLC0415

    own = found.pieces
    typer.echo(
        f"layer {own.layer}: {len(found.pairs):,} pairs of {own.count:,} pieces overlap; "
        f"{found.collapsed:,} pieces are collapsed"
    )
    for d, share in found.share.items():
        typer.echo(
            f"share of the {d}-dimensional part of M with another point of the same image: "
            f"{share.by_volume:.6g} by volume; {_short(share.by_simplex)} of its simplices, exactly"
        )
    rows = [
        [str(o.first), str(o.second), *(str(own.simplex(p)) for p in (o.first, o.second)), str(d)]
        for o, d in zip(found.pairs, found.dimension.tolist(), strict=True)
    ]
    header = ["piece", "piece", "simplex", "simplex", "dimension of the overlap"]
    typer.echo(plain_table(header, rows))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
