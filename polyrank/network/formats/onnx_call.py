"""One operator applied to values: typed access to its inputs and attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.formats.onnx_graph import Node
from polyrank.network.lowering import Affine, Tape
from polyrank.network.lowering.affine import gather
from polyrank.network.lowering.values import Values, as_values, is_float
from polyrank.network.rational import to_fmpq

__all__ = ["Call", "Operator", "Value", "float32", "rearranged", "shape_of"]

Value = Any
"""An :class:`Affine` tensor of functions of the input, or an ndarray of constants."""


def float32(value: float) -> float:
    """The float32 nearest to a number, as a float64: what the format stores for a default."""
    return float(np.float32(value))


def shape_of(value: Value) -> tuple[int, ...]:
    """The shape of a tensor or array."""
    return tuple(value.shape)


def rearranged(value: Value, index: NDArray[np.int64], fill: float = 0.0) -> Value:
    """The entries ``index`` (row-major numbers; −1 is ``fill``) of a value, in index's shape."""
    if isinstance(value, Affine):
        return gather(value, index, fill)
    flat = np.asarray(value).ravel()
    if flat.size == 0:
        return np.full(index.shape, fill, dtype=flat.dtype)
    result = flat[np.maximum(index, 0)]
    if (index < 0).any():
        result[index < 0] = to_fmpq(fill) if flat.dtype == object else fill
    return result


@dataclass(frozen=True, slots=True)
class Call:
    """An operator with its values.

    Attributes
    ----------
    node : Node
    values : tuple
        One value per input, None for an optional input that is left out.
    opset : int
    tape : Tape
        Where units are recorded.
    notes : list of str
        Grows: what was assumed.
    """

    node: Node
    values: tuple[Value | None, ...]
    opset: int
    tape: Tape
    notes: list[str]

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.node.name

    def given(self, position: int) -> Value | None:
        """The input at a position, or None if it is left out."""
        return self.values[position] if position < len(self.values) else None

    def value(self, position: int) -> Value:
        """The input at a position.

        Raises
        ------
        FormatError
            If it is left out.
        """
        value = self.given(position)
        if value is None:
            raise FormatError(f"{self.node.where} lacks its input number {position}")
        return value

    def affine(self, position: int) -> Affine:
        """The input as a tensor of affine functions."""
        return self.as_affine(self.value(position))

    def as_affine(self, value: Value) -> Affine:
        """A value as a tensor of affine functions."""
        return value if isinstance(value, Affine) else Affine.fixed(value, self.node.where)

    def constant(self, position: int, what: str) -> Values:
        """The input, which must be a constant, as exact numbers.

        Raises
        ------
        UnsupportedError
            If it depends on the network's input.
        """
        return as_values(self.array(position, what), f"{self.node.where}: {what}")

    def array(self, position: int, what: str) -> NDArray[Any]:
        """The input, which must be a constant, as stored."""
        value = self.value(position)
        if isinstance(value, Affine):
            raise UnsupportedError(
                f"{self.node.where}: {what} depends on the network's input; only a constant "
                "makes the node piecewise linear"
            )
        return np.asarray(value)

    def integers(self, position: int, what: str) -> list[int]:
        """The input, which must be a constant of integers, as a flat list."""
        stored = self.array(position, what)
        if stored.dtype.kind in "iu":
            return [int(v) for v in stored.ravel()]
        array = as_values(stored, f"{self.node.where}: {what}").ravel()
        if not is_float(array) or bool((array != np.floor(array)).any()):
            raise FormatError(f"{self.node.where}: {what} is not made of integers")
        return [int(v) for v in array]

    def integers_of(self, attribute: str, position: int | None = None) -> list[int] | None:
        """Integers given as an attribute, or (in later versions) as an input; None if neither."""
        found = self.node.attributes.get(attribute)
        if found is not None:
            if not isinstance(found, list) or not all(isinstance(v, int) for v in found):
                raise FormatError(f"{self.node.where}: {attribute} is {found!r}; expected integers")
            return found
        if position is None or self.given(position) is None:
            return None
        return self.integers(position, attribute)

    def integer(self, attribute: str, default: int) -> int:
        """An integer attribute."""
        found = self.node.attributes.get(attribute, default)
        if not isinstance(found, int):
            raise FormatError(f"{self.node.where}: {attribute} is {found!r}; expected an integer")
        return found

    def text(self, attribute: str, default: str) -> str:
        """A string attribute."""
        found = self.node.attributes.get(attribute, default)
        if not isinstance(found, str):
            raise FormatError(f"{self.node.where}: {attribute} is {found!r}; expected a string")
        return found

    def number(self, attribute: str, default: float) -> fmpq:
        """A float attribute, exactly as the float32 that the file stores."""
        found = self.node.attributes.get(attribute, float32(default))
        if not isinstance(found, (int, float)) or not np.isfinite(found):
            raise FormatError(f"{self.node.where}: {attribute} is {found!r}; expected a number")
        return to_fmpq(found)

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front.

        Raises
        ------
        FormatError
            If the tensor has no such axis.
        """
        if not -rank <= axis < rank:
            raise FormatError(f"{self.node.where}: there is no axis {axis} among {rank}")
        return axis % rank

    def axes(self, given: Sequence[int], rank: int) -> tuple[int, ...]:
        """Several axes, counted from the front, in increasing order, without duplicates."""
        axes = tuple(sorted({self.axis(axis, rank) for axis in given}))
        if len(axes) != len(given):
            raise FormatError(f"{self.node.where}: the axes {list(given)} are not distinct")
        return axes


Operator = Callable[[Call], Sequence[Value]]
"""Turns a call into the values of its outputs."""
