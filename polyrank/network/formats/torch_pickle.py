"""Pickles as plain data: a reader that has no way to import, call or construct anything.

This is a small stack machine over the opcodes of the pickle protocols 0 to 5. Numbers, strings,
lists, tuples and dicts become themselves. A global becomes a :class:`Name`, and what pickle would
do with it (call it, build an instance, set its state) is only written down, in a :class:`Record`.
Names of the standard library, and those of torch and numpy which saved weights do not need, are
refused at once.

Source: the opcode table of :mod:`pickletools` (CPython), used to split the stream.
"""

from __future__ import annotations

import pickletools
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.formats.source import brief

__all__ = ["Name", "Persistent", "Record", "read_pickle"]

_MOST_OPCODES = 2_000_000
_MAPPINGS = frozenset({"OrderedDict", "defaultdict"})
_LISTS = frozenset({"set", "frozenset", "list", "tuple"})
_HARMLESS = re.compile(  # classes of plain data; even these are only written down
    r"collections\.(OrderedDict|defaultdict|Counter|deque)"
    r"|(__builtin__|builtins)\."
    r"(set|frozenset|list|tuple|dict|bytearray|complex|slice|range|object|int|float|bool|str)"
    r"|argparse\.Namespace|types\.SimpleNamespace|datetime\.\w+|decimal\.Decimal"
    r"|fractions\.Fraction|uuid\.UUID|_codecs\.encode|copyreg\._reconstructor"
    r"|copy_reg\._reconstructor|pathlib(\._local)?\.(Pure)?(Posix|Windows)?Path"
)
_PLAIN = frozenset({"collections", "builtins", "__builtin__"})
_OTHER_STANDARD = frozenset(
    {"__builtin__", "builtins", "commands", "copy_reg", "cPickle", "exceptions", "nt", "os2",
     "pickle", "popen2", "posix", "urllib2"}
)  # fmt: skip
_LIBRARIES = frozenset({"numpy", "torch", "torchvision", "scipy", "pandas", "pip", "setuptools"})
_KNOWN = re.compile(
    r"torch\.([A-Z]\w*Storage|b?float\d+|u?int\d+|bool|Size|device|Tensor)"
    r"|torch\.(cuda|storage)\.[A-Z]\w*Storage"
    r"|torch\._utils\._rebuild_\w+"
    r"|torch\.nn\.(modules|parameter)\.[\w.]+"
    r"|torch\.nn\.functional\.\w+|torch\.nn\.parallel\.[\w.]+"
    r"|torch\.optim\.[\w.]+|torch\.torch_version\.TorchVersion"
    r"|torch\.nn\.backends\.thnn\._get_thnn_function_backend"
    r"|numpy\.(dtype|ndarray|bool_?|float(16|32|64)|u?int(8|16|32|64))"
    r"|numpy\.dtypes\.\w+"
    r"|numpy\._?core\.(multiarray\.(scalar|_reconstruct)|numeric\._frombuffer)"
)


