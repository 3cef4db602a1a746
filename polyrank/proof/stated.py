"""Trusted: what a run states beside its rows, compared with what was found.

All that ``summary``, ``info``, ``open_run`` and ``check`` show comes from these fields of the
manifest and from the table. *Log* stands for the whole proof log; a run without one, or a sample
of it, leaves what needs it undecided. What nothing verifies is named by ``check``.

=======================  =========================================================================
field                    verified by
=======================  =========================================================================
polyrank_run             the format is the one that is read
network: hash, widths,   the network in the file, read with the options of ``network_file``: hash
bits; network_file       of the exact function; what the file was meant to say is not judged
bits, layers             the network; ``options.through_layer`` must say the same: a run through
                         layer K < L is shown as "layers 1..K of L"
domain                   nothing: it is the question. The chart is proved to be this domain
chart: origin, basis,    multipliers in ``chart.proof``: the affine hull is the domain's, the
proof, lower, upper,     bounding box holds the domain (that it is the smallest is not claimed);
lineality                exact ranks: what the chart leaves out, neither domain nor network sees
counts.regions           the rows of the shards on disk
rank_histogram           the ranks of the table, each of which is re-derived exactly
(rows) codeword, zero,   log: the decisions on the way to the leaf. Without it: exact signs at the
rank_1.., witness        row's own witness, exact ranks; no two rows have one codeword
certified                log: the segments are one tree, nothing in it is open, and its leaves are
                         the rows. Without it: not decided
counts.undecided,        log: the cells that no segment continues, each with the decisions that
undecided.json           undecided.json states, so that "at most" counts what is left open
proof: version, parts,   the files: their format and number of segments; that the rows of all parts
rows, segments           are those of the table, each once
status                   "finished" is believed only with the log; anything else is partial
network: name, source;   nothing: names, provenance, times, how the search went, sizes of files
started, engine, notes,
versions, error, search,
timings, proof.bytes,
shards, tasks, content,
limit, open, and others
=======================  =========================================================================

From these follow: the verdict, "at least" and "at most" (``count_interval``), minimum ranks,
low-rank regions, the decomposition by the first layers, the dimension. Other files in the run
directory (a graph, ambient ranks) are not looked at, and named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polyrank.errors import RunError
from polyrank.network.normal_form import Network
from polyrank.proof.format import NotDecidedError, ProofRejectedError
from polyrank.proof.layers import Layers
from polyrank.proof.rows import Rows
from polyrank.regions.manifest import shard_files
from polyrank.regions.run import UNDECIDED_NAME

__all__ = [
    "Verified",
    "check_named",
    "check_network",
    "check_table",
    "check_undecided",
    "fields_left",
    "sealed",
    "unverified",
]

#: Fields, and of those that are mappings, or lists of mappings, the keys; None: all of the field.
Verified = Mapping[str, set[str] | None]

#: What of a manifest is verified.
_VERIFIED: Verified = {
    "polyrank_run": None,
    "network": {"hash", "widths", "bits"},
    "network_file": None,
    "domain": None,
    "chart": {"origin", "basis", "lower", "upper", "proof", "lineality"},
    "options": {"through_layer"},
    "proof": {"version", "parts", "rows", "segments"},
    "status": None,
    "certified": None,
    "bits": None,
    "layers": None,
    "counts": {"regions", "undecided"},
    "rank_histogram": None,
}
_FILES = ("manifest.json", "undecided.json", "network.json", "regions", "proof")


def check_named(network: Network, stated: Mapping[str, Any], whose: str) -> None:
    """Refuse another network than the one of a run, a verdict or a certificate (``whose``).

    Raises
    ------
    NotDecidedError
        If it is another function.
    ProofRejectedError
        If it is stated with other widths or bits than it has.
    """
    entry = stated["network"]
    wanted = entry["hash"]
    if network.sha256 != wanted:
        raise NotDecidedError(
            f"the file of the network holds another network (hash {network.sha256[:12]}...) than "
            f"the {whose}'s ({str(wanted)[:12]}...); name the right one with --network"
        )
    if list(network.bits) != entry["bits"] or list(network.widths) != entry["widths"]:
        raise ProofRejectedError(f"the {whose} states other widths or bits than the network has")


def check_network(manifest: Mapping[str, Any], network: Network) -> int:
    """Compare the network with the one of the manifest; the number of layers of the run."""
    layers = int(manifest["layers"])
    check_named(network, manifest, "run")
    if manifest["bits"] != sum(network.bits[:layers]):
        raise ProofRejectedError(
            f"{manifest['bits']} codeword bits, not {sum(network.bits[:layers])}"
        )
    return layers


def check_table(manifest: Mapping[str, Any], table: Rows) -> None:
    """Compare the table with the count and histogram of the manifest.

    A run that was killed has none of them.
    """
    if manifest["status"] == "running":
        return
    stated = manifest["counts"]["regions"]
    if table.count != stated:
        raise ProofRejectedError(f"the table has {table.count} rows, the manifest counts {stated}")
    if manifest["status"] == "finished" and not table.count + manifest["counts"]["undecided"]:
        raise ProofRejectedError("no region is listed, although no domain is empty")
    found = [Counter[int]() for _ in range(table.layers)]
    for ranks in table.rank_columns():
        for counter, column in zip(found, ranks.T, strict=True):
            values, counts = np.unique(column, return_counts=True)
            counter.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    if manifest["rank_histogram"] != [{str(r): n for r, n in entry.items()} for entry in found]:
        raise ProofRejectedError("the rank histogram of the manifest is not that of the table")


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """The entry that seals the proof log; None where the run says that it has none.

    Raises
    ------
    RunError
        If it is not what a run writes, or of another version.
    """
    entry = manifest.get("proof")
    if entry is None:
        return None
    version = entry.get("version") if isinstance(entry, dict) else None
    if type(version) is not int or version not in (1, 2, 3):  # true is 1 in Python
        raise RunError(f"the proof has version {version!r}; this is version 3")
    parts = entry.get("parts")
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise RunError(f"the proof of the manifest is damaged: its parts are {parts!r}")
    if type(entry.get("segments")) is not int:
        raise RunError(
            f"the proof of the manifest is damaged: it has {entry.get('segments')!r} segments"
        )
    rows = entry["rows"] if version > 1 and "rows" in entry else [0] * len(parts)
    if not isinstance(rows, list) or not all(type(row) is int and row >= 0 for row in rows):
        raise RunError(f"the proof of the manifest is damaged: its parts begin at rows {rows!r}")
    if len(rows) < len(parts):
        raise RunError(
            f"the proof of the manifest is damaged: it has {len(parts)} parts, which begin at "
            f"{len(rows)} rows"
        )
    return {**entry, "rows": rows[: len(parts)]}


def check_undecided(prefixes: Sequence[str], layers: Layers, cells: Sequence[str]) -> None:
    """Compare the undecided cells of a run with those that no segment of the log continues.

    Where a unit is tied to an earlier one or has no hyperplane, nothing is to be decided: a "?"
    there is true as well, and makes "at most" larger.
    """
    free = "|".join(
        "".join("?" if here.open >> i & 1 else "=" for i in range(here.units))
        for here in layers.layers
    )
    stated = [
        "".join("=" if f == "=" and c in "1?" else c for c, f in zip(prefix, free, strict=False))
        for prefix in prefixes
        if len(prefix) == len(free)
    ]
    if Counter(stated) != Counter(cells):
        raise ProofRejectedError(
            f"undecided.json states {', '.join(prefixes[:3])}; the log leaves open "
            f"{', '.join(cells[:3])}"
        )


def unverified(path: Path, manifest: Mapping[str, Any], *, whole: bool) -> tuple[str, ...]:
    """What the manifest states, or the directory holds, and nothing verifies.

    ``whole``: all of a proof log was replayed.
    """
    names = [] if whole else ["certified", "counts.undecided"]
    if manifest["status"] == "running":  # a run that was killed has counted nothing
        names += ["counts.regions", "rank_histogram"]
    return (*names, *fields_left(manifest, _VERIFIED), *_not_read(path, manifest))


def fields_left(stated: Mapping[str, Any], verified: Verified) -> list[str]:
    """Fields, with their keys, that are stated beside those that are verified."""
    names: dict[str, None] = {}
    for field, value in stated.items():
        keys = verified.get(field, set())
        if keys and isinstance(value, dict | list):
            parts = value if isinstance(value, list) else [value]
            names |= dict.fromkeys(f"{field}.{k}" for part in parts for k in part if k not in keys)
        elif field not in verified and value not in (None, {}):
            names[field] = None
    return list(names)


def _not_read(path: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Files of the directory that are no part of the run that its manifest states."""
    entry = manifest.get("proof")
    read = {*shard_files(path), *(path / part for part in (entry or {}).get("parts", ()))}
    if manifest["counts"]["undecided"]:
        read.add(path / UNDECIDED_NAME)
    beside = [p for p in path.iterdir() if p.name not in _FILES or p.name == UNDECIDED_NAME]
    inside = [p for name in ("regions", "proof") for p in (path / name).glob("*")]
    return sorted(p.relative_to(path).as_posix() for p in (*beside, *inside) if p not in read)
