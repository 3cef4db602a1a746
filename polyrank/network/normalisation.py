"""Folding a normalisation of inputs and outputs into the weights, as rationals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flint import fmpq, fmpq_mat

from polyrank.errors import NetworkError
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray, to_fmpq

__all__ = ["fold_normalisation"]


def fold_normalisation(
    network: Network,
    *,
    input_mean: Sequence[Any] | None = None,
    input_scale: Sequence[Any] | None = None,
    output_mean: Sequence[Any] | None = None,
    output_scale: Sequence[Any] | None = None,
) -> Network:
    """The network ``x ↦ s ⊙ Φ((x − m) / r) + t`` of physical units, exactly.

    Parameters
    ----------
    network : Network
        Φ, in normalised units.
    input_mean, input_scale : sequence of n numbers, optional
        m and r; each number is taken exactly (a float as the dyadic rational that it encodes).
        The default is 0 and 1.
    output_mean, output_scale : sequence of numbers, one per output, optional
        t and s. The default is 0 and 1.

    Returns
    -------
    Network
        The same regions under the change of coordinates. Its entries are in general fractions
        rather than float64 numbers. Layers that do not change are shared with ``network``.

    Raises
    ------
    NetworkError
        If a sequence has the wrong length or an entry that is not a finite number, a scale is 0,
        or outputs are scaled although the output layer has an activation.

    Examples
    --------
    >>> net = Network.from_arrays([[[3.0]]], [[1.0]])
    >>> layer = fold_normalisation(net, input_mean=[2], input_scale=[7]).layers[0]
    >>> list(layer.weight.entries()), list(layer.bias.entries())
    ([3/7], [1/7])
    """
    m = _numbers(input_mean, network.input_dim, 0, "input_mean")
    r = _numbers(input_scale, network.input_dim, 1, "input_scale")
    outputs = network.widths[-1]
    t = _numbers(output_mean, outputs, 0, "output_mean")
    s = _numbers(output_scale, outputs, 1, "output_scale")
    for what, scale in (("input_scale", r), ("output_scale", s)):
        if 0 in scale:
            raise NetworkError(f"entry {scale.index(fmpq(0))} of the {what} is 0")
    layers = list(network.layers)
    if any(v != 0 for v in m) or any(v != 1 for v in r):
        layers[0] = _fold_input(layers[0], m, r)
    if any(v != 0 for v in t) or any(v != 1 for v in s):
        if any(neg != 1 or pos != 1 for neg, pos in layers[-1].slopes_exact):
            raise NetworkError(
                "outputs can be scaled only after an affine output layer; this one has an "
                "activation"
            )
        layers[-1] = _fold_output(layers[-1], t, s)
    return Network(tuple(layers), network.name, network.source)


def _numbers(given: Sequence[Any] | None, count: int, default: int, what: str) -> list[fmpq]:
    if given is None:
        return [fmpq(default)] * count
    try:
        values = [to_fmpq(v) for v in given]
    except (TypeError, ValueError) as problem:
        raise NetworkError(f"{what}: {problem}") from None
    if len(values) != count:
        raise NetworkError(f"{what} has {len(values)} entries, expected {count}")
    return values


def _fold_input(layer: Layer, mean: list[fmpq], scale: list[fmpq]) -> Layer:
    """``W diag(1/r) x + (b − W diag(1/r) m)``."""
    rows = layer.weight_exact.tolist()
    scaled = fmpq_mat(
        len(rows), len(mean), [w / r for row in rows for w, r in zip(row, scale, strict=True)]
    )
    centred = layer.bias_exact - scaled * fmpq_mat(len(mean), 1, mean)
    return _replaced(layer, scaled, centred)


def _fold_output(layer: Layer, mean: list[fmpq], scale: list[fmpq]) -> Layer:
    """``diag(s) W h + (s ⊙ b + t)``."""
    rows = layer.weight_exact.tolist()
    scaled = fmpq_mat([[s * w for w in row] for row, s in zip(rows, scale, strict=True)])
    bias = zip(scale, layer.bias.entries(), mean, strict=True)
    return _replaced(layer, scaled, fmpq_mat(len(rows), 1, [s * b + t for s, b, t in bias]))


def _replaced(layer: Layer, weight: fmpq_mat, bias: fmpq_mat) -> Layer:
    return Layer(
        RationalArray.from_fmpq_mat(weight),
        RationalArray.from_fmpq_mat(bias, vector=True),
        layer.slope_neg,
        layer.slope_pos,
        layer.name,
    )
