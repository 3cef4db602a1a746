"""Images and certificates: processor seconds and memory of finding, writing and checking.

Run from the checkout: ``python -m benchmarks.image [ROW ...]``. Every row runs in a process of its
own, whose peak of memory is its own. The 3-3-3-3-2 networks on linked tori are those of
``tests/image/data``; rings and shells need ``POLYRANK_SHARED_DATA`` and gudhi.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

import polyrank as pr
from benchmarks.cases import DATA
from polyrank.image.barcode import LayerImages, image, level_name
from polyrank.image.certificate import save_certificate
from polyrank.image.image_certificate import save_images
from polyrank.image.induced import sequence_homology
from polyrank.image.overlap import Overlaps, overlap_decomposition
from polyrank.image.overlay import ImageComplex, images
from polyrank.image.separate import separate
from polyrank.image.separation_certificate import save_separation
from polyrank.image.union import LayerUnion, unions
from polyrank.lp.deadline import OutOfTimeError, time_limit
from polyrank.network.normal_form import Network, relu_layer
from polyrank.proof.image import check_image
from polyrank.proof.one_to_one import check_one_to_one
from polyrank.proof.separation import check_separation
from polyrank.topology.manifold import Manifold
from polyrank.topology.point_cloud import complex_of_points, read_labels, read_points
from polyrank.topology.restriction import restrict
from polyrank.topology.shapes import shape

BESHKOV = DATA / "beshkov_quotient"
#: Seconds by the clock after which overlays of the later layers are given up.
LIMIT = 1200
WEIGHTS = Path(__file__).parent.parent / "tests" / "image" / "data"


def _tell(text: str, start: float) -> None:
    """Print what is there, the processor time since the start, and the peak of memory."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent = time.process_time() - start
    print(f"{text}; {spent:.1f} s, {memory:.0f} MB", file=sys.stderr, flush=True)


def layer_unions(network: Network, manifold: Manifold) -> list[LayerUnion]:
    """The groups of all layers without the maps, each printed when it is found."""
    start = time.process_time()
    found = []
    for own in unions(network, manifold, len(network.layers)):
        found.append(own)
        _tell(f"H at layer {own.layer}: {own.groups}; cells {own.cells}", start)
    return found


def layer_overlays(network: Network, manifold: Manifold) -> list[ImageComplex]:
    """The images of all layers as complexes, each printed when it is made; then the groups."""
    start = time.process_time()
    found: list[ImageComplex] = []
    try:
        with time_limit(LIMIT):
            for own in images(network, manifold, len(network.layers)):
                found.append(own)
                _tell(f"{level_name(own.layer)}: cells {own.complex.cells}", start)
    except OutOfTimeError:
        print(f"the limit of {LIMIT} s has passed", file=sys.stderr)
    maps = sequence_homology([x.complex for x in found], [x.origin for x in found[1:]], "Z")
    for own, groups in zip(found, maps.groups, strict=True):
        print(f"H at {level_name(own.layer)}: {groups}", file=sys.stderr)
    return found


def all_overlaps(network: Network, manifold: Manifold) -> list[Overlaps]:
    """The pairs of pieces that overlap, layer by layer, each printed when they are found."""
    found = []
    for layer in range(1, len(network.layers) + 1):
        restriction = restrict(network, manifold, through_layer=layer)
        start = time.process_time()
        own = overlap_decomposition(restriction, layer)
        spent = time.process_time() - start
        found.append(own)
        print(
            f"layer {layer}: {len(own.pairs):,} of {own.tally.pairs:,} pairs overlap (complete: "
            f"{own.complete}), by dimension {np.bincount(own.dimension).tolist()}; share "
            f"{ {d: round(s.by_volume, 4) for d, s in own.share.items()} }; {spent:.1f} s",
            file=sys.stderr,
            flush=True,
        )
    return found


VERBS: dict[str, tuple[Callable[..., object], Callable[..., Path], Callable[..., object]]] = {
    "homeomorphism": (pr.homeomorphism, save_certificate, check_one_to_one),
    "image": (image, save_images, check_image),
    "separate": (separate, save_separation, check_separation),
    "nerve": (partial(image, way="nerve"), save_images, check_image),
    "overlaps": (all_overlaps, save_images, check_image),
    "union": (layer_unions, save_images, check_image),
    "overlay": (layer_overlays, save_images, check_image),
}


def tori(activation: str, m: int) -> tuple[Network, Manifold]:
    network = pr.load(WEIGHTS / f"tori_{activation}.npz", activation=activation)
    return network, shape(f"linked-tori:{m}")


