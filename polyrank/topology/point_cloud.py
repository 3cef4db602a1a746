"""From a point cloud to a complex: alpha and Vietoris-Rips complexes by gudhi (optional).

The complex is an approximation of whatever the points were sampled from, and says so in its note.
From there on everything is exact: the points are, and the simplices are what they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyrank.errors import DomainError, FormatError, UnsupportedError
from polyrank.topology.files import read_off
from polyrank.topology.manifold import Manifold, build_manifold

__all__ = ["complex_of_points", "read_labels", "read_points"]

_MAX_SIMPLICES = 5_000_000


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
        Simplices above this dimension are left out; default 2 (3 for points in R³).
    labels : int array, shape (V,), optional
        Class of every point: a simplex with corners of several classes has none.
    name : str

    Raises
    ------
    UnsupportedError
        If gudhi is not installed.
    DomainError
        If the points or the radius are not usable.
    """
    try:
        import gudhi  # noqa: PLC0415
    except ImportError:
        raise UnsupportedError(
            "complexes of point clouds need gudhi: pip install 'polyrank[topology]'"
        ) from None
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape or not np.isfinite(array).all():
        raise DomainError(f"points must be a finite matrix (V, n), got shape {array.shape}")
    if not (np.isfinite(radius) and radius > 0):
        raise DomainError(f"the radius must be positive, got {radius}")
    if len(np.unique(array, axis=0)) != len(array):
        raise DomainError("the point cloud holds a point twice; remove copies")
    top = max_dimension or (3 if array.shape[1] == 3 else 2)
    if kind == "alpha":
        tree = gudhi.AlphaComplex(points=array).create_simplex_tree(
            max_alpha_square=float(radius) ** 2
        )
        how = f"alpha complex of radius {radius:g}"
    else:
        tree = gudhi.RipsComplex(
            points=array, max_edge_length=2.0 * float(radius)
        ).create_simplex_tree(max_dimension=1)
        tree.expansion(top)
        how = f"Vietoris-Rips complex of radius {radius:g}"
    if tree.num_simplices() > _MAX_SIMPLICES:
        raise DomainError(
            f"the {how} has {tree.num_simplices():,} simplices, more than {_MAX_SIMPLICES:,}; "
            "use a smaller radius or fewer points"
        )
    facets: list[list[list[int]]] = [[] for _ in range(top + 1)]
    for simplex, _ in tree.get_simplices():
        if len(simplex) <= top + 1:
            facets[len(simplex) - 1].append(simplex)
    arrays = [np.array(rows, dtype=np.int64) for rows in facets if rows]
    note = f"{how} of {len(array)} points: an approximation of what they were sampled from"
    return build_manifold(array, arrays, name, labels=_classes(arrays, labels, array), note=note)


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
