"""One region given by its codeword: its exact rows in chart coordinates, and its volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.graph.double_description import vertices_and_rays
from polyrank.graph.polytope import volume
from polyrank.lp.farkas import integer_row, integer_rows
from polyrank.network.normal_form import Network
from polyrank.posed.branch import Branch
from polyrank.posed.chart import Chart

__all__ = ["CellRows", "Row", "region_rows", "region_volume"]

Row = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CellRows:
    """The rows of a region in chart coordinates.

    Attributes
    ----------
    rows : dict
        Distinct rows ``a·y + b > 0`` that hold inside, each with the names of what carries it:
        ``"layer K unit i"``, 1-based, or the name of a wall of the domain. Units without a linear
        part are left out: their sign is the same on all of the region.
    walls : frozenset of Row
        Those that are a wall of the domain.
    """

    rows: dict[Row, tuple[str, ...]]
    walls: frozenset[Row]


def region_rows(network: Network, chart: Chart, bits: NDArray[np.bool_]) -> CellRows:
    """The rows of the region with a codeword, of bool bits ``(B,)``."""
    out: dict[Row, tuple[str, ...]] = {}
    for row, name in zip(integer_rows(chart.A, chart.b), chart.names, strict=True):
        out[row] = (*out.get(row, ()), name)
    walls = frozenset(out)
    branch = Branch.on(network, chart)
    last = max((k for k, count in enumerate(network.bits, 1) if count), default=0)
    for k, layer in enumerate(network.layers[:last], 1):
        active = branch.active(k, bits)
        for i, entries in enumerate(branch.preactivation(k, bits).tolist()):
            if layer.has_hyperplane[i] and any(v != 0 for v in entries[:-1]):
                inside = integer_row(entries if active[i] else [-v for v in entries])
                out[inside] = (*out.get(inside, ()), f"layer {k} unit {i + 1}")
    return CellRows(out, walls)


def region_volume(network: Network, chart: Chart, bits: NDArray[np.bool_]) -> fmpq | None:
    """Exact volume of a region in chart coordinates; None if it is infinite or there is none."""
    rows = list(region_rows(network, chart, bits).rows)
    return volume(vertices_and_rays(rows, chart.k), len(rows))
