"""Loading the native core."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from polyrank.compiled import fastest

__all__ = ["built_from", "core"]

_HERE = Path(__file__).resolve().parent


@cache
def core() -> ctypes.CDLL:
    """The core for this processor.

    Raises
    ------
    PolyrankError
        If the library is missing, or was built from other sources than those beside it.
    """
    return fastest(_HERE, "polyrank_core")


def built_from() -> str:
    """The hash of the sources of the core, which names its build."""
    return str(core().polyrank_sources().decode())
