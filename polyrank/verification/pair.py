"""Two networks: whether they are the same function, and their greatest difference."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from polyrank.errors import NetworkError, UncertifiedError
from polyrank.lp.deadline import OutOfTimeError, time_limit
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Layer, Network, affine_layer
from polyrank.network.rational import RationalArray
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.inputs import in_domain
from polyrank.polyhedra.violation import satisfied
from polyrank.posed.branch import Branch
from polyrank.regions.run import Run
from polyrank.verification.arrays import has_twins
from polyrank.verification.counterexample import ambient
from polyrank.verification.frame import Empty, frame
from polyrank.verification.function_store import FunctionStore
from polyrank.verification.maximum import Greatest, greatest_of

__all__ = ["Equivalence", "difference_network", "greatest_difference", "same_function"]


def difference_network(first: Network, second: Network) -> Network:
    """The network ``x ↦ first(x) − second(x)``; the shorter one is handed on by pass-through units.

    Raises
    ------
    NetworkError
        If their numbers of inputs or outputs differ.
    """
    n, m = first.input_dim, first.widths[-1]
    if (second.input_dim, second.widths[-1]) != (n, m):
        raise NetworkError(
            f"{first.name!r} has {n} inputs and {m} outputs, {second.name!r} "
            f"{second.input_dim} and {second.widths[-1]}; only functions of one shape are compared"
        )
    depth = max(len(first.layers), len(second.layers))
    one, two = (_padded(network, depth, m) for network in (first, second))
    layers = [
        _beside(a, b, shared=k == 0, name=f"layer {k + 1}")
        for k, (a, b) in enumerate(zip(one, two, strict=True))
    ]
    eye = np.eye(m)
    layers.append(affine_layer(np.concatenate([eye, -eye], axis=1), np.zeros(m), "difference"))
    return Network(tuple(layers), f"{first.name} - {second.name}")


def _padded(network: Network, depth: int, m: int) -> list[Layer]:
    through = affine_layer(np.eye(m), np.zeros(m), "passed on")
    return [*network.layers, *[through] * (depth - len(network.layers))]


def _beside(a: Layer, b: Layer, *, shared: bool, name: str) -> Layer:
    """Both layers side by side, on the same inputs or on their own."""
    rows, columns = a.units + b.units, a.inputs if shared else a.inputs + b.inputs
    if a.weight.is_float and b.weight.is_float:
        weight = np.zeros((rows, columns))
        weight[: a.units, : a.inputs] = a.weight.approx
        weight[a.units :, columns - b.inputs :] = b.weight.approx
        joined = RationalArray.from_floats(weight)
    else:
        exact = fmpq_mat(rows, columns)
        for top, left, part in ((0, 0, a), (a.units, columns - b.inputs, b)):
            table = part.weight_exact
            for i in range(part.units):
                for j in range(part.inputs):
                    if table[i, j] != 0:
                        exact[top + i, left + j] = table[i, j]
        joined = RationalArray.from_fmpq_mat(exact)

    def column(one: RationalArray, two: RationalArray) -> RationalArray:
        if one.is_float and two.is_float:
            return RationalArray.from_floats(np.concatenate([one.approx, two.approx]))
        return RationalArray.from_rationals([*one.entries(), *two.entries()], (rows,))

    return Layer(
        joined,
        column(a.bias, b.bias),
        column(a.slope_neg, b.slope_neg),
        column(a.slope_pos, b.slope_pos),
        name,
    )


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Whether two networks are one function on a domain.

    **Proves**: ``same``: their affine maps are equal on every region of both, which cover the
    domain. False: their outputs at ``point`` differ, exactly. None proves nothing: the time limit
    came before all regions were listed.

    Attributes
    ----------
    same : bool or None
    point : tuple of fmpq or None
    outputs : pair of tuples of fmpq, or None
    regions : int
        Regions on which both are affine; 0 if a point settled it.
    """

    same: bool | None
    point: tuple[fmpq, ...] | None
    outputs: tuple[tuple[fmpq, ...], tuple[fmpq, ...]] | None
    regions: int


