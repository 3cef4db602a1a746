"""Where samples come from: files, also hostile ones; draws that stay in the domain."""

from __future__ import annotations

import gzip
from fractions import Fraction

import numpy as np
import pytest

import polyrank as pr
from polyrank.errors import DomainError, FormatError, NetworkError
from polyrank.posed.chart import chart
from polyrank.sampling.points import (
    array_blocks,
    exact_point,
    inside,
    mnist_images,
    normal_blocks,
    points_file,
    uniform_blocks,
)
from tests.conftest import shared


class _Bomb:
    def __reduce__(self):
        return print, ("executed",)


def _saved(path, array, **options):
    np.save(path, array, **options)
    return path


def test_points_of_any_number_type(tmp_path):
    for dtype in ("f2", "f4", "f8", "i1", "u2", "i8", ">f4"):
        path = _saved(tmp_path / "p.npy", np.arange(6, dtype=dtype).reshape(3, 2))
        (block,) = array_blocks(points_file(path))
        assert block.dtype == np.float64
        assert block.tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), r"shape \(3,\); expected"),
        (np.zeros((2, 2, 2)), "expected numbers"),
        (np.zeros((2, 2), complex), "dtype complex128"),
        (np.zeros((2, 2), bool), "dtype bool"),
        (np.zeros((2, 2), np.longdouble), "at most 64 bits"),
        (np.array([["a", "b"]]), "dtype <U1"),
        (np.zeros((1, 2), [("x", "f4")]), "expected numbers"),
        (np.array([["2020-01-01"]], "M8[D]"), "expected numbers"),
    ],
)
def test_arrays_that_are_no_points(tmp_path, array, message):
    with pytest.raises(FormatError, match=message):
        points_file(_saved(tmp_path / "p.npy", array))


def test_hostile_files(tmp_path, capsys):
    objects = _saved(tmp_path / "o.npy", np.array([[_Bomb()]], object), allow_pickle=True)
    with pytest.raises(FormatError, match="is not an array of points"):
        points_file(objects)
    good = _saved(tmp_path / "g.npy", np.zeros((4, 2))).read_bytes()
    for name, content in {
        "empty": b"",
        "text": b"1 2 3\n",
        "pickle": b"\x80\x04cbuiltins\nprint\n.",
        "zip": b"PK\x03\x04" + bytes(100),
    }.items():
        path = tmp_path / f"{name}.npy"
        path.write_bytes(content)
        with pytest.raises(FormatError, match=r"no \.npy file"):
            points_file(path)
    for cut in (6, 8, 20, 100, len(good) - 1):
        path = tmp_path / "cut.npy"
        path.write_bytes(good[:cut])
        with pytest.raises(FormatError, match="is not an array of points"):
            points_file(path)
    for old, new in (
        (b"(4, 2)", b"(4e9,)"),
        (b"(4, 2)", b"(-4,2)"),
        (b"(4, 2)", b"(" + b"9" * 4 + b",)"),
        (b"'<f8'", b"'|O9'"),
        (b"{'descr'", b"{('descr'"[:8]),
        (b"{", b"("),
    ):
        path = tmp_path / "bad.npy"
        path.write_bytes(good.replace(old, new))
        with pytest.raises(FormatError):
            points_file(path)
    with pytest.raises(FileNotFoundError):
        points_file(tmp_path / "none.npy")
    with pytest.raises(IsADirectoryError):
        points_file(tmp_path)
    assert "executed" not in capsys.readouterr().out


def test_points_that_are_no_numbers():
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(NetworkError, match="point 1 is not finite"):
            list(array_blocks(np.array([[0.0, 1.0], [bad, 0.0]])))
    with pytest.raises(NetworkError, match=r"2\^53 or above"):
        list(array_blocks(np.array([[2**53 + 1]])))


def test_inside_is_exact_at_walls():
    third = chart(pr.Box("-1/3", "1/3"), 1)
    below, above = np.nextafter(1 / 3, 0), 1 / 3
    while Fraction(above) <= Fraction(1, 3):
        below, above = above, np.nextafter(above, 1)
    Y = np.array([[below], [above], [-below], [-above], [0.0], [1e300], [-1e300]])
    assert inside(third, Y).tolist() == [True, False, True, False, True, False, False]
    closed = chart(pr.Box([0, 0], [1, 1]), 2)
    assert inside(closed, np.array([[0.0, 1.0], [1.0, 1 + 2.0**-52]])).tolist() == [True, False]
    assert inside(chart(pr.WholeSpace(), 2), np.ones((2, 2))).tolist() == [True, True]
    # x + y ≤ 1/10 + 1/5, whose float sum is above 0.3
    triangle = chart(pr.Polytope([[1, 1], [-1, 0], [0, -1]], ["3/10", 0, 0]), 2)
    Y = np.array([[0.1, 0.2], [0.1, np.nextafter(0.2, 0)], [0.0, 0.0], [1.0, 1.0], [0.05, -1e-9]])
    exact = [Fraction(x) + Fraction(y) <= Fraction(3, 10) and y >= 0 for x, y in Y]
    assert inside(triangle, Y).tolist() == exact
    huge = chart(pr.Box([0], [10**400]), 1)
    assert inside(huge, np.array([[1e308], [-5e-324]])).tolist() == [True, False]
    low = chart(pr.Box([-(10**400)], [0]), 1)
    assert inside(low, np.array([[-1e308], [5e-324]])).tolist() == [True, False]


