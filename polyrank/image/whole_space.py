"""Is a single layer ``h ↦ a(W h + b)`` one-to-one on all of R^n? Exactly, where it can be listed.

**Theorem.** Let no unit of the layer have slopes of different signs: each is strictly monotone,
or constant on one side of its hyperplane, or constant. Then the layer is one-to-one on R^n iff on
every region of its arrangement the rows of the units that are not constant there have rank n.

*Proof.* If they have a lower rank on a region, move from an inner point along a vector v orthogonal
to them, to both sides: nothing changes. Conversely let x ≠ y have one image, v = y − x, and p
the middle of both. A unit whose values at x and y differ is constant there and so takes both
values, and the one at p between them, on its constant side, where at least one is strictly inside.
So the rows of the units that are not constant near p are orthogonal to v. A region
that has p in its closure has no others that are not constant on it: their rank is below n. ∎

The cells of lower dimension need not be asked: at a point of such a cell more units are active
than on a region beside it. (Compare M. Puthawala, K. Kothari, M. Lassas, I. Dokmanić, M. de Hoop,
"Globally injective ReLU networks", JMLR 23 (2022), theorem 2, with its directed spanning sets.)

A unit that folds, such as ``|z|``, is not monotone, and ranks do not decide: there every pair of
regions is a linear program for x ≠ y with one image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from flint import fmpq, fmpq_mat

from polyrank.errors import RefutedError
from polyrank.image.echelon import kernel
from polyrank.image.one_to_one import on_space
from polyrank.lp.certificates import Infeasible, Minimum, Unbounded
from polyrank.lp.deadline import OutOfTimeError, look, time_limit
from polyrank.lp.exact import Cell, minimise
from polyrank.lp.farkas import integer_row
from polyrank.network.composition import exact_step
from polyrank.network.normal_form import Layer, Network
from polyrank.regions.enumerate import enumerate_regions

__all__ = ["LayerOnSpace", "layer_on_space"]

Point = tuple[fmpq, ...]


@dataclass(frozen=True, slots=True)
class LayerOnSpace:
    """What a layer does to all of R^n.

    Attributes
    ----------
    kind : {"homeomorphism", "one-to-one", "not one-to-one", "not decided"}
        As of :class:`polyrank.image.one_to_one.OnSpace`.
    pair : pair of points of R^n, or None
        Two different points with one image, checked in rationals, where it is not one-to-one.
    reason : str
        By which argument.
    """

    kind: Literal["homeomorphism", "one-to-one", "not one-to-one", "not decided"]
    pair: tuple[Point, Point] | None
    reason: str


@dataclass(frozen=True, slots=True)
class _Region:
    witness: Point
    signs: tuple[int, ...]
    active: tuple[int, ...]


def layer_on_space(layer: Layer, *, seconds: float = float("inf")) -> LayerOnSpace:
    """Whether the layer is one-to-one on R^n.

    Parameters
    ----------
    layer : Layer
    seconds : float
        Limit for the linear programs over pairs of regions of a layer with folding units; the
        enumeration of the regions itself has none.

    Examples
    --------
    >>> from polyrank.network.normal_form import relu_layer
    >>> layer_on_space(relu_layer([[1.0], [-1.0]], [0.0, 0.0])).kind
    'one-to-one'
    >>> layer_on_space(relu_layer([[1.0], [-1.0]], [-1.0, -1.0])).kind  # constant on −1 ≤ x ≤ 1
    'not one-to-one'
    """
    known = on_space(layer).kind
    if known in ("homeomorphism", "one-to-one"):
        return LayerOnSpace(known, None, "all slopes have one sign, and the weight has rank n")
    weight, n = layer.weight_exact, layer.inputs
    if int(weight.rank()) < n:
        zero = tuple([fmpq(0)] * n)
        pair = zero, _orthogonal(weight.tolist(), n)
        return LayerOnSpace("not one-to-one", _checked(layer, pair), "the weight has rank below n")
    run = enumerate_regions(Network((layer,)))
    if not run.certified:
        return LayerOnSpace("not decided", None, "the regions could not be listed")
    regions = [_region(layer, tuple(w.entries())) for w in run.witnesses()]
    rows = weight.tolist()
    for region in regions:
        v = _orthogonal([rows[i] for i in region.active], n)
        if v:
            pair = _around(layer, region.witness, v)
            reason = "the units that are not constant on a region have rank below n"
            return LayerOnSpace("not one-to-one", _checked(layer, pair), reason)
    if all(neg * pos >= 0 for neg, pos in layer.slopes_exact):
        reason = f"on all {len(regions):,} regions the units that are not constant have rank n"
        return LayerOnSpace("one-to-one", None, reason)
    try:
        with time_limit(seconds):
            for pair in _meetings(layer, regions):
                reason = "two regions have a common image"
                return LayerOnSpace("not one-to-one", _checked(layer, pair), reason)
    except OutOfTimeError:
        return LayerOnSpace("not decided", None, "the time limit has passed")
    reason = f"the images of all pairs of {len(regions):,} regions meet in those of common points"
    return LayerOnSpace("one-to-one", None, reason)


def _region(layer: Layer, witness: Point) -> _Region:
    z = exact_step(layer, fmpq_mat(len(witness), 1, list(witness)))[0]
    signs = tuple((v > 0) - (v < 0) for v in z)
    active = tuple(
        i
        for i, (s, (neg, pos)) in enumerate(zip(signs, layer.slopes_exact, strict=True))
        if (pos if s > 0 else neg) != 0
    )
    return _Region(witness, signs, active)


def _orthogonal(rows: list[list[fmpq]], n: int) -> Point:
    """A vector that is orthogonal to the rows and not 0; empty if there is none."""
    return tuple(next(iter(kernel(rows, n)), ()))


def _around(layer: Layer, witness: Point, v: Point) -> tuple[Point, Point]:
    """Two points of the region of a witness, on both sides of it."""
    n = len(witness)
    z = exact_step(layer, fmpq_mat(n, 1, list(witness)))[0]
    speeds = (layer.weight_exact * fmpq_mat(n, 1, list(v))).entries()
    step = min((abs(a / b) for a, b in zip(z, speeds, strict=True) if b != 0), default=fmpq(1))
    step = step / 2 if step != 0 else fmpq(1)
    ahead = tuple(p + step * d for p, d in zip(witness, v, strict=True))
    return ahead, tuple(p - step * d for p, d in zip(witness, v, strict=True))


def _meetings(layer: Layer, regions: list[_Region]) -> Iterator[tuple[Point, Point]]:
    """Pairs x ≠ y of the closures of two regions with one image."""
    n, slopes = layer.inputs, layer.slopes_exact
    W, b = layer.weight_exact.tolist(), layer.bias_exact.entries()
    none = [fmpq(0)] * n
    for first, second in combinations(regions, 2):
        look()
        rows = []
        for i, (row, offset) in enumerate(zip(W, b, strict=True)):
            s, t = first.signs[i], second.signs[i]
            if s:
                rows.append([*(s * v for v in row), *none, s * offset])
            if t:
                rows.append([*none, *(t * v for v in row), t * offset])
            p, q = (slopes[i][1] if sign > 0 else slopes[i][0] for sign in (s, t))
            equal = [*(p * v for v in row), *(-q * v for v in row), (p - q) * offset]
            rows += [equal, [-v for v in equal]]
        cell = Cell.from_rows([integer_row(row) for row in rows], 2 * n)
        for k in range(n):
            for sign in (1, -1):
                objective = [0] * (2 * n + 1)
                objective[k], objective[n + k] = sign, -sign
                best = minimise(cell, tuple(objective))
                if isinstance(best, Infeasible):
                    break
                if isinstance(best, Minimum) and best.value < 0:
                    yield _halves(best.point.entries(), n)
                if isinstance(best, Unbounded):
                    start = best.point.entries()
                    far = [p + fmpq(r) for p, r in zip(start, best.ray, strict=True)]
                    own = start if start[k] != start[n + k] else far
                    yield _halves(own, n)
            else:
                continue
            break


def _halves(point: list[fmpq], n: int) -> tuple[Point, Point]:
    return tuple(point[:n]), tuple(point[n:])


def _checked(layer: Layer, pair: tuple[Point, Point]) -> tuple[Point, Point]:
    first, second = (exact_step(layer, fmpq_mat(len(p), 1, list(p)))[1] for p in pair)
    if first != second or pair[0] == pair[1]:
        raise RefutedError("two points of a layer do not have one image")
    return pair
