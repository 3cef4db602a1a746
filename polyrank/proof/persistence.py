"""Homology of a sequence of complexes and maps, afresh: torsion, and the barcode over a field.

The barcode is that of the mapping telescope, filtered by the level: the cells of the complexes X_k,
and for every cell σ of X_k but the last a cell σ × [k, k + 1] of level k + 1 with the boundary
f(σ) − σ − ∂σ × [k, k + 1]. Its part of level ≤ k is homotopy equivalent to X_k, and the inclusions
of the parts are the maps. Source for the reduction: A. Zomorodian and G. Carlsson, "Computing
persistent homology", Discrete & Computational Geometry 33 (2005).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from flint import fmpz_mat

from polyrank.proof.cell_complex import Boundary
from polyrank.proof.layer_map import ChainMap

__all__ = ["barcode", "torsion"]

#: Level, 1 for a prism, number.
Cell = tuple[int, int, int]
Column = dict[Cell, int]
#: Degree, birth, death or None: how often.
Bars = Counter[tuple[int, int, int | None]]


def barcode(complexes: Sequence[Boundary], maps: Sequence[ChainMap], prime: int) -> Bars:
    """The bars of ``H(X_0) → H(X_1) → …``, over ℚ (prime = 0) or a prime field.

    Parameters
    ----------
    complexes : sequence of Boundary
    maps : sequence of ChainMap
        One fewer.
    prime : int
    """
    top = len(complexes[0])
    columns: list[dict[Cell, Column]] = [{} for _ in range(top + 1)]
    for k, boundary in enumerate(complexes):
        for d in range(top):
            for i, faces in enumerate(boundary[d]):
                columns[d][k, 0, i] = {(k, 0, f): n for f, n in faces.items()}
    for k, chain_map in enumerate(maps):
        for d in range(top):
            for i, (image, faces) in enumerate(zip(chain_map[d], complexes[k][d], strict=True)):
                prism = {(k + 1, 0, f): n for f, n in image.items()}
                prism[k, 0, i] = -1
                prism |= {(k + 1, 1, f): -n for f, n in faces.items()}
                columns[d + 1][k + 1, 1, i] = prism
    bars: Bars = Counter()
    paired: set[Cell] = set()  # of the dimension above: lows that are killed
    for d in range(top, -1, -1):
        pivots: dict[Cell, Column] = {}
        free = []
        for cell in sorted(columns[d]):
            if cell in paired:
                continue  # the low of a column above: its own column reduces to 0
            column = _over(columns[d][cell], prime)
            while column:
                low = max(column)
                if low not in pivots:
                    break
                _eliminate(column, pivots[low], low, prime)
            if not column:
                free.append(cell)
                continue
            low = max(column)
            pivots[low] = column
            if low[0] < cell[0]:
                bars[d - 1, low[0], cell[0]] += 1
        for cell in free:
            bars[d, cell[0], None] += 1
        paired = set(pivots)
    return Counter({bar: n for bar, n in bars.items() if bar[0] < top})


def _over(column: Mapping[Cell, int], prime: int) -> Column:
    if prime:
        return {k: v % prime for k, v in column.items() if v % prime}
    return {k: v for k, v in column.items() if v}


def _eliminate(column: Column, other: Mapping[Cell, int], low: Cell, prime: int) -> None:
    """Make an entry 0 by a multiple of another column; over ℚ without fractions."""
    p, q = other[low], column[low]
    if prime:
        scale, factor = 1, q * pow(p, -1, prime) % prime
    else:
        common = math.gcd(p, q)
        scale, factor = p // common, q // common
    if scale != 1:
        for k in column:
            column[k] *= scale
    for k, v in other.items():
        new = column.get(k, 0) - factor * v
        if prime:
            new %= prime
        if new:
            column[k] = new
        else:
            column.pop(k, None)


def torsion(matrix: Sequence[Mapping[int, int]]) -> tuple[int, ...]:
    """The invariant factors > 1 of a sparse integer matrix, given by its columns."""
    columns: dict[int, dict[int, int]] = {j: dict(own) for j, own in enumerate(matrix) if own}
    of_row: dict[int, set[int]] = defaultdict(set)
    for j, own in columns.items():
        for i in own:
            of_row[i].add(j)
    waiting = sorted(columns, key=lambda j: len(columns[j]), reverse=True)
    while waiting:
        j = waiting.pop()
        own = columns.get(j, {})
        units = [i for i, v in own.items() if abs(v) == 1]
        if not units:
            continue
        i = min(units, key=lambda r: len(of_row[r]))
        for other in of_row[i] - {j}:
            factor = columns[other][i] * own[i]
            for r, v in own.items():
                new = columns[other].get(r, 0) - factor * v
                if new:
                    columns[other][r] = new
                    of_row[r].add(other)
                elif r in columns[other]:
                    del columns[other][r]
                    of_row[r].discard(other)
            waiting.append(other)  # it may have a unit now
        for r in own:
            of_row[r].discard(j)
        del columns[j]
        of_row.pop(i, None)
    rest = [own for own in columns.values() if own]
    rows = {i: k for k, i in enumerate(sorted({i for own in rest for i in own}))}
    dense = fmpz_mat(len(rest), len(rows))
    for k, own in enumerate(rest):
        for i, v in own.items():
            dense[k, rows[i]] = v
    if not rest:
        return ()
    form = dense.snf()
    size = min(len(rest), len(rows))
    return tuple(sorted(abs(int(form[k, k])) for k in range(size) if abs(form[k, k]) > 1))
