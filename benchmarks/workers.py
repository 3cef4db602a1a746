"""What the journal and the shards of a run cost, and what more workers gain, in one run.

Run from the checkout: ``python -m benchmarks.workers [--case D-N-N] [--repeat N]``. He-initialised
networks as in ``cases.py``. Every row is the best of the repeats, which are made in turn; take a
machine with nothing else to do and two cores; "processor s" are those of this process, which say
more on another machine. The rows:

memory    one thread, the table in memory, one search without tasks
one file  the same, then written as one Parquet file, and the rows hashed as those of shards are
disk      one thread, tasks, shards and the journal
disk x 2  the same with two threads
Dask x 2  two worker processes of one thread on loopback, which write the shards into the run's
          directory; the cluster was started, and has worked, before
Dask x 2, sent back   the same without the directory: the shards go through the scheduler

``one file`` and ``disk`` write and hash the same rows: they differ by the journal, ``fsync``, one
Parquet file for each task instead of one, and the cells that tasks leave for others. That is what
journal and shards cost; of ``memory`` and ``one file`` it is Parquet and the hash. Content hashes
are compared.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import polyrank as pr
from benchmarks.cases import he
from polyrank.regions import enumerate as enumerate_module
from polyrank.regions.cluster import local_cluster
from polyrank.regions.schema import fixed_binary_rows, numbers


class Taken(NamedTuple):
    """What a run took: by the clock, and of this process."""

    seconds: float
    busy: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", default="6-22-22")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--no-dask", action="store_true")
    given = parser.parse_args()
    network = he([*map(int, given.case.split("-")), 1])
    box = pr.Box(-1, 1)
    hashes, counts = set(), set()

    def in_memory(_: Path) -> int:
        return pr.enumerate_regions(network, box, jobs=1).count

    def in_one_file(out: Path) -> int:
        run = pr.enumerate_regions(network, box, jobs=1)
        run.save(out)
        digest = [hashlib.blake2b(digest_size=32) for _ in range(4)]
        for batch in run.batches():
            ranks = np.stack([numbers(batch.column(f"rank_{k + 1}")) for k in range(run.layers)], 1)
            rows = (
                fixed_binary_rows(batch.column("codeword")),
                fixed_binary_rows(batch.column("zero")),
                ranks,
                numbers(batch.column("witness").flatten()),
            )
            for column, part in zip(digest, rows, strict=True):
                column.update(part.tobytes())
        return run.count

    def on_disk(**how: Any) -> Callable[[Path], int]:
        def work(out: Path) -> int:
            run = pr.enumerate_regions(network, box, out=out, **how)
            assert run.certified
            hashes.add(run.manifest["content"])
            return run.count

        return work

    def measured(ways: dict[str, Callable[[Path], int]]) -> dict[str, Taken]:
        """The least of the repeats of each, in turn, so that a slow minute is nobody's alone."""
        best = dict.fromkeys(ways, Taken(float("inf"), float("inf")))
        for _ in range(given.repeat):
            for name, work in ways.items():
                with tempfile.TemporaryDirectory() as folder:
                    begun, busy = time.perf_counter(), time.process_time()
                    counts.add(work(Path(folder) / "run"))
                    taken = Taken(time.perf_counter() - begun, time.process_time() - busy)
                    best[name] = Taken(*map(min, best[name], taken))
        return best

    first = pr.enumerate_regions(he([3, 16, 16, 1]), box, jobs=1)  # loads what is needed
    assert first.certified
    best = measured(
        {
            "memory": in_memory,
            "one file": in_one_file,
            "disk": on_disk(jobs=1),
            "disk x 2": on_disk(jobs=2),
        }
    )
    if not given.no_dask:
        with local_cluster(2) as cluster:
            address = cluster.scheduler_address
            pr.enumerate_regions(he([3, 16, 16, 1]), box, cluster=address)
            best |= measured({"Dask x 2": on_disk(cluster=address)})
            whole = enumerate_module.incoming
            enumerate_module.incoming = lambda _: contextlib.nullcontext(None)
            best |= measured({"Dask x 2, sent back": on_disk(cluster=address)})
            enumerate_module.incoming = whole
    (_,), (regions,) = hashes, counts
    print(f"{given.case}, {regions:,} regions\n\n| how | s | processor s | of disk |")
    print("|---|---|---|---|")
    for name, taken in best.items():
        ratio = best["disk"].seconds / taken.seconds
        print(f"| {name} | {taken.seconds:.1f} | {taken.busy:.2f} | {ratio:.2f} |")
    print()
    for what, less, more in (
        ("Parquet and hash", best["memory"], best["one file"]),
        ("journal, shards and tasks", best["one file"], best["disk"]),
    ):
        wall, busy = (100 * (m / n - 1) for m, n in zip(more, less, strict=True))
        print(f"{what}: {wall:+.1f} % by the clock, {busy:+.1f} % of processor time")


if __name__ == "__main__":
    main()
