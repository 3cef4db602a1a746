"""Meshes as other programs write them, and vertices that lie in one place."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from flint import fmpq

from polyrank.chains.groups import homology
from polyrank.errors import DomainError
from polyrank.network.rational import RationalArray
from polyrank.topology.files import read_manifold
from polyrank.topology.manifold import build_manifold
from polyrank.topology.merging import merged_points
from polyrank.topology.restriction import restrict
from tests.topology.test_subdivide import random_network

HERE = Path(__file__).parent / "data"


@pytest.mark.parametrize(
    ("name", "groups", "cells"),
    [("off_glued.off", "Z, 0, Z", (8, 18, 12)), ("obj_continuation.obj", "Z, 0, 0", (4, 5, 2))],
)
def test_files_of_other_programs(name, groups, cells):
    made = read_manifold(HERE / name)
    assert made.complex.cells == cells
    assert str(homology(made.complex)) == groups


def test_a_number_that_is_no_integer_is_named_with_its_line():
    with pytest.raises(
        DomainError,
        match="^ply_not_integer.ply: line 14: vertex_indices of a face is '0.5', expected an int",
    ):
        read_manifold(HERE / "ply_not_integer.ply")


TRIANGLE = "0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"


@pytest.mark.parametrize(
    "text",
    [
        "OFF3 1 0\n" + TRIANGLE,
        "OFF3 1\n" + TRIANGLE,
        "OFF 3 1 0\n" + TRIANGLE,
        "# made by hand\nOFF3 1 0 # counts\n\n" + TRIANGLE,
        "COFF3 1 0\n0 0 0 9 9 9 9\n1 0 0 9 9 9 9\n0 1 0 9 9 9 9\n3 0 1 2\n",
        "nOFF3\n3 1 0\n" + TRIANGLE,
    ],
)
def test_off_glued_to_its_numbers(tmp_path, text):
    (tmp_path / "a.off").write_text(text)
    assert read_manifold(tmp_path / "a.off").complex.cells == (3, 3, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("OFFx 3 1 0\n" + TRIANGLE, "starts with OFF, this one with 'OFFx'"),
        ("OFF BINARY\n", "binary OFF is not read"),
        (
            "OFF\n3 1 0\n0 0\n1 0\n0 1\n3 0 1 2\n",
            "line 3: expected a vertex with 3 coordinates, got '0 0'",
        ),
    ],
)
def test_refused_off(tmp_path, text, message):
    (tmp_path / "a.off").write_text(text)
    with pytest.raises(DomainError, match=message):
        read_manifold(tmp_path / "a.off")


@pytest.mark.parametrize(
    "text",
    [
        "v 0 0 0\nv 1 0 0\nv 0 1 \\\n0\nf 1 \\\n2 \\\n 3\n",
        "v 0 0 0\r\nv 1 0 0\r\nv 0 1 0\r\nf 1 2 \\\r\n3\r\n",
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 \\  \n3\n",
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3 \\",
    ],
)
def test_continued_lines_of_obj(tmp_path, text):
    (tmp_path / "a.obj").write_bytes(text.encode())
    assert read_manifold(tmp_path / "a.obj").complex.cells == (3, 3, 1)


def ply(properties: str, rows: str, *, faces: str = "3 0 1 2\n", face: str = "") -> str:
    return (
        f"ply\nformat ascii 1.0\nelement vertex 3\n{properties}element face 1\n"
        f"property list uchar int vertex_indices\n{face}end_header\n{rows}{faces}"
    )


XYZ = "property float x\nproperty float y\nproperty float z\n"
RGB = "property uchar red\nproperty uchar green\nproperty uchar blue\n"
PLAIN = "0 0 0\n1 0 0\n0 1 0\n"
COLOURED = "0 0 0 255 0 0\n1 0 0 255 0 0\n0 1 0 255 0 0\n"


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (ply(XYZ, PLAIN), ""),
        (ply(XYZ + RGB, COLOURED), ""),
        (ply(XYZ, COLOURED), "3 rows hold more than the header names"),
        (ply(XYZ + RGB, PLAIN), "3 rows lack properties of the header"),
        (ply(XYZ + RGB, COLOURED.replace("255", "0.5")), ""),
        (ply(XYZ, PLAIN, faces="3 0 1 2 255 255 255\n"), "1 rows hold more"),
        (ply(XYZ, PLAIN, face=RGB), "1 rows lack properties"),
        (ply(RGB + XYZ, "9 9 9 0 0 0\n9 9 9 1 0 0\n9 9 9 0 1 0\n"), ""),
        # not a line for every entry: the numbers are read one after the other
        (ply(XYZ, "0 0 0 1 0 0 0 1 0\n"), ""),
    ],
)
def test_ply_colours_that_do_not_match_the_header(tmp_path, text, note):
    (tmp_path / "a.ply").write_text(text)
    made = read_manifold(tmp_path / "a.ply")
    assert made.points.approx.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert made.complex.cells == (3, 3, 1)
    assert note in made.note
    assert bool(note) == bool(made.note)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ply(RGB + XYZ, PLAIN), "line 13: '0 0 0' is no vertex with red green blue x y z"),
        (ply(XYZ, PLAIN, faces="3 0 1\n"), "line 13: '3 0 1' is no face with vertex_indices"),
        (ply(XYZ, PLAIN, faces="-3 0 1 2\n"), "line 13: a list of the element face has length -3"),
        (ply(XYZ, PLAIN, faces="3 0 x 2\n"), "a face is 'x', expected an integer"),
        (ply(XYZ, PLAIN.replace("1 0 0", "1 y 0")), "line 11: y of a vertex is 'y', expected"),
        (ply(XYZ, PLAIN, faces="3 0 1\n2 7\n"), "line 14: '7' is more than the header promises"),
        (ply(XYZ, "0 0 0 1 0 0 0 1\n", faces=""), "truncated"),
        (ply(XYZ, PLAIN).replace("uchar int v", "uchar float v").replace("3 0 1 2", "3 0 1.5 2"),
         "face 0 names the vertex 1.5: expected a whole number"),
    ],
)  # fmt: skip
def test_refused_ply(tmp_path, text, message):
    (tmp_path / "a.ply").write_text(text)
    with pytest.raises(DomainError, match=message):
        read_manifold(tmp_path / "a.ply")


def test_binary_ply_with_more_than_its_header_says(tmp_path):
    head = ply(XYZ, "", faces="").replace("ascii", "binary_little_endian").encode()
    colours = b"".join(struct.pack("<3f3B", *p, 9, 9, 9) for p in [(0, 0, 0), (1, 0, 0), (0, 1, 0)])
    plain = b"".join(struct.pack("<3f", *p) for p in [(0, 0, 0), (1, 0, 0), (0, 1, 0)])
    face = struct.pack("<B3i", 3, 0, 1, 2)
    (tmp_path / "a.ply").write_bytes(head + plain + face + b"\n")
    assert read_manifold(tmp_path / "a.ply").complex.cells == (3, 3, 1)
    (tmp_path / "a.ply").write_bytes(head + plain + face + b"more")
    with pytest.raises(DomainError, match="4 bytes follow what the header promises"):
        read_manifold(tmp_path / "a.ply")
    (tmp_path / "a.ply").write_bytes(head + colours + face)
    with pytest.raises(DomainError):
        read_manifold(tmp_path / "a.ply")


CUBE = np.array([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)])
SIDES = [[0, 1, 3, 2], [4, 5, 7, 6], [0, 1, 5, 4], [2, 3, 7, 6], [0, 2, 6, 4], [1, 3, 7, 5]]


def corner_by_corner(tmp_path) -> Path:
    lines = [f"v {x} {y} {z}" for side in SIDES for x, y, z in CUBE[side].tolist()]
    lines += [f"f {4 * i + 1} {4 * i + 2} {4 * i + 3} {4 * i + 4}" for i in range(6)]
    path = tmp_path / "cube.obj"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_cube_with_one_vertex_per_corner(tmp_path):
    """Six squares that share no vertex: Z^6; with the points merged, a sphere."""
    loose = read_manifold(corner_by_corner(tmp_path))
    assert str(homology(loose.complex)) == "Z^6, 0, 0"
    assert "24 vertices lie in 8 places" in loose.note
    assert "--merge-points" in loose.note
    cube = merged_points(loose)
    assert str(homology(cube.complex)) == "Z, 0, Z"
    assert "24 vertices were merged into 8" in cube.note
    assert "24 vertices lie" not in cube.note
    assert "6 polygons were divided" in cube.note
    assert merged_points(cube) is cube
    net = random_network(3, 4, 1)
    assert str(homology(restrict(net, cube).complex)) == "Z, 0, Z"
    assert str(homology(restrict(net, loose).complex)) == "Z^6, 0, 0"


def test_merging_lowers_simplices_and_keeps_labels():
    """A triangle with two corners in one place becomes an edge."""
    points = [[0.0, 0.0], [1.0, 0.0], [1.0, -0.0], [0.0, 1.0]]
    flat = build_manifold(points, [[[0, 1, 2], [0, 1, 3]]], labels=[[4, 5]])
    made = merged_points(flat)
    assert made.complex.cells == (3, 3, 1)
    assert made.labels[2].tolist() == [5]
    assert sorted(made.labels[1].tolist()) == [-1, 5, 5]
    assert "1 simplices had two corners in one place" in made.note
    thirds = RationalArray.from_rationals([fmpq(1, 3), fmpq(2, 6), fmpq(1, 2)], (3, 1))
    assert merged_points(build_manifold(thirds, [[[0, 2], [1, 2]]])).complex.cells == (2, 1)


def test_merging_drops_labels_that_some_facet_lacks():
    made = merged_points(
        build_manifold([[0.0], [0.0], [1.0], [2.0]], [[[0, 2]], [[1]], [[2, 3]]],
                       labels=[[1], [1], [2]])
    )  # fmt: skip
    assert made.complex.cells == (3, 2)
    assert made.labels[1].tolist() == [1, 2]
