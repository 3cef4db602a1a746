"""``polyrank separate``: are the classes of a manifold apart, layer by layer, and by what."""

from __future__ import annotations

import json
import math
from collections import Counter
from enum import StrEnum
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polyrank_cli.failures import UNDECIDED, refuse_existing, sentences
from polyrank_cli.manifolds import ManifoldArgument, chosen_manifold
from polyrank_cli.options import (
    ForceOption,
    JsonOption,
    ManifoldChoice,
    NetworkArgument,
    Only,
    QuietOption,
    Reading,
    directory_output,
)
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from polyrank.image.class_pair import LayerPair
    from polyrank.image.collision import PointOfM
    from polyrank.image.margin import Classification
    from polyrank.image.separate import Separation

__all__ = ["separate_command"]

_CLOUD = ("alpha", "rips", "max_dimension", "merge_points", "labels")


class ClassesBy(StrEnum):
    """What the classes are."""

    labels = "labels"
    components = "components"


def separate_command(
    network: NetworkArgument,
    manifold: ManifoldArgument,
    *,
    layer: Annotated[
        list[int] | None,
        typer.Option(
            metavar="K", help="A layer; may be repeated, 0 is M itself (default: every layer)."
        ),
    ] = None,
    classes: Annotated[
        ClassesBy | None,
        typer.Option(help="What is told apart (default: the labels of M, else its components)."),
    ] = None,
    only: Annotated[
        list[int] | None,
        typer.Option("--class", metavar="N", help="Only these classes; may be repeated."),
    ] = None,
    linking: Annotated[
        bool,
        typer.Option(
            "--linking/--no-linking",
            help="Linking numbers where the images lie in a space of dimension 3.",
        ),
    ] = True,
    time: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0.0, help="Time of every question; what it ends is undecided."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        directory_output("Write a certificate for polyrank check."),
    ] = None,
    cloud: Annotated[ManifoldChoice, Only(_CLOUD)],
    reading: Reading,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Are the images of the classes of MANIFOLD apart, at every layer of NETWORK, exactly.

    Per layer and pair of classes: a lower bound of the distance of the images, or a common point
    with both preimages; a hyperplane between them, or convex combinations that show that there is
    none; linking numbers; and the least margin of the output over all of the labelled manifold.

    Exit status: 0 all decided (whatever the answer), 3 something is not, 1 error, 2 wrong usage,
    130 interrupted.
    """
    # these load numpy and pyarrow, which have no place in --help
    from polyrank.image.separate import separate  # noqa: PLC0415
    from polyrank.image.separation_certificate import save_separation  # noqa: PLC0415
    from polyrank.image.separation_object import separation_object  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    with sentences():
        loaded = reading.load(network)
        space = chosen_manifold(manifold, cloud)
        refuse_existing(output, force=force)
        with stage_line(quiet=quiet or as_json):
            found = separate(
                loaded,
                space,
                layers=layer or None,
                classes=None if classes is None else classes.value,
                only=only or None,
                linking=linking,
                seconds=math.inf if time is None else time,
            )
        if output is not None:
            save_separation(found, output, network_file=reading.record(network))
        if as_json:
            typer.echo(json.dumps(separation_object(found)))
        else:
            _show(found)
        if not found.decided:
            raise typer.Exit(UNDECIDED)


def _show(found: Separation) -> None:
    from polyrank.image.separation_object import SCOPE  # noqa: PLC0415
    from polyrank.report.tables import plain_table  # noqa: PLC0415
    from polyrank_cli.rationals import ROUNDED  # noqa: PLC0415

    space = found.restriction.manifold
    lines = [f"M: {space.name} in R^{space.ambient}, {found.restriction.network.name}"]
    if space.note:
        lines.append(space.note)
    if space.degrees is not None:
        lines.append("M is a skeleton: nothing is said of the simplices above its dimension")
    if found.unclassed:
        lines.append(
            f"{found.unclassed:,} simplices are in none of the classes: nothing is said of them"
        )
    for first, second in combinations(found.classes, 2):
        rows = found.pair(first, second)
        what = "classes" if found.by == "labels" else "components"
        lines.append(f"{what} {first} and {second}")
        header = ["layer", "one-to-one", "images", "distance at least", "hyperplane", "linking"]
        lines.append(plain_table(header, [_cells(found, row) for row in rows]))
        lines += _sentences(found, rows)
    if found.classification is None:
        lines.append(f"no classification: {found.no_classification}")
    else:
        lines += _margins(found.classification)
    lines.append(SCOPE)
    if any("≈" in line for line in lines):
        lines.append(ROUNDED)
    tell("\n".join(lines))


def _cells(found: Separation, row: LayerPair) -> list[str]:
    from polyrank.image.apart import Disjoint  # noqa: PLC0415
    from polyrank_cli.rationals import rounded_down  # noqa: PLC0415

    kind = "-" if row.layer == 0 else found.one_to_one(row.layer)
    apart = rounded_down(row.images.distance) if isinstance(row.images, Disjoint) else "-"
    plane = {True: "yes", False: "none", None: "not decided"}[row.separable]
    number = "-"
    if row.linking is not None:
        core = found.core_numbers(row.first, row.second).get(row.layer)
        number = _divisors(row.linking.divisors) if core is None else str(core)
    return [str(row.layer), kind, row.verdict, apart, plane, number]


def _divisors(divisors: tuple[int, ...]) -> str:
    """Elementary divisors, with how often each occurs."""
    counts = Counter(divisors)
    return ", ".join(f"{d}" if n == 1 else f"{d} (x{n})" for d, n in sorted(counts.items()))


def _sentences(found: Separation, rows: tuple[LayerPair, ...]) -> list[str]:
    from polyrank.image.apart import Meeting  # noqa: PLC0415
    from polyrank.image.class_pair import HullMeeting  # noqa: PLC0415
    from polyrank.image.hyperplane import Hyperplane  # noqa: PLC0415
    from polyrank_cli.rationals import short_point  # noqa: PLC0415

    lines = []
    first, second = rows[0].first, rows[0].second
    meeting = next((row for row in rows if isinstance(row.images, Meeting)), None)
    if meeting is not None and isinstance(meeting.images, Meeting):
        at = meeting.images
        lines += [
            f"they meet from layer {meeting.layer} on: Φ(x) = Φ(x') = {short_point(at.image)}",
            f"  x  = {_where(at.first)}, class {first}",
            f"  x' = {_where(at.second)}, class {second}",
        ]
    for row in rows:
        if isinstance(row.linear, Hyperplane):
            normal = ", ".join(map(str, row.linear.normal[:12]))
            more = ", ..." if len(row.linear.normal) > 12 else ""
            offset = row.linear.offset
            lines.append(
                f"layer {row.layer}: ({normal}{more})·y > {offset} on class {first}, "
                f"< {offset} on class {second}"
            )
        elif isinstance(row.linear, HullMeeting):
            lines.append(
                f"layer {row.layer}: no hyperplane, since a convex combination of "
                f"{len(row.linear.first)} images of class {first} and one of "
                f"{len(row.linear.second)} of class {second} are {short_point(row.linear.image)}"
            )
    for j, k in found.linking_changes(first, second):
        lines.append(f"the linking number changes between layers {j} and {k}")
    return lines


def _where(at: PointOfM) -> str:
    from polyrank_cli.rationals import short_point  # noqa: PLC0415

    return f"{short_point(at.point)} in the simplex {', '.join(map(str, at.weights))}"


def _margins(found: Classification) -> list[str]:
    from polyrank_cli.rationals import short_point, shown  # noqa: PLC0415

    lines = []
    for own in found.classes:
        verdict = "all of it is classified" if own.margin > 0 else "misclassified"
        verdict = "a tie" if own.margin == 0 else verdict
        lines.append(
            f"class {own.label}: least margin {shown(own.margin)} ({verdict}), at "
            f"{_where(own.at)}, output {short_point(own.output)}"
        )
    ending = "certified: every point of M is classified by its label"
    if not found.certified:
        ending = "refuted: not every point of M is classified by its label; the point is above"
    return [*lines, f"{ending} ({found.rule})"]
