"""Side by side with Marabou, in one run: small ACAS Xu and VNN-COMP instances.

Run from the checkout: ``python -m benchmarks.verifiers [--seconds S]``. Marabou (G. Katz et al.,
CAV 2019) is what installs from the package index: ``pip install maraboupy``; without it the
comparison is left out, with the reason. It answers in floats: its verdicts are no proofs. Both read
the same ONNX and VNN-LIB files; times are processor seconds of one process each, one worker,
without reading the network. The limit is one of wall time.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from queue import Empty

import polyrank as pr
from benchmarks.cases import DATA

ACAS = DATA / "acasxu_onnx"


def instances() -> list[tuple[Path, Path]]:
    networks = sorted(ACAS.glob("*.onnx"))
    out = [(file, ACAS / f"prop_{p}.vnnlib") for p in (3, 4) for file in networks]
    folder = DATA / "vnncomp_rl"
    out += [(folder / "cartpole.onnx", f) for f in sorted((folder / "vnnlib").glob("*.vnnlib"))]
    folder = DATA / "vnncomp_reachprob"
    return out + [(folder / "gcas.onnx", f) for f in sorted((folder / "vnnlib").glob("*.vnnlib"))]


def _marabou(network: Path, prop: Path, answers: mp.Queue) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # its core prints too
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # parsers that are not installed
        from maraboupy import Marabou

        read = Marabou.read_onnx(str(network))
        options = Marabou.createOptions(verbosity=0, numWorkers=1)
        begun = time.process_time()
        code, *_ = read.solve(propertyFilename=str(prop), options=options, verbose=False)
        answers.put((code, time.process_time() - begun))


def marabou(network: Path, prop: Path, seconds: float) -> tuple[str, float | None]:
    """Its answer, in a process of its own that can be ended."""
    answers: mp.Queue = mp.Queue()
    process = mp.get_context("fork").Process(target=_marabou, args=(network, prop, answers))
    process.start()
    try:
        code, spent = answers.get(timeout=seconds)
    except Empty:
        code, spent = "no answer", None
    process.kill()
    process.join()
    return {"unsat": "holds", "sat": "violated"}.get(code, code), spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="limit of one question")
    given = parser.parse_args()
    try:
        found = version("maraboupy")
    except PackageNotFoundError:
        print("left out: maraboupy is not installed (pip install maraboupy)")
        return
    print(f"maraboupy {found}, one worker, limit {given.seconds:g} s\n")
    print("| network | property | polyrank | s | Marabou | s | ratio |")
    print("|---|---|---|---|---|---|---|")
    networks: dict[Path, pr.Network] = {}
    for file, prop in instances():
        if file not in networks:
            networks[file] = pr.load(file)
            pr.verify(networks[file], prop, seconds=1, jobs=1)  # warm
        begun = time.process_time()
        ours = pr.verify(networks[file], prop, seconds=given.seconds, jobs=1)
        spent = time.process_time() - begun
        theirs, other = marabou(file, prop, given.seconds)
        differ = "" if theirs in (ours.verdict, "no answer") else " **differs**"
        ratio = ["-", "-"] if other is None else [f"{other:.2f}", f"{other / spent:.0f}"]
        print(
            f"| {file.stem} | {prop.stem} | {ours.verdict} | {spent:.3f} | {theirs}{differ} "
            f"| {' | '.join(ratio)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
