"""How kernels are compiled.

* ``error_model="numpy"``: a division by zero gives an infinity or NaN, which no comparison of a
  proof accepts, instead of an exception path at every division.
* ``_nrt=False``: kernels allocate nothing and count no references. The arrays of a search travel in
  one named tuple; counting references to them at every call costs ten times the search itself.
* ``fused``: inlined wherever it is called. A call that is not inlined passes the arrays of a search
  one by one, a thousand words, which costs more than most functions that it could call.
* a cache on disk (beside the source or in the user's cache, see :mod:`polyrank.lp.kernel_cache`)
  for entry points alone. What comes from the cache is machine code that cannot be inlined any more:
  a kernel that is compiled in a later process would be a fifth slower for it.
* never ``fastmath``: the bounds assume IEEE arithmetic.

``kernel`` is an entry point that Python calls, compiled once. The others are parts of kernels:
``inner`` and ``fused`` can be called from kernels only (no wrapper that unpacks a hundred arrays is
compiled for them), ``shared`` from Python too, which compiles it anew in every process. With
``NUMBA_DISABLE_JIT=1`` all are plain Python.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from numba import njit

from polyrank.lp.kernel_cache import KernelCache

__all__ = ["fused", "inner", "kernel", "shared"]


def kernel(function: Any) -> Any:
    """Compile an entry point, with machine code kept on disk where there is a place for it."""
    dispatcher = njit(nogil=True, _nrt=False, error_model="numpy")(function)
    if dispatcher is not function:
        with suppress(RuntimeError):  # no directory that can be written to
            dispatcher._cache = KernelCache(function)  # noqa: SLF001  (all that cache=True does)
    return dispatcher


shared = njit(nogil=True, _nrt=False, error_model="numpy")
inner = njit(
    nogil=True,
    _nrt=False,
    error_model="numpy",
    no_cpython_wrapper=True,
    no_cfunc_wrapper=True,
)
fused = njit(
    nogil=True,
    _nrt=False,
    error_model="numpy",
    no_cpython_wrapper=True,
    no_cfunc_wrapper=True,
    forceinline=True,
)
