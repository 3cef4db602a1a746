"""One thread for numpy's and scipy's linear algebra, where many would only wait for one another."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]


@cache
def _libraries(with_scipy: bool) -> ThreadpoolController:  # noqa: ARG001  (the key)
    """The BLAS libraries of this process; looking for them takes milliseconds."""
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """A context in which BLAS uses one thread, in every thread of this process.

    scipy brings a library of its own: import what is used of it before the context is entered.
    """
    controller = _libraries("scipy.linalg" in sys.modules)
    limited: AbstractContextManager[Any] = controller.limit(limits=1)
    return limited
