"""What collapsing a part A of M does to homology: five groups, each named for what it is.

``H(M)``, ``H(A)``, ``H(M, A)``; ``H(M/A)``: all of A becomes one point; ``H(M/~)``: every component
of A becomes a point of its own, or every class of components (with one image point) becomes one.
``H(M, A)`` is the reduced homology of M/A, and differs from that of M/~ as soon as A has two
components. With n disjoint arcs on a circle, M/A is a wedge of n circles (``H_1 = ℤ^n``, from the
exact sequence: ``0 → H_1(S¹) → H_1(S¹, A) → H̃_0(A) = ℤ^(n−1) → 0``), and M/~ is a circle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from polyrank.chains.chain import ChainComplex, Mask, closure, components, quotient
from polyrank.chains.exact_sequence import ExactSequence, long_exact_sequence
from polyrank.chains.groups import Homology, block_homology, homology, reduced_pair

__all__ = ["CollapsedHomology", "collapse_in_turn", "collapsed_homology"]


@dataclass(frozen=True, slots=True)
class CollapsedHomology:
    """Homology of a pair (M, A) and of the quotients of M by A.

    Attributes
    ----------
    manifold, part, relative : Homology
        H(M), H(A), H(M, A).
    one_point : Homology
        H(M/A): all of A collapsed to one point. M itself if A is empty.
    per_component : Homology
        H(M/~): every connected component of A collapsed to a point of its own.
    per_image : Homology or None
        H(M/~): components of one class collapsed to one point; None without classes.
    sequence : ExactSequence
    components, classes : int, int or None
    """

    manifold: Homology
    part: Homology
    relative: Homology
    one_point: Homology
    per_component: Homology
    per_image: Homology | None
    sequence: ExactSequence
    components: int
    classes: int | None

    def below(self, degree: int | None) -> CollapsedHomology:
        """The groups of lower degrees only; all of them for None."""
        return replace(
            self,
            manifold=self.manifold.below(degree),
            part=self.part.below(degree),
            relative=self.relative.below(degree),
            one_point=self.one_point.below(degree),
            per_component=self.per_component.below(degree),
            per_image=None if self.per_image is None else self.per_image.below(degree),
            sequence=self.sequence.below(degree),
        )


def collapsed_homology(
    complex_: ChainComplex,
    mask: Mask,
    coefficients: str | int = "Z",
    class_of_component: ArrayLike | None = None,
) -> CollapsedHomology:
    """All homology groups of a pair and its quotients.

    Parameters
    ----------
    complex_ : ChainComplex
        M, a regular cell complex.
    mask : Mask
        A, closed.
    coefficients : "Z", "Q" or a prime
    class_of_component : array of int, optional
        Per component of A (in the order of :func:`polyrank.chains.chain.components`) the number
        of its class, 0..m − 1.

    Raises
    ------
    DomainError
        If A is not closed, or the coefficients are unknown.
    RefutedError
        If the long exact sequence turns out not to be exact (a wrong incidence number).

    Examples
    --------
    >>> from polyrank.chains.chain import closure, from_facets
    >>> circle, edges = from_facets([[i, (i + 1) % 6] for i in range(6)])
    >>> two_arcs = closure(circle, [[False] * 6, [tuple(e) in {(0, 1), (3, 4)} for e in edges[1]]])
    >>> found = collapsed_homology(circle, two_arcs)
    >>> print(found.one_point, "|", found.per_component)
    Z, Z^2 | Z, Z
    """
    small = reduced_pair(complex_, mask, coefficients)
    manifold = homology(complex_, coefficients)
    count, of_vertex = components(complex_, mask)
    classes = None if class_of_component is None else np.asarray(class_of_component, np.int64)
    return CollapsedHomology(
        manifold=manifold,
        part=block_homology(small, 0),
        relative=block_homology(small, 1),
        one_point=homology(quotient(complex_, mask, np.zeros_like(of_vertex)), coefficients),
        per_component=homology(quotient(complex_, mask, of_vertex), coefficients),
        per_image=None
        if classes is None
        else homology(quotient(complex_, mask, np.append(classes, -1)[of_vertex]), coefficients),
        sequence=long_exact_sequence(small, manifold),
        components=count,
        classes=None if classes is None else len(np.unique(classes)),
    )


def collapse_in_turn(
    complex_: ChainComplex, mask: Mask, coefficients: str | int = "Z"
) -> list[Homology]:
    """H(M), then the homology after collapsing the first, the first two, … components of A.

    Every component becomes a point of its own. The last entry is
    ``CollapsedHomology.per_component``.

    Notes
    -----
    Source: Beshkov and Einevoll, "A rank decomposition for the topological classification of
    neural representations", equation 9: the components of a rank-1 part are collapsed one after
    another.
    """
    count, of_vertex = components(complex_, mask)
    results = [homology(complex_, coefficients)]
    for last in range(count):
        first_ones = closure(complex_, [(of_vertex >= 0) & (of_vertex <= last)])
        vertices = first_ones[0]
        inside = [vertices]
        for d, matrix in enumerate(complex_.boundary, start=1):
            # a cell of A belongs to the component of its vertices
            reached = (abs(matrix).T @ inside[-1].astype(np.int64)) > 0
            inside.append(mask[d] & reached)
        results.append(homology(quotient(complex_, tuple(inside), of_vertex), coefficients))
    return results