def wide() -> tuple[Network, Manifold]:
    """A torus of 1,800 triangles through leaky layers 3-15-15."""
    random = np.random.default_rng(0)
    layers = [
        relu_layer(random.normal(size=(b, a)), random.normal(size=b) / 3, slope=0.5)
        for a, b in pairwise((3, 15, 15))
    ]
    return Network(tuple(layers)), shape("torus:30")


def circle() -> tuple[Network, Manifold]:
    """A circle of 4,096 edges through a random 2-32-32-2 network."""
    random = np.random.default_rng(0)
    widths = (2, 32, 32, 2)
    weights = [random.standard_normal((b, a)) for a, b in pairwise(widths)]
    biases = [random.standard_normal(b) / 2 for b in widths[1:]]
    return Network.from_arrays(weights, biases), shape("circle:4096")


def rings() -> tuple[Network, Manifold]:
    """D-II of Beshkov (2026), one class: nine rings, in the alpha complex of all test points."""
    labels = read_labels(BESHKOV / "D-II-test-labels.npy")
    space = complex_of_points(read_points(BESHKOV / "D-II-test.npy"), 0.08, labels=labels)
    return pr.load(BESHKOV / "D-II_model_0.pth"), space.of_class(1)


def shells() -> tuple[Network, Manifold]:
    """D-III, one class: nine shells, in the alpha complex of the test points of that class."""
    own = read_labels(BESHKOV / "D-III-test-labels.npy") == 0
    space = complex_of_points(read_points(BESHKOV / "D-III-test.npy")[own], 0.15)
    return pr.load(BESHKOV / "D-III_model_0.pth"), space


ROWS: dict[str, tuple[str, Callable[[], tuple[Network, Manifold]], bool]] = {
    "tori-relu-homeomorphism": ("homeomorphism", lambda: tori("relu", 45), True),
    "tori-relu-separate": ("separate", lambda: tori("relu", 45), True),
    "tori-relu-image": ("image", lambda: tori("relu", 45), False),
    "tori-abs-homeomorphism": ("homeomorphism", lambda: tori("abs", 45), True),
    "tori-abs-separate": ("separate", lambda: tori("abs", 45), True),
    "tori-abs-image": ("image", lambda: tori("abs", 45), False),
    "tori-relu-overlaps": ("overlaps", lambda: tori("relu", 45), False),
    "tori-abs-overlaps": ("overlaps", lambda: tori("abs", 45), False),
    "tori-small-image": ("image", lambda: tori("relu", 12), True),
    "torus-wide-homeomorphism": ("homeomorphism", wide, True),
    "circle-homeomorphism": ("homeomorphism", circle, True),
    "circle-image": ("image", circle, True),
    "rings-image": ("nerve", rings, False),
    "shells-image": ("nerve", shells, False),
    "rings-union": ("union", rings, False),
    "shells-union": ("union", shells, False),
    "rings-overlay": ("overlay", rings, False),
    "shells-overlay": ("overlay", shells, False),
}


def measure(name: str) -> None:
    verb, case, certified = ROWS[name]
    find, save, check = VERBS[verb]
    network, manifold = case()
    spent = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        pr.save(network, root / "net.json")
        network = pr.load(root / "net.json")
        start = time.process_time()
        found = find(network, manifold)
        spent.append(time.process_time() - start)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if certified:
            start = time.process_time()
            path = save(found, root / "c", network_file={"path": "../net.json"})
            spent.append(time.process_time() - start)
            start = time.process_time()
            check(path)
            spent.append(time.process_time() - start)
            size = sum(f.stat().st_size for f in path.iterdir()) / 1e6
            more = f"{spent[1]:.1f} | {spent[2]:.1f} | {size:.1f}"
        else:
            more = "- | - | -"
    if isinstance(found, LayerImages):
        for k in found.layers:
            print(f"H at {level_name(k)}: {found.groups(k)}", file=sys.stderr)
        for own in found.components:
            print(f"layer {own.layer}: {own.count} components", file=sys.stderr)
        for k, why in found.undecided:
            print(f"layer {k} is not decided: {why}", file=sys.stderr)
    print(f"| {name} | {spent[0]:.1f} | {memory:.0f} | {more} |", flush=True)


def main() -> None:
    names = sys.argv[1:] or list(ROWS)
    if len(names) == 1:
        measure(names[0])
        return
    print("| case | find s | peak MB | write s | check s | MB on disk |\n|---|---|---|---|---|---|")
    for name in names:
        subprocess.run([sys.executable, "-m", "benchmarks.image", name], check=True)


if __name__ == "__main__":
    main()
