"""How kernels are compiled.

* ``cache=True``: compiled once per machine, beside the source or in the user's cache.
* ``error_model="numpy"``: a division by zero gives an infinity or NaN, which no comparison of a
  proof accepts, instead of an exception path at every division.
* ``_nrt=False``: kernels allocate nothing and count no references. The arrays of a search travel in
  one named tuple; counting references to them at every call costs ten times the search itself.
* ``fused``: inlined wherever it is called. A call that is not inlined passes the arrays of a search
  one by one, a thousand words, which costs more than most functions that it could call.
* never ``fastmath``: the bounds assume IEEE arithmetic.

``kernel`` can be called from Python, ``inner`` from other kernels only (no wrapper that unpacks a
hundred arrays is compiled for it). With ``NUMBA_DISABLE_JIT=1`` both are plain Python.
"""

from __future__ import annotations

from numba import njit

__all__ = ["fused", "inner", "kernel"]

kernel = njit(cache=True, nogil=True, _nrt=False, error_model="numpy")
inner = njit(
    cache=True,
    nogil=True,
    _nrt=False,
    error_model="numpy",
    no_cpython_wrapper=True,
    no_cfunc_wrapper=True,
)
fused = njit(
    cache=True,
    nogil=True,
    _nrt=False,
    error_model="numpy",
    no_cpython_wrapper=True,
    no_cfunc_wrapper=True,
    forceinline=True,
)
