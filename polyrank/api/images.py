"""The images of a manifold, with their pictures and what a notebook shows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import wraps
from html import escape
from os import PathLike
from typing import TYPE_CHECKING, Any

from polyrank.api.html import html_table
from polyrank.image.barcode import LayerImages, level_name
from polyrank.image.barcode import image as _image
from polyrank.image.barcode_object import counted
from polyrank.report.manifold_map import draw_manifold
from polyrank.topology.low_rank import low_rank_part
from polyrank.topology.restriction import restrict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from polyrank.network.normal_form import Network
    from polyrank.topology.manifold import Manifold

__all__ = ["Images", "image"]


@dataclass(frozen=True, eq=False)
class Images(LayerImages):
    """The images Φ_K(M), their homology and their barcode; see :class:`LayerImages`."""

    def __repr__(self) -> str:
        widths = "-".join(map(str, self.network.widths))
        decided = [level_name(k) for k in self.layers]
        through = decided[0] if len(decided) == 1 else f"{decided[0]} to {decided[-1]}"
        return (
            f"Images({self.manifold.name!r} under {self.network.name!r} {widths}: {through}, "
            f"{len(self.bars)} bars)"
        )

    def _repr_html_(self) -> str:
        title = f"<div><b>{escape(self.manifold.name)}</b> under {escape(self.network.name)}</div>"
        groups = [(level_name(k), self.groups(k)) for k in self.layers]
        bars = [
            (
                f"H_{degree}",
                level_name(self.layers[birth]),
                "the end" if death is None else level_name(self.layers[death]),
                count,
            )
            for (degree, birth, death), count in counted(self.bars)
        ]
        return (
            title
            + html_table(("image", "homology"), groups)
            + html_table(("degree", "born at", "until", "classes"), bars)
        )

    def plot(
        self,
        layer: int | Sequence[int] | None = None,
        *,
        ranks: int | None = None,
        below: int = 1,
        ax: Axes | None = None,
    ) -> Figure:
        """M and its images, coloured by rank, with the low-rank part in red.

        Parameters
        ----------
        layer : int or sequence of int, optional
            What is drawn: 0 is M in R^n, K its image Φ_K(M). Default: M and the image at every
            layer that is decided.
        ranks : int, optional
            The colours are the ranks through this layer on the cells; default: of an image its own
            layer, of M the last.
        below : int
            Red is what a layer collapses to less: :func:`polyrank.topology.low_rank.low_rank_part`
            of rank < ``below``.
        ax : matplotlib.axes.Axes, optional
            Where to draw a single panel; in three dimensions it has to be a 3-D one.

        Raises
        ------
        UnsupportedError
            If M has tetrahedra or matplotlib is not installed.
        DomainError
            If there is no such layer, or ``below`` is less than 1.
        """
        decided = [k for k in self.layers if k is not None] or [0]
        places = decided if layer is None else [layer] if isinstance(layer, int) else list(layer)
        cells = restrict(self.network, self.manifold)
        for k in places:
            cells.check_layer(k, least=0)
        layers = [(k or cells.layers) if ranks is None else ranks for k in places]
        parts = {k: low_rank_part(cells, k, below - 1) for k in set(layers)}
        return draw_manifold(cells, [parts[k] for k in layers], places, ax=ax)


@wraps(_image)
def image(network: Network, manifold: Manifold | str | PathLike[str], **options: Any) -> Images:
    """:func:`polyrank.image.barcode.image`, which says what the options are, with pictures."""
    found = _image(network, manifold, **options)
    return Images(**{field.name: getattr(found, field.name) for field in fields(found)})
