"""Where samples come from: arrays, MNIST images, uniform and normal points of a domain.

Random points are drawn in the chart's coordinates y and kept only if they lie in the domain, which
is decided exactly, so that no sample is ever judged against a run that does not cover it.
"""

from __future__ import annotations

import gzip
import math
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.errors import DomainError, FormatError, NetworkError
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray, fmpq_from_float, fmpq_from_text, nearest_float
from polyrank.posed.chart import Chart

__all__ = [
    "array_blocks",
    "exact_point",
    "inside",
    "mnist_images",
    "normal_blocks",
    "points_file",
    "uniform_blocks",
    "within",
]

_BLOCK = 16384
# what numpy raises for a header that is no dictionary of dtype, order and shape
_BAD_HEADER = (ValueError, EOFError, OverflowError, SyntaxError, TokenError, MemoryError)
_LARGEST = 1 << 30  # bytes of an IDX file; a header may promise anything


def points_file(path: Path) -> NDArray[Any]:
    """Points of a ``.npy`` file, ``(N, n)``, memory-mapped; nothing in it is executed.

    A ``.csv`` or ``.txt`` file, or standard input for the path ``-``, holds one point per line,
    numbers separated by commas or white space, each read as the nearest float64; a first line that
    holds no number is a header.

    Raises
    ------
    FormatError
        If it is no array ``(N, n)`` of floats of at most 64 bits or of integers, is empty or is cut
        short.
    """
    if str(path) == "-" or path.suffix.lower() in {".csv", ".txt"}:
        return _points_of_text(path)
    try:
        with path.open("rb") as file:
            magic = file.read(6)
        if magic != b"\x93NUMPY":
            raise FormatError(
                f"{path} is no .npy file; write the points with numpy.save, or as lines of a .csv"
            )
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except _BAD_HEADER as problem:
        raise FormatError(f"{path} is not an array of points: {problem}") from None
    if array.ndim != 2 or array.dtype.kind not in "fiu" or array.dtype.itemsize > 8:
        raise FormatError(
            f"{path} holds an array of dtype {array.dtype} and shape {array.shape}; expected "
            "numbers of at most 64 bits, shape (N, n)"
        )
    if array.size == 0:
        raise FormatError(f"{path} holds no points: its array has shape {array.shape}")
    return array


def _points_of_text(path: Path) -> NDArray[np.float64]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise FormatError(f"{path} is no text; write the points with numpy.save") from None
    name = "standard input" if str(path) == "-" else str(path)
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.replace(",", " ").replace(";", " ").split()
        if not words or words[0].startswith("#"):
            continue
        try:
            row = [float(word) for word in words]
        except ValueError:
            if not rows and not any(map(_is_number, words)):
                continue  # a header
            raise FormatError(f"{name}, line {number}: {line.strip()[:60]!r} is no point") from None
        if rows and len(row) != len(rows[0]):
            raise FormatError(
                f"{name}, line {number} has {len(row)} numbers, but the first point has "
                f"{len(rows[0])}"
            )
        rows.append(row)
    if not rows:
        raise FormatError(f"{name} holds no points")
    return np.array(rows)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def mnist_images(folder: Path) -> NDArray[np.float64]:
    """The 10,000 test images of a folder of IDX files, ``(N, 784)``, grey values over 255.

    Raises
    ------
    FormatError
        If there is no such file or it is damaged.
    """
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"):
        if (folder / name).exists():
            break
    else:
        raise FormatError(f"{folder} holds no t10k-images-idx3-ubyte(.gz)")
    path = folder / name
    damaged = FormatError(f"{path} is not a complete IDX file of images")
    try:
        with gzip.open(path) if name.endswith(".gz") else path.open("rb") as file:
            start = file.read(16)
            head = np.frombuffer(start if len(start) == 16 else b"", ">i4").tolist()
            if not head or head[0] != 2051 or min(head[1:]) < 1:
                raise damaged
            size = math.prod(head[1:])
            raw = file.read(min(size, _LARGEST) + 1)
    except (OSError, EOFError, zlib.error) as problem:
        raise FormatError(f"{path} is damaged: {problem}") from None
    if len(raw) != size:
        raise damaged
    pixels = np.frombuffer(raw, np.uint8).reshape(head[1], -1)
    return pixels / 255.0


def input_points(points: Any, network: Network) -> NDArray[Any]:
    """Points of the input space of a network as an array, ``(N, n)``; ``(n,)`` is one point.

    Raises
    ------
    NetworkError
        If they are no table of floats of at most 64 bits or of integers, or have another number of
        coordinates than the network has inputs.
    """
    try:
        table = np.atleast_2d(np.asarray(points))
    except ValueError:
        raise NetworkError("the points are no table: expected rows of equal length") from None
    if table.ndim != 2 or table.dtype.kind not in "fiu" or table.dtype.itemsize > 8:
        raise NetworkError(
            f"the points have dtype {table.dtype} and shape {table.shape}; expected numbers of at "
            "most 64 bits, shape (N, n)"
        )
    if table.shape[1] != network.input_dim:
        raise NetworkError(
            f"the points have {table.shape[1]} coordinates, but the network has "
            f"{network.input_dim} inputs"
        )
    return table


