"""Cells divided by the signs of units, as boxes of many inputs are: verdicts and their proofs."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from flint import fmpq
from scipy.optimize import Bounds, LinearConstraint, milp

import polyrank as pr
from polyrank.errors import UncertifiedError
from polyrank.network.forward import forward_exact
from polyrank.network.rational import nearest_float
from polyrank.polyhedra.violation import satisfied
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.proof.tree import CLOSED, MAGIC, leaves_of
from polyrank.proof.verdict import check_verdict, stated_property
from polyrank.verification.alethe import export_alethe
from polyrank.verification.exact_cell import ExactQuestion, Programs, Refuted
from polyrank.verification.frame import frame
from polyrank.verification.maximum import greatest
from polyrank.verification.properties import argmax_constant, output_bounds
from tests.verification.alethe_checker import Checker, NotProvedError
from tests.verification.test_hidden import DEPTH, _drawn, hidden
from tests.verification.test_proofs import _read, _restate, _write

#: Inputs, hidden widths, negative slope.
SHAPES = [(20, [9], 0.0), (24, [7, 6], 0.0), (30, [8, 8], 0.125), (70, [8, 5], 0.0)]


def wide(d: int, hidden_widths: list[int], slope: float, seed: int = 0) -> pr.Network:
    rng = np.random.default_rng(seed)
    widths = [d, *hidden_widths, 2]
    weights = [rng.integers(-16, 17, (m, n)) / 8 for n, m in pairwise(widths)]
    biases = [rng.integers(-16, 17, m) / 8 for m in widths[1:]]
    return pr.Network.from_arrays(weights, biases, slope=slope)


def greatest_by_milp(network: pr.Network, j: int, box=(-1.0, 1.0)) -> float:
    """The greatest output j on a box, by default [−1, 1]^d: a binary for each unit (scipy's HiGHS).

    h = neg z + (pos − neg) p with p = max(z, 0), which is ``p ≥ z, p ≤ z + M (1 − b), p ≤ M b``.
    """
    d = network.input_dim
    low, high = (np.broadcast_to(np.asarray(side, dtype=float), d).tolist() for side in box)
    integer = [0] * d
    rows, least, most = [], [], []
    below = [{l: 1.0} for l in range(d)]
    below_constant = [0.0] * d
    size = [max(abs(a), abs(b)) for a, b in zip(low, high, strict=True)]

    def add(row: dict[int, float], a: float, b: float) -> None:
        rows.append(row)
        least.append(a)
        most.append(b)

    for layer in network.layers:
        forms, constants, sizes = [], [], []
        for i in range(layer.units):
            z: dict[int, float] = {}
            constant = float(layer.bias.approx[i])
            reach = abs(constant)
            for w, form, c, s in zip(
                layer.weight.approx[i], below, below_constant, size, strict=True
            ):
                for l, v in form.items():
                    z[l] = z.get(l, 0.0) + w * v
                constant += w * c
                reach += abs(w) * s
            neg, pos = float(layer.slope_neg.approx[i]), float(layer.slope_pos.approx[i])
            sizes.append(max(abs(neg), abs(pos)) * reach)
            if neg == pos:
                forms.append({l: pos * v for l, v in z.items()})
                constants.append(pos * constant)
                continue
            p, b = len(low), len(low) + 1
            low += [0.0, 0.0]
            high += [reach, 1.0]
            integer += [0, 1]
            minus = {l: -v for l, v in z.items()}
            add({**minus, p: 1.0}, constant, np.inf)
            add({**minus, p: 1.0, b: reach}, -np.inf, constant + reach)
            add({p: 1.0, b: -reach}, -np.inf, 0.0)
            form = {l: neg * v for l, v in z.items()}
            form[p] = pos - neg
            forms.append(form)
            constants.append(neg * constant)
        below, below_constant, size = forms, constants, sizes
    table = np.zeros((len(rows), len(low)))
    for r, row in enumerate(rows):
        for l, v in row.items():
            table[r, l] += v
    objective = np.zeros(len(low))
    for l, v in below[j].items():
        objective[l] -= v
    found = milp(
        objective,
        constraints=LinearConstraint(table, least, most),
        integrality=integer,
        bounds=Bounds(low, high),
        options={"mip_rel_gap": 0.0},
    )
    assert found.success
    return float(below_constant[j] - found.fun)


@pytest.mark.parametrize(("shape", "seed"), [*((s, 0) for s in SHAPES), (SHAPES[-1], 1)], ids=str)
def test_the_greatest_output_is_that_of_a_milp(shape, seed, tmp_path):
    network = wide(*shape, seed)
    most = greatest_by_milp(network, 1)
    box = pr.Box(-1, 1)
    for gap, verdict in ((1e-3, "holds"), (-1e-3, "violated")):
        asked = output_bounds(network, box, upper=str(Fraction(most + gap)), output=1)
        out = tmp_path / verdict
        found = pr.verify(network, asked, out=out, proof=True, jobs=1 + seed)
        assert found.verdict == verdict
        assert check_verdict(out).verdict == verdict
        if verdict == "violated":
            x = found.counterexample.x
            assert satisfied(asked.violation, x, forward_exact(network, x))
        else:
            leaves = list(_leaves(out, network))
            assert any(leaf.node.sign for leaf in leaves) or len(leaves) == 1


def test_the_exact_maximum_with_many_inputs():
    """Proposals come from exact programs over closed regions, whatever the number of inputs."""
    network = wide(70, [6, 4], 0.0, 2)
    found = greatest(network, pr.Box(-1, 1), [0, 1], jobs=1)
    assert found.certified
    assert nearest_float(found.value) == pytest.approx(greatest_by_milp(network, 1), abs=1e-6)


def test_no_time_begins_no_linear_program(monkeypatch):
    """With a hundred inputs and 64 units one takes minutes."""
    monkeypatch.setattr(Programs, "minimise", lambda *_: pytest.fail("one was begun"))
    network = pr.random_network("100-32-32-2", seed=0)
    found = greatest(network, pr.Box(-1, 1), [0, 1], seconds=0.0, jobs=1)
    assert not found.certified
    assert found.value == forward_exact(network, found.x)[1]


def test_no_time_begins_no_search_for_bounds():
    """Of a domain that is no box, whose bounds are found by exact linear programs."""
    network = pr.random_network("40-8-2", seed=0)
    rng = np.random.default_rng(0)
    domain = pr.Polytope(rng.normal(size=(90, 40)), np.ones(90))
    with pytest.raises(UncertifiedError, match="after 0 s the bounds of the domain are not found"):
        greatest(network, domain, [0, 1], seconds=0.0, jobs=1)


@pytest.mark.parametrize(("widths", "half"), [("40-6-2", 8), ("100-5-5-2", 16)])
def test_the_exact_maximum_around_a_point(widths, half):
    """Float weights, a small box whose bounds no float has."""
    network = pr.random_network(widths, seed=3)
    d = network.input_dim
    middle = [fmpq(int(v), 97) for v in np.random.default_rng(3).integers(-90, 90, d)]
    box = [[v + sign * fmpq(1, half) for v in middle] for sign in (-1, 1)]
    found = greatest(network, pr.Box(*box), [0, 1], jobs=1)
    assert found.certified
    assert forward_exact(network, found.x)[1] == found.value
    known = greatest_by_milp(network, 1, [list(map(nearest_float, side)) for side in box])
    assert nearest_float(found.value) == pytest.approx(known, abs=1e-6)


def _leaves(run: Path, network: pr.Network):
    stated = json.loads((run / "verdict.json").read_text())
    question = stated_property(run, stated).questions[0]
    low, high = (
        np.array([float.fromhex(v) for v in stated["questions"][0][side]])
        for side in ("low", "high")
    )
    units = sum(layer.units for layer in network.layers[:-1])
    return leaves_of(run / "tree-0.bin.zst", question, units, low, high, "it")


@pytest.mark.parametrize("d", [17, 24])
def test_a_hidden_counterexample_among_many_inputs(d, tmp_path):
    """None is called safe, however small the gap, and no near miss is called a counterexample.

    A bump that touches the bound does so on 2^d cells, which may take longer than there is time.
    """
    (place,) = _drawn(d, d, 1)
    for number, (gap, verdicts) in enumerate(
        [
            (Fraction(1, 10**9), {"violated"}),
            (Fraction(1, 10**25), {"violated", "unknown"}),
            (Fraction(0), {"holds", "unknown"}),
            (Fraction(-1, 10**25), {"holds", "unknown"}),
            (Fraction(-1, 10**3), {"holds"}),
        ]
    ):
        network = hidden([place], [DEPTH + gap])
        out = tmp_path / str(number)
        safe = output_bounds(network, pr.Box(-1, 1), lower=0)
        seconds = 0.5 if "unknown" in verdicts else np.inf
        found = pr.verify(network, safe, seconds=seconds, out=out, proof=True, jobs=1 + number % 2)
        assert found.verdict in verdicts
        assert check_verdict(out).verdict == found.verdict


@pytest.fixture(scope="module")
def network() -> pr.Network:
    return wide(24, [7, 6], 0.0)


@pytest.fixture(scope="module")
def bounds(network) -> tuple[str, str]:
    """One that holds, and one that is violated by 10⁻³."""
    most = greatest_by_milp(network, 1)
    return str(Fraction(most + 1e-3)), str(Fraction(most - 1e-3))


@pytest.fixture
def run(network, bounds, tmp_path) -> Path:
    out = tmp_path / "run"
    asked = output_bounds(network, pr.Box(-1, 1), upper=bounds[0], output=1)
    assert pr.verify(network, asked, out=out, proof=True, jobs=1).verdict == "holds"
    return out


def test_a_tree_has_signs_and_multipliers(run, network):
    leaves = list(_leaves(run, network))
    assert {leaf.code for leaf in leaves} >= {CLOSED}
    assert max(len(leaf.node.signs()) for leaf in leaves) >= 2
    assert any(leaf.pushes is not None and leaf.pushes.any() for leaf in leaves)
    assert any(
        leaf.shares is not None and ((leaf.shares > 0) & (leaf.shares < 1)).any() for leaf in leaves
    )


def test_no_change_of_a_tree_proves_what_is_false(run, network, bounds):
    """The claim is made false: neither the tree nor any change of it is accepted."""
    file = run / "tree-0.bin.zst"
    whole = _read(file)
    stated = (run / "verdict.json").read_text()

    def lowered(s):
        (row,) = s["property"]["questions"][0]["disjuncts"][0]
        before = json.dumps(row)
        row["bound"] = str(-fmpq(Fraction(bounds[1]).numerator, Fraction(bounds[1]).denominator))
        assert json.dumps(row) != before

    _restate(run, lowered)
    dice = np.random.default_rng(0)
    kinds = 0
    for trial in range(120):
        data = bytearray(whole)
        at = len(MAGIC)
        if trial:
            for _ in range(int(dice.integers(1, 4))):
                place = int(dice.integers(at, len(data)))
                if dice.random() < 0.2:
                    del data[place : place + 2]
                else:
                    data[place] = int(dice.integers(0, 256))
        _write(file, bytes(data))
        with pytest.raises(ProofRejectedError):
            check_verdict(run)
        kinds += 1
    assert kinds == 120
    (run / "verdict.json").write_text(stated)
    _write(file, whole)
    assert check_verdict(run).verdict == "holds"


def test_changed_steps_of_units_are_rejected(run, network):
    file = run / "tree-0.bin.zst"
    whole = _read(file)
    d, start = network.input_dim, len(MAGIC)
    first = int.from_bytes(whole[start : start + 2], "little")
    unit, positive_first = divmod(first - 2 - 2 * d, 2)
    assert 0 <= unit < 13

    def code(u: int, o: int) -> bytes:
        return int(2 + 2 * d + 2 * u + o).to_bytes(2, "little")

    rest = whole[start + 2 :]
    for data, says in (
        (MAGIC + code(13, 0) + rest, "is none"),
        (MAGIC + code(unit, 1 - positive_first) + rest, "do not refute"),
        (MAGIC + whole[start : start + 2] + code(unit, 0) + rest, "divided twice by unit"),
        (MAGIC + code((unit + 1) % 7, 0) + code((unit + 1) % 7, 0) + rest, "divided twice"),
    ):
        _write(file, data)
        with pytest.raises(ProofRejectedError, match=says) as refused:
            check_verdict(run)
        assert isinstance(refused.value, NotDecidedError) == (says == "do not refute")
    # one closed leaf where a sign is assumed, with a multiplier that is none
    factor, shares = np.array([1], "<f4").tobytes(), bytes(13)
    for push in (-1.0, np.inf, np.nan):
        leaf = b"\0\0\0\0\xfe\xff" + factor + shares + np.array([push], "<f4").tobytes()
        _write(file, MAGIC + code(0, 0) + leaf + leaf)
        with pytest.raises(ProofRejectedError, match="a multiplier of a sign is"):
            check_verdict(run)
    for factor_ in (-1.0, np.nan):
        leaf = b"\0\0\0\0\xfe\xff" + np.array([factor_], "<f4").tobytes() + shares
        _write(file, MAGIC + leaf)
        with pytest.raises(ProofRejectedError, match="do not refute") as refused:
            check_verdict(run)
        assert not isinstance(refused.value, NotDecidedError)


@pytest.mark.parametrize("d", [61, 100])
def test_a_bound_that_is_touched_among_many_inputs(d, tmp_path):
    """Σ over pairs of |x_l + x_m| and |x_l − x_m| is at most 2 each, which corners attain."""
    rng = np.random.default_rng(d)
    rows = []
    for _ in range(3):
        l, m = rng.choice(d, 2, replace=False)
        row = np.zeros(d)
        row[l], row[m] = 1.0, rng.choice([-1.0, 1.0])
        rows += [row, -row]
    network = pr.Network.from_arrays([np.array(rows), np.ones((1, 6))], [np.zeros(6), np.zeros(1)])
    most = max(  # a convex function is greatest at a corner, and only these inputs matter
        sum(abs(np.dot(row, corner)) for row in rows[::2])
        for corner in _corners(np.abs(rows).sum(axis=0) > 0)
    )
    for bound, verdict in ((most, "holds"), (Fraction(most) - Fraction(1, 10**30), "violated")):
        safe = output_bounds(network, pr.Box(-1, 1), upper=str(bound))
        out = tmp_path / verdict
        found = pr.verify(network, safe, out=out, proof=True, jobs=1)
        assert found.verdict == verdict
        assert check_verdict(out).verdict == verdict


def _corners(there: np.ndarray):
    used = np.flatnonzero(there)
    for signs in product((-1.0, 1.0), repeat=len(used)):
        corner = np.zeros(len(there))
        corner[used] = signs
        yield corner


def test_exact_steps_where_signs_are_assumed(tmp_path):
    """|Σ a_l x_l| ≤ Σ |a_l|, which is attained at two corners."""
    a = [(-1) ** l * (l + 1) for l in range(18)]
    network = pr.Network.from_arrays([[a, [-v for v in a]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    out = tmp_path / "run"
    safe = output_bounds(network, pr.Box(-1, 1), upper=sum(map(abs, a)))
    assert pr.verify(network, safe, out=out, proof=True, jobs=1).verdict == "holds"
    assert check_verdict(out).exact > 0
    file = out / "exact-0.jsonl.zst"
    lines = [json.loads(line) for line in _read(file).splitlines()]
    assert any(step[0] == "assumed" for steps in lines for step in steps)
    for steps in lines:
        for number, step in enumerate(steps):
            if step[0] == "split":
                continue
            for other in (["assumed", step[1] if step[0] in ("sign", "assumed") else 0],
                          ["assumed", 10**6], ["split", 0]):  # fmt: skip
                if other == step or (step[0] == "sign" and other[0] == "split"):
                    continue
                changed = [list(s) for s in steps]
                changed[number] = other
                data = [changed if s is steps else s for s in lines]
                _write(file, b"".join(json.dumps(s).encode() + b"\n" for s in data))
                with pytest.raises(ProofRejectedError, match="exact leaf"):
                    check_verdict(out)
            break


def test_an_assumed_sign_halves_what_is_decided():
    """|x − y| > 1/2 on a square, where x ≥ y is assumed: only points with x − y > 1/2 answer."""
    network = pr.Network.from_arrays(
        [[[1.0, -1.0], [-1.0, 1.0]], [[1.0, 0.0]]], [[0.0, 0.0], [0.0]]
    )
    above = output_bounds(network, pr.Box(0, 1), upper="1/2").questions[0]
    question = ExactQuestion(network, frame(pr.Box(0, 1), 2), above)
    low, high = np.zeros(2), np.ones(2)
    found = question.decide(low, high, [1, 0])
    assert not isinstance(found, Refuted)
    x, y = found.entries()
    assert x - y > fmpq(1, 2)
    proved = question.decide(low, high, [-1, 0])
    assert isinstance(proved, Refuted)
    assert ["assumed", 0] in proved.steps


def test_export_of_signs_and_multipliers(run, tmp_path):
    """Cases ``Z ≥ 0 or Z ≤ 0``; the slopes and multipliers of leaves are those of facts."""
    (entry,) = export_alethe(run, tmp_path / "proof.alethe")
    proof = entry.proof.read_text()
    checker = Checker(entry.problem.read_text())
    checker.check(proof)
    assert sum(checker.steps.values()) == entry.steps
    lines = proof.splitlines()
    either = re.compile(r"\(step \S+ \(cl \(>= Z_\S+ 0.0\) \(<=")
    cases = [n for n, line in enumerate(lines) if either.match(line)]
    assert cases
    # without one of the two cases nothing is proved
    for n in cases[-1:]:
        one = re.sub(r"\(cl (\(>= \S+ 0.0\)) .*?\) :rule", r"(cl \1) :rule", lines[n])
        assert one != lines[n]
        with pytest.raises(NotProvedError):
            Checker(entry.problem.read_text()).check("\n".join([*lines[:n], one, *lines[n + 1 :]]))


def test_export_of_exact_leaves_with_assumed_signs(tmp_path):
    """|Σ a_l x_l| ≤ Σ |a_l| is touched on both sides."""
    a = [(-1) ** l * (l + 1) for l in range(18)]
    network = pr.Network.from_arrays([[a, [-v for v in a]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    safe = output_bounds(network, pr.Box(-1, 1), upper=sum(map(abs, a)))
    assert pr.verify(network, safe, out=tmp_path / "run", proof=True, jobs=1).verdict == "holds"
    (entry,) = export_alethe(tmp_path / "run", tmp_path / "proof.alethe")
    Checker(entry.problem.read_text()).check(entry.proof.read_text())


def test_several_rows_and_disjuncts(tmp_path):
    """The greatest output is the same on a small box around a point; not on the whole one."""
    rng = np.random.default_rng(5)
    network = wide(40, [12, 10], 0.0, 5)
    at = rng.integers(-4, 5, 40) / 8
    y = forward_exact(network, [fmpq(int(8 * v), 8) for v in at])
    label = int(y[1] > y[0])
    for radius, verdict in (("1/64", "holds"), (2, "violated")):
        size = Fraction(radius)
        box = pr.Box([str(Fraction(v) - size) for v in at], [str(Fraction(v) + size) for v in at])
        out = tmp_path / verdict
        found = pr.verify(network, argmax_constant(network, box, label), out=out, proof=True)
        assert found.verdict == verdict
        assert check_verdict(out).verdict == verdict
