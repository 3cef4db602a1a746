"""A hook of MkDocs: pages may show the pictures that lie beside the scripts in ``examples``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

_ROOT = Path(__file__).parent.parent


def on_files(files: Any, *, config: Any) -> Any:
    """Add every picture of ``examples`` under its own path."""
    for picture in sorted((_ROOT / "examples").rglob("*.png")):
        name = picture.relative_to(_ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """In the repository ``examples`` lies beside ``docs``, on the site below it."""
    return markdown.replace("](../examples/", "](examples/")
