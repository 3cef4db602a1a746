"""``ensemble``: the same measures of many networks, one row each, resumable."""

from __future__ import annotations

import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polyrank.brief import brief
from polyrank.counts.bounds import parse_widths
from polyrank.counts.symmetric import codeword_probability
from polyrank.ensembles.journal import Journal
from polyrank.ensembles.measures import CONFIDENCE, Measure, PerNetwork, Question, measures_of
from polyrank.errors import DomainError, FormatError, NetworkError
from polyrank.network.formats import load
from polyrank.network.initialise import law, random_network
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Domain, WholeSpace, domain_from_dict
from polyrank.stages import tell

__all__ = ["Ensemble", "EnsembleInterrupted", "ensemble", "saved_networks"]

_SUFFIXES = (
    *(".npz", ".safetensors", ".nnet", ".json", ".onnx", ".gz", ".pt", ".pth", ".keras"),
    *(".h5", ".hdf5", ".mat"),
)
_FIXED = {
    "network": pa.string(),
    "seed": pa.int64(),
    "widths": pa.list_(pa.int32()),
    "sha256": pa.string(),
    "layer": pa.int32(),
    "rank_0_probability": pa.float64(),
}


class EnsembleInterrupted(KeyboardInterrupt):
    """Ctrl-C stopped it; ``found`` holds the rows of the networks that were finished."""

    def __init__(self, found: Ensemble) -> None:
        super().__init__(f"interrupted after {len(found.rows)} networks")
        self.found = found


