"""Verdicts against the exact extremes of outputs, found by brute force."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

import polyrank as pr
from polyrank.errors import UnsupportedError
from polyrank.polyhedra.violation import violation_of
from polyrank.polyhedra.vnnlib import parse_vnnlib
from polyrank.verification.properties import argmax_constant, output_bounds
from tests.oracles import exact_layers
from tests.strategies import degenerate_networks
from tests.verification.vertices import extremes, outputs_at

_TINY = Fraction(1, 10**30)
_BOXES = [
    ((-1, -1), (1, 1)),
    ((0, 0), (1, 2)),
    ((Fraction(-1, 3), Fraction(1, 7)), (Fraction(2, 3), Fraction(1, 7))),  # flat
    ((Fraction(1, 2), Fraction(1, 2)), (Fraction(1, 2), Fraction(1, 2))),  # a point
]


def _exact(value: Fraction) -> fmpq:
    return fmpq(value.numerator, value.denominator)


def _checked(network, found, lower, upper, violated_at) -> None:
    """A counterexample is one by the oracle's own forward pass."""
    x = [Fraction(int(v.p), int(v.q)) for v in found.counterexample.x]
    assert all(a <= v <= b for a, v, b in zip(lower, x, upper, strict=True))
    y = outputs_at(exact_layers(network), x)
    assert [_exact(v) for v in y] == list(found.counterexample.y)
    assert violated_at(y)


@settings(max_examples=25, deadline=None)
@given(degenerate_networks(max_inputs=2, max_hidden=2, max_bits=5), st.sampled_from(_BOXES))
def test_bounds_at_the_exact_extremes(network, bounds):
    d = network.input_dim
    lower = tuple(Fraction(v) for v in bounds[0][:d])
    upper = tuple(Fraction(v) for v in bounds[1][:d])
    domain = pr.Box([_exact(v) for v in lower], [_exact(v) for v in upper])
    for j, (least, most) in enumerate(extremes(network, lower, upper)):
        touched = output_bounds(network, domain, lower=_exact(least), upper=_exact(most), output=j)
        assert pr.verify(network, touched, jobs=1).verdict == "holds"
        below = output_bounds(network, domain, upper=_exact(most - _TINY), output=j)
        found = pr.verify(network, below, jobs=1)
        assert found.verdict == "violated"
        _checked(network, found, lower, upper, lambda y, j=j, m=most: y[j] > m - _TINY)


@settings(max_examples=15, deadline=None)
@given(degenerate_networks(max_inputs=2, max_hidden=2, max_bits=5))
def test_a_closed_violation_that_is_only_touched(network):
    d = network.input_dim
    lower, upper = (Fraction(-1),) * d, (Fraction(1),) * d
    inputs = "".join(f"(declare-const X_{i} Real)" for i in range(d))
    outputs = "".join(f"(declare-const Y_{j} Real)" for j in range(network.widths[-1]))
    box = "".join(f"(assert (>= X_{i} -1))(assert (<= X_{i} 1))" for i in range(d))
    most = extremes(network, lower, upper)[0][1]
    for bound, verdict in ((most, "violated"), (most + _TINY, "holds")):
        text = f"{inputs}{outputs}{box}(assert (>= Y_0 (/ {bound.numerator} {bound.denominator})))"
        found = pr.verify(network, violation_of(parse_vnnlib(text)), jobs=1)
        assert found.verdict == verdict
        if verdict == "violated":
            _checked(network, found, lower, upper, lambda y, b=bound: y[0] >= b)


def test_argmax():
    # |x| against 1/2 − |x|: equal at |x| = 1/4
    network = pr.Network.from_arrays(
        [[[1.0], [-1.0]], [[1.0, 1.0], [-1.0, -1.0]]], [[0.0, 0.0], [0.0, 0.5]]
    )
    assert pr.verify(network, argmax_constant(network, pr.Box(-0.2, 0.2), 1)).verdict == "holds"
    tied = pr.verify(network, argmax_constant(network, pr.Box(-0.2, 0.25), 1))
    assert tied.verdict == "violated"
    assert tied.counterexample.x == (fmpq(1, 4),)
    shown = argmax_constant(network, pr.Box(0.5, 1), at=["3/4"])
    assert pr.verify(network, shown).verdict == "holds"


def test_jobs_do_not_change_the_tree():
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=s) for s in ((20, 4), (20, 20), (20, 20), (2, 20))]
    biases = [rng.normal(size=len(w)) for w in weights]
    network = pr.Network.from_arrays(weights, biases)
    found = [
        pr.verify(network, output_bounds(network, pr.Box(-1, 1), upper=10**4), jobs=j)
        for j in (1, 2)
    ]
    assert found[0].verdict == found[1].verdict == "holds"
    assert found[0].boxes == found[1].boxes


@pytest.mark.parametrize(
    ("number", "verdict"), [(1, "holds"), (2, "violated"), (3, "holds"), (4, "holds")]
)
def test_published_verdicts(shared_data, number, verdict):
    """ACAS Xu 2_1: Katz et al., Reluplex, CAV 2017, and the reports of VNN-COMP."""
    folder = shared_data("acasxu_onnx")
    file = folder / "ACASXU_run2a_2_1_batch_2000.onnx"
    found = pr.verify(pr.load(file), folder / f"prop_{number}.vnnlib", network_file={"path": file})
    assert found.verdict == verdict
    if verdict == "violated":
        assert {run.by for run in found.counterexample.reruns} == {
            "float64", "float32", "onnxruntime",
        }  # fmt: skip
        assert all(run.inside and run.violates for run in found.counterexample.reruns)


@pytest.mark.parametrize("jobs", [1, 2])
def test_sampling_finds_what_bisection_meets_late(jobs):
    """Output 0 falls below 0 only in a cone at one corner of the cube in seven dimensions."""
    d = 7
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(40, d)) / 3
    first = np.concatenate([np.ones((1, d)), noise])
    bias = np.concatenate([[-(d - 0.5)], np.zeros(40)])
    second = np.concatenate([[-40.0], rng.uniform(0.01, 0.02, 40)])[None]
    network = pr.Network.from_arrays([first, second], [bias, [0.5]])
    found = pr.verify(network, output_bounds(network, pr.Box(-1, 1), lower=0), jobs=jobs)
    assert found.verdict == "violated"
    assert found.counterexample.y[0] < 0


@pytest.mark.parametrize("ends", [("1e400", "2e400"), ("-1e400", 1), (-1, "1e400")])
def test_bounds_beyond_floats_are_refused(ends):
    network = pr.Network.from_arrays([[[1.0]]], [[0.0]])
    with pytest.raises(UnsupportedError, match="input 0 of the domain has bounds beyond"):
        pr.verify(network, output_bounds(network, pr.Box(*ends), upper=1))
