"""Random networks by a recorded definition, with numpy alone.

**Definition.** ``g = numpy.random.default_rng([seed, 1])`` (PCG64). For every layer with m inputs
and n units in turn: the weight W, of shape (n, m), is drawn from g, then the bias b, of shape (n,),
each in one call; with ``flip`` R, then ``g.permutation(n)[:R]`` names the rows of W that are
negated (the rank-selection matrix of Beshkov and Einevoll, equation 10: ``W ← D W``, D diagonal
with R entries −1). Numbers are drawn in float64 and rounded to float32, as frameworks store them.

====================  =========================================================================
``torch``             ``U(−1/√m, 1/√m)``: what ``torch.nn.Linear`` does by default
``he``                ``N(0, 2/m)`` (K. He et al., "Delving deep into rectifiers", ICCV 2015)
``normal:MU,SIGMA``   normal with mean and standard deviation
``uniform:A,B``       uniform on [A, B)
``dale:K,G``          K inhibitory inputs: the last K columns are ``−G · U(0, 1)``, the others
                      ``U(0, 1)`` (each input excites all units or inhibits all)
``zero``              0 (for biases)
====================  =========================================================================

A number may be divided by the width: ``1/sqrt(n)``, ``0.5/m``. Biases are those of ``torch`` unless
said otherwise, whatever the weights are, as in PyTorch when only weights are initialised again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.counts.bounds import parse_widths
from polyrank.errors import NetworkError
from polyrank.network.normal_form import Network

__all__ = ["Law", "law", "random_network"]

Draw = Callable[[np.random.Generator, tuple[int, ...], int, int], NDArray[np.float64]]
"""Generator, shape, inputs m and units n of the layer."""

_NUMBER = re.compile(r"(-?\d+\.?\d*(?:e-?\d+)?)(?:/(sqrt\()?([mn])\)?)?")


@dataclass(frozen=True, slots=True)
class Law:
    """How the entries of a weight or bias are drawn.

    Attributes
    ----------
    text : str
        Its definition, as in the table of this module.
    draw : callable
    symmetric : bool
        Rows and their negatives have the same law.
    """

    text: str
    draw: Draw
    symmetric: bool


def law(text: str) -> Law:
    """The law that a text names.

    Raises
    ------
    NetworkError
        If it names none.

    Examples
    --------
    >>> law("normal:0,1/sqrt(n)").symmetric, law("uniform:0,1").symmetric
    (True, False)
    """
    name, _, rest = text.replace(" ", "").partition(":")
    numbers = rest.split(",") if rest else []
    try:
        if name == "torch" and not numbers:
            return Law(text, _torch, True)
        if name == "he" and not numbers:
            return Law(text, _he, True)
        if name == "zero" and not numbers:
            return Law(text, _zero, True)
        if name == "normal" and len(numbers) == 2:
            return _normal(text, *map(_number, numbers))
        if name == "uniform" and len(numbers) == 2:
            return _uniform(text, *map(_number, numbers))
        if name == "dale" and len(numbers) in (1, 2):
            return _dale(text, int(numbers[0]), *map(_number, numbers[1:]))
    except ValueError:
        pass
    raise NetworkError(
        f"{text!r} is no initialisation: write torch, he, zero, normal:MU,SIGMA, uniform:A,B or "
        "dale:K,G (numbers such as 0.1, 1/sqrt(m), 2/n)"
    )


def random_network(
    widths: str | Sequence[int],
    *,
    seed: int = 0,
    init: str = "torch",
    bias: str = "torch",
    flip: int = 0,
    affine_output: bool = False,
) -> Network:
    """A random network, the same for the same arguments wherever numpy's PCG64 is.

    Parameters
    ----------
    widths : str or sequence of int
        ``"10-25"``: 10 inputs, 25 ReLU units; every layer has ReLUs, as in the maps Φ of Beshkov
        and Einevoll.
    seed : int
    init, bias : str
        Laws of the weights and of the biases; see the table of this module.
    flip : int
        Rows of every weight that are negated.
    affine_output : bool
        The last layer has no ReLUs.

    Raises
    ------
    NetworkError
        If the widths or laws are not of that form, there are fewer rows than ``flip``, or the seed
        is negative.

    Examples
    --------
    >>> net = random_network("3-4-2", seed=7)
    >>> net.widths, net.bits, random_network("3-4-2", seed=7).sha256 == net.sha256
    ((3, 4, 2), (4, 2), True)
    """
    numbers = parse_widths(widths)
    if seed < 0:
        raise NetworkError(f"the seed is {seed}, expected 0 or more")
    weight_law, bias_law = law(init), law(bias)
    if bias.startswith("dale"):
        raise NetworkError("dale:K,G is a law of weights, which have inputs; biases have none")
    if not 0 <= flip <= min(numbers[1:]):
        raise NetworkError(f"{flip} rows cannot be negated in layers of {numbers[1:]} units")
    g = np.random.default_rng([seed, 1])
    weights: list[Any] = []
    biases: list[Any] = []
    for m, n in pairwise(numbers):
        W = weight_law.draw(g, (n, m), m, n)
        b = bias_law.draw(g, (n,), m, n)
        if flip:
            W[g.permutation(n)[:flip]] *= -1.0
        weights.append(W.astype(np.float32))
        biases.append(b.astype(np.float32))
    shown = "-".join(map(str, numbers))
    parts = [shown, init, *([f"flip {flip}"] if flip else []), f"seed {seed}"]
    return Network.from_arrays(weights, biases, output_relu=not affine_output, name=" ".join(parts))


def _number(text: str) -> Callable[[int, int], float]:
    found = _NUMBER.fullmatch(text)
    if found is None or (found[2] is None) != (")" not in text):
        raise ValueError(text)
    value, root, width = float(found[1]), found[2] is not None, found[3]

    def at(m: int, n: int) -> float:
        divisor = {"m": m, "n": n, None: 1}[width]
        return value / (np.sqrt(divisor) if root else divisor)

    return at


def _torch(g: np.random.Generator, shape: tuple[int, ...], m: int, n: int) -> NDArray[np.float64]:
    del n
    return g.uniform(-1 / np.sqrt(m), 1 / np.sqrt(m), shape)


def _zero(g: np.random.Generator, shape: tuple[int, ...], m: int, n: int) -> NDArray[np.float64]:
    del g, m, n
    return np.zeros(shape)


def _he(g: np.random.Generator, shape: tuple[int, ...], m: int, n: int) -> NDArray[np.float64]:
    del n
    return g.normal(0.0, np.sqrt(2 / m), shape)


def _normal(text: str, mu: Callable[..., float], sigma: Callable[..., float]) -> Law:
    if sigma(1, 1) < 0:
        raise ValueError(text)
    return Law(text, lambda g, shape, m, n: g.normal(mu(m, n), sigma(m, n), shape), mu(1, 1) == 0.0)


def _uniform(text: str, a: Callable[..., float], b: Callable[..., float]) -> Law:
    if a(1, 1) > b(1, 1):
        raise ValueError(text)
    same = all(a(m, n) == -b(m, n) for m, n in [(1, 1), (2, 3), (5, 2)])
    return Law(text, lambda g, shape, m, n: g.uniform(a(m, n), b(m, n), shape), same)


def _dale(text: str, inhibitory: int, strength: Callable[..., float] | None = None) -> Law:
    def draw(g: np.random.Generator, shape: tuple[int, ...], m: int, n: int) -> NDArray[np.float64]:
        if inhibitory > m:
            raise NetworkError(f"{text}: {inhibitory} inhibitory inputs of {m}")
        W = g.random(shape)
        W[:, m - inhibitory :] *= -1.0 if strength is None else -strength(m, n)
        return W

    if inhibitory < 0:
        raise ValueError(text)
    return Law(text, draw, False)
