"""Manifolds from arrays, files and point clouds; what is hostile is refused by name."""

from __future__ import annotations

import builtins
import struct
import sys

import numpy as np
import pytest
from flint import fmpq

from polyrank.chains.groups import homology
from polyrank.errors import DomainError, UnsupportedError
from polyrank.network.rational import RationalArray
from polyrank.topology.files import facet_arrays, read_manifold
from polyrank.topology.manifold import build_manifold
from polyrank.topology.point_cloud import complex_of_points, read_labels, read_points
from tests.conftest import shared

SQUARE = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]


def test_labels_of_faces():
    """A face of facets of one class has that class, a face between classes has none."""
    made = build_manifold(SQUARE, [[[0, 1, 2], [1, 2, 3]]], labels=[[5, 6]])
    edges = dict(zip(map(tuple, made.simplices[1].tolist()), made.labels[1].tolist(), strict=True))
    assert edges == {(0, 1): 5, (0, 2): 5, (1, 2): -1, (1, 3): 6, (2, 3): 6}
    assert made.labels[0].tolist() == [5, -1, -1, 6]
    assert made.dimension == 2
    assert [m.sum() for m in made.maximal] == [0, 0, 2]


def test_rational_points_stay_exact():
    points = RationalArray.from_rationals(["1/3", "0", "1", "2/7"], (2, 2))
    made = build_manifold(points, [[[0, 1]]], labels=[[0]])
    assert made.point(0) == [fmpq(1, 3), fmpq(0)]
    assert made.of_class(0).point(1) == [fmpq(1), fmpq(2, 7)]


@pytest.mark.parametrize(
    ("points", "facets", "labels", "message"),
    [
        (SQUARE, [], None, "has no simplices"),
        (SQUARE, [np.empty((0, 3), int)], None, "has no simplices"),
        ([[0.0, np.nan]], [[[0]]], None, "every number must be finite"),
        ([0.0, 1.0], [[[0]]], None, r"must be a matrix \(V, n\)"),
        (SQUARE, [[[0, 1, 4]]], None, r"simplex 0 is \[0, 1, 4\], but there are 4 points"),
        (SQUARE, [[[0, -1, 2]]], None, "numbered from 0"),
        (SQUARE, [[[0, 1, 1]]], None, "it repeats a vertex"),
        (SQUARE, [[[0, 1], [2]]], None, "different sizes must be in different arrays"),
        (SQUARE, [[0, 1]], None, r"got shape \(2,\)"),
        (SQUARE, [[[0.0, 1.0]]], None, "of float64"),
        (
            SQUARE,
            [[[0, 1]]],
            None,
            "2 of the points of manifold belong to no simplex, the first is point 2",
        ),
        (SQUARE, [[[0, 1, 2, 3]]], [[0], [1]], "1 arrays of simplices but 2 of labels"),
        (SQUARE, [[[0, 1, 2, 3]]], [[0, 1]], r"labels must be 1 integers >= 0, got shape \(2,\)"),
        (SQUARE, [[[0, 1, 2, 3]]], [[-1]], "labels must be"),
    ],
)
def test_refused_arrays(points, facets, labels, message):
    with pytest.raises(DomainError, match=message):
        build_manifold(points, facets, labels=labels)


def write(folder, name, content):
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    return path


PLY_HEAD = (
    "ply\nformat {} 1.0\ncomment made by hand\nelement vertex 4\nproperty float x\n"
    "property float y\nproperty float z\nelement face 1\n"
    "property list uchar int vertex_indices\nelement edge 1\nproperty int vertex1\n"
    "property int vertex2\nend_header\n"
)


def binary_ply(order: str) -> bytes:
    name = "binary_little_endian" if order == "<" else "binary_big_endian"
    body = b"".join(struct.pack(order + "3f", i, i * i, 0) for i in range(4))
    body += struct.pack(order + "B3i", 3, 0, 1, 2) + struct.pack(order + "2i", 2, 3)
    return PLY_HEAD.format(name).encode() + body


