"""The exact maximum of a linear function of the outputs on a bounded domain, proved.

A value is proposed and :func:`~polyrank.verification.verify.verify` asked whether it is exceeded:
where it is, an exact linear program finds the maximum over the closed region of that input, which
is the next proposal; where it is not, the proposal is the maximum, attained at a known input. Each
region is used once, so it ends.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from polyrank.errors import EmptyDomainError, UncertifiedError, UnsupportedError
from polyrank.lp.certificates import Minimum
from polyrank.lp.deadline import OutOfTimeError, look, time_limit
from polyrank.lp.farkas import integer_row, values_at
from polyrank.network.forward import affine_map, codeword_exact, forward_exact
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float, to_fmpq
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.violation import OutputRow, Question, specification_of
from polyrank.verification.arrays import float_box
from polyrank.verification.attack import Attack
from polyrank.verification.counterexample import ambient
from polyrank.verification.exact_cell import Programs, box_rows, in_bounds
from polyrank.verification.frame import Empty, Frame, frame
from polyrank.verification.verify import verify

__all__ = ["Greatest", "greatest", "greatest_of"]

#: Sampled points from which the maximum over a region is found, and products of each round.
_STARTS, _PRODUCTS = 4, 1 << 17


@dataclass(frozen=True, slots=True)
class Greatest:
    """The maximum of ``Σ w_j y_j``, or of several such functions.

    **Proves**: it is at least ``value``, which ``x`` attains exactly, and no more if ``certified``.

    Attributes
    ----------
    value : fmpq
    x : tuple of fmpq
    index : int
        Number of the function that has this value at ``x``.
    certified : bool
    boxes : int
        Of all trees.
    seconds : float
    """

    value: fmpq
    x: tuple[fmpq, ...]
    index: int
    certified: bool
    boxes: int
    seconds: float


def greatest(
    network: Network,
    domain: Domain,
    weights: Sequence[Any],
    *,
    seconds: float = math.inf,
    jobs: int | None = None,
) -> Greatest:
    """The maximum of a linear function of the outputs on a domain.

    Parameters
    ----------
    weights : sequence of numbers
        One for every output, exact.
    seconds : float
        Time limit; then the value is a lower bound.

    Raises
    ------
    EmptyDomainError
        If the domain has no point.
    UnsupportedError
        If the domain is unbounded.
    UncertifiedError
        If the time limit comes before the bounds of a domain that is no box are found.

    Examples
    --------
    >>> import polyrank as pr
    >>> net = pr.Network.from_arrays([[[1.0], [-1.0]], [[3.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> found = greatest(net, pr.Box(-1, "1/3"), [1])
    >>> found.value, found.x, found.certified
    (1, (-1,), True)
    """
    return greatest_of(network, domain, [weights], seconds=seconds, jobs=jobs)


def greatest_of(
    network: Network,
    domain: Domain,
    functions: Sequence[Sequence[Any]],
    *,
    seconds: float = math.inf,
    jobs: int | None = None,
    out: Path | None = None,
    proof: bool = False,
    twins: bool = False,
) -> Greatest:
    """The maximum of several linear functions of the outputs on a domain, as one question.

    Parameters
    ----------
    functions : sequence of sequences of numbers
        The weights of each, one for every output.
    seconds, jobs
        As for :func:`greatest`.
    out, proof
        Where the verdict goes that nothing exceeds the maximum, and whether with its proof.
    twins : bool
        As that of :func:`~polyrank.verification.verify.verify`.

    Raises
    ------
    EmptyDomainError, UnsupportedError, UncertifiedError
        As :func:`greatest`.
    """
    begun = time.perf_counter()
    try:
        with time_limit(seconds):
            where = frame(domain, network.input_dim)
    except OutOfTimeError:
        raise UncertifiedError(
            f"after {seconds:g} s the bounds of the domain are not found, so no value is known; "
            "allow more time, or state the domain as a box"
        ) from None
    if isinstance(where, Empty):
        raise EmptyDomainError("the domain is empty, so nothing has a maximum on it")
    if where.lower is None:
        raise UnsupportedError("the domain is unbounded; a maximum may not exist: bound it")
    factors = [
        tuple((j, to_fmpq(w)) for j, w in enumerate(weights) if to_fmpq(w) != 0)
        for weights in functions
    ]

    def left() -> float:
        return max(0.0, seconds - (time.perf_counter() - begun))

    with time_limit(left()):
        point = _proposed(network, where, domain, factors)
    boxes = 0
    while True:
        x = ambient(where, point)
        index, value = _best(network, x, factors)
        exceeded = [
            (OutputRow(tuple((j, -w) for j, w in each), -value, strict=True),)
            for each in factors
            if each
        ]
        specification = specification_of(
            f"at most {value}",
            network.input_dim,
            network.widths[-1],
            (Question(domain, tuple(exceeded)),),
        )
        found = verify(
            network, specification, seconds=left(), jobs=jobs, out=out, proof=proof, twins=twins
        )
        boxes += found.boxes
        if found.counterexample is None:
            spent = time.perf_counter() - begun
            return Greatest(value, tuple(x), index, found.verdict == "holds", boxes, spent)
        if out is not None:
            shutil.rmtree(out)  # the verdict on a value that is not the maximum
        index, _ = _best(network, found.counterexample.x, factors)
        with time_limit(left()):
            point = _climbed(
                network, where, factors[index], _coordinates(where, found.counterexample.x)
            )


def _proposed(
    network: Network,
    where: Frame,
    domain: Domain,
    factors: Sequence[tuple[tuple[int, fmpq], ...]],
) -> fmpq_mat:
    """The best of a few maxima over closed regions: of the middle, and of sampled points."""
    starts = [where.interior]
    root = float_box(where)
    if np.isfinite(root[1] - root[0]).all():
        zero = tuple((OutputRow(tuple((j, -w) for j, w in each), fmpq(0)),) for each in factors)
        found = Attack(network, where, Question(domain, zero), root, products=_PRODUCTS)
        points = found.cycle()[:_STARTS].tolist()
        inside = [fmpq_mat(where.k, 1, [fmpq_from_float(v) for v in x]) for x in points]
        rows = where.rows()
        starts += [x for x in inside if all(v >= 0 for v in values_at(rows, x))]
    ends = []
    for start in starts:
        index, _ = _best(network, ambient(where, start), factors)
        end = _climbed(network, where, factors[index], start)
        ends.append((_best(network, ambient(where, end), factors)[1], end))
    return max(ends, key=lambda end: end[0])[1]


def _best(
    network: Network, x: Sequence[fmpq], factors: Sequence[tuple[tuple[int, fmpq], ...]]
) -> tuple[int, fmpq]:
    """Which function is greatest at an input, and its value."""
    y = forward_exact(network, x)
    values = [sum((w * y[j] for j, w in each), fmpq(0)) for each in factors]
    best = max(values)
    return values.index(best), best


def _coordinates(where: Frame, x: Sequence[fmpq]) -> fmpq_mat:
    """The coordinates y of an input of the domain."""
    column = fmpq_mat(len(x), 1, list(x))
    if where.plain:
        return column
    basis = where.basis
    moved = basis.transpose() * (column - where.origin)
    return (basis.transpose() * basis).solve(moved) if where.k else fmpq_mat(0, 1)


def _climbed(
    network: Network, where: Frame, factors: tuple[tuple[int, fmpq], ...], point: fmpq_mat
) -> fmpq_mat:
    """A maximum over the closed region of a point; the point itself once the time is up."""
    try:
        return _greatest_of_region(network, where, factors, point)
    except OutOfTimeError:
        return point


def _greatest_of_region(
    network: Network, where: Frame, factors: tuple[tuple[int, fmpq], ...], point: fmpq_mat
) -> fmpq_mat:
    look()
    word = codeword_exact(network, ambient(where, point)).bits
    origin, basis, k = where.origin, where.basis, where.k
    rows = list(where.rows())
    place = 0
    for number, layer in enumerate(network.layers, start=1):
        J, c = affine_map(
            network, word, layer=number, before_activation=True, origin=origin, basis=basis
        )
        for i in range(layer.units):
            if not layer.has_hyperplane[i]:
                continue
            sign = 1 if word[place] else -1
            place += 1
            rows.append(integer_row([*(sign * J[i, l] for l in range(k)), sign * c[i, 0]]))
    J, _ = affine_map(network, word, origin=origin, basis=basis)
    slope = [sum((w * J[j, l] for j, w in factors), fmpq(0)) for l in range(k)]
    objective = integer_row([*(-v for v in slope), fmpq(0)])
    boxed = in_bounds(where)
    if boxed and where.lower is not None and where.upper is not None:
        rows += box_rows(list(zip(where.lower, where.upper, strict=True)))
    best = Programs(rows, k, boxed=boxed).minimise(objective, point)
    return best.point if isinstance(best, Minimum) else point
