"""Trusted: whether a network is, layer by layer, the difference of two others.

**Claim.** Let the layers of two networks stand side by side, on the same inputs, the shorter one
handed on by layers that are the identity, and let a last affine layer be ``(I, −I)``. Then the
network is ``x ↦ first(x) − second(x)``. *Proof.* No weight leads from one part to the other. ∎

Exact weights, biases and slopes are compared with those of the two networks.
"""

from __future__ import annotations

from flint import fmpq, fmpq_mat

from polyrank.network.normal_form import Layer, Network
from polyrank.proof.format import NotDecidedError, ProofRejectedError

__all__ = ["check_difference"]


def check_difference(pair: Network, first: Network, second: Network) -> None:
    """Accept a network as the difference of two others.

    Raises
    ------
    NotDecidedError
        Naming the first layer that is another one: what is proved of the network says nothing of
        the two.
    ProofRejectedError
        If the two networks have no difference.
    """
    depth, m = max(len(first.layers), len(second.layers)), first.widths[-1]
    if len(pair.layers) != depth + 1 or second.widths[-1] != m:
        raise NotDecidedError("the network is no difference: it has other layers")
    for k, layer in enumerate(pair.layers[:-1]):
        parts = [
            network.layers[k] if k < len(network.layers) else None for network in (first, second)
        ]
        blocks = [_weight(part, m) for part in parts]
        weight = _stacked(*blocks) if k == 0 else _diagonal(*blocks)
        bias = [v for part in parts for v in ([fmpq(0)] * m if part is None else _bias(part))]
        slopes = [pair_ for part in parts for pair_ in _slopes(part, m)]
        if not (
            layer.weight_exact == weight
            and _bias(layer) == bias
            and [tuple(v) for v in layer.slopes_exact] == slopes
        ):
            raise NotDecidedError(f"layer {k + 1} is not that of the two networks")
    last = pair.layers[-1]
    ends = fmpq_mat(m, 2 * m)
    for j in range(m):
        ends[j, j], ends[j, m + j] = fmpq(1), fmpq(-1)
    affine = [tuple(v) for v in last.slopes_exact] == _slopes(None, m)
    if last.weight_exact != ends or any(_bias(last)) or not affine:
        raise NotDecidedError("the last layer is not the difference of the two networks")


def _weight(layer: Layer | None, m: int) -> fmpq_mat:
    if layer is not None:
        return layer.weight_exact
    return fmpq_mat(m, m, [fmpq(i == j) for i in range(m) for j in range(m)])


def _bias(layer: Layer) -> list[fmpq]:
    out: list[fmpq] = layer.bias_exact.entries()
    return out


def _slopes(layer: Layer | None, m: int) -> list[tuple[fmpq, ...]]:
    if layer is None:
        return [(fmpq(1), fmpq(1))] * m
    return [tuple(v) for v in layer.slopes_exact]


def _stacked(a: fmpq_mat, b: fmpq_mat) -> fmpq_mat:
    if a.ncols() != b.ncols():
        raise ProofRejectedError("the two networks have other numbers of inputs")
    return fmpq_mat(a.nrows() + b.nrows(), a.ncols(), [*a.entries(), *b.entries()])


def _diagonal(a: fmpq_mat, b: fmpq_mat) -> fmpq_mat:
    rows = [[*row, *[fmpq(0)] * b.ncols()] for row in a.tolist()]
    rows += [[*[fmpq(0)] * a.ncols(), *row] for row in b.tolist()]
    columns = a.ncols() + b.ncols()
    return fmpq_mat(a.nrows() + b.nrows(), columns, [v for row in rows for v in row])
