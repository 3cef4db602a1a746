"""The classes that a chain map kills and those that it does not reach, by chains that carry them.

For ``f: C → D`` the classes of degree d that die are the kernel of ``H_d(C) → H_d(D)``, those that
are born its cokernel. Both are quotients of two submodules of the chains of critical cells
(:class:`polyrank.chains.reduction.Reduction`), where generators are found; they are lifted to the
whole complex, and what they are is verified there, cell by cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flint import fmpz_mat

from polyrank.chains.elimination import INTEGERS, RATIONALS, Coefficients
from polyrank.chains.reduction import Chain, Reduction
from polyrank.chains.submodules import kernel, preimage, same, stack
from polyrank.chains.vectors import Number, monic, subtract, vector
from polyrank.errors import RefutedError
from polyrank.lp.deadline import look

__all__ = ["Classes", "Echelon", "Killed", "ReducedMap", "chains_of"]

_DEFECT = "a chain is not what its class makes it: please report this network and this manifold"


class Echelon:
    """A subspace of a field's vectors, grown one by one."""

    def __init__(self, field: Coefficients) -> None:
        self._field = field
        self._rows: dict[int, dict[int, Number]] = {}

    def add(self, entries: Mapping[int, int]) -> bool:
        """Whether a vector is independent of those before; it is added then."""
        row = self._rest(entries)
        if row:
            pivot = min(row)
            self._rows[pivot] = monic(row, pivot, self._field)
        return bool(row)

    def holds(self, entries: Mapping[int, int]) -> bool:
        """Whether a vector lies in the subspace."""
        return not self._rest(entries)

    def _rest(self, entries: Mapping[int, int]) -> dict[int, Number]:
        row = vector(entries, self._field)
        while row:
            pivot = min(row)
            base = self._rows.get(pivot)
            if base is None:
                break
            subtract(row, base, row[pivot], self._field)
        return row


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """A group of classes: chains of critical cells, some of them counted as 0.

    Attributes
    ----------
    reduction : Reduction
        Of the complex in which their chains lie.
    degree : int
    chains, zero : fmpz_mat
        Generators (rows) of two submodules, the second one part of the first.
    ring : int
        −1 for ℤ, 0 for ℚ, or a prime.
    """

    reduction: Reduction
    degree: int
    chains: fmpz_mat
    zero: fmpz_mat
    ring: Coefficients

    @property
    def field(self) -> Coefficients:
        """The field of the barcode: ℚ for ℤ."""
        return RATIONALS if self.ring == INTEGERS else self.ring

    def generators(self) -> list[tuple[int, Chain]]:
        """Generators with their orders (0: infinite), one for every cyclic summand."""
        if self.ring == INTEGERS:
            return _cyclic(self.chains, self.zero)
        space = Echelon(self.ring)
        for row in chains_of(self.zero):
            space.add(row)
        return [(0, row) for row in chains_of(self.chains) if space.add(row)]

    def generated_by(self, rows: list[Chain]) -> bool:
        """Whether these chains are among those of the group, and generate all of it."""
        own = _matrix(rows, self.chains.ncols())
        return same(stack(self.zero, own), stack(self.zero, self.chains), self.ring)


@dataclass(frozen=True, slots=True)
class Killed:
    """Why a class dies: a multiple of the image of its cycle is the boundary of a chain."""

    multiple: int
    chain: Chain


