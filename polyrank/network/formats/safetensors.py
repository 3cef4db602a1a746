"""``.safetensors``: a JSON header and raw little-endian tensors; nothing in it can be executed.

The header is parsed here rather than by the safetensors package, which has no bfloat16 without
torch. bfloat16 and float16 are widened exactly. Names are paired as for ``.npz``; tensors of this
format have no order, so names without numbers must leave only one order in which shapes chain.

References
----------
The format: https://github.com/huggingface/safetensors, section "Format".
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import FormatError
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.pairs import network_from_arrays
from polyrank.network.formats.source import check_entries, check_shape, checked_file, unique_keys
from polyrank.network.formats.stated import stated_activations, without_slopes
from polyrank.network.formats.weights_only import float64_arrays
from polyrank.network.normal_form import Network

__all__ = ["read", "read_tensors", "write"]

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "<i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1",
}  # fmt: skip
_MAX_HEADER = 16_000_000


def read(path: Path, options: LoadOptions) -> Network:
    """Read a network from a ``.safetensors`` file.

    Raises
    ------
    FormatError
        If the file is missing, truncated, corrupt or too large.
    NetworkError, UnsupportedError
        If its tensors are not a chain of dense layers.
    """
    tensors, slopes = without_slopes(read_tensors(path))
    return network_from_arrays(
        tensors,
        options,
        name=path.stem,
        ordered=False,
        stated=stated_activations({**_metadata(path), **slopes}, options.part),
    )


def _metadata(path: Path) -> dict[str, str]:
    """The texts of the header, which may name the activations; ``read_tensors`` has checked it."""
    with path.open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict):
        return {}
    found: dict[str, Any] = {}
    for key, value in metadata.items():
        found[str(key)] = value
        if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
            with suppress(ValueError, RecursionError):
                found[str(key)] = json.loads(value)
    return found


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a ``.safetensors`` file, by name; bfloat16 becomes float32, exactly.

    Raises
    ------
    FormatError
        If the file is missing, truncated, corrupt or too large, or a tensor has an element type
        that is not a plain number.
    """
    size = checked_file(path)
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 10 or not 2 <= length <= min(size - 8, _MAX_HEADER):
            raise FormatError(
                f"not a readable .safetensors file: its header should have {length} bytes, the "
                f"file has {size} (truncated, or another format)"
            )
        entries = _header(stream.read(length))
        start = 8 + length
        _check_layout(entries, size - start)
        check_entries(sum(math.prod(shape) for _, shape, _, _ in entries.values()), "the file")
        tensors = {}
        for name, (dtype, shape, begin, end) in entries.items():
            stream.seek(start + begin)
            array = np.frombuffer(stream.read(end - begin), dtype=_DTYPES[dtype])
            if dtype == "BF16":
                array = (array.astype("<u4") << 16).view("<f4")
            tensors[name] = array.reshape(shape)
    return tensors


def _header(raw: bytes) -> dict[str, tuple[str, tuple[int, ...], int, int]]:
    """Per tensor: element type, shape, first and last byte."""
    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as problem:
        raise FormatError(f"the .safetensors header is not JSON: {str(problem)[:100]}") from None
    if not isinstance(header, dict):
        raise FormatError("the .safetensors header is not a JSON object")
    entries = {}
    for name, entry in header.items():
        if name == "__metadata__":
            if entry is not None and not _is_metadata(entry):
                raise FormatError("the metadata of the .safetensors header are not texts by name")
            continue
        match entry:
            case {
                "dtype": str(dtype),
                "shape": list(shape),
                "data_offsets": [int(lo), int(hi)],
            } if all(type(n) is int and n >= 0 for n in (*shape, lo, hi)):
                pass
            case _:
                raise FormatError(f"the tensor {name!r} has no dtype, shape and data_offsets")
        check_shape(shape, f"the tensor {name!r}")
        if dtype not in _DTYPES:
            raise FormatError(
                f"the tensor {name!r} has type {dtype[:20]}: expected one of {', '.join(_DTYPES)}"
            )
        needed = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
        if max(lo, hi) >= 2**63:
            raise FormatError(f"the tensor {name!r} ends beyond any file")
        if lo > hi or hi - lo != needed:
            raise FormatError(
                f"the tensor {name!r} of shape {tuple(shape)} and type {dtype} needs {needed} "
                f"bytes, but has bytes {lo} to {hi}"
            )
        entries[name] = (dtype, tuple(shape), lo, hi)
    return entries


def _is_metadata(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(text, str) for text in entry.values())


def _check_layout(entries: dict[str, tuple[str, tuple[int, ...], int, int]], size: int) -> None:
    """The tensors tile the data: no gap, no overlap, nothing left over."""
    at = 0
    for name, (_, _, lo, hi) in sorted(entries.items(), key=lambda item: item[1][2:]):
        if lo != at:
            raise FormatError(f"the tensor {name!r} starts at byte {lo}, expected {at}")
        at = hi
    if at != size:
        raise FormatError(f"the tensors take {at} bytes, but the file holds {size} (truncated?)")


def write(network: Network, path: Path) -> None:
    """Write ``W0, b0, …`` as F64, with slopes unless it is ReLU with an affine output.

    Raises
    ------
    UnsupportedError
        If an entry is not a float64 number.
    """
    arrays = float64_arrays(network)
    header: dict[str, Any] = {"__metadata__": {"format": "polyrank"}}
    at = 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": "F64",
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        at += array.nbytes
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    with path.open("wb") as stream:
        stream.write(len(raw).to_bytes(8, "little") + raw)
        for array in arrays.values():
            stream.write(array.astype("<f8").tobytes())
