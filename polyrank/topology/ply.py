"""The PLY reader: ascii and both binary orders, ``vertex``, ``face`` and ``edge`` elements."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from polyrank.errors import DomainError
from polyrank.network.formats.source import checked_file

__all__ = ["read_ply"]

_MAX_BYTES = 1 << 30
_TYPES = {
    "char": "b", "int8": "b", "uchar": "B", "uint8": "B", "short": "h", "int16": "h",
    "ushort": "H", "uint16": "H", "int": "i", "int32": "i", "uint": "I", "uint32": "I",
    "float": "f", "float32": "f", "double": "d", "float64": "d",
}  # fmt: skip
_INTEGERS = frozenset("bBhHiI")


@dataclass(slots=True)
class _Element:
    name: str
    count: int
    #: (name, code of the length or "", code of the value)
    properties: list[tuple[str, str, str]] = field(default_factory=list)


def read_ply(file: Path) -> tuple[list[list[float]], list[list[int]]]:
    """Vertices and polygons (an edge is a polygon of two corners).

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
    values = _ascii(data[body:]) if order == "" else _binary(data[body:], order)
    next(values)
    points: list[list[float]] = []
    polygons: list[list[int]] = []
    for element in elements:
        for _ in range(element.count):
            row: dict[str, list[float]] = {}
            for name, length, code in element.properties:
                size = int(values.send(length)) if length else 1
                if size < 0:
                    raise DomainError(f"a list of the element {element.name} has length {size}")
                row[name] = [values.send(code) for _ in range(size)]
            if element.name == "vertex":
                points.append([row[c][0] for c in "xyz" if c in row])
            elif element.name == "face":
                corners = row.get("vertex_indices") or row.get("vertex_index") or []
                polygons.append([int(v) for v in corners])
            elif element.name == "edge" and "vertex1" in row and "vertex2" in row:
                polygons.append([int(row["vertex1"][0]), int(row["vertex2"][0])])
    if any(not p for p in polygons):
        raise DomainError("a face has no vertex_indices")
    return points, polygons


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
                elements[-1].properties.append((words[4], _TYPES[words[2]], _TYPES[words[3]]))
            elif words[0] == "property":
                elements[-1].properties.append((words[2], "", _TYPES[words[1]]))
            else:
                raise DomainError(f"the header line {line[:60]!r} is not understood")
        except (IndexError, KeyError, ValueError):
            raise DomainError(f"the header line {line[:60]!r} is not understood") from None
    if order is None:
        raise DomainError("the header states no format")
    for element in elements:
        if element.count < 0 or (element.count and not element.properties):
            raise DomainError(f"the element {element.name} cannot have {element.count} entries")
        if any(length not in _INTEGERS for _, length, _ in element.properties if length):
            raise DomainError(f"a list of the element {element.name} has no integer length")
    if not any(e.name == "vertex" and {"x", "y"} <= {p[0] for p in e.properties} for e in elements):
        raise DomainError("there is no element vertex with x and y")
    return order, elements


Values = Iterator[float]


def _ascii(data: bytes):  # type: ignore[no-untyped-def]
    """A generator that is sent a type and answers with the next number."""
    words = iter(data.split())
    code = yield 0.0
    while True:
        word = next(words, None)
        try:
            code = yield (int(word) if code in _INTEGERS else float(word))  # type: ignore[arg-type]
        except (ValueError, TypeError):
            what = "the file is truncated" if word is None else f"{word[:20]!r} is not a number"
            raise DomainError(what) from None


def _binary(data: bytes, order: str):  # type: ignore[no-untyped-def]
    at = 0
    code = yield 0.0
    while True:
        shape = struct.Struct(order + code)
        if at + shape.size > len(data):
            raise DomainError("the file is truncated")
        (value,) = shape.unpack_from(data, at)
        at += shape.size
        code = yield value