ASCII_PLY = PLY_HEAD.format("ascii") + "0 0 0\n1 1 0\n2 4 0\n3 9 0\n3 0 1 2\n2 3\n"


@pytest.mark.parametrize(
    ("name", "content", "cells"),
    [
        (
            "a.off",
            "OFF\n# a comment\n4 2 0\n0 0 0\n1 0 0\n0 1 0\n1 1 0\n3 0 1 2\n3 1 2 3\n",
            (4, 5, 2),
        ),
        ("b.off", "OFF 4 1 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3 0.5 0.5 0.5\n", (4, 5, 2)),
        ("c.off", "nOFF\n2\n3 1 0\n0 0\n1 0\n0 1\n3 0 1 2\n", (3, 3, 1)),
        ("d.off", "COFF\n3 1 0\n0 0 0 1 1 1 1\n1 0 0 1 1 1 1\n0 1 0 1 1 1 1\n3 0 1 2\n", (3, 3, 1)),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 2 2 2\nf 1/1/1 2//2 -2\nl 3 4\np 4\n", (4, 4, 1)),
        ("a.ply", ASCII_PLY, (4, 4, 1)),
        ("b.ply", binary_ply("<"), (4, 4, 1)),
        ("c.ply", binary_ply(">"), (4, 4, 1)),
        ("a.txt", "# a circle\n1 2\n2, 3\n3 1\n", (3, 3)),
        ("b.txt", "0 1 2\n2 3\n", (4, 4, 1)),
        (
            "c.txt",
            b"# Br\xfcckner\nfacets:=[ [ 1, 2, 3 ], [ 1, 2, 4 ],\n  [ 3, 4 ] ];\n",
            (4, 6, 2),
        ),
        ("torus", "1 2\n2 3\n3 1\n", (3, 3)),
        ("a.json", '{"points": [["1/3", 0.5], [1, 2]], "facets": [[0, 1]], "labels": [7]}', (2, 1)),
        ("b.json", '{"facets": [[0, 1, 2], [2, 3]], "name": "kite"}', (4, 4, 1)),
    ],
)
def test_formats(tmp_path, name, content, cells):
    made = read_manifold(write(tmp_path, name, content))
    assert made.complex.cells == cells
    if name == "a.json":
        assert made.point(0) == [fmpq(1, 3), fmpq(1, 2)]
        assert made.labels[1].tolist() == [7]
    if name == "b.off":
        assert made.note == "1 polygons were divided into triangles from their first corner"
    if name.endswith(".ply"):
        assert made.points.approx[3].tolist() == [3.0, 9.0, 0.0]


