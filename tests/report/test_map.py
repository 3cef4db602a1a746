"""The picture of a run: exact polygons that tile the window, and files that open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flint import fmpq

import polyrank as pr
from polyrank.errors import RunError, UnsupportedError
from polyrank.graph.build import region_graph
from polyrank.graph.geometry import Regions
from polyrank.network.normal_form import Network
from polyrank.report.map import draw_map
from polyrank.report.picture import picture_file, save_picture
from polyrank.report.polygons import polygons
from tests.examples import layer, network


def _regions(net: Network, domain: pr.Box | None = None) -> Regions:
    run = pr.enumerate_regions(net, domain)
    return Regions(run, net, region_graph(run, net))


_NET = network(layer([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), layer([[1, 1, 1]], [0]))


def _area(shape: list[tuple[fmpq, fmpq]]) -> fmpq:
    turns = zip(shape, [*shape[1:], *shape[:1]], strict=True)
    return sum((a[0] * b[1] - a[1] * b[0] for a, b in turns), fmpq(0)) / 2


@pytest.mark.parametrize("domain", [pr.Box(-2, 2), None])
def test_polygons_tile_the_window(domain: pr.Box | None) -> None:
    shapes, (x0, x1, y0, y1) = polygons(_regions(_NET, domain))
    areas = [_area(shape) for shape in shapes if shape]
    assert all(a > 0 for a in areas)
    assert sum(areas, fmpq(0)) == (x1 - x0) * (y1 - y0)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_pictures_are_written(suffix: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    regions = _regions(_NET, pr.Box(-2, 2))
    points = np.array([[0.5, 0.5], [-1.0, 1.0]])
    figure = draw_map(regions, points=points, labels=np.array([0, 1]))
    save_picture(figure, tmp_path / f"map{suffix}")
    assert (tmp_path / f"map{suffix}").stat().st_size > 1000
    save_picture(draw_map(regions, colour="linear-region", points=points), tmp_path / f"b{suffix}")
    with pytest.raises(UnsupportedError, match="a picture is written as"):
        save_picture(figure, tmp_path / "map.bmp")
    with pytest.raises(RunError, match="layer 9 is not part of this run"):
        draw_map(regions, layer=9)


def test_three_dimensions_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="dimension 3"):
        polygons(_regions(network(layer([[1, 0, 0]], [0]))))


def test_axes_are_named_after_the_coordinates_they_show() -> None:
    pytest.importorskip("matplotlib")
    assert draw_map(_regions(_NET, pr.Box(-2, 2))).axes[0].get_xlabel() == "$x_0$"
    # u is no x: here x = (u_1, u_0)
    turned = pr.Slice([0, 0], [[0, 1], [1, 0]], pr.Box(-2, 2))
    assert draw_map(_regions(_NET, turned)).axes[0].get_xlabel() == "$u_0$"


def test_no_picture_without_matplotlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("polyrank.report.picture.find_spec", lambda name: None)
    with pytest.raises(UnsupportedError, match=r"pip install 'polyrank\[plot\]'"):
        picture_file(tmp_path / "a.png")


def test_the_legend_counts_what_is_seen() -> None:
    pytest.importorskip("matplotlib")
    regions = _regions(_NET, pr.Box(-2, 2))
    points = np.array([[0.5, 0.5], [-1.0, 1.0], [9.0, 0.0]])
    texts = [t.get_text() for t in draw_map(regions, points=points).legends[0].get_texts()]
    # rank 0 where x, y ≤ 0: one region; rank 1 everywhere else
    assert texts[:2] == ["rank 0: 1 region", "rank 1: 6 regions"]
    assert texts[-1] == "2 of 3 data points"


def test_plain_numbers_are_taken() -> None:
    pytest.importorskip("matplotlib")
    regions = _regions(_NET, pr.Box(-2, 2))
    figure = draw_map(regions, points=[[0.5, 1]], labels=["a"], window=(0, 0.5, "1/3", 1.0))
    assert figure.axes[0].get_ylim() == (1 / 3, 1.0)
    with pytest.raises(UnsupportedError, match="a window is x_low x_high y_low y_high, got 2"):
        draw_map(regions, window=(0, 1))
    with pytest.raises(UnsupportedError, match="colour 'red' is not one of rank, ambient-rank, "):
        draw_map(regions, colour="red")  # type: ignore[arg-type]
