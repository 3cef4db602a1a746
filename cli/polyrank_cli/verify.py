"""``polyrank verify``: whether a network has a property on a domain, exactly."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polyrank_cli.failures import INTERRUPTED, refuse_existing, say, sentences
from polyrank_cli.options import (
    DomainChoice,
    ForceOption,
    JobsOption,
    JsonOption,
    NetworkArgument,
    Only,
    QuietOption,
    Reading,
    TimeOption,
    directory_output,
)
from polyrank_cli.rationals import ROUNDED, short_point
from polyrank_cli.streams import tell
from polyrank_cli.verify_function import (
    EXIT,
    Asked,
    Said,
    difference_said,
    equal_said,
    lipschitz_said,
    monotone_said,
)

if TYPE_CHECKING:
    from polyrank.network.normal_form import Network
    from polyrank.polyhedra.domain import Domain
    from polyrank.polyhedra.violation import Specification
    from polyrank.verification.counterexample import Counterexample
    from polyrank.verification.verify import Verification

__all__ = ["verify_command"]


class Norm(StrEnum):
    """Norms of inputs and outputs, as the command line spells them."""

    one = "1"
    two = "2"
    inf = "inf"


def verify_command(
    network: NetworkArgument,
    property_: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PROPERTY]",
            help="A VNN-LIB file: what may not happen. Or an option states the property.",
            show_default=False,
        ),
    ] = None,
    *,
    argmax: Annotated[
        int | None,
        typer.Option(metavar="J", help="Output J (from 0) is greater than every other output."),
    ] = None,
    lower: Annotated[
        str | None, typer.Option(metavar="A", help="Outputs are at least A, exact.")
    ] = None,
    upper: Annotated[
        str | None, typer.Option(metavar="B", help="Outputs are at most B, exact.")
    ] = None,
    monotone: Annotated[
        int | None,
        typer.Option(metavar="I", help="Output --of is non-decreasing in input I."),
    ] = None,
    equal: Annotated[
        Path | None,
        typer.Option(metavar="NETWORK2", help="The same function as NETWORK2."),
    ] = None,
    lipschitz: Annotated[
        Norm | None,
        typer.Option(metavar="P", help="The least Lipschitz constant for the norm 1, 2 or inf."),
    ] = None,
    difference: Annotated[
        Path | None,
        typer.Option(metavar="NETWORK2", help="The greatest difference from NETWORK2, exact."),
    ] = None,
    of: Annotated[
        int | None,
        typer.Option(metavar="J", help="With --lower, --upper, --monotone: only output J, from 0."),
    ] = None,
    domain: Annotated[DomainChoice, Only(("box", "box_file", "polytope", "slice", "input_range"))],
    output: Annotated[
        Path | None,
        directory_output("Write the verdict to a new directory."),
    ] = None,
    proof: Annotated[
        bool, typer.Option("--proof", help="Also the proof of it, for polyrank check.")
    ] = False,
    time: TimeOption = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Go on with the same question in the directory that -o/--output made.",
        ),
    ] = None,
    jobs: JobsOption = None,
    reading: Reading,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Whether NETWORK has a property: holds (proved), violated (an exact input) or unknown.

    PROPERTY is a VNN-LIB file, 1.0 or 2.0: what may not happen; --box and the other domains leave
    out inputs outside of them. --argmax, --lower and --upper state a property of the outputs on a
    domain instead; --monotone and --equal are proved on every region; --lipschitz and --difference
    ask for a number. -o keeps the answer for polyrank check, with --proof what proves it; a verdict
    that is not reached goes on there with --resume, however the search ended.

    Exit status: 0 holds (or the number is proved), 5 violated, 3 unknown (the time limit, or
    exact linear programs in too many inputs), 1 error, 2 wrong usage, 130 interrupted.
    """
    # numpy and flint load here, which is more than --help may take
    from polyrank.polyhedra.domain import WholeSpace  # noqa: PLC0415
    from polyrank.polyhedra.vnnlib import read_vnnlib, vnnlib_text  # noqa: PLC0415
    from polyrank.verification.verify import VerificationInterrupted, verify  # noqa: PLC0415
    from polyrank_cli.convention import in_its_units, needs_convention  # noqa: PLC0415
    from polyrank_cli.domains import chosen_domain  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    bounds = [name for name, v in (("--lower", lower), ("--upper", upper)) if v is not None]
    named = {
        "PROPERTY": property_, "--argmax": argmax, "--monotone": monotone, "--equal": equal,
        "--lipschitz": lipschitz, "--difference": difference,
    }  # fmt: skip
    asked = [name for name, v in named.items() if v is not None]
    if len(asked) + bool(bounds) != 1:
        given = " and ".join([*asked, *bounds]) or "nothing"
        raise typer.BadParameter(
            f"name one property ({given} is given): a VNN-LIB file, --argmax, --lower and "
            "--upper, --monotone, --equal, --lipschitz or --difference"
        )
    if of is not None and not bounds and monotone is None:
        raise typer.BadParameter("--of goes with --lower, --upper or --monotone")
    whole = monotone is not None or equal or lipschitz or difference
    if resume is not None and output is not None:
        raise typer.BadParameter("--resume goes on in its own directory; leave out -o/--output")
    if resume is not None and whole:
        raise typer.BadParameter(
            f"--resume goes on with PROPERTY, --argmax, --lower and --upper, not with {asked[0]}"
        )
    if proof and output is None and resume is None:
        raise typer.BadParameter("--proof writes beside the verdict; name a directory with -o")
    with sentences():
        loaded = reading.load(network)
        where = chosen_domain(domain, loaded)
        other = equal or difference
        second = None if other is None else reading.load(other)
        if property_ is not None:
            vnnlib_text(property_)  # --force removes nothing for a file that is not there
        refuse_existing(output, force=force)
        if whole:
            seconds = math.inf if time is None else time
            asked_of = Asked(network, loaded, where, reading, seconds, jobs, output, proof)
            with stage_line(quiet=quiet or as_json):
                said = _whole_function(asked_of, second, monotone, equal, lipschitz, difference, of)
            if as_json:
                typer.echo(json.dumps(said[0]))
            else:
                tell("\n".join(said[1]))
            raise typer.Exit(said[2])
        if property_ is not None and needs_convention(loaded, reading):
            first = read_vnnlib(property_).cases[0]
            loaded, reading, note = in_its_units(network, loaded, first, reading)
            if not quiet:
                say(note)
        interrupted = False
        try:
            with stage_line(quiet=quiet or as_json):
                found = verify(
                    loaded,
                    _own_property(loaded, where, argmax, lower, upper, of)
                    if property_ is None
                    else property_,
                    None if property_ is None or isinstance(where, WholeSpace) else where,
                    seconds=math.inf if time is None else time,
                    jobs=jobs,
                    out=output if resume is None else resume,
                    proof=proof,
                    network_file=reading.record(network),
                    resume=resume is not None,
                )
        except VerificationInterrupted as interruption:
            interrupted, found = True, interruption.found
        if as_json:
            typer.echo(json.dumps(found.summary()))
        else:
            _show(found)
        if interrupted:
            kept = output if resume is None else resume
            goes_on = "" if kept is None else f"; the same question goes on with --resume {kept}"
            say(f"interrupted; what was decided until then is above{goes_on}")
            raise typer.Exit(INTERRUPTED)
        raise typer.Exit(EXIT[found.verdict])