@dataclass(frozen=True, slots=True)
class Name:
    """A global that the pickle mentions; it is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True)
class Persistent:
    """A reference to something outside of the pickle, such as a storage."""

    content: Any


@dataclass(slots=True, eq=False)
class Record:
    """What pickle would have made by calling or instantiating ``maker``.

    Attributes
    ----------
    maker : Name or anything
    arguments : tuple
    state : object
        What pickle would have passed to ``__setstate__``; None if nothing.
    items : dict
        Entries set on the instance, if it were a mapping.
    """

    maker: Any
    arguments: tuple[Any, ...]
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


def read_pickle(stream: BinaryIO) -> Any:
    """The next pickle of a stream, as plain data; the stream is left behind it.

    Raises
    ------
    FormatError
        If the stream is not a pickle, is cut off, or is unreasonably long.
    UnsupportedError
        If it mentions a function or class that weights do not need.
    """
    machine = _Machine()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pickletools warns of a backslash in a name
            for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
                if count > _MOST_OPCODES:
                    raise FormatError(f"the pickle has more than {_MOST_OPCODES:,} operations")
                if opcode.name != "STOP":  # the last one
                    machine.step(opcode.name, argument)
            return machine.pop()
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise FormatError(f"the pickle is damaged: {brief(error, most=100)}") from None


_MARK = object()
_VALUES = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
     "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
     "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_FRESH: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": list,
}  # fmt: skip
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark is taken for a value")
        return value

    def pop_mark(self) -> list[Any]:
        items: list[Any] = []
        while (value := self.stack.pop()) is not _MARK:
            items.append(value)
        return items[::-1]

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _FRESH:
            stack.append(_FRESH[name]())
        elif name in _TUPLES:
            items = [self.pop() for _ in range(_TUPLES[name])]
            stack.append(tuple(items[::-1]))
        elif name in {"PROTO", "FRAME"}:
            pass
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            self.pop_mark()
        elif name == "DUP":
            value = self.pop()
            stack.extend((value, value))
        elif name in {"PUT", "BINPUT", "LONG_BINPUT"}:
            self.memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in {"GET", "BINGET", "LONG_BINGET"}:
            stack.append(self.memo[int(argument)])
        elif name in _BUILDERS:
            _BUILDERS[name](self, argument)
        else:
            raise FormatError(f"the pickle uses {name}, which saved weights do not need")

    def collect(self, name: str) -> None:
        items = self.pop_mark()
        if name == "DICT":
            mapping: dict[Any, Any] = {}
            _set_items(mapping, items)
            self.stack.append(mapping)
        else:
            self.stack.append(tuple(items) if name == "TUPLE" else items)

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Record):
            raise TypeError("items are appended to something that is not a list")

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Record):
            target = target.items
        if not isinstance(target, dict):
            raise TypeError("items are set on something that is not a dict")
        _set_items(target, items)

    def name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("a global is not named by strings")
        root = module.partition(".")[0]
        standard = root in sys.stdlib_module_names - {"__main__"} or root in _OTHER_STANDARD
        full = f"{module}.{name}"
        known = any(table.fullmatch(full) is not None for table in (_HARMLESS, _KNOWN))
        if (standard or root in _LIBRARIES) and not known:
            raise UnsupportedError(
                f"the file asks for {module}.{name}, which weights do not need and which could "
                "run commands; nothing was run. If you trust its author, load it there and save "
                "the weights only: torch.save(model.state_dict(), 'weights.pt')"
            )
        self.stack.append(Name(module, name))

    def record(self, arguments: Any) -> None:
        maker = self.pop()
        if not isinstance(arguments, tuple):
            raise TypeError("arguments are not a tuple")
        name = maker.name if isinstance(maker, Name) and maker.module in _PLAIN else ""
        if name in _MAPPINGS:
            self.stack.append(_mapping(maker, arguments))
        elif name in _LISTS and len(arguments) <= 1 and _is_items(arguments):
            self.stack.append(list(arguments[0]) if arguments else [])
        else:
            self.stack.append(Record(maker, arguments))

    def build(self) -> None:
        state = self.pop()
        target = self.stack[-1]
        if isinstance(target, Record):
            target.state = state


def _is_items(arguments: tuple[Any, ...]) -> bool:
    return not arguments or isinstance(arguments[0], (list, tuple))


def _mapping(maker: Name, arguments: tuple[Any, ...]) -> dict[Any, Any]:
    mapping: dict[Any, Any] = {}
    if maker.name == "OrderedDict" and arguments:
        for pair in arguments[0]:
            _set_items(mapping, list(pair))
    return mapping


def _set_items(target: dict[Any, Any], items: list[Any]) -> None:
    if len(items) % 2:
        raise ValueError("a key without a value")
    for key, value in zip(items[::2], items[1::2], strict=True):
        try:
            target[key] = value
        except TypeError:
            raise TypeError(f"a {type(key).__name__} as a key") from None


def _global(machine: _Machine, argument: Any) -> None:
    machine.name(*argument.split(" ", 1))


def _stack_global(machine: _Machine, _: Any) -> None:
    name = machine.pop()
    machine.name(machine.pop(), name)


def _inst(machine: _Machine, argument: Any) -> None:
    arguments = tuple(machine.pop_mark())
    machine.name(*argument.split(" ", 1))
    machine.record(arguments)


def _obj(machine: _Machine, _: Any) -> None:
    maker, *arguments = machine.pop_mark()
    machine.stack.append(maker)
    machine.record(tuple(arguments))


def _newobj_ex(machine: _Machine, _: Any) -> None:
    machine.pop()
    machine.record(machine.pop())


_BUILDERS: dict[str, Callable[[_Machine, Any], None]] = {
    "DICT": lambda machine, _: machine.collect("DICT"),
    "LIST": lambda machine, _: machine.collect("LIST"),
    "TUPLE": lambda machine, _: machine.collect("TUPLE"),
    "FROZENSET": lambda machine, _: machine.collect("LIST"),
    "APPEND": lambda machine, _: machine.extend([machine.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_mark()),
    "ADDITEMS": lambda machine, _: machine.extend(machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_mark()),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "INST": _inst,
    "OBJ": _obj,
    "REDUCE": lambda machine, _: machine.record(machine.pop()),
    "NEWOBJ": lambda machine, _: machine.record(machine.pop()),
    "NEWOBJ_EX": _newobj_ex,
    "BUILD": lambda machine, _: machine.build(),
    "PERSID": lambda machine, argument: machine.stack.append(Persistent(argument)),
    "BINPERSID": lambda machine, _: machine.stack.append(Persistent(machine.pop())),
}
