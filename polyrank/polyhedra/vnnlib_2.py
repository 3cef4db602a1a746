"""VNN-LIB 2.0: networks with named tensors, whose elements are compared.

Read is what concerns one network with one input and one output: elements ``X[0,3]`` are numbered
in row-major order. Several networks, several inputs or outputs, conditions on hidden layers,
integer types and what is not linear are refused by name. A literal is the rational that it
spells, whatever the element type.

Source: the VNN-LIB 2.0 standard (December 2025), its grammar in labelled Backus-Naur form.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar, NoReturn

from flint import fmpq

from polyrank.polyhedra.condition import Relation
from polyrank.polyhedra.linear import Linear
from polyrank.polyhedra.vnnlib_reader import (
    MOST_VARIABLES,
    Declaration,
    Index,
    Reader,
    Value,
    shortened,
)

__all__ = ["SecondReader"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_TYPES = re.compile(r"real|b?float\d*\w*|double", re.IGNORECASE | re.ASCII)
_KINDS = {"declare-input": "input", "declare-hidden": "hidden layer", "declare-output": "output"}
_RELATIONS_OF_NETWORKS = {"equal-to", "isomorphic-to"}


@dataclass(frozen=True, slots=True)
class _Tensor:
    kind: str
    shape: tuple[int, ...]


class SecondReader(Reader):
    """Reads version 2.0."""

    version = "2.0"
    token = re.compile(r"\s+|;[^\n]*|[()\[\],]|\"[^\"\n]*\"|[^\s();\[\],]+")
    relations: ClassVar[dict[str, tuple[Relation, bool]]] = {
        "<=": ("<=", False),
        ">=": ("<=", True),
        "<": ("<", False),
        ">": ("<", True),
        "==": ("=", False),
        "!=": ("!=", False),
    }
    operators = ("+", "-", "*")
    most_compared = 2

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text, name)
        self.tensors: dict[str, _Tensor] = {}
        self.network: str | None = None
        self.stated = False

    # commands

    def command(self, items: list[Value]) -> None:
        """Execute what stands in an outermost bracket."""
        head = items[0] if items else None
        if not self.stated:
            self.stated = True  # the dispatcher has read the first command
            self._version(items)
        elif head == "declare-network":
            self._network(items)
        elif head == "assert":
            if self.network is None:
                self.fail("an assertion stands before the declaration of a network")
            self.assertion(items)
        elif head in _KINDS:
            self.fail(f"{head} stands outside of declare-network")
        else:
            self.fail(
                f"unknown command {shortened(head)}; expected declare-network or assert "
                "(VNN-LIB 2.0)"
            )

    def _version(self, items: list[Value]) -> None:
        stated = items[1] if len(items) == 2 else None
        if not isinstance(stated, str) or not re.fullmatch(r"<2\.\d+>", stated, re.ASCII):
            self.fail(
                f"the version is {shortened(stated)}; versions <2.0> and 1.0, which states none, "
                "are read"
            )

    def _network(self, items: list[Value]) -> None:
        name = items[1] if len(items) > 1 else None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self.fail(f"a network is declared with the name {shortened(name)}")
        if self.network is not None:
            self.fail(f"the file speaks of several networks ({self.network}, {name}); one is read")
        self.network = name
        order = [item.kind for item in items[2:] if isinstance(item, Declaration)]
        if len(order) != len(items) - 2:
            odd = next(item for item in items[2:] if not isinstance(item, Declaration))
            self.fail(f"unexpected {shortened(odd)} in the declaration of {name}")
        ranks = [list(_KINDS.values()).index(kind) for kind in order]
        if ranks != sorted(ranks):
            self.fail(f"{name} declares inputs, hidden layers and outputs in another order")
        for kind in ("input", "output"):
            names = [n for n, t in self.tensors.items() if t.kind == kind]
            if len(names) != 1:
                listed = f" ({', '.join(names)})" if names else ""
                self.fail(f"{name} has {len(names)} {kind}s{listed}; networks with one are read")

    def declaration(self, items: list[Value], parent: list[Value]) -> Value:
        """Take the declaration of a tensor."""
        head = items[0]
        if not isinstance(head, str):
            return None
        if head in _RELATIONS_OF_NETWORKS:
            self.fail(f"{head} relates several networks; files about one network are read")
        if head not in _KINDS:
            return None
        if not parent or parent[0] != "declare-network":
            self.fail(f"{head} stands outside of declare-network")
        kind = _KINDS[head]
        name, element, shape = (*items[1:4], None, None, None)[:3]
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self.fail(f"an {kind} is declared with the name {shortened(name)}")
        if name in self.tensors:
            self.fail(f"{name} is declared twice")
        if not isinstance(element, str) or not isinstance(shape, Index) or len(items) > 5:
            self.fail(f"{name} must be declared with a type and a shape, such as float32 [1,5]")
        node = items[4] if len(items) == 5 else '""'
        if not isinstance(node, str) or not re.fullmatch(r'"[^"]*"', node):
            self.fail(f"the ONNX name of {name} is {shortened(node)}; expected it in quotes")
        if not _TYPES.fullmatch(element):
            self.fail(f"{name} has elements of type {shortened(element)}; real types are read")
        count = math.prod(shape.numbers)
        if count == 0 or count + sum(self.counts.values()) > MOST_VARIABLES:
            self.fail(f"{name} has {count} elements; 1 to {MOST_VARIABLES} are read")
        self.tensors[name] = _Tensor(kind, shape.numbers)
        if kind != "hidden layer":
            self.counts["X" if kind == "input" else "Y"] += count
        return Declaration(kind, name, shape.numbers)

    # elements of tensors

    def index(self, numbers: tuple[int, ...], items: list[Value]) -> None:
        """The shape of a declared tensor, or the index of an element."""
        declares = bool(items) and items[0] in _KINDS
        if declares:
            super().index(numbers, items)
            return
        name = items.pop() if len(items) > 1 else None
        if not isinstance(name, str) or name not in self.tensors:
            self.fail(f"the index [{', '.join(map(str, numbers))}] follows no declared tensor")
        items.append(Linear({self._element(name, numbers): fmpq(1)}, fmpq(0)))

    def variable(self, name: str) -> int | None:
        """The number of a variable, None for another word."""
        return self._element(name, ()) if name in self.tensors else None

    def _element(self, name: str, index: tuple[int, ...]) -> int:
        tensor = self.tensors[name]
        if len(index) != len(tensor.shape):
            self._refuse_index(name, index)
        at = 0
        for i, size in zip(index, tensor.shape, strict=True):
            if i >= size:
                self._refuse_index(name, index)
            at = at * size + i
        if tensor.kind == "hidden layer":
            self.fail(f"{name} is a hidden layer; conditions on inputs and outputs are read")
        return at if tensor.kind == "input" else -1 - at

    def _refuse_index(self, name: str, index: tuple[int, ...]) -> NoReturn:
        shape = ",".join(map(str, self.tensors[name].shape))
        shown = f"{name}[{','.join(map(str, index))}]" if index else name
        self.fail(f"{shown} is no element of {name}, which has the shape [{shape}]")

    def hint(self, head: Value) -> str:
        """More about an operator that is not supported."""
        return "; equality is written ==" if head == "=" else ""

    def check(self) -> None:
        """Refuse a file whose declarations are not complete."""
        if self.network is None:
            self.fail("no network is declared")
