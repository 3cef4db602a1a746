"""Pictures into given axes: values, segments, linear regions; what legends and titles say."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import FormatError, NetworkError, RunError, UnsupportedError
from polyrank.report.line_map import draw_line_map
from tests.examples import LINEAR, layer, network

pytest.importorskip("matplotlib")

_NET = network(layer([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), layer([[1, 1, 1]], [0], LINEAR))


def _axes() -> Any:
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def _labels(figure: Any) -> list[str]:
    legends = [*figure.legends, *(a.get_legend() for a in figure.axes if a.get_legend())]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def test_values_of_regions_into_given_axes() -> None:
    run = pr.enumerate_regions(_NET, pr.Box(-2, 2))
    axes = _axes()
    figure = run.plot(ax=axes, values=[r.volume for r in run], label="area")
    assert figure is axes.figure
    assert axes.get_title(loc="left").endswith("area")
    assert len(figure.axes) == 2  # the colour bar
    bar = figure.axes[1]
    low, high = bar.get_ylim()
    areas = [r.volume for r in run]
    assert (low, high) == (min(areas), max(areas))
    with pytest.raises(FormatError, match="one finite number for each of 7 regions"):
        run.plot(values=[1.0])
    with pytest.raises(FormatError, match="one finite number"):
        run.plot(values=[np.nan] * 7)


def test_the_legend_counts_the_regions_in_the_window() -> None:
    run = pr.enumerate_regions(_NET, pr.Box(-2, 2))
    axes = _axes()
    run.plot(ax=axes, window=["1/10", 1, "1/10", 1], layer=1)
    assert _labels(axes.figure) == ["rank 2: 2 regions"]  # below and above x + y = 1


def test_no_boundary_inside_a_linear_region() -> None:
    from matplotlib.collections import LineCollection

    # relu(x) − relu(−x) = x: one linear region, two activation regions
    net = network(layer([[1, 0], [-1, 0]], [0, 0]), layer([[1, -1]], [0], LINEAR))
    run = pr.enumerate_regions(net, pr.Box(-1, 1))
    axes = _axes()
    run.plot(ax=axes, colour="linear-region")
    lines = [c for c in axes.collections if isinstance(c, LineCollection)]
    inner = [s for s in lines[0].get_segments() if np.allclose(s[:, 0], 0)]
    assert inner == []
    assert "1 linear region" in _labels(axes.figure)


def test_a_class_map_states_its_threshold() -> None:
    run = pr.enumerate_regions(_NET, pr.Box(-2, 2))
    axes = _axes()
    run.plot(ax=axes, colour="class")
    assert "class 1 where the output is > 0" in axes.get_title(loc="left")


def test_a_segment() -> None:
    # |x| − 1 as two ReLUs
    net = network(
        layer([[1], [-1]], [0, 0]), layer([[1, 1]], [-1], LINEAR), layer([[1]], [0], LINEAR)
    )
    run = pr.enumerate_regions(net, pr.Box(-2, 3))
    figure = run.plot()
    (line,) = figure.axes[0].lines[-1:]
    x, y = line.get_data()
    assert np.allclose(y, np.abs(x) - 1)
    assert (min(x), max(x)) == (-2, 3)
    assert "rank 1: 2 regions" in _labels(figure)
    axes = _axes()
    assert run.plot(ax=axes, layer=1) is axes.figure
    with pytest.raises(RunError, match="layer 9 is not part of this run"):
        run.plot(layer=9)


def test_a_whole_line_and_other_dimensions() -> None:
    net = network(layer([[1], [1]], [0, -1]), layer([[1, 1]], [0], LINEAR))
    run = pr.enumerate_regions(net)
    low, high = run.plot().axes[0].get_xlim()
    assert low < 0
    assert high > 1
    plane = pr.enumerate_regions(_NET, pr.Box(-2, 2))
    with pytest.raises(UnsupportedError, match="has dimension 2, expected 1"):
        draw_line_map(plane.access)


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    from polyrank.report.histogram import draw_histograms

    line = pr.enumerate_regions(network(layer([[1]], [0])), pr.Box(-1, 1))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for draw in (line.plot, lambda: draw_histograms({"ranks": []})):
        with pytest.raises(UnsupportedError, match=r"pip install 'polyrank\[plot\]'"):
            draw()


def test_transposed_matrices_are_named() -> None:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(2, 5)), rng.normal(size=(5, 3))]
    with pytest.raises(NetworkError, match=r"as scikit-learn and Keras store them.*W\.T"):
        pr.Network.from_arrays(weights, [np.zeros(5), np.zeros(3)])
    assert pr.Network.from_arrays([w.T for w in weights], [np.zeros(5), np.zeros(3)]).widths == (
        2,
        5,
        3,
    )
    with pytest.raises(NetworkError, match="bias has shape"):
        pr.Network.from_arrays(weights, [np.zeros(4), np.zeros(3)])
    square = pr.Network.from_arrays([np.eye(2), np.eye(2)], [np.zeros(2)] * 2)
    assert square.widths == (2, 2, 2)


def test_a_slice_names_its_corners_and_shows_the_rank_on_the_whole_space() -> None:
    # on R^3: (relu x, relu y, relu z) summed up in pairs; the slice is z = -1
    net = network(layer(np.eye(3).tolist(), [0, 0, 0]), name="octants")
    run = pr.slice(net, [[-1, -1, -1], [2, -1, -1], [-1, 2, -1]])
    axes = _axes()
    figure = run.plot(ax=axes, color="ambient-rank")
    assert [t.get_text() for t in axes.texts] == ["point 0", "point 1", "point 2"]
    # z < 0 everywhere: at most x and y are live
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[:3] == ["rank 0: 1 region", "rank 1: 2 regions", "rank 2: 1 region"]
    assert "rank through layer 1 on all of R^3" in axes.get_title(loc="left")
    assert len(figure.axes) == 1
    inside = _axes()
    run.plot(ax=inside, window=["1/10", "1/5", "1/10", "1/5"])
    assert [t.get_text() for t in inside.texts] == []


def test_corners_are_named_by_the_rows_that_were_chosen() -> None:
    net = network(layer(np.eye(3).tolist(), [0, 0, 0]), name="octants")
    points = np.array([[-1.0, -1, -1], [2, -1, -1], [-1, 2, -1]])
    run = pr.slice(
        net, points, notes={"slice": {"file": "p.npy", "rows": [4, 7, 9]}}, extended=True
    )
    axes = _axes()
    run.plot(ax=axes, window=[-1, 2, -1, 2])
    assert [t.get_text() for t in axes.texts] == ["point 4", "point 7", "point 9"]
