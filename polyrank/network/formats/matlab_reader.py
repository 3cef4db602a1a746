"""MAT-files of level 5 (MATLAB 5 to 7.2): numeric arrays, strings, and cells and structs of them.

Written here rather than left to :func:`scipy.io.loadmat` because sizes that a damaged or hostile
file declares must be checked before anything is allocated.

Source: "MAT-File Format", The MathWorks, 2019, chapter 1.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.formats.source import check_entries, check_shape, checked_file

__all__ = ["MatObject", "MatUnread", "MatValue", "read_mat"]

MatValue = Any
"""A 2-D array of numbers, a flat list of values (a cell), a string (rows are joined by newlines), a
dict (a struct), a bool (one logical value), a :class:`MatObject` or a :class:`MatUnread`; None for
an empty entry of a cell."""

_MATRIX, _COMPRESSED = 14, 15
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
           13: "u8"}  # fmt: skip
_NUMERIC = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8",
            15: "u8"}  # fmt: skip
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _FUNCTION, _OPAQUE = 1, 2, 3, 4, 5, 16, 17
_UNREAD = {_SPARSE: "a sparse matrix", _FUNCTION: "a function handle"}
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_MOST_FIELDS = 10_000
_INT8, _INT32, _UINT32, _UTF8 = 1, 5, 6, 16
_MAX_BYTES = 2**31
_BOMB_BYTES, _BOMB_RATIO = 1 << 24, 200
_DEEPEST = 8


def read_mat(path: Path) -> dict[str, MatValue]:
    """The variables of a ``.mat`` file by name, in the order of the file.

    Returns
    -------
    dict
        Arrays keep their class (single is float32) and MATLAB's shape; cells are flattened in
        column-major order; a struct is a dict, with lists in it if it has several elements.

    Raises
    ------
    FormatError
        If the file is missing, truncated, damaged or too large.
    UnsupportedError
        If it is of level 4 or 7.3.
    """
    checked_file(path, max_bytes=_MAX_BYTES)
    data = path.read_bytes()
    head = data[:128]
    if head.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise UnsupportedError(
            "this is a MAT-file of version 7.3; in MATLAB: save('net.mat', 'weights', 'biases', "
            "'-v7')"
        )
    if len(head) < 128 or head[126:128] not in {b"IM", b"MI"}:
        raise FormatError("this is not a MAT-file of level 5, or it is cut off")
    reader = _Reader("<" if head[126:128] == b"IM" else ">")
    try:
        return reader.variables(memoryview(data)[128:])
    except (struct.error, zlib.error, ValueError, IndexError) as error:
        raise FormatError(f"the MAT-file is damaged: {str(error)[:100]}") from None


@dataclass(frozen=True, slots=True)
class MatObject:
    """An object of a MATLAB class, which only MATLAB can read."""

    kind: str


@dataclass(frozen=True, slots=True)
class MatUnread:
    """A value that is there and is not read, in words: ``a sparse matrix``."""

    what: str


class _Reader:
    """Reads elements in one byte order and counts the numbers that it has read."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.total = 0

    def variables(self, data: memoryview) -> dict[str, MatValue]:
        found: dict[str, MatValue] = {}
        while len(data):
            kind, content, data = self.element(data)
            if kind == _COMPRESSED:
                kind, content, _ = self.element(memoryview(_inflated(content)))
            if kind != _MATRIX or len(content) % 8:
                raise ValueError(f"it holds {len(content)} bytes of type {kind}, no variable")
            name, value = self.matrix(content, 0)
            if name in found:
                raise ValueError(f"it holds the variable {name!r} twice")
            if name:
                found[name] = value
        return found

    def element(self, data: memoryview) -> tuple[int, memoryview, memoryview]:
        """Type and content of the first element, and what follows it."""
        kind, length = struct.unpack(f"{self.order}II", data[:8])
        if kind >> 16:  # the short form: length and type share a word, four bytes of content
            kind, length = kind & 0xFFFF, kind >> 16
            if length > 4:
                raise ValueError("a short element has more than four bytes")
            return kind, data[4 : 4 + length], data[8:]
        if length > len(data) - 8:
            raise ValueError(f"an element claims {length} bytes of {len(data) - 8} (truncated?)")
        padded = length if kind == _COMPRESSED else -(-length // 8) * 8
        return kind, data[8 : 8 + length], data[8 + padded :]

    def matrix(self, data: memoryview, depth: int) -> tuple[str, MatValue]:
        if depth > _DEEPEST:
            raise ValueError(f"cells are nested deeper than {_DEEPEST}")
        stored, flags, data = self.element(data)
        if stored != _UINT32:
            raise ValueError(f"the flags of an array are stored as type {stored}")
        (flag,) = struct.unpack(f"{self.order}I", flags[:4])
        if flag & 0xFF == _OPAQUE:
            name, class_name = self.names(data)
            return name, MatObject(class_name)
        stored, sizes, data = self.element(data)
        shape = tuple(int(n) for n in np.frombuffer(sizes, dtype=f"{self.order}i4"))
        named, letters, data = self.element(data)
        name = bytes(letters).decode("ascii")
        if (stored, named) != (_INT32, _INT8):
            raise ValueError(f"shape and name of {name!r} are stored as types {stored} and {named}")
        if min(shape, default=-1) < 0:
            raise ValueError(f"the variable {name!r} has the shape {shape}")
        check_shape(shape, f"the variable {name!r}")
        kind = flag & 0xFF
        if kind == _CELL:
            return name, self.cell(shape, data, depth)
        if kind == _OBJECT:
            return name, MatObject(bytes(self.element(data)[1]).decode("ascii", "replace"))
        if kind == _STRUCT:
            return name, self.struct(shape, data, depth)
        if kind == _CHAR:
            return name, self.text(name, shape, data)
        if kind not in _NUMERIC:
            return name, MatUnread(_UNREAD.get(kind, f"an array of class {kind}"))
        if flag & _LOGICAL:
            value = self.numbers(name, shape, _NUMERIC[kind], data)
            if value.size != 1:
                return name, MatUnread("an array of logical values")
            return name, bool(value.ravel()[0])
        if flag & _COMPLEX:
            raise UnsupportedError(f"the variable {name!r} is complex; expected real numbers")
        return name, self.numbers(name, shape, _NUMERIC[kind], data)

    def cell(self, shape: tuple[int, ...], data: memoryview, depth: int) -> list[MatValue]:
        values: list[MatValue] = []
        for _ in range(math.prod(shape)):
            if not len(data):
                raise ValueError("a cell has fewer entries than its shape")
            kind, content, data = self.element(data)
            if kind != _MATRIX:
                raise ValueError("an entry of a cell is not an array")
            values.append(self.matrix(content, depth + 1)[1] if len(content) else None)
        return values

    def names(self, data: memoryview) -> tuple[str, str]:
        """The variable's name and the class of an opaque object."""
        _, letters, data = self.element(data)
        _, _, data = self.element(data)
        _, kind, _ = self.element(data)
        return bytes(letters).decode("ascii", "replace"), bytes(kind).decode("ascii", "replace")

    def struct(self, shape: tuple[int, ...], data: memoryview, depth: int) -> MatValue:
        _, size, data = self.element(data)
        (length,) = struct.unpack(f"{self.order}i", size[:4])
        named, letters, data = self.element(data)
        fits = named == _INT8 and length >= 1 and len(letters) % length == 0
        if not fits or len(letters) // length > _MOST_FIELDS:
            raise ValueError("the names of a struct's fields are damaged")
        raw = bytes(letters)
        names = [
            raw[k : k + length].split(b"\0")[0].decode("ascii", "replace")
            for k in range(0, len(raw), length)
        ]
        if len(set(names)) != len(names):
            raise ValueError("a struct has two fields of one name")
        count = math.prod(shape)
        values = self.cell((len(names) * count,), data, depth)
        if count == 1:
            return dict(zip(names, values, strict=True))
        return {name: values[k :: len(names)] for k, name in enumerate(names)}

    def text(self, name: str, shape: tuple[int, ...], data: memoryview) -> str:
        kind, content, _ = self.element(data)
        if kind == _UTF8:
            letters = bytes(content).decode("utf-8", "replace")
        elif kind in {1, 2, 3, 4, 17, 18}:
            width = 1 if kind in {1, 2} else 4 if kind == 18 else 2
            codec = {1: "latin-1", 2: "utf-16", 4: "utf-32"}[width]
            ending = "" if width == 1 else "-le" if self.order == "<" else "-be"
            letters = bytes(content).decode(codec + ending, "replace")
        else:
            raise ValueError(f"the string {name!r} is stored as type {kind}")
        rows = shape[0] if len(shape) == 2 else 1
        if rows <= 1 or len(letters) % rows:
            return letters
        return "\n".join("".join(letters[k::rows]).strip() for k in range(rows))

    def numbers(
        self, name: str, shape: tuple[int, ...], dtype: str, data: memoryview
    ) -> NDArray[Any]:
        kind, content, _ = self.element(data)
        if kind not in _STORED:
            raise ValueError(f"the variable {name!r} is stored as type {kind}")
        self.total += math.prod(shape)
        check_entries(self.total, "the file")
        stored = np.frombuffer(content, dtype=self.order + _STORED[kind])
        if stored.size != math.prod(shape):
            raise ValueError(f"the variable {name!r} of shape {shape} has {stored.size} numbers")
        return _of_class(stored, np.dtype(dtype), name).reshape(shape, order="F")


def _of_class(
    stored: NDArray[Any], dtype: np.dtype[Any], name: str
) -> NDArray[np.floating[Any] | np.integer[Any]]:
    """Numbers in the type of their class, which holds them exactly; MATLAB stores small ones short.

    Raises
    ------
    ValueError
        If one of them is no number of the class.
    """
    if np.can_cast(stored.dtype, dtype):
        return stored.astype(dtype)
    if stored.dtype.kind != "f" or dtype.kind == "f":
        with np.errstate(over="ignore"):
            found = stored.astype(dtype)
        if bool((found.astype(object) == stored.astype(object)).all()):
            return found
    raise ValueError(f"the variable {name!r} of class {dtype} is stored as {stored.dtype}")


def _inflated(content: memoryview) -> bytes:
    """Decompress one variable, or refuse it when it grows beyond reason."""
    limit = max(_BOMB_BYTES, _BOMB_RATIO * len(content))
    stream = zlib.decompressobj()
    data = stream.decompress(content, limit)
    if not stream.eof:
        if len(data) == limit:
            raise FormatError(
                f"a variable of {len(content)} bytes unpacks to more than {limit}: refused as a "
                "compression bomb"
            )
        raise ValueError("a compressed variable is cut off")
    return data
