"""The broad phase: pairs of pieces whose images may meet, since their boxes do; in chunks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from polyrank.image.hulls import Hulls
from polyrank.lp.deadline import look
from polyrank.native.records import Handle, call

__all__ = ["CHUNK", "box_pairs", "candidates"]

#: Pairs in a chunk, about; the loop over chunks is where a run can be interrupted.
CHUNK = 1 << 15


def candidates(
    hulls: Hulls, group: NDArray[np.int64] | None = None, *, chunk: int = CHUNK
) -> Iterator[NDArray[np.int64]]:
    """Pairs of pieces whose images have boxes that meet, each pair once.

    **Proves** that the images of all other pairs are disjoint: a coordinate separates them.

    Parameters
    ----------
    hulls : Hulls
    group : int array, shape (P,), optional
        Pieces with the same number ≥ 0 are not paired; −1 is paired with all.
    chunk : int
        Pairs in a chunk, about.

    Yields
    ------
    int64 array, shape (c, 2)
        Pairs i < j.

    Raises
    ------
    OutOfTimeError
        If the time limit has passed.
    """
    low, high = hulls.boxes()
    yield from box_pairs(low, high, group, chunk=chunk)


def box_pairs(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    group: NDArray[np.int64] | None = None,
    *,
    chunk: int = CHUNK,
) -> Iterator[NDArray[np.int64]]:
    """Pairs i < j of closed boxes that meet; see :func:`candidates`.

    A tree of boxes answers each look-up: no quadratic loop.

    Examples
    --------
    >>> low = np.array([[0.0], [1.0], [3.0]])
    >>> next(box_pairs(low, low + 1)).tolist()
    [[0, 1]]
    """
    if group is None:
        group = np.full(len(low), -1, np.int64)
    arrays = [np.ascontiguousarray(a) for a in (low, high)]
    own = np.ascontiguousarray(group, dtype=np.int64)
    made = call("polyrank_box_pairs_new", *arrays, own, restype=Handle.pointer_type)
    pairs = Handle(made, "polyrank_box_pairs_free")
    done = False
    while not done:
        look()
        status = call("polyrank_box_pairs_advance", pairs, chunk)
        if status < 0:
            raise MemoryError("the native core could not hold the pairs of boxes")
        done = bool(status)
        out = np.empty((call("polyrank_box_pairs_size", pairs), 2), np.int64)
        call("polyrank_box_pairs_copy", pairs, out)
        if len(out):
            yield out
