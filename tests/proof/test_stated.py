"""What a run states beside its rows: each field is verified, or named as not verified."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import tokenize
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import polyrank as pr
from polyrank.cells.explore import explorer
from polyrank.errors import PolyrankError, RunError
from polyrank.network.normal_form import Layer, Network, relu_layer
from polyrank.network.rational import RationalArray
from polyrank.proof import check as module
from polyrank.proof import stated
from polyrank.proof.check import check
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.regions import pieces
from tests.conftest import ROOT
from tests.examples import EXAMPLES
from tests.proof.runs import Copy, random_network, write

_QUADRANTS = Network((relu_layer(np.eye(2), [0.0, 0.0]),))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs")
    write(path / "quadrants", _QUADRANTS, pr.Box(-1, 1))
    two = Network((_QUADRANTS.layers[0], relu_layer([[1.0, 1.0], [1.0, -1.0]], [-1.0, 0.0])))
    write(path / "first layer", two, pr.Box(-2, 2), through_layer=1)
    write(path / "random", random_network(11, 2, 5, 4, 1), pr.Box(-1, 1), cells=6)
    return path


@pytest.fixture
def copy(source: Path, tmp_path: Path) -> Copy:
    return Copy(source / "quadrants", tmp_path / "run")


# ---------------------------------------------------------------------------------------------
# slopes, layers, undecided cells


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(("low", "high"), [(-600, 600), (-600, 0), (-537, 538), (-1000, 1000)])
def test_a_slope_that_a_float_takes_for_zero(
    low: int, high: int, exact: bool, tmp_path: Path
) -> None:
    """No slope is 0: the rank is 2 everywhere, whatever ReLU's table of ranks says."""
    net = Network((relu_layer(np.eye(2), [-0.5, -0.5]),))
    write(tmp_path / "source", net, pr.Box(-1, 1))
    copy = Copy(tmp_path / "source", tmp_path / "run")

    def change(stored: dict[str, Any]) -> None:
        (layer,) = stored["layers"]
        del layer["activation"]
        layer["slope_neg"], layer["slope_pos"] = [2.0**low] * 2, [2.0**high] * 2

    copy.edit_network(change, honest=True)
    with pytest.raises(ProofRejectedError, match=r"row \d states ranks"):
        check(copy.path, exact=exact)
    table = copy.table
    at = table.schema.get_field_index("rank_1")
    twos = pa.array([2] * table.num_rows, pa.int16())
    copy.write_table(table.set_column(at, table.schema.field(at), twos))
    assert check(copy.path, exact=exact).complete


def test_layers_that_a_run_goes_through(source: Path, tmp_path: Path) -> None:
    report = check(source / "first layer")
    assert (report.complete, report.layers, report.network_layers) == (True, 1, 2)
    for stated_layer in (None, 2, 0, "1", 1.0, True):
        copy = Copy(source / "first layer", tmp_path / "run")
        copy.edit(lambda m, k=stated_layer: m["options"].update(through_layer=k))
        with pytest.raises(RunError, match="'options.through_layer' is missing or not"):
            check(copy.path)
        with pytest.raises(RunError, match=r"options.through_layer"):
            pr.open_run(copy.path)


def _undecided(path: Path, number: int, patch: pytest.MonkeyPatch) -> pr.Run:
    """A run whose search was not allowed to use rationals."""
    patch.setattr(pieces, "explorer", partial(explorer, rational=False))
    example = EXAMPLES[number]
    return write(path, example.network, example.space.domain(), engine="dictionary")


def test_undecided_cells_are_those_that_the_log_leaves_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = 0
    for number, example in enumerate(EXAMPLES):
        run = _undecided(tmp_path / str(number), number, monkeypatch)
        if not run.undecided:
            continue
        found += 1
        least, most = run.count_interval
        assert most is not None
        assert least <= example.count <= most
        report = check(run.path)
        assert (report.undecided, report.complete, report.open) == (run.undecided, False, True)
        assert "undecided, so there may be more" in report.doubt
        prefixes = list(run.undecided_prefixes)
        at = prefixes[0].index("?")
        for letter in "01z=":
            changed = prefixes[0][:at] + letter + prefixes[0][at + 1 :]
            copy = Copy(tmp_path / str(number), tmp_path / "mutant")
            text = json.dumps({"prefixes": [changed, *prefixes[1:]]})
            (copy.path / "undecided.json").write_text(text)
            with pytest.raises(ProofRejectedError, match=r"undecided.json states"):
                check(copy.path)
    assert found >= 2


