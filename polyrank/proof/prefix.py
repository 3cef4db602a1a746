"""Exact rows of every layer on every region of the layers below it, in integers.

Row i of a layer is the affine function ``z_i(y) = (a·y + c) / scale`` of the chart coordinates y,
kept as integers ``(a_1, ..., a_k, c)`` with one positive ``scale`` for the layer, so that signs
and multipliers can be decided on the integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flint import fmpq, fmpq_mat, fmpz, fmpz_mat, nmod_mat

from polyrank.network.normal_form import Layer, Network

__all__ = ["Decision", "ExactLayers", "IntRow", "Prefix"]

IntRow = tuple[int, ...]
Decision = Sequence[int]

#: A rank modulo a prime never exceeds the rank over the rationals.
_PRIME = (1 << 61) - 1


class _Layer:
    """Integer data of one layer: ``[weight | bias] · common``, slopes, ties."""

    def __init__(self, layer: Layer, below: _Layer | None, rows: fmpq_mat | None) -> None:
        self.units = layer.units
        self.plane = [bool(v) for v in layer.has_hyperplane]
        self.bits = sum(self.plane)
        pairs = layer.slopes_exact
        self.slope_scale = _common_denominator([v for pair in pairs for v in pair])
        self.slopes = [
            (int((neg * self.slope_scale).p), int((pos * self.slope_scale).p)) for neg, pos in pairs
        ]
        weight, weight_scale = layer.weight_exact.numer_denom()
        bias, bias_scale = layer.bias_exact.numer_denom()
        source = fmpz(weight_scale * (1 if below is None else below.slope_scale))
        self.common = source * bias_scale / source.gcd(bias_scale)
        inputs = layer.inputs
        w, b = self.common / source, self.common / bias_scale
        entries: list[Any] = []
        for i in range(layer.units):
            entries += [weight[i, j] * w for j in range(inputs)]
            entries.append(bias[i, 0] * b)
        self.affine = fmpz_mat(layer.units, inputs + 1, entries)
        self.modular = nmod_mat(self.affine, _PRIME)
        self.first = [self.affine[0, j] for j in range(inputs)]
        if rows is None:
            rows = fmpq_mat(self.affine)
        self.ties = _ties(rows, self.plane)
        tied = {i for i, _, _ in self.ties}
        self.fresh = tuple(
            1 if not plane else (3 if i in tied else -1) for i, plane in enumerate(self.plane)
        )


def _common_denominator(values: Sequence[fmpq]) -> fmpz:
    out = fmpz(1)
    for v in values:
        out = out * v.q / out.gcd(v.q)
    return out


def _ties(rows: fmpq_mat, plane: Sequence[bool]) -> list[tuple[int, int, int]]:
    """(unit, earlier unit, sign) wherever a row is a positive or negative multiple of another."""
    seen: dict[tuple[Any, ...], tuple[int, int]] = {}
    out = []
    for i, row in enumerate(rows.tolist()):
        lead = next((v for v in row if v != 0), None)
        if lead is None or not plane[i]:
            continue
        key = tuple((int(v.p), int(v.q)) for v in (entry / lead for entry in row))
        sign = 1 if lead > 0 else -1
        if key in seen:
            j, other = seen[key]
            out.append((i, j, sign * other))
        else:
            seen[key] = (i, sign)
    return out


class ExactLayers:
    """The first ``layers`` layers of a network on ``x = origin + basis y``, in integers."""

    def __init__(self, network: Network, layers: int, origin: fmpq_mat, basis: fmpq_mat) -> None:
        first = network.layers[0]
        linear = first.weight_exact * basis
        constant = first.weight_exact * origin + first.bias_exact
        self.k = basis.ncols()
        n = first.units
        entries: list[fmpq] = []
        for i in range(n):
            entries += [linear[i, l] for l in range(self.k)]
            entries.append(constant[i, 0])
        rows = fmpq_mat(n, self.k + 1, entries)
        self.rows, self.scale = rows.numer_denom()
        self.layers = [_Layer(first, None, rows)]
        for layer in network.layers[1:layers]:
            self.layers.append(_Layer(layer, self.layers[-1], None))
        self.starts = [0]
        for here in self.layers:
            self.starts.append(self.starts[-1] + here.units)
        self.units = self.starts[-1]

    def root(self) -> Prefix:
        """The whole domain: the first layer's rows."""
        return Prefix(self, 0, None, self.scale, b"", 0, 0, 0, ())


