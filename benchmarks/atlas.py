"""The atlas of ACAS Xu: every activation region on the input boxes of properties, with its rank.

Run from the checkout: ``python -m benchmarks.atlas [FOLDER] [--jobs N] [--known FILE]``. FOLDER
holds networks (``.onnx`` or ``.nnet``), as many as there are, and ``prop_*.vnnlib`` files (default:
the shared data, which has 5 of the 45 networks). Regions are counted and not kept; the rank is that
of the whole network's affine map on the region, exact. Properties 1 and 2 have one box, which is
counted once. Times are by the clock and of the processor, threads included.

``--known`` names a file of JSON, ``{"1_1 3": 71930, ...}``: counts of another program that have to
be met.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import polyrank as pr
from benchmarks.cases import DATA
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.vnnlib import read_vnnlib


def networks(folder: Path) -> Iterator[tuple[str, Path]]:
    """Names such as ``1_1`` (that of the file where it has none), and files."""
    for file in sorted([*folder.glob("*.onnx"), *folder.glob("*.nnet")]):
        named = re.search(r"_(\d+_\d+)_", file.name)
        yield named[1] if named else file.stem, file


def boxes(folder: Path, wanted: list[str]) -> list[tuple[str, Domain]]:
    """The distinct input boxes of properties, with the numbers of those that have it."""
    out: list[tuple[str, Domain]] = []
    for number in wanted:
        for case in read_vnnlib(folder / f"prop_{number}.vnnlib").cases:
            same = [i for i, (_, domain) in enumerate(out) if domain.describe() == case.describe()]
            if same:
                names, domain = out[same[0]]
                if number not in names.split(", "):
                    out[same[0]] = f"{names}, {number}", domain
            else:
                out.append((number, case))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DATA / "acasxu_onnx")
    parser.add_argument("--properties", default="1,2,3,4")
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--known", type=Path)
    given = parser.parse_args()
    known = {} if given.known is None else json.loads(given.known.read_text())
    asked = boxes(given.folder, given.properties.split(","))
    total, cpu_total, wall_total, number = 0, 0.0, 0.0, 0
    print("| network | properties | regions | by rank | s | processor s | µs/region |")
    print("|---|---|---|---|---|---|---|")
    for name, file in networks(given.folder):
        network = pr.load(file)
        number += 1
        for properties, domain in asked:
            wall, cpu = time.perf_counter(), time.process_time()
            found = pr.count_regions(network, domain, jobs=given.jobs)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            assert found.certified
            assert found.rank_histogram is not None
            ranks = found.rank_histogram[-1]
            assert sum(ranks.values()) == found.regions
            for one in properties.split(", "):
                expected = known.get(f"{name} {one}", found.regions)
                assert expected == found.regions, (name, one, expected)
            shown = ", ".join(f"{r}: {n:,}" for r, n in sorted(ranks.items()))
            print(
                f"| {name} | {properties} | {found.regions:,} | {shown} | {wall:.2f} | {cpu:.2f} "
                f"| {1e6 * cpu / found.regions:.1f} |",
                flush=True,
            )
            total, cpu_total, wall_total = total + found.regions, cpu_total + cpu, wall_total + wall
    print(
        f"{number} networks, {total:,} regions, all certified: {wall_total:.1f} s by the clock, "
        f"{cpu_total:.1f} s of processor time"
    )


if __name__ == "__main__":
    main()
