"""Crafted defects, one for every reason that the checker can give."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import polyrank as pr
from polyrank.errors import NetworkError, RunError
from polyrank.proof import format as steps
from polyrank.proof.check import check
from polyrank.proof.format import ProofRejectedError, head_of
from tests.proof.runs import Copy, degenerate_network, random_network, write

UNITS = 10  # of the network of `copy`


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs")
    write(path / "box", random_network(11, 2, 5, 4, 1), pr.Box(-1, 1), cells=6, engine="dictionary")
    write(path / "whole", random_network(11, 2, 5, 4, 1), cells=6)
    write(path / "degenerate", degenerate_network(), pr.Box(-1, 1), engine="dictionary")
    write(
        path / "flat",
        random_network(16, 3, 6, 4, 2),
        pr.Polytope(
            [[1, 1, 1], [-1, -1, -1], [-1, 0, 0], [0, -1, 0], [0, 0, -1]], [2, -2, 0, 0, 0]
        ),
    )
    write(path / "simplex", random_network(16, 3, 6, 4, 2), pr.Simplex([[0, 0, 0], [1, 2, 3]]))
    write(path / "central", random_network(21, 4, 7, 2, bias=False), cells=9)
    pr.enumerate_regions(random_network(11, 2, 5, 4, 1), pr.Box(-1, 1), out=path / "bare")
    pr.save(random_network(11, 2, 5, 4, 1), path / "net.json")
    return path


@pytest.fixture
def copy(source: Path, tmp_path: Path) -> Copy:
    return Copy(source / "box", tmp_path / "run")


def _rejected(copy: Copy, reason: str, **options: Any) -> None:
    with pytest.raises(ProofRejectedError, match=reason):
        check(copy.path, **options)


def _head(copy: Copy, number: int) -> tuple[list[bytes], int]:
    log = copy.segments
    return log, head_of(log[number], UNITS).size


def _steps(copy: Copy, number: int, body: bytes) -> None:
    """Replace the steps of a segment."""
    log, size = _head(copy, number)
    log[number] = log[number][:size] + body
    copy.write_segments(log)


def _unit(step: int, unit: int, *rows: int) -> bytes:
    return bytes([step, unit, 0, *rows])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "without its end mark"),
        (bytes([99]), "unknown step 99"),
        (_unit(steps.SPLIT, 0) + b"\1", "cut off inside a step"),
        (_unit(steps.NEGATIVE, 0) + b"\0", "cut off inside a step"),
        (_unit(steps.NEGATIVE_BY, 0, 9, 0) + b"\0", "cut off inside a step"),
        (_unit(steps.SPLIT, 200), "there is no unit 200"),
        (_unit(steps.SPLIT, 0) * 2, "unit 0 is decided already"),
        (_unit(steps.ZERO, 0), "unit 0 is not identically zero"),
        (_unit(steps.CUBE_POSITIVE, 0), "the bounding box does not decide unit 0"),
        (_unit(steps.NEGATIVE, 0, 0, 200) + b"\0", "the cell has 4 rows, not a row 200"),
        (_unit(steps.NEGATIVE_BY, 0, 1, 0, 1, 0) + b"\0", "do not prove the sign of unit 0"),
        (_unit(steps.NEGATIVE, 0, 0, 2) + b"\0", "do not prove the sign of unit 0"),
        (_unit(steps.NEGATIVE, 0, 0, 255) + b"\0", "do not prove the sign of unit 0"),
        (_unit(steps.NEGATIVE_BOX, 0, 1, 0, 0, 0, 9, 0), "there is no coordinate 9"),
        (bytes([steps.NEXT]), "unit 0 is not decided"),
        (bytes([steps.LEAF]), "a region before the last layer"),
        (bytes([steps.DEFER, steps.DEFER]), "no cell is open"),
        (bytes([steps.END, steps.END]), "bytes follow the end mark"),
        (b"S" * 200, "unknown step 83"),
    ],
)
def test_steps(copy: Copy, body: bytes, reason: str) -> None:
    _steps(copy, 0, body)
    _rejected(copy, f"segment 0, byte [0-9]+: .*{reason}")


def test_there_is_no_layer_after_the_last(copy: Copy) -> None:
    log = copy.segments
    number, at = next(
        (i, s.rindex(bytes([steps.NEXT, steps.LEAF])))
        for i, s in enumerate(log)
        if bytes([steps.NEXT, steps.LEAF]) in s
    )
    log[number] = log[number][: at + 1] + bytes([steps.NEXT]) + log[number][at + 1 :]
    copy.write_segments(log)
    _rejected(copy, "there is no next layer")


def test_a_zero_unit_has_no_sign(source: Path, tmp_path: Path) -> None:
    copy = Copy(source / "degenerate", tmp_path / "run")
    (segment,) = copy.segments
    zero = bytes([steps.ZERO, 4, 0])
    assert zero in segment
    copy.write_segments([segment.replace(zero, bytes([steps.CUBE_POSITIVE, 4, 0]), 1)])
    _rejected(copy, "unit 4 is identically zero")


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (0, ord("T"), "no head of a segment"),
        (11, 9, "does not exist"),
        (11 + UNITS, 2, "does not exist"),
        (1, 77, "there is no layer 77"),
        (11 + 9, 2, "above the layer of the cell are decided"),
        (11 + UNITS + 9, 1, "above the layer of the cell are decided"),
    ],
)
def test_heads(copy: Copy, at: int, value: int, reason: str) -> None:
    log = copy.segments
    number = next(i for i, s in enumerate(log) if head_of(s, UNITS).layer == 0)
    log[number] = log[number][:at] + bytes([value]) + log[number][at + 1 :]
    copy.write_segments(log)
    _rejected(copy, reason)


@pytest.mark.parametrize(
    ("halving", "reason"),
    [
        (_unit(steps.OPPOSITE, 200), "segment 0, byte [0-9]+: there is no unit 200"),
        (_unit(steps.OPPOSITE, 0)[:2], "cut off inside a step|without its end mark"),
        (_unit(steps.OPPOSITE, 0) * 2, "only the domain is halved into opposite cells"),
        (_unit(steps.SPLIT, 0) + _unit(steps.OPPOSITE, 1), "only the domain is halved"),
        (_unit(steps.OPPOSITE, 1), "continues a cell that no other segment defers"),
        (_unit(steps.SPLIT, 0), "continues a cell that no other segment defers"),
        (b"", "continues a cell that no other segment defers"),
    ],
)
def test_the_step_to_opposite_halves(
    source: Path, tmp_path: Path, halving: bytes, reason: str
) -> None:
    copy = Copy(source / "central", tmp_path / "run")
    assert check(copy.path).complete
    root, *others = copy.segments
    size = head_of(root, 9).size
    assert root[size:] == _unit(steps.OPPOSITE, 0) + b"\0"
    assert all(s[:1] == b"P" for s in others)
    copy.write_segments([root[:size] + halving + b"\0", *others])
    _rejected(copy, reason)


def test_cells_that_stand_for_one_or_for_two(source: Path, tmp_path: Path, copy: Copy) -> None:
    central = Copy(source / "central", tmp_path / "central")
    log = central.segments
    for i in (0, 1, len(log) - 1):
        turned = (b"P" if log[i][:1] == b"S" else b"S") + log[i][1:]
        central.write_segments([*log[:i], turned, *log[i + 1 :]])
        _rejected(central, "no other segment defers|another codeword|not inside|only the domain")
    # the bounds of a box are constraints
    reason = "opposite cells, although this is no central arrangement"
    log = copy.segments
    copy.write_segments([b"P" + log[0][1:], *log[1:]])
    _rejected(copy, f"segment 0, byte 0: {reason}")
    size = head_of(log[0], UNITS).size
    copy.write_segments([log[0][:size] + _unit(steps.OPPOSITE, 0) + b"\0", *log[1:]])
    _rejected(copy, reason)


def test_a_bias_or_a_later_hyperplane_is_not_symmetric(source: Path, tmp_path: Path) -> None:
    """The log of a central arrangement beside other networks, whose hash is made good."""

    def bias(stored: dict[str, Any]) -> None:
        stored["layers"][0]["bias"][3] = 0.25

    def slope(stored: dict[str, Any]) -> None:
        stored["layers"][1]["activation"] = "relu"

    for change in (bias, slope):
        copy = Copy(source / "central", tmp_path / "run")
        copy.edit_network(change, honest=True)
        if change is slope:
            copy.edit(lambda m: m["network"].update(bits=[7, 2]))
            copy.edit(lambda m: m.update(bits=9))
            column = pa.array([b"\0\0"] * copy.table.num_rows, pa.binary(2))
            table = copy.table.set_column(
                0, pa.field("codeword", pa.binary(2), nullable=False), column
            )
            zero = pa.nulls(table.num_rows, pa.binary(2))
            copy.write_table(table.set_column(1, "zero", zero))
        _rejected(copy, "no central arrangement")


def test_the_second_row_of_a_pair(source: Path, tmp_path: Path) -> None:
    source = source / "central"
    table = Copy(source, tmp_path / "run").table
    order = list(range(table.num_rows))
    order[1], order[3] = 3, 1
    copy = Copy(source, tmp_path / "run")
    copy.write_table(table.take(order))
    _rejected(copy, "row 1 states another codeword")
    at = table.schema.get_field_index("witness")
    points = table.column("witness").to_pylist()
    points[1] = points[0]
    copy = Copy(source, tmp_path / "run")
    field = table.schema.field(at)
    copy.write_table(table.set_column(at, field, pa.array(points, field.type)))
    _rejected(copy, "the witness of row 1 is not inside")


def test_a_head_that_is_cut_off(copy: Copy) -> None:
    copy.write_segments([b"S\0\0", *copy.segments])
    _rejected(copy, "segment 0: no head of a segment")


def _patched(copy: Copy, layer: int, change: Callable[[bytearray, int], None]) -> None:
    log = copy.segments
    number = next(i for i, s in enumerate(log) if head_of(s, UNITS).layer == layer)
    segment = bytearray(log[number])
    change(segment, 11)
    log[number] = bytes(segment)
    copy.write_segments(log)


def test_the_root_decides_nothing(copy: Copy) -> None:
    _patched(copy, -1, lambda s, a: s.__setitem__(a, 1))
    _rejected(copy, "units above the layer of the cell are decided")


def test_a_tied_decision_without_a_tie(copy: Copy) -> None:
    _patched(copy, 1, lambda s, a: s.__setitem__(a, 4))
    _rejected(copy, "layer 1 cannot be decided like this")


def test_a_layer_below_that_is_not_decided(copy: Copy) -> None:
    def change(segment: bytearray, at: int) -> None:
        segment[at : at + 5] = bytes(5)
        segment[at + UNITS : at + UNITS + 5] = bytes(5)

    _patched(copy, 1, change)
    _rejected(copy, "unit 0 is not decided")


def test_a_split_that_is_not_decided(copy: Copy) -> None:
    def change(segment: bytearray, at: int) -> None:
        segment[at + 5], segment[at + UNITS + 5] = 0, 1

    _patched(copy, 1, change)
    _rejected(copy, "layer 2 cannot be decided like this")


# ---------------------------------------------------------------------------------------------
# how segments fit together


def test_two_roots(copy: Copy) -> None:
    log = copy.segments
    root = next(s for s in log if head_of(s, UNITS).layer < 0)[: 11 + 2 * UNITS]
    copy.write_segments([*log, root + _unit(steps.SPLIT, 0) + b"\0"])
    _rejected(copy, "continues a cell that no other segment defers")
    for nothing in (b"\0", b"\5\0"):
        copy.write_segments([*log, root + nothing])
        assert check(copy.path).complete
    copy.write_segments([root + b"\0"])
    _rejected(copy, "1 cells of the tree are not continued, 0 are called undecided")


def test_a_subtree_that_nobody_deferred(source: Path, tmp_path: Path) -> None:
    whole = Copy(source / "degenerate", tmp_path / "run")
    (segment,) = whole.segments
    units = sum(whole.manifest["network"]["widths"][1:])
    # the cell on which unit 0 is positive
    head = segment[:1] + b"\1\0" + segment[3:11]
    head += bytes([2, 4, 4] + [0] * (units - 3)) + bytes([1] + [0] * (units - 1))
    tied = bytearray(head)
    tied[11 + 3] = tied[11 + 4] = 0
    whole.write_segments([segment, bytes(tied) + bytes([steps.SPLIT, 5, 0, 0])])
    _rejected(whole, "continues a cell that no other segment defers")


def _without_the_last_subtree(copy: Copy, undecided: int) -> None:
    """Cut the subtree of the last rows away, and the rows; say how many cells are undecided."""
    log = copy.segments
    last = max(
        range(len(log)),
        key=lambda i: head_of(log[i], UNITS).row if steps.LEAF in log[i][31:] else -1,
    )
    row = head_of(log[last], UNITS).row
    copy.write_segments([s for i, s in enumerate(log) if i != last])
    copy.write_table(copy.table.slice(0, row))

    def change(manifest: dict[str, Any]) -> None:
        manifest["certified"] = undecided == 0
        manifest["counts"]["undecided"] = undecided

    copy.edit(change)


def test_a_missing_subtree(copy: Copy) -> None:
    _without_the_last_subtree(copy, 0)
    _rejected(copy, "1 cells of the tree are not continued, 0 are called undecided")


def test_rows_that_no_leaf_describes(copy: Copy) -> None:
    table = copy.table
    copy.write_table(pa.concat_tables([table, table.slice(0, 1)]))
    _rejected(copy, "without a gap")


def test_rows_described_twice(copy: Copy) -> None:
    log = copy.segments
    number = max(
        range(len(log)), key=lambda i: log[i].count(steps.LEAF) * (head_of(log[i], UNITS).row > 0)
    )
    segment = log[number]
    copy.write_segments([*log, segment])
    _rejected(copy, "described twice")


def test_a_wrong_number_of_segments(copy: Copy) -> None:
    copy.edit(lambda m: m["proof"].update(segments=1))
    _rejected(copy, "the manifest says 1")


def test_certified_although_cells_are_undecided(copy: Copy) -> None:
    copy.edit(lambda m: m.update(certified=False))
    _rejected(copy, "the manifest says certified: False")


def test_undecided_cells_are_reported(copy: Copy) -> None:
    """A run whose last subtree is cut away, honestly labelled, is accepted as undecided."""
    _without_the_last_subtree(copy, 1)
    report = check(copy.path)
    assert (report.undecided, report.complete, report.open) == (1, False, True)


# ---------------------------------------------------------------------------------------------
# the files


def test_files(copy: Copy, source: Path) -> None:
    (part,) = (copy.path / "proof").glob("*.zst")
    data = part.read_bytes()
    part.write_bytes(data[: len(data) // 2])
    _rejected(copy, "cannot be read|cut off")
    part.unlink()
    _rejected(copy, "cannot be read")
    for content, reason in (
        (b"something else", "does not start with"),
        (steps.MAGIC + b"\1\2", "cut off or damaged"),
        (steps.MAGIC + b"\xff" * 8, "cut off or damaged"),
        (steps.MAGIC + b"\x09" + bytes(7) + b"S", "cut off inside a segment"),
    ):
        with pa.CompressedOutputStream(pa.OSFile(str(part), "wb"), "zstd") as stream:
            stream.write(content)
        _rejected(copy, reason)


def test_shards(copy: Copy) -> None:
    (shard,) = (copy.path / "regions").glob("*.parquet")
    data = shard.read_bytes()
    broken = bytearray(data)
    broken[40:120] = bytes(80)
    shard.write_bytes(bytes(broken))
    _rejected(copy, "part-000000.parquet cannot be read|states|witness")
    shard.write_bytes(data[:-10])
    _rejected(copy, "part-000000.parquet cannot be read")


def test_network_and_manifest(copy: Copy, source: Path, tmp_path: Path) -> None:
    for key, value, reason in (
        ("layers", 9, "damaged"),
        ("bits", 3, "3 codeword bits, not 9"),
    ):
        other = Copy(copy.path, tmp_path / "other")
        other.edit(lambda m, key=key, value=value: m.update({key: value}))
        with pytest.raises((ProofRejectedError, RunError), match=reason):
            check(other.path)

    def deeper(manifest: dict[str, Any]) -> None:
        manifest["layers"] = 4
        manifest["rank_histogram"].append({})
        manifest["network"]["widths"].append(1)
        manifest["network"]["bits"].append(0)

    other = Copy(copy.path, tmp_path / "other")
    other.edit(deeper)
    _rejected(other, "other widths or bits")
    other = Copy(copy.path, tmp_path / "other")
    other.edit(lambda m: m["network"].update(bits=[5, 3, 0]))
    _rejected(other, "other widths or bits")
    other = Copy(copy.path, tmp_path / "other")
    other.edit(lambda m: m["proof"].update(version=4))
    with pytest.raises(RunError, match="version 4"):
        check(other.path)
    other.edit(lambda m: m["proof"].update(version=True))  # 1 in Python, not in JSON
    with pytest.raises(RunError, match="version True"):
        check(other.path)
    (other.path / "network.json").unlink()
    with pytest.raises(NetworkError, match="--network"):
        check(other.path)
    with pytest.raises(RunError, match="--network"):
        check(source / "bare")
    copy.edit_network(lambda n: n["layers"][0]["bias"].__setitem__(0, 0.0), honest=False)
    _rejected(copy, "another network")


def test_counts(copy: Copy) -> None:
    copy.edit(lambda m: m["counts"].update(regions=1))
    _rejected(copy, "the manifest counts 1")
    copy.write_table(copy.table.slice(0, 0))
    _rejected(copy, "no region is listed")


def test_no_such_row(copy: Copy) -> None:
    copy.write_table(copy.table.slice(0, copy.table.num_rows - 1))
    _rejected(copy, "the table has no row")


# ---------------------------------------------------------------------------------------------
# the domain


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("box", lambda m: m["chart"].update(origin=["0"], basis=[["1", "0"]]), r"points of R\^1"),
        ("box", lambda m: m["domain"].update(lower="3"), "the domain of the manifest is damaged"),
        ("box", lambda m: m["chart"].update(lower=["0", "?"]), "bounding box of the manifest is"),
        ("box", lambda m: m["chart"].update(lower=["-1"]), "another dimension"),
        ("box", lambda m: m["chart"].update(lower=["0", "0"]), "nothing proves y0 >= 0"),
        ("whole", lambda m: m["chart"].update(lower=["0"] * 2, upper=["1"] * 2), "proves y0 >= 0"),
        ("box", lambda m: m["chart"].update(basis=[["1", "1"], ["1", "1"]]), "are dependent"),
        ("box", lambda m: m["chart"].update(basis=[["1"], ["0"]]), "no multipliers prove"),
        ("simplex", lambda m: m["chart"].update(origin=["0", "0", "1"]), "leaves the affine space"),
        (
            "flat",
            lambda m: m["chart"]["proof"]["equalities"].update(values=["1", "-1"]),
            "need positive multipliers",
        ),
        (
            "flat",
            lambda m: m["chart"]["proof"]["equalities"].update(values=["1", "2"]),
            "do not prove the affine hull",
        ),
        (
            "flat",
            lambda m: m["chart"]["proof"].update(box=[]),
            "nothing proves",
        ),
    ],
)
def test_domains(
    name: str, change: Callable[[dict[str, Any]], None], reason: str, source: Path, tmp_path: Path
) -> None:
    copy = Copy(source / name, tmp_path / "run")
    copy.edit(change)
    _rejected(copy, reason)


def test_a_domain_that_becomes_empty(source: Path, tmp_path: Path) -> None:
    copy = Copy(source / "flat", tmp_path / "run")

    def change(manifest: dict[str, Any]) -> None:
        manifest["domain"]["A"].append(["1", "1", "1"])
        manifest["domain"]["b"].append("1")

    copy.edit(change)
    _rejected(copy, "the domain is empty: a row says 0 <= -1")


# ---------------------------------------------------------------------------------------------
# without a proof


def _bare(source: Path, tmp_path: Path) -> tuple[Copy, dict[str, Any]]:
    return Copy(source / "bare", tmp_path / "run"), {"network": source / "net.json"}


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("codeword", None, "row 3 is not inside"),
        ("codeword", b"\xff\xff", "more bits than there are units"),
        ("zero", b"\1\0", "wrong zero bit of unit 0"),
        ("rank_1", 0, "row 3 states ranks"),
        ("witness", [5.0, 5.0], "not inside"),
        ("witness", [float("nan"), 0.0], "not finite"),
        ("witness", None, "0 coordinates instead of 2"),
    ],
)
def test_rows(column: str, value: Any, reason: str, source: Path, tmp_path: Path) -> None:
    copy, options = _bare(source, tmp_path)
    table = copy.table
    values = table.column(column).to_pylist()
    values[3] = (
        bytes([values[3][0] ^ 1, values[3][1]]) if value is None and column == "codeword" else value
    )
    at = table.schema.get_field_index(column)
    field = table.schema.field(at)
    copy.write_table(table.set_column(at, field, pa.array(values, field.type)))
    _rejected(copy, reason, **options)


def test_a_witness_that_is_misspelt(source: Path, tmp_path: Path) -> None:
    copy, options = _bare(source, tmp_path)
    table = copy.table
    for column, wrong in (("witness", None), ("witness_exact", ["1/2", "half"])):
        at = table.schema.get_field_index(column)
        field = table.schema.field(at)
        values = [wrong, *table.column(column).to_pylist()[1:]]
        table = table.set_column(at, field, pa.array(values, field.type))
    copy.write_table(table)
    _rejected(copy, "a witness is no point", **options)


def test_progress(copy: Copy, source: Path) -> None:
    seen: list[tuple[int, int]] = []
    count = check(copy.path, progress=lambda *at: seen.append(at)).regions
    assert seen[-1] == (count, count)
    bare: list[tuple[int, int]] = []
    check(source / "bare", network=source / "net.json", progress=lambda *at: bare.append(at))
    assert bare == [(count, count)]


def test_repeated_rows_and_histograms(source: Path, tmp_path: Path) -> None:
    copy, options = _bare(source, tmp_path)
    table = copy.table
    copy.write_table(pa.concat_tables([table, table.slice(2, 1)]))
    _rejected(copy, "repeats the codeword", **options)
    copy, options = _bare(source, tmp_path)
    copy.edit(lambda m: m.update(rank_histogram=[{"2": 1}] * 3))
    _rejected(copy, "rank histogram", **options)
    manifest = json.loads((source / "bare" / "manifest.json").read_text())
    assert manifest["network_file"] is None


def test_a_sample_checks_rows_by_their_own_witness(copy: Copy) -> None:
    log = copy.segments
    number = next(i for i, s in enumerate(log) if steps.LEAF in s[31:] and i > 0)
    row = head_of(log[number], UNITS).row
    table = copy.table
    values = table.column("witness").to_pylist()
    values[row] = [7.0, 7.0]
    at = table.schema.get_field_index("witness")
    field = table.schema.field(at)
    copy.write_table(table.set_column(at, field, pa.array(values, field.type)))
    _rejected(copy, f"row {row}", sample=len(log))
    assert check(copy.path, sample=1, seed=0).segments == len(log)


def test_a_proof_needs_a_directory() -> None:
    with pytest.raises(RunError, match="out="):
        pr.enumerate_regions(random_network(1, 2, 3, 1), proof=True)
