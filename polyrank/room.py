"""What a room shows: its public names, loaded on first use, and a question that it answers itself.

A function of the facade with the name of a room would be replaced by the room as soon as that is
imported. So the room itself can be called, and hands the question to the facade:
``polyrank.image(…)`` is a question, ``polyrank.image`` a package.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

__all__ = ["call_by", "public"]


def public(
    room: str, names: Mapping[str, Sequence[str]]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """``__all__``, ``__getattr__`` and ``__dir__`` of a package whose names load on first use.

    Parameters
    ----------
    room : str
        The package.
    names : mapping of str to sequence of str
        By module of the package, or of the package beside it (``".chains.chain"``). A name that a
        module of the package has is none: the module would take its place as soon as it is
        imported.
    """
    home = {name: module for module, own in names.items() for name in own}

    def load(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f".{home[name]}", room), name)
        setattr(sys.modules[room], name, value)
        return value

    def shown() -> list[str]:
        return sorted(home)

    return sorted(home), load, shown


class _Room(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        home, name = self.__dict__["_question"]
        return getattr(importlib.import_module(home), name)(*arguments, **options)


def call_by(room: str, home: str, name: str) -> None:
    """Let the package ``room`` be called: it answers as the function ``name`` of ``home``."""
    module = sys.modules[room]
    module.__class__ = _Room
    module.__dict__["_question"] = home, name
