"""``polyrank graph``: facets, adjacency and the closure check of a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import polyrank as pr
from polyrank_cli.failures import ERROR, INTERRUPTED, UNDECIDED, say, sentences
from polyrank_cli.options import (
    ForceOption,
    JobsOption,
    JsonOption,
    QuietOption,
    Reading,
    RunArgument,
)
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from polyrank.api.run import Run
    from polyrank.graph.region_graph import RegionGraph
    from polyrank.network.normal_form import Network

__all__ = ["graph_command", "graph_object", "leave", "made_graph", "show_graph"]


def graph_command(
    run: RunArgument,
    *,
    network: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The network of the run, with the options it was read with; by default the file "
            "that the run names, or the copy that is kept with the graph.",
        ),
    ] = None,
    reading: Reading,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a .graphml, .gexf, .dot, .csv, .parquet or .npz."),
    ] = None,
    linear_regions: Annotated[
        int | None,
        typer.Option(metavar="K", help="Count linear regions and affine maps through layer K."),
    ] = None,
    jobs: JobsOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the facets of every region of RUN and the edges between regions, certified.

    Of a run that is not certified it is the graph of the listed regions: facets that lead to others
    are counted. Where it takes a while, the regions that are done are kept in RUN/graph.tasks: the
    same command goes on there after Ctrl-C, or whatever ended it.

    Exit status: 0 if every facet leads to a listed region or to the wall, 3 if the run itself is
    not certified, 1 if the closure check fails or something cannot be read.
    """
    # these load numpy and pyarrow, which have no place in --help
    from polyrank.graph.linear_regions import linear_region_counts  # noqa: PLC0415
    from polyrank.graph.store import (  # noqa: PLC0415
        TASKS_NAME,
        export_graph,
        has_graph,
        load_graph,
        stored_network,
    )

    quiet = quiet or as_json
    with sentences():
        opened = pr.open_run(run)
        if network is not None:
            loaded = reading.load(network)
        elif has_graph(opened):
            loaded = stored_network(opened)
        else:
            loaded = opened.source()
        if force:
            shutil.rmtree(run / TASKS_NAME, ignore_errors=True)
        if network is None and has_graph(opened) and not force:
            graph = load_graph(opened)
        else:
            graph = made_graph(opened, loaded, jobs, quiet=quiet)
        if export is not None:
            export_graph(graph, opened, export)
        shown = graph_object(graph, opened)
        if linear_regions is not None:
            counts = linear_region_counts(opened, loaded, graph, linear_regions)
            shown["linear_regions"] = counts
        if as_json:
            typer.echo(json.dumps(shown))
        else:
            show_graph(graph, opened, shown)
    leave(graph, opened)


def made_graph(run: Run, network: Network, jobs: int | None, *, quiet: bool) -> RegionGraph:
    """Make the graph of a run, or go on making it, and write it into the run's directory."""
    from polyrank.graph.build import region_graph  # noqa: PLC0415
    from polyrank.graph.store import TASKS_NAME, save_graph  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    if run.path is None:
        raise AssertionError("a run that was opened has a directory")
    tasks = run.path / TASKS_NAME
    try:
        with stage_line(quiet=quiet):
            graph = region_graph(run, network, keep=tasks, jobs=jobs)
    except KeyboardInterrupt:
        if not tasks.exists():
            raise
        say(f"interrupted; what is done is in {tasks}, and polyrank graph {run.path} goes on")
        raise typer.Exit(INTERRUPTED) from None
    save_graph(graph, network, run)
    return graph


def leave(graph: RegionGraph, run: Run) -> None:
    """Exit with the status of a graph, unless that is 0.

    A run that is not certified does not claim that its list is complete: a facet that leads to
    another region contradicts a certified run only.
    """
    if not graph.closure.symmetric or (run.certified and not graph.closure.closed):
        raise typer.Exit(ERROR)
    if not run.certified:
        raise typer.Exit(UNDECIDED)


def graph_object(graph: RegionGraph, run: Run) -> dict[str, Any]:
    """The graph of a run as a JSON-serialisable object."""
    from polyrank.graph.hamming import hamming_pairs  # noqa: PLC0415  (loads numpy)

    closure = graph.closure
    pairs, apart = hamming_pairs(run, graph)
    return {
        "regions": graph.regions,
        "edges": graph.edges,
        "facets": closure.facets,
        "wall_facets": closure.wall_facets,
        "certified_run": run.certified,
        "closed": closure.closed,
        "missing": closure.missing,
        "gaps": [
            {
                "region": gap.region,
                "unit": gap.unit,
                "codeword": "".join(map(str, gap.codeword)),
                "beyond": [str(v) for v in gap.beyond],
            }
            for gap in closure.gaps
        ],
        "components": closure.components,
        "hamming_pairs": pairs,
        "hamming_pairs_not_adjacent": apart,
        "statistics": dict(graph.statistics),
    }


def show_graph(graph: RegionGraph, run: Run, shown: dict[str, Any]) -> None:
    """Print what :func:`graph_object` says."""
    from polyrank.report.tables import word_text  # noqa: PLC0415  (loads numpy)

    closure, regions = graph.closure, max(1, graph.regions)
    partial = not shown["certified_run"]
    if partial:
        tell(
            "the run is not certified: this is the graph of the regions that it lists, and all "
            "numbers are theirs alone"
        )
    tell(
        f"{graph.regions:,} {'listed ' if partial else ''}regions, {graph.edges:,} edges, mean "
        f"degree {2 * graph.edges / regions:.2f}"
    )
    tell(f"{closure.facets:,} facets, {closure.wall_facets:,} of them on the domain's wall")
    if closure.closed:
        tell("closed: every facet leads to a listed region or to the wall")
    elif not closure.symmetric:
        tell("NOT CLOSED: a facet was found from one side only")
    else:
        beyond = f"behind {closure.missing:,} facets no region is listed"
        tell(f"not closed, as expected: {beyond}" if partial else f"NOT CLOSED: {beyond}")
        for gap in closure.gaps[: 3 if partial else 10]:
            word = word_text(gap.codeword, run.layer_bits)
            behind = run.unit_names[gap.unit]
            tell(f"  beyond {behind} of region {gap.region}: codeword {word}")
    tell(f"components: {closure.components}")
    tell(
        f"{shown['hamming_pairs']:,} pairs of codewords differ in one bit; "
        f"{shown['hamming_pairs_not_adjacent']:,} of them share no facet"
    )
    if "linear_regions" in shown:
        counts = shown["linear_regions"]
        tell(
            f"through layer {counts['layer']}: {counts['activation_regions']:,} activation "
            f"regions, {counts['linear_regions']:,} linear regions, "
            f"{counts['affine_maps']:,} distinct affine maps"
        )
    stat = shown["statistics"]
    tell(
        f"{stat['seconds']:.2f} s, {1e6 * stat['seconds'] / regions:.1f} µs and "
        f"{stat['lps'] / regions:.1f} linear programs per region, "
        f"{stat['open']:,} regions in rational arithmetic"
    )
