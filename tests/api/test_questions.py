"""Questions as functions: each answer is known by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import DomainError, NetworkError
from polyrank.image import save_certificate, save_images, save_separation
from polyrank.proof import ProofRejectedError
from polyrank.topology import shape
from tests.examples import LINEAR, layer, network

# three lines in the plane: 7 regions
_NET = network(layer([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), layer([[1, 1, 1]], [0], LINEAR))


def test_the_region_of_a_point() -> None:
    found = pr.at(_NET, [0.25, "1/4"])
    assert found.bits.tolist() == [True, True, False]
    assert found.facets is not None
    distances = sorted(str(f.distance_squared) for f in found.facets)
    assert distances == ["1/16", "1/16", "1/8"]  # to the axes, and to x + y = 1
    assert pr.at(_NET, [0.25, 0.25], pr.Box(-1, 1), budget=0).lower == ()
    with pytest.raises(DomainError, match="not strictly inside"):
        pr.at(_NET, [5, 5], pr.Box(-1, 1))
    for wrong in ([1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(NetworkError, match="coordinates|shape"):
            pr.at(_NET, wrong)
    with pytest.raises(NetworkError, match="no finite number"):
        pr.at(_NET, [float("nan"), 1.0])
    for layer_ in (0, 3):
        with pytest.raises(NetworkError, match=f"there is no layer {layer_}"):
            pr.at(_NET, [0.25, 0.25], layers=(layer_,))


def test_a_sample_on_a_domain_and_on_hyperplanes() -> None:
    """|x|: the origin is on the hyperplane, 2 is outside; what is asked of each."""
    net = pr.Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    points, box = [[0.0], [0.5], [2.0]], pr.Box(-1, 1)
    found = pr.sample(net, points, box, jobs=1)
    assert (found.points, found.outside, found.on_hyperplane, len(found.packed)) == (3, 1, 1, 1)
    found = pr.sample(net, points, box, ties="inactive", dtype=np.float32, follow=True, jobs=1)
    assert (len(found.packed), found.tied.tolist()) == (2, [1, 0])
    assert found.per_point()["rank_1_lower"].to_pylist() == [0, 1, None]
    with pytest.raises(ValueError, match="ties='open' is not one of strict, inactive"):
        pr.sample(net, points, ties="open")  # type: ignore[arg-type]
    flat = pr.Box([0, 0], [0, 1])
    with pytest.raises(pr.DomainError, match="the domain has dimension 1 in R"):
        pr.sample(_NET, [[0.0, 0.5]], flat)


def test_a_sample() -> None:
    found = pr.sample(_NET, [[0.25, 0.25], [0.3, 0.3], [-1, -1], [0, 1]], jobs=1)
    assert found.on_hyperplane == 1
    assert len(found.packed) == 2
    with pytest.raises(NetworkError, match="3 coordinates|3 numbers|inputs"):
        pr.sample(_NET, np.zeros((2, 3)))
    with pytest.raises(NetworkError, match="point 0 is not finite"):
        pr.sample(_NET, [[float("inf"), 0.0]])
    for wrong in ({"uniform": -4}, {"normal": 4, "scale": float("nan")}, {"normal": 4, "seed": -1}):
        name, value = list(wrong.items())[-1]
        with pytest.raises(ValueError, match=f"{name}= is {value}, expected 0 or more"):
            pr.sample(_NET, domain=pr.Box(-1, 1), **wrong)


def test_a_sample_against_a_run() -> None:
    """x, y, x + y - 1 on [-2, 2]^2: what three points see of seven regions of areas by hand."""
    box = pr.Box(-2, 2)
    run = pr.enumerate_regions(_NET, box)
    # x, y > 0 and x + y < 1 has the area 1/2; x, y < 0 has 4; x, y > 0 and x + y > 1 has 7/2
    points = [[0.25, 0.25], [-1, -1], [1, 1], [0.3, 0.3], [3, 3]]
    for domain in (None, pr.Box([-2, -2], [2, 2])):
        found = pr.sample(_NET, points, domain, run=run, jobs=1)
        compared = found.cross_check
        assert compared is not None
        assert (found.outside, compared.hit, compared.regions, compared.unlisted) == (1, 3, 7, 0)
        assert str(compared.volume_missed) == "1/2"  # of 16 eight are missed
        assert compared.contradictions == ()
        assert found.summary()["cross_check"]["share_hit"] == 3 / 7
    # by hand: rank 0 at x, y < 0, which is met; rank 1 twice, not met; rank 2 four times
    missed = {2: 2, 1: 0, 3: 4}
    for below, number in missed.items():
        compared = pr.sample(_NET, points, run=run, below=below, jobs=1).cross_check
        assert compared is not None
        assert compared.layers[0]["low_rank_below"] == below
        assert compared.layers[0]["low_rank_regions_missed"] == number
    assert pr.sample(_NET, points, box).cross_check is None
    assert "cross_check" not in pr.sample(_NET, points, box).summary()
    with pytest.raises(pr.RunError, match="is not that of the run"):
        pr.sample(_NET, points, pr.Box(-1, 1), run=run)
    with pytest.raises(pr.RunError, match="is not that of the run"):
        pr.sample(pr.Network.from_arrays([np.eye(2)], [[0.0, 0.0]]), points, run=run)
    with pytest.raises(ValueError, match="below= says what of a run is low-rank"):
        pr.sample(_NET, points, below=1)


def test_a_sample_that_is_drawn() -> None:
    """As many points as asked, in the domain, on flat ones too; the same for one seed."""
    box = pr.Box(-2, 2)
    run = pr.enumerate_regions(_NET, box)
    for law in ({"uniform": 400}, {"normal": 400, "scale": 1.5}):
        found = pr.sample(_NET, run=run, seed=3, **law)
        assert (found.points, found.outside) == (400, 0)
        assert found.cross_check is not None
        assert found.cross_check.hit == 7
        again = pr.sample(_NET, domain=box, seed=3, **law)
        assert again.counts.tolist() == found.counts.tolist()
    flat = pr.sample(_NET, domain=pr.Box([1, -2], [1, 2]), uniform=50)  # x = 1: y < 0 or y > 0
    assert [len(flat.packed), flat.points] == [2, 50]
    for given in ({}, {"uniform": 3, "normal": 3}, {"points": [[0.5, 0.5]], "uniform": 3}):
        with pytest.raises(ValueError, match="exactly one of points, uniform=, normal="):
            pr.sample(_NET, **given)
    with pytest.raises(DomainError, match="unbounded"):
        pr.sample(_NET, uniform=3)


def test_a_slice() -> None:
    # the diagonal from (-1, -1) to (1, 1) meets the lines at 0 and at 1/2
    run = pr.slice(_NET, [[-1, -1], [1, 1]])
    assert (run.count, run.certified) == (3, True)
    whole = pr.slice(_NET, [[-1, -1], [0.25, 0.25]], extended=True)
    assert whole.count == 3
    with pytest.raises(DomainError, match="dependent"):
        pr.slice(_NET, [[1, 1], [1, 1]])


def test_weights_that_are_stored_by_columns() -> None:
    """``W.T`` of a matrix (in, out) is the same network, on slices and boxes."""
    rng = np.random.default_rng(0)
    turned = [rng.normal(size=(5, 7)), rng.normal(size=(7, 2))]
    weights, biases = [W.T for W in turned], [rng.normal(size=7), rng.normal(size=2)]
    by_columns = pr.Network.from_arrays(weights, biases)
    by_rows = pr.Network.from_arrays([W.copy() for W in weights], biases)
    corners = rng.normal(size=(3, 5))
    box = pr.Box(-1, 1)
    for ask in (lambda net: pr.slice(net, corners), lambda net: pr.enumerate_regions(net, box)):
        assert ask(by_columns).count == ask(by_rows).count > 1
    assert by_columns.sha256 == by_rows.sha256


def test_homology_of_a_collapsed_circle() -> None:
    # no unit is active on the lower left quarter of the circle: one arc of rank 0 at layer 1
    for manifold in ("circle:24", shape("circle:24")):
        (row,) = pr.homology(_NET, manifold, layers=[1])
        assert str(row.homology.manifold) == "Z, Z"
        assert row.part.components == 1
        assert str(row.homology.one_point) == "Z, Z"  # an arc collapses to a point
    with pytest.raises(DomainError, match="no cell has rank < 0"):
        pr.homology(_NET, "circle:24", below=0)


def test_rooms_that_are_questions() -> None:
    assert pr.minrank(_NET).lower == pr.minimum_rank(_NET).lower
    assert pr.minrank(_NET, greatest=True, layer=1).upper == pr.maximum_rank(_NET, layer=1).upper
    assert pr.minrank.__name__ == "polyrank.minrank"  # and the package is there all the same
    assert pr.image(_NET, "circle:8").layers[0] is None
    with pytest.raises(ValueError, match="way='cover' is not one of overlay, nerve, both"):
        pr.image(_NET, "circle:8", way="cover")


def test_an_old_name_works_with_a_hint() -> None:
    with pytest.warns(DeprecationWarning, match=r"polyrank\.slice now"):
        assert pr.slice_regions is pr.slice
    with pytest.raises(AttributeError, match="no attribute 'slices'"):
        _ = pr.slices


def test_a_network_answers_for_itself() -> None:
    assert _NET.region_at(["1/3", "1/5"]).bits.tolist() == pr.at(_NET, ["1/3", "1/5"]).bits.tolist()
    shown = _NET._repr_html_()
    assert shown.count("<tr>") == 1 + len(_NET.layers)


def test_manifolds_by_name(tmp_path: Path) -> None:
    """A shape, a file or the manifold itself: the same answers."""
    square = tmp_path / "square.off"
    square.write_text("OFF\n4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2\n3 0 2 3\n", "utf-8")
    flat = network(layer([[1, 0, 0], [0, 1, 0]], [0, 0], LINEAR))
    assert pr.homeomorphism(flat, square).one_to_one
    assert pr.homeomorphism(flat, str(square)).one_to_one
    assert pr.homeomorphism(_NET, pr.Box(1, 2), layer=1).one_to_one
    # on the lower left quarter of the circle no unit is active
    for manifold in ("circle:24", shape("circle:24")):
        assert pr.homeomorphism(_NET, manifold).one_to_one is False
    assert str(pr.image(flat, square).groups(1)) == "Z, 0, 0"
    apart = pr.separate(_NET, "concentric-circles:8", layers=[0])
    assert [row.disjoint for row in apart.pair(0, 1)] == [True]
    for wrong, message in (("circel:8", "no shape is called 'circel'"), ("no.off", "no such file")):
        with pytest.raises(DomainError, match=message):
            pr.homology(_NET, wrong)


def test_what_a_directory_claims_is_checked(tmp_path: Path) -> None:
    pr.enumerate_regions(_NET, pr.Box(-2, 2), out=tmp_path / "run", proof=True)
    report = pr.check(tmp_path / "run")
    assert (report.regions, report.complete, report.doubt) == (7, True, "")
    pr.save(_NET, tmp_path / "net.json")
    file = {"path": str(tmp_path / "net.json"), "options": {}}
    one = pr.homeomorphism(_NET, "circle:8", layer=1)
    save_certificate(one, tmp_path / "one", network_file=file)
    assert pr.check(tmp_path / "one").refuted_from == 1
    save_images(pr.image(_NET, "circle:8"), tmp_path / "image", network_file=file)
    assert pr.check(tmp_path / "image").doubt == ""
    apart = pr.separate(_NET, "concentric-circles:8")
    save_separation(apart, tmp_path / "apart", network_file=file)
    assert len(pr.check(tmp_path / "apart").classes) == 2
    manifest = tmp_path / "run" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"regions": 7', '"regions": 8'))
    with pytest.raises(ProofRejectedError):
        pr.check(tmp_path / "run")


def test_every_answer_is_short() -> None:
    """Nothing writes its arrays out: one line that says what was found."""
    run = pr.enumerate_regions(_NET, pr.Box(-2, 2))
    answers = {
        "Region(0, ": run[0],
        "Selection(7 of 7 ": run[:],
        "Graph(7 regions, 9 shared facets)": run.graph(),
        "Regions(run=Run(": run.access,
        "RegionGraph(dimension=2, regions=7, edges=9)": run.access.graph,
        "RegionGeometry(bounded=True, vertices=": run[0].geometry,
        "CellComplex(f_vector=(13, 19, 7))": run.complex(),
        "RegionAt(ranks=((2, 2), (1, 1)), facets=3)": pr.at(_NET, ["1/4", "1/4"]),
        "Estimate(points=2, on_hyperplane=0, codewords=2)": pr.sample(_NET, [[1, 1], [-1, -1]]),
        "MinimumRank(layer=1, lower=0, certified=True, upper=0)": pr.minrank(_NET),
        "MaximumRank(layer=1, lower=2, upper=2, ": pr.minrank(_NET, greatest=True),
        "HomologyTable(layers 1, 2)": pr.homology(_NET, "circle:8"),
        "Images('circle' under ": pr.image(_NET, "circle:8"),
        "Homeomorphism(layer=2, one_to_one=False, first_layer=1)": pr.homeomorphism(
            _NET, "circle:8"
        ),
        "Separation(by='labels', classes=(0, 1), layers=(0, 1, 2), ": pr.separate(
            _NET, "concentric-circles:8"
        ),
        "Manifold(name='circle', ambient=2, cells=(8, 8))": shape("circle:8"),
        "RegionCount(regions=7, at_most=7, certified=True, ": pr.count_regions(_NET, pr.Box(-2, 2)),
        "Ensemble(certified=True, networks=1)": pr.ensemble(
            [_NET], pr.Box(-2, 2), measure="minrank"
        ),
    }
    for begins, answer in answers.items():
        assert repr(answer).startswith(begins), repr(answer)
        assert len(repr(answer)) < 250
    for answer in answers.values():
        if hasattr(answer, "_repr_html_"):
            assert "<" in answer._repr_html_()
    assert answers["HomologyTable(layers 1, 2)"]._repr_html_().count("<tr>") == 3
