"""Samples against certified runs: subsets, volumes, ranks, planted regions, contradictions."""

from __future__ import annotations

import json
from copy import deepcopy
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

import polyrank as pr
from polyrank.errors import RunError
from polyrank.network.forward import codeword_exact, pack_bits, unpack_bits
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float
from polyrank.posed.chart import chart
from polyrank.regions.run import Run
from polyrank.sampling.codewords import restricted_network
from polyrank.sampling.crosscheck import RunCheck
from polyrank.sampling.estimate import sample
from polyrank.sampling.numerical import numerical_ranks
from polyrank.sampling.points import normal_blocks, uniform_blocks
from tests.oracles import affine_maps, bits_at, exact_layers, exact_rank, regions_by_generators
from tests.strategies import problems, realistic_network

PLANE = Network.from_arrays(
    [[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[1.0, 1.0, 1.0]]], [[0.0, 0.0, -1.0], [0.0]]
)


def _checked(net: Network, run: Run, count: int = 20_000, seed: int = 0):
    check = RunCheck(run, net)
    draw = uniform_blocks if check.chart.bounded else normal_blocks
    estimate = sample(check.sampled, draw(check.chart, count, seed), on_new=check)
    return estimate, check.finish(estimate)


@settings(max_examples=40)
@given(problem=problems(max_inputs=3, max_bits=9))
def test_sampled_codewords_are_regions_with_the_oracle_s_ranks(problem):
    network, space = problem
    where = chart(space.domain(), network.input_dim)
    draw = uniform_blocks if where.bounded else normal_blocks
    net = restricted_network(network, where.origin, where.basis)
    estimate = sample(net, draw(where, 300, 1))
    regions = regions_by_generators(network, space.rows)
    packed = {pack_bits(np.array(bits, bool)).tobytes(): r for bits, r in regions.items()}
    assert estimate.counts.sum() + estimate.on_hyperplane == 300
    for word, ranks in zip(estimate.packed, estimate.ranks.lower.tolist(), strict=True):
        assert packed[word.tobytes()].ranks == tuple(ranks)


def test_shares_of_samples_are_volumes():
    # areas of the regions of x > 0, y > 0, x + y > 1 in [-3, 3]^2, by hand, times 2
    area = {"000": 18, "100": 4 + 13, "010": 17, "110": 1}
    run = pr.enumerate_regions(PLANE, pr.Box(-3, 3))
    estimate, found = _checked(PLANE, run, 100_000)
    assert found.regions == found.hit == 7
    assert found.volume_missed == 0
    assert not found.contradictions
    shares = {
        "".join(str(int(b)) for b in np.unpackbits(w, bitorder="little")[:3]): n / 100_000
        for w, n in zip(estimate.packed, estimate.counts.tolist(), strict=True)
    }
    # (1, 0, *): x in (0, 3), y in (-3, 0), area 9; x + y > 1 cuts a triangle of legs 2 off it
    expected = {
        "000": 9 / 36, "100": 7 / 36, "101": 2 / 36, "010": 7 / 36, "011": 2 / 36,
        "110": 0.5 / 36, "111": 8.5 / 36,
    }  # fmt: skip
    assert area["000"] == 36 * 2 * expected["000"]
    assert shares.keys() == expected.keys()
    for key, share in expected.items():
        assert abs(shares[key] - share) < 6 * (share * (1 - share) / 100_000) ** 0.5
    by_volume = found.layers[0]["by_volume"]
    assert by_volume == {"0": 0.25, "1": pytest.approx(14 / 36), "2": pytest.approx(13 / 36)}


@pytest.mark.parametrize("kind", ["integer", "pruned", "duplicated", "bias-free", "dead"])
def test_a_run_holds_every_sample(kind):
    net = realistic_network(kind, (3, 10, 8, 2), 4)
    run = pr.enumerate_regions(net, pr.Box(-1, 1))
    estimate, found = _checked(net, run)
    assert found.certified_run
    assert not found.contradictions
    assert found.unlisted == 0
    assert found.hit == len(estimate.packed) <= run.count
    assert estimate.ranks.exact
    missed = float(found.volume_missed)
    assert 0 <= missed < 0.02
    for k, entry in enumerate(found.layers, start=1):
        assert entry["by_regions"] == {str(r): n for r, n in run.rank_histogram(k).items()}
        assert sum(entry["by_volume"].values()) == pytest.approx(1)
        assert entry["listed_min_rank"] == run.min_rank[k - 1] <= entry["sampled_min_rank"]


