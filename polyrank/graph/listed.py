"""The regions of a run as a walk over their facets reads them."""

from __future__ import annotations

import numpy as np
from flint import fmpq_mat

from polyrank.graph.listing import chart_of_run, codes_of_run
from polyrank.network.forward import unpack_bits
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float
from polyrank.posed.branch import WALL, RowName
from polyrank.posed.problem import Problem
from polyrank.posed.region import Region
from polyrank.regions.run import Run

__all__ = ["ListedRegions"]


class ListedRegions:
    """Codewords and witnesses of all regions, and the problem that they solve.

    Rows are numbered as in the walk: the walls of the domain, then the units.

    Parameters
    ----------
    run : Run
    network : Network

    Raises
    ------
    RunError
        If the network is not the run's or a codeword is listed twice.
    """

    def __init__(self, run: Run, network: Network) -> None:
        self.chart = chart_of_run(run, network)
        bits = [k for k, count in enumerate(network.bits[: run.layers], start=1) if count]
        self.layers = max(bits, default=1)
        self.problem = Problem(network, self.chart, self.layers)
        self.cube, self.net = self.problem.cube, self.problem.arrays
        self.codes, self.spelled = codes_of_run(run, self.net, self.layers)
        self.count = len(self.codes.code)
        self.walls = len(self.net.wall_rows)

    def bit(self, row: int) -> int:
        """The codeword bit of a row, or −1 − its number for a wall."""
        return -1 - row if row < self.walls else int(self.codes.bit[row - self.walls])

    def row_name(self, row: int) -> RowName:
        """The wall or unit of a row."""
        if row < self.walls:
            return RowName(WALL, row)
        layer = int(np.searchsorted(self.net.unit_start, row - self.walls, side="right"))
        return RowName(layer, row - self.walls - int(self.net.unit_start[layer - 1]))

    def row_number(self, name: RowName) -> int:
        """The row of a wall or unit."""
        if name.layer == WALL:
            return name.number
        return self.walls + int(self.net.unit_start[name.layer - 1]) + name.number

    def region(self, r: int) -> tuple[Region, fmpq_mat]:
        """A region and its witness."""
        bits = unpack_bits(self.codes.code[r])
        witness = self.spelled.get(r)
        if witness is None:
            witness = tuple(fmpq_from_float(v) for v in self.codes.witness[r].tolist())
        return Region(self.problem, bits), fmpq_mat(len(witness), 1, list(witness))
