"""A sample against a run: what sampling missed, and whether the two contradict each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
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
from polyrank.stages import tell

__all__ = ["Contradiction", "CrossCheck", "RunCheck"]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A sampled codeword that a certified run does not list, or lists with another rank.

    ``point`` is exact, in chart coordinates.
    """

    reason: str
    codeword: str
    point: tuple[str, ...]


#: Most regions of which exact volumes are computed.
_VOLUMES = 5000


@dataclass(slots=True)
class _Table:
    """What one pass over a run leaves: counts of all rows, and the rows of some codewords.

    ``parts`` are the ranks of all rows by layer, batch by batch, where volumes ask for them.
    """

    count: int
    histograms: list[Counter[int]]
    rows: dict[bytes, int]
    ranks: dict[bytes, NDArray[Any]]
    parts: list[list[NDArray[Any]]]


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
    _points: dict[bytes, NDArray[np.float64]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        chart_of_run(self.run, self.network)  # refuses another network
        # samples are drawn from the domain itself, not from a section of it
        self.chart = chart = chart_of(self.run.domain, self.network.input_dim)
        first = Network(
            self.network.layers[: self.run.layers], self.network.name, self.network.source
        )
        self.sampled = restricted_network(first, chart.origin, chart.basis)

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
        """A new codeword and its first point; it is looked for by :meth:`finish`."""
        self._points[word] = point.copy()

    def _contradict(self, reason: str, word: bytes, point: Sequence[float]) -> None:
        spelled = tuple(str(fmpq_from_float(v)) for v in point)
        self.contradictions.append(Contradiction(reason, self._text(word), spelled))

    def _text(self, word: bytes) -> str:
        bits = unpack_bits(np.frombuffer(word, np.uint8), self.run.bits)
        return "".join(str(int(v)) for v in bits)

    def finish(
        self, estimate: Estimate, *, m: int | None = None, volumes: int = _VOLUMES
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
        measure = self._volumes(volumes)
        total = None if measure is None else sum(measure, fmpq(0))
        embedding = self.chart.k if m is None else m
        table = self._read(estimate, keep=measure is not None)
        for word, point in self._points.items():
            if word not in table.ranks and self.run.certified:
                self._contradict("the run does not list this codeword", word, point.tolist())
        for word, low, high in zip(
            estimate.packed, estimate.ranks.lower, estimate.ranks.upper, strict=True
        ):
            key = word.tobytes()
            stated = table.ranks.get(key)
            if stated is not None and ((stated < low) | (stated > high)).any():
                reason = f"the run states ranks {stated.tolist()}, proved are {low.tolist()}"
                # a codeword of points on hyperplanes alone has no point inside its region
                self._contradict(reason, key, self._points.get(key, np.zeros(0)).tolist())
        seen = [ranks for word, ranks in table.ranks.items() if word in self._points]
        per_layer = []
        for k in range(layers):
            every, hit = table.histograms[k], Counter(int(ranks[k]) for ranks in seen)
            low_rank = sum(n for rank, n in every.items() if rank < embedding)
            entry: dict[str, Any] = {
                "layer": k + 1,
                "low_rank_below": embedding,
                "low_rank_regions": low_rank,
                "low_rank_regions_missed": low_rank
                - sum(n for rank, n in hit.items() if rank < embedding),
                "listed_min_rank": min(every, default=None),
                "sampled_min_rank": min(hit, default=None),
                "by_regions": {str(rank): every[rank] for rank in sorted(every)},
                "by_samples": self._by_samples(estimate, table, k),
            }
            if measure is not None and total:
                column = np.concatenate(table.parts[k])
                entry["by_volume"] = {
                    str(int(r)): nearest_float(
                        sum((measure[i] for i in np.flatnonzero(column == r)), fmpq(0)) / total
                    )
                    for r in np.unique(column)
                }
            per_layer.append(entry)
        missed = None
        if measure is not None and total:
            hit_rows = {table.rows[word] for word in self._points if word in table.rows}
            volume = (v for i, v in enumerate(measure) if i not in hit_rows)
            missed = sum(volume, fmpq(0)) / total
        return CrossCheck(
            certified_run=self.run.certified,
            regions=table.count,
            hit=len(seen),
            unlisted=sum(word not in table.ranks for word in self._points),
            volume_missed=missed,
            layers=tuple(per_layer),
            contradictions=tuple(self.contradictions),
        )

    def _read(self, estimate: Estimate, *, keep: bool) -> _Table:
        """One pass over the run, of which what the sample met is kept, or the ranks of all."""
        import pyarrow.compute as pc  # noqa: PLC0415  (a tenth of every start)

        wanted = {word.tobytes() for word in estimate.packed} | set(self._points)
        kind = self.run.schema.field("codeword").type
        words = pa.array([word.ljust(kind.byte_width, b"\0") for word in wanted], kind)
        names = [f"rank_{k}" for k in range(1, self.run.layers + 1)]
        width = (self.run.bits + 7) // 8
        table = _Table(0, [Counter() for _ in names], {}, {}, [[] for _ in names])
        for batch in self.run.batches(["codeword", *names]):
            tell("rows of the run", table.count, self.run.count)
            columns = [numbers(batch.column(name)) for name in names]
            for histogram, parts, column in zip(
                table.histograms, table.parts, columns, strict=True
            ):
                values, counts = np.unique(column, return_counts=True)
                histogram.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
                if keep:
                    parts.append(column)
            codewords = batch.column("codeword")
            met = np.flatnonzero(np.asarray(pc.is_in(codewords, value_set=words)))
            for i in met.tolist():
                key = codewords[i].as_py()[:width]
                table.rows[key] = table.count + i
                table.ranks[key] = np.array([column[i] for column in columns])
            table.count += batch.num_rows
        return table

    def _by_samples(self, estimate: Estimate, table: _Table, k: int) -> dict[str, int]:
        out: Counter[int] = Counter()
        for word, count in zip(estimate.packed, estimate.counts.tolist(), strict=True):
            ranks = table.ranks.get(word.tobytes())
            if ranks is not None:
                out[int(ranks[k])] += count
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
