"""Certified codewords and exact ranks of the MNIST test images: seconds, memory, bits corrected.

Run from the checkout: ``python benchmarks/sample.py MNIST_FOLDER``; weights are He-initialised.
"""

from __future__ import annotations

import resource
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from polyrank.network.normal_form import Network
from polyrank.sampling.estimate import sample
from polyrank.sampling.points import array_blocks, mnist_images

WIDTHS = (784, 2000, 1000, 500, 100, 10)


def network(seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(WIDTHS))
    weights = [(rng.standard_normal((b, a)) * np.sqrt(2 / a)).astype(np.float32) for a, b in pairs]
    biases = [(rng.standard_normal(b) * 0.01).astype(np.float32) for _, b in pairs]
    return Network.from_arrays(weights, biases)


def main() -> None:
    images = mnist_images(Path(sys.argv[1]))
    count = int(sys.argv[2]) if len(sys.argv) > 2 else len(images)
    net = network()
    print("arithmetic, points, codewords, forward s, ranks s, corrected bits, exact, open, MB")
    for kind in ("float32", "float64"):
        found = sample(net, array_blocks(images[:count]), dtype=kind, workers=2)
        left = int((found.ranks.lower != found.ranks.upper).any(axis=1).sum())
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{kind}, {found.points}, {len(found.packed)}, {found.seconds['forward']:.1f}, "
            f"{found.seconds['ranks']:.1f}, {found.corrected_bits}, {found.exact_points}, {left}, "
            f"{memory:.0f}"
        )


if __name__ == "__main__":
    main()
