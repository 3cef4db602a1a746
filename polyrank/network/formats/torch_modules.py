"""Whole modules pickled by torch: a ``Sequential`` of known layers is read as data.

The classes of ``torch.nn`` are never imported. A ``Sequential`` says by itself what it computes,
layer after layer; any other module computes what its Python code says, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.formats.activations import FINAL_ACTIVATIONS, normalised
from polyrank.network.formats.recording import record_normalisation
from polyrank.network.formats.torch_pickle import Name, Persistent, Record
from polyrank.network.formats.torch_tensors import TorchFile
from polyrank.network.lowering.sequence import Sequence
from polyrank.network.normal_form import Layer
from polyrank.network.rational import to_fmpq

__all__ = ["CALLS", "EXPORT", "HOOKS", "is_module", "module_class", "sequential_layers"]

EXPORT = (
    "in Python, where the model is at hand: torch.save(model.state_dict(), 'weights.pt') if it is "
    "a chain of Linear layers, otherwise torch.onnx.export(model, example_input, 'model.onnx')"
)
_PARALLEL = frozenset({"DataParallel", "DistributedDataParallel"})
HOOKS = ("_forward_hooks", "_forward_pre_hooks")
"""Code that runs beside a forward pass."""
CALLS = ("forward", "_call_impl", "_wrapped_call_impl", "_slow_forward")
"""Methods that an instance may hide behind an attribute of its own."""
_NOTHING = frozenset(
    {"Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout",
     "FeatureAlphaDropout", "Flatten"}
)  # fmt: skip

_READ = (
    "Linear, ReLU, LeakyReLU, PReLU, ReLU6, Hardtanh, Hardsigmoid, BatchNorm1d, Dropout, Flatten, "
    "Identity"
)


def module_class(value: Any) -> Name | None:
    """The class of a pickled instance; None if the value is not one."""
    if not isinstance(value, Record):
        return None
    maker = value.maker
    if isinstance(maker, Persistent):
        match maker.content:
            case ("module", Name() as maker, *_):
                pass
    return maker if isinstance(maker, Name) else None


def is_module(value: Any) -> bool:
    """True for a pickled instance of a ``torch.nn.Module``, known or not."""
    return (
        module_class(value) is not None
        and isinstance(value.state, Mapping)
        and "_modules" in value.state
        and "_parameters" in value.state
    )


def sequential_layers(
    module: Record, file: TorchFile, *, cut_final: bool, part: str | None, notes: list[str]
) -> tuple[Layer, ...]:
    """The normal form of a pickled ``torch.nn.Sequential``.

    Parameters
    ----------
    module : Record
    file : TorchFile
        Where its tensors are.
    cut_final : bool
        Drop a final Softmax, LogSoftmax, Sigmoid or Tanh.
    part : str or None
        Dotted name of a part of the module to read in its place.
    notes : list of str
        Grows: what was folded or cut off.

    Raises
    ------
    UnsupportedError
        If the module, or one inside it, is not a known piecewise-linear layer.
    NetworkError
        If shapes do not chain or a number is not finite.
    """
    module = _unwrapped(module)
    for name in part.split(".") if part else ():
        inner = _children(module).get(name)
        if inner is None or not is_module(inner):
            raise UnsupportedError(
                f"the file has no part {part!r}; it has {', '.join(map(str, _children(module)))}"
            )
        module = _unwrapped(inner)
    steps = list(_flattened(module, ""))
    if cut_final and steps and normalised(_kind(steps[-1][1])) in FINAL_ACTIVATIONS:
        name, last = steps.pop()
        notes.append(f"{name} ({_kind(last)}), the last layer, was cut off as asked")
    first = next((step for _, step in steps if _kind(step) == "Linear"), None)
    if first is None:
        raise UnsupportedError("the module has no Linear layer")
    matrix = _parameter(first, "weight", file, "the first Linear layer")
    if matrix is None or matrix.ndim != 2:
        raise FormatError("the first Linear layer has no weight matrix")
    chain = Sequence(matrix.shape[1])
    for name, step in steps:
        _record(chain, name, step, file, notes)
    return chain.layers()


def _unwrapped(module: Record) -> Record:
    """The module inside of a DataParallel, which does nothing to the function."""
    kind = module_class(module)
    if kind is not None and kind.module.startswith("torch.nn.parallel.") and kind.name in _PARALLEL:
        inner = _children(module).get("module")
        if isinstance(inner, Record) and is_module(inner):
            _check_code(module, kind.name)
            return inner
    return module


def _check_code(module: Record, where: str) -> None:
    """Refuse a module whose class is known, but which also runs code of its own.

    Raises
    ------
    UnsupportedError
        If it has hooks of the forward pass, or an attribute in place of a method.
    """
    for keys, what in ((HOOKS, "forward hooks"), (CALLS, "a forward of its own")):
        if any(module.state.get(key) for key in keys):
            raise UnsupportedError(
                f"the module {where} has {what}, code that may change what it computes and is not "
                f"run; {EXPORT}"
            )


def _flattened(module: Record, prefix: str) -> Iterator[tuple[str, Record]]:
    kind = module_class(module)
    if kind is None or kind != Name("torch.nn.modules.container", "Sequential"):
        raise UnsupportedError(
            f"the file holds a whole module of class {kind}, whose Python code decides what it "
            f"computes and is not run; {EXPORT}"
        )
    _check_code(module, repr(prefix.rstrip(".")) if prefix else kind.name)
    for name, child in _children(module).items():
        full = f"{prefix}{name}"
        known = module_class(child)
        if not is_module(child) or known is None:
            raise FormatError(f"the module {full!r} is not a pickled module")
        if known.name == "Sequential":
            yield from _flattened(child, f"{full}.")
        else:
            _check_code(child, repr(full))
            yield full, child


def _children(module: Record) -> Mapping[str, Any]:
    children = module.state["_modules"]
    if not isinstance(children, Mapping):
        raise FormatError("a module has no readable list of its parts")
    return children


def _kind(module: Record) -> str:
    name = module_class(module)
    if name is None or not name.module.startswith("torch.nn.modules."):
        raise UnsupportedError(
            f"the module holds a part of class {name}, whose Python code is not run; {EXPORT}"
        )
    return name.name


def _parameter(module: Record, key: str, file: TorchFile, where: str) -> NDArray[Any] | None:
    tables = (module.state.get(name) for name in ("_parameters", "_buffers"))
    for entries in (module.state, *tables):  # a plain attribute hides a parameter of its name
        if isinstance(entries, Mapping) and entries.get(key) is not None:
            array = file.tensor(entries[key])
            if array is None:
                raise FormatError(f"{where}: {key} is not a tensor")
            return array
    return None


def _number(module: Record, key: str, default: float, where: str) -> fmpq:
    value = module.state.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise FormatError(f"{where}: {key} is {value!r}; expected a number")
    return to_fmpq(value)


def _record(chain: Sequence, name: str, module: Record, file: TorchFile, notes: list[str]) -> None:
    kind = _kind(module)
    where = f"{name} ({kind})"
    zero, one = fmpq(0), fmpq(1)
    if kind == "Linear":
        weight = _parameter(module, "weight", file, where)
        if weight is None:
            raise FormatError(f"{where} has no weight")
        chain.linear(weight, _parameter(module, "bias", file, where), name)
    elif kind == "ReLU":
        chain.activate(zero, one, name)
    elif kind == "LeakyReLU":
        chain.activate(_number(module, "negative_slope", 0.01, where), one, name)
    elif kind == "PReLU":
        slope = _parameter(module, "weight", file, where)
        if slope is None:
            raise FormatError(f"{where} has no weight")
        chain.activate(slope, one, name)
    elif kind == "ReLU6":
        chain.clip(zero, fmpq(6), name)
    elif kind == "Hardtanh":
        low = _number(module, "min_val", -1.0, where)
        chain.clip(low, _number(module, "max_val", 1.0, where), name)
    elif kind == "Hardsigmoid":
        chain.scale(np.array(fmpq(1, 6), dtype=object), name)
        chain.shift(np.full(chain.width, 0.5))
        chain.clip(zero, one, name)
    elif kind == "BatchNorm1d":
        parts = [
            _parameter(module, key, file, where)
            for key in ("weight", "bias", "running_mean", "running_var")
        ]
        record_normalisation(chain, parts, _number(module, "eps", 1e-5, where), name, notes)
    elif kind not in _NOTHING:
        final = normalised(kind) in FINAL_ACTIVATIONS
        remedy = "as the last layer it can be dropped with --cut-final; " if final else ""
        raise UnsupportedError(
            f"{where} is none of the layers that are read from a pickled module ({_READ}); "
            f"{remedy}{EXPORT}"
        )
