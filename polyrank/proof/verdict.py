"""``check`` for verdicts of ``polyrank verify``: re-derived without the code that found them.

**Theorem.** Let every question of a property be a domain, in coordinates y with a bounding box, and
let a tree of cells start with a box around it. Let every inner node halve its box across one
coordinate, or assume both signs of one unit, one in each of two cells, and let every leaf be
*closed* (every disjunct has a combination of rows, with factors ≥ 0, that is > 0 on the cell) or
refuted in exact arithmetic (:mod:`polyrank.proof.exact_cell`). Then no input of the domain violates
the property.

*Proof.* The halves of a box cover it, and a unit is ≥ 0 or ≤ 0, so the leaves cover the domain. At
an input that satisfies a
disjunct all its rows are ≤ 0, and so is every combination of them. ∎

What is violated needs one input: it satisfies the violation with its outputs, by the exact forward
pass. Violations are derived here from the property's own text where the directory has one
(:mod:`polyrank.polyhedra.violation`, which is trusted as the reader of the property, like
``polyrank.network`` as that of the network); of a property that was stated by options the questions
in ``verdict.json`` are the property.

A leaf whose bounds come out below 0 here is looked at again with the signs of units that are proved
on the boxes around it, and halved further if need be, which proves the same: nothing depends on the
two programs rounding alike.

Files of a verdict
------------------
========================  ======================================================================
``verdict.json``          network, property, questions, verdict, counterexample; of a question
                          ``twins``: bounds of the differences of twins are used too
``property.vnnlib``       the property's text, if it was read from a file
``tree-0.bin.zst`` ...    for every question: a line of magic, then the tree in preorder, codes of
                          two bytes: 0 closed, 1 exact, 2 + 2 l + o halved across coordinate l at
                          the float ``0.5 · (low + high)``, the upper half first where o = 1; with
                          l = coordinates + g divided by the sign of unit g (of all layers in turn,
                          but for a last one that is affine), ≥ 0 first where o = 1. A closed leaf
                          is followed, for every disjunct in any order, by its number and the number
                          of its row, or 65535 and a float32 factor for each row, or 65534, the same
                          factors and multipliers of units (:mod:`polyrank.proof.boxes`): one byte
                          for each, the slope of its free line in 255ths of the way from the
                          negative side's to the positive one's, and a float32 for each assumed
                          sign, the first one first.
``exact-0.jsonl.zst``     the steps of the exact leaves, one line each
========================  ======================================================================

Of ``verdict.json`` the network is verified by its hash, the property by its text, the verdict, the
counterexample and the answers of the questions as above. What nothing verifies is named: how the
search went, what floating point made of a counterexample, answers beside one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.network.forward import forward_exact
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float, fmpq_from_text
from polyrank.polyhedra.domain import Box, domain_from_dict
from polyrank.polyhedra.violation import (
    Question,
    Specification,
    satisfied,
    specification_from_dict,
    violation_of,
    within,
)
from polyrank.polyhedra.vnnlib import parse_vnnlib
from polyrank.proof.boxes import BoxBounds, has_twins
from polyrank.proof.exact_cell import ExactReplay, contradiction, fraction, integers, remainder
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.proof.stated import Verified, fields_left
from polyrank.proof.statement_file import StatementFile, same_text
from polyrank.proof.tree import CLOSED, Leaf, Node, exact_steps, leaves_of

__all__ = ["STATEMENT", "VerdictReport", "check_verdict", "is_verdict", "stated_property"]

STATEMENT = StatementFile("verdict.json", "format", 1, "verdict")
#: How units whose bounds are about equal lean, where bounds of no other kind close a leaf.
_LEANS = (2.0**-10, -(2.0**-10))
#: How often a leaf that is not closed here is halved further.
_FURTHER = 12
_BATCH = 2048
#: What of ``verdict.json`` is verified, and beside it of a verdict.
_VERIFIED: Verified = {
    "format": None,
    "network": {"hash", "widths", "bits"},
    "network_file": None,
    "property": {"inputs", "outputs", "questions", "text", "within"},
    "verdict": None,
    "proof": None,
}
_BESIDE: dict[str, Verified] = {
    "holds": {
        "questions": {"answer", "domain", "low", "high", "bounds", "empty", "twins"},
    },
    "violated": {"counterexample": {"x", "y"}},
}

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class VerdictReport:
    """What was found. A rejection is a :class:`ProofRejectedError`.

    Attributes
    ----------
    verdict : str
        ``"holds"`` or ``"violated"``, proved; ``"unknown"``.
    name : str
        The property's.
    questions, leaves, exact, halved : int
        Questions; closed leaves, leaves decided in exact arithmetic, and leaves that needed more
        than their own box: signs proved around them, or halving.
    doubt : str
        Why nothing is decided; empty if it is.
    unverified : tuple of str
        What ``verdict.json`` states, or the directory holds, and nothing verifies.
    seconds : float
    """

    verdict: str
    name: str
    questions: int
    leaves: int
    exact: int
    halved: int
    doubt: str
    unverified: tuple[str, ...]
    seconds: float


def is_verdict(path: Path) -> bool:
    """Whether a directory holds a verdict."""
    return (path / STATEMENT.name).is_file()


def check_verdict(path: Path, *, network: Path | None = None) -> VerdictReport:
    """Check a verdict and its proof.

    Raises
    ------
    ProofRejectedError
        If something is false, or is no proof.
    NotDecidedError
        If the proof is missing or belongs to another network; it is a ProofRejectedError.
    RunError, NetworkError
        If the files cannot be read.
    """
    begun = time.perf_counter()
    with STATEMENT.opened(path, network) as (stated, own):
        specification = stated_property(path, stated)
        specification.check_shape(own)
        verdict = stated["verdict"]
        counts = _Counts()
        doubt = ""
        if verdict == "violated":
            _check_counterexample(own, specification, stated["counterexample"])
        elif verdict == "holds":
            entries = stated["questions"]
            if len(entries) != len(specification.questions):
                raise ProofRejectedError(
                    f"{len(entries)} questions are answered, the property has "
                    f"{len(specification.questions)}"
                )
            if not stated["proof"]:
                raise NotDecidedError("the verdict has no proof; make one with verify --proof")
            for number, question in enumerate(specification.questions):
                _check_question(path, own, question, entries[number], number, counts)
        elif verdict == "unknown":
            doubt = "the verdict is unknown"
        else:
            raise ProofRejectedError(f"the verdict is {verdict!r}")
    return VerdictReport(
        verdict,
        specification.name,
        len(specification.questions),
        counts.closed,
        counts.exact,
        counts.halved,
        doubt,
        (
            *fields_left(stated, {**_VERIFIED, **_BESIDE.get(verdict, {})}),
            *_not_read(path, stated, len(specification.questions)),
        ),
        time.perf_counter() - begun,
    )


@dataclass(slots=True)
class _Counts:
    closed: int = 0
    exact: int = 0
    halved: int = 0


def stated_property(path: Path, stated: Mapping[str, Any]) -> Specification:
    """The property: of its own text, if there is one.

    Raises
    ------
    ProofRejectedError
        If it is stated in other words than those in which it is written.
    """
    entry = stated["property"]
    if entry["text"] is None:
        found = specification_from_dict(entry)
    else:
        text = (path / _file_name(entry["text"])).read_text(encoding="utf-8")
        found = violation_of(parse_vnnlib(text, str(entry["name"])))
        if entry["within"] is not None:
            domain = domain_from_dict(entry["within"])
            if not same_text(domain.describe(), entry["within"]):
                raise ProofRejectedError("the domain of the property is written in other words")
            found = within(found, domain)
    described = {key: entry[key] for key in ("name", "inputs", "outputs", "questions")}
    if not same_text(found.describe(), described):
        raise ProofRejectedError("the questions that are stated are not those of the property")
    return found


def _file_name(stated: Any) -> str:
    """The name of a file in the directory itself."""
    name = str(stated)
    if name != Path(name).name:
        raise ProofRejectedError(f"{name} is no file of the directory")
    return name


def _not_read(path: Path, stated: Mapping[str, Any], questions: int) -> list[str]:
    """Files of the directory that are no part of the verdict."""
    read = {STATEMENT.name, stated["network_file"]["path"], stated["property"]["text"]}
    if stated["verdict"] == "holds":
        for number in range(questions):
            read |= {f"tree-{number}.bin.zst", f"exact-{number}.jsonl.zst"}
    return sorted(file.name for file in path.iterdir() if file.name not in read)


def _check_counterexample(
    network: Network, specification: Specification, stated: Mapping[str, Any]
) -> None:
    x = [fmpq_from_text(v) for v in stated["x"]]
    y = forward_exact(network, x)
    if [str(v) for v in y] != list(stated["y"]):
        raise ProofRejectedError("the outputs of the counterexample are other ones")
    if not satisfied(specification.violation, x, y):
        raise ProofRejectedError("the counterexample does not violate the property")


def _check_question(
    path: Path,
    network: Network,
    question: Question,
    stated: Mapping[str, Any],
    number: int,
    counts: _Counts,
) -> None:
    """A question whose answer is no."""
    if stated["answer"] != "no":
        raise ProofRejectedError(f"question {number} is answered with {stated['answer']!r}")
    if not same_text(question.domain.describe(), stated["domain"]):
        raise ProofRejectedError(f"question {number} is stated with another domain")
    domain = question.domain
    lower: Sequence[fmpq] | None = None
    upper: Sequence[fmpq] | None = None
    plain = isinstance(domain, Box)
    system = domain.system(network.input_dim)
    k = system.k
    where = f"question {number}"
    if isinstance(domain, Box):
        lower, upper = domain.bounds(network.input_dim)
    else:
        walls = _walls(domain, network)
        if stated["empty"] is not None:
            if not contradiction(walls, stated["empty"], k):
                raise ProofRejectedError(f"{where}: the domain is not shown to be empty")
            return
        if stated["bounds"] or not k:
            lower, upper = _proved_box(walls, stated["bounds"], k, where)
    low = np.array([float.fromhex(v) for v in stated["low"]])
    high = np.array([float.fromhex(v) for v in stated["high"]])
    whole = lower is None or upper is None
    if not len(low) == len(high) == k:
        raise ProofRejectedError(f"{where}: the first box has another dimension than the domain")
    if lower is None or upper is None:
        around = bool((low == -np.inf).all() and (high == np.inf).all())
    else:
        around = all(
            Fraction(a) <= fraction(p) and fraction(q) <= Fraction(b)
            for a, b, p, q in zip(low.tolist(), high.tolist(), lower, upper, strict=True)
        )
    if not around:
        # of other domains the bounds are those that were proved, and need not be the least
        raise (ProofRejectedError if plain else NotDecidedError)(
            f"{where}: the first box does not contain the domain"
        )
    origin, basis = (None, None) if plain else (system.origin, system.basis)
    twins = stated.get("twins", False) is True
    if twins and not has_twins(network):
        raise ProofRejectedError(f"{where}: the layers of the network have no twins")
    bounds = BoxBounds(network, origin, basis, question.disjuncts, twins=twins)
    place = _Place(network, question, system.origin, system.basis)
    leaves = _Leaves(bounds, place, where, counts, high - low)
    exact: ExactReplay | None = None
    lines = exact_steps(path / f"exact-{number}.jsonl.zst")
    tree = leaves_of(path / f"tree-{number}.bin.zst", question, bounds.units, low, high, where)
    for leaf in tree:
        if twins and (leaf.shares is not None or leaf.node.sign):
            raise ProofRejectedError(f"{where}: signs of units have no place beside twins")
        if whole and (leaf.code == CLOSED or leaf.node.above is not None):
            raise ProofRejectedError(f"{where}: only exact steps prove something without a box")
        if leaf.code == CLOSED:
            if bounds.useless:
                raise ProofRejectedError(f"{where}: floats underflow: only exact steps prove here")
            counts.closed += 1
            leaves.add(leaf)
            continue
        counts.exact += 1
        if exact is None:
            walls = _walls(domain, network)
            exact = ExactReplay(network, question, system.origin, system.basis, walls)
        steps = next(lines, None)
        if steps is None:
            raise ProofRejectedError(f"{where}: exact leaf {counts.exact} has no steps")
        exact.check(
            leaf.node.low.tolist(),
            leaf.node.high.tolist(),
            leaf.node.assumed(bounds.units).tolist(),
            steps,
            f"{where}, exact leaf {counts.exact}",
        )
    leaves.flush()
    if next(lines, None) is not None:
        raise ProofRejectedError(f"{where}: there are more exact proofs than exact leaves")


def _walls(domain: Any, network: Network) -> list[tuple[int, ...]]:
    """Rows ``b − A y ≥ 0`` of the domain in coprime integers."""
    system = domain.system(network.input_dim)
    out = []
    for i in range(system.m):
        row = [-fraction(system.A[i, l]) for l in range(system.k)]
        out.append(integers([*row, fraction(system.b[i, 0])]))
    return out


def _proved_box(
    walls: list[tuple[int, ...]], stated: list[Any], k: int, where: str
) -> tuple[list[fmpq], list[fmpq]]:
    """The bounds of every coordinate that multipliers of the rows prove."""
    sides: list[list[fmpq]] = [[], []]
    if len(stated) != 2 * k:
        raise ProofRejectedError(f"{where}: {len(stated)} sides of the box are proved, not {2 * k}")
    for number, proof in enumerate(stated):
        l, sign = number // 2, 1 - 2 * (number % 2)
        goal = [0] * (k + 1)
        goal[l] = sign
        rest = remainder(goal, walls, proof)
        if rest is None or any(rest[:-1]) or rest[-1] != proof[1]:
            raise ProofRejectedError(f"{where}: side {number} of the box is not proved")
        # scale · goal is this constant and a sum of rows that are ≥ 0
        sides[number % 2].append(sign * fmpq(rest[-1], proof[0]))
    return sides[0], sides[1]


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A question and the coordinates of its cells, x = origin + basis y."""

    network: Network
    question: Question
    origin: fmpq_mat
    basis: fmpq_mat

    def refusal(self, node: Node, factors: Floats) -> type[ProofRejectedError]:
        """What is raised of a closed leaf whose bounds are not positive here.

        The leaf is false if its factors are none, or if its combination of some disjunct's rows is
        not positive in the middle of its box; else better bounds might prove it.
        """
        if not (factors >= 0).all() or not np.isfinite(factors).all():
            return ProofRejectedError
        if node.signs():
            return NotDecidedError
        middle = [
            (Fraction(a) + Fraction(b)) / 2
            for a, b in zip(node.low.tolist(), node.high.tolist(), strict=True)
        ]
        y = fmpq_mat(len(middle), 1, [fmpq(v.numerator, v.denominator) for v in middle])
        outputs = forward_exact(self.network, (self.origin + self.basis * y).entries())
        factor = iter(factors.tolist())
        for disjunct in self.question.disjuncts:
            total = fmpq(0)
            for row in disjunct:
                value = sum((a * outputs[j] for j, a in row.terms), -row.bound)
                total += fmpq_from_float(next(factor)) * value
            if total <= 0:
                return ProofRejectedError
        return NotDecidedError


