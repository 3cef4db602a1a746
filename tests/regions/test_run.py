"""The run directory: what is written, what is read back, and what an interruption leaves."""

from __future__ import annotations

import errno
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from flint import fmpq, fmpq_mat

import polyrank as pr
from polyrank.errors import RunError
from polyrank.network.initialise import random_network
from polyrank.network.normal_form import Network, affine_layer
from polyrank.polyhedra import WholeSpace
from polyrank.posed.chart import chart
from polyrank.regions import manifest as manifest_module
from polyrank.regions import parts as parts_module
from polyrank.regions.layerwise import decompose
from polyrank.regions.plan import Plan
from polyrank.regions.run import Run, open_run
from polyrank.regions.schema import column_bits, region_schema
from tests.regions.fake import BITS, DIM, LAYERS, REGIONS, Sink, batch, manifest

NAN = float("nan")


def writer(directory: Path | None) -> Sink:
    return Sink(directory)


@pytest.fixture(params=["memory", "directory"])
def place(request, tmp_path):
    return None if request.param == "memory" else tmp_path / "deep" / "run"


def test_finished_run(place):
    with writer(place) as sink:
        sink.write(batch(REGIONS[:4]))
        sink.write(batch([]))
        sink.write(batch(REGIONS[4:]))
        assert sink.writer.rows == 7
        run = sink.finish()
    runs = (
        [run, sink.run] if place is None else [run, sink.run, open_run(place), open_run(str(place))]
    )
    for run in runs:
        assert run.status == "finished"
        assert run.certified
        assert (run.count, run.undecided, run.count_interval) == (7, 0, (7, 7))
        assert (run.bits, run.layers, run.dimension) == (BITS, LAYERS, DIM)
        assert run.manifest["search"]["tests"] == 9 * 4
        assert run.manifest["search"]["ladder"] == {"by_points": 3 * 4}
        assert run.manifest["timings"] == {"search": 0.5}
        assert run.domain == WholeSpace()
        assert run.network["widths"] == [2, 2, 1]
        # counted by hand in the table of regions
        assert (
            run.rank_histogram(layer=1) == Counter(r[2][0] for r in REGIONS) == {0: 1, 1: 4, 2: 2}
        )
        assert run.rank_histogram() == run.rank_histogram(2) == {0: 4, 1: 3}
        assert run.min_rank == (0, 0)
        table = run.table
        assert table.schema.equals(region_schema(BITS, LAYERS, DIM))
        assert table["witness"].to_pylist() == [list(r[1]) for r in REGIONS]
        assert table["zero"].null_count == 7
        found = column_bits(table["codeword"], BITS)
        assert [tuple(row) for row in found] == [r[0] for r in REGIONS]
        assert np.concatenate(list(run.codewords())).tolist() == found.tolist()


def test_arrays_may_be_reused_after_write():
    with writer(None) as sink:
        handed = batch()
        sink.write(handed)
        for array in (handed.codeword, handed.zero, handed.rank, handed.witness):
            array[:] = 1
        run = sink.finish()
    assert run.table["rank_1"].to_pylist() == [r[2][0] for r in REGIONS]
    assert run.table["witness"].to_pylist() == [list(r[1]) for r in REGIONS]
    assert [tuple(row) for row in column_bits(run.table["codeword"], 3)] == [r[0] for r in REGIONS]


def test_exact_witness_and_zero_bits(place):
    rows = batch(REGIONS[:3])
    rows.witness[1] = NAN
    rows.zero[2] = 0b100
    rows = replace(rows, witness_exact={1: (fmpq(-1, 3), fmpq(1, 7))})
    with writer(place) as sink:
        sink.write(rows)
        run = sink.finish()
    run = run if place is None else open_run(place)
    assert run.table["witness"].to_pylist() == [[-1.0, -1.0], None, [-1.0, 3.0]]
    assert run.table["witness_exact"].to_pylist() == [None, ["-1/3", "1/7"], None]
    assert run.table["zero"].to_pylist() == [None, None, b"\x04"]
    assert column_bits(run.table["zero"], 3).tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1]]
    # x = origin + y with origin (1/3, 0)
    assert list(run.witnesses()) == [
        fmpq_mat(2, 1, [fmpq(-2, 3), fmpq(-1)]),
        fmpq_mat(2, 1, [fmpq(0), fmpq(1, 7)]),
        fmpq_mat(2, 1, [fmpq(-2, 3), fmpq(3)]),
    ]


