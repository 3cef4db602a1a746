"""Floating-point multipliers on a box: what they prove, an exact linear program confirms."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import polyrank as pr
from polyrank.lp.certificates import Infeasible
from polyrank.lp.exact_interior import interior_point
from polyrank.lp.exact_simplex import Cell
from polyrank.lp.farkas import value_at
from polyrank.minrank import hitting, minimum
from polyrank.minrank.box_covers import BoxCovers
from polyrank.minrank.programs import Proposal
from polyrank.posed.region import IntRow

Rows = list[IntRow]


def walls(k: int, side: int) -> Rows:
    """Those of [−side, side]^k."""
    return [
        (*(sign if i == j else 0 for i in range(k)), side) for j in range(k) for sign in (1, -1)
    ]


def box(k: int, side: int) -> tuple[list[fmpq], list[fmpq]]:
    return [fmpq(-side)] * k, [fmpq(side)] * k


def empty(rows: Rows, k: int) -> bool:
    """Whether the rows are nowhere positive together, by an exact linear program."""
    found = interior_point(Cell.from_rows(rows, k))
    return isinstance(found, Infeasible) or found.multipliers is not None


@settings(max_examples=150)
@given(st.data())
def test_every_contradiction_is_one(data: st.DataObject) -> None:
    k = data.draw(st.integers(1, 4))
    scale = data.draw(st.sampled_from([1, 10**6, 2**70, 3**200]))
    entry = st.integers(-3, 3)
    units = [
        tuple(scale * v for v in row)
        for row in data.draw(st.lists(st.tuples(*[entry] * (k + 1)), min_size=1, max_size=8))
        if any(row[:k])
    ]
    rows = walls(k, 2) + units
    floats = BoxCovers(rows, k, box(k, 2))
    assert floats.usable
    used = np.array([True] * (2 * k) + [data.draw(st.booleans()) for _ in units])
    light = np.array([data.draw(st.booleans()) for _ in used])
    for _ in range(3):
        found = floats.solve(used, light)
        if found.support:
            assert all(used[i] for i in found.support)
            assert empty([rows[i] for i in found.support] + walls(k, 2), k)
            assert empty([r for r, u in zip(rows, used, strict=True) if u], k)
        elif found.point is not None:
            at = fmpq_mat(k, 1, [fmpq(*v.as_integer_ratio()) for v in found.point])
            inside = all(
                value_at(r, at) > fmpq(-scale, 10**6) for r, u in zip(rows, used, strict=True) if u
            )
            assert inside


def test_rows_that_touch_are_not_refuted() -> None:
    """x > 0 and −x > 0: the sum is 0, not negative; one unit in the last place more is enough."""
    rows = [*walls(1, 1), (1, 0), (-1, 0)]
    floats = BoxCovers(rows, 1, box(1, 1))
    pair = np.array([2, 3])
    assert not floats.proves(pair, np.ones(2))
    near = BoxCovers([*walls(1, 1), (2**52, 0), (-(2**52), -1)], 1, box(1, 1))
    assert not near.proves(pair, np.ones(2))
    clear = BoxCovers([*walls(1, 1), (2**20, 0), (-(2**20), -1)], 1, box(1, 1))
    assert clear.proves(pair, np.ones(2))


def test_multipliers_must_be_positive_and_finite() -> None:
    floats = BoxCovers([*walls(1, 1), (1, -1), (-1, -1)], 1, box(1, 1))
    pair = np.array([2, 3])
    assert floats.proves(pair, np.ones(2))
    assert not floats.proves(pair, np.array([1.0, 0.0]))
    assert not floats.proves(pair, np.array([1.0, -1.0]))
    assert not floats.proves(pair, np.array([1.0, np.inf]))
    assert not floats.proves(pair[:0], np.ones(0))


def test_the_bound_holds_where_terms_cancel() -> None:
    """Against exact sums: whatever is proved is negative on all corners."""
    rng = np.random.default_rng(0)
    proved = 0
    for _ in range(400):
        k, m = int(rng.integers(1, 5)), int(rng.integers(2, 7))
        weight = rng.integers(-(2**40), 2**40, (m, k))
        weight[-1] = -weight[:-1].sum(axis=0)  # cancels for equal multipliers
        shift = rng.integers(-(2 ** rng.integers(1, 40)), 3, m)
        rows = [tuple(map(int, (*w, s))) for w, s in zip(weight, shift, strict=True)]
        floats = BoxCovers(rows, k, box(k, 1))
        size = np.frexp(np.abs(np.column_stack([weight, shift])).max(axis=1).astype(float))[1]
        multipliers = np.ldexp(1.0, size) * (1 + 2.0**-50 * rng.integers(0, 3, m))
        if floats.proves(np.arange(m), multipliers):
            proved += 1
            exact = [fmpq(*float(v).as_integer_ratio()) for v in np.ldexp(multipliers, -size)]
            g = [
                sum((e * v for e, v in zip(exact, column, strict=True)), fmpq(0))
                for column in zip(*rows, strict=True)
            ]
            assert g[k] + sum((abs(v) for v in g[:k]), fmpq(0)) < 0
    assert proved > 50


@pytest.mark.parametrize("row", [(10**400, 1), (0, 10**400)])
def test_numbers_that_do_not_fit_are_left_to_rationals(row: IntRow) -> None:
    assert not BoxCovers([*walls(1, 1), row], 1, box(1, 1)).usable


@pytest.mark.parametrize(("widths", "seed"), [("5-20", 0), ("6-24", 1), ("3-16", 2)])
def test_the_rank_is_that_of_rational_certificates(
    widths: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, proved, solve = pr.random_network(widths, seed=seed), [], BoxCovers.solve

    def watched(self: BoxCovers, used: NDArray[np.bool_], light: NDArray[np.bool_]) -> Proposal:
        out = solve(self, used, light)
        proved.extend([out.support] if out.support else [])
        return out

    monkeypatch.setattr(BoxCovers, "solve", watched)
    found = minimum.minimum_rank(net, pr.Box(-5, 5), attempts=0)
    assert proved
    monkeypatch.setattr(hitting, "BoxCovers", _Unusable)
    exactly = minimum.minimum_rank(net, pr.Box(-5, 5), attempts=0)
    assert found.certified
    assert exactly.certified
    assert found.lower == exactly.lower


class _Unusable:
    usable = False

    def __init__(self, *_: object) -> None:
        pass
