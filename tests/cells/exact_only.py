"""Two ways through the same search: compiled, and with every cell decided in rationals."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyrank.cells import dictionary_search as module
from polyrank.cells.search import search
from polyrank.cells.task import Batch, SearchResult, settled
from polyrank.network.normal_form import Network
from polyrank.posed.chart import Chart
from polyrank.posed.problem import Problem

Regions = dict[tuple[bytes, bytes], tuple[int, ...]]
Plain = dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[int, ...]]


def regions(network: Network, chart: Chart, **options: Any) -> tuple[Regions, SearchResult]:
    """Regions as ``{(codeword, zero): ranks}``; a region that appears twice is an error."""
    return regions_of(Problem.of(network, chart), **options)


def regions_of(problem: Problem, **options: Any) -> tuple[Regions, SearchResult]:
    """:func:`regions` of a problem that several searches share."""
    found: Regions = {}

    def sink(batch: Batch) -> None:
        exact = settled(batch, problem)
        rows = zip(exact.codeword, exact.zero, exact.rank, strict=True)
        for codeword, zero, rank in rows:
            key = (codeword.tobytes(), zero.tobytes())
            assert key not in found, f"{key} was enumerated twice"
            found[key] = tuple(rank.tolist())

    return found, search(problem, sink, **{"engine": "dictionary", **options})


def regions_without_floats(network: Network, chart: Chart, monkeypatch: Any) -> Regions:
    """The same, with no task ever given to the compiled kernels."""
    with monkeypatch.context() as patch:
        patch.setattr(module.DictionarySearch, "_load", lambda self, task: False)
        found, result = regions(network, chart)
    assert result.certified
    assert result.ladder["cells"] == 0
    return found


def plain(found: Regions, bits: int) -> Plain:
    """Regions as ``{(bits, zero bits): ranks}``."""

    def unpacked(packed: bytes) -> tuple[int, ...]:
        flat = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), bitorder="little")
        return tuple(flat[:bits].tolist())

    return {(unpacked(a), unpacked(b)): ranks for (a, b), ranks in found.items()}
