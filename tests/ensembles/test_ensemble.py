"""Ensembles: against enumeration, theorems and known volumes; journals, workers, refusals."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from functools import partial
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import binom

import polyrank as pr
from polyrank.counts.arrangement import regions
from polyrank.ensembles import ensemble as ensemble_module
from polyrank.ensembles.ensemble import EnsembleInterrupted, saved_networks
from polyrank.ensembles.measures import PerNetwork, measures_of, share_interval
from polyrank.network.normal_form import Network, relu_layer

BOX = pr.Box(-5, 5)


def without_seconds(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.endswith("seconds")} for row in rows]


def test_proved_ranks_are_those_of_a_full_enumeration_and_samples_lie_between() -> None:
    found = pr.ensemble("4-9", BOX, measure="sample:50,regions,maxrank,minrank", seeds=12, flip=3)
    assert found.certified
    for row in found.rows:
        by_rank = row["regions_by_rank"]
        present = [r for r, count in enumerate(by_rank) if count]
        assert (row["min_rank_lower"], row["min_rank_upper"]) == (present[0], present[0])
        assert (row["max_rank_lower"], row["max_rank_upper"]) == (present[-1], present[-1])
        assert present[0] <= row["sample_min_rank"] <= row["sample_max_rank"] <= present[-1]
        assert sum(by_rank) == sum(row["regions_by_size"]) == row["regions"] <= regions(9, 4)
        net = pr.random_network("4-9", seed=row["seed"], flip=3)
        assert row["sha256"] == net.sha256
        assert row["regions"] == pr.enumerate_regions(net, BOX).count


def test_deeper_layers() -> None:
    found = pr.ensemble("3-5-4", BOX, measure="minrank,regions", seeds=4)
    for row in found.rows:
        ranks = [r for r, count in enumerate(row["regions_by_rank"]) if count]
        assert row["layer"] == 2
        assert row["min_rank_upper"] == ranks[0]
        assert row["rank_0_probability"] is None
    assert pr.ensemble("3-5-4", BOX, measure="minrank", seeds=1, layer=1).rows[0]["layer"] == 1


def test_counts_are_within_the_monte_carlo_error_of_the_theorem() -> None:
    """On the box, E[regions of size k] = C(n, k) E[N] / 2^n; and P[rank 0] = E[N] / 2^n."""
    found = pr.ensemble("3-8", BOX, measure="regions,minrank", seeds=80)
    sizes = np.array(found.column("regions_by_size"), dtype=float)
    each = np.array(found.column("regions")) / 2**8
    difference = sizes - np.outer(each, [comb(8, k) for k in range(9)])
    error = difference.std(axis=0) / np.sqrt(len(difference))
    assert np.all(np.abs(difference.mean(axis=0)) < 4 * error + 1e-9)
    none = np.array(found.column("min_rank_upper")) == 0
    gap = none - each
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))
    # a region of rank 0 in the box is one of R^3
    assert none.mean() <= found.rows[0]["rank_0_probability"] + 4 * 0.5 / np.sqrt(80)


def octants(n: int) -> Network:
    return Network((relu_layer(np.eye(n), np.zeros(n)),), "octants")


@pytest.mark.parametrize("n", [1, 2, 3])
def test_mass_is_exact_in_low_dimension(n: int) -> None:
    """relu(x_i) on [−1, 1]^n: rank 0 where all x_i < 0, rank n where all are positive."""
    (row,) = pr.ensemble([octants(n)], pr.Box(-1, 1), measure="mass,minrank").rows
    assert row["low_mass_exact"] == f"{2**n - 1}/{2**n}"
    assert row["least_mass_exact"] == f"1/{2**n}"
    assert row["low_mass_lower"] == row["low_mass"] == row["low_mass_upper"] == 1 - 0.5**n
    assert row["mass_points"] is None


def test_mass_is_estimated_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = pr.ensemble([octants(5)], pr.Box(-1, 1), measure="mass:20000").rows
    assert row["low_mass_lower"] < 31 / 32 < row["low_mass_upper"]
    assert row["least_mass_lower"] < 1 / 32 < row["least_mass_upper"]
    assert row["low_mass_exact"] is None
    assert row["mass_points"] == 20000
    # no point of low rank
    (row,) = pr.ensemble([octants(4)], pr.Box(1, 2), measure="mass:100").rows
    assert (row["low_mass"], row["low_mass_lower"]) == (0.0, 0.0)
    assert row["low_mass_upper"] > 0
    # too many cells for volumes: an estimate in the plane too
    few = partial(PerNetwork, cells=0)
    monkeypatch.setattr(ensemble_module, "PerNetwork", few)
    (row,) = pr.ensemble([octants(2)], pr.Box(-1, 1), measure="mass:2000").rows
    assert row["low_mass_lower"] < 3 / 4 < row["low_mass_upper"]
    assert row["mass_points"] == 2000


def test_the_interval_of_a_share_has_its_confidence() -> None:
    """Clopper and Pearson: the tail probabilities at the ends are half of 1 %."""
    for hits, points in [(0, 50), (3, 50), (50, 50), (700, 1000)]:
        low, high = share_interval(hits, points)
        if hits:
            assert binom.sf(hits - 1, points, low) == pytest.approx(0.005)
        if hits < points:
            assert binom.cdf(hits, points, high) == pytest.approx(0.005)
    assert share_interval(0, 9)[0] == 0.0
    assert share_interval(9, 9)[1] == 1.0


def test_too_many_regions_are_not_counted() -> None:
    found = pr.ensemble("6-20", BOX, measure="regions", seeds=1, most_regions=100)
    assert found.rows[0]["regions"] is None
    assert not found.certified


def test_a_journal_is_resumed(tmp_path: Path) -> None:
    target = tmp_path / "table.parquet"
    asked: dict[str, Any] = {"measure": "minrank,sample:20", "seeds": 5}
    whole = pr.ensemble("3-6", BOX, **asked)

    def stop(done: int, total: int, row: Mapping[str, Any]) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(EnsembleInterrupted) as left:
        pr.ensemble("3-6", BOX, output=target, report=stop, **asked)
    assert len(left.value.found.rows) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table.parquet"]
    assert pq.read_table(target).num_rows == 2

    seen: list[Any] = []
    again = pr.ensemble(
        "3-6", BOX, output=target, resume=True, report=lambda d, t, r: seen.append(r["seed"]),
        **asked,
    )  # fmt: skip
    assert seen == [2, 3, 4]
    assert without_seconds(again.rows) == without_seconds(whole.rows)
    assert without_seconds(pq.read_table(target).to_pylist()) == without_seconds(whole.rows)


def test_a_killed_run_leaves_lines(tmp_path: Path) -> None:
    target, lines = tmp_path / "t.parquet", tmp_path / "t.parquet.rows"
    asked: dict[str, Any] = {"measure": "minrank", "seeds": 3}
    whole = pr.ensemble("3-6", BOX, **asked)
    text = [json.dumps({"definition": whole.definition}), json.dumps(whole.rows[1]), '{"netw']
    lines.write_text("\n".join(text))
    seen: list[Any] = []
    pr.ensemble(
        "3-6", BOX, output=target, resume=True, report=lambda d, t, r: seen.append(r["seed"]),
        **asked,
    )  # fmt: skip
    assert seen == [0, 2]
    assert not lines.exists()
    # nothing in it yet
    lines.write_text("")
    target.unlink()
    assert len(pr.ensemble("3-6", BOX, output=target, resume=True, **asked).rows) == 3


def test_going_on_never_empties_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends it while the rows are written again, those of the killed run stay."""
    target, lines = tmp_path / "t.parquet", tmp_path / "t.parquet.rows"
    asked: dict[str, Any] = {"measure": "minrank", "seeds": 3}
    whole = pr.ensemble("3-6", BOX, **asked)
    kept = [json.dumps({"definition": whole.definition}), *map(json.dumps, whole.rows[:2])]
    lines.write_text("\n".join(kept) + "\n")

    def full(row: Mapping[str, Any], **options: Any) -> str:
        if row.get("network") == "1":
            raise OSError(errno.ENOSPC, "No space left on device")
        return dumps(row, **options)

    dumps = json.dumps
    with monkeypatch.context() as patched:
        patched.setattr(json, "dumps", full)
        with pytest.raises(pr.RunError, match="the disk is full"):
            pr.ensemble("3-6", BOX, output=target, resume=True, **asked)
    assert lines.read_text().splitlines() == kept
    seen: list[Any] = []
    pr.ensemble(
        "3-6", BOX, output=target, resume=True, report=lambda d, t, r: seen.append(r["seed"]),
        **asked,
    )  # fmt: skip
    assert seen == [2]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.parquet"]


