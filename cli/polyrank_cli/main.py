"""``polyrank``: the entry point, which knows the verbs and imports nothing heavy."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from polyrank import __version__
from polyrank_cli.at import at_command
from polyrank_cli.check import check_command
from polyrank_cli.complex import complex_command
from polyrank_cli.convert import convert_command
from polyrank_cli.enumerate import enumerate_command
from polyrank_cli.graph import graph_command
from polyrank_cli.homology import homology_command
from polyrank_cli.info import info_command
from polyrank_cli.low_rank import low_rank_command
from polyrank_cli.minrank import minrank_command
from polyrank_cli.plot import plot_command
from polyrank_cli.region import region_command
from polyrank_cli.restrict import restrict_command
from polyrank_cli.sample import sample_command
from polyrank_cli.slice import slice_command
from polyrank_cli.summary import summary_command

__all__ = ["app", "main"]

app = typer.Typer(
    name="polyrank",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=(
        "Certified enumeration of the activation regions of piecewise-linear networks, with their "
        "exact ranks."
    ),
    epilog=(
        "Exit status: 0 certified, 1 error, 2 wrong usage, 3 undecided cells remain, "
        "4 rejected by check or contradicted by a sample, 130 interrupted."
    ),
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"polyrank {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    del version


app.command("enumerate")(enumerate_command)
app.command("complex")(complex_command)
app.command("info")(info_command)
app.command("summary")(summary_command)
app.command("graph")(graph_command)
app.command("low-rank")(low_rank_command)
app.command("minrank")(minrank_command)
app.command("region")(region_command)
app.command("plot")(plot_command)
app.command("sample")(sample_command)
app.command("at")(at_command)
app.command("slice")(slice_command)
app.command("restrict")(restrict_command)
app.command("homology")(homology_command)
app.command("check")(check_command)
app.command("convert")(convert_command)


def main() -> None:
    """Run the command line; leaves with the exit status."""
    # a batch system ends a job with SIGTERM: what was found is kept as after Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()


if __name__ == "__main__":
    main()
