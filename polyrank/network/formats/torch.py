"""``.pt`` and ``.pth`` files of PyTorch, read without torch and without running anything.

A state dict (or a checkpoint that holds one) is a chain of Linear layers; a pickled
``torch.nn.Sequential`` of known layers states its activations itself; any other module is refused
with the line of Python that exports it. See :mod:`polyrank.network.formats.torch_pickle` for why
nothing in the file can run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.pairs import names_a_role
from polyrank.network.formats.source import check_entries
from polyrank.network.formats.stated import speaks_of_activations, stated_activations, words_of
from polyrank.network.formats.torch_modules import (
    EXPORT,
    is_module,
    module_class,
    sequential_layers,
)
from polyrank.network.formats.torch_pickle import Name, Persistent, Record
from polyrank.network.formats.torch_state import network_from_state
from polyrank.network.formats.torch_tensors import TorchFile, open_torch
from polyrank.network.normal_form import Network

__all__ = ["read"]

_TRAINING = frozenset(
    {"optimizer", "optimizers", "optimiser", "optim", "opt", "scheduler", "schedulers", "callbacks",
     "loops", "scaler"}
)  # fmt: skip
_DEEPEST, _MOST_ENTRIES = 4, 10_000
_USUAL: Mapping[str, Mapping[str, float]] = {
    "Hardtanh": {"min_val": -1.0, "max_val": 1.0},
    "ReLU6": {"min_val": 0.0, "max_val": 6.0},
}
"""What activations are made with if nothing is said."""


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
    found = _networks(file, file.content)
    if not found:
        return _state(file, _loose(file.content), options, path.stem, notes, {})
    if len(found) > 1 and all(is_module(v) for v in found.values()):
        found, options = _one_module(found, options)
    if len(found) == 1:
        ((key, value),) = found.items()
        beside = _beside(file.content, key)
        if key and beside:
            notes.append(f"read {key!r}; beside it, not read: {', '.join(map(str, beside))}")
    else:  # several state dicts: what is one network is decided by their names, as inside of one
        if any(is_module(v) for v in found.values()):
            raise FormatError(
                f"the file holds several sets of weights, {', '.join(found)}, of which some are "
                f"whole modules; {EXPORT}"
            )
        value = {f"{k}.{name}": v for k, inner in found.items() for name, v in inner.items()}
        beside = _beside(file.content, *found)
    if not is_module(value):
        return _state(file, value, options, path.stem, notes, beside)
    given = {"activation": options.activation, "slope": options.slope}
    if any(choice is not None for choice in given.values()):
        raise NetworkError("the file states its activations: leave out --activation and --slope")
    layers = sequential_layers(
        value, file, cut_final=options.cut_final, part=options.part, notes=notes
    )
    return Network(layers, path.stem, {"notes": notes})


def _state(
    file: TorchFile,
    value: Mapping[Any, Any],
    options: LoadOptions,
    name: str,
    notes: list[str],
    beside: Mapping[Any, Any],
) -> Network:
    """The network of a state dict, with what lies beside it in the file."""
    arrays = _arrays(file, value, notes)
    said = _said({**beside, **{k: v for k, v in value.items() if k not in arrays}})
    stated = stated_activations(said, options.part)
    return network_from_state(arrays, options, name=name, notes=notes, stated=stated)


def _networks(file: TorchFile, content: Any) -> dict[str, Any]:
    """The modules and the state dicts of a file by dotted names; the whole file has the name ''."""
    found: dict[str, Any] = {}
    seen: set[int] = set()
    waiting: list[tuple[str, Any, int]] = [("", content, 0)]
    while waiting:
        name, value, depth = waiting.pop(0)
        if id(value) in seen:
            continue  # one object under two names is one network
        seen.add(id(value))
        state = _as_state(file, value)
        if state is not None or (is_module(value) and (not name or value.state["_modules"])):
            found[name] = value if state is None else state
            continue
        entries: list[tuple[Any, Any]] = []
        if isinstance(value, Mapping):
            entries = [] if "param_groups" in value else list(value.items())
        elif isinstance(value, (list, tuple)) and len(value) <= _MOST_ENTRIES:
            entries = list(enumerate(value))
        if depth < _DEEPEST and len(waiting) + len(entries) <= _MOST_ENTRIES:
            waiting += [
                (f"{name}.{key}" if name else str(key), inner, depth + 1)
                for key, inner in entries
                if isinstance(key, (str, int)) and not _of_training(str(key))
            ]
    likely = {k: v for k, v in found.items() if is_module(v) or any(map(_names_a_role, v))}
    return likely or found


def _names_a_role(key: Any) -> bool:
    return isinstance(key, str) and names_a_role(key)


def _of_training(key: str) -> bool:
    return bool(set(words_of(key)) & _TRAINING)


def _as_state(file: TorchFile, value: Any) -> Mapping[Any, Any] | None:
    """A state dict with a matrix in it, or a list of tensors as one; None for anything else."""
    if isinstance(value, Mapping):
        match value:
            case {
                "weights": list(weights) | tuple(weights),
                "biases": list(biases) | tuple(biases),
            }:
                named = {f"W{k}": v for k, v in enumerate(weights)}
                value = named | {f"b{k}": v for k, v in enumerate(biases) if v is not None}
    elif isinstance(value, (list, tuple)):
        value = {f"arr_{k}": v for k, v in enumerate(value)}
        if not all(map(file.is_tensor, value.values())):
            return None
    else:
        return None
    tensors = [v for k, v in value.items() if isinstance(k, str) and file.is_tensor(v)]
    others = [v for v in value.values() if not file.is_tensor(v)]
    plain = all(v is None or isinstance(v, (str, int, float)) for v in others)
    return value if plain and any(_axes(v) >= 2 for v in tensors) else None


def _axes(tensor: Any) -> int:
    """Number of axes of a tensor that is only described."""
    arguments = tensor.arguments
    while arguments and isinstance(arguments[0], Record):
        arguments = arguments[0].arguments
    return len(arguments[2]) if len(arguments) > 2 and isinstance(arguments[2], tuple) else 2


def _loose(content: Any) -> Mapping[Any, Any]:
    """The entries of a file that has no state dict with a matrix in it."""
    if not isinstance(content, Mapping) or not content:
        shown = module_class(content) or type(content).__name__
        raise UnsupportedError(f"the file holds a {shown}; expected a state dict; {EXPORT}")
    return content


def _beside(content: Any, *keys: str) -> dict[Any, Any]:
    """The entries of the file that are not, and do not hold, the chosen networks."""
    if not isinstance(content, Mapping) or "" in keys:
        return {}
    rest: dict[Any, Any] = {}
    for key, value in content.items():
        if str(key) in keys:
            continue
        inner = tuple(k.partition(".")[2] for k in keys if k.startswith(f"{key}."))
        if not inner:
            rest[key] = value
        elif left := _beside(value, *inner):
            rest[key] = left
    return rest


def _said(entries: Mapping[Any, Any]) -> dict[str, Any]:
    """Texts and numbers in nested entries; a class or an instance of torch.nn is its name."""
    found: dict[str, Any] = {}
    left = iter(range(_MOST_ENTRIES))  # what is shared many times is not written out many times
    for key, value in entries.items():
        if not isinstance(key, (str, int)) or _of_training(str(key)):
            continue
        said = _words(value, str(key), left)
        if said is not None:
            found[str(key)] = said
    return found


def _words(value: Any, key: str, left: Iterator[int], depth: int = 0) -> Any:
    if next(left, None) is None or depth > _DEEPEST:
        return None
    if isinstance(value, (str, int, float)):
        return value
    kind = module_class(value)
    match value:
        case Persistent(content=("module", Name() as named, *_)) | (Name() as named):
            kind = named
    if kind is not None and (kind.module.startswith("torch.nn") or speaks_of_activations(key)):
        return _called(kind, value)
    if isinstance(value, Record) and isinstance(value.state, Mapping):
        value = value.state  # a Namespace, a configuration
    if isinstance(value, (list, tuple)) and any(isinstance(v, Mapping) for v in value):
        value = dict(enumerate(value))  # layers, one by one
    if isinstance(value, Mapping):
        pairs = list(value.items())[:_MOST_ENTRIES]
        return {
            str(k): _words(v, str(k), left, depth + 1)
            for k, v in pairs
            if isinstance(k, (str, int)) and not _of_training(str(k))
        }
    if isinstance(value, (list, tuple)) and len(value) <= _MOST_ENTRIES:
        words = [_words(v, key, left, depth + 1) for v in value]
        return words if all(isinstance(w, str) for w in words) else None
    return None


def _called(kind: Name, value: Any) -> str:
    """A class, or an instance of one with what it was made with: ``LeakyReLU(0.2)``."""
    if not isinstance(value, Record):
        return kind.name
    if not isinstance(value.state, Mapping):  # an enumeration
        return next((v for v in value.arguments if isinstance(v, str)), kind.name)
    usual = _USUAL.get(kind.name, {})
    made = {
        k: v
        for k, v in value.state.items()
        if isinstance(k, str) and k[:1] != "_" and k not in {"training", "inplace"}
        if usual.get(k, _DEEPEST) != v
    }
    if value.state.get("_parameters"):
        made["weight"] = "learned"
    if not made:
        return kind.name
    if set(made) == {"negative_slope"}:
        return f"{kind.name}({made['negative_slope']})"
    return f"{kind.name}({', '.join(f'{k}={v}' for k, v in made.items())})"


def _one_module(found: dict[str, Any], options: LoadOptions) -> tuple[dict[str, Any], LoadOptions]:
    """The module that the caller names among several."""
    name = options.part
    if name in found:
        return {name: found[name]}, replace(options, part=None)
    raise FormatError(
        f"the file holds several sets of weights, {', '.join(found)}: choose one with --part, say "
        f"--part {next(iter(found))}"
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