def _planted() -> Network:
    """Rank 0 on |x|, |y| < 2^-20 around (1/3, 1/3) only: four guards there are all inactive."""
    width = 2.0**-20
    W = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    b = np.array([-1 / 3 - width, 1 / 3 - width] * 2)
    return Network.from_arrays([W, np.eye(4)], [b, np.zeros(4)])


def test_a_planted_region_is_missed_and_the_report_says_so():
    net = _planted()
    run = pr.enumerate_regions(net, pr.Box(-1, 1))
    _, found = _checked(net, run)
    layer = found.layers[0]
    assert (layer["listed_min_rank"], layer["sampled_min_rank"]) == (0, 2)
    assert layer["low_rank_regions"] == layer["low_rank_regions_missed"] == 5
    assert found.hit == 4
    side = 2.0**-19
    assert float(found.volume_missed) == pytest.approx((4 * side - side**2) / 4, rel=1e-6)


def _without(run: Run, row: int) -> Run:
    kept = pa.concat_tables([run.table.slice(0, row), run.table.slice(row + 1)])
    manifest = deepcopy(dict(run.manifest))
    manifest["counts"]["regions"] -= 1
    return Run.in_memory(manifest, kept)


def test_a_codeword_that_is_not_listed_is_a_contradiction_with_its_point():
    run = _without(pr.enumerate_regions(PLANE, pr.Box(-3, 3)), 2)
    listed = {w.as_py() for w in run.table.column("codeword")}
    _, found = _checked(PLANE, run)
    (contradiction,) = found.contradictions
    assert "does not list" in contradiction.reason
    exact = codeword_exact(PLANE, contradiction.point)
    assert "".join(str(int(b)) for b in exact.bits) == contradiction.codeword
    assert exact.packed.tobytes() not in listed
    assert (exact.sign_vector != 0).all()
    assert found.summary()["contradictions"][0]["point"] == list(contradiction.point)


def test_a_run_that_is_not_certified_is_not_contradicted():
    run = _without(pr.enumerate_regions(PLANE, pr.Box(-3, 3)), 2)
    run.manifest["status"] = "interrupted"
    _, found = _checked(PLANE, run)
    assert not found.certified_run
    assert found.unlisted == 1
    assert not found.contradictions


def test_a_wrong_rank_is_a_contradiction():
    run = pr.enumerate_regions(PLANE, pr.Box(-3, 3))
    ranks = run.table.column("rank_1").to_numpy().copy()
    ranks[3] = (ranks[3] + 1) % 3
    at = run.table.schema.get_field_index("rank_1")
    field = run.table.schema.field(at)
    table = run.table.set_column(at, field, pa.array(ranks, field.type))
    _, found = _checked(PLANE, Run.in_memory(run.manifest, table))
    (contradiction,) = found.contradictions
    assert "states ranks" in contradiction.reason


def test_runs_on_slices_and_through_fewer_layers():
    net = realistic_network("integer", (3, 10, 8, 2), 4)
    flat = pr.Slice(["1/7", 0, 0], [[1, 0], [1, 1], [0, 2]], pr.Box(-1, 1))
    estimate, found = _checked(net, pr.enumerate_regions(net, flat))
    assert not found.contradictions
    assert found.hit == len(estimate.packed) > 1
    assert estimate.network.input_dim == 2
    assert found.layers[0]["low_rank_below"] == 2
    run = pr.enumerate_regions(net, pr.Box(-1, 1), through_layer=1)
    estimate, found = _checked(net, run)
    assert not found.contradictions
    assert len(found.layers) == 1


def test_whole_space_has_no_volumes():
    _, found = _checked(PLANE, pr.enumerate_regions(PLANE))
    assert found.volume_missed is None
    assert "by_volume" not in found.layers[0]
    assert not found.contradictions


