"""An ONNX graph as plain Python objects: nodes, attributes, arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

__all__ = ["GraphModel", "Node"]


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of the graph; an absent optional input is the empty string."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def where(self) -> str:
        """How messages call the node."""
        return f"node {self.name!r} ({self.op})"


@dataclass(frozen=True, slots=True)
class GraphModel:
    """What a file says.

    Attributes
    ----------
    nodes : tuple of Node
    constants : mapping of str to ndarray
        The initialisers, as stored.
    inputs : tuple of (str, shape)
        Graph inputs that are not initialisers; a dimension is an int or, if symbolic, a str.
    outputs : tuple of str
    opset : int
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    inputs: tuple[tuple[str, tuple[int | str, ...]], ...]
    outputs: tuple[str, ...]
    opset: int
