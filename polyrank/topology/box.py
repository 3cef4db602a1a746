"""A box as a simplicial complex: Kuhn's triangulation, so that a domain is a manifold, too."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from polyrank.errors import DomainError
from polyrank.network.rational import RationalArray
from polyrank.polyhedra.domain import Box
from polyrank.topology.manifold import Manifold, build_manifold

__all__ = ["MOST_DIMENSIONS", "box_complex"]

#: 6! = 720 simplices.
MOST_DIMENSIONS = 6


def box_complex(box: Box, n: int) -> Manifold:
    """The box in R^n, divided into k! simplices with its 2^k corners; k coordinates are not fixed.

    Every simplex is ``{x : u_p(1) ≥ … ≥ u_p(k)}`` for a permutation p, u the position in the box.
    **Source**: H. W. Kuhn, "Some combinatorial lemmas in topology", IBM J. Res. Dev. 4 (1960).

    Raises
    ------
    DomainError
        If the box has another dimension than n, or more than ``MOST_DIMENSIONS`` coordinates that
        are not fixed.

    Examples
    --------
    >>> box_complex(Box(-1, 1), 3).complex.cells
    (8, 19, 18, 6)
    """
    lower, upper = box.bounds(n)
    free = [i for i in range(n) if lower[i] != upper[i]]
    k = len(free)
    if k > MOST_DIMENSIONS:
        raise DomainError(
            f"the box has {k} dimensions, and would have {k}! simplices; at most "
            f"{MOST_DIMENSIONS} are divided: fix some coordinates"
        )
    entries = []
    for corner in product((0, 1), repeat=k):
        high = {i for i, at in zip(free, corner, strict=True) if at}
        entries += [upper[i] if i in high else lower[i] for i in range(n)]
    facets = []
    for order in permutations(range(k)):
        steps = np.cumsum([0, *(1 << (k - 1 - p) for p in order)])
        facets.append(steps)
    points = RationalArray.from_rationals(entries, (1 << k, n))
    return build_manifold(points, [np.array(facets, np.int64)], f"box of dimension {k}")
