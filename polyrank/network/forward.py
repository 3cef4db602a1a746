"""The forward pass, codewords and affine maps of a network: in floats and exactly.

The float functions run whole batches through numpy and prove nothing: near a hyperplane their
signs can be wrong. The exact functions take one point (or one codeword) through rational
arithmetic and are right at every point, on a hyperplane too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import DTypeLike, NDArray

from polyrank.errors import NetworkError
from polyrank.network.composition import (
    activation,
    active_units,
    exact_step,
    preactivation,
    preactivation_on,
    split_map,
)
from polyrank.network.normal_form import Network
from polyrank.network.rational import to_fmpq

__all__ = [
    "ExactCodeword",
    "affine_map",
    "codeword_bytes",
    "codeword_exact",
    "codewords",
    "forward",
    "forward_exact",
    "pack_bits",
    "packed_rows",
    "unpack_bits",
]

_BLOCK_ENTRIES = 1 << 22
"""Points are taken in blocks whose widest layer has about this many entries (32 MB)."""


def pack_bits(bits: Any) -> NDArray[np.uint8]:
    """Pack bits ``(..., N)`` to bytes ``(..., ⌈N/8⌉)``: bit i is bit i % 8 of byte i // 8.

    Examples
    --------
    >>> pack_bits([True, False, True]).tolist()
    [5]
    """
    return np.packbits(np.asarray(bits, dtype=bool), axis=-1, bitorder="little")


def unpack_bits(packed: Any, count: int | None = None) -> NDArray[np.bool_]:
    """Inverse of :func:`pack_bits`: the first ``count`` bits, or all, of bytes ``(..., B)``."""
    array = np.asarray(packed, dtype=np.uint8)
    return np.unpackbits(array, axis=-1, count=count, bitorder="little").astype(bool)


def codeword_bytes(bits: int) -> int:
    """Bytes of a packed codeword; at least one, since Parquet has no empty fixed-size binary."""
    return max(1, (bits + 7) // 8)


def packed_rows(bits: NDArray[Any]) -> NDArray[np.uint8]:
    """Codewords ``(r, N)`` as the bytes ``(r, codeword_bytes(N))`` of the search and its tables."""
    packed = pack_bits(bits)
    return packed if packed.shape[1] else np.zeros((len(packed), codeword_bytes(0)), np.uint8)


def forward(
    network: Network, X: Any, *, layer: int | None = None, dtype: DTypeLike = np.float64
) -> NDArray[Any]:
    """The map Φ_K at points, in floating point.

    Parameters
    ----------
    network : Network
    X : array_like, shape (N, n) or (n,)
        Points, one per row.
    layer : int, optional
        K, 1-based; the default is the output layer.
    dtype : float64 (default) or float32
        Type in which weights, biases, slopes and points are rounded and multiplied.

    Returns
    -------
    ndarray, shape (N, units of layer K) or (units of layer K,)

    Raises
    ------
    NetworkError
        If the points do not have n coordinates, or there is no layer K.

    Notes
    -----
    Does not prove anything: see :func:`forward_exact`. Overflow gives infinities or NaN.

    Examples
    --------
    >>> net = Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> forward(net, [[-2.0], [3.0]]).ravel().tolist()
    [2.0, 3.0]
    """
    depth = network.chosen_layer(layer)
    points, single = _points(network, X, dtype)
    empty = np.empty((0, network.widths[depth]), points.dtype)
    result = np.concatenate([empty, *(h for _, h in _run(network, points, depth, dtype))])
    return result[0] if single else result


def codewords(
    network: Network, X: Any, *, layer: int | None = None, dtype: DTypeLike = np.float64
) -> NDArray[np.uint8]:
    """Codewords through layer K of points, from the signs of a floating-point forward pass.

    Parameters
    ----------
    network : Network
    X : array_like, shape (N, n) or (n,)
    layer : int, optional
        K, 1-based; the default is the last layer, which gives the global codeword.
    dtype : float64 (default) or float32

    Returns
    -------
    ndarray of uint8, shape (N, ⌈B/8⌉) or (⌈B/8⌉,)
        Bits packed as by :func:`pack_bits`; B is ``sum(network.bits[:K])``. Only units with a
        hyperplane have a bit.

    Raises
    ------
    NetworkError
        If the points do not have n coordinates, or there is no layer K.

    Notes
    -----
    Does not prove that a point has this codeword: rounding can turn a sign near a hyperplane.
    :func:`codeword_exact` does.
    """
    depth = network.chosen_layer(layer)
    points, single = _points(network, X, dtype)
    packed = [pack_bits(bits) for bits, _ in _run(network, points, depth, dtype)]
    empty = np.empty((0, (sum(network.bits[:depth]) + 7) // 8), np.uint8)
    result = np.concatenate([empty, *packed])
    return result[0] if single else result


def forward_exact(network: Network, x: Any, *, layer: int | None = None) -> tuple[fmpq, ...]:
    """Φ_K(x) as rationals: the value of the real function of the stored weights.

    Parameters
    ----------
    network : Network
    x : sequence of n numbers, or fmpq_mat of shape (n, 1)
        Each number is taken exactly (a float as the dyadic rational that it encodes, a string
        as the fraction or decimal that it writes).
    layer : int, optional
        K, 1-based; the default is the output layer.

    Raises
    ------
    NetworkError
        If x does not have n finite rational coordinates, or there is no layer K.

    Examples
    --------
    >>> net = Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> forward_exact(net, ["-1/3"])
    (1/3,)
    """
    h = _column(network, x)
    for step in network.layers[: network.chosen_layer(layer)]:
        h = exact_step(step, h)[1]
    return tuple(h.entries())


@dataclass(frozen=True, slots=True, eq=False)
class ExactCodeword:
    """The signs of all pre-activations at one point, decided in rational arithmetic.

    Attributes
    ----------
    bits : ndarray of bool, shape (B,)
        Codeword through layer K: one bit per unit with a hyperplane, layer-major; 1 iff z > 0.
    signs : tuple of ndarray of int8
        Per layer 1..K, the sign −1, 0 or +1 of z for *every* unit, shape (units,).
    sign_vector : ndarray of int8, shape (B,)
        The signs of the units with a hyperplane, in the order of ``bits``.
    """

    bits: NDArray[np.bool_]
    signs: tuple[NDArray[np.int8], ...]
    sign_vector: NDArray[np.int8]

    @property
    def packed(self) -> NDArray[np.uint8]:
        """The bits packed as by :func:`pack_bits`, shape (⌈B/8⌉,)."""
        return pack_bits(self.bits)


def codeword_exact(network: Network, x: Any, *, layer: int | None = None) -> ExactCodeword:
    """Codeword and sign vector through layer K of a rational point.

    Parameters
    ----------
    network : Network
    x : sequence of n numbers, or fmpq_mat of shape (n, 1)
        Taken exactly, as in :func:`forward_exact`.
    layer : int, optional
        K, 1-based; the default is the last layer.

    Returns
    -------
    ExactCodeword
        Proves the sign of every pre-activation at x. A bit is 0 where z = 0.

    Raises
    ------
    NetworkError
        If x does not have n finite rational coordinates, or there is no layer K.

    Examples
    --------
    >>> net = Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> codeword_exact(net, [0]).sign_vector.tolist(), codeword_exact(net, ["1e-400"]).packed
    ([0, 0], array([1], dtype=uint8))
    """
    h = _column(network, x)
    signs: list[NDArray[np.int8]] = []
    vector: list[NDArray[np.int8]] = []
    for step in network.layers[: network.chosen_layer(layer)]:
        z, h = exact_step(step, h)
        sign = np.array([(v > 0) - (v < 0) for v in z], dtype=np.int8)
        signs.append(sign)
        vector.append(sign[step.has_hyperplane])
    sign_vector = np.concatenate(vector)
    return ExactCodeword(sign_vector > 0, tuple(signs), sign_vector)


def affine_map(
    network: Network,
    bits: Any,
    layer: int | None = None,
    *,
    before_activation: bool = False,
    origin: fmpq_mat | None = None,
    basis: fmpq_mat | None = None,
) -> tuple[fmpq_mat, fmpq_mat]:
    """The affine map x ↦ J x + c that the network is through layer K on one activation region.

    ``J = D_K W_K ⋯ D_1 W_1`` with D_k the diagonal of slopes that the bits of layer k choose.

    Parameters
    ----------
    network : Network
    bits : ndarray
        The codeword: of dtype bool, at least B bits; of dtype uint8, packed as by
        :func:`pack_bits`. B counts the bits of layers 1..K (1..K−1 if ``before_activation``);
        later bits are not read.
    layer : int, optional
        K, 1-based; the default is the output layer.
    before_activation : bool
        Return the map to the pre-activations z_K instead: its rows are the hyperplanes of layer
        K inside the region.
    origin, basis : fmpq_mat of shapes (n, 1) and (n, k), optional
        Compose with ``x = origin + basis y``: the map of y is returned. The default is x itself.

    Returns
    -------
    J : fmpq_mat, shape (units of layer K, n) or (units of layer K, k)
    c : fmpq_mat, shape (units of layer K, 1)
        Exact. Proves nothing about whether a point with this codeword exists.

    Raises
    ------
    NetworkError
        If there are too few bits or of another dtype, there is no layer K, or origin and basis
        do not have n rows.

    Examples
    --------
    >>> net = Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> affine_map(net, np.array([False, True]))
    ([-1], [0])
    """
    depth = network.chosen_layer(layer)
    used = depth - 1 if before_activation else depth
    flags = _unpacked(bits, sum(network.bits[:used]))
    n = network.input_dim
    c = fmpq_mat(n, 1) if origin is None else origin
    rows, k = (n, n) if basis is None else (basis.nrows(), basis.ncols())
    if rows != n or (c.nrows(), c.ncols()) != (n, 1):
        raise NetworkError(
            f"origin {c.nrows()}×{c.ncols()} and basis {rows}×{k} do not fit a "
            f"network of {n} inputs: expected {n}×1 and {n}×k"
        )
    image, start = preactivation_on(network.layers[0], basis, c), 0
    for k, step in enumerate(network.layers[:depth], start=1):
        if k > 1:
            image = preactivation(step, image)
        if k <= used:
            end = start + network.bits[k - 1]
            image = activation(step, image, active_units(step, flags[start:end]).tolist())
            start = end
    return split_map(image)


def _unpacked(bits: Any, count: int) -> NDArray[np.bool_]:
    array = np.asarray(bits)
    if array.ndim != 1 or array.dtype not in (np.dtype(bool), np.dtype(np.uint8)):
        raise NetworkError(
            f"a codeword is one row of bool bits or of packed uint8 bytes, not {array.dtype} "
            f"of shape {array.shape}"
        )
    have = array.size * (8 if array.dtype == np.uint8 else 1)
    if have < count:
        raise NetworkError(f"the codeword has {have} bits, but {count} are needed")
    return unpack_bits(array, count) if array.dtype == np.uint8 else array


def _column(network: Network, x: Any) -> fmpq_mat:
    if isinstance(x, fmpq_mat):
        if x.ncols() != 1:
            raise NetworkError(f"a point is a column, got a matrix {x.nrows()}×{x.ncols()}")
        values = x.entries()
    else:
        try:
            values = [to_fmpq(v) for v in x]
        except (TypeError, ValueError) as problem:
            raise NetworkError(f"not a rational point: {problem}") from None
    if len(values) != network.input_dim:
        raise NetworkError(f"the point has {len(values)} coordinates, expected {network.input_dim}")
    return fmpq_mat(len(values), 1, values)


def _points(network: Network, X: Any, dtype: DTypeLike) -> tuple[NDArray[Any], bool]:
    points = np.asarray(X, dtype=dtype)
    single = points.ndim == 1
    if single:
        points = points[None, :]
    if points.ndim != 2 or points.shape[1] != network.input_dim:
        raise NetworkError(
            f"points of shape {np.shape(X)} do not fit a network of {network.input_dim} inputs: "
            f"expected (N, {network.input_dim})"
        )
    return points, single


def _run(
    network: Network, points: NDArray[Any], depth: int, dtype: DTypeLike
) -> Iterator[tuple[NDArray[np.bool_], NDArray[Any]]]:
    """Yield, block by block, the bits through layer ``depth`` and its outputs."""
    layers = [
        (
            layer.weight.transposed(dtype),
            layer.bias.approx.astype(dtype),
            layer.slope_neg.approx.astype(dtype),
            layer.slope_pos.approx.astype(dtype),
            layer.has_hyperplane,
        )
        for layer in network.layers[:depth]
    ]
    size = max(1, _BLOCK_ENTRIES // max(network.widths))
    for start in range(0, len(points), size):
        h = points[start : start + size]
        bits = []
        with np.errstate(over="ignore", invalid="ignore"):
            for weight, bias, neg, pos, split in layers:
                z = h @ weight + bias
                active = z > 0
                bits.append(active[:, split])
                h = z * np.where(active, pos, neg)
        yield np.concatenate(bits, axis=1), h
