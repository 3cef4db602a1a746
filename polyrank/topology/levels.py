"""Homology of level sets and decision boundaries."""

from __future__ import annotations

from polyrank.complex.level_set import LevelSet, subcomplex
from polyrank.topology.chain import ChainComplex
from polyrank.topology.homology_groups import Homology, homology

__all__ = ["level_homology"]


def level_homology(level: LevelSet, coefficients: str | int = "Z") -> Homology:
    """Homology of the level set, cut off by the domain's wall.

    **Proves**: the groups of the closed subcomplex {x in the domain : form(x) = 0}. **Does not
    prove** anything about the level set outside the domain.
    """
    cells, boundary = subcomplex(level.complex, level.mask)
    return homology(ChainComplex(cells, boundary), coefficients)
