"""The benchmark's cases: He-initialised networks, trained networks, arrangements.

He-initialised: ``numpy.random.default_rng(0)``, W ~ N(0, 2 / fan_in), b ~ N(0, 0.1²), hidden widths
as named and one affine output unit, on the box [−1, 1]^d. ``published`` is the best figure known to
us for a program that lists regions (regions per second, uncertified, one core), ``edges`` one for
vertices and edges alone in float32; both come from other machines.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import polyrank as pr
from polyrank.network.normal_form import Network, relu_layer
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.vnnlib import vnnlib_domain

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("POLYRANK_SHARED_DATA", ROOT.parent / "shared" / "data"))


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    make: Callable[[], tuple[Network, Domain]]
    published: int | None = None
    edges: int | None = None
    needs: Path | None = None


def he(widths: list[int], seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    weights, biases = [], []
    for fan_in, units in itertools.pairwise(widths):
        weights.append(rng.normal(0, np.sqrt(2 / fan_in), (units, fan_in)))
        biases.append(rng.normal(0, 0.1, units))
    return Network.from_arrays(weights, biases)


def _he(name: str, published: int | None = None, edges: int | None = None) -> Case:
    widths = [int(w) for w in name.split("-")]
    return Case(name, lambda: (he([*widths, 1]), pr.Box(-1, 1)), published, edges)


def _hcas() -> tuple[Network, Domain]:
    net = pr.load(ROOT / "examples/horizontal_cas/HCAS_rect_v6_pra0_tau00_25HU_3000.nnet")
    header = net.source["header"]
    return net, pr.Box(header["lower"], header["upper"])


_ACAS = DATA / "acasxu_onnx"


def _acas(prop: int) -> Callable[[], tuple[Network, Domain]]:
    def make() -> tuple[Network, Domain]:
        net = pr.load(_ACAS / "ACASXU_run2a_1_1_batch_2000.onnx")
        return net, vnnlib_domain(_ACAS / f"prop_{prop}.vnnlib")

    return make


def _resonance(n: int) -> Callable[[], tuple[Network, Domain]]:
    def make() -> tuple[Network, Domain]:
        rows = [[(s >> i) & 1 for i in range(n)] for s in range(1, 2**n)]
        return Network((relu_layer(rows, np.zeros(len(rows))),)), pr.WholeSpace()

    return make


def _generic_central(n: int, m: int) -> Callable[[], tuple[Network, Domain]]:
    def make() -> tuple[Network, Domain]:
        rows = np.random.default_rng(0).normal(size=(m, n))
        return Network((relu_layer(rows, np.zeros(m)),)), pr.WholeSpace()

    return make


CASES = [
    _he("2-32-32-32", 32_000),
    _he("2-64-64-64"),
    _he("3-16-16", 53_000, 163_000),
    _he("3-32-32"),
    _he("4-16-16", 27_000, 183_000),
    _he("4-32-32"),
    _he("5-20", 18_000, 172_000),
    _he("6-16-16", 2_700),
    _he("8-20", 2_000),
    _he("10-16", 3_000),
    Case("HorizontalCAS 3-5x25", _hcas),
    Case("ACAS Xu 1_1, property 3", _acas(3), needs=_ACAS),
    Case("ACAS Xu 1_1, property 4", _acas(4), needs=_ACAS),
    Case("resonance 5 on R^5", _resonance(5)),
    Case("resonance 6 on R^6", _resonance(6)),
    Case("generic central, 24 in R^6", _generic_central(6, 24)),
]