def test_an_edited_prefix(copy: Copy) -> None:
    """Two of four quadrants are cut away: "at most 4" is true, "at most 3" is not."""
    (segment,) = copy.segments
    size = 11 + 2 * 2
    # the root is halved by unit 0; its positive half is deferred, the other one goes on
    negative = segment[size:].split(b"\4")[2:]
    assert segment[size] == 2
    body = segment[size : size + 3] + b"\5" + b"\4".join(negative)
    copy.write_segments([segment[:size] + body])
    rows = [i for i, word in enumerate(copy.table["codeword"].to_pylist()) if not word[0] & 1]
    copy.write_table(copy.table.take(rows))
    copy.edit(lambda m: (m.update(certified=False), m["counts"].update(undecided=1)))
    for text, verdict in (
        ({"prefixes": ["1?"]}, None),
        ({"prefixes": ["11"]}, "undecided.json states 11; the log leaves open 1[?]"),
        ({"prefixes": ["0?"]}, "undecided.json states 0[?]"),
        ({"prefixes": ["1?|?"]}, "undecided.json states"),
        ({"prefixes": ["1?", "1?"]}, "lists 2 undecided prefixes, but the manifest counts 1"),
        ({"prefixes": [["1", "?"]]}, "is not made of 0, 1, z"),
        ({"prefixes": ["1x"]}, "is not made of 0, 1, z"),
        ({"prefixes": 7}, "cannot be read"),
    ):
        (copy.path / "undecided.json").write_text(json.dumps(text))
        if verdict is None:
            assert pr.open_run(copy.path).count_interval == (2, 4)
            assert check(copy.path).undecided == 1
        else:
            with pytest.raises(PolyrankError, match=verdict):
                check(copy.path)


# ---------------------------------------------------------------------------------------------
# the proof is missing, the table is none


def test_a_proof_that_was_deleted(copy: Copy) -> None:
    """Nothing is false; nothing shows that no region is missing either."""
    (part,) = (copy.path / "proof").iterdir()
    part.unlink()
    for change, reason in (
        (lambda m: None, "the proof is missing: part-000000.bin.zst cannot be read; the 4 rows"),
        (lambda m: m["proof"].update(parts=[]), "the manifest names no part; the 4 rows"),
        (
            lambda m: m.update(status="running"),
            r"names no part; the run did not finish \(its status is 'running'\); the 4 rows",
        ),
    ):
        copy.edit(change)
        with pytest.raises(NotDecidedError, match=reason):
            check(copy.path)
    copy.edit(lambda m: m.update(status="finished"))
    copy.edit(lambda m: m.pop("proof"))
    report = check(copy.path)
    assert (report.complete, report.open) == (False, False)
    assert report.doubt.startswith("there is no proof log")
    assert {"certified", "counts.undecided"} <= set(report.unverified)
    # a row that is false is refuted all the same
    table = copy.table
    copy.write_table(table.slice(0, 2))
    copy.write_table(pa.concat_tables([table, table.slice(0, 1)]))
    with pytest.raises(ProofRejectedError, match="repeats the codeword") as caught:
        check(copy.path)
    assert not isinstance(caught.value, NotDecidedError)


_KINDS: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {}


def _column(table: pa.Table, name: str, values: Any, kind: Any, nullable: bool = True) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.set_column(at, pa.field(name, kind, nullable), pa.array(values, kind))


