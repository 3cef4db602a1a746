"""The dictionary search of the native core, as an object.

``polyrank/native/src/search.hpp`` has the method.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.cells.statistics import STATISTICS
from polyrank.cells.task import Batch
from polyrank.native.records import Handle, Record, call
from polyrank.network.rational import fmpq_from_float
from polyrank.posed.arrays import NetArrays

__all__ = [
    "BUDGET",
    "DONE",
    "HARD_FULL",
    "LOG_FULL",
    "OUTPUT_FULL",
    "Dictionary",
    "HardCell",
    "LoadedPoints",
]

#: Why a run returned.
DONE, OUTPUT_FULL, HARD_FULL, BUDGET, LOG_FULL = 0, 1, 2, 3, 4

_CELLS = STATISTICS.index("cells")
_POINTERS = (
    "bit", "zero", "rank", "point", "point_low", "hard_layer", "hard_bit", "hard_split",
    "hard_flag", "hard_point", "hard_point_low", "log", "statistics",
)  # fmt: skip
_FIELDS = (
    "open", "regions", "code_bytes", "bit", "zero", "rank", "point", "thin", "point_low", "hard",
    "hard_layer", "hard_bit", "hard_split", "hard_flag", "hard_point", "hard_point_low",
    "log_size", "log", "done_share", "statistics",
)  # fmt: skip


class _View(ctypes.Structure):
    """``SearchView`` of the core."""

    _fields_ = [
        (
            name,
            ctypes.c_void_p
            if name in _POINTERS
            else ctypes.c_double
            if name == "done_share"
            else ctypes.c_int64,
        )
        for name in _FIELDS
    ]


class _Sizes(NamedTuple):
    """``SearchSizes`` of the core."""

    output: int
    hard: int
    points: int
    log: int
    bounds: int


@dataclass(frozen=True, slots=True, eq=False)
class HardCell:
    """A cell that float and integer arithmetic does not decide.

    Attributes
    ----------
    layer : int
        Layer whose units are being decided.
    decision, splits : ndarray of int8, shape (N,)
        As in :class:`~polyrank.cells.task.Task`.
    questions : list of int
        Units of the layer that are not decided.
    point : tuple of fmpq
        An interior point in the chart.
    """

    layer: int
    decision: NDArray[np.int8]
    splits: NDArray[np.int8]
    questions: list[int]
    point: tuple[fmpq, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPoints:
    """Points strictly inside a cell, as unevaluated sums of two doubles.

    Attributes
    ----------
    cube, cube_low : ndarray of float64, shape (p, d)
        In the cube, to one rounding of the first double each, or better.
    chart, chart_low : ndarray of float64, shape (p, k)
        In the chart, exactly.
    """

    cube: NDArray[np.float64]
    cube_low: NDArray[np.float64]
    chart: NDArray[np.float64]
    chart_low: NDArray[np.float64]


class Dictionary:
    """One search: a stack of open cells in the core, and buffers of what it has found.

    Parameters
    ----------
    net : NetArrays
    dim : int
        Dimension of the cube.
    output, hard : int
        Rows of the buffers of regions and of hard cells.
    points : int
        Greatest number of interior points that are kept; 0: as many as seem useful.
    log : bool
        Whether a proof log is written.
    bounds : bool, optional
        Whether the bounds of a box are no rows of the linear programs; default: in many dimensions.
    """

    def __init__(
        self,
        net: NetArrays,
        dim: int,
        *,
        output: int = 16384,
        hard: int = 256,
        points: int = 0,
        log: bool = False,
        bounds: bool | None = None,
    ) -> None:
        self._net = Record.kept(net)
        sizes = Record(
            _Sizes(output, hard, points, int(log), -1 if bounds is None else int(bounds))
        )
        pointer = call(
            "polyrank_search_new",
            self._net,
            dim,
            sizes,
            restype=Handle.pointer_type,
        )
        self._handle = Handle(pointer, "polyrank_search_free")
        self._layers = len(net.units)
        self._units = int(net.unit_start[-1])
        self._widest = int(net.units.max())
        self._chart_dim = len(net.centre)
        self._view = _View()
        self._look()
        # the counters stay where they are as long as the search lives
        self._counters = (ctypes.c_int64 * len(STATISTICS)).from_address(self._view.statistics)

    def _look(self) -> None:
        call("polyrank_search_view", self._handle, ctypes.addressof(self._view))

    @property
    def code_bytes(self) -> int:
        """Bytes of a codeword."""
        return int(self._view.code_bytes)

    @property
    def open_cells(self) -> int:
        """Cells on the stack."""
        return int(self._view.open)

    @property
    def done_share(self) -> float:
        """Share of the current task's tree that is done."""
        return float(self._view.done_share)

    @property
    def statistics(self) -> dict[str, int]:
        """The counters, since the search was made."""
        return dict(zip(STATISTICS, self._counters, strict=True))

    @property
    def cells(self) -> int:
        """Cells worked on, since the search was made."""
        return int(self._counters[_CELLS])

    def load(
        self,
        layer: int,
        decision: NDArray[np.int8],
        splits: NDArray[np.int8],
        points: LoadedPoints,
        *,
        paired: bool = False,
    ) -> bool:
        """Put a task on the empty stack.

        Parameters
        ----------
        layer : int
            0-based layer whose units are being decided, −1 for the root.
        decision, splits : ndarray of int8, shape (N,)
            As in :class:`~polyrank.cells.task.Task`.
        points : LoadedPoints
            Points strictly inside the cell.
        paired : bool
            As in :class:`~polyrank.cells.task.Task`: regions come in pairs then, one row each.

        Returns
        -------
        bool
            False where float arithmetic cannot prove a point to be inside.
        """
        return bool(
            call(
                "polyrank_search_load",
                self._handle,
                layer,
                int(paired),
                decision,
                splits,
                points.cube,
                points.cube_low,
                points.chart,
                points.chart_low,
            )
        )

    def run(self, budget: int) -> int:
        """Work on at most ``budget`` open cells; says why it returned."""
        code = int(call("polyrank_search_run", self._handle, self._layers, budget))
        self._look()
        return code

    def take(self) -> tuple[Batch | None, list[HardCell], bytes]:
        """The regions, the hard cells and the steps of the proof since the last call."""
        view, k = self._view, self._chart_dim
        batch = None
        if view.regions:
            rows = view.regions
            arrays = (
                self._array("bit", np.uint8, (rows, view.code_bytes)).copy(),
                self._array("zero", np.uint8, (rows, view.code_bytes)).copy(),
                self._array("rank", np.int16, (rows, self._layers)).copy(),
                self._array("point", np.float64, (rows, k)).copy(),
            )
            exact = self._thin_witnesses() if view.thin else {}
            arrays[3][list(exact)] = np.nan
            for array in arrays:
                array.setflags(write=False)
            batch = Batch(*arrays, exact)
        hard = []
        if view.hard:
            layers = self._array("hard_layer", np.int64, (view.hard,)).tolist()
            bits = self._array("hard_bit", np.int8, (view.hard, self._units)).copy()
            splits = self._array("hard_split", np.int8, (view.hard, self._units)).copy()
            flags = self._array("hard_flag", np.bool_, (view.hard, self._widest))
            points = self._array("hard_point", np.float64, (view.hard, k)).tolist()
            lows = self._array("hard_point_low", np.float64, (view.hard, k)).tolist()
            hard = [
                HardCell(layer, bit, split, np.flatnonzero(flag).tolist(), _sums(point, low))
                for layer, bit, split, flag, point, low in zip(
                    layers, bits, splits, flags, points, lows, strict=True
                )
            ]
        steps = self._array("log", np.uint8, (view.log_size,)).tobytes() if view.log_size else b""
        if batch is not None or hard or steps:
            call("polyrank_search_drained", self._handle)
            self._look()
        return batch, hard, steps

    def take_open(
        self,
    ) -> list[tuple[int, NDArray[np.int8], NDArray[np.int8], tuple[fmpq, ...]]]:
        """Layer, decisions, splits and an interior point of every open cell; empties the stack."""
        count = self.open_cells
        layer = np.zeros(count, dtype=np.int64)
        decision = np.zeros((count, self._units), dtype=np.int8)
        splits = np.zeros((count, self._units), dtype=np.int8)
        points, lows = np.zeros((2, count, self._chart_dim))
        call("polyrank_search_take_open", self._handle, layer, decision, splits, points, lows)
        self._look()
        exact = map(_sums, points.tolist(), lows.tolist())
        return list(zip(layer.tolist(), decision, splits, exact, strict=True))

    def take_last(self) -> Handle:
        """Take the open cell that comes last out of the search, for another of the same problem.

        It holds all that the search knows of the cell: the other one finds exactly what this one
        would have found.
        """
        pointer = call("polyrank_search_take_last", self._handle, restype=Handle.pointer_type)
        self._look()
        return Handle(pointer, "polyrank_search_free_task")

    def adopt(self, task: Handle) -> None:
        """Go on from a cell of another search of the same problem; no cell is open here."""
        call("polyrank_search_adopt", self._handle, task)
        self._look()

    def _thin_witnesses(self) -> dict[int, tuple[fmpq, ...]]:
        """The witnesses that are no float64 points, by row."""
        shape = (int(self._view.regions), self._chart_dim)
        low = self._array("point_low", np.float64, shape)
        high = self._array("point", np.float64, shape)
        return {
            row: _sums(high[row].tolist(), low[row].tolist())
            for row in np.flatnonzero(low.any(axis=1)).tolist()
        }

    def _array(self, name: str, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        """The view's array of that name; it is the core's memory."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size == 0:
            return np.zeros(shape, dtype=dtype)
        memory = (ctypes.c_char * size).from_address(getattr(self._view, name))
        return np.frombuffer(memory, dtype=dtype).reshape(shape)


def _sums(high: list[float], low: list[float]) -> tuple[fmpq, ...]:
    return tuple(
        fmpq_from_float(a) + fmpq_from_float(b) if b else fmpq_from_float(a)
        for a, b in zip(high, low, strict=True)
    )
