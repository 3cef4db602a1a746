"""Which components of the images a layer glues, for M of any dimension: H_0 without an overlay.

**Theorem.** Let C_1, …, C_n be the components of M. Their images Φ_K(C_i) are closed and connected
and cover Φ_K(M), so that the components of Φ_K(M) are those of the graph on 1, …, n with an edge
where Φ_K(C_i) and Φ_K(C_j) have a common point. A common point is one at every later layer: the
partitions of 1, …, n grow coarser with K, and H_0(Φ_J(M)) → H_0(Φ_K(M)) is the map of their blocks.
It is onto: no class of H_0 is born, and as many die at layer K as pairs are joined there.

Only pieces of different components that are not joined yet are compared, so that what is collapsed
within a component costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.chains.chain import components
from polyrank.image.apart import Meeting, meeting_at
from polyrank.image.candidates import candidates
from polyrank.image.disjoint_sets import DisjointSets
from polyrank.image.meeting import Meet, decide, separated
from polyrank.image.merges import Merge
from polyrank.image.pieces import Pieces, pieces
from polyrank.lp.deadline import OutOfTimeError, look
from polyrank.stages import tell
from polyrank.topology.restriction import Restriction

__all__ = ["LayerComponents", "component_layers"]

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LayerComponents:
    """The components of the image at one layer.

    Attributes
    ----------
    layer : int
        K; 0 is the position of M in R^n.
    count : int
        Components of Φ_K(M).
    merges : tuple of Merge
        The pairs that are joined at this layer, each with a common point: as many as classes of H_0
        die there.
    """

    layer: int
    count: int
    merges: tuple[Merge, ...]


def component_layers(restriction: Restriction, last: int) -> Iterator[LayerComponents]:
    """The components of Φ_0(M), …, Φ_L(M), until a time limit has passed.

    Parameters
    ----------
    restriction : Restriction
    last : int
        L.

    Yields
    ------
    LayerComponents
        **Proves** the components: a common point of two is a convex combination of exact images on
        both sides, whose preimages are mapped to it by the plain forward pass; images of pieces of
        different components are proved disjoint by their boxes or a hyperplane.

    Raises
    ------
    DomainError
        If there is no layer L.
    """
    restriction.check_layer(last, least=0)
    complex_ = restriction.manifold.complex
    every = tuple(np.ones(f, dtype=bool) for f in complex_.cells)
    count, of_vertex = components(complex_, every)
    lowest = np.unique(of_vertex, return_index=True)[1].tolist()  # ascending
    sets = DisjointSets(count)
    try:
        for layer in range(last + 1):
            tell(f"the components at layer {layer} of {last}")
            found = []
            names = _names(sets, lowest)
            if count > 1:
                own = pieces(restriction, layer)
                for meeting in _meetings(own, _families(own, of_vertex), sets):
                    pair = [int(of_vertex[min(x.weights)]) for x in (meeting.first, meeting.second)]
                    first, second = sorted(names[c] for c in pair)
                    sets.join(*pair)
                    count -= 1
                    found.append(Merge(layer, first, second, meeting.image, None))
            yield LayerComponents(layer, count, tuple(found))
    except OutOfTimeError:
        return


def _names(sets: DisjointSets, lowest: list[int]) -> list[int]:
    """Per component of M, the lowest vertex of the block that it belongs to."""
    first: dict[int, int] = {}
    for c, v in enumerate(lowest):
        first.setdefault(sets.find(c), v)
    return [first[sets.find(c)] for c in range(len(lowest))]


def _families(own: Pieces, of_vertex: Numbers) -> Numbers:
    """The component of M in which every piece lies."""
    simplices = own.restriction.manifold.simplices
    out = np.empty(own.count, np.int64)
    for d, table in enumerate(simplices):
        chosen = own.carrier_dimension == d
        corner = np.asarray(table).reshape(len(table), -1)[:, 0]
        out[chosen] = of_vertex[corner[own.carrier[chosen]]]
    return out


def _meetings(own: Pieces, family: Numbers, sets: DisjointSets) -> Iterator[Meeting]:
    """Common points of components that are not joined; the caller joins them before the next one.

    After a chunk with such points the search begins again, without the pairs of joined components.
    """
    met = True
    while met:
        met = False
        block = np.array([sets.find(c) for c in range(int(family.max()) + 1)], np.int64)[family]
        for pairs in candidates(own, block):
            apart, _ = separated(own, pairs)
            for i, j in pairs[~apart].tolist():
                look()
                if sets.find(int(block[i])) == sets.find(int(block[j])):
                    continue
                found = decide(own, i, j, share_face=False)
                if isinstance(found, Meet):
                    met = True
                    yield meeting_at(own, found.first, found.second, _image(own, found))
            if met:
                break


def _image(own: Pieces, meet: Meet) -> tuple[fmpq, ...]:
    """The common point of a meeting."""
    total = [fmpq(0)] * own.ambient
    for v, weight in meet.first.items():
        total = [t + weight * x for t, x in zip(total, own.exact(v), strict=True)]
    return tuple(total)
