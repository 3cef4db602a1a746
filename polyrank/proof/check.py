"""``check``: every claim of a run, re-derived from its files without a solver.

**Theorem.** Let a finite tree of cells start with the domain. Let every inner cell be (SPLIT)
halved by the hyperplane of a unit of a layer whose lower layers are decided on it, or be left as
it is while a unit of the layer is decided by an affine identity ``s·z = c + Σ λ_q row_q``, λ ≥ 0,
c ≥ 0, over rows that are ≥ 0 on the cell, z not identically 0 (or by z ≡ 0). Let every leaf
decide all units of all layers, and hold a point at which every row of its cell is positive. Then
the leaves are exactly the activation regions of the domain, each once.

*Proof.* A halving covers its cell; so the closed leaf cells cover the domain. An affine function
that is ≥ 0 on a cell and not identically 0 is positive inside, so each unit has its stated sign on
the interior of the leaf: the codeword is constant there, and the rows that were composed under the
decisions below are the pre-activations. The point shows that the interior is not empty. Two leaves
differ in the sign of the unit that halved their last common cell, so no codeword appears twice; a
region outside of all leaves would be open and covered by finitely many boundaries. ∎

*Opposite halves.* Let the domain be a linear space on which the units of layer 1 have no constants,
and no later layer a hyperplane. Then the tree may be that of the half on which a unit g of layer 1
is ≥ 0, and its leaves and their images under u ↦ −u are the regions: the two closed halves cover
the domain; what is ≥ 0 on a cell is ≤ 0 on the opposite one, so that the images are the leaves of
the tree of the other half; and g has another sign on every leaf than on any image.

Acceptance proves: the table lists exactly the activation regions of the network *in the file* on
the domain of the manifest, through the stated number of layers, with codewords, zero bits, exact
ranks and interior witnesses; :mod:`polyrank.proof.stated` says of every field of the manifest what
verifies it. It does not prove anything about the file's meaning (which normalisation, which output
activation: these are recorded, not judged), nor that this program, python-flint or the machine are
without fault. Without a proof log it is *not decided* whether regions are missing. *Rejected* is
what is shown to be false, or a log that is no proof.

What has to be trusted, in the order of reading; lines are those of code, without comments:

================================  =====  ===========================================================
:mod:`polyrank.proof.format`          78  what is claimed: the steps of the log
:mod:`polyrank.proof.farkas`          31  a sign is proved by multipliers
:mod:`polyrank.proof.layers`        182  exact rows and ranks on every region
:mod:`polyrank.proof.claims`          49  the claim of a step, of a leaf and its row of the table
:mod:`polyrank.proof.replay`         314  the steps of a segment
:mod:`polyrank.proof.tally`           46  all segments are one tree
:mod:`polyrank.proof.domain`        210  the coordinates of the run are those of the domain
:mod:`polyrank.proof.stated`         134  the manifest says what was found
:mod:`polyrank.proof.rounding`       286  the numbers of the compiled filter, and what it leaves
``polyrank/proof/src``              1477  the compiled filter, in C++: steps, leaves and rows of the
                                         table by rows in float64 with bounds of their errors. Not
                                         used, with the line above, where all is to be ``exact``
================================  =====  ===========================================================

These decide in integers, and the filter with rigorous bounds. Beside them stand the network and
domain as read by ``polyrank.network`` and ``polyrank.polyhedra``, and the table as read by
:mod:`polyrank.proof.rows`, which compares its columns first. Multipliers are proposed by
:mod:`polyrank.proof.proposals`, which is not trusted; this module opens files and puts reports
together; without a log :mod:`polyrank.proof.witnesses` takes the place of ``replay``.
"""

from __future__ import annotations

import gc
import random
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import numpy as np

from polyrank.proof.distinct import Distinct
from polyrank.proof.domain import problem_of
from polyrank.proof.format import NotDecidedError, ProofRejectedError, segments
from polyrank.proof.layers import Problem
from polyrank.proof.network_file import named_network
from polyrank.proof.replay import Replayed, replay, root_of
from polyrank.proof.rounding import Rounding
from polyrank.proof.rows import Rows
from polyrank.proof.stated import (
    check_network,
    check_table,
    check_undecided,
    sealed,
    unverified,
)
from polyrank.proof.tally import Tally
from polyrank.proof.witnesses import check_rows
from polyrank.regions.manifest import read_manifest, shard_files
from polyrank.regions.run import UNDECIDED_NAME, read_prefixes
from polyrank.stages import tell

__all__ = ["Report", "check"]

