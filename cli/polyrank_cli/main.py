"""``polyrank``: the entry point, which knows the verbs and imports nothing heavy."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from polyrank import __version__
from polyrank_cli.at import at_command
from polyrank_cli.bounds import bounds_command
from polyrank_cli.check import check_command
from polyrank_cli.complex import complex_command
from polyrank_cli.convert import convert_command
from polyrank_cli.count import count_command
from polyrank_cli.ensemble import ensemble_command
from polyrank_cli.enumerate import enumerate_command
from polyrank_cli.failures import INTERRUPTED
from polyrank_cli.graph import graph_command
from polyrank_cli.homeomorphism import homeomorphism_command
from polyrank_cli.homology import homology_command
from polyrank_cli.image import image_command
from polyrank_cli.info import info_command
from polyrank_cli.low_rank import low_rank_command
from polyrank_cli.minrank import minrank_command
from polyrank_cli.options import grouped
from polyrank_cli.plot import plot_command
from polyrank_cli.region import region_command
from polyrank_cli.renamed import Verbs
from polyrank_cli.report import report_command
from polyrank_cli.restrict import restrict_command
from polyrank_cli.sample import sample_command
from polyrank_cli.separate import separate_command
from polyrank_cli.slice import slice_command
from polyrank_cli.streams import keep_stdout_for_python
from polyrank_cli.summary import summary_command
from polyrank_cli.verify import verify_command

__all__ = ["app", "leave", "main"]

app = typer.Typer(
    name="polyrank",
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=(
        "Certified enumeration of the activation regions of piecewise-linear networks, with their "
        "exact ranks."
    ),
    epilog=(
        "Exit status: 0 certified, 1 error, 2 wrong usage, 3 undecided, "
        "4 rejected by check or contradicted by a sample, 5 violated, 130 interrupted."
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


_VERBS: dict[str, tuple[Callable[..., None], str]] = {
    "enumerate": (enumerate_command, "List every activation region of a network, certified."),
    "count": (count_command, "Count the regions of a network without listing them."),
    "complex": (complex_command, "List the cells of every dimension; level sets."),
    "info": (info_command, "Show what a file of saved weights holds."),
    "summary": (summary_command, "Show the counts and ranks of a run."),
    "graph": (graph_command, "Find the facets and neighbours of every region."),
    "low-rank": (low_rank_command, "Show the components of the low-rank part."),
    "minrank": (minrank_command, "Bound the least rank without enumerating."),
    "ensemble": (ensemble_command, "Measure many networks, proved beside sampled."),
    "bounds": (bounds_command, "Bound the number of regions by the widths alone."),
    "verify": (verify_command, "Decide a property: proved, or an exact counterexample."),
    "region": (region_command, "Show everything about one region of a run."),
    "plot": (plot_command, "Draw the regions of a two-dimensional run."),
    "report": (report_command, "Write a page about a run that one can send."),
    "sample": (sample_command, "Sample a network, and check a run against it."),
    "at": (at_command, "Show the region of one point."),
    "slice": (slice_command, "Enumerate a slice through data points."),
    "restrict": (restrict_command, "Divide a manifold into the cells of a network."),
    "separate": (separate_command, "Decide at which layers classes of a manifold are apart."),
    "homology": (homology_command, "Compute what collapsing the low-rank part does."),
    "homeomorphism": (homeomorphism_command, "Decide whether a layer is one-to-one."),
    "image": (image_command, "Compute the homology of the image at every layer."),
    "check": (check_command, "Replay the proof of a run."),
    "convert": (convert_command, "Write a network in another format."),
}
for _name, (_command, _line) in _VERBS.items():
    # a point may begin with a minus: at net -0.3,1/7
    _settings = {"ignore_unknown_options": _name == "at"}
    app.command(_name, short_help=_line, context_settings=_settings)(grouped(_command))


def main() -> None:
    """Run the command line; leaves with the exit status."""
    # a batch system ends a job with SIGTERM: what was found is kept as after Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    keep_stdout_for_python()
    try:
        app()
    except KeyboardInterrupt:  # before a verb began, or after its end
        leave(INTERRUPTED)
    except SystemExit as left:
        leave(left.code)


def leave(status: str | int | None) -> NoReturn:
    """End the process with an exit status, also where compiled code is still at work.

    After Ctrl-C a thread may be left inside one long call of the core
    (:func:`polyrank.cells.interrupt.answered`): if Python were taken down in good order, what that
    call reads would be freed under it.
    """
    others = [t for t in threading.enumerate() if t is not threading.current_thread()]
    if others and not isinstance(status, str):
        with suppress(OSError):  # the reader of our output may have gone
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status or 0)
    sys.exit(status)


if __name__ == "__main__":
    main()
