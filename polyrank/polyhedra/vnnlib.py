"""VNN-LIB 1.0 and 2.0: the input constraints of a verification property as exact domains.

A file declares inputs and outputs and asserts formulas over linear inequalities. The constraints
on inputs are brought to disjunctive normal form; each disjunct is a *case*, a box where every
input has both bounds and a polytope elsewhere. Constraints on outputs belong to the property, not
to the domain: they are counted, and kept with all the rest in ``VnnLib.condition``. Decimals are
read exactly.
"""

from __future__ import annotations

import re
from pathlib import Path

from polyrank.errors import DomainError, FormatError
from polyrank.network.formats.gunzip import MAGIC, gunzip
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.vnnlib_1 import FirstReader
from polyrank.polyhedra.vnnlib_2 import SecondReader
from polyrank.polyhedra.vnnlib_reader import VnnLib

__all__ = ["VnnLib", "parse_vnnlib", "read_vnnlib", "vnnlib_domain", "vnnlib_text"]

_LARGEST_FILE = 32 * 2**20  # bytes
_STATES_A_VERSION = re.compile(r"(?:\s+|;[^\n]*)*\(\s*vnnlib-version\b")
#: Marks at the head of files in other encodings; a longer one comes before its beginning.
_MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def read_vnnlib(path: str | Path) -> VnnLib:
    """Read a ``.vnnlib`` file, plain or compressed by gzip (``.vnnlib.gz``).

    Raises
    ------
    DomainError
        In one sentence, if the file cannot be read or is not VNN-LIB 1.0 or 2.0.
    """
    return parse_vnnlib(vnnlib_text(path), Path(path).name)


def vnnlib_text(path: str | Path) -> str:
    """The text of a ``.vnnlib`` file, plain or compressed by gzip.

    Raises
    ------
    DomainError
        In one sentence, if the file cannot be read or is no text in UTF-8.
    """
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > _LARGEST_FILE:
            raise DomainError(
                f"{file.name} has {size} bytes; a VNN-LIB file may have {_LARGEST_FILE}"
            )
        data = file.read_bytes()
        if data.startswith(MAGIC):
            data = gunzip(data, max_bytes=_LARGEST_FILE, name=file.name)
        for mark, encoding in _MARKS.items():
            if data.startswith(mark):
                raise DomainError(
                    f"{file.name} is {encoding} text by the mark at its head; save it as UTF-8"
                )
        return data.decode("utf-8-sig")
    except FormatError as error:
        raise DomainError(str(error)) from None
    except OSError as error:
        raise DomainError(f"cannot read {file}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise DomainError(
            f"{file.name} is not VNN-LIB text: byte {error.start} is not UTF-8"
        ) from None


def vnnlib_domain(path: str | Path, case: int | None = None) -> Domain:
    """The domain that the input constraints of a ``.vnnlib`` file state.

    Parameters
    ----------
    path : path
        VNN-LIB 1.0 or 2.0, plain or compressed by gzip.
    case : int, optional
        Of a disjunction over the inputs, which of its cases, counted from 0.

    Returns
    -------
    Domain
        A closed box where every input has both bounds, else a polytope; strict bounds are taken as
        closed ones.

    Raises
    ------
    DomainError
        If the file cannot be read or is not VNN-LIB, or there is no such case, or several and none
        is chosen.
    """
    return read_vnnlib(path).case(case)


def parse_vnnlib(text: str, name: str = "the VNN-LIB text") -> VnnLib:
    """Read the text of a VNN-LIB file; one of version 2 states its version first.

    Raises
    ------
    DomainError
        In one sentence that names the line.

    Examples
    --------
    >>> found = parse_vnnlib('''(declare-const X_0 Real)
    ... (assert (and (>= X_0 -0.1) (<= X_0 1)))''')
    >>> found.case().describe()
    {'kind': 'box', 'lower': ['-1/10'], 'upper': ['1']}
    >>> found = parse_vnnlib('''(vnnlib-version <2.0>)
    ... (declare-network f (declare-input X real [1,2]) (declare-output Y real [1]))
    ... (assert (and (>= X[0,0] 0) (<= X[0,0] 1) (== X[0,1] 0.5) (> Y[0] 0)))''')
    >>> found.case().describe()
    {'kind': 'box', 'lower': ['0', '1/2'], 'upper': ['1', '1/2']}
    """
    reader = SecondReader if _STATES_A_VERSION.match(text) else FirstReader
    return reader(text, name).run()
