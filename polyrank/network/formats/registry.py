"""Which format a file has, by its extension and its first bytes."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from polyrank.errors import FormatError
from polyrank.network.formats.gunzip import MAGIC
from polyrank.network.formats.source import checked_file

__all__ = ["FORMATS", "Format", "format_of", "format_to_write"]


@dataclass(frozen=True, slots=True)
class Format:
    """One saved-weights format.

    Attributes
    ----------
    name : str
    extensions : tuple of str
        In lower case, with the dot.
    reader, writer : str or None
        Modules of this package with ``read(path, options)`` and ``write(network, path)``.
    options : frozenset of str
        Which of ``activation``, ``slope``, ``raw`` and ``part`` mean something for the format.
    """

    name: str
    extensions: tuple[str, ...]
    reader: str
    writer: str | None = None
    options: frozenset[str] = frozenset()


_CHOICE = frozenset({"activation", "slope", "part"})
FORMATS = (
    Format("npz", (".npz",), "npz", "npz", _CHOICE),
    Format("safetensors", (".safetensors",), "safetensors", "safetensors", _CHOICE),
    Format("nnet", (".nnet",), "nnet", "nnet", frozenset({"raw"})),
    Format("json", (".json",), "json_network", "json_network", _CHOICE),
    Format("onnx", (".onnx", ".onnx.gz"), "onnx", "write_onnx"),
    Format("torch", (".pt", ".pth"), "torch", None, _CHOICE),
    Format("keras", (".keras", ".h5", ".hdf5"), "keras"),
    Format("matlab", (".mat",), "matlab", None, _CHOICE),
)
_BY_NAME = {form.name: form for form in FORMATS}
_BY_EXTENSION = {extension: form for form in FORMATS for extension in form.extensions}
_SHERLOCK_BYTES = 1 << 14
_SHERLOCK_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def format_of(path: Path) -> Format:
    """The format of an existing file.

    The extension decides, unless the first bytes belong to another format for certain; a file
    without a known extension is recognised by its bytes.

    Raises
    ------
    FormatError
        If the file is missing or empty, its extension contradicts its content, or neither is
        known.
    """
    size = checked_file(path)
    by_extension = _BY_EXTENSION.get(_extension(path))
    by_content = _sniff(path, size)
    if by_extension is None:
        if by_content is None or by_content.name == "nnet":
            _refuse_others(path)
        if by_content is None:
            raise FormatError(
                f"{path.name}: unknown format; expected one of {', '.join(_BY_EXTENSION)}"
            )
        return by_content
    if by_content is not None and by_content is not by_extension:
        raise FormatError(
            f"{path.name}: the extension says {by_extension.name}, but the content is "
            f"{by_content.name}; rename the file to *{by_content.extensions[0]}"
        )
    return by_extension


def format_to_write(path: Path) -> Format:
    """The format that an extension asks to write.

    Raises
    ------
    FormatError
        If no format with that extension can be written.
    """
    form = _BY_EXTENSION.get(_extension(path))
    if form is None or form.writer is None or _extension(path).endswith(".gz"):
        known = ", ".join(form.extensions[0] for form in FORMATS if form.writer)
        raise FormatError(f"{path.name}: cannot write this format; expected one of {known}")
    return form


def _extension(path: Path) -> str:
    """The extension in lower case; ``.onnx.gz`` is one."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    return "".join(suffixes) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


def _refuse_others(path: Path) -> None:
    """Name a file that is known, but not read.

    Raises
    ------
    FormatError
        If it is one.
    """
    with path.open("rb") as stream:
        head = stream.read(_SHERLOCK_BYTES)
    if head.startswith(MAGIC):
        raise FormatError(
            f"{path.name}: the file is compressed with gzip; of networks only .onnx.gz is read so: "
            "gunzip it first"
        )
    if _is_sherlock(head.decode("ascii", "replace")):
        raise FormatError(
            f"{path.name}: this is a network in the text format of Sherlock (inputs, outputs, "
            "hidden layers, their sizes, then one number a line), which is not read; write its "
            "matrices as .npz (W0, b0, W1, b1, …) or as .nnet"
        )


def _is_sherlock(text: str) -> bool:
    """One number a line: inputs, outputs, hidden layers, a size for each, then the weights."""
    lines = [line.strip() for line in text.split("\n")]
    sizes: list[int] = []
    for line in lines[:3]:
        if not line.isdigit() or int(line) == 0:
            return False
        sizes.append(int(line))
    hidden, rest = lines[3 : 3 + sizes[2]], lines[3 + sizes[2] :]
    if len(hidden) < sizes[2] or not all(line.isdigit() for line in hidden) or len(rest) < 3:
        return False
    return all(_SHERLOCK_NUMBER.fullmatch(line) for line in rest[: min(len(rest) - 1, 50)])


def _sniff(path: Path, size: int) -> Format | None:
    """The format that the first bytes prove (or, for text and protobuf, suggest)."""
    with path.open("rb") as stream:
        head = stream.read(512)
    name: str | None = None
    if head.startswith(MAGIC) and _extension(path) == ".onnx.gz":
        name = "onnx"
    elif head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        name = _sniff_zip(path)
    elif head.startswith(b"\x89HDF\r\n\x1a\n"):
        name = "keras"
    elif head.startswith((b"MATLAB 5.0", b"MATLAB 7.3")):
        name = "matlab"
    elif head.startswith(_TORCH_LEGACY):
        name = "torch"
    elif head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= size - 8:
        name = "safetensors"
    elif head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        name = "json"
    elif head.lstrip().startswith(b"//") or head.split(b"\n")[0].strip(b" 0123456789,\r") == b"":
        name = "nnet"
    elif head[:1] == b"\x08" and head[2:3] in (b"\x12", b"\x1a", b"\x22", b"\x2a", b"\x3a", b"B"):
        name = "onnx"
    return None if name is None else _BY_NAME[name]


def _sniff_zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
        return None
    if any(name.endswith("data.pkl") for name in names):
        return "torch"
    if "config.json" in names or any(name.endswith(".weights.h5") for name in names):
        return "keras"
    return "npz" if any(name.endswith(".npy") for name in names) else None
