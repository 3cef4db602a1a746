"""``polyrank ensemble``: what is printed, exit statuses, refusals."""

from __future__ import annotations

import json

import pyarrow.parquet as pq


def test_text_and_table(polyrank, tmp_path):
    table = tmp_path / "t.parquet"
    found = polyrank(
        "ensemble", "--arch", "2-5", "--seeds", "3", "--box", "-5", "5", "--measure",
        "minrank,maxrank,regions,sample:30,mass", "-o", table,
    )  # fmt: skip
    assert found.status == 0
    assert found.out.startswith("3 networks\nmin_rank_proved: 3 of 3\n")
    assert "max_rank_upper: mean 2, sd 0, from 2 to 2; 2: 3" in found.out
    assert "polyrank: 3 of 3: 2 least rank" in found.err
    assert pq.read_table(table).num_rows == 3
    again = polyrank("ensemble", "--arch", "2-5", "--box", "-5", "5", "-o", table)
    assert (again.status, again.out) == (1, "")
    assert "--resume goes on with it" in again.err


def test_saved_networks(polyrank, plane):
    found = polyrank("ensemble", plane, "--layer", "1", "--json", "-q")
    assert (found.status, found.err) == (0, "")
    shown = json.loads(found.out)
    assert shown["columns"]["min_rank_upper"]["mean"] == 0.0
    assert shown["interrupted"] is False


def test_not_settled(polyrank):
    asked = ("ensemble", "--arch", "6-30", "--seeds", "1", "--box", "-5", "5")
    found = polyrank(*asked, "--measure", "regions", "--max-regions", "10")
    assert found.status == 3


def test_what_is_missing(polyrank, plane):
    assert polyrank("ensemble").status == 2
    assert polyrank("ensemble", plane, "--arch", "2-3").status == 2
    found = polyrank("ensemble", "--arch", "2-3", "--measure", "mass")
    assert found.status == 1
    assert "give a box" in found.err


def test_interrupted(polyrank, tmp_path, monkeypatch):
    from polyrank.ensembles import ensemble as module

    def pressed(task):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_row", pressed)
    table = tmp_path / "t.parquet"
    found = polyrank("ensemble", "--arch", "2-3", "-o", table)
    assert found.status == 130
    assert "0 rows are kept" in found.err