def test_no_bits_and_a_point_as_domain(place):
    entry = manifest()
    entry["chart"] = {"origin": ["1", "2"], "basis": [[], []], "lower": [], "upper": []}
    one = batch(REGIONS[:1])
    one = replace(
        one, codeword=one.codeword[:, :0], zero=one.zero[:, :0], witness=one.witness[:, :0]
    )
    net = Network((affine_layer(np.eye(2), [0.0, 0.0]), affine_layer([[1.0, 1.0]], [0.0])))
    point = Plan(net, chart(pr.Box([1, 2], [1, 2]), 2), 2, "dictionary", keep="shard")
    with Sink(place, entry, point) as sink:
        sink.write(one)
        run = sink.finish()
    assert run.table["witness"].to_pylist() == [[]]
    assert [c.shape for c in run.codewords()] == [(1, 0)]
    assert list(run.witnesses()) == [fmpq_mat(2, 1, [1, 2])]


def test_layerwise_decomposition(place):
    # out of order, so that a prefix comes back after another one
    rows = [REGIONS[i] for i in (6, 1, 0, 2, 3, 5, 4)]
    with writer(place) as sink:
        for row in rows:
            sink.write(batch([row]))
        run = sink.finish()
    first = run.at_layer(1)
    seen = {
        tuple(bits): (n, rank)
        for bits, n, rank in zip(
            column_bits(first["codeword"], 2), first["regions"].to_pylist(),
            first["rank_1"].to_pylist(), strict=True,
        )
    }  # fmt: skip
    # the lines x = 0 and y = 0 make four quadrants; x + y = 1 meets all but the negative one
    assert seen == {(0, 0): (1, 0), (0, 1): (2, 1), (1, 0): (2, 1), (1, 1): (2, 2)}
    last = run.at_layer(2)
    assert last.num_rows == 7
    assert last.column_names == ["codeword", "regions", "rank_1", "rank_2"]
    assert set(last["regions"].to_pylist()) == {1}
    for layer in (0, 3, -1):
        with pytest.raises(RunError, match="it has layers 1 to 2"):
            run.at_layer(layer)
        with pytest.raises(RunError, match="it has layers 1 to 2"):
            run.rank_histogram(layer)


def test_layerwise_counts_do_not_depend_on_the_merging(monkeypatch):
    rng = np.random.default_rng(1)
    rows = [REGIONS[i] for i in rng.integers(0, 7, 500)]
    with writer(None) as sink:
        for start in range(0, 500, 10):
            sink.write(batch(rows[start : start + 10]))
        run = sink.finish()
    wanted = Counter(bytes([row[0][0] + 2 * row[0][1]]) for row in rows)
    for limit in (1, 7, 10**6):
        monkeypatch.setitem(decompose.__kwdefaults__, "rows_before_merging", limit)
        table = run.at_layer(1)
        found = zip(table["codeword"].to_pylist(), table["regions"].to_pylist(), strict=True)
        assert dict(found) == wanted


def test_decomposition_of_empty_batches():
    schema = region_schema(BITS, LAYERS, DIM)
    table = decompose([pa.RecordBatch.from_pylist([], schema=schema)], 2, ["rank_1"])
    assert (table.num_rows, table.column_names) == (0, ["codeword", "regions", "rank_1"])


