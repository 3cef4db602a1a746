"""The containers of ``torch.save``: a zip of raw storages, or the older stream of pickles.

Tensors become numpy arrays; bfloat16 becomes float32, exactly. Storages are read only as far as
their declared sizes, which are checked against the file before anything is allocated.

Source: ``torch/serialization.py`` (``_save``, ``_legacy_save``) and ``torch/_utils.py``.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.formats.source import MAX_ENTRIES, check_entries, checked_file, zip_members
from polyrank.network.formats.torch_pickle import Name, Persistent, Record, read_pickle

__all__ = ["TorchFile", "open_torch"]

_MAGIC = 0x1950A86A20F9469CFC6C
_MAX_PICKLE = 1 << 26
_DTYPES = {
    "Float": "f4", "Double": "f8", "Half": "f2", "BFloat16": "u2", "Long": "i8", "Int": "i4",
    "Short": "i2", "Char": "i1", "Byte": "u1", "Bool": "u1",
    "float32": "f4", "float64": "f8", "float16": "f2", "bfloat16": "u2", "int64": "i8",
    "int32": "i4", "int16": "i2", "int8": "i1", "uint8": "u1", "bool": "u1",
}  # fmt: skip
_REBUILDERS = frozenset(
    {"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter",
     "_rebuild_parameter_with_state"}
)  # fmt: skip
_KEY = re.compile(r"[A-Za-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True, eq=False)
class TorchFile:
    """What a file holds.

    Attributes
    ----------
    content : object
        Plain data in which tensors are :class:`Record` objects.
    storage : callable
        From a storage's key and its dtype and number of entries to a flat array.
    """

    content: Any
    storage: Callable[[str, str, int], NDArray[Any]]

    def is_tensor(self, value: Any) -> bool:
        """True for a tensor or parameter, of whatever kind."""
        return (
            isinstance(value, Record)
            and isinstance(value.maker, Name)
            and value.maker.module == "torch._utils"
        )

    def tensor(self, value: Any) -> NDArray[Any] | None:
        """The array of a tensor or parameter; None if the value is something else.

        Raises
        ------
        FormatError
            If the tensor does not lie inside its storage, or is too large.
        UnsupportedError
            If it is sparse, quantised or complex.
        """
        if not self.is_tensor(value):
            return None
        maker, arguments = value.maker, value.arguments
        if maker.name not in _REBUILDERS or not arguments:
            raise UnsupportedError(f"a tensor made by {maker} is not a plain dense tensor")
        if maker.name.startswith("_rebuild_parameter"):
            return self.tensor(arguments[0])
        match arguments:
            case (
                Persistent(content=(tuple() as where)),
                int(offset),
                tuple(size),
                tuple(stride),
                *more,
            ):
                kind = where[1] if len(where) > 1 else None
                if maker.name == "_rebuild_tensor_v3" and len(more) > 2:
                    kind = more[2]
                return self._strided(where, kind, offset, size, stride)
        raise FormatError("a tensor is not described by storage, offset, size and stride")

    def _strided(
        self, where: tuple[Any, ...], kind: Any, offset: int, size: Any, stride: Any
    ) -> NDArray[Any]:
        dtype = _dtype(kind)
        match where:
            case ("storage", Name(), str(key), _, int(count), *view):
                pass
            case _:
                raise FormatError("a storage is not described by type, key, device and size")
        if view and view[0] is not None:
            raise UnsupportedError("a tensor views a part of another storage; save it again")
        if not all(type(v) is int and v >= 0 for v in (*size, *stride, offset, count)) or (
            len(size) != len(stride)
        ):
            raise FormatError(f"a tensor has size {size}, strides {stride} and offset {offset}")
        check_entries(max(count, math.prod(size)), "a tensor")
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
        if math.prod(size) and last >= count:
            raise FormatError(
                f"a tensor of size {size} and strides {stride} at {offset} does not lie inside "
                f"its storage of {count} numbers"
            )
        flat = self.storage(key, dtype, count)
        if math.prod(size) == 0:
            return np.zeros(size, dtype=flat.dtype)
        steps = tuple(s * flat.itemsize for s in stride)
        array = np.lib.stride_tricks.as_strided(flat[offset:], size, steps, writeable=False)
        if dtype == "u2":  # bfloat16: the upper half of a float32
            return (array.astype("u4") << 16).view("f4")
        return array.copy()


def _dtype(kind: Any) -> str:
    if isinstance(kind, Name) and kind.module in {"torch", "torch.storage", "torch.cuda"}:
        dtype = _DTYPES.get(kind.name.removesuffix("Storage"))
        if dtype is not None:
            return dtype
    raise UnsupportedError(f"a storage holds {kind}; expected floats or integers")


def open_torch(path: Path) -> TorchFile:
    """Read the structure of a ``.pt`` or ``.pth`` file; nothing in it is executed.

    Raises
    ------
    FormatError
        If the file is missing, empty, truncated, damaged, too large, or of another format.
    UnsupportedError
        If it is a TorchScript archive or asks for a function of the standard library.
    """
    size = checked_file(path, max_bytes=16 * MAX_ENTRIES)
    with path.open("rb") as stream:
        head = stream.read(4)
        stream.seek(0)
        if head.startswith(b"PK"):
            return _zipped(path, size)
        if head[:1] == b"\x80":
            return _legacy(io.BytesIO(stream.read()))
    raise FormatError("this is not a file of torch.save: neither a zip nor a pickle")


def _zipped(path: Path, size: int) -> TorchFile:
    try:
        archive = zipfile.ZipFile(path)
        entries = zip_members(archive)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise FormatError(f"the zip is damaged or cut off: {error}") from None
    pickles = [name for name in entries if name.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise FormatError(f"this is not a file of torch.save: it has {len(pickles)} data.pkl")
    prefix = pickles[0].removesuffix("data.pkl")
    if any(name.startswith(f"{prefix}code/") for name in entries):
        raise UnsupportedError(
            "this is a TorchScript archive, which holds code; in Python: "
            "torch.save(torch.jit.load('model.pt').state_dict(), 'weights.pt')"
        )
    if any(info.compress_type != zipfile.ZIP_STORED for info in entries.values()) or (
        sum(info.file_size for info in entries.values()) > size
    ):
        raise FormatError("the zip is compressed, which torch.save never does; it is not unpacked")

    def entry(name: str) -> bytes:
        if name not in entries:
            raise FormatError(f"the zip has no entry {name!r}")
        try:
            with archive.open(name) as part:
                return part.read(entries[name].file_size)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, RuntimeError) as err:
            raise FormatError(f"the zip is damaged at {name!r}: {err}") from None

    if entries[pickles[0]].file_size > _MAX_PICKLE:
        raise FormatError(f"data.pkl has {entries[pickles[0]].file_size} bytes")
    order = "<"
    if f"{prefix}byteorder" in entries:
        order = ">" if entry(f"{prefix}byteorder").strip() == b"big" else "<"

    loaded: dict[str, bytes] = {}

    def storage(key: str, dtype: str, count: int) -> NDArray[Any]:
        if not _KEY.fullmatch(key):
            raise FormatError(f"a storage has the key {key[:80]!r}; expected letters and digits")
        if key not in loaded:
            loaded[key] = entry(f"{prefix}data/{key}")
        raw = loaded[key]
        needed = count * np.dtype(dtype).itemsize
        if len(raw) != needed:
            raise FormatError(f"the storage {key} has {len(raw)} bytes; expected {needed}")
        return np.frombuffer(raw, dtype=order + dtype)

    return TorchFile(read_pickle(io.BytesIO(entry(pickles[0]))), storage)


def _legacy(stream: BinaryIO) -> TorchFile:
    if read_pickle(stream) != _MAGIC:
        raise FormatError("this is not a file of torch.save: it starts with another pickle")
    read_pickle(stream)  # the protocol version
    system = read_pickle(stream)
    order = ">" if isinstance(system, Mapping) and system.get("little_endian") is False else "<"
    content = read_pickle(stream)
    keys = read_pickle(stream)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise FormatError("the list of storages is damaged")
    start = stream.tell()
    rest = memoryview(stream.read())
    declared = _storages(content)
    places: dict[str, tuple[int, int]] = {}
    at = 0
    for key in keys:
        if key not in declared:
            raise FormatError(f"the storage {key[:80]!r} belongs to no tensor")
        count = int.from_bytes(rest[at : at + 8], "little" if order == "<" else "big")
        dtype, expected = declared[key]
        length = count * np.dtype(dtype).itemsize
        if count != expected or at + 8 + length > len(rest):
            raise FormatError(
                f"the storage {key[:80]!r} at byte {start + at} has {count} numbers; expected "
                f"{expected} (truncated?)"
            )
        places[key] = (at + 8, length)
        at += 8 + length
    if at != len(rest):
        raise FormatError(f"after the last storage {len(rest) - at} bytes are left over")

    def storage(key: str, dtype: str, count: int) -> NDArray[Any]:
        if key not in places or places[key][1] != count * np.dtype(dtype).itemsize:
            raise FormatError(f"the storage {key[:80]!r} is missing or of another size")
        begin, length = places[key]
        return np.frombuffer(rest[begin : begin + length], dtype=order + dtype)

    return TorchFile(content, storage)


def _storages(content: Any) -> dict[str, tuple[str, int]]:
    """Dtype and size of every storage that the content mentions, by key."""
    found: dict[str, tuple[str, int]] = {}
    seen: set[int] = set()
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        if isinstance(value, (dict, list, tuple, Record, Persistent)):
            seen.add(id(value))
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, (list, tuple)):
            waiting.extend(value)
        elif isinstance(value, Record):
            waiting.extend((*value.arguments, value.state, value.items))
        elif isinstance(value, Persistent):
            match value.content:
                case ("storage", Name() as kind, str(key), _, int(count), *_):
                    check_entries(count, f"the storage {key[:80]!r}")
                    found[key] = (_dtype(kind), count)
    return found
