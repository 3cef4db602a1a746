"""What ``polyrank verify`` says about a function as a whole: slopes, and two networks compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyrank_cli.failures import UNDECIDED, VIOLATED
from polyrank_cli.rationals import root, root_text, short_point, shown

if TYPE_CHECKING:
    from polyrank.network.normal_form import Network
    from polyrank.polyhedra.domain import Domain
    from polyrank_cli.options import Reading

__all__ = [
    "EXIT",
    "Asked",
    "Said",
    "difference_said",
    "equal_said",
    "lipschitz_said",
    "monotone_said",
]

_VERDICTS = {True: "holds", False: "violated", None: "unknown"}
#: Exit status of a verdict.
EXIT = {"holds": 0, "violated": VIOLATED, "unknown": UNDECIDED}

#: The object of ``--json``, the lines of text, the exit status.
Said = tuple[dict[str, Any], list[str], int]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of which network, and what is kept of the answer.

    Attributes
    ----------
    file : Path
        Of the network.
    network : Network
    domain : Domain
    reading : Reading
    seconds : float
    jobs : int or None
    output : Path or None
    proof : bool
    """

    file: Path
    network: Network
    domain: Domain
    reading: Reading
    seconds: float
    jobs: int | None
    output: Path | None
    proof: bool

    @property
    def kept(self) -> dict[str, Any]:
        """Arguments of every function that answers."""
        return {
            "seconds": self.seconds,
            "jobs": self.jobs,
            "out": self.output,
            "proof": self.proof,
            "network_file": self.reading.record(self.file),
        }


def _late(regions: int) -> str:
    return f"the time limit was reached after {regions:,} regions"


def monotone_said(asked: Asked, input_: int, output: int) -> Said:
    """Whether an output is non-decreasing in an input."""
    from polyrank.verification.gradients import monotone  # noqa: PLC0415

    found = monotone(asked.network, asked.domain, input_=input_, output=output, **asked.kept)
    what = f"output {output} is non-decreasing in input {input_}"
    points = None
    lines = [f"holds: {what}, on all of the {found.regions:,} regions"]
    if found.holds is None:
        lines = [f"unknown: {what}; {_late(found.regions)}"]
    if found.points is not None:
        points = [[str(v) for v in point] for point in found.points]
        lines = [
            f"violated: {what}",
            f"at   {short_point(found.points[0])}",
            f"then {short_point(found.points[1])}, where it is less",
        ]
    verdict = _VERDICTS[found.holds]
    shown_object = {
        "verdict": verdict, "property": what, "points": points, "regions": found.regions,
    }  # fmt: skip
    return shown_object, lines, EXIT[verdict]


def lipschitz_said(asked: Asked, norm: str) -> Said:
    """The least Lipschitz constant."""
    from polyrank.network.rational import nearest_float  # noqa: PLC0415
    from polyrank.verification.gradients import lipschitz  # noqa: PLC0415

    found = lipschitz(asked.network, asked.domain, norm, **asked.kept)
    square = norm == "2"
    if not found.complete:
        lower, upper = ((root_text(v) if square else shown(v)) for v in (found.lower, found.upper))
        value, near = f"at least {lower} and at most {upper}; {_late(found.regions)}", None
    elif square:
        value = f"{root_text(found.lower)} (proved: its square is in [lower, upper] of --json)"
        near = root(found.upper)
    else:
        value = shown(found.lower)
        rounded = nearest_float(found.lower)
        near = rounded if math.isfinite(rounded) else None
    state = "certified" if found.complete else "unknown"
    lines = [f"{state}: the least Lipschitz constant, norm {norm}, is {value}"]
    if found.witness:
        lines.append(
            f"{'' if found.complete else 'the lower one is '}attained in the region of "
            f"{short_point(found.witness)}"
        )
    lines.append(f"{found.regions:,} regions, {found.exact:,} of them exactly")
    said = {
        "norm": norm,
        "squares": square,
        "lower": str(found.lower),
        "upper": str(found.upper),
        "near": near,
        "witness": [str(v) for v in found.witness],
        "regions": found.regions,
        "complete": found.complete,
    }
    return said, lines, 0 if found.complete else UNDECIDED


def equal_said(asked: Asked, other: Path, second: Network) -> Said:
    """Whether two networks are the same function."""
    from polyrank.verification.pair import same_function  # noqa: PLC0415

    found = same_function(
        asked.network,
        second,
        asked.domain,
        **asked.kept,
        second_file=asked.reading.record(other),
    )
    said: dict[str, Any] = {
        "verdict": _VERDICTS[found.same],
        "property": f"the same function as {other.name}",
        "regions": found.regions,
        "point": None,
        "outputs": None,
    }
    if found.same is None:
        line = f"unknown: the same function; {_late(found.regions)}"
        return said, [line], UNDECIDED
    if found.point is None or found.outputs is None:
        return said, [f"holds: the same function, on all of {found.regions:,} regions"], 0
    said["point"] = [str(v) for v in found.point]
    said["outputs"] = [[str(v) for v in y] for y in found.outputs]
    lines = [
        "violated: the functions differ",
        f"input: {short_point(found.point)}",
        f"outputs: {short_point(found.outputs[0])}",
        f"    and: {short_point(found.outputs[1])}",
    ]
    return said, lines, VIOLATED


def difference_said(asked: Asked, other: Path, second: Network) -> Said:
    """The greatest difference of an output of two networks."""
    from polyrank.verification.pair import greatest_difference  # noqa: PLC0415

    best = greatest_difference(
        asked.network,
        second,
        asked.domain,
        **asked.kept,
        second_file=asked.reading.record(other),
    )
    certified, at = best.certified, best.index // 2
    state = "certified" if certified else "not settled"
    how = f"{state}: the greatest difference of an output is "
    how += "exactly" if certified else "at least"
    lines = [
        f"{how} {shown(best.value)}",
        f"of output {at}, at {short_point(best.x)}",
    ]
    said = {
        "certified": certified,
        "greatest": str(best.value),
        "output": at,
        "x": [str(v) for v in best.x],
    }
    return said, lines, 0 if certified else UNDECIDED
