"""Lowering of dataflow graphs to the normal form, by exact composition of affine maps."""

from __future__ import annotations

from polyrank.network.lowering.affine import Affine, LinearMap
from polyrank.network.lowering.tape import Tape

__all__ = ["Affine", "LinearMap", "Tape"]
