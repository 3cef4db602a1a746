"""Lowering of dataflow graphs to the normal form, by exact composition of affine maps."""

from __future__ import annotations

from polyrank.network.graph.affine import Affine, LinearMap
from polyrank.network.graph.tape import Tape

__all__ = ["Affine", "LinearMap", "Tape"]
