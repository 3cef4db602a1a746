"""A short ``repr`` for results that hold arrays: some attributes by name, in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["brief"]

C = TypeVar("C", bound=type)

_LONGEST = 60


def brief(*names: str, **made: Callable[[Any], object]) -> Callable[[C], C]:
    """Give a class a ``repr`` that shows these attributes, then what is made from the object.

    It stands above ``dataclass``, whose own ``repr`` writes every array out.

    Examples
    --------
    >>> @brief("size", first=lambda found: found.items[0])
    ... class Found:
    ...     items, size = (3, 4, 5), 3
    >>> Found()
    Found(size=3, first=3)
    """

    def decorate(cls: C) -> C:
        def shown(self: Any) -> str:
            values = [(name, getattr(self, name)) for name in names]
            values += [(name, make(self)) for name, make in made.items()]
            return f"{cls.__name__}({', '.join(f'{n}={_cut(repr(v))}' for n, v in values)})"

        cls.__repr__ = shown  # type: ignore[assignment]
        return cls

    return decorate


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