def test_outputs_that_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "t.parquet"
    pr.ensemble("2-3", BOX, measure="minrank", seeds=1, output=target)
    with pytest.raises(pr.RunError, match="exists already; --resume"):
        pr.ensemble("2-3", BOX, measure="minrank", seeds=1, output=target)
    with pytest.raises(pr.RunError, match="is of another ensemble"):
        pr.ensemble("2-3", BOX, measure="minrank", seeds=2, output=target, resume=True, layer=1)
    with pytest.raises(pr.RunError, match="written as .parquet"):
        pr.ensemble("2-3", BOX, measure="minrank", seeds=1, output=tmp_path / "t.csv")
    with pytest.raises(pr.RunError, match="cannot write"):
        pr.ensemble("2-3", BOX, measure="minrank", seeds=1, output=tmp_path / "no" / "t.parquet")
    target.write_text("no table")
    with pytest.raises(pr.RunError, match="is no table"):
        pr.ensemble("2-3", BOX, measure="minrank", seeds=1, output=target, resume=True)


def test_more_seeds_of_the_same_definition_go_on(tmp_path: Path) -> None:
    target = tmp_path / "t.parquet"
    pr.ensemble("2-3", BOX, measure="minrank", seeds=2, output=target)
    found = pr.ensemble("2-3", BOX, measure="minrank", seeds=4, output=target, resume=True)
    assert [row["seed"] for row in found.rows] == [0, 1, 2, 3]


