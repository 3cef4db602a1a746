"""Certified enumeration against an uncertified search that does nothing but count, in one run.

    python benchmarks/yardstick.py path/to/search.cpp [--cases 4-16-16 8-20] [--repeat 5]

The yardstick is a plain dictionary search in C++ (one file, ``count_regions``) that proves nothing,
computes no rank and stores nothing. It is not part of this repository: name its source, or set
POLYRANK_YARDSTICK. It is compiled with the c++ on PATH. Prints processor time per region of both
on one core (best of the repeats, taken in turn) and the ratio; exits with 1 where the counts
differ. Networks: He-initialised as in ``cases.py``, on the box [−1, 1]^d.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from cases import he

import polyrank as pr

CASES = [
    "2-32-32-32", "2-64-64-64", "3-16-16", "3-32-32", "4-16-16", "4-32-32", "5-20", "6-16-16",
    "8-20", "10-16",
]  # fmt: skip
FLAGS = ["-O3", "-march=native", "-ffp-contract=off", "-std=c++17", "-shared", "-fPIC"]


def _compiled(source: Path, folder: Path) -> Any:
    target = folder / "yardstick.so"
    subprocess.run(["c++", *FLAGS, str(source), "-o", str(target)], check=True)
    return ctypes.CDLL(str(target)).count_regions


def _padded(network: pr.Network, widths: list[int]) -> tuple[Any, Any]:
    """Weights and biases of the hidden layers, padded to the widest layer."""
    layers, widest = len(widths) - 1, max(widths)
    weights, biases = np.zeros((layers, widest, widest)), np.zeros((layers, widest))
    for k, (fan_in, units) in enumerate(itertools.pairwise(widths)):
        weights[k, :units, :fan_in] = network.layers[k].weight.approx
        biases[k, :units] = network.layers[k].bias.approx
    return weights, biases


def _pointer(values: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(values.ctypes.data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", default=os.environ.get("POLYRANK_YARDSTICK"))
    parser.add_argument("--cases", nargs="*", default=CASES)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    if options.source is None or not Path(options.source).is_file():
        print("skipped: the yardstick's source is not here; name it or set POLYRANK_YARDSTICK")
        return 0
    worst, differ = 0.0, False
    with tempfile.TemporaryDirectory() as folder:
        count = _compiled(Path(options.source), Path(folder))
        for name in options.cases:
            widths = [int(w) for w in name.split("-")]
            network, box = he([*widths, 1]), pr.Box(-1, 1)
            weights, biases = _padded(network, widths)
            sizes, found = np.array(widths, np.int32), np.zeros(3, np.int64)
            ours = theirs = float("inf")
            pr.enumerate_regions(network, box)
            for _ in range(options.repeat):
                start = time.process_time()
                run = pr.enumerate_regions(network, box)
                ours = min(ours, time.process_time() - start)
                start = time.process_time()
                count(
                    widths[0], len(widths) - 1, _pointer(sizes), max(widths), _pointer(weights),
                    _pointer(biases), ctypes.c_double(-1), ctypes.c_double(1), _pointer(found),
                )  # fmt: skip
                theirs = min(theirs, time.process_time() - start)
            regions = int(found[0])
            agree = regions == run.count
            differ = differ or not agree
            worst = max(worst, ours / theirs)
            print(
                f"{name:>12}  {run.count:>9,} regions  polyrank {1e6 * ours / run.count:5.2f} µs"
                f"  yardstick {1e6 * theirs / regions:5.2f} µs  ratio {ours / theirs:5.2f}"
                + ("" if agree else f"  COUNTS DIFFER: {regions:,}"),
                flush=True,
            )
    print(f"worst ratio {worst:.2f}")
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
