"""Families of verification benchmarks beside ACAS Xu: verdicts, exact ranges, times.

Run from the checkout: ``python -m benchmarks.families [--seconds S]``. Properties that are files
are verified with their proof, which is checked. Controllers have no property of inputs and outputs:
the exact least and greatest value of every output on the box of initial states (for HorizontalCAS
on the input range of the header) is found, which is a verdict "nothing is beyond" and an input that
attains it. TinyTaxiNet is asked whether output 0 stays within a distance of its value at the grey
image. Times are processor seconds of one thread.

Published: cartpole properties are named safe by VNN-COMP 2022; ``test_sat`` and ``test_unsat`` are
property 3 on the networks 1_7 and 1_6 of ACAS Xu by their README.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from flint import fmpq

import polyrank as pr
from benchmarks.cases import DATA
from polyrank.network.forward import forward_exact
from polyrank.network.rational import nearest_float, to_fmpq
from polyrank.proof.verdict import check_verdict
from polyrank.verification.maximum import greatest
from polyrank.verification.properties import output_bounds

ARCH = DATA / "archcomp_ainncs" / "benchmarks"


def instances() -> Iterator[tuple[str, Path, Path, str]]:
    """Family, network, property, published verdict."""
    folder = DATA / "vnncomp_rl"
    for prop in sorted((folder / "vnnlib").glob("*.vnnlib")):
        yield "cartpole", folder / "cartpole.onnx", prop, "holds"
    folder = DATA / "vnncomp_reachprob"
    for prop in sorted((folder / "vnnlib").glob("*.vnnlib")):
        yield "gcas", folder / "gcas.onnx", prop, ""
    folder = DATA / "vnncomp_test"
    known = {"test_sat.onnx": "violated", "test_unsat.onnx": "holds"}
    with (folder / "test_instances.csv").open() as lines:
        for name, prop, _ in csv.reader(lines):
            yield "test", folder / name, folder / prop, known.get(name, "")
    folder = DATA / "vnncomp_mnist"
    yield "mnist_fc", folder / "mnist-net_256x2.onnx", folder / "prop_0_0.03.vnnlib", ""


def controllers() -> Iterator[tuple[str, Path, pr.Box | None]]:
    """Name, network, box of initial states; None: the header's range."""
    yield (
        "single pendulum", ARCH / "Single_Pendulum" / "controller_single_pendulum.onnx",
        pr.Box([1, 0], ["1.175", "0.2"]),
    )  # fmt: skip
    double = ARCH / "Double_Pendulum" / "controller_double_pendulum_less_robust.onnx"
    yield "double pendulum", double, pr.Box([1] * 4, ["1.3"] * 4)
    unit = [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0]
    yield "airplane", ARCH / "Airplane" / "controller_airplane.onnx", pr.Box([0] * 12, unit)
    tora = pr.Box(["0.6", "-0.7", "-0.4", "0.5"], ["0.7", "-0.6", "-0.3", "0.6"])
    yield "TORA", ARCH / "Benchmark9-Tora" / "controllerTora.onnx", tora
    low, high = ["9.5", "-4.5", "2.1", "1.5"], ["9.55", "-4.45", "2.11", "1.51"]
    yield "unicycle", ARCH / "Benchmark10-Unicycle" / "controllerB.onnx", pr.Box(low, high)
    folder = ARCH / "VCAS" / "nnet_networks"
    start = pr.Box(["-133", "-28.5", 25], ["-129", "-19.5", 25])
    for file in sorted(folder.glob("*.nnet")):
        yield f"VCAS {file.stem.split('_')[2]}", file, start
    for file in sorted((DATA / "hcas_nnet").glob("*.nnet")):
        yield f"HorizontalCAS {'_'.join(file.stem.split('_')[3:5])}", file, None


def properties(seconds: float) -> None:
    print("| family | property | verdict | published | s | boxes | check s |")
    print("|---|---|---|---|---|---|---|")
    for family, file, prop, published in instances():
        network = pr.load(file)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            cpu = time.process_time()
            found = pr.verify(network, prop, seconds=seconds, jobs=1, out=out, proof=True)
            spent, checked = time.process_time() - cpu, ""
            if found.verdict != "unknown":
                cpu = time.process_time()
                assert check_verdict(out).verdict == found.verdict
                checked = f"{time.process_time() - cpu:.2f}"
        assert not published or found.verdict in {published, "unknown"}, prop
        print(
            f"| {family} | {file.stem}, {prop.stem} | {found.verdict} | {published or '-'} "
            f"| {spent:.2f} | {found.boxes:,} | {checked} |",
            flush=True,
        )


def ranges(seconds: float) -> None:
    print("\n| network | output | least | greatest | proved | s | boxes |")
    print("|---|---|---|---|---|---|---|")
    for name, file, given in controllers():
        network = pr.load(file)
        header = network.source.get("header")
        box = given
        if box is None:
            box = pr.Box([str(v) for v in header["lower"]], [str(v) for v in header["upper"]])
        outputs = network.widths[-1]
        for j in range(outputs):
            cpu = time.process_time()
            ends = []
            for sign in (-1, 1):
                weights = [sign * (i == j) for i in range(outputs)]
                ends.append(greatest(network, box, weights, seconds=seconds, jobs=1))
            spent = time.process_time() - cpu
            least, most = -nearest_float(ends[0].value), nearest_float(ends[1].value)
            state = [
                side for side, end in zip(("least", "greatest"), ends, strict=True) if end.certified
            ]
            print(
                f"| {name} | {j} | {least:.6g} | {most:.6g} | {', '.join(state) or 'none'} "
                f"| {spent:.2f} | {sum(end.boxes for end in ends):,} |",
                flush=True,
            )


def taxi(seconds: float) -> None:
    network = pr.load(DATA / "marabou_onnx" / "resources" / "onnx" / "KJ_TinyTaxiNet.onnx")
    half = fmpq(1, 2)
    (value, *_) = forward_exact(network, [half] * network.input_dim)
    print("\n| TinyTaxiNet: ε of every pixel | output 0 within | verdict | s | boxes |")
    print("|---|---|---|---|---|")
    for eps in ("1/1000", "1/256", "1/100"):
        box = pr.Box([half - to_fmpq(eps)] * 128, [half + to_fmpq(eps)] * 128)
        for within in ("1/10", "1", "3"):
            low, high = value - to_fmpq(within), value + to_fmpq(within)
            asked = output_bounds(network, box, lower=low, upper=high, output=0)
            cpu = time.process_time()
            found = pr.verify(network, asked, seconds=seconds, jobs=1)
            spent = time.process_time() - cpu
            print(
                f"| {eps} | {within} | {found.verdict} | {spent:.2f} | {found.boxes:,} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="limit of one question")
    given = parser.parse_args()
    properties(given.seconds)
    taxi(given.seconds)
    ranges(given.seconds)


if __name__ == "__main__":
    main()
