"""A run's regions as the arrays that the walk reads, and lookup by codeword."""

from __future__ import annotations

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from polyrank.errors import RunError
from polyrank.graph.arrays import MISSING, Codes, CodeTable
from polyrank.native.records import Record, call
from polyrank.network.forward import codeword_bytes, pack_bits
from polyrank.network.normal_form import Network
from polyrank.network.rational import to_fmpq
from polyrank.posed.arrays import NetArrays
from polyrank.posed.chart import Chart
from polyrank.posed.section import chart_for
from polyrank.regions.manifest import chart_entry
from polyrank.regions.run import Run
from polyrank.regions.schema import fixed_binary_rows, numbers
from polyrank.regions.scratch import Column, scratch

__all__ = [
    "chart_of_run",
    "codes_of_run",
    "empty_table",
    "find_row",
    "ranks_of_run",
    "words_of_run",
]

#: Cells of a stage for each of the one before, about; and the least number of cells in a layer's
#: first stage for each cell of the layers below. Proofs that are kept serve many cells of a stage:
#: smaller stages cost more than they save.
_GROWTH, _LEAST = 24, 8


def chart_of_run(run: Run, network: Network) -> Chart:
    """The chart of a run's domain, after checking that the network is the run's.

    Raises
    ------
    RunError
        If the network is another one, or the chart is not that of the manifest.
    """
    run.check_network(network)
    chart = chart_for(network, run.domain)
    if chart_entry(chart) != {"lineality": 0, **run.manifest["chart"]}:
        raise RunError("the run was made in another chart of its domain; enumerate it again")
    return chart


def codes_of_run(
    run: Run, net: NetArrays, layers: int
) -> tuple[Codes, dict[int, tuple[fmpq, ...]]]:
    """Codewords, witnesses and the table of a run, and the witnesses that are not float64.

    Raises
    ------
    RunError
        If a codeword is listed twice.
    """
    k = run.coordinates
    width = codeword_bytes(run.bits)
    regions = sum(batch.num_rows for batch in run.batches(["codeword"]))
    code = scratch((regions, width), np.uint8)
    zero = np.zeros((0, width), dtype=np.uint8)
    witness = scratch((regions, k), np.float64)
    spelled: dict[int, tuple[fmpq, ...]] = {}
    row = 0
    for batch in run.batches(["codeword", "zero", "witness", "witness_exact"]):
        count = batch.num_rows
        if run.bits:
            code[row : row + count] = fixed_binary_rows(batch.column("codeword"))
            zeros = fixed_binary_rows(batch.column("zero"))
            if zeros.any():
                if not len(zero):
                    zero = scratch((regions, width), np.uint8)
                zero[row : row + count] = zeros
        floats = batch.column("witness")
        valid = floats.is_valid().to_numpy(zero_copy_only=False)
        flat = floats.drop_null().flatten().to_numpy()
        witness[row : row + count][valid] = flat.reshape(int(valid.sum()), k)
        witness[row : row + count][~valid] = np.nan
        exact = batch.column("witness_exact")
        if exact.null_count < len(exact):
            for i, text in enumerate(exact.to_pylist()):
                if text is not None:
                    spelled[row + i] = tuple(to_fmpq(v) for v in text)
        row += count
    codes = _codes(code, zero, witness, net, layers, run.bits)
    twice = int(call("polyrank_codes_fill", Record(codes), run.bits))
    if twice >= 0:
        raise RunError(f"the run is damaged: the codeword of region {twice} is listed twice")
    return codes, spelled


def ranks_of_run(run: Run, layer: int) -> NDArray[np.int16]:
    """The rank through a layer of every region, read by itself: shape (R,)."""
    name = f"rank_{layer}"
    out = Column(np.int16)
    for batch in run.batches([name]):
        out.append(numbers(batch.column(name)))
    return out.whole()


