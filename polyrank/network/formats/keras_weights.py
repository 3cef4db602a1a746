"""The arrays of Keras files, by layer: HDF5 of Keras 2 and 3, and the HDF5 inside ``.keras``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from polyrank.errors import FormatError
from polyrank.network.formats.keras_hdf5 import Dataset, Group
from polyrank.network.formats.source import check_entries

__all__ = ["Weights", "weights_by_name", "weights_by_place"]

Weights = Mapping[str, list[NDArray[Any]]]
"""The arrays of every layer that has some, in Keras's order, by the layer's name."""

_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")


def weights_by_name(root: Group) -> dict[str, list[NDArray[Any]]]:
    """The arrays of an ``.h5`` file: each group lists its weights as ``…/layer/kernel``.

    Raises
    ------
    FormatError
        If a listed array is missing or damaged.
    """
    found: dict[str, list[NDArray[Any]]] = {}
    counter = _Counter()
    for layer in _listed(root, "layer_names"):
        group = root.child(layer)
        if not isinstance(group, Group):
            raise FormatError(f"the layer {layer!r} is listed but has no group")
        for name in _listed(group, "weight_names"):
            parts = name.split("/")
            owner = parts[-2] if len(parts) > 1 else layer
            found.setdefault(owner, []).append(counter.array(_walk(group, name)))
    return found


def weights_by_place(root: Group, layers: list[Any]) -> dict[str, list[NDArray[Any]]]:
    """The arrays of a ``model.weights.h5``, where a layer's place is its class and a counter.

    Parameters
    ----------
    root : Group
    layers : list
        The configurations of the layers, nested models included, as ``config.json`` gives them.

    Raises
    ------
    FormatError
        If the groups do not fit the configuration.
    """
    found: dict[str, list[NDArray[Any]]] = {}
    for name, arrays in _placed(root, layers, _Counter()):
        if name in found:
            raise FormatError(
                f"two layers are called {name!r}: give them names of their own and save the model "
                "again"
            )
        found[name] = arrays
    return found


def _placed(
    root: Group, layers: list[Any], counter: _Counter
) -> Iterator[tuple[str, list[NDArray[Any]]]]:
    container = next((c for c in _CONTAINERS if c in root), None)
    place = None if container is None else root.child(container)
    used: dict[str, int] = {}
    for layer in layers:
        kind = _snake(str(layer["class_name"]))
        used[kind] = used.get(kind, -1) + 1
        if not isinstance(place, Group):
            continue
        name = kind if used[kind] == 0 else f"{kind}_{used[kind]}"
        group = place.child(name) if name in place else None
        if not isinstance(group, Group):
            continue
        inner = layer["config"].get("layers")
        if isinstance(inner, list):
            yield from _placed(group, inner, counter)
            continue
        variables = group.child("vars") if "vars" in group else None
        if isinstance(variables, Group) and variables.members:
            keys = sorted(variables.members, key=lambda key: (len(key), key))
            arrays = [counter.array(variables.child(key)) for key in keys]
            yield str(layer["config"].get("name", name)), arrays


def _snake(name: str) -> str:
    """``LeakyReLU`` → ``leaky_re_lu``, as Keras names groups."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _listed(group: Group, name: str) -> list[str]:
    """A list of names; Keras splits long ones into ``name0, name1, …``."""
    if name in group.attributes:
        return list(group.attributes[name])
    names: list[str] = []
    count = 0
    while f"{name}{count}" in group.attributes:
        names.extend(group.attributes[f"{name}{count}"])
        count += 1
    return names


def _walk(group: Group, path: str) -> Group | Dataset:
    node: Group | Dataset = group
    for part in filter(None, path.split("/")):
        if not isinstance(node, Group) or part not in node:
            raise FormatError(f"the array {path!r} is listed but not there")
        node = node.child(part)
    return node


class _Counter:
    """Reads arrays and refuses when they are too many numbers together."""

    def __init__(self) -> None:
        self.total = 0

    def array(self, dataset: Group | Dataset) -> NDArray[Any]:
        if not isinstance(dataset, Dataset):
            raise FormatError("a weight is not an array")
        self.total += math.prod(dataset.shape)
        check_entries(self.total, "the file")
        return dataset.array()
