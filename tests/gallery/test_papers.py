"""The gallery: every script runs in its small size and writes the table that is in the repository.

What the tables say is tested by theorems where they hold: no sampled minimum is below a proved one.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import polyrank as pr
from tests.conftest import shared
from tests.gallery.papers import PAPERS, rows, run, same


@pytest.mark.parametrize("script", sorted(p.name for p in PAPERS.glob("*.py")))
def test_scripts_are_short(script: str) -> None:
    assert len((PAPERS / script).read_text(encoding="utf-8").splitlines()) <= 80


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    "script",
    sorted(p.parent.name for p in PAPERS.glob("*/full") if p.parent.name != "beshkov_einevoll"),
)
def test_full_sizes(script: str, tmp_path: Path) -> None:
    """Value by value, where the published size ends in minutes."""
    kept = sorted((PAPERS / script / "full").glob("*.csv"))
    assert kept
    if script in {"betti", "mnist_mapper", "tori_persistence"}:
        pytest.importorskip("gudhi")
    if script == "quotient_homology" or script.startswith("mnist"):
        shared("beshkov_quotient" if script == "quotient_homology" else "mnist")
    run(f"{script}.py", tmp_path, "--full")
    for table in kept:
        same(rows(tmp_path / table.name), rows(table))


@pytest.mark.slow
def test_figure_2_of_beshkov_and_einevoll(tmp_path: Path) -> None:
    run("beshkov_einevoll.py", tmp_path)
    table = rows(tmp_path / "figure2.csv")
    same(table, rows(PAPERS / "beshkov_einevoll" / "figure2.csv"))
    assert (tmp_path / "figure2.png").stat().st_size > 10_000
    _consistent(table)


@pytest.mark.slow
@pytest.mark.long
def test_the_full_figure_2(tmp_path: Path) -> None:
    """Searches end by the clock: intervals are of one truth, all else is the same."""
    kept = rows(PAPERS / "beshkov_einevoll" / "full" / "figure2.csv")
    run("beshkov_einevoll.py", tmp_path, "--full")
    found = rows(tmp_path / "figure2.csv")
    _consistent(found)
    assert len(found) == len(kept)
    for row, old in zip(found, kept, strict=True):
        if row["proved"] == old["proved"] == row["networks"]:
            same([row], [old])
        else:
            ends = ("lower", "upper", "proved", "least_mass")
            same(*([{n: v for n, v in r.items() if n not in ends}] for r in (row, old)))
            lower, upper = ([float(r[end]) for r in (row, old)] for end in ("lower", "upper"))
            assert max(lower) <= min(upper)


def test_what_the_full_figure_2_says() -> None:
    _consistent(rows(PAPERS / "beshkov_einevoll" / "full" / "figure2.csv"))


def _consistent(table: list[dict[str, str]]) -> None:
    """Theorems: proved intervals beside samples, and the share of networks with a rank 0."""
    for row in table:
        low, high = float(row["lower"]), float(row["upper"])
        assert low <= high
        if row["panel"] == "E":
            # the share of networks, within the Monte-Carlo error of the theorem
            p, number = float(row["theorem"]), int(row["networks"])
            assert abs(high - p) <= 4 * math.sqrt(p * (1 - p) / number) + 1e-9
        elif row["rank"] == "min":
            assert high <= float(row["sampled"])
        else:
            assert low >= float(row["sampled"])


@pytest.mark.slow
@pytest.mark.long
def test_means_of_a_hundred_networks() -> None:
    """The table of the folder's page, again; least ranks are below what points see."""
    lines = (PAPERS / "README.md").read_text(encoding="utf-8").splitlines()
    table = [[v.strip() for v in line.strip("|").split("|")] for line in lines]
    named = {row[0]: row[1:] for row in table if len(row) == 4 and row[3].endswith("of 100")}
    assert {"10-25", "25-25", "25-50", "10-50", "50-100"} <= set(named)
    for arch, (sampled, exact, proved) in named.items():
        found = pr.ensemble(arch, pr.Box(-5, 5), measure="minrank,sample:100", seeds=100)
        assert round(found.mean("sample_min_rank"), 2) == float(sampled)
        assert round(found.mean("min_rank_lower"), 2) == float(exact)
        assert round(found.mean("min_rank_upper"), 2) == float(exact)
        assert proved == f"{sum(found.column('min_rank_proved'))} of 100"
        pairs = zip(found.column("min_rank_upper"), found.column("sample_min_rank"), strict=True)
        assert all(least <= seen for least, seen in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("inhibitory", [2, 25, 48])
def test_ranks_that_samples_do_not_see_exist(inhibitory: int) -> None:
    """Panel D in its published size: rank 0 and full rank exist at every ratio."""
    net = {"init": f"dale:{inhibitory},3", "seeds": 3}
    found = pr.ensemble("50-100", pr.Box(0, 5), measure="minrank,maxrank,sample:100", **net)
    assert found.column("min_rank_upper") == [0, 0, 0]
    assert found.column("max_rank_lower") == [50, 50, 50]
    seen = found.column("sample_min_rank"), found.column("sample_max_rank")
    assert seen == {2: ([50] * 3, [50] * 3), 48: ([0] * 3, [0] * 3)}.get(inhibitory, seen)


@pytest.mark.slow
def test_a_disk_in_an_annulus(tmp_path: Path) -> None:
    """Two units never separate linearly; a positive margin proves what no sample can."""
    run("colah.py", tmp_path)
    table = rows(tmp_path / "disk_in_annulus.csv")
    same(table, rows(PAPERS / "colah" / "disk_in_annulus.csv"))
    for row in table:
        assert row["units"] != "2" or row["separable"] == "False"
        assert row["hidden_images"] == "disjoint" or row["separable"] == "False"
        right = row["right_everywhere"] == "True"
        assert right == (float(row["least_margin"]) > 0)
        assert not right or float(row["sampled_accuracy"]) == 1.0
    perfect = [r for r in table if float(r["sampled_accuracy"]) == 1.0]
    assert any(r["right_everywhere"] == "False" for r in perfect)


@pytest.mark.slow
def test_linked_tori(tmp_path: Path) -> None:
    """M itself has linking number ±1; what meets is not separated, what is right everywhere is."""
    run("linked_tori.py", tmp_path)
    table = rows(tmp_path / "linked_tori.csv")
    same(table, rows(PAPERS / "linked_tori" / "linked_tori.csv"))
    for row in table:
        assert row["linking"].startswith("[1] ")
        meets = row["first_meeting"] != "none"
        right = row["right"] == "True"
        assert right == (float(row["least_margin"]) > 0)
        assert not (meets and (right or row["hidden_separable"] == "True"))
        assert not right or row["hidden_separable"] == "True"  # the output is affine


def test_collapsed_arcs_and_loops(tmp_path: Path) -> None:
    """n arcs to one point: a wedge of n loops; a torus: by hand in ``tests/topology``. Loops that
    are embedded have the quotient as their image, those that are folded are contracted."""
    run("collapsed_loops.py", tmp_path)
    table = rows(tmp_path / "collapsed_loops.csv")
    same(table, rows(PAPERS / "collapsed_loops" / "collapsed_loops.csv"))
    expected = {
        "circle, 3 arcs, loops embedded": ("Z, Z^3", "Z, Z", "Z, Z^3", "Z, Z^3"),
        "circle, 3 arcs, loops folded": ("Z, Z^3", "Z, Z", "Z, Z^3", "Z, 0"),
        "circle clipped to a square": ("Z, Z^4", "Z, Z", "Z, Z", "Z, Z"),
        "torus, contractible loop": ("Z, Z^2, Z^2",) * 3 + ("Z, 0, 0",),
        "torus, inner loop": ("Z, Z, Z",) * 3 + ("Z, 0, 0",),
        "torus, outer loop": ("Z, Z, Z",) * 3 + ("Z, 0, 0",),
        "torus, both loops": ("Z, Z^2, Z^2", "Z, Z, Z^2", "Z, Z, Z^2", "Z, 0, 0"),
    }
    names = ("one_point", "per_component", "per_image", "image")
    assert {row["case"]: tuple(row[n] for n in names) for row in table} == expected


@pytest.mark.slow
def test_the_plane_by_rank(tmp_path: Path) -> None:
    """Shares add up to one; what 1,000 points see is within five standard deviations of them."""
    run("rank_maps.py", tmp_path)
    table = rows(tmp_path / "rank_maps.csv")
    same(table, rows(PAPERS / "rank_maps" / "rank_maps.csv"))
    for name in ("new", "regression", "classification"):
        for layer in "123":
            mine = [r for r in table if (r["network"], r["layer"]) == (name, layer)]
            assert math.isclose(sum(float(r["share"]) for r in mine), 1, abs_tol=1e-5)
            for row in mine:
                p, seen = float(row["share"]), float(row["sampled_share"])
                assert abs(p - seen) <= 5 * math.sqrt(p * (1 - p) / 1000) + 1e-9
                assert (int(row["regions"]) > 0) == (p > 0)
                assert row["proved"] == "True"


def test_quotients_and_the_true_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One-to-one needs that nothing is collapsed, and then the quotients are the image."""
    monkeypatch.delenv("POLYRANK_SHARED_DATA", raising=False)
    run("quotient_homology.py", tmp_path)
    table = rows(tmp_path / "random.csv")
    same(table, rows(PAPERS / "quotient_homology" / "random.csv"))
    for row in table:
        one = int(row["one_to_one"])
        assert one <= int(row["nothing_collapsed"])
        assert all(int(row[q]) >= one for q in ("one_point", "per_component", "per_image"))
    assert not (tmp_path / "trained.csv").exists()


@pytest.mark.slow
def test_trained_networks_on_a_circle(tmp_path: Path) -> None:
    """A layer that is one-to-one on the circle keeps its groups."""
    shared("beshkov_quotient")
    run("quotient_homology.py", tmp_path)
    table = rows(tmp_path / "trained.csv")
    same(table, rows(PAPERS / "quotient_homology" / "trained.csv"))
    for row in table:
        assert row["one_to_one"] != "True" or (row["H_0"], row["H_1"]) == ("1", "1")


@pytest.mark.slow
def test_ranks_of_images(tmp_path: Path) -> None:
    shared("mnist")
    run("mnist.py", tmp_path)
    table = rows(tmp_path / "ranks.csv")
    same(table, rows(PAPERS / "mnist" / "ranks.csv"))
    assert all(row["proved"] == "True" for row in table)
    names = ("network", "data", "layer")
    means = {tuple(row[n] for n in names): float(row["mean_rank"]) for row in table}
    for (*which, layer), mean in means.items():
        assert layer == "1" or mean <= means[*which, str(int(layer) - 1)]
