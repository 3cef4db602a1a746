"""What is measured of each network: proved intervals, counts, samples, and mass.

Existence is not mass: a region of low rank may exist and hold a share of the domain that no sample
ever meets. ``minrank`` proves the first, ``mass`` tells the second.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from flint import fmpq
from scipy.special import betaincinv

from polyrank.cells.task import SearchProgress
from polyrank.complex.build import cell_complex
from polyrank.complex.volume import volumes
from polyrank.errors import DomainError
from polyrank.minrank.maximum import maximum_rank
from polyrank.minrank.minimum import minimum_rank
from polyrank.network.normal_form import Network
from polyrank.network.rational import nearest_float
from polyrank.polyhedra.domain import Domain
from polyrank.posed.chart import chart as chart_of
from polyrank.regions.enumerate import enumerate_regions
from polyrank.sampling.codewords import restricted_network
from polyrank.sampling.estimate import sample
from polyrank.sampling.points import uniform_blocks

__all__ = ["CONFIDENCE", "Measure", "PerNetwork", "Question", "measures_of", "share_interval"]

CONFIDENCE = 0.99
_POINTS = 10_000
_EXACT_DIMENSION = 3


@dataclass(frozen=True, slots=True)
class PerNetwork:
    """What one network may take: seconds of a rank search, regions listed, cells with volumes."""

    seconds: float = 60.0
    regions: int = 1_000_000
    cells: int = 50_000


@dataclass(frozen=True, slots=True)
class Question:
    """A network on a domain, up to layer K, and what is known of it so far."""

    network: Network
    domain: Domain
    layer: int
    seed: int
    limits: PerNetwork
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure: its columns with their Arrow types, and how they are computed."""

    name: str
    columns: Mapping[str, pa.DataType]
    of: Callable[[Question], dict[str, Any]]


def measures_of(text: str | Sequence[str]) -> list[Measure]:
    """The measures that a text names: ``minrank,maxrank,regions,sample:1000,mass``.

    In this order, whatever the text's: ``mass`` uses what ``minrank`` found.

    Raises
    ------
    DomainError
        If a name or a number of points is none.
    """
    names = text.split(",") if isinstance(text, str) else list(text)
    found: dict[str, Measure] = {}
    for entry in names:
        name, _, rest = entry.strip().partition(":")
        if rest and (name not in ("sample", "mass") or not rest.isdigit() or int(rest) < 1):
            raise _no_measure(entry)
        points = int(rest) if rest else _POINTS
        if name == "minrank":
            found[name] = Measure(name, _rank_columns("min"), _least)
        elif name == "maxrank":
            found[name] = Measure(name, _rank_columns("max"), _greatest)
        elif name == "regions":
            found[name] = Measure(name, _REGIONS, _regions)
        elif name == "sample":
            found[name] = Measure(f"sample:{points}", _SAMPLE, partial(_sampled, points=points))
        elif name == "mass":
            found[name] = Measure(f"mass:{points}", _MASS, partial(_mass, points=points))
        else:
            raise _no_measure(entry)
    order = ["minrank", "maxrank", "regions", "sample", "mass"]
    return [found[name] for name in order if name in found]


def _no_measure(entry: str) -> DomainError:
    return DomainError(
        f"{entry!r} is no measure: name some of minrank, maxrank, regions, sample:N, mass[:N], "
        "separated by commas"
    )


