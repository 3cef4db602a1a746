"""What ``minrank`` returns: a proved interval, its best region, the regions of low rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.brief import brief
from polyrank.minrank.deep import DeepWitness, Depth

__all__ = ["LowRegion", "MaximumRank", "MinimumRank"]


@dataclass(frozen=True, slots=True, eq=False)
class LowRegion:
    """A region with its exact rank and a rational point strictly inside it.

    Attributes
    ----------
    codeword : ndarray of bool
        Bits of layers 1..K.
    rank : int
        Exact rank of the map through layer K, restricted to the domain's affine hull.
    witness : tuple of fmpq
        Point x of the input space, inside the domain's relative interior; every unit has a strict
        sign there or vanishes identically on the region.
    chart_point : fmpq_mat, shape (k, 1)
        The same point in the chart's coordinates: x = origin + basis y.
    """

    codeword: NDArray[np.bool_]
    rank: int
    witness: tuple[fmpq, ...]
    chart_point: fmpq_mat

    @property
    def word(self) -> str:
        """The codeword as text, one 0 or 1 per bit."""
        return "".join(str(int(v)) for v in self.codeword)

    def summary(self) -> dict[str, Any]:
        """JSON-serialisable; the point as exact fractions."""
        return {
            "codeword": self.word,
            "rank": self.rank,
            "witness": [str(v) for v in self.witness],
        }


@brief("layer", "lower", "certified", upper=lambda found: found.best.rank)
@dataclass(frozen=True, slots=True, eq=False)
class MinimumRank:
    """Bounds of the least rank through a layer over all regions of a domain.

    **Proves**: every region has rank ≥ ``lower``; ``best`` is a region of rank ``best.rank``. With
    ``complete``, ``regions`` are all regions of rank < ``below``, each once. **Does not prove**
    anything by ``solver_bound``, which is a floating-point solver's word.

    Attributes
    ----------
    layer : int
        K, 1-based.
    below : int or None
        None if regions were not to be listed.
    lower : int
    best : LowRegion
    depth : Depth
        The least ``|z|`` at its witness.
    regions : tuple of LowRegion
        By rank, then codeword.
    complete : bool
        False if the time limit or the limit on the list ended it, or nothing was to be listed.
    solver_bound : int or None
        The MILP solver's lower bound of the number of live units, if it was asked. Not proved, and
        not a bound of the rank: dependent units have a smaller rank than number.
    enumerated : int or None
        The number of all regions of layers 1..K, if there were few and they were enumerated.
    cells, pruned, nodes, programs : int
        Cells of the layers below whose units were searched; prefixes that the chain bound ended;
        nodes and linear programs of the searches.
    seconds : float
    deep : DeepWitness or None
        A deep point of the best region, if one was asked for and found in time.
    """

    layer: int
    below: int | None
    lower: int
    best: LowRegion
    depth: Depth
    regions: tuple[LowRegion, ...]
    complete: bool
    solver_bound: int | None
    enumerated: int | None
    cells: int
    pruned: int
    nodes: int
    programs: int
    seconds: float
    deep: DeepWitness | None = None

    @property
    def exact(self) -> bool:
        """True if the bounds meet: the least rank is ``lower``."""
        return self.best.rank == self.lower

    @property
    def certified(self) -> bool:
        """True if everything that was asked for is proved: the least rank, and the list."""
        return self.exact and (self.complete or self.below is None)

    def summary(self) -> dict[str, Any]:
        """JSON-serialisable; codewords as text, points exact."""
        return {
            "layer": self.layer,
            "lower": self.lower,
            "upper": self.best.rank,
            "certified": self.certified,
            "best": {**self.best.summary(), "least_pre_activation": _spelled(self.depth)},
            "deep": _spelled_witness(self.deep),
            "below": self.below,
            "regions": [region.summary() for region in self.regions],
            "complete": self.complete if self.below is not None else None,
            "solver_bound_not_proved": self.solver_bound,
            "enumerated": self.enumerated,
            "cells": self.cells,
            "pruned": self.pruned,
            "nodes": self.nodes,
            "programs": self.programs,
            "seconds": self.seconds,
        }


@brief("layer", "lower", "upper", "certified")
@dataclass(frozen=True, slots=True, eq=False)
class MaximumRank:
    """Bounds of the greatest rank through a layer over all regions of a domain.

    **Proves**: every region has rank ≤ ``upper``; ``best`` is a region of rank ``best.rank``.

    Attributes
    ----------
    layer : int
        K, 1-based.
    upper : int
    best : LowRegion
    depth : Depth
        The least ``|z|`` at its witness.
    cells, pruned, nodes, programs : int
        Cells of the layers below whose units were looked at; those among them that cannot hold a
        greater rank; nodes and linear programs of the searches.
    seconds : float
    deep : DeepWitness or None
        A deep point of the best region, if one was asked for and found in time.
    """

    layer: int
    upper: int
    best: LowRegion
    depth: Depth
    cells: int
    pruned: int
    nodes: int
    programs: int
    seconds: float
    deep: DeepWitness | None = None

    @property
    def lower(self) -> int:
        """The rank of the best region."""
        return self.best.rank

    @property
    def certified(self) -> bool:
        """True if the bounds meet: the greatest rank is ``upper``."""
        return self.best.rank == self.upper

    def summary(self) -> dict[str, Any]:
        """JSON-serialisable; codewords as text, points exact."""
        return {
            "layer": self.layer,
            "greatest": True,
            "lower": self.best.rank,
            "upper": self.upper,
            "certified": self.certified,
            "best": {**self.best.summary(), "least_pre_activation": _spelled(self.depth)},
            "deep": _spelled_witness(self.deep),
            "cells": self.cells,
            "pruned": self.pruned,
            "nodes": self.nodes,
            "programs": self.programs,
            "seconds": self.seconds,
        }


def _spelled_witness(deep: DeepWitness | None) -> dict[str, Any] | None:
    if deep is None:
        return None
    return {
        "witness": [str(v) for v in deep.point],
        "least_pre_activation": _spelled(deep.depth),
        "unbounded": deep.unbounded,
    }


def _spelled(depth: Depth) -> dict[str, Any]:
    return {"value": str(depth.value), "layer": depth.layer, "unit": depth.unit}
