"""Files as ``torch.save`` writes them, made without torch: zip and legacy containers.

Stand-ins for the few functions and classes of torch that such files name are put into
``sys.modules`` while the real :mod:`pickle` writes; the reader under test never sees them.
"""

from __future__ import annotations

import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Called", "Tensor", "legacy_file", "linear", "module", "sequential", "state", "zip_file"]

STORAGES = {
    "f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i8": "LongStorage",
    "i4": "IntStorage", "u1": "ByteStorage", "bf": "BFloat16Storage",
}  # fmt: skip
MAGIC = 0x1950A86A20F9469CFC6C


class Tensor:
    """An array to be stored as a tensor; ``kind`` "bf" stores the upper halves of float32."""

    def __init__(self, array: Any, *, kind: str | None = None, parameter: bool = False) -> None:
        self.array = np.asarray(array)
        self.kind = kind or self.array.dtype.str[1:]
        self.parameter = parameter
        # where it claims to lie
        self.size = self.array.shape
        self.stride = tuple(s // self.array.itemsize for s in self.array.strides)
        self.offset = 0
        self.count = self.array.size
        self.key: str | None = None
        self.dtype: str | None = None  # version 3 names the dtype beside an untyped storage

    @property
    def raw(self) -> bytes:
        if self.kind == "bf":
            upper = np.ascontiguousarray(self.array, dtype="<f4").view("<u4") >> 16
            return upper.astype("<u2").tobytes()
        base = self.array
        while base.base is not None and isinstance(base.base, np.ndarray):
            base = base.base
        return base.tobytes()


class Storage:
    """What a tensor refers to; the pickler turns it into a persistent id."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def _function(module: str, name: str) -> Any:
    def stand_in(*_: Any) -> None:
        raise AssertionError("never called")

    stand_in.__module__, stand_in.__qualname__, stand_in.__name__ = module, name, name
    setattr(sys.modules[module], name, stand_in)
    return stand_in


def _class(module: str, name: str) -> type:
    made = type(name, (), {"__module__": module})
    setattr(sys.modules[module], name, made)
    return made


MODULES = (
    "torch", "torch._utils", "torch.nn", "torch.nn.modules", "torch.nn.modules.container",
    "torch.nn.modules.linear", "torch.nn.modules.activation", "torch.nn.modules.batchnorm",
    "torch.nn.modules.dropout", "torch.nn.modules.conv", "torch.nn.parallel",
    "torch.nn.parallel.data_parallel", "mynets", "argparse",
)  # fmt: skip


@contextmanager
def _stand_ins() -> Iterator[None]:
    before = {name: sys.modules.get(name) for name in MODULES}
    for name in MODULES:
        sys.modules[name] = types.ModuleType(name)
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                del sys.modules[name]
            else:
                sys.modules[name] = old


class _Pickler(pickle._Pickler):
    def __init__(self, stream: io.BytesIO, protocol: int, *, legacy: bool) -> None:
        super().__init__(stream, protocol=protocol)
        self.legacy = legacy
        self.storages: dict[str, Tensor] = {}

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, Storage):
            return None
        tensor = value.tensor
        key = tensor.key or str(len(self.storages))
        self.storages[key] = tensor
        kind = _class("torch", STORAGES[tensor.kind])
        return ("storage", kind, key, "cpu", tensor.count, *([None] if self.legacy else []))

    def reducer_override(self, value: Any) -> Any:
        return NotImplemented

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if isinstance(value, Tensor):
            arguments = (
                Storage(value),
                value.offset,
                value.size,
                value.stride,
                False,
                OrderedDict(),
            )
            made: tuple[Any, ...] = (_function("torch._utils", "_rebuild_tensor_v2"), arguments)
            if value.dtype is not None:
                kind = _class("torch", value.dtype)
                made = (_function("torch._utils", "_rebuild_tensor_v3"), (*arguments, kind, {}))
            if value.parameter:
                inner = Tensor(value.array, kind=value.kind)
                made = (
                    _function("torch._utils", "_rebuild_parameter"),
                    (inner, True, OrderedDict()),
                )
            self.save_reduce(*made, obj=value)
            return
        if isinstance(value, Called):
            self.save_reduce(_class(value.module, value.name), value.arguments, obj=None)
            return
        if isinstance(value, Instance):
            made_class = _class(value.module, value.name)
            self.save_reduce(_newobj, (made_class,), value.state, obj=None)
            return
        super().save(value, save_persistent_id)


def _newobj(cls: type) -> object:
    return cls.__new__(cls)


_newobj.__name__ = "__newobj__"  # pickle writes NEWOBJ for a function of this name


class Instance:
    """An instance of a class of torch (or of the user), with its state."""

    def __init__(self, module: str, name: str, state: Mapping[str, Any]) -> None:
        self.module, self.name, self.state = module, name, dict(state)


class Called:
    """What a call of a class with plain arguments makes, such as a member of an enumeration."""

    def __init__(self, module: str, name: str, *arguments: Any) -> None:
        self.module, self.name, self.arguments = module, name, arguments


def module(where: str, name: str, **state: Any) -> Instance:
    """A pickled ``torch.nn.Module``."""
    usual = {
        "training": False,
        "_parameters": OrderedDict(),
        "_buffers": OrderedDict(),
        "_modules": OrderedDict(),
    }
    return Instance(where, name, {**usual, **state})


def linear(weight: Any, bias: Any | None) -> Instance:
    """A pickled ``torch.nn.Linear``."""
    parameters = OrderedDict(
        weight=Tensor(weight, parameter=True),
        bias=None if bias is None else Tensor(bias, parameter=True),
    )
    return module("torch.nn.modules.linear", "Linear", _parameters=parameters)


def sequential(*parts: Any) -> Instance:
    """A pickled ``torch.nn.Sequential``."""
    children = OrderedDict((str(k), part) for k, part in enumerate(parts))
    return module("torch.nn.modules.container", "Sequential", _modules=children)


def state(**arrays: Any) -> OrderedDict[str, Any]:
    """A state dict; ``__`` in a name stands for a dot."""
    return OrderedDict((k.replace("__", "."), Tensor(v)) for k, v in arrays.items())


def zip_file(path: Path, content: Any, *, protocol: int = 2, compress: bool = False) -> Path:
    """Write the zip container of torch ≥ 1.6."""
    stream = io.BytesIO()
    with _stand_ins():
        pickler = _Pickler(stream, protocol, legacy=False)
        pickler.dump(content)
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("archive/data.pkl", stream.getvalue())
        archive.writestr("archive/byteorder", "little")
        for key, tensor in pickler.storages.items():
            archive.writestr(f"archive/data/{key}", tensor.raw)
        archive.writestr("archive/version", "3\n")
    return path


def legacy_file(path: Path, content: Any) -> Path:
    """Write the container of torch < 1.6."""
    stream = io.BytesIO()
    pickle.dump(MAGIC, stream, 2)
    pickle.dump(1001, stream, 2)
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    pickle.dump(system, stream, 2)
    with _stand_ins():
        pickler = _Pickler(stream, 2, legacy=True)
        pickler.dump(content)
    pickle.dump(sorted(pickler.storages), stream, 2)
    for key in sorted(pickler.storages):
        tensor = pickler.storages[key]
        stream.write(tensor.count.to_bytes(8, "little") + tensor.raw)
    path.write_bytes(stream.getvalue())
    return path
