"""Fitted scikit-learn perceptrons as networks; scikit-learn itself is not imported.

Only objects are read, through the Python API: a pickled model is a program, and is not opened.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import fmpq

from polyrank.errors import NetworkError, UnsupportedError
from polyrank.network.formats.dense import with_output_relu
from polyrank.network.lowering.sequence import Sequence
from polyrank.network.lowering.values import as_rationals, as_values, multiply, settle
from polyrank.network.normal_form import Network

__all__ = ["from_sklearn"]

_PERCEPTRONS = ("MLPClassifier", "MLPRegressor")
_SLOPES = {"relu": fmpq(0), "identity": None}
_FINAL = {"softmax", "logistic"}


def from_sklearn(
    model: Any, *, cut_final: bool = False, output_relu: bool = False, name: str | None = None
) -> Network:
    """The network of a fitted ``MLPClassifier`` or ``MLPRegressor``, exactly.

    Parameters
    ----------
    model : MLPClassifier, MLPRegressor, or a Pipeline of StandardScaler steps and one of them
        ``activation`` must be ``"relu"`` or ``"identity"``.
    cut_final : bool
        Drop the softmax or logistic output of a classifier: the network then gives the arguments
        (``decision_function``-like scores). Without it a classifier is refused, since its output
        is not piecewise linear.
    output_relu : bool
        Put a ReLU on the output layer.
    name : str, optional
        Name of the network; the default is the class of the model.

    Returns
    -------
    Network
        With layers ``(out, in)``; scalers are folded exactly into the first layer.

    Raises
    ------
    NetworkError
        If the model is not fitted, or is of another class.
    UnsupportedError
        If an activation is not piecewise linear.

    Examples
    --------
    >>> class MLPRegressor:  # what a fitted model looks like
    ...     activation, out_activation_ = "relu", "identity"
    ...     coefs_ = [[[1.0, -1.0]], [[1.0], [1.0]]]
    ...     intercepts_ = [[0.0, 0.0], [0.5]]
    >>> from_sklearn(MLPRegressor()).widths
    (1, 2, 1)
    """
    *scalers, perceptron = [step for _, step in getattr(model, "steps", [("", model)])]
    kind = type(perceptron).__name__
    if kind not in _PERCEPTRONS:
        raise NetworkError(
            f"the model is a {kind}; expected a fitted {' or '.join(_PERCEPTRONS)}, or a Pipeline "
            "of StandardScaler and one of them"
        )
    if not hasattr(perceptron, "coefs_"):
        raise NetworkError(f"the {kind} is not fitted: it has no coefs_; call fit first")
    weights = [np.asarray(w).T for w in perceptron.coefs_]
    notes: list[str] = []
    chain = Sequence(weights[0].shape[1])
    for scaler in scalers:
        _scaled(chain, scaler, notes)
    slope = _slope(perceptron.activation, kind)
    for k, (weight, bias) in enumerate(zip(weights, perceptron.intercepts_, strict=True), start=1):
        chain.linear(weight, bias, f"layer {k}")
        if k < len(weights) and slope is not None:
            chain.activate(slope, fmpq(1), f"layer {k}")
    final = perceptron.out_activation_
    if final in _FINAL and cut_final:
        notes.append(f"the final {final} was cut off as asked")
    elif final in _FINAL:
        raise UnsupportedError(
            f"the {kind} ends in a {final}, which is not piecewise linear; cut_final=True drops it"
        )
    elif final != "identity":
        _slope(final, kind)
        chain.activate(fmpq(0), fmpq(1), f"layer {len(weights)}")
    source = {"format": "scikit-learn", "class": kind, "notes": notes}
    network = Network(chain.layers(f"layer {len(weights)}"), name or kind, source)
    return with_output_relu(network) if output_relu else network


def _slope(activation: str, kind: str) -> fmpq | None:
    if activation not in _SLOPES:
        raise UnsupportedError(
            f"the {kind} has the activation {activation!r}, which is not piecewise linear; train "
            "it with activation='relu'"
        )
    return _SLOPES[activation]


def _scaled(chain: Sequence, scaler: Any, notes: list[str]) -> None:
    kind = type(scaler).__name__
    if kind != "StandardScaler":
        raise UnsupportedError(
            f"the step {kind} of the pipeline is not read; only StandardScaler is"
        )
    if getattr(scaler, "mean_", None) is not None:
        chain.shift(multiply(as_values(scaler.mean_, "mean_"), np.array(-1.0)))
    if getattr(scaler, "scale_", None) is not None:
        inverse = np.array([1 / v for v in as_rationals(as_values(scaler.scale_, "scale_"))])
        chain.scale(settle(inverse), "StandardScaler")
    notes.append("a StandardScaler was folded exactly into the first layer")
