"""Is Φ_K one-to-one on M? A proof, two points with one image, or "not decided" at a limit.

**Theorem.** Let every maximal piece of layer K have full rank, and let the images of every two
maximal pieces meet in the image of their common face only. Then Φ_K is one-to-one on M, and hence,
M being compact, a homeomorphism onto Φ_K(M).

*Proof.* Let Φ(x) = Φ(x') with x in the piece c and x' in c'. The point Φ(x) lies in both images,
hence in that of the common face F: it is Φ(y) with y in F. Φ is one-to-one on c and on c', since
it is affine of full rank there; so x = y = x'. ∎

Conversely a piece that is not of full rank holds two points with one image
(:func:`polyrank.image.collision.fold`), and images that meet beyond the common face give two points
(:func:`polyrank.image.meeting.decide`). If Φ_K is one-to-one then so is every Φ_k with k < K: the
layers are bisected by one threshold, the first layer that is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike

import numpy as np

from polyrank.brief import brief
from polyrank.errors import DomainError
from polyrank.image.candidates import candidates
from polyrank.image.collision import Collision, collision, fold
from polyrank.image.meeting import Meet, decide, separated
from polyrank.image.pieces import Pieces, pieces
from polyrank.lp.deadline import OutOfTimeError, time_limit
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Box
from polyrank.stages import tell
from polyrank.topology.box import box_complex
from polyrank.topology.manifold import Manifold
from polyrank.topology.named import named_manifold
from polyrank.topology.restriction import Restriction, restrict

__all__ = [
    "Homeomorphism",
    "LayerVerdict",
    "Overlap",
    "homeomorphism",
    "layer_verdict",
    "overlaps",
    "undecided_pairs",
]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two pieces whose images meet beyond the image of their common face."""

    first: int
    second: int
    meet: Meet


@dataclass(slots=True)
class Tally:
    """How the pairs of a layer were decided; counts so far.

    Attributes
    ----------
    pairs : int
        Pairs whose boxes meet.
    by_floats, exactly : int
        Hyperplanes that floats prove, and pairs decided in rationals.
    """

    pairs: int = 0
    by_floats: int = 0
    exactly: int = 0


@dataclass(frozen=True, slots=True)
class LayerVerdict:
    """Whether Φ_K is one-to-one on M.

    Attributes
    ----------
    layer : int
        K; 0 asks whether M itself is embedded in R^n.
    one_to_one : bool or None
        None: not decided.
    pieces, collapsed : int
        Maximal pieces, and those that are not of full rank.
    tally : Tally
    collision : Collision or None
        Two points with one image, where it is not one-to-one.
    """

    layer: int
    one_to_one: bool | None
    pieces: int
    collapsed: int
    tally: Tally
    collision: Collision | None = None


@brief("layer", "one_to_one", "first_layer")
@dataclass(frozen=True, slots=True, eq=False)
class Homeomorphism:
    """The answer for the layers 0..K.

    Attributes
    ----------
    network : Network
        All its layers.
    restriction : Restriction
        Of the layers 1..K.
    layer : int
        K.
    verdicts : tuple of LayerVerdict
        The layers that were looked at, ascending.
    """

    network: Network
    restriction: Restriction
    layer: int
    verdicts: tuple[LayerVerdict, ...] = field(default=())

    @property
    def one_to_one(self) -> bool | None:
        """Whether Φ_K is one-to-one on M; None if that is not decided."""
        return self.at(self.layer)

    @property
    def proved_through(self) -> int:
        """The last layer that is proved to be one-to-one; −1 if none is."""
        return max((v.layer for v in self.verdicts if v.one_to_one), default=-1)

    @property
    def collision(self) -> Collision | None:
        """The pair that meets first, among those found."""
        found = [v.collision for v in self.verdicts if v.collision is not None]
        return min(found, key=lambda pair: pair.layer, default=None)

    @property
    def first_layer(self) -> int | None:
        """The first layer that is not one-to-one; None if there is none, or it is not decided."""
        pair = self.collision
        return pair.layer if pair is not None and pair.layer - 1 == self.proved_through else None

    def at(self, layer: int) -> bool | None:
        """Whether Φ_k is one-to-one on M: layers below a proof, and above a collision, are too."""
        pair = self.collision
        if pair is not None and layer >= pair.layer:
            return False
        return True if layer <= self.proved_through else None


