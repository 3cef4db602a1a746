"""Machine code on disk, keyed by everything that is compiled into it.

An entry point contains the machine code of all kernels that it calls, from other files as well, and
the constants that these files import. The compiler's own cache looks at the entry point's file
alone; here its index carries a digest of all those sources and of the compiler's version. What a
file says counts, not its date: an installed copy and a checkout are treated alike.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from inspect import getfile
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

__all__ = ["KernelCache", "kernel_digest", "kernel_sources"]

_COMPILER = "polyrank.lp.jit"
_IMPORT = re.compile(r"^from (polyrank[\w.]*) import (\([^)]*\)|.*)$", re.MULTILINE)
_CONSTANT = re.compile(r"\b[A-Z][A-Z0-9_]+\b")


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def kernel_sources(start: Path) -> tuple[Path, ...]:
    """The files that can be compiled into the entry points of a file, itself first.

    Those that it imports kernels or constants from, and those that these import them from.
    """
    package = Path(__file__).resolve().parent.parent
    found = [start]
    for path in found:
        for module, names in _IMPORT.findall(_text(path)):
            source = package.parent.joinpath(*module.split(".")).with_suffix(".py")
            kernels = f"from {_COMPILER} import" in _text(source)
            if (kernels or _CONSTANT.search(names)) and source not in found and _text(source):
                found.append(source)
    return tuple(found)


@cache
def kernel_digest(start: Path) -> str:
    """A hash of these sources and of the versions of the compiler."""
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__}\n".encode())
    for path in sorted(kernel_sources(start)):
        text = _text(path).encode()
        digest.update(f"{path.name} {len(text)}\n".encode() + text)
    return digest.hexdigest()


class KernelCache(FunctionCache):  # type: ignore[misc]
    """The compiler's cache of one entry point, valid for one digest of the sources."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file = IndexDataCacheFile(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=kernel_digest(Path(getfile(function)).resolve()),
        )
