"""One-to-one or not: linked tori, a fine circle, a fine torus, trained networks of nine layers.

Run from the checkout: ``python -m benchmarks.homeomorphism [FOLDER]``. The networks on the tori are
trained here with a fixed seed; FOLDER holds ``D-I-test.npy`` and ``D-I_model_0.pth`` of K. Beshkov
and G. Einevoll. Seconds are those of the processor.
"""

from __future__ import annotations

import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

import polyrank as pr
from benchmarks.topology import random_network, trained
from polyrank.image.candidates import candidates
from polyrank.image.certificate import save_certificate
from polyrank.image.homeomorphism import homeomorphism
from polyrank.image.meeting import separated
from polyrank.image.overlap import overlap_decomposition
from polyrank.image.pieces import pieces
from polyrank.network.normal_form import Network, affine_layer, relu_layer
from polyrank.proof.one_to_one import check_one_to_one
from polyrank.topology.manifold import Manifold
from polyrank.topology.point_cloud import complex_of_points
from polyrank.topology.restriction import restrict
from polyrank.topology.shapes import shape


def classifier(space: Manifold, widths: tuple[int, ...], slope: int, seed: int = 0) -> Network:
    """Full-batch Adam on the cross entropy of two outputs, 2,000 steps; the two classes of M."""
    rng = np.random.default_rng(seed)
    points = space.points.approx
    target = np.eye(2)[space.labels[0]]
    weights = [rng.normal(size=(b, a)) * np.sqrt(2 / a) for a, b in pairwise(widths)]
    parameters = weights + [np.zeros(b) for b in widths[1:]]
    depth = len(weights)
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    for step in range(1, 2001):
        values, signs = [points], []
        for k in range(depth):
            z = values[-1] @ parameters[k].T + parameters[depth + k]
            signs.append(np.where((z > 0) | (k + 1 == depth), 1.0, slope))
            values.append(signs[-1] * z)
        odds = np.exp(values[-1] - values[-1].max(axis=1, keepdims=True))
        gradient = (odds / odds.sum(axis=1, keepdims=True) - target) / len(points)
        slopes: list[np.ndarray] = [np.zeros(0)] * (2 * depth)
        for k in reversed(range(depth)):
            gradient = gradient * signs[k]
            slopes[k], slopes[depth + k] = gradient.T @ values[k], gradient.sum(axis=0)
            gradient = gradient @ parameters[k]
        for i, g in enumerate(slopes):
            first[i] += 0.1 * (g - first[i])
            second[i] += 0.001 * (g * g - second[i])
            size = np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8
            parameters[i] = parameters[i] - 0.01 * (first[i] / (1 - 0.9**step)) / size
    exact = [p.astype(np.float32) for p in parameters]
    hidden = [relu_layer(exact[k], exact[depth + k], slope=slope) for k in range(depth - 1)]
    return Network((*hidden, affine_layer(exact[depth - 1], exact[-1])))


def measure(name: str, network: Network, space: Manifold, layer: int | None = None) -> None:
    start = time.process_time()
    found = homeomorphism(network, space, layer=layer)
    spent = time.process_time() - start
    last = found.verdicts[-1]
    print(
        f"{name:32} layer {found.layer}: {found.one_to_one}, first layer {found.first_layer}, "
        f"{last.pieces:,} pieces, {sum(v.tally.pairs for v in found.verdicts):,} pairs, "
        f"{sum(v.tally.exactly for v in found.verdicts):,} in rationals, {spent:.2f} s"
    )


def pair_tests(network: Network, space: Manifold, layer: int) -> None:
    own = pieces(restrict(network, space), layer)
    start = time.process_time()
    every = np.concatenate(list(candidates(own)))
    broad = time.process_time()
    apart, _ = separated(own, every)
    narrow = time.process_time()
    print(
        f"{own.count:,} pieces in R^{own.ambient}: {len(every):,} candidates in "
        f"{broad - start:.2f} s, of which {int(apart.sum()):,} proved apart at "
        f"{len(every) / (narrow - broad):,.0f} pairs per second"
    )


def certificates(network: Network, space: Manifold, layer: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.json"
        pr.save(network, file)
        found = homeomorphism(pr.load(file), space, layer=layer)
        start = time.process_time()
        path = save_certificate(found, Path(folder) / "c", network_file={"path": str(file)})
        written = time.process_time()
        report = check_one_to_one(path)
        done = time.process_time()
        size = sum(f.stat().st_size for f in path.iterdir()) / 1e6
        print(
            f"certificate: {report.pieces:,} pieces, {report.pairs:,} hyperplanes, {size:.1f} MB; "
            f"written in {written - start:.1f} s, checked in {done - written:.1f} s"
        )


def decomposition(name: str, network: Network, space: Manifold, layer: int) -> None:
    start = time.process_time()
    found = overlap_decomposition(restrict(network, space), layer, seconds=60)
    spent = time.process_time() - start
    kinds = np.bincount(found.dimension, minlength=3).tolist() if len(found.pairs) else []
    shares = {d: f"{s.by_volume:.4f}" for d, s in found.share.items()}
    print(
        f"{name:32} layer {layer}: {len(found.pairs):,} overlaps (complete: {found.complete}), by "
        f"dimension {kinds}, {found.collapsed:,} collapsed pieces, share {shares}, {spent:.2f} s"
    )


def main() -> None:
    tori = shape("linked-tori:50x40")
    for name, slope in (("ReLU", 0), ("absolute value", -1)):
        network = classifier(tori, (3, 3, 3, 3, 2), slope)
        measure(f"linked tori, {name}", network, tori)
        for layer in (1, 2, 3, 4):
            decomposition(f"linked tori, {name}, --all", network, tori, layer)
    circle = shape("circle:4096")
    measure("circle, 2-32-32-2", random_network(2, 32, 32, 2), circle)
    torus = shape("torus:100")
    network = trained(shape("torus:24").points.approx, (3, 15, 15, 1))
    for layer in (1, 2, 3):
        measure("torus, trained 3-15-15-1", network, torus, layer)
    random = random_network(3, 15, 15, 1)
    for layer in (1, 2):
        measure("torus, random 3-15-15-1", random, torus, layer)
    leaky = [relu_layer(la.weight, la.bias, slope=0.5) for la in random.layers[:2]]
    pair_tests(Network(tuple(leaky)), torus, 2)
    certificates(Network(tuple(leaky)), shape("torus:30"), 2)
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        points = np.load(folder / "D-I-test.npy")
        space = complex_of_points(points, 0.4, kind="alpha", name="D-I, alpha 0.4")
        measure("D-I, model 0", pr.load(folder / "D-I_model_0.pth"), space)


if __name__ == "__main__":
    main()