def homeomorphism(
    network: Network,
    manifold: Manifold | Box | str | PathLike[str],
    *,
    layer: int | None = None,
    seconds: float = float("inf"),
) -> Homeomorphism:
    """Decide whether Φ_K is one-to-one on M, and if not, the first layer at which it is not.

    Parameters
    ----------
    network : Network
    manifold : Manifold, Box, str or path
        M: itself, or by name (:func:`~polyrank.topology.named.named_manifold`): ``"torus:24"`` is a
        shape, another text a file. A box stands for all of its points: it is divided into
        simplices.
    layer : int, optional
        K; default: the last one. 0 asks whether M itself is embedded in R^n.
    seconds : float
        Limit for the comparison of pairs; then the layer is not decided.

    Returns
    -------
    Homeomorphism
        **Proves** for every layer that it decides: Φ_k is a homeomorphism of M onto its image, or
        two points of M have one image, exactly. **Does not prove** anything about the space that M
        was sampled from.

    Raises
    ------
    DomainError
        If there is no such manifold, it lies in another space than the network's inputs, or there
        is no layer K.

    References
    ----------
    K. Beshkov, "A Quotient Homology Theory of Representation in Neural Networks", TMLR 2026.

    Examples
    --------
    >>> folded = Network.from_arrays([[[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]], [[0, 0, 0]])
    >>> homeomorphism(folded, "circle:8").first_layer is None
    True
    """
    depth = len(network.layers)
    last = depth if layer is None else layer
    if not 0 <= last <= depth:
        raise DomainError(f"layer {last} must be between 0 and {depth}")
    if isinstance(manifold, Box):
        space = box_complex(manifold, network.input_dim)
    else:
        space = named_manifold(manifold)
    found = restrict(network, space, through_layer=None if layer is None else max(1, layer))
    verdicts: list[LayerVerdict] = []
    try:
        with time_limit(seconds):
            k = last
            while k >= 0:
                verdict = layer_verdict(found, k)
                verdicts.insert(0, verdict)
                if verdict.collision is None:
                    break
                k = verdict.collision.layer - 1
    except OutOfTimeError:
        pass
    return Homeomorphism(network, found, last, tuple(verdicts))


def layer_verdict(restriction: Restriction, layer: int) -> LayerVerdict:
    """Decide one layer; a time limit that passes leaves it undecided."""
    maximal = pieces(restriction, layer)
    collapsed = np.flatnonzero(maximal.collapsed)
    tally = Tally()
    common = maximal.layer, maximal.count, int(collapsed.size)
    if collapsed.size:
        pair = fold(maximal, int(collapsed[0]))
        return LayerVerdict(common[0], False, *common[1:], tally, pair)
    try:
        for overlap in overlaps(maximal, tally):
            pair = collision(maximal, overlap.meet)
            return LayerVerdict(common[0], False, *common[1:], tally, pair)
    except OutOfTimeError:
        return LayerVerdict(common[0], None, *common[1:], tally)
    return LayerVerdict(common[0], True, *common[1:], tally)


def overlaps(own: Pieces, tally: Tally | None = None) -> Iterator[Overlap]:
    """All pairs of pieces of full rank whose images meet beyond that of their common face.

    Raises
    ------
    OutOfTimeError
        If the time limit has passed.
    """
    for i, j in undecided_pairs(own, Tally() if tally is None else tally):
        found = decide(own, i, j)
        if isinstance(found, Meet):
            yield Overlap(i, j, found)


def undecided_pairs(own: Pieces, tally: Tally) -> Iterator[tuple[int, int]]:
    """The pairs of pieces that neither their boxes nor floats prove apart, for exact decisions."""
    for pairs in candidates(own):
        apart, _ = separated(own, pairs)
        tally.pairs += len(pairs)
        tell(f"pairs of pieces at layer {own.layer}", tally.pairs)
        tally.by_floats += int(apart.sum())
        for i, j in pairs[~apart].tolist():
            tally.exactly += 1
            yield i, j
