"""``minrank``: proven bounds of the least rank through a layer, and all regions of low rank."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.cells.chart import Chart
from polyrank.cells.chart import chart as chart_of
from polyrank.errors import NetworkError
from polyrank.lp.farkas import integer_row, integer_rows, value_at
from polyrank.network.forward import affine_map, codeword_exact
from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_float
from polyrank.polyhedra.domain import Domain, WholeSpace
from polyrank.regions.enumerate import EnumerationInterrupted, enumerate_regions
from polyrank.sampling.cells_at import region_rows
from polyrank.sampling.live_units import IntRow, LiveUnits, OutOfTime

__all__ = ["LowRegion", "MinimumRank", "minimum_rank"]


@dataclass(frozen=True, slots=True, eq=False)
class LowRegion:
    """A region with its exact rank and a rational point strictly inside it.

    Attributes
    ----------
    codeword : ndarray of bool
        Bits of layers 1..K.
    rank : int
        Exact rank of the map through layer K, restricted to the domain's affine hull.
    witness : tuple of fmpq
        Point of the input space; every unit has a strict sign there or vanishes identically.
    """

    codeword: NDArray[np.bool_]
    rank: int
    witness: tuple[fmpq, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MinimumRank:
    """Bounds of the least rank through a layer.

    **Proves**: every region has rank ≥ ``lower``; ``best``, if any, is a region of rank
    ``best.rank``. With ``complete``, ``regions`` are all regions of rank < ``below``.

    Attributes
    ----------
    layer, below : int
        ``below`` is 0 if regions were not to be listed.
    lower : int
    best : LowRegion or None
    regions : tuple of LowRegion
    complete : bool
    nodes, programs : int
    seconds : float
    """

    layer: int
    below: int
    lower: int
    best: LowRegion | None
    regions: tuple[LowRegion, ...]
    complete: bool
    nodes: int
    programs: int
    seconds: float

    @property
    def certified(self) -> bool:
        """True if the least rank is known exactly, and the list, if asked for, is complete."""
        exact = self.best is not None and self.best.rank == self.lower
        return exact and (self.complete or not self.below)

    def summary(self) -> dict[str, Any]:
        """JSON-serialisable; codewords as text, points exact."""

        def shown(region: LowRegion) -> dict[str, Any]:
            return {
                "codeword": "".join(str(int(v)) for v in region.codeword),
                "rank": region.rank,
                "witness": [str(v) for v in region.witness],
            }

        return {
            "layer": self.layer,
            "lower": self.lower,
            "upper": None if self.best is None else self.best.rank,
            "certified": self.certified,
            "best": None if self.best is None else shown(self.best),
            "below": self.below or None,
            "regions": [shown(r) for r in self.regions],
            "complete": self.complete if self.below else None,
            "nodes": self.nodes,
            "programs": self.programs,
            "seconds": self.seconds,
        }


def minimum_rank(
    network: Network,
    domain: Domain | None = None,
    *,
    layer: int = 1,
    below: int | None = None,
    seconds: float = math.inf,
    seed: int = 0,
    attempts: int = 10,
    report: Callable[[int, int | None], None] | None = None,
) -> MinimumRank:
    """The least rank of the map through layer K over all regions of a domain.

    Parameters
    ----------
    network : Network
    domain : Domain, optional
        Default: R^n.
    layer : int
        K. The regions of layers 1..K−1 are enumerated; layer K itself is not.
    below : int, optional
        Also list every region of rank < ``below``.
    seconds : float
        Time limit; what is proved until then is returned. The enumeration below layer K is
        stopped at the limit too, and then proves nothing.
    seed, attempts : int
        Of the heuristic that looks for good regions first.
    report : callable, optional
        Told the proven lower bound and the best rank found, as they improve.

    Raises
    ------
    NetworkError
        If there is no layer K.
    EmptyDomainError, DomainError
        As for an enumeration.

    Examples
    --------
    >>> net = Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[-1.0, -1.0], [0.0]])
    >>> found = minimum_rank(net)
    >>> found.lower, found.best.rank, found.certified
    (0, 0, True)
    """
    if not 1 <= layer <= len(network.layers):
        raise NetworkError(f"there is no layer {layer}: the network has 1..{len(network.layers)}")
    begun = time.perf_counter()
    where = WholeSpace() if domain is None else domain
    search = _Minimum(network, where, layer, begun + seconds, report)
    return search.run(below or 0, seed, attempts, begun)


class _Minimum:
    def __init__(
        self,
        network: Network,
        domain: Domain,
        layer: int,
        deadline: float,
        report: Callable[[int, int | None], None] | None,
    ) -> None:
        self.network = Network(network.layers[:layer], network.name, network.source)
        self.chart: Chart = chart_of(domain, network.input_dim)
        self.domain = domain
        self.layer = layer
        self.deadline = deadline
        self.report = report
        self.best: LowRegion | None = None
        self.lower = 0
        self.found: dict[bytes, LowRegion] = {}

    def run(self, below: int, seed: int, attempts: int, begun: float) -> MinimumRank:
        complete = False
        cells: list[LiveUnits] = []
        try:
            cells = list(self._cells())
            for cell in cells:
                self._consider(cell.inside)
            for cell in cells[:1] if self.layer == 1 else ():
                for point in cell.descend(attempts, seed):
                    self._consider(point)
            self._bound(cells)
            if below:
                for cell in cells:
                    for found in cell.search(below, every=True):
                        region = self._consider(found.point)
                        if region is not None and region.rank < below:
                            self.found[region.codeword.tobytes()] = region
                complete = True
        except OutOfTime:
            pass
        return MinimumRank(
            self.layer,
            below,
            self.lower,
            self.best,
            tuple(sorted(self.found.values(), key=lambda r: (r.rank, r.codeword.tobytes()))),
            complete,
            sum(cell.nodes for cell in cells),
            sum(cell.programs for cell in cells),
            time.perf_counter() - begun,
        )

    def _bound(self, cells: list[LiveUnits]) -> None:
        """Raise the proven lower bound, one rank at a time, until it meets the best region."""
        while self.best is not None and self.lower < self.best.rank:
            for cell in cells:
                hit = next(cell.search(self.lower + 1), None)
                if hit is not None:
                    self._consider(hit.point)
                    break
            else:
                self.lower += 1
                self._tell()

    def _tell(self) -> None:
        if self.report is not None:
            self.report(self.lower, None if self.best is None else self.best.rank)

    def _cells(self) -> Iterator[LiveUnits]:
        if self.layer == 1:
            yield self._cell(np.zeros(0, dtype=bool), self.chart.interior)
            return
        first = Network(self.network.layers[:-1], self.network.name)

        def watch(_: object) -> None:
            if time.perf_counter() > self.deadline:
                raise OutOfTime

        try:
            run = enumerate_regions(first, self.domain, progress=watch)
        except EnumerationInterrupted:
            raise KeyboardInterrupt from None
        if not run.certified:
            raise OutOfTime
        words = (row.astype(bool) for block in run.codewords() for row in block)
        for bits, x in zip(words, run.witnesses(), strict=True):
            if time.perf_counter() > self.deadline:
                raise OutOfTime
            yield self._cell(bits, self._to_chart(x))

    def _to_chart(self, x: fmpq_mat) -> fmpq_mat:
        """Coordinates y of a point of the domain's affine hull."""
        basis = self.chart.basis
        gram = basis.transpose() * basis
        return gram.solve(basis.transpose() * (x - self.chart.origin))

    def _cell(self, bits: NDArray[np.bool_], inside: fmpq_mat) -> LiveUnits:
        """The last layer's units on one region of the layers before."""
        if self.layer == 1:
            walls = integer_rows(self.chart.A, self.chart.b)
        else:
            before = Network(self.network.layers[:-1], self.network.name)
            walls = list(region_rows(before, self.chart, bits))
        J, c = affine_map(
            self.network,
            bits,
            self.layer,
            before_activation=True,
            origin=self.chart.origin,
            basis=self.chart.basis,
        )
        units: list[IntRow] = []
        always: list[IntRow] = []
        layer = self.network.layers[-1]
        for row, shift, (neg, pos) in zip(J.tolist(), c.entries(), layer.slopes_exact, strict=True):
            if not any(v != 0 for v in row):
                continue
            oriented = integer_row([*row, shift])
            if neg != 0 and pos != 0:
                always.append(oriented)
            elif pos != 0:
                units.append(oriented)
            elif neg != 0:
                units.append(tuple(-v for v in oriented))
        return LiveUnits(walls, units, always, inside, self.deadline)

    def _consider(self, y: fmpq_mat) -> LowRegion | None:
        """The region of a chart point near y, exactly; the best one is kept."""
        region = self._region(y)
        if region is not None and (self.best is None or region.rank < self.best.rank):
            self.best = region
            self._tell()
        return region

    def _region(self, y: fmpq_mat) -> LowRegion | None:
        rng = np.random.default_rng(0)
        rows = integer_rows(self.chart.A, self.chart.b)
        step = fmpq(0)
        for attempt in range(40):
            shift = [fmpq_from_float(float(v)) * step for v in rng.integers(-99, 100, y.nrows())]
            near = y + fmpq_mat(y.nrows(), 1, shift)
            step = fmpq(1, 2 ** (10 + 5 * attempt))
            if any(value_at(row, near) <= 0 for row in rows):
                continue
            x = self.chart.origin + self.chart.basis * near
            word = codeword_exact(self.network, x)
            strict = region_rows(self.network, self.chart, word.bits)
            if any(value_at(row, near) <= 0 for row in strict):
                continue
            J, _ = affine_map(self.network, word.bits, basis=self.chart.basis)
            return LowRegion(word.bits, int(J.numer_denom()[0].rank()), tuple(x.entries()))
        return None
