"""The network that a run, a verdict or a certificate names; its hash is compared elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyrank.errors import NetworkError, RunError
from polyrank.network.formats import load_as_stated
from polyrank.network.normal_form import Network

__all__ = ["named_network"]


def named_network(path: Path, stated: Mapping[str, Any], given: Path | None) -> Network:
    """The network in the file that is given or else stated, read with the stated options.

    Parameters
    ----------
    path : Path
        The directory; a stated path is relative to it, unless it is absolute.
    stated : mapping
        ``network_file`` holds ``path`` and ``options``.
    given : Path or None

    Raises
    ------
    RunError
        If no file is named, or the options are none.
    NetworkError
        If the file is missing or cannot be read.
    """
    entry = stated.get("network_file") or {}
    named, options = (
        (entry.get("path"), entry.get("options")) if isinstance(entry, dict) else (None, None)
    )
    if given is None and not (named and isinstance(named, str)):
        raise RunError(f"{path} does not say where its network is; name the file with --network")
    file = given if given is not None else path / str(named)  # an absolute path stays itself
    if not (file.is_file() or file.is_dir()):  # nor a pipe, which never ends
        raise NetworkError(f"{file} is missing; name the network's file with --network")
    return load_as_stated(file, options)
