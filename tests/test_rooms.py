"""What the rooms show: every one has public names, which load, and are no modules."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import polyrank as pr

ROOMS = [m.name for m in pkgutil.iter_modules(pr.__path__) if m.ispkg]


@pytest.mark.parametrize("room", [r for r in ROOMS if r != "native"])
def test_a_room_shows_its_public_names(room: str) -> None:
    module = importlib.import_module(f"polyrank.{room}")
    assert module.__all__
    inside = {m.name for m in pkgutil.iter_modules(module.__path__)}
    # a module would take the place of a name like its own as soon as it is imported
    assert inside & set(module.__all__) == set()
    for name in module.__all__:
        assert getattr(module, name).__doc__, name
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        module.nothing  # noqa: B018


def test_names_are_shown_before_they_are_loaded() -> None:
    """In an interpreter that has used none of them."""
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    room = importlib.import_module(f'polyrank.{name}')\n"
        "    assert set(room.__all__) <= set(dir(room)), name\n"
    )
    rooms = [r for r in ROOMS if r != "native"]
    done = subprocess.run([sys.executable, "-c", code, *rooms], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
