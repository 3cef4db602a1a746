"""The posed problem: a network on a domain, built once and handed to every engine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from flint import fmpq_mat

from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Domain
from polyrank.posed.arrays import NetArrays, net_arrays
from polyrank.posed.branch import Branch
from polyrank.posed.chart import Chart
from polyrank.posed.cube import CubeMap, IntRow, cube_map, cube_rows, wall_rows
from polyrank.posed.dependence import Units, units_of
from polyrank.posed.ranks import ExactRanks
from polyrank.posed.section import chart_for

__all__ = ["Problem"]


@dataclass(frozen=True, eq=False)
class Problem:
    """The first layers of a network on a chart; what follows from them is made once, on demand.

    Exact things are in the coordinates y of the chart. The cube belongs to floats.

    Attributes
    ----------
    network : Network
    chart : Chart
    layers : int
        Number of layers, counted from the first.
    """

    network: Network
    chart: Chart
    layers: int

    @classmethod
    def of(cls, network: Network, chart: Chart, through_layer: int | None = None) -> Problem:
        """A network on a chart, through layer K or all layers.

        Raises
        ------
        UnsupportedError
            If a layer is too large for a dense matrix.
        """
        depth = through_layer or len(network.layers)
        network.through(depth).check_dense()
        return cls(network, chart, depth)

    @classmethod
    def on(cls, network: Network, domain: Domain, through_layer: int | None = None) -> Problem:
        """A network on a domain, in the chart in which it is searched.

        Raises
        ------
        EmptyDomainError, DomainError, TypeError
            As :func:`polyrank.posed.section.chart_for`.
        """
        return cls.of(network, chart_for(network, domain), through_layer)

    @cached_property
    def branch(self) -> Branch:
        """The exact affine maps, by prefixes of signs."""
        return Branch.on(self.network, self.chart)

    @cached_property
    def ranks(self) -> ExactRanks:
        """The exact ranks through every layer, by codewords."""
        return ExactRanks(self.branch, self.layers)

    @property
    def cube(self) -> CubeMap:
        """The map to the cube coordinates of the float search.

        Raises
        ------
        DomainError
            If the domain is too wide, too narrow or too far out for floats.
        """
        return self._shared.cube

    @property
    def first_rows(self) -> fmpq_mat:
        """Exact rows of layer 1 in cube coordinates, shape (units, d + 1)."""
        return self._shared.first_rows

    @property
    def walls(self) -> tuple[IntRow, ...]:
        """Walls in cube coordinates, in integers: :func:`polyrank.posed.cube.wall_rows`."""
        return self._shared.walls

    @cached_property
    def units(self) -> Units:
        """What is known of the units beforehand, of networks of any range."""
        return units_of(self.network.layers[: self.layers], self.first_rows)

    @property
    def arrays(self) -> NetArrays:
        """The network as the compiled search reads it.

        Raises
        ------
        DomainError
            As :attr:`cube`.
        UnsupportedError
            If a weight, a slope or a rational bias is too large or too small for float64 products.
        """
        return self._shared.arrays

    @cached_property
    def _shared(self) -> _Shared:
        return _shared(self.network, self.chart, self.layers)


@lru_cache(maxsize=4)  # a network is asked again on its domain, and every thread has a problem
def _shared(network: Network, chart: Chart, layers: int) -> _Shared:
    return _Shared(network, chart, layers)


@dataclass(frozen=True, eq=False)
class _Shared:
    """What all problems of a network on a chart share: nobody writes to it."""

    network: Network
    chart: Chart
    layers: int

    @cached_property
    def cube(self) -> CubeMap:
        return cube_map(self.network, self.chart)

    @cached_property
    def first_rows(self) -> fmpq_mat:
        branch = Branch.on(self.network, self.chart)
        return cube_rows(branch.preactivation(1, np.zeros(0, dtype=bool)), self.cube)

    @cached_property
    def walls(self) -> tuple[IntRow, ...]:
        return tuple(wall_rows(self.chart, self.cube))

    @cached_property
    def arrays(self) -> NetArrays:
        return net_arrays(self)
