"""Linear regions: unions of regions joined through facets with the same exact affine map.

Two neighbours across a facet have the maps ``x ↦ f(x)`` and ``x ↦ f(x) + v · g(x)`` with g the
facet's function, so their maps agree iff v = 0. A value modulo two primes at a random point
proves that maps differ; where the values agree, rationals decide.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.graph.listing import chart_of_run, words_of_run
from polyrank.graph.region_graph import RegionGraph
from polyrank.native.records import call
from polyrank.network.forward import unpack_bits
from polyrank.network.modular import fitting_prime, layer_residues, residues
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray
from polyrank.posed.branch import Branch
from polyrank.regions.run import Run
from polyrank.regions.schema import fixed_binary_rows
from polyrank.regions.scratch import Column, scratch

__all__ = ["linear_region_counts", "linear_regions", "map_keys"]

#: The largest prime that is used, below 2**31: products of residues fit 64-bit integers.
PRIME = 2147483647
#: Regions or edges that are looked at at once.
_ROWS = 1 << 18


def map_keys(run: Run, network: Network, layer: int) -> NDArray[np.uint64]:
    """A number for every region's affine map through a layer, ``(R,)``.

    It is made of the map's value at a random point modulo two primes. **Proves**: regions whose
    numbers differ have different maps on the domain. **Does not prove** that equal numbers belong
    to equal maps.
    """
    chart = chart_of_run(run, network)
    random = np.random.default_rng(7)
    basis, origin = (RationalArray.from_fmpq_mat(m) for m in (chart.basis, chart.origin))
    first = fitting_prime(PRIME, network, basis, origin)
    primes = first, fitting_prime(PRIME, network, basis, origin, below=first)
    points = []
    for p in primes:
        y = random.integers(1, p, size=chart.k)
        # residues are below 2**31, so that a product fits; each is reduced before it is added
        points.append((residues(origin, p)[:, 0] + (residues(basis, p) * y % p).sum(axis=1)) % p)
    units = network.layers[layer - 1].units
    factors = random.integers(0, 2**64, size=(2, units), dtype=np.uint64)
    layers = [[layer_residues(part, p) for part in network.layers[:layer]] for p in primes]
    out = Column(np.uint64)
    for batch in run.batches(["codeword"]):
        words = np.ascontiguousarray(fixed_binary_rows(batch.column("codeword")))
        keys = np.zeros(len(words), np.uint64)
        for p, x, parts, factor in zip(primes, points, layers, factors, strict=True):
            h = np.tile(x, (len(words), 1))
            position = 0
            for part, (weight, bias, neg, pos) in zip(network.layers, parts, strict=False):
                bit = np.full(part.units, -1, dtype=np.int64)
                count = int(part.has_hyperplane.sum())
                bit[part.has_hyperplane] = position + np.arange(count)
                position += count
                image = np.empty((len(words), part.units), dtype=np.int64)
                call("polyrank_residue_layer", weight, bias, neg, pos, bit, words, h, p, image)
                h = image
            keys += (h.astype(np.uint64) * factor).sum(axis=1, dtype=np.uint64)
        out.append(keys)
    return out.whole()


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
    key = map_keys(run, network, k)
    chart = chart_of_run(run, network)
    packed = words_of_run(run)
    bits = sum(network.bits[:k])

    branch = Branch.on(network, chart)

    @lru_cache(maxsize=4096)
    def exact(word: bytes) -> Any:
        return branch.image(k, np.frombuffer(word, dtype=bool))

    def word(r: int) -> bytes:
        return unpack_bits(packed[r], bits).tobytes()

    def same(a: int, b: int) -> bool:
        u, v = word(a), word(b)
        return u == v or bool(exact(u) == exact(v))

    joined = scratch(graph.edges, np.bool_)
    for begin in range(0, graph.edges, _ROWS):
        source, target = graph.source[begin : begin + _ROWS], graph.target[begin : begin + _ROWS]
        for e in np.flatnonzero(key[source] == key[target]).tolist():
            joined[begin + e] = same(int(source[e]), int(target[e]))
    everywhere = scratch(graph.regions, np.bool_)
    everywhere[:] = True
    count, labels = graph.components(everywhere, joined)
    first, seen = np.zeros(count, dtype=np.int64), 0
    for begin in range(0, graph.regions, _ROWS):
        # components are numbered by their first regions: the new ones of a block are the largest
        found, place = np.unique(labels[begin : begin + _ROWS], return_index=True)
        new = found >= seen
        first[found[new]] = begin + place[new]
        seen += int(np.count_nonzero(new))
    return count, labels, _maps(key[first], first, same)


def _maps(
    key: NDArray[np.uint64], first: NDArray[np.int64], same: Callable[[int, int], bool]
) -> NDArray[np.int32]:
    """The number of the map of every linear region, by its key and its first region."""
    own = np.arange(len(key))
    order = np.argsort(key, kind="stable")
    equal = np.flatnonzero(key[order[1:]] == key[order[:-1]])  # those alone with a key are new
    known: list[int] = []
    last = -2
    for i in equal.tolist():
        if i != last + 1:
            known = [int(order[i])]
        last = i
        c = int(order[i + 1])
        for other in known:
            if same(int(first[other]), int(first[c])):
                own[c] = other
                break
        else:
            known.append(c)
    numbers = np.cumsum(own == np.arange(len(own)), dtype=np.int32) - 1
    return numbers[own].astype(np.int32)


def linear_region_counts(
    run: Run, network: Network, graph: RegionGraph, layer: int | None = None
) -> dict[str, int]:
    """Activation regions of layers 1..K, linear regions and distinct maps through layer K."""
    k = run.layers if layer is None else layer
    count, _, maps = linear_regions(run, network, graph, k)
    return {
        "layer": k,
        "activation_regions": run.decomposition_counts(k)[0],
        "linear_regions": count,
        "affine_maps": int(maps.max(initial=-1)) + 1,
    }
