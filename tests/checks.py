"""Exact checks of a finished run that share no code with the search.

:func:`check_run` re-derives, in rationals and from the network's weights alone, everything that a
row of the table claims. It does not show that no region is missing; :func:`differences` does, by
comparison with an oracle's complete set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flint import fmpq, fmpq_mat, fmpz

from polyrank.network.normal_form import Network
from tests.oracles import OracleRegion

__all__ = ["CheckReport", "Row", "check_run", "differences", "rows_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table, decoded."""

    bits: tuple[int, ...]
    zero: tuple[int, ...]
    ranks: tuple[int, ...]
    witness: tuple[fmpq, ...] | None


@dataclass(slots=True)
class CheckReport:
    """What :func:`check_run` found: rows in the table, rows checked in full, failures."""

    rows: int = 0
    checked: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """No failure, and nothing was left out unsaid."""
        return not self.failures and self.checked > 0


def _unpack(packed: bytes | None, count: int) -> tuple[int, ...]:
    if packed is None:
        return (0,) * count
    return tuple((packed[i // 8] >> (i % 8)) & 1 for i in range(count))


def _dyadic(value: float) -> fmpq:
    numerator, denominator = value.as_integer_ratio()
    return fmpq(numerator, denominator)


def _rational(text: str) -> fmpq:
    numerator, _, denominator = text.partition("/")
    return fmpq(fmpz(numerator), fmpz(denominator or "1"))


def rows_of(table: Any, bits: int, layers: int) -> Iterator[Row]:
    """The rows of an Arrow table of regions, decoded without polyrank."""
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    for i in range(table.num_rows):
        floats, exact = columns["witness"][i], columns["witness_exact"][i]
        witness: tuple[fmpq, ...] | None = None
        if exact is not None:
            witness = tuple(_rational(v) for v in exact)
        elif floats is not None and all(v is not None and v - v == 0 for v in floats):
            witness = tuple(_dyadic(v) for v in floats)
        yield Row(
            _unpack(columns["codeword"][i], bits),
            _unpack(columns["zero"][i], bits),
            tuple(columns[f"rank_{k}"][i] for k in range(1, layers + 1)),
            witness,
        )


class _Maps:
    """Affine maps of a network on the chart, one per codeword prefix, remembered by prefix."""

    def __init__(self, network: Network, origin: fmpq_mat, basis: fmpq_mat) -> None:
        self.layers = [
            (
                layer.weight.to_fmpq_mat(),
                list(layer.bias.entries()),
                list(layer.slope_neg.entries()),
                list(layer.slope_pos.entries()),
            )
            for layer in network.layers
        ]
        n, k = basis.nrows(), basis.ncols()
        self.start = fmpq_mat(
            n, k + 1, [v for i in range(n) for v in (*basis.tolist()[i], origin[i, 0])]
        )
        self.known: dict[tuple[int, ...], tuple[fmpq_mat, int]] = {}
        self.cuts: dict[tuple[int, ...], fmpq_mat] = {}

    def pre_activation(self, k: int, before: fmpq_mat, prefix: tuple[int, ...]) -> fmpq_mat:
        """z of layer k (0-based) as an affine map of the chart, given the bits before it."""
        if (k, *prefix) in self.cuts:
            return self.cuts[k, *prefix]
        weight, bias, _, _ = self.layers[k]
        z = weight * before
        last = z.ncols() - 1
        for i, b in enumerate(bias):
            z[i, last] += b
        self.cuts[k, *prefix] = z
        return z

    def step(
        self, k: int, z: fmpq_mat, prefix: tuple[int, ...], bits: Sequence[int]
    ) -> tuple[fmpq_mat, int]:
        """The affine map through layer k (0-based) and the rank of its linear part."""
        if prefix in self.known:
            return self.known[prefix]
        _, _, neg, pos = self.layers[k]
        after = fmpq_mat(z)
        chosen = iter(bits)
        for i in range(z.nrows()):
            slope = pos[i]
            if neg[i] != pos[i] and not next(chosen):
                slope = neg[i]
            for j in range(z.ncols()):
                after[i, j] = slope * z[i, j]
        linear = fmpq_mat(z.nrows(), z.ncols() - 1)
        for i in range(z.nrows()):
            for j in range(z.ncols() - 1):
                linear[i, j] = after[i, j]
        rank = linear.rank() if linear.nrows() and linear.ncols() else 0
        self.known[prefix] = (after, rank)
        return after, rank


def check_run(network: Network, domain: Any, run: Any, limit: int | None = None) -> CheckReport:
    """Verify the rows of a run exactly: membership, signs, zero units, ranks, no duplicates.

    Parameters
    ----------
    network, domain
        What was enumerated.
    run : Run
    limit : int, optional
        Check at most this many rows in full, evenly spaced; codewords are compared for all.

    Notes
    -----
    **Proves** for every checked row that its witness lies in the interior of the domain relative
    to its affine hull, that every sign there is strict except for units that vanish identically
    on the region, and that codeword, zero units and ranks are the row's. **Does not prove** that
    the list is complete.
    """
    layers = int(run.layers)
    bits = sum(network.bits[:layers])
    table = run.table
    report = CheckReport(rows=table.num_rows)
    _check_totals(run, table, layers, report)
    origin, basis = run.origin, run.basis
    inside = _Membership(domain.system(network.input_dim), origin, basis)
    maps = _Maps(network, origin, basis)
    stride = 1 if limit is None else max(1, -(-table.num_rows // limit))
    chosen = table if stride == 1 else table.take(list(range(0, table.num_rows, stride)))
    for number, row in enumerate(rows_of(chosen, bits, layers)):
        problem = _check_row(network, row, layers, maps, inside)
        if problem:
            report.failures.append(f"row {number * stride}, codeword {row.bits}: {problem}")
        report.checked += 1
    return report


def _check_totals(run: Any, table: Any, layers: int, report: CheckReport) -> None:
    if run.count != table.num_rows:
        report.failures.append(f"count {run.count}, but the table has {table.num_rows} rows")
    seen = Counter(table.column("codeword").to_pylist())
    twice = [code.hex() for code, times in seen.items() if times > 1]
    if twice:
        report.failures.append(f"{len(twice)} codewords more than once, such as {twice[0]}")
    for k in range(1, layers + 1):
        listed = {int(r): int(c) for r, c in run.rank_histogram(layer=k).items() if c}
        found = dict(Counter(table.column(f"rank_{k}").to_pylist()))
        if listed != found:
            report.failures.append(f"rank histogram of layer {k} is {listed}, the rows say {found}")


class _Membership:
    """Strict membership in a domain, relative to the affine hull that a chart spans."""

    def __init__(self, system: Any, origin: fmpq_mat, basis: fmpq_mat) -> None:
        self.system = system
        gram = system.basis.transpose() * system.basis
        self.invert = gram.inv() * system.basis.transpose() if system.k else None
        self.origin, self.basis = origin, basis
        self.directions = self.coordinates(basis)

    def coordinates(self, vectors: fmpq_mat) -> fmpq_mat:
        """Coordinates of direction vectors in the basis of the domain's own system."""
        if self.invert is None:
            return fmpq_mat(0, vectors.ncols())
        product: fmpq_mat = self.invert * vectors
        return product

    def problem(self, y: fmpq_mat) -> str | None:
        x = self.origin + self.basis * y
        shift = x - self.system.origin
        u = self.coordinates(shift)
        if self.system.basis * u != shift:
            return "the witness is off the affine space of the domain"
        for i in range(self.system.m):
            slack = self.system.b[i, 0] - sum(
                (self.system.A[i, j] * u[j, 0] for j in range(self.system.k)), fmpq(0)
            )
            if slack < 0:
                return f"the witness violates {self.system.names[i]} by {-slack}"
            if slack == 0 and any(
                sum(
                    (self.system.A[i, j] * self.directions[j, c] for j in range(self.system.k)),
                    fmpq(0),
                )
                for c in range(self.directions.ncols())
            ):
                return f"the witness is on the wall {self.system.names[i]}"
        return None


def _check_row(
    network: Network, row: Row, layers: int, maps: _Maps, inside: _Membership
) -> str | None:
    if row.witness is None:
        return "no witness"
    k = inside.basis.ncols()
    if len(row.witness) != k:
        return f"the witness has {len(row.witness)} coordinates, the chart {k}"
    problem = inside.problem(fmpq_mat(k, 1, list(row.witness)))
    if problem:
        return problem
    point = fmpq_mat(k + 1, 1, [*row.witness, fmpq(1)])
    before = maps.start
    used = 0
    for number in range(layers):
        z = maps.pre_activation(number, before, row.bits[:used])
        values = z * point
        has_bit = network.layers[number].has_hyperplane
        for i in range(z.nrows()):
            if not has_bit[i]:
                continue
            value, bit, zero = values[i, 0], row.bits[used], row.zero[used]
            where = f"unit {i} of layer {number + 1}"
            used += 1
            vanishes = all(z[i, j] == 0 for j in range(k + 1))
            if vanishes != bool(zero):
                return f"{where}: marked {'' if zero else 'not '}identically zero, which is wrong"
            if value == 0 and not vanishes:
                return f"{where} vanishes at the witness but not on the region"
            if bool(bit) != (value > 0):
                return f"{where} has bit {bit}, but its value at the witness is {value}"
        prefix = row.bits[:used]
        here = prefix[used - int(has_bit.sum()) :]
        before, rank = maps.step(number, z, (number, *prefix), here)
        if rank != row.ranks[number]:
            return f"rank {row.ranks[number]} at layer {number + 1}, exactly {rank}"
    return None


def differences(
    network: Network, run: Any, oracle: Mapping[tuple[int, ...], OracleRegion], most: int = 5
) -> list[str]:
    """How a run differs from an oracle's complete set of regions; empty if they are equal.

    Compares the sets of codewords, identically zero units and ranks at every layer, and demands
    that the run says that it is certified.
    """
    layers = int(run.layers)
    found = {row.bits: row for row in rows_of(run.table, sum(network.bits[:layers]), layers)}
    problems = []
    if not run.certified or run.undecided:
        problems.append(f"certified is {run.certified} with {run.undecided} undecided")
    if run.count != len(oracle):
        problems.append(f"{run.count} regions, the oracle has {len(oracle)}")
    missing = sorted(set(oracle) - set(found))
    extra = sorted(set(found) - set(oracle))
    problems += [
        f"missing {code}, interior point {oracle[code].witness}" for code in missing[:most]
    ]
    problems += [f"not a region: {code}, claimed at {found[code].witness}" for code in extra[:most]]
    for code in sorted(set(found) & set(oracle)):
        row, truth = found[code], oracle[code]
        if row.ranks != truth.ranks[:layers]:
            problems.append(f"{code} has ranks {row.ranks}, exactly {truth.ranks[:layers]}")
        zero = tuple(int(sign == 0) for sign in truth.signs)
        if row.zero != zero:
            problems.append(f"{code} has identically zero units {row.zero}, exactly {zero}")
    return problems[: 4 * most]