def test_run_without_regions(place):
    with writer(place) as sink:
        run = sink.finish(["??|?"])
    assert (run.count, run.min_rank, run.rank_histogram()) == (0, (None, None), {})
    assert run.table.num_rows == run.at_layer(1).num_rows == 0
    assert run.count_interval == (0, 8)


def test_undecided_prefixes_are_kept_and_forbid_the_verdict(place):
    with writer(place) as sink:
        sink.write(batch(REGIONS[:5]))
        run = sink.finish(["11|?", "z=|?", "??|?"])
    for seen in [run] if place is None else [run, open_run(place)]:
        assert not seen.certified
        assert seen.status == "finished"
        assert seen.undecided == 3
        assert seen.undecided_prefixes == ("11|?", "z=|?", "??|?")
        assert seen.count_interval == (5, 5 + 2 + 2 + 8)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (KeyboardInterrupt(), "interrupted", None),
        (MemoryError("no more"), "failed", "MemoryError: no more"),
        (RunError("broken"), "failed", "RunError: broken"),
    ],
)
def test_a_run_that_ends_early_says_so(place, error, status, reason):
    sink = writer(place)
    with pytest.raises(type(error)), sink:
        sink.write(batch())
        sink.write(batch(REGIONS[:1]))
        raise error
    for run in [sink.run] if place is None else [sink.run, open_run(place)]:
        assert (run.status, run.manifest["error"]) == (status, reason)
        assert not run.certified
        assert run.count == run.table.num_rows == 8
        # one cell is open, all of R^2: two lines make 4 regions of layer 1, and one line more 8
        assert run.count_interval == (8, 8 + 8)
        assert run.rank_histogram(1) == {0: 2, 1: 4, 2: 2}
        assert run.open_prefixes == (() if run.path is None else ("??|?",))


def test_leaving_without_a_verdict_is_a_failure(place):
    with writer(place) as sink:
        with pytest.raises(RunError, match="still being written"):
            sink.run  # noqa: B018
        sink.write(batch())
    assert sink.run.status == "failed"
    assert not sink.run.certified


def files(directory: Path) -> list[str]:
    return sorted(str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file())


def no_space(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_at_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "mkdir", no_space)
    with pytest.raises(RunError, match="the disk is full while writing .*run; free some space"):
        writer(tmp_path / "run")


def test_full_disk_at_the_verdict(tmp_path, monkeypatch):
    sink = writer(tmp_path / "run")
    monkeypatch.setattr("polyrank.regions.writer.write_manifest", no_space)
    with pytest.raises(RunError, match="the disk is full"), sink:
        sink.write(batch())
        sink.finish()
    run = open_run(tmp_path / "run")
    assert (run.status, run.certified, run.count) == ("running", False, 7)


