"""Answers that are tables, with what a notebook shows of them."""

from __future__ import annotations

from polyrank.api.html import html_table
from polyrank.topology.layers import LayerHomology

__all__ = ["HomologyTable"]


class HomologyTable(list[LayerHomology]):
    """One :class:`~polyrank.topology.layers.LayerHomology` per layer."""

    def __repr__(self) -> str:
        layers = ", ".join(str(row.part.layer) for row in self)
        return f"HomologyTable(layers {layers})"

    def _repr_html_(self) -> str:
        head = ["layer", "components of A", "H(M)", "H(A)", "H(M,A)", "H(M/A)"]
        head += ["H(M/~) per component", "per image"]
        rows = [
            (
                row.part.layer,
                row.part.components,
                row.homology.manifold,
                row.homology.part,
                row.homology.relative,
                row.homology.one_point,
                row.homology.per_component,
                "-" if row.homology.per_image is None else row.homology.per_image,
            )
            for row in self
        ]
        return html_table(head, rows)
