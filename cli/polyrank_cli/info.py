"""``polyrank info``: what a file of saved weights holds, or what a run says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import typer

import polyrank as pr
from polyrank_cli.failures import sentences
from polyrank_cli.options import JsonOption, NetworkArgument, Reading
from polyrank_cli.rationals import ROUNDED, shown
from polyrank_cli.streams import tell

__all__ = ["info_command"]


def info_command(
    network: NetworkArgument,
    *,
    reading: Reading,
    as_json: JsonOption = False,
) -> None:
    """Show the layers, units and slopes of NETWORK, its normalisation and what was folded.

    Of a run directory it shows what the run says: verdict, layers, domain, where from.
    """
    # loads numpy and flint, which have no place in --help
    from polyrank.report.network import network_object, network_table  # noqa: PLC0415

    with sentences():
        if network.is_dir():
            _show_run(network, as_json=as_json)
            return
        loaded = reading.load(network)
        if as_json:
            typer.echo(json.dumps(network_object(loaded)))
            return
        tell(f"{loaded.name} {'-'.join(map(str, loaded.widths))}")
        tell(f"{sum(loaded.bits):,} hyperplanes, hash {loaded.sha256}")
        table = network_table(loaded, shown)
        tell(table)
        if "≈" in table:
            tell(ROUNDED)
        for note in loaded.source.get("notes", ()):
            tell(f"note: {note}")


def _show_run(path: Path, *, as_json: bool) -> None:
    from polyrank.report.summary import depth, run_object, verdict  # noqa: PLC0415

    run = pr.open_run(path)
    if as_json:
        typer.echo(json.dumps(run_object(run)))
        return
    tell(f"a run of {run.network['name']} {'-'.join(map(str, run.network['widths']))}")
    tell(verdict(run))
    tell(depth(run))
    tell(f"network hash {run.network['hash']}")
    kind, engine = run.manifest["domain"]["kind"], run.manifest.get("engine")
    tell(f"domain: {kind}, of dimension {run.dimension}; engine {engine}")
    tell("this is what the run says; polyrank check proves it")
