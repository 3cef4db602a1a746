"""How kernels are compiled.

* ``error_model="numpy"``: a division by zero gives an infinity or NaN, which no comparison of a
  proof accepts, instead of an exception path at every division.
* ``_nrt=False``: kernels allocate nothing and count no references. The arrays of a search travel in
  one named tuple; counting references to them at every call costs ten times the search itself.
* ``fused``: inlined wherever it is called. A call that is not inlined passes the arrays of a search
  one by one, a thousand words, which costs more than most functions that it could call.
* ``cache=True`` (beside the source or in the user's cache) for entry points alone. What comes from
  the cache is machine code that cannot be inlined any more: a kernel that is compiled in a later
  process would be a fifth slower for it.
* never ``fastmath``: the bounds assume IEEE arithmetic.

``kernel`` is an entry point that Python calls, compiled once. The others are parts of kernels:
``inner`` and ``fused`` can be called from kernels only (no wrapper that unpacks a hundred arrays is
compiled for them), ``shared`` from Python too, which compiles it anew in every process. With
``NUMBA_DISABLE_JIT=1`` all are plain Python.
"""

from __future__ import annotations

from numba import njit

__all__ = ["fused", "inner", "kernel", "shared"]

kernel = njit(cache=True, nogil=True, _nrt=False, error_model="numpy")
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
