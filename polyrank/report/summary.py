"""What a run says, as one JSON-serialisable object and as a table of its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from polyrank.errors import RunError
from polyrank.network.normal_form import unit_name

if TYPE_CHECKING:
    from polyrank.regions.run import Run

__all__ = [
    "counted",
    "counted_as",
    "depth",
    "format_histogram",
    "large",
    "layer_summary",
    "rank_lines",
    "run_object",
    "seconds",
    "value_name",
    "verdict",
]


def verdict(run: Run) -> str:
    """One sentence on what the run proves; it says "certified" only of a certified run."""
    listed = counted_as(run.count)
    if run.certified:
        return f"certified: exactly {listed}"
    at_most = run.count_interval[1]
    if run.status != "finished":
        reason = {
            "interrupted": "it was interrupted",
            "failed": "it failed",
            "running": "it was killed or is still running",
            "stopped": f"stopped at {run.manifest.get('limit')}",
        }.get(run.status, f"its status is {run.status!r}")
        most = "" if at_most is None else f" and at most {large(at_most)}"
        return f"partial: at least {listed}{most}; {reason}"
    return (
        f"not certified: at least {listed}"
        + ("" if at_most is None else f" and at most {large(at_most)}")
        + f"; {_undecided(run.undecided)}"
    )


def counted(run: Run) -> str:
    """The number of regions in a title: ``at least``, unless it is proved."""
    listed = counted_as(run.count)
    return listed if run.certified else f"at least {listed}"


def counted_as(count: int, what: str = "region") -> str:
    """``1 region``, ``1,375 regions``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def value_name(run: Run, layer: int, unit: int) -> str:
    """What a map through a layer has at a place from 0: ``output 0``, or ``layer 1 unit 1``."""
    return f"output {unit}" if layer == run.network_layers else unit_name(layer, unit)


def seen(run: Run) -> str:
    """On how many dimensions of the domain the regions depend; empty if on all of them."""
    if not run.lineality:
        return ""
    return (
        f"regions depend on {run.coordinates:,} of the domain's {run.dimension:,} dimensions; "
        "along the others neither the first layer nor the domain changes"
    )


def depth(run: Run) -> str:
    """Of which layers the regions are: ``layers 1..K of L``."""
    text = f"layers 1..{run.layers} of {run.network_layers}"
    return text if run.layers == run.network_layers else f"{text}: later layers divide them further"


def _undecided(count: int) -> str:
    if count == 1:
        return "1 undecided prefix remains"
    return f"{count:,} undecided prefixes remain"


def large(value: int) -> str:
    """A bound in digits, or as a power of two above it."""
    # a bound such as 2^300 is true but no use to anyone digit by digit
    return f"{value:,}" if value < 10**15 else f"2^{value.bit_length()}"


def seconds(run: Run) -> float | None:
    """Wall time of the enumeration; None of a run that did not finish."""
    timings: Mapping[str, float] = run.manifest["timings"]
    return timings.get("total")


def run_object(run: Run) -> dict[str, Any]:
    """The object that ``--json`` prints.

    Returns
    -------
    dict
        ``regions``, ``undecided``, ``certified``, ``status``, ``regions_at_most`` (null without a
        bound), ``rank_histogram`` (one ``{rank: count}`` per layer, output last), ``min_rank``
        (per layer, over the listed regions), ``min_rank_at_least`` (per layer, what is proved of
        all regions: the same if the run is certified, else 0), ``through_layer`` and
        ``network_layers`` (layers enumerated, layers of the network), ``seconds`` (without
        compilation), ``tests``, ``pivots``, ``ladder``,
        ``domain``, ``dimension``, ``lineality`` (of it: directions that nothing depends on),
        ``network`` (name, hash, widths, bits, source), ``engine``,
        ``options``, ``notes``, ``versions``, ``timings``, ``output`` (the directory or null),
        ``limit`` (at which it was stopped, or null), ``open`` (what is open, or null) and
        ``content`` (a hash of the rows; null of a partial run).
    """
    manifest = run.manifest
    search: Mapping[str, Any] = manifest["search"]
    return {
        "regions": run.count,
        "undecided": run.undecided,
        "certified": run.certified,
        "status": run.status,
        "regions_at_most": run.count_interval[1],
        "rank_histogram": manifest["rank_histogram"],
        "min_rank": list(run.min_rank),
        "min_rank_at_least": list(run.min_rank) if run.certified else [0] * run.layers,
        "through_layer": run.layers,
        "network_layers": run.network_layers,
        "seconds": seconds(run),
        "tests": search.get("tests"),
        "pivots": search.get("pivots"),
        "ladder": search.get("ladder", {}),
        "domain": manifest["domain"],
        "dimension": run.dimension,
        "lineality": run.lineality,
        "network": dict(run.network),
        "engine": manifest.get("engine"),
        "options": manifest.get("options", {}),
        "notes": manifest.get("notes", {}),
        "versions": manifest.get("versions", {}),
        "timings": manifest["timings"],
        "output": None if run.path is None else str(run.path),
        "limit": manifest.get("limit"),
        "open": manifest.get("open"),
        "content": manifest.get("content"),
    }