def test_npz(tmp_path):
    path = tmp_path / "square.npz"
    np.savez(path, points=SQUARE, simplices=[[0, 1, 2], [1, 2, 3]], labels=[0, 1])
    assert read_manifold(path).of_class(1).complex.cells == (3, 3, 1)
    np.savez(path, points=SQUARE, simplices_1=[[2, 3]], simplices_2=[[0, 1, 2]])
    assert read_manifold(path).complex.cells == (4, 4, 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.stl", "solid", "expected a manifold in .npz"),
        ("x.off", "", "the file is empty"),
        ("x.off", "# nothing\n", "starts with OFF, this one with ''"),
        ("x.off", "FFO\n", "starts with OFF, this one with 'FFO'"),
        ("x.off", "4OFF\n1 0 0\n", "starts with OFF|the variant"),
        ("x.off", "NOFF\n1 0 0\n", "the variant NOFF is not read"),
        ("x.off", "nOFF\n", "ends after its header"),
        ("x.off", "OFF\n3\n", "counts of vertices and faces are missing"),
        ("x.off", "OFF\n3 x 0\n", "line 2: the counts: expected integers, got '3 x 0'"),
        ("x.off", "OFF\n3 1 0\n0 0 0\n", "promises 3 vertices and 1 faces"),
        ("x.off", "OFF\n-3 1 0\n", "its counts are wrong"),
        ("x.off", "OFF\n1 1 0\n1_0 0 0\n1 0\n", "a vertex: expected numbers, got '1_0 0 0'"),
        ("x.off", "OFF\n1 1 0\n٣ 0 0\n1 0\n", "a vertex: expected numbers"),
        ("x.json", '{"points": [[true]], "facets": [[0]]}', "not of true and false"),
        ("x.json", '{"points": [[1]], "points": [[2]], "facets": [[0]]}', "'points' comes twice"),
        ("x.off", "OFF\n1 1 0\n0 a 0\n1 0\n", "line 3: a vertex: expected numbers, got '0 a 0'"),
        (
            "x.off",
            "OFF\n1 1 0\n0 0 0\n3 0 0\n",
            "line 4: expected a face with 3 corners, got '3 0 0'",
        ),
        ("x.off", "OFF\n1 1 0\n0 0 0\n1 0\n1 0\n", "but 3 lines follow: its counts are wrong"),
        ("x.off", "OFF\n# one\n\n1 1 0\n0 0 0\n1 0.5\n", "line 6: a face: expected integers"),
        ("x.obj", "v 0 0 0\nf 1 \\\n x\n", "line 2: an element: expected integers, got 'f 1 x'"),
        ("x.off", "OFF\n1 0 0\n0 0 0\n", "1 vertices and 0 faces: no complex"),
        (
            "x.off",
            "OFF\n2 1 0\n0 0 0\n0 0\n2 0 1\n",
            "line 4: expected a vertex with 3 coordinates, got '0 0'",
        ),
        ("x.off", "OFF\n1 1 0\n0 nan 0\n1 0\n", "finite"),
        ("x.off", b"\xff\xfe\x00", "not a text file"),
        (
            "x.obj",
            "v 0 0 0\nf 0 1 2\n",
            "line 2: an element: expected vertices, which count from 1, got 'f 0 1 2'",
        ),
        ("x.obj", "v 0 0 0\nf 1 2 3\n", "but there are 1 points"),
        ("x.txt", "0 1\na b\n", "line 2 is 'a b': expected vertex numbers"),
        ("x.txt", "# nothing\n", "lists no facets"),
        ("x.txt", "0 5000\n", "give points"),
        ("x.txt", "facets:=[[1, 2], [2, x]];\n", "what follows := is no list of lists"),
        ("x.txt", "facets:=[[1, 2], 3];\n", "facets must be lists of integers"),
        ("x.txt", "facets:=" + "[" * 100_000 + "]", "what follows := is no list of lists"),
        ("x.txt", "facets:=[[]];\n", "points must be a matrix"),
        ("x.json", "[1, 2]", "expected a JSON object"),
        ("x.json", "{", "not JSON"),
        ("x.json", "[" * 100_000, "nested too deeply"),
        ("x.json", '{"facets": [[0]], "colour": 1}', "unknown key 'colour'"),
        ("x.json", '{"facets": [[0, 1.5]]}', "facets must be lists of integers"),
        ("x.json", '{"facets": []}', "facets must be lists of integers"),
        ("x.json", '{"facets": [[0]], "points": 3}', "points must be a list of lists"),
        ("x.json", '{"facets": [[0]], "points": [[0], [0, 1]]}', "equally many coordinates"),
        ("x.json", '{"facets": [[0]], "points": [["one"]]}', "points: 'one' is not"),
        ("x.json", '{"facets": [[0]], "points": [[NaN]]}', "not a finite number"),
        ("x.json", '{"facets": [[0], [1]], "labels": [0]}', "2 facets but 1 labels"),
        ("x.ply", "plyx", "has an 'end_header'"),
        ("x.ply", "ply\nend_header\n", "states no format"),
        ("x.ply", "ply\nformat ascii 1.0\nend_header\n", "no element vertex with x and y"),
        ("x.ply", "ply\nformat odd 1.0\nend_header\n", "'format odd 1.0' is not understood"),
        ("x.ply", "ply\nproperty float x\nend_header\n", "is not understood"),
        ("x.ply", "ply\nnonsense\nend_header\n", "is not understood"),
        ("x.ply", "ply\nformat ascii 1.0\nelement vertex -1\nend_header\n", "cannot have -1"),
        (
            "x.ply",
            "ply\nformat ascii 1.0\nelement vertex 1\nproperty list float int x\nend_header\n",
            "has no integer length",
        ),
        ("x.ply", ASCII_PLY[:-8], "the file is truncated"),
        (
            "x.ply",
            ASCII_PLY.replace("2 4 0", "2 four 0"),
            "line 16: y of a vertex is 'four', expected a number",
        ),
        ("x.ply", ASCII_PLY.replace("3 0 1 2", "0"), "a face has no vertex_indices"),
        (
            "x.ply",
            ASCII_PLY.replace("uchar", "char").replace("3 0 1 2", "-3 0 1 2"),
            "has length -3",
        ),
        ("x.ply", binary_ply("<")[:-4], "the file is truncated"),
    ],
)
def test_hostile_files(tmp_path, name, content, message):
    path = write(tmp_path, name, content)
    with pytest.raises(DomainError, match=message) as caught:
        read_manifold(path)
    assert "x." in str(caught.value)


