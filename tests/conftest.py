"""What every test sees: the hypothesis profiles and the way to the shared data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")


def shared(path: str) -> Path:
    """Path of a file or folder of the shared data; skips the test, with the reason, without it.

    The data lie in ``$POLYRANK_SHARED_DATA`` or else in ``../shared/data`` beside the checkout.
    """
    given = os.environ.get("POLYRANK_SHARED_DATA")
    base = Path(given) if given else ROOT.parent / "shared" / "data"
    found = base / path
    if not found.exists():
        pytest.skip(f"shared data: {path} is not there (set POLYRANK_SHARED_DATA)")
    return found


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return the function :func:`shared`."""
    return shared
