"""Proofs over all magnitudes: true runs are accepted in both modes, altered claims never.

``python -m tests.scales proof 100000`` runs 10^5 random networks. What is true is known from the
oracle that splits cones by their generators.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import PolyrankError
from polyrank.proof.check import check
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from tests.checks import check_run, rows_of
from tests.oracles import exact_layers, leaves
from tests.proof import test_mutations as mutations
from tests.proof.runs import Copy, write
from tests.scales import count, scaled_case

Claims = Counter[tuple[Any, ...]]
#: A folder in memory, if there is one: waiting for a disk is no part of what is compared.
_MEMORY = next((name for name in ("/dev/shm",) if Path(name).is_dir()), None)

#: What always changes a claim, and what changes the question or the way of its proof.
FALSE: tuple[Callable[[Copy, random.Random], Any], ...] = (
    mutations.flip_codeword_bit,
    mutations.flip_zero_bit,
    mutations.alter_rank,
    mutations.drop_row,
    mutations.duplicate_row,
)
OTHER: tuple[Callable[[Copy, random.Random], Any], ...] = (
    mutations.alter_witness,
    mutations.shrink_witness,
    mutations.alter_log_byte,
    mutations.delete_log_bytes,
    mutations.swap_log_bytes,
)


def _true(network: pr.Network, rows: Any) -> Claims:
    return Counter(
        (leaf.bits, tuple(int(s == 0) for s in leaf.signs), leaf.ranks)
        for leaf in leaves(exact_layers(network), network.input_dim, rows)
    )


def _stated(path: Path) -> Claims:
    run = pr.open_run(path)
    rows = rows_of(run.table, run.manifest["bits"], run.layers)
    return Counter((row.bits, row.zero, row.ranks) for row in rows)


def _weights(copy: Copy, dice: random.Random) -> None:
    """A number of the network becomes another, as the manifest says too."""

    def change(stored: dict[str, Any]) -> None:
        layer = dice.choice(stored["layers"])
        row = layer["bias"] if dice.random() < 0.3 else dice.choice(layer["weight"])
        at = dice.randrange(len(row))
        value = row[at] if isinstance(row[at], float) else 1.0
        row[at] = dice.choice([-value, 0.0, value * 2.0**-52, value * (1 + 2.0**-52), 5e-324])

    copy.edit_network(change, honest=True)


def agrees(seed: int) -> str:
    """A run with its proof in both modes; then two claims of it, altered."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    network, domain, rows = scaled_case(rng, n)
    expected = _true(network, rows)
    if expected.total() > 40:
        return "too large for the oracle"
    dice = random.Random(seed)
    exact = bool(seed % 2)
    with tempfile.TemporaryDirectory(dir=_MEMORY) as name:
        folder = Path(name)
        engine = "auto" if seed % 3 else "dictionary"
        write(folder / "run", network, domain, cells=dice.randint(2, 20), engine=engine)
        for mode in (False, True):
            report = check(folder / "run", exact=mode)
            assert report.complete, report
            assert report.checked == expected.total()
        assert _stated(folder / "run") == expected
        bits = sum(network.bits)
        false = dice.choice(FALSE[0 if bits else 2 :])
        _refused(folder, false, dice, exact=exact)
        other = dice.choice([*OTHER, mutations.alter_slope_size, _weights])
        return other.__name__ + _judged(folder, other, dice, rows, exact=exact)


def _refused(folder: Path, mutation: Any, dice: random.Random, *, exact: bool) -> None:
    copy = Copy(folder / "run", folder / "false")
    mutation(copy, dice)
    try:
        check(copy.path, exact=exact)
    except PolyrankError:
        return
    raise AssertionError(f"{mutation.__name__} was accepted")


def _judged(folder: Path, mutation: Any, dice: random.Random, rows: Any, *, exact: bool) -> str:
    """What is accepted after all is true of the network that is on disk now."""
    copy = Copy(folder / "run", folder / "other")
    mutation(copy, dice)
    try:
        report = check(copy.path, exact=exact)
    except NotDecidedError:
        return ": not decided"
    except ProofRejectedError:
        return ": rejected"
    except PolyrankError:
        return ": refused"
    assert report.complete
    network, run = pr.load(copy.path / "network.json"), pr.open_run(copy.path)
    assert _stated(copy.path) == _true(network, rows), mutation.__name__
    inside = check_run(network, run.domain, run)  # the witnesses, in fractions
    assert inside.ok, f"{mutation.__name__}: {inside.failures}"
    return ": true"


def test_proofs_of_any_magnitude() -> None:
    outcomes = count(agrees, 0, 24)
    assert "DIFFERENT" not in outcomes
    assert len(outcomes) > 5


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_many_proofs_of_any_magnitude(block: int) -> None:
    assert "DIFFERENT" not in count(agrees, 1000 + 200 * block, 200)