def share_interval(hits: int, points: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share of which ``hits`` of ``points`` draws are.

    Source: C. Clopper, E. Pearson, Biometrika 26 (1934): it has at least that confidence.

    Examples
    --------
    >>> low, high = share_interval(0, 1000)
    >>> low, round(high, 5)
    (0.0, 0.00528)
    """
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, points - hits + 1, tail))
    high = 1.0 if hits == points else float(betaincinv(hits + 1, points - hits, 1 - tail))
    return low, high


# ---------------------------------------------------------------------------------------------
# ranks, proved


def _rank_columns(which: str) -> dict[str, pa.DataType]:
    return {
        f"{which}_rank_lower": pa.int32(),
        f"{which}_rank_upper": pa.int32(),
        f"{which}_rank_proved": pa.bool_(),
        f"{which}_rank_codeword": pa.string(),
        f"{which}_rank_witness": pa.list_(pa.string()),
        f"{which}_rank_seconds": pa.float64(),
    }


def _least(q: Question) -> dict[str, Any]:
    began = time.process_time()
    found = minimum_rank(q.network, q.domain, layer=q.layer, seconds=q.limits.seconds)
    return {
        "min_rank_lower": found.lower,
        "min_rank_upper": found.best.rank,
        "min_rank_proved": found.exact,
        "min_rank_codeword": found.best.word,
        "min_rank_witness": [str(v) for v in found.best.witness],
        "min_rank_seconds": time.process_time() - began,
    }


def _greatest(q: Question) -> dict[str, Any]:
    began = time.process_time()
    found = maximum_rank(q.network, q.domain, layer=q.layer, seconds=q.limits.seconds)
    return {
        "max_rank_lower": found.lower,
        "max_rank_upper": found.upper,
        "max_rank_proved": found.certified,
        "max_rank_codeword": found.best.word,
        "max_rank_witness": [str(v) for v in found.best.witness],
        "max_rank_seconds": time.process_time() - began,
    }


# ---------------------------------------------------------------------------------------------
# regions, counted

_REGIONS = {
    "regions": pa.int64(),
    "regions_certified": pa.bool_(),
    "regions_by_rank": pa.list_(pa.int64()),
    "regions_by_size": pa.list_(pa.int64()),
}


class _TooMany(Exception):  # noqa: N818
    """More regions than are to be counted."""


def _regions(q: Question) -> dict[str, Any]:
    """The regions of layers 1..K by rank and by codeword size; nulls if there are too many."""

    def watch(state: SearchProgress) -> None:
        if state.regions > q.limits.regions:
            raise _TooMany

    through = Network(q.network.layers[: q.layer], q.network.name)
    try:
        run = enumerate_regions(through, q.domain, progress=watch, jobs=1)
    except _TooMany:
        return dict.fromkeys(_REGIONS)
    ranks: np.ndarray[Any, Any] = run.table[f"rank_{q.layer}"].to_numpy()
    packed = np.frombuffer(b"".join(run.table["codeword"].to_pylist()), np.uint8)
    sizes = np.bitwise_count(packed.reshape(len(ranks), -1)).sum(axis=1)
    return {
        "regions": run.count,
        "regions_certified": run.certified,
        "regions_by_rank": np.bincount(ranks, minlength=1).tolist(),
        "regions_by_size": np.bincount(sizes, minlength=sum(through.bits) + 1).tolist(),
    }


# ---------------------------------------------------------------------------------------------
# samples

_SAMPLE = {
    "sample_points": pa.int64(),
    "sample_min_rank": pa.int32(),
    "sample_max_rank": pa.int32(),
    "sample_codewords": pa.int64(),
}


def _sampled(q: Question, points: int) -> dict[str, Any]:
    """What uniform points see; a rank that residues leave open counts as its upper bound."""
    ranks, counts = _sampled_ranks(q, points)
    return {
        "sample_points": int(counts.sum()),
        "sample_min_rank": int(ranks.min()) if len(ranks) else None,
        "sample_max_rank": int(ranks.max()) if len(ranks) else None,
        "sample_codewords": len(ranks),
    }


def _sampled_ranks(q: Question, points: int) -> tuple[Any, Any]:
    """Ranks of the codewords that uniform points have, and the numbers of points."""
    where = chart_of(q.domain, q.network.input_dim)
    through = Network(q.network.layers[: q.layer], q.network.name)
    seen = sample(
        restricted_network(through, where.origin, where.basis),
        uniform_blocks(where, points, q.seed),
    )
    return seen.ranks.upper[:, -1], seen.counts


# ---------------------------------------------------------------------------------------------
# mass

_MASS = {
    "low_mass": pa.float64(),
    "low_mass_lower": pa.float64(),
    "low_mass_upper": pa.float64(),
    "low_mass_exact": pa.string(),
    "least_mass": pa.float64(),
    "least_mass_lower": pa.float64(),
    "least_mass_upper": pa.float64(),
    "least_mass_exact": pa.string(),
    "mass_points": pa.int64(),
}


def _mass(q: Question, points: int) -> dict[str, Any]:
    """Shares of the domain's volume: of rank < its dimension, and of the least rank found.

    Exact in dimension 1 to 3 (``mass_points`` is null), else of uniform points with the interval of
    :func:`share_interval`; which is honest about luck, and proves nothing.
    """
    where = chart_of(q.domain, q.network.input_dim)
    least = q.row.get("min_rank_upper")
    if 1 <= where.k <= _EXACT_DIMENSION:
        found = _exact_mass(q, where.k, least)
        if found is not None:
            return found
    ranks, counts = _sampled_ranks(q, points)
    total = int(counts.sum())
    low = int(counts[ranks < where.k].sum())
    if least is None and len(ranks):
        least = int(ranks.min())
    at_least = 0 if least is None else int(counts[ranks <= least].sum())
    out: dict[str, Any] = {"mass_points": total}
    for name, hits in (("low_mass", low), ("least_mass", at_least)):
        lower, upper = share_interval(hits, total) if total else (0.0, 1.0)
        share = hits / total if total else math.nan
        out |= {name: share, f"{name}_lower": lower, f"{name}_upper": upper, f"{name}_exact": None}
    return out


def _exact_mass(q: Question, k: int, least: int | None) -> dict[str, Any] | None:
    """Exact shares by the volumes of all regions; None if there are too many."""

    def watch(state: SearchProgress) -> None:
        if state.regions > q.limits.cells:
            raise _TooMany

    through = Network(q.network.layers[: q.layer], q.network.name)
    try:
        cells = cell_complex(through, q.domain, progress=watch, jobs=1)
    except _TooMany:
        return None
    sizes = volumes(cells)
    ranks = cells.ranks[:, q.layer - 1].tolist()
    total = sum(sizes, fmpq(0))
    least = min(ranks) if least is None else least
    shares = {
        "low_mass": sum((v for v, r in zip(sizes, ranks, strict=True) if r < k), fmpq(0)) / total,
        "least_mass": sum((v for v, r in zip(sizes, ranks, strict=True) if r <= least), fmpq(0))
        / total,
    }
    out: dict[str, Any] = {"mass_points": None}
    for name, share in shares.items():
        value = nearest_float(share)
        out |= {name: value, f"{name}_lower": value, f"{name}_upper": value}
        out[f"{name}_exact"] = str(share)
    return out
