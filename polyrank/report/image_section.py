"""What a page says about the images of a manifold: their homology and the barcode of the layers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyrank.errors import RunError
from polyrank.image.barcode import level_name
from polyrank.proof.image import STATEMENT

__all__ = ["image_section"]


def image_section(directory: str | Path, network: Mapping[str, Any]) -> dict[str, Any]:
    """The claims of a certificate that ``polyrank image -o`` wrote, for the template.

    They are shown as they stand there: ``polyrank check`` of the directory verifies them.

    Parameters
    ----------
    directory : path
    network : mapping
        The network's entry in the manifest of the run that the page is about.

    Raises
    ------
    RunError
        If there is no such certificate, it is damaged, or it is of another network.
    """
    file = Path(directory) / STATEMENT.name
    try:
        stated = json.loads(file.read_text(encoding="utf-8"))
        known = stated[STATEMENT.key] == STATEMENT.format
        levels = [None, *range(int(stated["layers"]) + 1)]
        names = [level_name(k) for k in levels]
        groups = [", ".join(map(str, entry)) for entry in stated["groups"]]
        bars = [_bar(bar, names) for bar in stated["bars"]]
        own, over = stated["network"]["hash"], str(stated["coefficients"])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        known = False
    if not known:
        raise RunError(
            f"{file} is not a certificate of images; polyrank image NETWORK MANIFOLD -o DIR "
            "writes one"
        )
    if own != network["hash"]:
        raise RunError(f"{directory} is about another network than the run")
    if len(groups) != len(names):
        raise RunError(f"{file} states the homology of {len(groups)} of {len(names)} images")
    return {
        "levels": list(zip(names, groups, strict=True)),
        "bars": bars,
        "over": "Q" if over == "Z" else over,
        "check": f"polyrank check {directory}",
    }


def _bar(bar: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    birth, death, count = int(bar["birth"]), bar["death"], int(bar["count"])
    end = len(names) if death is None else int(death)
    if not 0 <= birth < end <= len(names):
        raise ValueError
    until = "the end" if death is None else names[end]
    return {
        "degree": int(bar["degree"]),
        "count": f"{count:,}",
        "left": round(100 * birth / len(names), 2),
        "width": round(100 * (end - birth) / len(names), 2),
        "text": f"{names[birth]} to {until}",
    }
