"""Pictures of manifolds, of their images, of complexes in space and of region graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyrank as pr
from polyrank.complex.build import cell_complex
from polyrank.errors import DomainError, RunError, UnsupportedError
from polyrank.report.complex_map import draw_complex
from polyrank.report.manifold_map import draw_manifold
from polyrank.report.picture import principal_axes, save_picture
from polyrank.topology.low_rank import low_rank_part
from polyrank.topology.restriction import restrict
from polyrank.topology.shapes import shape
from tests.examples import LINEAR, layer, network

pytest.importorskip("matplotlib")

#: (relu(x), relu(y)): on the circle one quadrant has rank 0, nowhere is more than rank 1.
_QUADRANTS = network(layer([[1, 0], [0, 1]], [0, 0]), layer([[1, 1]], [0], LINEAR))
#: relu of each coordinate of R^3.
_OCTANTS = network(layer(np.eye(3).tolist(), [0, 0, 0]), name="octants")


def _labels(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_a_circle_and_its_images() -> None:
    found = pr.image(_QUADRANTS, "circle:8")
    figure = found.plot()
    assert [a.get_title(loc="left") for a in figure.axes] == [
        "M, rank through layer 2",
        "image at layer 1, rank through layer 1",
        "image at layer 2, rank through layer 2",
    ]
    # eight edges, two in every quadrant; x, y < 0 has rank 0
    for axes in figure.axes[:2]:
        assert _labels(axes) == ["rank 0: 2 1-cells (low-rank part)", "rank 1: 6 1-cells"]
    lines = [c.get_segments() for c in figure.axes[1].collections]
    assert [len(mine) for mine in lines] == [2, 6]
    assert np.abs(np.concatenate(lines[0])).max() == 0.0  # the quadrant goes to the origin


def test_a_panel_into_given_axes(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    found = pr.image(_QUADRANTS, "circle:8")
    assert found.plot(0, ranks=1, below=2, ax=axes) is axes.figure
    # an edge of rank 1 is not collapsed, also where rank 1 is low
    assert _labels(axes) == ["rank 0: 2 1-cells (low-rank part)", "rank 1: 6 1-cells"]
    with pytest.raises(UnsupportedError, match="3 panels do not fit one ax"):
        found.plot(ax=axes)
    with pytest.raises(DomainError, match="layer 3 must be between 0 and 2"):
        found.plot(3)
    save_picture(found.plot([0, 1]), tmp_path / "two.png")
    assert (tmp_path / "two.png").stat().st_size > 1000


def test_a_surface_in_space() -> None:
    cells = restrict(_OCTANTS, shape("sphere:1"))
    part = low_rank_part(cells, 1, 1)
    figure = draw_manifold(cells, [part, part], [0, 1])
    for axes in figure.axes:
        polygons = [len(c.get_facecolor()) for c in axes.collections]
        assert sum(polygons) == cells.complex.cells[2]
        assert axes.name == "3d"
        low = [t for t in _labels(axes) if t.endswith("(low-rank part)")]
        counts = [int(text.split()[2].replace(",", "")) for text in low]
        assert sum(counts) == int(part.cells[2].sum()) > 0


def test_the_part_of_another_reading() -> None:
    cells = restrict(_QUADRANTS, shape("circle:8"))
    part = low_rank_part(cells, 1, 1, ambient=True)
    (axes,) = draw_manifold(cells, [part], [0]).axes
    assert axes.get_title(loc="left") == "M, rank of J_K on R^n through layer 1"
    # J_1 has rank 0, 1, 1, 2 in the quadrants
    assert _labels(axes) == [
        "rank 0: 2 1-cells (low-rank part)",
        "rank 1: 4 1-cells (low-rank part)",
        "rank 2: 2 1-cells",
    ]


def test_what_lies_in_four_dimensions_is_projected() -> None:
    wide = pr.random_network([2, 4, 2], seed=3)
    figure = pr.image(wide, "circle:6").plot(1)
    assert "R^4 projected to its three principal axes" in figure.axes[0].get_title(loc="left")
    # a projection to principal axes keeps distances where nothing is left out
    points = np.array([[0.0, 0, 0, 0], [3, 0, 4, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    flat = principal_axes(points, 3)
    gap = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert np.allclose(np.linalg.norm(flat[:, None] - flat[None], axis=2), gap)


def test_solids_have_no_picture() -> None:
    with pytest.raises(UnsupportedError, match="curves and surfaces have pictures"):
        draw_manifold(restrict(pr.random_network([4, 1]), shape("3-sphere:1")), [], [])


def test_a_complex_in_space_shows_its_walls() -> None:
    """Twelve squares lie between the octants; one octant, with six faces, has rank 0."""
    figure = draw_complex(cell_complex(_OCTANTS, pr.Box(-1, 1)))
    assert [len(c.get_facecolor()) for c in figure.axes[0].collections] == [9, 6]
    legend = figure.legends[0].get_texts()[0].get_text()
    assert legend == "rank < 1 through layer 1: 1 of 8 regions"
    figure = draw_complex(cell_complex(_OCTANTS, pr.Box(-1, 1)), below=2)
    assert "rank < 2 through layer 1: 4 of 8" in figure.legends[0].get_texts()[0].get_text()


def test_graphs() -> None:
    run = pr.enumerate_regions(_OCTANTS, pr.Box(-1, 1))
    graph = run.graph()
    figure = graph.plot()
    (axes,) = figure.axes
    assert len(axes.collections[0].get_segments()) == graph.number_of_edges() == 12  # of a cube
    assert "R^3 projected" in axes.get_title(loc="left")
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [
        "rank 0: 1 region", "rank 1: 3 regions", "rank 2: 3 regions", "rank 3: 1 region",
    ]  # fmt: skip
    with pytest.raises(RunError, match="layer 2 is not part of this run"):
        graph.plot(layer=2)
    with pytest.raises(RunError, match="a copy or a part"):
        graph.subgraph([0, 1]).plot()
    assert "8 regions, 12 shared facets" in graph._repr_html_()


def test_graphs_of_plane_domains_keep_their_coordinates() -> None:
    from matplotlib.figure import Figure

    run = pr.enumerate_regions(_QUADRANTS, pr.Box(-1, 1))
    axes = Figure().add_subplot()
    assert run.graph().plot(ax=axes) is axes.figure
    dots = np.concatenate([c.get_offsets() for c in axes.collections[1:]])
    assert sorted(map(tuple, dots.tolist())) == sorted(tuple(r.witness.tolist()) for r in run)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$x_0$", "$x_1$")


def test_graphs_that_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.report.graph_map._MOST", 3)
    with pytest.raises(UnsupportedError, match="4 regions; 3 can be drawn"):
        pr.enumerate_regions(_QUADRANTS, pr.Box(-1, 1)).graph().plot()


def test_what_a_notebook_shows_of_images() -> None:
    found = pr.image(_QUADRANTS, "circle:8")
    assert repr(found).startswith("Images('circle")
    shown = found._repr_html_()
    assert "<td>layer 1</td><td>Z, Z</td>" in shown
    assert "<td>H_1</td><td>M</td><td>layer 2</td><td>1</td>" in shown
