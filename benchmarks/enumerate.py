"""Certified enumeration, measured: one core, certificates and exact ranks included.

    python benchmarks/enumerate.py                      # every case
    python benchmarks/enumerate.py --only 3-16-16 5-20 --repeat 5
    python benchmarks/enumerate.py --markdown results.md --json results.json

Every case runs in processes of its own, after a warm-up that loads the compiled kernels:

search       the search alone, regions counted and dropped; processor time, best of the repeats
write        the same into a run directory on disk (Parquet, zstd); processor time
uncertified  a copy of the package in which a float optimum counts as a proof, minors are not
             verified and no rank is computed; interior points are still checked
record       the same search as plain Python, which writes down the first tests that it makes, so
             that scipy's linprog and a warm-started HiGHS can be timed on those very tests
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from cases import CASES, ROOT, Case

RECORDED = 300


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
    from polyrank.cells.chart import chart
    from polyrank.cells.search import search

    _warm_up()
    network, domain = _case(name).make()
    where = chart(domain, network.input_dim)
    before = _peak_mb()
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        found = search(network, where, sink=lambda batch: None, engine="dictionary")
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


def _record(name: str, target: str) -> dict[str, Any]:
    """Run as plain Python (NUMBA_DISABLE_JIT=1) and keep the rows and objectives of tests."""
    from polyrank.cells import kernel
    from polyrank.cells.chart import chart
    from polyrank.cells.search import search

    class Enough(Exception):
        pass

    network, domain = _case(name).make()
    where = chart(domain, network.input_dim)
    seen: list[Any] = []
    original = kernel.emptiness_test

    def recording(
        net: Any, work: Any, k: int, rows: int, i: int, side: int, base: int, last: int, fresh: bool
    ) -> Any:
        objective = side * work.rows[net.unit_start[k] + i]
        seen.append((work.table[:rows].copy(), objective.copy()))
        if len(seen) >= 20 * RECORDED:
            raise Enough
        return original(net, work, k, rows, i, side, base, last, fresh)

    kernel.emptiness_test = recording
    try:
        search(network, where, sink=lambda batch: None, engine="dictionary")
    except Enough:
        pass
    picked = np.random.default_rng(0).permutation(len(seen))[:RECORDED]
    np.savez(
        target,
        **{f"rows{j}": seen[i][0] for j, i in enumerate(picked)},
        **{f"goal{j}": seen[i][1] for j, i in enumerate(picked)},
    )
    return {"tests": len(picked)}


def _solvers(source: str) -> dict[str, float]:
    """Seconds per test of linprog and of a HiGHS model that is changed and solved again."""
    import highspy
    from scipy.optimize import linprog

    data = np.load(source)
    count = sum(1 for key in data if key.startswith("rows"))
    tests = [(data[f"rows{j}"], data[f"goal{j}"]) for j in range(count)]
    start = time.process_time()
    for rows, goal in tests:
        linprog(goal[:-1], A_ub=-rows[:, :-1], b_ub=rows[:, -1], bounds=(-1, 1), method="highs")
    by_linprog = (time.process_time() - start) / count
    solver = highspy.Highs()
    solver.silent()
    solver.setOptionValue("presolve", "off")
    solver.setOptionValue("threads", 1)
    d = len(tests[0][1]) - 1
    for _ in range(d):
        solver.addVar(-1.0, 1.0)
    held = 0
    start = time.process_time()
    for rows, goal in tests:
        # keep the rows that the model shares with this test, as a depth-first search would
        if held:
            solver.deleteRows(held, np.arange(held, dtype=np.int32))
        m = len(rows)
        solver.addRows(
            m, -rows[:, -1], np.full(m, highspy.kHighsInf), m * d,
            np.arange(0, m * d, d, dtype=np.int32), np.tile(np.arange(d, dtype=np.int32), m),
            np.ascontiguousarray(rows[:, :-1]).ravel(),
        )  # fmt: skip
        held = m
        solver.changeColsCost(d, np.arange(d, dtype=np.int32), goal[:-1].copy())
        solver.run()
    by_highs = (time.process_time() - start) / count
    # warm start alone: the same rows, another objective
    rows, _ = tests[-1]
    start = time.process_time()
    for _, goal in tests:
        solver.changeColsCost(d, np.arange(d, dtype=np.int32), goal[:-1].copy())
        solver.run()
    warm = (time.process_time() - start) / count
    return {"linprog": by_linprog, "highs": by_highs, "highs_warm": warm}


def _uncertified_copy(folder: Path) -> Path:
    """The package with the proofs taken out."""
    target = folder / "uncertified"
    shutil.copytree(
        ROOT / "polyrank", target / "polyrank", ignore=shutil.ignore_patterns("__pycache__")
    )
    certify = target / "polyrank" / "lp" / "certify.py"
    certify.write_text(
        certify.read_text()
        + """

