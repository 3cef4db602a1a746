"""``polyrank image``: the homology of the true image of a manifold at every layer."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyrank_cli.failures import INTERRUPTED, UNDECIDED, refuse_existing, sentences
from polyrank_cli.manifolds import ManifoldArgument, chosen_manifold
from polyrank_cli.options import (
    ForceOption,
    JsonOption,
    ManifoldChoice,
    NetworkArgument,
    PictureOption,
    QuietOption,
    Reading,
    TimeOption,
    directory_output,
)
from polyrank_cli.rationals import ROUNDED, short_point
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from polyrank.image.barcode import LayerImages

__all__ = ["image_command"]

_SHOWN = 20  # loops and holes that are listed


class WayName(StrEnum):
    """Ways to compute an image."""

    overlay = "overlay"
    nerve = "nerve"
    both = "both"


def image_command(
    network: NetworkArgument,
    manifold: ManifoldArgument,
    *,
    layer: Annotated[
        list[int] | None,
        typer.Option(
            metavar="K",
            help="A layer; may be repeated; 0 is the position of MANIFOLD (default: every layer).",
        ),
    ] = None,
    coefficients: Annotated[
        str, typer.Option(metavar="Z|Q|P", help="Coefficients: Z, Q or a prime.")
    ] = "Z",
    barcode: Annotated[
        bool,
        typer.Option(
            "--barcode", help="Show from which layer to which a class lives, and all ranks."
        ),
    ] = False,
    way: Annotated[
        WayName | None,
        typer.Option(
            help="overlay: the exact common refinement of the images of the cells (up to dimension "
            "3); nerve: which of these images meet (any dimension, small cases); both: "
            "compared (default: overlay where it can be had).",
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="Also show the persistent Betti numbers of points of the image at this part of "
            "its diameter, such as 0.02: approximate, by gudhi, in at most three dimensions, "
            "without solids.",
        ),
    ] = None,
    time: TimeOption = None,
    picture: PictureOption = None,
    output: Annotated[
        Path | None,
        directory_output("Write a certificate for polyrank check; of curves and surfaces."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep layers that are done in DIR; if it is there, go on with the next layer.",
        ),
    ] = None,
    cloud: ManifoldChoice,
    reading: Reading,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Homology of the image of MANIFOLD under the layers of NETWORK, exactly.

    Not of a quotient: the image itself, with all its overlaps, and the maps from layer to layer.
    What takes long is kept layer by layer with --resume: the same command goes on there.

    Exit status: 0 certified, 1 error, 2 wrong usage, 3 a layer is not decided, 130 interrupted
    (layers that were decided before are printed).
    """
    # these load numpy and scipy, which have no place in --help
    from polyrank.api.images import image  # noqa: PLC0415
    from polyrank.image.barcode_object import image_object  # noqa: PLC0415
    from polyrank.image.image_certificate import save_images  # noqa: PLC0415
    from polyrank.report.picture import picture_file, save_picture  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    with sentences():
        if picture is not None:
            picture_file(picture)
        loaded = reading.load(network)
        space = chosen_manifold(manifold, cloud)
        refuse_existing(output, force=force)
        with stage_line(quiet=quiet or as_json):
            found = image(
                loaded,
                space,
                layer=max(layer) if layer else None,
                coefficients=coefficients,
                way=None if way is None else way.value,
                seconds=time,
                keep=resume,
                answers_interrupts=True,
            )
            if output is not None:
                save_images(found, output, network_file=reading.record(network))
            shown = image_object(found, layer, scale=scale)
        if picture is not None:
            save_picture(found.plot(layer or None), picture)
        if as_json:
            typer.echo(json.dumps(shown))
        else:
            _show(found, shown, barcode=barcode)
        if found.interrupted:
            raise typer.Exit(INTERRUPTED)
        if any(layer is None or k in layer for k, _ in found.undecided):
            raise typer.Exit(UNDECIDED)


def _show(found: LayerImages, shown: dict[str, Any], *, barcode: bool) -> None:
    from polyrank.report.tables import plain_table  # noqa: PLC0415

    space = found.manifold
    tell(f"M: {space.name} in R^{space.ambient}, {found.network.name}")
    if space.note:
        tell(space.note)
    rows = []
    for level in shown["levels"]:
        maps = level.get("map", [])
        rows.append(
            [
                str(level["layer"]),
                " ".join(f"{f:,}" for f in level.get("cells", level.get("simplices", []))),
                ", ".join(level["groups"]),
                ", ".join(str(m["rank"]) for m in maps) or "-",
                _entries(maps, "kernel"),
                _entries(maps, "cokernel"),
            ]
        )
    what = "cells of the image by dim" if "overlay" in shown["ways"] else "simplices of the nerve"
    header = ["layer", what, "H(image), degrees 0, 1, ..."]
    header += ["map: rank", "kernel", "cokernel"]
    tell(plain_table(header, rows))
    tell("layer M: the complex itself; layer 0: its position in R^n; layer K: Phi_K(M)")
    tell("map: from the row above, in every degree")
    if any(level.get("by_contours") for level in shown["levels"]):
        tell("the last image lies in a plane: its cells are its components and its holes")
        for level in shown["levels"]:
            sizes = sorted(level.get("hole_diameters", []), reverse=True)
            if sizes:
                text = " ".join(f"{100 * v:.3g} %" for v in sizes[:_SHOWN])
                tell(f"diameters of its holes, of the image's: {text}")
    if barcode:
        _show_barcode(shown)
    _show_carriers(found, shown)
    _show_merges(shown)
    for level in shown["levels"]:
        if level.get("persistent_betti") is not None:
            tell(
                f"approximate: layer {level['layer']}: points of the image at the scale of "
                f"{shown['scale']:g} of its diameter have the persistent Betti numbers "
                f"{', '.join(map(str, level['persistent_betti']))} (gudhi, floats)"
            )
    tell(f"certified: {shown['theorem']}")
    for k, reason in found.undecided:
        tell(f"not decided: layer {k}: {reason}")
    tell("Not decided: M is the given complex; what it was sampled from is not known.")
    tell(f"{found.seconds:.2f} s")


