"""What all pictures share: the file, the size, the axes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import UnsupportedError
from polyrank.posed.chart import Chart
from polyrank.regions.directory import new_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


__all__ = [
    "EDGE",
    "axes_for",
    "axis_names",
    "figure_size",
    "finish_axes",
    "legend_of",
    "needs_matplotlib",
    "picture_file",
    "principal_axes",
    "save_picture",
]

_MISSING = "matplotlib is not installed: pip install 'polyrank[plot]'"

EDGE = "#5f6b76"


def picture_file(path: str | Path) -> Path:
    """The path, if a picture can be written there; asked before the work that draws it is done.

    Raises
    ------
    UnsupportedError
        If the suffix is none of .png, .svg and .pdf, there is no such folder, or matplotlib is not
        installed.
    """
    target = Path(path)
    if target.suffix.lower() not in {".png", ".svg", ".pdf"}:
        raise UnsupportedError(f"{target.name}: a picture is written as .png, .svg or .pdf")
    if not target.parent.is_dir():
        raise UnsupportedError(f"{target}: there is no folder {target.parent}")
    if find_spec("matplotlib") is None:
        raise UnsupportedError(_MISSING)
    return target


def save_picture(figure: Figure, path: str | Path) -> None:
    """Write a picture as ``.png``, ``.svg`` or ``.pdf``.

    Raises
    ------
    UnsupportedError
        See :func:`picture_file`.
    RunError
        If the disk is full or cannot be written.
    """
    with new_file(picture_file(path)) as draft:
        figure.savefig(draft, dpi=160, bbox_inches="tight")


@contextmanager
def needs_matplotlib() -> Iterator[None]:
    """Around the imports of matplotlib: what to say where it is missing.

    Raises
    ------
    UnsupportedError
        If matplotlib is not installed.
    """
    try:
        yield
    except ImportError:
        raise UnsupportedError(_MISSING) from None


def axes_for(ax: Axes | None, aspect: float) -> Any:
    """The given axes, or those of a figure of its own with that width over height.

    Raises
    ------
    UnsupportedError
        If matplotlib is not installed.
    """
    if ax is not None:
        return ax
    with needs_matplotlib():
        from matplotlib.figure import Figure  # noqa: PLC0415  (optional)
    return Figure(figsize=figure_size(aspect), layout="constrained").add_subplot()


def legend_of(axes: Any, ax: Axes | None, handles: list[Any], **place: Any) -> None:
    """The legend: below a figure of its own, in as many columns as it is wide; else in ``ax``."""
    if ax is not None:
        if handles:
            axes.legend(handles=handles, fontsize=8, **place)
        return
    longest = max((len(h.get_label()) for h in handles), default=0)
    columns = max(1, min(5, int(axes.figure.get_figwidth() * 14 / (longest + 6))))
    axes.figure.legend(
        handles=handles, loc="outside lower left", frameon=False, fontsize=9, ncols=columns
    )


def figure_size(aspect: float) -> tuple[float, float]:
    """Figure size in inches of a map with that width over height, legend and title included."""
    side = 6.4
    if aspect >= 1:
        return side + 0.8, max(2.2, side / min(aspect, 4.0)) + 1.2
    return max(3.4, side * max(aspect, 0.25)) + 0.8, side + 1.2


def principal_axes(points: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Points (N, n) in the coordinates of their first ``most`` principal axes, (N, most).

    Lengths along these axes are kept; where the points have fewer, the rest is 0.
    """
    if not len(points):
        return np.zeros((0, most))
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    found = centred @ axes[:most].T
    return np.column_stack([found, np.zeros((len(points), most - found.shape[1]))])


def axis_names(chart: Chart) -> list[str]:
    """``x_0, x_1, ...`` where the chart's coordinates are those of the inputs, else ``u_i``."""
    unit = all(chart.basis[i, j] == int(i == j) for i in range(chart.n) for j in range(chart.k))
    plain = chart.n == chart.k and unit and not any(chart.origin.entries())
    return [f"${'x' if plain else 'u'}_{j}$" for j in range(chart.k)]


def finish_axes(axes: Any, chart: Chart, frame: tuple[float, float, float, float]) -> None:
    """Limits, names, ticks and spines of a plane map."""
    axes.set_xlim(frame[0], frame[1])
    axes.set_ylim(frame[2], frame[3])
    aspect = (frame[1] - frame[0]) / (frame[3] - frame[2])
    axes.set_aspect("equal" if 0.25 <= aspect <= 4 else "auto", adjustable="box")
    names = axis_names(chart)
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    for spine in axes.spines.values():
        spine.set_color(EDGE)
        spine.set_linewidth(0.8)
    axes.tick_params(color=EDGE, labelsize=9)
