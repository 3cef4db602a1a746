"""A hand-made arrangement: three lines in the plane, and a writer's view of its regions.

The lines x = 0, y = 0, x + y = 1 are in general position: Zaslavsky's theorem gives
1 + 3 + 3 = 7 regions. The second "layer" has one unit with the line x + y = 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from flint import fmpq
from numpy.typing import NDArray

from polyrank.cells.explore import Explored
from polyrank.cells.subtree import Subtree, VertexCell
from polyrank.network.forward import packed_rows
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import WholeSpace
from polyrank.posed.chart import chart
from polyrank.regions.histogram import RankHistogram
from polyrank.regions.pieces import Piece, encoded
from polyrank.regions.plan import Keep, Plan
from polyrank.regions.schema import record_batch, region_schema
from polyrank.regions.writer import RunWriter

BITS = 3
LAYERS = 2
DIM = 2

# bits (x > 0, y > 0, x + y > 1), a point of the region, ranks through the layers: the first
# layer is (relu(x), relu(y)), the second relu(x + y - 1) after (x, y) itself
REGIONS = [
    ((0, 0, 0), (-1.0, -1.0), (0, 0)),
    ((0, 1, 0), (-1.0, 0.5), (1, 0)),
    ((0, 1, 1), (-1.0, 3.0), (1, 1)),
    ((1, 0, 0), (0.5, -1.0), (1, 0)),
    ((1, 0, 1), (3.0, -1.0), (1, 1)),
    ((1, 1, 0), (0.25, 0.25), (2, 0)),
    ((1, 1, 1), (1.0, 1.0), (2, 1)),
]


@dataclass(frozen=True)
class FakeBatch:
    codeword: NDArray[np.uint8]
    zero: NDArray[np.uint8]
    rank: NDArray[np.int16]
    witness: NDArray[np.float64]
    witness_exact: Mapping[int, tuple[fmpq, ...]] = field(default_factory=dict)


def batch(rows: list[Any] = REGIONS) -> FakeBatch:
    codeword = packed_rows(np.array([r[0] for r in rows]).reshape(len(rows), BITS))
    return FakeBatch(
        codeword,
        np.zeros_like(codeword),
        np.array([r[2] for r in rows], dtype=np.int16).reshape(len(rows), LAYERS),
        np.array([r[1] for r in rows], dtype=np.float64).reshape(len(rows), DIM),
    )


def manifest() -> dict[str, Any]:
    return {
        "network": {"name": "fake", "hash": "0" * 64, "widths": [2, 2, 1], "bits": [2, 1]},
        "domain": {"kind": "whole space"},
        "chart": {
            "origin": ["1/3", "0"],
            "basis": [["1", "0"], ["0", "1"]],
            "lower": None,
            "upper": None,
        },
        "options": {},
    }


def plan(*, proof: bool = False, keep: Keep = "shard") -> Plan:
    """The network of :data:`REGIONS`, on all of R^2."""
    net = Network.from_arrays(
        [np.eye(2), [[1.0, 1.0]]], [[0.0, 0.0], [-1.0]], output_relu=True, name="fake"
    )
    return Plan(net, chart(WholeSpace(), 2), LAYERS, "dictionary", proof, keep)


def subtree(name: str = "??|?") -> Subtree:
    """An open cell."""
    return Subtree((VertexCell(name.encode(), name),), (1.0,))


def piece(
    rows: Any,
    rest: Sequence[Subtree] = (),
    undecided: Sequence[str] = (),
    *,
    schema: pa.Schema | None = None,
    shard: bool = True,
    complete: bool = True,
    log: bytes = b"",
) -> Piece:
    """What a task gives that finds the rows of a batch."""
    schema = region_schema(BITS, LAYERS, DIM) if schema is None else schema
    histogram = RankHistogram(rows.rank.shape[1])
    histogram.add(rows.rank)
    count = len(rows.rank)
    batches = [record_batch(rows, schema)] if count else []
    counts = {"tests": 9, "pivots": 1, "by_points": 3}
    return Piece(
        count,
        histogram,
        hashlib.sha256(rows.witness.tobytes()).hexdigest(),
        encoded(batches, schema) if batches and shard else b"",
        () if shard else tuple(batches),
        log,
        int(bool(log)),
        len(log),
        Explored(tuple(undecided), tuple(rest), complete, counts),
        0.1,
    )


class Sink:
    """A writer that is fed like a stream: every batch is what one task gives."""

    def __init__(self, directory: Path | None, entry: Any = None, of: Plan | None = None) -> None:
        self.on_disk = directory is not None
        self.plan = of or plan()
        self.writer = RunWriter(entry or manifest(), self.plan, subtree(), directory)

    def write(self, rows: Any, rest: Sequence[Subtree] | None = None, **options: Any) -> None:
        (ticket,) = self.writer.tickets[:1]
        left = [subtree()] if rest is None else rest
        self.writer.accept(
            ticket, piece(rows, left, schema=self.plan.schema, shard=self.on_disk, **options)
        )

    def finish(self, undecided: Sequence[str] = ()) -> Any:
        while len(self.writer.tickets) > 1:
            self.write(batch([]), ())
        self.write(batch([]), (), undecided=undecided)
        return self.writer.finish(timings={"search": 0.5})

    @property
    def run(self) -> Any:
        return self.writer.run

    def __enter__(self) -> Self:
        self.writer.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.writer.__exit__(*error)
