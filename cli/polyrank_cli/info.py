"""``polyrank info``: what a file of saved weights holds."""

from __future__ import annotations

import json

import typer

from polyrank_cli.failures import sentences
from polyrank_cli.options import JsonOption, NetworkArgument, Reading

__all__ = ["info_command"]


def info_command(
    network: NetworkArgument,
    *,
    reading: Reading,
    as_json: JsonOption = False,
) -> None:
    """Show the layers, units and slopes of NETWORK, its normalisation and what was folded."""
    # loads numpy and flint, which have no place in --help
    from polyrank.report.network import network_object, network_table  # noqa: PLC0415

    with sentences():
        loaded = reading.load(network)
        if as_json:
            typer.echo(json.dumps(network_object(loaded)))
            return
        typer.echo(f"{loaded.name} {'-'.join(map(str, loaded.widths))}")
        typer.echo(f"{sum(loaded.bits):,} hyperplanes, hash {loaded.sha256}")
        typer.echo(network_table(loaded))
        for note in loaded.source.get("notes", ()):
            typer.echo(f"note: {note}")
