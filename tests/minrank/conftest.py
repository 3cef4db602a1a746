"""The search below layer K is what the tests of this room are about, however few the regions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from polyrank.minrank import minimum


@pytest.fixture(autouse=True, scope="module")
def searched() -> Iterator[None]:
    """Nothing is enumerated instead; :mod:`tests.minrank.test_enumeration` undoes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minimum, "enumerated", lambda *_: False)
        yield
