"""Exported proofs by a foreign program: the SMT solver cvc5 reads problems and steps.

It parses the files by itself, finds that the conditions of every problem contradict each other, and
that every step follows from its premises: their clauses and the negated literals of its own
contradict each other in linear arithmetic. Of the format alone the strict reader beside this file
judges: names, what a subproof discharges, the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.network.normal_form import Network
from polyrank.polyhedra.dnf import Inequality
from polyrank.polyhedra.violation import OutputRow, Question, Specification, specification_of
from polyrank.verification.alethe import export_alethe
from polyrank.verification.maximum import greatest
from tests.verification.alethe_checker import Checker, Term, attributes, parsed, spelled

cvc5 = pytest.importorskip("cvc5", reason="cvc5 is not installed (pip install cvc5)")


def _text(term: Term) -> str:
    return term if isinstance(term, str) else f"({' '.join(map(_text, term))})"


def _clause(literals: tuple[Term, ...]) -> str:
    return f"(or false {' '.join(map(_text, literals))})"


def _answers(script: str) -> list[str]:
    """What cvc5 answers to the questions of a script."""
    solver = cvc5.Solver()
    solver.setOption("incremental", "true")
    reader = cvc5.InputParser(solver)
    reader.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, script, "script")
    symbols = reader.getSymbolManager()
    out = []
    while not (command := reader.nextCommand()).isNull():
        out.append(str(command.invoke(solver, symbols)).strip())
    return [answer for answer in out if answer]


def _steps(proof: str) -> Iterator[tuple[str, list[tuple[Term, ...]], tuple[Term, ...]]]:
    """Every step that concludes from its premises: its name, their clauses, its own."""
    known: dict[str, tuple[Term, ...]] = {}
    for command in spelled(parsed(proof)):
        match command:
            case ("assume", name, term):
                known[name] = (term,)
            case ("step", name, ("cl", *literals), *words):
                given = attributes(tuple(words))
                known[name] = tuple(literals)
                if given[":rule"] != "subproof":
                    yield name, [known[p] for p in given.get(":premises", ())], known[name]


def _script(problem: str, proof: str) -> tuple[str, list[str]]:
    """A question for every step; the names of those that are asked about."""
    declared = [line for line in problem.splitlines() if line.startswith("(declare-const")]
    lines, names = ["(set-logic QF_LRA)", *declared], []
    for name, premises, clause in _steps(proof):
        lines.append("(push 1)")
        lines += [f"(assert {_clause(premise)})" for premise in premises]
        lines.append(f"(assert (not {_clause(clause)}))")
        lines += ["(check-sat)", "(pop 1)"]
        names.append(name)
    return "\n".join(lines), names


def _confirmed(network: Network, property_: Specification, folder: Path) -> int:
    """Every step of the proof that the property holds; how many there are."""
    found = pr.verify(network, property_, out=folder / "run", proof=True, jobs=1)
    assert found.verdict == "holds"
    count = 0
    for entry in export_alethe(folder / "run", folder / "proof.alethe"):
        problem, proof = entry.problem.read_text(), entry.proof.read_text()
        Checker(problem).check(proof)
        assert _answers(problem) == ["unsat"]
        script, names = _script(problem, proof)
        wrong = [n for n, a in zip(names, _answers(script), strict=True) if a != "unsat"]
        assert not wrong
        count += len(names)
    return count


def _drawn(seed: int) -> tuple[Network, Specification]:
    """A small network and a bound that is touched, or nearly, on a box or a polytope."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    widths = [n, *rng.integers(1, 4, int(rng.integers(1, 3))).tolist(), m]
    whole = rng.random() < 0.5  # small integers: bounds are touched at many places
    weights, biases = [], []
    for a, b in pairwise(widths):
        for shape, into in (((b, a), weights), ((b,), biases)):
            drawn = rng.integers(-2, 3, shape).astype(float)
            into.append(drawn if whole else rng.normal(size=shape))
    network = Network.from_arrays(weights, biases)
    domain = [
        pr.Box(-1, "1/3"),
        pr.Box(["-1/7"] * n, [1] * n),
        pr.Polytope([[1] * n, *(-np.eye(n)).tolist()], ["1/2", *["1"] * n]),
    ][seed % 3]
    row = [0] * m
    row[seed % m] = 1
    most = greatest(network, domain, row, jobs=1).value
    shift = [fmpq(0), fmpq(1, 2**60), fmpq(1, 3)][int(rng.integers(3))]
    strict = bool(rng.random() < 0.5) or shift == 0
    bound = OutputRow(((seed % m, fmpq(-1)),), -most - shift, strict)
    # beside it a disjunct of two rows that contradict each other
    other = (OutputRow(((0, fmpq(1)),), fmpq(0), True), OutputRow(((0, fmpq(-1)),), fmpq(0)))
    disjuncts = ((bound,), other) if rng.random() < 0.5 else ((bound,),)
    open_wall = (Inequality(((0, fmpq(1)),), fmpq(1, 4), strict=True),)
    strict_inputs = open_wall if rng.random() < 0.3 else ()
    question = Question(domain, disjuncts, strict_inputs)
    return network, specification_of("drawn", n, m, (question,))


def test_steps_of_drawn_proofs(tmp_path):
    count = 0
    for seed in range(12):
        folder = tmp_path / str(seed)
        folder.mkdir()
        count += _confirmed(*_drawn(seed), folder)
    assert count > 200


@pytest.mark.slow
def test_steps_of_many_proofs(tmp_path):
    for seed in range(100, 300):
        folder = tmp_path / str(seed)
        folder.mkdir()
        _confirmed(*_drawn(seed), folder)


def test_cvc5_finds_what_does_not_follow(tmp_path):
    """A factor that is another changes nothing for a solver; a clause with a literal less does."""
    network, property_ = _drawn(0)
    assert pr.verify(network, property_, out=tmp_path / "run", proof=True).verdict == "holds"
    (entry,) = export_alethe(tmp_path / "run", tmp_path / "proof.alethe")
    problem, proof = entry.problem.read_text(), entry.proof.read_text()
    open_, names = 0, 0
    for i, line in enumerate(lines := proof.splitlines()):
        if ":rule la_generic" not in line:
            continue
        head, literals, words = _parts(line)
        for k in range(len(literals)):
            fewer = " ".join([*literals[:k], *literals[k + 1 :]])
            changed = "\n".join([*lines[:i], f"{head}(cl {fewer}){words}", *lines[i + 1 :]])
            script, _ = _script(problem, changed)
            names += 1
            open_ += "sat" in _answers(script)
    assert open_ > names // 2 > 0


def _parts(line: str) -> tuple[str, list[str], str]:
    """A step's line: up to its clause, the literals, and what follows."""
    start = line.index("(cl")
    depth = 0
    for end in range(start, len(line)):
        depth += {"(": 1, ")": -1}.get(line[end], 0)
        if not depth:
            break
    (clause,) = parsed(line[start : end + 1])
    return line[:start], [_text(v) for v in clause[1:]], line[end + 1 :]
