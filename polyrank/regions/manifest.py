"""The manifest of a run: what was asked, of which network, where, by whom, and the verdict.

``manifest.json`` is written before the first region with status ``running`` and replaced
atomically when the run ends, so that a run that was killed never looks finished.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from polyrank import __version__
from polyrank.digits import digits
from polyrank.errors import RunError
from polyrank.network.rational import to_fmpq
from polyrank.polyhedra.system import is_identity

if TYPE_CHECKING:
    from flint import fmpq_mat

    from polyrank.network.normal_form import Network
    from polyrank.posed.chart import Chart

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST_NAME",
    "REGIONS_NAME",
    "Status",
    "chart_entry",
    "network_entry",
    "read_manifest",
    "shard_files",
    "versions",
    "write_manifest",
]

FORMAT_VERSION = 2
MANIFEST_NAME = "manifest.json"
REGIONS_NAME = "regions"

#: Formats that are not read any more, and why.
_OLDER = {1: "its network hash does not tell some networks apart"}

_SHARD = re.compile(r"(part|task|open)-([0-9]{6,})\.parquet")

Status = Literal["running", "stopped", "interrupted", "failed", "finished"]

_LIBRARIES = ("numpy", "python-flint", "pyarrow", "highspy")

_MOST = 2**62  # no count of regions, and no width, is larger
_MOST_BITS = 2**33  # of a codeword of Arrow

# what a manifest must hold to be read; the entries of a list or mapping are of the inner kind
_SHAPE: dict[str, Any] = {
    "status": str,
    "certified": bool,
    "bits": int,
    "layers": int,
    "counts": {"regions": int, "undecided": int},
    "rank_histogram": [dict],
    "network": {"name": str, "hash": str, "widths": [int], "bits": [int]},
    "domain": {"kind": str},
    "chart": {"origin": [str], "basis": [list]},
    "search": dict,
    "timings": dict,
}


def shard_files(directory: Path) -> list[Path]:
    """The Parquet files that hold the rows of a run directory, in order.

    The shards of a finished run are ``regions/part-000000.parquet`` and so on; until it is finished
    ``task-000012.parquet``, one for every task that is done, and ``open-000013.parquet``, what
    tasks had found that were not.
    """
    found = [
        (name[1] != "part", name[1], int(name[2]), file)
        for file in (directory / REGIONS_NAME).glob("*.parquet")
        if (name := _SHARD.fullmatch(file.name)) is not None and file.is_file()
    ]
    return [file for *_, file in sorted(found)]


def versions() -> dict[str, str]:
    """Versions of polyrank, Python and the libraries that take part in a verdict."""
    found = {"polyrank": __version__, "python": platform.python_version()}
    return found | {name: _installed(name) for name in _LIBRARIES}


@cache
def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def network_entry(network: Network) -> dict[str, Any]:
    """Name, hash, shape and provenance of a network, JSON-serialisable."""
    return {
        "name": network.name,
        "hash": network.sha256,
        "widths": list(network.widths),
        "bits": list(network.bits),
        "source": dict(network.source),
    }


def _matrix_text(matrix: fmpq_mat) -> list[list[str]]:
    """The entries as text; nearly all of a basis of many coordinates are zero."""
    if not matrix.ncols():
        return [[] for _ in range(matrix.nrows())]
    if is_identity(matrix):
        zeros = ["0"] * matrix.nrows()
        return [[*zeros[:i], "1", *zeros[i + 1 :]] for i in range(matrix.nrows())]
    whole: list[list[Any]] = matrix.numer_denom()[
        0
    ].tolist()  # integers tell fast that they are zero
    return [
        [str(matrix[i, j]) if v else "0" for j, v in enumerate(row)] for i, row in enumerate(whole)
    ]


def chart_entry(chart: Chart) -> dict[str, Any]:
    """Coordinates x = origin + basis y of the domain's affine hull, their bounding box, the proof.

    With ``lineality`` > 0 they are those of a section: the domain is the section plus a linear
    space of that dimension, along which neither its rows nor the network change.

    ``proof`` holds what proves them beyond rows that bound one coordinate: ``equalities``,
    multipliers of the domain's rows (coprime integers ``(−A_i, b_i)``) that add up to 0; ``box``,
    the rows of the chart whose multipliers prove the 2k sides, lower ones first.
    """
    proof = chart.proof
    flat = proof.equalities
    return {
        "origin": [str(v) for v in chart.origin.entries()],
        "basis": _matrix_text(chart.basis),
        "lower": _strings(chart.lower),
        "upper": _strings(chart.upper),
        "lineality": chart.lineality,
        "proof": {
            "equalities": None
            if flat is None
            else {"indices": list(flat.indices), "values": [digits(v) for v in flat.values]},
            "box": [list(m.multipliers.indices) for m in (*proof.lower, *proof.upper)],
        },
    }


def _strings(values: Sequence[Any] | None) -> list[str] | None:
    return None if values is None else [str(v) for v in values]


def write_manifest(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest atomically.

    Raises
    ------
    OSError
        If it cannot be written; the manifest that was there stays.
    """
    draft = directory / f"{MANIFEST_NAME}.partial"
    with draft.open("w", encoding="utf-8") as file:
        file.write(_json_text(manifest))
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(directory / MANIFEST_NAME)


