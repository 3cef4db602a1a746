"""Classes of a manifold, layer by layer: images apart or not, a hyperplane or none, linking.

Classes are the labels of M, or its connected components. Images that meet at a layer meet at every
later one, so that a pair of classes has a first layer at which it meets; linear separability may
come and go. What is decided is decided for this network on this triangulated M.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from os import PathLike
from typing import Any, Literal

import numpy as np

from polyrank.brief import brief
from polyrank.errors import DomainError
from polyrank.image.apart import Meeting
from polyrank.image.class_layer import (
    ClassedCells,
    ClassedLayer,
    classes_of,
    has_labels,
    unclassed_in,
)
from polyrank.image.class_pair import LayerPair
from polyrank.image.homeomorphism import layer_verdict
from polyrank.image.margin import Classification, least_margins
from polyrank.image.one_to_one import OnSpace, on_space
from polyrank.image.pieces import pieces
from polyrank.lp.deadline import OutOfTimeError, time_limit
from polyrank.network.normal_form import Network
from polyrank.stages import tell
from polyrank.topology.manifold import Manifold
from polyrank.topology.named import named_manifold
from polyrank.topology.restriction import Restriction, restrict

__all__ = ["Separation", "separate"]

_MOST_PAIRS = 1000

OneToOne = Literal[
    "on R^n", "on M only", "on M", "on neither", "not on R^n", "not decided", "not asked"
]


@brief("by", "classes", "layers", "decided")
@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """What :func:`separate` found.

    Attributes
    ----------
    network : Network
        All its layers.
    cells : ClassedCells
        The cells of the network on M, with the classes.
    by : {"labels", "components"}
    classes : tuple of int
    unclassed : int
        Simplices that are no face of another and belong to none of the classes.
    layers : tuple of int
        Ascending; 0 is M itself.
    rows : tuple of LayerPair
        By pair of classes, then by layer.
    on_space : tuple of OnSpace
        For every layer 1..L of the network, what it does to all of its input space.
    on_manifold : tuple of (bool or None), or None
        Whether Φ_K is one-to-one on M, K = 0 to the last of the layers; None in it: not decided.
        None itself: not asked, since there are no linking numbers that could tell.
    classification : Classification or None
    no_classification : str
        Why there is no classification.
    """

    network: Network
    cells: ClassedCells
    by: Literal["labels", "components"]
    classes: tuple[int, ...]
    unclassed: int
    layers: tuple[int, ...]
    rows: tuple[LayerPair, ...]
    on_space: tuple[OnSpace, ...]
    on_manifold: tuple[bool | None, ...] | None
    classification: Classification | None
    no_classification: str

    @property
    def restriction(self) -> Restriction:
        """The network on M."""
        return self.cells.restriction

    @property
    def decided(self) -> bool:
        """Whether every question about images and hyperplanes has an answer."""
        return all(row.images is not None and row.linear is not None for row in self.rows)

    def one_to_one(self, layer: int) -> OneToOne:
        """Where layer K ≥ 1 itself is one-to-one: on all of its input space, on Φ_{K−1}(M) only.

        A layer of the first kind that is a homeomorphism of R³ keeps the absolute value of every
        linking number, one of the second kind need not. "on neither" says that two points of M
        have one image after the layer and different ones before.
        """
        if self.on_space[layer - 1].kind in {"homeomorphism", "one-to-one"}:
            return "on R^n"
        if self.on_manifold is None:
            return "not asked"
        before, after = self.on_manifold[layer - 1], self.on_manifold[layer]
        if after:
            known = self.on_space[layer - 1].kind == "not one-to-one"
            return "on M only" if known else "on M"
        if before and after is False:
            return "on neither"
        # Φ_{K−1} has glued points of M already, so that those of M say nothing of this layer
        return "not on R^n" if self.on_space[layer - 1].kind == "not one-to-one" else "not decided"

    def first_meeting(self, first: int, second: int) -> int | None:
        """The first of the layers at which two classes meet; None: none, or not decided."""
        for row in self.pair(first, second):
            if row.images is None:
                return None
            if isinstance(row.images, Meeting):
                return row.layer
        return None

    def core_numbers(self, first: int, second: int) -> dict[int, int]:
        """Layer → linking number, where it is one number: of two curves, or of the cores of tori.

        The first matrix of linking numbers that is not 0 is d u vᵀ with coprime u and v if it is
        of rank 1: lk of one combination of loops with another, the *cores*, and 0 of the loops that
        bound outside of the other class. At every layer whose matrix is a multiple of u vᵀ the
        factor is given; for two closed curves that is lk itself, else d > 0 at the first layer.
        """
        known = [(r.layer, r.linking.matrix) for r in self.pair(first, second) if r.linking]
        reference = next((matrix for _, matrix in known if matrix.any()), None)
        if reference is None:
            return {layer: 0 for layer, _ in known}
        unit = reference // np.gcd.reduce(reference, axis=None)
        if reference.size == 1:
            unit = np.ones_like(reference)
        i, j = np.argwhere(unit)[0]
        if (unit * unit[i, j] != np.outer(unit[:, j], unit[i])).any():
            return {}  # of higher rank
        factors = {layer: int(matrix[i, j]) // int(unit[i, j]) for layer, matrix in known}
        return {k: factors[k] for k, matrix in known if (matrix == factors[k] * unit).all()}

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
    manifold: Manifold | str | PathLike[str],
    *,
    layers: Sequence[int] | None = None,
    classes: Literal["labels", "components"] | None = None,
    only: Sequence[int] | None = None,
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
    manifold : Manifold, str or path
        M, with labels, or with several components: itself, or by name
        (:func:`~polyrank.topology.named.named_manifold`): ``"linked-tori:24"`` is a shape, another
        text a file.
    layers : sequence of int, optional
        0..L; default: all. 0 is M itself.
    classes : {"labels", "components"}, optional
        Default: the labels if M has any, else its connected components.
    only : sequence of int, optional
        Only these classes; nothing is said of the rest of M. (In a labelled point cloud the
        simplices between classes have a class of their own, the next free number.)
    linking : bool
        Compute linking numbers where the images lie in R³, or in a 3-dimensional affine subspace.
    seconds : float
        Limit for every question; what it ends is None.
    progress : callable, optional
        Called with (questions done, questions).

    Raises
    ------
    DomainError
        If there is no such M, it lies in another space than the inputs, there are fewer than two
        classes or too many pairs of classes, or there is no such layer.

    Examples
    --------
    >>> net = Network.from_arrays([[[1.0, 0.0]], [[1.0]]], [[0], [0]])
    >>> found = separate(net, "disk-in-annulus:8")
    >>> [row.disjoint for row in found.pair(0, 1)]
    [True, False, False]
    """
    manifold = named_manifold(manifold)
    depth = len(network.layers)
    chosen = sorted(set(range(depth + 1) if layers is None else layers))
    if not chosen or chosen[0] < 0 or chosen[-1] > depth:
        wrong = "none" if not chosen else chosen[0] if chosen[0] < 0 else chosen[-1]
        raise DomainError(f"layer {wrong} must be between 0 and {depth}")
    by = classes or ("labels" if has_labels(manifold) else "components")
    of_simplex, known = classes_of(manifold, by, only)
    if len(known) * (len(known) - 1) // 2 > _MOST_PAIRS:
        raise DomainError(
            f"{manifold.name} has {len(known):,} {by}, more than {_MOST_PAIRS:,} pairs of them; "
            "take a part of it (--class), or a larger radius of its complex"
        )
    through = max(1, chosen[-1])
    restriction = restrict(network, manifold, through_layer=through)
    state = ClassedCells(restriction, of_simplex, known, seconds)
    rows: dict[tuple[int, int], list[LayerPair]] = {p: [] for p in combinations(known, 2)}
    total, done = len(rows) * len(chosen), 0
    for layer in chosen:
        own = ClassedLayer(state, pieces(restriction, layer))
        for pair, found in rows.items():
            found.append(own.row(pair, found[-1] if found else None, linking=linking))
            done += 1
            tell("pairs of classes at a layer", done, total)
            if progress is not None:
                progress(done, total)
    classification, why = _classification(state, by, through == depth and chosen[-1] == depth)
    table = tuple(row for found in rows.values() for row in found)
    spaces = tuple(on_space(layer) for layer in network.layers)
    return Separation(
        network,
        state,
        by,
        known,
        unclassed_in(manifold, of_simplex, known),
        tuple(chosen),
        table,
        spaces,
        _on_manifold(restriction, seconds) if _tells_of_layers(table, network) else None,
        classification,
        why,
    )


