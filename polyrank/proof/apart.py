"""The images of two classes at one layer, and the proof that they are at least d apart.

**Theorem.** For every two polytopes P of the one class and Q of the other let the boxes of their
images be at least d > 0 apart, or let there be w with
``min w·Φ(P) − max w·Φ(Q) ≥ d |w|`` (a minimum over vertices). Then ``|Φ(x) − Φ(y)| ≥ d`` for all
x of the one class and y of the other. One w for all of both classes says the same.

*Proof.* Φ is affine on P and on Q, so ``w·Φ`` is least and greatest at vertices there, and
``|w| |Φ(x) − Φ(y)| ≥ w·(Φ(x) − Φ(y))``. ∎
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from flint import fmpq, fmpq_mat

from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.proof.hulls import Hull, box_pairs, outer_boxes
from polyrank.proof.polytopes import Polytope

__all__ = ["Images", "Piece", "Plane", "check_apart"]

#: A polytope: its facet, and the signs of the units in bytes.
Piece = tuple[int, bytes]
#: Two of them and a normal vector.
Plane = tuple[Piece, Piece, list[fmpq]]


@dataclass(slots=True)
class Images:
    """The distinct images of the polytopes of one class at one layer.

    Attributes
    ----------
    hulls : list of Hull
    number : mapping of Piece to int
        A polytope → the number of its image.
    """

    hulls: list[Hull] = field(default_factory=list)
    number: dict[Piece, int] = field(default_factory=dict)
    _known: dict[frozenset[tuple[fmpq, ...]], int] = field(default_factory=dict, repr=False)

    def add(self, facet: int, part: Polytope) -> None:
        """The image of one more polytope."""
        corners = frozenset(tuple(row) for row in part.images.tolist())
        number = self._known.setdefault(corners, len(self._known))
        if number == len(self.hulls):
            self.hulls.append(Hull([], part.images))
        self.number[facet, np.array(part.signs, np.int8).tobytes()] = number

    def least(self, w: fmpq_mat, sign: int) -> fmpq:
        """The least value of sign · w over the images, for a column w."""
        return min(min((sign * (h.images * w)).entries()) for h in self.hulls)


def check_apart(
    sides: tuple[Images, Images],
    common: fmpq_mat | None,
    planes: Iterable[Plane],
    distance: fmpq,
    where: str,
) -> int:
    """Whether two classes are at least a distance apart; the number of pairs with a plane.

    Parameters
    ----------
    sides : (Images, Images)
    common : fmpq_mat, shape (m, 1), or None
        A normal vector for all of both classes, which may prove it alone.
    planes : iterable of Plane
        Those of other classes are passed over.
    distance : fmpq
    where : str
        What a rejection starts with.

    Raises
    ------
    ProofRejectedError
        If a plane does not do what it is there for; a NotDecidedError if there is none for a pair.
    """
    if distance <= 0:
        raise ProofRejectedError(f"{where}: a distance must be positive")
    if common is not None and _far(
        sides[0].least(common, 1) + sides[1].least(common, -1), common, distance
    ):
        return 0
    known: set[tuple[int, int]] = set()
    for one, other, normal in planes:
        first, second = sides[0].number.get(one), sides[1].number.get(other)
        if first is None or second is None:
            continue
        if not _keeps_apart(sides[0].hulls[first], sides[1].hulls[second], normal, distance):
            raise ProofRejectedError(f"{where}: a hyperplane does not keep the images apart")
        known.add((first, second))
    for pair in _near(sides, distance):
        if pair not in known:
            raise NotDecidedError(
                f"{where}: nothing keeps the images of two polytopes {distance} apart"
            )
    return len(known)


def _keeps_apart(first: Hull, second: Hull, normal: Sequence[fmpq], distance: fmpq) -> bool:
    if len(normal) != first.images.ncols():
        return False
    w = fmpq_mat(len(normal), 1, list(normal))
    gap = min((first.images * w).entries()) - max((second.images * w).entries())
    return _far(gap, w, distance)


def _far(gap: fmpq, w: fmpq_mat, distance: fmpq) -> bool:
    """Whether ``gap ≥ distance · |w|``, for a positive distance."""
    return bool(gap > 0 and gap * gap >= distance * distance * (w.transpose() * w)[0, 0])


def _near(sides: tuple[Images, Images], distance: fmpq) -> Iterator[tuple[int, int]]:
    """Pairs of images whose boxes are less than a distance apart, and perhaps some others."""
    count = len(sides[0].hulls)
    low, high = outer_boxes([*sides[0].hulls, *sides[1].hulls])
    reach = np.nextafter(_above(distance), np.inf)
    with np.errstate(all="ignore"):
        grown = low[:count] - reach, high[:count] + reach
        lower = np.concatenate([np.nextafter(grown[0], -np.inf), low[count:]])
        upper = np.concatenate([np.nextafter(grown[1], np.inf), high[count:]])
    for codes in box_pairs(lower, upper, len(low)):
        first, second = np.divmod(codes, len(low))
        mixed = (first < count) & (second >= count)
        first, second = first[mixed], second[mixed]
        with np.errstate(all="ignore"):
            gaps = np.maximum(low[second] - high[first], low[first] - high[second])
            gaps = np.maximum(np.nan_to_num(gaps, nan=0.0), 0.0)
            # an overflow is no proof; squares that vanish make the sum smaller
            total = np.sqrt((gaps * gaps).sum(axis=1)) * (1 - 2.0**-40)
        near = ~((total > reach) & np.isfinite(total))
        yield from zip(first[near].tolist(), (second[near] - count).tolist(), strict=True)


def _above(value: fmpq) -> float:
    try:
        return float(np.nextafter(int(value.p) / int(value.q), np.inf))
    except OverflowError:
        return float("inf")
