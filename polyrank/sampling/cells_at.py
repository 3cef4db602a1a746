"""One region given by its codeword: exact rows in chart coordinates, facets, volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.chart import Chart
from polyrank.graph.polytope import generators, volume
from polyrank.lp.exact import Cell, nonnegative, strictly_inside
from polyrank.lp.farkas import Multipliers, integer_row, integer_rows, value_at
from polyrank.network.normal_form import Network

__all__ = ["LocalFacet", "facets", "region_rows", "region_volume"]

IntRow = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LocalFacet:
    """One facet: its row (positive inside), what carries it, and a point beyond it.

    ``names`` are ``"layer K unit i"`` (1-based) or the name of a wall of the domain.
    """

    row: IntRow
    names: tuple[str, ...]
    wall: bool
    beyond: fmpq_mat


def region_rows(
    network: Network, chart: Chart, bits: NDArray[np.bool_]
) -> dict[IntRow, list[tuple[str, bool]]]:
    """Distinct rows ``a·y + b > 0`` of a region, each with what carries it (name, is a wall)."""
    out: dict[IntRow, list[tuple[str, bool]]] = {}
    for row, name in zip(integer_rows(chart.A, chart.b), chart.names, strict=True):
        out.setdefault(row, []).append((name, True))
    J, c = chart.basis, chart.origin
    position = 0
    for k, layer in enumerate(network.layers):
        if not any(network.bits[k:]):
            break
        J, c = layer.weight_exact * J, layer.weight_exact * c + layer.bias_exact
        table, constants = J.tolist(), c.entries()
        scaled: list[fmpq] = []
        shifted: list[fmpq] = []
        for i, (pair, split) in enumerate(
            zip(layer.slopes_exact, layer.has_hyperplane.tolist(), strict=True)
        ):
            on = True
            if split:
                on = bool(bits[position])
                position += 1
                if any(v != 0 for v in table[i]):
                    row = integer_row([*table[i], constants[i]])
                    row = row if on else tuple(-v for v in row)
                    out.setdefault(row, []).append((f"layer {k + 1} unit {i + 1}", False))
            slope = pair[1] if on else pair[0]
            scaled += [slope * v for v in table[i]]
            shifted.append(slope * constants[i])
        J = fmpq_mat(layer.units, chart.k, scaled)
        c = fmpq_mat(layer.units, 1, shifted)
    return out


def facets(rows: dict[IntRow, list[tuple[str, bool]]], inside: fmpq_mat) -> list[LocalFacet]:
    """All facets of a region; every other row is proved redundant by Farkas multipliers.

    Parameters
    ----------
    rows : dict
        As from :func:`region_rows`.
    inside : fmpq_mat, shape (k, 1)
        A strictly interior point.
    """
    kept = dict(rows)
    out: list[LocalFacet] = []
    for row, carried in rows.items():
        cell = Cell.from_rows([other for other in kept if other != row], inside.nrows())
        verdict = nonnegative(cell, row, inside)
        if isinstance(verdict, Multipliers):
            del kept[row]
            continue
        beyond = strictly_inside(cell, row, verdict.point, inside)
        names = tuple(name for name, _ in carried)
        out.append(LocalFacet(row, names, any(wall for _, wall in carried), beyond))
    return out


def region_volume(
    network: Network, chart: Chart, bits: NDArray[np.bool_], inside: fmpq_mat
) -> fmpq | None:
    """Exact volume of a region in chart coordinates; None if it is infinite."""
    found = [f.row for f in facets(region_rows(network, chart, bits), inside)]
    return volume(generators(found, chart.k), len(found))


def is_strictly_inside(rows: dict[IntRow, list[tuple[str, bool]]], point: fmpq_mat) -> bool:
    """Whether a point satisfies every row strictly."""
    return all(value_at(row, point) > 0 for row in rows)
