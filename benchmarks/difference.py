"""The greatest difference of a network and its rounded or pruned version: with and without twins.

Run from the checkout: ``python -m benchmarks.difference [--seconds S] [--only TEXT]``. The weights
of a network are rounded to multiples of 2^-k of the power of two above the greatest of their layer
(``k bits``), or the smallest are made 0 (``pruned p %``); biases stay. Both ways in one process,
one thread, processor time: ``pair`` bounds the units of both networks, ``twins`` the differences of
their units too. A time limit (by the clock) leaves "at least". The two values have to agree where
both ended. The proof of the second is checked.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import polyrank as pr
from benchmarks.cases import DATA, he
from polyrank.network.rational import nearest_float
from polyrank.polyhedra.vnnlib import vnnlib_domain
from polyrank.proof.function import check_function
from polyrank.verification.maximum import greatest_of
from polyrank.verification.pair import difference_network, greatest_difference


def rounded(network: pr.Network, bits: int) -> pr.Network:
    """Weights to multiples of 2^-bits times the power of two above the greatest of their layer."""
    weights = []
    for layer in network.layers:
        w = layer.weight.approx
        step = 2.0 ** (math.ceil(math.log2(np.abs(w).max())) - bits)
        weights.append(np.round(w / step) * step)
    return pr.Network.from_arrays(weights, [layer.bias.approx for layer in network.layers])


def pruned(network: pr.Network, share: float) -> pr.Network:
    """The smallest weights of every layer made 0."""
    weights = []
    for layer in network.layers:
        w = layer.weight.approx
        least = np.quantile(np.abs(w), share)
        weights.append(np.where(np.abs(w) < least, 0.0, w))
    return pr.Network.from_arrays(weights, [layer.bias.approx for layer in network.layers])


def cases() -> Iterator[tuple[str, pr.Network, pr.Network, object]]:
    """Name, both networks, domain."""
    box = pr.Box(-1, 1)
    for widths in ([2, 16, 16, 1], [3, 16, 16, 1], [2, 32, 32, 1], [4, 16, 16, 1]):
        net = he(widths)
        name = "-".join(map(str, widths[:-1]))
        for bits in (4, 8, 16):
            yield f"{name}, {bits} bits", net, rounded(net, bits), box
        for share in (0.05, 0.2):
            yield f"{name}, pruned {100 * share:.0f} %", net, pruned(net, share), box
        yield f"{name}, another one", net, he(widths, seed=1), box
    folder = DATA / "hcas_nnet"
    for file in sorted(folder.glob("*.nnet"))[:1]:
        net = pr.load(file)
        header = net.source["header"]
        yield (
            "HorizontalCAS, 8 bits",
            net,
            rounded(net, 8),
            pr.Box(header["lower"], header["upper"]),
        )
    folder = DATA / "acasxu_onnx"
    if folder.is_dir():
        net = pr.load(folder / "ACASXU_run2a_1_1_batch_2000.onnx")
        for prop in (3, 4):
            where = vnnlib_domain(folder / f"prop_{prop}.vnnlib")
            for bits in (8, 12):
                yield f"ACAS Xu 1_1, property {prop}, {bits} bits", net, rounded(net, bits), where


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    print("| networks | greatest difference | pair s | boxes | twins s | boxes | × | check s |")
    print("|---|---|---|---|---|---|---|---|")
    for name, first, second, domain in cases():
        if given.only not in name:
            continue
        pair = difference_network(first, second)
        m = pair.widths[-1]
        functions = [[sign * (i == j) for i in range(m)] for j in range(m) for sign in (1, -1)]
        found, spent = [], []
        for twins in (False, True):
            cpu = time.process_time()
            found.append(
                greatest_of(pair, domain, functions, seconds=given.seconds, jobs=1, twins=twins)
            )
            spent.append(time.process_time() - cpu)
        old, new = found
        if old.certified and new.certified:
            assert old.value == new.value
        checked = float("nan")
        if new.certified:
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "run"
                greatest_difference(first, second, domain, jobs=1, out=out, proof=True)
                cpu = time.process_time()
                assert check_function(out).values == (str(new.value),)
                checked = time.process_time() - cpu
        at_least = "" if new.certified else "at least "
        shown = [
            f"{s:.2f}" if f.certified else f"> {s:.0f}" for s, f in zip(spent, found, strict=True)
        ]
        print(
            f"| {name} | {at_least}{nearest_float(new.value):.6g} | {shown[0]} | {old.boxes:,} "
            f"| {shown[1]} | {new.boxes:,} | {spent[0] / spent[1]:.1f} | {checked:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
