"""Where samples come from: arrays, MNIST images, uniform and normal points of a domain.

Random points are drawn in the chart's coordinates y and kept only if a rigorous bound shows them
strictly inside the domain, so that no sample is ever judged against a run that does not cover it.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyrank.cells.chart import Chart
from polyrank.errors import DomainError, FormatError
from polyrank.network.rational import RationalArray

__all__ = [
    "array_blocks",
    "inside",
    "mnist_images",
    "normal_blocks",
    "points_file",
    "uniform_blocks",
]

_BLOCK = 16384


def points_file(path: Path) -> NDArray[np.float64]:
    """Points of a ``.npy`` file, ``(N, n)``, memory-mapped.

    Raises
    ------
    FormatError
        If it is no numeric array of two dimensions.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as problem:
        raise FormatError(f"{path} is not an array of points: {problem}") from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fiu":
        raise FormatError(f"{path} holds no numeric array of shape (N, n)")
    return array


def mnist_images(folder: Path) -> NDArray[np.float64]:
    """The 10,000 test images of a folder of IDX files, ``(N, 784)``, grey values over 255.

    Raises
    ------
    FormatError
        If there is no such file or it is damaged.
    """
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"):
        if (folder / name).exists():
            raw = (folder / name).read_bytes()
            break
    else:
        raise FormatError(f"{folder} holds no t10k-images-idx3-ubyte(.gz)")
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError) as problem:
            raise FormatError(f"{folder / name} is damaged: {problem}") from None
    head = np.frombuffer(raw[:16], ">i4")
    if len(head) < 4 or head[0] != 2051 or len(raw) != 16 + int(head[1] * head[2] * head[3]):
        raise FormatError(f"{folder / name} is not a complete IDX file of images")
    pixels = np.frombuffer(raw, np.uint8, offset=16).reshape(int(head[1]), -1)
    return pixels / 255.0


def array_blocks(points: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """An array of points, block by block."""
    for start in range(0, len(points), _BLOCK):
        yield np.asarray(points[start : start + _BLOCK], dtype=np.float64)


def uniform_blocks(chart: Chart, count: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Uniform points y of a bounded chart, by rejection from its bounding box.

    Raises
    ------
    DomainError
        If the domain is unbounded, or too thin in its bounding box for rejection.
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
    """Normal points y around 0 with standard deviation ``scale``, conditioned on the domain."""
    rng = np.random.default_rng(seed)
    yield from _drawn(chart, count, lambda size: scale * rng.standard_normal((size, chart.k)))


def _drawn(
    chart: Chart, count: int, draw: Callable[[int], NDArray[np.float64]]
) -> Iterator[NDArray[np.float64]]:
    left, tried, kept = count, 0, 0
    while left > 0:
        block = draw(min(_BLOCK, max(left, 256)))
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


def inside(chart: Chart, Y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Points proved to satisfy ``A y < b``; False also where rounding leaves it open."""
    if chart.A.nrows() == 0:
        return np.ones(len(Y), dtype=bool)
    A = RationalArray.from_fmpq_mat(chart.A).approx
    b = RationalArray.from_fmpq_mat(chart.b, vector=True).approx
    roundoff = 2.0**-53 * (chart.k + 8)
    value = Y @ A.T - b
    size = np.abs(Y) @ np.abs(A).T + np.abs(b)
    return np.asarray((value < -(4 * roundoff * size + 2.0**-1000)).all(axis=1))
