"""Which manifold the command line means: a file, a generated shape, or a point cloud."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polyrank_cli.options import ManifoldChoice

if TYPE_CHECKING:
    from polyrank.topology.manifold import Manifold

__all__ = ["ManifoldArgument", "chosen_manifold"]

ManifoldArgument = Annotated[
    str,
    typer.Argument(
        metavar="MANIFOLD",
        help="Points and simplices (.npz .json .off .obj .ply .txt), a shape such as torus:40 or "
        "circle:100,radius=2,centre=1:0, or with --alpha or --rips a point cloud (.npy .csv .off).",
    ),
]


def chosen_manifold(text: str, cloud: ManifoldChoice) -> Manifold:
    """The manifold of the command line."""
    # these load numpy, which have no place in --help
    from polyrank.topology.merging import merged_points  # noqa: PLC0415
    from polyrank.topology.named import named_manifold  # noqa: PLC0415
    from polyrank.topology.point_cloud import (  # noqa: PLC0415
        complex_of_points,
        read_labels,
        read_points,
    )

    alpha, rips, labels = cloud.alpha, cloud.rips, cloud.labels
    if alpha is not None and rips is not None:
        raise typer.BadParameter("--alpha and --rips exclude each other")
    radius = alpha if alpha is not None else rips
    if labels is not None and radius is None:
        raise typer.BadParameter("--labels goes with --alpha or --rips")
    if cloud.max_dimension is not None and radius is None:
        raise typer.BadParameter("--max-dimension goes with --alpha or --rips")
    if radius is not None:
        points = read_points(text)
        found = complex_of_points(
            points,
            radius,
            kind="alpha" if alpha is not None else "rips",
            max_dimension=cloud.max_dimension,
            labels=None if labels is None else read_labels(labels),
            name=Path(text).stem,
        )
    else:
        found = named_manifold(text)
    if cloud.merge_points:
        found = merged_points(found)
    return found if cloud.label is None else found.of_class(cloud.label)
