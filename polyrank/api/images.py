"""The images of a manifold with their pictures and what a notebook shows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import wraps
from html import escape
from typing import TYPE_CHECKING, Any

from polyrank.api.html import html_table
from polyrank.image.barcode import LayerImages, counted, level_name
from polyrank.image.barcode import image as _image
from polyrank.report.manifold_map import draw_manifold
from polyrank.topology.manifold import Manifold
from polyrank.topology.restriction import restrict
from polyrank.topology.shapes import shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from polyrank.network.normal_form import Network

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

    def plot(self, layer: int | Sequence[int] | None = None, **options: Any) -> Figure:
        """M and its images, coloured by rank, with the low-rank part in red.

        Parameters
        ----------
        layer : int or sequence of int, optional
            What is drawn: 0 is M in R^n, K its image Φ_K(M). Default: M and the image at every
            layer that is decided.
        **options
            ``ranks``, ``below`` and ``ax`` of
            :func:`polyrank.report.manifold_map.draw_manifold`.

        Raises
        ------
        UnsupportedError
            If M has tetrahedra or matplotlib is not installed.
        DomainError
            If there is no such layer.
        """
        decided = [k for k in self.layers if k is not None] or [0]
        places = decided if layer is None else [layer] if isinstance(layer, int) else list(layer)
        cells = restrict(self.network, self.manifold)
        return draw_manifold(cells, places, **options)


@wraps(_image)
def image(network: Network, manifold: Manifold | str, **options: Any) -> Images:
    """The true images of a manifold; a text such as ``"torus:24"`` is a shape."""
    space = shape(manifold) if isinstance(manifold, str) else manifold
    found = _image(network, space, **options)
    return Images(**{field.name: getattr(found, field.name) for field in fields(found)})
