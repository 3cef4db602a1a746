"""Linear regions: unions of regions joined through facets with the same exact affine map.

Two neighbours across a facet have the maps ``x ↦ f(x)`` and ``x ↦ f(x) + v · g(x)`` with g the
facet's function, so their maps agree iff v = 0. A value modulo two primes at a random point
proves that maps differ; where the values agree, rationals decide.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.graph.listing import chart_of_run
from polyrank.graph.region_graph import RegionGraph
from polyrank.native.records import call
from polyrank.network.modular import fitting_prime, layer_residues, residues
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray
from polyrank.posed.branch import Branch
from polyrank.regions.run import Run

__all__ = ["linear_region_counts", "linear_regions", "map_residues"]

#: The largest prime that is used, below 2**31: products of residues fit 64-bit integers.
PRIME = 2147483647


def map_residues(run: Run, network: Network, layer: int) -> NDArray[np.int64]:
    """Values of every region's affine map through a layer at a random point, modulo two primes.

    Shape ``(R, 2 · units)``. **Proves**: rows that differ belong to different maps on the domain.
    **Does not prove** that equal rows belong to equal maps.
    """
    chart = chart_of_run(run, network)
    random = np.random.default_rng(7)
    words = np.concatenate(
        [np.zeros((0, max(1, (run.bits + 7) // 8)), dtype=np.uint8)]
        + [np.packbits(block, axis=1, bitorder="little") for block in run.codewords() if run.bits]
    )
    if not run.bits:
        words = np.zeros((run.count, 1), dtype=np.uint8)
    out = []
    basis, origin = (RationalArray.from_fmpq_mat(m) for m in (chart.basis, chart.origin))
    first = fitting_prime(PRIME, network, basis, origin)
    for p in (first, fitting_prime(PRIME, network, basis, origin, below=first)):
        y = random.integers(1, p, size=chart.k)
        # residues are below 2**31, so that a product fits; each is reduced before it is added
        x = (residues(origin, p)[:, 0] + (residues(basis, p) * y % p).sum(axis=1)) % p
        h = np.tile(x, (len(words), 1))
        position = 0
        for part in network.layers[:layer]:
            weight, bias, neg, pos = layer_residues(part, p)
            bit = np.full(part.units, -1, dtype=np.int64)
            count = int(part.has_hyperplane.sum())
            bit[part.has_hyperplane] = position + np.arange(count)
            position += count
            image = np.empty((len(words), part.units), dtype=np.int64)
            call("polyrank_residue_layer", weight, bias, neg, pos, bit, words, h, p, image)
            h = image
        out.append(h)
    return np.concatenate(out, axis=1)


def linear_regions(
    run: Run, network: Network, graph: RegionGraph, layer: int | None = None
) -> tuple[int, NDArray[np.int32], NDArray[np.int32]]:
    """Linear regions of the map through a layer, on the domain.

    Returns
    -------
    count : int
        Number of linear regions.
    labels : ndarray of int32, shape (R,)
        The linear region of every activation region.
    maps : ndarray of int32, shape (count,)
        Number of the distinct affine map of every linear region.

    Raises
    ------
    RunError
        If the run has no such layer.
    """
    k = run.chosen_layer(layer)
    values = map_residues(run, network, k)
    _, group = np.unique(values, axis=0, return_inverse=True)
    group = group.ravel()
    chart = chart_of_run(run, network)
    words = np.concatenate(list(run.codewords())) if graph.regions else np.zeros((0, 0))
    bits = sum(network.bits[:k])

    branch = Branch.on(network, chart)

    @lru_cache(maxsize=4096)
    def exact(word: bytes) -> Any:
        return branch.image(k, np.frombuffer(word, dtype=bool))

    def same(a: int, b: int) -> bool:
        u, v = words[a, :bits].astype(bool).tobytes(), words[b, :bits].astype(bool).tobytes()
        return u == v or bool(exact(u) == exact(v))

    joined = group[graph.source] == group[graph.target]
    for e in np.flatnonzero(joined).tolist():
        joined[e] = same(int(graph.source[e]), int(graph.target[e]))
    count, labels = graph.components(np.ones(graph.regions, dtype=bool), joined)
    first = np.zeros(count, dtype=np.int64)
    first[labels[::-1]] = np.arange(graph.regions)[::-1]
    maps = np.zeros(count, dtype=np.int32)
    known: dict[int, list[tuple[int, int]]] = {}
    total = 0
    for c in range(count):
        r = int(first[c])
        for other, number in known.setdefault(int(group[r]), []):
            if same(r, other):
                maps[c] = number
                break
        else:
            known[int(group[r])].append((r, total))
            maps[c] = total
            total += 1
    return count, labels, maps


def linear_region_counts(
    run: Run, network: Network, graph: RegionGraph, layer: int | None = None
) -> dict[str, int]:
    """Activation regions of layers 1..K, linear regions and distinct maps through layer K."""
    k = run.layers if layer is None else layer
    count, _, maps = linear_regions(run, network, graph, k)
    return {
        "layer": k,
        "activation_regions": run.at_layer(k).num_rows,
        "linear_regions": count,
        "affine_maps": len(np.unique(maps)),
    }
