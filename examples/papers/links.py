"""Points of two linked tori, and Gauss' linking integral of sampled curves."""

import numpy as np

__all__ = ["gauss", "tori"]


def tori(a, b, tube=2 / 15):
    """Points of both tori at angles a around the ring and b around the tube, divided by 15."""
    r = 1 + tube * np.cos(b)
    first = np.stack([r * np.cos(a), r * np.sin(a), tube * np.sin(b)], 1)
    return np.stack([first, first[:, [0, 2, 1]] + [1, 0, 0]])


def gauss(x, y):
    """The linking number of two closed polygons in R^3, by midpoints, or "" if they meet."""
    (x, dx), (y, dy) = (((c + np.roll(c, -1, 0)) / 2, np.roll(c, -1, 0) - c) for c in (x, y))
    apart, cross = x[:, None] - y, np.cross(dx[:, None], dy)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = (apart * cross).sum(2) / (np.linalg.norm(apart, axis=2) ** 3 * 4 * np.pi)
    total = abs(float(terms.sum()))
    return round(total, 3) if np.isfinite(total) else ""
