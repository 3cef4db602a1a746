"""The domain that the command line asks for: at most one of the options, read exactly.

Numbers are taken exactly as they are written: ``0.1`` on the command line or in a JSON file is
1/10; an entry of a float array in an npz file is the dyadic rational that it encodes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer

import polyrank as pr
from polyrank.errors import DomainError, FormatError
from polyrank.network.formats.npz import read_arrays
from polyrank.polyhedra.domain import Domain

__all__ = ["DomainChoice", "chosen_domain"]


@dataclass(frozen=True, slots=True)
class DomainChoice:
    """The domain options as they were typed."""

    box: tuple[str, str] | None = None
    box_file: Path | None = None
    vnnlib: Path | None = None
    case: int | None = None
    polytope: Path | None = None
    slice: Path | None = None


def chosen_domain(choice: DomainChoice) -> Domain:
    """The domain of the command line; all of R^n when no option is given.

    ``--slice`` may be combined with ``--box``, ``--box-file`` or ``--polytope``, which then speak
    of the slice's own coordinates.

    Raises
    ------
    typer.BadParameter
        If the options contradict one another.
    DomainError
        If a file is missing, damaged or does not describe a domain.
    """
    given = {
        "--box": choice.box,
        "--box-file": choice.box_file,
        "--vnnlib": choice.vnnlib,
        "--polytope": choice.polytope,
    }
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise typer.BadParameter(f"{' and '.join(named)} each name a domain; give one of them")
    if choice.case is not None and choice.vnnlib is None:
        raise typer.BadParameter("--case chooses among the cases of --vnnlib, which is missing")
    if choice.slice is not None and choice.vnnlib is not None:
        raise typer.BadParameter("--slice cannot be combined with --vnnlib")
    inner = _inner(choice)
    if choice.slice is None:
        return inner
    arrays = _arrays(choice.slice, ("origin", "basis"), "--slice")
    return pr.Slice(arrays["origin"], arrays["basis"], inner)


def _inner(choice: DomainChoice) -> Domain:
    if choice.box is not None:
        low, high = (side.split(",") if "," in side else side for side in choice.box)
        return pr.Box(low, high)
    if choice.box_file is not None:
        arrays = _arrays(choice.box_file, ("lower", "upper"), "--box-file")
        return pr.Box(_side(arrays["lower"]), _side(arrays["upper"]))
    if choice.polytope is not None:
        arrays = _arrays(choice.polytope, ("A", "b"), "--polytope")
        return pr.Polytope(arrays["A"], arrays["b"])
    if choice.vnnlib is not None:
        return _vnnlib_case(choice.vnnlib, choice.case)
    return pr.WholeSpace()


def _side(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _arrays(path: Path, keys: tuple[str, ...], option: str) -> Mapping[str, Any]:
    if not path.is_file():
        raise DomainError(f"{path}: no such file ({option} reads .npz or .json)")
    if path.suffix == ".json":
        found = _json_object(path)
    elif path.suffix == ".npz":
        found = _npz(path)
    else:
        raise DomainError(f"{path}: {option} reads .npz or .json, not {path.suffix or 'this'!r}")
    missing = [key for key in keys if key not in found]
    if missing:
        raise DomainError(
            f"{path}: {option} needs the keys {' and '.join(keys)}; found "
            f"{', '.join(sorted(found)) or 'none'}"
        )
    return found


def _json_object(path: Path) -> Mapping[str, Any]:
    try:
        # decimals stay text, so that 0.1 is 1/10 and not the float64 next to it
        found = json.loads(path.read_text(encoding="utf-8"), parse_float=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise DomainError(f"{path}: not a JSON file ({error})") from None
    if not isinstance(found, dict):
        raise DomainError(f"{path}: expected a JSON object, found {type(found).__name__}")
    return found


def _npz(path: Path) -> Mapping[str, Any]:
    try:
        return read_arrays(path)[0]
    except FormatError as error:
        raise DomainError(f"{path}: {error}") from None


def _vnnlib_case(path: Path, case: int | None) -> Domain:
    raise NotImplementedError
