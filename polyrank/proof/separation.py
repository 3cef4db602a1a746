"""``check`` for certificates of ``polyrank separate -o``, in rational arithmetic.

**Apart.** The images of two classes are at least d apart (:mod:`polyrank.proof.apart`). The
polytopes are those of :mod:`polyrank.proof.polytopes`, computed here; equal images count once.
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

import pyarrow.parquet as pq
from flint import fmpq, fmpq_mat

from polyrank.network.normal_form import Network
from polyrank.network.rational import fmpq_from_text
from polyrank.proof.apart import Images, Plane, check_apart
from polyrank.proof.format import ProofRejectedError
from polyrank.proof.linking import Cycle, check_linking, closed
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
from polyrank.proof.polytopes import polytopes_by_layer
from polyrank.proof.statement_file import StatementFile

__all__ = ["STATEMENT", "SeparationReport", "check_separation", "is_separation"]

STATEMENT = StatementFile("certificate.json", "polyrank_separation", 1, "certificate")


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
        planes = _planes(self.path)
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

    def _by_layer(self) -> Iterator[tuple[int, dict[int, Images]]]:
        """The distinct images of the classes at the layers 0, 1, …, all at once per layer."""
        last = self.layers[-1]
        running = [
            (label, f, polytopes_by_layer(self.network, last, self._corners(f)))
            for label, own in self.members.items()
            for f in own
        ]
        for layer in range(last + 1):
            sides = {label: Images() for label in self.classes}
            for label, facet, parts in running:
                for part in next(parts):
                    sides[label].add(facet, part)
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
        sides: tuple[Images, Images],
        planes: list[Plane],
    ) -> None:
        where = f"classes {pair[0]} and {pair[1]} at layer {layer}"
        self._check_linear(layer, row, pair, sides, where)
        if row["images"] == "disjoint":
            distance = fmpq_from_text(row["distance_at_least"])
            common = _normal(row) if row["linearly_separable"] else None
            self.tally["planes"] += check_apart(sides, common, planes, distance, where)
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
            loops = self.loops[pair[0]], self.loops[pair[1]]
            images = (tuple(p) for side in sides for h in side.hulls for p in h.images.tolist())
            check_linking(row["linking"], self.network, layer, self.points, loops, images, where)
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
        sides: tuple[Images, Images],
        where: str,
    ) -> None:
        separable = row["linearly_separable"]
        if separable is None:
            self.open += 1
        elif separable:
            w = _normal(row)
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

    def _check_classification(self, sides: Mapping[int, Images]) -> None:
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


def _planes(path: Path) -> dict[int, list[Plane]]:
    """The planes of a certificate, by their layers."""
    listed = pq.read_table(path / "pieces.parquet")
    pieces = [
        (int(f), bytes(s))
        for f, s in zip(listed["facet"].to_pylist(), listed["signs"].to_pylist(), strict=True)
    ]
    out: dict[int, list[Plane]] = defaultdict(list)
    for (layer, i, j), w in read_planes(path / "planes.parquet", "layer", "first", "second"):
        if not (0 <= i < len(pieces) and 0 <= j < len(pieces)):
            raise ProofRejectedError("a plane names a piece that does not exist")
        out[layer].append((pieces[i], pieces[j], w))
    return out


def _normal(row: Mapping[str, Any]) -> fmpq_mat:
    """The normal of the hyperplane between two classes, as a column."""
    entries = [fmpq_from_text(v) for v in row["hyperplane"]["normal"]]
    return fmpq_mat(len(entries), 1, entries)
