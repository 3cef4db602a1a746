"""Exact gradients over all regions: monotonicity, Lipschitz constants.

The network is affine on every activation region of a convex domain with interior, and the regions
cover it. So output j is non-decreasing in input i iff ``J_ji ≥ 0`` on every region, and the least
Lipschitz constant for a norm is the greatest operator norm of a region's J. Every region is looked
at: floats with proven bounds of their errors leave out those that cannot matter, the rest is exact.

Source: M. Jordan, A. G. Dimakis, "Exactly computing the local Lipschitz constant of ReLU networks",
NeurIPS 2020, theorem 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.errors import UncertifiedError, UnsupportedError
from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float, nearest_float
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.inputs import in_domain
from polyrank.polyhedra.violation import satisfied
from polyrank.posed.branch import Branch
from polyrank.regions.run import Run
from polyrank.verification.function_store import FunctionStore

__all__ = ["Lipschitz", "Monotone", "lipschitz", "monotone"]

Floats = NDArray[np.float64]

_ROUNDING = 2.0**-53
_LEAST = 2.0**-1000
_GREATEST = float(np.finfo(np.float64).max)
_BLOCK = 1 << 22
_POWER = 6
_BITS = 40


@dataclass(frozen=True, slots=True)
class Lipschitz:
    """The least Lipschitz constant of a network on a domain.

    **Proves**: it lies in ``[√lower, √upper]`` for the norm ``"2"``, in ``[lower, upper]`` for the
    norms ``"1"`` and ``"inf"``, for which the two are equal if ``complete``; provided that the
    enumeration is without fault. The linear part of the map at ``witness`` has at least the lower
    one. Where the time limit came before all regions were listed, the lower one is that of the
    listed ones and the upper one the product of the norms of the layers.

    Attributes
    ----------
    norm : "1", "2" or "inf"
        Of inputs and outputs.
    lower, upper : fmpq
        Squares for the norm ``"2"``.
    witness : tuple of fmpq
        Empty if no region was listed in time.
    regions : int
    exact : int
        Regions whose norm was computed exactly.
    complete : bool
        All regions were listed.
    """

    norm: Literal["1", "2", "inf"]
    lower: fmpq
    upper: fmpq
    witness: tuple[fmpq, ...]
    regions: int
    exact: int
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Monotone:
    """Whether an output is non-decreasing in an input.

    **Proves**: ``holds``: on every region the derivative is ≥ 0. False: the output at the second
    point is less than at the first, exactly; they differ in the input alone, which grows. None
    proves nothing: the time limit came before all regions were listed.
    """

    holds: bool | None
    output: int
    input: int
    points: tuple[tuple[fmpq, ...], tuple[fmpq, ...]] | None
    regions: int


def _enumerated(
    network: Network, domain: Domain, jobs: int | None, seconds: float, store: FunctionStore
) -> Run:
    run = store.regions(network, domain, jobs, seconds)
    if run.dimension != network.input_dim:
        raise UnsupportedError(
            f"the domain has dimension {run.dimension} in R^{network.input_dim}: gradients are "
            "those of domains with interior points; take a domain that is not flat"
        )
    if not run.certified and run.status != "stopped":
        raise UncertifiedError(f"{run.undecided} cells are undecided, so regions may be missing")
    return run


class _Jacobians:
    """Float linear parts of regions, with bounds of their errors."""

    def __init__(self, network: Network) -> None:
        self.layers = [
            (layer.weight.approx, layer.slope_neg.approx, layer.slope_pos.approx,
             layer.has_hyperplane)
            for layer in network.layers
        ]  # fmt: skip
        n = network.input_dim
        self.n = n
        terms = sum(w.shape[1] + 6 for w, *_ in self.layers)
        self.rounding = terms * _ROUNDING * (1 + 2.0**-20)
        self.block = max(1, _BLOCK // (max(network.widths) * n))

    def of(self, bits: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """J (b, m, n) of regions with these codewords (b, N), and its errors."""
        J: Floats = np.broadcast_to(np.eye(self.n), (len(bits), self.n, self.n))
        size = J
        start = 0
        with np.errstate(all="ignore"):
            for weight, neg, pos, split in self.layers:
                J, size = weight @ J, np.abs(weight) @ size + _LEAST
                on = np.ones((len(bits), len(neg)), dtype=bool)
                count = int(split.sum())
                on[:, split] = bits[:, start : start + count] > 0
                start += count
                slope = np.where(on, pos, neg)[..., None]
                J, size = J * slope, np.abs(slope) * size + _LEAST
            return J, size * self.rounding

    def blocks(self, run: Run) -> Iterator[tuple[NDArray[np.uint8], Floats, Floats]]:
        for words in run.codewords():
            for i in range(0, len(words), self.block):
                bits = words[i : i + self.block]
                yield (bits, *self.of(bits))


def monotone(
    network: Network,
    domain: Domain,
    *,
    input_: int,
    output: int,
    increasing: bool = True,
    seconds: float = math.inf,
    jobs: int | None = None,
    out: str | PathLike[str] | None = None,
    proof: bool = False,
    network_file: Mapping[str, Any] | None = None,
) -> Monotone:
    """Whether an output is non-decreasing (or non-increasing) in an input on a convex domain.

    Parameters
    ----------
    seconds : float
        Time limit of the enumeration; a slope of the other sign on a region that was listed until
        then still decides.
    out, proof, network_file
        As those of :func:`~polyrank.verification.verify.verify`: ``check`` reads the directory.

    Raises
    ------
    UnsupportedError
        If the domain is flat.
    UncertifiedError
        If the enumeration left cells undecided.
    """
    if not (0 <= input_ < network.input_dim and 0 <= output < network.widths[-1]):
        raise UnsupportedError(
            f"there is no input {input_} or no output {output}: the network has "
            f"{network.input_dim} and {network.widths[-1]}"
        )
    with FunctionStore(out, network, domain, proof=proof, network_file=network_file) as store:
        run = _enumerated(network, domain, jobs, seconds, store)
        claim = {"kind": "monotone", "input": input_, "output": output, "increasing": increasing}
        branch = Branch(network, run.origin, run.basis)
        sign = 1 if increasing else -1
        depth = len(network.layers)
        row = 0
        for bits, J, error in _Jacobians(network).blocks(run):
            value, doubt = sign * J[:, output, input_], error[:, output, input_]
            for r in np.flatnonzero(~(value > doubt)).tolist():
                exact = sign * branch.linear_part(depth, bits[r] > 0)[output, input_]
                if exact < 0:
                    points = _falling(network, run, row + r, input_, output, sign)
                    shown = [[str(v) for v in point] for point in points]
                    store.finish(claim, {"verdict": "violated", "points": shown})
                    return Monotone(False, output, input_, points, run.count)
            row += len(bits)
        holds = True if run.certified else None
        store.finish(claim, {"verdict": "holds" if holds else "unknown", "points": None})
        return Monotone(holds, output, input_, None, run.count)


def _witness(run: Run, row: int) -> list[fmpq]:
    for i, point in enumerate(run.witnesses()):
        if i == row:
            x: list[fmpq] = point.entries()
            return x
    raise UncertifiedError(f"the run has no row {row}")


def _falling(
    network: Network, run: Run, row: int, input_: int, output: int, sign: int
) -> tuple[tuple[fmpq, ...], tuple[fmpq, ...]]:
    """Two points of the domain that show that the output falls, from a region's witness."""
    first = _witness(run, row)
    condition = in_domain(run.domain, network.input_dim)
    before = sign * forward_exact(network, first)[output]
    step = fmpq(1)
    while True:
        second = list(first)
        second[input_] += step
        falls = sign * forward_exact(network, second)[output] < before
        if falls and satisfied(condition, second, ()):
            return tuple(first), tuple(second)
        step /= 2


