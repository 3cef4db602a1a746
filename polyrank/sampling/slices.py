"""Segments, triangles, lines and planes through data points, and the ambient ranks along them.

The rank that an enumeration states on a slice is that of the map restricted to the slice. The
rank of the map on the whole input space, which the same codeword selects, stands beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from flint import fmpq_mat
from numpy.typing import NDArray

from polyrank.errors import DomainError, RunError
from polyrank.network.forward import pack_bits
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float
from polyrank.polyhedra.domain import Simplex, Slice
from polyrank.posed.branch import unit_row
from polyrank.regions.run import Run
from polyrank.regions.schema import column_bits, numbers
from polyrank.sampling.ranks import CodewordRanks, RankTable

__all__ = ["AmbientRanks", "ambient_ranks", "chosen_points", "slice_through"]

AMBIENT_NAME = "ambient.parquet"


def chosen_points(points: NDArray[Any], rows: Sequence[int] | None) -> NDArray[np.float64]:
    """Two or three rows of an array of points ``(N, n)``.

    Raises
    ------
    DomainError
        If there are not two or three of them, or a row does not exist or is not finite.
    """
    numbers = list(range(len(points))) if rows is None else list(rows)
    if len(numbers) not in (2, 3):
        raise DomainError(
            f"a slice goes through 2 or 3 points, got {len(numbers)}: name rows, as in 0,7 or 0,7,9"
        )
    wrong = next((r for r in numbers if not 0 <= r < len(points)), None)
    if wrong is not None:
        raise DomainError(f"there is no row {wrong}: the points have rows 0 to {len(points) - 1}")
    out = np.asarray(points[numbers], dtype=np.float64)
    if not np.isfinite(out).all():
        raise DomainError(f"one of the points {numbers} is not finite")
    return out


def slice_through(points: NDArray[np.float64], *, extended: bool = False) -> Simplex | Slice:
    """The segment or triangle of 2 or 3 points; ``extended``: the line or plane through them.

    Parameters
    ----------
    points : ndarray of float64, shape (2, n) or (3, n)
        Taken exactly.

    Raises
    ------
    DomainError
        If the points are affinely dependent.
    """
    if not extended:
        return Simplex(points)
    k, n = len(points) - 1, points.shape[1]
    exact = [[fmpq_from_float(v) for v in row] for row in points.tolist()]
    edges = [exact[i + 1][j] - exact[0][j] for j in range(n) for i in range(k)]
    return Slice(exact[0], fmpq_mat(n, k, edges))


@dataclass(frozen=True, slots=True, eq=False)
class AmbientRanks:
    """Ranks on the whole input space of the codewords of a run on a slice, row by row.

    **Proves** ``lower ≤ rank ≤ upper`` for the linear part of the map on R^n that each codeword
    selects, and ``in_hyperplane``: the region of the slice lies in the hyperplane of a unit. Where
    it does, the map on R^n is not affine around the region; the codeword has the bit 0 there.

    Attributes
    ----------
    ranks : RankTable
        Shape (regions, L).
    in_hyperplane : ndarray of bool, shape (regions,)
    """

    ranks: RankTable
    in_hyperplane: NDArray[np.bool_]

    def table(self) -> pa.Table:
        """``in_hyperplane``, ``ambient_rank_K_lower``, ``ambient_rank_K_upper``, in run order."""
        columns: dict[str, Any] = {"in_hyperplane": self.in_hyperplane}
        for k in range(self.ranks.lower.shape[1]):
            columns[f"ambient_rank_{k + 1}_lower"] = self.ranks.lower[:, k]
            columns[f"ambient_rank_{k + 1}_upper"] = self.ranks.upper[:, k]
        return pa.table(columns)

    def save(self, directory: Path, network: Network) -> None:
        """Write ``ambient.parquet`` into a run directory."""
        table = self.table().replace_schema_metadata(
            {"polyrank": json.dumps({"network": network.sha256})}
        )
        pq.write_table(table, directory / AMBIENT_NAME, compression="zstd")

    def histogram(self, layer: int) -> dict[str, int]:
        """Regions by ambient rank through a layer (1-based); those not settled as ``"a..b"``."""
        out: dict[str, int] = {}
        pairs = zip(
            self.ranks.lower[:, layer - 1].tolist(),
            self.ranks.upper[:, layer - 1].tolist(),
            strict=True,
        )
        for low, high in sorted(pairs):
            key = str(low) if low == high else f"{low}..{high}"
            out[key] = out.get(key, 0) + 1
        return out


def ambient_ranks(run: Run, network: Network, *, workers: int = 1) -> AmbientRanks:
    """The ranks, on the whole input space, of every codeword that a run lists.

    Parameters
    ----------
    run : Run
        On a slice, or on any domain: on a full-dimensional one the ranks are the run's own.
    network : Network

    Raises
    ------
    RunError
        If the network is not the run's, or a rank on the slice exceeds the ambient one.
    """
    run.check_network(network)
    first = Network(network.layers[: run.layers], network.name, network.source)
    words: list[NDArray[np.uint8]] = [np.zeros((0, (run.bits + 7) // 8), np.uint8)]
    flat: list[NDArray[np.bool_]] = [np.zeros(0, dtype=bool)]
    stated: list[NDArray[Any]] = [np.zeros((0, run.layers), np.int64)]
    names = [f"rank_{k}" for k in range(1, run.layers + 1)]
    for batch in run.batches(["codeword", "zero", *names]):
        bits = column_bits(batch.column("codeword"), run.bits)
        zero = column_bits(batch.column("zero"), run.bits)
        words.append(pack_bits(bits).reshape(len(bits), -1))
        flat.append(
            np.array([_in_hyperplane(first, b, z) for b, z in zip(bits, zero, strict=True)], bool)
        )
        stated.append(np.array([numbers(batch.column(v)) for v in names]).T)
    packed = np.concatenate(words)
    distinct, back = np.unique(packed, axis=0, return_inverse=True)
    table = CodewordRanks(first).table(distinct, workers=workers)
    where = back.ravel()
    ranks = RankTable(table.lower[where], table.upper[where])
    if (np.concatenate(stated) > ranks.upper).any():
        raise RunError("a rank on the slice is above the rank on all of R^n: the run is damaged")
    return AmbientRanks(ranks, np.concatenate(flat))


def _in_hyperplane(network: Network, bits: NDArray[np.bool_], zero: NDArray[np.bool_]) -> bool:
    """Whether a unit that vanishes on the region does not vanish around it."""
    position = 0
    for k, layer in enumerate(network.layers):
        units = np.flatnonzero(layer.has_hyperplane)
        for at in np.flatnonzero(zero[position : position + len(units)]).tolist():
            if any(v != 0 for v in unit_row(network, bits, k, int(units[at]))):
                return True
        position += len(units)
    return False
