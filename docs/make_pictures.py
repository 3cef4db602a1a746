"""Draws the pictures of the pages into docs/pictures, with the code of the pages themselves.

``python docs/make_pictures.py`` runs every block of Python in order and keeps the pictures that it
saves. The picture of the rooms is drawn from the contract that ``lint-imports`` enforces.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import tomllib
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

DOCS = Path(__file__).parent
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def rooms() -> None:
    """Draw the rooms: each imports only what stands below it."""
    contract = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    layers = contract["tool"]["importlinter"]["contracts"][0]["layers"]
    figure = Figure(figsize=(7.2, 0.46 * len(layers)), layout="constrained")
    axes = figure.add_subplot()
    colours = {"proof": "#f2d9a0", "native": "#d3e1ee", "api": "#b8dfa6", "polyrank_cli": "#b8dfa6"}
    for height, layer in enumerate(reversed(layers)):
        names = [name.strip(" ()").removeprefix("polyrank.") for name in layer.split("|")]
        width = 1.0 / len(names)
        for n, name in enumerate(names):
            face = colours.get(name, "#f4f1ea")
            axes.add_patch(
                Rectangle((n * width, height), width, 0.86, facecolor=face, edgecolor="#5f6b76")
            )
            shown = {"polyrank_cli": "the command line", "proof": "proof (imports no search)"}
            text = shown.get(name, name)
            axes.text((n + 0.5) * width, height + 0.43, text, ha="center", va="center", fontsize=9)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.1, len(layers))
    axes.axis("off")
    figure.savefig(DOCS / "pictures" / "rooms.png", dpi=110)


def main() -> None:
    """Draw all pictures."""
    rooms()
    for page in sorted(DOCS.rglob("*.md")):
        blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
        if not any("savefig" in block for block in blocks):
            continue
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            names: dict[str, object] = {"__name__": page.stem}
            for block in blocks:
                exec(compile(block, page.name, "exec"), names)  # noqa: S102  (our own pages)
            for picture in Path(folder).glob("*.png"):
                shutil.copy(picture, DOCS / "pictures" / picture.name)
            os.chdir(DOCS)


if __name__ == "__main__":
    main()