def test_hostile_npz(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, points=SQUARE)
    with pytest.raises(DomainError, match=r"expected the arrays points and simplices, found"):
        read_manifold(path)
    np.savez(path, points=SQUARE, simplices=[[0, 1, 2, 3]], colour=[1])
    with pytest.raises(DomainError, match="unknown array 'colour'"):
        read_manifold(path)
    np.savez(path, points=SQUARE, simplices_1=[[0, 1]], simplices_2=[[1, 2, 3]], labels_1=[0])
    with pytest.raises(DomainError, match="for all arrays of simplices or for none"):
        read_manifold(path)
    np.savez(path, points=SQUARE, simplices=np.array([[{}]], dtype=object))
    with pytest.raises(DomainError, match=r"x\.npz"):
        read_manifold(path)
    with pytest.raises(DomainError, match="no such file"):
        read_manifold(tmp_path / "none.off")
    (tmp_path / "names.npz").write_bytes(b"PK")
    with pytest.raises(DomainError, match="not a readable"):
        read_manifold(tmp_path / "names.npz")
    np.savez(path, points=SQUARE, simplices=[[0, 1, 2, 3]], text=["no"])
    with pytest.raises(DomainError, match="'text' does not hold numbers"):
        read_manifold(path)


def test_facets_of_several_sizes():
    arrays, labels = facet_arrays([[0, 1], [2], [1, 2]], [5, 6, 7])
    assert [a.tolist() for a in arrays] == [[[2]], [[0, 1], [1, 2]]]
    assert [own.tolist() for own in labels] == [[6], [5, 7]]


def test_shared_point_clouds():
    """Points of a torus that gudhi ships: their alpha complex is a torus."""
    pytest.importorskip("gudhi")
    path = shared("gudhi/tore3D_1307.off")
    with pytest.raises(DomainError, match="0 faces: no complex"):
        read_manifold(path)
    made = complex_of_points(read_points(path), 0.2)
    assert homology(made.complex).betti[:3] == (1, 2, 1)


# --- point clouds -------------------------------------------------------------------------------


def ring(n: int) -> np.ndarray:
    t = 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(t), np.sin(t)], 1)


@pytest.mark.parametrize("kind", ["alpha", "rips"])
def test_point_cloud_of_a_circle(kind):
    pytest.importorskip("gudhi")
    made = complex_of_points(ring(12), 0.3, kind=kind)
    assert homology(made.complex).betti[:2] == (1, 1)
    assert "an approximation of what they were sampled from" in made.note
    assert np.array_equal(made.points.approx, ring(12))


