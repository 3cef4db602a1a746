"""Dense layers with activations, brought to the normal form exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from flint import fmpq, fmpq_mat

from polyrank.errors import NetworkError
from polyrank.network.formats.activations import LINEAR, RELU, Activation
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray

__all__ = ["DenseStep", "UnitSlopes", "check_chain", "dense_network", "with_output_relu"]


@dataclass(frozen=True, slots=True, eq=False)
class UnitSlopes:
    """Slopes (a⁻, a⁺) that differ from unit to unit, each of shape (units,)."""

    neg: RationalArray
    pos: RationalArray


@dataclass(frozen=True, slots=True, eq=False)
class DenseStep:
    """``h ↦ activation(weight h + bias)``.

    Attributes
    ----------
    name : str
    weight : RationalArray, shape (units, inputs)
    bias : RationalArray, shape (units,), or None for zero
    activation : Activation or UnitSlopes
    """

    name: str
    weight: RationalArray
    bias: RationalArray | None
    activation: Activation | UnitSlopes


def dense_network(steps: Sequence[DenseStep], *, name: str, notes: Sequence[str] = ()) -> Network:
    """The normal form of a chain of dense layers.

    A clip ``min(max(α z + β, lo), hi)`` becomes the 2m ReLU units ``αz + β − lo`` and
    ``αz + β − hi`` and an affine map that is folded, exactly, into the next layer (or is a layer
    of its own at the end).

    Raises
    ------
    NetworkError
        If there is no step or the shapes do not chain.
    """
    layers: list[Layer] = []
    folded: list[str] = []
    check_chain([(step.name, step.weight.shape) for step in steps])
    lower: fmpq | None = None  # of the clip whose affine part waits for the next layer
    for step in steps:
        weight = step.weight
        if len(weight.shape) != 2:
            raise NetworkError(f"{step.name}: the weight must be a matrix, got {weight.shape}")
        units = weight.shape[0]
        bias = step.bias if step.bias is not None else RationalArray.from_floats(np.zeros(units))
        if bias.shape != (units,):
            raise NetworkError(
                f"{step.name}: the bias has shape {bias.shape}, but the weight {weight.shape} "
                f"calls for ({units},)"
            )
        if lower is not None:
            weight, bias = _after_clip(weight, bias, lower)
            lower = None
        act = step.activation
        if isinstance(act, UnitSlopes):
            layers.append(Layer(weight, bias, act.neg, act.pos, step.name))
        elif act.clip is None:
            layers.append(_layer(weight, bias, act, step.name))
        else:
            lower, upper = act.clip
            layers.append(_clip_layer(weight, bias, act, step.name))
            folded.append(
                f"{step.name}: {act.name}, which clips to [{lower}, {upper}], became "
                f"{2 * units} ReLU units"
            )
    if lower is not None:
        units = layers[-1].units // 2
        eye = np.eye(units)
        weight = RationalArray.from_floats(np.hstack([eye, -eye]))
        bias = RationalArray.from_rationals([lower] * units, (units,))
        layers.append(_layer(weight, bias, LINEAR, f"{layers[-1].name}, output"))
    return Network(tuple(layers), name, {"notes": [*notes, *folded]})


def with_output_relu(network: Network) -> Network:
    """The same network with a ReLU on every output unit; itself if it already has them.

    Raises
    ------
    NetworkError
        If the output layer has another activation.
    """
    last = network.layers[-1]
    slopes = set(last.slopes_exact)
    if slopes == {(RELU.neg, RELU.pos)}:
        return network
    if slopes != {(LINEAR.neg, LINEAR.pos)}:
        raise NetworkError(
            "the output layer already has an activation that is not a ReLU; "
            "--output-relu needs an affine output layer"
        )
    layer = _layer(last.weight, last.bias, RELU, last.name)
    return Network((*network.layers[:-1], layer), network.name, network.source)


def check_chain(layers: Sequence[tuple[str, tuple[int, ...]]], *, parts: bool = False) -> None:
    """Refuse weights that do not chain, with the likely reason.

    Parameters
    ----------
    layers : sequence of (str, shape)
        Names and shapes (out, in) in order; what is not a matrix is passed over.
    parts : bool
        Whether the reader offers to choose among several networks.

    Raises
    ------
    NetworkError
        With the first two that do not fit.
    """
    sizes = [shape for _, shape in layers]
    if any(len(shape) != 2 for shape in sizes):
        return
    broken = [k for k, (a, b) in enumerate(pairwise(sizes)) if a[0] != b[1]]
    if not broken:
        return
    hint = ""
    if all(a[1] == b[0] for a, b in pairwise(sizes)):
        hint = " (they do chain as (in, out): if they are stored so, transpose them)"
    elif parts and all(sizes[k + 1][1] == sizes[0][1] for k in broken):
        starts = [0, *(k + 1 for k in broken), len(sizes)]
        runs = [",".join(name for name, _ in layers[a:b]) for a, b in pairwise(starts)]
        hint = f" (if they are several networks, choose one: --part {' or --part '.join(runs)})"
    (first, (units, _)), (second, shape) = layers[broken[0]], layers[broken[0] + 1]
    raise NetworkError(
        f"shapes do not chain: {first} has {units} units, but {second} of shape {shape} takes "
        f"{shape[1]} inputs{hint}"
    )


def _layer(weight: RationalArray, bias: RationalArray, act: Activation, name: str) -> Layer:
    units = (weight.shape[0],)
    neg = RationalArray.from_rationals([act.neg] * units[0], units)
    pos = RationalArray.from_rationals([act.pos] * units[0], units)
    return Layer(weight, bias, neg, pos, name)


def _clip_layer(weight: RationalArray, bias: RationalArray, act: Activation, name: str) -> Layer:
    lo, hi = act.clip if act.clip is not None else (act.shift, act.shift)
    scaled = weight if act.scale == 1 else _scaled(weight, act.scale)
    centres = [act.scale * b + act.shift for b in bias.entries()]
    units = weight.shape[0]
    double = RationalArray.from_rationals(
        [c - lo for c in centres] + [c - hi for c in centres], (2 * units,)
    )
    return _layer(_stacked(scaled, scaled), double, RELU, name)


def _after_clip(
    weight: RationalArray, bias: RationalArray, lower: fmpq
) -> tuple[RationalArray, RationalArray]:
    """``W (lo + u − v) + b = [W, −W] (u, v) + (b + lo W 1)``."""
    units, inputs = weight.shape
    if weight.is_float:
        wide = RationalArray.from_floats(np.hstack([weight.approx, -weight.approx]))
    else:
        rows = weight.to_fmpq_mat().tolist()
        entries = [v for row in rows for v in [*row, *(-w for w in row)]]
        wide = RationalArray.from_rationals(entries, (units, 2 * inputs))
    if lower == 0:
        return wide, bias
    ones = fmpq_mat(inputs, 1, [lower] * inputs)
    shifted = bias.to_fmpq_mat() + weight.to_fmpq_mat() * ones
    return wide, RationalArray.from_fmpq_mat(shifted, vector=True)


def _scaled(weight: RationalArray, factor: fmpq) -> RationalArray:
    return RationalArray.from_fmpq_mat(weight.to_fmpq_mat() * factor)


def _stacked(top: RationalArray, bottom: RationalArray) -> RationalArray:
    if top.is_float and bottom.is_float:
        return RationalArray.from_floats(np.vstack([top.approx, bottom.approx]))
    rows = top.shape[0] + bottom.shape[0]
    return RationalArray.from_rationals([*top.entries(), *bottom.entries()], (rows, top.shape[1]))