def test_another_network_or_domain_is_refused():
    run = pr.enumerate_regions(PLANE, pr.Box(-3, 3))
    other = realistic_network("integer", (2, 3, 1), 0)
    with pytest.raises(RunError, match="is not that of the run"):
        RunCheck(run, other)
    check = RunCheck(run, PLANE)
    check.same_domain(pr.Box([-3, -3], ["3", 3.0]))
    with pytest.raises(RunError, match="is not that of the run"):
        check.same_domain(pr.Box(-3, "3.0001"))
    with pytest.raises(RunError, match=r"\.\.\. is not that of the run"):
        check.same_domain(pr.Polytope([[1, 0], [-1, 0]] * 20, ["1/3"] * 40))


def test_numerical_rank_disagreements_are_listed():
    # 1/(i+j+1): full rank 10 over the rationals, numerically 9 or fewer (Hilbert matrix)
    W = np.array([[1.0 / (i + j + 1) for j in range(12)] for i in range(12)])
    net = Network.from_arrays([W], [np.ones(12)], output_relu=True)
    estimate = sample(net, [np.ones((1, 12))])
    assert estimate.ranks.lower.tolist() == [[12]]
    found = numerical_ranks(estimate)
    (entry,) = found["disagreements"]
    assert entry["numerical"] < entry["lower"] == entry["upper"] == 12
    assert (found["compared"], found["of"]) == (1, 1)
    big = Network.from_arrays([np.full((2, 1), 2.0**900), 2.0**900 * np.eye(2)], [[0, 0]] * 2)
    entry = numerical_ranks(sample(big, [np.array([[2.0**-900]])]))["disagreements"][0]
    assert (entry["layer"], entry["numerical"], entry["lower"]) == (2, -1, 1)


def test_outside_points_and_saved_files(tmp_path):
    points = np.array([[5.0, 5.0], [2.0, 2.0], [0.0, 1.0], [-1.0, -1.0], [2.5, 2.5]])
    estimate = sample(PLANE, [points[:3], points[3:]], keep=lambda X: X[:, 0] < 4)
    assert (estimate.points, estimate.outside, estimate.on_hyperplane) == (5, 1, 1)
    assert estimate.first.tolist() == [3, 1]
    assert estimate.counts.tolist() == [1, 2]
    assert estimate.sizes.tolist() == [0, 3]
    out = tmp_path / "est"
    estimate.save(out, {"drawn": "points"})
    table = pq.read_table(out / "codewords.parquet")
    assert table.column("samples").to_pylist() == [1, 2]
    assert table.column("active_units").to_pylist() == [0, 3]
    assert table.column("rank_1_lower").to_pylist() == [0, 2]
    shown = json.loads((out / "estimate.json").read_text())
    assert shown["codeword_sizes"] == {"0": 1, "3": 2}
    assert shown["drawn"] == "points"
    assert shown["ranks"][0]["by_samples"] == {"0": 1, "2": 2}
    with pytest.raises(RunError, match="exists already"):
        estimate.save(out)


def test_nothing_and_no_units():
    empty = sample(PLANE, [])
    assert empty.summary()["ranks"][0]["min_rank"] is None
    assert numerical_ranks(empty)["compared"] == 0
    line = Network.from_arrays([[[1.0, 2.0]]], [[0.0]])
    estimate = sample(line, [np.zeros((3, 2))])
    assert estimate.counts.tolist() == [3]
    assert estimate.ranks.lower.tolist() == [[1]]


