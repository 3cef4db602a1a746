"""Cost of a proof: writing it, its size, and checking it against certified enumeration.

Run ``python -m benchmarks.check [--markdown FILE] [name ...]``. Times are CPU seconds of one
process, the best of two. *enumerate* is the certified enumeration
without a proof, *with proof* the same run with its log; "check /" are the checker's times over
these two, *rows alone* its time for the run without a log over that of its enumeration. The engine
is the one that ``auto`` takes where the name does not say another. A step is
one decision of the log; *degenerate* cases (every vertex on many hyperplanes, all touching cases at
sup = 0) stand beside generic ones of the same kind.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polyrank as pr
from benchmarks.cases import CASES as NETWORKS
from benchmarks.cases import he
from polyrank.network.normal_form import Network
from polyrank.proof.check import check
from tests.families import FAMILIES

_HEAD = (
    "case", "kind", "regions", "steps/region", "enumerate µs/region", "with proof",
    "check µs/region",
    "check / enumerate", "check / with proof", "rows alone",
    "check µs/step", "bytes/step", "compressed",
)  # fmt: skip
_DEGENERATE = ("resonance", "braid", "type_b", "shi", "threshold")


def _family(name: str, n: int) -> Callable[[], tuple[Network, Any]]:
    return lambda: (FAMILIES[name].build(n).network(), None)


CASES: dict[str, Callable[[], tuple[Network, Any]]] = {
    **{
        case.name: case.make
        for case in NETWORKS
        if (case.needs is None or case.needs.exists())
        and case.name not in ("4-32-32", "6-16-16", "resonance 6 on R^6", "10-16")
    },
    "2-256-1": lambda: (he([2, 256, 1]), pr.Box(-1, 1)),
    "2-256-256-1": lambda: (he([2, 256, 256, 1]), pr.Box(-1, 1)),
    "2-32-32-32 on R^2": lambda: (he([2, 32, 32, 32, 1]), None),
    "5-12-12-12": lambda: (he([5, 12, 12, 12, 1]), pr.Box(-1, 1)),
    **{
        f"{name} {n}": _family(name, n)
        for name, n in (("braid", 6), ("type_b", 6), ("shi", 5), ("threshold_functions", 4))
    },
}


def _timed(action: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    found = action()
    return time.process_time() - started, found


def measure(name: str, engine: str, folder: Path) -> list[str]:
    """One row of the table."""
    net, domain = CASES[name]()
    file = folder / "net.json"
    pr.save(net, file)
    net = pr.load(file)
    once = again = checking = alone = float("inf")
    for turn in range(2):
        plain, proved = folder / f"plain{turn}", folder / f"proved{turn}"
        options: dict[str, Any] = {"engine": engine}
        seconds, run = _timed(lambda: pr.enumerate_regions(net, domain, out=plain, **options))  # noqa: B023
        once = min(once, seconds)
        options["proof"] = True
        seconds, _ = _timed(lambda: pr.enumerate_regions(net, domain, out=proved, **options))  # noqa: B023
        again = min(again, seconds)
        seconds, report = _timed(lambda: check(proved))  # noqa: B023
        checking = min(checking, seconds)
        seconds, _ = _timed(lambda: check(plain, network=file))  # noqa: B023
        alone = min(alone, seconds)
        size = sum(p.stat().st_size for p in (proved / "proof").iterdir())
        raw = pr.open_run(proved).manifest["proof"]["bytes"]
        shutil.rmtree(plain)
        shutil.rmtree(proved)
    n = run.count
    kind = "degenerate" if name.startswith(_DEGENERATE) else "generic"
    return [
        name if engine == "auto" else f"{name}, {engine}",
        kind,
        f"{n:,}",
        f"{report.steps / n:.1f}",
        f"{once / n * 1e6:.1f}",
        f"×{again / once:.2f}",
        f"{checking / n * 1e6:.1f}",
        f"×{checking / once:.1f}",
        f"×{checking / again:.1f}",
        f"×{alone / once:.1f}",
        f"{checking / report.steps * 1e6:.1f}",
        f"{raw / report.steps:.1f}",
        f"{size / report.steps:.1f}",
    ]


def main() -> None:
    """Print the table, row by row; ``--markdown`` also writes it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    for engine in ("auto", "dictionary"):  # load
        pr.enumerate_regions(he([2, 3, 1]), pr.Box(0, "1/1024"), engine=engine)
    lines = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    print("\n".join(lines))
    for name in given.names or CASES:
        with tempfile.TemporaryDirectory() as folder:
            row = measure(name, given.engine, Path(folder))
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], flush=True)
    if given.markdown:
        given.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
