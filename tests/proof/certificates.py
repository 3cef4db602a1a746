"""Certificates on disk beside the network that they name, and what it takes to alter a copy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import polyrank as pr
from polyrank.errors import NetworkError, RunError
from polyrank.network.normal_form import Network
from polyrank.proof.format import NotDecidedError, ProofRejectedError

Columns = dict[str, list[Any]]
Check = Callable[..., Any]


def edited(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Alter what a certificate states."""
    stated = json.loads((path / "certificate.json").read_text())
    change(stated)
    (path / "certificate.json").write_text(json.dumps(stated))


def rewritten(path: Path, name: str, change: Callable[[Columns], Any]) -> None:
    """Alter a table of a certificate."""
    table = pq.read_table(path / name)
    columns = {n: table[n].to_pylist() for n in table.column_names}
    change(columns)
    made = pa.table({n: pa.array(columns[n], table.schema.field(n).type) for n in columns})
    pq.write_table(made, path / name)


def dropped(columns: Columns) -> None:
    """Without the first row."""
    for column in columns.values():
        del column[0]


def altered(proof: Path, root: Path, name: str | None, change: Callable[[Any], Any]) -> Path:
    """A copy of a certificate and its network, with a table altered, or what it states (None)."""
    path = root / "certificate"
    shutil.copytree(proof, path)
    shutil.copy(proof.parent / "net.json", root)
    if name is None:
        edited(path, change)
    else:
        rewritten(path, name, change)
    return path


#: What a message says where something is not proved, and not shown to be false either.
_UNPROVED = ("nothing separates", "nothing keeps", "its proofs not decided", "tetrahedra")


def assert_refused(check: Check, path: Path, reason: str) -> None:
    """What is false is rejected; what lacks a proof is not decided."""
    with pytest.raises(ProofRejectedError, match=reason) as refused:
        check(path)
    unproved = any(words in str(refused.value) for words in _UNPROVED)
    assert isinstance(refused.value, NotDecidedError) == unproved


def assert_needs_its_files(
    check: Check, proof: Path, root: Path, *, other: Network, table: str, key: str
) -> Path:
    """Without its network, with another one, without a table, of another format: four errors.

    What is left of the copy is returned.
    """
    path = root / "certificate"
    shutil.copytree(proof, path)
    with pytest.raises(NetworkError, match="net.json is missing"):
        check(path)
    pr.save(other, root / "other.json")
    with pytest.raises(NotDecidedError, match="holds another network"):
        check(path, network=root / "other.json")
    net = proof.parent / "net.json"
    (path / table).unlink()
    with pytest.raises(RunError, match="not a complete certificate"):
        check(path, network=net)
    edited(path, lambda s: s.update({key: 2}))
    with pytest.raises(RunError, match="format 1"):
        check(path, network=net)
    return path