class _Leaves:
    """Closed leaves: boxes are proved many at a time, cells with assumed signs along the tree."""

    def __init__(
        self, bounds: BoxBounds, place: _Place, where: str, counts: _Counts, width: Floats
    ) -> None:
        self.bounds, self.place, self.where, self.counts = bounds, place, where, counts
        self.width = np.where(width > 0, width, 1.0)
        self.waiting: list[tuple[Node, Floats]] = []
        self.path: list[tuple[Node, Any]] = []

    def add(self, leaf: Leaf) -> None:
        """A leaf, to be proved now or later."""
        if leaf.shares is not None or leaf.node.signs():
            self._on_cell(leaf)
            return
        self.waiting.append((leaf.node, leaf.factors))
        if len(self.waiting) >= _BATCH:
            self.flush()

    def _on_cell(self, leaf: Leaf) -> None:
        """Prove a leaf from what was found on the cells around it, which the next ones share."""
        line = leaf.node.line()
        common = 0
        while common < min(len(self.path), len(line)) and self.path[common][0] is line[common]:
            common += 1
        del self.path[common:]
        for each in line[common:]:
            around = self.path[-1][1] if self.path else None
            self.path.append((each, self.bounds.cell(each.low, each.high, around, each.sign)))
        cell = self.path[-1][1]
        if not self.bounds.refutes(cell, leaf.factors, leaf.shares, leaf.pushes):
            signs = ", ".join(map(str, leaf.node.signs()))
            raise self.place.refusal(leaf.node, leaf.factors)(
                f"{self.where}: bounds do not refute the violation where signs are {signs}"
            )

    def _signs(self, nodes: list[Node]) -> NDArray[np.int8]:
        """Signs of units (b, units) that are proved on the boxes around some."""
        around = [node.line()[:-1] for node in nodes]
        signs = np.zeros((len(nodes), self.bounds.units), dtype=np.int8)
        for level in range(max(map(len, around))):
            at = [i for i, line in enumerate(around) if len(line) > level]
            low = np.array([around[i][level].low for i in at])
            high = np.array([around[i][level].high for i in at])
            signs[at] = self.bounds.signs(low, high, signs[at])
        return signs

    def flush(self) -> None:
        """Prove what waits."""
        if not self.waiting:
            return
        waiting, self.waiting = self.waiting, []
        low, high = (np.array([node[side] for node, _ in waiting]) for side in (0, 1))
        factors = np.array([given for _, given in waiting])
        signs = np.zeros((len(low), self.bounds.units), dtype=np.int8)
        proved, _ = self.bounds.refuted(low, high, factors, signs)
        left = np.flatnonzero(~proved)
        if not left.size:
            return
        # signs that are proved on the boxes around a box hold on it
        self.counts.halved += len(left)
        signs = self._signs([waiting[i][0] for i in left.tolist()])
        low, high, factors, leaf = low[left], high[left], factors[left], np.arange(len(left))
        whole, assigned, known = (low, high), factors, signs
        for turn in range(_FURTHER + 1):
            proved, slant = self.bounds.refuted(low, high, factors, signs)
            open_ = ~proved
            if not open_.any():
                return
            if turn == _FURTHER:
                low, high, leaf = low[open_], high[open_], np.unique(leaf[open_])
                break
            low, high, factors, slant = low[open_], high[open_], factors[open_], slant[open_]
            leaf = np.concatenate([leaf[open_]] * 2)
            signs = np.concatenate([signs[open_]] * 2)
            # by the bounds in one turn, by shape in the next
            score = slant if turn % 2 == 0 else (high - low) / self.width
            across = score.argmax(axis=1)
            at = np.arange(len(low))
            middle = 0.5 * (low[at, across] + high[at, across])
            upper, lower = high.copy(), low.copy()
            upper[at, across] = lower[at, across] = middle
            low, high = np.concatenate([low, lower]), np.concatenate([upper, high])
            factors = np.concatenate([factors, factors])
        below, above = (each[leaf] for each in whole)
        closed = np.zeros(len(leaf), dtype=bool)
        for lean in _LEANS:
            closed |= self.bounds.refuted(below, above, assigned[leaf], known[leaf], lean)[0]
        if closed.all():
            return
        sides = zip(low[0][:5].tolist(), high[0][:5].tolist(), strict=True)
        box = ", ".join(f"[{a!r}, {b!r}]" for a, b in sides)
        first = waiting[left[leaf[~closed][0]]]
        raise self.place.refusal(*first)(
            f"{self.where}: bounds do not refute the violation on {box}"
        )