def _codes(
    code: NDArray[np.uint8],
    zero: NDArray[np.uint8],
    witness: NDArray[np.float64],
    net: NetArrays,
    layers: int,
    bits: int,
) -> Codes:
    width = code.shape[1]
    plane = net.hyperplane
    unit = np.flatnonzero(plane).astype(np.int64)
    bit = np.full(len(plane), -1, dtype=np.int64)
    bit[plane] = np.arange(len(unit))
    key = np.random.default_rng(20).integers(0, 2**64, size=max(1, bits), dtype=np.uint64)
    flips: list[list[int]] = [[int(b)] if b >= 0 else [] for b in bit]
    start = np.repeat(net.unit_start[:-1], net.units)
    for g in np.flatnonzero(net.tie >= 0).tolist():
        flips[int(start[g] + net.tie[g])].append(int(bit[g]))
    counts = [len(f) for f in flips]
    flat = np.array([b for f in flips for b in f], dtype=np.int64)
    flip_key = np.zeros(len(flips), dtype=np.uint64)
    np.bitwise_xor.at(flip_key, np.repeat(np.arange(len(flips)), counts), key[flat])
    table = empty_table(len(code))
    first = np.zeros(bits + 1, dtype=np.int64)
    call("polyrank_codes_first_differences", Record(CodeTable(code, key, table)), bits, first)
    before = np.concatenate([[0], np.cumsum(plane)])  # bits of the units before each unit
    cells = 1 + np.concatenate([[0], np.cumsum(first[:bits])])
    # units of later layers than the run's have no bit
    stage = _stages(cells[np.minimum(before, bits)], net.unit_start[: layers + 1])
    places = np.arange(8 * width)
    return Codes(
        code=code,
        zero=zero,
        witness=witness,
        key=key,
        table=table,
        bit=bit,
        unit=unit[: len(unit)],
        stage=stage,
        mask=np.array([pack_bits(places < count) for count in before[stage].tolist()]),
        flip_start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        flip=flat if len(flat) else np.zeros(1, dtype=np.int64),
        flip_key=flip_key,
    )


def _stages(cells: NDArray[np.int64], layers: NDArray[np.int64]) -> NDArray[np.int64]:
    """First units of the stages, then their end.

    Parameters
    ----------
    cells : ndarray of int64, shape (N + 1,)
        Number of cells of the units before each unit, and of all units.
    layers : ndarray of int64, shape (L + 1,)
        First units of the layers, then their end.
    """
    out = [int(layers[-1])]
    for begin in layers[-2::-1].tolist():
        while (most := cells[out[-1]] // _GROWTH) >= _LEAST * cells[begin]:
            within = cells[begin : out[-1]]
            out.append(begin + int(np.searchsorted(within, most, side="right")) - 1)
        out.append(begin)
    return np.array(out[::-1], dtype=np.int64)


def words_of_run(run: Run) -> NDArray[np.uint8]:
    """The packed codewords of a run: shape (R, B)."""
    out = Column(np.uint8, codeword_bytes(run.bits))
    for batch in run.batches(["codeword"]):
        out.append(fixed_binary_rows(batch.column("codeword")))
    return out.whole()


def empty_table(regions: int) -> NDArray[np.int32]:
    """A table that finds so many codewords again, with no more than half of its places taken."""
    out = scratch(1 << max(4, (2 * regions).bit_length()), np.int32)
    out[:] = -1
    return out


def find_row(codes: Codes, bits: NDArray[np.uint8]) -> int:
    """The region with a codeword, given as 0/1 values, or MISSING."""
    packed = np.zeros(codes.code.shape[1], dtype=np.uint8)
    short = pack_bits(bits)
    packed[: len(short)] = short
    value = 0
    for b in np.flatnonzero(bits).tolist():
        value ^= int(codes.key[b])
    size = len(codes.table)
    slot = value & (size - 1)
    while codes.table[slot] >= 0:
        s = int(codes.table[slot])
        if (codes.code[s] == packed).all():
            return s
        slot = (slot + 1) & (size - 1)
    return MISSING
