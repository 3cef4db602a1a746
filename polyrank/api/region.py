"""One region of a run as an object: every part is worked out when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.errors import UnsupportedError
from polyrank.graph.geometry import RegionGeometry
from polyrank.graph.region_graph import MISSING
from polyrank.network.forward import affine_map, unpack_bits
from polyrank.network.rational import nearest_float
from polyrank.regions.run import witness_point
from polyrank.report.polygons import in_order
from polyrank.report.tables import word_text

if TYPE_CHECKING:
    from polyrank.api.run import Run

__all__ = ["Facet", "Region", "Selection"]


@dataclass(frozen=True, slots=True)
class Facet:
    """A facet of a region.

    Attributes
    ----------
    name : str
        ``"layer K unit i"``, both counted from 1, or the name of a wall of the domain.
    neighbour : int or None
        The region on the other side; None at a wall, or where a partial run does not list it.
    wall : bool
    """

    name: str
    neighbour: int | None
    wall: bool


class Region:
    """A region of a run.

    Attributes are read or computed when they are asked for. Those that need the network
    (``A``, ``c``, ``affine_map_exact``) or the region graph (``facets``, ``neighbours``,
    ``vertices``, ``polygon``, ``volume``) make or read it once for the whole run; where the network
    is not known they raise RunError.

    **Proves**: it is a region: its witness was verified with exact signs, its ranks are exact.
    """

    def __init__(self, run: Run, index: int) -> None:
        self.run, self.index = run, index

    def __repr__(self) -> str:
        ranks = " ".join(map(str, self.ranks))
        text = word_text(self.codeword, self.run.layer_bits)
        shown = text if len(text) <= 64 else f"{text[:61]}..."
        return f"Region({self.index}, codeword {shown}, ranks {ranks})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Region) and self.run is other.run and self.index == other.index

    def __hash__(self) -> int:
        return hash((id(self.run), self.index))

    @cached_property
    def _row(self) -> dict[str, Any]:
        return self.run.rows[self.index]

    @property
    def codeword(self) -> NDArray[np.bool_]:
        """One bit per unit with a hyperplane, (N,), layer after layer: True where z > 0."""
        packed = np.frombuffer(self._row["codeword"], np.uint8)
        return unpack_bits(packed, self.run.bits)

    @property
    def codeword_by_layer(self) -> tuple[NDArray[np.bool_], ...]:
        """The codeword, one array per layer that was enumerated."""
        ends = np.cumsum(self.run.layer_bits)[:-1]
        return tuple(np.split(self.codeword, ends))

    @property
    def ranks(self) -> tuple[int, ...]:
        """Exact rank through every layer, the output (or the last enumerated) last."""
        return tuple(int(self._row[f"rank_{k}"]) for k in range(1, self.run.layers + 1))

    @property
    def witness_exact(self) -> tuple[fmpq, ...]:
        """A point x of the input space strictly inside, (n,), exact."""
        y = witness_point(self._row["witness"], self._row["witness_exact"])
        x = self.run.origin + self.run.basis * fmpq_mat(len(y), 1, list(y))
        return tuple(x.entries())

    @property
    def witness(self) -> NDArray[np.float64]:
        """The floats nearest to ``witness_exact``, (n,); rounding may leave a thin region."""
        return np.array([nearest_float(v) for v in self.witness_exact])

    def affine_map_exact(self, layer: int | None = None) -> tuple[fmpq_mat, fmpq_mat]:
        """The map x ↦ A x + c that the network is on the region, through a layer, exactly.

        Parameters
        ----------
        layer : int, optional
            1-based; default: the last that was enumerated.

        Returns
        -------
        A : fmpq_mat, shape (units, n)
        c : fmpq_mat, shape (units, 1)

        Raises
        ------
        RunError
            If the network is not known; see :meth:`polyrank.api.run.Run.source`.
        NetworkError
            If there is no such layer.
        """
        k = self.run.layers if layer is None else layer
        return affine_map(self.run.source(), self.codeword, layer=k)

    @property
    def A(self) -> NDArray[np.float64]:
        """Linear part through the last layer, (units, n), to nearest floats."""
        return _floats(self.affine_map_exact()[0])

    @property
    def c(self) -> NDArray[np.float64]:
        """Constant part through the last layer, (units,), to nearest floats."""
        return _floats(self.affine_map_exact()[1])[:, 0]

    @property
    def facets(self) -> tuple[Facet, ...]:
        """The facets: what they lie on and what is behind them."""
        graph = self.run.access.graph
        begin, end = graph.facet_start[self.index : self.index + 2]
        names, walls = self.run.unit_names, self.run.access.chart.names
        found = []
        for unit, to in zip(
            graph.facet_unit[begin:end].tolist(), graph.facet_to[begin:end].tolist(), strict=True
        ):
            name = walls[-1 - unit] if unit < 0 else names[unit]
            found.append(Facet(name, to if to >= 0 else None, unit < 0 and to != MISSING))
        return tuple(found)

    @property
    def neighbours(self) -> tuple[Region, ...]:
        """The regions that share a facet with this one."""
        found = self.run.access.graph.neighbours(self.index)
        return tuple(Region(self.run, int(r)) for r in found)

    @cached_property
    def geometry(self) -> RegionGeometry:
        """Rows, vertices, rays and lineality in chart coordinates, exact."""
        return self.run.access.geometry(self.index)

    @property
    def vertices(self) -> NDArray[np.float64]:
        """Vertices in chart coordinates, (v, k), to nearest floats; counter-clockwise for k = 2.

        For a domain of full dimension these are points of the input space. Those of an unbounded
        region do not tell it: see ``geometry.generators``.
        """
        found = list(dict.fromkeys(self.geometry.generators.vertices))
        if self.run.coordinates == 2 and self.geometry.bounded:
            found = [tuple(p) for p in in_order([(p[0], p[1]) for p in found])]
        points = [[nearest_float(v) for v in p] for p in found]
        return np.array(points).reshape(len(points), self.run.coordinates)

    @property
    def polygon(self) -> NDArray[np.float64]:
        """The vertices of a bounded region of two dimensions, counter-clockwise, (v, 2).

        Raises
        ------
        UnsupportedError
            If the region is not two-dimensional or not bounded.
        """
        if self.run.dimension != 2 or not self.geometry.bounded:
            raise UnsupportedError(
                "only a bounded region of a two-dimensional domain is a polygon; its vertices "
                "are .vertices, its rays .geometry.generators.rays"
            )
        return self.vertices

    @property
    def volume_exact(self) -> fmpq | None:
        """Exact k-dimensional volume in chart coordinates; None if it is infinite."""
        return self.geometry.volume

    @property
    def volume(self) -> float:
        """The float nearest to ``volume_exact``; infinity where that is None."""
        exact = self.volume_exact
        return float("inf") if exact is None else nearest_float(exact)


def _floats(matrix: fmpq_mat) -> NDArray[np.float64]:
    values = [nearest_float(v) for v in matrix.entries()]
    return np.array(values).reshape(matrix.nrows(), matrix.ncols())


class Selection(Sequence[Region]):
    """Some regions of a run, by number.

    Parameters
    ----------
    run : Run
    numbers : ndarray of int64, or range
    """

    def __init__(self, run: Run, numbers: NDArray[np.int64] | range) -> None:
        self.run = run
        self._numbers = numbers

    @property
    def ids(self) -> NDArray[np.int64]:
        """The numbers of the regions, (r,)."""
        return np.asarray(self._numbers, np.int64)

    def __repr__(self) -> str:
        return f"Selection({len(self):,} of {len(self.run):,} regions)"

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Region]:
        return (Region(self.run, int(r)) for r in self._numbers)

    @overload
    def __getitem__(self, at: int) -> Region: ...
    @overload
    def __getitem__(self, at: slice) -> Selection: ...
    def __getitem__(self, at: int | slice) -> Region | Selection:
        if isinstance(at, slice):
            return Selection(self.run, self._numbers[at])
        return Region(self.run, int(self._numbers[at]))
