"""Rooms that can be called: ``polyrank.image(…)`` is a question, ``polyrank.image`` a package.

A function of the facade with the name of a room would be replaced by the room as soon as that is
imported. So the room itself can be called, and hands the question to the facade.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

__all__ = ["call_by"]


class _Room(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        home, name = self.__dict__["_question"]
        return getattr(importlib.import_module(home), name)(*arguments, **options)


def call_by(room: str, home: str, name: str) -> None:
    """Let the package ``room`` be called: it answers as the function ``name`` of ``home``."""
    module = sys.modules[room]
    module.__class__ = _Room
    module.__dict__["_question"] = home, name
