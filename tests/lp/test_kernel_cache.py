"""Machine code on disk: another file's bound, changed, must not run as it was."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import polyrank

ENTRY = """
from polyrank.cells.bounds import LIMIT, widened
from polyrank.lp.jit import kernel

@kernel
def entry(x):
    return widened(x) + LIMIT
"""
BOUNDS = """
from polyrank.cells.inflation import INFLATE
from polyrank.lp.jit import shared

LIMIT = 0.5

@shared
def widened(x):
    return x * INFLATE * 1.0
"""
INFLATION = "INFLATE = 2.0\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package of this name with an entry point, a kernel in a second file, a bound in a third."""
    package = tmp_path / "site-packages" / "polyrank"
    source = Path(polyrank.__file__).parent / "lp"
    for room in ("lp", "cells"):
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    for name in ("jit.py", "kernel_cache.py"):
        shutil.copy(source / name, package / "lp" / name)
    for name, text in (("entry", ENTRY), ("bounds", BOUNDS), ("inflation", INFLATION)):
        (package / "cells" / f"{name}.py").write_text(text)
    return package


def _runs(package: Path, home: Path) -> tuple[float, int]:
    """What the entry point computes in a new process, and how often it came from the cache."""
    script = (
        "from polyrank.cells.entry import entry\n"
        "print(entry(1.0), sum(entry.stats.cache_hits.values()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "HOME": str(home)}
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "NUMBA_DISABLE_JIT"):
        environment.pop(name, None)
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, cwd=home
    )
    value, hits = done.stdout.split()
    return float(value), int(hits)


@pytest.mark.parametrize("read_only", [False, True])
def test_every_source_that_is_compiled_in_is_part_of_the_key(
    tree: Path, tmp_path: Path, read_only: bool
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    if read_only:  # no directory can be made where a file stands: the user's cache is taken
        for room in ("lp", "cells"):
            (tree / room / "__pycache__").write_text("")
    assert _runs(tree, home) == (2.5, 0)
    assert _runs(tree, home) == (2.5, 1)
    stamp = (tree / "cells" / "bounds.py").stat()
    for name, old, new, value in (
        ("bounds", "* 1.0", "* 9.0", 18.5),  # a kernel of another file
        ("bounds", "= 0.5", "= 0.7", 18.7),  # a constant that is imported
        ("inflation", "= 2.0", "= 3.0", 27.7),  # one that the kernel imports
    ):
        path = tree / "cells" / f"{name}.py"
        path.write_text(path.read_text().replace(old, new))
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # size and date as before
        for compiled in (tree / "cells").glob("__pycache__/*.pyc"):
            compiled.unlink()  # Python's own cache goes by date and size
        assert _runs(tree, home) == (pytest.approx(value), 0)
        assert _runs(tree, home) == (pytest.approx(value), 1)
