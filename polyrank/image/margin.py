"""Certified classification: the least margin of a network over all of a labelled manifold.

On a piece every output is affine, so that the margin, a least difference of outputs, is concave:
its minimum over the piece is attained at a vertex. The minimum over the vertices is therefore the
minimum over M. Floats with error bounds find the vertices that can attain it; these are compared in
rationals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import DomainError, RefutedError
from polyrank.image.apart import image_of
from polyrank.image.collision import PointOfM, point_of_m
from polyrank.image.pieces import Pieces
from polyrank.lp.deadline import look

__all__ = ["ClassMargin", "Classification", "least_margins"]

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassMargin:
    """The least margin over the part of M of one class.

    Attributes
    ----------
    label : int
    margin : fmpq
        ``min_x min_{c ≠ label} f_label(x) − f_c(x)``; with one output, ``min ±f(x)``. Attained.
    at : PointOfM
        A point where it is attained, a vertex of a cell.
    output : tuple of fmpq
        The network's output there.
    rival : int
        A class that comes nearest there.
    """

    label: int
    margin: fmpq
    at: PointOfM
    output: tuple[fmpq, ...]
    rival: int


@dataclass(frozen=True, slots=True)
class Classification:
    """The least margin of every class.

    Attributes
    ----------
    rule : {"argmax", "sign"}
        The class is the number of the greatest output, or the sign of the only one: negative for
        the lower of two labels, positive for the higher.
    classes : tuple of ClassMargin
    """

    rule: Literal["argmax", "sign"]
    classes: tuple[ClassMargin, ...]

    @property
    def worst(self) -> ClassMargin:
        """The class with the least margin."""
        return min(self.classes, key=lambda c: c.margin)

    @property
    def certified(self) -> bool:
        """Whether every point of M is classified by its label: the least margin is positive."""
        return self.worst.margin > 0


def least_margins(
    pieces: Pieces, labels: Sequence[int], families: Sequence[Numbers]
) -> Classification:
    """The least margin of every class over all of its points, exact.

    **Proves** that no point of M has a smaller margin, and that the given point has this one: its
    output is that of the plain forward pass.

    Parameters
    ----------
    pieces : Pieces
        Of the output layer.
    labels : sequence of int
        The classes.
    families : sequence of int64 arrays
        Numbers of the pieces of every class.

    Raises
    ------
    DomainError
        If the outputs do not fit the labels.
    """
    outputs = pieces.ambient
    if outputs == 1:
        if len(labels) != 2:
            raise DomainError(
                f"one output tells two classes apart by its sign, M has {len(labels)}; use a "
                "network with one output for each class"
            )
    elif min(labels) < 0 or max(labels) >= outputs:
        raise DomainError(
            f"the label {max(labels) if max(labels) >= outputs else min(labels)} names no output: "
            f"the network has {outputs}, numbered from 0"
        )
    lower = min(labels)
    found = []
    for label, family in zip(labels, families, strict=True):
        rows = _differences(outputs, label, lower)
        found.append(_least(pieces, label, family, rows, labels))
    return Classification("sign" if outputs == 1 else "argmax", tuple(found))


def _differences(outputs: int, label: int, lower: int) -> list[tuple[int, list[int]]]:
    """The linear forms whose minimum is the margin, each with the class that it compares with."""
    if outputs == 1:
        return [(-1, [-1 if label == lower else 1])]
    rows = []
    for rival in range(outputs):
        if rival != label:
            row = [0] * outputs
            row[label], row[rival] = 1, -1
            rows.append((rival, row))
    return rows


def _least(
    pieces: Pieces,
    label: int,
    family: Numbers,
    rows: list[tuple[int, list[int]]],
    labels: Sequence[int],
) -> ClassMargin:
    vertices = pieces.corners(family)
    image, error = pieces.image[vertices], pieces.error[vertices]
    low = np.full(vertices.size, np.inf)
    high = np.full(vertices.size, np.inf)
    with np.errstate(all="ignore"):
        for _, row in rows:
            form = np.array(row, dtype=np.float64)
            value = image @ form
            slack = error @ np.abs(form) + 2.0**-51 * (np.abs(image) @ np.abs(form)) + 2.0**-1070
            slack = np.where(np.isfinite(value), slack, np.inf)
            low = np.fmin(low, np.where(np.isfinite(slack), value - slack, -np.inf))
            high = np.fmin(high, np.where(np.isfinite(slack), value + slack, np.inf))
    best: tuple[fmpq, int, int] | None = None
    for k in np.flatnonzero(low <= high.min()).tolist():
        look()
        exact = pieces.exact(int(vertices[k]))
        for rival, row in rows:
            margin = sum((w * v for w, v in zip(row, exact, strict=True) if w), fmpq(0))
            if best is None or margin < best[0]:
                best = margin, int(vertices[k]), rival
    if best is None:
        raise RefutedError(f"class {label} has no vertex: an internal error")
    margin, vertex, rival = best
    at = point_of_m(pieces.restriction, {vertex: fmpq(1)})
    output = image_of(pieces, at)
    if output != pieces.exact(vertex):
        raise RefutedError("a vertex is not mapped to its image: an internal error")
    if rival < 0:
        rival = next(v for v in labels if v != label)
    return ClassMargin(label, margin, at, output, rival)
