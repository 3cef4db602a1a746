"""``check`` for statements about a function as a whole: slopes, two networks, their difference.

**Theorem.** Let the regions of a run be all activation regions of a network on a convex domain
(:mod:`polyrank.proof.check` accepts the run as complete), with linear parts J. An output j is
non-decreasing in an input i on a domain with interior iff ``J_ji ≥ 0`` on every region. The least
Lipschitz constant there is the greatest operator norm of a J. Two networks are one function on the
domain iff all affine maps of their difference are 0.

*Proof.* The closed regions are finitely many polytopes that cover the domain, and the network is
continuous: along a segment it is affine piece by piece, and its slopes are those of the J that it
passes, so signs and bounds of all J are those of the function. Each region has interior, so that
its own J is attained by quotients of differences. ∎

A greatest difference v is a verdict (:mod:`polyrank.proof.verdict`), that no output of the
difference exceeds v in magnitude, and an input at which one is v. What is violated needs points
only: the plain forward pass takes them to outputs that say so.

Files
-----
=================  ===========================================================================
``function.json``  the claim, its network or two, domain, answer, points
``regions``        a run with its proof; of the difference, where there are two networks
``verdict``        of a greatest difference: the verdict with its proof
=================  ===========================================================================

The network of ``regions`` or ``verdict`` is compared with the one that the claim speaks of: by its
hash, or layer by layer with the two networks (:mod:`polyrank.proof.pair`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flint import fmpq

from polyrank.network.forward import codeword_exact, forward_exact
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_text
from polyrank.polyhedra.domain import Domain, domain_from_dict
from polyrank.polyhedra.inputs import in_domain
from polyrank.polyhedra.violation import OutputRow, satisfied, specification_from_dict
from polyrank.proof.check import check
from polyrank.proof.domain import problem_of
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.proof.layers import Problem
from polyrank.proof.network_file import named_network
from polyrank.proof.pair import check_difference
from polyrank.proof.rows import Rows
from polyrank.proof.slopes import Maps, at_least, at_most, layers_on_inputs
from polyrank.proof.stated import Verified, check_named, fields_left
from polyrank.proof.statement_file import StatementFile, same_text
from polyrank.proof.verdict import STATEMENT as VERDICT
from polyrank.proof.verdict import check_verdict
from polyrank.regions.manifest import read_manifest, shard_files

__all__ = ["STATEMENT", "FunctionReport", "check_function", "is_function"]

STATEMENT = StatementFile("function.json", "format", 1, "statement")
#: What of ``function.json`` is verified, and beside it by the kind of claim, and where points alone
#: prove something.
_NETWORK: Verified = {"network": {"hash", "widths", "bits"}, "network_file": None}
_VERIFIED: Verified = {
    **_NETWORK, "format": None, "second": None, "domain": None, "verdict": None, "proof": None
}  # fmt: skip
_BESIDE: dict[str, Verified] = {
    "monotone": {"claim": {"kind", "input", "output", "increasing"}},
    "lipschitz": {"claim": {"kind", "norm"}, "lower": None, "upper": None, "witness": None},
    "equal": {"claim": {"kind"}},
    "difference": {"claim": {"kind"}, "value": None, "output": None, "x": None},
}
_POINTS: Verified = {"point": None, "points": None}


@dataclass(frozen=True, slots=True)
class FunctionReport:
    """What was found. A rejection is a :class:`ProofRejectedError`.

    Attributes
    ----------
    claim : str
        What is proved, as a sentence.
    values : tuple of str
        The number that it speaks of, or two that enclose it, as fractions; empty for none.
    verdict : str
        ``"holds"``, ``"violated"``, or ``"certified"`` for a number.
    regions : int
        Regions whose affine maps were composed.
    doubt : str
        Always empty: what is not decided is an error.
    unverified : tuple of str
        What ``function.json`` states, and nothing verifies.
    seconds : float
    """

    claim: str
    values: tuple[str, ...]
    verdict: str
    regions: int
    doubt: str
    unverified: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Claim:
    path: Path
    stated: Mapping[str, Any]
    network: Network
    domain: Domain
    other: Network | None

    @property
    def first_and_second(self) -> tuple[Network, Network]:
        if self.other is None:
            raise KeyError("second")
        return self.network, self.other


def is_function(path: Path) -> bool:
    """Whether a directory holds a statement about a function."""
    return (path / STATEMENT.name).is_file()


def check_function(path: Path, *, network: Path | None = None) -> FunctionReport:
    """Check a statement that ``polyrank verify -o`` wrote about a function as a whole.

    Parameters
    ----------
    path : Path
    network : Path, optional
        The file of the (first) network, where it is no longer where the statement says.

    Raises
    ------
    ProofRejectedError
        If something is false, or is no proof.
    NotDecidedError
        If the proof is missing, incomplete or of another network; it is a ProofRejectedError.
    RunError, NetworkError
        If the files cannot be read.
    """
    begun = time.perf_counter()
    with STATEMENT.opened(path, network) as (stated, own):
        other = None
        if stated["second"] is not None:
            other = named_network(path, stated["second"], None)
            check_named(other, stated["second"], "statement (its second network)")
        claim = _Claim(path, stated, own, domain_from_dict(stated["domain"]), other)
        if not same_text(claim.domain.describe(), stated["domain"]):
            raise ProofRejectedError("the domain is written in other words")
        kind = stated["claim"]["kind"]
        if kind not in _CHECKS:
            raise ProofRejectedError(f"a claim of kind {kind!r} is none")
        sentence, values, regions = _CHECKS[kind](claim)
        verdict = str(stated["verdict"])
        beside = {**_BESIDE[kind], **(_POINTS if verdict == "violated" else {})}
        unverified = fields_left(stated, {**_VERIFIED, **beside})
        if stated["second"] is not None:
            left = fields_left(stated["second"], _NETWORK)
            unverified += [f"second.{name}" for name in left]
    spent = time.perf_counter() - begun
    return FunctionReport(sentence, values, verdict, regions, "", tuple(unverified), spent)


def _point(stated: Any) -> list[fmpq]:
    return [fmpq_from_text(v) for v in stated]


def _inside(claim: _Claim, x: Sequence[fmpq]) -> None:
    n = claim.network.input_dim
    if len(x) != n or not satisfied(in_domain(claim.domain, n), x, ()):
        raise ProofRejectedError("a point is not in the domain")


def _verdict(claim: _Claim, *allowed: str) -> str:
    verdict = claim.stated["verdict"]
    if verdict == "unknown":
        raise NotDecidedError("the answer is unknown")
    if verdict not in allowed:
        raise ProofRejectedError(f"the verdict is {verdict!r}")
    return str(verdict)


def _complete(claim: _Claim, network: Network | None) -> tuple[Rows, Problem, dict[str, Any]]:
    """The run below a claim, once it is accepted as complete: rows, problem, manifest.

    ``network``: the one that it must be of; None: the difference of the two.
    """
    if not claim.stated["proof"]:
        raise NotDecidedError("the statement has no proof; make one with verify --proof")
    run = claim.path / "regions"
    report = check(run)
    manifest = read_manifest(run)
    if not report.complete or report.doubt or report.layers != report.network_layers:
        raise NotDecidedError(f"the regions are not all of them: {report.doubt or 'some layers'}")
    found = named_network(run, manifest, None)
    if network is None:
        check_difference(found, *claim.first_and_second)
    elif found.sha256 != network.sha256:
        raise NotDecidedError("the regions are those of another network")
    if domain_from_dict(manifest["domain"]).describe() != claim.domain.describe():
        raise NotDecidedError("the regions are those of another domain")
    problem, frame = problem_of(manifest, found, report.layers)
    table = Rows(shard_files(run), manifest["bits"], report.layers, frame)
    return table, problem, manifest


def _with_interior(claim: _Claim) -> tuple[Rows, Maps]:
    """Regions and their maps on the inputs, for a domain with interior."""
    table, problem, manifest = _complete(claim, claim.network)
    if problem.layers.k + manifest["chart"].get("lineality", 0) != claim.network.input_dim:
        raise ProofRejectedError("the domain is flat, where slopes in all directions mean nothing")
    return table, Maps(layers_on_inputs(claim.network))


def _check_monotone(claim: _Claim) -> tuple[str, tuple[str, ...], int]:
    stated = claim.stated["claim"]
    i, j, increasing = stated["input"], stated["output"], stated["increasing"]
    network = claim.network
    if not (
        type(i) is type(j) is int
        and type(increasing) is bool
        and 0 <= i < network.input_dim
        and 0 <= j < network.widths[-1]
    ):
        raise ProofRejectedError(f"there is no input {i} or output {j}")
    sign = 1 if increasing else -1
    what = f"output {j} is non-{'de' if increasing else 'in'}creasing in input {i}"
    if _verdict(claim, "holds", "violated") == "violated":
        first, second = (_point(p) for p in claim.stated["points"])
        for x in (first, second):
            _inside(claim, x)
        rest = [(a, b) for l, (a, b) in enumerate(zip(first, second, strict=True)) if l != i]
        before, after = (forward_exact(network, x)[j] for x in (first, second))
        if any(a != b for a, b in rest) or not first[i] < second[i]:
            raise ProofRejectedError("the points differ in more than the input, or do not grow")
        if sign * (after - before) >= 0:
            raise ProofRejectedError("the outputs at the points do not show it")
        return f"it is false that {what}", (), 0
    table, maps = _with_interior(claim)
    for row, (_, found) in enumerate(maps.all(table)):
        if sign * found.rows[j][i] < 0:
            raise ProofRejectedError(f"region {row} has a slope of the other sign")
    return what, (), table.count


def _check_lipschitz(claim: _Claim) -> tuple[str, tuple[str, ...], int]:
    norm = claim.stated["claim"]["norm"]
    if norm not in ("1", "2", "inf"):
        raise ProofRejectedError(f"the norm is {norm!r}")
    _verdict(claim, "certified")
    lower, upper = (fmpq_from_text(claim.stated[side]) for side in ("lower", "upper"))
    witness = _point(claim.stated["witness"])
    _inside(claim, witness)
    table, maps = _with_interior(claim)
    bits = codeword_exact(claim.network, witness).bits.tolist()
    at = sum(1 << place for place, bit in enumerate(bits) if bit)
    great, here, attained = False, False, False
    for row, (code, found) in enumerate(maps.all(table)):
        if not at_most(found, norm, upper):
            raise ProofRejectedError(f"region {row} has a greater norm")
        enough = at_least(found, norm, lower)
        great, here = great or enough, here or code == at
        attained = attained or (code == at and enough)
    if not attained and great and not here:
        raise NotDecidedError("the witness lies in no region, and names none that has the norm")
    if not attained:
        raise ProofRejectedError("the region of the witness has a smaller norm")
    square = "the square of " if norm == "2" else ""
    values = tuple(dict.fromkeys([str(lower), str(upper)]))
    return f"{square}the least Lipschitz constant, norm {norm}", values, table.count


def _check_equal(claim: _Claim) -> tuple[str, tuple[str, ...], int]:
    first, second = claim.first_and_second
    if _verdict(claim, "holds", "violated") == "violated":
        x = _point(claim.stated["point"])
        _inside(claim, x)
        if forward_exact(first, x) == forward_exact(second, x):
            raise ProofRejectedError("the outputs at the point are equal")
        return "the two networks are two functions", (), 0
    table, problem, _ = _complete(claim, None)
    for row, (_, found) in enumerate(Maps(problem.layers).all(table)):
        if any(v for line in found.rows for v in line):
            raise ProofRejectedError(f"the functions differ on region {row}")
    return "the two networks are one function", (), table.count


def _check_greatest(claim: _Claim) -> tuple[str, tuple[str, ...], int]:
    first, second = claim.first_and_second
    _verdict(claim, "certified")
    value, j = fmpq_from_text(claim.stated["value"]), claim.stated["output"]
    if type(j) is not int or not 0 <= j < first.widths[-1]:
        raise ProofRejectedError(f"there is no output {j}")
    x = _point(claim.stated["x"])
    _inside(claim, x)
    if abs(forward_exact(first, x)[j] - forward_exact(second, x)[j]) != value:
        raise ProofRejectedError("the difference at the point is another one")
    if not claim.stated["proof"]:
        raise NotDecidedError("the statement has no proof; make one with verify --proof")
    path = claim.path / "verdict"
    report = check_verdict(path)
    with VERDICT.opened(path, None) as (stated, found):
        if report.verdict != "holds" or report.doubt or stated["property"]["text"] is not None:
            raise NotDecidedError("the verdict below does not bound the difference")
        check_difference(found, first, second)
        (question,) = specification_from_dict(stated["property"]).questions
    beyond = {
        (OutputRow(((o, fmpq(sign)),), -value, strict=True),)
        for o in range(first.widths[-1])
        for sign in (1, -1)
    }
    if (
        question.strict
        or not beyond <= set(question.disjuncts)
        or question.domain.describe() != claim.domain.describe()
    ):
        raise NotDecidedError("the verdict below bounds something else")
    return "the greatest difference of an output", (str(value),), 0


_CHECKS = {
    "monotone": _check_monotone,
    "lipschitz": _check_lipschitz,
    "equal": _check_equal,
    "difference": _check_greatest,
}
