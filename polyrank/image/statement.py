"""What was decided about Φ_K on M, as a JSON object and in sentences."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyrank.errors import DomainError
from polyrank.image.collision import Collision, PointOfM
from polyrank.image.homeomorphism import Homeomorphism
from polyrank.image.overlap import Overlaps
from polyrank.image.whole_space import layer_on_space
from polyrank.network.normal_form import Network

__all__ = ["homeomorphism_object", "not_decided", "on_spaces_object", "verdict_name"]

#: Of so many overlaps two points with one image are given.
_WITH_POINTS = 1000
_NAMES = {True: "one-to-one", False: "not one-to-one", None: "not decided"}


def verdict_name(one_to_one: bool | None) -> str:
    """The verdict in words."""
    return _NAMES[one_to_one]


def not_decided() -> list[str]:
    """What the verdict does not say, in sentences."""
    sampled = (
        "Points of M are points of the given complex; what it was sampled from is not known to the "
        "program."
    )
    around = (
        "One-to-one on M says nothing about points beside M: the layer may fold the space around "
        "it."
    )
    return [sampled, around]


def homeomorphism_object(found: Homeomorphism, all_pairs: Overlaps | None = None) -> dict[str, Any]:
    """The object that ``polyrank homeomorphism --json`` prints."""
    network, pair = found.network, found.collision
    out: dict[str, Any] = {
        "network": {"name": network.name, "hash": network.sha256},
        "manifold": found.restriction.manifold.summary(),
        "layer": found.layer,
        "verdict": verdict_name(found.one_to_one),
        "by_layer": [verdict_name(found.at(k)) for k in range(found.layer + 1)],
        "first_layer": found.first_layer,
        "collision": None if pair is None else _collision(pair),
        "decided": [
            {
                "layer": v.layer,
                "verdict": verdict_name(v.one_to_one),
                "pieces": v.pieces,
                "collapsed": v.collapsed,
                "pairs_whose_boxes_meet": v.tally.pairs,
                "separated_by_floats_with_bounds": v.tally.by_floats,
                "decided_in_rationals": v.tally.exactly,
            }
            for v in found.verdicts
        ],
        "not_decided": not_decided(),
    }
    if all_pairs is not None:
        out["overlaps"] = _overlaps(all_pairs)
    return out


def on_spaces_object(network: Network, layer: int | None, seconds: float) -> dict[str, Any]:
    """Every layer by itself, or one, on all of the space of its inputs.

    Raises
    ------
    DomainError
        If there is no layer K.
    """
    depth = len(network.layers)
    if layer is not None and not 1 <= layer <= depth:
        raise DomainError(f"layer {layer} must be between 1 and {depth}")
    out = []
    for k in range(1, depth + 1) if layer is None else [layer]:
        found = layer_on_space(network.layers[k - 1], seconds=seconds)
        pair = None if found.pair is None else [[str(v) for v in p] for p in found.pair]
        out.append({"layer": k, "verdict": found.kind, "reason": found.reason, "points": pair})
    return {"network": {"name": network.name, "hash": network.sha256}, "layers": out}


def _collision(pair: Collision) -> dict[str, Any]:
    return {
        "layer": pair.layer,
        "points": [_point(pair.first), _point(pair.second)],
        "image": [str(v) for v in pair.image],
    }


def _point(own: PointOfM) -> dict[str, Any]:
    return {
        "simplex": list(own.weights),
        "weights": [str(w) for w in own.weights.values()],
        "point": [str(v) for v in own.point],
    }


def _points(found: Overlaps, number: int) -> list[dict[str, Any]]:
    pair = found.collision(number)
    return [_point(p) for p in (pair.first, pair.second)]


def _overlaps(found: Overlaps) -> dict[str, Any]:
    own = found.pieces
    values, counts = np.unique(found.dimension, return_counts=True)
    return {
        "layer": own.layer,
        "pieces": own.count,
        "collapsed": found.collapsed,
        "pairs": len(found.pairs),
        "complete": found.complete,
        "pairs_by_dimension": {
            str(d): int(c) for d, c in zip(values.tolist(), counts.tolist(), strict=True)
        },
        "share_of_m": {
            str(d): {"by_simplex": str(s.by_simplex), "by_volume": s.by_volume}
            for d, s in found.share.items()
        },
        "groups": [
            {"dimension": int(own.dimension[group[0]]), "pieces": group} for group in found.groups
        ],
        "list": [
            {
                "pieces": [i, j],
                "simplices": [own.simplex(i), own.simplex(j)],
                "dimension": d,
                "points": _points(found, number) if number < _WITH_POINTS else None,
            }
            for number, ((i, j), d) in enumerate(
                zip(found.pairs.tolist(), found.dimension.tolist(), strict=True)
            )
        ],
    }
