"""Thousands of random mutations of runs with proofs: whatever changes a claim is rejected.

A mutant that the checker accepts is looked at again, without the checker: either network, domain
and table state the same as before (only the order of rows or the way of the proof differ), or the
mutated claims are enumerated anew, by the other engine, and found to be true.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import polyrank as pr
from polyrank.errors import PolyrankError
from polyrank.network.rational import to_fmpq
from polyrank.polyhedra.domain import domain_from_dict
from polyrank.proof.check import check
from tests.checks import check_run
from tests.proof.runs import Copy, degenerate_network, random_network, write

Mutation = Callable[[Copy, random.Random], Any]
MUTATIONS: dict[str, tuple[int, Mutation]] = {}


def mutation(weight: int) -> Callable[[Mutation], Mutation]:
    """Register a mutation, to be tried ``weight`` times in a hundred."""

    def register(function: Mutation) -> Mutation:
        MUTATIONS[function.__name__] = (weight, function)
        return function

    return register


# ---------------------------------------------------------------------------------------------
# the table


def _cells(table: pa.Table, column: str) -> list[Any]:
    return list(table.column(column).to_pylist())


def _with(table: pa.Table, column: str, values: list[Any]) -> pa.Table:
    at = table.schema.get_field_index(column)
    field = table.schema.field(at)
    return table.set_column(at, field, pa.array(values, field.type))


def _flip(copy: Copy, dice: random.Random, column: str) -> None:
    table = copy.table
    values = _cells(table, column)
    row, bits = dice.randrange(len(values)), copy.manifest["bits"]
    bit = dice.randrange(bits)
    value = bytearray(values[row] or bytes((bits + 7) // 8))
    value[bit // 8] ^= 1 << bit % 8
    values[row] = bytes(value)
    copy.write_table(_with(table, column, values))


@mutation(10)
def flip_codeword_bit(copy: Copy, dice: random.Random) -> None:
    _flip(copy, dice, "codeword")


@mutation(6)
def flip_zero_bit(copy: Copy, dice: random.Random) -> None:
    _flip(copy, dice, "zero")


@mutation(6)
def drop_row(copy: Copy, dice: random.Random) -> None:
    table = copy.table
    row = dice.randrange(table.num_rows)
    kept = [i for i in range(table.num_rows) if i != row]
    copy.write_table(table.take(kept), honest=dice.random() < 0.7)


@mutation(6)
def duplicate_row(copy: Copy, dice: random.Random) -> None:
    table = copy.table
    rows = list(range(table.num_rows))
    rows.insert(dice.randrange(table.num_rows + 1), dice.choice(rows))
    copy.write_table(table.take(rows), honest=dice.random() < 0.7)


@mutation(3)
def swap_rows(copy: Copy, dice: random.Random) -> None:
    table = copy.table
    rows = list(range(table.num_rows))
    i, j = dice.sample(rows, 2)
    rows[i], rows[j] = rows[j], rows[i]
    copy.write_table(table.take(rows))


@mutation(8)
def alter_witness(copy: Copy, dice: random.Random) -> None:
    table = copy.table
    values = _cells(table, "witness")
    row = dice.randrange(len(values))
    other = dice.choice(values)
    point = list(values[row] or [0.0] * len(values[0] or other))
    at = dice.randrange(len(point))
    kind = dice.randrange(5)
    if kind == 0 and other is not None:
        point = list(other)
    elif kind == 1:
        point[at] += dice.gauss(0, 1)
    elif kind == 2:
        point[at] *= dice.choice([-1.0, 0.0, 1 + 2.0**-40])
    elif kind == 3:
        point[at] = dice.choice([float("nan"), float("inf"), 1e300, 0.0])
    else:
        point[at] += dice.gauss(0, 1e-3)
    values[row] = point
    copy.write_table(_with(table, "witness", values))


@mutation(6)
def alter_rank(copy: Copy, dice: random.Random) -> None:
    table = copy.table
    column = f"rank_{dice.randint(1, copy.manifest['layers'])}"
    values = _cells(table, column)
    values[dice.randrange(len(values))] += dice.choice([-1, 1])
    copy.write_table(_with(table, column, values), honest=dice.random() < 0.8)


# ---------------------------------------------------------------------------------------------
# the log


@mutation(14)
def alter_log_byte(copy: Copy, dice: random.Random) -> None:
    log = copy.segments
    i = dice.randrange(len(log))
    segment = bytearray(log[i])
    at = dice.randrange(len(segment))
    segment[at] = (segment[at] + dice.choice([1, -1, dice.randrange(1, 256)])) % 256
    log[i] = bytes(segment)
    copy.write_segments(log)


@mutation(6)
def delete_log_bytes(copy: Copy, dice: random.Random) -> None:
    log = copy.segments
    i = dice.randrange(len(log))
    at = dice.randrange(len(log[i]))
    log[i] = log[i][:at] + log[i][at + dice.choice([1, 1, 3, 5]) :]
    copy.write_segments(log)


@mutation(4)
def swap_log_bytes(copy: Copy, dice: random.Random) -> None:
    """Swap two neighbouring stretches, such as two steps or two subtrees."""
    log = copy.segments
    i = dice.randrange(len(log))
    a, b, c = sorted(dice.randrange(len(log[i]) + 1) for _ in range(3))
    log[i] = log[i][:a] + log[i][b:c] + log[i][a:b] + log[i][c:]
    copy.write_segments(log)


@mutation(4)
def truncate_segment(copy: Copy, dice: random.Random) -> None:
    log = copy.segments
    i = dice.randrange(len(log))
    end = b"\0" if dice.random() < 0.7 else b""
    log[i] = log[i][: dice.randrange(len(log[i]))] + end
    copy.write_segments(log)


@mutation(3)
def truncate_file(copy: Copy, dice: random.Random) -> None:
    file = dice.choice(sorted(p for p in copy.path.rglob("part-*") if p.is_file()))
    data = file.read_bytes()
    file.write_bytes(data[: dice.randrange(len(data))])


@mutation(3)
def alter_compressed_byte(copy: Copy, dice: random.Random) -> None:
    (file,) = (copy.path / "proof").glob("*.zst")
    data = bytearray(file.read_bytes())
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    file.write_bytes(bytes(data))


@mutation(4)
def drop_segment(copy: Copy, dice: random.Random) -> None:
    log = copy.segments
    del log[dice.randrange(len(log))]
    copy.write_segments(log, honest=dice.random() < 0.7)


@mutation(3)
def duplicate_segment(copy: Copy, dice: random.Random) -> None:
    log = copy.segments
    log.insert(dice.randrange(len(log) + 1), dice.choice(log))
    copy.write_segments(log, honest=dice.random() < 0.7)


@mutation(3)
def swap_segments(copy: Copy, dice: random.Random) -> None:
    log = copy.segments
    i, j = dice.randrange(len(log)), dice.randrange(len(log))
    log[i], log[j] = log[j], log[i]
    copy.write_segments(log)


@mutation(3)
def swap_heads(copy: Copy, dice: random.Random) -> None:
    """Give one subtree the cell of another."""
    log = copy.segments
    manifest = copy.manifest
    size = 11 + 2 * sum(manifest["network"]["widths"][1 : manifest["layers"] + 1])
    i, j = dice.randrange(len(log)), dice.randrange(len(log))
    log[i], log[j] = log[j][:size] + log[i][size:], log[i][:size] + log[j][size:]
    copy.write_segments(log)


# ---------------------------------------------------------------------------------------------
# network, domain, manifest


@mutation(8)
def alter_weight(copy: Copy, dice: random.Random) -> None:
    def change(stored: dict[str, Any]) -> None:
        layer = dice.choice(stored["layers"])
        row = layer["bias"] if dice.random() < 0.3 else dice.choice(layer["weight"])
        at = dice.randrange(len(row))
        row[at] = dice.choice([-row[at], 0.0, row[at] + dice.gauss(0, 0.5), row[at] + 2.0**-30])

    copy.edit_network(change, honest=dice.random() < 0.7)


@mutation(2)
def alter_slope(copy: Copy, dice: random.Random) -> None:
    def change(stored: dict[str, Any]) -> None:
        layer = dice.choice(stored["layers"])
        layer["activation"] = dice.choice(["relu", "abs", "linear"])
        layer.pop("slope", None)

    copy.edit_network(change, honest=dice.random() < 0.7)


def _moved(dice: random.Random, value: str) -> str:
    by = to_fmpq(dice.choice(["1", "-1", "1/1000", "-1/1000", "1/2"]))
    return str(to_fmpq(value) + by)


@mutation(6)
def widen_domain(copy: Copy, dice: random.Random) -> None:
    """Move a bound of a box, in the domain alone or wherever the manifest speaks of it."""
    side, consistent = dice.choice(["lower", "upper"]), dice.random() < 0.7

    def change(manifest: dict[str, Any]) -> None:
        domain, chart = manifest["domain"], manifest["chart"]
        if domain["kind"] != "box":
            manifest["domain"] = {"kind": "box", "lower": "-1", "upper": "1"}
            return
        if isinstance(domain[side], list):
            at = dice.randrange(len(domain[side]))
            domain[side][at] = _moved(dice, domain[side][at])
            if consistent:
                chart[side][at] = domain[side][at]
        else:
            domain[side] = _moved(dice, domain[side])
            if consistent:
                chart[side] = [domain[side]] * len(chart[side])

    copy.edit(change)


@mutation(4)
def alter_chart(copy: Copy, dice: random.Random) -> None:
    def change(manifest: dict[str, Any]) -> None:
        chart = manifest["chart"]
        key = dice.choice(["origin", "basis", "lower", "upper"])
        if chart[key] is None:
            chart["lower"] = chart["upper"] = ["-5"] * len(chart["basis"][0])
        elif key == "basis":
            row = dice.choice(chart["basis"])
            at = dice.randrange(len(row))
            row[at] = _moved(dice, row[at])
        elif dice.random() < 0.2 and key in ("lower", "upper"):
            chart["lower"] = chart["upper"] = None
        else:
            at = dice.randrange(len(chart[key]))
            chart[key][at] = _moved(dice, chart[key][at])

    copy.edit(change)


@mutation(4)
def alter_manifest(copy: Copy, dice: random.Random) -> None:
    def change(manifest: dict[str, Any]) -> None:
        kind = dice.randrange(8)
        if kind == 0:
            manifest["counts"]["regions"] += dice.choice([-1, 1])
        elif kind == 1:
            manifest["counts"]["undecided"] += 1
        elif kind == 2:
            manifest["layers"] -= 1
        elif kind == 3:
            manifest["bits"] += dice.choice([-1, 1])
        elif kind == 4:
            histogram = dice.choice(manifest["rank_histogram"])
            histogram[dice.choice(sorted(histogram))] += 1
        elif kind == 5:
            manifest["network"]["hash"] = manifest["network"]["hash"][::-1]
        elif kind == 6:
            manifest["proof"]["segments"] += 1
        else:
            manifest["network"]["bits"][0] += 1

    copy.edit(change)


# ---------------------------------------------------------------------------------------------
# the experiment

SUBJECTS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "box": (random_network(11, 2, 5, 4, 1), pr.Box(-1, 1), {"cells": 6}),
    "whole plane": (random_network(12, 2, 5, 4, 2), None, {"cells": 9}),
    "central": (random_network(13, 3, 5, 3, bias=False), None, {"cells": 8}),
    "degenerate": (degenerate_network(), pr.Box([-1, -1], ["1/2", 1]), {"cells": 5}),
    "integers": (random_network(14, 2, 5, 4, 1, integers=True), None, {}),
    "triangle": (
        random_network(15, 3, 6, 4, 1),
        pr.Simplex([[0, 0, 0], [3, "1/3", 1], [-2, 4, 0]]),
        {"cells": 6},
    ),
    "flat polytope": (
        random_network(16, 3, 6, 4, 2),
        pr.Polytope(
            [[1, 1, 1], [-1, -1, -1], [-1, 0, 0], [0, -1, 0], [0, 0, -1]], [2, -2, 0, 0, 0]
        ),
        {},
    ),
    "highs": (random_network(17, 2, 5, 4, 1), pr.Box(-1, 1), {"engine": "highs", "cells": 4}),
}


def _claims(copy: Copy) -> Any:
    """What a run states, apart from order of rows, witnesses and the log."""
    manifest = copy.manifest
    table = copy.table
    columns = [c for c in table.schema.names if not c.startswith("witness")]
    rows = sorted(map(repr, table.select(columns).to_pylist()))
    keys = ("domain", "layers", "bits", "certified", "counts", "rank_histogram", "network")
    chart = [manifest["chart"][key] for key in ("origin", "basis")]
    return rows, chart, [manifest[key] for key in keys]


def _true(copy: Copy) -> bool:
    """Whether the mutated claims are those of another enumeration of the mutated question."""
    manifest = copy.manifest
    net = pr.load(copy.path / "network.json")
    domain = domain_from_dict(manifest["domain"])
    fresh = pr.enumerate_regions(net, domain, through_layer=manifest["layers"], engine="highs")
    columns = [c for c in copy.table.schema.names if not c.startswith("witness")]
    mine, other = (
        sorted(map(repr, table.select(columns).to_pylist())) for table in (copy.table, fresh.table)
    )
    report = check_run(net, domain, pr.open_run(copy.path))
    return fresh.certified and mine == other and bool(report.ok)


def experiment(folder: Path, name: str, trials: int, seed: int) -> Counter[tuple[str, str]]:
    """Mutate a run ``trials`` times; the outcome of each, by mutation."""
    net, domain, options = SUBJECTS[name]
    write(folder / "run", net, domain, **options)
    original = Copy(folder / "run", folder / "original")
    assert check(original.path).complete
    stated = _claims(original)
    dice = random.Random(f"{name} {seed}")
    names = list(MUTATIONS)
    weights = [MUTATIONS[n][0] for n in names]
    outcome: Counter[tuple[str, str]] = Counter()
    for trial in range(trials):
        (kind,) = dice.choices(names, weights)
        copy = Copy(original.path, folder / "mutant")
        MUTATIONS[kind][1](copy, dice)
        try:
            # every fifth one on exact rows alone
            report = check(copy.path, exact=trial % 5 == 0)
        except PolyrankError:
            outcome[kind, "rejected"] += 1
            continue
        where = f"{name}, seed {seed}, trial {trial}: {kind} was accepted"
        assert report.complete, where
        if _claims(copy) == stated and kind != "alter_witness":
            outcome[kind, "equivalent"] += 1
        else:
            assert _true(copy), where
            outcome[kind, "true"] += 1
    return outcome


def summary(outcome: Counter[tuple[str, str]]) -> str:
    """One line per mutation."""
    lines = [f"{sum(outcome.values())} mutations"]
    for kind in MUTATIONS:
        counts = ", ".join(f"{outcome[kind, o]} {o}" for o in ("rejected", "equivalent", "true"))
        lines.append(f"  {kind}: {counts}")
    return "\n".join(lines)


# never accepted, whatever the dice say: the claim is another one
ALWAYS_REJECTED = (
    "flip_codeword_bit",
    "flip_zero_bit",
    "drop_row",
    "duplicate_row",
    "alter_rank",
    "drop_segment",
    "alter_manifest",
)


def _run(folder: Path, trials: int, seed: int) -> Counter[tuple[str, str]]:
    total: Counter[tuple[str, str]] = Counter()
    for name in SUBJECTS:
        path = folder / name
        path.mkdir()
        total += experiment(path, name, trials, seed)
    sys.stdout.write(summary(total) + "\n")
    assert sum(total.values()) == trials * len(SUBJECTS)
    for kind in ALWAYS_REJECTED:
        assert total[kind, "rejected"] > 0
        assert total[kind, "equivalent"] == total[kind, "true"] == 0, kind
    return total


def test_every_mutation_that_changes_a_claim_is_rejected(tmp_path: Path) -> None:
    _run(tmp_path, 140, 1)


@pytest.mark.slow
def test_ten_thousand_mutations(tmp_path: Path) -> None:
    _run(tmp_path, 1300, 2)
