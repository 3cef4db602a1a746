"""A task of a run and what it gives: a function of the question and a subtree, and of nothing else.

It is pure, so that it may run in any thread, in any process, on any machine, and again after
whoever had it has died.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polyrank.cells.explore import Explored, Explorer, explorer
from polyrank.cells.search import search
from polyrank.cells.subtree import Subtree
from polyrank.cells.task import Batch, SearchProgress, settled
from polyrank.posed.problem import Problem
from polyrank.regions.histogram import RankHistogram
from polyrank.regions.limits import LimitReached
from polyrank.regions.plan import Plan
from polyrank.regions.proof_log import packed_log
from polyrank.regions.schema import record_batch

__all__ = ["Piece", "PieceMaker", "encoded", "write_shard"]

ROWS_PER_GROUP = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What one task gives.

    Attributes
    ----------
    rows : int
    histogram : RankHistogram
    digest : str
        Of the rows: codewords, zero bits, ranks, witnesses; empty without a shard.
    shard : bytes
        A Parquet file; empty unless shards are kept, or without rows.
    batches : tuple of RecordBatch
    log : bytes
        A part of the proof, compressed, whose rows are counted from this piece's first.
    segments, log_bytes : int
        Of the proof, and its size before compression.
    explored : Explored
        What is undecided or open.
    seconds : float
    shard_file, log_file : Path, optional
        Where the two were written on the disk of the run already, instead of being here
        (:mod:`polyrank.regions.incoming`).
    """

    rows: int
    histogram: RankHistogram
    digest: str
    shard: bytes
    batches: tuple[pa.RecordBatch, ...]
    log: bytes
    segments: int
    log_bytes: int
    explored: Explored
    seconds: float
    shard_file: Path | None = None
    log_file: Path | None = None


class PieceMaker:
    """A worker: one search, made once, that works on one task after the other.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.problem = Problem(plan.network, plan.chart, plan.layers)  # one for each thread
        self._found: _Found | None = None

    def make(self, tree: Subtree, stopped: Callable[[], bool] = lambda: False) -> Piece:
        """Work on a task until it is done or its budget is spent.

        Parameters
        ----------
        tree : Subtree
        stopped : callable
            Asked several times a second whether to give up; then ``explored.complete`` is False.
        """
        plan, begun = self.plan, time.perf_counter()
        found = self._found = self._nothing()
        log: list[bytes] = []
        work = plan.work[min(tree.generation, len(plan.work) - 1)]
        explored = self.explorer.explore(
            tree, work, sink=found.add, proof=log.append if plan.proof else None, stopped=stopped
        )
        shard, batches = b"", found.batches
        if plan.keep == "shard" and batches:
            shard, batches = encoded(batches, plan.schema), []
        packed, segments, size = packed_log(log) if explored.complete else (b"", 0, 0)
        piece = Piece(
            found.histogram.rows,
            found.histogram,
            found.digest.text() if found.digest else "",
            shard,
            tuple(batches),
            packed,
            segments,
            size,
            explored,
            time.perf_counter() - begun,
        )
        self._found = None
        return piece

    @property
    def rows(self) -> int:
        """Regions found so far in the task that is worked on."""
        found = self._found
        return 0 if found is None else found.histogram.rows

    def _nothing(self) -> _Found:
        return _Found(self.plan, self.problem)

    @cached_property
    def explorer(self) -> Explorer:
        """The search that works on tasks."""
        return explorer(self.problem, self.plan.engine, proof=self.plan.proof)

    def whole(
        self, jobs: int | None, progress: Callable[[SearchProgress], None] | None
    ) -> tuple[Piece, KeyboardInterrupt | LimitReached | None]:
        """All of the question in one piece, kept in memory; its threads share one tree.

        Returns
        -------
        piece : Piece
            Without a digest.
        ended : KeyboardInterrupt, LimitReached or None
            What ended it early, Ctrl-C or an exception from ``progress``: then the piece is a part,
            and ``explored.complete`` is False.
        """
        plan, begun = self.plan, time.perf_counter()
        found = self._nothing()
        explored = Explored((), (), complete=False, counts={})
        ended: KeyboardInterrupt | LimitReached | None = None
        try:
            result = search(
                self.problem, found.add, engine=plan.engine, progress=progress, jobs=jobs
            )
            counts = {"tests": result.tests, "pivots": result.pivots, **result.ladder}
            explored = Explored(result.undecided, (), complete=True, counts=counts)
        except (KeyboardInterrupt, LimitReached) as reason:
            ended = reason
            found.histogram = RankHistogram.of(found.batches, plan.layers)  # what is stored counts
        seconds = time.perf_counter() - begun
        rows, batches = found.histogram.rows, tuple(found.batches)
        piece = Piece(rows, found.histogram, "", b"", batches, b"", 0, 0, explored, seconds)
        return piece, ended


def encoded(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> bytes:
    """Regions as the bytes of a Parquet file."""
    sink = pa.BufferOutputStream()
    write_shard(sink, batches, schema)
    return bytes(sink.getvalue())


def write_shard(
    where: Path | pa.NativeFile, batches: Iterable[pa.RecordBatch], schema: pa.Schema
) -> None:
    """Write regions as a Parquet file."""
    table = pa.Table.from_batches(batches, schema=schema)
    ranks = [name for name in schema.names if name.startswith("rank_")]
    # the first bytes of floats are much alike, the last ones are not
    split = {"witness.list.element": "BYTE_STREAM_SPLIT"}
    with pq.ParquetWriter(
        where, schema, compression="zstd", use_dictionary=ranks, column_encoding=split
    ) as writer:
        writer.write_table(table, row_group_size=ROWS_PER_GROUP)


class _Found:
    """The regions that were found so far, and what is kept of them."""

    __slots__ = ("_plan", "_problem", "_schema", "batches", "digest", "histogram")

    def __init__(self, plan: Plan, problem: Problem) -> None:
        self._plan = plan
        self._problem = problem
        self._schema = plan.schema
        self.histogram = RankHistogram(plan.layers)
        self.digest = _Digest() if plan.keep == "shard" else None
        self.batches: list[pa.RecordBatch] = []

    def add(self, found: Batch) -> None:
        """Take in a batch of the search."""
        batch = settled(found, self._problem)
        self.histogram.add(batch.rank)
        if self.digest is not None:
            self.digest.add(batch)
        if self._plan.keep != "nothing":
            self.batches.append(record_batch(batch, self._schema))


class _Digest:
    """A hash of rows, column by column, that does not depend on how they come in batches."""

    __slots__ = ("_columns",)

    def __init__(self) -> None:
        self._columns = [hashlib.blake2b(digest_size=32) for _ in range(5)]

    def add(self, batch: Batch) -> None:
        code, zero, rank, witness, exact = self._columns
        for column, values, kind in (
            (code, batch.codeword, "u1"),
            (zero, batch.zero, "u1"),
            (rank, batch.rank, "<i2"),
            (witness, batch.witness, "<f8"),
        ):
            column.update(np.ascontiguousarray(values, kind).reshape(-1).data)
        for _, point in sorted(batch.witness_exact.items()):
            exact.update((",".join(map(str, point)) + "\n").encode())

    def text(self) -> str:
        whole = hashlib.blake2b(digest_size=32)
        for column in self._columns:
            whole.update(column.digest())
        return whole.hexdigest()
