"""How homology changes through the layers if the low-rank part is collapsed: one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.brief import brief
from polyrank.cells.ordered_work import each
from polyrank.chains.elimination import parse_coefficients
from polyrank.chains.groups import Homology, coefficients_name
from polyrank.chains.pair import CollapsedHomology, collapse_in_turn, collapsed_homology
from polyrank.stages import tell
from polyrank.topology.low_rank import (
    READINGS,
    LowRankPart,
    LowRankReading,
    low_rank_part,
    low_rank_points,
)
from polyrank.topology.restriction import Restriction

__all__ = ["LayerHomology", "groups", "homology_object", "homology_table", "not_decided"]

#: Collapsing the components one after another is listed for at most this many.
MOST_STEPS = 64


@brief(layer=lambda row: row.part.layer, manifold=lambda row: row.homology.manifold)
@dataclass(frozen=True, slots=True, eq=False)
class LayerHomology:
    """One row: the low-rank part at one layer and what collapsing it does.

    Attributes
    ----------
    part : LowRankPart
    homology : CollapsedHomology
    in_turn : tuple of Homology or None
        H(M) and the homology after collapsing 1, 2, … components; None if there are more than
        ``MOST_STEPS``, or it was not asked for.
    """

    part: LowRankPart
    homology: CollapsedHomology
    in_turn: tuple[Homology, ...] | None


def homology_table(
    restriction: Restriction,
    *,
    rank: int = 0,
    layers: Sequence[int] | None = None,
    coefficients: str | int = "Z",
    ambient: bool = False,
    reading: LowRankReading | None = None,
    in_turn: bool = False,
    jobs: int | None = None,
) -> list[LayerHomology]:
    """The low-rank parts ``A_r^K`` and their homology, layer by layer.

    Where M is a skeleton of the complex that is meant, only the degrees that it decides are given:
    cells above its dimension change no group of lower degree of M, of (M, A) or of a quotient.

    Parameters
    ----------
    restriction : Restriction
    rank : int
        r: cells of rank at most r are collapsed.
    layers : sequence of int, optional
        K's; default: all, the output layer last.
    coefficients : "Z", "Q" or a prime
    ambient : bool
        Use the rank on R^n instead of that on the manifold.
    reading : "collapsing" or "all", optional
        Which maximal cells of low rank A is made of; see
        :data:`polyrank.topology.low_rank.READINGS`.
    in_turn : bool
        List the homology after collapsing one component after another, too.
    jobs : int, optional
        Threads that work on the parts of different layers; what is found does not depend on them.
        Default: all that this process may use.

    Raises
    ------
    DomainError
        If a layer does not exist, the rank is negative or the coefficients are unknown.
    ValueError
        If ``jobs`` is less than 1.
    """
    parse_coefficients(coefficients)
    degrees = restriction.manifold.degrees
    parts = [
        low_rank_part(restriction, layer, rank, ambient=ambient, reading=reading)
        for layer in layers or range(1, restriction.layers + 1)
    ]

    def collapsed(part: LowRankPart) -> tuple[CollapsedHomology, tuple[Homology, ...] | None]:
        classes = part.class_of_component
        found = collapsed_homology(restriction.complex, part.mask, coefficients, classes)
        steps = None
        if in_turn and part.components <= MOST_STEPS:
            every = collapse_in_turn(restriction.complex, part.mask, coefficients)
            steps = tuple(h.below(degrees) for h in every)
        return found.below(degrees), steps

    # the same part at two layers is computed once
    keys = [(*(m.tobytes() for m in part.mask), _bytes(part.class_of_component)) for part in parts]
    distinct = dict(zip(keys, parts, strict=True))
    tell("homology of layers", 0, len(distinct))
    found = each(
        collapsed,
        list(distinct.values()),
        jobs,
        lambda done: tell("homology of layers", done, len(distinct)),
    )
    known = dict(zip(distinct, found, strict=True))
    return [LayerHomology(part, *known[key]) for part, key in zip(parts, keys, strict=True)]


def _bytes(array: NDArray[np.int64] | None) -> bytes:
    return b"" if array is None else array.tobytes()


def not_decided(rank: int) -> list[str]:
    """What the quotients do not say about the representation Φ_K(M), in sentences."""
    quotients = (
        "H(M/A) and H(M/~) are the homology of quotients of M, not of its image Φ_K(M): the two "
        "agree only if no two cells overlap in the image beyond shared faces and every fibre that "
        "is collapsed is connected. The quotients know nothing of overlaps: a map of full rank "
        "everywhere may fold M, and a map of deficient rank everywhere may change nothing."
    )
    convention = (
        f"A component of rank up to {rank} need not go to a point; collapsing it (equation 9 of "
        "Beshkov and Einevoll) is a convention, and only rank-0 components have an image point."
    )
    sampled = "M is the given triangulation; what it was sampled from is not known to the program."
    return [quotients, convention, sampled] if rank > 0 else [quotients, sampled]


def homology_object(
    restriction: Restriction,
    rows: Sequence[LayerHomology],
    coefficients: str | int,
    *,
    points: bool = False,
) -> dict[str, Any]:
    """The object that ``polyrank homology --json`` prints.

    With ``points``, every maximal cell of A is listed with a rational point inside.
    """
    rank = rows[0].part.rank if rows else 0
    return {
        "network": {"name": restriction.network.name, "hash": restriction.network.sha256},
        "manifold": restriction.manifold.summary(),
        "cells": list(restriction.complex.cells),
        "euler_characteristic": restriction.complex.euler_characteristic,
        "coefficients": coefficients_name(parse_coefficients(coefficients)),
        "rank": rank,
        "layers": [
            _row_object(restriction, row)
            | ({"cells_of_A": _points_object(restriction, row.part)} if points else {})
            for row in rows
        ],
        "not_decided": not_decided(rank),
    }


def _row_object(restriction: Restriction, row: LayerHomology) -> dict[str, Any]:
    part, found = row.part, row.homology
    top = restriction.manifold.dimension
    meets, inside = part.simplices(restriction, top)
    return {
        "layer": part.layer,
        "rank": part.rank,
        "rank_of": part.rank_of,
        "low_rank_cells": part.reading,
        "low_rank_cells_are": READINGS[part.reading],
        "cells": [int(m.sum()) for m in part.cells],
        "components": part.components,
        "classes": part.classes,
        "images": None if part.images is None else [[str(v) for v in p] for p in part.images],
        "class_of_component": None
        if part.class_of_component is None
        else part.class_of_component.tolist(),
        "samples": part.samples(restriction).tolist(),
        "simplices_met": meets.tolist(),
        "simplices_inside": inside.tolist(),
        "other_deficient_cells": part.deficient,
        "H(M)": groups(found.manifold),
        "H(A)": groups(found.part),
        "H(M,A)": groups(found.relative),
        "H(M/A), one point": groups(found.one_point),
        "H(M/~), one point per component": groups(found.per_component),
        "H(M/~), one point per image": None if found.per_image is None else groups(found.per_image),
        "long_exact_sequence": {
            "exact": True,
            "checked_over": found.sequence.checked_over,
            "compared": "subgroups" if found.sequence.by_subgroups else "ranks",
            "rank_of_inclusion": list(found.sequence.inclusion),
            "rank_of_projection": list(found.sequence.projection),
            "rank_of_connecting": list(found.sequence.connecting),
        },
        "components_in_turn": None if row.in_turn is None else [groups(h) for h in row.in_turn],
    }


def _points_object(restriction: Restriction, part: LowRankPart) -> list[dict[str, Any]]:
    return [
        {
            "dimension": p.dimension,
            "cell": p.cell,
            "component": p.component,
            "simplex": list(p.simplex),
            "weights": [str(w) for w in p.weights],
            "point": [str(v) for v in p.point],
        }
        for p in low_rank_points(restriction, part)
    ]


def groups(homology: Homology) -> dict[str, Any]:
    """Betti numbers, torsion and the groups as text."""
    return {
        "betti": list(homology.betti),
        "torsion": [list(t) for t in homology.torsion],
        "groups": list(homology.groups),
    }
