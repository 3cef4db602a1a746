"""The scripts on tori, and on Betti numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gallery.papers import checked


@pytest.mark.slow
def test_linking_numbers_in_width_3(tmp_path: Path) -> None:
    """Monotone layers of R^3 keep |lk| = 1 while images are disjoint; separable ones have 0."""
    table = checked("ren_lim", tmp_path, "linking")
    for row in table:
        disjoint, separable = row["images"] == "disjoint", row["separable"] == "True"
        assert disjoint or not separable
        if row["layer"] == "0":
            assert (row["lk"], row["sampled_lk"]) == ("1", "1.0")
        if row["monotone"] == "True":
            assert row["theorem_2"] == "True"
            assert not separable
            assert not disjoint or row["lk"] == "1"
        if separable and row["lk"]:
            assert row["lk"] == "0"
    given = [r for r in table if r["seed"] == "given"]
    assert [r["lk"] for r in given] == ["1", "0", "0"]  # |·| unlinks, with margins by hand
    assert given[-1]["separable"] == given[-1]["right"] == "True"


#: Over Q, over Z/2 (universal coefficients).
BETTI = {
    "circle": ("1 1", "1 1"),
    "sphere": ("1 0 1", "1 0 1"),
    "torus": ("1 2 1", "1 2 1"),
    "klein": ("1 1 0", "1 2 1"),
    "moebius": ("1 1 0", "1 1 0"),
    "linked-tori": ("2 4 2", "2 4 2"),
}


def test_betti_numbers_of_shapes(tmp_path: Path) -> None:
    """The Klein bottle has (1, 1, 0) over Q and (1, 2, 1) over Z/2, nowhere (1, 2, 0)."""
    pytest.importorskip("gudhi")
    table = checked("betti", tmp_path, "betti")
    assert {(r["shape"], r["coefficients"]): r["exact"] for r in table} == {
        (name, field): numbers[field == "2"]
        for name, numbers in BETTI.items() for field in ("2", "Q")
    }  # fmt: skip


@pytest.mark.slow
def test_persistence_beside_the_true_image(tmp_path: Path) -> None:
    pytest.importorskip("gudhi")
    for row in checked("tori_persistence", tmp_path, "persistence"):
        if row["layer"] == "0":
            assert [row[f"exact_b{d}"] for d in range(3)] == ["1", "2", "1"]
