"""The build back end: scikit-build-core, and a compiler from a wheel where the machine has none."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from scikit_build_core import build as _build

#: The wheel that brings clang, a C++ library and a linker.
_COMPILER = "ziglang>=0.13,<0.17"

build_sdist = _build.build_sdist
get_requires_for_build_sdist = _build.get_requires_for_build_sdist
prepare_metadata_for_build_wheel = _build.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = _build.prepare_metadata_for_build_editable


def _has_compiler() -> bool:
    return bool(os.environ.get("CXX")) or any(map(shutil.which, ("c++", "g++", "clang++")))


def _with_compiler(requires: list[str]) -> list[str]:
    return requires if _has_compiler() else [*requires, _COMPILER]


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    """What scikit-build-core needs, and a compiler where there is none."""
    return _with_compiler(_build.get_requires_for_build_wheel(config_settings))


def get_requires_for_build_editable(config_settings: dict[str, Any] | None = None) -> list[str]:
    """As for a wheel."""
    return _with_compiler(_build.get_requires_for_build_editable(config_settings))


def _use_compiler_of_wheel(folder: Path) -> None:
    """Set CXX to a script that calls the wheel's clang: CMake wants one program."""
    script = folder / "c++"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang c++ "$@"\n')
    script.chmod(0o755)
    archiver = folder / "ar"
    archiver.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang ar "$@"\n')
    archiver.chmod(0o755)
    os.environ["CXX"] = str(script)
    os.environ["AR"] = str(archiver)


def _built(kind: str, *arguments: Any) -> str:
    with tempfile.TemporaryDirectory() as folder:
        if not _has_compiler():
            _use_compiler_of_wheel(Path(folder))
        return str(getattr(_build, kind)(*arguments))


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the wheel."""
    return _built("build_wheel", wheel_directory, config_settings, metadata_directory)


def build_editable(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the core and link the sources."""
    return _built("build_editable", wheel_directory, config_settings, metadata_directory)
