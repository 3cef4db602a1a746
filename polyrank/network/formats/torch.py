"""``.pt`` and ``.pth`` files of PyTorch, read without torch and without running anything.

A state dict (or a checkpoint that holds one) is a chain of Linear layers; a pickled
``torch.nn.Sequential`` of known layers states its activations itself; any other module is refused
with the line of Python that exports it. See :mod:`polyrank.network.formats.torch_pickle` for why
nothing in the file can run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.source import check_entries
from polyrank.network.formats.torch_modules import (
    EXPORT,
    is_module,
    module_class,
    sequential_layers,
)
from polyrank.network.formats.torch_state import network_from_state
from polyrank.network.formats.torch_tensors import TorchFile, open_torch
from polyrank.network.normal_form import Network

__all__ = ["read"]

_USUAL = ("state_dict", "model_state_dict", "model", "net", "network")


def read(path: Path, options: LoadOptions) -> Network:
    """The network of a ``.pt`` or ``.pth`` file.

    Parameters
    ----------
    path : Path
    options : LoadOptions
        ``activation`` and ``slope`` for a state dict; a number ``negative_slope`` that lies
        beside the state dict in the file is used if they are not given.

    Returns
    -------
    Network
        ``source["notes"]`` says which activations were assumed and what was left out.

    Raises
    ------
    FormatError
        If the file is missing, empty, truncated, damaged or too large.
    UnsupportedError
        If it holds a module whose code decides what it computes, asks for a function of the
        standard library, or has arrays that are not a chain of layers.
    """
    file = open_torch(path)
    notes: list[str] = []
    value, beside = _chosen(file, file.content, notes)
    if is_module(value):
        if options.activation is not None or options.slope is not None:
            raise NetworkError(
                "the file states its activations: leave out --activation and --slope"
            )
        layers = sequential_layers(value, file, cut_final=options.cut_final, notes=notes)
        return Network(layers, path.stem, {"notes": notes})
    slope = beside.get("negative_slope")
    if isinstance(slope, float) and options.activation is None and options.slope is None:
        options = replace(options, slope=slope)
        notes.append(
            f"negative_slope = {slope} lies beside the state dict in the file: taken as --slope"
        )
    return network_from_state(_arrays(file, value, notes), options, name=path.stem, notes=notes)


def _chosen(file: TorchFile, content: Any, notes: list[str]) -> tuple[Any, Mapping[Any, Any]]:
    """The state dict or module to read, and what lies beside it."""
    if is_module(content):
        return content, {}
    if not isinstance(content, Mapping) or not content:
        shown = module_class(content) or type(content).__name__
        raise UnsupportedError(f"the file holds a {shown}; expected a state dict; {EXPORT}")
    inner = [k for k, v in content.items() if is_module(v) or _is_state(file, v)]
    if not inner or _is_state(file, content):
        return content, {}
    usual = [key for key in _USUAL if key in inner] or inner
    if len(inner) > 1 and usual == inner:
        raise FormatError(
            f"the file holds several sets of weights, {', '.join(map(str, inner))}; save one of "
            "them alone"
        )
    key = usual[0]
    rest = {k: v for k, v in content.items() if k != key}
    if rest:
        notes.append(f"read {key!r}; beside it, not read: {', '.join(map(str, rest))}")
    return content[key], rest


def _is_state(file: TorchFile, value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(key, str) for key in value)
        and all(file.is_tensor(v) for v in value.values())
    )


def _arrays(file: TorchFile, value: Mapping[Any, Any], notes: list[str]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    total = 0
    left_out = []
    for key, entry in value.items():
        array = file.tensor(entry) if isinstance(key, str) else None
        if array is None:
            left_out.append(str(key))
            continue
        total += array.size
        check_entries(total, "the file")
        arrays[key] = array
    if not arrays:
        raise UnsupportedError(f"the file holds no tensors; expected a state dict; {EXPORT}")
    if left_out:
        notes.append(f"not tensors, not read: {', '.join(left_out)}")
    return arrays