def same_function(
    first: Network,
    second: Network,
    domain: Domain,
    *,
    seconds: float = math.inf,
    jobs: int | None = None,
    out: str | PathLike[str] | None = None,
    proof: bool = False,
    network_file: Mapping[str, Any] | None = None,
    second_file: Mapping[str, Any] | None = None,
) -> Equivalence:
    """Whether two networks are one function on a domain: a proof, or a point where they differ.

    Parameters
    ----------
    seconds : float
        Time limit of the enumeration; a region that was listed until then still shows a difference.
    out, proof, network_file
        As those of :func:`~polyrank.verification.verify.verify`: ``check`` reads the directory.
    second_file : mapping, optional
        As ``network_file``, of the second network.

    Raises
    ------
    NetworkError
        If their shapes differ.
    UncertifiedError
        If the enumeration left cells undecided.

    Examples
    --------
    >>> import polyrank as pr
    >>> one = pr.Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> two = pr.Network.from_arrays([[[-2.0], [2.0]], [[0.5, 0.5]]], [[0.0, 0.0], [0.0]])
    >>> same_function(one, two, pr.WholeSpace()).same
    True
    """
    pair = difference_network(first, second)
    with FunctionStore(
        out,
        first,
        domain,
        proof=proof,
        network_file=network_file,
        second=second,
        second_file=second_file,
    ) as store:
        claim = {"kind": "equal"}
        begun = time.perf_counter()

        def differ(x: Sequence[fmpq], regions: int) -> Equivalence:
            outputs = forward_exact(first, x), forward_exact(second, x)
            store.finish(claim, {"verdict": "violated", "point": [str(v) for v in x]})
            return Equivalence(False, tuple(x), outputs, regions)

        middle = _middle(pair, domain, seconds)
        if middle is not None and any(v != 0 for v in forward_exact(pair, middle)):
            return differ(middle, 0)
        run = store.regions(pair, domain, jobs, seconds - (time.perf_counter() - begun))
        branch = Branch(pair, run.origin, run.basis)
        depth = len(pair.layers)
        words = (word for block in run.codewords() for word in block)
        for word, witness in zip(words, run.witnesses(), strict=True):
            image = branch.image(depth, word > 0)
            if all(v == 0 for v in image.entries()):
                continue
            return differ(_differing(pair, image, witness, run), run.count)
        if run.status == "stopped":
            store.finish(claim, {"verdict": "unknown", "point": None})
            return Equivalence(None, None, None, run.count)
        if not run.certified:
            raise UncertifiedError(
                f"{run.undecided} cells are undecided, so regions may be missing"
            )
        store.finish(claim, {"verdict": "holds", "point": None})
        return Equivalence(True, None, None, run.count)


def _middle(pair: Network, domain: Domain, seconds: float) -> list[fmpq] | None:
    """An input of the domain, away from its boundary where that is easy, if there is one in time.

    Networks that are not one function differ at most inputs, so that no region has to be listed.
    """
    try:
        with time_limit(seconds):
            where = frame(domain, pair.input_dim)
    except OutOfTimeError:
        return None
    return None if isinstance(where, Empty) else ambient(where, where.interior)


def _differing(pair: Network, image: fmpq_mat, witness: fmpq_mat, run: Run) -> Sequence[fmpq]:
    """A point near a region's witness at which the difference is not 0."""
    x: list[fmpq] = witness.entries()
    if any(v != 0 for v in forward_exact(pair, x)):
        return x
    # the affine map is 0 at the witness and is not 0: some row has a slope
    k = run.basis.ncols()
    inside = in_domain(run.domain, pair.input_dim)
    row = next(r for r in range(image.nrows()) if any(image[r, l] != 0 for l in range(k)))
    slope = fmpq_mat(k, 1, [image[row, l] for l in range(k)])
    direction = run.basis * slope
    step = 1 / max(abs(v) for v in slope.entries())
    while True:
        moved: list[fmpq] = (witness + direction * step).entries()
        if satisfied(inside, moved, ()) and any(v != 0 for v in forward_exact(pair, moved)):
            return moved
        step /= 2


def greatest_difference(
    first: Network,
    second: Network,
    domain: Domain,
    *,
    seconds: float = math.inf,
    jobs: int | None = None,
    out: str | PathLike[str] | None = None,
    proof: bool = False,
    network_file: Mapping[str, Any] | None = None,
    second_file: Mapping[str, Any] | None = None,
) -> Greatest:
    """The greatest magnitude of a difference of outputs, ``max |first(x)_j − second(x)_j|``.

    ``index // 2`` of what is returned is j; the difference is negative at ``x`` where ``index`` is
    odd.

    Parameters
    ----------
    seconds, jobs, out, proof, network_file
        As those of :func:`~polyrank.verification.verify.verify`: ``check`` reads the directory.
    second_file : mapping, optional
        As ``network_file``, of the second network.

    Notes
    -----
    Of two networks with layers of one shape the differences of their units are bounded with the
    units, which is tight where the networks are nearly the same, as after pruning or rounding.

    Raises
    ------
    NetworkError
        If their shapes differ.
    EmptyDomainError, UnsupportedError, UncertifiedError
        As :func:`~polyrank.verification.maximum.greatest`.

    Examples
    --------
    >>> import polyrank as pr
    >>> one = pr.Network.from_arrays([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    >>> two = pr.Network.from_arrays([[[1.0]], [[1.0]]], [[-0.25], [0.0]])
    >>> found = greatest_difference(one, two, pr.Box(-1, 1))
    >>> found.value, found.certified
    (1/4, True)
    """
    pair = difference_network(first, second)
    with FunctionStore(
        out,
        first,
        domain,
        proof=proof,
        network_file=network_file,
        second=second,
        second_file=second_file,
    ) as store:
        m = pair.widths[-1]
        functions = [[sign * (i == j) for i in range(m)] for j in range(m) for sign in (1, -1)]
        found = greatest_of(
            pair,
            domain,
            functions,
            seconds=seconds,
            jobs=jobs,
            out=store.verdict,
            proof=proof,
            twins=has_twins(pair),
        )
        store.finish(
            {"kind": "difference"},
            {
                "verdict": "certified" if found.certified else "unknown",
                "value": str(found.value),
                "output": found.index // 2,
                "x": [str(v) for v in found.x],
            },
        )
        return found
