"""The normal form of a piecewise-linear network: affine layers with two slopes per unit.

Layer k maps ``h`` to ``h'`` by ``z = W h + b`` and ``h'_i = a⁺_i z_i`` where ``z_i > 0``,
``h'_i = a⁻_i z_i`` elsewhere. ReLU has slopes (0, 1), LeakyReLU (α, 1), absolute value (−1, 1),
a linear pass-through (1, 1). A unit with equal slopes has no hyperplane and no bit.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.errors import NetworkError
from polyrank.network.rational import RationalArray, Terms, to_fmpq

__all__ = ["Layer", "Network", "affine_layer", "relu_layer", "unit_name"]


def unit_name(layer: int, unit: int) -> str:
    """``layer K unit i``, both counted from 1 as every page and table does; ``unit`` from 0."""
    return f"layer {layer} unit {unit + 1}"


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer ``h ↦ a(W h + b)`` of the normal form.

    Attributes
    ----------
    weight : RationalArray, shape (units, inputs)
    bias : RationalArray, shape (units,)
    slope_neg, slope_pos : RationalArray, shape (units,)
        Slopes a⁻ (where z ≤ 0) and a⁺ (where z > 0).
    name : str
        Where the layer comes from (a node or key of the file), for messages.

    Raises
    ------
    NetworkError
        If the weight is no matrix, or another shape does not fit it.
    """

    weight: RationalArray
    bias: RationalArray
    slope_neg: RationalArray
    slope_pos: RationalArray
    name: str = ""

    def __post_init__(self) -> None:
        if len(self.weight.shape) != 2:
            raise NetworkError(
                f"layer {self.name!r}: the weight must be a matrix, got shape {self.weight.shape}"
            )
        units = self.weight.shape[0]
        for what in ("bias", "slope_neg", "slope_pos"):
            shape = getattr(self, what).shape
            if shape != (units,):
                raise NetworkError(
                    f"layer {self.name!r}: {what} has shape {shape}, but the weight "
                    f"{self.weight.shape} calls for ({units},)"
                )

    def __reduce__(self) -> tuple[Any, ...]:
        # without the cached rationals, which cannot be pickled
        return Layer, (self.weight, self.bias, self.slope_neg, self.slope_pos, self.name)

    def __repr__(self) -> str:
        named = f", {self.name!r}" if self.name else ""
        bent = int(self.has_hyperplane.sum())
        return f"Layer({self.inputs} -> {self.units}, {bent} hyperplanes{named})"

    @property
    def units(self) -> int:
        """Number of units (outputs)."""
        return self.weight.shape[0]

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self.weight.shape[1]

    @cached_property
    def has_hyperplane(self) -> NDArray[np.bool_]:
        """Which units have a hyperplane and a bit: those whose two slopes differ."""
        neg, pos = self.slope_neg, self.slope_pos
        if neg.is_float and pos.is_float:
            return np.asarray(neg.approx != pos.approx)
        return np.array([a != b for a, b in self.slopes_exact], dtype=bool)

    @cached_property
    def weight_exact(self) -> fmpq_mat:
        """The weight as rationals, ``(units, inputs)``, converted once."""
        return self.weight.to_fmpq_mat()

    @cached_property
    def sparse_rows(self) -> tuple[Terms, ...] | None:
        """The rows of the weight without their zeros, if most entries are zero; else None."""
        return tuple(self.weight.terms()) if self.weight.is_sparse else None

    @cached_property
    def bias_exact(self) -> fmpq_mat:
        """The bias as a rational column, ``(units, 1)``, converted once."""
        return self.bias.to_fmpq_mat()

    @cached_property
    def slopes_exact(self) -> tuple[tuple[fmpq, fmpq], ...]:
        """The pairs (a⁻, a⁺), one per unit."""
        return tuple(zip(self.slope_neg.entries(), self.slope_pos.entries(), strict=True))


def _constant(value: Any, units: int) -> RationalArray:
    return RationalArray.from_rationals([to_fmpq(value)] * units, (units,))


