"""``load``: any supported file to the exact normal form."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyrank.errors import FormatError, NetworkError, RunError, UnsupportedError
from polyrank.network.formats.dense import with_output_relu
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.registry import Format, format_of
from polyrank.network.formats.source import file_sha256, printable
from polyrank.network.normal_form import Network

__all__ = ["load", "load_as_stated"]

_TEXT, _FLAG = (str, type(None)), (bool, type(None))
_STATED = {
    "output_relu": _FLAG, "activation": _TEXT, "slope": (int, float, str, type(None)),
    "raw": _FLAG, "cut_final": _FLAG, "part": _TEXT, "name": _TEXT,
}  # fmt: skip

_REASONS = {
    "raw": "only .nnet files state a normalisation",
    "part": "they hold one network",
}


def load(
    path: str | os.PathLike[str],
    *,
    output_relu: bool = False,
    activation: str | None = None,
    slope: float | str | None = None,
    raw: bool | None = None,
    cut_final: bool = False,
    part: str | None = None,
    name: str | None = None,
) -> Network:
    """Read a network from saved weights, exactly.

    Every stored number is the rational that it encodes; decimal text is the nearest float64. The
    format is known by the extension and the content. Nothing in a file is executed.

    Parameters
    ----------
    path : str or path
        ``.npz``, ``.safetensors``, ``.nnet``, ``.json``, ``.onnx``/``.onnx.gz``,
        ``.pt``/``.pth``, ``.keras``/``.h5`` or ``.mat``.
    output_relu : bool
        Put a ReLU on the output layer as well.
    activation : str, optional
        For formats that store weights only: the activation between layers (default ``"relu"``),
        or one per hidden layer, separated by commas.
    slope : float or str, optional
        Negative slope of ``leaky_relu``: a float is the dyadic rational that it encodes, a string
        (``"1/100"``, ``"0.01"``) is exact. Given alone it means ``activation="leaky_relu"``.
    raw : bool, optional
        Leave out the normalisation that an ``.nnet`` header states.
    cut_final : bool
        Drop a final Softmax, Sigmoid or Tanh: it changes no region.
    part : str, optional
        Which network of a file that holds several (``"actor"``), by the name of its module;
        several that follow each other are separated by commas (``"encoder,decoder"``).
    name : str, optional
        Name of the network; the default is the file's, without its extension.

    Returns
    -------
    Network
        ``source`` records ``format``, ``file``, ``sha256`` (of the bytes of the file) and
        ``notes``: sentences that say what was folded, assumed or cut off.

    Raises
    ------
    FormatError
        If the file is missing, empty, truncated, corrupt, too large, or of another format than
        its extension says.
    UnsupportedError
        If it holds something that is not piecewise linear or not supported, which is named.
    NetworkError
        If shapes do not chain, a weight is not finite, or an option does not fit the format.
    """
    where = Path(path)
    options = LoadOptions(
        output_relu=output_relu,
        activation=activation,
        slope=slope,
        raw=raw,
        cut_final=cut_final,
        part=part,
    )
    try:
        form = format_of(where)
        _check_options(form, options)
        reader = importlib.import_module(f"polyrank.network.formats.{form.reader}")
        network: Network = reader.read(where, options)
        if output_relu:
            network = with_output_relu(network)
        source = {
            "format": form.name,
            "file": where.name,
            "sha256": file_sha256(where),
            **network.source,
            "notes": [printable(note) for note in network.source.get("notes", ())],
        }
    except NetworkError as problem:
        said = printable(str(problem))
        if said == str(problem) and where.name in said:
            raise
        named = said if where.name in said else f"{where.name}: {said}"
        raise type(problem)(named) from problem
    except OSError as problem:
        raise FormatError(f"{where}: cannot be read: {problem.strerror or problem}") from problem
    except ImportError as problem:
        raise UnsupportedError(
            f"{where.name}: reading this format needs the package {problem.name!r}, which is not "
            f"installed"
        ) from problem
    except MemoryError as problem:
        raise FormatError(f"{where.name}: not enough memory to read the file") from problem
    return Network(network.layers, name or printable(network.name), source)


def load_as_stated(path: Path, options: Any) -> Network:
    """Read a network with the options that a run, a verdict or a certificate states.

    Raises
    ------
    RunError
        If they are not options of :func:`load`.
    NetworkError
        As :func:`load`.
    """
    given = {} if options is None else options
    known = isinstance(given, Mapping) and all(
        isinstance(value, _STATED.get(key, ())) for key, value in given.items()
    )
    if not known:
        said = printable(repr(options), most=200)
        raise RunError(f"what names {path.name} states reading options that do not exist: {said}")
    return load(path, **given)


def _check_options(form: Format, options: LoadOptions) -> None:
    """An option that would be ignored is refused: the network would not be the one asked for."""
    given = {
        "activation": options.activation is not None,
        "slope": options.slope is not None,
        "raw": bool(options.raw),
        "part": options.part is not None,
    }
    for option, present in given.items():
        if present and option not in form.options:
            reason = _REASONS.get(option, "the file itself says which activations it has")
            raise NetworkError(f"--{option} does not apply to {form.name} files: {reason}")