def lipschitz(
    network: Network,
    domain: Domain,
    norm: Any = "2",
    *,
    seconds: float = math.inf,
    jobs: int | None = None,
    out: str | PathLike[str] | None = None,
    proof: bool = False,
    network_file: Mapping[str, Any] | None = None,
) -> Lipschitz:
    """The least Lipschitz constant of the network on a convex domain.

    Parameters
    ----------
    norm : "1", "2" or "inf"
        The same norm for inputs and outputs.
    seconds : float
        Time limit of the enumeration; the constant is then in an interval.
    out, proof, network_file
        As those of :func:`~polyrank.verification.verify.verify`: ``check`` reads the directory.

    Raises
    ------
    UnsupportedError
        If the domain is flat, or the norm is another one.
    UncertifiedError
        If the enumeration left cells undecided.

    Examples
    --------
    >>> import polyrank as pr
    >>> net = pr.Network.from_arrays([[[1.0], [-1.0]], [[3.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> found = lipschitz(net, pr.Box(-1, 1), "inf")
    >>> found.lower, found.upper
    (3, 3)
    """
    if norm not in ("1", "2", "inf"):
        raise UnsupportedError(f"the norm is {norm!r}; it can be '1', '2' or 'inf'")
    with FunctionStore(out, network, domain, proof=proof, network_file=network_file) as store:
        run = _enumerated(network, domain, jobs, seconds, store)
        branch = Branch(network, run.origin, run.basis)
        depth = len(network.layers)
        lower = upper = fmpq(-1)
        best, exact, row, at = -1.0, 0, 0, 0
        for bits, J, error in _Jacobians(network).blocks(run):
            most = _norm_bounds(J, error, norm)
            for r in np.argsort(-most, kind="stable").tolist():
                if most[r] <= best:
                    break
                true = branch.linear_part(depth, bits[r] > 0)
                low, high = _exact_norm(true, norm)
                exact += 1
                upper = max(upper, high)
                if low > lower:
                    lower, at = low, row + r
                    # an infinite bound rules out nothing
                    best = min(nearest_float(lower), _GREATEST) * (1 - 2.0**-50)
            row += len(bits)
        witness = tuple(_witness(run, at)) if exact else ()
        lower, upper = max(lower, fmpq(0)), max(lower, upper)
        if not run.certified:
            upper = max(lower, _product_of_norms(network, norm))
        found = {
            "verdict": "certified" if run.certified else "unknown",
            "lower": str(lower),
            "upper": str(upper),
            "witness": [str(v) for v in witness],
        }
        store.finish({"kind": "lipschitz", "norm": norm}, found)
        return Lipschitz(norm, lower, upper, witness, run.count, exact, run.certified)


