"""The bisection of the native core, as an object.

``polyrank/native/src/bisection.hpp`` has the method.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyrank.native.records import Handle, Record, call
from polyrank.verification.arrays import BoundArrays

__all__ = ["BUDGET", "CANDIDATE", "DONE", "HARD_FULL", "Bisection", "Taken"]

#: Why a run returned.
DONE, BUDGET, HARD_FULL, CANDIDATE = 0, 1, 2, 3

Floats = NDArray[np.float64]


class _View(ctypes.Structure):
    """``BisectionView`` of the core."""

    _fields_ = [
        ("open", ctypes.c_int64),
        ("boxes", ctypes.c_int64),
        ("closed", ctypes.c_int64),
        ("log_size", ctypes.c_int64),
        ("log", ctypes.c_void_p),
        ("hard", ctypes.c_int64),
        ("hard_boxes", ctypes.c_void_p),
        ("hard_signs", ctypes.c_void_p),
        ("candidates", ctypes.c_int64),
        ("candidate_points", ctypes.c_void_p),
        ("done_share", ctypes.c_double),
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What was found since the last call.

    Attributes
    ----------
    log : bytes
        Steps of the tree.
    hard : (h, 2, d)
        Hard boxes.
    signs : (h, units)
        The signs of units that are assumed on each, or 0.
    candidates : (p, d)
        Points.
    """

    log: bytes
    hard: Floats
    signs: NDArray[np.int8]
    candidates: Floats


class Bisection:
    """One search: a stack of open boxes in the core, and what it has found.

    Parameters
    ----------
    net : BoundArrays
    dim : int
        Number of inputs d.
    soft_depth, most_depth : int
        A box that was halved as often is handed back as hard: where few units are open on it, and
        in any case.
    by_units : bool
        Cells are divided by the signs of units while any are open, and by halves of the box then.
    """

    def __init__(
        self, net: BoundArrays, dim: int, *, soft_depth: int, most_depth: int, by_units: bool
    ) -> None:
        self._net = Record(net)
        self._dim = dim
        self._units = int(net.unit_start[-1])
        pointer = call(
            "polyrank_bisection_new",
            self._net,
            dim,
            soft_depth,
            most_depth,
            int(by_units),
            restype=Handle.pointer_type,
        )
        self._handle = Handle(pointer, "polyrank_bisection_free")
        self._view = _View()
        self._look()

    def _look(self) -> None:
        call("polyrank_bisection_view", self._handle, ctypes.addressof(self._view))

    @property
    def inputs(self) -> int:
        """Number of inputs d."""
        return self._dim

    @property
    def units(self) -> int:
        """Number of units of which signs can be assumed."""
        return self._units

    @property
    def open_boxes(self) -> int:
        """Boxes on the stack."""
        return int(self._view.open)

    @property
    def boxes(self) -> int:
        """Boxes worked on, since the search was made."""
        return int(self._view.boxes)

    @property
    def done_share(self) -> float:
        """Share of the first box's volume that was done since the current task was begun."""
        return float(self._view.done_share)

    def start(self, low: Floats, high: Floats, depth: int = 0) -> None:
        """Put a box on the empty stack."""
        call("polyrank_bisection_start", self._handle, low, high, depth)
        self._look()

    def run(self, budget: int) -> int:
        """Work on at most ``budget`` boxes; says why it returned.

        Raises
        ------
        MemoryError
        """
        code = int(call("polyrank_bisection_run", self._handle, budget))
        if code < 0:
            raise MemoryError("the native core could not allocate its boxes")
        self._look()
        return code

    def take(self) -> Taken:
        """What was found since the last call."""
        view, d = self._view, self._dim
        log = ctypes.string_at(view.log, view.log_size) if view.log_size else b""
        hard = _copied(view.hard_boxes, 2 * d * view.hard).reshape(view.hard, 2, d)
        count = self._units * view.hard
        flat = ctypes.string_at(view.hard_signs, count) if count and view.hard_signs else b""
        signs = np.frombuffer(flat, dtype=np.int8).reshape(view.hard, self._units)
        points = _copied(view.candidate_points, view.candidates).reshape(
            view.candidates // max(1, d), d
        )
        call("polyrank_bisection_drained", self._handle)
        self._look()
        return Taken(log, hard, signs, points)

    def take_last(self) -> Handle:
        """Take the open box that comes last out of the search, for another of the same problem."""
        pointer = call("polyrank_bisection_take_last", self._handle, restype=Handle.pointer_type)
        self._look()
        return Handle(pointer, "polyrank_bisection_free_task")

    def adopt(self, task: Handle) -> None:
        """Go on from a box of another search of the same problem; no box is open here."""
        call("polyrank_bisection_adopt", self._handle, task)
        self._look()


def _copied(address: int | None, count: int) -> Floats:
    if not count or not address:
        return np.zeros(count)
    return np.frombuffer(ctypes.string_at(address, 8 * count), dtype=np.float64)
