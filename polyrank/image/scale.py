"""The image at a named scale: persistent Betti numbers of its points, in floats, by gudhi.

This is an approximation and proves nothing; it says which of the exact classes are large.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DomainError, UnsupportedError
from polyrank.image.homogeneous import in_unit_box
from polyrank.image.overlay import ImageComplex

__all__ = ["is_sampled", "persistent_betti"]

_MOST_POINTS = 100_000


def is_sampled(image: ImageComplex) -> bool:
    """Whether an image is sampled: not by contours, without solids, in at most three dimensions.

    Contours are the boundary of an image and not the image itself.
    """
    flat = not image.by_contours and not image.solids
    return flat and len(image.points[0]) - 1 <= 3


def persistent_betti(image: ImageComplex, scale: float) -> tuple[int, ...]:
    """How many classes of a dense sample of an image live from one radius to twice that radius.

    Parameters
    ----------
    image : ImageComplex
        One that is sampled (:func:`is_sampled`).
    scale : float
        The radius of the alpha complex, as a part of the diameter (the longest side of the box) of
        the image. The points are at most half of it apart.

    Returns
    -------
    tuple of int
        Per degree up to the dimension of the image. Approximate.

    Raises
    ------
    UnsupportedError
        If gudhi is not installed.
    DomainError
        If the scale is not between 0 and 1, or so small that it needs too many points; if the image
        is given by contours, has solids, or lies in more than three dimensions.
    """
    if not is_sampled(image):
        raise DomainError(
            "only images that are given by their points, segments and polygons, in at most three "
            "dimensions, are sampled"
        )
    if not 0 < scale < 1:
        raise DomainError(f"the scale is a part of the diameter, between 0 and 1, got {scale:g}")
    try:
        import gudhi  # noqa: PLC0415
    except ImportError:
        raise UnsupportedError("--scale needs gudhi: pip install 'polyrank[topology]'") from None
    _, points = in_unit_box(image.points)
    top = image.complex.dimension
    if not points.any():
        return (1, *([0] * max(0, len(image.complex.cells) - 1)))
    sample = np.unique(_sample(image, points, scale / 2), axis=0)
    tree = gudhi.AlphaComplex(points=sample).create_simplex_tree()
    pairs = tree.persistence(homology_coeff_field=2, persistence_dim_max=True)
    low, high = scale**2, (2 * scale) ** 2
    alive = [d for d, (birth, death) in pairs if birth <= low and death > high]
    return tuple(alive.count(d) for d in range(max(top, len(image.complex.cells) - 1) + 1))


def _sample(
    image: ImageComplex, points: NDArray[np.float64], spacing: float
) -> NDArray[np.float64]:
    ends = points[image.edges]
    counts = np.ceil(np.abs(ends[:, 1] - ends[:, 0]).sum(axis=1) / spacing).astype(np.int64)
    triangles = [points[[f[0], f[k], f[k + 1]]] for f in image.faces for k in range(1, len(f) - 1)]
    sides = [int(np.ceil(np.abs(t - t[0]).sum(axis=1).max() / spacing)) for t in triangles]
    total = int(counts.sum()) + sum((n + 1) * (n + 2) // 2 for n in sides)
    if total > _MOST_POINTS:
        raise DomainError(
            f"the scale needs {total:,} points of the image, more than {_MOST_POINTS:,}; take a "
            "larger one"
        )
    parts = [points]
    for (a, b), n in zip(ends, counts.tolist(), strict=True):
        t = np.arange(1, n)[:, None] / max(n, 1)
        parts.append(a + t * (b - a))
    for triangle, n in zip(triangles, sides, strict=True):
        i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
        keep = i + j <= n
        s, t = i[keep][:, None] / max(n, 1), j[keep][:, None] / max(n, 1)
        p, q, r = triangle
        parts.append(p + s * (q - p) + t * (r - p))
    return np.concatenate(parts)
