"""The limits under which hostile text is evaluated."""

from __future__ import annotations

from typing import NoReturn, Protocol

__all__ = ["Guard"]


class Guard(Protocol):
    """Where an evaluation reports a fault and pays for its work."""

    def fail(self, message: str) -> NoReturn:
        """Refuse the text: raises a :class:`~polyrank.errors.DomainError` that names the place."""

    def spend(self, work: int) -> None:
        """Pay for work in proportion to it; refuses the text when the allowance is used up."""
