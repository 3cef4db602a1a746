"""The images of the layers as one JSON object: groups, barcode, ranks, and what carries a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from polyrank.image.barcode import LayerImages, theorem
from polyrank.image.carriers import Carrier, Contact
from polyrank.image.induced import Bar
from polyrank.image.merges import Merge
from polyrank.image.scale import is_sampled, persistent_betti

__all__ = ["counted", "image_object"]


def image_object(
    found: LayerImages, layers: Sequence[int] | None = None, *, scale: float | None = None
) -> dict[str, Any]:
    """The object that ``polyrank image --json`` prints; of some layers, or of all.

    With a scale, the approximate numbers of :func:`polyrank.image.scale.persistent_betti` too.
    """
    homology, top = found.homology, found.degrees
    shown = [n for n, k in enumerate(found.layers) if layers is None or k is None or k in layers]
    layer_of = found.layers
    field = "Q" if homology.coefficients == "Z" else homology.coefficients
    return {
        "network": {"name": found.network.name, "hash": found.network.sha256},
        "manifold": found.manifold.summary(),
        "coefficients": homology.coefficients,
        "ways": list(found.ways),
        "theorem": theorem(found.ways, field, found.partial),
        "scale": scale,
        "levels": [
            _level_object(found, n, shown)
            | ({} if scale is None else {"persistent_betti": _approximate(found, n, scale)})
            for n in shown
        ],
        "barcode": {
            "over": field,
            "bars": [
                {
                    "degree": degree,
                    "birth": _named(layer_of, birth),
                    "death": None if death is None else _named(layer_of, death),
                    "count": count,
                }
                for (degree, birth, death), count in counted(found.bars)
            ],
        },
        "ranks": {
            "over": field,
            "levels": [_named(layer_of, n) for n in range(len(layer_of))],
            "by_degree": [homology.ranks(d) for d in range(top)],
        },
        "born": [_carrier_object(own) for own in found.carriers.born],
        "dying": [_carrier_object(own) for own in found.carriers.dying],
        "carriers_not_sought": [{"layer": k, "reason": why} for k, why in found.carriers.missing],
        "merging": [_merge_object(merge) for merge in found.merges()],
        "components": [{"layer": own.layer, "count": own.count} for own in found.components],
        "unions": [
            {
                "layer": own.layer,
                "groups": list(own.groups.below(found.manifold.degrees).groups),
                "cells": list(own.cells),
            }
            for own in found.unions
        ],
        "undecided": [{"layer": k, "reason": why} for k, why in found.undecided],
        "seconds": found.seconds,
    }


def _approximate(found: LayerImages, level: int, scale: float) -> list[int] | None:
    """Persistent Betti numbers, of images that are sampled."""
    one = found.complexes[level] if 0 < level < len(found.complexes) else None
    return None if one is None or not is_sampled(one) else list(persistent_betti(one, scale))


def _carrier_object(own: Carrier) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "degree": own.degree,
        "layer": own.layer,
        "order": own.order or None,
        "cells": [list(cell) for cell in own.cells],
        "volume": own.volume,
        "diameter": own.diameter,
        "share": own.share,
        "simplices_of_M": [list(simplex) for simplex in own.simplices],
    }
    if own.killed is None:
        return entry | {"contacts": [_contact_object(contact) for contact in own.contacts]}
    filling = [list(cell) for cell in sorted(own.killed.chain.items())]
    return entry | {"boundary_of": filling, "multiple": own.killed.multiple}


def _contact_object(contact: Contact) -> dict[str, Any]:
    return {
        "point": [str(v) for v in contact.point],
        "cells_before": [list(cell) for cell in contact.cells],
        "simplices_of_M": [list(simplex) for simplex in contact.simplices],
    }


def _merge_object(merge: Merge) -> dict[str, Any]:
    return {
        "layer": merge.layer,
        "vertices_of_M": [merge.first, merge.second],
        "point": None if merge.point is None else [str(v) for v in merge.point],
        "cells_before": None if merge.cells is None else [list(cell) for cell in merge.cells],
    }


def _named(layer_of: Sequence[int | None], level: int) -> str | int:
    layer = layer_of[level]
    return "M" if layer is None else layer


def counted(bars: Sequence[Bar]) -> list[tuple[tuple[int, int, int | None], int]]:
    """Bars with their multiplicities, in the order of degree, birth and death."""
    counts = Counter((b.degree, b.birth, b.death) for b in bars)
    return sorted(counts.items(), key=lambda c: (c[0][0], c[0][1], c[0][2] is None, c[0][2] or 0))


def _level_object(found: LayerImages, level: int, shown: Sequence[int]) -> dict[str, Any]:
    groups = found.groups(found.layers[level])
    entry: dict[str, Any] = {
        "layer": _named(found.layers, level),
        "betti": list(groups.betti),
        "torsion": [list(t) for t in groups.torsion],
        "groups": list(groups.groups),
    }
    if level < len(found.complexes):
        one = found.complexes[level]
        entry |= {
            "cells": list(one.complex.cells),
            "euler_characteristic": one.complex.euler_characteristic,
            "crossings": one.crossings,
            "by_contours": one.by_contours,
            "hole_diameters": list(one.hole_diameters),
        }
    if found.nerve is not None and level < found.nerve.levels:
        entry["simplices"] = [int((own <= level).sum()) for own in found.nerve.labels]
    before = shown[shown.index(level) - 1] if shown.index(level) else None
    if before is not None:
        entry["map_from"] = _named(found.layers, before)
        entry["map"] = [_map_entry(found, d, before, level) for d in range(found.degrees)]
    return entry


def _map_entry(found: LayerImages, degree: int, source: int, target: int) -> dict[str, Any]:
    """The induced map of one degree between two levels: rank, over ℤ kernel and cokernel."""
    homology = found.homology
    entry: dict[str, Any] = {
        "degree": degree,
        "rank": homology.rank(degree, source, target),
        "kernel_rank": homology.rank(degree, source, source)
        - homology.rank(degree, source, target),
        "cokernel_rank": homology.rank(degree, target, target)
        - homology.rank(degree, source, target),
    }
    if homology.lattices:
        own = homology.integral_map(degree, source, target)
        entry |= {"kernel": own.kernel, "cokernel": own.cokernel}
    return entry
