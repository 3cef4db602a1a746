"""Named tuples of arrays as C structures, and arrays as arguments."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["Record", "array", "record_type"]

_SCALARS = {"i": ctypes.c_int64, "f": ctypes.c_double, "b": ctypes.c_int64}


def _array_type(ndim: int) -> type[ctypes.Structure]:
    """``struct { T *data; int64_t shape[ndim]; }``, the layout of ``Array<T, ndim>``."""
    return _array_types[ndim]


_array_types: dict[int, type[ctypes.Structure]] = {
    n: type(
        f"Array{n}",
        (ctypes.Structure,),
        {"_fields_": [("data", ctypes.c_void_p), ("shape", ctypes.c_int64 * n)]},
    )
    for n in range(1, 5)
}


def array(value: np.ndarray[Any, Any]) -> ctypes.Structure:
    """An array as ``Array<T, ndim>``: C-contiguous; the caller keeps it alive."""
    if not value.flags.c_contiguous:
        raise ValueError(
            f"the core takes C-contiguous arrays, this one has strides {value.strides}"
        )
    out = _array_type(value.ndim)()
    out.data = value.ctypes.data
    out.shape[:] = value.shape
    return out


def record_type(name: str, example: Sequence[Any], fields: Sequence[str]) -> type[ctypes.Structure]:
    """The C structure with one member per field: arrays, 64-bit integers, doubles."""
    members: list[tuple[str, Any]] = []
    for field, value in zip(fields, example, strict=True):
        if isinstance(value, np.ndarray):
            members.append((field, _array_type(value.ndim)))
        else:
            members.append((field, _SCALARS[np.asarray(value).dtype.kind]))
    return type(name, (ctypes.Structure,), {"_fields_": members})


class Record:
    """A named tuple of arrays together with its C structure, which it keeps alive."""

    __slots__ = ("arrays", "pointer", "structure")

    def __init__(self, values: Any) -> None:
        fields = type(values)._fields
        kind = record_type(type(values).__name__, values, fields)
        self.arrays = values
        self.structure = kind(*(array(v) if isinstance(v, np.ndarray) else v for v in values))
        self.pointer = ctypes.byref(self.structure)
