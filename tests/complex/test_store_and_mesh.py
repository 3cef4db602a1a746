"""Complexes on disk and as meshes."""

from __future__ import annotations

import builtins
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import meshio
import numpy as np
import pyarrow.parquet as pq
import pytest

import polyrank as pr
from polyrank.complex.build import cell_complex
from polyrank.complex.level_set import level_set
from polyrank.complex.mesh import cycles, write_mesh
from polyrank.complex.store import read_complex, write_complex
from polyrank.complex.volume import exact_vertices, volumes
from polyrank.errors import RunError, UnsupportedError
from polyrank.network.normal_form import Network, relu_layer
from polyrank.report.complex_map import draw_complex
from polyrank.report.picture import save_picture

CUBE = Network((relu_layer(np.eye(3), np.zeros(3)),), "cube")
SQUARE = Network((relu_layer(np.eye(2), np.zeros(2)),), "square")
LINE = Network((relu_layer([[1.0]], [0.0]),), "line")


def test_tables(tmp_path: Path) -> None:
    """The cube cut by its three middle planes: 27, 54, 36, 8 cells."""
    cells = cell_complex(CUBE, pr.Box(-1, 1))
    box = pr.Box(-1, 1).describe()
    manifest = write_complex(tmp_path / "cells", cells, box, notes={"a": 1}, volume=None)
    stored = json.loads((tmp_path / "cells" / "complex.json").read_text())
    assert stored == manifest
    assert stored["f_vector"] == [27, 54, 36, 8]
    assert stored["euler_characteristic"] == 1
    tables = [pq.read_table(tmp_path / "cells" / f"cells-{d}.parquet") for d in range(4)]
    assert [t.num_rows for t in tables] == [27, 54, 36, 8]
    middle = [i for i, s in enumerate(tables[0]["sign"].to_pylist()) if s == [0, 0, 0]]
    assert [tables[0]["y"][i].as_py() for i in middle] == [[0.0, 0.0, 0.0]]
    assert tables[0]["walls"][middle[0]].as_py() == []
    assert {len(f) for f in tables[3]["faces"].to_pylist()} == {6}
    assert {len(f) for f in tables[1]["faces"].to_pylist()} == {2}
    assert set(tables[3]["rank_1"].to_pylist()) == {0, 1, 2, 3}
    again = pr.load(tmp_path / "cells" / "network.json")
    assert again.sha256 == CUBE.sha256
    with pytest.raises(RunError, match="exists already"):
        write_complex(tmp_path / "cells", cells, box)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        write_complex(tmp_path / "file" / "cells", cells, box)


SLICE = pr.Slice([0, 0, "1/3"], [[1, 0], [0, 2], [1, 1]], pr.Box(-1, 1))
WIDE = Network(
    (relu_layer(np.random.default_rng(0).integers(-3, 4, (70, 2)), np.arange(70) - 30.0),), "wide"
)


@pytest.mark.parametrize(
    ("network", "domain", "through_layer"),
    [
        (CUBE, pr.Box(-1, 1), None),
        (CUBE, SLICE, None),
        (LINE, pr.Box("-1/3", 1), None),
        (WIDE, pr.Polytope([[1, 1], [-1, 0], [0, -1]], [1, 0, 0]), None),
        (
            pr.Network.from_arrays([np.eye(2), [[1, 1], [1, -1]]], [[0, 0], [0, 1]]),
            pr.Box(-2, 2),
            1,
        ),
    ],
    ids=["cube", "slice", "line", "more than a word of units", "first layer"],
)
def test_a_complex_is_read_back(
    network: Network, domain: Any, through_layer: int | None, tmp_path: Path
) -> None:
    cells = cell_complex(network, domain, through_layer=through_layer)
    write_complex(tmp_path / "cells", cells, domain.describe())
    again = read_complex(tmp_path / "cells")
    assert (again.f_vector, again.dimension) == (cells.f_vector, cells.dimension)
    for d in range(cells.dimension + 1):
        assert np.array_equal(again.signs.of_units(d), cells.signs.of_units(d))
        assert np.array_equal(again.signs.on_walls(d), cells.signs.on_walls(d))
    for mine, theirs in zip(again.boundary, cells.boundary, strict=True):
        assert mine.dtype == theirs.dtype
        assert (mine != theirs).nnz == 0
    assert np.array_equal(again.vertices, cells.vertices)
    assert np.array_equal(again.vertex_error, cells.vertex_error)
    assert np.array_equal(again.ranks, cells.ranks)
    assert [again.exact_vertex(v) for v in range(cells.f_vector[0])] == exact_vertices(cells)
    assert volumes(again) == volumes(cells)


