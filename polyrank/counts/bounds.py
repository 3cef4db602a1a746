"""``bounds``: how many regions a network of given widths has at most, at least and on average.

Sources: G. Montúfar, R. Pascanu, K. Cho, Y. Bengio, "On the number of linear regions of deep neural
networks", NeurIPS 2014, Theorem 5 (what some network attains); G. Montúfar, "Notes on the number of
linear regions of deep neural networks", SampTA 2017, Proposition 3; T. Serra, C. Tjandraatmadja,
S. Ramalingam, "Bounding and counting linear regions of deep neural networks", ICML 2018, Theorem 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from operator import index
from typing import Any

from polyrank.brief import brief
from polyrank.counts.arrangement import central_regions, regions
from polyrank.counts.symmetric import (
    codeword_probability,
    expected_by_rank,
    naive_low_rank_probability,
)
from polyrank.digits import digits
from polyrank.errors import NetworkError

__all__ = ["Bounds", "bounds", "long_number", "montufar", "parse_widths"]

_LONG = 10**15


def long_number(number: int) -> str:
    """All digits, or of a long number the first ones.

    Examples
    --------
    >>> long_number(12345), long_number(3**40), long_number(2**20000)
    ('12,345', '1.215e19', 'about 10^6020')
    """
    if number < _LONG:
        return f"{number:,}"
    if number.bit_length() > 10_000:  # Python writes no integers of more digits by default
        return f"about 10^{int(number.bit_length() * 0.30103)}"
    text = str(number)
    return f"{text[0]}.{text[1:4]}e{len(text) - 1}"


@brief("widths", "bias", upper=lambda found: long_number(found.upper))
@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of the number of activation regions on R^m by the widths alone.

    **Proves**: no ReLU network of these widths has more regions than ``serra``, ``montufar`` or
    ``trivial`` say, on R^m or on a convex part of it; some network has at least ``attained``; a
    first layer in general position has exactly ``zaslavsky`` regions. **Does not prove** anything
    about LeakyReLU or other slopes: ``serra`` uses that inactive units are constant.

    Attributes
    ----------
    widths : tuple of int
        Inputs m, then the ReLU units of every layer.
    bias : bool
    trivial : int
        ``2^N``, N units.
    zaslavsky : int
        Of the first layer in general position (central without biases).
    montufar, serra : int
        Upper bounds for all layers; equal to ``zaslavsky`` if there is one layer.
    attained : int or None
        Montúfar et al.'s lower bound of the greatest number; None if a layer but the last is
        narrower than the input, or without biases.
    rank_0 : Fraction
        Probability that the first layer has a region of rank 0 on R^m, for rows with a
        sign-symmetric law in general position (:mod:`polyrank.counts.symmetric`).
    expected_by_rank : tuple of Fraction
        Expected regions of rank r of that first layer, r = 0..min(n, m).
    naive_low_rank : float or None
        Probability of a region of rank < m if codewords were drawn at random, which they are not.
    """

    widths: tuple[int, ...]
    bias: bool
    trivial: int
    zaslavsky: int
    montufar: int
    serra: int
    attained: int | None
    rank_0: Fraction
    expected_by_rank: tuple[Fraction, ...]
    naive_low_rank: float | None

    @property
    def upper(self) -> int:
        """The least of the upper bounds."""
        return min(self.serra, self.montufar, self.trivial)

    def summary(self) -> dict[str, Any]:
        """Integers and fractions exact, for :func:`polyrank.digits.json_text`.

        Python's own ``json`` refuses integers of more than 4,300 digits.
        """
        return {
            "widths": list(self.widths),
            "bias": self.bias,
            "regions": {
                "upper": self.upper,
                "serra": self.serra,
                "montufar": self.montufar,
                "trivial": self.trivial,
                "first_layer_in_general_position": self.zaslavsky,
                "attained_by_some_network": self.attained,
            },
            "first_layer_sign_symmetric": {
                "probability_of_each_codeword": digits(self.rank_0),
                "probability_of_rank_0": float(self.rank_0),
                "expected_regions_by_rank": [digits(v) for v in self.expected_by_rank],
                "naive_probability_of_low_rank": self.naive_low_rank,
            },
        }


def bounds(widths: str | Sequence[int], *, bias: bool = True) -> Bounds:
    """Bounds of the number of regions of a ReLU network on R^m.

    Parameters
    ----------
    widths : str or sequence of int
        ``"4-5-5-5"`` or ``(4, 5, 5, 5)``: m = 4 inputs, then three layers of 5 ReLUs. An affine
        output adds no regions and is left out.
    bias : bool
        False: layers without biases.

    Raises
    ------
    NetworkError
        If the widths are not two or more positive numbers.

    Examples
    --------
    >>> found = bounds("2-3")
    >>> found.serra, found.zaslavsky, found.trivial, found.rank_0
    (7, 7, 8, Fraction(7, 8))
    """
    m, *layers = numbers = parse_widths(widths)
    first = layers[0]
    lone = len(layers) == 1
    exact = regions(first, m) if bias else central_regions(first, m)
    top = first * m <= 1 << 20
    return Bounds(
        numbers,
        bias,
        2 ** sum(layers),
        exact,
        exact if lone else montufar(m, layers, layers),
        exact if lone else _serra(m, layers),
        _attained(m, layers) if bias else None,
        codeword_probability(first, m, bias=bias),
        tuple(expected_by_rank(first, m, bias=bias)),
        naive_low_rank_probability(first, m) if bias and top and first < 1000 else None,
    )


def parse_widths(widths: str | Sequence[int]) -> tuple[int, ...]:
    """Widths from ``"4-5-5"`` or numbers: at least the inputs and one layer, all positive.

    Raises
    ------
    NetworkError
        If they are not.
    """
    try:
        if isinstance(widths, str):
            numbers = tuple(int(part) for part in widths.replace("x", "-").split("-"))
        else:
            numbers = tuple(map(index, widths))
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) < 2 or min(numbers) < 1 or max(numbers) > 100_000:
        raise NetworkError(
            f"{widths!r} are no widths: write the inputs and the units of every layer, as in 4-5-5"
        )
    return numbers


def montufar(m: int, widths: Sequence[int], hyperplanes: Sequence[int]) -> int:
    """``Π_l Σ_{j ≤ d_l} C(n_l, j)``, d_l the least width before layer l, n_l its hyperplanes."""
    total, dimension = 1, m
    for width, n in zip(widths, hyperplanes, strict=True):
        total *= regions(n, dimension)
        dimension = min(dimension, width)
    return total


def _serra(m: int, layers: Sequence[int]) -> int:
    """``Σ Π_l C(n_l, j_l)`` over 0 ≤ j_l ≤ min(m, n_1 − j_1, ..., n_{l−1} − j_{l−1}, n_l).

    Summed layer by layer over the value of that minimum.
    """
    by_dimension = {m: 1}
    for n in layers:
        after: dict[int, int] = {}
        for dimension, ways in by_dimension.items():
            for j in range(min(dimension, n) + 1):
                rest = min(dimension, n - j)
                after[rest] = after.get(rest, 0) + ways * comb(n, j)
        by_dimension = after
    return sum(by_dimension.values())


def _attained(m: int, layers: Sequence[int]) -> int | None:
    """``Π_{l < L} ⌊n_l / m⌋^m · Σ_{j ≤ m} C(n_L, j)``."""
    if any(n < m for n in layers[:-1]):
        return None
    total = regions(layers[-1], m)
    for n in layers[:-1]:
        total *= (n // m) ** m
    return total