def _json_text(value: Any, indent: str = "") -> str:
    """JSON, an entry of an object on each line; a list is one line, however many matrices it is."""
    if not isinstance(value, Mapping) or not value:
        return json.dumps(value, ensure_ascii=False)
    inner = indent + "  "
    lines = [
        f"{inner}{json.dumps(str(key), ensure_ascii=False)}: {_json_text(entry, inner)}"
        for key, entry in value.items()
    ]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read the manifest of a run directory.

    Raises
    ------
    RunError
        If the directory or the manifest is missing, is not JSON, or is of another version.
    """
    if not directory.is_dir():
        raise RunError(f"{directory} is not a directory; give the folder that -o/--output wrote")
    path = directory / MANIFEST_NAME
    if not path.is_file():  # nor a pipe, which never ends
        raise RunError(f"{directory} holds no {MANIFEST_NAME}; it is not a polyrank run")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None
    version = manifest.get("polyrank_run") if isinstance(manifest, dict) else None
    if type(version) is int and version in _OLDER:
        raise RunError(
            f"{path} has run format {version}, and {_OLDER[version]}; this polyrank reads format "
            f"{FORMAT_VERSION}: enumerate again"
        )
    if type(version) is not int or version != FORMAT_VERSION:
        raise RunError(
            f"{path} has run format {version!r}; this polyrank reads format {FORMAT_VERSION}"
        )
    wrong = _mismatch(manifest, _SHAPE, "") or _inconsistent(manifest)
    if wrong is not None:
        raise RunError(f"{path} is damaged: {wrong!r} is missing or not what a run writes")
    return dict(manifest)


def _inconsistent(manifest: Mapping[str, Any]) -> str | None:
    """Name of an entry that contradicts another one; None if none does."""
    network, layers = manifest["network"], manifest["layers"]
    options = manifest.get("options", {})
    if len(manifest["rank_histogram"]) != layers or not all(
        rank.isdecimal() and _is(n, int) and n > 0
        for ranks in manifest["rank_histogram"]
        for rank, n in ranks.items()
    ):
        return "rank_histogram"
    if not len(network["widths"]) - 1 == len(network["bits"]) >= layers >= 1:
        return "network"
    if manifest["status"] not in get_args(Status):
        return "status"
    named = manifest.get("network_file")
    if named is not None and not (
        isinstance(named, dict)
        and isinstance(named.get("path"), str)
        and isinstance(named.get("options"), (dict, type(None)))
    ):
        return "network_file"
    if not all(0 <= b <= w <= _MOST for b, w in _sizes(network)):
        return "network"
    if not 0 <= manifest["bits"] <= _MOST_BITS:
        return "bits"
    if not all(0 <= n <= _MOST for n in manifest["counts"].values()):
        return "counts"
    wrong = _inconsistent_chart(manifest["chart"])
    if wrong is not None:
        return f"chart.{wrong}"
    through = options.get("through_layer") if isinstance(options, dict) else options
    whole = layers == len(network["bits"])
    if not (whole if through is None else _is(through, int) and through == layers):
        return "options.through_layer"
    return None


def _sizes(network: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Bits and units of each layer; the input has no bits."""
    return list(zip([0, *network["bits"]], network["widths"], strict=True))


def _inconsistent_chart(chart: Mapping[str, Any]) -> str | None:
    """Name of an entry of the chart whose shape is not that of the others, or no rational."""
    origin, basis = chart["origin"], chart["basis"]
    if not all(map(_is_rational, origin)):
        return "origin"
    k = len(basis[0]) if basis else 0
    fits = len(basis) == len(origin) and all(len(row) == k for row in basis)
    kinds = {kind for row in basis for kind in set(map(type, row))} if fits else {None}
    if kinds - {str} or not all(map(_is_rational, set().union(*basis))):
        return "basis"
    lineality = chart.get("lineality", 0)
    if not _is(lineality, int) or not 0 <= lineality <= _MOST:
        return "lineality"
    return None


def _is_rational(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        to_fmpq(value)
    except (ValueError, ZeroDivisionError):
        return False
    return True


def _is(value: Any, kind: type) -> bool:
    # in Python, but not in JSON, true is an integer
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _mismatch(value: Any, shape: Any, where: str) -> str | None:
    """Name of the first entry that is not of its kind; None if all are."""
    if isinstance(shape, type):
        return None if _is(value, shape) else where
    if isinstance(shape, list):
        fits = isinstance(value, list) and all(_is(v, shape[0]) for v in value)
        return None if fits else where
    if not isinstance(value, dict):
        return where
    found = (
        _mismatch(value.get(key), inner, f"{where}.{key}".lstrip("."))
        for key, inner in shape.items()
    )
    return next((name for name in found if name is not None), None)