def _show_carriers(found: LayerImages, shown: dict[str, Any]) -> None:
    from polyrank.network.rational import fmpq_from_text  # noqa: PLC0415

    lines = []
    for name, what in (("born", "born"), ("dying", "dies")):
        own = sorted(shown[name], key=lambda c: (c["layer"], c["degree"], -c["share"]))
        for carrier in own[:_SHOWN]:
            lines.append(_carrier_line(carrier, what))
            lines += [
                f"  simplices {_names(found, contact)} of M meet there, at "
                f"{short_point([fmpq_from_text(v) for v in contact['point']])}"
                for contact in carrier.get("contacts", [])[:1]
            ]
        if len(own) > _SHOWN:
            lines.append(f"... and {len(own) - _SHOWN:,} more; --json has them all")
    if any("≈" in line for line in lines):
        lines.append(ROUNDED)
    for line in lines:
        tell(line)
    for entry in shown["carriers_not_sought"]:
        tell(f"carriers of classes at layer {entry['layer']}: not sought, since {entry['reason']}")


def _carrier_line(carrier: dict[str, Any], what: str) -> str:
    degree, count = carrier["degree"], len(carrier["cells"])
    kind = ("a loop", "a closed surface", "a closed solid")[degree - 1]
    sizes = [f"{count:,} cell{'s' if count != 1 else ''}"]
    if carrier["volume"] is not None:
        sizes.append(f"{('length', 'area')[degree - 1]} {carrier['volume']:.4g}")
    sizes.append(f"diameter {100 * carrier['share']:.3g} % of the image")
    over = len(carrier["simplices_of_M"])
    order = f" of order {carrier['order']}" if carrier["order"] else ""
    text = (
        f"H_{degree} class{order} {what} at layer {carrier['layer']}: {kind} of "
        f"{', '.join(sizes)}, over {over:,} simpl{'ices' if over != 1 else 'ex'} of M"
    )
    filling = len(carrier.get("boundary_of", []))
    return text + (f"; its image bounds {filling:,} cells" if filling else "")


def _names(found: LayerImages, contact: dict[str, Any]) -> str:
    """Two simplices by their vertices."""
    table = found.manifold.simplices
    own = [table[d][n].tolist() for d, n in contact["simplices_of_M"]]
    return " and ".join(str(vertices) for vertices in own)


def _show_merges(shown: dict[str, Any]) -> None:
    from polyrank.network.rational import fmpq_from_text  # noqa: PLC0415

    lines = []
    for merge in shown["merging"][:_SHOWN]:
        first, second = merge["vertices_of_M"]
        place = ""
        if merge["point"] is not None:
            point = [fmpq_from_text(v) for v in merge["point"]]
            place = f", with the common point {short_point(point)}"
        lines.append(
            f"H_0 class dies at layer {merge['layer']}: the components of the vertices {first} and "
            f"{second} of M meet{place}"
        )
    if len(shown["merging"]) > _SHOWN:
        lines.append(f"... and {len(shown['merging']) - _SHOWN:,} more; --json has them all")
    if any("≈" in line for line in lines):
        lines.append(ROUNDED)
    for line in lines:
        tell(line)


def _entries(maps: list[dict[str, Any]], name: str) -> str:
    """The groups of all degrees, or their ranks where the groups are not computed."""
    return ", ".join(str(m.get(name, m[f"{name}_rank"])) for m in maps) or "-"


def _show_barcode(shown: dict[str, Any]) -> None:
    from polyrank.report.tables import plain_table  # noqa: PLC0415

    barcode, ranks = shown["barcode"], shown["ranks"]
    tell(f"barcode over {barcode['over']}, its axis is the layer:")
    rows = [
        [
            f"H_{bar['degree']}",
            str(bar["birth"]),
            "lives to the end" if bar["death"] is None else f"dies at {bar['death']}",
            f"{bar['count']:,}",
        ]
        for bar in barcode["bars"]
    ]
    tell(plain_table(["degree", "born at", "until", "classes"], rows))
    names = [str(n) for n in ranks["levels"]]
    for degree, table in enumerate(ranks["by_degree"]):
        tell(f"ranks of H_{degree}(row) -> H_{degree}(column):")
        lines = [
            [names[j], *("" if k < j else str(v) for k, v in enumerate(row))]
            for j, row in enumerate(table)
        ]
        tell(plain_table(["", *names], lines))
