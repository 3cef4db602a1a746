"""The PLY reader: ascii and both binary orders, ``vertex``, ``face`` and ``edge`` elements."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol

from polyrank.errors import DomainError
from polyrank.network.formats.source import checked_file, plain_float

__all__ = ["read_ply"]

_MAX_BYTES = 1 << 30
_TYPES = {
    "char": "b", "int8": "b", "uchar": "B", "uint8": "B", "short": "h", "int16": "h",
    "ushort": "H", "uint16": "H", "int": "i", "int32": "i", "uint": "I", "uint32": "I",
    "float": "f", "float32": "f", "double": "d", "float64": "d",
}  # fmt: skip
_INTEGERS = frozenset("bBhHiI")
_CORNERS = ("vertex_indices", "vertex_index")
#: What is read of the elements; all else, such as colours and normals, is skipped.
_NEEDED = {
    "vertex": frozenset("xyz"),
    "face": frozenset(_CORNERS),
    "edge": frozenset({"vertex1", "vertex2"}),
}


@dataclass(frozen=True, slots=True)
class _Property:
    name: str
    #: code of the type of a list's length; empty for a single value
    length: str
    code: str


@dataclass(slots=True)
class _Element:
    name: str
    count: int
    properties: list[_Property] = field(default_factory=list)


Row = dict[str, list[float]]


class _Values(Protocol):
    """Where the numbers of one entry after the other come from."""

    def entry(self, element: _Element) -> Row:
        """The values of the next entry, by property."""

    def finish(self) -> str:
        """Refuse a file that holds more than its header says; a note on what was skipped."""


def read_ply(file: Path) -> tuple[list[list[float]], list[list[int]], str]:
    """Vertices, polygons (an edge is a polygon of two corners), and a note on what was skipped.

    Raises
    ------
    FormatError, DomainError
        If the file is missing, too large, truncated or not a PLY mesh.
    """
    checked_file(file, max_bytes=_MAX_BYTES)
    data = file.read_bytes()
    end = data.find(b"end_header")
    if not data.startswith(b"ply") or end < 0:
        raise DomainError("a .ply file starts with 'ply' and has an 'end_header'")
    body = data.find(b"\n", end) + 1 or len(data)
    order, elements = _header(data[:end].decode("ascii", "replace").splitlines())
    values: _Values
    if order == "":
        values = _ascii(data[body:], data.count(b"\n", 0, body), elements)
    else:
        values = _Binary(data, body, order)
    points: list[list[float]] = []
    polygons: list[list[int]] = []
    for element in elements:
        for number in range(element.count):
            row = values.entry(element)
            if element.name == "vertex":
                points.append([row[c][0] for c in "xyz" if c in row])
            elif element.name == "face":
                corners = next((row[c] for c in _CORNERS if row.get(c)), [])
                polygons.append(_whole(corners, f"face {number}"))
            elif element.name == "edge" and "vertex1" in row and "vertex2" in row:
                polygons.append(_whole([row["vertex1"][0], row["vertex2"][0]], f"edge {number}"))
    note = values.finish()
    if any(not p for p in polygons):
        raise DomainError("a face has no vertex_indices")
    return points, polygons, note


def _whole(corners: list[float], what: str) -> list[int]:
    for v in corners:
        if not float(v).is_integer():
            raise DomainError(f"{what} names the vertex {v}: expected a whole number")
    return [int(v) for v in corners]


def _header(lines: list[str]) -> tuple[str, list[_Element]]:
    order: str | None = None
    elements: list[_Element] = []
    orders = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
    for line in lines[1:]:
        words = line.split()
        if not words or words[0] in {"comment", "obj_info"}:
            continue
        try:
            if words[0] == "format":
                order = orders[words[1]]
            elif words[0] == "element":
                elements.append(_Element(words[1], int(words[2])))
            elif words[0] == "property" and words[1] == "list":
                made = _Property(words[4], _TYPES[words[2]], _TYPES[words[3]])
                elements[-1].properties.append(made)
            elif words[0] == "property":
                elements[-1].properties.append(_Property(words[2], "", _TYPES[words[1]]))
            else:
                raise DomainError(f"the header line {line[:60]!r} is not understood")
        except (IndexError, KeyError, ValueError):
            raise DomainError(f"the header line {line[:60]!r} is not understood") from None
    if order is None:
        raise DomainError("the header states no format")
    for element in elements:
        if element.count < 0 or (element.count and not element.properties):
            raise DomainError(f"the element {element.name} cannot have {element.count} entries")
        if any(p.length not in _INTEGERS for p in element.properties if p.length):
            raise DomainError(f"a list of the element {element.name} has no integer length")
    if not any(
        e.name == "vertex" and {"x", "y"} <= {p.name for p in e.properties} for e in elements
    ):
        raise DomainError("there is no element vertex with x and y")
    return order, elements


def _ascii(data: bytes, header_lines: int, elements: list[_Element]) -> _Values:
    text = data.decode("latin-1")
    rows = [(header_lines + i, w) for i, t in enumerate(text.split("\n"), 1) if (w := t.split())]
    if len(rows) == sum(e.count for e in elements):
        return _Lines(iter(rows))
    return _Words(iter([(line, word) for line, words in rows for word in words]))


def _number(line: int, word: str, code: str, what: str) -> float:
    try:
        number = plain_float(word)
        return int(word) if code in _INTEGERS else number
    except ValueError:
        kind = "an integer" if code in _INTEGERS else "a number"
        raise DomainError(f"line {line}: {what} is {word[:20]!r}, expected {kind}") from None


def _length(line: int, value: float, element: _Element) -> int:
    if value < 0:
        raise DomainError(f"line {line}: a list of the element {element.name} has length {value}")
    return int(value)


class _Lines:
    """One entry per line: what the header says too much or too little of can be skipped.

    Exporters add colours to the rows and not to the header, or to the header and not to the rows.
    That changes nothing where all that is read of an entry stands before it.
    """

    def __init__(self, rows: Iterator[tuple[int, list[str]]]) -> None:
        self.rows = rows
        self.longer = 0
        self.shorter = 0

    def entry(self, element: _Element) -> Row:
        line, words = next(self.rows)
        row: Row = {}
        at = 0
        needed = _NEEDED.get(element.name, frozenset())
        for i, p in enumerate(element.properties):
            what = f"{p.name} of a {element.name}"
            if at == len(words):
                missing = [q.name for q in element.properties[i:]]
                if not needed.isdisjoint(missing):
                    self._mismatch(line, element, words)
                self.shorter += 1
                return row
            size = 1
            if p.length:
                size = _length(
                    line, _number(line, words[at], p.length, f"the size of {what}"), element
                )
                at += 1
            if at + size > len(words):
                self._mismatch(line, element, words)
            if p.name in needed:
                row[p.name] = [_number(line, w, p.code, what) for w in words[at : at + size]]
            at += size
        self.longer += at < len(words)
        return row

    def _mismatch(self, line: int, element: _Element, words: list[str]) -> NoReturn:
        names = " ".join(p.name for p in element.properties)
        raise DomainError(
            f"line {line}: {' '.join(words)[:60]!r} is no {element.name} with {names}, which the "
            "header promises"
        )

    def finish(self) -> str:
        parts = []
        if self.longer:
            parts.append(f"{self.longer} rows hold more than the header names, which was skipped")
        if self.shorter:
            parts.append(f"{self.shorter} rows lack properties of the header that are not needed")
        return "; ".join(parts)


class _Words:
    """Entries that are not on lines of their own: the header must be right."""

    def __init__(self, words: Iterator[tuple[int, str]]) -> None:
        self.words = words

    def _next(self, code: str, what: str) -> tuple[int, float]:
        found = next(self.words, None)
        if found is None:
            raise DomainError("the file is truncated")
        return found[0], _number(*found, code, what)

    def entry(self, element: _Element) -> Row:
        row: Row = {}
        for p in element.properties:
            what = f"{p.name} of a {element.name}"
            size = 1
            if p.length:
                size = _length(*self._next(p.length, f"the size of {what}"), element)
            row[p.name] = [self._next(p.code, what)[1] for _ in range(size)]
        return row

    def finish(self) -> str:
        left = next(self.words, None)
        if left is not None:
            raise DomainError(
                f"line {left[0]}: {left[1][:20]!r} is more than the header promises; its counts or "
                "properties (colours?) do not match the data"
            )
        return ""


class _Binary:
    def __init__(self, data: bytes, start: int, order: str) -> None:
        self.data = data
        self.at = start
        self.order = order

    def _take(self, code: str, count: int) -> list[float]:
        shape = struct.Struct(f"{self.order}{count}{code}")
        if self.at + shape.size > len(self.data):
            raise DomainError("the file is truncated")
        found = list(shape.unpack_from(self.data, self.at))
        self.at += shape.size
        return found

    def entry(self, element: _Element) -> Row:
        row: Row = {}
        for p in element.properties:
            size = int(self._take(p.length, 1)[0]) if p.length else 1
            if size < 0:
                raise DomainError(f"a list of the element {element.name} has length {size}")
            row[p.name] = self._take(p.code, size)
        return row

    def finish(self) -> str:
        left = len(self.data) - self.at
        if self.data[self.at :].strip():
            raise DomainError(
                f"{left} bytes follow what the header promises; its counts or properties "
                "(colours?) do not match the data"
            )
        return ""
