"""Sampling a network: distinct certified codewords, their exact ranks, and histograms."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import DTypeLike, NDArray

from polyrank.brief import brief
from polyrank.network.forward import unpack_bits
from polyrank.network.normal_form import Network
from polyrank.regions.directory import new_directory
from polyrank.sampling.codewords import CodewordFilter
from polyrank.sampling.ranks import CodewordRanks, RankTable
from polyrank.stages import tell

if TYPE_CHECKING:
    from polyrank.sampling.crosscheck import CrossCheck

__all__ = ["Estimate", "Ties", "sample"]

Blocks = Iterable[NDArray[np.float64]]
OnNew = Callable[[bytes, NDArray[np.float64]], None]
Ties = Literal["strict", "inactive"]
Keep = Callable[[NDArray[np.float64]], NDArray[np.bool_]]

_CHUNK = 4096


@brief("points", "on_hyperplane", codewords=lambda found: len(found.packed))
@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What a sample of points saw.

    **Proves**: every codeword listed of which not all samples are ``tied`` is that of a region (a
    sample lies strictly inside it), with ranks in the intervals stated; of the others, which
    ``ties="strict"`` does not list, it is the codeword of a point on a hyperplane, and the ranks
    are those of that codeword. **Does not prove** anything about codewords that are not listed.

    Attributes
    ----------
    network : Network
    packed : ndarray of uint8, shape (r, ⌈B/8⌉)
        The distinct codewords, sorted bytewise.
    counts, first : ndarray of int64, shape (r,)
        How many samples lie in the region, and the number of the first of them.
    tied : ndarray of int64, shape (r,)
        How many samples with this codeword lie on a hyperplane; 0 with ``ties="strict"``.
    ranks : RankTable
    ties : {"strict", "inactive"}
        What was done with samples on a hyperplane: set aside, or counted under their own codeword.
    points, outside, on_hyperplane, corrected_bits, exact_points : int
        Samples; those outside the domain; those on a hyperplane; bits in which the plain float pass
        was wrong; samples that the float filter left to integers.
    seconds : dict
    of_point : ndarray of int64, shape (points,), or None
        Row of every point, −1 for those outside or set aside; None if not asked for.
    cross_check : CrossCheck or None
        What a run says of the sample, if it was compared with one.
    """

    network: Network
    packed: NDArray[np.uint8]
    counts: NDArray[np.int64]
    first: NDArray[np.int64]
    tied: NDArray[np.int64]
    ranks: RankTable
    ties: Ties
    points: int
    outside: int
    on_hyperplane: int
    corrected_bits: int
    exact_points: int
    seconds: dict[str, float]
    of_point: NDArray[np.int64] | None = None
    cross_check: CrossCheck | None = None

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Codeword sizes (numbers of active units) of the distinct codewords."""
        out = np.bitwise_count(self.packed).sum(axis=1)
        return np.asarray(out, dtype=np.int64)

    def summary(self) -> dict[str, Any]:
        """Counts and histograms, JSON-serialisable; ranks that are not proved are named open.

        ``ranks_exact`` is null where no sample is left that has a rank.
        """
        depth = len(self.network.layers)
        layers = []
        for k in range(depth):
            low, high = self.ranks.lower[:, k], self.ranks.upper[:, k]
            proved = low == high
            layers.append(
                {
                    "layer": k + 1,
                    "by_regions": _histogram(low[proved], np.ones(int(proved.sum()), np.int64)),
                    "by_samples": _histogram(low[proved], self.counts[proved]),
                    "open_codewords": int((~proved).sum()),
                    "min_rank": [int(low.min()), int(high.min())] if len(low) else None,
                }
            )
        compared = self.cross_check
        return {
            "network": {"name": self.network.name, "hash": self.network.sha256},
            "points": self.points,
            "outside_domain": self.outside,
            "on_hyperplane": self.on_hyperplane,
            "ties": self.ties,
            "corrected_bits": self.corrected_bits,
            "exact_points": self.exact_points,
            "distinct_codewords": len(self.packed),
            "codewords_of_points_on_hyperplanes_only": int((self.tied == self.counts).sum()),
            "codeword_sizes": _histogram(self.sizes, self.counts),
            "ranks": layers,
            "ranks_exact": self.ranks.exact if len(self.packed) else None,
            "seconds": self.seconds,
            **({} if compared is None else {"cross_check": compared.summary()}),
        }

    def per_point(self) -> dict[str, Any]:
        """Columns with one entry per point: codeword row, size and ranks; null without a codeword.

        Raises
        ------
        ValueError
            If the rows of points were not kept.
        """
        if self.of_point is None:
            raise ValueError("the codewords of single points were not kept: sample(follow=True)")
        none = self.of_point < 0
        columns: dict[str, Any] = {"codeword_row": self.of_point, "active_units": self.sizes}
        for k in range(len(self.network.layers)):
            columns[f"rank_{k + 1}_lower"] = self.ranks.lower[:, k]
            columns[f"rank_{k + 1}_upper"] = self.ranks.upper[:, k]
        out = {}
        for name, values in columns.items():
            own = values if name == "codeword_row" else np.append(values, 0)[self.of_point]
            out[name] = pa.array(own, mask=none)
        return out

    def save(self, directory: Path, extra: dict[str, Any] | None = None) -> None:
        """Write ``estimate.json`` and ``codewords.parquet`` to a new directory.

        And ``points.parquet``, one row per point, if these were kept.

        Raises
        ------
        RunError
            If the directory exists, or cannot be written.
        """
        columns: dict[str, Any] = {
            "codeword": pa.array([w.tobytes() for w in self.packed], pa.binary()),
            "samples": self.counts,
            "first_point": self.first,
            "active_units": self.sizes,
            "on_hyperplane": self.tied,
        }
        for k in range(len(self.network.layers)):
            columns[f"rank_{k + 1}_lower"] = self.ranks.lower[:, k]
            columns[f"rank_{k + 1}_upper"] = self.ranks.upper[:, k]
        text = json.dumps({**self.summary(), **(extra or {})}, indent=1)
        with new_directory(directory):
            if self.of_point is not None:
                table = pa.table({"point": np.arange(self.points), **self.per_point()})
                pq.write_table(table, directory / "points.parquet", compression="zstd")
            pq.write_table(pa.table(columns), directory / "codewords.parquet", compression="zstd")
            (directory / "estimate.json").write_text(text, encoding="utf-8")


def _histogram(values: NDArray[Any], weights: NDArray[np.int64]) -> dict[str, int]:
    found, where = np.unique(values, return_inverse=True)
    totals = np.bincount(where.ravel(), weights=weights, minlength=len(found))
    return {str(int(v)): int(t) for v, t in zip(found, totals, strict=True)}


def sample(
    network: Network,
    blocks: Blocks,
    *,
    dtype: DTypeLike = np.float64,
    workers: int = 1,
    on_new: OnNew | None = None,
    keep: Keep | None = None,
    ties: Ties = "strict",
    follow: bool = False,
    expected: int | None = None,
) -> Estimate:
    """Certified codewords and exact ranks of samples.

    Parameters
    ----------
    network : Network
        Over the coordinates of the points.
    blocks : iterable of ndarray, shape (r, n)
        Points, taken one block at a time: memory grows with the distinct codewords only.
    dtype : float64 (default) or float32
        First arithmetic of the forward pass.
    workers : int
        Threads of the rank computation.
    on_new : callable, optional
        Called with the codeword (bytes) of every region that is hit, and the first point in it.
    keep : callable, optional
        Which points of a block lie in the domain; default: all.
    ties : {"strict", "inactive"}
        Points on a hyperplane lie in no open region: they are counted and set aside (strict), or
        taken with the codeword that has 1 exactly where z > 0 (inactive; Beshkov and Einevoll,
        "A rank decomposition for the topological classification of neural representations").
    follow : bool
        Keep the codeword of every single point too: 8 bytes each.
    expected : int, optional
        How many points there will be, for whoever is told how far it is.

    Raises
    ------
    NetworkError
        If points do not fit the network or are not finite.
    """
    if ties not in get_args(Ties):
        raise ValueError(f"ties={ties!r} is not one of {', '.join(get_args(Ties))}")
    begun = time.perf_counter()
    certifier = CodewordFilter(network, dtype)
    width = (sum(network.bits) + 7) // 8
    met = _Met(on_new)
    followed: list[NDArray[np.int64]] = []
    total = outside = planes = corrected = exactly = 0
    for block in blocks:
        tell("points", total, expected)
        numbers = np.arange(total, total + len(block))
        total += len(block)
        own = np.full(len(block), -1, dtype=np.int64)
        inside_rows = np.arange(len(block))
        if keep is not None:
            inside = keep(block)
            inside_rows = np.flatnonzero(inside)
            outside += int((~inside).sum())
            block, numbers = block[inside], numbers[inside]  # noqa: PLW2901
        for part in certifier.blocks(block):
            for on_plane in (False,) if ties == "strict" else (False, True):
                good = np.flatnonzero(part.on_hyperplane == on_plane)
                rows = part.start + good
                found = met.add(part.packed[good], rows, block, numbers, on_plane=on_plane)
                own[inside_rows[rows]] = found
            planes += int(part.on_hyperplane.sum())
            corrected += part.corrected_bits
            exactly += part.exact_points
        if follow:
            followed.append(own)
    passed = time.perf_counter()
    keys = sorted(met.number)
    packed = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), width)
    order = np.array([met.number[key] for key in keys], dtype=np.int64)
    tally = np.array(met.counts, dtype=np.int64)[order]
    bits = sum(network.bits)
    frequent = np.zeros(bits)
    for start in range(0, len(packed), _CHUNK):
        frequent += tally[start : start + _CHUNK] @ unpack_bits(
            packed[start : start + _CHUNK], bits
        ).astype(np.float64)
    table = CodewordRanks(network, frequent).table(packed, workers=workers)
    ended = time.perf_counter()
    of_point = None
    if follow:
        row_of = np.append(np.argsort(order), -1)  # −1 stays −1
        of_point = row_of[np.concatenate([np.zeros(0, dtype=np.int64), *followed])]
    return Estimate(
        network,
        packed,
        tally,
        np.array(met.first, dtype=np.int64)[order],
        np.array(met.tied, dtype=np.int64)[order],
        table,
        ties,
        total,
        outside,
        planes,
        corrected,
        exactly,
        {"forward": passed - begun, "ranks": ended - passed},
        of_point,
    )


class _Met:
    """Codewords in the order in which they were met.

    Attributes
    ----------
    number : dict of bytes to int
    counts, first, tied : list of int
        By number: points, the number of the first one, and points on a hyperplane.
    """

    __slots__ = ("_on_new", "counts", "first", "number", "tied")

    def __init__(self, on_new: OnNew | None) -> None:
        self._on_new = on_new
        self.number: dict[bytes, int] = {}
        self.counts: list[int] = []
        self.first: list[int] = []
        self.tied: list[int] = []

    def add(
        self,
        packed: NDArray[np.uint8],
        rows: NDArray[np.int64],
        points: NDArray[np.float64],
        numbers: NDArray[np.int64],
        *,
        on_plane: bool,
    ) -> NDArray[np.int64]:
        """Count codewords ``(r, B)`` of rows of numbered points; which ones they are, ``(r,)``."""
        words, where, each, times = np.unique(
            _as_void(packed), return_index=True, return_inverse=True, return_counts=True
        )
        known_of = np.zeros(len(words), dtype=np.int64)
        for place, (word, index, count) in enumerate(zip(words, where, times, strict=True)):
            key, row = word.tobytes() if packed.shape[1] else b"", int(rows[index])
            known = self.number.setdefault(key, len(self.counts))
            known_of[place] = known
            if known == len(self.counts):
                self.counts.append(0)
                self.tied.append(0)
                self.first.append(int(numbers[row]))
            if self._on_new is not None and not on_plane and self.counts[known] == self.tied[known]:
                self._on_new(key, points[row])
            self.counts[known] += int(count)
            self.tied[known] += int(count) if on_plane else 0
            self.first[known] = min(self.first[known], int(numbers[row]))
        return known_of[each.ravel()]


def _as_void(packed: NDArray[np.uint8]) -> NDArray[Any]:
    """Rows as single values, so that unique sorts bytes."""
    if not packed.shape[1]:
        return np.zeros(len(packed), dtype="V1")
    return np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel()
