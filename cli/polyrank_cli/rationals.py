"""Rational numbers as people read them: exact while short, else rounded and marked as such."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, Context, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flint import fmpq

__all__ = ["ROUNDED", "root", "root_text", "rounded_down", "short_point", "shown", "shown_point"]

_LONGEST = 24

ROUNDED = "numbers marked ≈ are rounded; --json has the exact fractions"


def shown(value: fmpq) -> str:
    """A fraction of at most 24 characters exactly; a longer one as ``≈`` and twelve digits."""
    exact = str(value)
    return exact if len(exact) <= _LONGEST else f"≈{_digits(_decimal(value), 12)}"


def shown_point(values: Iterable[fmpq]) -> str:
    """The coordinates of a point in brackets."""
    return f"({', '.join(map(shown, values))})"


def short_point(values: Sequence[fmpq], most: int = 12) -> str:
    """A point; of many coordinates only the first ones that are not zero, with their numbers."""
    if len(values) <= most:
        return shown_point(values)
    there = [(j, v) for j, v in enumerate(values) if v != 0]
    first = ", ".join(f"x{j} = {shown(v)}" for j, v in there[: most // 2])
    if not there:
        return f"0, in {len(values):,} coordinates"
    rest = f", ... ({len(there) - most // 2:,} more)" if len(there) > most // 2 else ""
    return f"{first}{rest}; the other {len(values) - len(there):,} of {len(values):,} are 0"


def root_text(square: fmpq) -> str:
    """The square root, six digits, of any magnitude."""
    return _digits(_decimal(square).sqrt(), 6)


def rounded_down(value: fmpq) -> str:
    """Six digits of a number that is not negative, none larger than the number."""
    context = Context(prec=6, rounding=ROUND_DOWN)
    return f"{context.divide(Decimal(int(value.p)), Decimal(int(value.q))).normalize(context):g}"


def root(square: fmpq) -> float | None:
    """The square root for JSON; None where it exceeds every float."""
    value = float(_decimal(square).sqrt())
    return value if math.isfinite(value) else None


def _decimal(value: fmpq) -> Decimal:
    return Decimal(int(value.p)) / Decimal(int(value.q))


def _digits(value: Decimal, digits: int) -> str:
    near = float(value)
    fits = value == 0 or (near != 0.0 and math.isfinite(near))
    return f"{near:.{digits}g}" if fits else f"{value:.{digits}g}"
