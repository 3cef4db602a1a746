"""``polyrank slice``: regions on a slice through points."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq

import polyrank as pr


def test_slice(polyrank, plane, tmp_path):
    path, out = tmp_path / "p.npy", tmp_path / "run"
    np.save(path, np.array([[-1.0, -1.0], [2.0, 2.0], [2.0, -1.0]]))
    found = polyrank("slice", plane, "0,1", "--points", path, "-o", out, "--json", "-q")
    assert found.status == 0
    shown = json.loads(found.out)
    # the diagonal crosses (0, 0) and x + y = 1: three regions, of rank 0, 2, 2 in the plane
    assert shown["regions"] == 3
    assert shown["ambient_rank_histogram"][0] == {"0": 1, "2": 2}
    assert pr.open_run(out).count == pq.read_table(out / "ambient.parquet").num_rows == 3
    text = polyrank("slice", plane, "--points", path, "-q")
    assert "on the input space" in text.out
    line = polyrank("slice", plane, "0,2", "--points", path, "--extended", "--no-ambient", "-q")
    assert line.status == 0
    assert polyrank("slice", plane).status == 2
    assert polyrank("slice", plane, "0;1", "--points", path).status == 2
    assert polyrank("slice", plane, "0,7", "--points", path).status == 1
