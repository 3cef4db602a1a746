"""``polyrank``: the entry point, which imports nothing heavy."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Annotated, NoReturn

try:
    import typer

    from polyrank import __version__
    from polyrank_cli.failures import ERROR, INTERRUPTED, say
    from polyrank_cli.streams import flush_stdout, keep_stdout_for_python, open_missing_streams
    from polyrank_cli.verbs import HELP_NAMES, Verbs
except KeyboardInterrupt:  # pressed before there is anything that could say so
    sys.stderr.write("polyrank: interrupted; nothing was kept\n")
    raise SystemExit(130) from None

__all__ = ["app", "leave", "main"]

app = typer.Typer(
    name="polyrank",
    cls=Verbs,
    context_settings=HELP_NAMES,
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


class _WithoutPandas(MetaPathFinder, Loader):
    """A finder of modules whose pandas cannot be imported; no verb needs it.

    Arrow looks for it whenever it is given an array: that is half a second, during which it takes
    Ctrl-C for the answer that there is none, so that the signal is lost.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec of pandas that leads here; None for all others."""
        del path, target
        return ModuleSpec(name, self) if name == "pandas" else None

    def exec_module(self, module: ModuleType) -> NoReturn:
        """Fail as if it were not installed."""
        raise ModuleNotFoundError("the command line does without pandas", name=module.__name__)


def main() -> None:
    """Run the command line; leaves with the exit status."""
    # a batch system ends a job with SIGTERM: what was found is kept as after Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    open_missing_streams()
    keep_stdout_for_python()
    sys.meta_path.insert(0, _WithoutPandas())
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
    call reads would be freed under it. And where the signal came while an extension module ran a
    string of Python, the interpreter would end with that signal, whatever the status.
    """
    try:
        flush_stdout()
    except OSError as error:
        if not status:
            say(f"error: standard output cannot be written: {error.strerror}")
            status = ERROR
    others = [t for t in threading.enumerate() if t is not threading.current_thread()]
    if (others or status == INTERRUPTED) and not isinstance(status, str):
        with suppress(OSError):  # its reader may have gone
            sys.stderr.flush()
        gc.collect()  # semaphores of pools that have ended are the system's to lose
        os._exit(status or 0)
    sys.exit(status)


if __name__ == "__main__":
    main()
