"""The search with vertices against the dictionaries, rational oracles and its own plain Python."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.cells.engine import Options
from polyrank.cells.task import settled
from polyrank.cells.vertices.search import VertexSearch, root_of
from polyrank.compiled import has_both, opened
from polyrank.complex.build import cell_complex
from polyrank.errors import EmptyDomainError, UnsupportedError
from polyrank.native import library, records
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float
from polyrank.posed.chart import Chart, chart
from polyrank.posed.problem import Problem
from polyrank.proof.check import check
from tests import oracles
from tests.cells.exact_only import Regions, regions
from tests.cells.test_search_paths import _domain, _network

NATIVE = Path(library.__file__).parent

Point = tuple[fmpq, ...]


def _with_vertices(
    network: Network, where: Chart
) -> tuple[Regions, dict[tuple[bytes, bytes], Point], dict[str, int]]:
    """Regions and witnesses of the search with vertices."""
    found: Regions = {}
    points: dict[tuple[bytes, bytes], Point] = {}
    problem = Problem.of(network, where)

    def sink(batch: Any) -> None:
        whole = settled(batch, problem)
        for i in range(len(whole.rank)):
            key = (whole.codeword[i].tobytes(), whole.zero[i].tobytes())
            assert key not in found, f"{key} was enumerated twice"
            found[key] = tuple(whole.rank[i].tolist())
            exact = whole.witness_exact.get(i)
            floats = whole.witness[i].tolist()
            points[key] = exact or tuple(fmpq_from_float(v) for v in floats)

    result = VertexSearch(problem, sink, Options()).run()
    assert result.certified
    return found, points, dict(result.ladder)


def _bits_at(network: Network, where: Chart, y: Point) -> tuple[tuple[int, ...], bool]:
    x = [
        where.origin[i, 0] + sum((where.basis[i, j] * y[j] for j in range(where.k)), fmpq(0))
        for i in range(where.n)
    ]
    exact = tuple(Fraction(int(v.p), int(v.q)) for v in x)
    return oracles.bits_at(oracles.exact_layers(network), exact)


def _agrees(seed: int) -> str:
    rng = np.random.default_rng(seed)
    net = _network(rng)
    domain = _domain(rng, net.input_dim)
    try:
        where = chart(domain, net.input_dim)
    except EmptyDomainError:
        return "empty"
    if root_of(Problem.of(net, where)) is None:
        with pytest.raises(UnsupportedError, match="use the dictionary engine"):
            VertexSearch(Problem.of(net, where), lambda batch: None, Options())
        return "refused"
    found, points, ladder = _with_vertices(net, where)
    expected, result = regions(net, where, engine="dictionary")
    assert result.certified
    assert found == expected, f"seed {seed}"
    for (codeword, _), y in points.items():
        bits, _ = _bits_at(net, where, y)
        stored = np.unpackbits(np.frombuffer(codeword, dtype=np.uint8), bitorder="little")
        assert list(bits) == stored[: len(bits)].tolist(), f"seed {seed}: witness"
    return "asked" if ladder["by_rationals"] else "float"


def test_degenerate_networks_of_every_kind() -> None:
    """Both engines, all of R^n, boxes, polytopes, slices; every rung is used."""
    outcomes = {_agrees(seed) for seed in range(150)}
    assert outcomes >= {"refused", "asked", "float"}


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_many_degenerate_networks(block: int) -> None:
    for seed in range(1000 + 300 * block, 1300 + 300 * block):
        _agrees(seed)


@pytest.mark.parametrize("seed", [6304, 17587])
def test_a_ray_and_its_opposite(seed: int) -> None:
    """Nearly parallel hyperplanes through unbounded cones: a ray was taken for its opposite."""
    assert _agrees(seed) == "asked"


@pytest.mark.skipif(not has_both(NATIVE, "polyrank_core"), reason="one build is installed")
@pytest.mark.parametrize("domain", [pr.Box(-1, 1), pr.WholeSpace()], ids=["box", "space"])
def test_both_builds_of_the_core_give_the_same_bits(domain: Any, monkeypatch: Any) -> None:
    """The build for any processor and, on x86-64, the one for AVX2: proofs, cells, witnesses."""
    rng = np.random.default_rng(3)
    net = pr.Network.from_arrays(
        [rng.normal(size=(5, 3)), rng.normal(size=(40, 5)), rng.normal(size=(1, 40))],
        [rng.normal(size=5), rng.normal(size=40), np.zeros(1)],
    )
    where = chart(domain, 3)

    def everything() -> dict[str, bytes]:
        out: dict[str, bytes] = defaultdict(bytes)

        def add(**arrays: Any) -> None:
            for name, data in arrays.items():  # batches end where time was up
                out[name] += data if isinstance(data, bytes) else data.tobytes()

        VertexSearch(
            Problem.of(net, where),
            lambda b: add(codeword=b.codeword, rank=b.rank, witness=b.witness),
            Options(proof=lambda data: add(proof=data)),
            keep=lambda cells: add(x=cells.x, err=cells.err, pos=cells.pos, label=cells.label),
        ).run()
        return out

    fast = everything()
    baseline = opened(NATIVE, "polyrank_core")
    monkeypatch.setattr(records, "core", lambda: baseline)
    assert everything() == fast


@pytest.mark.parametrize(
    ("engine", "options"),
    [
        ("vertices", {"tasks": []}),
        ("vertices", {"budget": 7}),
        ("vertices", {"rational": False}),
        ("highs", {"budget": 7}),
        ("highs", {"jobs": 2}),
    ],
)
def test_options_that_an_engine_does_not_honour_are_refused(engine: str, options: Any) -> None:
    net = pr.Network.from_arrays([np.eye(2), [[1.0, 1.0]]], [np.zeros(2), [0.0]])
    (option,) = options
    with pytest.raises(UnsupportedError, match=f"{engine} engine does not take .* '{option}'"):
        regions(net, chart(pr.Box(-1, 1), 2), engine=engine, **options)


def test_rows_of_the_domain_that_touch_nothing() -> None:
    """A row that no vertex of the domain lies on is positive at every vertex, last or not."""
    net = pr.Network.from_arrays([np.eye(2), [[1.0, 1.0]]], [np.zeros(2), [0.0]])
    box = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    cells = cell_complex(net, pr.Polytope([*box, [1.0, 1.0]], [1.0, 1.0, 1.0, 1.0, 5.0]))
    assert not cells.signs.on_walls(0)[:, 4].any()
    assert cells.signs.on_walls(0).sum() == 12


def test_auto_takes_vertices_in_low_dimension_only() -> None:
    net = pr.Network.from_arrays([np.eye(4), [[1.0] * 4]], [np.zeros(4), [0.0]])
    high = pr.enumerate_regions(net, pr.Box(-1, 1))
    assert (high.count, high.manifest["engine"]) == (16, "dictionary")
    low = pr.enumerate_regions(net, pr.Box([-1, -1, -1, 2], [1, 1, 1, 2]))
    assert (low.count, low.manifest["engine"]) == (8, "vertices")
    with pytest.raises(UnsupportedError, match="its dimension is 4, not 1 to 3"):
        pr.enumerate_regions(net, pr.Box(-1, 1), engine="vertices")


def test_domains_that_it_refuses() -> None:
    net = pr.Network.from_arrays([np.eye(2), [[1.0, 1.0]]], [np.zeros(2), [0.0]])
    half = pr.Polytope([[1.0, 0.0]], [1.0])
    with pytest.raises(UnsupportedError, match="unbounded and has walls"):
        pr.enumerate_regions(net, half, engine="vertices")
    flat = pr.Network.from_arrays([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]])
    with pytest.raises(UnsupportedError, match="fewer independent hyperplanes"):
        pr.enumerate_regions(flat, engine="vertices")
    angles = np.linspace(0, 2 * np.pi, 260, endpoint=False)
    round_ = pr.Polytope(np.column_stack([np.cos(angles), np.sin(angles)]), np.ones(260))
    with pytest.raises(UnsupportedError, match="260 rows, too many"):
        pr.enumerate_regions(net, round_, engine="vertices")
    for domain, count in ((half, 4), (round_, 4)):
        run = pr.enumerate_regions(net, domain)
        assert (run.count, run.manifest["engine"]) == (count, "dictionary")


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("segment", [1, 100_000])
def test_proofs_of_the_whole_space_are_accepted(
    seed: int, segment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cones of R^k, generic and degenerate, in one segment per cone and cut at every cell."""
    monkeypatch.setattr("polyrank.cells.vertices.search._SEGMENT", segment)
    rng = np.random.default_rng(seed)
    network = _network(rng)
    while root_of(Problem.of(network, _whole_space(network))) is None:
        network = _network(rng)
    expected, _ = regions(network, _whole_space(network), engine="dictionary")
    run = pr.enumerate_regions(network, engine="vertices", out=tmp_path / "run", proof=True)
    report = check(tmp_path / "run")
    assert report.complete
    assert report.regions == run.count == len(expected)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("biased", [True, False])
def test_touching_units_of_the_whole_space_are_proved(k: int, biased: bool, tmp_path: Path) -> None:
    """Floats with long mantissas: no integers, so what touches is named in rationals.

    Layer 1 has the units x_i; layer 2 has sums of some of them, which are 0 on a face of the
    cones where these are all inactive, and sums minus what reaches them exactly.
    """
    rng = np.random.default_rng(k)
    weights = rng.normal(size=(k + 2, k)) / 3.0
    sums = np.vstack([np.ones(k + 2), np.eye(k + 2)[0], np.eye(k + 2)[0] - np.eye(k + 2)[1]])
    biases = [np.zeros(k + 2), np.zeros(3), [0.0]]
    if biased:
        biases = [rng.normal(size=k + 2), np.zeros(3), [1.0]]
    network = pr.Network.from_arrays([weights, sums, np.ones((1, 3))], biases)
    run = pr.enumerate_regions(network, engine="vertices", out=tmp_path / "run", proof=True)
    assert check(tmp_path / "run").complete
    assert run.count == pr.enumerate_regions(network, engine="dictionary").count


def _whole_space(network: Network) -> Chart:
    return chart(pr.WholeSpace(), network.input_dim)
