"""Exact ranks through every layer of many codewords of one network.

The rank of ``J_K = D_K W_K ⋯ D_1 W_1`` modulo a prime bounds its rank over ℚ from below, the
structure bounds it from above; where they meet the rank is proved. What stays open goes through
integer elimination if it is small enough, and is an interval otherwise.

The column space of J_K decides all later ranks, and a proved rank lets it be shrunk: pivot
columns span it, and a rank equal to the number of live units makes it everything, so that the
next rank is that of a submatrix of the next weight alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from threading import Event

import numpy as np
from flint import fmpz
from numpy.typing import NDArray
from scipy.sparse import csr_array

from polyrank.blas import one_thread
from polyrank.network.composition import active_units
from polyrank.network.exact_rank import exact_rank, spanning_columns
from polyrank.network.forward import affine_map, unpack_bits
from polyrank.network.modular import (
    SMALL_PRIMES,
    Floats,
    fitting_prime,
    float_residues,
    inverse_mod,
    pivots_mod,
    product_mod,
    residues,
)
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray
from polyrank.network.sparse import block, by_rows, places
from polyrank.posed.ranks import sloped_units
from polyrank.sampling.column_parts import parts_bound
from polyrank.sampling.integer_layers import IntegerLayer, integer_layer, linear_row
from polyrank.sampling.vertex_cut import cut_bound
from polyrank.stages import told

__all__ = ["CodewordRanks", "RankTable"]

_EXACT_WORK = 5_000_000
"""Largest number of products, in elimination and before it, that rationals are asked for."""

_SPANNING_RANK, _SPANNING_WORK = 1000, 20_000_000
"""Largest rank of a singular first weight that is proved, and its square times what it lacks."""

_PARTS_ENTRIES = 1 << 17
"""Most entries of a linear part of which parts are taken."""

_SMALL_WORK = 20_000
"""Up to this many, they are asked before anything else."""


@dataclass(frozen=True, slots=True, eq=False)
class RankTable:
    """Ranks of r codewords through L layers.

    **Proves** ``lower ≤ rank ≤ upper`` for the linear part of the map that the codeword selects.

    Attributes
    ----------
    lower, upper : ndarray of int32, shape (r, L)
    """

    lower: NDArray[np.int32]
    upper: NDArray[np.int32]

    @property
    def exact(self) -> bool:
        """True if every rank is proved."""
        return bool((self.lower == self.upper).all())


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """Column space after a layer: ``span`` (live units × c), or everything (``None``)."""

    live: NDArray[np.int64]
    span: Floats | None
    lower: int
    upper: int
    valid: bool  # the span is the column space of J modulo the prime


class _Prime:
    """The network modulo one prime."""

    def __init__(self, network: Network, prime: int) -> None:
        self.prime = prime
        self.first: Floats = residues(network.layers[0].weight, prime).astype(np.float64)
        later = network.layers[1:]
        self.weights = [self.first, *(_weight(layer.weight, prime) for layer in later)]
        slopes = [(layer.slope_neg, layer.slope_pos) for layer in network.layers]
        self.neg: list[Floats] = [residues(v, prime).astype(np.float64) for v, _ in slopes]
        self.pos: list[Floats] = [residues(v, prime).astype(np.float64) for _, v in slopes]


def _weight(array: RationalArray, prime: int) -> Floats | csr_array:
    """A weight modulo a prime; sparse where most entries are zero."""
    if not array.is_sparse:
        return residues(array, prime).astype(np.float64)
    table = by_rows(array)
    if array.is_float:
        values = float_residues(table.data, prime)
        return csr_array((values.astype(np.float64), table.indices, table.indptr), table.shape)
    return csr_array(residues(array, prime).astype(np.float64))


def _part(
    weight: Floats | csr_array, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> Floats | csr_array:
    return (
        weight[np.ix_(rows, columns)]
        if isinstance(weight, np.ndarray)
        else weight[rows][:, columns]
    )


def _dense(weight: Floats | csr_array) -> Floats:
    return weight if isinstance(weight, np.ndarray) else weight.toarray()


class _Ended(Exception):  # noqa: N818
    """The threads of a table are to end."""


class CodewordRanks:
    """Ranks through every layer of codewords.

    Parameters
    ----------
    network : Network
        Over the domain's coordinates: the ranks are those of its own linear parts.
    frequent : ndarray of float64, shape (B,), optional
        How often every bit is 1: the basis from which first-layer ranks are updated prefers
        units that are often active.

    Notes
    -----
    First layer: with S a basis of the rows of W_1 and ``T = W_1 W_1[S]^{-1}``, the rows A of W_1
    have rank ``|S ∩ A| + rank T[A without S, S without A]``, which is small when A is near S. Where
    W_1 is singular modulo the prime, all this is said of columns that span the others modulo it.
    """

    def __init__(self, network: Network, frequent: NDArray[np.float64] | None = None) -> None:
        self._network = network
        first = fitting_prime(SMALL_PRIMES[0], network)
        second = fitting_prime(SMALL_PRIMES[0], network, below=first)
        self._primes = [_Prime(network, first), _Prime(network, second)]
        self._starts = np.concatenate([[0], np.cumsum(network.bits)]).astype(int)
        self._sloped = [sloped_units(layer) for layer in network.layers]
        self._basis: NDArray[np.bool_] | None = None
        self._ratio: Floats | None = None
        self._basis_columns: NDArray[np.int64] | None = None
        self._places: list[csr_array] = []
        self._ended = Event()
        self._first_basis(frequent)

    def _first_basis(self, frequent: NDArray[np.float64] | None) -> None:
        """Pivot rows of the first weight, the most frequently active units first."""
        p = self._primes[0]
        weight = p.first
        layer = self._network.layers[0]
        share = np.ones(layer.units)
        if frequent is not None:
            share[layer.has_hyperplane] = frequent[: self._network.bits[0]]
        order = np.argsort(-share, kind="stable")
        rows, columns = pivots_mod(weight[order], p.prime)
        chosen = order[rows]
        if not len(columns):
            return
        square = weight[np.ix_(chosen, columns)]
        self._basis = np.zeros(layer.units, dtype=bool)
        self._basis[chosen] = True
        self._basis_columns = chosen
        self._ratio = product_mod(weight[:, columns], inverse_mod(square, p.prime), p.prime)

    def table(self, packed: NDArray[np.uint8], *, workers: int = 1) -> RankTable:
        """Ranks of distinct codewords, packed ``(r, ⌈B/8⌉)``; sorted ones share their prefixes."""
        total = int(self._starts[-1])
        parts = [v for v in np.array_split(np.arange(len(packed)), 4 * workers) if v.size]
        if workers == 1 or len(packed) < 64:
            parts = [np.arange(len(packed))]
        depth = len(self._network.layers)
        lower = np.zeros((len(packed), depth), dtype=np.int32)
        upper = np.zeros_like(lower)

        ended = self._ended = Event()

        def work(rows: NDArray[np.int64]) -> None:
            words = ((r, unpack_bits(packed[r], total)) for r in rows.tolist())
            with suppress(_Ended):
                for r, found in self._walk(words):
                    self._go_on()
                    lower[r] = [s.lower for s in found]
                    upper[r] = [s.upper for s in found]

        # products are small: threads of BLAS inside these would only wait for one another
        with one_thread(), ThreadPoolExecutor(workers) as pool:
            try:
                for _ in told("ranks of codewords", pool.map(work, parts), len(parts)):
                    pass
            finally:  # after Ctrl-C the pool waits for its threads
                ended.set()
        return RankTable(lower, upper)

    def _go_on(self) -> None:
        """Leave a thread whose results nobody waits for any more, as after Ctrl-C."""
        if self._ended.is_set():
            raise _Ended

    def _walk(
        self, words: Iterator[tuple[int, NDArray[np.bool_]]]
    ) -> Iterator[tuple[int, Sequence[_State]]]:
        """States layer by layer; those of a prefix shared with the word before are kept."""
        stack: list[_State] = []
        before: NDArray[np.bool_] | None = None
        for r, bits in words:
            keep = 0
            if before is not None:
                while (
                    keep < len(stack)
                    and (bits[: self._starts[keep + 1]] == before[: self._starts[keep + 1]]).all()
                ):
                    keep += 1
            del stack[keep:]
            for k in range(keep, len(self._network.layers)):
                stack.append(self._next(stack[-1] if k else None, k, bits))
            before = bits
            yield r, list(stack)

    def _next(self, below: _State | None, k: int, bits: NDArray[np.bool_]) -> _State:
        layer = self._network.layers[k]
        on = self._active(k, bits)
        live = np.flatnonzero(np.where(on, *self._sloped[k]))
        upper = min(layer.inputs if below is None else below.upper, len(live))
        if upper == 0:
            return _State(live, np.zeros((len(live), 0)), 0, 0, True)
        modular = self._modular(below, k, on, live, upper, self._primes[0])
        if modular is not None and modular.lower == upper:
            return modular
        return self._settled(modular, below, k, bits, live, upper)

    def _modular(
        self,
        below: _State | None,
        k: int,
        on: NDArray[np.bool_],
        live: NDArray[np.int64],
        upper: int,
        p: _Prime,
    ) -> _State | None:
        if below is None and self._ratio is not None:
            return self._state(p.first[live], p, k, on, live, self._updated_rank(live), upper)
        if below is not None and not below.valid:
            return None
        rows = p.first[live] if below is None else _part(p.weights[k], live, below.live)
        span = None if below is None else below.span
        if span is not None:
            if span.shape[1] > upper:
                # any columns give a lower bound; often as many as the bound are enough
                image = product_mod(rows, span[:, :upper], p.prime)
                found, _ = pivots_mod(image, p.prime, stop=upper)
                if len(found) == upper:
                    return self._state(image, p, k, on, live, upper, upper)
            rows = product_mod(rows, span, p.prime)
        else:
            rows = _dense(rows)
        if span is None and rows.shape[1] > upper:
            found, _ = pivots_mod(rows[:, :upper], p.prime, stop=upper)
            if len(found) == upper:
                return self._state(rows[:, :upper], p, k, on, live, upper, upper)
        _, columns = pivots_mod(rows, p.prime, stop=upper)
        return self._state(rows[:, columns], p, k, on, live, len(columns), upper)

    def _state(
        self,
        span: Floats,
        p: _Prime,
        k: int,
        on: NDArray[np.bool_],
        live: NDArray[np.int64],
        lower: int,
        upper: int,
    ) -> _State:
        if lower == len(live):
            return _State(live, None, lower, upper, True)
        return _State(live, self._scaled(span, p, k, on, live), lower, upper, True)

    def _scaled(
        self, span: Floats, p: _Prime, k: int, on: NDArray[np.bool_], live: NDArray[np.int64]
    ) -> Floats:
        slope = np.where(on, p.pos[k], p.neg[k])[live]
        return span if (slope == 1).all() else np.asarray(span * slope[:, None] % p.prime)

    def _updated_rank(self, live: NDArray[np.int64]) -> int:
        basis, ratio, order = self._basis, self._ratio, self._basis_columns
        if basis is None or ratio is None or order is None:
            return 0
        on = np.zeros(len(basis), dtype=bool)
        on[live] = True
        outside = np.flatnonzero(on & ~basis)
        missing = np.flatnonzero(~on[order])
        kept = len(order) - len(missing)
        if not outside.size or not missing.size:
            return kept
        rows, _ = pivots_mod(ratio[np.ix_(outside, missing)], self._primes[0].prime)
        return kept + len(rows)

    def _settled(
        self,
        modular: _State | None,
        below: _State | None,
        k: int,
        bits: NDArray[np.bool_],
        live: NDArray[np.int64],
        upper: int,
    ) -> _State:
        """The rank over ℚ where modular and structural bounds do not meet, if that is small."""
        lower = modular.lower if modular is not None else 0
        layers = self._network.layers
        # the column space below is everything: the rank is that of a submatrix of one weight
        whole = below is None or (below.span is None and below.valid)
        inputs = layers[k].inputs if below is None else len(below.live)
        n = self._network.input_dim
        work = len(live) * (inputs if whole else n) * upper
        if not whole:
            work += n * sum(layer.units * layer.inputs for layer in layers[: k + 1])
        if work > _SMALL_WORK:
            upper = min(upper, self._cut(k, bits))
            if lower < upper and work > _EXACT_WORK:
                upper = min(upper, self._parts(k, bits, live))
                if lower < upper and self._spanning is not None:
                    upper = min(upper, self._cut(k, bits, self._spanning))
        if lower < upper and work <= _EXACT_WORK:
            if whole:
                chosen = np.arange(inputs) if below is None else below.live
                lower = upper = exact_rank(block(layers[k].weight, live, chosen), upper)
            else:
                lower = upper = exact_rank(affine_map(self._network, bits, k + 1)[0], upper)
        elif lower < upper <= lower + 1:
            # an unlucky prime loses one; two primes are hardly ever unlucky together
            lower = max(lower, self._again(below if whole else None, k, bits, live, upper))
        if lower == len(live):
            return _State(live, None, lower, upper, True)
        if modular is None:
            return _State(live, np.zeros((len(live), 0)), lower, upper, False)
        # the column space modulo the prime still bounds later ranks from below
        return _State(live, modular.span, lower, upper, True)

    def _again(
        self,
        below: _State | None,
        k: int,
        bits: NDArray[np.bool_],
        live: NDArray[np.int64],
        upper: int,
    ) -> int:
        """A lower bound modulo another prime: of a submatrix of W_k, or of the whole product."""
        p = self._primes[1]
        if below is not None:
            rows = _dense(_part(p.weights[k], live, below.live))
        else:
            rows = p.first
            for j in range(k):
                on = self._active(j, bits)
                slope = np.where(on, p.pos[j], p.neg[j])
                scaled = np.asarray(rows * slope[:, None] % p.prime)
                rows = product_mod(p.weights[j + 1], scaled, p.prime)
            rows = rows[live]
        return len(pivots_mod(rows, p.prime, stop=upper)[0])

    @cached_property
    def _spanning(self) -> NDArray[np.int64] | None:
        """Columns that span those of W_1, if there are fewer than all and it is cheap to prove."""
        layer = self._network.layers[0]
        rank = len(pivots_mod(self._primes[0].first, self._primes[0].prime)[0])
        missing = layer.inputs - rank
        if missing == 0 or rank > _SPANNING_RANK or missing * rank**2 > _SPANNING_WORK:
            return None
        found = spanning_columns(layer.weight_exact, self._go_on)
        return None if found is None else np.array(found, dtype=np.int64)

    @cached_property
    def _integers(self) -> list[IntegerLayer]:
        """The first layers, as many as are sparse, in integers."""
        kept = (v.weight.is_sparse for v in self._network.layers)
        sparse = takewhile(lambda pair: pair[1], zip(self._network.layers, kept, strict=True))
        return [integer_layer(layer) for layer, _ in sparse]

    def _parts(self, k: int, bits: NDArray[np.bool_], live: NDArray[np.int64]) -> int:
        """The upper bound by parts of the columns, where the rows of live units are sparse."""
        n = self._network.input_dim
        if k >= len(self._integers):
            return n
        rows: list[dict[int, fmpz]] = []
        entries = 0
        for unit in live.tolist():
            rows.append(linear_row(self._network, self._integers, bits, k, unit))
            entries += len(rows[-1])
            if entries > _PARTS_ENTRIES:
                return n
        return parts_bound(rows, n, self._primes[0].prime)

    def _cut(self, k: int, bits: NDArray[np.bool_], inputs: NDArray[np.int64] | None = None) -> int:
        """The upper bound by a least vertex cut of the live units of layers 1..k + 1."""
        if not self._places:  # a thread that finds it empty too makes the same
            self._places = [places(layer.weight) for layer in self._network.layers]
        live = [
            np.flatnonzero(np.where(self._active(j, bits), *self._sloped[j])) for j in range(k + 1)
        ]
        return cut_bound(self._places[: k + 1], live, inputs)

    def _active(self, k: int, bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
        own = bits[self._starts[k] : self._starts[k + 1]]
        return active_units(self._network.layers[k], own)
