"""``polyrank complex``: every cell of a domain of dimension 1 to 3, level sets, their homology."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyrank_cli.failures import refuse_existing, sentences
from polyrank_cli.options import (
    DomainChoice,
    ForceOption,
    JobsOption,
    JsonOption,
    NetworkArgument,
    PictureOption,
    QuietOption,
    Reading,
    directory_output,
)
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from flint import fmpq

    from polyrank.complex.cell_complex import CellComplex
    from polyrank.complex.level_set import LevelSet

__all__ = ["complex_command"]


def complex_command(
    network: NetworkArgument,
    *,
    domain: DomainChoice,
    level: Annotated[
        str | None,
        typer.Option(metavar="C", help="The level set where an output equals C, exactly."),
    ] = None,
    of: Annotated[
        int | None,
        typer.Option(metavar="J", help="Which output --level means, from 0 (default: 0)."),
    ] = None,
    boundary: Annotated[
        str | None,
        typer.Option(metavar="I,J", help="The set where outputs I and J are equal, from 0."),
    ] = None,
    coefficients: Annotated[
        str, typer.Option(metavar="Z|Q|P", help="Of the level set's homology: Z, Q or a prime.")
    ] = "Z",
    volumes: Annotated[
        bool, typer.Option("--volumes", help="Add up the exact volumes of all regions.")
    ] = False,
    mesh: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the faces as .ply, .obj, .vtp, .vtu or .vtk."),
    ] = None,
    picture: PictureOption = None,
    reading: Reading,
    output: Annotated[
        Path | None,
        directory_output("Write the cells to a new directory."),
    ] = None,
    jobs: JobsOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the cells of every dimension of NETWORK on a bounded domain of dimension 1 to 3.

    Exit status: 0 certified, 1 error, 2 wrong usage, 130 interrupted.
    """
    # numpy and pyarrow load here, which is more than --help may take
    from flint import fmpq  # noqa: PLC0415

    from polyrank.complex.build import cell_complex  # noqa: PLC0415
    from polyrank.complex.level_set import (  # noqa: PLC0415
        decision_boundary,
        level_homology,
        level_set,
    )
    from polyrank.complex.mesh import mesh_file, write_mesh  # noqa: PLC0415
    from polyrank.complex.store import write_complex  # noqa: PLC0415
    from polyrank.complex.volume import volumes as exact_volumes  # noqa: PLC0415
    from polyrank.report.complex_map import draw_complex  # noqa: PLC0415
    from polyrank.report.picture import picture_file, save_picture  # noqa: PLC0415
    from polyrank_cli.domains import chosen_domain  # noqa: PLC0415
    from polyrank_cli.progress import progress_line  # noqa: PLC0415

    if level is not None and boundary is not None:
        raise typer.BadParameter("--level and --boundary each name a subset; give one of them")
    if of is not None and level is None:
        raise typer.BadParameter("--of says which output --level means; give both")
    pair = None if boundary is None else _pair(boundary)
    value = None if level is None else _exact(level)
    with sentences():
        if mesh is not None:
            mesh_file(mesh)
        if picture is not None:
            picture_file(picture)
        loaded = reading.load(network)
        where = chosen_domain(domain, loaded)
        refuse_existing(output, force=force)
        begun = time.perf_counter()
        chosen: LevelSet | None = None
        with progress_line(quiet=quiet or as_json) as progress:
            if value is not None:
                chosen = level_set(
                    loaded, where, value, output=of or 0, progress=progress, jobs=jobs
                )
            elif pair is not None:
                chosen = decision_boundary(loaded, where, *pair, progress=progress, jobs=jobs)
            if chosen is None:
                cells = cell_complex(loaded, where, progress=progress, jobs=jobs)
            else:
                cells = chosen.complex
        found = _object(cells)
        if chosen is not None:
            groups = level_homology(chosen, coefficients)
            found["level_set"] = {
                "of": chosen.description,
                "f_vector": list(chosen.f_vector),
                "euler_characteristic": chosen.euler_characteristic,
                "coefficients": groups.coefficients,
                "betti": list(groups.betti),
                "torsion": [list(t) for t in groups.torsion],
                "groups": list(groups.groups),
            }
        if volumes:
            total = sum(exact_volumes(cells), fmpq(0))
            found["volume"] = str(total)
        found["seconds"] = time.perf_counter() - begun
        if output is not None:
            write_complex(output, cells, where.describe(), notes=found)
        if mesh is not None:
            write_mesh(mesh, cells, None if chosen is None else chosen.mask)
        if picture is not None:
            save_picture(draw_complex(cells, chosen), picture)
    if as_json:
        typer.echo(json.dumps(found))
        return
    _show(found, loaded.name)
    for what in (output, mesh, picture):
        if what is not None:
            tell(f"written to {what}")


def _exact(text: str) -> fmpq:
    from polyrank.network.rational import fmpq_from_text  # noqa: PLC0415  (numpy and flint)

    try:
        return fmpq_from_text(text)
    except ValueError as problem:
        raise typer.BadParameter(f"--level: {problem}") from None


def _pair(text: str) -> tuple[int, int]:
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() for part in parts):
        raise typer.BadParameter(f"--boundary takes two outputs such as 0,1, got {text!r}")
    return int(parts[0]), int(parts[1])


def _object(cells: CellComplex) -> dict[str, Any]:
    per_facet = cells.regions_per_facet
    return {
        "dimension": cells.dimension,
        "f_vector": list(cells.f_vector),
        "euler_characteristic": cells.euler_characteristic,
        "facets_inside": int((per_facet == 2).sum()),
        "facets_on_wall": int((per_facet == 1).sum()),
        "certified": True,
    }


def _show(found: dict[str, Any], name: str) -> None:
    counts = ", ".join(f"{n:,} of dimension {d}" for d, n in enumerate(found["f_vector"]))
    tell(f"{name}: cells: {counts}; certified")
    tell(
        f"Euler characteristic {found['euler_characteristic']}; "
        f"{found['facets_inside']:,} facets between two regions, "
        f"{found['facets_on_wall']:,} on the domain's wall"
    )
    level = found.get("level_set")
    if level is not None:
        counts = ", ".join(f"{n:,} of dimension {d}" for d, n in enumerate(level["f_vector"]))
        tell(f"{level['of']}: cells: {counts}")
        groups = ", ".join(f"H{d} = {g}" for d, g in enumerate(level["groups"]))
        tell(f"homology over {level['coefficients']}: {groups}")
    if "volume" in found:
        tell(f"volume of all regions together: {found['volume']}")
    tell(f"{found['seconds']:.2f} s")
