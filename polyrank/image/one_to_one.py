"""Whether a layer is one-to-one on all of its input space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from polyrank.network.exact_rank import exact_rank
from polyrank.network.normal_form import Layer

__all__ = ["OnSpace", "on_space"]


@dataclass(frozen=True, slots=True)
class OnSpace:
    """What a layer does to all of R^n.

    Attributes
    ----------
    kind : {"homeomorphism", "one-to-one", "not one-to-one", "not decided"}
        A homeomorphism of R^n; one-to-one into a larger space; proved not to be one-to-one; or
        none of these by the criterion of :func:`on_space`.
    orientation : int
        1 or −1 for a homeomorphism that keeps or reverses orientation, else 0.
    """

    kind: Literal["homeomorphism", "one-to-one", "not one-to-one", "not decided"]
    orientation: int = 0


def on_space(layer: Layer) -> OnSpace:
    """Whether the layer ``h ↦ a(W h + b)`` is one-to-one on all of R^n.

    **Proves**: with slopes ``a⁻ a⁺ > 0`` at every unit the activation is a homeomorphism, so that
    the layer is one-to-one iff W has rank n; for a square non-singular W it is a homeomorphism of
    R^n, whose orientation is the sign of ``det W`` times those of the slopes. If W has a rank below
    n, it is not one-to-one. If W has rank n = number of units and one unit has ``a⁻ a⁺ ≤ 0``, two
    values of that unit alone have one image, and both are attained: not one-to-one.
    **Does not decide** a layer with more units than inputs where some unit has ``a⁻ a⁺ ≤ 0``.
    """
    n, m = layer.inputs, layer.units
    if m < n or exact_rank(layer.weight_exact) < n:
        return OnSpace("not one-to-one")
    slopes = layer.slopes_exact
    if all(neg * pos > 0 for neg, pos in slopes):
        if m > n:
            return OnSpace("one-to-one")
        sign = 1 if layer.weight_exact.det() > 0 else -1
        for _, pos in slopes:
            sign = sign if pos > 0 else -sign
        return OnSpace("homeomorphism", sign)
    return OnSpace("not one-to-one" if m == n else "not decided")
