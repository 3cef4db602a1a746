"""Saved weights: one module per format, each turning bytes into the normal form.

A format's module is imported only when a file of that format is read or written.
"""

from __future__ import annotations

from polyrank.network.formats.objects import from_onnx, from_torch
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.reading import load, load_as_stated
from polyrank.network.formats.sklearn import from_sklearn
from polyrank.network.formats.writing import save

__all__ = [
    "LoadOptions",
    "from_onnx",
    "from_sklearn",
    "from_torch",
    "load",
    "load_as_stated",
    "save",
]