def test_other_disk_errors_are_run_errors(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(RunError, match="cannot write .*run: Not a directory"):
        writer(tmp_path / "file" / "run")


@pytest.mark.parametrize("what", ["empty folder", "folder", "file"])
def test_existing_output_is_refused(tmp_path, what):
    out = tmp_path / "run"
    if what == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        if what == "folder":
            (out / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="exists already"):
        writer(out)
    assert what == "file" or len(list(out.iterdir())) == (what == "folder")


def finished(directory: Path) -> Path:
    with writer(directory) as sink:
        sink.write(batch(REGIONS[:4]))
        sink.write(batch(REGIONS[4:]))
        sink.finish(["11|?"])
    return directory


def rewrite(directory: Path, **changes: object) -> None:
    path = directory / "manifest.json"
    entry = json.loads(path.read_text())
    entry.update(changes)
    path.write_text(json.dumps(entry))


def test_what_is_not_a_run(tmp_path):
    with pytest.raises(RunError, match="is not a directory"):
        open_run(tmp_path / "nothing")
    with pytest.raises(RunError, match="holds no manifest.json"):
        open_run(tmp_path)
    run = finished(tmp_path / "run")
    rewrite(run, polyrank_run=99)
    with pytest.raises(RunError, match="run format 99; this polyrank reads format 2"):
        open_run(run)
    rewrite(run, polyrank_run=1)
    with pytest.raises(RunError, match="run format 1, and its network hash .*: enumerate again"):
        open_run(run)
    for text in ("{", "[]", "\udcff"):
        (run / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(RunError, match=r"manifest.json (cannot be read|has run format None)"):
            open_run(run)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"status": None}, "status"),
        ({"chart": []}, "chart"),
        ({"chart": {"origin": ["0"], "basis": None}}, "chart.basis"),
        ({"chart": {"origin": [0], "basis": []}}, "chart.origin"),
        ({"counts": {"regions": 1}}, "counts.undecided"),
        ({"bits": "3"}, "bits"),
        ({"layers": 3}, "rank_histogram"),
        ({"layers": 3, "rank_histogram": [{}, {}, {}]}, "network"),
        ({"layers": True}, "layers"),
        ({"status": "done"}, "status"),
        ({"bits": -1}, "bits"),
        ({"bits": 10**30}, "bits"),
        ({"counts": {"regions": 10**30, "undecided": 0}}, "counts"),
        ({"counts": {"regions": 1, "undecided": -1}}, "counts"),
        ({"chart": {"origin": ["0", "x"], "basis": [["1", "0"], ["0", "1"]]}}, "chart.origin"),
        ({"chart": {"origin": ["0", "0"], "basis": [["1", "0"], ["0"]]}}, "chart.basis"),
        ({"chart": {"origin": ["0", "0"], "basis": [["1", "0"], ["0", "1/0"]]}}, "chart.basis"),
        ({"chart": {"origin": ["0", "0"], "basis": [["1", "0"], ["0", 1]]}}, "chart.basis"),
        (
            {"chart": {"origin": ["0", "0"], "basis": [["1"], ["0"]], "lineality": -1}},
            "chart.lineality",
        ),
        (
            {"chart": {"origin": ["0", "0"], "basis": [["1"], ["0"]], "lineality": "1"}},
            "chart.lineality",
        ),
        ({"counts": {"regions": 7.0, "undecided": 0}}, "counts.regions"),
        ({"rank_histogram": [{"0": 1.5}, {}]}, "rank_histogram"),
        ({"rank_histogram": [{"low": 1}, {}]}, "rank_histogram"),
        ({"options": {"through_layer": 1}}, "options.through_layer"),
        ({"layers": 1, "rank_histogram": [{}]}, "options.through_layer"),
        ({"options": {"through_layer": True}}, "options.through_layer"),
        ({"options": []}, "options.through_layer"),
    ],
)
def test_damaged_manifest(tmp_path, change, named):
    run = finished(tmp_path / "run")
    rewrite(run, **change)
    with pytest.raises(RunError, match=f"is damaged: '{named}' is missing"):
        open_run(run)


def test_shards_of_another_run(tmp_path):
    run = finished(tmp_path / "run")
    rewrite(run, bits=9)
    with pytest.raises(RunError, match="its columns are not those of the manifest"):
        open_run(run)


