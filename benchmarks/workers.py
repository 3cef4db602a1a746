"""What the journal and the shards of a run cost, and what more workers gain, in one run.

Run from the checkout: ``python -m benchmarks.workers [--case D-N-N] [--repeat N]``. He-initialised
networks as in ``cases.py``. Every row is the best of the repeats, by the clock; take a machine with
nothing else to do and two cores. The rows:

memory    one thread, the table in memory, one search without tasks, then written to disk at once
disk      one thread, tasks, shards and the journal
disk x 2  the same with two threads
Dask x 2  two worker processes of one thread on loopback, which write the shards into the run's
          directory; the cluster was started, and has worked, before
Dask x 2, sent back   the same without the directory: the shards go through the scheduler

``memory`` and ``disk`` differ by the journal, ``fsync``, the hash of the rows, one Parquet file for
each task instead of one, and the cells that tasks leave for others. Content hashes are compared.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polyrank as pr
from benchmarks.cases import he
from polyrank.regions import enumerate as enumerate_module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", default="6-22-22")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--no-dask", action="store_true")
    given = parser.parse_args()
    network = he([*map(int, given.case.split("-")), 1])
    box = pr.Box(-1, 1)
    hashes = set()

    def in_memory(out: Path) -> int:
        run = pr.enumerate_regions(network, box, jobs=1)
        run.save(out)
        return run.count

    def on_disk(**how: Any) -> Callable[[Path], int]:
        def work(out: Path) -> int:
            run = pr.enumerate_regions(network, box, out=out, **how)
            assert run.certified
            hashes.add(run.manifest["content"])
            return run.count

        return work

    def measured(name: str, work: Callable[[Path], int], base: float | None) -> float:
        best, count = float("inf"), 0
        for _ in range(given.repeat):
            with tempfile.TemporaryDirectory() as folder:
                begun = time.perf_counter()
                count = work(Path(folder) / "run")
                best = min(best, time.perf_counter() - begun)
        ratio = "" if base is None else f"{base / best:.2f}"
        print(f"| {name} | {count:,} | {best:.1f} | {ratio} |", flush=True)
        return best

    in_memory_first = pr.enumerate_regions(he([3, 16, 16, 1]), box, jobs=1)  # loads what is needed
    assert in_memory_first.certified
    print(f"{given.case}\n\n| how | regions | s | of disk |\n|---|---|---|---|")
    memory = measured("memory", in_memory, None)
    disk = measured("disk", on_disk(jobs=1), None)
    measured("disk x 2", on_disk(jobs=2), disk)
    if not given.no_dask:
        import distributed

        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster:
            address = cluster.scheduler_address
            pr.enumerate_regions(he([3, 16, 16, 1]), box, cluster=address)
            measured("Dask x 2", on_disk(cluster=address), disk)
            whole = enumerate_module.incoming
            enumerate_module.incoming = lambda _: contextlib.nullcontext(None)
            measured("Dask x 2, sent back", on_disk(cluster=address), disk)
            enumerate_module.incoming = whole
    assert len(hashes) == 1
    print(f"\njournal, shards and tasks: {100 * (disk / memory - 1):+.1f} % of {memory:.1f} s")


if __name__ == "__main__":
    main()
