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

Acceptance proves: the table lists exactly the activation regions of the network *in the file* on
the domain of the manifest, through the stated number of layers, with codewords, zero bits, exact
ranks and interior witnesses. It does not prove anything about the file's meaning (which
normalisation, which output activation: these are recorded, not judged), nor that this program,
python-flint or the machine are without fault. Without a proof log, or with a sample of it, it
proves only what the report names.

What has to be trusted, in the order of reading; lines are those of code, without comments:

================================  =====  ===========================================================
:mod:`polyrank.proof.format`         64  what is claimed: the steps of the log
:mod:`polyrank.proof.farkas`         25  a sign is proved by multipliers
:mod:`polyrank.proof.layers`        142  exact rows and ranks on every region
:mod:`polyrank.proof.claims`         97  the claim of a step, of a leaf and its row of the table
:mod:`polyrank.proof.replay`        202  the steps of a segment
:mod:`polyrank.proof.tally`          39  all segments are one tree
:mod:`polyrank.proof.domain`        141  the coordinates of the run are those of the domain
:mod:`polyrank.proof.rounding`      276  many claims at once, with bounds of rounding errors; not
                                         used, and not to be trusted, with ``exact``
================================  =====  ===========================================================

These decide in integers, and the last one with rigorous bounds. Beside them stand the network and
domain as read by ``polyrank.network`` and ``polyrank.polyhedra``, and the table as read by
:mod:`polyrank.proof.rows`. :mod:`polyrank.proof.proposals` proposes multipliers and is not trusted;
this module opens files and puts reports together; without a log, or with a sample,
:mod:`polyrank.proof.witnesses` takes the place of ``replay``.
"""

from __future__ import annotations

import gc
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from polyrank.errors import NetworkError, RunError
from polyrank.network.formats import load
from polyrank.network.normal_form import Network
from polyrank.proof.domain import problem_of
from polyrank.proof.format import ProofRejectedError, segments
from polyrank.proof.layers import Problem
from polyrank.proof.replay import Replayed, replay, root_key
from polyrank.proof.rounding import Rounding
from polyrank.proof.rows import Rows
from polyrank.proof.tally import Tally
from polyrank.proof.witnesses import check_rows
from polyrank.regions.manifest import read_manifest, shard_files

__all__ = ["Report", "check"]

_BLOCK = 8192


@dataclass(frozen=True, slots=True)
class Report:
    """What was accepted. A rejection is a :class:`ProofRejectedError`.

    Attributes
    ----------
    regions : int
        Rows of the table.
    checked : int
        Rows whose codeword, ranks and witness were verified.
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
    seconds : float
    """

    regions: int
    checked: int
    segments: int
    segments_checked: int
    steps: int
    tests: int
    sampled: bool
    complete: bool
    undecided: int
    open: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class _Setting:
    """A run, opened for checking."""

    path: Path
    manifest: Mapping[str, Any]
    problem: Problem
    table: Rows
    rounding: Rounding | None


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
        Check only this many segments of the log, chosen at random.
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
        If a claim is not proved; the message names the first bad step.
    RunError, NetworkError
        If the run or the network's file cannot be read.
    """
    started = time.perf_counter()
    setting = _opened(path, network, exact)
    manifest, table = setting.manifest, setting.table
    sealed = manifest.get("proof") or {}
    parts = _parts(path, sealed)
    undecided = int(manifest["counts"]["undecided"])
    certified = bool(manifest["certified"]) and manifest["status"] == "finished"
    histogram = [Counter[int]() for _ in range(setting.table.layers)]
    tally = Tally(root_key(setting.problem))
    if not parts:
        seen: set[tuple[int, int]] = set()
        for first in range(0, table.count, _BLOCK):
            listed = check_rows(setting.problem, table, setting.rounding, first, _BLOCK)
            for i, word in enumerate(zip(listed.code, listed.zero, strict=True)):
                if word in seen:
                    raise ProofRejectedError(f"row {first + i} repeats the codeword of another")
                seen.add(word)
            for ranks in listed.ranks:
                for k, rank in enumerate(ranks):
                    histogram[k][rank] += 1
            if progress is not None:
                progress(first + len(listed.code), table.count)
        _check_histogram(manifest, histogram)
        spent = time.perf_counter() - started
        return Report(
            table.count, table.count, 0, 0, 0, 0, False, False, undecided, not certified, spent
        )
    total = 0
    if sample is None:
        stream: Iterable[tuple[int, bytes]] = enumerate(segments(parts))
    else:
        total, stream = _sampled(parts, sample, seed)
    for done in _replayed(setting, network, stream, jobs, full=sample is not None):
        tally.add(done)
        if progress is not None:
            progress(tally.leaves, table.count)
    if sample is None:
        tally.close(table.count, undecided)
        _check_histogram(manifest, _histogram(table))
        total = tally.segments
    if total != sealed.get("segments"):
        raise ProofRejectedError(
            f"the log has {total} segments, the manifest says {sealed.get('segments')!r}"
        )
    complete = sample is None and not undecided and not tally.open
    if sample is None and certified != complete:
        raise ProofRejectedError(f"the manifest says certified: {certified}")
    return Report(
        table.count,
        tally.leaves,
        total,
        tally.segments,
        tally.steps,
        tally.tests,
        sample is not None,
        complete,
        undecided,
        not certified,
        time.perf_counter() - started,
    )


