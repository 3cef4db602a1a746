"""``polyrank check``: re-derive every claim of a run without a solver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import polyrank as pr
from polyrank.report.summary import counted_as
from polyrank_cli.failures import REJECTED, UNDECIDED, say, sentences
from polyrank_cli.options import JsonOption, ProcessesOption, QuietOption, RunArgument
from polyrank_cli.rationals import shown
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from polyrank.proof.check import Report
    from polyrank.proof.function import FunctionReport
    from polyrank.proof.image import ImageReport
    from polyrank.proof.one_to_one import OneToOneReport
    from polyrank.proof.separation import SeparationReport
    from polyrank.proof.verdict import VerdictReport
    from polyrank.verification.alethe import Exported

__all__ = ["check_command"]


def check_command(
    run: RunArgument,
    network: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The network's file, if it is no longer where the run says."
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(metavar="K", min=1, help="Check K random subtrees instead of all."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the sample.")] = 0,
    jobs: ProcessesOption = 1,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Exact integers for every step: slower, less code to trust."),
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.alethe",
            help="Once a verdict that holds is accepted, write its proof as Alethe, for checkers "
            "of others, and its problem as FILE.smt2 beside it.",
        ),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check a run in rational arithmetic: no region is missing, doubled or wrong.

    RUN may also be a certificate of polyrank homeomorphism -o, image -o or separate -o: then every
    hyperplane, every point and every cell with its image is verified in rationals; or what polyrank
    verify -o wrote: a verdict with its proof, a statement about slopes, two networks or their
    difference. For all of these --sample, --jobs and --exact say nothing.

    Exit status: 0 accepted, 4 rejected (something is false, or the log is no proof: the first bad
    step is named), 3 not decided: there is no proof or it is one of something else, bounds are not
    good enough here, undecided cells remain or the run is partial; 1 the files cannot be read, 2
    wrong usage, 130 interrupted.
    """
    # these load numpy, pyarrow and python-flint, which have no place in --help
    from polyrank.proof.check import Report  # noqa: PLC0415
    from polyrank.proof.format import NotDecidedError, ProofRejectedError  # noqa: PLC0415
    from polyrank.proof.function import FunctionReport  # noqa: PLC0415
    from polyrank.proof.image import ImageReport  # noqa: PLC0415
    from polyrank.proof.one_to_one import OneToOneReport  # noqa: PLC0415
    from polyrank.proof.separation import SeparationReport  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    with sentences():
        try:
            with stage_line(quiet=quiet or as_json):
                report = pr.check(
                    run, network=network, sample=sample, seed=seed, jobs=jobs, exact=exact
                )
        except ProofRejectedError as error:
            undecided = isinstance(error, NotDecidedError)
            if as_json:
                verdict = "undecided" if undecided else "rejected"
                typer.echo(json.dumps({"verdict": verdict, "reason": str(error)}))
            say(f"{'not decided' if undecided else 'rejected'}: {error}")
            raise typer.Exit(UNDECIDED if undecided else REJECTED) from None
        exported = _export(run, export, network, report)
        if as_json:
            verdict = "undecided" if report.doubt else "accepted"
            fields = asdict(report)
            if "verdict" in fields:
                fields["property_verdict"] = fields.pop("verdict")
            files = [str(entry.proof) for entry in exported]
            fields |= {} if export is None else {"exported": files}
            typer.echo(json.dumps({"verdict": verdict, **fields}))
        else:
            if isinstance(report, Report):
                lines = _lines(report)
            elif isinstance(report, OneToOneReport):
                lines = _lines_of_certificate(report)
            elif isinstance(report, ImageReport):
                lines = _lines_of_images(report)
            elif isinstance(report, SeparationReport):
                lines = _lines_of_separation(report)
            elif isinstance(report, FunctionReport):
                lines = _lines_of_function(report)
            else:
                lines = _lines_of_verdict(report)
            for line in lines:
                tell(line)
            for entry in exported:
                tell(f"wrote {entry.proof} ({entry.steps:,} steps) and {entry.problem}")
        if report.doubt:
            raise typer.Exit(UNDECIDED)


def _lines_of_verdict(report: VerdictReport) -> Iterator[str]:
    if report.doubt:
        yield f"not decided: {report.doubt}"
    elif report.verdict == "violated":
        yield f"accepted: {report.name} is violated, by the exact outputs of the counterexample"
    else:
        yield f"accepted: {report.name} holds on all of its domain"
    yield (
        f"{counted_as(report.questions, 'question')}, "
        f"{report.leaves:,} boxes by bounds ({report.halved:,} with those around them), "
        f"{report.exact:,} in exact arithmetic; {report.seconds:.2f} s"
    )
    yield f"not verified: {', '.join(report.unverified)}"


