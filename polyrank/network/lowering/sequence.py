"""A chain of operations on one vector, recorded step by step and lowered to the normal form."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import fmpq

from polyrank.errors import NetworkError
from polyrank.network.lowering.affine import Affine, LinearMap
from polyrank.network.lowering.linear import product
from polyrank.network.lowering.piecewise import clip
from polyrank.network.lowering.tape import Tape
from polyrank.network.lowering.values import Values, as_values
from polyrank.network.normal_form import Layer

__all__ = ["Sequence"]


class Sequence:
    """A network under construction: a vector of affine functions and the units so far.

    Parameters
    ----------
    inputs : int
        Number of input coordinates.
    """

    def __init__(self, inputs: int) -> None:
        self._tape = Tape(inputs)
        self._tensor = Affine.variables(0, (inputs,))

    @property
    def width(self) -> int:
        """Number of entries of the current vector."""
        return self._tensor.size

    def linear(self, weight: Any, bias: Any | None, name: str) -> None:
        """Multiply by a matrix ``(out, in)`` and add a vector ``(out,)``.

        Raises
        ------
        NetworkError
            If the shapes do not chain or a number is not finite.
        """
        matrix = as_values(weight, f"{name}: the weight")
        if matrix.ndim != 2 or matrix.shape[1] != self.width:
            raise NetworkError(
                f"shapes do not chain: {name} has a weight of shape {matrix.shape}, but there are "
                f"{self.width} units before it"
            )
        linear = product((self.width,), matrix, constant_left=True, where=name)
        self._tensor = self._tape.apply(linear, self._tensor, name)
        if bias is not None:
            self.shift(self._vector(bias, f"{name}: the bias"))

    def scale(self, factors: Values, name: str) -> None:
        """Multiply entry by entry."""
        linear = LinearMap.scaling((self.width,), self._vector(factors, name))
        self._tensor = self._tape.apply(linear, self._tensor, name)

    def shift(self, offsets: Values) -> None:
        """Add entry by entry."""
        self._tensor = self._tensor.shifted(offsets)

    def activate(self, neg: Any, pos: Any, name: str) -> None:
        """Slopes ``neg`` where z ≤ 0 and ``pos`` where z > 0: rationals, or one per entry."""
        below = self._vector(neg, f"{name}: the slope")
        above = self._vector(pos, f"{name}: the slope")
        self._tensor = self._tape.activate(self._tensor, below, above, name)

    def clip(self, low: fmpq, high: fmpq, name: str) -> None:
        """``min(max(z, low), high)``."""
        self._tensor = clip(self._tape, self._tensor, low, high, name)

    def layers(self, name: str = "output") -> tuple[Layer, ...]:
        """The normal form of all steps."""
        return self._tape.lower(self._tensor, name)

    def _vector(self, value: Any, what: str) -> Values:
        if isinstance(value, fmpq):
            value = np.array(value, dtype=object)
        vector = as_values(value, what)
        if vector.shape not in {(), (1,), (self.width,)}:
            raise NetworkError(f"{what} has shape {vector.shape}; expected ({self.width},)")
        return np.broadcast_to(vector, (self.width,))