def affine_layer(weight: Any, bias: Any, name: str = "") -> Layer:
    """A layer without activation: every unit is a pass-through (slopes 1, 1)."""
    return _layer(weight, bias, 1, 1, name)


def relu_layer(weight: Any, bias: Any, name: str = "", *, slope: Any = 0) -> Layer:
    """A ReLU layer, or LeakyReLU with ``slope`` on the negative side.

    The slope is exact: a float is the dyadic rational that it encodes, ``"1/100"`` is 1/100.
    """
    return _layer(weight, bias, slope, 1, name)


def _layer(weight: Any, bias: Any, neg: Any, pos: Any, name: str) -> Layer:
    w = weight if isinstance(weight, RationalArray) else RationalArray.from_floats(weight)
    b = bias if isinstance(bias, RationalArray) else RationalArray.from_floats(bias)
    units = w.shape[0]
    return Layer(w, b, _constant(neg, units), _constant(pos, units), name)


def _stored_transposed(weights: Sequence[Any], biases: Sequence[Any]) -> bool:
    """True if the matrices chain with the biases as (in, out) and not as (out, in)."""
    try:
        shapes = [np.shape(w.approx if isinstance(w, RationalArray) else w) for w in weights]
        units = [len(b.approx if isinstance(b, RationalArray) else b) for b in biases]
    except (TypeError, ValueError):
        return False  # what is wrong with them is said elsewhere
    if not shapes or any(len(shape) != 2 for shape in shapes):
        return False

    def fits(turned: list[tuple[int, ...]]) -> bool:
        chained = all(s[1] == u for s, u in zip(turned[1:], units, strict=False))
        return chained and [s[0] for s in turned] == units

    return fits([s[::-1] for s in shapes]) and not fits(list(shapes))