def _edit(path: Path, **changes: Any) -> None:
    stored = json.loads((path / "complex.json").read_text())
    (path / "complex.json").write_text(json.dumps({**stored, **changes}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: _edit(p, format=99), "format 99, expected 1"),
        (lambda p: _edit(p, f_vector=[9, 12, 5]), "tables have other sizes"),
        (lambda p: _edit(p, domain=pr.Box(-2, 2).describe()), "network or chart is another one"),
        (lambda p: pr.save(CUBE, p / "network.json"), "no complex that can be read|another one"),
        (lambda p: (p / "cells-1.parquet").unlink(), "no complex that can be read"),
        (lambda p: (p / "cells-1.parquet").write_bytes(b"PAR1"), "no complex that can be read"),
        (lambda p: (p / "complex.json").write_text("{"), "no complex that can be read"),
        (lambda p: (p / "complex.json").write_text("[]"), "no complex that can be read"),
        (lambda p: (p / "complex.json").unlink(), "no complex that can be read"),
    ],
)
def test_a_damaged_complex_is_refused(damage: Any, message: str, tmp_path: Path) -> None:
    write_complex(tmp_path / "c", cell_complex(SQUARE, pr.Box(-1, 1)), pr.Box(-1, 1).describe())
    if message.startswith("no complex that can be read|"):
        (tmp_path / "c" / "network.json").unlink()
    damage(tmp_path / "c")
    with pytest.raises((RunError, pr.PolyrankError), match=message):
        read_complex(tmp_path / "c")


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".vtu", ".vtk"])
def test_meshes_are_read_back(tmp_path: Path, suffix: str) -> None:
    cells = cell_complex(CUBE, pr.Box(-1, 1))
    write_mesh(tmp_path / f"cube{suffix}", cells)
    read = meshio.read(tmp_path / f"cube{suffix}")
    assert sum(len(block.data) for block in read.cells if block.type == "triangle") == 2 * 36
    assert sorted(map(tuple, read.points.tolist())) == sorted(map(tuple, cells.vertices.tolist()))


def test_vtp(tmp_path: Path) -> None:
    """VTK PolyData: polygons of a solid, lines of a curve."""
    write_mesh(tmp_path / "cube.vtp", cell_complex(CUBE, pr.Box(-1, 1)))
    piece = ET.parse(tmp_path / "cube.vtp").getroot()[0][0]
    assert piece.attrib["NumberOfPolys"] == "36"
    offsets = [int(v) for v in piece.findall("Polys/DataArray")[1].text.split()]
    assert offsets == list(range(4, 4 * 37, 4))
    curve = level_set(SQUARE, pr.Box(-1, 1), "1/2")
    write_mesh(tmp_path / "curve.vtp", curve.complex, curve.mask)
    piece = ET.parse(tmp_path / "curve.vtp").getroot()[0][0]
    assert (piece.attrib["NumberOfLines"], piece.attrib["NumberOfPolys"]) == ("2", "0")


