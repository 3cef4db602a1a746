"""A small reader of HDF5: groups, text attributes and contiguous arrays, as Keras writes them.

Keras files use the oldest layout of HDF5 (superblock 0, symbol tables, contiguous storage). That
much is read here, from the bytes in memory, with every size checked against the file, so that a
damaged or hostile file costs neither memory nor a crash of the C library. Chunked, compressed,
external and virtual storage, links, and the layouts of ``libver="latest"`` are refused.

Source: "HDF5 File Format Specification Version 3.0", The HDF Group, sections II to IV.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import FormatError, UnsupportedError

__all__ = ["Dataset", "Group", "open_hdf5"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_UNDEFINED = 2**64 - 1
_NO_FREE_BLOCK = 1
_MOST_MESSAGES = 100_000
_MOST_TEXTS = 1_000_000  # that are looked at, of a whole file
_LONGEST_NAME = 1 << 16
_DEEPEST = 32
_NEWER = (
    "it uses a layout of newer HDF5 versions that Keras does not write; save the model again with "
    "model.save('model.keras')"
)


@dataclass(frozen=True, slots=True)
class _Type:
    """A datatype: numpy's name for numbers, ``text`` or ``heap`` for strings, None for others."""

    kind: str | None
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """An array that is not read yet.

    Attributes
    ----------
    name : str
    shape : tuple of int
    """

    name: str
    shape: tuple[int, ...]
    _type: _Type
    _raw: memoryview

    def array(self) -> NDArray[Any]:
        """The numbers; bfloat16 becomes float32, exactly.

        Raises
        ------
        FormatError
            If it does not hold numbers, or fewer than its shape says.
        """
        kind = self._type.kind
        if kind is None or kind in {"text", "heap"}:
            raise FormatError(f"the array {self.name!r} does not hold numbers")
        needed = math.prod(self.shape) * self._type.size
        if len(self._raw) < needed:
            raise FormatError(
                f"the array {self.name!r} of shape {self.shape} needs {needed} bytes, "
                f"{len(self._raw)} are there"
            )
        if kind.endswith("bf"):
            upper = np.frombuffer(self._raw[:needed], dtype=f"{kind[0]}u2").astype("u4")
            return (upper << 16).view("f4").reshape(self.shape)
        return np.frombuffer(self._raw[:needed], dtype=kind).reshape(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A group with its text attributes (one text or a list) and its members.

    Attributes
    ----------
    attributes : mapping
    members : mapping
        Address of every member by its name.
    """

    attributes: Mapping[str, Any]
    members: Mapping[str, int]
    _file: _File
    _depth: int

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def child(self, name: str) -> Group | Dataset:
        """The member of a name.

        Raises
        ------
        FormatError
            If there is none, or it is damaged.
        """
        if name not in self.members:
            raise FormatError(f"the group has no member {name!r}")
        return self._file.item(self.members[name], name, self._depth + 1)


def open_hdf5(data: bytes) -> Group:
    """The root group of an HDF5 file.

    Raises
    ------
    FormatError
        If the bytes are not HDF5, or damaged.
    UnsupportedError
        If they use a layout that Keras does not write.
    """
    file = _File(memoryview(data))
    root = file.item(file.root(), "/", 0)
    if not isinstance(root, Group):
        raise FormatError("the root of the HDF5 file is not a group")
    return root


class _File:
    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.looked_at = 0
        self.heaps: dict[int, dict[int, memoryview]] = {}
        self.said: dict[int, set[tuple[int, int]]] = {}  # where a group lies, where it is listed

    def look(self) -> None:
        """Count names and texts: those of a hostile file may lie in one another without end."""
        self.looked_at += 1
        if self.looked_at > _MOST_TEXTS:
            raise FormatError(f"the HDF5 file names more than {_MOST_TEXTS:,} things")

    def bytes(self, start: int, length: int) -> memoryview:
        if start < 0 or length < 0 or start + length > len(self.data):
            raise FormatError(
                f"the HDF5 file points to bytes {start} to {start + length} of {len(self.data)} "
                "(truncated?)"
            )
        return self.data[start : start + length]

    def numbers(self, layout: str, start: int) -> tuple[Any, ...]:
        return struct.unpack("<" + layout, self.bytes(start, struct.calcsize("<" + layout)))

    def root(self) -> int:
        if bytes(self.bytes(0, 8)) != _SIGNATURE:
            raise FormatError("this is not an HDF5 file")
        version, offsets, lengths = self.data[8], self.data[13], self.data[14]
        if version > 1 or (offsets, lengths) != (8, 8):
            raise UnsupportedError(f"the HDF5 file is not read: {_NEWER}")
        start = 24 + 4 * version
        base, _, _, _, _, address, cache, _, *places = self.numbers("6QII2Q", start)
        if cache == 1:
            self.said.setdefault(address, set()).add((places[0], places[1]))
        if base != 0:
            raise UnsupportedError(f"the HDF5 file starts at byte {base}: {_NEWER}")
        return int(address)

    def item(self, address: int, name: str, depth: int) -> Group | Dataset:
        if depth > _DEEPEST:
            raise FormatError(f"groups are nested deeper than {_DEEPEST}")
        attributes: dict[str, Any] = {}
        found: dict[int, memoryview] = {}
        for kind, flags, content in self.messages(address):
            if kind == 0x0C:
                self.attribute(content, attributes)
            elif kind in {0x02, 0x06, 0x0A, 0x15}:
                raise UnsupportedError(f"the object {name!r} is not read: {_NEWER}")
            elif kind == 0x07:
                raise UnsupportedError(f"{name!r} lies in another file; it is not opened")
            elif kind in {0x01, 0x03, 0x08, 0x11}:
                if flags & 2:
                    raise UnsupportedError(f"the object {name!r} shares a part: {_NEWER}")
                found[kind] = content
        if 0x11 in found:
            tree, heap = struct.unpack("<QQ", _part(found[0x11], 0, 16))
            if self.said.get(address, set()) - {(tree, heap)}:
                raise FormatError(f"the HDF5 file says of {name!r} twice where its members lie")
            members: dict[str, int] = {}
            for member, place in self.members(tree, heap):
                if member in members:
                    raise FormatError(f"the group {name!r} has two members called {member!r}")
                members[member] = place
            return Group(attributes, members, self, depth)
        if not {0x01, 0x03, 0x08} <= set(found):
            raise FormatError(f"the object {name!r} is neither a group nor an array")
        raw = self.storage(found[0x08], name)
        return Dataset(name, _shape(found[0x01]), _datatype(found[0x03]), raw)

    def messages(self, address: int) -> Iterator[tuple[int, int, memoryview]]:
        if bytes(self.bytes(address, 4)) == b"OHDR":
            raise UnsupportedError(f"the HDF5 file is not read: {_NEWER}")
        version, _, count, _, size = self.numbers("BBHII", address)
        if version != 1:
            raise FormatError(f"an object of the HDF5 file has version {version}")
        blocks = [(address + 16, size)]
        taken = 0
        while blocks:
            at, left = blocks.pop(0)
            end = at + left
            while at + 8 <= end and taken < min(count, _MOST_MESSAGES):
                kind, length, flags = self.numbers("HHB", at)
                if length % 8:
                    raise FormatError("a message of the HDF5 file is not aligned")
                content = self.bytes(at + 8, length)
                if kind == 0x10:
                    blocks.append(struct.unpack("<QQ", _part(content, 0, 16)))
                yield kind, flags, content
                at += 8 + length
                taken += 1

    def members(self, tree: int, heap: int) -> Iterator[tuple[str, int]]:
        if bytes(self.bytes(heap, 5)) != b"HEAP\0":  # and the version
            raise FormatError("the names of a group are damaged")
        size, free, place = self.numbers("QQQ", heap + 8)
        names = bytes(self.bytes(place, size))
        for _ in range(size // 16 + 1):  # free blocks are no smaller
            if free in (_NO_FREE_BLOCK, _UNDEFINED):
                break
            following, length = struct.unpack("<QQ", _part(memoryview(names), free, 16))
            if not 16 <= length <= size - free:
                raise FormatError("the names of a group are damaged")
            free = following
        else:
            raise FormatError("the names of a group are damaged")
        seen: set[int] = set()
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            if node in seen:
                raise FormatError("the index of a group is circular")
            seen.add(node)
            mark = bytes(self.bytes(node, 4))
            if mark == b"TREE":
                kind, _, used = self.numbers("BBH", node + 4)
                if kind != 0:
                    raise FormatError("the index of a group is damaged")
                pairs = self.numbers(f"{2 * used + 1}Q", node + 24)  # names stand between the nodes
                if any(name >= size for name in pairs[::2]):
                    raise FormatError("the index of a group is damaged")
                waiting.extend(pairs[1::2])
            elif mark == b"SNOD":
                (count,) = self.numbers("H", node + 6)
                for k in range(count):
                    self.look()
                    name, address, cache, _, *places = self.numbers("QQII2Q", node + 8 + 40 * k)
                    if cache == 1:
                        self.said.setdefault(address, set()).add((places[0], places[1]))
                    if cache == 2:
                        raise UnsupportedError("the HDF5 file holds a link; it is not followed")
                    end = names.find(b"\0", name, name + _LONGEST_NAME)
                    if end < 0:
                        raise FormatError("the name of a member has no end")
                    yield names[name:end].decode("utf-8", "replace"), address
            else:
                raise FormatError("the index of a group is damaged")

    def storage(self, layout: memoryview, name: str) -> memoryview:
        version, kind = _part(layout, 0, 2)
        if version != 3 or kind not in {0, 1}:
            raise UnsupportedError(
                f"the array {name!r} is chunked or compressed, which Keras does not do; save the "
                "model again with model.save('model.keras')"
            )
        if kind == 0:
            (size,) = struct.unpack("<H", _part(layout, 2, 2))
            return _part(layout, 4, size)
        address, size = struct.unpack("<QQ", _part(layout, 2, 16))
        return self.data[:0] if address == _UNDEFINED else self.bytes(address, size)

    def attribute(self, content: memoryview, into: dict[str, Any]) -> None:
        version, flags, *sizes = struct.unpack("<BBHHH", _part(content, 0, 8))
        if version not in {1, 2, 3} or flags & 3:
            return
        at = 9 if version == 3 else 8
        parts = []
        for size in sizes:
            parts.append(_part(content, at, size))
            at += -(-size // 8) * 8 if version == 1 else size
        name = bytes(parts[0]).partition(b"\0")[0].decode("utf-8", "replace")
        kind = _datatype(parts[1])
        if kind.kind in {"text", "heap"}:
            shape = _shape(parts[2])
            values = list(self.texts(kind, math.prod(shape), content[at:]))
            if name in into:
                raise FormatError(f"an object has two attributes called {name!r}")
            into[name] = values if shape else "".join(values[:1])

    def texts(self, kind: _Type, count: int, raw: memoryview) -> Iterator[str]:
        if kind.size * count > len(raw):
            raise FormatError("an attribute is shorter than its shape says")
        for k in range(count):
            self.look()
            entry = raw[k * kind.size : (k + 1) * kind.size]
            if kind.kind == "heap":
                length, heap, index = struct.unpack("<IQI", _part(entry, 0, 16))
                entry = self.heap_object(heap, index)[:length]
            yield bytes(entry).partition(b"\0")[0].decode("utf-8", "replace")

    def heap_object(self, heap: int, wanted: int) -> memoryview:
        if heap not in self.heaps:
            self.heaps[heap] = dict(self.heap_objects(heap))
        if wanted not in self.heaps[heap]:
            raise FormatError("a text of the HDF5 file is missing")
        return self.heaps[heap][wanted]

    def heap_objects(self, heap: int) -> Iterator[tuple[int, memoryview]]:
        """The texts of a collection by their numbers, which are not 0."""
        if bytes(self.bytes(heap, 4)) != b"GCOL":
            raise FormatError("a text of the HDF5 file is damaged")
        (total,) = self.numbers("Q", heap + 8)
        at, end = heap + 16, heap + total
        seen: set[int] = set()
        while at + 16 <= end:
            self.look()
            index, _, _, size = self.numbers("HHIQ", at)
            if index == 0:
                return
            if index in seen:
                raise FormatError("two texts of the HDF5 file have one number")
            seen.add(index)
            yield index, self.bytes(at + 16, size)
            at += 16 + -(-size // 8) * 8


def _part(data: memoryview, start: int, length: int) -> memoryview:
    """A part of a message; length 0 means the rest."""
    if start > len(data) or start + length > len(data):
        raise FormatError("a message of the HDF5 file is cut off")
    return data[start : start + length] if length else data[start:]


def _shape(message: memoryview) -> tuple[int, ...]:
    version, rank = _part(message, 0, 2)
    if version not in {1, 2} or rank > 32:
        raise FormatError("a shape of the HDF5 file is damaged")
    return struct.unpack(
        f"<{rank}Q", _part(message, 8 if version == 1 else 4, 8 * rank)[: 8 * rank]
    )


#: Bits, place and size of the exponent, size of the mantissa, place of the sign, bias.
_FLOATS = {
    (16, 10, 5, 10, 15, 15): "f2",
    (32, 23, 8, 23, 31, 127): "f4",
    (64, 52, 11, 52, 63, 1023): "f8",
    (16, 7, 8, 7, 15, 127): "bf",
}


def _datatype(message: memoryview) -> _Type:
    """Numbers whose bits are those of IEEE 754 or of two's complement, and texts; or neither."""
    head, bits, sign, size = struct.unpack("<BBBxI", _part(message, 0, 8))
    kind, version = head & 0x0F, head >> 4
    if not 1 <= version <= 4:
        raise FormatError(f"a datatype of the HDF5 file has version {version}")
    order = ">" if bits & 1 else "<"
    if kind == 0 and size in {1, 2, 4, 8}:
        if struct.unpack("<HH", _part(message, 8, 4)) == (0, 8 * size):
            return _Type(f"{order}{'i' if bits & 8 else 'u'}{size}", size)
    elif kind == 1:
        start, precision, place, exponent, low, mantissa, bias = struct.unpack(
            "<HHBBBBI", _part(message, 8, 12)
        )
        name = _FLOATS.get((precision, place, exponent, mantissa, sign, bias))
        implied = (bits & 0x70) == 0x20  # the leading 1 is not stored, the byte order one of two
        if name is not None and implied and not start and not low and size * 8 == precision:
            return _Type(order + name, size)
    elif kind == 3:
        return _Type("text", size)
    elif kind == 9 and bits & 0x0F == 1 and size == 16:
        return _Type("heap", size)
    return _Type(None, size)
