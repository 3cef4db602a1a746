"""Properties on unbounded domains: decided by exact cells, along recession directions too."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.errors import UnsupportedError
from polyrank.network.forward import forward_exact
from polyrank.polyhedra.violation import satisfied
from polyrank.proof.format import ProofRejectedError
from polyrank.proof.tree import MAGIC
from polyrank.proof.verdict import check_verdict
from polyrank.verification.alethe import export_alethe
from polyrank.verification.properties import argmax_constant, output_bounds

TINY = fmpq(1, 10**30)


def _decided(network, property_, verdict, out) -> None:
    found = pr.verify(network, property_, out=out, proof=True)
    assert found.verdict == verdict
    assert check_verdict(out).verdict == verdict
    if verdict == "violated":
        x = found.counterexample.x
        assert satisfied(property_.violation, x, forward_exact(network, x))


STRIP = pr.Polytope([[1, -1], [-1, 1]], [1, 1])
HALF = pr.Polytope([[1, -1]], [-3])  # x − y <= −3


@pytest.mark.parametrize(
    ("domain", "bounds", "verdict"),
    [
        (pr.WholeSpace(), {"lower": 0, "output": 0}, "holds"),
        (pr.WholeSpace(), {"upper": 1, "output": 1}, "holds"),
        (pr.WholeSpace(), {"lower": TINY, "output": 0}, "violated"),
        (pr.WholeSpace(), {"upper": 10**9, "output": 0}, "violated"),
        (pr.WholeSpace(), {"lower": -(10**9), "output": 1}, "violated"),
        (STRIP, {"lower": 0, "upper": 1}, "holds"),
        (STRIP, {"upper": 1 - TINY, "output": 0}, "violated"),
        (HALF, {"lower": 3, "output": 0}, "holds"),
        (HALF, {"lower": 3 + TINY, "output": 0}, "violated"),
        (HALF, {"upper": -2, "output": 1}, "holds"),
        (pr.Slice([0, 5], [[1], [1]], pr.WholeSpace()), {"lower": 5, "upper": 5, "output": 0},
         "holds"),
    ],
)  # fmt: skip
def test_what_is_known(folded, domain, bounds, verdict, tmp_path):
    bounds = {k: v if k == "output" else fmpq(v) for k, v in bounds.items()}
    _decided(folded, output_bounds(folded, domain, **bounds), verdict, tmp_path / "run")


@pytest.mark.parametrize("seed", range(6))
def test_homogeneous_networks_are_decided_by_a_box(seed, tmp_path):
    """Without biases f(tx) = t f(x) for t ≥ 0: f ≥ 0 on R^n iff it is on [−1, 1]^n."""
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-3, 4, s).astype(float) for s in ((4, 2), (3, 4), (1, 3))]
    weights[-1] = np.abs(weights[-1]) * (1 if seed % 2 else -1)
    network = pr.Network.from_arrays(weights, [np.zeros(len(w)) for w in weights])
    on_box = pr.verify(network, output_bounds(network, pr.Box(-1, 1), lower=0)).verdict
    assert on_box in {"holds", "violated"}
    _decided(network, output_bounds(network, pr.WholeSpace(), lower=0), on_box, tmp_path / "run")


def test_argmax_on_a_half_line(tmp_path):
    """x⁺ against x − 1: less by 1 at least, on all of R."""
    network = pr.Network.from_arrays([[[1.0], [-1.0]], [[1.0, 0.0], [1.0, -1.0]]],
                                     [[0.0, 0.0], [0.0, -1.0]])  # fmt: skip
    domain = pr.Polytope([[-1]], [10])
    _decided(network, argmax_constant(network, domain, 0), "holds", tmp_path / "run")
    _decided(network, argmax_constant(network, domain, 1), "violated", tmp_path / "other")


def test_changed_proofs_are_rejected(folded, tmp_path):
    out = tmp_path / "run"
    pr.verify(folded, output_bounds(folded, STRIP, upper=1), out=out, proof=True)
    whole = (out / "verdict.json").read_text()
    steps = out / "exact-0.jsonl.zst"
    with pa.CompressedInputStream(pa.OSFile(str(steps)), "zstd") as stream:
        kept = json.loads(stream.read())

    def stated(change) -> None:
        found = json.loads(whole)
        change(found["questions"][0])
        (out / "verdict.json").write_text(json.dumps(found))

    stated(lambda q: q["low"].__setitem__(0, (-9.0).hex()))
    with pytest.raises(ProofRejectedError, match="does not contain the domain"):
        check_verdict(out)
    stated(lambda q: q.update(bounds=[[1, 1, [0], [1]]] * 4))
    with pytest.raises(ProofRejectedError, match="side 0 of the box"):
        check_verdict(out)
    stated(lambda _: None)
    assert check_verdict(out).exact == 1

    def replaced(change) -> None:
        copy = json.loads(json.dumps(kept))
        change(copy)
        with pa.CompressedOutputStream(pa.OSFile(str(steps), "wb"), "zstd") as stream:
            stream.write(json.dumps(copy).encode() + b"\n")

    def by_the_box(copy) -> None:
        place = next(i for i, step in enumerate(copy) if step[0] == "split")
        copy[place:] = [["sign", copy[place][1], 1, None]]

    def other_multipliers(copy) -> None:
        leaf = next(step for step in copy if step[0] == "leaf")
        leaf[1][0][3][0] += 1

    for change, says in ((by_the_box, "not by the box"), (other_multipliers, "not refuted")):
        replaced(change)
        with pytest.raises(ProofRejectedError, match=says):
            check_verdict(out)
    replaced(lambda _: None)
    for tree in (b"\0\0\0\0\0\0\1\0\0\0", b"\2\0\1\0\1\0"):  # closed by bounds; halved
        with pa.CompressedOutputStream(pa.OSFile(str(out / "tree-0.bin.zst"), "wb"), "zstd") as s:
            s.write(MAGIC + tree)
        with pytest.raises(ProofRejectedError, match="only exact steps|without bounds is halved"):
            check_verdict(out)


def test_what_stays_open(folded, tmp_path):
    bounded = output_bounds(folded, pr.WholeSpace(), upper=1)
    found = pr.verify(folded, bounded, seconds=0)
    assert (found.verdict, found.questions[0].note) == ("unknown", "the time limit was reached")
    wide = pr.Network.from_arrays([np.ones((1, 61)), [[1.0]]], [[0.0], [0.0]])
    found = pr.verify(wide, output_bounds(wide, pr.WholeSpace(), lower=0))
    assert found.verdict == "unknown"
    assert "not tried with 61 inputs" in found.questions[0].note
    out = tmp_path / "run"
    pr.verify(folded, output_bounds(folded, STRIP, upper=1), out=out, proof=True)
    with pytest.raises(UnsupportedError, match="unbounded"):
        export_alethe(out, tmp_path / "p.alethe")
