"""What the rooms show: every one has public names, which load, and are no modules."""

from __future__ import annotations

import importlib
import pkgutil

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