@dataclass(frozen=True, slots=True, eq=False)
class ReducedMap:
    """A chain map between two complexes whose critical cells are known.

    Attributes
    ----------
    source, target : Reduction
    chain_map : tuple of csc arrays
    ring : int
    """

    source: Reduction
    target: Reduction
    chain_map: tuple[Any, ...]
    ring: Coefficients

    def pushed(self, degree: int, chain: Mapping[int, int]) -> Chain:
        """The image of a chain."""
        return _product(self.chain_map[degree], chain)

    def dying(self, degree: int) -> Classes:
        """The kernel of the map of classes."""
        cycles = self._cycles(self.source, degree)
        found = preimage(
            cycles, self._images(degree, cycles), _bounds(self.target, degree), self.ring
        )
        return Classes(self.source, degree, found, _bounds(self.source, degree), self.ring)

    def born(self, degree: int) -> Classes:
        """The cokernel of the map of classes."""
        images = self._images(degree, self._cycles(self.source, degree))
        zero = stack(_bounds(self.target, degree), images)
        cycles = self._cycles(self.target, degree)
        return Classes(self.target, degree, cycles, zero, self.ring)

    def killed(self, degree: int, chain: Mapping[int, int]) -> Killed:
        """A chain whose boundary is a multiple (over ℤ: 1) of the image of a cycle that dies.

        Raises
        ------
        RefutedError
            If there is none: a defect of the program.
        """
        image = self.pushed(degree, chain)
        left, swept = self.target.reduce(degree, image)
        bounds = _bounds(self.target, degree)
        relations = kernel(stack(_matrix([left], bounds.ncols()), bounds), self.ring)
        first = next((row for row in _hermite(relations, self.ring) if row[0]), None)
        if first is None or (self.ring == INTEGERS and first[0] != 1):
            raise RefutedError(_DEFECT)
        multiple = first[0]
        filling = {c: multiple * v for c, v in swept.items()}
        small = {k: -v for k, v in enumerate(first[1:]) if v}
        for c, v in (self.target.lift(degree + 1, small) if small else {}).items():
            filling[c] = filling.get(c, 0) + v
        found = {c: v for c, v in filling.items() if v}
        difference = {c: multiple * v for c, v in image.items()}
        for c, v in _boundary(self.target, degree + 1, found).items():
            difference[c] = difference.get(c, 0) - v
        if not _vanishes(difference, self.ring):
            raise RefutedError(_DEFECT)
        return Killed(multiple, found)

    def check_cycle(self, reduction: Reduction, degree: int, chain: Mapping[int, int]) -> None:
        """Verify that a chain has no boundary.

        Raises
        ------
        RefutedError
            If it has one: a defect of the program.
        """
        if not _vanishes(_boundary(reduction, degree, chain), self.ring):
            raise RefutedError(_DEFECT)

    def _cycles(self, own: Reduction, degree: int) -> fmpz_mat:
        width = len(own.critical[degree - 1])
        return kernel(_matrix(own.boundary(degree), width), self.ring)

    def _images(self, degree: int, cycles: fmpz_mat) -> fmpz_mat:
        """The critical parts of the images of cycles of critical cells."""
        rows = []
        for cycle in chains_of(cycles):
            look()
            pushed = self.pushed(degree, self.source.lift(degree, cycle))
            rows.append(self.target.reduce(degree, pushed)[0])
        return _matrix(rows, len(self.target.critical[degree]))


def _bounds(own: Reduction, degree: int) -> fmpz_mat:
    return _matrix(own.boundary(degree + 1), len(own.critical[degree]))


def _boundary(own: Reduction, degree: int, chain: Mapping[int, int]) -> Chain:
    if degree >= len(own.complex.cells):
        return {}
    return _product(own.complex.boundary[degree - 1], chain)


def _product(matrix: Any, chain: Mapping[int, int]) -> Chain:
    out: Chain = {}
    for c, v in chain.items():
        span = slice(matrix.indptr[c], matrix.indptr[c + 1])
        rows, values = matrix.indices[span].tolist(), matrix.data[span].tolist()
        for row, entry in zip(rows, values, strict=True):
            out[row] = out.get(row, 0) + v * entry
    return {c: v for c, v in out.items() if v}


def _vanishes(chain: Mapping[int, int], ring: Coefficients) -> bool:
    return not any(v % ring if ring > 0 else v for v in chain.values())


