"""The scripts on MNIST; they need its images."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import shared
from tests.gallery.papers import checked


@pytest.mark.slow
def test_ranks_through_convolutions(tmp_path: Path) -> None:
    shared("mnist")
    table = checked("mnist_cnn", tmp_path, "ranks")
    means = {(r["network"], r["data"], r["layer"]): float(r["mean_rank"]) for r in table}
    for (*which, layer), mean in means.items():
        assert layer == "1" or mean <= means[*which, str(int(layer) - 1)]


@pytest.mark.slow
def test_slices_between_digits(tmp_path: Path) -> None:
    """Points see at most the regions that there are, and no rank below the least."""
    shared("mnist")
    for row in checked("mnist_slices", tmp_path, "slices"):
        assert int(row["sampled_regions"]) <= int(row["regions"])
        assert int(row["least_rank"]) <= int(row["sampled_least_rank"])
        assert row["proved"] == "True"


@pytest.mark.slow
def test_mapper_of_hidden_layers(tmp_path: Path) -> None:
    """A hyperplane at a layer gives none before it, but pairs are at most 45."""
    shared("mnist")
    pytest.importorskip("gudhi")
    for row in checked("mnist_mapper", tmp_path, "mapper"):
        assert 0 <= int(row["separable_pairs"]) <= 45
        assert 0 < float(row["mapper_purity"]) <= 1