@brief("certified", networks=lambda found: len(found.rows))
@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Rows of an ensemble, one per network, in the order of the seeds or files.

    **Proves**, row by row, what the measures prove: intervals of ranks and certified counts.
    **Does not prove** anything by samples, by masses that are estimates, or by means.

    Attributes
    ----------
    definition : mapping
        What was asked: networks, domain, layer, measures, limits; JSON-serialisable.
    rows : list of dict
    schema : pyarrow.Schema
    """

    definition: Mapping[str, Any]
    rows: list[dict[str, Any]]
    schema: pa.Schema

    @property
    def table(self) -> pa.Table:
        """One row per network, an Arrow table."""
        return pa.Table.from_pylist(self.rows, schema=self.schema)

    def column(self, name: str) -> list[Any]:
        """The values of one column that are not null."""
        if name not in self.schema.names:
            raise DomainError(
                f"{name!r} is no column of this ensemble; it has {', '.join(self.schema.names)}"
            )
        return [row[name] for row in self.rows if row[name] is not None]

    def mean(self, name: str) -> float:
        """The mean of a column of numbers; NaN if it is empty."""
        values = self.column(name)
        return float(np.mean(values)) if values else float("nan")

    @property
    def certified(self) -> bool:
        """True if every interval of ranks is one number and every count is certified."""
        names = [n for n in self.schema.names if n.endswith(("_proved", "_certified"))]
        return all(row[name] is True for row in self.rows for name in names)

    def summary(self) -> dict[str, Any]:
        """Means, standard deviations and histograms by column, JSON-serialisable."""
        columns: dict[str, Any] = {}
        for field in self.schema:
            if field.name in ("seed", "layer") or not (
                pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
            ):
                continue
            values = self.column(field.name)
            if not values:
                continue
            entry = {
                "networks": len(values),
                "mean": float(np.mean(values)),
                "standard_deviation": float(np.std(values)),
                "least": min(values),
                "greatest": max(values),
            }
            if "rank_" in field.name and pa.types.is_integer(field.type):
                counted = Counter(values)
                entry["histogram"] = {str(v): counted[v] for v in sorted(counted)}
            columns[field.name] = entry
        proved = {
            name: sum(bool(row[name]) for row in self.rows)
            for name in self.schema.names
            if name.endswith(("_proved", "_certified"))
        }
        return {
            "definition": dict(self.definition),
            "networks": len(self.rows),
            "certified": self.certified,
            "proved": proved,
            "columns": columns,
        }


@dataclass(frozen=True, slots=True)
class _Member:
    """One network of an ensemble: a seed, a file, or the network itself."""

    key: str
    seed: int
    path: str | None = None
    network: Network | None = None


@dataclass(frozen=True, slots=True)
class _Task:
    """Everything that a worker needs; it can be pickled."""

    member: _Member
    arch: Mapping[str, Any]
    reading: Mapping[str, Any]
    domain: Mapping[str, Any]
    layer: int | None
    measures: tuple[str, ...]
    limits: PerNetwork


def ensemble(
    networks: str | Sequence[int] | Sequence[Network | str | Path],
    domain: Domain | None = None,
    *,
    measure: str | Sequence[str] = "minrank,sample:1000",
    init: str = "torch",
    bias: str = "torch",
    flip: int = 0,
    seeds: int | Sequence[int] = 100,
    layer: int | None = None,
    seconds: float = 60.0,
    most_regions: int = 1_000_000,
    jobs: int = 1,
    output: str | Path | None = None,
    resume: bool = False,
    reading: Mapping[str, Any] | None = None,
    report: Callable[[int, int, Mapping[str, Any]], None] | None = None,
) -> Ensemble:
    """Measures of many networks: proved ranks, counts, samples and mass.

    Parameters
    ----------
    networks : str, sequence of int, or sequence of networks and files
        ``"10-25"`` or ``(10, 25)``: random networks of these widths, every layer with ReLUs
        (:func:`polyrank.network.initialise.random_network`); or networks, or files of saved ones.
    domain : Domain, optional
        Default: all of R^m, where nothing can be sampled.
    measure : str or sequence of str
        ``minrank``, ``maxrank`` (proved intervals), ``regions`` (certified counts by rank and
        codeword size), ``sample:N`` (least and greatest rank that N uniform points see), ``mass:N``
        (shares of the domain with rank < its dimension, and with the least rank: exact in dimension
        1 to 3, else estimates from N points with 99 % intervals).
    init, bias, flip
        Of random networks.
    seeds : int or sequence of int
        That many seeds from 0, or these.
    layer : int, optional
        K of the rank; default: the last layer.
    seconds : float
        Limit of each rank search.
    most_regions : int
        Networks with more regions are not counted: null in the columns of ``regions``.
    jobs : int
        Processes. Rows do not depend on how many.
    output : path, optional
        A ``.parquet`` file. Rows are kept in a journal beside it as they are found.
    resume : bool
        Go on with the output of the same definition.
    reading : mapping, optional
        Options of :func:`polyrank.load` for files.
    report : callable, optional
        Told the number of rows, of all networks, and the new row.

    Raises
    ------
    NetworkError, DomainError
        If something asked for does not make sense.
    RunError
        If the output exists, is of another definition, or cannot be written.
    EnsembleInterrupted
        On Ctrl-C (it is a KeyboardInterrupt); it holds the rows so far, which are kept.

    Examples
    --------
    >>> from polyrank.polyhedra.domain import Box
    >>> found = ensemble("2-3", Box(-5, 5), measure="minrank,regions", seeds=4)
    >>> found.certified, found.table.num_rows, max(found.column("regions")) <= 7
    (True, 4, True)
    """
    chosen = measures_of(measure)
    if not chosen:
        raise DomainError("nothing is to be measured: name some of minrank, regions, sample:1000")
    where = WholeSpace() if domain is None else domain
    if isinstance(where, WholeSpace) and any(m.name.startswith(("sample", "mass")) for m in chosen):
        raise DomainError("all of R^m has no uniform points and no volume: give a box")
    if jobs < 1:
        raise DomainError(f"{jobs} processes do no work; give 1 or more")
    members, arch = _members(networks, seeds, init, bias, flip)
    limits = PerNetwork(seconds, most_regions)
    definition = {
        "networks": arch or [m.key for m in members],
        "domain": where.describe(),
        "layer": layer,
        "measures": [m.name for m in chosen],
        "seconds": seconds,
        "most_regions": most_regions,
        "confidence": CONFIDENCE,
    }
    columns = dict(_FIXED)
    for each in chosen:
        columns |= each.columns
    schema = pa.schema(list(columns.items()))
    template = _Task(
        members[0],
        arch,
        dict(reading or {}),
        where.describe(),
        layer,
        tuple(m.name for m in chosen),
        limits,
    )
    journal = Journal.open(output, definition, schema, resume=resume)
    order = {m.key: i for i, m in enumerate(members)}
    known = {row["network"]: row for row in journal.rows if row["network"] in order}
    left = [replace(template, member=m) for m in members if m.key not in known]

    def found() -> Ensemble:
        rows = sorted(known.values(), key=lambda row: order[row["network"]])
        return Ensemble(definition, rows, schema)

    with journal:
        try:
            with closing(_measured(left, jobs)) as rows:
                tell("networks", len(known), len(members))
                for row in rows:
                    known[row["network"]] = row
                    journal.add(row)
                    tell("networks", len(known), len(members))
                    if report is not None:
                        report(len(known), len(members), row)
        except KeyboardInterrupt:
            journal.finish(found().table)
            raise EnsembleInterrupted(found()) from None
        journal.finish(found().table)
    return found()


def saved_networks(patterns: Sequence[str | Path]) -> list[Path]:
    """The files that paths, folders and globs name, sorted within each.

    Raises
    ------
    FormatError
        If one of them names none.
    """
    out: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES)
        else:
            found = [path] if path.exists() else _matching(path)
        if not found:
            raise FormatError(f"{pattern} names no file of saved weights")
        out += found
    return list(dict.fromkeys(out))


def _matching(pattern: Path) -> list[Path]:
    """Files that a pattern with * or ? in it matches."""
    fixed = [part for part in pattern.parts if not any(c in part for c in "*?[")]
    wild = pattern.parts[len(fixed) :]
    if not wild or tuple(fixed) != pattern.parts[: len(fixed)]:
        return []
    return sorted(p for p in Path(*fixed).glob(str(Path(*wild))) if p.is_file())


def _members(
    networks: str | Sequence[Any], seeds: int | Sequence[int], init: str, bias: str, flip: int
) -> tuple[list[_Member], dict[str, Any]]:
    """The networks in order, and the definition of random ones (empty for others)."""
    several = list(networks) if not isinstance(networks, str) else []
    if isinstance(networks, str) or all(isinstance(v, int) for v in several):
        widths = parse_widths(networks)
        numbers = list(range(seeds)) if isinstance(seeds, int) else [int(v) for v in seeds]
        if not numbers or min(numbers) < 0:
            raise NetworkError(f"{seeds!r} are no seeds: give a number of seeds, or some from 0 on")
        arch = {
            "widths": list(widths),
            "init": law(init).text,
            "bias": law(bias).text,
            "flip": flip,
            "definition": "polyrank.network.initialise, version 1",
        }
        random_network(widths, seed=numbers[0], init=init, bias=bias, flip=flip)
        return [_Member(str(v), v) for v in dict.fromkeys(numbers)], arch
    members = []
    for number, entry in enumerate(several):
        if isinstance(entry, Network):
            members.append(_Member(f"{number}: {entry.name}", number, network=entry))
        else:
            members.append(_Member(str(entry), number, path=str(entry)))
    return members, {}


def _measured(tasks: Sequence[_Task], jobs: int) -> Generator[dict[str, Any]]:
    """Rows as they are found; in this process, or in others."""
    if jobs == 1 or len(tasks) < 2:
        yield from map(_row, tasks)
        return
    context = multiprocessing.get_context("spawn")
    pool = context.Pool(min(jobs, len(tasks)), initializer=_ignore_interrupts)
    try:
        yield from pool.imap_unordered(_row, tasks)
    finally:
        pool.terminate()
        pool.join()


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; the one that reads the rows answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _row(task: _Task) -> dict[str, Any]:
    """Measure one network."""
    member, arch = task.member, task.arch
    if member.network is not None:
        network = member.network
    elif member.path is not None:
        network = load(member.path, **task.reading)
    else:
        laws = {name: arch[name] for name in ("init", "bias", "flip")}
        network = random_network(arch["widths"], seed=member.seed, **laws)
    layer = len(network.layers) if task.layer is None else task.layer
    network.through(layer)  # refuses what is no layer
    row: dict[str, Any] = {
        "network": member.key,
        "seed": member.seed,
        "widths": list(network.widths),
        "sha256": network.sha256,
        "layer": layer,
        "rank_0_probability": _rank_0(arch, network) if layer == 1 else None,
    }
    domain = domain_from_dict(task.domain)
    for each in measures_of(task.measures):
        row |= _asked(each, Question(network, domain, layer, member.seed, task.limits, row))
    return row


def _asked(measure: Measure, question: Question) -> dict[str, Any]:
    found = measure.of(question)
    return {name: found[name] for name in measure.columns}


def _rank_0(arch: Mapping[str, Any], network: Network) -> float | None:
    """Probability of a region of rank 0 on R^m, where the law of the rows is sign-symmetric."""
    if not arch or not (law(arch["init"]).symmetric and law(arch["bias"]).symmetric):
        return None
    m, n = network.widths[:2]
    return float(codeword_probability(n, m, bias=arch["bias"] != "zero"))