_BLOCK = 8192


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. A rejection is a :class:`ProofRejectedError`.

    Attributes
    ----------
    regions : int
        Rows of the table.
    checked : int
        Rows whose codeword, ranks and witness were verified.
    layers, network_layers : int
        The regions are those of so many first layers, of so many that the network has.
    segments, segments_checked : int
        Parts of the search tree, and how many of them were verified.
    steps, tests : int
        Steps of the log, and how many of them were claims by Farkas multipliers.
    sampled : bool
        Only a sample of the segments was asked for.
    complete : bool
        True iff the list was proved to hold every region: all segments, one tree, nothing open.
    undecided : int
        Cells that the run left open.
    open : bool
        The run does not claim to be complete: undecided cells, interrupted or failed.
    doubt : str
        Why it is not decided whether the list is complete; empty if it is, or a sample was asked
        for.
    unverified : tuple of str
        Fields of the manifest and files of the run that nothing verifies.
    seconds : float
    """

    regions: int
    checked: int
    layers: int
    network_layers: int
    segments: int
    segments_checked: int
    steps: int
    tests: int
    sampled: bool
    complete: bool
    undecided: int
    open: bool
    doubt: str
    unverified: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Setting:
    """A run, opened for checking."""

    path: Path
    manifest: Mapping[str, Any]
    network_layers: int
    problem: Problem
    table: Rows
    rounding: Rounding | None

    @property
    def certified(self) -> bool:
        """Whether the run claims to be complete."""
        return bool(self.manifest["certified"]) and self.manifest["status"] == "finished"


def check(
    path: Path,
    *,
    network: Path | None = None,
    sample: int | None = None,
    jobs: int = 1,
    seed: int = 0,
    exact: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check a run directory.

    Parameters
    ----------
    path : Path
    network : Path, optional
        The file of the network, where it is no longer where the manifest says.
    sample : int, optional
        Check only this many segments of the log, chosen at random; all, if there are no more.
    jobs : int
        Processes.
    seed : int
        Of the sample.
    exact : bool
        Decide every single claim on exact integers alone: far slower, with less code to trust.
    progress : callable, optional
        Receives (rows checked, rows).

    Raises
    ------
    ProofRejectedError
        If a claim is false or the log proves something else; the message names the first bad step.
    NotDecidedError
        If the proof, or what proves the chart of the domain, is missing; it is a
        ProofRejectedError.
    RunError, NetworkError
        If the run or the network's file cannot be read.
    """
    started = time.perf_counter()
    setting = _opened(path, network, exact)
    entry = sealed(setting.manifest)
    parts = [path / name for name in entry["parts"]] if entry else []
    missing = [part.name for part in parts if not part.is_file()]
    check_table(setting.manifest, setting.table)
    if entry is None or missing or not parts:
        _check_rows(setting, progress)
        if entry is not None:
            gap = f"{missing[0]} cannot be read" if missing else "the manifest names no part"
            reason = "; ".join(filter(None, (gap, _unfinished(setting.manifest))))
            raise NotDecidedError(
                f"the proof is missing: {reason}; the {setting.table.count:,} rows hold by "
                "themselves, but nothing shows that no region is missing"
            )
        return _report(setting, Tally(root_of(setting.problem)), 0, started)
    few = None if sample is None or sample >= entry["segments"] else sample
    log = partial(segments, parts, entry["rows"])
    total, tally = _replay_all(setting, network, log, entry["segments"], few, seed, jobs, progress)
    if few is None:
        undecided = int(setting.manifest["counts"]["undecided"])
        tally.close(setting.table.count, undecided)
        if (path / UNDECIDED_NAME).is_file():
            prefixes = read_prefixes(path, setting.manifest)
            check_undecided(prefixes, setting.problem.layers, tally.open)
        if setting.certified != (not undecided):
            raise ProofRejectedError(f"the manifest says certified: {setting.certified}")
    return _report(setting, tally, total, started, sampled=sample is not None)


def _unfinished(manifest: Mapping[str, Any]) -> str:
    """Why a run that did not finish cannot be complete; empty for one that did."""
    status = manifest["status"]
    return "" if status == "finished" else f"the run did not finish (its status is {status!r})"


def _report(
    setting: _Setting, tally: Tally, total: int, started: float, *, sampled: bool = False
) -> Report:
    """Put together what was found, once nothing was rejected."""
    manifest, problem = setting.manifest, setting.problem
    undecided = int(manifest["counts"]["undecided"])
    whole = bool(total) and tally.segments == total
    doubt = _unfinished(manifest)
    if not doubt and not total:
        doubt = "there is no proof log, so the absence of others was not re-derived"
    elif not doubt and not setting.certified:
        doubt = f"{undecided} cells are undecided, so there may be more"
    return Report(
        regions=setting.table.count,
        checked=tally.leaves if total else setting.table.count,
        layers=problem.layers.depth,
        network_layers=setting.network_layers,
        segments=total,
        segments_checked=tally.segments,
        steps=tally.steps,
        tests=tally.tests,
        sampled=sampled,
        complete=whole and not undecided,
        undecided=undecided,
        open=not setting.certified,
        doubt=doubt,
        unverified=unverified(setting.path, manifest, whole=whole),
        seconds=time.perf_counter() - started,
    )


