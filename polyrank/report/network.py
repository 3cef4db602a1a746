"""What a network is, layer by layer: as one JSON-serialisable object and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from flint import fmpq

from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import to_fmpq
from polyrank.regions.manifest import network_entry
from polyrank.report.tables import plain_table

__all__ = ["network_object", "network_rows", "network_table"]


def network_object(network: Network) -> dict[str, Any]:
    """The object that ``polyrank info --json`` prints.

    Returns
    -------
    dict
        ``name``, ``hash``, ``widths``, ``bits`` (hyperplanes per layer), ``source`` (format, file,
        what was folded or assumed) and ``layers``: each with ``layer``, ``name``, ``units``,
        ``bits``, ``dyadic`` (every weight is a float64, otherwise some are fractions) and
        ``slopes``: how many units have which exact pair of slopes ``neg``, ``pos``.
    """
    return {
        **network_entry(network),
        "layers": [
            {
                "layer": k,
                "name": layer.name,
                "units": layer.units,
                "bits": bits,
                "dyadic": layer.weight.is_float and layer.bias.is_float,
                "slopes": [
                    {"neg": neg, "pos": pos, "units": units}
                    for (neg, pos), units in _slopes(layer).items()
                ],
            }
            for k, (layer, bits) in enumerate(zip(network.layers, network.bits, strict=True), 1)
        ],
    }


def network_table(network: Network, spelled: Callable[[fmpq], str] = str) -> str:
    """One line per layer of the normal form; ``spelled`` writes a slope."""
    return plain_table(*network_rows(network, spelled))


def network_rows(
    network: Network, spelled: Callable[[fmpq], str] = str
) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of :func:`network_table`."""
    rows = [
        [
            str(k),
            layer.name or "-",
            f"{layer.units:,}",
            f"{bits:,}",
            "float64" if layer.weight.is_float and layer.bias.is_float else "fractions",
            ", ".join(_activation(pair, units, spelled) for pair, units in _slopes(layer).items()),
        ]
        for k, (layer, bits) in enumerate(zip(network.layers, network.bits, strict=True), 1)
    ]
    return ["layer", "name", "units", "bits", "weights", "activation"], rows


def _slopes(layer: Layer) -> Counter[tuple[str, str]]:
    pairs = zip(layer.slope_neg.entries(), layer.slope_pos.entries(), strict=True)
    return Counter((str(neg), str(pos)) for neg, pos in pairs)


_NAMES = {("0", "1"): "ReLU", ("1", "1"): "linear", ("-1", "1"): "absolute value"}


def _activation(pair: tuple[str, str], units: int, spelled: Callable[[fmpq], str]) -> str:
    neg, pos = (spelled(to_fmpq(slope)) for slope in pair)
    if pair in _NAMES:
        name = _NAMES[pair]
    elif pos == "1":
        name = f"LeakyReLU {neg}"
    else:
        name = f"slopes {neg}, {pos}"
    return f"{units:,} {name}"