class Prefix:
    """A region of the layers below ``layer``, with the exact rows of ``layer`` on it.

    Attributes
    ----------
    layer : int
        0-based.
    signs : bytes
        Resolved decisions (0, 1, 2) of all units below.
    code, zero, position : int
        Codeword bits and zero bits below, bit i of the integer for bit i, and how many.
    ranks : tuple of int
        Exact ranks of the linear parts through the layers below.
    """

    __slots__ = (
        "_below",
        "_exact",
        "_rank",
        "_rows",
        "code",
        "layer",
        "layers",
        "position",
        "ranks",
        "scale",
        "signs",
        "zero",
    )

    def __init__(
        self,
        layers: ExactLayers,
        layer: int,
        below: tuple[Prefix, Decision] | None,
        scale: fmpz,
        signs: bytes,
        code: int,
        zero: int,
        position: int,
        ranks: tuple[int, ...],
    ) -> None:
        self.layers = layers
        self.layer = layer
        self.scale = scale
        self.signs = signs
        self.code = code
        self.zero = zero
        self.position = position
        self.ranks = ranks
        self._below = below
        self._exact: list[list[fmpz]] | None = None
        self._rows: list[IntRow | None] = [None] * layers.layers[layer].units
        self._rank: dict[bytes, int] = {}

    @property
    def exact(self) -> list[list[fmpz]]:
        """The integers of all rows, ``(units, k + 1)``, composed when they are first needed."""
        if self._exact is None:
            matrix = self.layers.rows
            if self._below is not None:
                below, resolved = self._below
                matrix = self.layers.layers[self.layer].affine * below.image(resolved)
            self._exact = matrix.tolist()
        return self._exact

    def row(self, unit: int) -> IntRow:
        """The integers of a unit's row."""
        found = self._rows[unit]
        if found is None:
            found = self._rows[unit] = tuple([int(v) for v in self.exact[unit]])
        return found

    def resolve(self, decision: Decision) -> list[int]:
        """The decisions with every tied unit decided with its leader (−1 while that is open)."""
        out = list(decision)
        for i, j, sign in self.layers.layers[self.layer].ties:
            leader = out[j]
            if leader >= 0:
                out[i] = leader if sign > 0 or leader == 2 else 1 - leader
            elif out[i] == 3:
                out[i] = -1
        return out

    def word(self, resolved: Decision) -> tuple[int, int]:
        """Codeword and zero bits of the region on which this layer is decided as given."""
        code, zero, position = self.code, self.zero, self.position
        for value, plane in zip(resolved, self.layers.layers[self.layer].plane, strict=True):
            if plane:
                if value == 1:
                    code |= 1 << position
                elif value == 2:
                    zero |= 1 << position
                position += 1
        return code, zero

    def child(self, resolved: Decision) -> Prefix:
        """The region on which this layer is decided as given, for the layer after it."""
        code, zero = self.word(resolved)
        above = self.layers.layers[self.layer + 1]
        return Prefix(
            self.layers,
            self.layer + 1,
            (self, resolved),
            above.common * self.scale,
            self.signs + bytes(resolved),
            code,
            zero,
            self.position + self.layers.layers[self.layer].bits,
            (*self.ranks, self.rank(resolved)),
        )

    def image(self, resolved: Decision) -> fmpz_mat:
        """What this layer hands on, (units, k + 1), and below it the constant 1, in integers."""
        here = self.layers.layers[self.layer]
        width = self.layers.k + 1
        blank = [0] * width
        image: list[Any] = []
        for value, row, (neg, pos) in zip(resolved, self.exact, here.slopes, strict=True):
            slope = pos if value == 1 else neg
            if value == 2 or slope == 0:
                image += blank
            elif slope == 1:
                image += row
            else:
                image += [slope * v for v in row]
        image += blank
        image[-1] = self.scale
        return fmpz_mat(here.units + 1, width, image)

    def rank(self, resolved: Decision) -> int:
        """Exact rank of the linear part of the map through this layer, decided as given.

        It is at most the rank through the layer below, and at most the number of units that pass
        something on; a minor that is not 0 modulo a prime proves that it is no less. Where the
        two do not meet, the rank over the rationals decides.
        """
        here = self.layers.layers[self.layer]
        slopes = here.slopes
        live = bytes(
            [
                value != 2 and slope[value == 1] != 0
                for value, slope in zip(resolved, slopes, strict=True)
            ]
        )
        bound = min(self.ranks[-1] if self.ranks else self.layers.k, sum(live))
        if bound == 0:
            return 0
        found = self._rank.get(live)
        if found is None:
            found = self._rank[live] = self._ranked(live, bound)
        return found

    def _ranked(self, live: bytes, bound: int) -> int:
        k = self.layers.k
        if self._exact is None and self._below is not None and all(live):
            # an output layer: its rows need not be composed to show that they are independent
            below, resolved = self._below
            if bound == 1 and self._is_not_zero(below, resolved):
                return 1
            affine = self.layers.layers[self.layer].modular
            product = affine * nmod_mat(below.image(resolved), _PRIME)
            rows: list[list[Any]] = [row[:k] for row in product.tolist()]
        else:
            rows = [row[:k] for row, on in zip(self.exact, live, strict=True) if on]
        if bound == 1 and any(v != 0 for row in rows for v in row):
            return 1
        flat = [v for row in rows for v in row]
        if bound > 1 and nmod_mat(len(rows), k, flat, _PRIME).rank() == bound:
            return bound
        exact = [v for row, on in zip(self.exact, live, strict=True) if on for v in row[:k]]
        return int(fmpz_mat(sum(live), k, exact).rank())

    def _is_not_zero(self, below: Prefix, resolved: Decision) -> bool:
        """Whether the first entry of the first row is not 0, which shows that the rank is not."""
        weight = self.layers.layers[self.layer].first
        slopes = below.layers.layers[below.layer].slopes
        total: Any = 0
        for w, value, row, slope in zip(weight, resolved, below.exact, slopes, strict=True):
            a = slope[value == 1]
            if a and value != 2:
                total += w * row[0] if a == 1 else w * a * row[0]
        return bool(total != 0)