@pytest.mark.parametrize("proof", [True, False])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda t: _column(
                t, "witness", [[0.5], [0.5, 0.5, -0.5], [-0.5], [0.5, -0.5, -0.5]],
                pa.list_(pa.float64()),
            ),
            "has the column witness: list",
        ),
        (
            lambda t: _column(t, "codeword", t["codeword"].to_pylist(), pa.binary()),
            "has the column codeword: binary, expected fixed_size_binary",
        ),
        (
            lambda t: _column(t, "codeword", [b"\3", None, b"\2", None], pa.binary(1)),
            "has the column codeword: .*null allowed or not",
        ),
        (
            lambda t: _column(t, "rank_1", [2.0, 1.5, 1.0, 0.0], pa.float64()),
            "has the column rank_1: double, expected int16",
        ),
        (
            lambda t: _column(t, "rank_1", [2, None, 1, 0], pa.int16()),
            "has the column rank_1: .*null allowed or not",
        ),
        (lambda t: t.drop_columns("zero"), "lacks the column zero"),
        (lambda t: t.append_column("more", pa.nulls(4)), "has the columns codeword, .*, more"),
        (lambda t: t.select([1, 0, 2, 3, 4]), "has the columns zero, codeword"),
        (
            lambda t: _column(
                t, "witness_exact", [["1/2", "1/2"], None, None, None], pa.list_(pa.string())
            ),
            "a row states two witnesses",
        ),
        (
            lambda t: _column(
                t, "witness", [[0.5, None], [0.5, -0.5], [-0.5, 0.5], [-0.5, -0.5]],
                t.schema.field("witness").type,
            ),
            "a witness is not finite",
        ),
        (
            lambda t: _column(
                t, "witness", [None, [0.5, -0.5], [-0.5, 0.5], [-0.5, -0.5]],
                t.schema.field("witness").type,
            ),
            "a witness is no point: 0 coordinates",
        ),
    ],
)  # fmt: skip
def test_the_columns_are_compared_first(
    change: Callable[[pa.Table], pa.Table], reason: str, proof: bool, copy: Copy
) -> None:
    if not proof:
        copy.edit(lambda m: m.pop("proof"))
    copy.write_table(change(copy.table), honest=False)
    with pytest.raises(ProofRejectedError, match=reason):
        check(copy.path)


def test_a_column_twice(copy: Copy) -> None:
    table = copy.table
    copy.write_table(table.append_column("rank_1", table["rank_1"]), honest=False)
    with pytest.raises(ProofRejectedError, match="has the column rank_1 twice"):
        check(copy.path)


def test_names_of_columns_that_are_no_text(copy: Copy) -> None:
    (shard,) = (copy.path / "regions").iterdir()
    shard.write_bytes(shard.read_bytes().replace(b"codeword", b"codewor\xf4"))
    with pytest.raises(ProofRejectedError, match=r"part-000000.parquet cannot be read: .*0xf4"):
        check(copy.path)
    with pytest.raises(RunError, match=r"part-000000.parquet cannot be read: .*0xf4"):
        pr.open_run(copy.path)


def test_the_witness_of_a_point_has_no_coordinates(tmp_path: Path) -> None:
    write(tmp_path / "source", random_network(3, 2, 3, 1), pr.Box(1, 1))
    copy = Copy(tmp_path / "source", tmp_path / "run")
    copy.write_table(_column(copy.table, "witness", [[0.5]], pa.list_(pa.float64())))
    with pytest.raises(ProofRejectedError, match="a witness is no point: it has coordinates"):
        check(copy.path)


# ---------------------------------------------------------------------------------------------
# the manifest, whatever is written there


def _fields(manifest: dict[str, Any]) -> set[str]:
    """Names of all fields, of mappings one level deeper."""
    out = set()
    for key, value in manifest.items():
        inner = value if isinstance(value, dict) and key in ("network", "chart", "proof") else {}
        out |= {f"{key}.{name}" for name in inner} or {key}
    return out


def test_every_field_is_in_the_table(source: Path, tmp_path: Path) -> None:
    """The documented table says of each field what verifies it; check names the others."""
    (table,) = re.findall(r"(?s)\n=====.*?=====\n(.*)=====", str(stated.__doc__))
    words = set(re.findall(r"[a-z_0-9]+", table))
    for name in ("quadrants", "first layer", "random"):
        manifest = Copy(source / name, tmp_path / "run").manifest
        for field in _fields(manifest):
            assert field.rsplit(".", maxsplit=1)[-1] in words, field
        named = set(check(source / name).unverified)
        assert named == {
            "started", "network.name", "network.source", "engine", "versions", "search", "timings",
            "shards", "proof.bytes", "tasks", "content",
        }  # fmt: skip
    copy = Copy(source / "quadrants", tmp_path / "run")
    copy.edit(lambda m: m.update(opinion="good"))
    (copy.path / "notes.txt").write_text("")
    (copy.path / "undecided.json").write_text('{"prefixes": ["1?"]}')
    for name in ("regions/part-000000.000000.parquet", "proof/part-000001.bin.zst", "proof/x"):
        (copy.path / name).write_bytes(b"")
    report = check(copy.path)
    assert report.complete
    assert set(report.unverified) - named == {
        "opinion", "notes.txt", "undecided.json", "regions/part-000000.000000.parquet",
        "proof/part-000001.bin.zst", "proof/x",
    }  # fmt: skip


