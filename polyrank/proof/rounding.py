"""Trusted unless all is to be exact: segments and rows replayed on rounded rows, in compiled code.

The arithmetic and its bounds are described in ``src/rounded.hpp``, the steps in ``src/replay.cpp``.
They share no code with the search. Here weights, slopes and walls are rounded from exact integers,
and what comes back is decoded: claims that bounds of rounding errors do not prove.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import compress
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.compiled import fastest
from polyrank.network.rational import nearest_float
from polyrank.proof.layers import Layers, Problem, Region
from polyrank.proof.rows import Listed

__all__ = ["Left", "Rounding", "Status"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: A cell as the replay keeps it: region, units that are open, positive and zero, numbers of rows.
Parts: TypeAlias = "tuple[Region, int, int, int, list[int]]"

_WHOLE = 1 << 52  # sums of integers up to here are exact
_ROUNDING = 2.0**-52
_SIGN, _ZERO = range(2)
_CACHED = 1 << 12


class Status(IntEnum):
    """Why the compiled replay came back."""

    DONE = 0
    CONTINUE = 1
    STOPPED = 2


@dataclass(frozen=True, slots=True)
class Left:
    """A claim that is left to exact integers.

    Attributes
    ----------
    where : int
        Byte of its step, or number of its row.
    region : Region
    kind : {"sign", "zero", "inside", "rank"}
        Rows prove that a goal is ≥ 0; a unit vanishes; a row is positive at a witness; the rank.
    number : int
        Number of the goal or row; the unit; the rank.
    rows, columns : list of int
        Numbers of the rows that prove a sign, and coordinates of the box.
    by_rows : bool
        The step names rows; else it is about the bounding box alone.
    listed : int
        Place, among the rows that were given, of the row whose witness or rank it is.
    """

    where: int
    region: Region
    kind: str
    number: int
    rows: list[int]
    columns: list[int]
    by_rows: bool
    listed: int


_Pointer = ctypes.c_void_p
_Long = ctypes.c_int64


class _Record(ctypes.Structure):
    """A structure of ``src``, made from numbers and arrays, which it keeps alive."""

    def __init__(self, *values: Any) -> None:
        self.kept = values
        super().__init__(*(v.ctypes.data if isinstance(v, np.ndarray) else v for v in values))


class _Layer(_Record):
    _fields_: ClassVar = [
        ("units", _Long), ("inputs", _Long),
        *((name, _Pointer) for name in ("weights", "slopes", "live", "plane", "leaders", "same")),
        *((name, ctypes.c_double) for name in ("one", "unit", "handed", "norm")),
        ("fits", _Long), ("linear", _Long),
    ]  # fmt: skip


class _Problem(_Record):
    _fields_: ClassVar = [
        *((name, _Long) for name in
          ("k", "depth", "walls", "artificial", "dim", "bounded")),
        *((name, _Pointer) for name in
          ("wall_values", "wall_errors", "wall_sizes", "wall_units", "wall_axes", "layers")),
    ]  # fmt: skip


class _Table(_Record):
    _fields_: ClassVar = [
        ("count", _Long),
        *((name, _Pointer) for name in ("code", "zero", "ranks", "points", "errors")),
    ]


class _State(ctypes.Structure):
    _fields_: ClassVar = [
        *((name, _Long) for name in ("byte", "leaves", "steps", "tests")),
        ("left", ctypes.POINTER(_Long)), ("deferred", ctypes.POINTER(_Long)),
        ("left_size", _Long), ("deferred_size", _Long),
    ]  # fmt: skip


def _fit(table: Iterable[Sequence[int]], shift: int) -> bool:
    """Whether no number v / 2^shift but 0 is below 2^-1000."""
    least = shift - 999  # bits of a number that is not below
    return least <= 1 or not any(v and abs(v).bit_length() < least for row in table for v in row)


def _only_coordinate(wall: Sequence[int]) -> int:
    places = list(compress(range(len(wall) - 1), wall))
    return places[0] if len(places) == 1 else -1


class Rounding:
    """A compiled replay of one problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.layers = problem, problem.layers
        layers = self._rounded_layers(problem.layers)
        table = (_Layer * len(layers))(*layers)
        self._given = _Problem(
            problem.layers.k, problem.layers.depth, len(problem.walls), problem.artificial,
            problem.dim, problem.bounded, *self._rounded_walls(problem.walls),
            ctypes.addressof(table),
        )  # fmt: skip
        self._alive = (table, layers)
        self._library = fastest(Path(__file__).parent, "polyrank_check")
        self._library.polyrank_check_close.restype = None
        for name in ("begin", "steps", "rows"):
            getattr(self._library, f"polyrank_check_{name}").restype = _Long
        self._library.polyrank_check_open.restype = _Pointer
        handle = self._library.polyrank_check_open(ctypes.byref(self._given))
        if handle is None:
            raise MemoryError
        self._handle = _Pointer(handle)
        weakref.finalize(self, self._library.polyrank_check_close, self._handle)
        self.state = _State()
        self._regions: dict[bytes, Region] = {}

    @staticmethod
    def _rounded_layers(layers: Layers) -> list[_Layer]:
        """The layers as ``[W | b] · 2^-shift`` with sums of absolute values up to 1 per row."""
        out = []
        t, one, fits = 0, 1.0, True  # rows are integers times 2^-t; what stands for 1
        linear = True
        for number, (here, scale) in enumerate(zip(layers.layers, layers.scales, strict=True)):
            table = [[int(v) for v in row] for row in here.affine.tolist()]
            norm = max((sum(map(abs, row)) for row in table), default=0)
            shift = norm.bit_length()
            slope_shift = max((abs(v) for p in here.slopes for v in p), default=0).bit_length()
            fits = fits and _fit(table, shift) and _fit(here.slopes, slope_shift)
            linear = linear and not any(row[-1] for row in table)
            # quotients of integers are rounded correctly
            weights = np.array([[v / (1 << shift) for v in row] for row in table])
            weights = weights.reshape(here.units, here.affine.ncols())
            slopes = np.array([[v / (1 << slope_shift) for v in pair] for pair in here.slopes])
            leaders, same = np.full(here.units, -1), np.zeros(here.units, np.uint8)
            for unit, leader, equal in here.ties:
                leaders[unit], same[unit] = leader, equal
            whole = norm < _WHOLE and t < 200
            handed = 2.0**t if whole and number else 0.0
            t += shift
            out.append(
                _Layer(
                    here.units,
                    here.affine.ncols() - 1,
                    np.ascontiguousarray(weights.T),
                    np.ascontiguousarray(slopes.reshape(here.units, 2).T),
                    np.array([[v != 0 for v in pair] for pair in here.slopes], np.uint8)
                    .reshape(here.units, 2)
                    .T.copy(),
                    np.array([here.plane >> i & 1 for i in range(here.units)], np.uint8),
                    leaders.astype(np.int64),
                    same,
                    one,
                    2.0**t if whole else 0.0,
                    handed,
                    nearest_float(fmpq(norm)),
                    fits,
                    linear,
                )
            )
            t += slope_shift
            one = nearest_float(fmpq(scale, 1 << t))
            fits = fits and one < np.inf
        return out

    @staticmethod
    def _rounded_walls(walls: Sequence[Sequence[int]]) -> list[NDArray[Any]]:
        values = np.zeros((len(walls), len(walls[0]) if walls else 1))
        units = np.zeros(len(walls))
        for i, wall in enumerate(walls):
            scale = 1 << max(0, max(map(abs, wall)).bit_length() - 52)
            for l in compress(range(len(wall)), wall):
                values[i, l] = wall[l] / scale
            units[i] = scale == 1
        sizes = np.abs(values).sum(axis=1)
        errors = np.where(units > 0, 0.0, sizes * _ROUNDING)
        axes = np.array([_only_coordinate(wall) for wall in walls], np.int64)
        return [values, errors, sizes, units, axes]

    # -----------------------------------------------------------------------------------------
    # segments

    def begin(
        self,
        segment: bytes,
        byte: int,
        width: int,
        cell: Parts,
        assumed: Sequence[int],
        *,
        paired: bool = False,
    ) -> int:
        """Start a segment at a byte, on a cell; no more rows follow than this returns.

        ``assumed``: more rows of all leaves. ``paired``: after the row of every leaf follows that
        of the region opposite to it.
        """
        self._segment = segment
        region, open_, positive, zero, rows = cell
        numbers = np.array(
            [
                *self._line(region),
                *self._words(open_, region.layer),
                *self._words(positive, region.layer),
                *self._words(zero, region.layer),
                len(rows),
                *rows,
            ],
            np.int64,
        )
        more = np.array(assumed, np.int64)
        most = self._library.polyrank_check_begin(
            self._handle, ctypes.c_char_p(segment), _Long(len(segment)), _Long(byte),
            _Long(width), _Pointer(numbers.ctypes.data), _Pointer(more.ctypes.data),
            _Long(len(more)), _Long(paired),
        )  # fmt: skip
        if most < 0:
            raise MemoryError
        return int(most) * (1 + paired)

    def steps(self, listed: Listed) -> Status:
        """Go on until a leaf has no row any more, all is done, or a step cannot be applied.

        ``state`` says how far; :attr:`left` and :attr:`deferred` are new each time.
        """
        table = self._table(listed)
        return self._checked(
            self._library.polyrank_check_steps(
                self._handle, ctypes.byref(table), ctypes.byref(self.state)
            )
        )

    def rows(self, first: int, listed: Listed) -> Status:
        """Rows of a table, the first with this number, each by its own witness."""
        table = self._table(listed)
        return self._checked(
            self._library.polyrank_check_rows(
                self._handle, _Long(first), ctypes.byref(table), ctypes.byref(self.state)
            )
        )

    @staticmethod
    def _checked(status: int) -> Status:
        if status > Status.STOPPED:
            raise MemoryError
        return Status(status)

    @staticmethod
    def _table(listed: Listed) -> _Table:
        return _Table(
            len(listed.code),
            np.ascontiguousarray(listed.code, np.uint8),
            np.ascontiguousarray(listed.zero, np.uint8),
            np.ascontiguousarray(listed.ranks, np.int16),
            np.ascontiguousarray(listed.rounded.T, np.float64),
            np.ascontiguousarray(listed.errors, np.float64),
        )

    # -----------------------------------------------------------------------------------------
    # what comes back

    @property
    def left(self) -> Iterator[Left]:
        """The claims that bounds of rounding errors do not prove, in the order of the steps."""
        reader = _Reader(self, self.state.left, self.state.left_size)
        while reader.more:
            kind, where, number = reader.take(), reader.take(), reader.take()
            rows: list[int] = []
            columns: list[int] = []
            listed, by_rows = -1, False
            if kind == _SIGN:
                by_rows, rows, columns = bool(reader.take()), reader.list(), reader.list()
            elif kind != _ZERO:
                listed = reader.take()
            name = ("sign", "zero", "inside", "rank")[kind]
            yield Left(where, reader.region(), name, number, rows, columns, by_rows, listed)

    @property
    def deferred(self) -> Iterator[Parts]:
        """The cells that were deferred."""
        reader = _Reader(self, self.state.deferred, self.state.deferred_size)
        while reader.more:
            region = reader.region()
            open_, positive, zero = (reader.set(region.layer) for _ in range(3))
            yield region, open_, positive, zero, reader.list()

    def region(self, key: bytes, line: Sequence[tuple[int, int]]) -> Region:
        """The region with these decisions, which is made once."""
        found = self._regions.get(key)
        if found is None:
            found = Region(self.layers, None, 0, 0)
            for positive, zero in line:
                found = Region(self.layers, found, positive, zero)
            if len(self._regions) >= _CACHED:
                self._regions.clear()
            self._regions[key] = found
        return found

    def words_of(self, layer: int) -> int:
        """Words of a set of units of a layer."""
        return (self.layers.layers[layer].units + 63) // 64

    def _words(self, units: int, layer: int) -> list[int]:
        data = units.to_bytes(8 * self.words_of(layer), "little")
        return list(np.frombuffer(data, np.int64).tolist())

    def _line(self, region: Region) -> list[int]:
        """The layer of a region, and the decisions of all layers below it."""
        sets: list[int] = []
        line = region
        while line.below is not None:
            layer = line.below.layer
            sets = [*self._words(line.positive, layer), *self._words(line.zero, layer), *sets]
            line = line.below
        return [region.layer, *sets]


class _Reader:
    """Reads what the compiled code hands back."""

    def __init__(self, rounding: Rounding, numbers: Any, size: int) -> None:
        self._rounding = rounding
        self._numbers: Ints = (
            np.ctypeslib.as_array(numbers, (size,)).copy() if size else np.zeros(0, np.int64)
        )
        self._at = 0

    @property
    def more(self) -> bool:
        return self._at < len(self._numbers)

    def take(self) -> int:
        self._at += 1
        return int(self._numbers[self._at - 1])

    def list(self) -> list[int]:
        count = self.take()
        self._at += count
        return list(self._numbers[self._at - count : self._at].tolist())

    def set(self, layer: int) -> int:
        count = self._rounding.words_of(layer)
        self._at += count
        return int.from_bytes(self._numbers[self._at - count : self._at].tobytes(), "little")

    def region(self) -> Region:
        start, layer = self._at, self.take()
        line = [(self.set(k), self.set(k)) for k in range(layer)]
        return self._rounding.region(self._numbers[start : self._at].tobytes(), line)
