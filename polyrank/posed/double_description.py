"""Vertices and rays by cddlib in exact arithmetic, where its GMP build is installed.

Source: K. Fukuda, cddlib; pycddlib 3 (``cdd.gmp``). The float build ``cdd`` is never asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from importlib import import_module
from typing import Any

from flint import fmpq

from polyrank.errors import UnsupportedError
from polyrank.lp.farkas import integer_row
from polyrank.posed.polytope import Generators, generators

__all__ = ["exact_cdd", "generators_by_cdd", "vertices_and_rays"]

IntRow = tuple[int, ...]


@cache
def exact_cdd() -> Any | None:
    """The module ``cdd.gmp``, or None where pycddlib or its GMP build is missing."""
    try:
        return import_module("cdd.gmp")
    except ImportError:
        return None


def vertices_and_rays(rows: Sequence[IntRow], k: int) -> Generators:
    """All vertices and extreme rays of ``{y : a·y + b ≥ 0}``, exactly.

    By cddlib where its GMP build is installed (extra ``exact-cdd``), else by
    :func:`polyrank.posed.polytope.generators`.
    """
    return generators(rows, k) if exact_cdd() is None else generators_by_cdd(rows, k)


def generators_by_cdd(rows: Sequence[IntRow], k: int) -> Generators:
    """The same, by cddlib.

    Parameters
    ----------
    rows : sequence of tuple of int
        Rows ``(a, b)`` of length k + 1.
    k : int
        Dimension.

    Raises
    ------
    UnsupportedError
        If pycddlib or its GMP build is not installed.
    """
    cdd = exact_cdd()
    if cdd is None:
        raise UnsupportedError(
            "pycddlib with GMP is not installed: pip install 'polyrank[exact-cdd]' (it builds with "
            "libcdd-dev and libgmp-dev); without it polyrank's own exact double description is used"
        )
    if not rows:
        lines = tuple(tuple(int(i == j) for j in range(k)) for i in range(k))
        return Generators(((fmpq(0),) * k,), (frozenset(),), (), lines)
    table = [[Fraction(row[-1]), *map(Fraction, row[:-1])] for row in rows]
    matrix = cdd.matrix_from_array(table, rep_type=cdd.RepType.INEQUALITY)
    found = cdd.copy_generators(cdd.polyhedron_from_matrix(matrix))
    vertices: list[tuple[fmpq, ...]] = []
    tight: list[frozenset[int]] = []
    rays: list[IntRow] = []
    lines_: list[IntRow] = []
    for number, entry in enumerate(found.array):
        head, *rest = [fmpq(int(v.numerator), int(v.denominator)) for v in entry]
        if head != 0:
            point = tuple(v / head for v in rest)
            vertices.append(point)
            tight.append(frozenset(i for i, row in enumerate(rows) if _value(row, point) == 0))
            continue
        direction = integer_row(rest)
        (lines_ if number in found.lin_set else rays).append(direction)
    if not vertices:  # a cone with the origin as its only vertex, which cddlib leaves out
        origin = (fmpq(0),) * k
        vertices.append(origin)
        tight.append(frozenset(i for i, row in enumerate(rows) if row[-1] == 0))
    return Generators(tuple(vertices), tuple(tight), tuple(rays), tuple(lines_))


def _value(row: IntRow, point: Sequence[fmpq]) -> fmpq:
    return sum((a * v for a, v in zip(row, point, strict=False)), fmpq(row[-1]))
