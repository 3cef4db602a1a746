"""Facets and edges against the certified enumeration: seconds, linear programs, open regions.

Run from the checkout: ``python benchmarks/graph.py``. The first line of every case compiles.
"""

from __future__ import annotations

import resource
import time
from itertools import pairwise

import numpy as np

import polyrank as pr
from polyrank.graph.build import region_graph
from polyrank.network.normal_form import Network


def random_network(*widths: int, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(widths))
    weights = [rng.normal(size=(b, a)) / np.sqrt(a) for a, b in pairs]
    return Network.from_arrays(weights, [rng.normal(size=b) * 0.5 for _, b in pairs])


def main() -> None:
    cases = [
        ("2-32-32-1 box", random_network(2, 32, 32, 1), pr.Box(-1, 1)),
        ("3-16-16-16-1 box", random_network(3, 16, 16, 16, 1), pr.Box(-1, 1)),
        ("5-20-20-2 box", random_network(5, 20, 20, 2), pr.Box(-1, 1)),
        ("3-16-16-1 R^n", random_network(3, 16, 16, 1), None),
    ]
    print("case, regions, enumerate s, graph s, ratio, us/region, LPs/region, open, closed, MB")
    for name, net, domain in cases:
        for turn in range(2):
            run = pr.enumerate_regions(net, domain)
            begun = time.perf_counter()
            graph = region_graph(run, net)
            spent = time.perf_counter() - begun
            if turn == 0:
                continue  # compilation
            search = run.manifest["timings"]["search"]
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{name}, {run.count}, {search:.3f}, {spent:.3f}, {spent / search:.2f}, "
                f"{1e6 * spent / run.count:.1f}, {graph.statistics['lps'] / run.count:.1f}, "
                f"{graph.statistics['open']}, {graph.closure.closed}, {memory:.0f}"
            )


if __name__ == "__main__":
    main()