def _whole_function(
    asked: Asked,
    second: Network | None,
    monotone: int | None,
    equal: Path | None,
    lipschitz: Norm | None,
    difference: Path | None,
    of: int | None,
) -> Said:
    if monotone is not None:
        return monotone_said(asked, monotone, of or 0)
    if equal is not None and second is not None:
        return equal_said(asked, equal, second)
    if lipschitz is not None:
        return lipschitz_said(asked, lipschitz.value)
    if difference is None or second is None:
        raise AssertionError("no property is named")
    return difference_said(asked, difference, second)


def _own_property(
    network: Network,
    where: Domain,
    argmax: int | None,
    lower: str | None,
    upper: str | None,
    of: int | None,
) -> Specification:
    from polyrank.verification.properties import argmax_constant, output_bounds  # noqa: PLC0415

    if argmax is not None:
        return argmax_constant(network, where, argmax)
    return output_bounds(network, where, lower=lower, upper=upper, output=of)


def _show(found: Verification) -> None:
    exact = sum(question.exact for question in found.questions)
    lines = []
    match found.verdict:
        case "holds":
            lines.append(f"holds: {found.name}, proved on all of the domain")
        case "violated":
            lines.append(f"violated: {found.name}")
        case "unknown":
            lines.append(f"unknown: {found.name}")
    if found.counterexample is not None:
        lines += _counterexample_lines(found.counterexample)
    several = len(found.questions) > 1
    for number, question in enumerate(found.questions):
        if question.answer == "open" or question.note:
            which = f"part {number} of the domain: " if several else ""
            state = "open" if question.answer == "open" else "nothing to violate"
            done = f", {100 * question.share:.3f}% of its box decided" if question.boxes else ""
            lines.append(f"{which}{state}{done}; {question.note}")
    lines.append(
        f"{found.seconds:.2f} s; {found.boxes:,} boxes"
        + (f", {exact:,} of them decided in rational arithmetic" if exact else "")
    )
    if any("≈" in line for line in lines):
        lines.append(ROUNDED)
    tell("\n".join(lines))


def _counterexample_lines(found: Counterexample) -> list[str]:
    lines = [f"input: {short_point(found.x)}", f"outputs: {short_point(found.y)}"]
    for run in found.reruns:
        if run.fault:
            lines.append(f"{run.by}: not run; {run.fault}")
            continue
        state = (
            "violated as well"
            if run.violates
            else "the rounded input is outside of the domain"
            if not run.inside
            else "not violated"
            if all(map(math.isfinite, run.y))
            else "it overflows"
        )
        shown_y = ", ".join(f"{v:.9g}" for v in run.y[:12])
        lines.append(f"{run.by}: {state}; outputs {shown_y}{', ...' if len(run.y) > 12 else ''}")
    return lines
