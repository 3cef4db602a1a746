"""Pairs of boxes that meet, against all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrank.image.candidates import box_pairs, candidates
from polyrank.image.pieces import pieces
from polyrank.lp.deadline import OutOfTimeError, time_limit
from polyrank.network.normal_form import Network
from polyrank.topology.restriction import restrict
from polyrank.topology.shapes import shape


def all_pairs(low: np.ndarray, high: np.ndarray, group: np.ndarray) -> set[tuple[int, int]]:
    return {
        (i, j)
        for i in range(len(low))
        for j in range(i + 1, len(low))
        if not (group[i] >= 0 and group[i] == group[j])
        and (low[i] <= high[j]).all()
        and (low[j] <= high[i]).all()
    }


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 40),
    st.integers(1, 4),
    st.sampled_from([1, 3, 100]),
    st.sampled_from([0.0, 0.1]),
)
def test_the_tree_finds_all_pairs_once(
    seed: int, count: int, m: int, chunk: int, unbounded: float
) -> None:
    # coordinates are small integers, so that many boxes touch
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 8, size=(count, m)).astype(np.float64)
    high = low + rng.integers(0, 3, size=(count, m))
    low[rng.random(low.shape) < unbounded] = -np.inf
    high[rng.random(high.shape) < unbounded] = np.inf
    group = rng.integers(-1, 3, size=count)
    found = [tuple(p) for part in box_pairs(low, high, group, chunk=chunk) for p in part.tolist()]
    assert len(found) == len(set(found))
    assert set(found) == all_pairs(low, high, group)


def test_boxes_in_one_place() -> None:
    low = np.zeros((100, 2))
    assert sum(len(part) for part in box_pairs(low, low)) == 100 * 99 // 2


def test_a_limit_stops_between_chunks() -> None:
    network = Network.from_arrays([np.eye(2)], [np.zeros(2)])
    own = pieces(restrict(network, shape("circle:8")), 1)
    with pytest.raises(OutOfTimeError), time_limit(0.0):
        next(candidates(own))


def test_far_boxes_are_not_looked_at() -> None:
    # a row of 200,000 boxes, each of which touches the next: a quadratic loop would take minutes
    low = np.arange(200_000.0)[:, None]
    pairs = np.concatenate(list(box_pairs(low, low + 1)))
    assert len(pairs) == 199_999
    assert (pairs[:, 1] - pairs[:, 0] == 1).all()
