"""Loading compiled code, and refusing what was built from other sources than those beside it."""

from __future__ import annotations

import ctypes
import hashlib
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from polyrank.errors import PolyrankError

__all__ = ["fastest", "has_both", "opened", "sources_hash"]

_SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
_REBUILD = "build it again with: pip install -e . (or cmake -P polyrank/native/in_place.cmake)"
_ANY = (
    "install again on this machine from the sources, or from a wheel for any processor "
    "(pip wheel --no-deps -C cmake.define.POLYRANK_ANY_PROCESSOR=ON .)"
)


def fastest(folder: Path, name: str) -> ctypes.CDLL:
    """The library of a package for this processor: for AVX2 where the processor has it.

    An installation has the one that its machine needs, or both. Both compute the same bits: nothing
    is contracted or reassociated.

    Raises
    ------
    PolyrankError
        As :func:`opened`, or if the only library is for processors with AVX2 and this one has none.
    """
    for home in _homes(folder):
        special, general = (home / (stem + _SUFFIX) for stem in (f"{name}_avx2", name))
        if special.is_file():
            library = _loaded(special, folder)
            library.polyrank_has_avx2.restype = ctypes.c_int
            if library.polyrank_has_avx2():
                return library
            if not general.is_file():
                raise PolyrankError(
                    f"{special} is for processors with AVX2, which this one has not: {_ANY}"
                )
        if general.is_file():
            return _loaded(general, folder)
    raise _missing(folder, name)


def has_both(folder: Path, name: str) -> bool:
    """Whether both libraries of a package are there, for AVX2 and for any processor."""
    found = (
        any((h / (n + _SUFFIX)).is_file() for h in _homes(folder)) for n in (name, f"{name}_avx2")
    )
    return all(found)


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
    for home in _homes(folder):
        path = home / (name + _SUFFIX)
        if path.is_file():
            return _loaded(path, folder)
    raise _missing(folder, name)


def _loaded(path: Path, folder: Path) -> ctypes.CDLL:
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


def _homes(folder: Path) -> list[Path]:
    """Where libraries of a package can be: beside its sources first, then where it is installed."""
    homes = [folder]
    with suppress(PackageNotFoundError):
        homes.append(Path(str(distribution("polyrank").locate_file(f"polyrank/{folder.name}"))))
    return homes


def _missing(folder: Path, name: str) -> PolyrankError:
    return PolyrankError(f"the compiled {name}{_SUFFIX} is not in {folder}: {_REBUILD}")