@kernel
def by_residual(table, radius, basis, rates, objective, objective_radius):
    c = objective[objective.shape[0] - 1]
    for q in range(basis.shape[0]):
        if rates[q] > 0.0 and basis[q] >= 0:
            c -= rates[q] * table[basis[q], objective.shape[0] - 1]
    return c >= -1e-9
"""
    )
    layers = target / "polyrank" / "cells" / "layers.py"
    layers.write_text(
        layers.read_text()
        + """

@inner
def region_rank(net, work, k):
    work.layer_rank[k] = 0
    work.layer_bound[k] = net.linear_columns
"""
    )
    return target


def _child(arguments: list[str], **environment: str) -> dict[str, Any]:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **environment}
    done = subprocess.run(
        [sys.executable, __file__, *arguments], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _measure(case: Case, repeat: int, uncertified: Path, folder: Path) -> dict[str, Any]:
    here = str(ROOT)
    found = _child(
        ["--worker", "search", "--only", case.name, "--repeat", str(repeat)], PYTHONPATH=here
    )
    bare = _child(
        ["--worker", "search", "--only", case.name, "--repeat", str(repeat)],
        PYTHONPATH=str(uncertified),
    )
    again = _child(
        ["--worker", "search", "--only", case.name, "--repeat", str(repeat)], PYTHONPATH=here
    )
    found["seconds"] = min(found["seconds"], again["seconds"])
    found["bare_seconds"] = bare["seconds"]
    found["bare_regions"] = bare["regions"]
    found["write"] = _child(
        ["--worker", "write", "--only", case.name, "--repeat", "1"], PYTHONPATH=here
    )
    record = folder / "tests.npz"
    _child(
        ["--worker", "record", "--only", case.name, "--target", str(record)],
        PYTHONPATH=here,
        NUMBA_DISABLE_JIT="1",
    )
    found["solvers"] = _child(["--worker", "solvers", "--target", str(record)], PYTHONPATH=here)
    return found


_HEADS = [
    "case", "regions", "µs/region", "regions/s", "published", "tests/region", "pivots/test",
    "µs/test", "certified / uncertified", "linprog / test", "warm HiGHS / test", "with run on disk",
    "peak MB",
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
        f"{r['seconds'] / r['bare_seconds']:.2f}",
        f"{r['solvers']['linprog'] / test:,.0f}×",
        f"{r['solvers']['highs_warm'] / test:,.0f}×",
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
    parser.add_argument("--worker", choices=["search", "write", "record", "solvers"])
    parser.add_argument("--target")
    options = parser.parse_args()
    if options.worker:
        name = options.only[0] if options.only else ""
        answer: Any = {
            "search": lambda: _search(name, options.repeat),
            "write": lambda: _write(name, options.repeat),
            "record": lambda: _record(name, options.target),
            "solvers": lambda: _solvers(options.target),
        }[options.worker]()
        print(json.dumps(answer))
        return
    results: list[tuple[Case, dict[str, Any]]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uncertified = _uncertified_copy(folder)
        for case in CASES:
            if options.only and case.name not in options.only:
                continue
            if case.needs is not None and not case.needs.exists():
                print(f"skipped {case.name}: its data are not there", file=sys.stderr)
                continue
            results.append((case, _measure(case, options.repeat, uncertified, folder)))
            print(" | ".join(_row(*results[-1])), file=sys.stderr, flush=True)
    text = _markdown(results)
    print(text)
    if options.markdown:
        options.markdown.write_text(text)
    if options.json:
        options.json.write_text(json.dumps([[c.name, r] for c, r in results], indent=1))


if __name__ == "__main__":
    main()
