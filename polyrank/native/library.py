"""Loading the native core, and refusing one that was built from other sources."""

from __future__ import annotations

import ctypes
import hashlib
import platform
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from polyrank.errors import PolyrankError

__all__ = ["built_from", "core", "sources_hash"]

_HERE = Path(__file__).resolve().parent
_SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
_REBUILD = "build it again with: pip install -e . (or cmake -P polyrank/native/in_place.cmake)"


@cache
def core() -> ctypes.CDLL:
    """The core for this processor: compiled for AVX2 where the processor has it.

    Both builds compute the same bits: nothing is contracted or reassociated.

    Raises
    ------
    PolyrankError
        If the library is missing, or was built from other sources than those beside it.
    """
    baseline = _open("polyrank_core")
    if platform.machine().lower() in ("x86_64", "amd64"):
        baseline.polyrank_has_avx2.restype = ctypes.c_int
        if baseline.polyrank_has_avx2():
            return _open("polyrank_core_avx2")
    return baseline


def built_from() -> str:
    """The hash of the sources of the core, which names its build."""
    library = core()
    library.polyrank_sources.restype = ctypes.c_char_p
    return str(library.polyrank_sources().decode())


def sources_hash(folder: Path) -> str:
    """SHA-256 over names and contents of the core's sources, as its build computes it."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.[ch]pp")):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.name} {content}\n".encode())
    return digest.hexdigest()


def _open(name: str) -> ctypes.CDLL:
    path = _find(name + _SUFFIX)
    library = ctypes.CDLL(str(path))
    library.polyrank_sources.restype = ctypes.c_char_p
    built_from = library.polyrank_sources().decode()
    sources = _HERE / "src"
    if sources.is_dir() and sources_hash(sources) != built_from:
        raise PolyrankError(f"{path} was built from other sources than {sources}: {_REBUILD}")
    return library


def _find(file: str) -> Path:
    places = [_HERE / file]
    with suppress(PackageNotFoundError):
        places.append(Path(str(distribution("polyrank").locate_file(f"polyrank/native/{file}"))))
    for path in places:
        if path.is_file():
            return path
    raise PolyrankError(f"the native core {file} is not in {_HERE}: {_REBUILD}")
