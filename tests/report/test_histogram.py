"""The picture of a sample: a panel for each layer and one for sizes, bars as counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import polyrank as pr
from polyrank.report.histogram import draw_histograms
from polyrank.report.picture import save_picture
from polyrank.sampling.estimate import sample


def facts() -> dict[str, object]:
    net = pr.Network.from_arrays([np.eye(2), np.ones((1, 2))], [np.zeros(2), [0.0]])
    return sample(net, [np.array([[1.0, 1], [2, 1], [-1, 1], [-1, -1]])]).summary()


def test_bars_are_the_counts() -> None:
    figure = draw_histograms(facts())
    panels = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_xlabel() for ax in panels] == [
        "rank through layer 1", "rank through layer 2", "active units (codeword size)",
    ]  # fmt: skip
    for ax, expected in zip(
        panels, [{0: 1, 1: 1, 2: 2}, {0: 1, 1: 3}, {0: 1, 1: 1, 2: 2}], strict=True
    ):
        bars = {round(b.get_x() + b.get_width() / 2): b.get_height() for b in ax.patches}
        assert bars == expected


def test_what_is_open_is_named() -> None:
    some = facts()
    some["ranks"][0]["open_codewords"] = 3  # type: ignore[index]
    assert "3 codewords" in draw_histograms(some).axes[0].get_title()


def test_files(tmp_path: Path) -> None:
    save_picture(draw_histograms(facts()), tmp_path / "h.png")
    assert (tmp_path / "h.png").stat().st_size > 5000
    with pytest.raises(pr.UnsupportedError, match="written as"):
        save_picture(draw_histograms(facts()), tmp_path / "h.txt")
