"""What crosses the border of the core: arrays, named tuples of arrays, handles of its objects."""

from __future__ import annotations

import ctypes
import weakref
from functools import cache
from typing import Any

import numpy as np

from polyrank.native.library import core

__all__ = ["Handle", "Record", "array", "call"]

_SCALARS = {"i": ctypes.c_int64, "f": ctypes.c_double, "b": ctypes.c_int64}

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
    out = _array_types[value.ndim]()
    out.data = value.ctypes.data
    out.shape[:] = value.shape
    return out


@cache
def _structure(kind: Any, members: tuple[Any, ...]) -> type[ctypes.Structure]:
    """The C structure of a named tuple with members of these types."""
    fields = list(zip(kind._fields, members, strict=True))
    return type(kind.__name__, (ctypes.Structure,), {"_fields_": fields})


class Record:
    """A named tuple of arrays, 64-bit integers and doubles, with its C structure beside it.

    The structure has one member per field, in the order of the fields; it points into the arrays,
    which the record keeps alive.
    """

    __slots__ = ("arrays", "structure")

    def __init__(self, values: Any) -> None:
        members = tuple(
            _array_types[value.ndim]
            if isinstance(value, np.ndarray)
            else _SCALARS[np.asarray(value).dtype.kind]
            for value in values
        )
        self.arrays = values
        kind: Any = type(values)
        self.structure = _structure(kind, members)(
            *(array(v) if isinstance(v, np.ndarray) else v for v in values)
        )


class Handle:
    """An object that the core owns; it is freed with the handle."""

    __slots__ = ("__weakref__", "pointer")

    pointer_type = ctypes.c_void_p

    def __init__(self, pointer: int | None, free: str) -> None:
        if not pointer:
            raise MemoryError("the native core could not allocate its arrays")
        self.pointer = ctypes.c_void_p(pointer)
        weakref.finalize(self, getattr(core(), free), self.pointer)


def call(name: str, *arguments: Any, restype: Any = ctypes.c_int64) -> Any:
    """Call a function of the core; the interpreter's lock is released while it runs.

    Arrays are passed as ``Array<T, ndim>``, records and structures as pointers, handles as
    pointers, Python integers and booleans as ``int64_t``, floats as ``double``.
    """
    function = getattr(core(), name)
    function.restype = restype
    return function(*map(_argument, arguments))


def _argument(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return array(value)
    if isinstance(value, Record):
        return ctypes.byref(value.structure)
    if isinstance(value, Handle):
        return value.pointer
    if isinstance(value, ctypes.Structure):
        return ctypes.byref(value)
    if isinstance(value, float):
        return ctypes.c_double(value)
    return ctypes.c_int64(value)