def test_processes_give_the_same_rows() -> None:
    asked: dict[str, Any] = {"measure": "minrank,sample:20", "seeds": [3, 8, 5]}
    one, two = (pr.ensemble("3-6", BOX, jobs=jobs, **asked) for jobs in (1, 2))
    assert without_seconds(one.rows) == without_seconds(two.rows)
    assert [row["seed"] for row in two.rows] == [3, 8, 5]


def test_saved_networks(tmp_path: Path) -> None:
    for seed in range(3):
        pr.save(pr.random_network("2-4-3", seed=seed), tmp_path / f"net{seed}.json")
    (tmp_path / "notes.txt").write_text("no network")
    files = saved_networks([tmp_path])
    assert [p.name for p in files] == ["net0.json", "net1.json", "net2.json"]
    assert saved_networks([tmp_path / "net[01].json", tmp_path / "net1.json"]) == files[:2]
    found = pr.ensemble(files, BOX, measure="minrank")
    assert [row["network"] for row in found.rows] == [str(p) for p in files]
    assert found.rows[0]["sha256"] == pr.random_network("2-4-3", seed=0).sha256
    assert found.rows[0]["rank_0_probability"] is None
    for nothing in ("no*.json", "absent.json"):
        with pytest.raises(pr.FormatError, match="names no file of saved weights"):
            saved_networks([tmp_path / nothing])


def test_tables_and_summaries() -> None:
    found = pr.ensemble("2-3", BOX, measure="minrank", seeds=3)
    assert found.table.num_rows == 3
    facts = found.summary()
    assert facts["columns"]["min_rank_upper"]["mean"] == found.mean("min_rank_upper")
    assert sum(facts["columns"]["min_rank_upper"]["histogram"].values()) == 3
    assert facts["proved"] == {"min_rank_proved": 3}
    assert np.isnan(
        pr.ensemble("2-3-3", BOX, measure="minrank", seeds=1).mean("rank_0_probability")
    )
    with pytest.raises(pr.DomainError, match="is no column"):
        found.column("regions")


@pytest.mark.parametrize("law", ["uniform:0,1", "dale:1"])
def test_no_probability_without_symmetry(law: str) -> None:
    row = pr.ensemble("3-4", BOX, measure="minrank", seeds=1, init=law).rows[0]
    assert row["rank_0_probability"] is None
    central = pr.ensemble("3-6", BOX, measure="minrank", seeds=1, bias="zero").rows[0]
    assert central["rank_0_probability"] == 0.5  # Wendel: n = 2m


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measure": "minrank,nonsense"}, "'nonsense' is no measure"),
        ({"measure": "minrank:3"}, "'minrank:3' is no measure"),
        ({"measure": "sample:0"}, "is no measure"),
        ({"measure": []}, "nothing is to be measured"),
        ({"measure": "mass", "domain": None}, "give a box"),
        ({"seeds": 0}, "are no seeds"),
        ({"seeds": [-1]}, "are no seeds"),
        ({"jobs": 0}, "0 processes"),
        ({"layer": 2}, "there is no layer 2"),
        ({"init": "glorot"}, "is no initialisation"),
        ({"flip": 9}, "cannot be negated"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    asked = {"domain": BOX, "seeds": 1, **options}
    with pytest.raises(pr.PolyrankError, match=message):
        pr.ensemble("2-3", **asked)


def test_the_order_of_measures() -> None:
    assert [m.name for m in measures_of("mass:5,regions,minrank")] == [
        "minrank", "regions", "mass:5",
    ]  # fmt: skip


TARGETS = {"10-25": 1.14, "25-25": 0.0, "25-50": 0.54, "10-50": 7.0, "50-100": 0.56}
"""Exact means over 100 networks of torch's law on [−5, 5]^m, found by an earlier program."""


@pytest.mark.parametrize(("arch", "seeds"), [("10-25", 12), ("25-25", 3)])
def test_the_mean_least_ranks_of_the_paper(arch: str, seeds: int) -> None:
    found = pr.ensemble(arch, BOX, measure="minrank", seeds=seeds)
    _compare(found, arch)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("arch", list(TARGETS))
def test_the_mean_least_ranks_of_the_paper_at_full_size(arch: str) -> None:
    found = pr.ensemble(arch, BOX, measure="minrank,sample:100", seeds=100)
    _compare(found, arch)
    assert all(row["min_rank_upper"] <= row["sample_min_rank"] for row in found.rows)


def _compare(found: pr.Ensemble, arch: str) -> None:
    assert found.certified
    values = np.array(found.column("min_rank_upper"))
    deviation = values.std() * np.sqrt(1 / len(values) + 1 / 100)
    assert abs(values.mean() - TARGETS[arch]) <= 4 * deviation