@dataclass(frozen=True, eq=False)
class Network:
    """An exact piecewise-linear network in normal form; the last layer is the output.

    Attributes
    ----------
    layers : tuple of Layer
        At least one. Layer K of the documentation is ``layers[K - 1]``.
    name : str
        A short name for messages and reports.
    source : mapping
        Where it came from: ``format``, ``file``, ``sha256`` of the file and ``notes`` (what was
        folded, assumed or cut off), all JSON-serialisable.

    Raises
    ------
    NetworkError
        If there is no layer, one has no units, or the shapes do not chain.
    """

    layers: tuple[Layer, ...]
    name: str = "network"
    source: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.layers:
            raise NetworkError("a network needs at least one layer")
        for k, layer in enumerate(self.layers, start=1):
            if layer.units == 0:
                raise NetworkError(f"layer {k} has no units: its weight is {layer.weight.shape}")
        for k, (before, after) in enumerate(
            zip(self.layers[:-1], self.layers[1:], strict=True), start=1
        ):
            if after.inputs != before.units:
                raise NetworkError(
                    f"shapes do not chain: layer {k} has {before.units} units, but layer "
                    f"{k + 1} takes {after.inputs} inputs"
                )
        if self.input_dim == 0:
            raise NetworkError("the network has no inputs")

    def __reduce__(self) -> tuple[Any, ...]:
        return Network, (self.layers, self.name, dict(self.source))

    def __repr__(self) -> str:
        return (
            f"Network({self.name!r}, {'-'.join(map(str, self.widths))}, "
            f"{sum(self.bits)} hyperplanes)"
        )

    def _repr_html_(self) -> str:
        # the facade knows how tables look
        shown: str = importlib.import_module("polyrank.api.html").network_html(self)
        return shown

    def __call__(self, x: Any) -> Any:
        """The output at points, in floating point or exactly.

        Parameters
        ----------
        x : array_like of numbers, shape (n,) or (m, n)
            Floats or integers: evaluated in float64, with rounding. A sequence of n exact numbers
            (``fmpq``, ``Fraction``, or strings such as ``"1/3"``) is evaluated exactly.

        Returns
        -------
        ndarray of float64, shape (out,) or (m, out); or tuple of fmpq, length out

        Raises
        ------
        NetworkError
            If the points do not have n coordinates, or are not finite.

        Examples
        --------
        >>> net = Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
        >>> net([-0.5]), net(["-1/3"])
        (array([0.5]), (1/3,))
        """
        # the forward pass is written for this class: it is loaded when both are there
        from polyrank.network.forward import forward, forward_exact  # noqa: PLC0415

        if isinstance(x, (list, tuple)) and any(isinstance(v, (str, fmpq, Fraction)) for v in x):
            return forward_exact(self, x)
        return forward(self, x)

    def region_at(self, x: Any, **options: Any) -> Any:
        """The region of a point, exactly: :func:`polyrank.at` with this network.

        Examples
        --------
        >>> net = Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
        >>> net.region_at(["-1/3"]).bits.tolist()
        [False, True]
        """
        # the facade is above this room: it is asked by name, and only when the question comes
        return importlib.import_module("polyrank").at(self, x, **options)

    @classmethod
    def from_arrays(
        cls,
        weights: Sequence[Any],
        biases: Sequence[Any],
        *,
        output_relu: bool = False,
        slope: Any = 0,
        name: str = "network",
    ) -> Network:
        """A ReLU (or LeakyReLU with ``slope``) network from ``(out, in)`` matrices and biases.

        The last layer is affine unless ``output_relu``.

        Examples
        --------
        >>> net = Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
        >>> net.widths, net.bits
        ((1, 2, 1), (2, 0))
        """
        if len(weights) != len(biases):
            raise NetworkError(f"{len(weights)} weights but {len(biases)} biases")
        if _stored_transposed(weights, biases):
            raise NetworkError(
                "the matrices fit as (in, out) only, as scikit-learn and Keras store them; here "
                "they are (out, in): give W.T of each"
            )
        last = len(weights) - 1
        layers = tuple(
            relu_layer(w, b, f"layer {k + 1}", slope=slope)
            if k < last or output_relu
            else affine_layer(w, b, f"layer {k + 1}")
            for k, (w, b) in enumerate(zip(weights, biases, strict=True))
        )
        return cls(layers, name)

    def through(self, layer: int) -> Network:
        """The network of the first layers; its last one is the output.

        Raises
        ------
        NetworkError
            If ``layer`` is not one of 1, ..., L.
        """
        depth = self.chosen_layer(layer)
        return self if depth == len(self.layers) else Network(self.layers[:depth], self.name)

    def check_dense(self) -> None:
        """Refuse a network whose weights do not fit into memory when they are dense.

        Raises
        ------
        UnsupportedError
            If a layer is too large.
        """
        for layer in self.layers:
            layer.weight.check_dense()

    def chosen_layer(self, layer: int | None) -> int:
        """The layer that is asked for, 1-based; by default the last one.

        Raises
        ------
        NetworkError
            If ``layer`` is not one of 1, ..., L.
        """
        last = len(self.layers)
        k = last if layer is None else layer
        if not 1 <= k <= last:
            raise NetworkError(f"there is no layer {k}: {self.name!r} has layers 1 to {last}")
        return k

    @property
    def input_dim(self) -> int:
        """Dimension n of the input space."""
        return self.layers[0].inputs

    @property
    def widths(self) -> tuple[int, ...]:
        """Input dimension followed by the number of units of every layer."""
        return (self.input_dim, *(layer.units for layer in self.layers))

    @cached_property
    def bits(self) -> tuple[int, ...]:
        """Number of codeword bits (units with a hyperplane) per layer."""
        return tuple(int(layer.has_hyperplane.sum()) for layer in self.layers)

    @cached_property
    def sha256(self) -> str:
        """Hash of the exact function as stored: shapes, weights, biases and slopes, not names.

        Every part is preceded by its kind and length, so that different networks are hashed as
        different bytes.
        """
        digest = hashlib.sha256(f"polyrank normal form 2\n{len(self.layers)}\n".encode())
        for layer in self.layers:
            digest.update(f"{layer.units} {layer.inputs}\n".encode())
            for part in (layer.weight, layer.bias, layer.slope_neg, layer.slope_pos):
                kind, data = part.stored()
                digest.update(f"{kind} {len(data)}\n".encode() + data)
        return digest.hexdigest()
