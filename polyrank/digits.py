"""Numbers of any length as text: Python itself writes and reads no more than 4,300 digits."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from flint import fmpq, fmpz

__all__ = ["digits", "from_digits", "json_text", "json_value"]


def digits(value: int | Fraction) -> str:
    """An integer or a fraction in decimal digits.

    Examples
    --------
    >>> digits(Fraction(-1, 3)), len(digits(10**5000))
    ('-1/3', 5001)
    """
    return str(fmpq(value.numerator, value.denominator))


def from_digits(text: str) -> int:
    """The integer with these decimal digits.

    Raises
    ------
    ValueError
        If they are not an integer's.
    """
    return int(fmpz(text))


def json_text(value: Any, separators: tuple[str, str] = (",", ":")) -> str:
    """The JSON text of lists, objects, strings, numbers and None.

    Parameters
    ----------
    value
    separators : (str, str)
        What stands between two entries, and behind the names of an object.

    Examples
    --------
    >>> json_text([1, None, {"a": 10**5000}])[:16]
    '[1,null,{"a":100'
    """
    try:
        return json.dumps(value, separators=separators)
    except ValueError:  # among its integers is one that Python does not write
        return _text(value, *separators)


def _text(value: Any, comma: str, colon: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return digits(value)
    if isinstance(value, (list, tuple)):
        return f"[{comma.join(_text(v, comma, colon) for v in value)}]"
    if isinstance(value, dict):
        entries = (f"{json.dumps(k)}{colon}{_text(v, comma, colon)}" for k, v in value.items())
        return f"{{{comma.join(entries)}}}"
    return json.dumps(value)


def json_value(text: str | bytes) -> Any:
    """What a JSON text says.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # among its integers is one that Python does not read
        return json.loads(text, parse_int=from_digits)
