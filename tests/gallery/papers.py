"""Running a script of the gallery, and comparing its table with the one that is kept."""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

__all__ = ["PAPERS", "checked", "rows", "run", "same"]

PAPERS = ROOT / "examples" / "papers"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(script: str, output: Path, *options: str) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'cli'}"}
    done = subprocess.run(
        [sys.executable, str(PAPERS / script), "--output", str(output), *options],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def same(found: list[dict[str, str]], kept: list[dict[str, str]]) -> None:
    """Value by value; numbers up to the last digits that are printed."""
    assert [list(r) for r in found] == [list(r) for r in kept]
    for number, (a, b) in enumerate(zip(found, kept, strict=True)):
        for name in a:
            try:
                near = math.isclose(float(a[name]), float(b[name]), rel_tol=1e-3, abs_tol=1e-9)
            except ValueError:
                near = a[name] == b[name]
            assert near, (number, name, a, b)


def checked(script: str, output: Path, table: str) -> list[dict[str, str]]:
    """Run a script in its small size; its table, which is the one that is kept."""
    run(f"{script}.py", output)
    found = rows(output / f"{table}.csv")
    same(found, rows(PAPERS / script / f"{table}.csv"))
    assert any(p.stat().st_size > 10_000 for p in output.glob("*.png"))
    return found
