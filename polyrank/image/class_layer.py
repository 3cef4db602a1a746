"""The pieces of a layer by class, and the questions that are asked of two classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.chains.chain import closure, components
from polyrank.errors import DomainError, UncertifiedError
from polyrank.image.apart import Disjoint, Meeting, decide_apart, image_of
from polyrank.image.class_pair import HullMeeting, LayerPair, Linking
from polyrank.image.collision import point_of_m
from polyrank.image.hyperplane import (
    CommonPoint,
    Hyperplane,
    Points,
    plane_gap,
    separate_hulls,
)
from polyrank.image.linking import elementary_divisors, linking_matrix
from polyrank.image.loops import Loop, generating_loops
from polyrank.image.near_images import points_of
from polyrank.image.pieces import Pieces
from polyrank.image.subspace import three_coordinates
from polyrank.lp.deadline import OutOfTimeError, look, time_limit
from polyrank.topology.manifold import Manifold
from polyrank.topology.restriction import Restriction

__all__ = ["ClassedCells", "ClassedLayer", "classes_of", "has_labels", "unclassed_in"]

Numbers = NDArray[np.int64]

_MOST_LOOPS = 10_000


def has_labels(manifold: Manifold) -> bool:
    """Whether some simplex that is a face of no other has a label."""
    return any(
        (own[top] >= 0).any() for own, top in zip(manifold.labels, manifold.maximal, strict=True)
    )


def unclassed_in(manifold: Manifold, of_simplex: Sequence[Numbers], classes: Sequence[int]) -> int:
    """How many simplices that are a face of no other have none of the classes."""
    return sum(
        int((~np.isin(own[top], classes)).sum())
        for own, top in zip(of_simplex, manifold.maximal, strict=True)
    )


def classes_of(
    manifold: Manifold, by: Literal["labels", "components"], only: Sequence[int] | None = None
) -> tuple[list[Numbers], tuple[int, ...]]:
    """The class of every simplex that is a face of no other, by dimension, and the classes.

    Raises
    ------
    DomainError
        If there are fewer than two classes, or one that was asked for does not exist.
    """
    maximal = manifold.maximal
    if by == "labels":
        of_simplex = [own.copy() for own in manifold.labels]
        advice = "label its facets, or take its components (--classes components)"
    else:
        whole = tuple(np.ones(f, dtype=bool) for f in manifold.complex.cells)
        _, of_vertex = components(manifold.complex, whole)
        of_simplex = [of_vertex[s[:, 0]] for s in manifold.simplices]
        advice = "label its facets"
    known = {
        int(v) for own, top in zip(of_simplex, maximal, strict=True) for v in np.unique(own[top])
    }
    known.discard(-1)
    if only is not None:
        missing = sorted(set(only) - known)
        if missing:
            has = f"it has {', '.join(map(str, sorted(known)))}" if known else "it has none"
            raise DomainError(f"{manifold.name} has no class {missing[0]} ({by}); {has}")
        known = set(only)
        advice = "name at least two (--class)"
    if len(known) < 2:
        raise DomainError(
            f"{manifold.name} has {len(known)} {by}; two or more are needed: {advice}"
        )
    return of_simplex, tuple(sorted(known))


@dataclass(slots=True)
class ClassedCells:
    """The cells of a network on M with the classes of M: what all layers share."""

    restriction: Restriction
    of_simplex: list[Numbers]
    classes: tuple[int, ...]
    seconds: float
    loops: dict[int, list[Loop]] = field(default_factory=dict)
    paths: dict[int, list[int]] = field(default_factory=dict)

    def families(self, own: Pieces) -> dict[int, Numbers]:
        """The numbers of the pieces of every class."""
        of_piece = np.empty(own.count, np.int64)
        for d, table in enumerate(self.of_simplex):
            here = own.carrier_dimension == d
            of_piece[here] = table[own.carrier[here]]
        return {c: np.flatnonzero(of_piece == c) for c in self.classes}

    def loops_of(self, label: int) -> list[Loop]:
        """Loops that generate H_1 of a class."""
        if label not in self.loops:
            manifold = self.restriction.manifold
            chosen = [
                top & (own == label)
                for top, own in zip(manifold.maximal, self.of_simplex, strict=True)
            ]
            part = closure(manifold.complex, chosen)
            self.loops[label] = generating_loops(manifold, part)
            self._find_paths(self.loops[label])
        return self.loops[label]

    def _find_paths(self, loops: Sequence[Loop]) -> None:
        """The vertices of the subdivision along every edge of the loops, from end to end."""
        edges = np.unique(np.concatenate([np.empty(0, np.int64), *(lo.edges for lo in loops)]))
        edges = edges[[int(e) not in self.paths for e in edges]]
        found = self.restriction
        if not edges.size:
            return
        carrier = found.carrier[1]
        own = np.flatnonzero((carrier[:, 0] == 1) & np.isin(carrier[:, 1], edges))
        ends = found.complex.boundary[0][:, own].indices.reshape(-1, 2).tolist()
        links: dict[int, dict[int, list[int]]] = {int(e): {} for e in edges}
        for e, (u, v) in zip(carrier[own, 1].tolist(), ends, strict=True):
            links[e].setdefault(u, []).append(v)
            links[e].setdefault(v, []).append(u)
        for e, near in links.items():
            start, end = found.manifold.simplices[1][e].tolist()
            path = [start]
            while path[-1] != end:
                before = path[-2] if len(path) > 1 else -1
                path.append(next(v for v in near[path[-1]] if v != before))
            self.paths[e] = path


class ClassedLayer:
    """One layer: its pieces by class."""

    def __init__(self, state: ClassedCells, own: Pieces) -> None:
        self.state, self.pieces = state, own
        self.family = state.families(own)
        self._corners: dict[int, Numbers] = {}

    def row(self, pair: tuple[int, int], before: LayerPair | None, *, linking: bool) -> LayerPair:
        """Decide everything about two classes; what ran into the limit of time is None.

        ``before`` is their row at an earlier layer: if they meet there, they meet here.
        """
        first, second = pair
        images: Disjoint | Meeting | None = None
        linear: Hyperplane | HullMeeting | Meeting | None = None
        if before is not None and isinstance(before.images, Meeting):
            images = _carried(before.images, self.pieces)
        else:
            try:
                with time_limit(self.state.seconds):
                    images = decide_apart(self.pieces, self.family[first], self.family[second])
            except OutOfTimeError:
                images = None
        if isinstance(images, Meeting):
            linear = images
        else:
            try:
                with time_limit(self.state.seconds):
                    linear = self._linear(first, second)
            except OutOfTimeError:
                linear = None
        if images is None and isinstance(linear, Hyperplane):
            images = self._apart_by(linear, first, second)
        found, why = (None, "not asked for")
        if linking:
            found, why = self._linking(first, second, images)
        return LayerPair(self.pieces.layer, first, second, images, linear, found, why)

    def corners(self, label: int) -> Numbers:
        """The vertices of the pieces of a class."""
        if label not in self._corners:
            self._corners[label] = self.pieces.corners(self.family[label])
        return self._corners[label]

    def points(self, vertices: Numbers) -> Points:
        """Exact images with floats beside them."""
        return points_of(self.pieces, vertices)

    def _apart_by(self, plane: Hyperplane, first: int, second: int) -> Disjoint:
        """Images that one hyperplane separates, where the pairs of pieces took too long."""
        sides = self.points(self.corners(first)), self.points(self.corners(second))
        nothing = np.empty((0, self.pieces.ambient))
        pairs = np.empty((0, 2), np.int64)
        gap = plane_gap(*sides, plane)
        return Disjoint(gap, math.nan, pairs, nothing, nothing[:, 0], {}, 0)

    def _linear(self, first: int, second: int) -> Hyperplane | HullMeeting:
        corners = self.corners(first), self.corners(second)
        answer = separate_hulls(self.points(corners[0]), self.points(corners[1]))
        if isinstance(answer, Hyperplane):
            return answer
        return self._hull_meeting(answer, corners)

    def _hull_meeting(self, answer: CommonPoint, corners: tuple[Numbers, Numbers]) -> HullMeeting:
        sides = [
            tuple(
                (weight, point_of_m(self.pieces.restriction, {int(own[i]): fmpq(1)}))
                for i, weight in weights
            )
            for weights, own in zip((answer.first, answer.second), corners, strict=True)
        ]
        return HullMeeting(answer.point, sides[0], sides[1])

    def _linking(
        self, first: int, second: int, images: Disjoint | Meeting | None
    ) -> tuple[Linking | None, str]:
        if self.pieces.ambient < 3:
            return None, f"the space of the layer is R^{self.pieces.ambient}"
        if images is None:
            return None, "not decided whether the images are disjoint"
        if isinstance(images, Meeting):
            return None, "the images meet"
        loops = self.state.loops_of(first), self.state.loops_of(second)
        if not loops[0] or not loops[1]:
            return None, "one of the classes has no closed curve"
        if len(loops[0]) * len(loops[1]) > _MOST_LOOPS:
            return None, f"more than {_MOST_LOOPS:,} pairs of closed curves"
        try:
            with time_limit(self.state.seconds):
                chosen = self._coordinates(first, second)
                if chosen is None:
                    return None, (
                        f"the space of the layer is R^{self.pieces.ambient}, and the images lie in "
                        "no 3-dimensional subspace"
                    )
                sides = [self._segments(own, chosen) for own in loops]
                matrix = linking_matrix(
                    sides[0][0], sides[1][0], sides[0][1], sides[1][1], sides[0][2], sides[1][2]
                )
        except (OutOfTimeError, UncertifiedError):
            return None, "not decided at a limit"
        return Linking(matrix, elementary_divisors(matrix), chosen), ""

    def _coordinates(self, first: int, second: int) -> tuple[int, int, int] | None:
        """Coordinates of an affine subspace of dimension 3 that holds the images of two classes."""
        if self.pieces.ambient == 3:
            return 0, 1, 2
        corners = np.union1d(self.corners(first), self.corners(second)).tolist()
        return three_coordinates(self.pieces.exact(v) for v in corners)

    def _segments(
        self, loops: Sequence[Loop], coordinates: tuple[int, int, int]
    ) -> tuple[Points, Numbers, Numbers]:
        """The points, the segments and the multiplicities of loops at this layer."""
        edges = np.unique(np.concatenate([lo.edges for lo in loops]))
        made = len(self.pieces.image)
        starts, ends, of_edge = [], [], []
        for k, e in enumerate(edges.tolist()):
            path = [v for v in self.state.paths[e] if v < made]
            starts += path[:-1]
            ends += path[1:]
            of_edge += [k] * (len(path) - 1)
        look()
        vertices, number = np.unique(np.array([starts, ends]), return_inverse=True)
        coefficients = np.zeros((len(loops), edges.size), np.int64)
        for row, loop in zip(coefficients, loops, strict=True):
            np.add.at(row, np.searchsorted(edges, loop.edges), loop.signs)
        segments = number.reshape(2, -1).T.astype(np.int64)
        return self.points(vertices).along(coordinates), segments, coefficients[:, of_edge]


def _carried(meeting: Meeting, own: Pieces) -> Meeting:
    """A meeting of an earlier layer at a later one: the same points of M, their image there."""
    return Meeting(image_of(own, meeting.first), meeting.first, meeting.second)
