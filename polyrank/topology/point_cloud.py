"""From a point cloud to a complex: alpha and Vietoris-Rips complexes by gudhi (optional).

The complex is an approximation of whatever the points were sampled from, and says so in its note.
From there on everything is exact: the points are, and the simplices are what they are.

Homology of degree d needs the simplices of dimension d + 1. Where these are not built, because the
whole complex would be too large or on request, the manifold says how many degrees it decides.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyrank.errors import DomainError, FormatError
from polyrank.topology.cliques import cliques_of
from polyrank.topology.files import read_off
from polyrank.topology.manifold import Manifold, build_manifold, with_note
from polyrank.topology.merging import coincident_note

__all__ = ["complex_of_points", "read_labels", "read_points"]


def complex_of_points(
    points: ArrayLike,
    radius: float,
    *,
    kind: Literal["alpha", "rips"] = "alpha",
    max_dimension: int | None = None,
    labels: ArrayLike | None = None,
    name: str = "point cloud",
) -> Manifold:
    """The alpha or Rips complex of points at one radius.

    Parameters
    ----------
    points : array_like, shape (V, n)
        Taken exactly.
    radius : float
        Alpha: simplices whose smallest empty circumsphere has at most this radius. Rips: edges
        of length at most twice this radius. gudhi decides in floating point which simplices these
        are; that choice is part of the approximation.
    kind : "alpha" or "rips"
    max_dimension : int, optional
        Simplices above this dimension are left out. Default: none of an alpha complex; of a Rips
        complex those above dimension 4, and above dimension 2 those of a dimension with which the
        complex would exceed 100,000 simplices. Where simplices are left out, ``degrees`` of the
        manifold says which homology it decides.
    labels : int array, shape (V,), optional
        Class of every point: a simplex with corners of several classes has none.
    name : str

    Raises
    ------
    UnsupportedError
        If gudhi is not installed.
    DomainError
        If the points, the radius or the dimension are not usable, or the complex is too large.
    """
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape or not np.isfinite(array).all():
        raise DomainError(f"points must be a finite matrix (V, n), got shape {array.shape}")
    if not (np.isfinite(radius) and radius > 0):
        raise DomainError(f"the radius must be positive, got {radius}")
    if max_dimension is not None and max_dimension < 1:
        raise DomainError(f"the largest dimension must be at least 1, got {max_dimension}")
    if kind == "alpha" and len(np.unique(array, axis=0)) != len(array):
        raise DomainError(
            "the point cloud holds a point twice, which an alpha complex cannot; remove copies"
        )
    found = cliques_of(array, float(radius), kind, max_dimension)
    arrays, degrees = list(found.simplices), found.degrees
    name_of_kind = "alpha" if kind == "alpha" else "Vietoris-Rips"
    how = f"{name_of_kind} complex of radius {radius:g}"
    note = f"{how} of {len(array)} points: an approximation of what they were sampled from"
    if degrees is not None:
        note += (
            f"; its simplices of dimension above {degrees} are left out, so that homology is given "
            f"in degrees below {degrees} only"
        )
    made = build_manifold(array, arrays, name, labels=_classes(arrays, labels, array), note=note)
    return with_note(replace(made, degrees=degrees), coincident_note(made.points))


def _classes(
    arrays: list[NDArray[np.int64]], labels: ArrayLike | None, points: NDArray[np.float64]
) -> list[NDArray[np.int64]] | None:
    """The class of a simplex is that of its corners; the next free number if they differ."""
    if labels is None:
        return None
    own = np.asarray(labels)
    if own.shape != (len(points),) or own.dtype.kind not in "iu" or (own < 0).any():
        raise DomainError(f"labels must be {len(points)} integers >= 0, got shape {own.shape}")
    mixed = int(own.max()) + 1
    return [
        np.where((own[rows] == own[rows][:, :1]).all(axis=1), own[rows[:, 0]], mixed)
        for rows in arrays
    ]


def read_points(path: str | Path) -> Any:
    """Points of a ``.npy``, ``.csv`` or ``.off`` file, shape (V, n).

    Raises
    ------
    DomainError
        If the file is none of these, or does not hold a matrix of numbers.
    """
    file = Path(path)
    try:
        if file.suffix.lower() == ".npy":
            array = np.load(file, allow_pickle=False)
        elif file.suffix.lower() == ".csv":
            array = np.loadtxt(file, delimiter=",", ndmin=2)
        elif file.suffix.lower() == ".off":
            array = np.array(read_off(file)[0])
        else:
            raise DomainError(f"{file.name}: a point cloud is a .npy, .csv or .off file")
    except FormatError as error:
        raise DomainError(f"{file.name}: {error}") from None
    except OSError as error:
        raise DomainError(f"cannot read {file}: {error.strerror or error}") from None
    except (ValueError, EOFError) as error:
        raise DomainError(f"{file.name}: not a matrix of numbers: {error}") from None
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        raise DomainError(f"{file.name}: expected a matrix of numbers, got shape {array.shape}")
    return array


def read_labels(path: str | Path) -> NDArray[np.int64]:
    """The classes of points in a ``.npy`` file: whole numbers ≥ 0, or one-hot rows.

    Raises
    ------
    DomainError
        If it holds anything else.
    """
    file = Path(path)
    try:
        array = np.load(file, allow_pickle=False)
    except OSError as error:
        raise DomainError(f"cannot read {file}: {error.strerror or error}") from None
    except (ValueError, EOFError) as error:
        raise DomainError(f"{file.name}: not an array of labels: {error}") from None
    if array.ndim == 2 and array.dtype.kind in "iuf" and array.shape[1] > 1:
        if not (np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()):
            raise DomainError(f"{file.name}: rows of labels must have a single 1")
        array = array.argmax(axis=1)
    whole = array.dtype.kind in "iuf" and bool((array == np.floor(array)).all())
    if array.ndim != 1 or not whole or (array < 0).any():
        raise DomainError(f"{file.name}: expected one whole number >= 0 per point")
    return np.asarray(array, dtype=np.int64)
