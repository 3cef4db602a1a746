"""``save``: the exact normal form to a file that reads back as the same network."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.registry import format_to_write
from polyrank.network.normal_form import Network

__all__ = ["save"]


def save(network: Network, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a network as ``.npz``, ``.safetensors``, ``.nnet``, ``.json`` or ``.onnx``.

    The file is written under a temporary name, read back, compared with the network
    (``sha256``: every weight, bias and slope), and only then renamed.

    Parameters
    ----------
    network : Network
    path : str or path
        Its extension chooses the format.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    UnsupportedError
        If the format cannot carry the network exactly; the message names one that can.
    FormatError
        If the extension is not one of these, the file exists, or it cannot be written.
    """
    where = Path(path)
    form = format_to_write(where)
    if where.exists() and not overwrite:
        raise FormatError(
            f"{where}: the file exists; choose another name, or overwrite=True (--force)"
        )
    partial = where.with_name(f".{where.name}.{os.getpid()}.partial")
    package = "polyrank.network.formats"
    try:
        importlib.import_module(f"{package}.{form.writer}").write(network, partial)
        reader = importlib.import_module(f"{package}.{form.reader}")
        if _differs(reader.read(partial, LoadOptions()), network):
            raise UnsupportedError(
                f"{where.name}: a {form.name} file reads back as another normal form of this "
                f"network; write .json, .npz or .safetensors"
            )
        partial.replace(where)
    except OSError as problem:
        raise FormatError(f"{where}: cannot be written: {problem.strerror or problem}") from problem
    except NetworkError as problem:
        if where.name in str(problem):
            raise
        raise type(problem)(f"{where.name}: {problem}") from problem
    finally:
        partial.unlink(missing_ok=True)


def _differs(again: Network, network: Network) -> bool:
    return again.sha256 != network.sha256