def test_the_sizes_of_what_has_to_be_trusted() -> None:
    """Lines of code, without comments and docstrings, as the checker's table states them."""
    stated_sizes = dict(
        re.findall(r":mod:`polyrank.proof.([a-z]+)` +([0-9]+)", str(module.__doc__))
    )
    assert len(stated_sizes) == 9
    for name, size in stated_sizes.items():
        text = (ROOT / "polyrank" / "proof" / f"{name}.py").read_text(encoding="utf-8")
        lines: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.string.strip() and token.type != tokenize.COMMENT:
                lines |= set(range(token.start[0], token.end[0] + 1))
        for node in ast.walk(ast.parse(text)):
            first = getattr(node, "body", None)
            if isinstance(first, list) and first and ast.unparse(first[0])[:1] in "\"'":
                lines -= set(range(first[0].lineno, first[0].end_lineno + 1))
        assert len(lines) == int(size), name
    compiled = [
        line.strip()
        for file in (ROOT / "polyrank" / "proof" / "src").glob("r*.[ch]pp")
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    size = re.search(r"``polyrank/proof/src`` +([0-9]+)", str(module.__doc__))
    assert size is not None
    assert sum(bool(v) and not v.startswith("//") for v in compiled) == int(size[1])


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(p for key, v in inner for p in _leaves(v, (*path, key)))]


_NONSENSE: list[Any] = [
    None, True, False, 0, -1, 1, 10**30, 0.5, float("nan"), float("inf"), "", "x", "1/0", "1e9999",
    "0", [], {}, [None], ["1"], [[]], {"x": None},
]  # fmt: skip


def _shown(path: Path) -> None:
    """What summary and notebooks show of a run, or one sentence."""
    with suppress(PolyrankError):
        run = pr.open_run(path)
        assert run.origin.nrows() == run.basis.nrows()
        assert None not in (run.domain, run.dimension, run.count_interval, run.min_rank)
        for k in range(1, run.layers + 1):
            run.at_layer(k)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("quadrants", 3),
        *(pytest.param(n, 1, marks=pytest.mark.slow) for n in ("first layer", "random")),
    ],
)
def test_a_manifest_with_anything_in_it(name: str, step: int, source: Path, tmp_path: Path) -> None:
    """Every value replaced by nonsense: a sentence, or the claims are as before."""
    copy = Copy(source / name, tmp_path / "run")
    text = (copy.path / "manifest.json").read_text()
    original = check(copy.path)
    accepted = set()
    for number, path in enumerate(_leaves(json.loads(text))[1:]):
        if path[0] in ("search", "versions", "timings", "notes"):
            continue
        for nonsense in _NONSENSE[number % step :: step]:
            manifest = json.loads(text)
            at = manifest
            for key in path[:-1]:
                at = at[key]
            if type(nonsense) is type(at[path[-1]]) and nonsense == at[path[-1]]:
                continue  # it says the same
            at[path[-1]] = nonsense
            (copy.path / "manifest.json").write_text(json.dumps(manifest))
            _shown(copy.path)
            try:
                report = check(copy.path)
            except PolyrankError:
                continue
            if report.doubt:
                continue
            assert (report.complete, report.regions) == (True, original.regions)
            accepted.add(".".join(map(str, path)))
    # nothing is claimed by these, or what was accepted says the same: -1 as "-1", 1 as true
    unclaimed = ("shards", "chart", "tasks", "content")
    assert {a for a in accepted if a.split(".")[0] not in unclaimed} <= {
        "started", "network.name", "network.source", "network_file.options", "engine", "error",
        "proof.bytes", "options", "options.through_layer", "domain.lower", "domain.upper",
        "proof.version",
    }  # fmt: skip


