"""The exact piecewise-linear network: normal form, forward pass, codewords, saved weights.

The names below are loaded on first use, so that importing this package is light. The floating
forward pass has the name of its module: ``from polyrank.network.forward import forward``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyrank.network.description import describe
    from polyrank.network.formats.options import LoadOptions
    from polyrank.network.formats.reading import load
    from polyrank.network.formats.writing import save
    from polyrank.network.forward import (
        ExactCodeword,
        affine_map,
        codeword_exact,
        codewords,
        forward_exact,
        pack_bits,
        unpack_bits,
    )
    from polyrank.network.normal_form import Layer, Network, affine_layer, relu_layer
    from polyrank.network.normalisation import fold_normalisation
    from polyrank.network.rational import RationalArray, nearest_float, to_fmpq

__all__ = [
    "ExactCodeword",
    "Layer",
    "LoadOptions",
    "Network",
    "RationalArray",
    "affine_layer",
    "affine_map",
    "codeword_exact",
    "codewords",
    "describe",
    "fold_normalisation",
    "forward_exact",
    "load",
    "nearest_float",
    "pack_bits",
    "relu_layer",
    "save",
    "to_fmpq",
    "unpack_bits",
]

_HOME = {
    "ExactCodeword": "forward",
    "Layer": "normal_form",
    "LoadOptions": "formats.options",
    "Network": "normal_form",
    "RationalArray": "rational",
    "affine_layer": "normal_form",
    "affine_map": "forward",
    "codeword_exact": "forward",
    "codewords": "forward",
    "describe": "description",
    "fold_normalisation": "normalisation",
    "forward_exact": "forward",
    "load": "formats.reading",
    "nearest_float": "rational",
    "pack_bits": "forward",
    "relu_layer": "normal_form",
    "save": "formats.writing",
    "to_fmpq": "rational",
    "unpack_bits": "forward",
}


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'polyrank.network' has no attribute {name!r}") from None
    value = getattr(importlib.import_module(f"polyrank.network.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