def _opened(path: Path, network: Path | None, exact: bool) -> _Setting:
    manifest = read_manifest(path)
    loaded = named_network(path, manifest, network)
    layers = check_network(manifest, loaded)
    problem, frame = problem_of(manifest, loaded, layers)
    table = Rows(shard_files(path), manifest["bits"], layers, frame)
    rounding = None if exact else Rounding(problem)
    return _Setting(path, manifest, len(loaded.layers), problem, table, rounding)


def _check_rows(setting: _Setting, progress: Callable[[int, int], None] | None) -> None:
    """Check every row by its own witness, and that no codeword is listed twice."""
    table = setting.table

    def same(first: int, second: int) -> bool:
        one, other = (table.slice(row, 1).words(0) for row in (first, second))
        return one == other

    with Distinct() as words:
        for first in range(0, table.count, _BLOCK):
            listed = check_rows(setting.problem, table, setting.rounding, first, _BLOCK)
            words.add(np.concatenate([listed.code, listed.zero], axis=1))
            tell("rows", first + len(listed.code), table.count)
            if progress is not None:
                progress(first + len(listed.code), table.count)
        repeated = words.repeated(same)
    if repeated is not None:
        raise ProofRejectedError(f"row {repeated} repeats the codeword of another")


def _replay_all(
    setting: _Setting,
    network: Path | None,
    log: Callable[[], Iterator[bytes]],
    stated: int,
    sample: int | None,
    seed: int,
    jobs: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[int, Tally]:
    """Replay the log, or a sample of its segments; how many it has, and what they are together."""
    tally = Tally(root_of(setting.problem))
    total = 0
    stream: Iterable[tuple[int, bytes]] = enumerate(log())
    if sample is not None:
        total, stream = _sampled(log, sample, seed)
    with closing(_replayed(setting, network, stream, jobs, alone=sample is not None)) as replayed:
        for done in replayed:
            tally.add(done)
            tell("rows", tally.leaves, setting.table.count)
            if progress is not None:
                progress(tally.leaves, setting.table.count)
    total = total or tally.segments
    if total != stated:
        raise ProofRejectedError(f"the log has {total} segments, the manifest says {stated}")
    return total, tally


def _sampled(
    log: Callable[[], Iterator[bytes]], sample: int, seed: int
) -> tuple[int, list[tuple[int, bytes]]]:
    """Number of segments, and a uniform sample of them (reservoir sampling)."""
    chosen: list[tuple[int, bytes]] = []
    dice = random.Random(seed)  # noqa: S311  (a sample, no secret)
    number = -1
    for number, segment in enumerate(log()):
        if len(chosen) < sample:
            chosen.append((number, segment))
        elif (place := dice.randint(0, number)) < sample:
            chosen[place] = (number, segment)
    return number + 1, sorted(chosen)


def _replayed(
    setting: _Setting,
    network: Path | None,
    stream: Iterable[tuple[int, bytes]],
    jobs: int,
    *,
    alone: bool,
) -> Generator[Replayed, None, None]:
    """Replay segments here, or in ``jobs`` processes with a bounded number in flight."""
    if jobs <= 1:
        for number, segment in stream:
            yield _one(setting, number, segment, alone=alone)
        return
    given = (setting.path, network, setting.rounding is None, alone)
    with (
        ProcessPoolExecutor(jobs, get_context("spawn"), _start_worker, given) as pool,
        _children_ended(),
    ):
        waiting: dict[Future[Replayed], int] = {}
        for number, segment in stream:
            waiting[pool.submit(_work, number, segment)] = number
            if len(waiting) >= 3 * jobs:
                yield from _finished(waiting)
        while waiting:
            yield from _finished(waiting)


def _finished(waiting: dict[Future[Replayed], int]) -> Iterator[Replayed]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in sorted(done, key=waiting.__getitem__):
        del waiting[future]
        yield future.result()


@contextmanager
def _children_ended() -> Iterator[None]:
    """End the processes that were started in the block, if it fails or is interrupted."""
    before = set(active_children())
    try:
        yield
    except BaseException:
        for child in set(active_children()) - before:
            child.terminate()
        raise


_worker: list[tuple[_Setting, bool]] = []


def _start_worker(path: Path, network: Path | None, exact: bool, alone: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    _worker.append((_opened(path, network, exact), alone))


def _work(number: int, segment: bytes) -> Replayed:
    setting, alone = _worker[0]
    return _one(setting, number, segment, alone=alone)


def _one(setting: _Setting, number: int, segment: bytes, *, alone: bool) -> Replayed:
    with _uncollected():
        return replay(
            segment, number, setting.problem, setting.table, setting.rounding, alone=alone
        )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Replay makes millions of tuples and no cycles; looking for cycles costs a tenth."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
