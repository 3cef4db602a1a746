"""``.npz``: a zip of numpy arrays, read without pickle and without trusting its headers.

Layouts: ``W0, b0, W1, b1, …`` (out, in); weights and biases under other names; and
``000.linear.weights``, ``001.relu`` as affinitree writes them, where the activations are part of
the file. See :mod:`polyrank.network.formats.pairs` for the rules.
"""

from __future__ import annotations

import lzma
import math
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from polyrank.errors import FormatError, NetworkError, UnsupportedError
from polyrank.network.formats.activations import LINEAR, RELU
from polyrank.network.formats.dense import DenseStep, dense_network
from polyrank.network.formats.options import LoadOptions
from polyrank.network.formats.pairs import network_from_arrays
from polyrank.network.formats.source import brief, check_entries, checked_file, zip_members
from polyrank.network.formats.stated import left_out, stated_activations, without_slopes
from polyrank.network.formats.weights_only import float64_arrays
from polyrank.network.normal_form import Network
from polyrank.network.rational import RationalArray

__all__ = ["read", "read_arrays", "write"]

_AFFINITREE = re.compile(r"(\d+)\.(linear\.weights|linear\.bias|relu|layers)")
_BOMB_BYTES = 1 << 24
_BOMB_RATIO = 200
_MOST_TEXTS = 10_000
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError,
    ValueError, TypeError, OverflowError, tokenize.TokenError, SyntaxError,
)  # fmt: skip


def read(path: Path, options: LoadOptions) -> Network:
    """Read a network from an ``.npz`` file.

    Raises
    ------
    FormatError
        If the file is missing, truncated, corrupt or too large, or holds pickled objects.
    NetworkError, UnsupportedError
        If its arrays are not a chain of dense layers.
    """
    arrays, texts = _contents(path)
    arrays, slopes = without_slopes(arrays)
    stated = stated_activations({**texts, **slopes}, options.part)
    notes = left_out(texts, stated, "the array")
    if any(key.endswith(".linear.weights") for key in arrays) and all(
        _AFFINITREE.fullmatch(key) for key in arrays
    ):
        if any(v is not None for v in (options.activation, options.slope, options.part)):
            raise NetworkError(
                "the file states its activations: leave out --activation, --slope and --part"
            )
        return _affinitree(arrays, path.stem, notes)
    return network_from_arrays(
        arrays, options, name=path.stem, ordered=True, notes=notes, stated=stated
    )


def write(network: Network, path: Path) -> None:
    """Write ``W0, b0, …`` as float64, with slopes unless it is ReLU with an affine output.

    Raises
    ------
    UnsupportedError
        If an entry is not a float64 number.
    """
    with path.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **float64_arrays(network))


def read_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """The numeric arrays of an ``.npz`` file in its order, and the names of the others.

    Every header is read and checked against the size of its member before anything is allocated.

    Raises
    ------
    FormatError
        If the file is missing, truncated, corrupt or too large, or holds pickled objects.
    """
    arrays, texts = _contents(path)
    return arrays, list(texts)


def _contents(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The numeric arrays of a file, and the texts of the others: a string, or a list of them."""
    checked_file(path)
    arrays: dict[str, NDArray[Any]] = {}
    texts: dict[str, Any] = {}
    member = ""
    try:
        with zipfile.ZipFile(path) as archive:
            total = 0
            for member, info in zip_members(archive).items():
                if not member.endswith(".npy"):
                    raise FormatError(
                        f"the member {member!r} is not an array (.npy): this zip is not an .npz "
                        f"(a .keras or a torch .pt file is a zip too)"
                    )
                if info.file_size > _BOMB_BYTES and (
                    info.file_size > _BOMB_RATIO * max(info.compress_size, 1)
                ):
                    raise FormatError(
                        f"the array {member[:-4]!r} claims to unpack {info.compress_size} bytes "
                        f"to {info.file_size}: refused as a zip bomb"
                    )
                total += _read_member(archive, info, arrays, texts, total)
    except _BROKEN as problem:
        where = f" (at {member!r})" if member else ""
        raise FormatError(f"not a readable .npz archive{where}: {brief(problem)}") from None
    return arrays, texts


def _read_member(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    arrays: dict[str, NDArray[Any]],
    texts: dict[str, Any],
    already: int,
) -> int:
    """Read one array; return the number of its entries."""
    key = info.filename[:-4]
    with archive.open(info) as stream:
        version = npy.read_magic(stream)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = reader(stream)
        if dtype.hasobject:
            raise FormatError(
                f"the array {key!r} holds Python objects (a pickle), which are never executed; "
                f"save plain numbers"
            )
        count = math.prod(shape)
        check_entries(already + count, f"the file (up to the array {key!r})")
        header = stream.tell()
        if count * dtype.itemsize != info.file_size - header:
            raise FormatError(
                f"the array {key!r} of shape {shape} and type {dtype} needs "
                f"{count * dtype.itemsize} bytes, but the archive holds {info.file_size - header}"
            )
        if dtype.kind not in "iuf":
            if dtype.kind in "bcV":
                raise FormatError(f"the array {key!r} has type {dtype}: expected real numbers")
            texts[key] = _texts(stream.read(), dtype, shape) if count <= _MOST_TEXTS else None
            return 0
        data = stream.read()
    array = np.frombuffer(data, dtype=dtype)
    arrays[key] = array.reshape(shape, order="F" if fortran else "C")
    return count


def _texts(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """One string, or a list of strings; None if the array holds something else."""
    if dtype.kind not in "US":
        return None
    found = np.frombuffer(data, dtype=dtype).ravel().tolist()
    words = [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in found]
    return words if shape else words[0]


def _affinitree(arrays: Mapping[str, NDArray[Any]], name: str, notes: list[str]) -> Network:
    """Layers numbered 000, 001, …, each ``linear`` or ``relu``."""
    linear: dict[int, dict[str, NDArray[Any]]] = {}
    relu: set[int] = set()
    for key, array in arrays.items():
        match = _AFFINITREE.fullmatch(key)
        if match is None or match[2] == "layers":
            continue
        index = int(match[1])
        if match[2] == "relu":
            relu.add(index)
        else:
            linear.setdefault(index, {})[match[2].removeprefix("linear.")] = array
    steps: list[DenseStep] = []
    for index in sorted({*linear, *relu}):
        if index in linear and index in relu:
            raise FormatError(f"layer {index:03} is both linear and relu")
        if index in relu:
            if not steps or steps[-1].activation is RELU:
                raise UnsupportedError(f"layer {index:03} is a relu that follows no linear layer")
            last = steps[-1]
            steps[-1] = DenseStep(last.name, last.weight, last.bias, RELU)
            continue
        parts = linear[index]
        if parts.keys() != {"weights", "bias"}:
            raise FormatError(f"layer {index:03} needs linear.weights and linear.bias")
        steps.append(
            DenseStep(
                f"{index:03}.linear",
                RationalArray.from_floats(parts["weights"]),
                RationalArray.from_floats(parts["bias"]),
                LINEAR,
            )
        )
    stated = [int(v) for key, a in arrays.items() if key.endswith(".layers") for v in a.ravel()[:1]]
    if stated and stated[0] != len({*linear, *relu}):
        raise FormatError(
            f"the file announces {stated[0]} layers, but holds {len({*linear, *relu})}"
        )
    said = "the activations are those that the file states (affinitree layout)"
    return dense_network(steps, name=name, notes=[*notes, said])
