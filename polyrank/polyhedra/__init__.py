"""H-polyhedra as domains: whole space, box, polytope, slice, simplex, VNN-LIB input constraints."""

from __future__ import annotations

from polyrank.polyhedra.domain import (
    Box,
    Domain,
    Polytope,
    Simplex,
    Slice,
    WholeSpace,
    domain_from_dict,
)
from polyrank.polyhedra.system import AffineSystem

__all__ = [
    "AffineSystem",
    "Box",
    "Domain",
    "Polytope",
    "Simplex",
    "Slice",
    "WholeSpace",
    "domain_from_dict",
]
