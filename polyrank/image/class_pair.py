"""Two classes of a manifold at one layer: what is decided about their images, with its proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.image.apart import Disjoint, Meeting
from polyrank.image.collision import PointOfM
from polyrank.image.hyperplane import Hyperplane

__all__ = ["HullMeeting", "LayerPair", "Linking"]


@dataclass(frozen=True, slots=True)
class HullMeeting:
    """No hyperplane separates two classes: convex combinations of their images are equal.

    Attributes
    ----------
    image : tuple of fmpq
        ``Σ λ_i Φ_K(x_i) = Σ μ_j Φ_K(y_j)``.
    first, second : tuple of (fmpq, PointOfM)
        The weights, positive and of sum 1, and the points of M.
    """

    image: tuple[fmpq, ...]
    first: tuple[tuple[fmpq, PointOfM], ...]
    second: tuple[tuple[fmpq, PointOfM], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Linking:
    """Linking numbers of loops that generate H_1 of two classes, at one layer.

    Attributes
    ----------
    matrix : int64 array, shape (g, h)
        ``lk`` of the i-th loop of the first class with the j-th of the second.
    divisors : tuple of int
        The non-zero elementary divisors of the matrix, which do not depend on the choice of the
        loops: |lk| for two closed curves, |lk| of the core curves for two tori of which neither
        lies inside the other.
    coordinates : tuple of int
        The numbers of the coordinates in which the curves are looked at: (0, 1, 2) in R³. In a
        wider space the images of both classes lie in an affine subspace of dimension 3 (or less),
        oriented by these.
    """

    matrix: NDArray[np.int64]
    divisors: tuple[int, ...]
    coordinates: tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class LayerPair:
    """Two classes at one layer.

    Attributes
    ----------
    layer : int
        K; 0 is M itself.
    first, second : int
        The classes.
    images : Disjoint, Meeting or None
        None: not decided, at a limit. A :class:`Meeting` may have been found at an earlier layer.
    linear : Hyperplane, HullMeeting, Meeting or None
        A hyperplane strictly between the images, or the proof that there is none.
    linking : Linking or None
        None where it is not defined (see ``no_linking``) or was not asked for.
    no_linking : str
        Why there is no linking number.
    """

    layer: int
    first: int
    second: int
    images: Disjoint | Meeting | None
    linear: Hyperplane | HullMeeting | Meeting | None
    linking: Linking | None
    no_linking: str

    @property
    def verdict(self) -> Literal["disjoint", "meet", "not decided"]:
        """What is known of the images."""
        if self.images is None:
            return "not decided"
        return "disjoint" if isinstance(self.images, Disjoint) else "meet"

    @property
    def disjoint(self) -> bool | None:
        """Whether the images are disjoint."""
        return None if self.images is None else isinstance(self.images, Disjoint)

    @property
    def separable(self) -> bool | None:
        """Whether a hyperplane separates the images strictly."""
        return None if self.linear is None else isinstance(self.linear, Hyperplane)
