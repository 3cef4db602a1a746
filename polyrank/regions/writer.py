"""Streams regions to a run directory, or keeps them in memory when no directory is given.

A shard is written under a ``.partial`` name and renamed when it is complete; the manifest says
``running`` until :meth:`RunWriter.finish`. Memory holds a few row groups at a time.

A file of Parquet cannot be read before its end is written, and a shard takes a million rows. The
rows of the shard that is being written are therefore written a second time every few seconds, each
time those that are new, as small files ``part-000003.000017.parquet`` beside the complete shards:
a process that is killed leaves them behind. When the shard is complete they are deleted, so that
what a run leaves that ends by itself does not depend on the clock.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from polyrank.errors import RunError
from polyrank.regions.directory import disk_errors, new_directory
from polyrank.regions.histogram import RankHistogram
from polyrank.regions.manifest import FORMAT_VERSION, Status, write_manifest
from polyrank.regions.run import REGIONS_NAME, UNDECIDED_NAME, Run, read_shards
from polyrank.regions.schema import RegionBatch, layers_of, record_batch, region_schema

__all__ = ["ROWS_PER_GROUP", "ROWS_PER_SHARD", "SECONDS_BETWEEN_SAVES", "RunWriter"]

ROWS_PER_GROUP = 65_536
ROWS_PER_SHARD = 16 * ROWS_PER_GROUP
SECONDS_BETWEEN_SAVES = 2.0
#: Rows wait for their small file no longer than it takes this many to come in.
_ROWS_PER_SAVE = 4 * ROWS_PER_GROUP
#: The small files of a long run are few: the wait grows with the time that has passed.
_SHARE_BETWEEN_SAVES = 0.005


class RunWriter:
    """A sink for batches of regions.

    Parameters
    ----------
    manifest : mapping
        What is known before the search: ``network``, ``domain``, ``chart``, ``options`` and so on.
    bits, layers, dim : int
        Codeword bits N, layers with a rank L, dimension k of the domain.
    directory : Path, optional
        A directory that does not exist yet. None keeps the table in memory.
    rows_per_group, rows_per_shard : int
        Row groups bound the memory; shards bound what a crash can lose.

    Raises
    ------
    RunError
        If the directory exists or cannot be written, for instance because the disk is full.

    Notes
    -----
    Use it as a context manager: leaving the block without :meth:`finish` labels the run
    ``interrupted`` (KeyboardInterrupt) or ``failed`` (anything else), with the rows so far.
    """

    def __init__(
        self,
        manifest: Mapping[str, Any],
        *,
        bits: int,
        layers: int,
        dim: int,
        directory: Path | None = None,
        rows_per_group: int = ROWS_PER_GROUP,
        rows_per_shard: int = ROWS_PER_SHARD,
    ) -> None:
        self._manifest = {"polyrank_run": FORMAT_VERSION, **manifest}
        self._bits = bits
        self._schema = region_schema(bits, layers, dim)
        self._directory = directory
        self._rows_per_group = rows_per_group
        self._rows_per_shard = rows_per_shard
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self._kept: list[pa.RecordBatch] = []
        self._shard: pq.ParquetWriter | None = None
        self._shard_rows = 0
        self._shards: list[dict[str, Any]] = []
        self._unsaved: list[pa.RecordBatch] = []
        self._unsaved_rows = 0
        self._saved: list[Path] = []
        self._begun = self._saved_at = time.monotonic()
        self._histogram = RankHistogram(layers)
        self._run: Run | None = None
        if directory is not None:
            with new_directory(directory):
                (directory / REGIONS_NAME).mkdir()
                write_manifest(directory, self._entry("running"))

    @property
    def rows(self) -> int:
        """Regions received so far."""
        return self._histogram.rows

    @property
    def run(self) -> Run:
        """The run as it ended: finished, interrupted or failed."""
        if self._run is None:
            raise RunError("the run is still being written")
        return self._run

    def write(self, batch: RegionBatch) -> None:
        """Append the regions of a batch; its arrays are copied and may be reused.

        Raises
        ------
        RunError
            If the disk is full or cannot be written.
        """
        table = record_batch(batch, self._schema)
        if table.num_rows == 0:
            return
        self._histogram.add(batch.rank)
        if self._directory is None:
            self._kept.append(table)
            return
        self._pending.append(table)
        self._pending_rows += table.num_rows
        self._unsaved.append(table)
        self._unsaved_rows += table.num_rows
        if self._pending_rows >= self._rows_per_group:
            with disk_errors(self._directory):
                self._flush(whole_groups=True)
        self.save()

    def save(self) -> None:
        """Make the rows so far readable for whoever finds them if the process is killed now.

        Does nothing if the last time is not long ago.

        Raises
        ------
        RunError
            If the disk is full or cannot be written.
        """
        now = time.monotonic()
        wait = max(SECONDS_BETWEEN_SAVES, _SHARE_BETWEEN_SAVES * (now - self._begun))
        due = self._unsaved_rows >= _ROWS_PER_SAVE or now >= self._saved_at + wait
        if not due or not self._unsaved:
            return
        name = f"{_shard_stem(len(self._shards))}.{len(self._saved):06d}.parquet"
        file = self._root / REGIONS_NAME / name
        draft = self._draft_of(file)
        table = pa.Table.from_batches(self._unsaved, schema=self._schema)
        # forget first: an interrupt here may leave these rows out of this file, but never twice
        self._unsaved, self._unsaved_rows = [], 0
        self._saved.append(file)
        with disk_errors(self._root):
            pq.write_table(
                table, draft, compression="none", use_dictionary=False, write_statistics=False
            )
            draft.replace(file)
        self._saved_at = time.monotonic()

    def finish(
        self,
        *,
        undecided: Sequence[str] = (),
        certified: bool,
        search: Mapping[str, Any] | None = None,
        timings: Mapping[str, float] | None = None,
        proof: Mapping[str, Any] | None = None,
    ) -> Run:
        """Close the last shard, write the verdict and return the run.

        Parameters
        ----------
        undecided : sequence of str
            Cells that were not decided, as :func:`polyrank.cells.task.prefix_text` spells them.
        certified : bool
            The search decided every cell with a verified certificate. A run with undecided
            prefixes is never certified, whatever this says.
        search : mapping, optional
            ``tests``, ``pivots``, ``ladder`` and whatever else the search counted.
        timings : mapping, optional
            Seconds by stage.
        proof : mapping, optional
            The entry that seals a proof log (:class:`polyrank.regions.proof_log.ProofLog`).

        Raises
        ------
        RunError
            If the disk is full or cannot be written.
        """
        if proof is not None:
            self._manifest["proof"] = dict(proof)
        return self._close("finished", undecided, certified, search, timings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._run is not None:
            return
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        status: Status = "interrupted" if interrupted else "failed"
        reason = None if error is None or interrupted else f"{type(error).__name__}: {error}"
        try:
            self._close(status, error=reason)
        except (RunError, pa.ArrowException):  # a writer that has failed once is closed
            self._abandon(reason)

    def _close(
        self,
        status: Status,
        undecided: Sequence[str] = (),
        certified: bool = False,
        search: Mapping[str, Any] | None = None,
        timings: Mapping[str, float] | None = None,
        error: str | None = None,
    ) -> Run:
        prefixes = tuple(undecided)
        certified = certified and status == "finished" and not prefixes
        if self._directory is None:
            table = pa.Table.from_batches(self._kept, schema=self._schema)
            if status != "finished":
                self._recount(table.to_batches())
            entry = self._entry(status, len(prefixes), certified, search, timings, error)
            self._run = Run.in_memory(entry, table, prefixes)
            return self._run
        with disk_errors(self._directory):
            self._flush(whole_groups=False)
            self._close_shard()
            if status != "finished":
                self._recount(read_shards(self._directory))
            entry = self._entry(status, len(prefixes), certified, search, timings, error)
            if prefixes:
                text = json.dumps({"bits": self._bits, "prefixes": prefixes}, indent=1)
                _write_durably(self._directory / UNDECIDED_NAME, text + "\n")
            write_manifest(self._directory, entry)
        self._run = Run.on_disk(entry, self._directory)
        return self._run

    def _recount(self, stored: Iterable[pa.RecordBatch]) -> None:
        # An interrupt may fall between counting a batch and storing it: what is stored counts.
        self._histogram = RankHistogram.of(stored, layers_of(self._schema))

    def _abandon(self, reason: str | None) -> None:
        """Give up the open shard, which the disk refused, and keep the files that are complete."""
        draft = self._partial()
        try:
            if self._shard is not None:
                self._shard.close()
        except (OSError, pa.ArrowException):
            pass  # it is deleted in the next line
        self._shard, self._pending = None, []
        try:
            draft.unlink(missing_ok=True)
            for file in self._saved:
                self._draft_of(file).unlink(missing_ok=True)
                if file.exists():
                    rows = int(pq.read_metadata(file).num_rows)
                    self._shards.append({"file": f"{REGIONS_NAME}/{file.name}", "rows": rows})
            self._recount(read_shards(self._root))
            entry = self._entry("failed", error=reason)
            write_manifest(self._root, entry)
        except (OSError, RunError):
            return  # the manifest still says "running", which no reader takes for finished
        self._run = Run.on_disk(entry, self._root)

    def _entry(
        self,
        status: Status,
        undecided: int = 0,
        certified: bool = False,
        search: Mapping[str, Any] | None = None,
        timings: Mapping[str, float] | None = None,
        error: str | None = None,
    ) -> dict[str, Any]:
        return {
            **self._manifest,
            "status": status,
            "certified": certified,
            "error": error,
            "bits": self._bits,
            "layers": layers_of(self._schema),
            "counts": {"regions": self._histogram.rows, "undecided": undecided},
            "rank_histogram": self._histogram.as_json(),
            "search": dict(search or {}),
            "timings": dict(timings or {}),
            "shards": self._shards,
        }

    def _flush(self, *, whole_groups: bool) -> None:
        table = pa.Table.from_batches(self._pending, schema=self._schema)
        while table.num_rows >= self._rows_per_group or (table.num_rows and not whole_groups):
            group = table.slice(0, self._rows_per_group)
            table = table.slice(group.num_rows)
            # forget first: an interrupt here may lose these rows, but never doubles them
            self._pending, self._pending_rows = table.to_batches(), table.num_rows
            self._write_group(group)

    def _write_group(self, group: pa.Table) -> None:
        if self._shard is None:
            ranks = [name for name in self._schema.names if name.startswith("rank_")]
            self._shard = pq.ParquetWriter(
                self._partial(), self._schema, compression="zstd", use_dictionary=ranks
            )
            self._shard_rows = 0
        self._shard.write_table(group, row_group_size=self._rows_per_group)
        self._shard_rows += group.num_rows
        if self._shard_rows >= self._rows_per_shard:
            self._close_shard()

    def _partial(self) -> Path:
        return self._draft_of(Path(f"{_shard_stem(len(self._shards))}.parquet"))

    def _draft_of(self, file: Path) -> Path:
        # outside the folder of shards, which other programs read as a whole
        return self._root / f"{file.name}.partial"

    @property
    def _root(self) -> Path:
        if self._directory is None:
            raise AssertionError("a run in memory has no files")
        return self._directory

    def _close_shard(self) -> None:
        if self._shard is None:
            return
        self._shard.close()
        self._shard = None
        draft = self._partial()
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        name = draft.name.removesuffix(".partial")
        rows = int(pq.read_metadata(draft).num_rows)
        draft.replace(self._root / REGIONS_NAME / name)
        self._shards.append({"file": f"{REGIONS_NAME}/{name}", "rows": rows})
        self._forget_saved()

    def _forget_saved(self) -> None:
        """Delete the small files of the shard that is complete; readers pass over them already."""
        for file in self._saved:
            file.unlink(missing_ok=True)
            self._draft_of(file).unlink(missing_ok=True)
        self._saved = []
        self._unsaved, self._unsaved_rows = list(self._pending), self._pending_rows
        self._saved_at = time.monotonic()


def _shard_stem(number: int) -> str:
    return f"part-{number:06d}"


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