def test_parts_and_curves(tmp_path: Path) -> None:
    part = level_set(CUBE, pr.Box(-1, 1), "1/2", output=2)
    write_mesh(tmp_path / "part.ply", part.complex, part.mask)
    triangles = meshio.read(tmp_path / "part.ply").cells_dict["triangle"]
    assert len(triangles) == 2 * part.f_vector[2] == 8
    curve = level_set(SQUARE, pr.Box(-1, 1), "1/2")
    write_mesh(tmp_path / "curve.vtu", curve.complex, curve.mask)
    assert len(meshio.read(tmp_path / "curve.vtu").cells_dict["line"]) == curve.f_vector[1] == 2
    write_mesh(tmp_path / "line.vtu", cell_complex(LINE, pr.Box(-1, 1)))
    assert len(meshio.read(tmp_path / "line.vtu").cells_dict["line"]) == 2


def test_cycles_are_cyclic() -> None:
    cells = cell_complex(SQUARE, pr.Box(-1, 1))
    found = cycles(cells.boundary, np.ones(4, dtype=bool))
    pairs = {
        tuple(sorted(ends)) for ends in cells.boundary[0].tocsc().indices.reshape(-1, 2).tolist()
    }
    for cycle in found:
        assert len(cycle) == 4
        for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True):
            assert tuple(sorted((a, b))) in pairs


def _without(name: str, monkeypatch: Any) -> None:
    real = builtins.__import__

    def missing(module: str, *args: Any, **kwargs: Any) -> Any:
        if module.split(".", maxsplit=1)[0] == name:
            raise ImportError(name)
        return real(module, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)


def test_refusals(tmp_path: Path, monkeypatch: Any) -> None:
    cells = cell_complex(SQUARE, pr.Box(-1, 1))
    with pytest.raises(UnsupportedError, match=r"meshes are written as \.ply"):
        write_mesh(tmp_path / "a.stl", cells)
    with pytest.raises(UnsupportedError, match=r"a picture is written as \.png"):
        save_picture(draw_complex(cells), tmp_path / "a.gif")
    with pytest.raises(UnsupportedError, match="dimension 1 has no picture"):
        draw_complex(cell_complex(LINE, pr.Box(-1, 1)))
    with monkeypatch.context() as patch:
        patch.setattr("polyrank.report.complex_map._MOST_WALLS", 3)
        with pytest.raises(UnsupportedError, match="3 can be drawn: take a smaller box"):
            draw_complex(cell_complex(CUBE, pr.Box(-1, 1)))
    empty = level_set(CUBE, pr.Box(-1, 1), -1)
    with pytest.raises(UnsupportedError, match="no 2-cell"):
        draw_complex(empty.complex, empty)
    with monkeypatch.context() as patch:
        patch.setattr("polyrank.complex.mesh.find_spec", lambda name: None)
        with pytest.raises(UnsupportedError, match=r"pip install 'polyrank\[mesh\]'"):
            write_mesh(tmp_path / "a.ply", cells)
        write_mesh(tmp_path / "a.vtp", cells)  # needs no meshio
    with pytest.raises(UnsupportedError, match="there is no folder"):
        write_mesh(tmp_path / "none" / "a.vtp", cells)
    with monkeypatch.context() as patch:
        _without("matplotlib", patch)
        with pytest.raises(UnsupportedError, match=r"pip install 'polyrank\[plot\]'"):
            draw_complex(cells)


def test_pictures(tmp_path: Path) -> None:
    """A plane with its curve has two collections; a surface one polygon per face."""
    curve = level_set(SQUARE, pr.Box(-1, 1), "1/2")
    figure = draw_complex(curve.complex, curve)
    lines = figure.axes[0].collections
    assert [len(c.get_segments()) for c in lines] == [curve.complex.f_vector[1], 2]
    surface = level_set(CUBE, pr.Box(-1, 1), "1/2", output=2)
    figure = draw_complex(surface.complex, surface)
    assert figure.axes[0].get_title(loc="left").endswith(": output 2 = 1/2")
    for suffix in ("png", "svg", "pdf"):
        save_picture(draw_complex(curve.complex, curve), tmp_path / f"a.{suffix}")
        assert (tmp_path / f"a.{suffix}").stat().st_size > 1000
