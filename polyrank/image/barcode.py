"""Homology of the image Φ_K(M) at every layer, and which class lives from which layer to which.

The axis of the barcode is the layer: ``H(M) → H(Φ_0(M)) → H(Φ_1(M)) → … → H(Φ_L(M))`` is a
sequence of vector spaces over a field, and as such a sum of intervals in one way only. There is no
radius, no number of neighbours and no tolerance in it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from os import PathLike
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from scipy import sparse

from polyrank.chains.elimination import parse_coefficients
from polyrank.chains.groups import Homology
from polyrank.errors import DomainError, RefutedError
from polyrank.image.carriers import Carriers, carriers
from polyrank.image.components import LayerComponents, component_layers
from polyrank.image.equivalence import kept_through
from polyrank.image.induced import (
    Bar,
    SequenceHomology,
    filtration_homology,
    sequence_homology,
)
from polyrank.image.kept import KeptLayers, kept_layers
from polyrank.image.merges import Merge, merges
from polyrank.image.nerve import MOST_SIMPLICES, Nerves, nerves
from polyrank.image.overlay import ImageComplex, check_dimension, images
from polyrank.image.solids import TooManyPartsError
from polyrank.image.union import LayerUnion, unions
from polyrank.lp.deadline import OutOfTimeError, seconds_left, time_limit
from polyrank.network.normal_form import Network
from polyrank.regions.kept import KEEP_SECONDS
from polyrank.stages import tell
from polyrank.topology.manifold import Manifold
from polyrank.topology.named import named_manifold
from polyrank.topology.restriction import Restriction, restrict

__all__ = ["MOST_CELLS", "LayerImages", "image", "level_name", "theorem"]

Way: TypeAlias = Literal["overlay", "nerve", "both"]

#: The overlay of a layer is given up when it has more cells; that of a solid earlier.
MOST_CELLS = 2_000_000
MOST_CELLS_OF_SOLIDS = 1_000_000
_INTERRUPTED = "interrupted"
#: Which part of a limit of time is left for the carriers of classes.
_CARRIERS = 0.2


@dataclass(frozen=True, eq=False)
class LayerImages:
    """The images of a manifold under the layers of a network, with their homology.

    Attributes
    ----------
    network : Network
    manifold : Manifold
    layers : tuple of int or None
        What is decided: None, which is M itself, then 0, its position in R^n, then 1, 2, …
    homology : SequenceHomology
        Of these, and of the maps between them. Levels are numbered from 0, which is M itself.
    complexes : tuple of ImageComplex
        The images themselves, one per layer; empty if only nerves were computed.
    nerve : Nerves or None
        The filtration of nerves, if it was computed.
    components : tuple of LayerComponents
        Of solids: the components of Φ_0(M), Φ_1(M), …, also of layers that are not decided.
    unions : tuple of LayerUnion
        Of solids, if a layer is not decided otherwise or ``way`` is "both": the groups of Φ_0(M),
        Φ_1(M), …, without the maps, in all degrees; the layers that are decided otherwise agree.
    ways : tuple of str
        "overlay", "nerve", "equivalence"; the layers that two of them decide agree in all groups
        and bars.
    reached : tuple of int
        How many levels each of these ways decided.
    undecided : tuple of (int, str)
        Layers that were asked for and are not decided, with the reason.
    seconds : float
    interrupted : bool
        Whether Ctrl-C ended the work; what was decided before it is here.
    seconds_left : float
        Of the time limit, for the carriers of classes.

    Notes
    -----
    **Proves** the groups of every decided Φ_K(M), a subset of R^m, and all ranks of the maps
    between them. **Does not prove** anything about the space that M was sampled from.
    """

    network: Network
    manifold: Manifold
    layers: tuple[int | None, ...]
    homology: SequenceHomology
    complexes: tuple[ImageComplex, ...]
    nerve: Nerves | None
    components: tuple[LayerComponents, ...]
    unions: tuple[LayerUnion, ...]
    ways: tuple[str, ...]
    reached: tuple[int, ...]
    undecided: tuple[tuple[int, str], ...]
    seconds: float
    interrupted: bool = False
    seconds_left: float = math.inf

    @property
    def bars(self) -> tuple[Bar, ...]:
        """The barcode in the degrees that M decides; births and deaths number levels."""
        most = self.manifold.degrees
        return tuple(b for b in self.homology.bars if most is None or b.degree < most)

    @property
    def partial(self) -> dict[str, str | None]:
        """Of two ways the one that ended before the other: its last layer, None if it has none."""
        if len(self.ways) < 2:
            return {}
        return {
            way: level_name(self.layers[n - 1]) if n else None
            for way, n in zip(self.ways, self.reached, strict=True)
            if n < len(self.layers)
        }

    @property
    def degrees(self) -> int:
        """Number of degrees that are given."""
        own = self.homology.degrees
        return own if self.manifold.degrees is None else min(own, self.manifold.degrees)

    def groups(self, layer: int | None) -> Homology:
        """``H(Φ_K(M))``; None is M itself, 0 its position.

        Raises
        ------
        DomainError
            If the layer is not decided.
        """
        return self.homology.groups[self.level(layer)].below(self.manifold.degrees)

    def level(self, layer: int | None) -> int:
        """The number of a layer's level.

        Raises
        ------
        DomainError
            If the layer is not decided.
        """
        if layer not in self.layers:
            raise DomainError(f"{level_name(layer)} is not decided")
        return self.layers.index(layer)

    @cached_property
    def carriers(self) -> Carriers:
        """Cycles of the classes of the degrees 1, 2, … that the layers make and kill.

        None of nerves; classes of degree 0 are in :meth:`merges`. What is left of the time limit
        holds for them: layers after it are ``missing``.
        """
        ring = parse_coefficients(self.homology.coefficients)
        with time_limit(self.seconds_left):
            return carriers(self.network, self.complexes, ring, self.degrees)

    def merges(self) -> list[Merge]:
        """Components that the layers make one, with a common point."""
        if self.components:
            return [merge for own in self.components for merge in own.merges]
        return merges(self.network, self.complexes)

    def rank(self, degree: int, source: int | None, target: int | None) -> int:
        """The rank of ``H_d(Φ_j M) → H_d(Φ_k M)`` over the field, over ℚ for ℤ."""
        return self.homology.rank(degree, self.level(source), self.level(target))


def level_name(layer: int | None) -> str:
    """How a level is called."""
    if layer is None:
        return "M"
    return "layer 0 (position)" if layer == 0 else f"layer {layer}"


def theorem(
    ways: Sequence[str], field: str, partial: Mapping[str, str | None] | None = None
) -> str:
    """What the barcode is and why, in one sentence.

    ``partial`` are the ways that ended before the other one, see :attr:`LayerImages.partial`.
    """
    sequence = f"H(M) -> H(Phi_0 M) -> ... -> H(Phi_L M) over {field}"
    by_nerve = (
        "the images of the closed cells of M are convex, cells that meet at a layer meet at all "
        f"later ones, and the barcode of the filtration of their nerves is that of {sequence} "
        "(functorial nerve theorem for closed convex covers: Bauer, Kerber, Roll, Rolle 2023)"
    )
    by_overlay = (
        "every image is the exact common refinement of the images of the cells of M, every map "
        f"between two layers is cellular, and the barcode is the interval decomposition of "
        f"{sequence}, the persistent homology of the mapping telescope of these maps"
    )
    by_equivalence = (
        "every layer is one-to-one outside of what it collapses, and what it collapses and its "
        f"image have the homology of equally many points, so that all maps of {sequence} are "
        "isomorphisms (relative homeomorphism, five lemma)"
    )
    sentence = {"overlay": by_overlay, "nerve": by_nerve, "equivalence": by_equivalence}
    partial = partial or {}
    text = "; and, computed separately and equal: ".join(
        sentence[way] for way in ways if way not in partial
    )
    for way, last in partial.items():
        text += (
            f"; nothing was compared, for the way by {way} decided no layer"
            if last is None
            else f"; and, computed separately and equal through {last} only: {sentence[way]}"
        )
    return text


def image(
    network: Network,
    manifold: Manifold | str | PathLike[str],
    *,
    layer: int | None = None,
    coefficients: str | int = "Z",
    way: Way | None = None,
    seconds: float | None = None,
    most_cells: int = MOST_CELLS,
    most_simplices: int = MOST_SIMPLICES,
    keep: str | PathLike[str] | None = None,
    keep_seconds: float = KEEP_SECONDS,
    answers_interrupts: bool = False,
) -> LayerImages:
    """The true images Φ_K(M), K = 0..L, their homology, and the maps that the layers induce.

    Parameters
    ----------
    network : Network
    manifold : Manifold, str or path
        M: itself, or by name (:func:`~polyrank.topology.named.named_manifold`): ``"torus:24"`` is a
        shape, another text a file.
    layer : int, optional
        L, the last layer; default: the output.
    coefficients : "Z", "Q" or a prime
        Over ℤ, groups come with torsion and maps with kernels and cokernels; the barcode is over ℚ.
    way : "overlay", "nerve" or "both", optional
        The common refinement of the images of the cells, up to dimension 3; the nerves of these
        images; or both, compared. Default: the first where it can be had. Of solids also the layers
        that keep the homology (:mod:`polyrank.image.equivalence`) and the components of all layers
        are decided, and, where the overlay ends early, the groups without the maps
        (:mod:`polyrank.image.union`), which all need less, unless the overlay alone is asked for.
    seconds : float, optional
        Give up the layers that are not decided after that time, less a fifth for the carriers of
        classes where there are some.
    most_cells, most_simplices : int
        Give up a layer whose overlay has more cells (of solids at most ``MOST_CELLS_OF_SOLIDS``),
        or whose nerve has more simplices, and the layers after it.
    keep : path, optional
        A folder in which the images of layers are kept when they are done; if it is there already,
        those in it are taken, and the work goes on with the next layer.
    keep_seconds : float
        What takes less time is not kept.
    answers_interrupts : bool
        The first Ctrl-C ends overlays and unions with the layers that are decided, and
        ``interrupted`` says so; otherwise it is a KeyboardInterrupt as everywhere.

    Raises
    ------
    DomainError
        If there is no such manifold, it lies in another space than the network's inputs, there is
        no such layer, or the coefficients are unknown.
    ValueError
        If there is no such ``way``.
    UnsupportedError
        If an overlay is asked for and M has simplices of dimension 4.
    RunError
        If ``keep`` cannot be written, is damaged, in use, or about another question.
    RefutedError
        If two ways differ: a defect of the program.

    Examples
    --------
    >>> folded = Network.from_arrays([[[0.0, 1.0], [0.0, -1.0]], [[1.0, 1.0]]], [[0, 0], [0]])
    >>> found = image(folded, "circle:8")
    >>> print(found.groups(None), "|", found.groups(1))
    Z, Z | Z, 0
    """
    manifold = named_manifold(manifold)
    depth = len(network.layers)
    last = depth if layer is None else layer
    if not 0 <= last <= depth:
        raise DomainError(f"layer {last} must be between 0 and {depth}")
    if manifold.ambient != network.input_dim:
        raise DomainError(
            f"{manifold.name} lies in R^{manifold.ambient}, but the network takes "
            f"{network.input_dim} inputs"
        )
    parse_coefficients(coefficients)
    if way not in (None, *get_args(Way)):
        raise ValueError(f"way={way!r} is not one of {', '.join(get_args(Way))}")
    begun = time.perf_counter()
    whole = math.inf if seconds is None else seconds
    chosen = way or ("overlay" if manifold.dimension <= 3 else "nerve")
    solid = manifold.dimension > 2 and way != "overlay"
    ways: tuple[str, ...] = ("overlay", "nerve") if chosen == "both" else (chosen,)
    if "overlay" in ways:
        check_dimension(manifold)
    complexes: tuple[ImageComplex, ...] = ()
    glued: tuple[LayerComponents, ...] = ()
    alone: tuple[LayerUnion, ...] = ()
    nerve = None
    reasons: dict[str, str] = {}
    results: dict[str, SequenceHomology] = {}
    stopped = False
    with ExitStack() as stack:
        own_share = 1 - _CARRIERS if "overlay" in ways else 1.0
        stack.enter_context(time_limit(own_share * whole))
        kept = KeptLayers()
        if keep is not None:
            work = kept_layers(Path(keep), network, manifold, last, seconds=keep_seconds)
            kept = KeptLayers(stack.enter_context(work))
        if solid:
            cells = restrict(network, manifold, through_layer=max(1, last))
            glued = tuple(component_layers(cells, last))
            ways = (*ways, "equivalence")
            through = kept_through(cells, last)
            results["equivalence"] = _constant(manifold, through + 2, coefficients)
            if through < last:
                reasons["equivalence"] = f"layer {through + 1} is not shown to keep H(M)"
        if "overlay" in ways:
            # of solids a part of the time is left for what needs less
            share = 0.5 if solid else 1.0
            most = min(most_cells, MOST_CELLS_OF_SOLIDS) if manifold.dimension > 2 else most_cells
            with time_limit(share * seconds_left()):
                complexes, reasons["overlay"] = _overlays(
                    network, manifold, last, most, kept, answers=answers_interrupts
                )
            results["overlay"] = sequence_homology(
                [x.complex for x in complexes], [x.origin for x in complexes[1:]], coefficients
            )
            stopped = reasons["overlay"] == _INTERRUPTED
            if solid and not stopped and (reasons["overlay"] or chosen == "both"):
                alone, ended = _unions(
                    network, manifold, last, coefficients, answers=answers_interrupts
                )
                stopped = ended == _INTERRUPTED
        if stopped:
            ways = tuple(own for own in ways if own in results)
        elif "nerve" in ways:
            if not solid:
                cells = restrict(network, manifold, through_layer=max(1, last))
            nerve, reasons["nerve"] = _nerves(cells, last, most_simplices, kept)
            results["nerve"] = (
                filtration_homology(
                    nerve.complex, nerve.labels, nerve.levels, manifold.dimension + 1, coefficients
                )
                if nerve.levels
                else sequence_homology([manifold.complex], [], coefficients)
            )
    found = max((results[way] for way in ways), key=lambda h: h.levels)
    levels = {way: own.levels for way, own in results.items()}
    if nerve is not None:
        levels["nerve"] = nerve.levels  # M itself is known without
    reached = tuple(levels[way] for way in ways)
    for one, other in combinations(results, 2):
        _compare(one, results[one], other, results[other])
    _compare_components(found, glued)
    _compare_unions(found, glued, alone)
    layers = (None, *range(last + 1))[: found.levels]
    reason = "; ".join(f"{name}: {why}" for name, why in reasons.items() if why)
    undecided = tuple(
        (k, f"{reason}{_known(glued, alone, k, manifold.degrees)}")
        for k in range(last + 1)
        if k not in layers
    )
    spent = time.perf_counter() - begun
    return LayerImages(
        network,
        manifold,
        layers,
        found,
        complexes,
        nerve,
        glued,
        alone,
        ways,
        reached,
        undecided,
        spent,
        stopped,
        max(0.0, whole - spent),
    )


def _known(
    glued: Sequence[LayerComponents],
    alone: Sequence[LayerUnion],
    layer: int,
    degrees: int | None,
) -> str:
    """What is certified about a layer whose maps are not decided, in the degrees of M."""
    if layer < len(alone):
        groups = alone[layer].groups.below(degrees)
        return f"; certified: without the maps, its homology is {groups}"
    if layer >= len(glued):
        return ""
    count = glued[layer].count
    return f"; certified: it has {count:,} component{'s' if count != 1 else ''}"


def _overlays(
    network: Network,
    manifold: Manifold,
    last: int,
    most: int,
    kept: KeptLayers,
    *,
    answers: bool,
) -> tuple[tuple[ImageComplex, ...], str]:
    """The image complexes that are within the limits, and why there are no more."""
    levels: list[ImageComplex] = []
    try:
        tell(f"the image at layer 0 of {last}")
        for one in images(network, manifold, last, kept=kept):
            if one.layer is not None and one.layer < last:
                tell(f"the image at layer {one.layer + 1} of {last}")
            size = sum(one.complex.cells)
            if size > most and levels:
                return tuple(levels), f"the overlay has {size:,} cells, more than {most:,}"
            levels.append(one)
    except OutOfTimeError:
        return tuple(levels), "the time limit has passed"
    except TooManyPartsError as error:
        return tuple(levels), str(error)
    except KeyboardInterrupt:
        if not (answers and levels):
            raise
        return tuple(levels), _INTERRUPTED
    return tuple(levels), ""


def _unions(
    network: Network, manifold: Manifold, last: int, coefficients: str | int, *, answers: bool
) -> tuple[tuple[LayerUnion, ...], str]:
    """The unions that are within the limits, and whether Ctrl-C ended them."""
    found: list[LayerUnion] = []
    try:
        for own in unions(network, manifold, last, coefficients):
            found.append(own)  # noqa: PERF402 - what is found before the time limit is kept
    except (OutOfTimeError, TooManyPartsError):
        pass
    except KeyboardInterrupt:
        if not answers:
            raise
        return tuple(found), _INTERRUPTED
    return tuple(found), ""


def _nerves(cells: Restriction, last: int, most: int, kept: KeptLayers) -> tuple[Nerves, str]:
    """The nerves that are within the limits, and why there are no more."""
    found = nerves(cells, last, most=most, kept=kept)
    if found.levels < last + 2:  # M itself is one of them
        return found, f"the nerve has more than {most:,} simplices, or the time limit has passed"
    return found, ""


def _compare_components(found: SequenceHomology, glued: Sequence[LayerComponents]) -> None:
    # level 0 is M itself
    for own, groups in zip(glued, found.groups[1:], strict=False):
        if groups.betti[0] != own.count:
            raise RefutedError(
                f"at layer {own.layer} the image has {groups.betti[0]} components, and {own.count} "
                "were found by common points: please report this network and this manifold"
            )


def _compare_unions(
    found: SequenceHomology, glued: Sequence[LayerComponents], alone: Sequence[LayerUnion]
) -> None:
    for own, groups in zip(alone, found.groups[1:], strict=False):
        if groups.betti != own.groups.betti or groups.torsion != own.groups.torsion:
            raise RefutedError(
                f"at layer {own.layer} the homology {groups} was found with the maps, and "
                f"{own.groups} without: please report this network and this manifold"
            )
    for own, parts in zip(alone, glued, strict=False):
        if own.groups.betti[0] != parts.count:
            raise RefutedError(
                f"at layer {own.layer} the union has {own.groups.betti[0]} components, and "
                f"{parts.count} were found by common points: please report this network"
            )


def _constant(manifold: Manifold, levels: int, coefficients: str | int) -> SequenceHomology:
    """M with itself, as often as its homology is kept."""
    own = manifold.complex
    same = tuple(
        sparse.csc_array(sparse.eye_array(f, dtype=np.int64, format="csc")) for f in own.cells
    )
    return sequence_homology([own] * levels, [same] * (levels - 1), coefficients)


def _compare(one: str, first: SequenceHomology, other: str, second: SequenceHomology) -> None:
    common = min(first.levels, second.levels)
    for k in range(common):
        if first.groups[k] != second.groups[k]:
            raise RefutedError(
                f"at level {k} the {one} has the homology {first.groups[k]}, the {other} "
                f"{second.groups[k]}: please report this network and this manifold"
            )
    for d in range(first.degrees):
        for j in range(common):
            for k in range(j, common):
                if first.rank(d, j, k) != second.rank(d, j, k):
                    raise RefutedError(
                        f"the ranks of H_{d} from level {j} to level {k} differ: "
                        f"{first.rank(d, j, k)} and {second.rank(d, j, k)}"
                    )
