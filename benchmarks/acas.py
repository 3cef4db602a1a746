"""The ACAS Xu atlas: properties 1-10 on every network at hand: verdict, time, proof, check.

Run from the checkout: ``python -m benchmarks.acas [FOLDER]``; FOLDER holds the ONNX networks, the
``prop_*.vnnlib`` files and ``acasxu_instances.csv`` of VNN-COMP, which says which property applies
to which network (default: the shared data). Times are processor seconds of this process, threads
included; the networks are loaded and one property was verified before (warm). For properties 3 and
4 the regions of the property's box are enumerated too, with the ranks of the whole network there.

The published column is what the literature says (G. Katz et al., Reluplex, CAV 2017; S. Wang et
al., ReluVal, USENIX Security 2018; the reports of VNN-COMP): property 1 holds, 2 is violated by
the networks 2_1 ... 5_9 but 3_3 and 4_2, 3 and 4 hold but for 1_7, 1_8, 1_9, and 5, 6, 9, 10 hold,
7 and 8 are violated by the networks they were stated for.
"""

from __future__ import annotations

import argparse
import csv
import re
import tempfile
import time
from pathlib import Path
from statistics import median

import polyrank as pr
from benchmarks.cases import DATA
from polyrank.polyhedra.vnnlib import read_vnnlib
from polyrank.proof.verdict import check_verdict

HOLDS, VIOLATED = "holds", "violated"


def published(network: tuple[int, int], number: int) -> str:
    """The published verdict; empty where the sources named above say nothing."""
    first, _ = network
    if number == 2:
        if first == 1:
            return ""
        return HOLDS if network in {(3, 3), (4, 2)} else VIOLATED
    if number in {3, 4}:
        return VIOLATED if network in {(1, 7), (1, 8), (1, 9)} else HOLDS
    return VIOLATED if number in {7, 8} else HOLDS


def measured(network: pr.Network, file: Path, prop: Path, seconds: float, *, check: bool) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        entry = {"path": str(file), "options": {}}
        begun, cpu = time.perf_counter(), time.process_time()
        found = pr.verify(network, prop, seconds=seconds, out=out, proof=True, network_file=entry)
        spent = time.process_time() - cpu
        wall = time.perf_counter() - begun
        size = sum(f.stat().st_size for f in out.glob("*.zst"))
        checked = float("nan")
        if check and found.verdict != "unknown":
            cpu = time.process_time()
            assert check_verdict(out).verdict == found.verdict
            checked = time.process_time() - cpu
    rerun = {run.by: run.violates for run in getattr(found.counterexample, "reruns", ())}
    return {
        "verdict": found.verdict, "cpu": spent, "wall": wall, "boxes": found.boxes,
        "bytes": size, "check": checked, "rerun": rerun,
    }  # fmt: skip


def ranks(network: pr.Network, prop: Path) -> str:
    """Regions of the property's box, and how many have which rank."""
    cpu = time.process_time()
    run = pr.enumerate_regions(network, read_vnnlib(prop).cases[0])
    spent = time.process_time() - cpu
    assert run.certified
    shown = ", ".join(f"{r}: {n:,}" for r, n in sorted(run.rank_histogram().items()))
    return f"{run.count:,} ({shown}) in {spent:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DATA / "acasxu_onnx")
    parser.add_argument("--properties", default="1,2,3,4,5,6,7,8,9,10")
    parser.add_argument("--seconds", type=float, default=116.0)
    parser.add_argument("--no-check", action="store_true")
    given = parser.parse_args()
    wanted = {int(v) for v in given.properties.split(",")}
    with (given.folder / "acasxu_instances.csv").open() as lines:
        listed = [(row[0], row[1]) for row in csv.reader(lines)]
    missing = 0
    times: dict[int, list[float]] = {}
    networks: dict[str, pr.Network] = {}
    print(
        "| network | property | verdict | published | s | boxes | proof bytes | check s | reruns "
        "| regions (by rank) and s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, prop in listed:
        number = int(re.findall(r"\d+", prop)[0])
        file = given.folder / name
        if number not in wanted:
            continue
        if not file.is_file():
            missing += 1
            continue
        if name not in networks:
            networks[name] = pr.load(file)
            pr.verify(networks[name], given.folder / "prop_4.vnnlib", seconds=10)
        row = measured(
            networks[name], file, given.folder / prop, given.seconds, check=not given.no_check
        )
        a, b = (int(v) for v in re.findall(r"_(\d)_(\d)_", name)[0])
        known = published((a, b), number)
        assert not known or row["verdict"] in {known, "unknown"}, (name, prop, row)
        times.setdefault(number, []).append(row["cpu"])
        reruns = "all violate" if row["rerun"] and all(row["rerun"].values()) else ""
        if row["rerun"] and not reruns:
            reruns = ", ".join(by for by, v in row["rerun"].items() if not v) + " do not"
        listed_regions = ranks(networks[name], given.folder / prop) if number in {3, 4} else ""
        print(
            f"| {a}_{b} | {number} | {row['verdict']} | {known or '-'} | {row['cpu']:.3f} "
            f"| {row['boxes']:,} | {row['bytes']:,} | {row['check']:.2f} | {reruns} "
            f"| {listed_regions} |",
            flush=True,
        )
    for number, spent in sorted(times.items()):
        print(f"property {number}: median {median(spent):.3f} s, most {max(spent):.3f} s")
    if missing:
        print(f"{missing} instances are of networks that are not in {given.folder.name}")


if __name__ == "__main__":
    main()
