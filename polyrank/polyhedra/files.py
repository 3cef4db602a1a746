"""Domains in ``.npz`` and ``.json`` files, read exactly and without trusting the file.

=========  ==================================================================
a box      ``lower``, ``upper``: numbers or vectors
polytope   ``A`` (m, n), ``b`` (m,): the set A x ≤ b
a slice    ``origin`` (n,), ``basis`` (n, k), and in slice coordinates u
           optionally ``lower`` and ``upper``, ``A`` and ``b``, or all four
=========  ==================================================================

A float in an ``.npz`` array is the dyadic rational that it encodes; a decimal in a ``.json`` file
is taken as it is written (0.1 is 1/10), and a string may spell a fraction (``"1/3"``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from polyrank.errors import DomainError, FormatError
from polyrank.network.formats.npz import read_arrays
from polyrank.network.formats.source import read_text, unique_keys
from polyrank.polyhedra.domain import Box, Domain, Polytope, Slice

__all__ = ["box_from_file", "polytope_from_file", "slice_from_file"]

_MAX_BYTES = 1 << 28


def box_from_file(path: str | Path) -> Box:
    """The box of a file with ``lower`` and ``upper``.

    Raises
    ------
    DomainError
        In one sentence, if the file cannot be read or does not describe a box.
    """
    return _build(path, ("lower", "upper"), (), lambda found: Box(found["lower"], found["upper"]))


def polytope_from_file(path: str | Path) -> Polytope:
    """The polytope ``A x ≤ b`` of a file with ``A`` and ``b``.

    Raises
    ------
    DomainError
        In one sentence, if the file cannot be read or does not describe a polytope.
    """
    return _build(path, ("A", "b"), (), lambda found: Polytope(found["A"], found["b"]))


def slice_from_file(path: str | Path, inner: Domain | None = None) -> Slice:
    """The slice of a file with ``origin`` and ``basis``, and perhaps bounds on its coordinates.

    Parameters
    ----------
    path : path
    inner : Domain, optional
        A domain in slice coordinates, if the file has none.

    Raises
    ------
    DomainError
        In one sentence, if the file cannot be read or does not describe a slice, or if both the
        file and ``inner`` bound the slice coordinates.
    """

    def build(found: Mapping[str, Any]) -> Slice:
        plain = Slice(found["origin"], found["basis"])
        bounds = _inner(found, plain.basis.ncols())
        if bounds is not None and inner is not None:
            raise DomainError(
                "the file bounds the slice's coordinates already; give these bounds once"
            )
        return Slice(plain.origin, plain.basis, bounds or inner)

    return _build(path, ("origin", "basis"), (("lower", "upper"), ("A", "b")), build)


def _inner(found: Mapping[str, Any], k: int) -> Domain | None:
    """The domain in slice coordinates, None if the file has none."""
    box = Box(found["lower"], found["upper"]) if "lower" in found else None
    polytope = Polytope(found["A"], found["b"]) if "A" in found else None
    if box is None or polytope is None:
        return box or polytope
    first, second = box.system(k), polytope.system(k)
    return Polytope(first.A.tolist() + second.A.tolist(), first.b.entries() + second.b.entries())


_Built = TypeVar("_Built", Box, Polytope, Slice)


def _build(
    path: str | Path,
    needed: tuple[str, ...],
    optional_pairs: tuple[tuple[str, str], ...],
    build: Callable[[Mapping[str, Any]], _Built],
) -> _Built:
    file = Path(path)
    found = _read(file)
    known = {*needed, *(key for pair in optional_pairs for key in pair)}
    missing = [key for key in needed if key not in found]
    missing += [
        key for pair in optional_pairs if len(found.keys() & set(pair)) == 1
        for key in pair if key not in found
    ]  # fmt: skip
    if missing:
        raise DomainError(
            f"{file.name} lacks {missing[0]!r}; it has {', '.join(sorted(found)[:8]) or 'no keys'}"
        )
    if unknown := sorted(found.keys() - known):
        raise DomainError(
            f"{file.name} has the unknown key {unknown[0]!r}; expected {', '.join(sorted(known))}"
        )
    try:
        return build(found)
    except DomainError as error:
        raise DomainError(f"{file.name}: {error}") from None


def _read(file: Path) -> Mapping[str, Any]:
    """The arrays or JSON values of a file, by key."""
    suffix = file.suffix.lower()
    if suffix not in {".npz", ".json"}:
        raise DomainError(f"{file.name}: expected a .npz or .json file")
    try:
        if suffix == ".npz":
            arrays, skipped = read_arrays(file)
            if skipped:
                raise DomainError(f"{file.name}: the array {skipped[0]!r} does not hold numbers")
            return arrays
        text = read_text(file, max_bytes=_MAX_BYTES)
    except FormatError as error:
        message = str(error)
        named = message if file.name in message else f"{file.name}: {message}"
        raise DomainError(named) from None
    except OSError as error:
        raise DomainError(f"cannot read {file}: {error.strerror or error}") from None
    try:
        # numbers stay text, so that 0.1 is 1/10 and not the float64 next to it
        document = json.loads(
            text,
            parse_float=str,
            parse_int=str,
            parse_constant=str,
            object_pairs_hook=unique_keys,
        )
    except FormatError as error:
        raise DomainError(f"{file.name}: {error}") from None
    except RecursionError:
        raise DomainError(f"{file.name}: the JSON is nested too deeply") from None
    except ValueError as error:
        raise DomainError(f"{file.name} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise DomainError(f'{file.name}: expected a JSON object with keys such as "lower"')
    return document
