"""Writes a run that was kept in memory to a directory, as if it had been streamed there."""

from __future__ import annotations

from pathlib import Path

from polyrank.errors import RunError
from polyrank.regions.directory import new_directory
from polyrank.regions.manifest import REGIONS_NAME, write_manifest
from polyrank.regions.pieces import write_shard
from polyrank.regions.run import UNDECIDED_NAME, Run, prefix_list

__all__ = ["save_run"]


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
            write_shard(directory / file, run.batches(), run.schema)
        if run.undecided_prefixes:
            text = prefix_list(run.bits, run.undecided_prefixes)
            (directory / UNDECIDED_NAME).write_text(text, encoding="utf-8")
        shards = [{"file": file, "rows": run.count}] if run.count else []
        entry = {**run.manifest, "shards": shards}
        write_manifest(directory, entry)
    return Run.on_disk(entry, directory)