def test_classes_of_a_point_cloud():
    pytest.importorskip("gudhi")
    points = np.concatenate([ring(12), ring(12) * 0.5 + [3.0, 0.0]])
    made = complex_of_points(points, 0.3, labels=np.repeat([0, 1], 12))
    assert str(homology(made.of_class(1).complex)).startswith("Z, Z")
    touching = complex_of_points(np.array([[0.0], [0.1]]), 1.0, labels=[0, 1], kind="rips")
    assert touching.labels[1].tolist() == [2]
    with pytest.raises(DomainError, match="labels must be 2 integers"):
        complex_of_points(np.array([[0.0], [0.1]]), 1.0, labels=[0.5, 1])


@pytest.mark.parametrize(
    ("points", "radius", "message"),
    [
        (np.zeros((0, 2)), 1.0, "finite matrix"),
        ([[np.inf, 0.0]], 1.0, "finite matrix"),
        ([[0.0, 0.0]], -1.0, "radius must be positive, got -1"),
        ([[0.0, 0.0]], np.nan, "radius must be positive"),
        ([[0.0, 0.0], [0.0, 0.0]], 1.0, "holds a point twice"),
    ],
)
def test_refused_clouds(points, radius, message):
    pytest.importorskip("gudhi")
    with pytest.raises(DomainError, match=message):
        complex_of_points(points, radius)


def test_too_many_simplices(monkeypatch):
    pytest.importorskip("gudhi")
    monkeypatch.setattr("polyrank.topology.cliques._MAX_SIMPLICES", 5)
    with pytest.raises(DomainError, match="more than 5; use a smaller radius"):
        complex_of_points(ring(12), 0.3)


def test_without_gudhi(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "gudhi":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "gudhi", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UnsupportedError, match=r"pip install 'polyrank\[topology\]'"):
        complex_of_points(ring(5), 1.0)


def test_points_and_labels_in_files(tmp_path):
    np.save(tmp_path / "p.npy", ring(5))
    assert read_points(tmp_path / "p.npy").shape == (5, 2)
    (tmp_path / "p.csv").write_text("0,1\n2,3\n")
    assert read_points(tmp_path / "p.csv").tolist() == [[0, 1], [2, 3]]
    np.save(tmp_path / "l.npy", np.array([0.0, 1.0]))
    assert read_labels(tmp_path / "l.npy").tolist() == [0, 1]
    np.save(tmp_path / "l.npy", np.array([[0, 1], [1, 0]]))
    assert read_labels(tmp_path / "l.npy").tolist() == [1, 0]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("p.npy", np.zeros(3), "expected a matrix of numbers"),
        ("p.npy", b"\x93NUMPY", "not a matrix of numbers"),
        ("p.npy", np.array([[{}]], dtype=object), "not a matrix of numbers"),
        ("p.csv", b"a,b\n", "not a matrix of numbers"),
        ("p.off", b"", "the file is empty"),
        ("p.bin", b"0", "a point cloud is a .npy, .csv or .off file"),
    ],
)
def test_refused_points(tmp_path, name, value, message):
    path = tmp_path / name
    if isinstance(value, bytes):
        path.write_bytes(value)
    else:
        np.save(path, value, allow_pickle=True)
    with pytest.raises(DomainError, match=message):
        read_points(path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([[1, 1], [0, 1]]), "must have a single 1"),
        (np.array([0.5]), "one whole number"),
        (np.array([-1]), "one whole number"),
        (b"", "not an array of labels"),
    ],
)
def test_refused_labels(tmp_path, value, message):
    path = tmp_path / "l.npy"
    if isinstance(value, bytes):
        path.write_bytes(value)
    else:
        np.save(path, value)
    with pytest.raises(DomainError, match=message):
        read_labels(path)


def test_missing_point_files(tmp_path):
    for read in (read_points, read_labels):
        with pytest.raises(DomainError, match="cannot read"):
            read(tmp_path / "none.npy")
