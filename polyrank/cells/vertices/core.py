"""The native core's search over cells with vertices: one handle per search.

``polyrank/native/src/cells_with_vertices.hpp`` has the method. What float bounds and integers do
not decide is asked here: :meth:`VertexCore.run` returns ``ASK``, ``WITNESS`` or ``CERTIFY``, the
caller answers in rationals and calls again.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyrank.cells.statistics import STATISTICS
from polyrank.cells.vertices.root import RootArrays
from polyrank.native.records import Handle, Record, call
from polyrank.network.forward import codeword_bytes
from polyrank.posed.arrays import NetArrays

__all__ = [
    "ASK",
    "BUDGET",
    "CERTIFY",
    "DONE",
    "LOG_FULL",
    "OUTPUT_FULL",
    "WITNESS",
    "Counts",
    "KeptCells",
    "Regions",
    "Status",
    "TopCell",
    "VertexCore",
    "word_layout",
]

DONE, OUTPUT_FULL, BUDGET, LOG_FULL = 0, 1, 3, 4
"""All cells are finished; a batch is full; the steps are used up; the log has to be taken."""

ASK, WITNESS, CERTIFY = 10, 12, 13
"""Answer the questions; accept the cell on top with a witness; name rows for a miss."""


def word_layout(units: NDArray[np.int64], walls: int) -> NDArray[np.int64]:
    """First word of each layer's signs, then of the domain's rows, then the number of words."""
    words = [(int(n) + 63) // 64 for n in units]
    return np.cumsum([0, *words, max(1, (walls + 63) // 64)], dtype=np.int64)


class Status(ctypes.Structure):
    """Open cells, whether the one on top begins a layer, what waits to be taken, share done."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("open_cells", "fresh", "regions", "log_bytes")),
        *((f"kept_{what}", ctypes.c_int64) for what in ("vertices", "entries", "facets")),
        ("done_share", ctypes.c_double),
    ]
    open_cells: int
    fresh: int
    regions: int
    log_bytes: int
    kept_vertices: int
    kept_entries: int
    kept_facets: int
    done_share: float


