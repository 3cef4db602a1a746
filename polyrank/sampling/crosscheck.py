"""A sample against a run: what sampling missed, and whether the two contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import RunError
from polyrank.graph.listing import chart_of_run
from polyrank.network.forward import unpack_bits
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float, nearest_float
from polyrank.polyhedra.domain import Domain
from polyrank.posed.chart import Chart
from polyrank.posed.chart import chart as chart_of
from polyrank.posed.problem import Problem
from polyrank.posed.region import Region
from polyrank.regions.run import Run
from polyrank.regions.schema import numbers
from polyrank.sampling.codewords import restricted_network
from polyrank.sampling.estimate import Estimate

__all__ = ["Contradiction", "CrossCheck", "RunCheck"]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A sampled codeword that a certified run does not list, or lists with another rank.

    ``point`` is exact, in chart coordinates.
    """

    reason: str
    codeword: str
    point: tuple[str, ...]


@dataclass(slots=True)
class RunCheck:
    """Listens to a sampler and compares every new codeword with a run.

    Parameters
    ----------
    run : Run
    network : Network
        The network of the run, over the input space.

    Raises
    ------
    RunError
        If the network is another one.
    """

    run: Run
    network: Network
    chart: Chart = field(init=False)
    sampled: Network = field(init=False)
    contradictions: list[Contradiction] = field(default_factory=list, init=False)
    unlisted: int = field(default=0, init=False)
    hit: NDArray[np.bool_] = field(init=False)
    _row: dict[bytes, int] = field(init=False)
    _points: dict[bytes, tuple[str, ...]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        chart_of_run(self.run, self.network)  # refuses another network
        # samples are drawn from the domain itself, not from a section of it
        self.chart = chart = chart_of(self.run.domain, self.network.input_dim)
        first = Network(
            self.network.layers[: self.run.layers], self.network.name, self.network.source
        )
        self.sampled = restricted_network(first, chart.origin, chart.basis)
        width = (self.run.bits + 7) // 8
        self._row = {}
        for batch in self.run.batches(["codeword"]):
            for word in batch.column("codeword"):
                self._row[word.as_py()[:width]] = len(self._row)
        self.hit = np.zeros(len(self._row), dtype=bool)

    def same_domain(self, domain: Domain) -> None:
        """Refuse a domain that is not the run's.

        Raises
        ------
        RunError
            If its exact system of inequalities is another one.
        """
        mine, other = (d.system(self.network.input_dim) for d in (domain, self.run.domain))
        same = all(
            getattr(mine, part) == getattr(other, part) for part in ("origin", "basis", "A", "b")
        )
        if not same:
            raise RunError(
                f"the domain {_short(domain)} is not that of the run, {_short(self.run.domain)}; "
                "leave it out (the run's is taken) or enumerate on it"
            )

    def __call__(self, word: bytes, point: NDArray[np.float64]) -> None:
        """A new codeword and its first point."""
        row = self._row.get(word)
        if row is not None:
            self.hit[row] = True
            self._points[word] = tuple(str(fmpq_from_float(v)) for v in point.tolist())
            return
        self.unlisted += 1
        if self.run.certified:
            self._contradict("the run does not list this codeword", word, point.tolist())

    def _contradict(self, reason: str, word: bytes, point: Sequence[float]) -> None:
        spelled = tuple(str(fmpq_from_float(v)) for v in point)
        self.contradictions.append(Contradiction(reason, self._text(word), spelled))

    def _text(self, word: bytes) -> str:
        bits = unpack_bits(np.frombuffer(word, np.uint8), self.run.bits)
        return "".join(str(int(v)) for v in bits)

    def finish(
        self, estimate: Estimate, *, m: int | None = None, volumes: int = 5000
    ) -> CrossCheck:
        """Compare ranks, rank histograms and, for a small bounded run, exact volumes.

        Parameters
        ----------
        estimate : Estimate
        m : int, optional
            Regions of rank < m are low-rank; default: the dimension of the run's domain.
        volumes : int
            Exact volumes are computed for dimension ≤ 4 and at most this many regions.
        """
        layers = self.run.layers
        names = [f"rank_{k}" for k in range(1, layers + 1)]
        listed = np.concatenate(
            [
                np.array([numbers(batch.column(name)) for name in names]).T.reshape(-1, layers)
                for batch in self.run.batches(names)
            ]
            or [np.zeros((0, layers), np.int16)]
        )
        for word, low, high in zip(
            estimate.packed, estimate.ranks.lower, estimate.ranks.upper, strict=True
        ):
            row = self._row.get(word.tobytes())
            if row is None:
                continue
            stated = listed[row]
            if ((stated < low) | (stated > high)).any():
                key = word.tobytes()
                reason = f"the run states ranks {stated.tolist()}, proved are {low.tolist()}"
                # a codeword of points on hyperplanes alone has no point inside its region
                point = self._points.get(key, ())
                self.contradictions.append(Contradiction(reason, self._text(key), point))
        measure = self._volumes(volumes)
        total = None if measure is None else sum(measure, fmpq(0))
        embedding = self.chart.k if m is None else m
        per_layer = []
        for k in range(layers):
            column = listed[:, k]
            low_rank = column < embedding
            seen = column[self.hit]
            certified_min = int(column.min()) if len(column) else None
            sampled_min = int(seen.min()) if len(seen) else None
            entry: dict[str, Any] = {
                "layer": k + 1,
                "low_rank_below": embedding,
                "low_rank_regions": int(low_rank.sum()),
                "low_rank_regions_missed": int((low_rank & ~self.hit).sum()),
                "listed_min_rank": certified_min,
                "sampled_min_rank": sampled_min,
                "by_regions": _counts(column),
                "by_samples": self._by_samples(estimate, column),
            }
            if measure is not None and total:
                entry["by_volume"] = {
                    str(int(r)): nearest_float(
                        sum((measure[i] for i in np.flatnonzero(column == r)), fmpq(0)) / total
                    )
                    for r in np.unique(column)
                }
            per_layer.append(entry)
        missed = None
        if measure is not None and total:
            missed = sum((measure[i] for i in np.flatnonzero(~self.hit)), fmpq(0)) / total
        return CrossCheck(
            certified_run=self.run.certified,
            regions=len(self.hit),
            hit=int(self.hit.sum()),
            unlisted=self.unlisted,
            volume_missed=missed,
            layers=tuple(per_layer),
            contradictions=tuple(self.contradictions),
        )

    def _by_samples(self, estimate: Estimate, column: NDArray[Any]) -> dict[str, int]:
        out: dict[int, int] = {}
        for word, count in zip(estimate.packed, estimate.counts.tolist(), strict=True):
            row = self._row.get(word.tobytes())
            if row is not None:
                rank = int(column[row])
                out[rank] = out.get(rank, 0) + count
        return {str(r): out[r] for r in sorted(out)}

    def _volumes(self, limit: int) -> list[fmpq] | None:
        chart = self.chart
        if not chart.bounded or not 1 <= chart.k <= 4 or self.run.count > limit:
            return None
        problem = Problem(self.network, chart, self.run.layers)
        out: list[fmpq] = []
        for block in self.run.codewords():
            for bits in block.astype(bool):
                value = Region(problem, bits).volume
                if value is None:
                    raise RunError("a listed region has no interior: the run is damaged")
                out.append(value)
        return out


def _short(domain: Domain) -> str:
    text = str(domain.describe())
    return text if len(text) <= 120 else text[:117] + "..."


def _counts(column: NDArray[Any]) -> dict[str, int]:
    values, times = np.unique(column, return_counts=True)
    return {str(int(v)): int(t) for v, t in zip(values, times, strict=True)}


@dataclass(frozen=True, slots=True, eq=False)
class CrossCheck:
    """The comparison of a sample with a run.

    **Proves**, with a contradiction, that the run or this program is wrong: the point is exact.
    **Does not prove**, without one, that the run is complete.
    """

    certified_run: bool
    regions: int
    hit: int
    unlisted: int
    volume_missed: fmpq | None
    layers: tuple[dict[str, Any], ...]
    contradictions: tuple[Contradiction, ...]

    def summary(self) -> dict[str, Any]:
        """JSON-serialisable."""
        missed = self.volume_missed
        return {
            "certified_run": self.certified_run,
            "regions": self.regions,
            "regions_hit": self.hit,
            "share_hit": self.hit / self.regions if self.regions else None,
            "unlisted_codewords": self.unlisted,
            "volume_missed": None if missed is None else nearest_float(missed),
            "volume_missed_exact": None if missed is None else str(missed),
            "layers": list(self.layers),
            "contradictions": [
                {"reason": c.reason, "codeword": c.codeword, "point": list(c.point)}
                for c in self.contradictions
            ],
        }
