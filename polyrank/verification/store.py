"""Writes a verdict and its proof; :mod:`polyrank.proof.verdict` has the format and reads it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from polyrank.digits import json_text
from polyrank.errors import RunError
from polyrank.network.formats.writing import save
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.violation import Specification
from polyrank.regions.directory import disk_errors, new_directory, write_whole
from polyrank.regions.kept import KEEP_SECONDS, KeptWork
from polyrank.regions.manifest import network_entry, versions
from polyrank.regions.proof_log import NETWORK_NAME
from polyrank.verification.arrays import Floats

__all__ = ["QuestionLog", "VerdictStore", "tree_of"]

_MAGIC = b"polyrank boxes 1\n"
_FORMAT = 1
_TEXT = "property.vnnlib"
_VERDICT = "verdict.json"
_WORK = "unfinished"


class QuestionLog:
    """The tree of one question and its exact proofs, streamed to their files."""

    def __init__(self, directory: Path, number: int) -> None:
        self._directory = directory
        with disk_errors(directory):
            self._tree = _stream(directory / f"tree-{number}.bin.zst")
            self._exact = _stream(directory / f"exact-{number}.jsonl.zst")
            self._tree.write(_MAGIC)

    def write(self, codes: bytes, proofs: list[list[Any]]) -> None:
        """Append to the tree, and the steps of the exact leaves in it."""
        with disk_errors(self._directory):
            self._tree.write(codes)
            for steps in proofs:
                self._exact.write(json_text(steps).encode() + b"\n")

    def close(self) -> None:
        """Close the files."""
        with disk_errors(self._directory):
            self._tree.close()
            self._exact.close()


@contextmanager
def tree_of(
    store: VerdictStore | None, number: int
) -> Iterator[Callable[[bytes, list[list[Any]]], None] | None]:
    """Where the tree of a question goes; None if no proof is kept."""
    if store is None or not store.proof:
        yield None
        return
    log = QuestionLog(store.directory, number)
    try:
        yield log.write
    finally:
        log.close()


def _stream(path: Path) -> pa.CompressedOutputStream:
    return pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "zstd")


class VerdictStore:
    """A new directory for a verdict.

    Parameters
    ----------
    directory : Path
    proof : bool
        Whether trees are kept.
    network_file : mapping, optional
        ``path`` and ``options`` with which :func:`polyrank.load` reads the network again; without
        it the directory holds the network as ``network.json``.
    text : str, optional
        The VNN-LIB text of the property.
    within : Domain, optional
        Where the property was restricted to.
    resume : bool
        Go on in a directory that was left.
    keep_seconds : float
        How much work may be lost.
    twins : bool
        Whether the differences of twins are bounded too.

    Attributes
    ----------
    work : KeptWork
        What is kept of the questions that are not answered.

    Raises
    ------
    RunError
        If the directory exists or cannot be written, or the one that was left holds nothing to go
        on with, or is about another question.
    """

    def __init__(
        self,
        directory: Path,
        network: Network,
        specification: Specification,
        *,
        proof: bool,
        network_file: Mapping[str, Any] | None,
        text: str | None,
        within: Domain | None,
        resume: bool = False,
        keep_seconds: float = KEEP_SECONDS,
        twins: bool = False,
    ) -> None:
        self.directory, self.proof = directory, proof
        asked = {
            "network": network.sha256,
            "property": specification.describe(),
            "within": None if within is None else within.describe(),
            "proof": proof,
            **({"twins": True} if twins else {}),
        }
        asked = json.loads(json.dumps(asked))
        self._resumed = resume
        if resume:
            if (directory / _VERDICT).is_file() and not (directory / _WORK).exists():
                raise RunError(f"{directory} has its verdict: there is nothing to resume")
            self.work = KeptWork.resume(directory / _WORK, asked, seconds=keep_seconds)
        else:
            with new_directory(directory):
                if network_file is None:
                    save(network, directory / NETWORK_NAME)
                if text is not None:
                    (directory / _TEXT).write_text(text, encoding="utf-8")
                self.work = KeptWork.begin(directory / _WORK, asked, seconds=keep_seconds)
        self._head = {
            "format": _FORMAT,
            "network": network_entry(network),
            "network_file": network_file or {"path": NETWORK_NAME, "options": {}},
            "property": {
                **specification.describe(),
                "text": None if text is None else _TEXT,
                "within": None if within is None else within.describe(),
            },
            "versions": versions(),
        }
        self._entries: dict[int, dict[str, Any]] = {}

    def root(
        self, number: int, low: Floats, high: Floats, bounds: list[Any], *, twins: bool
    ) -> None:
        """Note the first box of a question, and what proves that the domain lies in it.

        ``twins``: closed boxes rest on bounds of the differences of twins.
        """
        self._entries[number] = {
            "low": [v.hex() for v in low.tolist()],
            "high": [v.hex() for v in high.tolist()],
            "bounds": bounds,
            "empty": None,
            "twins": twins,
        }

    def empty(self, number: int, multipliers: list[Any]) -> None:
        """Note that the domain of a question is empty."""
        self._entries[number] = {"low": [], "high": [], "bounds": [], "empty": multipliers}

    def abandon(self) -> None:
        """Remove the directory, which can have no verdict, unless something is kept in it."""
        self.work.close()
        if not (self._resumed or self.work.entries):
            shutil.rmtree(self.directory, ignore_errors=True)

    def finish(self, summary: Mapping[str, Any], *, goes_on: bool = False) -> None:
        """Write the verdict. Trees of another verdict than "holds" prove nothing and go.

        ``goes_on``: what is kept of the questions stays, for who resumes.
        """
        holds = summary["verdict"] == "holds"
        with disk_errors(self.directory):
            if not holds:
                for pattern in ("tree-*.bin.zst", "exact-*.jsonl.zst"):
                    for file in self.directory.glob(pattern):
                        file.unlink()
            questions = [
                {**answered, **self._entries.get(number, {})}
                for number, answered in enumerate(summary["questions"])
            ]
            stated = {
                **self._head,
                **{k: v for k, v in summary.items() if k not in ("questions", "property")},
                "proof": self.proof and holds,
                "questions": questions,
            }
            write_whole(self.directory / _VERDICT, json.dumps(stated).encode())
        if goes_on:
            self.work.close()
        else:
            self.work.remove()
