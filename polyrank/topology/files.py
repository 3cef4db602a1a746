"""Manifolds in files: ``.npz``, ``.json``, ``.off``, ``.obj``, ``.ply`` and facet lists.

==========  ======================================================================================
``.npz``    ``points`` (V, n), ``simplices`` (m, d + 1) or, for several dimensions,
            ``simplices_1``, ``simplices_2``, …; optionally ``labels`` (``labels_1``, …)
``.json``   ``{"points": [[…]], "facets": [[…]], "labels": […]}``; a point may be ``"1/3"``
``.off``    also ``nOFF`` and coloured faces (colours are skipped)
``.obj``    ``v``, ``f``, ``l`` and ``p`` elements, absolute or relative indices, lines that a
            backslash continues
``.ply``    ascii or binary; ``vertex`` with x, y[, z] and ``face`` (``edge``) elements
``.txt``    a facet list: a row of vertex numbers per line, or the library of triangulations of
            F. H. Lutz, ``facets:=[[1, 2, 3], …];``; a file without extension is read so, too
==========  ======================================================================================

A decimal number in text is the nearest float64, which is then exact. Polygons with more than three
corners are divided into triangles from their first corner. A facet list without points is a
subcomplex of the standard simplex: vertex i is the unit vector e_i. Vertices with equal coordinates
stay different vertices; a note counts them. Nothing in a file is executed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DomainError, FormatError
from polyrank.network.formats.npz import read_arrays
from polyrank.network.formats.source import plain_float, read_text, unique_keys
from polyrank.network.rational import RationalArray
from polyrank.topology.manifold import Manifold, build_manifold, with_note
from polyrank.topology.merging import coincident_note
from polyrank.topology.ply import read_ply

__all__ = ["facet_arrays", "read_manifold", "read_off"]

_MAX_BYTES = 1 << 30
_NAMED_LIST = re.compile(r"\A\s*\w+\s*:=\s*(\[.*\])\s*;?\s*\Z", re.DOTALL)


def read_manifold(path: str | Path) -> Manifold:
    """Read points and simplices; the extension says how.

    Raises
    ------
    DomainError
        In one sentence, if the file cannot be read or does not hold a simplicial complex.
    """
    file = Path(path)
    readers = {
        ".npz": _npz,
        ".json": _json,
        ".off": _off,
        ".obj": _obj,
        ".ply": _ply,
        ".txt": _facet_list,
    }
    plain = file.suffix == "" and file.is_file()
    reader = _facet_list if plain else readers.get(file.suffix.lower())
    if reader is None:
        raise DomainError(
            f"{file.name}: expected a manifold in {', '.join(readers)}, a generated shape such as "
            "torus:40, or with --alpha or --rips a cloud of points"
        )
    try:
        found = reader(file)
    except (FormatError, DomainError) as error:
        message = str(error)
        if file.name in message:
            raise DomainError(message) from None
        raise DomainError(f"{file.name}: {message}") from None
    except OSError as error:
        raise DomainError(f"cannot read {file}: {error.strerror or error}") from None
    return with_note(found, coincident_note(found.points))


def facet_arrays(
    facets: Sequence[Sequence[int]], labels: Sequence[int] | None = None
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]] | None]:
    """Facets of different sizes as one array per size, with their labels in the same order."""
    sizes = sorted({len(f) for f in facets})
    arrays = [np.array([f for f in facets if len(f) == s], dtype=np.int64) for s in sizes]
    if labels is None:
        return arrays, None
    if len(labels) != len(facets):
        raise DomainError(f"{len(facets)} facets but {len(labels)} labels")
    pairs = list(zip(facets, labels, strict=True))
    return arrays, [np.array([v for f, v in pairs if len(f) == s], np.int64) for s in sizes]


def _npz(file: Path) -> Manifold:
    arrays, skipped = read_arrays(file)
    if skipped:
        raise DomainError(f"the array {skipped[0]!r} does not hold numbers")
    names = [k for k in arrays if re.fullmatch(r"simplices(_\d+)?", k)]
    if "points" not in arrays or not names:
        raise DomainError(f"expected the arrays points and simplices, found {sorted(arrays)}")
    labels = [arrays.get(name.replace("simplices", "labels")) for name in names]
    known = {"points", *names, *(n.replace("simplices", "labels") for n in names)}
    if unknown := sorted(arrays.keys() - known):
        raise DomainError(f"unknown array {unknown[0]!r}; expected {', '.join(sorted(known))}")
    given = [own for own in labels if own is not None]
    if given and len(given) < len(names):
        raise DomainError("labels must be given for all arrays of simplices or for none")
    facets = [arrays[n] for n in names]
    return build_manifold(arrays["points"], facets, file.stem, labels=given or None)


def _json(file: Path) -> Manifold:
    try:
        text = read_text(file, max_bytes=_MAX_BYTES)
        found = json.loads(text, object_pairs_hook=unique_keys)
    except RecursionError:
        raise DomainError("the JSON is nested too deeply") from None
    except ValueError as error:
        raise DomainError(f"not JSON: {error}") from None
    if not isinstance(found, dict) or "facets" not in found:
        raise DomainError('expected a JSON object with "facets" and "points"')
    if unknown := sorted(found.keys() - {"points", "facets", "labels", "name"}):
        raise DomainError(f"unknown key {unknown[0]!r}; expected points, facets, labels, name")
    facets = _integer_rows(found["facets"], "facets")
    labels = found.get("labels")
    if labels is not None:
        labels = _integer_rows([labels], "labels")[0]
    points: Any = _exact_points(found["points"]) if "points" in found else _unit_vectors(facets)
    arrays, grouped = facet_arrays(facets, labels)
    return build_manifold(points, arrays, str(found.get("name", file.stem)), labels=grouped)


def _integer_rows(rows: Any, what: str) -> list[list[int]]:
    whole = isinstance(rows, list) and all(
        isinstance(row, list) and all(type(v) is int and abs(v) < 2**31 for v in row)
        for row in rows
    )
    if not whole or not rows:
        raise DomainError(f"{what} must be lists of integers")
    return list(rows)


def _exact_points(rows: Any) -> RationalArray:
    if not isinstance(rows, list) or not rows or not all(isinstance(r, list) for r in rows):
        raise DomainError("points must be a list of lists of numbers")
    if len({len(r) for r in rows}) != 1:
        raise DomainError("points must have equally many coordinates")
    if any(isinstance(v, bool) for r in rows for v in r):
        raise DomainError("points must be a list of lists of numbers, not of true and false")
    try:
        return RationalArray.from_rationals([v for r in rows for v in r], (len(rows), len(rows[0])))
    except ValueError as error:
        raise DomainError(f"points: {error}") from None


def _unit_vectors(facets: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """One vector per vertex number up to the largest; refused where that would be huge."""
    top = max((max(f, default=-1) for f in facets), default=-1)
    if top >= 4096:
        raise DomainError(
            f"a facet list without points puts vertex i on the unit vector e_i; {top} is too "
            "large for that: give points"
        )
    return np.eye(top + 1)


def _facet_list(file: Path) -> Manifold:
    facets: list[list[int]] = []
    # the comments of the library hold names in Latin-1, which reads any byte
    text = read_text(file, max_bytes=_MAX_BYTES, encoding="latin-1")
    lines = text.splitlines()
    if named := _NAMED_LIST.search("\n".join(line.split("#")[0] for line in lines)):
        return _listed(file, _integer_rows(_json_list(named[1]), "facets"))
    for number, line in enumerate(lines, start=1):
        row = line.split("#")[0].replace(",", " ").split()
        if not row:
            continue
        if not all(v.isdecimal() and len(v) < 10 for v in row):
            raise DomainError(f"line {number} is {line.strip()[:60]!r}: expected vertex numbers")
        facets.append([int(v) for v in row])
    if not facets:
        raise DomainError("the file lists no facets")
    return _listed(file, facets)


def _json_list(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise DomainError("what follows := is no list of lists of vertex numbers") from None


def _listed(file: Path, facets: list[list[int]]) -> Manifold:
    """A facet list without points, vertices numbered from 0 or 1."""
    lowest = min(min(f, default=0) for f in facets)
    shifted = [[v - lowest for v in f] for f in facets] if lowest == 1 else facets
    note = "vertices are unit vectors: the file has no points"
    return build_manifold(_unit_vectors(shifted), facet_arrays(shifted)[0], file.stem, note=note)


class _Row(list[str]):
    """The words of a line, and where it is, for messages."""

    def __init__(self, words: Sequence[str], line: int) -> None:
        super().__init__(words)
        self.line = line

    def rest(self) -> _Row:
        """The row without its first word."""
        return _Row(self[1:], self.line)

    def fail(self, message: str) -> NoReturn:
        """Refuse the row."""
        raise DomainError(f"line {self.line}: {message}, got {' '.join(self)[:60]!r}")

    def numbers(self, start: int, stop: int, what: str) -> list[float]:
        """Some words as numbers."""
        try:
            return [plain_float(v) for v in self[start:stop]]
        except ValueError:
            self.fail(f"{what}: expected numbers")

    def integers(self, words: Sequence[str], what: str) -> list[int]:
        """Some words as integers."""
        if not all(re.fullmatch(r"[+-]?\d{1,9}", v) for v in words):
            self.fail(f"{what}: expected integers")
        return [int(v) for v in words]


def _rows(text: str, *, continued: bool = False) -> list[_Row]:
    """The lines that hold words, without comments; a backslash at the end may continue a line."""
    rows: list[_Row] = []
    begun: _Row | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#")[0].split()
        row = begun if begun is not None else _Row([], number)
        more = continued and bool(words) and words[-1].endswith("\\")
        if more:
            words[-1] = words[-1][:-1]
        row += [w for w in words if w]
        begun = row if more else None
        if not more and row:
            rows.append(row)
    return [*rows, begun] if begun else rows


def _off(file: Path) -> Manifold:
    return _mesh(file, *read_off(file))


def read_off(file: Path) -> tuple[list[list[float]], list[list[int]]]:
    """Vertices and polygons of an ``.off`` file.

    Raises
    ------
    FormatError, DomainError
        If the file is missing, too large, truncated or not OFF.
    """
    rows = _rows(read_text(file, max_bytes=_MAX_BYTES))
    first = rows[0][0] if rows else ""
    # some exporters glue the counts to the keyword
    matched = re.fullmatch(r"((?:ST)?C?N?4?n?OFF)(\d*)", first)
    if matched is None:
        raise DomainError(f"an .off file starts with OFF, this one with {first[:20]!r}")
    head, glued = matched.groups()
    if rows[0][1:2] == ["BINARY"]:
        raise DomainError("binary OFF is not read; write it as text")
    if "4" in head or "ST" in head or "N" in head.replace("OFF", ""):
        raise DomainError(f"the variant {head} is not read; write it as plain OFF")
    flat = _Row([*([glued] if glued else []), *rows[0][1:]], rows[0].line), *rows[1:]
    body = [row for row in flat if row]
    dimension = 3
    if "n" in head:
        if not body:
            raise DomainError("the file ends after its header")
        (dimension,) = body[0].integers(body[0][:1], "the dimension")
        body = [row for row in (body[0].rest(), *body[1:]) if row]
    if not body or len(body[0]) < 2:
        raise DomainError("the counts of vertices and faces are missing")
    vertices, faces = body[0].integers(body[0][:2], "the counts")
    left = len(body) - 1 - vertices - faces
    if vertices < 0 or faces < 0 or left != 0:
        cut = "the file is truncated" if left < 0 else "its counts are wrong"
        raise DomainError(
            f"the header promises {vertices} vertices and {faces} faces, but {len(body) - 1} "
            f"lines follow: {cut}"
        )
    points: list[list[float]] = []
    for row in body[1 : 1 + vertices]:
        if len(row) < dimension:
            row.fail(f"expected a vertex with {dimension} coordinates")
        points.append(row.numbers(0, dimension, "a vertex"))
    polygons: list[list[int]] = []
    for row in body[1 + vertices :]:
        (size,) = row.integers(row[:1], "a face")
        if size < 1 or len(row) < 1 + size:
            row.fail(f"expected a face with {size} corners")
        polygons.append(row.integers(row[1 : 1 + size], "a face"))
    return points, polygons


def _obj(file: Path) -> Manifold:
    points: list[list[float]] = []
    polygons: list[list[int]] = []
    text = read_text(file, max_bytes=_MAX_BYTES)
    for row in _rows(text, continued=True):
        if row[0] == "v":
            points.append(row.numbers(1, 4, "a vertex"))
        elif row[0] in {"f", "l", "p"}:
            corners = row.integers([v.split("/")[0] for v in row[1:]], "an element")
            if not corners or 0 in corners:
                row.fail("an element: expected vertices, which count from 1")
            own = [v - 1 if v > 0 else len(points) + v for v in corners]
            pieces = [own] if row[0] == "f" else [[v] for v in own]
            if row[0] == "l":
                pieces = [list(pair) for pair in pairwise(own)]
            polygons += pieces
    return _mesh(file, points, polygons)


def _ply(file: Path) -> Manifold:
    points, polygons, note = read_ply(file)
    return with_note(_mesh(file, points, polygons), note)


def _mesh(file: Path, points: Sequence[Sequence[float]], polygons: Sequence[list[int]]) -> Manifold:
    """Points, edges, triangles; larger polygons are fans."""
    if len({len(p) for p in points}) > 1:
        raise DomainError("vertices must have equally many coordinates")
    facets: list[list[int]] = []
    fans = 0
    for polygon in polygons:
        if len(polygon) <= 3:
            facets.append(polygon)
            continue
        fans += 1
        facets += [[polygon[0], b, c] for b, c in pairwise(polygon[1:])]
    note = f"{fans} polygons were divided into triangles from their first corner" if fans else ""
    if not points or not facets:
        raise DomainError(
            f"{len(points)} vertices and {len(facets)} faces: no complex (points alone need "
            "--alpha or --rips)"
        )
    return build_manifold(np.array(points), facet_arrays(facets)[0], file.stem, note=note)