def array_blocks(points: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    """An array of points, block by block, as the float64 numbers that they are.

    Raises
    ------
    NetworkError
        If a point is not finite, or an integer may be no float64 (2^53 or above).
    """
    for start in range(0, len(points), _BLOCK):
        part = points[start : start + _BLOCK]
        block = np.asarray(part, dtype=np.float64)
        if part.dtype.kind != "f" and (np.abs(block) >= 2.0**53).any():
            raise NetworkError("a coordinate is an integer of 2^53 or above; give floats instead")
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            raise NetworkError(f"point {start + int(np.argmin(finite))} is not finite")
        yield block


def uniform_blocks(chart: Chart, count: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Uniform points y of a bounded chart, by rejection from its bounding box.

    Raises
    ------
    DomainError
        If the domain is unbounded, too thin in its bounding box for rejection, or too wide.
    """
    if chart.lower is None or chart.upper is None:
        raise DomainError("the domain is unbounded: give a box, or draw normal points")
    low = RationalArray.from_rationals(chart.lower, (chart.k,)).approx
    high = RationalArray.from_rationals(chart.upper, (chart.k,)).approx
    rng = np.random.default_rng(seed)
    yield from _drawn(chart, count, lambda size: low + (high - low) * rng.random((size, chart.k)))


def normal_blocks(
    chart: Chart, count: int, seed: int, scale: float = 1.0
) -> Iterator[NDArray[np.float64]]:
    """Normal points y around 0 with standard deviation ``scale``, conditioned on the domain.

    Raises
    ------
    DomainError
        If the draws miss the domain nearly always, or overflow.
    """
    rng = np.random.default_rng(seed)
    yield from _drawn(chart, count, lambda size: scale * rng.standard_normal((size, chart.k)))


def _drawn(
    chart: Chart, count: int, draw: Callable[[int], NDArray[np.float64]]
) -> Iterator[NDArray[np.float64]]:
    left, tried, kept = count, 0, 0
    while left > 0:
        with np.errstate(over="ignore", invalid="ignore"):
            block = draw(min(_BLOCK, max(left, 256)))
        if not np.isfinite(block).all():
            raise DomainError("the draws overflow float64: sample a smaller box or scale")
        good = block[inside(chart, block)][:left]
        tried += len(block)
        kept += len(good)
        if tried > 10_000_000 and kept < tried // 10_000:
            raise DomainError(
                f"only {kept} of {tried} draws lay in the domain: sample a box inside it instead"
            )
        left -= len(good)
        if len(good):
            yield good


def within(chart: Chart) -> Callable[[NDArray[np.float64]], NDArray[np.bool_]]:
    """Which points of R^n are inside a domain of full dimension: see :func:`inside`.

    Raises
    ------
    DomainError
        If the domain is flat.
    """
    if chart.k != chart.n:
        raise DomainError(
            f"the domain has dimension {chart.k} in R^{chart.n}: it is flat, and points in "
            "floating point do not lie on it exactly; draw them in its own coordinates (--uniform, "
            "--normal)"
        )
    return partial(inside, chart)


def inside(chart: Chart, Y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points satisfy ``A y ≤ b``: by a rigorous float bound, in rationals where it is open.

    A point of the wall counts as inside: unless a hyperplane passes through it, the region around
    it reaches into the domain's interior.
    """
    out = np.ones(len(Y), dtype=bool)
    rows = chart.inequalities
    if rows.m == 0:
        return out
    if all(len(terms) == 1 for terms in rows.terms):
        for ((j, coefficient),), right in zip(rows.terms, rows.bounds, strict=True):
            bound = right / coefficient
            # y ≤ bound for a float y iff y ≤ the largest float ≤ bound; the same from below
            near = nearest_float(bound)
            if coefficient > 0:
                low = near == np.inf or (near != -np.inf and fmpq_from_float(near) > bound)
                out &= Y[:, j] <= (np.nextafter(near, -np.inf) if low else near)
            else:
                high = near == -np.inf or (near != np.inf and fmpq_from_float(near) < bound)
                out &= Y[:, j] >= (np.nextafter(near, np.inf) if high else near)
        return out
    A = RationalArray.from_fmpq_mat(chart.A).approx
    b = RationalArray.from_fmpq_mat(chart.b, vector=True).approx
    roundoff = 2.0**-53 * (chart.k + 8)
    with np.errstate(all="ignore"):
        value = Y @ A.T - b
        reach = 4 * roundoff * (np.abs(Y) @ np.abs(A).T + np.abs(b)) + 2.0**-1000
        sure = value < -reach
        out &= ~(value > reach).any(axis=1)
    for r, i in zip(*np.nonzero(~sure & out[:, None]), strict=True):
        if out[r]:
            y = fmpq_mat(chart.k, 1, [fmpq_from_float(v) for v in Y[r].tolist()])
            out[r] = rows.only((i,)).holds_at(y)
    return out


def exact_point(text: str, row: int = 0) -> list[fmpq]:
    """A point from comma-separated exact numbers, or a row of a ``.npy`` file.

    Raises
    ------
    FormatError
        If a number cannot be read, or the file has no such row or holds no points.
    """
    if text.endswith(".npy"):
        table = points_file(Path(text))
        if not 0 <= row < len(table):
            raise FormatError(f"{text} has no row {row}: it has rows 0 to {len(table) - 1}")
        if not np.isfinite(table[row]).all():
            raise FormatError(f"row {row} of {text} is not finite")
        (block,) = array_blocks(table[row : row + 1])
        return [fmpq_from_float(v) for v in block[0].tolist()]
    try:
        return [fmpq_from_text(v) for v in text.split(",")]
    except ValueError as problem:
        raise FormatError(f"the point {text!r} cannot be read: {problem}") from None
