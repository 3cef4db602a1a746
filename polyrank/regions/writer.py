"""Writes what tasks give to a run directory, or keeps it in memory when no directory is given.

A task gives one shard, and one part of the proof, or nothing: each is written under a ``.partial``
name and renamed, then the journal says that the task is done (:mod:`polyrank.regions.journal`).
While a run goes on its shards are ``regions/task-000012.parquet``, numbered as tasks come up. When
no task is left they become ``regions/part-000000.parquet`` and so on, in the order of the tree of
tasks: the finished run does not depend on who worked on what, in which order, or how often he died.
The manifest says ``running`` until then. What workers of a cluster have written on the same disk is
only renamed (:mod:`polyrank.regions.incoming`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from polyrank.cells.subtree import (
    Subtree,
    most_regions,
    prefixes_of,
    subtree_from_json,
    subtree_to_json,
)
from polyrank.errors import RunError
from polyrank.regions.crew import Ticket
from polyrank.regions.directory import disk_errors, new_directory, sync_folder, write_whole
from polyrank.regions.histogram import RankHistogram
from polyrank.regions.incoming import remove_incoming
from polyrank.regions.journal import JOURNAL_NAME, Journal
from polyrank.regions.manifest import (
    FORMAT_VERSION,
    REGIONS_NAME,
    Status,
    read_manifest,
    write_manifest,
)
from polyrank.regions.pieces import Piece, encoded
from polyrank.regions.plan import Plan
from polyrank.regions.proof_log import PROOF_NAME
from polyrank.regions.run import OPEN_NAME, UNDECIDED_NAME, Run, prefix_list

__all__ = ["RunWriter"]


@dataclass(slots=True, eq=False)
class _Done:
    """A task that is done."""

    path: tuple[int, ...]
    number: int
    rows: int
    digest: str
    segments: int
    log_bytes: int
    undecided: tuple[str, ...]
    counts: Mapping[str, int]
    batches: tuple[pa.RecordBatch, ...] = field(default=())


class RunWriter:
    """Takes in what the tasks of a run give.

    Parameters
    ----------
    manifest : mapping
        What is known before the search: ``network``, ``domain``, ``chart``, ``options`` and so on.
    plan : Plan
    root : Subtree
        The whole domain.
    directory : Path, optional
        A directory that does not exist yet. None keeps the table in memory.

    Raises
    ------
    RunError
        If the directory exists or cannot be written, for instance because the disk is full.

    Notes
    -----
    Use it as a context manager: leaving the block without :meth:`finish` labels the run
    ``interrupted`` (KeyboardInterrupt) or ``failed`` (anything else), with the rows so far.
    """

    _journal: Journal | None

    def __init__(
        self,
        manifest: Mapping[str, Any],
        plan: Plan,
        root: Subtree,
        directory: Path | None = None,
    ) -> None:
        tasks = {"work": list(plan.work), "proof": plan.proof}
        self._start({"polyrank_run": FORMAT_VERSION, **manifest, "tasks": tasks}, plan, directory)
        self._open[0] = Ticket((), 0, root)
        self._journal = None
        if directory is None:
            return
        with new_directory(directory):
            (directory / REGIONS_NAME).mkdir()
            if plan.proof:
                (directory / PROOF_NAME).mkdir()
            journal = Journal.create(directory)
            try:
                journal.append({"root": subtree_to_json(root)})
                write_manifest(directory, self._entry("running"))
            except BaseException:
                journal.close()
                raise
        self._journal = journal

    def _start(self, manifest: Mapping[str, Any], plan: Plan, directory: Path | None) -> None:
        self._manifest = dict(manifest)
        self._plan = plan
        self._directory = directory
        self._done: list[_Done] = []
        self._parts: list[tuple[Ticket, Piece]] = []
        self._open: dict[int, Ticket] = {}
        self._next = 1
        self._undecided = 0
        self._histogram = RankHistogram(plan.layers)
        self._run: Run | None = None
        self.written = 0
        self._began = time.perf_counter()

    @classmethod
    def resume(cls, directory: Path, plan: Plan) -> Self:
        """Go on with a run that ended early.

        Raises
        ------
        RunError
            If it has no journal, the journal is damaged or in use, or a shard is missing.
        """
        writer = cls.__new__(cls)
        writer.reopen(directory, plan)
        return writer

    def reopen(self, directory: Path, plan: Plan) -> None:
        """See :meth:`resume`."""
        self._start(read_manifest(directory), plan, directory)
        for entry in ("open", "limit", "error", "shards"):
            self._manifest.pop(entry, None)
        with disk_errors(directory):
            journal, entries = Journal.reopen(directory)
            try:
                self._replay(directory, entries)
                for file in (
                    *directory.rglob("*.partial"),
                    *directory.glob(f"{REGIONS_NAME}/open-*"),
                ):
                    file.unlink()
                remove_incoming(directory)
                (directory / OPEN_NAME).unlink(missing_ok=True)
                write_manifest(directory, self._entry("running"))
            except BaseException:
                journal.close()
                raise
        self._journal = journal

    def _replay(self, directory: Path, entries: list[dict[str, Any]]) -> None:
        """Take in the journal."""
        path = directory / JOURNAL_NAME
        try:
            root = subtree_from_json(entries[0]["root"])
            self._open[0] = Ticket((), 0, root)
            for entry in entries[1:]:
                ticket = self._open.pop(int(entry["task"]))
                done = _Done(
                    ticket.path,
                    ticket.number,
                    int(entry["rows"]),
                    str(entry["digest"]),
                    int(entry["segments"]),
                    int(entry["log_bytes"]),
                    tuple(entry["undecided"]),
                    entry["counts"],
                )
                trees = [subtree_from_json(tree) for tree in entry["rest"]]
                self._note(done, RankHistogram.from_json(entry["ranks"], done.rows), trees)
                self.written += int(entry["written"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise RunError(f"{path} is damaged: {error}") from None
        if self._open:  # else they may have their last names already
            for done in self._done:
                file = self._shard(done.number)
                if done.rows and not file.exists():
                    raise RunError(f"{file} is missing, which {path} says is done")

    @property
    def directory(self) -> Path | None:
        """Where it is written; None: in memory."""
        return self._directory

    @property
    def domain(self) -> Mapping[str, Any]:
        """The domain as it describes itself."""
        described: Mapping[str, Any] = self._manifest["domain"]
        return described

    @property
    def rows(self) -> int:
        """Regions received so far."""
        return self._histogram.rows

    @property
    def share(self) -> float:
        """Of the tree that is done, by a guess."""
        return min(1.0, 1.0 - sum(ticket.tree.share for ticket in self._open.values()))

    @property
    def undecided(self) -> tuple[str, ...]:
        """Cells that were not decided, in order."""
        return tuple(text for done in self._ordered() for text in done.undecided)

    @property
    def undecided_count(self) -> int:
        """How many they are."""
        return self._undecided

    @property
    def tickets(self) -> list[Ticket]:
        """The tasks that are open."""
        return list(self._open.values())

    @property
    def run(self) -> Run:
        """The run as it ended: finished, stopped, interrupted or failed."""
        if self._run is None:
            raise RunError("the run is still being written")
        return self._run

    def accept(self, ticket: Ticket, piece: Piece) -> list[Ticket]:
        """Keep what a task gave; the tasks that it leaves.

        Raises
        ------
        RunError
            If the disk is full or cannot be written; then the task is not done.
        """
        rest, number = piece.explored.rest, ticket.number
        if self._directory is not None and self._journal is not None:
            with disk_errors(self._directory):
                try:
                    self._store(self._journal, number, piece)
                except OSError:
                    for file in (self._shard(number), self._part(number)):
                        file.unlink(missing_ok=True)
                    raise
        del self._open[number]
        done = _Done(
            ticket.path,
            number,
            piece.rows,
            piece.digest,
            piece.segments,
            piece.log_bytes,
            piece.explored.undecided,
            piece.explored.counts,
            piece.batches,
        )
        return self._note(done, piece.histogram, list(rest))

    def _store(self, journal: Journal, number: int, piece: Piece) -> None:
        """Write a shard and a part of the proof, then what the journal says of them."""
        written, before = 0, journal.size
        for file, content, elsewhere in (
            (self._shard(number), piece.shard, piece.shard_file),
            (self._part(number), piece.log, piece.log_file),
        ):
            if elsewhere is not None:
                written += elsewhere.stat().st_size
                elsewhere.replace(file)
                sync_folder(file.parent)
            elif content:
                self._write(file, content)
                written += len(content)
        journal.append(
            {
                "task": number,
                "rows": piece.rows,
                "ranks": piece.histogram.as_json(),
                "digest": piece.digest,
                "segments": piece.segments,
                "log_bytes": piece.log_bytes,
                "undecided": list(piece.explored.undecided),
                "counts": {k: n for k, n in piece.explored.counts.items() if n},
                "rest": [subtree_to_json(tree) for tree in piece.explored.rest],
                "written": written,
            }
        )
        self.written += written + journal.size - before

    def unfinished(self, ticket: Ticket, piece: Piece) -> None:
        """Keep part of what an unfinished task gives, for readers: the task stays open."""
        if piece.rows:
            self._parts.append((ticket, piece))

    def _note(self, done: _Done, ranks: RankHistogram, rest: list[Subtree]) -> list[Ticket]:
        self._done.append(done)
        self._undecided += len(done.undecided)
        self._histogram.merge(ranks)
        following = []
        for i, tree in enumerate(rest):
            following.append(Ticket((*done.path, i), self._next, tree))
            self._open[self._next] = following[-1]
            self._next += 1
        return following

    def _ordered(self) -> list[_Done]:
        return sorted(self._done, key=lambda done: done.path)

    def finish(self, *, timings: Mapping[str, float] | None = None) -> Run:
        """Give the shards their names in order, write the verdict and return the run.

        Parameters
        ----------
        timings : mapping, optional
            Seconds by stage.

        Raises
        ------
        RunError
            If tasks are open, or the disk is full or cannot be written.
        """
        if self._open:
            raise RunError(f"{len(self._open)} tasks of the run are open")
        return self._close("finished", timings=timings)

    def stop(self, limit: str, *, timings: Mapping[str, float] | None = None) -> Run:
        """End the run at a limit: partial, with what is open listed; the run as it is.

        Raises
        ------
        RunError
            If the disk is full or cannot be written.
        """
        self._manifest["limit"] = limit
        return self._close("stopped", timings=timings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._run is None:
                interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
                status: Status = "interrupted" if interrupted else "failed"
                named = error is not None and not interrupted
                self._close(status, error=f"{type(error).__name__}: {error}" if named else None)
        except RunError:
            if error is None:
                raise
            # the disk refused once more: the manifest still says "running", which is no verdict
            if self._directory is not None:
                self._run = Run.on_disk(self._entry("running"), self._directory)
        finally:
            if self._journal is not None:
                self._journal.close()

    def _close(
        self,
        status: Status,
        timings: Mapping[str, float] | None = None,
        error: str | None = None,
    ) -> Run:
        whole = status == "finished"
        if not whole:
            self._manifest["open"] = self._left_open()
        undecided = self.undecided
        if self._directory is None:
            for _, part in self._parts:
                self._histogram.merge(part.histogram)
            entry = self._entry(status, timings, error)
            batches = [batch for done in self._ordered() for batch in done.batches]
            batches += [batch for _, part in self._parts for batch in part.batches]
            table = pa.Table.from_batches(batches, schema=self._plan.schema)
            self._run = Run.in_memory(entry, table, undecided)
            return self._run
        with disk_errors(self._directory):
            if whole:
                self._name_in_order()
            else:
                self._write_parts()
            entry = self._entry(status, timings, error)
            if undecided:
                self._write_list(UNDECIDED_NAME, undecided)
            write_manifest(self._directory, entry)
            if whole and self._journal is not None:
                self._journal.close()
                (self._directory / JOURNAL_NAME).unlink(missing_ok=True)
        self._run = Run.on_disk(entry, self._directory)
        return self._run

    def _left_open(self) -> dict[str, Any]:
        """What is open, and how many regions there are at most."""
        plan = self._plan
        bound, cells = self._histogram.rows, 0
        for ticket in self._open.values():
            for cell in ticket.tree.cells:
                for text in prefixes_of(cell, plan.unit_start, plan.hyperplane):
                    bound += most_regions(text, plan.hyperplane, plan.chart.k)
                    cells += 1
        for text in self.undecided:
            bound += most_regions(text, plan.hyperplane, plan.chart.k)
        return {"tasks": len(self._open), "cells": cells, "regions_at_most": bound}

    def _write_parts(self) -> None:
        """Rows of unfinished tasks, and the cells that are open, for readers."""
        for ticket, part in self._parts:
            shard = part.shard or encoded(part.batches, self._plan.schema)
            self._write(self._root / REGIONS_NAME / f"open-{ticket.number:06d}.parquet", shard)
            self._histogram.merge(part.histogram)
        self._parts = []
        start, planes = self._plan.unit_start, self._plan.hyperplane
        cells = (cell for ticket in sorted(self._open.values()) for cell in ticket.tree.cells)
        self._write_list(
            OPEN_NAME, tuple(text for cell in cells for text in prefixes_of(cell, start, planes))
        )

    def _write_list(self, name: str, prefixes: tuple[str, ...]) -> None:
        self._write(self._root / name, prefix_list(self._plan.bits, prefixes).encode())

    def _name_in_order(self) -> None:
        """Give shards and parts of the proof their last names; again, if that was cut off."""
        shards: list[dict[str, Any]] = []
        parts: list[str] = []
        firsts: list[int] = []
        row = 0
        for done in self._ordered():
            if done.rows:
                name = f"{REGIONS_NAME}/part-{len(shards):06d}.parquet"
                self._rename(self._shard(done.number), self._root / name)
                shards.append({"file": name, "rows": done.rows})
            if done.segments:
                name = f"{PROOF_NAME}/part-{len(parts):06d}.bin.zst"
                self._rename(self._part(done.number), self._root / name)
                parts.append(name)
                firsts.append(row)
            row += done.rows
        for folder in (REGIONS_NAME, PROOF_NAME):
            sync_folder(self._root / folder)
        self._manifest["shards"] = shards
        if self._plan.proof:
            self._manifest["proof"] = {
                "version": 3,
                "parts": parts,
                "rows": firsts,
                "segments": sum(done.segments for done in self._done),
                "bytes": sum(done.log_bytes for done in self._done),
            }

    def _rename(self, before: Path, after: Path) -> None:
        try:
            before.replace(after)
        except FileNotFoundError:
            if not after.exists():
                raise

    def _entry(
        self,
        status: Status,
        timings: Mapping[str, float] | None = None,
        error: str | None = None,
    ) -> dict[str, Any]:
        finished, undecided = status == "finished", len(self.undecided)
        counts: dict[str, int] = {}
        for done in self._done:
            for name, n in done.counts.items():
                counts[name] = counts.get(name, 0) + n
        tests, pivots = counts.pop("tests", 0), counts.pop("pivots", 0)
        entry = {
            **self._manifest,
            "status": status,
            "certified": finished and not undecided,
            "error": error,
            "bits": self._plan.bits,
            "layers": self._plan.layers,
            "counts": {"regions": self._histogram.rows, "undecided": undecided},
            "rank_histogram": self._histogram.as_json(),
            "search": {"tests": tests, "pivots": pivots, "ladder": counts} if self._done else {},
            "timings": dict(timings or {}),
        }
        if finished and self._directory is not None:
            entry["content"] = self._content()
        if self._directory is not None and not finished:
            files = sorted((self._directory / REGIONS_NAME).glob("*.parquet"))
            entry["shards"] = [{"file": f"{REGIONS_NAME}/{file.name}"} for file in files]
        return entry

    def _content(self) -> str:
        """A hash of the rows of all shards in order, and of which rows a shard has."""
        digest = hashlib.blake2b(digest_size=32)
        for done in self._ordered():
            if done.rows:
                digest.update(f"{done.rows} {done.digest}\n".encode())
        return digest.hexdigest()

    def _write(self, file: Path, content: bytes) -> None:
        """Write a file durably, or not at all."""
        # drafts lie outside of the folders that other programs read as a whole
        write_whole(file, content, draft=self._root / f"{file.name}.partial")

    def _shard(self, number: int) -> Path:
        return self._root / REGIONS_NAME / f"task-{number:06d}.parquet"

    def _part(self, number: int) -> Path:
        return self._root / PROOF_NAME / f"task-{number:06d}.bin.zst"

    @property
    def _root(self) -> Path:
        if self._directory is None:
            raise AssertionError("a run in memory has no files")
        return self._directory
