"""Images of layers that are done, kept in a folder so that long work goes on with the next layer.

What is kept of a layer is the union of the images of its cells, which is where the time goes; the
maps between the layers are made from it again, and verified again.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from polyrank.digits import json_text, json_value
from polyrank.image.glue import Glued
from polyrank.image.homogeneous import manifold_points
from polyrank.image.shadow import Shadow
from polyrank.network.normal_form import Network
from polyrank.regions.kept import KEEP_SECONDS, KeptWork
from polyrank.topology.manifold import Manifold

__all__ = ["KeptLayers", "kept_layers"]


class KeptLayers:
    """The layers that are done.

    Parameters
    ----------
    work : KeptWork, optional
        None: nothing is kept.
    """

    def __init__(self, work: KeptWork | None = None) -> None:
        self._work = work
        done = [] if work is None else work.done
        self._entries = {(entry["what"], entry["layer"]): entry for entry in done}

    def glued(self, layer: int, make: Callable[[], Glued]) -> Glued:
        """The union of the parts of a layer: what was kept, or what is made and kept now."""
        text = self._known("overlay", layer)
        if text is None:
            made = make()
            self._keep("overlay", layer, lambda: {**_fields(made), "edges": made.edges.tolist()})
            return made
        return Glued(
            _tuples(text["points"]),
            np.array(text["edges"], np.int64).reshape(-1, 2),
            text["faces"],
            text["vertex"],
            [_tuples(own) for own in text["paths"]],
            [_tuples(own) for own in text["areas"]],
            text["crossings"],
            [_tuples(own) for own in text["solids"]],
            [_tuples(own) for own in text["volumes"]],
        )

    def shadow(self, layer: int, make: Callable[[], Shadow]) -> Shadow:
        """The components and holes of an image in the plane."""
        text = self._known("contours", layer)
        if text is None or "rims" not in text:
            made = make()
            self._keep("contours", layer, lambda: _fields(made))
            return made
        return Shadow(
            _tuples(text["points"]),
            _tuples(text["edges"]),
            text["components"],
            _tuples(text["holes"]),
            text["component"],
            [_tuples(own) for own in text["winding"]],
            tuple(text["diameters"]),
            [[(v, _tuples(cells)) for v, cells in rim] for rim in text["rims"]],
        )

    def simplices(self, level: int) -> list[tuple[int, ...]] | None:
        """The simplices of a nerve that appear at a level, if they were kept."""
        text = self._known("nerve", level)
        return None if text is None else _tuples(text["simplices"])

    def keep_simplices(self, level: int, simplices: Sequence[tuple[int, ...]]) -> None:
        """Keep the simplices of a nerve that appear at a level: all of them, in order."""
        self._keep("nerve", level, lambda: {"simplices": list(simplices)})

    def _known(self, what: str, layer: int) -> dict[str, Any] | None:
        entry = self._entries.get((what, layer))
        if entry is None or self._work is None:
            return None
        text: dict[str, Any] = json_value(zlib.decompress(self._work.shard(entry)))
        return text

    def _keep(self, what: str, layer: int, text: Callable[[], dict[str, Any]]) -> None:
        if self._work is not None and self._work.due:
            shard = zlib.compress(json_text(text()).encode(), 1)
            self._work.keep({"what": what, "layer": layer}, shard)


def kept_layers(
    directory: Path,
    network: Network,
    manifold: Manifold,
    last: int,
    *,
    seconds: float = KEEP_SECONDS,
) -> KeptWork:
    """The folder of the images of a manifold: a new one, or one that was left.

    Raises
    ------
    RunError
        If it cannot be written, is damaged or in use, or is about another network, manifold or last
        layer.
    """
    digest = hashlib.sha256(json_text(manifold_points(manifold)).encode())
    for simplices in manifold.simplices:
        digest.update(np.ascontiguousarray(simplices, dtype=np.int64).tobytes())
    question = {
        "what": "image",
        "network": network.sha256,
        "manifold": digest.hexdigest(),
        "last layer": last,
    }
    made = KeptWork.resume if directory.exists() else KeptWork.begin
    return made(directory, question, seconds=seconds)


def _fields(made: Glued | Shadow) -> dict[str, Any]:
    if isinstance(made, Glued):
        names = ("points", "faces", "vertex", "paths", "areas", "crossings", "solids", "volumes")
        return {name: getattr(made, name) for name in names}
    return asdict(made)


def _tuples(rows: Sequence[Sequence[Any]]) -> list[Any]:
    return [tuple(row) for row in rows]
