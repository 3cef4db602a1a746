"""Certified enumeration, measured: one core, certificates and exact ranks included.

    python benchmarks/enumerate.py                      # every case
    python benchmarks/enumerate.py --only 3-16-16 5-20 --repeat 5
    python benchmarks/enumerate.py --markdown results.md --json results.json

Every case runs in processes of its own, after a warm-up that loads the core:

search       the search alone, regions counted and dropped; processor time, best of the repeats
write        the same into a run directory on disk (Parquet, zstd); processor time

Against an uncertified search and against linear-program solvers: ``yardstick.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cases import CASES, ROOT, Case


def _case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _warm_up() -> None:
    import polyrank as pr

    pr.enumerate_regions(
        pr.Network.from_arrays([[[1.0, 2.0]], [[1.0]]], [[0.0], [1.0]]), engine="dictionary"
    )


def _search(name: str, repeat: int) -> dict[str, Any]:
    from polyrank.cells.search import search
    from polyrank.posed.chart import chart
    from polyrank.posed.problem import Problem

    _warm_up()
    network, domain = _case(name).make()
    where = chart(domain, network.input_dim)
    before = _peak_mb()
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        found = search(Problem.of(network, where), lambda batch: None, engine="dictionary")
        best = min(best, time.process_time() - start)
    return {
        "regions": found.regions,
        "certified": found.certified,
        "tests": found.tests,
        "pivots": found.pivots,
        "ladder": dict(found.ladder),
        "seconds": best,
        "peak_mb": _peak_mb(),
        "increment_mb": _peak_mb() - before,
        "dim": where.k,
    }


def _write(name: str, repeat: int) -> dict[str, Any]:
    import polyrank as pr

    _warm_up()
    network, domain = _case(name).make()
    best = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        for i in range(repeat):
            start = time.process_time()
            pr.enumerate_regions(network, domain, out=Path(folder) / f"run{i}", engine="dictionary")
            best = min(best, time.process_time() - start)
        size = sum(f.stat().st_size for f in (Path(folder) / "run0").rglob("*") if f.is_file())
    return {"seconds": best, "peak_mb": _peak_mb(), "bytes": size}


def _child(arguments: list[str], **environment: str) -> dict[str, Any]:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **environment}
    done = subprocess.run(
        [sys.executable, __file__, *arguments], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _measure(case: Case, repeat: int) -> dict[str, Any]:
    here = str(ROOT)
    found = _child(
        ["--worker", "search", "--only", case.name, "--repeat", str(repeat)], PYTHONPATH=here
    )
    again = _child(
        ["--worker", "search", "--only", case.name, "--repeat", str(repeat)], PYTHONPATH=here
    )
    found["seconds"] = min(found["seconds"], again["seconds"])
    found["write"] = _child(
        ["--worker", "write", "--only", case.name, "--repeat", "1"], PYTHONPATH=here
    )
    return found


_HEADS = [
    "case", "regions", "µs/region", "regions/s", "published", "tests/region", "pivots/test",
    "µs/test", "with run on disk", "peak MB",
]  # fmt: skip


def _row(case: Case, r: dict[str, Any]) -> list[str]:
    n, tests = r["regions"], max(1, r["tests"])
    each, test = r["seconds"] / n, r["seconds"] / tests
    published = f"{case.published:,}" if case.published else "–"
    if case.edges:
        published += f" ({case.edges:,} edges)"
    return [
        case.name,
        f"{n:,}" + ("" if r["certified"] else " (NOT certified)"),
        f"{1e6 * each:.2f}",
        f"{1 / each:,.0f}",
        published,
        f"{r['tests'] / n:.2f}",
        f"{r['pivots'] / tests:.2f}",
        f"{1e6 * test:.2f}",
        f"{1e6 * r['write']['seconds'] / n:.2f} µs/region",
        f"{r['peak_mb']:.0f} (+{r['increment_mb']:.0f})",
    ]


_RUNGS = [
    "by_points", "by_vertex", "by_interval", "by_structure", "by_residual", "by_enclosure",
    "by_integers", "by_rationals", "cuts",
]  # fmt: skip


def _markdown(results: list[tuple[Case, dict[str, Any]]]) -> str:
    lines = [f"| {' | '.join(_HEADS)} |", "|" + "---|" * len(_HEADS)]
    lines += [f"| {' | '.join(_row(case, r))} |" for case, r in results]
    lines += ["", "Share of the decisions by each rung:", ""]
    lines += [f"| case | {' | '.join(_RUNGS)} |", "|" + "---|" * (len(_RUNGS) + 1)]
    for case, r in results:
        total = sum(r["ladder"].get(rung, 0) for rung in _RUNGS) or 1
        shares = [f"{100 * r['ladder'].get(rung, 0) / total:.2f} %" for rung in _RUNGS]
        lines.append(f"| {case.name} | {' | '.join(shares)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", metavar="CASE")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--worker", choices=["search", "write"])
    options = parser.parse_args()
    if options.worker:
        name = options.only[0] if options.only else ""
        work = _search if options.worker == "search" else _write
        answer = work(name, options.repeat)
        print(json.dumps(answer))
        return
    results: list[tuple[Case, dict[str, Any]]] = []
    for case in CASES:
        if options.only and case.name not in options.only:
            continue
        if case.needs is not None and not case.needs.exists():
            print(f"skipped {case.name}: its data are not there", file=sys.stderr)
            continue
        results.append((case, _measure(case, options.repeat)))
        print(" | ".join(_row(*results[-1])), file=sys.stderr, flush=True)
    text = _markdown(results)
    print(text)
    if options.markdown:
        options.markdown.write_text(text)
    if options.json:
        options.json.write_text(json.dumps([[c.name, r] for c, r in results], indent=1))


if __name__ == "__main__":
    main()
