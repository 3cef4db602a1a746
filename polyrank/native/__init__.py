"""The native core: compiled search, certificates and walks behind a plain C interface.

The sources (``src/*.hpp``, one idea a header) know arrays and numbers, nothing of files, Python or
rationals. A plain C interface called through :mod:`ctypes` needs no Python headers to build, serves
every Python version with one library, and releases the interpreter's lock during a call.
"""
