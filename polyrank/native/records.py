"""What crosses the border of the core: arrays, named tuples of arrays, handles of its objects."""

from __future__ import annotations

import ctypes
import threading
import weakref
from typing import Any

import numpy as np

from polyrank.native.library import core

__all__ = ["Handle", "Record", "array", "call"]

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
    return _array_types[value.ndim](_address(value), value.shape)


def _address(value: np.ndarray[Any, Any]) -> int:
    if not value.flags.c_contiguous:
        raise ValueError(
            f"the core takes C-contiguous arrays, this one has strides {value.strides}"
        )
    return value.ctypes.data


class Record:
    """A named tuple of arrays, 64-bit integers and doubles, with its C structure beside it.

    The structure has one member per field, in the order of the fields; it points into the arrays,
    which the record keeps alive. All that members are made of has eight bytes: it is built as one
    array of words.
    """

    __slots__ = ("arrays", "structure")

    def __init__(self, values: Any) -> None:
        words: list[int] = []
        for value in values:
            if isinstance(value, np.ndarray):
                words.append(_address(value))
                words += value.shape
            elif isinstance(value, float):
                words.append(ctypes.c_int64.from_buffer(ctypes.c_double(value)).value)
            else:
                words.append(int(value))
        self.arrays = values
        self.structure = (ctypes.c_int64 * len(words))(*words)

    @classmethod
    def kept(cls, values: Any) -> Record:
        """The record of a tuple that is asked for again and again: the last few are remembered."""
        with _keeping:
            record = _kept.get(id(values))
            if record is None:
                while len(_kept) >= _MOST_KEPT:
                    del _kept[next(iter(_kept))]
                record = _kept[id(values)] = cls(values)
            return record


#: By identity: a record keeps its tuple, whose identity nothing else has meanwhile.
_kept: dict[int, Record] = {}
_MOST_KEPT = 8
_keeping = threading.Lock()


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
