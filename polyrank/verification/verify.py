"""Whether a network has a property on a domain: proved, refuted by an exact input, or open."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from flint import fmpq

from polyrank.brief import brief
from polyrank.cells.threads import asked_threads
from polyrank.errors import NetworkError, RunError
from polyrank.lp.deadline import OutOfTimeError, time_limit
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.violation import Question, Specification, violation_of, within
from polyrank.polyhedra.vnnlib import parse_vnnlib, vnnlib_text
from polyrank.posed.chart import emptiness_message
from polyrank.regions.kept import KEEP_SECONDS
from polyrank.verification.arrays import float_box, has_twins
from polyrank.verification.counterexample import Counterexample, ambient, counterexample, robust
from polyrank.verification.frame import Empty, frame, listed
from polyrank.verification.kept import Stretch, TreeDiary
from polyrank.verification.question import Progress, answer, divided_by_units
from polyrank.verification.store import VerdictStore, tree_of

__all__ = ["Verdict", "Verification", "VerificationInterrupted", "verify"]

_OUT_OF_TIME = "the time limit was reached"

Verdict = Literal["holds", "violated", "unknown"]


@dataclass(frozen=True, slots=True)
class QuestionReport:
    """What became of one question of a property.

    Attributes
    ----------
    domain : dict
        Its domain, as :func:`polyrank.polyhedra.domain.domain_from_dict` reads it.
    answer : "no", "yes" or "open"
        Whether an input there violates the property.
    boxes, exact : int
        Boxes of the tree; how many of them were decided in rational arithmetic.
    share : float
        Share of the volume of the domain's bounding box that was decided (rounded).
    note : str
        Why nothing had to be searched, or why the question is open.
    """

    domain: dict[str, Any]
    answer: Literal["no", "yes", "open"]
    boxes: int = 0
    exact: int = 0
    share: float = 0.0
    note: str = ""


@brief("verdict", "name")
@dataclass(frozen=True, slots=True)
class Verification:
    """A verdict.

    **Proves**: ``holds``: no input of the property's domain violates it; every bound is enclosed
    or exact. ``violated``: the counterexample does, exactly. ``unknown`` proves nothing but what
    its questions say. All of it is about the real function of the stored weights.

    Attributes
    ----------
    verdict : "holds", "violated" or "unknown"
    name : str
        The property's.
    counterexample : Counterexample or None
    questions : tuple of QuestionReport
    seconds : float
    interrupted : bool
    """

    verdict: Verdict
    name: str
    counterexample: Counterexample | None
    questions: tuple[QuestionReport, ...]
    seconds: float
    interrupted: bool = False

    @property
    def boxes(self) -> int:
        """Boxes of all trees."""
        return sum(question.boxes for question in self.questions)

    def summary(self) -> dict[str, Any]:
        """A JSON-serialisable dict; fractions as text."""
        found = self.counterexample
        return {
            "verdict": self.verdict,
            "property": self.name,
            "counterexample": None if found is None else found.summary(),
            "questions": [
                {
                    "answer": q.answer,
                    "boxes": q.boxes,
                    "exact": q.exact,
                    "share": q.share,
                    "note": q.note,
                    "domain": q.domain,
                }
                for q in self.questions
            ],
            "boxes": self.boxes,
            "seconds": self.seconds,
            "interrupted": self.interrupted,
        }


class VerificationInterrupted(KeyboardInterrupt):
    """Ctrl-C stopped a verification; ``found`` says what was decided until then."""

    def __init__(self, found: Verification) -> None:
        super().__init__("interrupted")
        self.found = found


def verify(
    network: Network,
    property_: Specification | str | PathLike[str],
    domain: Domain | None = None,
    *,
    seconds: float = math.inf,
    jobs: int | None = None,
    out: str | PathLike[str] | None = None,
    proof: bool = False,
    network_file: Mapping[str, Any] | None = None,
    resume: bool = False,
    keep_seconds: float = KEEP_SECONDS,
    twins: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Verification:
    """Decide whether a network has a property.

    Parameters
    ----------
    network : Network
    property_ : Specification, or path of a VNN-LIB file
        What may not happen (see :mod:`polyrank.polyhedra.violation`), as a VNN-LIB file
        states it.
    domain : Domain, optional
        Only inputs that lie in here as well.
    seconds : float
        Time limit.
    jobs : int, optional
        Threads; default: as many as :func:`~polyrank.cells.threads.available_threads`.
    out : path, optional
        A directory that does not exist yet, for the verdict. What is open when the search ends
        before it, however that comes about, is kept there.
    proof : bool
        Also write the proof of ``holds`` to ``out``, for ``polyrank check``
        (:mod:`polyrank.proof.verdict`).
    network_file : mapping, optional
        ``path`` and ``options`` with which :func:`polyrank.load` reads the network again. By
        default ``out`` holds the network. An ``.onnx`` file is also run through onnxruntime at a
        counterexample, if that is installed.
    resume : bool
        Go on with the same question in ``out``, which an earlier call left: another network,
        property, domain or ``proof`` is refused. Threads and the time limit may be others.
    keep_seconds : float
        How many seconds of work may be lost when the process dies.
    twins : bool
        Bound the differences of unit i and unit n + i of every hidden layer of 2 n units too, which
        need the same slopes: the bounds are tight where these are nearly the same, as in a
        difference of two networks. The verdict does not depend on it.
    progress : callable, optional
        Receives :class:`~polyrank.verification.question.Progress` now and then.

    Raises
    ------
    DomainError
        If the property or the domain is malformed, or does not fit the network.
    NetworkError
        If the network has another shape than the property, or no twins.
    RunError
        If ``out`` is there already, or cannot be written; with ``resume``, if it holds nothing to
        go on with, is about another question, or in use.
    VerificationInterrupted
        On Ctrl-C (it is a KeyboardInterrupt).

    Examples
    --------
    >>> import polyrank as pr
    >>> net = pr.Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> from polyrank.verification.properties import output_bounds
    >>> pr.verify(net, output_bounds(net, pr.Box(-1, 1), upper=1)).verdict
    'holds'
    >>> pr.verify(net, output_bounds(net, pr.Box(-1, 2), upper=1)).verdict
    'violated'
    """
    begun = time.perf_counter()
    threads = asked_threads(jobs)
    if proof and out is None:
        raise RunError("a proof is written beside the verdict; name a directory with out=")
    if resume and out is None:
        raise RunError("there is nothing to resume without a directory")
    text = None
    if isinstance(property_, Specification):
        specification = property_
    else:
        text = vnnlib_text(Path(property_))
        specification = violation_of(parse_vnnlib(text, Path(property_).name))
    specification.check_shape(network)
    if twins and not has_twins(network):
        raise NetworkError(f"the halves of the layers of {network.name!r} are no twins")
    if domain is not None:
        specification = within(specification, domain)
    file = None if network_file is None else Path(str(network_file["path"]))
    store = None
    if out is not None:
        store = VerdictStore(
            Path(out),
            network,
            specification,
            proof=proof,
            network_file=network_file,
            text=text,
            within=domain,
            resume=resume,
            keep_seconds=keep_seconds,
            twins=twins,
        )
    reports: list[QuestionReport] = []
    found: Counterexample | None = None

    def ended(*, interrupted: bool = False) -> Verification:
        complete = len(reports) == len(specification.questions)
        verdict: Verdict = "unknown"
        if found is not None:
            verdict = "violated"
        elif complete and all(report.answer == "no" for report in reports):
            verdict = "holds"
        spent = time.perf_counter() - begun
        result = Verification(
            verdict, specification.name, found, tuple(reports), spent, interrupted
        )
        if store is not None:
            open_ = interrupted or any(report.note == _OUT_OF_TIME for report in reports)
            store.finish(result.summary(), goes_on=verdict == "unknown" and open_)
        return result

    try:
        with time_limit(seconds):
            for number, question in enumerate(specification.questions):
                report, x = _decided(
                    network,
                    specification,
                    number,
                    question,
                    store,
                    threads=threads,
                    twins=twins,
                    progress=progress,
                )
                if x is not None:
                    found = counterexample(network, specification, x, file)
                reports.append(report)
                if found is not None:
                    break
        return ended()
    except KeyboardInterrupt:
        raise VerificationInterrupted(ended(interrupted=True)) from None
    except BaseException:  # a directory without a verdict would only stand in the way
        if store is not None:
            store.abandon()
        raise


def _decided(
    network: Network,
    specification: Specification,
    number: int,
    question: Question,
    store: VerdictStore | None,
    *,
    threads: int,
    twins: bool,
    progress: Callable[[Progress], None] | None,
) -> tuple[QuestionReport, list[fmpq] | None]:
    """What became of one question, and a violation, if one was found."""
    described = question.domain.describe()
    try:
        where = frame(question.domain, network.input_dim)
    except OutOfTimeError:
        return QuestionReport(described, "open", note=_OUT_OF_TIME), None
    if isinstance(where, Empty):
        note = emptiness_message(question.domain.system(network.input_dim), where.multipliers)
        if store is not None:
            store.empty(number, listed(where.multipliers))
        return QuestionReport(described, "no", share=1.0, note=note), None
    root = float_box(where)
    joint = twins and where.lower is not None and not divided_by_units(root)
    if store is not None:
        store.root(number, *root, where.bounds, twins=joint)
    diary = None if store is None else TreeDiary(store.work, number)
    with tree_of(store, number) as log:
        if diary is not None and diary.report is not None:
            for piece in diary.restored():
                if log is not None and isinstance(piece, Stretch):
                    log(piece.log, piece.proofs)
            return QuestionReport(**diary.report), None
        got = answer(
            network,
            specification,
            question,
            where,
            root,
            jobs=threads,
            twins=joint,
            log=log,
            diary=diary,
            progress=progress,
        )
    report = QuestionReport(described, "no", boxes=got.boxes, exact=got.hard, share=got.share)
    if got.point is not None:
        near = robust(network, specification, where, got.point)
        return replace(report, answer="yes"), ambient(where, near)
    if not got.complete:
        note = _OUT_OF_TIME
        if got.given_up:
            note = (
                "the domain is unbounded, which needs exact linear programs, which are not tried "
                f"with {where.k} inputs"
            )
        report = replace(report, answer="open", note=note)
    if diary is not None and len(specification.questions) > 1 and report.note != _OUT_OF_TIME:
        diary.keep([], asdict(report))
    return report, None
