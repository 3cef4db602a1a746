"""``.nnet``: the text format of the ACAS Xu networks, in all the variants found in the wild.

Numbers are decimal text; each is read as the nearest float64, and that float64 is the exact
weight. The header's normalisation ``x ↦ (x − mean)/range`` of the inputs and ``y ↦ range·y + mean``
of the outputs is folded into the first and last layer as rationals, without rounding.

Variants read: comment lines anywhere; one or four numbers in the first line; the output size
repeated at the end of the sizes; a single ``0`` for a normalisation line that is absent; more
minima, means and ranges than inputs (the first n count for the inputs, the *last* mean and range
for the output); trailing commas.

References
----------
The format: https://github.com/sisl/NNet, "File Format of .nnet". Its evaluation also clips inputs
to the minima and maxima; a clip is part of the domain, not of the network, and is not applied.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import FormatError, UnsupportedError
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.source import check_entries, read_text
from polyrank.network.formats.weights_only import is_plain_relu, require_float64
from polyrank.network.normal_form import Network
from polyrank.network.normalisation import fold_normalisation

__all__ = ["read", "write"]

_MAX_BYTES = 1 << 28
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LINE_END = re.compile(r"\r\n|\n|\r")  # str.splitlines knows eight more
_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True)
class _Header:
    sizes: tuple[int, ...]
    lower: tuple[float, ...] | None
    upper: tuple[float, ...] | None
    means: tuple[float, ...] | None  # of the inputs, then of the output
    ranges: tuple[float, ...] | None


def read(path: Path, options: LoadOptions) -> Network:
    """Read a network from an ``.nnet`` file; ``options.raw`` leaves the normalisation off.

    ``source["header"]`` of the result keeps the header (``lower``, ``upper``, ``means``,
    ``ranges``, the last mean and range being those of the output; None where absent), and
    ``source["normalisation"]`` says ``"folded"``, ``"raw"`` or ``"none"``.

    Raises
    ------
    FormatError
        If the file is missing, not text, truncated, or its numbers do not fit its header.
    NetworkError
        If a weight is not finite.
    """
    text = read_text(path, max_bytes=_MAX_BYTES)
    lines = _lines(text)
    notes = ["decimal text was read as the nearest float64"]
    header = _read_header(lines, notes)
    pairs = list(zip(header.sizes[:-1], header.sizes[1:], strict=True))
    count = sum(units * (inputs + 1) for inputs, units in pairs)
    check_entries(count, "the network of the header")
    if 2 * count > len(text) + 1:  # a number and its separator take two characters
        raise FormatError(
            f"the header announces {count} weights and biases, but the file has only "
            f"{len(text)} characters (truncated, or the header is wrong)"
        )
    weights, biases = [], []
    for layer, (inputs, units) in enumerate(pairs, start=1):
        weights.append(_matrix(lines, units, inputs, f"weight of layer {layer}"))
        biases.append(_matrix(lines, units, 1, f"bias of layer {layer}")[:, 0])
    left = next(lines, None)
    if left is not None:
        raise FormatError(f"line {left[0]}: more numbers than the header announces")
    _check_last_line(text)
    network = Network.from_arrays(weights, biases, name=path.stem)
    network, normalisation = _normalise(header, network, options, notes)
    if header.lower is not None:
        notes.append(
            "the header's minima and maxima are not part of the network: the reference "
            "evaluation clips inputs to them, polyrank does not"
        )
    record: dict[str, Any] = {
        "notes": notes,
        "normalisation": normalisation,
        "header": {
            "lower": None if header.lower is None else list(header.lower),
            "upper": None if header.upper is None else list(header.upper),
            "means": None if header.means is None else list(header.means),
            "ranges": None if header.ranges is None else list(header.ranges),
        },
    }
    return Network(network.layers, path.stem, record)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Number and tokens of every line that is neither empty nor a comment."""
    for number, line in enumerate(_LINE_END.split(text), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("//"):
            continue
        tokens = [token.strip() for token in stripped.split(",")]
        if tokens[-1] == "":
            tokens.pop()
        yield number, tokens


def _check_last_line(text: str) -> None:
    """A last number without the comma and the line end of those before it has lost digits."""
    ended = text.endswith(("\n", "\r"))
    before, last = [line.strip() for line in _LINE_END.split(text)[-2:]]
    if not ended and before.endswith(",") and not last.startswith("//") and not last.endswith(","):
        raise FormatError(f"the last line {last[:30]!r} has no comma, as others have (truncated)")


def _next(lines: Iterator[tuple[int, list[str]]], what: str) -> tuple[int, list[str]]:
    line = next(lines, None)
    if line is None:
        raise FormatError(f"the file ends before the {what} (truncated)")
    return line


def _number(token: str, line: int, what: str) -> float:
    value = float(token) if _NUMBER.fullmatch(token) else math.nan
    if not math.isfinite(value):
        shown = token if len(token) <= 30 else token[:27] + "..."
        raise FormatError(f"line {line}: {shown!r} in the {what} is not a finite number")
    return value


def _integers(line: tuple[int, list[str]], what: str) -> list[int]:
    number, tokens = line
    for token in tokens:
        if not re.fullmatch(r"[0-9]{1,9}", token):
            raise FormatError(f"line {number}: {token[:30]!r} in the {what} is not a whole number")
    return [int(token) for token in tokens]


def _read_header(lines: Iterator[tuple[int, list[str]]], notes: list[str]) -> _Header:
    first = _next(lines, "first line of the header")
    counts = _integers(first, "first line of the header")
    if len(counts) in (2, 3) or counts[0] < 1:
        raise FormatError(
            f"line {first[0]}: the header should start with the number of layers, or with the "
            f"numbers of layers, inputs, outputs and the largest size"
        )
    depth = counts[0]
    line = _next(lines, "layer sizes")
    sizes = _integers(line, "layer sizes")
    if len(sizes) < depth + 1:
        raise FormatError(
            f"line {line[0]}: {depth} layers need {depth + 1} sizes, got {len(sizes)}"
        )
    if any(extra != sizes[depth] for extra in sizes[depth + 1 :]):
        raise FormatError(f"line {line[0]}: {len(sizes)} sizes for {depth} layers")
    if len(sizes) > depth + 1:
        notes.append("the header repeats the output size")
    sizes = sizes[: depth + 1]
    if 0 in sizes:
        raise FormatError(f"line {line[0]}: a layer of size 0 in {sizes}")
    if len(counts) > 1 and (counts[1], counts[2]) != (sizes[0], sizes[-1]):
        raise FormatError(
            f"the header announces {counts[1]} inputs and {counts[2]} outputs, but the sizes "
            f"are {sizes}"
        )
    inputs = sizes[0]
    _next(lines, "flag line of the header")  # not used by any reader
    lower = _statistics(lines, "minima", inputs, 0, notes)
    upper = _statistics(lines, "maxima", inputs, 0, notes)
    if lower is None or upper is None or {*lower, *upper} in ({0.0}, {-_LARGEST, _LARGEST}):
        lower = upper = None  # absent, or written by polyrank without a box
    means = _statistics(lines, "means", inputs, 1, notes)
    ranges = _statistics(lines, "ranges", inputs, 1, notes)
    if (means is None) != (ranges is None):
        raise FormatError("the header gives means without ranges, or ranges without means")
    if ranges is not None and 0.0 in ranges:
        raise FormatError(f"the range of entry {ranges.index(0.0) + 1} in the header is 0")
    return _Header(tuple(sizes), lower, upper, means, ranges)


def _statistics(
    lines: Iterator[tuple[int, list[str]]], what: str, inputs: int, outputs: int, notes: list[str]
) -> tuple[float, ...] | None:
    """One normalisation line: n input entries and, last, ``outputs`` output entries."""
    number, tokens = _next(lines, f"{what} of the header")
    values = [_number(token, number, f"{what} of the header") for token in tokens]
    wanted = inputs + outputs
    if len(values) == 1 and values[0] == 0.0 and wanted != 1:
        return None
    if len(values) < wanted:
        raise FormatError(
            f"line {number}: {len(values)} {what} for {inputs} inputs: expected {wanted}, or a "
            f"single 0 for none"
        )
    if len(values) > wanted:
        notes.append(f"the header has {len(values)} {what} for {inputs} inputs")
    kept = [*values[:inputs], *values[-1:]] if outputs else values[:inputs]
    return tuple(kept)


def _matrix(
    lines: Iterator[tuple[int, list[str]]], rows: int, cols: int, what: str
) -> NDArray[np.float64]:
    matrix = np.empty((rows, cols))
    for row in range(rows):
        number, tokens = _next(lines, f"{what}, row {row + 1} of {rows}")
        if len(tokens) != cols:
            raise FormatError(
                f"line {number}: {len(tokens)} numbers in row {row + 1} of the {what}, "
                f"expected {cols}"
            )
        matrix[row] = [_number(token, number, what) for token in tokens]
    return matrix


def _normalise(
    header: _Header, network: Network, options: LoadOptions, notes: list[str]
) -> tuple[Network, str]:
    """Fold the header's normalisation into the network; say what was done."""
    if header.means is None or header.ranges is None:
        return network, "none"
    if options.raw:
        notes.append("the header's normalisation was left off: inputs and outputs are normalised")
        return network, "raw"
    outputs = network.widths[-1]
    folded = fold_normalisation(
        network,
        input_mean=header.means[:-1],
        input_scale=header.ranges[:-1],
        output_mean=[header.means[-1]] * outputs,
        output_scale=[header.ranges[-1]] * outputs,
    )
    if any(header.means[:-1]) or {*header.ranges[:-1]} != {1.0}:
        notes.append("the header's input normalisation was folded into the first layer, exactly")
    if header.means[-1] != 0.0 or header.ranges[-1] != 1.0:
        notes.append("the header's output normalisation was folded into the last layer, exactly")
    return folded, "folded"


def write(network: Network, path: Path) -> None:
    """Write a ReLU network with an affine output; the normalisation lines say "none".

    Every float64 is written with the fewest digits that read back as itself.

    Raises
    ------
    UnsupportedError
        If a hidden layer is not ReLU, the output is not affine, or an entry is not a float64
        number.
    """
    if not is_plain_relu(network):
        raise UnsupportedError(
            ".nnet stores only ReLU hidden layers and an affine output layer; write .npz, "
            ".safetensors or .json, which store slopes"
        )
    n = network.input_dim
    sizes = network.widths
    text = [
        "// Neural network in the .nnet format, written by polyrank",
        f"{len(network.layers)},{n},{sizes[-1]},{max(sizes)},",
        ",".join(map(str, sizes)) + ",",
        "0,",
        ",".join([repr(-_LARGEST)] * n) + ",",
        ",".join([repr(_LARGEST)] * n) + ",",
        ",".join(["0.0"] * (n + 1)) + ",",
        ",".join(["1.0"] * (n + 1)) + ",",
    ]
    for k, layer in enumerate(network.layers, start=1):
        remedy = "write .json, which stores fractions"
        require_float64(layer.weight, f"layer {k}: weight", remedy)
        require_float64(layer.bias, f"layer {k}: bias", remedy)
        text += [",".join(map(repr, row)) + "," for row in layer.weight.approx.tolist()]
        text += [f"{value!r}," for value in layer.bias.approx.tolist()]
    path.write_text("\n".join(text) + "\n", encoding="ascii")