def layer_summary(run: Run, embedding_dim: int | None = None) -> list[dict[str, Any]]:
    """Per layer: size, regions of the decomposition by the first K layers, ranks.

    Parameters
    ----------
    run : Run
    embedding_dim : int, optional
        Dimension m of the data: a region of rank below m is *low-rank*. Default: the dimension of
        the domain, which for a full-dimensional domain is that of the input.

    Returns
    -------
    list of dict
        ``layer``, ``units``, ``bits``, ``decomposition`` (distinct prefixes),
        ``rank_histogram`` and ``low_rank`` over the run's regions, the same two over the
        decomposition's own regions (``decomposition_...``), ``min_rank``.

    Raises
    ------
    RunError
        If ``embedding_dim`` is not between 1 and the dimension of the domain.

    Notes
    -----
    Source of the low-rank regions: Beshkov and Einevoll, "A rank decomposition for the
    topological classification of neural representations", equations 2-4. Of a run that is not
    certified, every count is a lower bound, and ``min_rank`` an upper one.
    """
    m = run.dimension if embedding_dim is None else embedding_dim
    if embedding_dim is not None and not 1 <= m <= run.dimension:
        raise RunError(
            f"low-rank is a rank below {m}; expected 1 to the dimension of the domain, "
            f"{run.dimension}"
        )
    rows: list[dict[str, Any]] = []
    for k in range(1, run.layers + 1):
        ranks = run.rank_histogram(k)
        own, own_ranks = run.decomposition_counts(k)
        rows.append(
            {
                "layer": k,
                "units": run.network["widths"][k],
                "bits": run.network["bits"][k - 1],
                "decomposition": own,
                "min_rank": min(ranks, default=None),
                "rank_histogram": _spelled(ranks),
                "low_rank": sum(n for rank, n in ranks.items() if rank < m),
                "decomposition_rank_histogram": _spelled(own_ranks),
                "decomposition_low_rank": sum(n for rank, n in own_ranks.items() if rank < m),
            }
        )
    return rows


def _spelled(histogram: Mapping[int, int]) -> dict[str, int]:
    return {str(rank): histogram[rank] for rank in sorted(histogram)}


def format_histogram(histogram: Mapping[str, int]) -> str:
    """``{"0": 3, "2": 1200}`` as ``0:3 2:1,200``."""
    return " ".join(f"{rank}:{n:,}" for rank, n in histogram.items())


def rank_lines(histograms: Sequence[Mapping[Any, int]], of: str = "") -> list[str]:
    """One line per layer; layers in a row that say the same share one.

    Examples
    --------
    >>> rank_lines([{0: 1, 2: 6}, {1: 7}, {1: 7}])
    ['rank through layer 1: 0:1 2:6', 'rank through layers 2-3: 1:7']
    """
    texts = [format_histogram({str(r): n for r, n in found.items()}) for found in histograms]
    lines, first = [], 0
    for last, text in enumerate(texts, start=1):
        if last < len(texts) and texts[last] == text:
            continue
        which = f"layer {last}" if last == first + 1 else f"layers {first + 1}-{last}"
        lines.append(f"rank through {which}{of}: {text}")
        first = last
    return lines
