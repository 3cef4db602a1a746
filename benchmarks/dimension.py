"""Many inputs, few units: what dimension costs where the first layer does not see it.

Run from the checkout: ``python -m benchmarks.dimension``. Weights are those of ``cases.he``. On all
of R^n the search works in the rank r of the first layer (:mod:`polyrank.posed.section`), so
that the same units on R^r are the yardstick. On a box nothing is left out. The last rows are the
least rank of a wide network. Seconds of processor time, without compilation.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import polyrank as pr
from benchmarks.cases import he
from polyrank.minrank.minimum import minimum_rank


def _enumerated(widths: list[int], domain: Any) -> list[str]:
    net = he(widths)
    began = time.process_time()
    run = pr.enumerate_regions(net, domain)
    spent = time.process_time() - began
    name = "-".join(map(str, widths))
    where = "R^n" if domain is None else "[−1, 1]^n"
    return [
        name,
        where,
        f"{run.count:,}",
        str(run.coordinates),
        f"{spent:.3f}",
        f"{spent / run.count * 1e6:,.1f}",
    ]


def _least(widths: list[int], layer: int) -> str:
    net = he(widths)
    began, start = time.process_time(), time.perf_counter()
    found = minimum_rank(net, layer=layer, seconds=20.0, deep=True)
    spent, wall = time.process_time() - began, time.perf_counter() - start
    depth = "-" if found.deep is None else f"{float(found.deep.depth.value):.3g}"
    return (
        f"| {'-'.join(map(str, widths))} | {layer} | [{found.lower}, {found.best.rank}] "
        f"| {spent:.1f} | {wall:.1f} | {float(found.depth.value):.3g} | {depth} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deep", action="store_true", help="also three layers of 10 units")
    arguments = parser.parse_args()
    pr.enumerate_regions(he([4, 5, 1]))
    print("| network | domain | regions | coordinates | s | µs/region |")
    print("|---|---|---|---|---|---|")
    cases: list[tuple[list[int], Any]] = [
        ([8, 8, 1], None),
        ([784, 8, 1], None),
        ([8, 8, 4, 1], None),
        ([784, 8, 4, 1], None),
        ([12, 12, 1], None),
        ([784, 12, 1], None),
        ([8, 8, 1], pr.Box(-1, 1)),
        ([100, 8, 1], pr.Box(-1, 1)),
        ([784, 8, 1], pr.Box(-1, 1)),
    ]
    if arguments.deep:
        cases += [([10, 10, 10, 10, 1], None), ([784, 10, 10, 10, 1], None)]
    for widths, domain in cases:
        print("| " + " | ".join(_enumerated(widths, domain)) + " |", flush=True)
    print("\n| network | layer | least rank | s | wall s | least abs(z) | deep |")
    print("|---|---|---|---|---|---|---|")
    for layer in (1, 2, 3):
        print(_least([784, 256, 256, 10], layer), flush=True)


if __name__ == "__main__":
    main()
