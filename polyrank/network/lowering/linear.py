"""The matrices of the linear operators: products, convolutions, averages."""

from __future__ import annotations

import math

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import FormatError
from polyrank.network.lowering.affine import LinearMap, check_size
from polyrank.network.lowering.values import Values, as_values
from polyrank.network.lowering.windows import Windows, window_entries

__all__ = ["averages", "convolution", "means", "product", "transposed_convolution"]


def product(
    shape: tuple[int, ...], constant: Values, *, constant_left: bool, where: str
) -> LinearMap:
    """``t ↦ t @ constant`` or ``t ↦ constant @ t`` with numpy's rules, for a tensor t.

    Parameters
    ----------
    shape : tuple of int
        Shape of t.
    constant : Values
    constant_left : bool
        True for ``constant @ t``.

    Raises
    ------
    FormatError
        If the shapes do not chain.
    """
    index = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    left, right = (constant, index) if constant_left else (index, constant)
    if left.ndim == 0 or right.ndim == 0 or left.shape[-1] != right.shape[max(0, right.ndim - 2)]:
        raise FormatError(f"{where}: shapes {left.shape} and {right.shape} do not chain")
    left_matrix = left[None, :] if left.ndim == 1 else left
    right_matrix = right[:, None] if right.ndim == 1 else right
    try:
        batch = np.broadcast_shapes(left_matrix.shape[:-2], right_matrix.shape[:-2])
    except ValueError:
        raise FormatError(f"{where}: shapes {left.shape} and {right.shape} do not chain") from None
    m, k, n = left_matrix.shape[-2], left_matrix.shape[-1], right_matrix.shape[-1]
    full = (*batch, m, n, k)
    check_size(math.prod(full), where)
    a = np.broadcast_to(left_matrix[..., :, None, :], full)
    b = np.broadcast_to(np.swapaxes(right_matrix, -1, -2)[..., None, :, :], full)
    result = list(batch)
    result += [m] if left.ndim > 1 else []
    result += [n] if right.ndim > 1 else []
    rows = np.repeat(np.arange(math.prod(full[:-1]), dtype=np.int64), k)
    columns, entries = (b, a) if constant_left else (a, b)
    return LinearMap(
        tuple(result), rows, columns.ravel().astype(np.int64), entries.ravel(), weighted=True
    )


def convolution(
    shape: tuple[int, ...], kernel: Values, windows: Windows, groups: int, where: str
) -> LinearMap:
    """Cross-correlation of a tensor ``(N, C, *spatial)`` with a kernel ``(M, C / groups, *k)``.

    Raises
    ------
    FormatError
        If the channels do not fit.
    """
    batch, channels = shape[:2]
    features = kernel.shape[0]
    if groups < 1 or features % groups or kernel.shape[1] * groups != channels:
        raise FormatError(
            f"{where}: a kernel of shape {kernel.shape} with {groups} groups does not fit "
            f"{channels} channels"
        )
    cells = window_entries(windows)
    per_group = channels // groups
    full = (batch, groups, features // groups, cells.shape[0], per_group, cells.shape[1])
    check_size(math.prod(full), where)
    seen = _seen(batch, channels, math.prod(shape[2:]), cells)
    seen = seen.reshape(batch, groups, 1, per_group, *cells.shape).swapaxes(3, 4)
    weights = kernel.reshape(1, groups, features // groups, 1, per_group, cells.shape[1])
    columns = np.broadcast_to(seen, full).ravel()
    rows = np.repeat(np.arange(math.prod(full[:4]), dtype=np.int64), per_group * cells.shape[1])
    entries = np.broadcast_to(weights, full).ravel()
    keep = columns >= 0
    result = (batch, features, *windows.counts)
    return LinearMap(result, rows[keep], columns[keep], entries[keep], weighted=True)


def _seen(batch: int, channels: int, area: int, cells: NDArray[np.int64]) -> NDArray[np.int64]:
    base = (np.arange(batch * channels, dtype=np.int64) * area).reshape(-1, 1, 1)
    return np.where(cells < 0, cells, base + cells)


def transposed_convolution(
    shape: tuple[int, ...], kernel: Values, windows: Windows, groups: int, where: str
) -> LinearMap:
    """Transposed convolution of ``(N, C, *counts)`` with a kernel ``(C, M / groups, *k)``.

    ``windows`` are those of the convolution whose transpose this is: they slide over the
    result's spatial axes, one window per spatial cell of the argument.

    Raises
    ------
    FormatError
        If the channels do not fit.
    """
    batch, channels = shape[:2]
    if groups < 1 or channels % groups or kernel.shape[0] != channels:
        raise FormatError(
            f"{where}: a kernel of shape {kernel.shape} with {groups} groups does not fit "
            f"{channels} channels"
        )
    features = kernel.shape[1] * groups
    back = (batch, features, *windows.spatial)
    forward = convolution(back, kernel, windows, groups, where)
    return LinearMap(back, forward.columns, forward.rows, forward.entries, weighted=True)


def averages(shape: tuple[int, ...], windows: Windows, *, count_padding: bool) -> LinearMap:
    """Mean over each window of ``(N, C, *spatial)``, the divisor taken exactly.

    ``count_padding`` counts the cells of the pads as zeros; otherwise they are left out.
    """
    batch, channels = shape[:2]
    cells = window_entries(windows)
    counted = (cells >= (-1 if count_padding else 0)).sum(axis=1)
    seen = _seen(batch, channels, math.prod(shape[2:]), cells)
    rows = np.broadcast_to(
        np.arange(seen.shape[0] * seen.shape[1]).reshape(*seen.shape[:2], 1), seen.shape
    )
    shares = np.broadcast_to(_reciprocals(counted)[None, :, None], seen.shape)
    keep = seen >= 0
    result = (batch, channels, *windows.counts)
    return LinearMap(result, rows[keep], seen[keep], shares[keep])


def means(shape: tuple[int, ...], axes: tuple[int, ...], *, mean: bool) -> LinearMap:
    """Sum, or exact mean, over some axes; the result keeps them with length 1."""
    index = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    kept = tuple(1 if axis in axes else length for axis, length in enumerate(shape))
    target = np.arange(math.prod(kept), dtype=np.int64).reshape(kept)
    rows = np.broadcast_to(target, shape).ravel()
    count = math.prod(shape[axis] for axis in axes)
    share = _reciprocals(np.array([count if mean else 1]))
    return LinearMap(kept, rows, index.ravel(), np.broadcast_to(share, (index.size,)))


def _reciprocals(counts: NDArray[np.int64]) -> Values:
    result = np.empty(counts.size, dtype=object)
    result[:] = [fmpq(1, max(1, int(count))) for count in counts]
    return as_values(result)