def _opened(path: Path, network: Path | None, exact: bool) -> _Setting:
    manifest = read_manifest(path)
    loaded = _network(path, manifest, network)
    entry = manifest["network"]
    if loaded.sha256 != entry["hash"]:
        raise ProofRejectedError("the file of the network holds another network than the run's")
    layers = int(manifest["layers"])
    if not 1 <= layers <= len(loaded.layers):
        raise ProofRejectedError(f"the network has no layer {layers}")
    if list(loaded.bits) != entry["bits"] or list(loaded.widths) != entry["widths"]:
        raise ProofRejectedError("the manifest states other widths or bits than the network has")
    if manifest["bits"] != sum(loaded.bits[:layers]):
        raise ProofRejectedError(
            f"{manifest['bits']} codeword bits, not {sum(loaded.bits[:layers])}"
        )
    problem, frame = problem_of(manifest, loaded, layers)
    table = Rows(shard_files(path), layers, frame)
    finished = manifest["status"] == "finished"
    if finished and table.count != manifest["counts"]["regions"]:
        raise ProofRejectedError(
            f"the table has {table.count} rows, the manifest counts {manifest['counts']['regions']}"
        )
    if finished and table.count == 0 and not manifest["counts"]["undecided"]:
        raise ProofRejectedError("no region is listed, although no domain is empty")
    return _Setting(path, manifest, problem, table, None if exact else Rounding(problem))


def _network(path: Path, manifest: Mapping[str, Any], given: Path | None) -> Network:
    """The network, read from its file with the options of the run."""
    entry = manifest.get("network_file") or {}
    named = entry.get("path")
    if given is None and not isinstance(named, str):
        raise RunError(f"{path} does not say where its network is; name the file with --network")
    file = given if given is not None else path / str(named)  # an absolute path stays itself
    if not file.exists():
        raise NetworkError(f"{file} is missing; name the network's file with --network")
    return load(file, **(entry.get("options") or {}))


def _parts(path: Path, sealed: Mapping[str, Any]) -> list[Path]:
    names = sealed.get("parts") or []
    if sealed and sealed.get("version") != 1:
        raise RunError(f"the proof has version {sealed.get('version')!r}; this is version 1")
    return [path / str(name) for name in names]


def _sampled(parts: list[Path], sample: int, seed: int) -> tuple[int, list[tuple[int, bytes]]]:
    """Number of segments, and a uniform sample of them (reservoir sampling)."""
    chosen: list[tuple[int, bytes]] = []
    dice = random.Random(seed)  # noqa: S311  (a sample, no secret)
    number = -1
    for number, segment in enumerate(segments(parts)):
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
    full: bool,
) -> Iterator[Replayed]:
    """Replay segments here, or in ``jobs`` processes with a bounded number in flight."""
    if jobs <= 1:
        with threadpool_limits(1):  # more threads cost more than they give
            for number, segment in stream:
                yield _one(setting, number, segment, full=full)
        return
    with ProcessPoolExecutor(
        jobs,
        get_context("spawn"),
        _start_worker,
        (setting.path, network, setting.rounding is None, full),
    ) as pool:
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


_worker: list[tuple[_Setting, bool]] = []


def _start_worker(path: Path, network: Path | None, exact: bool, full: bool) -> None:
    threadpool_limits(1)
    _worker.append((_opened(path, network, exact), full))


def _work(number: int, segment: bytes) -> Replayed:
    setting, full = _worker[0]
    return _one(setting, number, segment, full=full)


def _one(setting: _Setting, number: int, segment: bytes, *, full: bool) -> Replayed:
    with _uncollected():
        done = replay(segment, number, setting.problem, setting.table, setting.rounding)
    if full:
        # the decisions of the head are those of another segment: check the rows on their own
        check_rows(setting.problem, setting.table, setting.rounding, done.row, done.leaves)
    return done


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


def _histogram(table: Rows) -> list[Counter[int]]:
    histogram = [Counter[int]() for _ in range(table.layers)]
    for ranks in table.rank_columns():
        for k, column in enumerate(ranks):
            histogram[k].update(column)
    return histogram


def _check_histogram(manifest: Mapping[str, Any], found: list[Counter[int]]) -> None:
    if manifest["status"] != "finished":
        return
    stated = [{str(r): int(n) for r, n in entry.items()} for entry in manifest["rank_histogram"]]
    if stated != [{str(r): n for r, n in entry.items()} for entry in found]:
        raise ProofRejectedError("the rank histogram of the manifest is not that of the table")
