"""Writes what is found of a function as a whole; :mod:`polyrank.proof.function` reads it."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from polyrank.cells.interrupt import prompt_interrupts
from polyrank.errors import RunError
from polyrank.network.formats.writing import save
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Domain
from polyrank.regions.directory import disk_errors, new_directory, write_whole
from polyrank.regions.enumerate import enumerate_regions
from polyrank.regions.limits import Limits
from polyrank.regions.manifest import network_entry, versions
from polyrank.regions.proof_log import NETWORK_NAME
from polyrank.regions.run import Run

__all__ = ["FunctionStore"]

_FORMAT = 1
_SECOND = "second.json"
_RUN, _VERDICT = "regions", "verdict"


class FunctionStore:
    """A new directory for a statement about a function, or nothing.

    Use it as a context manager: if the block fails, there is no directory either.

    Parameters
    ----------
    out : path, optional
        None: nothing is written.
    network : Network
    domain : Domain
    proof : bool
        Whether the regions, or the tree of boxes, are kept with their proof.
    network_file : mapping, optional
        ``path`` and ``options`` with which :func:`polyrank.load` reads the network again; by
        default the directory holds it.
    second, second_file : Network and mapping, optional
        The other network, of statements about two.

    Raises
    ------
    RunError
        If the directory exists or cannot be written, or a proof is asked for without one.
    """

    def __init__(
        self,
        out: str | PathLike[str] | None,
        network: Network,
        domain: Domain,
        *,
        proof: bool = False,
        network_file: Mapping[str, Any] | None = None,
        second: Network | None = None,
        second_file: Mapping[str, Any] | None = None,
    ) -> None:
        if proof and out is None:
            raise RunError("a proof is written beside the answer; name a directory with out=")
        self.directory, self.proof = None if out is None else Path(out), proof
        self._head: dict[str, Any] = {}
        if self.directory is None:
            return
        directory = self.directory
        with new_directory(directory):
            entries: list[dict[str, Any] | None] = []
            for each, file, name in (
                (network, network_file, NETWORK_NAME),
                (second, second_file, _SECOND),
            ):
                if each is None:
                    entries.append(None)
                    continue
                if file is None:
                    save(each, directory / name)
                entry = {"path": name, "options": {}} if file is None else dict(file)
                entries.append({"network": network_entry(each), "network_file": entry})
        self._head = {
            "format": _FORMAT,
            **(entries[0] or {}),
            "second": entries[1],
            "domain": domain.describe(),
            "versions": versions(),
        }

    def regions(
        self, network: Network, domain: Domain, jobs: int | None, seconds: float = math.inf
    ) -> Run:
        """The regions of a network, with their proof in the directory if that is kept.

        Not all of them, where the time limit came first: the run is "stopped" then.
        """
        limits = Limits(seconds=max(seconds, 0.0)) if math.isfinite(seconds) else None
        if self.directory is None or not self.proof:
            with prompt_interrupts():  # nothing of it is kept
                return enumerate_regions(network, domain, jobs=jobs, limits=limits)
        out = self.directory / _RUN
        return enumerate_regions(network, domain, jobs=jobs, out=out, proof=True, limits=limits)

    @property
    def verdict(self) -> Path | None:
        """Where the verdict of a greatest difference goes."""
        if self.directory is None or not self.proof:
            return None
        return self.directory / _VERDICT

    def finish(self, claim: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        """Write the statement. Points alone prove what is violated: regions go then."""
        if self.directory is None:
            return
        proved = self.proof and found["verdict"] not in ("violated", "unknown")
        with disk_errors(self.directory):
            if not proved:
                for name in (_RUN, _VERDICT):
                    shutil.rmtree(self.directory / name, ignore_errors=True)
            stated = {**self._head, "claim": dict(claim), **found, "proof": proved}
            write_whole(self.directory / "function.json", json.dumps(stated).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
