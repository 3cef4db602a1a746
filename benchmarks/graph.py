"""Facets, edges and closure check against the certified enumeration, on the benchmark's cases.

    python benchmarks/graph.py [--repeat 3] [--only NAME ...] [--markdown RESULTS.md]

Processor time in one process; the best of the repeats. Exact
ranks, certificates and the region table belong to the enumeration's time; the closure check and the
facet lists to the graph's. ``lps`` are linear programs that had to move, ``at a vertex`` those that
a vertex met before settled, ``recalled`` redundant rows that a remembered Farkas proof settled.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import polyrank as pr
from polyrank.graph.build import region_graph

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cases

HEADER = [
    "case", "regions", "edges/region", "facets/region", "enumeration µs/region", "graph µs/region",
    "graph / enumeration", "LPs/region", "pivots/LP", "at a vertex", "recalled", "open", "closed",
    "peak MB",
]  # fmt: skip
BEGIN, END = "<!-- graph -->", "<!-- /graph -->"


def measure(case: cases.Case, repeat: int) -> list[str]:
    net, domain = case.make()
    searched, made = [], []
    for _ in range(repeat):
        begun = time.process_time()
        run = pr.enumerate_regions(net, domain)
        searched.append(time.process_time() - begun)
        begun = time.process_time()
        graph = region_graph(run, net)
        made.append(time.process_time() - begun)
    stat, count = graph.statistics, run.count
    return [
        case.name,
        f"{count:,}",
        f"{graph.edges / count:.2f}",
        f"{graph.closure.facets / count:.2f}",
        f"{1e6 * min(searched) / count:.2f}",
        f"{1e6 * min(made) / count:.2f}",
        f"{min(made) / min(searched):.2f}",
        f"{stat['lps'] / count:.2f}",
        f"{stat['pivots'] / max(1, stat['lps']):.1f}",
        f"{stat['by_vertex'] / count:.2f}",
        f"{stat['by_recall'] / count:.2f}",
        f"{stat['open']:,}",
        "yes" if graph.closure.closed and graph.closure.connected else "NO",
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    small = cases.he([2, 4, 1])
    region_graph(pr.enumerate_regions(small, pr.Box(-1, 1)), small)
    table = [HEADER, ["---"] * len(HEADER)]
    print(", ".join(HEADER))
    chosen = [c for c in cases.CASES if not options.only or c.name in options.only]
    # the largest ones last: the peak of a process never falls
    for case in sorted(chosen, key=lambda c: c.name in ("6-16-16", "resonance 6 on R^6")):
        if case.needs is not None and not case.needs.exists():
            continue
        table.append(measure(case, options.repeat))
        print(", ".join(table[-1]), flush=True)
    if options.markdown is not None:
        text = options.markdown.read_text(encoding="utf-8")
        section = "\n".join([BEGIN, *("| " + " | ".join(row) + " |" for row in table), END])
        if BEGIN in text:
            text = text[: text.index(BEGIN)] + section + text[text.index(END) + len(END) :]
        else:
            text += "\n" + section + "\n"
        options.markdown.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