def _matrix(rows: list[Chain], width: int) -> fmpz_mat:
    out = fmpz_mat(len(rows), width)
    for i, row in enumerate(rows):
        for k, v in row.items():
            out[i, k] = v
    return out


def chains_of(rows: fmpz_mat) -> list[Chain]:
    """The rows of a matrix, by their entries that are not 0."""
    if not rows.ncols():
        return []
    return [{k: int(v) for k, v in enumerate(row) if v != 0} for row in rows.tolist()]


def _hermite(rows: fmpz_mat, ring: Coefficients) -> list[list[int]]:
    """Generators of the same relations; over ℤ the first has the least first entry."""
    if not rows.nrows():
        return []
    if ring == INTEGERS:
        return [[int(v) for v in row] for row in rows.hnf().tolist()]
    found = [[int(v) for v in row] for row in rows.tolist()]
    if ring > 0:
        return [
            [v * pow(row[0], -1, ring) % ring for v in row] if row[0] % ring else [0, *row[1:]]
            for row in found
        ]
    return found


def _cyclic(chains: fmpz_mat, zero: fmpz_mat) -> list[tuple[int, Chain]]:
    """The quotient of two lattices as a sum of cyclic groups, by the Smith normal form."""
    if not chains.nrows() or not chains.ncols():
        return []
    basis = [row for row in chains.hnf().tolist() if any(v != 0 for v in row)]
    size = len(basis)
    pivots = [next(i for i, v in enumerate(row) if v != 0) for row in basis]
    rows = []
    for row in zero.tolist():
        rest, own = list(row), {}
        for k, (base, pivot) in enumerate(zip(basis, pivots, strict=True)):
            factor, remainder = divmod(int(rest[pivot]), int(base[pivot]))
            if remainder:
                raise AssertionError("not a sublattice")
            if factor:
                own[k] = factor
                rest = [r - factor * v for r, v in zip(rest, base, strict=True)]
        if any(v != 0 for v in rest):
            raise AssertionError("not a sublattice")
        rows.append(own)
    orders, change = _smith(rows, size)
    out = []
    for order, own in zip(orders, change, strict=True):
        if order != 1:
            total = [sum(own[k] * int(basis[k][i]) for k in own) for i in range(chains.ncols())]
            out.append((order, {i: v for i, v in enumerate(total) if v}))
    return sorted(out, key=lambda pair: (pair[0] > 0, pair[0]))


def _smith(rows: list[Chain], size: int) -> tuple[list[int], list[Chain]]:
    """Orders d_j and a basis e_j of ℤ^size, in which the rows generate the span of the d_j e_j.

    Returns d_j (0 where no multiple of e_j is among them) and the basis, by its rows. The orders
    need not divide one another.
    """
    basis: list[Chain] = [{k: 1} for k in range(size)]
    orders = [0] * size
    left = [dict(row) for row in rows if row]
    while left:
        row = min(left, key=lambda own: min(abs(v) for v in own.values()))
        pivot = min(row, key=lambda k: (abs(row[k]), k))
        entry = row[pivot]
        for other in left:
            if other is not row and pivot in other:
                _add(other, row, -(other[pivot] // entry))
        # with e_pivot + q e_k in the place of e_pivot the coordinate of e_k loses q times its own
        for k, v in list(row.items()):
            q = v // entry
            if k != pivot and q:
                _add(basis[pivot], basis[k], q)
                for other in left:
                    if pivot in other:
                        _add(other, {k: other[pivot]}, -q)
        if len(row) == 1 and not any(pivot in other for other in left if other is not row):
            orders[pivot] = abs(entry)
            left = [other for other in left if other is not row]
        left = [other for other in left if other]
    return orders, basis


def _add(own: Chain, other: Chain, factor: int) -> None:
    for k, v in other.items():
        own[k] = own.get(k, 0) + factor * v
        if not own[k]:
            del own[k]
