"""Exact arrays: float64 values that *are* the number, or rationals beside their nearest float64.

Almost every saved weight is a float64-representable dyadic rational; then the float64 array is
the exact object and costs nothing. Folded normalisations and decimal bounds are not dyadic;
then an ``fmpq_mat`` holds the truth and the float64 array is its entrywise rounding.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from flint import fmpq, fmpq_mat, fmpz
from numpy.typing import DTypeLike, NDArray

from polyrank.errors import NetworkError

__all__ = [
    "MOST_DENSE",
    "RationalArray",
    "Terms",
    "as_float",
    "exponent",
    "fmpq_from_float",
    "fmpq_from_text",
    "nearest_float",
    "nearest_ratio",
    "to_fmpq",
]


_RATIO = re.compile(r"([+-]?[0-9]+)(?:\s*/\s*([0-9]+))?")
_DECIMAL = re.compile(r"([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]+))?")
MOST_DENSE = 2**26
"""Most entries of a dense matrix (512 MiB as float64); weights with more are kept sparse."""

SPARSE = 0.1
"""Of a matrix with a smaller share of entries that are not zero these alone are taken."""

#: What of a row is not 0: (column, entry), by increasing columns.
Terms: TypeAlias = tuple[tuple[int, fmpq], ...]
_LEAST_NORMAL = 2.0**-1022
MAX_DIGITS = 20_000
"""Longest number read from text: a few bytes such as 1e999999999 must not fill the memory."""


def fmpq_from_float(value: float) -> fmpq:
    """The dyadic rational that a finite float64 encodes, exactly."""
    numerator, denominator = float(value).as_integer_ratio()
    return fmpq(numerator, denominator)


def fmpq_from_text(text: str) -> fmpq:
    """The rational that ``"p/q"``, an integer or a decimal such as ``"-2.5e-3"`` writes, exactly.

    Raises
    ------
    ValueError
        If the text is none of these, divides by zero, or writes a number of more than
        ``MAX_DIGITS`` digits.

    Examples
    --------
    >>> fmpq_from_text("0.1"), fmpq_from_text("-4/6")
    (1/10, -2/3)
    """
    stripped = text.strip()
    shown = stripped if len(stripped) <= 40 else stripped[:37] + "..."
    if len(stripped) > MAX_DIGITS:
        raise ValueError(f"the number {shown} has more than {MAX_DIGITS} digits")
    if ratio := _RATIO.fullmatch(stripped):
        denominator = fmpz(ratio[2] or "1")
        if denominator == 0:
            raise ValueError(f"{shown} divides by zero")
        return fmpq(fmpz(ratio[1].lstrip("+")), denominator)
    decimal = _DECIMAL.fullmatch(stripped)
    if decimal is None or not (decimal[2] or decimal[3]):
        raise ValueError(f"{shown!r} is not a rational number such as 1/3, -2 or 2.5e-3")
    if len(decimal[4] or "") > 8 or abs(int(decimal[4] or "0")) > MAX_DIGITS:
        raise ValueError(f"the number {shown} has more than {MAX_DIGITS} digits")
    mantissa = fmpz(decimal[2] + decimal[3]) * (-1 if decimal[1] == "-" else 1)
    exponent = int(decimal[4] or "0") - len(decimal[3])
    scale = fmpz(10) ** abs(exponent)
    return fmpq(mantissa * scale) if exponent >= 0 else fmpq(mantissa, scale)


_short_text = lru_cache(4096)(fmpq_from_text)


def to_fmpq(value: Any) -> fmpq:
    """An exact rational from int, float (dyadic), str ("1/3", "0.1": decimal), Fraction or fmpq.

    Raises
    ------
    ValueError
        If the value is not finite or not a number.
    """
    if isinstance(value, str):
        # a basis of R^784 has 600,000 entries, nearly all of them "0"
        return _short_text(value) if len(value) < 64 else fmpq_from_text(value)
    if isinstance(value, fmpq):
        return value
    if isinstance(value, (bool, int, np.integer, fmpz)):
        return fmpq(int(value))
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
        numerator, denominator = value.as_integer_ratio()
        return fmpq(int(numerator), int(denominator))
    if isinstance(value, Fraction):
        return fmpq(value.numerator, value.denominator)
    raise ValueError(f"{value!r} ({type(value).__name__}) is not a rational number")


def nearest_float(value: fmpq) -> float:
    """The float64 nearest to a rational (ties to even); overflow gives an infinity."""
    return nearest_ratio(int(value.p), int(value.q))


def nearest_ratio(numerator: int, denominator: int) -> float:
    """The float64 nearest to a ratio with positive denominator, as :func:`nearest_float`."""
    try:
        return numerator / denominator
    except OverflowError:
        return float("inf") if numerator > 0 else float("-inf")


def exponent(value: fmpq) -> int:
    """An e with ``2**(e - 1) < |value| < 2**(e + 1)``, from the lengths alone; −1 for 0."""
    return int(value.p).bit_length() - int(value.q).bit_length()


def as_float(value: fmpq) -> float | None:
    """The float64 that *is* this rational, or None if there is none."""
    rounded = nearest_float(value)
    return rounded if math.isfinite(rounded) and fmpq_from_float(rounded) == value else None


def underflows(exact: Iterable[fmpq], floats: NDArray[np.float64]) -> bool:
    """Whether an entry is no float64, and too small for one near it with 53 bits."""
    return any(
        abs(f) < _LEAST_NORMAL and fmpq_from_float(f) != v
        for f, v in zip(floats.ravel().tolist(), exact, strict=True)
    )


@dataclass(frozen=True, slots=True, eq=False)
class RationalArray:
    """An exact 1-D ``(m,)`` or 2-D ``(m, n)`` array of rationals.

    Attributes
    ----------
    approx : ndarray of float64, read-only
        The float64 nearest to each entry.
    exact : fmpq_mat or None
        The entries, ``(m, n)`` (a 1-D array is stored as a column ``(m, 1)``). None says that
        ``approx`` itself is exact.
    """

    approx: NDArray[np.float64]
    exact: fmpq_mat | None = None

    def __repr__(self) -> str:
        kind = "float64" if self.is_float else "rational"
        return f"RationalArray({' x '.join(map(str, self.shape))}, {kind})"

    @classmethod
    def from_floats(cls, values: Any) -> RationalArray:
        """Take floats or integers of any width as the dyadic rationals that they encode.

        Raises
        ------
        NetworkError
            If an entry is NaN or infinite, the dtype is not numeric, the rows are ragged, or
            the array has neither one nor two dimensions.
        """
        try:
            array = np.asarray(values)
        except ValueError as problem:
            raise NetworkError(f"expected a vector or a matrix of numbers: {problem}") from None
        if array.dtype.kind not in "iuf":
            raise NetworkError(f"expected numbers, got an array of dtype {array.dtype}")
        if array.ndim not in (1, 2):
            raise NetworkError(f"expected a vector or a matrix, got shape {array.shape}")
        if array.dtype.kind == "f":
            if not np.isfinite(array).all():
                bad = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                raise NetworkError(f"entry {bad} is {array[bad]}; every number must be finite")
            wide = array.dtype.itemsize > 8
        else:
            wide = bool(array.size) and max(int(array.max()), -int(array.min())) > 2**53
        if wide:
            return cls.from_rationals([to_fmpq(v) for v in array.ravel()], array.shape)
        # rows one after the other, as the core reads them: W.T is stored by columns
        approx = np.array(array, dtype=np.float64, order="C")
        approx.setflags(write=False)
        return cls(approx)

    @classmethod
    def from_rationals(cls, entries: Sequence[Any], shape: tuple[int, ...]) -> RationalArray:
        """Build from exact entries in row-major order; stays float64-exact where possible.

        Raises
        ------
        ValueError
            If an entry is not a rational number (see :func:`to_fmpq`).
        NetworkError
            If an entry is above 1.8e308 in magnitude.
        """
        rows, cols = (shape[0], 1) if len(shape) == 1 else shape
        matrix = fmpq_mat(rows, cols, [to_fmpq(v) for v in entries])
        return cls.from_fmpq_mat(matrix, vector=len(shape) == 1)

    @classmethod
    def from_fmpq_mat(cls, matrix: fmpq_mat, *, vector: bool = False) -> RationalArray:
        """Wrap an ``fmpq_mat``; ``vector=True`` makes an ``(m, 1)`` matrix a 1-D array.

        Raises
        ------
        NetworkError
            If an entry is above 1.8e308 in magnitude.
        """
        entries: list[fmpq] = matrix.entries()
        flat = np.array([nearest_float(v) for v in entries], dtype=np.float64)
        if not np.isfinite(flat).all():
            raise NetworkError("a weight is too large for float64 (above 1.8e308)")
        shape = (matrix.nrows(),) if vector else (matrix.nrows(), matrix.ncols())
        approx = flat.reshape(shape)
        approx.setflags(write=False)
        dyadic = all(fmpq_from_float(f) == v for f, v in zip(flat, entries, strict=True))
        return cls(approx, None if dyadic else matrix)

    def __reduce__(self) -> tuple[Any, ...]:
        # fmpq_mat cannot be pickled; its entries can
        entries = None if self.exact is None else self.exact.entries()
        return _rebuild, (np.array(self.approx), entries)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.approx.shape

    @property
    def is_float(self) -> bool:
        """True if every entry is a float64, so that ``approx`` is exact."""
        return self.exact is None

    @property
    def underflows(self) -> bool:
        """Whether an entry is no float64, and too small for one with 53 bits."""
        return self.exact is not None and underflows(self.exact.entries(), self.approx)

    @property
    def nonzero(self) -> NDArray[np.bool_]:
        """Which entries are not zero, exactly; of the array's shape."""
        if self.exact is None:
            return np.asarray(self.approx != 0.0)
        return np.array([v != 0 for v in self.entries()], dtype=bool).reshape(self.shape)

    @property
    def is_sparse(self) -> bool:
        """Whether so few entries are not zero that only they are taken."""
        return bool(np.count_nonzero(self.approx) < SPARSE * self.approx.size)

    def to_fmpq_mat(self) -> fmpq_mat:
        """The exact entries; a 1-D array becomes a column."""
        if self.exact is not None:
            return self.exact
        rows = self.approx.shape[0]
        cols = 1 if self.approx.ndim == 1 else self.approx.shape[1]
        values = self.approx.ravel()
        if not self.is_sparse:
            return fmpq_mat(rows, cols, [fmpq_from_float(v) for v in values.tolist()])
        filled = np.flatnonzero(values)
        out = fmpq_mat(rows, cols)
        for at, value in zip(filled.tolist(), values[filled].tolist(), strict=True):
            out[divmod(at, cols)] = fmpq_from_float(value)
        return out

    def terms(self) -> Iterator[Terms]:
        """Row by row, what of a matrix is not zero, exactly."""
        if (exact := self.exact) is not None:
            m, n = exact.nrows(), exact.ncols()
            for i in range(m):
                yield tuple((j, v) for j in range(n) if (v := exact[i, j]) != 0)
            return
        for values in self.approx:
            there = np.flatnonzero(values)
            entries = map(fmpq_from_float, values[there].tolist())
            yield tuple(zip(there.tolist(), entries, strict=True))

    def check_dense(self) -> None:
        """Refuse, at once, a matrix that does not fit into memory when it is dense.

        Raises
        ------
        UnsupportedError
            If it has too many entries; a matrix that is kept dense has not.
        """

    def transposed(self, dtype: DTypeLike) -> Any:
        """The floats of a matrix, transposed, as what ``h @ ·`` takes."""
        return self.approx.astype(dtype).T

    def stored(self) -> tuple[str, bytes]:
        """The entries as bytes, and of which kind these are: what is hashed."""
        if self.exact is not None:
            return "q", " ".join(map(str, self.exact.entries())).encode()
        values = self.approx + 0.0  # −0.0 is 0.0
        return "f", values.astype("<f8", copy=False).tobytes()

    def entries(self) -> Iterable[fmpq]:
        """The exact entries in row-major order."""
        if self.exact is not None:
            yield from self.exact.entries()
        else:
            for value in self.approx.ravel().tolist():
                yield fmpq_from_float(value)


def _rebuild(approx: NDArray[np.float64], entries: list[fmpq] | None) -> RationalArray:
    approx.setflags(write=False)
    if entries is None:
        return RationalArray(approx)
    rows = approx.shape[0]
    return RationalArray(approx, fmpq_mat(rows, approx.size // rows, entries))