@pytest.mark.parametrize(
    "options", [{"colour": "red"}, {"activation": 5}, {"slope": [1]}, {"output_relu": "yes"}]
)
def test_reading_options_that_do_not_exist(copy: Copy, options: dict[str, Any]) -> None:
    copy.edit(lambda m: m["network_file"].update(options=options))
    message = "states reading options that do not exist"
    for read in (check, pr.resume_run, lambda path: pr.open_run(path).graph()):
        copy.edit(lambda m: m.update(status="stopped"))
        with pytest.raises(RunError, match=message):
            read(copy.path)


@pytest.mark.parametrize("named", [5, [], {}, {"path": 3}, {"path": "network.json", "options": 5}])
def test_a_damaged_name_of_the_network(copy: Copy, named: Any) -> None:
    copy.edit(lambda m: m.update(network_file=named))
    for read in (check, pr.resume_run, pr.open_run):
        with pytest.raises(RunError, match="network_file"):
            read(copy.path)


# ---------------------------------------------------------------------------------------------
# underflow


def _exactly(values: list[str]) -> RationalArray:
    return RationalArray.from_rationals(values, (len(values),))


@pytest.mark.parametrize("exponent", [-1074, -1073, -1070, -1022, -900, -300, 0, 300, 900])
@pytest.mark.parametrize("proof", [True, False])
def test_a_witness_on_the_wrong_half_of_a_small_box(
    exponent: int, proof: bool, tmp_path: Path
) -> None:
    """The box is [-3s, 4s]: a half-width of 3.5 s is no float where s is the smallest one."""
    unit = pr.network.to_fmpq(2) ** exponent
    net = Network(
        (
            Layer(
                RationalArray.from_floats(np.ones((1, 1))),
                _exactly(["0"]),
                _exactly(["0"]),
                _exactly(["1"]),
            ),
        )
    )
    write(tmp_path / "source", net, pr.Box(-1, 1))
    for point, true in ((1, True), (-1, False), (3, True), (-3, False), (5, False), (0, False)):
        copy = Copy(tmp_path / "source", tmp_path / "run")

        def change(manifest: dict[str, Any]) -> None:
            manifest["domain"].update(lower=str(-3 * unit), upper=str(4 * unit))
            manifest["chart"].update(lower=[str(-3 * unit)], upper=[str(4 * unit)])

        copy.edit(change)
        if not proof:
            copy.edit(lambda m: m.pop("proof"))
        table = copy.table
        words = table["codeword"].to_pylist()
        values = [[str(unit * point)] if w == b"\1" else [str(-unit)] for w in words]
        kind = table.schema.field("witness").type
        table = _column(table, "witness", [None, None], kind)
        copy.write_table(_column(table, "witness_exact", values, pa.list_(pa.string())))
        for exact in (False, True):
            if true:
                assert check(copy.path, exact=exact).checked == 2
            else:
                with pytest.raises(ProofRejectedError, match="witness of row . is not inside"):
                    check(copy.path, exact=exact)


# ---------------------------------------------------------------------------------------------
# Ctrl-C


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_ends_it_at_once(jobs: int, tmp_path: Path) -> None:
    """Also with several processes, none of which is left behind."""
    write(tmp_path / "run", random_network(1, 3, 24, 24, 1), pr.Box(-2, 2), cells=500)
    code = """
import sys, time
from pathlib import Path
from polyrank.proof import check as module
if __name__ == "__main__":
    def progress(done, total):
        print("going", flush=True)
        time.sleep(0.01)
    try:
        while True:
            module.check(Path(sys.argv[1]), jobs=int(sys.argv[2]), exact=True, progress=progress)
    except KeyboardInterrupt:
        from multiprocessing import active_children
        for child in active_children():
            child.join(5)
        print("children:", len(active_children()), flush=True)
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    path = os.pathsep.join([str(ROOT), str(ROOT / "cli")])
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "run"), str(jobs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "going\n"
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out.splitlines()[-1] == "children: 0", err
    assert time.monotonic() - sent < 10  # far less where nothing else runs
