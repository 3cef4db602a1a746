"""Loading the native core."""

from __future__ import annotations

import ctypes
import platform
from functools import cache
from pathlib import Path

from polyrank.compiled import opened

__all__ = ["built_from", "core"]

_HERE = Path(__file__).resolve().parent


@cache
def core() -> ctypes.CDLL:
    """The core for this processor: compiled for AVX2 where the processor has it.

    Both builds compute the same bits: nothing is contracted or reassociated.

    Raises
    ------
    PolyrankError
        If the library is missing, or was built from other sources than those beside it.
    """
    baseline = opened(_HERE, "polyrank_core")
    if platform.machine().lower() in ("x86_64", "amd64"):
        baseline.polyrank_has_avx2.restype = ctypes.c_int
        if baseline.polyrank_has_avx2():
            return opened(_HERE, "polyrank_core_avx2")
    return baseline


def built_from() -> str:
    """The hash of the sources of the core, which names its build."""
    return str(core().polyrank_sources().decode())
