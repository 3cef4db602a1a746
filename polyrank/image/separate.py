"""Classes of a manifold, layer by layer: images apart or not, a hyperplane or none, linking.

Classes are the labels of M, or its connected components. Images that meet at a layer meet at every
later one, so that a pair of classes has a first layer at which it meets; linear separability may
come and go. What is decided is decided for this network on this triangulated M.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any, Literal

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.chains.chain import closure, components
from polyrank.errors import DomainError, UncertifiedError
from polyrank.image.apart import Disjoint, Meeting, decide_apart, image_of
from polyrank.image.collision import PointOfM, point_of_m
from polyrank.image.hyperplane import (
    CommonPoint,
    Hyperplane,
    Points,
    plane_gap,
    separate_hulls,
)
from polyrank.image.linking import elementary_divisors, linking_matrix
from polyrank.image.loops import Loop, generating_loops
from polyrank.image.margin import Classification, least_margins
from polyrank.image.one_to_one import OnSpace, on_space
from polyrank.image.pieces import Pieces, pieces
from polyrank.lp.deadline import OutOfTimeError, look, time_limit
from polyrank.network.normal_form import Network
from polyrank.topology.manifold import Manifold
from polyrank.topology.restriction import Restriction, restrict

__all__ = ["HullMeeting", "LayerPair", "Linking", "Separation", "separate"]

Numbers = NDArray[np.int64]

_MOST_PAIRS = 1000
_MOST_LOOPS = 400


@dataclass(frozen=True, slots=True)
class HullMeeting:
    """No hyperplane separates two classes: convex combinations of their images are equal.

    Attributes
    ----------
    image : tuple of fmpq
        ``Σ λ_i Φ_K(x_i) = Σ μ_j Φ_K(y_j)``.
    first, second : tuple of (fmpq, PointOfM)
        The weights, positive and of sum 1, and the points of M.
    """

    image: tuple[fmpq, ...]
    first: tuple[tuple[fmpq, PointOfM], ...]
    second: tuple[tuple[fmpq, PointOfM], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Linking:
    """Linking numbers of loops that generate H_1 of two classes, at one layer.

    Attributes
    ----------
    matrix : int64 array, shape (g, h)
        ``lk`` of the i-th loop of the first class with the j-th of the second.
    divisors : tuple of int
        The non-zero elementary divisors of the matrix, which do not depend on the choice of the
        loops: |lk| for two closed curves, |lk| of the core curves for two tori of which neither
        lies inside the other.
    """

    matrix: NDArray[np.int64]
    divisors: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LayerPair:
    """Two classes at one layer.

    Attributes
    ----------
    layer : int
        K; 0 is M itself.
    first, second : int
        The classes.
    images : Disjoint, Meeting or None
        None: not decided, at a limit. A :class:`Meeting` may have been found at an earlier layer.
    linear : Hyperplane, HullMeeting, Meeting or None
        A hyperplane strictly between the images, or the proof that there is none.
    linking : Linking or None
        None where it is not defined (see ``no_linking``) or was not asked for.
    no_linking : str
        Why there is no linking number.
    """

    layer: int
    first: int
    second: int
    images: Disjoint | Meeting | None
    linear: Hyperplane | HullMeeting | Meeting | None
    linking: Linking | None
    no_linking: str

    @property
    def verdict(self) -> Literal["disjoint", "meet", "not decided"]:
        """What is known of the images."""
        if self.images is None:
            return "not decided"
        return "disjoint" if isinstance(self.images, Disjoint) else "meet"

    @property
    def disjoint(self) -> bool | None:
        """Whether the images are disjoint."""
        return None if self.images is None else isinstance(self.images, Disjoint)

    @property
    def separable(self) -> bool | None:
        """Whether a hyperplane separates the images strictly."""
        return None if self.linear is None else isinstance(self.linear, Hyperplane)


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """What :func:`separate` found.

    Attributes
    ----------
    restriction : Restriction
    by : {"labels", "components"}
    classes : tuple of int
    layers : tuple of int
        Ascending; 0 is M itself.
    rows : tuple of LayerPair
        By pair of classes, then by layer.
    on_space : tuple of OnSpace
        For every layer 1..L of the network, what it does to all of its input space.
    classification : Classification or None
    no_classification : str
        Why there is no classification.
    """

    restriction: Restriction
    by: Literal["labels", "components"]
    classes: tuple[int, ...]
    layers: tuple[int, ...]
    rows: tuple[LayerPair, ...]
    on_space: tuple[OnSpace, ...]
    classification: Classification | None
    no_classification: str

    @property
    def decided(self) -> bool:
        """Whether every question about images and hyperplanes has an answer."""
        return all(row.images is not None and row.linear is not None for row in self.rows)

    def first_meeting(self, first: int, second: int) -> int | None:
        """The first of the layers at which two classes meet; None: none, or not decided."""
        for row in self.pair(first, second):
            if row.images is None:
                return None
            if isinstance(row.images, Meeting):
                return row.layer
        return None

    def linking_changes(self, first: int, second: int) -> list[tuple[int, int]]:
        """Consecutive layers (j, k) with linking numbers whose elementary divisors differ."""
        known = [row for row in self.pair(first, second) if row.linking is not None]
        return [
            (a.layer, b.layer)
            for a, b in pairwise(known)
            if a.linking is not None
            and b.linking is not None
            and a.linking.divisors != b.linking.divisors
        ]

    def pair(self, first: int, second: int) -> tuple[LayerPair, ...]:
        """The rows of two classes, by layer.

        Raises
        ------
        DomainError
            If these are not two classes of M.
        """
        found = tuple(r for r in self.rows if {r.first, r.second} == {first, second})
        if not found:
            known = ", ".join(map(str, self.classes))
            raise DomainError(f"{first} and {second} are no pair of classes of M; it has {known}")
        return found


def separate(
    network: Network,
    manifold: Manifold,
    *,
    layers: Sequence[int] | None = None,
    classes: Literal["labels", "components"] | None = None,
    linking: bool = True,
    seconds: float = float("inf"),
    progress: Callable[[int, int], Any] | None = None,
) -> Separation:
    """Decide per layer whether the images of the classes of M are apart.

    **Proves**, for this network on this triangulated M and for each row that is not None: the
    images of two classes are disjoint, with a lower bound of their distance, or have a common
    point, with both preimages; a hyperplane lies strictly between them, or two convex combinations
    are equal, so that there is none; their linking numbers; the least margin over all of M.
    **Does not prove** anything about other networks of the same architecture, nor about the space
    from which M was sampled.

    Parameters
    ----------
    network : Network
    manifold : Manifold
        With labels, or with several components.
    layers : sequence of int, optional
        0..L; default: all. 0 is M itself.
    classes : {"labels", "components"}, optional
        Default: the labels if M has any, else its connected components.
    linking : bool
        Compute linking numbers where the space of the layer is R³.
    seconds : float
        Limit for every question; what it ends is None.
    progress : callable, optional
        Called with (questions done, questions).

    Raises
    ------
    DomainError
        If M lies in another space than the inputs, there are fewer than two classes or too many
        pairs of classes, or there is no such layer.

    Examples
    --------
    >>> from polyrank.topology.shapes import shape
    >>> net = Network.from_arrays([[[1.0, 0.0]], [[1.0]]], [[0], [0]])
    >>> found = separate(net, shape("disk-in-annulus:8"))
    >>> [row.disjoint for row in found.pair(0, 1)]
    [True, False, False]
    """
    depth = len(network.layers)
    chosen = sorted(set(range(depth + 1) if layers is None else layers))
    if not chosen or chosen[0] < 0 or chosen[-1] > depth:
        wrong = "none" if not chosen else chosen[0] if chosen[0] < 0 else chosen[-1]
        raise DomainError(f"layer {wrong} must be between 0 and {depth}")
    by = classes or ("labels" if _labelled(manifold) else "components")
    of_simplex, known = _classes(manifold, by)
    if len(known) * (len(known) - 1) // 2 > _MOST_PAIRS:
        raise DomainError(
            f"{manifold.name} has {len(known):,} {by}, more than {_MOST_PAIRS:,} pairs of them; "
            "take a part of it (--class), or a larger radius of its complex"
        )
    through = max(1, chosen[-1])
    restriction = restrict(network, manifold, through_layer=through)
    state = _State(restriction, of_simplex, known, seconds)
    rows: dict[tuple[int, int], list[LayerPair]] = {p: [] for p in combinations(known, 2)}
    total, done = len(rows) * len(chosen), 0
    for layer in chosen:
        own = _Layer(state, pieces(restriction, layer))
        for pair, found in rows.items():
            found.append(own.row(pair, found[-1] if found else None, linking=linking))
            done += 1
            if progress is not None:
                progress(done, total)
    classification, why = _classification(state, by, through == depth and chosen[-1] == depth)
    return Separation(
        restriction,
        by,
        known,
        tuple(chosen),
        tuple(row for found in rows.values() for row in found),
        tuple(on_space(layer) for layer in network.layers),
        classification,
        why,
    )


def _labelled(manifold: Manifold) -> bool:
    return any(
        (own[top] >= 0).any() for own, top in zip(manifold.labels, manifold.maximal, strict=True)
    )


def _classes(
    manifold: Manifold, by: Literal["labels", "components"]
) -> tuple[list[Numbers], tuple[int, ...]]:
    """The class of every simplex that is a face of no other, by dimension, and all classes."""
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
    if len(known) < 2:
        raise DomainError(
            f"{manifold.name} has {len(known)} {by}; two or more are needed: {advice}"
        )
    return of_simplex, tuple(sorted(known))


@dataclass(slots=True)
class _State:
    """What all layers share."""

    restriction: Restriction
    of_simplex: list[Numbers]
    classes: tuple[int, ...]
    seconds: float
    loops: dict[int, list[Loop]] = field(default_factory=dict)
    paths: dict[int, list[int]] = field(default_factory=dict)

    def loops_of(self, label: int) -> list[Loop]:
        """Loops that generate H_1 of a class."""
        if label not in self.loops:
            manifold = self.restriction.manifold
            chosen = [
                top & (own == label)
                for top, own in zip(manifold.maximal, self.of_simplex, strict=True)
            ]
            part = closure(manifold.complex, chosen)
            if manifold.dimension < 1:
                self.loops[label] = []
            else:
                triangles = part[2] if manifold.dimension > 1 else np.zeros(0, dtype=bool)
                self.loops[label] = generating_loops(manifold, part[1], triangles)
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


class _Layer:
    """One layer: its pieces by class."""

    def __init__(self, state: _State, own: Pieces) -> None:
        self.state, self.pieces = state, own
        of_piece = np.empty(own.count, np.int64)
        for d, table in enumerate(state.of_simplex):
            here = own.carrier_dimension == d
            of_piece[here] = table[own.carrier[here]]
        self.family = {c: np.flatnonzero(of_piece == c) for c in state.classes}
        self._corners: dict[int, Numbers] = {}

    def row(self, pair: tuple[int, int], before: LayerPair | None, *, linking: bool) -> LayerPair:
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
            chosen = np.zeros(self.pieces.count, dtype=bool)
            chosen[self.family[label]] = True
            sizes = np.diff(self.pieces.start)
            self._corners[label] = np.unique(self.pieces.vertex[np.repeat(chosen, sizes)])
        return self._corners[label]

    def points(self, vertices: Numbers) -> Points:
        """Exact images with floats beside them."""
        own = vertices.tolist()
        return Points(
            self.pieces.image[vertices],
            self.pieces.error[vertices],
            lambda i: self.pieces.exact(own[i]),
        )

    def _apart_by(self, plane: Hyperplane, first: int, second: int) -> Disjoint:
        """Images that one hyperplane separates, where the pairs of pieces took too long."""
        sides = self.points(self.corners(first)), self.points(self.corners(second))
        nothing = np.empty((0, self.pieces.ambient))
        pairs = np.empty((0, 2), np.int64)
        gap = plane_gap(*sides, plane)
        return Disjoint(gap, math.nan, pairs, nothing, nothing[:, 0], {})

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
        if self.pieces.ambient != 3:
            return None, f"the space of the layer is R^{self.pieces.ambient}"
        if images is None:
            return None, "not decided whether the images are disjoint"
        if isinstance(images, Meeting):
            return None, "the images meet"
        loops = self.state.loops_of(first), self.state.loops_of(second)
        if not loops[0] or not loops[1]:
            return None, "one of the classes has no closed curve"
        if len(loops[0]) * len(loops[1]) > _MOST_LOOPS:
            return None, f"more than {_MOST_LOOPS} pairs of closed curves"
        try:
            with time_limit(self.state.seconds):
                sides = [self._segments(own) for own in loops]
                matrix = linking_matrix(
                    sides[0][0], sides[1][0], sides[0][1], sides[1][1], sides[0][2], sides[1][2]
                )
        except (OutOfTimeError, UncertifiedError):
            return None, "not decided at a limit"
        return Linking(matrix, elementary_divisors(matrix)), ""

    def _segments(self, loops: Sequence[Loop]) -> tuple[Points, Numbers, Numbers]:
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
        return self.points(vertices), segments, coefficients[:, of_edge]


def _carried(meeting: Meeting, own: Pieces) -> Meeting:
    """A meeting of an earlier layer at a later one: the same points of M, their image there."""
    return Meeting(image_of(own, meeting.first), meeting.first, meeting.second)


def _classification(
    state: _State, by: Literal["labels", "components"], whole: bool
) -> tuple[Classification | None, str]:
    if by != "labels":
        return None, "the classes are components of M, no labels"
    if not whole:
        return None, "the output layer was not asked for"
    last = _Layer(state, pieces(state.restriction, state.restriction.layers))
    try:
        with time_limit(state.seconds):
            families = [last.family[c] for c in state.classes]
            return least_margins(last.pieces, state.classes, families), ""
    except DomainError as error:
        return None, str(error)
    except OutOfTimeError:
        return None, "not decided at a limit"
