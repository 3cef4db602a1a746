"""Small runs with proofs, and what it takes to alter one on disk and read it back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import polyrank as pr
from polyrank.cells import dictionary_search
from polyrank.cells.vertices import search as vertices
from polyrank.network.normal_form import Network, affine_layer, relu_layer
from polyrank.proof.format import MAGIC, segments

Domain = Any


def random_network(seed: int, *widths: int, integers: bool = False, bias: bool = True) -> Network:
    """A ReLU network with float32 or small integer weights."""
    rng = np.random.default_rng(seed)

    def draw(shape: Any) -> Any:
        if integers:
            return rng.integers(-2, 3, size=shape).astype(np.float64)
        return rng.normal(size=shape).astype(np.float32)

    weights = [draw((b, a)) for a, b in pairwise(widths)]
    biases = [draw(b) if bias else np.zeros(b) for b in widths[1:]]
    return Network.from_arrays(weights, biases)


def degenerate_network() -> Network:
    """Coincident, opposite, parallel, dead and constant units; a layer of absolute values."""
    first = relu_layer(
        [[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1.0]],
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, -0.5],
    )
    second = relu_layer(
        [[1.0, 0, 0, 0, 0, -1, 0], [0, 0, 1, 0, 0, 1, 1], [0, 0, 0, 0, 1.0, 0, 0]],
        [0.0, -0.25, 0.0],
        slope=-1,
    )
    return Network((first, second, affine_layer([[1.0, 1.0, 1.0]], [0.0])), "degenerate")


def write(
    path: Path,
    net: Network,
    domain: Domain = None,
    *,
    cells: int = 1 << 20,
    **options: Any,
) -> pr.Run:
    """Enumerate with a proof, cut into segments of at most ``cells`` cells."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (dictionary_search, vertices):
            patch.setattr(module, "_SEGMENT", cells)
        return pr.enumerate_regions(net, domain, out=path, proof=True, **options)


class Copy:
    """A copy of a run directory, with its parts as Python objects; or, if ``source`` is its path,
    the directory itself. ``statement`` is the file that states the hash of its network."""

    def __init__(self, source: Path, path: Path, statement: str = "manifest.json") -> None:
        if source != path:
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(source, path)
        self.path, self.statement = path, path / statement

    @property
    def manifest(self) -> dict[str, Any]:
        return dict(json.loads(self.statement.read_text()))

    def edit(self, change: Callable[[dict[str, Any]], Any]) -> None:
        manifest = self.manifest
        change(manifest)
        self.statement.write_text(json.dumps(manifest))

    def edit_network(self, change: Callable[[dict[str, Any]], Any], *, honest: bool) -> None:
        """Alter ``network.json``; ``honest`` also corrects the hash in the manifest."""
        file = self.path / "network.json"
        stored = json.loads(file.read_text())
        change(stored)
        file.write_text(json.dumps(stored))
        if honest:
            digest = pr.load(file).sha256
            self.edit(lambda manifest: manifest["network"].update(hash=digest))

    @property
    def segments(self) -> list[bytes]:
        return list(segments(sorted((self.path / "proof").glob("*.zst"))))

    def write_segments(self, new: list[bytes], *, honest: bool = True) -> None:
        """Replace the log; ``honest`` also corrects the manifest's number of segments."""
        (part, *others) = sorted((self.path / "proof").glob("*.zst"))
        assert not others
        with pa.CompressedOutputStream(pa.OSFile(str(part), "wb"), "zstd") as stream:
            stream.write(MAGIC)
            for segment in new:
                stream.write(len(segment).to_bytes(8, "little"))
                stream.write(segment)
        if honest:
            self.edit(lambda manifest: manifest["proof"].update(segments=len(new)))

    @property
    def table(self) -> pa.Table:
        return pq.read_table(self.path / "regions" / "part-000000.parquet")

    def write_table(self, table: pa.Table, *, honest: bool = True) -> None:
        """Replace the table; ``honest`` also corrects count and rank histogram."""
        pq.write_table(table, self.path / "regions" / "part-000000.parquet")
        if not honest:
            return

        def change(manifest: dict[str, Any]) -> None:
            manifest["counts"]["regions"] = table.num_rows
            histogram = []
            for k in range(manifest["layers"]):
                ranks = table.column(f"rank_{k + 1}").to_pylist()
                histogram.append({str(r): ranks.count(r) for r in sorted(set(ranks))})
            manifest["rank_histogram"] = histogram

        self.edit(change)