def test_damaged_shards(tmp_path):
    run = finished(tmp_path / "run")
    shards = sorted((run / "regions").iterdir())
    kept = shards[1].read_bytes()
    shards[1].write_bytes(kept[: len(kept) // 2])
    with pytest.raises(RunError, match=r"part-000001\.parquet cannot be read"):
        open_run(run)
    with pytest.raises(RunError, match=r"part-000001\.parquet cannot be read"):
        rewrite(run, status="running")
        open_run(run)
    rewrite(run, status="finished")
    shards[1].unlink()
    with pytest.raises(RunError, match="its manifest counts 7 regions, but its shards hold 4"):
        open_run(run)


def test_damage_behind_a_sound_footer(tmp_path):
    run = open_run(finished(tmp_path / "run"))
    shard = min((tmp_path / "run" / "regions").iterdir())
    content = bytearray(shard.read_bytes())
    content[4:200] = bytes(196)
    shard.write_bytes(content)
    with pytest.raises(RunError, match=r"part-000000\.parquet cannot be read"):
        run.table  # noqa: B018


def test_damaged_list_of_undecided_prefixes(tmp_path):
    run = finished(tmp_path / "run")
    (run / "undecided.json").write_text('{"prefixes": []}')
    with pytest.raises(RunError, match="lists 0 undecided prefixes, but the manifest counts 1"):
        open_run(run)
    (run / "undecided.json").unlink()
    with pytest.raises(RunError, match=r"undecided\.json cannot be read"):
        open_run(run)


def test_versions_name_what_is_missing(monkeypatch):
    monkeypatch.setattr(manifest_module, "_LIBRARIES", ("numpy", "no-such-library"))
    found = manifest_module.versions()
    assert found["numpy"] == np.__version__
    assert found["no-such-library"] == "not installed"


@pytest.fixture
def shards(tmp_path):
    with writer(tmp_path / "run") as sink:
        rows = batch()
        rows.witness[1] = NAN
        sink.write(replace(rows, witness_exact={1: (fmpq(-1, 3), fmpq(1, 7))}))
        sink.finish()
    return tmp_path / "run" / "regions"


def test_pandas_reads_it(shards):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(shards)
    assert frame["rank_1"].value_counts().to_dict() == {1: 4, 2: 2, 0: 1}
    assert frame["codeword"][6] == b"\x07"
    assert frame["witness"][6].tolist() == [1.0, 1.0]


def test_polars_reads_it(shards):
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(str(shards / "*.parquet"))
    assert sorted(frame["rank_1"].value_counts().rows()) == [(0, 1), (1, 4), (2, 2)]
    assert frame["codeword"][6] == b"\x07"
    assert frame["witness"][6].to_list() == [1.0, 1.0]


def test_duckdb_reads_it(shards):
    duckdb = pytest.importorskip("duckdb")
    rows = duckdb.sql(
        f"select rank_1, count(*), max(witness[1]) from '{shards}/*.parquet' group by 1 order by 1"
    ).fetchall()
    assert rows == [(0, 1, -1.0), (1, 4, 3.0), (2, 2, 1.0)]
    found = duckdb.sql(f"select codeword from '{shards}/*.parquet' where rank_2 = 1").fetchall()
    assert sorted(found) == [(b"\x05",), (b"\x06",), (b"\x07",)]


def test_unpack_of_slices_and_nulls():
    column = pa.array([b"\x01", None, b"\x03", b"\x02"], pa.binary(1))
    assert column_bits(column.slice(1, 2), 2).tolist() == [[0, 0], [1, 1]]
    assert column_bits(pa.chunked_array([column, column.slice(3)]), 2).tolist() == [
        [1, 0], [0, 0], [1, 1], [0, 1], [0, 1],
    ]  # fmt: skip
    assert column_bits(column.slice(0, 0), 2).shape == (0, 2)


@pytest.mark.parametrize("waiting", [8, 1 << 16])
def test_counts_of_prefixes_are_those_of_their_table(
    monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    """In memory and by way of files, of prefixes that come back: as grouping them says."""
    monkeypatch.setattr(parts_module, "_WAITING", waiting)
    net = random_network([3, 9, 7, 2], seed=4)
    run = pr.enumerate_regions(net, pr.Box(-1, 1))
    order = np.random.default_rng(0).permutation(run.count)
    shuffled = Run.in_memory(run.manifest, run.table.take(pa.array(order)))
    for own in (run, shuffled):
        for layer in (1, 2, 3):
            table = own.at_layer(layer)
            ranks = table[f"rank_{layer}"].to_pylist()
            expected = (table.num_rows, {r: ranks.count(r) for r in set(ranks)})
            assert own.decomposition_counts(layer) == expected
