"""``polyrank homology``: what collapsing the low-rank part does to homology, layer by layer."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from polyrank_cli.failures import sentences
from polyrank_cli.manifolds import ManifoldArgument, chosen_manifold
from polyrank_cli.options import (
    JobsOption,
    JsonOption,
    LowRankChoice,
    ManifoldChoice,
    NetworkArgument,
    PictureOption,
    QuietOption,
    Reading,
)
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from polyrank.chains.groups import Homology
    from polyrank.topology.layers import LayerHomology
    from polyrank.topology.restriction import Restriction

__all__ = ["homology_command"]


def homology_command(
    network: NetworkArgument,
    manifold: ManifoldArgument,
    *,
    layer: Annotated[
        list[int] | None,
        typer.Option(metavar="K", help="A layer; may be repeated (default: every layer)."),
    ] = None,
    below: Annotated[int, typer.Option(metavar="M", help="Collapse what has rank below M.")] = 1,
    coefficients: Annotated[
        str, typer.Option(metavar="Z|Q|P", help="Coefficients: Z, Q or a prime.")
    ] = "Z",
    in_turn: Annotated[
        bool,
        typer.Option("--in-turn", help="Also collapse one component after another."),
    ] = False,
    cells: Annotated[
        bool,
        typer.Option("--cells", help="With --json: list the cells of A, a rational point in each."),
    ] = False,
    image_time: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.0,
            help="Beside the quotients, look for the homology of the image itself so long.",
        ),
    ] = 10.0,
    picture: PictureOption = None,
    chosen: LowRankChoice,
    cloud: ManifoldChoice,
    reading: Reading,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Homology of MANIFOLD with the part collapsed on which NETWORK has low rank, exactly.

    M/A: all of the low-rank part A becomes one point. M/~: every component of A, or every class
    of components with one image point, becomes a point of its own. What A is: --low-rank.
    """
    # these load numpy and pyarrow, which have no place in --help
    from polyrank.image.barcode import image  # noqa: PLC0415
    from polyrank.report.manifold_map import draw_manifold  # noqa: PLC0415
    from polyrank.report.picture import picture_file, save_picture  # noqa: PLC0415
    from polyrank.topology.layers import groups, homology_object, homology_table  # noqa: PLC0415
    from polyrank.topology.restriction import restrict  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    if cells and not as_json:
        raise typer.BadParameter("--cells lists the cells of A in the object of --json; give both")
    with sentences():
        if picture is not None:
            picture_file(picture)
        loaded = reading.load(network)
        space = chosen_manifold(manifold, cloud)
        depth = max(layer) if layer else None
        with stage_line(quiet=quiet or as_json):
            found = restrict(loaded, space, through_layer=depth, jobs=jobs)
            rows = homology_table(
                found,
                rank=below - 1,
                layers=None if layer is None else list(dict.fromkeys(layer)),
                coefficients=coefficients,
                ambient=chosen.ambient,
                reading=chosen.reading,
                in_turn=in_turn,
                jobs=jobs,
            )
        if picture is not None:
            parts = [row.part for row in rows]
            save_picture(draw_manifold(found, parts, [0] * len(parts)), picture)
        with stage_line(quiet=quiet or as_json):
            true = image(loaded, space, layer=depth, coefficients=coefficients, seconds=image_time)
        images = [
            true.groups(row.part.layer) if row.part.layer in true.layers else None for row in rows
        ]
        if as_json:
            shown = homology_object(found, rows, coefficients, points=cells)
            for entry, own in zip(shown["layers"], images, strict=True):
                entry["H(image)"] = None if own is None else groups(own)
            typer.echo(json.dumps(shown))
            return
        _show(found, rows, images, below - 1)


def _show(
    found: Restriction, rows: list[LayerHomology], images: list[Homology | None], rank: int
) -> None:
    from polyrank.report.tables import plain_table  # noqa: PLC0415
    from polyrank.topology.layers import not_decided  # noqa: PLC0415
    from polyrank.topology.low_rank import READINGS  # noqa: PLC0415

    space = found.manifold
    tell(f"M: {space.name} in R^{space.ambient}, {found.network.name}")
    if space.note:
        tell(space.note)
    whole = "" if space.degrees is None else f", those below {space.degrees} only"
    tell(f"H(M): {rows[0].homology.manifold}   (degrees 0, 1, ...{whole})")
    part = rows[0].part
    of = "J_K on R^n" if part.ambient else "the map through layer K on the cell"
    tell(f"A ({part.reading}): closure of {READINGS[part.reading]}")
    tell(f"rank: that of {of}, at most r = {rank}")
    table = []
    for row, true in zip(rows, images, strict=True):
        part, homology = row.part, row.homology
        samples = part.samples(found).size
        table.append(
            [
                str(part.layer),
                " ".join(f"{int(m.sum()):,}" for m in part.cells),
                f"{samples:,}",
                str(part.components),
                "-" if part.classes is None else str(part.classes),
                str(homology.part) if part.components else "-",
                str(homology.relative),
                str(homology.one_point),
                str(homology.per_component),
                "-" if homology.per_image is None else str(homology.per_image),
                f"{part.deficient:,}",
                "not decided" if true is None else str(true),
            ]
        )
    # two tables, each of which fits 100 columns
    of_part = ["maximal cells of A by dim", "samples in A", "components", "images"]
    tell(
        plain_table(
            ["layer", *of_part, "deficient outside"], [[*row[:5], row[10]] for row in table]
        )
    )
    of_groups = ["H(A)", "H(M,A)", "H(M/A)", "H(M/~) per component", "per image", "H(image)"]
    tell(plain_table(["layer", *of_groups], [[row[0], *row[5:10], row[11]] for row in table]))
    for row in rows:
        if row.in_turn is not None and row.part.components:
            runs = [(str(h), len(list(same))) for h, same in groupby(row.in_turn)]
            steps = " -> ".join(f"[{h}]" + (f" x{n}" if n > 1 else "") for h, n in runs)
            tell(f"layer {row.part.layer}, components collapsed in turn: {steps}")
    ways = {
        f"{s.checked_over}, by {'subgroups' if s.by_subgroups else 'ranks'}"
        for s in (row.homology.sequence for row in rows)
    }
    checked = "; ".join(sorted(ways))
    tell(f"the long exact sequence of (M, A) is exact at every place (over {checked})")
    if any(true is not None for true in images):
        tell("H(image) is the homology of Phi_K(M) itself, decided: see polyrank image")
    for sentence in not_decided(rank):
        tell(f"Not decided: {sentence}")
