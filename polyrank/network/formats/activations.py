"""Activations by name: their slopes in the normal form, or why they are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flint import fmpq

from polyrank.errors import NetworkError, UnsupportedError
from polyrank.network.rational import to_fmpq

__all__ = [
    "FINAL_ACTIVATIONS",
    "LINEAR",
    "RELU",
    "SLOPED",
    "UNMISTAKABLE",
    "Activation",
    "activation",
    "is_known",
    "normalised",
]


@dataclass(frozen=True, slots=True)
class Activation:
    """A piecewise-linear function of one variable: two slopes, or a clip.

    Attributes
    ----------
    name : str
        As written in messages and notes.
    neg, pos : fmpq
        Slopes a⁻ and a⁺. Not used if ``clip`` is set.
    clip : (fmpq, fmpq) or None
        (lo, hi): the function is ``min(max(scale·z + shift, lo), hi)``, which the normal form
        writes as ``lo + relu(· − lo) − relu(· − hi)``.
    scale, shift : fmpq
        See ``clip``.
    """

    name: str
    neg: fmpq
    pos: fmpq
    clip: tuple[fmpq, fmpq] | None = None
    scale: fmpq = fmpq(1)  # noqa: RUF009  (immutable)
    shift: fmpq = fmpq(0)  # noqa: RUF009


RELU = Activation("relu", fmpq(0), fmpq(1))
LINEAR = Activation("linear", fmpq(1), fmpq(1))

_ONE = fmpq(1)
_GAPS = str.maketrans("", "", "_- \t\n")
_HARDTANH = Activation("hardtanh", _ONE, _ONE, (-_ONE, _ONE))
_PLAIN: Mapping[str, Activation] = {
    "relu": RELU,
    "poslin": RELU,
    "rectifier": RELU,
    "rectifiedlinear": RELU,
    "rectifiedlinearunit": RELU,
    "linear": LINEAR,
    "identity": LINEAR,
    "none": LINEAR,
    "purelin": LINEAR,
    "abs": Activation("abs", -_ONE, _ONE),
    "absolutevalue": Activation("abs", -_ONE, _ONE),
    "hardtanh": _HARDTANH,
    "satlins": _HARDTANH,
    "satlin": Activation("satlin", _ONE, _ONE, (fmpq(0), _ONE)),
    "relu6": Activation("relu6", _ONE, _ONE, (fmpq(0), fmpq(6))),
    "hardsigmoid": Activation(
        "hard_sigmoid", _ONE, _ONE, (fmpq(0), _ONE), scale=fmpq(1, 6), shift=fmpq(1, 2)
    ),
}
SLOPED = frozenset({"leakyrelu", "lrelu", "prelu"})
"""Normalised names that take a negative slope."""
_CURVED = frozenset(
    {
        "tanh", "sigmoid", "logistic", "softmax", "logsoftmax", "elu", "selu", "celu", "gelu",
        "silu", "swish", "mish", "softplus", "softsign", "logsigmoid", "hardswish", "exp", "sin",
        "cos", "erf", "tanhshrink", "gaussian", "sqrt", "tansig", "logsig", "elliotsig", "radbas",
        "radbasn", "softmin", "glu", "swiglu", "geglu", "snake", "siren",
    }
)  # fmt: skip
_BROKEN = frozenset(
    {"sign", "step", "thresholdedrelu", "hardshrink", "heaviside", "hardlim", "hardlims", "compet"}
)
FINAL_ACTIVATIONS = frozenset(
    {"softmax", "logsoftmax", "sigmoid", "logistic", "tanh", "tansig", "logsig"}
)
"""Normalised names that ``cut_final`` may drop from the end of a network."""
UNMISTAKABLE = frozenset(
    {
        "relu", "relu6", "poslin", "purelin", "satlin", "satlins", "leakyrelu", "lrelu", "prelu",
        "hardtanh", "hardsigmoid", "tanh", "sigmoid", "tansig", "logsig", "elu", "selu", "celu",
        "gelu", "silu", "swish", "mish", "softplus", "softsign", "hardswish", "logsigmoid",
        "hardlim", "hardlims", "elliotsig",
    }
)  # fmt: skip
"""Normalised names that are hardly anything but the name of an activation."""


def activation(name: str, slope: float | str | None = None) -> Activation:
    """The activation of a given name.

    Parameters
    ----------
    name : str
        relu, leaky_relu, prelu, abs, linear, hardtanh (clip to [−1, 1]), relu6, hard_sigmoid
        (``relu6(z + 3)/6``). Case, ``_`` and ``-`` do not matter.
    slope : float, str or None
        Negative slope of leaky_relu and prelu, exact; the default is the float64 0.01.

    Raises
    ------
    UnsupportedError
        If the activation is not continuous and piecewise linear.
    NetworkError
        If the name is unknown, or a slope is given to an activation that has none.

    Examples
    --------
    >>> activation("LeakyReLU", "1/100").neg
    1/100
    """
    key = normalised(name)
    if key in SLOPED:
        return Activation("leaky_relu", exact_slope(0.01 if slope is None else slope), _ONE)
    if key in _PLAIN:
        if slope is not None:
            raise NetworkError(f"a slope ({slope}) goes with leaky_relu, not with {name!r}")
        return _PLAIN[key]
    if key in _CURVED:
        hint = (
            " (after the last layer it can be dropped: --cut-final)"
            if key in FINAL_ACTIVATIONS
            else ""
        )
        raise UnsupportedError(f"the activation {name!r} is not piecewise linear{hint}")
    if key in _BROKEN:
        raise UnsupportedError(f"the activation {name!r} is not continuous")
    raise NetworkError(
        f"unknown activation {name!r}: expected one of relu, leaky_relu, prelu, abs, linear, "
        f"hardtanh, relu6, hard_sigmoid"
    )


def is_known(name: str) -> bool:
    """Whether a name is that of an activation, piecewise linear or not."""
    key = normalised(name)
    return key in _PLAIN or key in SLOPED or key in _CURVED or key in _BROKEN


def normalised(name: str) -> str:
    """The name in lower case without ``_``, ``-`` and spaces."""
    return name.lower().translate(_GAPS)


def exact_slope(slope: float | str) -> fmpq:
    """A slope as a rational; a float is the dyadic rational that it encodes.

    Raises
    ------
    NetworkError
        If it is not a finite number.
    """
    try:
        return to_fmpq(slope)
    except ValueError as problem:
        raise NetworkError(f"the slope {slope!r} is not a number: {problem}") from None
