"""Which units a property of an .nnet network is in: decided by the header, or asked."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer

import polyrank as pr
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.vnnlib import read_vnnlib
from polyrank_cli.convention import needs_convention, settled_convention
from polyrank_cli.options import Reading

# altitude in metres, 0..1000 normalised to −0.5..0.5, and speed, 10..30 to −1..1
HEADER = {
    "lower": [0.0, 10.0],
    "upper": [1000.0, 30.0],
    "means": [500.0, 20.0, 0.0],
    "ranges": [1000.0, 10.0, 1.0],
}


def network(header=HEADER, normalisation="folded") -> Network:
    plain = Network.from_arrays([np.ones((1, 2))], [np.zeros(1)], name="plane")
    return Network(plain.layers, "plane", {"header": header, "normalisation": normalisation})


def test_only_a_folded_normalisation_needs_a_decision():
    assert needs_convention(network(), Reading())
    assert not needs_convention(network(), Reading(raw=False))
    assert not needs_convention(network(normalisation="raw"), Reading())
    assert not needs_convention(network(normalisation="none"), Reading())
    plain = Network.from_arrays([np.ones((1, 2))], [np.zeros(1)])
    assert not needs_convention(plain, Reading())


@pytest.mark.parametrize(
    ("domain", "raw"),
    [
        (pr.Box([0, 10], [1000, 30]), False),
        (pr.Box([100, 12], [100, 13]), False),
        (pr.Box(["-0.5", -1], ["0.5", 1]), True),
        (pr.Box(["-0.5000001", -1], ["0.5", "1.000001"]), True),  # few digits
        (pr.Polytope([[1, 0], [-1, 0], [0, 1], [0, -1]], ["0.1", 0, 1, 1]), True),
        # altitude = 10 + 20 t, speed = 11 + t for t in [0, 1]
        (pr.Slice([10, 11], [[20], [1]], pr.Box(0, 1)), False),
        (pr.Slice([10, 11], [[-20], [1]], pr.Box("-0.1", 0)), False),
    ],
)
def test_the_range_that_contains_the_box_decides(domain, raw):
    found, note = settled_convention(network(), domain)
    assert found is raw
    assert ("taking --raw" if raw else "taking --folded") in note


@pytest.mark.parametrize(
    ("header", "domain", "reason"),
    [
        (HEADER, pr.Box([2000, 10], [3000, 30]), "neither way"),
        (HEADER, pr.Box(["-0.6", -1], ["0.5", 1]), "neither way"),
        (HEADER, pr.Box([0, 0], [1, 1]), "neither way"),
        (HEADER, pr.WholeSpace(), "the property is unbounded"),
        (HEADER | {"lower": None, "upper": None}, pr.Box(0, 1), "states no input range"),
        (
            HEADER | {"means": [0.0, 0.0, 0.0], "ranges": [1.0, 1.0, 2.0]},
            pr.Box([0, 10], [1000, 30]),
            "either way",
        ),
    ],
)
def test_otherwise_the_user_is_asked(header, domain, reason):
    with pytest.raises(typer.BadParameter, match=f"{reason}.*; say --raw .* or --folded"):
        settled_convention(network(header), domain)


NNET = """// a plane in the .nnet format
1,2,1,2,
2,1,
0,
0.0,10.0,
1000.0,30.0,
500.0,20.0,0.0,
1000.0,10.0,1.0,
1.0,-1.0,
0.0,
"""


def box(low: str, high: str) -> str:
    return (
        "(declare-const X_0 Real) (declare-const X_1 Real) (declare-const Y_0 Real)\n"
        f"(assert (and (>= X_0 {low}) (<= X_0 {high}) (>= X_1 {low}) (<= X_1 {high})))\n"
    )


@pytest.mark.parametrize(
    ("bounds", "options", "normalisation", "said"),
    [
        (("-0.5", "0.5"), [], "raw", "taking --raw"),
        (("10", "30"), [], "folded", "taking --folded"),
        (("-0.5", "0.5"), ["--folded"], "folded", ""),
        (("10", "30"), ["--raw"], "raw", ""),
        (("-0.5", "0.5"), ["-q"], "raw", ""),
    ],
)
def test_enumerate_settles_the_convention(polyrank, tmp_path, bounds, options, normalisation, said):
    (tmp_path / "plane.nnet").write_text(NNET)
    (tmp_path / "box.vnnlib").write_text(box(*bounds))
    arguments = ["--vnnlib", tmp_path / "box.vnnlib", "--json", *options]
    found = polyrank("enumerate", tmp_path / "plane.nnet", *arguments)
    assert found.status == 0
    assert (said in found.err) if said else (found.err == "")
    told = json.loads(found.out)
    assert told["network"]["source"]["normalisation"] == normalisation
    notes = told["notes"]
    assert notes["vnnlib"] == {"file": "box.vnnlib", "case": None}
    asked = "--raw" in options or "--folded" in options
    assert ("convention" in notes) is not asked


def test_enumerate_refuses_a_property_that_fits_neither_way(polyrank, tmp_path):
    (tmp_path / "plane.nnet").write_text(NNET)
    (tmp_path / "box.vnnlib").write_text(box("-7", "7"))
    arguments = ["--vnnlib", tmp_path / "box.vnnlib", "-o", tmp_path / "run"]
    found = polyrank("enumerate", tmp_path / "plane.nnet", *arguments)
    assert found.status == 2
    assert "say --raw" in found.err
    assert "--folded" in found.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 7, 8, 9, 10])
def test_acas_properties_are_normalised(shared_data, number):
    # VNN-COMP states the ACAS Xu properties in normalised inputs
    net, cases = acas(shared_data, number)
    for case in cases:
        assert settled_convention(net, case)[0] is True


def test_acas_property_6_leaves_the_range_and_is_asked_about(shared_data):
    # its range goes up to 62,000 ft, beyond the 60,760 ft of the header
    net, cases = acas(shared_data, 6)
    assert len(cases) == 2
    for case in cases:
        with pytest.raises(typer.BadParameter, match="neither way"):
            settled_convention(net, case)


def acas(shared_data, number: int) -> tuple[Network, tuple[Domain, ...]]:
    net = pr.load(next(shared_data("acasxu_nnet").glob("ACASXU_run2a_1_1_*.nnet")))
    return net, read_vnnlib(shared_data(f"acasxu_onnx/prop_{number}.vnnlib")).cases
