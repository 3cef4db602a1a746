"""``polyrank convert``: from one format of saved weights to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import polyrank as pr
from polyrank_cli.failures import say, sentences
from polyrank_cli.options import ForceOption, NetworkArgument, Reading

__all__ = ["convert_command"]


def convert_command(
    network: NetworkArgument,
    target: Annotated[
        Path,
        typer.Argument(metavar="TARGET", help="A new file; its extension names the format."),
    ],
    *,
    reading: Reading,
    force: ForceOption = False,
) -> None:
    """Write NETWORK in another format, without changing the exact function."""
    with sentences():
        loaded = reading.load(network)
        if target.exists() and not force:
            raise pr.FormatError(
                f"{target}: the file exists; choose another name, or replace it with --force"
            )
        pr.save(loaded, target, overwrite=force)
        say(f"wrote {target} (hash {loaded.sha256})")