def _tells_of_layers(rows: Sequence[LayerPair], network: Network) -> bool:
    """Whether there is a linking number, and a layer 1.. in whose space it can have changed."""
    return any(row.linking is not None for row in rows) and any(
        row.layer > 0 and (row.linking is not None or network.layers[row.layer - 1].units == 3)
        for row in rows
    )


def _on_manifold(restriction: Restriction, seconds: float) -> tuple[bool | None, ...]:
    """Whether Φ_K is one-to-one on M, for K = 0 to the last layer of the cells."""
    known: list[bool | None] = [None] * (restriction.layers + 1)
    layer = restriction.layers
    while layer >= 0:
        try:
            with time_limit(seconds):
                verdict = layer_verdict(restriction, layer)
        except OutOfTimeError:
            break
        if verdict.collision is None:
            if verdict.one_to_one:
                known[: layer + 1] = [True] * (layer + 1)
            break
        first = verdict.collision.layer
        known[first:] = [False] * (len(known) - first)
        layer = first - 1
    return tuple(known)


def _classification(
    state: ClassedCells, by: Literal["labels", "components"], whole: bool
) -> tuple[Classification | None, str]:
    if by != "labels":
        return None, "the classes are components of M, no labels"
    if not whole:
        return None, "the output layer was not asked for"
    last = ClassedLayer(state, pieces(state.restriction, state.restriction.layers))
    try:
        with time_limit(state.seconds):
            families = [last.family[c] for c in state.classes]
            return least_margins(last.pieces, state.classes, families), ""
    except DomainError as error:
        return None, str(error)
    except OutOfTimeError:
        return None, "not decided at a limit"
