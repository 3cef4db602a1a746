"""Eight threads with random budgets on degenerate networks: the bytes of one thread.

``python -m tests.scales threads 1000`` runs more of them. Beside a core that is built with
``-DPOLYRANK_SANITIZE=thread`` the same tests show races (a step of the gate).
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from polyrank.cells import dictionary_search
from polyrank.cells.search import search
from polyrank.cells.task import Batch
from polyrank.cells.vertices import search as vertex_search
from polyrank.cells.vertices import worker
from polyrank.cells.vertices.search import root_of
from polyrank.posed.chart import chart
from polyrank.posed.problem import Problem
from tests.examples import box, whole
from tests.scales import count
from tests.strategies import realistic_network, rolled_problem

KINDS = ("integer", "quantised", "pruned", "duplicated", "bias-free", "dead")


def _problem(seed: int, rng: np.random.Generator) -> Problem:
    """A tiny degenerate network of any kind, or a larger one with hundreds of regions."""
    if seed % 2:
        net, space = rolled_problem(rng, max_bits=16)
    else:
        n = int(rng.integers(2, 5))
        net = realistic_network(KINDS[seed // 2 % len(KINDS)], (n, 7, 6, 1), seed)
        space = box([-1] * n, [1] * n) if rng.random() < 0.5 else whole()
    return Problem.of(net, chart(space.domain(), net.input_dim))


def _everything(problem: Problem, *, proof: bool, **options: Any) -> dict[str, bytes]:
    out: dict[str, bytes] = defaultdict(bytes)

    def sink(batch: Batch) -> None:
        for name in ("codeword", "zero", "rank", "witness"):
            out[name] += getattr(batch, name).tobytes()
        out["exact"] += "".join(str(v) for _, v in sorted(batch.witness_exact.items())).encode()

    def log(data: bytes) -> None:
        out["proof"] += data

    result = search(problem, sink, proof=log if proof else None, **options)
    assert result.certified
    out["regions"] = str(result.regions).encode()
    return out


def agrees(seed: int) -> str:
    """Eight threads, each with tasks of a few cells, write what one thread writes."""
    rng = np.random.default_rng(seed)
    problem, proof = _problem(seed, rng), bool(rng.random() < 0.5)
    engine = "vertices" if rng.random() < 0.5 and root_of(problem) is not None else "dictionary"
    with pytest.MonkeyPatch.context() as patch:
        for module in (dictionary_search, vertex_search):
            patch.setattr(module, "ALONE_SECONDS", 0.0)
            patch.setattr(module, "_SEGMENT", int(rng.integers(1, 60)))
        patch.setattr(worker, "SHARE_SECONDS", 0.0)
        patch.setattr(worker, "HAND_ON_SECONDS", 0.0)
        expected = _everything(problem, engine=engine, proof=proof, jobs=1)
        for _ in range(2):
            patch.setattr(worker, "_TASK_CELLS", int(rng.integers(1, 60)))
            found = _everything(problem, engine=engine, proof=proof, jobs=8)
            assert found == expected, engine
    return f"{engine}, {'with' if proof else 'no'} proof"


def test_eight_threads_with_random_budgets() -> None:
    outcomes = count(agrees, 0, 24)
    assert "DIFFERENT" not in outcomes
    assert len(outcomes) > 2


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_eight_threads_with_random_budgets_many_times(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 100 * block, 100)
