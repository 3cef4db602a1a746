"""Thousands of random mutations of runs with proofs: whatever changes a claim is rejected.

A mutant that the checker accepts is looked at again, without the checker: either network, domain
and table state the same as before (only the order of rows or the way of the proof differ), or the
mutated claims are enumerated anew, by the other engine, and found to be true. What it accepts as
*not decided* claims less: every row is a region with its ranks, and, unless check says that this is
not verified, the bounds of their number hold.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import polyrank as pr
from polyrank.cells.task import prefix_text
from polyrank.errors import DomainError, NetworkError, PolyrankError
from polyrank.network.rational import to_fmpq
from polyrank.polyhedra.vnnlib import parse_vnnlib
from polyrank.proof.check import Report, check
from polyrank.proof.format import (
    CUBE_NEGATIVE,
    CUBE_POSITIVE,
    END,
    LEAF,
    NEGATIVE,
    NEGATIVE_BOX,
    NEGATIVE_BY,
    OPPOSITE,
    POSITIVE,
    POSITIVE_BOX,
    POSITIVE_BY,
    SPLIT,
    ZERO,
    NotDecidedError,
    head_of,
)
from tests.checks import check_run, rows_of
from tests.oracles import exact_layers, regions_of_layers, restrict
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
    copy.write_table(table.take(pa.array(kept, pa.int64())), honest=dice.random() < 0.7)


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
    point = list(values[row] or [0.0] * table.schema.field("witness").type.list_size)
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


@mutation(6)
def alter_columns(copy: Copy, dice: random.Random) -> None:
    """The same or other values in columns of another kind."""
    table = copy.table
    dim = table.schema.field("witness").type.list_size
    kind = dice.randrange(7)
    if kind == 0:
        words = [w + dice.choice([b"", b"\0"]) for w in _cells(table, "codeword")]
        table = _typed(table, "codeword", words, pa.binary())
    elif kind == 1:
        words = _cells(table, "codeword")
        words[dice.randrange(len(words))] = None
        table = _typed(table, "codeword", words, table.schema.field("codeword").type)
    elif kind == 2:
        points = [(p or [0.0] * dim) * dice.choice([1, 2]) for p in _cells(table, "witness")]
        points[0] = points[0][: dice.randrange(dim + 1)]
        table = _typed(table, "witness", points, pa.list_(pa.float64()))
    elif kind == 3:
        ranks = [v + dice.choice([0.0, 0.5]) for v in _cells(table, "rank_1")]
        table = _typed(table, "rank_1", ranks, pa.float64())
    elif kind == 4:
        ranks = _cells(table, "rank_1")
        ranks[dice.randrange(len(ranks))] = None
        table = _typed(table, "rank_1", ranks, pa.int16())
    elif kind == 5:
        spelled = [None] * table.num_rows
        spelled[dice.randrange(len(spelled))] = [dice.choice(["0", "1/3", "x"])] * dim
        table = _with(table, "witness_exact", spelled)
    else:
        table = table.append_column("opinion", pa.nulls(table.num_rows))
    copy.write_table(table, honest=False)


def _typed(table: pa.Table, column: str, values: list[Any], kind: pa.DataType) -> pa.Table:
    at = table.schema.get_field_index(column)
    return table.set_column(at, pa.field(column, kind), pa.array(values, kind))


@mutation(5)
def shrink_witness(copy: Copy, dice: random.Random) -> None:
    """Coordinates below the smallest normal number, or no number at all, spelled as fractions."""
    table = copy.table
    points, spelled = _cells(table, "witness"), _cells(table, "witness_exact")
    row = dice.randrange(len(points))
    point = spelled[row] or [str(to_fmpq(v)) for v in points[row]]
    factor = to_fmpq(2) ** dice.choice([-1, -200, -1060, -1074, -1100, -2000])
    at = dice.randrange(len(point))
    point[at] = str(to_fmpq(point[at]) * factor * dice.choice([1, -1]))
    points[row], spelled[row] = None, point
    table = _with(table, "witness", points)
    copy.write_table(_with(table, "witness_exact", spelled))


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


def _steps(copy: Copy, segment: bytes) -> Iterator[tuple[int, int]]:
    """Where the steps of an unaltered segment start and end."""
    manifest = copy.manifest
    units = sum(manifest["network"]["widths"][1 : manifest["layers"] + 1])
    chart = manifest["chart"]
    d = len(chart["basis"][0])
    bounded = chart["lower"] is not None
    # a box of known bounds: 2 d walls; only there are BOX steps looked for
    width = 1 if 2 * d + units + 1 <= 256 else 2
    p = head_of(segment, units).size
    while bounded and segment[p] != END:
        code = segment[p]
        count = int.from_bytes(segment[p + 3 : p + 5], "little")
        size = {
            ZERO: 3, SPLIT: 3, CUBE_NEGATIVE: 3, CUBE_POSITIVE: 3,
            NEGATIVE: 3 + d * width, POSITIVE: 3 + d * width,
            NEGATIVE_BY: 5 + 2 * count, POSITIVE_BY: 5 + 2 * count,
            NEGATIVE_BOX: 5 + 4 * count, POSITIVE_BOX: 5 + 4 * count,
        }.get(code, 1)  # fmt: skip
        yield p, p + size
        p += size


def _box_steps(copy: Copy) -> list[tuple[int, int, int]]:
    """Segment, start and end of every BOX step of a run on a box."""
    if copy.manifest["domain"]["kind"] != "box":
        return []
    return [
        (i, a, b)
        for i, segment in enumerate(copy.segments)
        for a, b in _steps(copy, segment)
        if segment[a] in (NEGATIVE_BOX, POSITIVE_BOX)
    ]


@mutation(5)
def turn_box_step(copy: Copy, dice: random.Random) -> None:
    """The other side by the same rows and coordinates."""
    found = _box_steps(copy)
    if not found:
        flip_codeword_bit(copy, dice)
        return
    i, a, _ = dice.choice(found)
    log = copy.segments
    turned = NEGATIVE_BOX + POSITIVE_BOX - log[i][a]
    log[i] = log[i][:a] + bytes([turned]) + log[i][a + 1 :]
    copy.write_segments(log)


@mutation(8)
def alter_box_step(copy: Copy, dice: random.Random) -> None:
    """Other rows, coordinates or units, fewer of them, or another kind of step."""
    found = _box_steps(copy)
    if not found:
        alter_log_byte(copy, dice)
        return
    i, a, b = dice.choice(found)
    log = copy.segments
    code, unit = log[i][a], log[i][a + 1 : a + 3]
    numbers = np.frombuffer(log[i][a + 5 : b], "<u2").tolist()
    count = len(numbers) // 2
    kind = dice.randrange(6)
    if kind == 0 and count:
        numbers[dice.randrange(2 * count)] = dice.choice([*range(40), 65535])
    elif kind == 1 and count:
        del numbers[count + dice.randrange(count)], numbers[dice.randrange(count)]
    elif kind == 2 and count:
        numbers[dice.randrange(2 * count)] = dice.choice(numbers)
    elif kind == 3:
        numbers.insert(count, dice.randrange(40))
        numbers.append(dice.randrange(16))
    elif kind == 4:
        unit = dice.randrange(8).to_bytes(2, "little")
    else:
        code = dice.choice([CUBE_NEGATIVE, NEGATIVE_BY, code - 2, ZERO, SPLIT])
    head = bytes([code]) + unit
    if code in (NEGATIVE_BOX, POSITIVE_BOX):
        head += (len(numbers) // 2).to_bytes(2, "little") + _u16(numbers)
    elif code in (NEGATIVE_BY, POSITIVE_BY):
        head += count.to_bytes(2, "little") + _u16(numbers[:count])
    log[i] = log[i][:a] + head + log[i][b:]
    copy.write_segments(log)


def _halving(copy: Copy) -> tuple[int, int] | None:
    """Segment and byte of the OPPOSITE step, which ends its segment; None where there is none."""
    for i, segment in enumerate(copy.segments):
        if len(segment) > 4 and segment[-4] == OPPOSITE:
            return i, len(segment) - 4
    return None


@mutation(8)
def alter_halving(copy: Copy, dice: random.Random) -> None:
    """Another unit, another kind of step, one side alone, both sides of a half, or none."""
    found = _halving(copy)
    if found is None:
        alter_log_byte(copy, dice)
        return
    i, p = found
    log = copy.segments
    step, unit, kind = bytes([OPPOSITE]), log[i][p + 1 : p + 3], dice.randrange(7)
    end = log[i][p + 3 :]
    if kind == 0:
        log[i] = log[i][:p] + step + dice.randrange(8).to_bytes(2, "little") + end
    elif kind == 1:
        code = dice.choice([SPLIT, ZERO, CUBE_POSITIVE, CUBE_NEGATIVE, END])
        log[i] = log[i][:p] + bytes([code]) + unit + end
    elif kind == 2:
        log[i] = log[i][:p] + (step + unit) * 2 + end
    elif kind == 3:
        log[i] = b"P" + log[i][1:p] + end
    elif kind == 4:  # another segment halves its cell too
        at = dice.randrange(len(log))
        log[at] = log[at][:-1] + step + dice.randrange(8).to_bytes(2, "little") + log[at][-1:]
    else:  # a segment stands for its cell alone, or for two
        at = dice.randrange(len(log))
        log[at] = (b"S" if log[at][:1] == b"P" else b"P") + log[at][1:]
    copy.write_segments(log)


@mutation(6)
def turn_row(copy: Copy, dice: random.Random) -> None:
    """The opposite of a row, or of all rows, in the codeword, the witness, or both."""
    table, bits = copy.table, copy.manifest["bits"]
    rows = range(table.num_rows) if dice.random() < 0.3 else [dice.randrange(table.num_rows)]
    code, points = _cells(table, "codeword"), _cells(table, "witness")
    zero = _cells(table, "zero")
    which = dice.randrange(3)
    for r in rows:
        mask = (1 << bits) - 1 & ~int.from_bytes(zero[r] or b"", "little")
        turned = int.from_bytes(code[r], "little") ^ mask
        if which != 0:
            code[r] = turned.to_bytes(len(code[r]), "little")
        if which != 1 and points[r] is not None:
            points[r] = [0.0 - v for v in points[r]]
    copy.write_table(_with(_with(table, "codeword", code), "witness", points))


def _u16(numbers: list[int]) -> bytes:
    return np.array(numbers, "<u2").tobytes()


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


@mutation(5)
def alter_slope_size(copy: Copy, dice: random.Random) -> None:
    """Slopes so small or so far apart that their quotient is no float, or 0, or of another sign."""

    def change(stored: dict[str, Any]) -> None:
        layer = dice.choice(stored["layers"])
        units = len(layer["weight"])
        layer.pop("activation", None)
        layer.pop("slope", None)
        sizes = [dice.choice([0.0, 2.0**-1074, 2.0**-600, 1.0, 2.0**600, -1.0]) for _ in range(2)]
        layer.setdefault("slope_neg", [0.0] * units)
        layer.setdefault("slope_pos", [1.0] * units)
        at = dice.randrange(units)
        for side, size in zip(("slope_neg", "slope_pos"), sizes, strict=True):
            layer[side] = [
                size if i == at or dice.random() < 0.5 else v for i, v in enumerate(layer[side])
            ]

    copy.edit_network(change, honest=dice.random() < 0.8)


@mutation(4)
def scale_everything(copy: Copy, dice: random.Random) -> None:
    """A box, its chart, the biases and all witnesses by one tiny factor, but for one of them."""
    factor = to_fmpq(2) ** dice.choice([-1074, -1070, -1000, -500])
    off = dice.randrange(5)

    def times(value: Any) -> Any:
        if isinstance(value, list):
            return [times(v) for v in value]
        return str(to_fmpq(value) * factor)

    def manifest(entry: dict[str, Any]) -> None:
        if entry["domain"]["kind"] != "box":
            return
        for side in ("lower", "upper"):
            if off != 0:
                entry["domain"][side] = times(entry["domain"][side])
            if off != 1:
                entry["chart"][side] = times(entry["chart"][side])

    def network(stored: dict[str, Any]) -> None:
        for layer in stored["layers"] if off != 2 else stored["layers"][:1]:
            layer["bias"] = times(layer["bias"])

    copy.edit(manifest)
    copy.edit_network(network, honest=True)
    table = copy.table
    exact = [
        times(text or [str(to_fmpq(v)) for v in y])
        for y, text in zip(_cells(table, "witness"), _cells(table, "witness_exact"), strict=True)
    ]
    if off == 3:
        row = dice.randrange(len(exact))
        exact[row] = [str(-to_fmpq(v)) for v in exact[row]]
    table = _with(table, "witness", [None] * table.num_rows)
    copy.write_table(_with(table, "witness_exact", exact))


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


@mutation(5)
def alter_rows_of_domain(copy: Copy, dice: random.Random) -> None:
    """A row of a polytope: an entry, the row itself, or the same row twice as long."""

    def change(manifest: dict[str, Any]) -> None:
        domain = manifest["domain"]
        rows, bounds, kind = domain["A"], domain["b"], dice.randrange(6)
        at = dice.randrange(len(rows))
        if kind == 0:
            bounds[at] = _moved(dice, bounds[at])
        elif kind == 1:
            k = dice.randrange(len(rows[at]))
            rows[at][k] = _moved(dice, rows[at][k])
        elif kind == 2:
            del rows[at], bounds[at]
        elif kind == 3:
            rows.append(rows[at])
            bounds.append(_moved(dice, bounds[at]) if dice.random() < 0.5 else bounds[at])
        elif kind == 4:
            rows[at], bounds[at] = (
                [str(2 * to_fmpq(v)) for v in rows[at]], str(2 * to_fmpq(bounds[at]))
            )  # fmt: skip
        else:
            other = dice.randrange(len(rows))
            rows[at], rows[other] = rows[other], rows[at]
            if dice.random() < 0.5:
                bounds[at], bounds[other] = bounds[other], bounds[at]

    if copy.manifest["domain"]["kind"] != "polytope":
        widen_domain(copy, dice)
        return
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


@mutation(4)
def alter_options(copy: Copy, dice: random.Random) -> None:
    """Another depth than that of the run, in the options alone or wherever it is stated."""
    consistent, by = dice.random() < 0.6, dice.choice([-1, 1])

    def change(manifest: dict[str, Any]) -> None:
        layers = manifest["layers"] + by
        manifest["options"]["through_layer"] = dice.choice([layers, None, True]) if by else None
        if consistent:
            manifest["options"]["through_layer"] = layers
            manifest["layers"] = layers
            manifest["rank_histogram"] = (manifest["rank_histogram"] * 2)[:layers]
            manifest["bits"] = sum(manifest["network"]["bits"][:layers])

    copy.edit(change)
    if consistent and by < 0 and dice.random() < 0.7:
        copy.write_table(copy.table.drop_columns(f"rank_{copy.manifest['layers'] + 1}"))


@mutation(3)
def alter_chart_proof(copy: Copy, dice: random.Random) -> None:
    def change(manifest: dict[str, Any]) -> None:
        chart = manifest["chart"]
        kind = dice.randrange(4)
        if kind == 0:
            del chart["proof"]
        elif kind == 1:
            chart["proof"]["box"] = [[dice.randrange(6)] for _ in range(dice.randrange(8))]
        elif kind == 2:
            chart["lineality"] = dice.choice([1, -1, 1.0, "0", True])
        else:
            size = dice.randrange(4)
            values = [dice.choice(["1", "-1", "1/3", "0"]) for _ in range(size)]
            chart["proof"]["equalities"] = {
                "indices": [dice.randrange(6) for _ in range(size)], "values": values
            }  # fmt: skip

    copy.edit(change)


@mutation(3)
def alter_hash(copy: Copy, dice: random.Random) -> None:
    def change(manifest: dict[str, Any]) -> None:
        text = manifest["network"]["hash"]
        at = dice.randrange(len(text))
        other = dice.choice(sorted(set("0123456789abcdef") - {text[at]}))
        manifest["network"]["hash"] = dice.choice(
            [text[:at], text + "0", text[:at] + other + text[at + 1 :]]
        )

    copy.edit(change)


@mutation(3)
def delete_proof(copy: Copy, dice: random.Random) -> None:
    """The log, or what the manifest says of it; half of the time a row goes with it."""
    kind = dice.randrange(3)
    if kind == 0:
        for part in (copy.path / "proof").iterdir():
            part.unlink()
    else:
        copy.edit(lambda m: m["proof"].update(parts=[]) if kind == 1 else m.pop("proof"))
    if dice.random() < 0.5:
        drop_row(copy, dice)


@mutation(6)
def alter_undecided(copy: Copy, dice: random.Random) -> None:
    """A prefix of a run that leaves cells open; elsewhere, a run that says that it does."""
    file = copy.path / "undecided.json"
    units = copy.manifest["network"]["widths"][1 : copy.manifest["layers"] + 1]
    if file.exists():
        prefixes = json.loads(file.read_text())["prefixes"]
    else:
        prefixes = ["|".join("?" * n for n in units)]
        copy.edit(lambda m: (m.update(certified=False), m["counts"].update(undecided=1)))
    kind = dice.randrange(4)
    at = dice.randrange(len(prefixes))
    if kind == 0:
        prefixes = prefixes[:at] + prefixes[at + 1 :]
    elif kind == 1:
        prefixes.append(prefixes[at])
    else:
        letter = dice.randrange(len(prefixes[at]))
        new = dice.choice("01z=?|")
        prefixes[at] = prefixes[at][:letter] + new + prefixes[at][letter + 1 :]
    file.write_text(json.dumps({"prefixes": prefixes}))
    if dice.random() < 0.7:
        copy.edit(
            lambda m: (
                m["counts"].update(undecided=len(prefixes)), m.update(certified=not prefixes)
            )
        )  # fmt: skip


# ---------------------------------------------------------------------------------------------
# the experiment

PROPERTY = """
(declare-const X_0 Real) (declare-const X_1 Real) (declare-const X_2 Real) (declare-const Y_0 Real)
(assert (>= X_0 -1)) (assert (<= X_0 1.5)) (assert (>= X_1 -0.75)) (assert (<= X_1 1))
(assert (>= X_2 -1)) (assert (<= X_2 0.3)) (assert (<= (+ X_0 X_1) 1.25)) (assert (>= X_2 X_1))
(assert (<= Y_0 0))
"""

SUBJECTS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "VNN-LIB": (
        random_network(23, 3, 5, 3, 1),
        parse_vnnlib(PROPERTY).case(None),
        {"cells": 7},
    ),
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
    "first layers": (random_network(18, 2, 5, 4, 3, 1), None, {"through_layer": 2, "cells": 8}),
    "many dimensions": (random_network(19, 16, 4, 3, 1), pr.Box(-1, 1), {"cells": 12}),
    "touching in many dimensions": (
        random_network(20, 16, 4, 3, 1, integers=True),
        pr.Box(-1, 1),
        {"cells": 12},
    ),
    "opposite halves": (random_network(21, 4, 7, 2, bias=False), None, {"cells": 9}),
    "opposite halves, degenerate": (
        random_network(22, 3, 6, 2, bias=False, integers=True),
        None,
        {"cells": 5, "engine": "dictionary"},
    ),
    "undecided": (
        random_network(11, 2, 5, 4, 1),
        pr.Box(-1, 1),
        {"cells": 6, "engine": "dictionary"},
    ),
}


def _claims(copy: Copy) -> Any:
    """What a run states, apart from order of rows, witnesses and the log."""
    manifest = copy.manifest
    manifest["undecided"] = pr.open_run(copy.path).count_interval
    table = copy.table
    columns = [c for c in table.schema.names if not c.startswith("witness")]
    rows = sorted(map(repr, table.select(columns).to_pylist()))
    keys = (
        "domain", "layers", "bits", "certified", "counts", "rank_histogram", "network", "undecided",
    )  # fmt: skip
    chart = [manifest["chart"][key] for key in ("origin", "basis")]
    return rows, chart, [manifest[key] for key in keys]


def _true(copy: Copy, report: Report) -> bool:
    """Whether the mutated claims are those of another enumeration of the mutated question."""
    net = pr.load(copy.path / "network.json")
    run = pr.open_run(copy.path)
    layers, bits = run.layers, sum(net.bits[: run.layers])
    mine = Counter((row.bits, row.zero, row.ranks) for row in rows_of(run.table, bits, layers))
    try:
        fresh = pr.enumerate_regions(net, run.domain, through_layer=layers, engine="highs")
        assert fresh.certified
        rows = rows_of(fresh.table, bits, layers)
        other = Counter((row.bits, row.zero, row.ranks) for row in rows)
        within = layers < len(net.layers) or bool(check_run(net, run.domain, run).ok)
    except (DomainError, NetworkError):  # outside of what the engines accept
        within, other = True, Counter(_oracle(net, run))
    if report.complete:
        return within and mine == other
    least, most = run.count_interval
    bounded = least <= other.total() <= (other.total() if most is None else most)
    return mine <= other and ("certified" in report.unverified or bounded)


def _oracle(net: pr.Network, run: pr.Run) -> Iterator[tuple[Any, ...]]:
    """The regions by an independent method in fractions, in the coordinates of the chart."""
    assert run.coordinates <= _MOST_FOR_THE_ORACLE
    origin, basis = _fractions(run.origin), _fractions(run.basis)
    system = run.domain.system(net.input_dim)
    assert system.n == system.k
    rows = []
    for row, (bound,) in zip(_fractions(system.A), _fractions(system.b), strict=True):
        normal = [sum(a * v for a, v in zip(row, c, strict=True)) for c in zip(*basis, strict=True)]
        rows.append((*normal, bound - sum(a * v for a, (v,) in zip(row, origin, strict=True))))
    layers = restrict(exact_layers(net)[: run.layers], tuple(v for (v,) in origin), basis)
    regions = regions_of_layers(layers, run.coordinates, tuple(r for r in rows if any(r[:-1])))
    for region in regions.values():
        yield region.bits, tuple(int(sign == 0) for sign in region.signs), region.ranks


def _fractions(matrix: Any) -> tuple[tuple[Fraction, ...], ...]:
    return tuple(tuple(Fraction(int(v.p), int(v.q)) for v in row) for row in matrix.tolist())


def _write(folder: Path, name: str) -> None:
    net, domain, options = SUBJECTS[name]
    write(folder, net, domain, **options)
    if name == "undecided":
        _leave_open(folder)


def _leave_open(folder: Path) -> None:
    """Take the subtree of the last rows away, and call its cell undecided."""
    copy = Copy(folder, folder.parent / "whole")
    starts = np.cumsum([0, *copy.manifest["network"]["widths"][1:]])
    heads = [head_of(segment, int(starts[-1])) for segment in copy.segments]
    with_leaves = [
        LEAF in segment[head.size :] for segment, head in zip(copy.segments, heads, strict=True)
    ]
    last = max(range(len(heads)), key=lambda i: heads[i].row * with_leaves[i])
    copy.write_segments([s for i, s in enumerate(copy.segments) if i != last])
    copy.write_table(copy.table.slice(0, heads[last].row))
    prefix = prefix_text(np.array(heads[last].decision, np.int8), starts)
    copy.edit(lambda m: (m.update(certified=False), m["counts"].update(undecided=1)))
    (copy.path / "undecided.json").write_text(json.dumps({"prefixes": [prefix]}))
    Copy(copy.path, folder)


def experiment(folder: Path, name: str, trials: int, seed: int) -> Counter[tuple[str, str]]:
    """Mutate a run ``trials`` times; the outcome of each, by mutation."""
    _write(folder / "run", name)
    original = Copy(folder / "run", folder / "original")
    assert check(original.path).complete == (name != "undecided")
    stated = _claims(original)
    dice = random.Random(f"{name} {seed}")
    many = len(original.manifest["chart"]["basis"][0]) > _MOST_FOR_THE_ORACLE
    names = [n for n in MUTATIONS if not (many and n in OUT_OF_RANGE)]
    weights = [MUTATIONS[n][0] for n in names]
    outcome: Counter[tuple[str, str]] = Counter()
    for trial in range(trials):
        (kind,) = dice.choices(names, weights)
        copy = Copy(original.path, folder / "mutant")
        MUTATIONS[kind][1](copy, dice)
        try:
            # every fifth one on exact rows alone
            report = check(copy.path, exact=trial % 5 == 0)
        except NotDecidedError:
            outcome[kind, "not decided"] += 1
            continue
        except PolyrankError:
            outcome[kind, "rejected"] += 1
            continue
        where = f"{name}, seed {seed}, trial {trial}: {kind} was accepted"
        assert report.complete == (not report.doubt), where
        verified = "certified" not in report.unverified
        if verified and _claims(copy) == stated and kind not in WITNESSES:
            outcome[kind, "equivalent"] += 1
        else:
            assert _true(copy, report), where
            outcome[kind, "true" if report.complete else "not decided"] += 1
    return outcome


def summary(outcome: Counter[tuple[str, str]]) -> str:
    """One line per mutation."""
    lines = [f"{sum(outcome.values())} mutations"]
    for kind in MUTATIONS:
        counts = ", ".join(f"{outcome[kind, o]} {o}" for o in OUTCOMES)
        lines.append(f"  {kind}: {counts}")
    return "\n".join(lines)


# questions that the engines refuse are answered by splitting cones, which needs few dimensions
OUT_OF_RANGE = ("scale_everything", "alter_slope_size")
_MOST_FOR_THE_ORACLE = 6
OUTCOMES = ("rejected", "not decided", "equivalent", "true")
# witnesses are no part of the claims that are compared, but have to be inside
WITNESSES = ("alter_witness", "shrink_witness", "turn_row")
# never accepted, whatever the dice say: the claim is another one
ALWAYS_REJECTED = (
    "flip_codeword_bit",
    "flip_zero_bit",
    "drop_row",
    "duplicate_row",
    "alter_rank",
    "turn_box_step",
    "drop_segment",
    "alter_manifest",
    "alter_columns",
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
    for kind in ("alter_hash", "delete_proof"):
        assert total[kind, "not decided"] > 0
        assert total[kind, "equivalent"] == total[kind, "true"] == 0, kind
    return total


@pytest.mark.parametrize("name", ["many dimensions", "touching in many dimensions"])
def test_runs_in_many_dimensions_are_proved_by_bounds(name: str, tmp_path: Path) -> None:
    """The mutations of BOX steps find such steps, of both signs, with and without rows."""
    _write(tmp_path / "run", name)
    copy = Copy(tmp_path / "run", tmp_path / "copy")
    log = copy.segments
    assert {log[i][a] for i, a, _ in _box_steps(copy)} == {NEGATIVE_BOX, POSITIVE_BOX}
    assert len({b - a for _, a, b in _box_steps(copy)}) > 1


@pytest.mark.parametrize("name", ["opposite halves", "opposite halves, degenerate"])
def test_halves_are_opposite(name: str, tmp_path: Path) -> None:
    """The mutations of the step find it, and other segments to alter."""
    _write(tmp_path / "run", name)
    copy = Copy(tmp_path / "run", tmp_path / "copy")
    log = copy.segments
    assert _halving(copy) is not None
    assert Counter(segment[:1] for segment in log) == {b"S": 1, b"P": len(log) - 1}
    assert len(log) > 5


def test_every_mutation_that_changes_a_claim_is_rejected(tmp_path: Path) -> None:
    _run(tmp_path, 110, 1)


@pytest.mark.long
@pytest.mark.slow
def test_ten_thousand_mutations(tmp_path: Path) -> None:
    _run(tmp_path, 1300, 2)