def _product_of_norms(network: Network, norm: str) -> fmpq:
    """A Lipschitz constant of the whole network: norms of layers and greatest slopes multiplied.

    For the norm "2" its square, from ``‖W‖₂² ≤ ‖W‖₁ ‖W‖∞``.
    """
    out = fmpq(1)
    for layer in network.layers:
        steep = max(abs(v) for pair in layer.slopes_exact for v in pair)
        norms = [_exact_norm(layer.weight_exact, n)[1] for n in ("1", "inf")]
        if norm == "2":
            out *= steep * steep * norms[0] * norms[1]
        else:
            out *= steep * norms[norm == "inf"]
    return out


def _norm_bounds(J: Floats, error: Floats, norm: str) -> Floats:
    """Upper bounds (b,) of the norms of matrices known up to errors; squares for the 2-norm."""
    with np.errstate(all="ignore"):
        size = (np.abs(J) + error) * (1 + 2.0**-40)
        if norm == "1":
            out = size.sum(axis=1).max(axis=1)
        elif norm == "inf":
            out = size.sum(axis=2).max(axis=1)
        else:
            # λ(JJᵀ) ≤ tr((JJᵀ)^p)^(1/p); all entries of J J^T are known up to `doubt`
            G = J @ J.transpose(0, 2, 1)
            doubt = size @ size.transpose(0, 2, 1) * (J.shape[2] + 4) * _ROUNDING
            doubt += error @ size.transpose(0, 2, 1) + size @ error.transpose(0, 2, 1)
            scale = np.trace(G, axis1=1, axis2=2) + np.trace(doubt, axis1=1, axis2=2) + _LEAST
            m = G.shape[1]
            power = G / scale[:, None, None]
            # ‖G − true‖ ≤ Σ doubt, relative to the scale, and a rounding of the division
            off = doubt.sum(axis=(1, 2)) / scale * 2 + m * m * 4 * _ROUNDING
            for _ in range(_POWER):
                power = power @ power
                off = 2.1 * off + off * off + m * m * (m + 4) * _ROUNDING
            trace = np.trace(power, axis1=1, axis2=2) + m * off
            out = scale * trace ** (2.0**-_POWER)
        out = out * (1 + 2.0**-30)
        return np.asarray(np.where(np.isfinite(out), out, np.inf))


def _exact_norm(J: fmpq_mat, norm: str) -> tuple[fmpq, fmpq]:
    """The norm of a rational matrix; for the 2-norm bounds of its square."""
    if norm == "2":
        return _spectral(J)
    rows = J.tolist() if norm == "inf" else J.transpose().tolist()
    exact = max((sum((abs(v) for v in row), fmpq(0)) for row in rows), default=fmpq(0))
    return exact, exact


def _spectral(J: fmpq_mat) -> tuple[fmpq, fmpq]:
    """Rational bounds of the greatest eigenvalue of JJᵀ: by Rayleigh's quotient and by minors."""
    G = J * J.transpose() if J.nrows() <= J.ncols() else J.transpose() * J
    m = G.nrows()
    trace = sum((G[i, i] for i in range(m)), fmpq(0))
    if trace == 0:
        return fmpq(0), fmpq(0)
    near = np.array([[nearest_float(v / trace) for v in row] for row in G.tolist()])
    vector = np.linalg.eigh(near)[1][:, -1]
    v = fmpq_mat(m, 1, [fmpq_from_float(float(x)) for x in vector])
    length = sum((x * x for x in v.entries()), fmpq(0))
    low = (v.transpose() * G * v)[0, 0] / length
    for bits in range(_BITS, -2, -4):
        high = low * (1 + fmpq(1, 1 << bits)) if bits >= 0 else trace * 2
        # t − G is positive definite iff its leading minors are positive (Sylvester)
        shifted = -G
        for i in range(m):
            shifted[i, i] += high
        if all(_leading(shifted, i).det() > 0 for i in range(1, m + 1)):
            return low, high
    return low, trace  # the trace is a bound anyway


def _leading(matrix: fmpq_mat, size: int) -> fmpq_mat:
    return fmpq_mat(size, size, [matrix[i, j] for i in range(size) for j in range(size)])
