"""Cells on disk, read back by other programs."""

from __future__ import annotations

import json

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from flint import fmpq
from scipy import sparse

from polyrank.chains.chain import ChainComplex
from polyrank.chains.groups import homology
from polyrank.errors import RunError
from polyrank.network.forward import unpack_bits
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray
from polyrank.topology import store
from polyrank.topology.manifold import build_manifold
from polyrank.topology.reading import open_cells
from polyrank.topology.restriction import restrict
from polyrank.topology.shapes import shape
from polyrank.topology.store import save_cells
from tests.topology.test_subdivide import random_network, tight_cuts


def test_everything_comes_back(tmp_path):
    found = restrict(random_network(3, 6, 5, 2, seed=7), shape("sphere-and-circle:2"))
    root = save_cells(found, tmp_path / "cells")
    manifest = json.loads((root / "manifest.json").read_text())
    assert manifest["cells"] == list(found.complex.cells)
    assert manifest["euler_characteristic"] == found.complex.euler_characteristic
    assert manifest["certified"] is True
    assert manifest["network"]["hash"] == found.network.sha256
    boundary = []
    for d, signs in enumerate(found.signs):
        table = pq.read_table(root / f"cells-{d}.parquet")
        assert table.num_rows == len(signs)
        word = np.frombuffer(b"".join(table["codeword"].to_pylist()), np.uint8)
        bits = unpack_bits(word.reshape(len(signs), -1), signs.shape[1])
        assert np.array_equal(bits, signs > 0)
        zero = np.zeros_like(bits)
        for i, row in enumerate(table["zero"].to_pylist()):
            if row is not None:
                zero[i] = unpack_bits(np.frombuffer(row, np.uint8), signs.shape[1])
        assert np.array_equal(zero, signs == 0)
        for k in range(3):
            assert table[f"rank_{k + 1}"].to_pylist() == found.ambient_rank[d][:, k].tolist()
            tangent = found.tangent_rank[d][:, k].tolist()
            assert table[f"tangent_rank_{k + 1}"].to_pylist() == tangent
        if d:
            faces, numbers = table["faces"].to_pylist(), table["incidence"].to_pylist()
            columns = np.repeat(np.arange(len(faces)), [len(f) for f in faces])
            entries = (np.concatenate(numbers), (np.concatenate(faces), columns))
            shape_ = (found.complex.cells[d - 1], len(faces))
            boundary.append(sparse.csc_array(entries, shape=shape_).astype(np.int64))
    again = ChainComplex(found.complex.cells, tuple(boundary))
    assert homology(again) == homology(found.manifold.complex)
    vertices = pq.read_table(root / "vertices.parquet")
    for k in (1, 2, 3):
        assert np.allclose(np.stack(vertices[f"image_{k}"].to_pylist()), found.image_points(k))
    corners = pq.read_table(root / "simplices-2.parquet")["corners"].to_pylist()
    assert corners == found.manifold.simplices[2].tolist()


def test_other_programs_read_it(tmp_path):
    found = restrict(random_network(2, 5, 1, seed=3), shape("disk:6"))
    root = save_cells(found, tmp_path / "cells")
    count, low = duckdb.sql(
        f"select count(*), min(tangent_rank_1) from '{root}/cells-2.parquet'"
    ).fetchall()[0]
    assert count == found.complex.cells[2]
    assert low == found.tangent_rank[2][:, 0].min()


def test_witnesses_that_are_no_floats(tmp_path):
    found = restrict(tight_cuts(), build_manifold([[0.0], [2.0]], [[[0, 1]]]))
    table = pq.read_table(save_cells(found, tmp_path / "cells") / "cells-1.parquet")
    exact = [w for w in table["witness_exact"].to_pylist() if w is not None]
    assert len(exact) == 1
    p, q = map(int, exact[0][0].split("/"))
    half = fmpq(1, 2)
    assert half < fmpq(p, q) < half + fmpq(1, 2**70)


def test_refusals(tmp_path, monkeypatch):
    found = restrict(random_network(1, 2, 1), shape("interval:2"))
    (tmp_path / "there").mkdir()
    with pytest.raises(RunError, match="exists already; name a new directory"):
        save_cells(found, tmp_path / "there")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        save_cells(found, tmp_path / "file" / "cells")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.pq, "write_table", full)
    with pytest.raises(RunError, match="the disk is full"):
        save_cells(found, tmp_path / "new")
    # without a manifest nothing looks finished
    assert not (tmp_path / "new" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("sphere-and-circle:2", random_network(3, 6, 5, 2, seed=7)),
        ("moebius:6", random_network(3, 9, 1, seed=8)),
        ("wedge:5", Network.from_arrays([[[1.0, 1.0]]], [[0.0]])),
    ],
)
def test_open_cells(tmp_path, name, network):
    found = restrict(network, shape(name))
    again = open_cells(save_cells(found, tmp_path / "cells"), network)
    for d, signs in enumerate(found.signs):
        assert np.array_equal(again.signs[d], signs)
        assert np.array_equal(again.carrier[d], found.carrier[d])
        assert np.array_equal(again.tangent_rank[d], found.tangent_rank[d])
        assert np.array_equal(again.manifold.labels[d], found.manifold.labels[d])
    for a, b in zip(again.complex.boundary, found.complex.boundary, strict=True):
        assert (a != b).nnz == 0
    for v in range(0, found.complex.cells[0], 5):
        assert again.vertices.exact_point(v) == found.vertices.exact_point(v)
    assert again.manifold.note == found.manifold.note


def test_open_cells_with_rational_points(tmp_path):
    points = RationalArray.from_rationals(["1/3", "0", "1", "2/7"], (2, 2))
    net = random_network(2, 5, 1, seed=1)
    found = restrict(net, build_manifold(points, [[[0, 1]]]))
    again = open_cells(save_cells(found, tmp_path / "cells"), net)
    assert again.manifold.point(0) == [fmpq(1, 3), fmpq(0)]


def test_what_is_no_directory_of_cells(tmp_path):
    net = random_network(1, 2, 1)
    with pytest.raises(RunError, match="not a complete directory of cells"):
        open_cells(tmp_path, net)
    root = save_cells(restrict(net, shape("interval:2")), tmp_path / "cells")
    with pytest.raises(RunError, match="holds the cells of another network"):
        open_cells(root, random_network(1, 2, 1, seed=5))
    (root / "cells-1.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunError, match="not a complete directory of cells"):
        open_cells(root, net)
    (root / "manifest.json").write_text('{"polyrank_cells": 99}')
    with pytest.raises(RunError, match="expected cells of format 1"):
        open_cells(root, net)