@settings(max_examples=60)
@given(problem=problems(max_inputs=3, max_bits=9))
def test_points_on_hyperplanes_count_under_their_own_codeword(problem):
    """Points of a small grid, where ties are common: bits and ranks of the point by the oracle."""
    network, _ = problem
    n = network.input_dim
    grid = np.stack(np.meshgrid(*[np.arange(-2.0, 3.0)] * n), axis=-1).reshape(-1, n)
    layers = exact_layers(network)
    truth: dict[bytes, list[int]] = {}
    unequal = 0  # points where no pre-activation is 0
    for i, point in enumerate(grid.tolist()):
        bits, strict = bits_at(layers, tuple(map(Fraction, point)))
        truth.setdefault(pack_bits(np.array(bits, bool)).tobytes(), []).append(i)
        unequal += strict
    estimate = sample(network, [grid[:7], grid[7:]], ties="inactive")
    assert {w.tobytes() for w in estimate.packed} == set(truth)
    for i, word in enumerate(estimate.packed):
        points = truth[word.tobytes()]
        assert (estimate.counts[i], estimate.first[i]) == (len(points), points[0])
        maps = affine_maps(layers, unpack_bits(word, sum(network.bits)).tolist(), n)
        ranks = [exact_rank([row[:n] for row in rows]) for rows in maps]
        assert estimate.ranks.lower[i].tolist() == estimate.ranks.upper[i].tolist() == ranks
    assert estimate.on_hyperplane == estimate.tied.sum() <= len(grid) - unequal
    strictly = sample(network, [grid])  # a unit that vanishes around the point is no hyperplane
    inside = dict(zip(map(bytes, strictly.packed), strictly.counts.tolist(), strict=True))
    assert strictly.on_hyperplane == estimate.on_hyperplane
    assert strictly.tied.sum() == 0
    for word, count, tied in zip(
        map(bytes, estimate.packed), estimate.counts.tolist(), estimate.tied.tolist(), strict=True
    ):
        assert count - tied == inside.get(word, 0)


def test_a_run_hears_of_points_inside_its_regions_only():
    """|x| on the line: at 0 both units are off, which is no region; 0 may come first."""
    net = Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    run = pr.enumerate_regions(net)
    assert run.certified
    for order in ([0.0, 0.0, 1.0, -2.0, 0.0], [3.0, 0.0, -1.0]):
        check = RunCheck(run, net)
        estimate = sample(
            check.sampled, [np.array([[v]]) for v in order], on_new=check, ties="inactive"
        )
        compared = check.finish(estimate)
        assert (compared.hit, compared.unlisted, compared.contradictions) == (2, 0, ())
        shown = estimate.summary()
        assert shown["codewords_of_points_on_hyperplanes_only"] == 1
        assert (shown["distinct_codewords"], shown["ties"]) == (3, "inactive")
    # one codeword, met on its boundary first and inside later: the run hears of the second
    line = Network.from_arrays([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    heard = []
    sample(
        line,
        [np.zeros((1, 1)), np.array([[-1.0]]), np.array([[-2.0]])],
        on_new=lambda word, point: heard.append(point.tolist()),
        ties="inactive",
    )
    assert heard == [[-1.0]]


def test_nothing_left_has_no_exact_ranks():
    estimate = sample(PLANE, [np.zeros((3, 2))])
    assert (estimate.on_hyperplane, len(estimate.packed)) == (3, 0)
    assert estimate.summary()["ranks_exact"] is None
    with pytest.raises(ValueError, match="ties='loose' is not one of strict, inactive"):
        sample(PLANE, [], ties="loose")


@pytest.mark.parametrize("ties", ["strict", "inactive"])
def test_every_point_has_its_own_row(ties: str) -> None:
    """Against codewords of single points; two blocks, some outside, some on a line."""
    net = Network.from_arrays([[[1.0, 0], [0, 1], [1, 1]], [[1, 1, 1]]], [[0, 0, -1], [0]])
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(40, 2)), [[0.0, 5.0], [9, 9]], rng.normal(size=(30, 2))])

    def keep(block: np.ndarray) -> np.ndarray:
        return np.abs(block).max(axis=1) < 6

    found = sample(net, [X[:50], X[50:]], ties=ties, keep=keep, follow=True)  # type: ignore[arg-type]
    columns = {name: column.to_pylist() for name, column in found.per_point().items()}
    assert len(columns["codeword_row"]) == len(X)
    for i, x in enumerate(X):
        if i == 41 or (i == 40 and ties == "strict"):
            assert {column[i] for column in columns.values()} == {None}
            continue
        bits = codeword_exact(net, [fmpq_from_float(float(v)) for v in x]).bits
        assert columns["active_units"][i] == bits.sum()
        row = columns["codeword_row"][i]
        assert unpack_bits(found.packed[row], 3).tolist() == bits.tolist()
        assert columns["rank_1_lower"][i] == min(2, bits.sum())
    counted = np.bincount([r for r in columns["codeword_row"] if r is not None])
    assert (counted == found.counts).all()
    plain = sample(net, [X], ties=ties, keep=keep)  # type: ignore[arg-type]
    assert (plain.packed == found.packed).all()
    with pytest.raises(ValueError, match="were not kept"):
        plain.per_point()