def _export(run: Path, target: Path | None, network: Path | None, report: Any) -> list[Exported]:
    """Write the proof of an accepted verdict as Alethe files, if that is asked for."""
    if target is None:
        return []
    from polyrank.proof.verdict import VerdictReport  # noqa: PLC0415
    from polyrank.verification.alethe import export_alethe  # noqa: PLC0415

    if not isinstance(report, VerdictReport) or report.verdict != "holds":
        raise typer.BadParameter("--export writes the proof of a verdict of verify that holds")
    return export_alethe(run, target, network=network)


def _lines_of_function(report: FunctionReport) -> Iterator[str]:
    from polyrank.network.rational import fmpq_from_text  # noqa: PLC0415

    shown_values = [shown(fmpq_from_text(v)) for v in report.values]
    if len(shown_values) > 1:
        yield f"accepted: {report.claim} is in [{', '.join(shown_values)}]"
    else:
        yield f"accepted: {report.claim}" + "".join(f" is {v}" for v in shown_values)
    yield f"{report.regions:,} regions, their maps composed exactly; {report.seconds:.2f} s"
    yield f"not verified: {', '.join(report.unverified)}"


def _lines_of_certificate(report: OneToOneReport) -> Iterator[str]:
    if report.doubt:
        yield f"not decided: {report.doubt}"
    elif report.refuted_from is None:
        yield f"accepted: layer {report.layer} is one-to-one on M, a homeomorphism onto its image"
    else:
        yield f"accepted: layer {report.layer} is not one-to-one on M"
    if report.proved_through >= 0:
        yield f"layers 0 to {report.proved_through} are one-to-one" + (
            " (0: M in R^n)" if report.proved_through == 0 else ""
        )
    if report.refuted_from is not None:
        yield f"from layer {report.refuted_from} on two points of M have one image"
    yield (
        f"{report.facets:,} simplices, {report.pieces:,} pieces, {report.pairs:,} hyperplanes; "
        f"{report.seconds:.2f} s"
    )


def _lines_of_images(report: ImageReport) -> Iterator[str]:
    if report.doubt:
        yield f"not decided: {report.doubt}"
    else:
        yield f"accepted: the homology of the images of M through layer {report.layer}"
    for name, groups in zip(["M", *range(report.layer + 1)], report.groups, strict=True):
        yield f"layer {name}: {', '.join(groups)}"
    yield f"and the barcode over {'Q' if report.coefficients == 'Z' else report.coefficients}"
    yield f"{report.cells:,} cells, {report.planes:,} hyperplanes; {report.seconds:.2f} s"


def _lines_of_separation(report: SeparationReport) -> Iterator[str]:
    classes = f"{len(report.classes)} classes at the layers {', '.join(map(str, report.layers))}"
    yield f"not decided: {report.doubt}" if report.doubt else f"accepted: {classes}"
    yield (
        f"pairs of classes and layers: {report.apart:,} apart and {report.meeting:,} with a common "
        f"point; {report.separable:,} with a hyperplane and {report.inseparable:,} without; "
        f"{report.linked:,} with linking numbers"
    )
    if report.margins:
        yield "the least margins are those over all of M"
    yield f"not verified: {', '.join(report.unverified)}"
    yield f"{report.planes:,} hyperplanes of pairs of pieces; {report.seconds:.2f} s"


def _lines(report: Report) -> Iterator[str]:
    yield _sentence(report)
    yield f"layers 1..{report.layers} of {report.network_layers}" + (
        ": later layers divide these regions further"
        if report.layers < report.network_layers
        else ""
    )
    yield (
        f"{report.checked:,} of {report.regions:,} rows, {report.steps:,} steps, "
        f"{report.tests:,} by multipliers; {report.seconds:.2f} s"
    )
    yield f"not verified: {', '.join(report.unverified)}"


def _sentence(report: Report) -> str:
    regions = counted_as(report.regions)
    parts = f"{report.segments_checked} of {report.segments} subtrees"
    if report.doubt:
        held = "each with its witness and exact ranks"
        if report.sampled and not report.complete and report.segments:
            held = f"a random sample of {parts} holds"
        return f"not decided: {regions}, {held}; {report.doubt}"
    if report.complete:
        return f"accepted: exactly {regions}, each with its exact ranks; nothing is missing" + (
            f" (a random sample of {parts} is all of them)" if report.sampled else ""
        )
    return f"accepted: a random sample of {parts} of {regions}; the rest was not checked"
