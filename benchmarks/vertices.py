"""Cells with vertices against dictionaries, and the whole complex: ``benchmarks/vertices.py``.

Processor time of one core, both engines by turns in one process; certificates and exact ranks
included. Every row's regions are compared by count between the engines.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.cases import CASES, Case, _he

LOW = [_he("2-16-16")] + [
    case for case in CASES if case.name.startswith(("2-", "3-", "HorizontalCAS"))
]


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _measure(case: Case, repeat: int) -> dict[str, Any]:
    import polyrank as pr
    from polyrank.cells.engine import Options
    from polyrank.cells.search import search
    from polyrank.cells.vertices.search import VertexSearch
    from polyrank.complex.build import cell_complex
    from polyrank.posed.chart import chart
    from polyrank.posed.problem import Problem

    tiny = pr.Network.from_arrays([[[1.0, 2.0, 0.5]], [[1.0]]], [[0.0], [1.0]])
    for engine in ("vertices", "dictionary"):
        pr.enumerate_regions(tiny, pr.Box(-1, 1), engine=engine)
    cell_complex(tiny, pr.Box(-1, 1))
    network, domain = case.make()
    where = chart(domain, network.input_dim)
    best = dict.fromkeys(("vertices", "dictionary"), float("inf"))
    found: dict[str, Any] = {}
    for _ in range(repeat):
        for engine in best:
            start = time.process_time()
            problem = Problem.of(network, where)
            found[engine] = search(problem, lambda batch: None, engine=engine, jobs=1)
            best[engine] = min(best[engine], time.process_time() - start)
    set_up = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        VertexSearch(Problem.of(network, where), lambda batch: None, Options())
        set_up = min(set_up, time.process_time() - start)
    before = _peak()
    start = time.process_time()
    cells = cell_complex(network, domain)
    seconds = time.process_time() - start
    ladder = dict(found["vertices"].ladder)
    return {
        "regions": found["vertices"].regions,
        "same": found["vertices"].regions == found["dictionary"].regions == cells.f_vector[-1],
        "vertices": best["vertices"],
        "dictionary": best["dictionary"],
        "set_up": set_up,
        "signs": ladder["signs"],
        "by_rationals": ladder["by_rationals"],
        "f_vector": cells.f_vector,
        "euler": cells.euler_characteristic,
        "complex": seconds,
        "bytes_per_cell": max(0.0, _peak() - before) / sum(cells.f_vector),
    }


_HEADS = [
    "case", "regions", "vertices, µs/region", "without set-up", "dictionary, µs/region", "faster",
    "regions/s", "published", "signs/region", "asked in rationals", "cells of all dimensions",
    "cells/s", "bytes/cell",
]  # fmt: skip


def _row(case: Case, r: dict[str, Any]) -> str:
    n = r["regions"]
    published = f"{case.published:,}" if case.published else "–"
    if case.edges:
        published += f" ({case.edges:,} edges)"
    cells = [
        case.name,
        f"{n:,}" + ("" if r["same"] and r["euler"] == 1 else " (DIFFERENT)"),
        f"{1e6 * r['vertices'] / n:.2f}",
        f"{1e6 * (r['vertices'] - r['set_up']) / n:.2f}",
        f"{1e6 * r['dictionary'] / n:.2f}",
        f"{r['dictionary'] / r['vertices']:.1f}×",
        f"{n / r['vertices']:,.0f}",
        published,
        f"{r['signs'] / n:.1f}",
        f"{r['by_rationals']:,}",
        " + ".join(f"{f:,}" for f in r["f_vector"]),
        f"{sum(r['f_vector']) / r['complex']:,.0f}",
        f"{r['bytes_per_cell']:,.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", metavar="CASE")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--worker")
    options = parser.parse_args()
    if options.worker:
        (case,) = (c for c in LOW if c.name == options.worker)
        print(json.dumps(_measure(case, options.repeat)))
        return
    print(f"| {' | '.join(_HEADS)} |\n|" + "---|" * len(_HEADS))
    for case in LOW:
        if options.only and case.name not in options.only:
            continue
        done = subprocess.run(
            [sys.executable, __file__, "--worker", case.name, "--repeat", str(options.repeat)],
            capture_output=True,
            text=True,
            check=True,
        )
        print(_row(case, json.loads(done.stdout)), flush=True)


if __name__ == "__main__":
    main()