class Counts(ctypes.Structure):
    """The counters of every search, and signs by integers, at layers' vertices, one by one."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in (*STATISTICS, "signs_by_integers", "layer_signs", "single_signs")
    ]


class _TopSizes(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int64)
        for name in (
            "layer", "fresh", "cone", "rows", "vertices", "labels", "questions", "certify_unit",
            "certify_side",
        )
    ]  # fmt: skip


class Regions(NamedTuple):
    """A batch of regions and the log since the last one."""

    bit: NDArray[np.uint8]
    zero: NDArray[np.uint8]
    rank: NDArray[np.int16]
    point: NDArray[np.float64]
    log: NDArray[np.uint8]


class KeptCells(NamedTuple):
    """Finished cells with their faces.

    A vertex has approximate cube coordinates ``x``, the bound ``err`` of their error, two bits for
    every sign (the layers one after the other, then the domain's rows) and three labels of
    hyperplanes (see :mod:`polyrank.cells.vertices.root`). For k = 3 a facet is the cycle of its
    vertices, anticlockwise seen from outside; for k = 2 the cell is one cycle. ``first`` has one
    row per region and one more: offsets of its vertices, cycle entries, facets.
    """

    first: NDArray[np.int64]
    x: NDArray[np.float64]
    err: NDArray[np.float64]
    pos: NDArray[np.uint64]
    neg: NDArray[np.uint64]
    label: NDArray[np.int64]
    cycle: NDArray[np.int64]  # numbers of vertices in the region
    facet_size: NDArray[np.int64]
    facet_label: NDArray[np.int64]


class _TopArrays(NamedTuple):
    vertex: NDArray[np.int64]
    vertex_label: NDArray[np.int64]
    pos: NDArray[np.uint64]
    neg: NDArray[np.uint64]
    label: NDArray[np.int64]
    open_units: NDArray[np.uint64]
    split_units: NDArray[np.uint64]
    question: NDArray[np.int64]
    row_unit: NDArray[np.int64]
    row_of: NDArray[np.int64]
    bit: NDArray[np.int8]
    zero: NDArray[np.int8]
    split: NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class TopCell:
    """The cell on top, the path that leads to it, and what is asked about it.

    Attributes
    ----------
    layer : int
    fresh : bool
        Its layer is not entered yet.
    cone : int
        Number of the root's cell that it lies in.
    rows : int
        Rows of the proof's cell; ``row_unit`` has their units, −1 for the domain's.
    vertex : (v,) int64 array
        Numbers of its vertices among the root's, −1 for others.
    vertex_label : (v, 3) int64 array
    pos, neg : (v, W) uint64 arrays
        Signs of its vertices.
    label : int64 array
        Labels of its facets.
    open_units, split_units : uint64 arrays
        Units of the layer whose sign is not in the proof yet, and those that bound the cell.
    question : (q, 6) int64 array
        Vertex, unit, number among the root's vertices, labels: signs that are asked for.
    row_of : (N,) int64 array
        Row of the proof's cell that a unit on the path is.
    bit, zero, split : (N,) int8 arrays
        The path: bits, identically zero, bounding.
    certify_unit, certify_side : int
        The miss whose rows are asked for.
    """

    layer: int
    fresh: bool
    cone: int
    rows: int
    certify_unit: int
    certify_side: int
    vertex: NDArray[np.int64]
    vertex_label: NDArray[np.int64]
    pos: NDArray[np.uint64]
    neg: NDArray[np.uint64]
    label: NDArray[np.int64]
    open_units: NDArray[np.uint64]
    split_units: NDArray[np.uint64]
    question: NDArray[np.int64]
    row_unit: NDArray[np.int64]
    row_of: NDArray[np.int64]
    bit: NDArray[np.int8]
    zero: NDArray[np.int8]
    split: NDArray[np.int8]


class VertexCore:
    """The compiled search from a root cell.

    Parameters
    ----------
    net : NetArrays
    root : RootArrays
    k : int
        Dimension of the cells, 1 to 3.
    output : int
        Most regions of a batch.
    keep : bool
        Keep finished cells with their faces.
    log : bool
        Write a proof log.
    """

    def __init__(
        self, net: NetArrays, root: RootArrays, k: int, *, output: int, keep: bool, log: bool
    ) -> None:
        self._network = Record.kept(net)  # the search reads it as long as it lives
        self._units = int(net.unit_start[-1])
        self._layer_words = (int(net.units.max()) + 63) // 64
        self._shape = (codeword_bytes(int(net.hyperplane.sum())), len(net.units), k)
        self._dim = root.x.shape[1]
        self.word_start = word_layout(net.units, root.walls)
        self._words = int(self.word_start[-1])
        pointer = call(
            "polyrank_vertices_new", self._network, Record.kept(root), k, output, keep, log,
            restype=Handle.pointer_type,
        )  # fmt: skip
        self._handle = Handle(pointer, "polyrank_vertices_free")

    def run(self, base: int, steps: int, seconds: float) -> int:
        """Go on until ``base`` cells are left open, so many steps or seconds; why it stopped."""
        code = int(call("polyrank_vertices_run", self._handle, base, steps, seconds))
        if code < 0:
            raise MemoryError("the cells with their vertices do not fit into memory")
        return code

    def accept(self, point: NDArray[np.float64]) -> None:
        """After ``WITNESS``: the cell on top is a region, with this point inside it."""
        if not call("polyrank_vertices_accept", self._handle, point):
            raise MemoryError("the kept cells do not fit into memory")

    def take_cell(self, cell: int) -> Handle:
        """Take an open cell, counted from the bottom of the stack, out of the search."""
        pointer = call("polyrank_vertices_take", self._handle, cell, restype=Handle.pointer_type)
        return Handle(pointer, "polyrank_vertices_free_task")

    @staticmethod
    def bytes_of(task: Handle) -> bytes:
        """An open cell that was taken out, as bytes for this build of the core."""
        size = 0
        while True:
            out = np.empty(size, dtype=np.uint8)
            needed = int(call("polyrank_vertices_task_bytes", task, out))
            if needed < 0:
                raise MemoryError("a cell with its vertices does not fit into memory")
            if needed <= size:
                return out[:needed].tobytes()
            size = needed

    def cell_of(self, data: bytes) -> Handle:
        """An open cell from the bytes that :meth:`bytes_of` gave, of a search of this problem.

        Raises
        ------
        ValueError
            If they are not those of a cell of this build and problem.
        """
        array = np.frombuffer(data, dtype=np.uint8)
        pointer = call(
            "polyrank_vertices_read_task", self._handle, array, restype=Handle.pointer_type
        )
        if not pointer:
            raise ValueError(f"{len(data)} bytes are no open cell of this search")
        return Handle(pointer, "polyrank_vertices_free_task")

    def load_cell(self, task: Handle) -> None:
        """Go on from a cell of another search of the same problem; none is open here."""
        if not call("polyrank_vertices_load", self._handle, task):
            raise MemoryError("a cell with its vertices does not fit into memory")

    def answer(self, signs: NDArray[np.int8]) -> None:
        """After ``ASK``: the signs of the questions, in their order."""
        if not call("polyrank_vertices_answer", self._handle, signs):
            raise MemoryError("the answers do not fit into memory")

    def certify(self, rows: NDArray[np.int64]) -> None:
        """After ``CERTIFY``: rows of the proof's cell with exact multipliers ≥ 0."""
        call("polyrank_vertices_certify", self._handle, rows)

    def open_segment(self) -> None:
        """Number the rows of the cell on top as a segment of the proof does."""
        call("polyrank_vertices_open_segment", self._handle)

    @property
    def status(self) -> Status:
        """Where the search stands."""
        out = Status()
        call("polyrank_vertices_status", self._handle, out)
        return out

    @property
    def counts(self) -> Counts:
        """Counters since the start."""
        out = Counts()
        call("polyrank_vertices_counts", self._handle, out)
        return out

    def take(self, status: Status, *, keep: bool) -> tuple[Regions, KeptCells | None]:
        """The regions, log and kept cells since the last time."""
        rows = status.regions
        code, layers, k = self._shape
        regions = Regions(
            np.empty((rows, code), dtype=np.uint8),
            np.empty((rows, code), dtype=np.uint8),
            np.empty((rows, layers), dtype=np.int16),
            np.empty((rows, k)),
            np.empty(status.log_bytes, dtype=np.uint8),
        )
        call("polyrank_vertices_results", self._handle, Record(regions))
        for array in regions:
            array.setflags(write=False)
        kept = self._kept(status) if keep else None
        call("polyrank_vertices_drain", self._handle)
        return regions, kept

    def _kept(self, status: Status) -> KeptCells:
        vertices, words = status.kept_vertices, self._words
        kept = KeptCells(
            np.empty((status.regions + 1, 3), dtype=np.int64),
            np.empty((vertices, self._dim)),
            np.empty(vertices),
            np.empty((vertices, words), dtype=np.uint64),
            np.empty((vertices, words), dtype=np.uint64),
            np.empty((vertices, 3), dtype=np.int64),
            np.empty(status.kept_entries, dtype=np.int64),
            np.empty(status.kept_facets, dtype=np.int64),
            np.empty(status.kept_facets, dtype=np.int64),
        )
        call("polyrank_vertices_kept", self._handle, Record(kept))
        return kept

    @property
    def top(self) -> TopCell:
        """The cell on top."""
        size = _TopSizes()
        call("polyrank_vertices_top_sizes", self._handle, size)
        i, u = np.int64, np.uint64
        arrays = _TopArrays(
            np.empty(size.vertices, dtype=i),
            np.empty((size.vertices, 3), dtype=i),
            np.empty((size.vertices, self._words), dtype=u),
            np.empty((size.vertices, self._words), dtype=u),
            np.empty(size.labels, dtype=i),
            np.empty(self._layer_words, dtype=u),
            np.empty(self._layer_words, dtype=u),
            np.empty((size.questions, 6), dtype=i),
            np.empty(size.rows, dtype=i),
            np.empty(self._units, dtype=i),
            np.empty(self._units, dtype=np.int8),
            np.empty(self._units, dtype=np.int8),
            np.empty(self._units, dtype=np.int8),
        )
        call("polyrank_vertices_top", self._handle, Record(arrays))
        return TopCell(
            size.layer,
            bool(size.fresh),
            size.cone,
            size.rows,
            size.certify_unit,
            size.certify_side,
            *arrays,
        )
