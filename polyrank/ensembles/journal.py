"""Rows on disk while they are found: a journal beside the table, from which a run goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from polyrank.errors import RunError
from polyrank.regions.directory import disk_errors

__all__ = ["Journal", "remove_table"]

_KEY = b"polyrank_ensemble"


@dataclass(slots=True)
class Journal:
    """A Parquet file to be, and ``<file>.rows`` with one JSON object per line until then.

    A process that is killed leaves the journal, of which a last line that is cut off is dropped.
    """

    path: Path | None
    definition: Mapping[str, Any]
    schema: pa.Schema
    rows: list[dict[str, Any]] = field(default_factory=list)
    _file: TextIO | None = None

    @classmethod
    def open(
        cls,
        output: str | Path | None,
        definition: Mapping[str, Any],
        schema: pa.Schema,
        *,
        resume: bool,
    ) -> Journal:
        """Start, or go on with what is there.

        Raises
        ------
        RunError
            If there is something already (and ``resume`` is not set), it is of another definition,
            it cannot be read, or it cannot be written.
        """
        if output is None:
            return cls(None, definition, schema)
        path = Path(output)
        if path.suffix != ".parquet":
            raise RunError(f"{path}: the table is written as .parquet")
        journal = cls(path, definition, schema)
        lines = journal._lines_path
        for part in (path, lines):
            if part.exists() and not resume:
                raise RunError(
                    f"{part} exists already; --resume goes on with it, or name another file"
                )
        if path.exists():
            journal._read_table(path)
        if lines.exists():
            journal._read_lines(lines)
        with disk_errors(path):
            # a process that is killed here leaves the journal that was there
            fresh = lines.with_name(lines.name + ".new")
            entries = [{"definition": definition}, *journal.rows]
            fresh.write_text("".join(map(_line, entries)), encoding="utf-8")
            fresh.replace(lines)
            journal._file = lines.open("a", encoding="utf-8")
        return journal

    @property
    def _lines_path(self) -> Path:
        path = Path(str(self.path))
        return path.with_name(path.name + ".rows")

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep one more row."""
        if self.path is not None:
            with disk_errors(self.path):
                self._write(row)

    def finish(self, table: pa.Table) -> None:
        """Write the table, of all rows or of those that there are, and drop the journal."""
        if self.path is None:
            return
        text = json.dumps(self.definition, sort_keys=True)
        fresh = self.path.with_name(self.path.name + ".new")
        with disk_errors(self.path):
            kept = table.replace_schema_metadata({_KEY: text.encode()})
            pq.write_table(kept, fresh, compression="zstd")
            fresh.replace(self.path)
            self.close()
            self._lines_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file of lines, which stays where it is."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, entry: Mapping[str, Any]) -> None:
        if self._file is not None:
            self._file.write(_line(entry))
            self._file.flush()

    def _read_table(self, path: Path) -> None:
        try:
            table = pq.read_table(path)
        except (pa.ArrowException, OSError) as problem:
            raise RunError(f"{path} is no table of an ensemble: {problem}") from None
        metadata = table.schema.metadata or {}
        self._same(metadata.get(_KEY, b"").decode(), path)
        self.rows += table.to_pylist()

    def _read_lines(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8", errors="replace")
        entries = []
        for line in text.split("\n"):
            try:
                entries.append(json.loads(line))
            except ValueError:  # the last line of a process that was killed
                break
        if not entries or not isinstance(entries[0], dict):
            return
        self._same(json.dumps(entries[0].get("definition"), sort_keys=True), path)
        names = set(self.schema.names)
        known = {row["network"] for row in self.rows}
        for row in entries[1:]:
            if isinstance(row, dict) and set(row) == names and row["network"] not in known:
                self.rows.append(row)
                known.add(row["network"])

    def _same(self, text: str, path: Path) -> None:
        if text != json.dumps(self.definition, sort_keys=True):
            raise RunError(
                f"{path} is of another ensemble (other networks, domain, measures or limits); "
                "name another file"
            )


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry) + "\n"


def remove_table(path: Path) -> None:
    """Remove a table and the journal of one that was left.

    Raises
    ------
    RunError
        If it is no ``.parquet`` file, or cannot be removed.
    """
    if path.suffix != ".parquet":
        raise RunError(f"{path}: the table is written as .parquet")
    with disk_errors(path):
        for part in (path, path.with_name(path.name + ".rows")):
            part.unlink(missing_ok=True)
