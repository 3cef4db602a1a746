"""One self-contained HTML page about a run: the question, the verdict, what proves it, the map."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyrank.errors import UnsupportedError
from polyrank.graph.low_rank import LowRankPart, low_rank_part
from polyrank.graph.region_graph import RegionGraph
from polyrank.network.rational import nearest_float, to_fmpq
from polyrank.regions.proof_log import PROOF_NAME
from polyrank.report.colouring import rank_colour
from polyrank.report.image_section import image_section
from polyrank.report.interactive import MapOfPage, interactive_map
from polyrank.report.summary import counted_as, depth, layer_summary, seconds, seen, verdict

if TYPE_CHECKING:
    from polyrank.graph.geometry import Regions
    from polyrank.regions.run import Run

__all__ = ["page_file", "report_page"]

_MOST_COMPONENTS = 50


def page_file(path: str | Path) -> Path:
    """The path, if a page can be written there; asked before any work is done.

    Raises
    ------
    UnsupportedError
        If the suffix is not .html, there is no such folder, or jinja2 is not installed.
    """
    target = Path(path)
    if target.suffix.lower() not in {".html", ".htm"}:
        raise UnsupportedError(f"{target.name}: a report is written as .html")
    if not target.parent.is_dir():
        raise UnsupportedError(f"{target}: there is no folder {target.parent}")
    _template()
    return target


def _template() -> Any:
    try:
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  (optional)
    except ModuleNotFoundError:
        raise UnsupportedError("jinja2 is not installed: pip install 'polyrank[report]'") from None
    text = resources.files("polyrank.report").joinpath("templates/report.html").read_text("utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(text)


def report_page(
    run: Run,
    regions: Regions | None,
    *,
    layer: int | None = None,
    below: int | None = None,
    images: str | Path | None = None,
) -> str:
    """The page as text; it needs no other file and no network.

    Parameters
    ----------
    run : Run
    regions : Regions or None
        Access to the regions, their graph among it; None leaves the map, the graph and the
        components out and says why.
    layer : int, optional
        K of the map and of the low-rank part; default: the last layer with a hyperplane.
    below : int, optional
        Regions of rank < ``below`` are low-rank; default: the dimension of the domain.
    images : path, optional
        The directory of a certificate of images (``polyrank image -o``) of the same network: the
        page shows their homology and the barcode whose axis is the layer.

    Raises
    ------
    RunError
        If there is no such layer, ``below`` is not between 1 and the dimension of the domain, or
        there is no certificate of images of the run's network.
    UnsupportedError
        If jinja2 or bokeh is not installed.
    """
    template = _template()
    bent = [k for k, n in enumerate(run.layer_bits, 1) if n]
    k = run.chosen_layer(bent[-1] if layer is None and bent else layer)
    bound = run.dimension if below is None else below
    rows = [_layer(row, bound) for row in layer_summary(run, below)]
    drawn, no_map = _map(run, regions, k, bound)
    network = run.network
    return str(
        template.render(
            title=f"{network['name']} {'-'.join(map(str, network['widths']))}",
            verdict=verdict(run),
            certified=run.certified,
            depth=depth(run),
            seen=seen(run),
            question=_question(run),
            proved=_proved(run),
            check=f"polyrank check {run.path or 'RUN'}",
            layers=rows,
            least="" if run.certified else "≥ ",
            most="" if run.certified else "≤ ",
            layer=k,
            below=bound,
            map=drawn,
            no_map=no_map,
            keys=_keys(run, regions, k) if drawn else [],
            part=None if regions is None else _part(low_rank_part(regions, bound, k)),
            graph=None if regions is None else _graph(regions.graph),
            images=None if images is None else image_section(images, network),
            no_graph="The network is not known: name it with --network.",
            provenance=_provenance(run),
        )
    )


def _layer(row: Mapping[str, Any], below: int) -> dict[str, Any]:
    ranks = row["decomposition_rank_histogram"]
    largest = max(ranks.values(), default=1)
    return {
        "layer": row["layer"],
        "units": f"{row['units']:,}",
        "bits": f"{row['bits']:,}",
        "decomposition": f"{row['decomposition']:,}",
        "min_rank": "–" if row["min_rank"] is None else row["min_rank"],
        "low": f"{row['decomposition_low_rank']:,}",
        "bars": [
            {
                "rank": rank,
                "count": f"{count:,}",
                "share": round(100 * count / largest, 2),
                "low": int(rank) < below,
            }
            for rank, count in ranks.items()
        ],
    }


def _map(
    run: Run, regions: Regions | None, layer: int, below: int
) -> tuple[MapOfPage | None, str | None]:
    if run.coordinates != 2 or run.lineality:
        return None, None
    if regions is None:
        return None, "The network is not known: name it with --network, and the regions are drawn."
    if not run.count:
        return None, "No region is listed."
    try:
        return interactive_map(regions, layer=layer, below=below), None
    except UnsupportedError as problem:
        if "not installed" in str(problem):
            raise
        return None, f"Not drawn: {problem}."


def _keys(run: Run, regions: Regions | None, layer: int) -> list[dict[str, str]]:
    largest = 0 if regions is None else min(2, regions.chart.k)
    histogram = run.rank_histogram(layer)
    return [
        {
            "face": rank_colour(rank, largest),
            "label": f"rank {rank}: {counted_as(count)}",
        }
        for rank, count in sorted(histogram.items())
    ]


def _question(run: Run) -> str:
    network = run.network
    units = sum(run.layer_bits)
    return (
        f"Into which regions do the {units:,} hyperplanes of {network['name']} (inputs: "
        f"{network['widths'][0]:,}) divide {_domain(run.manifest['domain'])}, and of which rank "
        "is the map on each?"
    )


def _domain(domain: Mapping[str, Any]) -> str:
    kind = domain["kind"]
    if kind == "box":
        sides = [_side(domain[key]) for key in ("lower", "upper")]
        return f"the box {sides[0]} ≤ x ≤ {sides[1]}"
    words = {
        "whole space": "all of the input space",
        "polytope": "a polytope A x ≤ b",
        "simplex": "a segment, triangle or simplex through given points",
        "slice": "a slice of the input space",
    }
    text = words.get(kind, kind)
    inner = domain.get("inner")
    return f"{text}, cut by {_domain(inner)} there" if isinstance(inner, dict) else text


def _side(value: Any) -> str:
    if not isinstance(value, list):
        return _short(value)
    if len(set(value)) == 1:
        return _short(value[0])
    return f"({', '.join(map(_short, value[:6]))}{', …' if len(value) > 6 else ''})"


def _short(value: Any) -> str:
    exact = to_fmpq(value)
    text = str(exact)
    return text if len(text) <= 8 else f"≈{nearest_float(exact):.6g}"


def _proved(run: Run) -> list[str]:
    found = [
        (
            "Every listed region exists: a rational point lies strictly inside, its signs decided "
            "exactly."
        ),
        "The rank of the map on every region is exact.",
    ]
    if run.certified:
        found.append(
            "There is no other region: every part of the domain that was left out was refuted by a "
            "verified certificate."
        )
    else:
        found.append("It is not proved that the list is complete: counts are lower bounds.")
    if run.path is not None and (run.path / PROOF_NAME).is_dir():
        found.append(
            "The directory of the run holds the whole search tree, which polyrank check replays "
            "without the code that made it."
        )
    elif run.certified:
        found.append(
            "The search tree is not there (--proof writes it): a check verifies the rows, not that "
            "none is missing."
        )
    return found


def _part(part: LowRankPart) -> dict[str, Any]:
    if not part.components:
        return {"sentence": f"No listed region has rank below {part.below}.", "rows": []}
    parts = len(part.components)
    sentence = (
        f"{counted_as(part.regions)} of rank below {part.below} in "
        f"{counted_as(parts, 'component')} through facets"
    )
    if part.contact_components is not None:
        sentence += f", {part.contact_components:,} if contact of any dimension counts"
    if parts > _MOST_COMPONENTS:
        sentence += f"; the {_MOST_COMPONENTS} largest"
    yes = {True: "yes", False: "no", None: "–"}
    rows = [
        {
            "regions": f"{len(component.regions):,}",
            "ranks": ", ".join(f"{n:,} of rank {r}" for r, n in sorted(component.ranks.items())),
            "bounded": yes[component.bounded],
            "wall": yes[component.touches_wall],
            "image": "–"
            if component.image is None
            else f"({', '.join(map(_short, component.image[:6]))}"
            f"{', …' if len(component.image) > 6 else ''})",
        }
        for component in part.components[:_MOST_COMPONENTS]
    ]
    return {"sentence": f"{sentence}.", "rows": rows}


def _graph(graph: RegionGraph) -> list[tuple[str, str]]:
    degrees, closure = graph.degrees(), graph.closure
    return [
        ("regions", f"{graph.regions:,}"),
        ("edges (pairs that share a facet)", f"{graph.edges:,}"),
        ("facets, and of them on the wall", f"{closure.facets:,} / {closure.wall_facets:,}"),
        ("mean degree", f"{2 * graph.edges / max(1, graph.regions):.2f}"),
        ("least and greatest degree", f"{min(degrees, default=0)} / {max(degrees, default=0)}"),
        ("components", f"{closure.components:,}"),
        ("every facet leads to a listed region or the wall", "yes" if closure.closed else "no"),
    ]


def _provenance(run: Run) -> list[tuple[str, str]]:
    manifest, network = run.manifest, run.network
    source = network.get("source", {})
    time = seconds(run)
    entries = [
        ("network, hash of the exact function", network["hash"]),
        ("file", source.get("file")),
        ("format", source.get("format")),
        ("sha256 of the file", source.get("sha256")),
        ("what was folded or assumed", "; ".join(source.get("notes", ())) or None),
        ("domain", json.dumps(manifest["domain"])[:600]),
        ("engine", manifest.get("engine")),
        ("started", manifest.get("started")),
        ("seconds", None if time is None else f"{time:.2f}"),
        ("versions", ", ".join(f"{k} {v}" for k, v in manifest.get("versions", {}).items())),
        ("run", None if run.path is None else str(run.path)),
    ]
    return [(name, str(value)) for name, value in entries if value]
