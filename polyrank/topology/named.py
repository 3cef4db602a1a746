"""A manifold by what a user calls it: a shape, a file, or the manifold itself."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from polyrank.topology.files import read_manifold
from polyrank.topology.manifold import Manifold
from polyrank.topology.shapes import SHAPES, shape

__all__ = ["named_manifold"]


def named_manifold(given: Manifold | str | PathLike[str]) -> Manifold:
    """The manifold itself; of a text the shape that it spells, else the file with that name.

    Raises
    ------
    DomainError
        If the text is neither; see :func:`~polyrank.topology.shapes.shape` and
        :func:`~polyrank.topology.files.read_manifold`.

    Examples
    --------
    >>> named_manifold("circle:8").complex.cells
    (8, 8)
    """
    if isinstance(given, Manifold):
        return given
    text, file = str(given), Path(given)
    spelled = text.partition(":")[0] in SHAPES or not file.suffix
    return shape(text) if spelled and not file.exists() else read_manifold(file)
