"""The file in which a directory states what it proves, and of which network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from polyrank.errors import RunError
from polyrank.network.normal_form import Network
from polyrank.proof.network_file import named_network
from polyrank.proof.stated import check_named

__all__ = ["StatementFile", "same_text"]


def same_text(found: Any, stated: Any) -> bool:
    """Whether both are written in the same words: 1 is not ``true``, ``"2/4"`` not ``"1/2"``."""
    return json.dumps(found, sort_keys=True) == json.dumps(stated, sort_keys=True)


@dataclass(frozen=True, slots=True)
class StatementFile:
    """A kind of directory with a proof.

    Attributes
    ----------
    name : str
        Of the file in it.
    key : str
        The field of the file that holds the format, and by which kinds with one file differ.
    format : int
        The one that this program reads.
    whose : str
        What sentences call such a directory.
    """

    name: str
    key: str
    format: int
    whose: str

    def lies_in(self, path: Path) -> bool:
        """Whether a directory has this file, with this key."""
        file = path / self.name
        try:
            return file.is_file() and self.key in json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, RecursionError):
            return False

    @contextmanager
    def opened(self, path: Path, network: Path | None) -> Iterator[tuple[dict[str, Any], Network]]:
        """What a directory states, and its network, while the claims about it are checked.

        Parameters
        ----------
        path : Path
        network : Path or None
            The file of the network, where it is no longer where the statement says.

        Raises
        ------
        NotDecidedError
            If the file of the network holds another one.
        NetworkError
            If it is missing or cannot be read.
        RunError
            If the statement cannot be read or has another format; also if the block meets
            something in the directory that is not as it is written.
        """
        try:
            for file in path.rglob("*"):
                if not (file.is_file() or file.is_dir()):
                    raise RunError(f"{file} is no file that can be read to its end")
            stated = json.loads((path / self.name).read_text(encoding="utf-8"))
            if stated[self.key] != self.format:
                raise RunError(
                    f"{path} has format {stated[self.key]!r}; this program reads format "
                    f"{self.format}"
                )
            own = named_network(path, stated, network)
            check_named(own, stated, self.whose)
            yield stated, own
        except (
            OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError,
            RecursionError, pa.ArrowException,
        ) as error:  # fmt: skip
            raise RunError(f"{path} is not a complete {self.whose}: {error!r}") from None
