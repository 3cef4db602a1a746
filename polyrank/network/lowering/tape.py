"""The tape: a dataflow graph as blocks of piecewise-linear units, and its lowering to layers.

A block is a set of units ``v = a(z)`` whose pre-activations z are affine in earlier variables;
the variables of level 0 are the network's inputs, and a block's level is one above the highest
level that it reads. Layer k of the normal form is made of the blocks of level k, in the order in
which they were recorded, followed by linear pass-through units for the variables of earlier
layers that are still needed later. Affine operations between nonlinearities are composed
exactly. Where the composition of two mixing maps (say Gemm after Gemm) is not made of float64
numbers, the inner one becomes a layer of linear units with its coefficients as stored.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.errors import NetworkError
from polyrank.network.lowering.affine import (
    Affine,
    LinearMap,
    check_size,
    compose,
    compose_floats,
    gather,
    stack,
)
from polyrank.network.lowering.values import (
    Values,
    as_rationals,
    as_values,
    cat,
    is_float,
    multiply,
)
from polyrank.network.normal_form import Layer
from polyrank.network.rational import MOST_DENSE, RationalArray, nearest_float

__all__ = ["Block", "Tape"]

_TRY_ENTRIES = 2**22  # products that a speculative float64 composition of mixing maps may take
_TRY_RATIONALS = 2**19  # the same for a tensor that is rational already, as after a mean


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Units recorded together: pre-activations, slopes, first variable, level and name."""

    tensor: Affine
    slope_neg: Values
    slope_pos: Values
    start: int
    level: int
    name: str


class Tape:
    """Records the piecewise-linear units of a graph with ``inputs`` scalar inputs.

    Parameters
    ----------
    inputs : int
        Number of input coordinates; variables ``0 … inputs − 1``. On a tape without inputs
        every tensor is a constant, and activations are evaluated instead of recorded.
    """

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self._blocks: list[Block] = []
        self._starts: list[int] = [0]
        self._variables = inputs

    def activate(self, tensor: Affine, neg: Values, pos: Values, name: str) -> Affine:
        """``neg · z`` where z ≤ 0 and ``pos · z`` where z > 0, for every entry z of the tensor.

        Parameters
        ----------
        tensor : Affine
        neg, pos : Values, shape (size,)
            The slopes a⁻ and a⁺ of each entry.
        name : str
            For messages: where the units come from.

        Returns
        -------
        Affine
            New variables in the tensor's shape.
        """
        if self.inputs == 0:
            slopes = np.where(tensor.constant > 0, pos, neg)
            return Affine.fixed(multiply(tensor.constant, slopes).reshape(tensor.shape))
        entries = tensor.size * self.inputs  # too large is said at once
        check_size(entries, f"the linear part through layer {name!r}", MOST_DENSE)
        block = Block(tensor, neg, pos, self._variables, tensor.level + 1, name)
        self._blocks.append(block)
        self._starts.append(block.start)
        self._variables += tensor.size
        return Affine.variables(block.start, tensor.shape, block.level)

    def relu(self, tensor: Affine, name: str) -> Affine:
        """``max(z, 0)`` entry by entry."""
        return self.activate(tensor, np.zeros(tensor.size), np.ones(tensor.size), name)

    def materialise(self, tensor: Affine, name: str) -> Affine:
        """The tensor as linear units of their own."""
        return self.activate(tensor, np.ones(tensor.size), np.ones(tensor.size), name)

    def apply(self, linear: LinearMap, tensor: Affine, name: str) -> Affine:
        """``linear · tensor``, composed exactly or after making the tensor a layer of its own."""
        if tensor.is_monomial or linear.is_monomial:
            return compose(linear, tensor)
        products = int(np.diff(tensor.indptr)[linear.columns].sum())
        if not is_float(tensor.coefficients) and products <= _TRY_RATIONALS:
            return compose(linear, tensor)
        if is_float(tensor.coefficients) and products <= _TRY_ENTRIES:
            result = compose_floats(linear, tensor)
            if result is not None:
                return result
        return compose(linear, self.materialise(tensor, name))

    def combine(
        self, terms: Sequence[tuple[Affine, float]], shape: tuple[int, ...], name: str
    ) -> Affine:
        """``Σ ± tensor`` over tensors broadcast to one shape; the factors are 1 or −1."""
        aligned = self.align([tensor for tensor, _ in terms], name)
        spread = [gather(tensor, np.broadcast_to(tensor.numbering(), shape)) for tensor in aligned]
        variable = [k for k, tensor in enumerate(spread) if not tensor.is_constant]
        if len(variable) > 1 and not all(spread[k].is_monomial for k in variable):
            result = compose_floats(_sum(terms, shape), stack(spread))
            if result is not None:
                return result
            spread = [
                tensor if tensor.is_monomial else self.materialise(tensor, name)
                for tensor in spread
            ]
        return compose(_sum(terms, shape), stack(spread))

    def align(self, tensors: Sequence[Affine], name: str) -> list[Affine]:
        """Prepare tensors of different levels to be used together.

        What comes from an earlier level must be carried along. If a tensor mixes more variables
        than it has entries, its entries are made units of their own and carried instead.
        """
        top = max((tensor.level for tensor in tensors), default=0)
        return [
            self.materialise(tensor, name)
            if tensor.level < top
            and not tensor.is_monomial
            and tensor.size <= np.unique(tensor.columns).size
            else tensor
            for tensor in tensors
        ]

    def lower(self, output: Affine, name: str = "output") -> tuple[Layer, ...]:
        """The normal form of the map from the inputs to the entries of ``output``.

        The last layer is affine, unless the output is exactly the units of the last block(s),
        which then are the last layer, in the output's order.

        Raises
        ------
        UnsupportedError
            If the linear part through a layer is too large to be written down.
        """
        depth = max((block.level for block in self._blocks), default=0)
        last_use = self._last_uses(output, depth + 1)
        levels = np.zeros(self._variables, dtype=np.int64)
        for block in self._blocks:
            levels[block.start : block.start + block.tensor.size] = block.level
        carried = np.arange(self.inputs, dtype=np.int64)
        layers: list[Layer] = []
        for k in range(1, depth + 1):
            blocks = [block for block in self._blocks if block.level == k]
            kept = np.flatnonzero((levels < k) & (last_use > k))
            if kept.size:
                tensor = gather(Affine.variables(0, (self._variables,)), kept)
                ones = np.ones(kept.size)
                blocks.append(Block(tensor, ones, ones, -1, k, "carried"))
            layers.append(_layer(blocks, carried, self._variables))
            new = [
                np.arange(b.start, b.start + b.tensor.size, dtype=np.int64)
                for b in blocks
                if b.start >= 0
            ]
            carried = np.concatenate([*new, kept])
        if depth and output.is_selection and _same(output.columns, carried):
            layers[-1] = _permuted(layers[-1], carried, output.columns)
            return tuple(layers)
        ones = np.ones(output.size)
        layers.append(_layer([Block(output, ones, ones, -1, 0, name)], carried, self._variables))
        return tuple(layers)

    def _last_uses(self, output: Affine, depth: int) -> NDArray[np.int64]:
        last = np.zeros(self._variables, dtype=np.int64)
        for block in sorted(self._blocks, key=lambda b: b.level):
            last[block.tensor.columns] = block.level
        last[output.columns] = depth
        return last


