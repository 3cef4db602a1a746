"""The exact piecewise-linear network: normal form, forward pass, codewords, saved weights.

The names below are loaded on first use, so that importing this package is light. The floating
forward pass has the name of its module: ``from polyrank.network.forward import forward``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyrank.room import public

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

_, __getattr__, __dir__ = public(
    __name__,
    {
        "description": ["describe"],
        "formats.options": ["LoadOptions"],
        "formats.reading": ["load"],
        "formats.writing": ["save"],
        "forward": [
            "ExactCodeword",
            "affine_map",
            "codeword_exact",
            "codewords",
            "forward_exact",
            "pack_bits",
            "unpack_bits",
        ],
        "normal_form": ["Layer", "Network", "affine_layer", "relu_layer"],
        "normalisation": ["fold_normalisation"],
        "rational": ["RationalArray", "nearest_float", "to_fmpq"],
    },
)
