"""``check`` for certificates of ``polyrank separate -o``, in rational arithmetic.

**Apart.** The images of two classes are at least d apart: for every two polytopes there is w with
``min w·Φ(c) − max w·Φ(c') ≥ d |w|``, or a distance of at least d between the boxes of their
images; or one w does this for all of both classes. The polytopes are those of
:mod:`polyrank.proof.polytopes`, computed here; equal images count once.
**Meeting.** Two points of M, of a simplex of either class, with one image by the plain forward
pass; then no hyperplane lies between them either.
**Hyperplane.** ``w·Φ − t`` is positive at all vertices of the one class and negative at those of
the other; or there is none, since two convex combinations of images of points are equal.
**Margins.** On a polytope the least difference of outputs is concave: the least value over all
vertices is that over the class, and the stated point has it.
**Linking.** The stated matrix is that of the stated loops, which are cycles of edges of the
classes, in three coordinates that tell the points of the affine hull of all images apart. That the
loops generate H_1 is not verified.

Files of a certificate
----------------------
====================  ==========================================================================
``certificate.json``  network, and what ``separate --json`` prints, with the loops
``points.parquet``    as in :mod:`polyrank.proof.one_to_one`
``facets.parquet``    ``corners``: simplices of M that cover it; ``class``, −1 for none
``pieces.parquet``    ``facet`` and ``signs``: polytopes that the planes name, any with that image
``planes.parquet``    ``layer``, ``first``, ``second`` (rows of the table before), and ``normal``
                      or ``normal_exact``
====================  ==========================================================================
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from flint import fmpq, fmpq_mat, fmpz_mat
from numpy.typing import NDArray

from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_text
from polyrank.proof.format import ProofRejectedError
from polyrank.proof.hulls import Hull, box_pairs, outer_boxes
from polyrank.proof.linking import Cycle, closed, image_of_cycle, in_chart, linking_number
from polyrank.proof.manifold_file import (
    Exact,
    MixedPoint,
    column,
    image_at,
    mixed_point,
    read_manifold,
    read_planes,
)
from polyrank.proof.margins import check_classification, check_margin
from polyrank.proof.polytopes import Polytope, polytopes_by_layer
from polyrank.proof.statement_file import StatementFile

__all__ = ["STATEMENT", "SeparationReport", "check_separation", "is_separation"]

STATEMENT = StatementFile("certificate.json", "polyrank_separation", 1, "certificate")

Floats = NDArray[np.float64]
#: Of two classes at one layer: (distinct image of the one, of the other) → normals.
Planes = Mapping[tuple[int, int], list[fmpq]]


@dataclass(frozen=True, slots=True)
class SeparationReport:
    """What was found. A rejection is a :class:`ProofRejectedError`.

    Attributes
    ----------
    classes, layers : tuples of int
    apart, meeting : int
        Pairs of classes and layers at which the images are disjoint, and have a common point.
    separable, inseparable : int
        At which a hyperplane lies between them, and none does.
    linked : int
        At which a matrix of linking numbers was computed again.
    planes : int
        Pairs of images with a hyperplane of their own.
    margins : bool
        Whether the least margins were verified.
    unverified : tuple of str
        What the certificate says beside that.
    doubt : str
        What is not decided; empty if everything is.
    seconds : float
    """

    classes: tuple[int, ...]
    layers: tuple[int, ...]
    apart: int
    meeting: int
    separable: int
    inseparable: int
    linked: int
    planes: int
    margins: bool
    unverified: tuple[str, ...]
    doubt: str
    seconds: float


def is_separation(path: Path) -> bool:
    """Whether a directory holds a certificate of classes."""
    return STATEMENT.lies_in(path)


def check_separation(path: Path, *, network: Path | None = None) -> SeparationReport:
    """Check a certificate that ``polyrank separate -o`` wrote.

    Parameters
    ----------
    path : Path
    network : Path, optional
        The file of the network, where it is no longer where the certificate says.

    Raises
    ------
    ProofRejectedError
        If a claim is false or has no proof.
    NotDecidedError
        If the network's file holds another network; it is a ProofRejectedError.
    RunError, NetworkError
        If the certificate or the network's file cannot be read.
    """
    started = time.perf_counter()
    with STATEMENT.opened(path, network) as (stated, own):
        checker = _Checker(path, own, stated)
        checker.run()
    return checker.report(time.perf_counter() - started)


@dataclass(slots=True)
class _Side:
    """The distinct images of one class at one layer.

    Attributes
    ----------
    hulls : list of Hull
    number : mapping of (int, bytes) to int
        Facet and signs of a polytope → the number of its image.
    """

    hulls: list[Hull]
    number: dict[tuple[int, bytes], int]

    def least(self, w: fmpq_mat, sign: int) -> fmpq:
        """The least value of sign · w over the images."""
        return min(min((sign * (h.images * w)).entries()) for h in self.hulls)


class _Checker:
    def __init__(self, path: Path, network: Network, stated: Mapping[str, Any]) -> None:
        self.path, self.network, self.stated = path, network, stated
        self.points, self.facets = read_manifold(path, network)
        of_facet = [int(v) for v in column(path / "facets.parquet", "class")]
        self.classes = tuple(int(v) for v in stated["classes"])
        self.layers = tuple(int(v) for v in stated["layers"])
        self.members: dict[int, list[int]] = {c: [] for c in self.classes}
        for facet, label in enumerate(of_facet):
            if label in self.members:
                self.members[label].append(facet)
        if len(of_facet) != len(self.facets) or not all(self.members.values()):
            raise ProofRejectedError("the facets do not have the classes that are compared")
        if len(self.classes) < 2 or list(self.layers) != sorted(set(self.layers)):
            raise ProofRejectedError("two classes and ascending layers are needed")
        without = sum(label not in self.members for label in of_facet)
        if stated["simplices_without_class"] != without:
            raise ProofRejectedError(f"{without} simplices have none of the classes")
        if not self.layers or not 0 <= self.layers[0] <= self.layers[-1] <= len(network.layers):
            raise ProofRejectedError(f"there are no layers {list(self.layers)}")
        self.simplices = {
            c: [frozenset(self.facets[f]) for f in own] for c, own in self.members.items()
        }
        self.tally = dict.fromkeys(
            ("apart", "meeting", "separable", "inseparable", "linked", "planes"), 0
        )
        self.open = 0
        self.margins = False
        self.loops: dict[int, list[Cycle]] = {}
        for own in stated["loops"]:
            label = int(own["class"])
            parts = self.simplices[label]
            self.loops[label] = [closed(loop, parts, label) for loop in own["loops"]]

    def report(self, seconds: float) -> SeparationReport:
        unverified = [
            "that layers are one-to-one on M or on R^n",
            "approximate distances, linking numbers of cores, names, sizes of M",
        ]
        if self.tally["linked"]:
            unverified.append("that the loops generate H_1 of the classes")
        doubt = f"{self.open:,} questions are not decided" if self.open else ""
        return SeparationReport(
            self.classes,
            self.layers,
            margins=self.margins,
            unverified=tuple(unverified),
            doubt=doubt,
            seconds=seconds,
            **self.tally,
        )

    def run(self) -> None:
        rows: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
        for own in self.stated["pairs"]:
            first, second = own["classes"]
            rows[first, second] = own["layers"]
            if [int(r["layer"]) for r in own["layers"]] != list(self.layers):
                raise ProofRejectedError(f"the layers of the classes {first} and {second} are not "
                                         f"{list(self.layers)}")  # fmt: skip
            self._check_summary(own)
        if set(rows) != set(combinations(self.classes, 2)) or len(rows) != len(
            self.stated["pairs"]
        ):
            raise ProofRejectedError("the pairs of classes are not those of the classes")
        listed = pq.read_table(self.path / "pieces.parquet")
        self.listed = [
            (int(f), bytes(s))
            for f, s in zip(listed["facet"].to_pylist(), listed["signs"].to_pylist(), strict=True)
        ]
        planes = _planes(self.path / "planes.parquet")
        place = {layer: n for n, layer in enumerate(self.layers)}
        for layer, sides in self._by_layer():
            if layer in place:
                for (a, b), found in rows.items():
                    row = found[place[layer]]
                    self._row(layer, row, (a, b), (sides[a], sides[b]), planes.get(layer, []))
            if layer == len(self.network.layers) and self.stated["classification"] is not None:
                self._check_classification(sides)
        if self.stated["classification"] is not None and not self.margins:
            raise ProofRejectedError("margins are stated, but not the output layer")
        if bool(self.stated["decided"]) != (self.open == 0):
            raise ProofRejectedError("the certificate misstates whether everything is decided")

    def _check_summary(self, own: Mapping[str, Any]) -> None:
        """What follows from the rows of a pair must be what they say."""
        verdicts = [(int(r["layer"]), r["images"]) for r in own["layers"]]
        first = None
        for layer, verdict in verdicts:
            if verdict != "disjoint":
                first = layer if verdict == "meet" else None
                break
        if own["first_layer_that_meets"] != first:
            raise ProofRejectedError(
                f"the first layer at which the classes {own['classes']} meet is stated as "
                f"{own['first_layer_that_meets']}, the rows say {first}"
            )
        separable = [int(r["layer"]) for r in own["layers"] if r["linearly_separable"]]
        if own["separable_layers"] != separable:
            raise ProofRejectedError(f"the separable layers are stated as {own['separable_layers']}"
                                     f", the rows say {separable}")  # fmt: skip

    def _by_layer(self) -> Iterator[tuple[int, dict[int, _Side]]]:
        """The distinct images of the classes at the layers 0, 1, …, all at once per layer."""
        last = self.layers[-1]
        running = [
            (label, f, polytopes_by_layer(self.network, last, self._corners(f)))
            for label, own in self.members.items()
            for f in own
        ]
        for layer in range(last + 1):
            sides = {label: _Side([], {}) for label in self.classes}
            known: dict[int, dict[frozenset[tuple[fmpq, ...]], int]] = defaultdict(dict)
            for label, facet, parts in running:
                for part in next(parts):
                    _add(sides[label], known[label], facet, part)
            yield layer, sides

    def _corners(self, facet: int) -> list[Exact]:
        return [self.points[c] for c in sorted(self.facets[facet])]

    def _point(self, stated: Mapping[str, Any], label: int) -> MixedPoint:
        return mixed_point(stated, self.points, self.simplices[label])

    def _row(
        self,
        layer: int,
        row: Mapping[str, Any],
        pair: tuple[int, int],
        sides: tuple[_Side, _Side],
        planes: list[tuple[int, int, list[fmpq]]],
    ) -> None:
        where = f"classes {pair[0]} and {pair[1]} at layer {layer}"
        self._check_linear(layer, row, pair, sides, where)
        if row["images"] == "disjoint":
            self._check_apart(row, sides, planes, where)
            self.tally["apart"] += 1
        elif row["images"] == "meet":
            self._check_meeting(layer, row["meeting"], pair, where)
            self.tally["meeting"] += 1
        elif row["images"] == "not decided":
            self.open += 1
        else:
            raise ProofRejectedError(f"{where}: there is no verdict {row['images']!r}")
        if row["linking"] is not None:
            if row["images"] != "disjoint":
                raise ProofRejectedError(f"{where}: linking numbers of images that may meet")
            self._check_linking(layer, row["linking"], pair, sides, where)
            self.tally["linked"] += 1

    def _check_meeting(
        self, layer: int, stated: Mapping[str, Any], pair: tuple[int, int], where: str
    ) -> None:
        image = tuple(fmpq_from_text(v) for v in stated["image"])
        for name, label in zip(("first", "second"), pair, strict=True):
            if image_at(self.network, self._point(stated[name], label), layer) != image:
                raise ProofRejectedError(f"{where}: a point is not mapped to the common image")

    def _check_linear(
        self,
        layer: int,
        row: Mapping[str, Any],
        pair: tuple[int, int],
        sides: tuple[_Side, _Side],
        where: str,
    ) -> None:
        separable = row["linearly_separable"]
        if separable is None:
            self.open += 1
        elif separable:
            w = _column([fmpq_from_text(v) for v in row["hyperplane"]["normal"]])
            offset = fmpq_from_text(row["hyperplane"]["offset"])
            if not (sides[0].least(w, 1) > offset and -sides[1].least(w, -1) < offset):
                raise ProofRejectedError(f"{where}: the hyperplane does not lie between them")
            self.tally["separable"] += 1
        else:
            self.tally["inseparable"] += 1
            if row["images"] == "meet":
                return
            stated = row["convex_combinations"]
            image = tuple(fmpq_from_text(v) for v in stated["image"])
            for name, label in zip(("first", "second"), pair, strict=True):
                if self._combination(layer, stated[name], label) != image:
                    raise ProofRejectedError(f"{where}: the convex combinations are not equal")

    def _combination(
        self, layer: int, stated: Sequence[Mapping[str, Any]], label: int
    ) -> tuple[fmpq, ...]:
        shares = [fmpq_from_text(own["weight"]) for own in stated]
        if any(v <= 0 for v in shares) or sum(shares, fmpq(0)) != 1:
            raise ProofRejectedError("the weights of a combination are not convex")
        images = [image_at(self.network, self._point(own, label), layer) for own in stated]
        return tuple(
            sum((s * v for s, v in zip(shares, values, strict=True)), fmpq(0))
            for values in zip(*images, strict=True)
        )

    def _check_apart(
        self,
        row: Mapping[str, Any],
        sides: tuple[_Side, _Side],
        planes: list[tuple[int, int, list[fmpq]]],
        where: str,
    ) -> None:
        distance = fmpq_from_text(row["distance_at_least"])
        if distance <= 0:
            raise ProofRejectedError(f"{where}: a distance must be positive")
        if row["linearly_separable"]:
            w = _column([fmpq_from_text(v) for v in row["hyperplane"]["normal"]])
            if _far(sides[0].least(w, 1) + sides[1].least(w, -1), w, distance):
                return
        known: set[int] = set()
        count = len(sides[1].hulls)
        for i, j, normal in planes:
            first, second = (
                s.number.get(self.listed[n]) for s, n in zip(sides, (i, j), strict=True)
            )
            if first is None or second is None:
                continue  # of another pair of classes
            w = _column(normal)
            one, other = sides[0].hulls[first].images, sides[1].hulls[second].images
            if w.nrows() != one.ncols() or not _far(
                min((one * w).entries()) - max((other * w).entries()), w, distance
            ):
                raise ProofRejectedError(f"{where}: a hyperplane does not keep the images apart")
            known.add(first * count + second)
        self.tally["planes"] += len(known)
        for first, second in _near(sides, distance):
            if first * count + second not in known:
                raise ProofRejectedError(
                    f"{where}: nothing keeps the images of two polytopes {distance} apart"
                )

    def _check_linking(
        self,
        layer: int,
        stated: Mapping[str, Any],
        pair: tuple[int, int],
        sides: tuple[_Side, _Side],
        where: str,
    ) -> None:
        chart = [int(k) for k in stated["coordinates"]]
        images = (tuple(p) for side in sides for h in side.hulls for p in h.images.tolist())
        if not in_chart(images, chart):
            raise ProofRejectedError(f"{where}: {chart} are no coordinates of a 3-space of images")
        curves = [
            [
                image_of_cycle(self.network, layer, self.points, loop, chart)
                for loop in self.loops[label]
            ]
            for label in pair
        ]
        matrix = [[linking_number(c, d) for d in curves[1]] for c in curves[0]]
        if stated["matrix"] != matrix:
            raise ProofRejectedError(f"{where}: the linking numbers of the loops are {matrix}")
        form = fmpz_mat(matrix).snf()
        size = min(form.nrows(), form.ncols())
        divisors = [abs(int(form[i, i])) for i in range(size) if form[i, i] != 0]
        if stated["elementary_divisors"] != divisors:
            raise ProofRejectedError(f"{where}: the elementary divisors are {divisors}")

    def _check_classification(self, sides: Mapping[int, _Side]) -> None:
        stated = self.stated["classification"]
        if self.stated["classes_by"] != "labels":
            raise ProofRejectedError("components of M are not classified")
        margins = []
        for own in stated["classes"]:
            label = int(own["class"])
            at = self._point(own["at"], label)
            output = image_at(self.network, at, len(self.network.layers))
            images = (h.images for h in sides[label].hulls)
            margins.append(check_margin(own, self.classes, images, output))
        check_classification(stated, self.classes, margins, self.network.layers[-1].units)
        self.margins = True


def _add(
    side: _Side, known: dict[frozenset[tuple[fmpq, ...]], int], facet: int, part: Polytope
) -> None:
    corners = frozenset(tuple(row) for row in part.images.tolist())
    number = known.setdefault(corners, len(known))
    if number == len(side.hulls):
        side.hulls.append(Hull([], part.images))
    side.number[facet, np.array(part.signs, np.int8).tobytes()] = number


def _planes(file: Path) -> dict[int, list[tuple[int, int, list[fmpq]]]]:
    out: dict[int, list[tuple[int, int, list[fmpq]]]] = defaultdict(list)
    for (layer, i, j), w in read_planes(file, "layer", "first", "second"):
        if min(i, j) < 0:
            raise ProofRejectedError("a plane names a piece that does not exist")
        out[layer].append((i, j, w))
    return out


def _column(values: Sequence[fmpq]) -> fmpq_mat:
    return fmpq_mat(len(values), 1, list(values))


def _far(gap: fmpq, w: fmpq_mat, distance: fmpq) -> bool:
    """Whether ``gap ≥ distance · |w|``, for a positive distance."""
    return bool(gap > 0 and gap * gap >= distance * distance * (w.transpose() * w)[0, 0])


def _near(sides: tuple[_Side, _Side], distance: fmpq) -> Iterator[tuple[int, int]]:
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
