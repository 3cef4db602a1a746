"""Where the windows of convolutions and pools lie: shapes, paddings and entry numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import FormatError
from polyrank.network.lowering.affine import check_size

__all__ = ["Windows", "place_windows", "window_entries"]


@dataclass(frozen=True, slots=True)
class Windows:
    """Sliding windows over spatial axes.

    Attributes
    ----------
    spatial : tuple of int
        Lengths of the spatial axes.
    kernel, strides, dilations : tuple of int
        One number per axis.
    before, after : tuple of int
        Padding cells at both ends of each axis.
    counts : tuple of int
        Number of windows along each axis.
    """

    spatial: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    counts: tuple[int, ...]


def place_windows(
    spatial: Sequence[int],
    kernel: Sequence[int],
    *,
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: bool = False,
    where: str = "",
) -> Windows:
    """The windows of an ONNX Conv or pool.

    Parameters
    ----------
    spatial, kernel : sequence of int, length s
    strides, dilations : sequence of int, length s, or None for ones
    pads : sequence of int, length 2 s, or None
        ``x1_begin, x2_begin, …, x1_end, x2_end``.
    auto_pad : str
        NOTSET (use ``pads``), VALID, SAME_UPPER or SAME_LOWER.
    ceil_mode : bool
        Round the number of windows up; a window that starts beyond the input and its leading
        padding is left out.
    where : str
        Node, for messages.

    Raises
    ------
    FormatError
        If the numbers do not fit together or a window does not fit into the input.
    """
    axes = len(spatial)
    strides = tuple(strides) if strides else (1,) * axes
    dilations = tuple(dilations) if dilations else (1,) * axes
    pads = tuple(pads) if pads else (0,) * (2 * axes)
    lengths = (len(kernel), len(strides), len(dilations), len(pads) // 2)
    smallest = min((*kernel, *strides, *dilations), default=1)
    if any(length != axes for length in lengths) or smallest < 1:
        raise FormatError(
            f"{where}: kernel {tuple(kernel)}, strides {strides}, dilations {dilations} and pads "
            f"{pads} do not describe windows over {axes} spatial axes"
        )
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    before, after, counts = [], [], []
    for axis in range(axes):
        size, stride, reach = spatial[axis], strides[axis], extent[axis]
        if auto_pad in {"SAME_UPPER", "SAME_LOWER"}:
            count = -(-size // stride)
            total = max(0, (count - 1) * stride + reach - size)
            low = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
            high = total - low
        elif auto_pad in {"NOTSET", "VALID", ""}:
            low, high = (0, 0) if auto_pad == "VALID" else (pads[axis], pads[axes + axis])
            room = size + low + high - reach
            count = (-(-room // stride) if ceil_mode else room // stride) + 1
            if ceil_mode and (count - 1) * stride >= size + low:
                count -= 1
        else:
            raise FormatError(
                f"{where}: auto_pad is {auto_pad!r}; expected NOTSET, VALID, SAME_UPPER or "
                "SAME_LOWER"
            )
        if count < 1 or size < 1 or min(low, high) < 0:
            raise FormatError(
                f"{where}: a window of {reach} cells with pads {low}, {high} does not fit into "
                f"axis {axis} of length {size}"
            )
        before.append(low)
        after.append(high)
        counts.append(count)
    return Windows(
        tuple(spatial),
        tuple(kernel),
        strides,
        dilations,
        tuple(before),
        tuple(after),
        tuple(counts),
    )


def window_entries(windows: Windows) -> NDArray[np.int64]:
    """For every window and every cell of the kernel, which spatial cell it sees.

    Returns
    -------
    ndarray of int64, shape (number of windows, cells of the kernel)
        Row-major number of the spatial cell; −1 for the padding that is part of the pads, −2
        for cells beyond it (only with ``ceil_mode``).
    """
    check_size(math.prod(windows.counts) * math.prod(windows.kernel), "the windows of a node")
    number = np.zeros((1, 1), dtype=np.int64)
    for axis, size in enumerate(windows.spatial):
        start = np.arange(windows.counts[axis]) * windows.strides[axis] - windows.before[axis]
        cell = start[:, None] + np.arange(windows.kernel[axis]) * windows.dilations[axis]
        outside = np.where((cell < 0) | (cell < size + windows.after[axis]), -1, -2)
        place = np.where((cell < 0) | (cell >= size), outside, cell)
        old, new = number[:, None, :, None], place[None, :, None, :]
        bad = np.minimum(np.minimum(old, new), 0)
        merged = np.where(bad < 0, bad, old * size + new)
        shape = (number.shape[0] * place.shape[0], number.shape[1] * place.shape[1])
        number = merged.reshape(shape)
    return number