def _same(wanted: NDArray[np.int64], carried: NDArray[np.int64]) -> bool:
    return wanted.size == carried.size and bool((np.sort(wanted) == np.sort(carried)).all())


def _sum(terms: Sequence[tuple[Affine, float]], shape: tuple[int, ...]) -> LinearMap:
    size = int(np.prod(shape, dtype=np.int64))
    return LinearMap(
        shape,
        np.tile(np.arange(size, dtype=np.int64), len(terms)),
        np.arange(size * len(terms), dtype=np.int64),
        np.repeat(np.array([factor for _, factor in terms]), size),
    )


def _permuted(layer: Layer, carried: NDArray[np.int64], wanted: NDArray[np.int64]) -> Layer:
    if np.array_equal(carried, wanted):
        return layer
    order = np.argsort(carried)[np.searchsorted(np.sort(carried), wanted)]
    return Layer(
        _taken(layer.weight, order),
        _taken(layer.bias, order),
        _taken(layer.slope_neg, order),
        _taken(layer.slope_pos, order),
        layer.name,
    )


def _taken(array: RationalArray, order: NDArray[np.int64]) -> RationalArray:
    approx = array.approx[order]
    approx.setflags(write=False)
    if array.exact is None:
        return RationalArray(approx)
    table = array.exact.tolist()
    return RationalArray(approx, fmpq_mat([table[i] for i in order.tolist()]))


def _layer(blocks: Sequence[Block], carried: NDArray[np.int64], variables: int) -> Layer:
    tensor = stack([block.tensor for block in blocks])
    name = " + ".join(dict.fromkeys(block.name for block in blocks))
    position = np.full(variables, -1, dtype=np.int64)
    position[carried] = np.arange(carried.size)
    rows = np.repeat(np.arange(tensor.size), np.diff(tensor.indptr))
    shape = (tensor.size, carried.size)
    weight = _matrix(rows, position[tensor.columns], tensor.coefficients, shape)
    slope_neg = _vector(cat([block.slope_neg for block in blocks]))
    slope_pos = _vector(cat([block.slope_pos for block in blocks]))
    return Layer(weight, _vector(tensor.constant), slope_neg, slope_pos, name)


def _matrix(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    entries: Values,
    shape: tuple[int, int],
) -> RationalArray:
    entries = as_values(entries)
    if shape[0] * shape[1] > MOST_DENSE:
        if not is_float(entries):
            check_size(shape[0] * shape[1], "a layer of fractions", MOST_DENSE)
        return _sparse(rows, columns, entries, shape)
    dense = np.zeros(shape)
    if is_float(entries):
        dense[rows, columns] = entries
        dense.setflags(write=False)
        return RationalArray(dense)
    dense[rows, columns] = [nearest_float(v) for v in entries]
    if not np.isfinite(dense).all():
        raise NetworkError("a weight is too large for float64 (above 1.8e308)")
    dense.setflags(write=False)
    exact = [fmpq(0)] * (shape[0] * shape[1])
    for place, value in zip((rows * shape[1] + columns).tolist(), entries, strict=True):
        exact[place] = value
    return RationalArray(dense, fmpq_mat(*shape, exact))


def _sparse(
    rows: NDArray[np.int64], columns: NDArray[np.int64], entries: Values, shape: tuple[int, int]
) -> RationalArray:
    # by name: networks that do not need scipy.sparse, and the checker of proofs, do without it
    module = importlib.import_module("polyrank.network.sparse")
    made: RationalArray = module.SparseArray.from_entries(rows, columns, entries, shape)
    return made


def _vector(values: Values) -> RationalArray:
    values = as_values(values)
    if is_float(values):
        return RationalArray.from_floats(values)
    return RationalArray.from_rationals(list(as_rationals(values)), values.shape)
