"""Restriction of manifolds and exact homology: sizes, seconds, memory.

Run from the checkout: ``python -m benchmarks.topology``. A 3-15-15-1 network is trained here on
the torus (which side of a wavy surface a point is on), with a fixed seed.
"""

from __future__ import annotations

import resource
import time
from itertools import pairwise

import numpy as np

from polyrank.chains.groups import homology
from polyrank.network.normal_form import Network
from polyrank.topology.layers import homology_table
from polyrank.topology.manifold import Manifold
from polyrank.topology.ranks import tangent_ranks
from polyrank.topology.restriction import Restriction
from polyrank.topology.shapes import shape
from polyrank.topology.subdivide import subdivide


def trained(points: np.ndarray, widths: tuple[int, ...], seed: int = 0) -> Network:
    """Full-batch Adam on a logistic loss, 2,000 steps, float32 weights at the end."""
    rng = np.random.default_rng(seed)
    target = (np.sin(2 * points[:, 0]) + np.cos(3 * points[:, 1]) > points[:, 2]).astype(float)
    weights = [rng.normal(size=(b, a)) * np.sqrt(2 / a) for a, b in pairwise(widths)]
    biases = [np.zeros(b) for b in widths[1:]]
    parameters = weights + biases
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    for step in range(1, 2001):
        values = [points]
        for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
            z = values[-1] @ w.T + b
            values.append(np.maximum(z, 0) if k + 1 < len(weights) else z)
        gradient = (1 / (1 + np.exp(-values[-1])) - target[:, None]) / len(points)
        slopes: list[np.ndarray] = []
        for k in reversed(range(len(weights))):
            slopes = [gradient.T @ values[k], *slopes, gradient.sum(axis=0)]
            gradient = (gradient @ weights[k]) * (values[k] > 0)
        depth = len(weights)
        slopes = slopes[:depth] + slopes[depth:][::-1]
        for i, g in enumerate(slopes):
            first[i] += 0.1 * (g - first[i])
            second[i] += 0.001 * (g * g - second[i])
            size = np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8
            parameters[i] -= 0.01 * (first[i] / (1 - 0.9**step)) / size
    return Network.from_arrays(
        [w.astype(np.float32) for w in weights], [b.astype(np.float32) for b in biases]
    )


def random_network(*widths: int, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(widths))
    return Network.from_arrays(
        [rng.normal(size=(b, a)) * np.sqrt(2 / a) for a, b in pairs],
        [0.3 * rng.normal(size=b) for _, b in pairs],
    )


def measure(name: str, network: Network, manifold: Manifold, rank: int) -> None:
    start = time.perf_counter()
    sub = subdivide(network, manifold)
    cut = time.perf_counter()
    ranks = tangent_ranks(network, sub)
    ranked = time.perf_counter()
    found = Restriction(
        network, manifold, sub.complex, tuple(sub.signs), tuple(sub.carrier), tuple(ranks),
        sub.vertices,
    )  # fmt: skip
    rows = homology_table(found, rank=rank)
    done = time.perf_counter()
    points = found.witnesses
    inside = time.perf_counter()
    cells = sum(found.complex.cells)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    last = rows[-1]
    print(
        f"| {name} | {sum(manifold.complex.cells):,} | {cells:,} | {cut - start:.2f} | "
        f"{1e6 * (cut - start) / cells:.1f} | {sub.vertices.exact_decisions} | "
        f"{ranked - cut:.2f} | {done - ranked:.2f} | {inside - done:.2f} ({len(points.exact)}) | "
        f"{memory:.0f} | {last.part.components} | {last.homology.one_point} | "
        f"{last.homology.per_component} |"
    )


def main() -> None:
    homology(shape("torus:5").complex)  # loads
    print(
        "| case | simplices | cells | cut s | µs/cell | exact | ranks s | homology s, all layers | "
        "witnesses s (rational) | peak MB | components, last layer | M/A | M/~ |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    torus = shape("torus:100")
    net = trained(torus.points.approx, (3, 15, 15, 1))
    measure("torus, 20,000 triangles, trained 3-15-15-1, r = 0", net, torus, 0)
    measure("the same, r = 1", net, torus, 1)
    measure("circle, 4,096 edges, 2-32-32-2", random_network(2, 32, 32, 2), shape("circle:4096"), 0)
    measure(
        "Klein bottle, 12,800 triangles, 4-16-4-16-2",
        random_network(4, 16, 4, 16, 2),
        shape("klein:80"),
        1,
    )
    measure("torus, 320,000 triangles, trained 3-15-15-1", net, shape("torus:400"), 0)


if __name__ == "__main__":
    main()
