"""Cost of a proof: writing it, its size per test, and checking it against certified enumeration.

Run ``python -m benchmarks.check [name ...]``; times are CPU seconds of one process, kernels
compiled beforehand. Measured on a busy two-core machine: writing costs 0-20 % of the time and 3-5
bytes per step; checking costs 5-9 times the enumeration on arrangements and one hidden layer, 13-15
times on three hidden layers, and 35 times on ACAS Xu 1_1, property 4 (300-bit rows, d = 5), which
is above the goal of 10. Random networks have float32 weights N(0, 1/fan-in) and biases N(0, 1/4).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import polyrank as pr
from polyrank.network.normal_form import Network
from polyrank.proof.check import check
from tests.families import FAMILIES


def random_network(seed: int, *widths: int) -> Network:
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(widths))
    weights = [(rng.normal(size=(b, a)) / np.sqrt(a)).astype(np.float32) for a, b in pairs]
    return Network.from_arrays(
        weights, [rng.normal(size=b, scale=0.5).astype(np.float32) for _, b in pairs]
    )


CASES: dict[str, Callable[[], tuple[Network, Any]]] = {
    "generic 2-32-32-32": lambda: (random_network(0, 2, 32, 32, 32, 1), pr.Box(-3, 3)),
    "generic 3-20-20-20": lambda: (random_network(1, 3, 20, 20, 20, 1), pr.Box(-2, 2)),
    "generic 4-30": lambda: (random_network(2, 4, 30, 1), None),
    "generic 5-12-12-12": lambda: (random_network(3, 5, 12, 12, 12, 1), pr.Box(-2, 2)),
    "generic 8-16-8": lambda: (random_network(4, 8, 16, 8, 1), pr.Box(-1, 1)),
    **{
        f"{name} {n}": lambda name=name, n=n: (FAMILIES[name].build(n).network(), None)
        for name, n in (("braid", 7), ("resonance", 5), ("threshold", 5), ("shi", 5), ("type B", 5))
        if name in FAMILIES and n in FAMILIES[name].regions
    },
}


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    found = action()
    return time.process_time() - started, found


def measure(name: str, folder: Path) -> None:
    net, domain = CASES[name]()
    plain, proved = folder / "plain", folder / "proved"
    pr.enumerate_regions(net, pr.Box(0, "1/1024"))  # compile
    once, run = timed(lambda: pr.enumerate_regions(net, domain, out=plain))
    again, _ = timed(lambda: pr.enumerate_regions(net, domain, out=proved, proof=True))
    checking, report = timed(lambda: check(proved))
    size = sum(p.stat().st_size for p in (proved / "proof").iterdir())
    raw = pr.open_run(proved).manifest["proof"]["bytes"]
    tests = max(1, report.tests)
    print(
        f"{name:20} {run.count:9,} regions {tests:10,} tests | enumerate {once:7.2f} s, "
        f"with proof x{again / once:4.2f}, check {checking:7.2f} s x{checking / once:5.1f} | "
        f"{once / run.count * 1e6:6.1f} and {checking / run.count * 1e6:6.1f} us/region, "
        f"check {checking / report.steps * 1e6:5.1f} us/step | "
        f"{raw / report.steps:4.1f} bytes/step, {size / report.steps:4.1f} compressed"
    )
    shutil.rmtree(plain)
    shutil.rmtree(proved)


def main() -> None:
    for name in sys.argv[1:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            measure(name, Path(folder))


if __name__ == "__main__":
    main()
