"""The least rank of one wide random layer, far past where enumeration ends: time and proof.

Run from the checkout: ``python -m benchmarks.minrank``. Weights and biases are standard normal. The
number of regions on R^n is Zaslavsky's count for general position; the enumeration's time for it
is an estimate at 150,000 regions a second. The last column is HiGHS's branch and cut on the same
case with the same time (at least a second, at most a minute): the bounds that it claims for the
number of live units, unproved; they say nothing about dependent units. minrank itself does not ask
it here.

``--panels``: one layer as in the panels of K. Beshkov's and G. T. Einevoll's figure 2 that are the
hardest, on [−5, 5]^m: torch's initialisation, and positive weights of which R rows are negated.
Processor times; HiGHS is asked for a point as minrank does it.

``--deep``: two layers of torch's initialisation on [−5, 5]^m instead, beside the enumeration of all
regions of both layers where these are few enough; processor times.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import polyrank as pr
from polyrank.minrank.cell import live_cell
from polyrank.minrank.milp import fewest_live_units
from polyrank.minrank.minimum import minimum_rank
from polyrank.network.forward import codeword_exact
from polyrank.network.normal_form import Network
from polyrank.posed.chart import chart

RATE = 150_000


@dataclass(frozen=True)
class Case:
    n: int
    units: int
    seed: int
    box: bool
    limit: float


def random_layer(n: int, units: int, seed: int) -> Network:
    rng = np.random.default_rng(seed)
    weight, bias = rng.normal(size=(units, n)), rng.normal(size=units)
    return Network.from_arrays([weight], [bias], output_relu=True)


def years(regions: float) -> str:
    seconds = regions / RATE
    for size, name in ((3.15e7, "years"), (86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.3g} s"


def branch_and_cut(case: Case, net: Network, seconds: float) -> str:
    """HiGHS alone: what it finds and claims."""
    domain = pr.Box(-1, 1) if case.box else pr.WholeSpace()
    where = chart(domain, case.n)
    box = None if where.lower is None or where.upper is None else (where.lower, where.upper)
    cell = live_cell(net, where, np.zeros(0, dtype=bool), where.interior)
    begun = time.perf_counter()
    found = fewest_live_units(cell, box, seconds)
    spent = time.perf_counter() - begun
    live = "?"
    if found.point is not None:
        live = str(int(codeword_exact(net, [float(v) for v in found.point]).bits.sum()))
    return f"[{'–' if found.bound is None else found.bound}, {live}] in {spent:.1f} s"


def cases(limit: float) -> list[Case]:
    out = []
    for n, units in ((10, 25), (10, 50), (25, 50)):
        for box in (False, True):
            out += [Case(n, units, seed, box, limit) for seed in range(3)]
    further = ((10, 100), (10, 200), (16, 64), (25, 75), (50, 100), (25, 100))
    return out + [Case(n, units, 0, True, limit) for n, units in further]


DEEP = ("2-10-10", "5-10-10", "8-15-15", "2-25-25", "3-25-25", "5-15-15", "10-25-25", "5-25-25")


def deep(limit: float, seeds: int, sizes: Sequence[str]) -> None:
    """Two layers: the least rank, and what enumeration says and takes."""
    print("| widths | seed | least rank | proved | by | s | prefixes | LPs | enumeration | s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for widths in sizes:
        for seed in range(seeds):
            net, box = pr.random_network(widths, seed=seed), pr.Box(-5, 5)
            begun = time.process_time()
            found = minimum_rank(net, box, layer=2, seconds=limit)
            spent = time.process_time() - begun
            shown = str(found.lower) if found.certified else f"[{found.lower}, {found.best.rank}]"
            way = "search" if found.enumerated is None else "regions"
            run = pr.enumerate_regions(net, box, limits=pr.Limits(regions=1_000_000), jobs=1)
            assert not (found.certified and run.certified) or found.lower == run.min_rank[1]
            least = f"{run.min_rank[1]} on {run.count:,}" if run.certified else "over 1,000,000"
            print(
                f"| {widths} | {seed} | {shown} | {'yes' if found.certified else 'no'} "
                f"| {way} | {spent:.1f} | {found.pruned:,} | {found.programs:,} | {least} "
                f"| {time.process_time() - begun - spent:.1f} |",
                flush=True,
            )


PANELS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    *(("10-100", seed, {}) for seed in range(3)),
    *(("25-100", seed, {}) for seed in range(2)),
    *(("25-100", 0, {"init": "uniform:0,1", "flip": flip}) for flip in (17, 33, 49, 65, 81)),
)


def panels(limit: float) -> None:
    """One layer: the proved interval, and what it took."""
    print("| widths | negated rows | seed | least rank | proved | s | nodes | LPs |")
    print("|---|---|---|---|---|---|---|---|")
    for widths, seed, law in PANELS:
        net = pr.random_network(widths, seed=seed, **law)
        begun = time.process_time()
        found = minimum_rank(net, pr.Box(-5, 5), seconds=limit)
        spent = time.process_time() - begun
        shown = str(found.lower) if found.certified else f"[{found.lower}, {found.best.rank}]"
        print(
            f"| {widths} | {law.get('flip', '–')} | {seed} | {shown} "
            f"| {'yes' if found.certified else 'no'} | {spent:.1f} | {found.nodes:,} "
            f"| {found.programs:,} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--time", type=float, default=300.0, help="limit per case, seconds")
    parser.add_argument("--deep", action="store_true", help="two layers")
    parser.add_argument("--widths", nargs="+", default=DEEP, help="the sizes of two layers")
    parser.add_argument("--panels", action="store_true", help="one layer of a published figure")
    parser.add_argument("--seeds", type=int, default=2, help="networks of each size of two layers")
    asked = parser.parse_args()
    limit = asked.time
    minimum_rank(random_layer(3, 8, 0))  # loads
    if asked.deep:
        deep(limit, asked.seeds, asked.widths)
        return
    if asked.panels:
        panels(limit)
        return
    print(
        "| input, units | seed | domain | regions on R^n | enumeration, estimated | least rank "
        "| proved | s | nodes | LPs | HiGHS alone: live units |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for case in cases(limit):
        net = random_layer(case.n, case.units, case.seed)
        domain = pr.Box(-1, 1) if case.box else None
        found = minimum_rank(net, domain, seconds=case.limit, milp=False)
        regions = float(sum(math.comb(case.units, i) for i in range(case.n + 1)))
        shown = str(found.lower) if found.certified else f"in [{found.lower}, {found.best.rank}]"
        alone = branch_and_cut(case, net, min(60.0, max(1.0, found.seconds)))
        print(
            f"| {case.n}, {case.units} | {case.seed} | {'[−1, 1]^n' if case.box else 'R^n'} "
            f"| {regions:.2g} | {years(regions)} | {shown} | {'yes' if found.certified else 'no'} "
            f"| {found.seconds:.2f} | {found.nodes:,} | {found.programs:,} | {alone} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
