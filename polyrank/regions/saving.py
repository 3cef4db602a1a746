"""Writes a run that was kept in memory to a directory, as if it had been streamed there."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from polyrank.errors import RunError
from polyrank.regions.directory import new_directory
from polyrank.regions.manifest import REGIONS_NAME, write_manifest
from polyrank.regions.run import UNDECIDED_NAME, Run

__all__ = ["save_run"]

_ROWS_PER_GROUP = 65_536


def save_run(run: Run, path: str | Path) -> Run:
    """Write a run to a new directory, for :func:`polyrank.regions.run.open_run`.

    Raises
    ------
    RunError
        If the run lies in a directory already, or the new one exists or cannot be written.
    """
    if run.path is not None:
        raise RunError(f"the run lies in {run.path}; copy that directory")
    file = f"{REGIONS_NAME}/part-000000.parquet"
    with new_directory(path) as directory:
        (directory / REGIONS_NAME).mkdir()
        if run.count:
            with pq.ParquetWriter(directory / file, run.schema, compression="zstd") as writer:
                for batch in run.batches():
                    writer.write_batch(batch, row_group_size=_ROWS_PER_GROUP)
        if run.undecided_prefixes:
            text = json.dumps({"bits": run.bits, "prefixes": run.undecided_prefixes}, indent=1)
            (directory / UNDECIDED_NAME).write_text(text + "\n", encoding="utf-8")
        shards = [{"file": file, "rows": run.count}] if run.count else []
        entry = {**run.manifest, "shards": shards}
        write_manifest(directory, entry)
    return Run.on_disk(entry, directory)