def test_draws_stay_in_the_domain_and_repeat():
    triangle = chart(pr.Polytope([[1, 1], [-1, 0], [0, -1]], [1, 0, 0]), 2)
    blocks = list(uniform_blocks(triangle, 40_000, 3))
    points = np.concatenate(blocks)
    assert len(points) == 40_000
    assert (points >= 0).all()
    assert (points.sum(axis=1) <= 1).all()
    assert np.abs(points.mean(axis=0) - 1 / 3).max() < 0.01  # the centroid
    again = np.concatenate(list(uniform_blocks(triangle, 40_000, 3)))
    assert (again == points).all()
    normal = np.concatenate(list(normal_blocks(chart(pr.WholeSpace(), 2), 40_000, 0, 2.0)))
    assert np.abs(normal.std(axis=0) - 2).max() < 0.05
    half = np.concatenate(list(normal_blocks(triangle, 1000, 0)))
    assert len(half) == 1000
    assert inside(triangle, half).all()


def test_draws_that_are_refused(monkeypatch):
    with pytest.raises(DomainError, match="unbounded"):
        list(uniform_blocks(chart(pr.WholeSpace(), 2), 10, 0))
    sliver = chart(pr.Polytope([[1, -1], [-1, 1], [1, 0], [-1, 0]], [1e-9, 1e-9, 1, 1]), 2)
    with pytest.raises(DomainError, match="draws lay in the domain"):
        list(uniform_blocks(sliver, 100_000, 0))


def _idx(shape=(2, 2, 2), magic=2051, pixels=None) -> bytes:
    body = bytes(range(8)) if pixels is None else pixels
    return np.array([magic, *shape], ">i4").tobytes() + body


def test_idx_files(tmp_path):
    name = tmp_path / "t10k-images-idx3-ubyte"
    name.write_bytes(_idx())
    assert mnist_images(tmp_path).tolist() == [
        [v / 255 for v in r] for r in ([0, 1, 2, 3], [4, 5, 6, 7])
    ]
    packed = tmp_path / "z"
    packed.mkdir()
    (packed / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(_idx()))
    assert (mnist_images(packed) == mnist_images(tmp_path)).all()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0",
        _idx(magic=2049),
        _idx(shape=(2, 2, 3)),
        _idx(shape=(2, -2, -2)),
        _idx(shape=(2**30, 2**30, 2**30)),
        _idx(pixels=bytes(9)),
    ],
)
def test_hostile_idx_files(tmp_path, content):
    for name, body in (
        ("t10k-images-idx3-ubyte", content),
        ("t10k-images-idx3-ubyte.gz", gzip.compress(content)),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes(body)
        with pytest.raises(FormatError, match="not a complete IDX file"):
            mnist_images(folder)


def test_damaged_or_missing_idx_files(tmp_path):
    with pytest.raises(FormatError, match="holds no t10k"):
        mnist_images(tmp_path)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    whole = gzip.compress(_idx(pixels=bytes(np.random.default_rng(0).bytes(8))))
    for content in (whole[:-9], b"no gzip", whole[:12] + b"\xff\xff\xff" + whole[15:]):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=r"is damaged|complete IDX"):
            mnist_images(tmp_path)


def test_mnist():
    images = mnist_images(shared("mnist"))
    assert images.shape == (10_000, 784)
    assert (images.min(), images.max()) == (0.0, 1.0)


def test_draws_that_overflow():
    wide = chart(pr.Box(-(2**900), 2**900), 1)
    assert np.isfinite(np.concatenate(list(uniform_blocks(wide, 10, 0)))).all()
    for scale in (1e308, np.inf):
        with pytest.raises(DomainError, match="overflow float64"):
            list(normal_blocks(chart(pr.WholeSpace(), 9), 500, 0, scale))


def test_a_file_without_points(tmp_path):
    for shape in ((0, 2), (3, 0)):
        with pytest.raises(FormatError, match="holds no points"):
            points_file(_saved(tmp_path / "e.npy", np.zeros(shape)))


def test_the_row_that_is_not_finite_is_named(tmp_path):
    path = _saved(tmp_path / "p.npy", np.array([[0.0, 1.0], [1.0, np.nan]]))
    assert exact_point(str(path), 0) == [0, 1]
    with pytest.raises(FormatError, match=r"row 1 of .* is not finite"):
        exact_point(str(path), 1)
