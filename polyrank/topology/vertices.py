"""The vertices of a subdivided manifold: rigorous floats first, rationals where these fail.

A vertex is either a vertex of M or the point where a unit vanishes on an edge: that definition is
exact. Beside it stand float64 values with error bounds. The sign of a pre-activation at a vertex
is taken from its definition where that forces it, from the float value where it exceeds its
bound, and from rational arithmetic otherwise; nothing is decided by a tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from polyrank.network.composition import exact_step, preactivation
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray, nearest_float
from polyrank.topology.manifold import Manifold

__all__ = ["LayerValues", "VertexTable", "activated", "affine_step"]

U = 2.0**-53
_TINY = 1e-290  # far above what underflow can lose in one sum of products
_LEAST = 2.0**-1074  # the least positive float64

Floats = NDArray[np.float64]
Signs = NDArray[np.int8]


@dataclass(slots=True)
class LayerValues:
    """Pre-activations of one layer at all vertices.

    Attributes
    ----------
    z, error : float64, shape (V, units)
        ``|z − true| ≤ error``; both 0 where the value is exactly 0.
    sign : int8, shape (V, units)
        Exact.
    """

    z: Floats
    error: Floats
    sign: Signs


@dataclass(slots=True)
class VertexTable:
    """Where every vertex comes from, and rational coordinates on demand.

    Attributes
    ----------
    manifold : Manifold
    network : Network
    ends : int64, shape (V, 2)
        The ends of the edge that the vertex cuts, positive end first; −1 for a vertex of M.
    layer, unit : int64, shape (V,)
        The unit that vanishes there (layers from 1); 0 and −1 for a vertex of M.
    corners : int64, shape (V, k + 1)
        Vertices of the smallest simplex of M that contains the vertex; −1 pads.
    weights : float64, shape (V, k + 1)
        Approximate barycentric coordinates with respect to these.
    exact_decisions : int
        How many vertices needed rational arithmetic so far.
    images : list of pairs of float64 arrays, shape (V_K, units)
        For K = 0, 1, …: Φ_K at the V_K vertices that the layers 1..K make (numbered first), and
        bounds of the errors, not finite where floats do not tell; empty for a table that was read.
    """

    manifold: Manifold
    network: Network
    ends: NDArray[np.int64]
    layer: NDArray[np.int64]
    unit: NDArray[np.int64]
    corners: NDArray[np.int64]
    weights: Floats
    exact_decisions: int = 0
    images: list[tuple[Floats, Floats]] = field(default_factory=list)
    _inputs: dict[tuple[int, int], fmpq_mat] = field(default_factory=dict)
    _share: dict[int, fmpq] = field(default_factory=dict)
    _barycentric: dict[int, dict[int, fmpq]] = field(default_factory=dict)

    @classmethod
    def of_manifold(cls, manifold: Manifold, network: Network) -> VertexTable:
        """The vertices of M itself."""
        count, width = manifold.points.shape[0], manifold.dimension + 1
        corners = np.full((count, width), -1, np.int64)
        corners[:, 0] = np.arange(count)
        weights = np.zeros((count, width))
        weights[:, 0] = 1.0
        nowhere = np.full((count, 2), -1, np.int64)
        zeros = np.zeros(count, np.int64)
        return cls(manifold, network, nowhere, zeros, zeros - 1, corners, weights)

    @property
    def count(self) -> int:
        """Number of vertices."""
        return int(self.layer.size)

    def points(self) -> Floats:
        """Approximate coordinates in R^n, shape (V, n)."""
        base = self.manifold.points.approx
        spread = np.where(self.corners >= 0, self.weights, 0.0)
        return np.asarray(np.einsum("vj,vjn->vn", spread, base[self.corners]))

    def exact_barycentric(self, vertex: int) -> dict[int, fmpq]:
        """Vertex of M → barycentric coordinate, positive, summing to 1; exact."""
        for v in self._ancestors(vertex, self._barycentric):
            if self.layer[v] == 0:
                self._barycentric[v] = {v: fmpq(1)}
                continue
            a, b = (int(e) for e in self.ends[v])
            share = self.exact_share(v)
            mixed = {c: (1 - share) * w for c, w in self._barycentric[a].items()}
            for c, w in self._barycentric[b].items():
                mixed[c] = mixed.get(c, fmpq(0)) + share * w
            self._barycentric[v] = mixed
        return self._barycentric[vertex]

    def exact_point(self, vertex: int) -> list[fmpq]:
        """The exact coordinates in R^n."""
        total = [fmpq(0)] * self.manifold.ambient
        for corner, weight in self.exact_barycentric(vertex).items():
            point = self.manifold.point(corner)
            total = [t + weight * v for t, v in zip(total, point, strict=True)]
        return total

    def exact_image(self, vertex: int, layer: int) -> list[fmpq]:
        """Φ_K at the vertex, exact; K = 0 is the point itself."""
        h = fmpq_mat(self.manifold.ambient, 1, self.exact_point(vertex))
        for step in self.network.layers[:layer]:
            h = exact_step(step, h)[1]
        return list(h.entries())

    def exact_share(self, vertex: int) -> fmpq:
        """The vertex is ``(1 − t) a + t b`` on its edge (a, b); this is t, strictly within 0..1."""
        for v in self._ancestors(vertex, self._share):
            if self.layer[v] == 0:
                self._share[v] = fmpq(0)
                continue
            layer, unit = int(self.layer[v]), int(self.unit[v])
            a, b = (int(e) for e in self.ends[v])
            rows = self.network.layers[layer - 1]
            high, low = (
                sum(
                    (
                        rows.weight_exact[unit, j] * h
                        for j, h in enumerate(self.exact_inputs(e, layer - 1).entries())
                    ),
                    rows.bias_exact[unit, 0],
                )
                for e in (a, b)
            )
            share = high / (high - low)
            self._share[v] = share
            one, other = self.exact_inputs(a, layer - 1), self.exact_inputs(b, layer - 1)
            # the layers before are affine on the edge that was cut
            self._inputs[v, layer - 1] = one * (1 - share) + other * share
        return self._share[vertex]

    def exact_inputs(self, vertex: int, layer: int) -> fmpq_mat:
        """Φ_K at the vertex, for K not below the layer before the one that cut the edge."""
        start = layer
        while (vertex, start) not in self._inputs:
            if start == max(0, int(self.layer[vertex]) - 1):
                if start == 0 and self.layer[vertex] == 0:
                    point = self.manifold.point(vertex)
                    self._inputs[vertex, 0] = fmpq_mat(len(point), 1, point)
                else:
                    self.exact_share(vertex)
                break
            start -= 1
        h = self._inputs[vertex, start]
        for k in range(start, layer):
            h = exact_step(self.network.layers[k], h)[1]
            self._inputs[vertex, k + 1] = h
        return h

    def exact_preactivations(self, vertex: int, layer: int) -> list[fmpq]:
        """The pre-activations of layer K = ``layer`` ≥ 1 at the vertex."""
        step = self.network.layers[layer - 1]
        z = preactivation(step, self.exact_inputs(vertex, layer - 1))
        return list(z.entries())

    def _ancestors(self, vertex: int, known: Mapping[int, object]) -> list[int]:
        """The vertices on which this one depends and that are not known, each after its ends."""
        waiting, found = [vertex], set()
        while waiting:
            v = waiting.pop()
            if v in known or v in found:
                continue
            found.add(v)
            if self.layer[v] > 0:
                waiting += self.ends[v].tolist()
        return sorted(found)  # a vertex is numbered after the ends of its edge

    def settle(self, values: LayerValues, layer: int, vertices: NDArray[np.int64]) -> None:
        """Replace the rows of these vertices by exact signs and floats nearest to the truth."""
        self.exact_decisions += int(vertices.size)
        for v in vertices.tolist():
            row = self.exact_preactivations(v, layer)
            near = np.array([nearest_float(value) for value in row])
            values.z[v] = near
            values.error[v] = np.where(near == 0.0, 0.0, np.abs(near) * (2 * U) + _TINY)
            values.sign[v] = [(value > 0) - (value < 0) for value in row]
            for j in np.flatnonzero(near == 0.0).tolist():
                values.error[v, j] = 0.0 if row[j] == 0 else _TINY

    def append(
        self,
        ends: NDArray[np.int64],
        share: Floats,
        corners: NDArray[np.int64],
        layer: int,
        unit: int,
    ) -> None:
        """Add the points ``(1 − share) a + share b`` where a unit vanishes on edges (a, b)."""
        weights = np.zeros(corners.shape)
        for end, part in ((ends[:, 0], 1.0 - share), (ends[:, 1], share)):
            own, weight = self.corners[end], self.weights[end]
            for j in range(corners.shape[1]):
                there = (corners[:, j : j + 1] == own) & (own >= 0)
                weights[:, j] += part * np.where(there, weight, 0.0).sum(axis=1)
        fresh = np.full(len(ends), layer, np.int64)
        self.ends = np.concatenate([self.ends, ends])
        self.layer = np.concatenate([self.layer, fresh])
        self.unit = np.concatenate([self.unit, np.full(len(ends), unit, np.int64)])
        self.corners = np.concatenate([self.corners, corners])
        self.weights = np.concatenate([self.weights, weights])


def affine_step(layer: Layer, h: Floats, error: Floats) -> tuple[Floats, Floats]:
    """``W h + b`` with a rigorous bound of its error, for rows h with bounds ``error``.

    Rounding of a sum of m products in any order is at most ``m u / (1 − m u)`` times the sum of
    their magnitudes (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), and
    underflow adds at most 2^-1074 per operation. A bound of 0 is given only where the value is
    exact; an overflow gives an infinite bound or nan.
    """
    weight, bias = layer.weight.approx, layer.bias.approx
    z = h @ weight.T + bias
    size = np.abs(h) @ np.abs(weight).T + np.abs(bias)
    spread = error @ np.abs(weight).T
    terms = h.shape[1] + 8  # of the sum, its bias, the rounding of rational entries, slack
    bound = ((terms * U) * size + spread) * (1 + 4 * terms * U) + _TINY
    if not layer.weight.is_float:
        # a rational weight below 2^-1022 is rounded by up to 2^-1074, whatever its size
        bound = bound + 2 * (np.abs(h) + error).sum(axis=1, keepdims=True) * _LEAST
    else:
        # where no input counts, z is the bias; a product could underflow, this test cannot
        dead = (np.abs(h) + error) @ (weight != 0).astype(np.float64).T == 0
        rounding = 0.0 if layer.bias.is_float else 4 * U * np.abs(bias) + _TINY
        bound = np.where(dead, rounding, bound)
    return z, bound


def activated(layer: Layer, values: LayerValues) -> tuple[Floats, Floats]:
    """The activations after a layer, with bounds, from values and exact signs.

    A bound is 0 only where the activation is exact: where the pre-activation or the slope is
    exactly 0 (a slope rounded to 0 is not), or an exact pre-activation keeps its magnitude.
    """
    split = layer.has_hyperplane
    up = (values.sign > 0) | ~split
    slope = np.where(up, layer.slope_pos.approx, layer.slope_neg.approx)
    size = np.abs(slope)
    h = slope * values.z
    error = size * values.error
    vanishing, rounded = zip(*map(_slope_kinds, (layer.slope_neg, layer.slope_pos)), strict=True)
    no_slope = np.where(up, vanishing[1], vanishing[0])
    inexact = (size != 1.0) | np.where(up, rounded[1], rounded[0])
    # a product with a slope is rounded, and where it underflows nothing of it is left
    lost = (8 * U) * np.abs(h) + 2 * (np.abs(values.z) + values.error) * _LEAST + _TINY
    error = np.where(inexact, error * (1 + 8 * U) + lost, error)
    zero = (values.z == 0.0) & (values.error == 0.0)
    nothing = np.where(split, values.sign == 0, zero) | no_slope
    h[nothing] = 0.0
    error[nothing] = 0.0
    return h, error


def _slope_kinds(slopes: RationalArray) -> tuple[NDArray[np.bool_], bool]:
    """Which slopes are exactly 0, and whether floats are only near the slopes."""
    if slopes.is_float:
        return slopes.approx == 0.0, False
    return np.array([v == 0 for v in slopes.entries()], dtype=bool), True
