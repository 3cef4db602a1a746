"""Calls the command line in this process, as the entry point does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from polyrank_cli.main import app


@dataclass(frozen=True)
class Outcome:
    """What a call left: exit status, stdout, stderr."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Standard output without its line breaks: sentences go on in the next line."""
        return " ".join(self.out.split())


@pytest.fixture
def polyrank(capsys) -> Callable[..., Outcome]:
    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            app([str(a) for a in arguments], prog_name="polyrank")
        out, err = capsys.readouterr()
        return Outcome(int(left.value.code or 0), out, err)

    return call


@pytest.fixture
def plane(tmp_path) -> Path:
    """The network (x, y) ↦ relu(x) + relu(y) + relu(x + y − 1): three lines, 7 regions."""
    path = tmp_path / "plane.npz"
    np.savez(
        path,
        W0=np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        b0=np.array([0.0, 0.0, -1.0]),
        W1=np.ones((1, 3)),
        b1=np.zeros(1),
    )
    return path


@pytest.fixture
def fold(tmp_path) -> Path:
    """(x, y) ↦ (x, |y|) in two layers: the first keeps the plane, the second folds it."""
    path = tmp_path / "fold.npz"
    np.savez(
        path,
        W0=np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]),
        b0=np.zeros(4),
        W1=np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]),
        b1=np.zeros(2),
    )
    return path
