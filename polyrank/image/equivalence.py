"""Layers that keep the homology of M: one-to-one but for collapsed parts, which are like points.

**Theorem.** Let A be the union of the maximal pieces of layer K whose rank is below their dimension
and B = Φ_K(A). For all other maximal pieces d and e and all pieces c of A let

1. ``Φ(d) ∩ Φ(e) ⊂ Φ(d ∩ e)``, or ``Φ(d) ∩ Φ(e) ⊂ Φ(F)`` for a face F of d or e that lies in A;
2. ``Φ(d) ∩ Φ(c) ⊂ Φ(F)`` for a face F of d that lies in A;
3. A and B have the homology of n points, with the same n.

Then H(M) → H(Φ_K(M)) is an isomorphism, over ℤ and every field.

*Proof.* Φ is one-to-one on d and on e. Let Φ(x) = Φ(x') with x in d and x' in e, neither in A. By 1
that image is the one of a point of d ∩ e, which is x and x', or of a point of F, which is x or x'
and in A: so x = x'. By 2 no point outside of A goes to B. Hence M/A → Φ(M)/B is one-to-one, a
homeomorphism of compact spaces, and H(M, A) = H(Φ(M), B). A → B is onto, so by 3 it is an
isomorphism of H_0, and of the other groups, which are 0. The five lemma gives the rest. ∎

With A empty this is a layer that is one-to-one. If H(M) → H(Φ_J(M)) and H(M) → H(Φ_K(M)) are
isomorphisms then so is H(Φ_J(M)) → H(Φ_K(M)). Where a condition fails nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.chains.chain import closure, subcomplex
from polyrank.chains.groups import Homology, homology
from polyrank.image.candidates import candidates
from polyrank.image.cut import Parts
from polyrank.image.echelon import echelon
from polyrank.image.glue import glue
from polyrank.image.homogeneous import Point, from_rationals
from polyrank.image.lines import ordered
from polyrank.image.meeting import Apart, decide, separated
from polyrank.image.overlay import cell_complex
from polyrank.image.pieces import Pieces, pieces
from polyrank.image.polygons import hull_of
from polyrank.lp.certificates import Minimum
from polyrank.lp.deadline import OutOfTimeError, look
from polyrank.lp.exact import minimise
from polyrank.lp.farkas import integer_row
from polyrank.stages import tell
from polyrank.topology.restriction import Restriction

__all__ = ["keeps_homology", "kept_through"]

Numbers = NDArray[np.int64]


def keeps_homology(restriction: Restriction, layer: int) -> bool:
    """Whether the theorem above shows that H(M) → H(Φ_K(M)) is an isomorphism.

    Parameters
    ----------
    restriction : Restriction
    layer : int
        K, 0..L.

    Returns
    -------
    bool
        True **proves** it: floats with bounds of their errors decide, or rationals. False says
        nothing.

    Raises
    ------
    DomainError
        If there is no layer K.
    OutOfTimeError
        If the time limit has passed.

    Examples
    --------
    >>> import numpy as np
    >>> from polyrank.network.normal_form import Network, relu_layer
    >>> from polyrank.topology.restriction import restrict
    >>> from polyrank.topology.shapes import shape
    >>> net = Network((relu_layer(np.array([[1.0, 0], [0, 1], [0, -1]]), [9, 0, 0]),))
    >>> keeps_homology(restrict(net, shape("circle:8")), 1)
    True
    """
    own = pieces(restriction, layer)
    if own.collapsed.any() and (own.rank[own.collapsed] > 2).any():
        return False  # the image of the collapsed part is no union of polygons
    return _one_to_one_outside(own) and _like_points(own)


def kept_through(restriction: Restriction, last: int) -> int:
    """The last layer J ≤ L such that all layers 0..J keep the homology; −1 if layer 0 does not.

    A time limit that passes ends the search there.
    """
    for layer in range(last + 1):
        tell(f"whether layer {layer} of {last} keeps the homology")
        try:
            if not keeps_homology(restriction, layer):
                return layer - 1
        except OutOfTimeError:
            return layer - 1
    return last


def _one_to_one_outside(own: Pieces) -> bool:
    """The conditions 1 and 2."""
    faces = _Faces(own)
    seen = 0
    for pairs in candidates(own):
        seen += len(pairs)
        tell(f"pairs of pieces at layer {own.layer}", seen)
        chosen = pairs[~own.collapsed[pairs].all(axis=1)]
        if not len(chosen):
            continue
        apart, _ = separated(own, chosen)
        for i, j in chosen[~apart].tolist():
            look()
            if not _harmless(own, faces, i, j):
                return False
    return True


def _harmless(own: Pieces, faces: _Faces, i: int, j: int) -> bool:
    """Whether a pair of pieces that floats do not prove apart satisfies 1 or 2."""
    free = [(d, e) for d, e in ((i, j), (j, i)) if not own.collapsed[d]]
    # of a face that is shared with a collapsed piece the second test knows more
    plain = len(free) == 2 or not own.common_face(i, j).size
    if plain and isinstance(decide(own, i, j), Apart):
        return True
    return any(_within(own, d, face, e) for d, e in free for face in faces.of(d))


class _Faces:
    """The faces of pieces that lie in the collapsed part."""

    def __init__(self, own: Pieces) -> None:
        self._own = own
        self._around: dict[int, list[int]] = {}
        for c in np.flatnonzero(own.collapsed).tolist():
            for v in own.vertices(c).tolist():
                self._around.setdefault(v, []).append(c)

    def of(self, piece: int) -> Iterator[list[int]]:
        """Common faces of a piece with collapsed ones, the larger ones first."""
        own = self._own
        near = {c for v in own.vertices(piece).tolist() for c in self._around.get(v, ())}
        found = {tuple(own.common_face(piece, c).tolist()) for c in near}
        yield from map(list, sorted(found, key=lambda face: (-len(face), face)))


def _within(own: Pieces, d: int, face: list[int], e: int) -> bool:
    """Whether a hyperplane shows that the images of d and e meet in that of a face of d only.

    It holds the face, has the rest of d strictly above it, and nothing of e above it.
    """
    base = own.exact(face[0])
    rest = [v for v in own.vertices(d).tolist() if v not in set(face)]
    groups = (rest, face[1:], own.vertices(e).tolist())
    above, on, below = (
        [[x - o for x, o in zip(own.exact(v), base, strict=True)] for v in group]
        for group in groups
    )
    # functionals on the span of all these: their values in the pivot columns tell everything
    _, columns = echelon([*above, *on, *below])
    rows = []
    for part, sign, least in ((above, 1, -1), (on, 1, 0), (on, -1, 0), (below, -1, 0)):
        rows += [integer_row([*(sign * row[c] for c in columns), fmpq(least)]) for row in part]
    return isinstance(minimise(rows, (0,) * (len(columns) + 1), vertex=False), Minimum)


def _like_points(own: Pieces) -> bool:
    """Condition 3: the collapsed part and its image have the homology of equally many points."""
    collapsed = np.flatnonzero(own.collapsed).tolist()
    if not collapsed:
        return True
    complex_ = own.restriction.complex
    masks = [np.zeros(f, dtype=bool) for f in complex_.cells]
    for p in collapsed:
        masks[int(own.dimension[p])][own.cells(p)] = True
    part = homology(subcomplex(complex_, closure(complex_, masks)))
    points = _points(part)
    return points is not None and _points(_image(own, collapsed)) == points


def _points(groups: Homology) -> int | None:
    """How many points have these groups; None if none have."""
    if any(groups.betti[1:]) or any(groups.torsion):
        return None
    return groups.betti[0]


def _image(own: Pieces, chosen: list[int]) -> Homology:
    """The homology of the union of the images of pieces, of dimension at most 2."""
    number: dict[Point, int] = {}
    chains: dict[tuple[int, int], None] = {}
    polygons: list[tuple[int, list[int]]] = []
    for p in chosen:
        look()
        corners = hull_of([from_rationals(own.exact(v)) for v in own.vertices(p).tolist()])
        ring = [number.setdefault(c, len(number)) for c in corners]
        if len(ring) > 2:
            polygons.append((len(polygons), ring))
        if len(ring) > 1:
            chains |= {ordered(a, b): None for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)}
    places = list(number)
    parts = Parts(list(places), [list(c) for c in chains], polygons, [-1] * len(polygons))
    union = glue(places, parts)
    return homology(cell_complex(len(union.points), union.edges, union.faces, 2))
