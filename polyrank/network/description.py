"""What a network holds, in numbers that decide how hard and how degenerate it is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from flint import fmpq

from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray

__all__ = ["activation_name", "coincident_units", "describe", "duplicate_units"]


def describe(network: Network) -> dict[str, Any]:
    """A JSON-serialisable description of a network: every statement in it is exact.

    Returns
    -------
    dict
        ``name``, ``format``, ``file``, ``file_sha256``, ``normalisation`` and ``notes`` (from
        ``source``); ``sha256`` of the exact function; ``widths``, ``hyperplanes`` and
        ``parameters``; ``exact``: ``"float64"`` if every entry is a float64 number, else
        ``"rational"``; ``bias_free``; and ``layers``, one dict per layer with

        * ``layer`` (1-based), ``name``, ``inputs``, ``units``, ``hyperplanes``, ``exact``;
        * ``activation`` (:func:`activation_name`) and ``slopes``, a list of
          ``{"neg", "pos", "units"}`` with exact strings;
        * ``zero_weights``: how many weights are 0;
        * ``constant_units``: units whose weights are all 0, and ``zero_units``: those whose bias
          is 0 too;
        * ``duplicate_units``: groups of units with the same weights, bias and slopes;
        * ``coincident_units``: groups of units with the same hyperplane (see
          :func:`coincident_units`).

        Units are counted from 0.

    Examples
    --------
    >>> net = Network.from_arrays([[[1.0], [-2.0]], [[1.0, 1.0]]], [[1.0, -2.0], [0.0]])
    >>> describe(net)["layers"][0]["coincident_units"]
    [[0, 1]]
    """
    source = network.source
    layers = [_describe_layer(k, layer) for k, layer in enumerate(network.layers, start=1)]
    exact = {layer["exact"] for layer in layers}
    return {
        "name": network.name,
        "format": source.get("format"),
        "file": source.get("file"),
        "file_sha256": source.get("sha256"),
        "normalisation": source.get("normalisation"),
        "notes": list(source.get("notes", ())),
        "sha256": network.sha256,
        "widths": list(network.widths),
        "hyperplanes": sum(network.bits),
        "parameters": sum(layer.units * (layer.inputs + 1) for layer in network.layers),
        "exact": "rational" if "rational" in exact else "float64",
        "bias_free": all(not any(_nonzero(layer.bias)) for layer in network.layers),
        "layers": layers,
    }


def _describe_layer(index: int, layer: Layer) -> dict[str, Any]:
    parts = (layer.weight, layer.bias, layer.slope_neg, layer.slope_pos)
    nonzero = np.array(_nonzero(layer.weight)).reshape(layer.weight.shape)
    constant = ~nonzero.any(axis=1)
    zero = constant & ~np.array(_nonzero(layer.bias))
    slopes = Counter(layer.slopes_exact)
    return {
        "layer": index,
        "name": layer.name,
        "inputs": layer.inputs,
        "units": layer.units,
        "hyperplanes": int(layer.has_hyperplane.sum()),
        "exact": "float64" if all(part.is_float for part in parts) else "rational",
        "activation": activation_name(layer),
        "slopes": [
            {"neg": str(neg), "pos": str(pos), "units": count}
            for (neg, pos), count in slopes.most_common()
        ],
        "zero_weights": int(nonzero.size - nonzero.sum()),
        "constant_units": np.flatnonzero(constant).tolist(),
        "zero_units": np.flatnonzero(zero).tolist(),
        "duplicate_units": duplicate_units(layer),
        "coincident_units": coincident_units(layer),
    }


def activation_name(layer: Layer) -> str:
    """The activation of a layer in one word: relu, abs, linear, leaky_relu, slopes or mixed."""
    pairs = set(layer.slopes_exact)
    if len(pairs) > 1:
        return "mixed"
    neg, pos = pairs.pop()
    if pos != 1:
        return "slopes"
    return {fmpq(0): "relu", fmpq(1): "linear", fmpq(-1): "abs"}.get(neg, "leaky_relu")


def duplicate_units(layer: Layer) -> list[list[int]]:
    """Groups (of at least two) units of equal weights, bias and slopes, decided exactly."""
    keys = [
        (row, bias, slopes)
        for row, bias, slopes in zip(
            _row_keys(layer.weight), _row_keys(layer.bias), layer.slopes_exact, strict=True
        )
    ]
    return _groups(keys)


def coincident_units(layer: Layer) -> list[list[int]]:
    """Groups (of at least two) units of one layer whose hyperplanes coincide, decided exactly.

    These are the units of non-zero weight whose rows ``(w, b)`` are multiples of one another,
    of either sign. Whether a unit has a bit is not asked: see ``Layer.has_hyperplane``.

    Notes
    -----
    For float64 rows the search compares the correctly rounded ratios to the first non-zero
    entry, which equal rows of ratios must share, and then confirms each pair exactly.
    """
    if not (layer.weight.is_float and layer.bias.is_float):
        return _groups([_exact_direction(row) for row in _exact_rows(layer)])
    rows = np.column_stack([layer.weight.approx, layer.bias.approx])
    alive = np.flatnonzero(layer.weight.approx.any(axis=1))
    pivot = (layer.weight.approx != 0).argmax(axis=1)
    with np.errstate(over="ignore"):
        ratios = rows[alive] / rows[alive, pivot[alive]][:, None]
    ratios[ratios == 0] = 0.0  # no −0.0
    groups = []
    for candidates in _groups([row.tobytes() for row in ratios]):
        units = [int(alive[i]) for i in candidates]
        exact = [_exact_direction(list(map(_fmpq, rows[unit].tolist()))) for unit in units]
        groups += [[units[i] for i in group] for group in _groups(exact)]
    return sorted(groups)


def _exact_rows(layer: Layer) -> list[list[fmpq]]:
    weight: list[list[fmpq]] = layer.weight_exact.tolist()
    return [[*row, bias] for row, bias in zip(weight, layer.bias.entries(), strict=True)]


def _exact_direction(row: list[fmpq]) -> tuple[fmpq, ...] | None:
    """The row ``(w, b)`` divided by its first non-zero weight; None if all weights are 0."""
    pivot = next((v for v in row[:-1] if v != 0), None)
    return None if pivot is None else tuple(v / pivot for v in row)


def _fmpq(value: float) -> fmpq:
    return fmpq(*value.as_integer_ratio())


def _groups(keys: list[Any]) -> list[list[int]]:
    """Indices with equal keys, in groups of two or more; None belongs to no group."""
    found: dict[Any, list[int]] = {}
    for index, key in enumerate(keys):
        if key is not None:
            found.setdefault(key, []).append(index)
    return [group for group in found.values() if len(group) > 1]


def _row_keys(array: RationalArray) -> list[Any]:
    if array.is_float:
        rows = array.approx.reshape(array.shape[0], -1) + 0.0  # −0.0 becomes 0.0
        return [row.tobytes() for row in rows]
    return [tuple(row) for row in array.to_fmpq_mat().tolist()]


def _nonzero(array: RationalArray) -> list[bool]:
    if array.is_float:
        return list((array.approx != 0).ravel().tolist())
    return [v != 0 for v in array.entries()]
