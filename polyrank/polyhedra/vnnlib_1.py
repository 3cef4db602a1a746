"""VNN-LIB 1.0: variables ``X_i`` and ``Y_j``, declared one by one.

Source: D. Guidotti, S. Demarchi, A. Tacchella, L. Pulina, "The Verification of Neural Networks
Library (VNN-LIB)", standard 1.0 (2019-2023), a fragment of SMT-LIB 2.
"""

from __future__ import annotations

import re
from typing import ClassVar

from polyrank.polyhedra.condition import Relation
from polyrank.polyhedra.vnnlib_reader import MOST_VARIABLES, Reader, Value, shortened

__all__ = ["FirstReader"]

_VARIABLE = re.compile(r"([XY])_(0|[1-9]\d{0,8})", re.ASCII)
_WITHOUT_MEANING = {"set-logic", "set-info", "set-option", "check-sat", "get-model", "exit"}


class FirstReader(Reader):
    """Reads version 1.0."""

    version = "1.0"
    token = re.compile(r"\s+|;[^\n]*|[()]|[^\s();]+")
    relations: ClassVar[dict[str, tuple[Relation, bool]]] = {
        "<=": ("<=", False),
        ">=": ("<=", True),
        "=": ("=", False),
    }
    operators = ("+", "-", "*", "/")

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text, name)
        self.declared: dict[str, int] = {}

    def command(self, items: list[Value]) -> None:
        """Execute what stands in an outermost bracket."""
        head = items[0] if items else None
        if head in {"declare-const", "declare-fun"}:
            self.declare(items)
        elif head == "assert":
            self.assertion(items)
        elif head not in _WITHOUT_MEANING:
            self.fail(
                f"unknown command {shortened(head)}; expected declare-const or assert (VNN-LIB 1.0)"
            )

    def declare(self, items: list[Value]) -> None:
        """Declare one variable."""
        name = items[1] if len(items) > 1 else None
        if items[2:] not in (["Real"], [None, "Real"]):
            self.fail(f"{shortened(name)} must be declared as a Real constant")
        match = _VARIABLE.fullmatch(name) if isinstance(name, str) else None
        if match is None or not isinstance(name, str):
            self.fail(f"variables are called X_0, X_1, ... and Y_0, ..., not {shortened(name)}")
        if name in self.declared:
            self.fail(f"{name} is declared twice")
        if len(self.declared) == MOST_VARIABLES:
            self.fail(f"more than {MOST_VARIABLES} variables are declared")
        index = int(match[2])
        self.declared[name] = index if match[1] == "X" else -1 - index
        self.counts[match[1]] += 1

    def variable(self, name: str) -> int | None:
        """The number of a variable, None for another word."""
        if name in self.declared:
            return self.declared[name]
        if _VARIABLE.fullmatch(name):
            self.fail(f"{name} is not declared")
        return None

    def hint(self, head: Value) -> str:
        """More about an operator that is not supported."""
        strict = head in {"<", ">"}
        return "; strict inequalities are not part of VNN-LIB 1.0" if strict else ""

    def check(self) -> None:
        """Refuse a file whose declarations are not complete."""
        for kind, count in self.counts.items():
            missing = next((i for i in range(count) if f"{kind}_{i}" not in self.declared), None)
            if missing is not None:
                self.fail(f"{kind}_{missing} is not declared, but later {kind} variables are")
        if self.counts["X"] == 0:
            self.fail("no input X_0 is declared; is this VNN-LIB?")
