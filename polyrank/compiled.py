"""Loading compiled code, and refusing what was built from other sources than those beside it."""

from __future__ import annotations

import ctypes
import hashlib
import platform
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from polyrank.errors import PolyrankError

__all__ = ["fastest", "opened", "sources_hash"]

_SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
_REBUILD = "build it again with: pip install -e . (or cmake -P polyrank/native/in_place.cmake)"


def fastest(folder: Path, name: str) -> ctypes.CDLL:
    """The library of a package for this processor: for AVX2 where the processor has it.

    Both builds compute the same bits: nothing is contracted or reassociated.

    Raises
    ------
    PolyrankError
        As :func:`opened`.
    """
    baseline = opened(folder, name)
    if platform.machine().lower() in ("x86_64", "amd64"):
        baseline.polyrank_has_avx2.restype = ctypes.c_int
        if baseline.polyrank_has_avx2():
            return opened(folder, f"{name}_avx2")
    return baseline


def opened(folder: Path, name: str) -> ctypes.CDLL:
    """The library of a package, which has its sources in ``src`` and says from which it was built.

    Parameters
    ----------
    folder : Path
        The package's, in ``polyrank``.
    name : str
        Without suffix.

    Raises
    ------
    PolyrankError
        If the library is missing, or was built from other sources than those beside it.
    """
    path = _find(folder, name + _SUFFIX)
    library = ctypes.CDLL(str(path))
    library.polyrank_sources.restype = ctypes.c_char_p
    built_from = library.polyrank_sources().decode()
    sources = folder / "src"
    if sources.is_dir() and sources_hash(sources) != built_from:
        raise PolyrankError(f"{path} was built from other sources than {sources}: {_REBUILD}")
    return library


def sources_hash(folder: Path) -> str:
    """SHA-256 over names and contents of the sources of a library, as its build computes it."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.[ch]pp")):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.name} {content}\n".encode())
    return digest.hexdigest()


def _find(folder: Path, file: str) -> Path:
    places = [folder / file]
    with suppress(PackageNotFoundError):
        home = distribution("polyrank").locate_file(f"polyrank/{folder.name}/{file}")
        places.append(Path(str(home)))
    for path in places:
        if path.is_file():
            return path
    raise PolyrankError(f"the compiled {file} is not in {folder}: {_REBUILD}")
