"""Regions as objects: every attribute is compared with elementary geometry."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import polyrank as pr
from polyrank.errors import RunError, UnsupportedError
from polyrank.network.rational import RationalArray
from polyrank.regions import scratch
from tests.examples import LINEAR, layer, network

# the quadrants of the plane, cut by x + y = 1: 7 regions on the square [-2, 2]^2
_NET = network(layer([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), layer([[1, 1, 1]], [0], LINEAR))
_SQUARE = pr.Box(-2, 2)


def _run() -> pr.Run:
    return pr.enumerate_regions(_NET, _SQUARE)


def test_a_run_is_a_sequence_of_regions() -> None:
    run = _run()
    assert len(run) == 7
    assert [r.index for r in run] == list(range(7))
    assert run[-1] == run[6]
    assert run[0] != run[1]
    assert len({*run, run[3]}) == 7
    assert run
    assert run != 7
    with pytest.raises(IndexError, match="there is no region 7: the run lists 7"):
        run[7]
    with pytest.raises(TypeError):
        run["7"]  # type: ignore[index]


def test_the_regions_fill_the_square_and_touch_along_edges() -> None:
    run = _run()
    assert sum(r.volume_exact for r in run) == 16
    for region in run:
        polygon = region.polygon
        x, y = polygon.T
        area = 0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1))  # counter-clockwise: positive
        assert area == pytest.approx(region.volume)
        assert len(region.facets) == len(polygon)
        behind = {f.neighbour for f in region.facets if not f.wall}
        assert behind == {n.index for n in region.neighbours}
        assert all(region in n.neighbours for n in region.neighbours)


def test_the_region_of_a_point() -> None:
    run = _run()
    triangle = run.find([0.25, 0.25])
    assert triangle is not None
    assert triangle.codeword.tolist() == [True, True, False]
    assert [part.tolist() for part in triangle.codeword_by_layer] == [[True, True, False], []]
    assert triangle.ranks == (2, 1)
    assert triangle.volume_exact == pr.Network.from_arrays([[[1.0]]], [[0.0]])(["1/2"])[0]
    assert {f.name for f in triangle.facets} == {f"layer 1 unit {k}" for k in (1, 2, 3)}
    assert triangle.A.tolist() == [[1.0, 1.0]]
    assert triangle.c.tolist() == [0.0]
    first = triangle.affine_map_exact(layer=1)[0]
    assert [[int(v) for v in r] for r in first.tolist()] == [[1, 0], [0, 1], [0, 0]]
    assert repr(triangle).endswith("codeword 110, ranks 2 1)")
    exact = triangle.witness_exact
    assert all(v > 0 for v in exact)
    assert sum(exact) < 1
    assert triangle.witness.tolist() == [float(v.p) / float(v.q) for v in exact]
    assert run.find([Fraction(1, 2), "1/2"]) is None  # on the line x + y = 1
    assert run.find([3.0, 3.0]) is None  # outside, with a codeword of the run
    corner = run.find([-2.0, -2.0])  # the corner belongs to the region around it
    assert corner is not None
    assert not corner.codeword.any()


def test_every_witness_is_found_again() -> None:
    run = _run()
    for region in run:
        assert run.find(region.witness_exact) == region


def test_points_of_a_slice() -> None:
    line = pr.Slice([0, 0], [[1], [2]], pr.Box(-1, 1))
    run = pr.enumerate_regions(_NET, line)
    found = run.find(["1/10", "1/5"])
    assert found is not None
    assert found.codeword.tolist() == [True, True, False]
    assert run.find(["1/10", "1/4"]) is None  # not on the line
    assert found.witness_exact[1] == 2 * found.witness_exact[0]
    with pytest.raises(UnsupportedError, match="only a bounded region of a two-dimensional"):
        _ = found.polygon


def test_a_unit_that_vanishes_on_the_whole_region() -> None:
    # behind ReLU(x) the unit ReLU(-ReLU(x)) is 0 where x < 0: z vanishes identically there
    net = network(layer([[1]], [0]), layer([[-1]], [0]), layer([[1]], [0], LINEAR))
    run = pr.enumerate_regions(net, pr.Box(-1, 1))
    for x in (-0.5, 0.5):
        found = run.find([x])
        assert found is not None
        assert (found.witness[0] > 0) == (x > 0)
    assert run.find([0]) is None


def test_unbounded_regions() -> None:
    run = pr.enumerate_regions(_NET)
    region = run.find([-5, -5])
    assert region is not None
    assert region.volume == np.inf
    assert region.volume_exact is None
    assert region.vertices.tolist() == [[0.0, 0.0]]
    with pytest.raises(UnsupportedError, match="bounded region"):
        _ = region.polygon


def test_regions_by_rank() -> None:
    run = _run()
    # layer 1 has rank 2 where two or three of the rows x, y, x + y are active, 1 where one is
    ranks = [r.ranks[0] for r in run]
    for rank in (0, 1, 2, 3):
        found = run.where(rank=rank, layer=1)
        assert [r.index for r in found] == [i for i, v in enumerate(ranks) if v == rank]
    low = run.where(below=2, layer=1)
    assert len(low) == ranks.count(0) + ranks.count(1)
    assert [r.index for r in low[1:]] == list(low.ids[1:])
    assert low[0].index == low.ids[0]
    assert len(run.where(least=1, below=2, layer=1)) == ranks.count(1)
    assert repr(run.where()) == "Selection(7 of 7 regions)"
    with pytest.raises(RunError, match="layer 3 is not part of this run"):
        run.where(rank=1, layer=3)


def test_a_slice_of_a_run_is_a_selection() -> None:
    run = _run()
    for part in (slice(None), slice(1, 6, 2), slice(-2, None), slice(None, None, -3), slice(5, 2)):
        expected = list(range(7))[part]
        assert [r.index for r in run[part]] == expected
        assert run[part].ids.tolist() == expected
        assert len(run[part]) == len(expected)
    assert run[1:6][1:][-1].index == 5
    with pytest.raises(IndexError):
        _ = run[2:3][1]


def test_numbers_of_many_regions_wait_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    import mmap

    monkeypatch.setattr(scratch, "_LARGE", 8)  # bytes: two numbers are many
    run = _run()
    ids = run.where(least=0).ids
    assert ids.tolist() == list(range(7))
    base: object = ids
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)


def test_tables_for_eyes_and_data_frames() -> None:
    pandas = pytest.importorskip("pandas")
    run = _run()
    table = run.to_arrow()
    assert isinstance(table, pa.Table)
    assert table.column_names == ["codeword", "rank_1", "rank_2", "witness"]
    frame = run.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == 7
    assert sorted(frame["codeword"]) == sorted(
        "".join("01"[int(b)] for b in r.codeword) for r in run
    )


def test_without_pandas_or_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    run = _run()
    with pytest.raises(UnsupportedError, match="polars is not installed"):
        run.to_polars()
    with pytest.raises(UnsupportedError, match="pandas is not installed"):
        run.to_pandas()


def test_codewords_of_several_layers_in_a_table() -> None:
    net = network(layer([[1]], [0]), layer([[1], [-1]], [-1, 2]), layer([[1, 1]], [0], LINEAR))
    words = pr.enumerate_regions(net, pr.Box(-1, 3)).to_arrow()["codeword"].to_pylist()
    assert set(words) == {"0|01", "1|01", "1|11", "1|10"}


def test_a_saved_run_is_the_same(tmp_path: Path) -> None:
    run = _run()
    saved = run.save(tmp_path / "run")
    opened = pr.open_run(tmp_path / "run")
    assert opened.table.equals(run.table)
    assert opened.certified
    assert saved.find([0.25, 0.25]) is not None  # it still knows its network
    assert opened[5].ranks == run[5].ranks
    assert opened[5].codeword.tolist() == run[5].codeword.tolist()
    assert str(tmp_path / "run") in repr(opened)
    assert "exactly 7 regions" in repr(opened)
    with pytest.raises(RunError, match="does not know its network"):
        _ = opened[5].A
    with pytest.raises(RunError, match="exists already"):
        run.save(tmp_path / "run")
    with pytest.raises(RunError, match="copy that directory"):
        saved.save(tmp_path / "other")


def test_rows_of_many_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.regions.enumerate.TASK_WORK", (300.0, 400.0))
    rng = np.random.default_rng(3)
    net = pr.Network.from_arrays([rng.normal(size=(12, 4)), np.ones((1, 12))], [np.ones(12), [0.0]])
    run = pr.enumerate_regions(net, pr.Box(-5, 5), out=tmp_path / "run", engine="dictionary")
    table = run.table
    assert len(list((tmp_path / "run" / "regions").iterdir())) > 2
    for region in run:
        assert region.ranks[0] == table["rank_1"][region.index].as_py()


def test_another_run_in_the_same_place_has_its_own_rows(tmp_path: Path) -> None:
    import shutil

    for rank in (0, 1):  # x ↦ relu(±x) on the positive half-line: the rows differ, their number not
        net = network(layer([[2 * rank - 1]], [0]))
        run = pr.enumerate_regions(net, pr.Box(1, 2), out=tmp_path / "run")
        assert run[0].ranks == (rank,)
        assert pr.open_run(tmp_path / "run")[0].ranks == (rank,)
        shutil.rmtree(tmp_path / "run")


def test_a_region_without_a_float_point() -> None:
    # between the zeros of x − 1 and x − 1 − 2⁻⁶⁰ no number is a float64
    gap = Fraction(1, 2**60)
    net = pr.Network.from_arrays(
        [RationalArray.from_rationals([1, 1], (2, 1))],
        [RationalArray.from_rationals([-1, -1 - gap], (2,))],
        output_relu=True,
    )
    run = pr.enumerate_regions(net, pr.Box(0, 2))
    (thin,) = [r for r in run if r.codeword.tolist() == [True, False]]
    (x,) = thin.witness_exact
    assert 1 < Fraction(int(x.p), int(x.q)) < 1 + gap
    assert thin.witness.tolist() == [1.0]
    assert run.find([x]) == thin
    assert run.to_arrow()["witness"][thin.index].as_py() == [1.0]


def test_what_notebooks_and_terminals_show() -> None:
    run = _run()
    page = run._repr_html_()
    assert "exactly 7 regions" in page
    assert page.count("<tr>") == 3
    assert run.summary().splitlines()[0] == "certified: exactly 7 regions"
    assert len(repr(run)) < 100
