"""A picture of a sample: how many points have which rank at each layer, and which codeword size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from polyrank.report.picture import needs_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_histograms"]

_BAR = "#0072B2"
_OPEN = "#D55E00"
_SIZES = "#5f6b76"
_ACROSS = 3


def draw_histograms(facts: Mapping[str, Any]) -> Figure:
    """Histograms of ranks by points, a panel per layer, and of codeword sizes.

    Parameters
    ----------
    facts : mapping
        The summary of an :class:`~polyrank.sampling.estimate.Estimate`, or the content of its
        ``estimate.json``. Codewords whose rank is an interval are named in the title of a panel.

    Raises
    ------
    UnsupportedError
        If matplotlib is not installed.
    """
    with needs_matplotlib():
        from matplotlib.figure import Figure  # noqa: PLC0415  (heavy)

    panels = [
        (f"rank through layer {entry['layer']}", entry["by_samples"], entry["open_codewords"])
        for entry in facts["ranks"]
    ]
    panels.append(("active units (codeword size)", facts["codeword_sizes"], 0))
    across = 2 if len(panels) == 4 else min(_ACROSS, len(panels))
    down = -(-len(panels) // across)
    figure = Figure(figsize=(3.6 * across, 2.8 * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for ax, (name, counted, left) in zip(axes, panels, strict=False):
        values = [int(v) for v in counted]
        sizes = name.startswith("active")
        ax.bar(values, list(counted.values()), width=0.9, color=_SIZES if sizes else _BAR)
        ax.set(xlabel=name, ylabel="points")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.yaxis.get_major_locator().set_params(integer=True)
        if left:
            ax.set_title(f"{left:,} codewords with an interval are left out", color=_OPEN, size=8)
    for ax in axes[len(panels) :]:
        ax.axis("off")
    name = facts["network"]["name"]
    figure.suptitle(f"{facts['points']:,} points of {name}", size=10)
    return figure
