"""What :func:`polyrank.image.separate.separate` found, as one JSON object with exact fractions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import combinations
from typing import Any

from flint import fmpq

from polyrank.image.apart import Disjoint, Meeting
from polyrank.image.class_pair import HullMeeting, LayerPair
from polyrank.image.collision import PointOfM
from polyrank.image.hyperplane import Hyperplane
from polyrank.image.margin import Classification
from polyrank.image.separate import Separation

__all__ = ["SCOPE", "separation_object"]

SCOPE = (
    "all of this is about this network on this triangulated M; it says nothing about other "
    "networks of the same widths"
)


def separation_object(found: Separation) -> dict[str, Any]:
    """The whole answer; rationals are strings such as ``"-1/3"``."""
    manifold, network = found.restriction.manifold, found.restriction.network
    return {
        "network": network.name,
        "manifold": {**manifold.summary(), "skeleton": manifold.degrees is not None},
        "classes_by": found.by,
        "classes": list(found.classes),
        "simplices_without_class": found.unclassed,
        "layers": list(found.layers),
        "decided": found.decided,
        "layers_on_space": [
            {
                "layer": k,
                "kind": layer.kind,
                "orientation": layer.orientation,
                "one_to_one": found.one_to_one(k) if k <= found.layers[-1] else "not asked",
            }
            for k, layer in enumerate(found.on_space, start=1)
        ],
        "pairs": [
            {
                "classes": [a, b],
                "first_layer_that_meets": found.first_meeting(a, b),
                "separable_layers": [r.layer for r in found.pair(a, b) if r.separable],
                "linking_numbers": {str(k): v for k, v in found.core_numbers(a, b).items()},
                "linking_changes_at": found.linking_changes(a, b),
                "layers": [_row(row) for row in found.pair(a, b)],
            }
            for a, b in combinations(found.classes, 2)
        ],
        "classification": (
            None if found.classification is None else _classification(found.classification)
        ),
        "no_classification": found.no_classification,
        "scope": SCOPE,
    }


def _row(row: LayerPair) -> dict[str, Any]:
    shown: dict[str, Any] = {"layer": row.layer, "images": row.verdict}
    if isinstance(row.images, Disjoint):
        shown["distance_at_least"] = str(row.images.distance)
        near = row.images.near
        shown["distance_about"] = near if math.isfinite(near) else None
        shown["pairs_with_hyperplane"] = row.images.count
    elif isinstance(row.images, Meeting):
        shown["meeting"] = {
            "image": _texts(row.images.image),
            "first": _preimage(row.images.first),
            "second": _preimage(row.images.second),
        }
    shown["linearly_separable"] = row.separable
    if isinstance(row.linear, Hyperplane):
        shown["hyperplane"] = {
            "normal": [str(w) for w in row.linear.normal],
            "offset": str(row.linear.offset),
        }
    elif isinstance(row.linear, HullMeeting):
        shown["convex_combinations"] = {
            "image": _texts(row.linear.image),
            "first": [{"weight": str(w), **_preimage(at)} for w, at in row.linear.first],
            "second": [{"weight": str(w), **_preimage(at)} for w, at in row.linear.second],
        }
    if row.linking is None:
        shown["linking"] = None
        shown["no_linking"] = row.no_linking
    else:
        shown["linking"] = {
            "matrix": row.linking.matrix.tolist(),
            "elementary_divisors": list(row.linking.divisors),
            "coordinates": list(row.linking.coordinates),
        }
    return shown


def _classification(found: Classification) -> dict[str, Any]:
    return {
        "certified": found.certified,
        "rule": found.rule,
        "least_margin": str(found.worst.margin),
        "classes": [
            {
                "class": own.label,
                "least_margin": str(own.margin),
                "at": _preimage(own.at),
                "output": _texts(own.output),
                "rival": own.rival,
            }
            for own in found.classes
        ],
    }


def _preimage(at: PointOfM) -> dict[str, Any]:
    return {
        "point": _texts(at.point),
        "simplex": list(at.weights),
        "weights": _texts(at.weights.values()),
    }


def _texts(values: Iterable[fmpq]) -> list[str]:
    return [str(v) for v in values]
