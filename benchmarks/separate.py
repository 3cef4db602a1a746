"""Classes of a manifold, layer by layer: processor seconds, pairs of pieces, verdicts.

Run from the checkout: ``python -m benchmarks.separate``. The 3-3-3-3-2 networks on linked tori are
those of ``tests/image/data`` (trained on the vertices of ``linked-tori:45``); D-I is read from
``POLYRANK_SHARED_DATA`` if that is set.
"""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import polyrank as pr
from polyrank.image.apart import Disjoint
from polyrank.image.separate import separate
from polyrank.topology.manifold import Manifold
from polyrank.topology.point_cloud import complex_of_points, read_labels, read_points
from polyrank.topology.shapes import shape

WEIGHTS = Path(__file__).parent.parent / "tests" / "image" / "data"


def measure(name: str, network: pr.Network, manifold: Manifold) -> None:
    start = time.process_time()
    found = separate(network, manifold, only=[0, 1])
    seconds = time.process_time() - start
    rows = found.pair(0, 1)
    pairs = sum(r.images.count for r in rows if isinstance(r.images, Disjoint))
    meets = found.first_meeting(0, 1)
    separable = [r.layer for r in rows if r.separable]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    linking = " ".join(
        "-" if r.linking is None else ",".join(map(str, r.linking.divisors)) or "0" for r in rows
    )
    print(
        f"| {name} | {found.restriction.complex.cells[0]:,} | {len(rows)} | {seconds:.1f} | "
        f"{pairs:,} | {'never' if meets is None else f'layer {meets}'} | {separable} | {linking} | "
        f"{'-' if found.classification is None else found.classification.certified} | "
        f"{memory:.0f} |"
    )


def main() -> None:
    print(
        "| case | vertices of the cells | layers | processor s | pairs with a hyperplane | classes "
        "meet | separable at layers | linking numbers | certified | peak MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for activation in ("relu", "abs"):
        net = pr.load(WEIGHTS / f"tori_{activation}.npz", activation=activation)
        for m in (45, 100):
            measure(f"linked-tori:{m}, {activation}", net, shape(f"linked-tori:{m}"))
    data = os.environ.get("POLYRANK_SHARED_DATA")
    if data is None:
        return
    folder = Path(data) / "beshkov_quotient"
    for name, radius, weights in (("D-I-train", 0.35, "D-I_model_0"),):
        cloud = complex_of_points(
            read_points(folder / f"{name}.npy"), radius,
            labels=read_labels(folder / f"{name}-labels.npy"), name=name,
        )  # fmt: skip
        measure(f"{name}, {weights}", pr.load(folder / f"{weights}.pth"), cloud)


if __name__ == "__main__":
    main()
