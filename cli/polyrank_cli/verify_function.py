"""What ``polyrank verify`` says about a function as a whole: slopes, and two networks compared."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyrank_cli.failures import UNDECIDED, VIOLATED
from polyrank_cli.rationals import root, root_text, short_point, shown

if TYPE_CHECKING:
    from polyrank.network.normal_form import Network
    from polyrank.polyhedra.domain import Domain
    from polyrank_cli.options import Reading

__all__ = ["Said", "difference_said", "equal_said", "lipschitz_said", "monotone_said"]

#: The object of ``--json``, the lines of text, the exit status.
Said = tuple[dict[str, Any], list[str], int]


def monotone_said(
    network: Network, domain: Domain, input_: int, output: int, jobs: int | None
) -> Said:
    """Whether an output is non-decreasing in an input."""
    from polyrank.verification.gradients import monotone  # noqa: PLC0415

    found = monotone(network, domain, input_=input_, output=output, jobs=jobs)
    what = f"output {output} is non-decreasing in input {input_}"
    points = None
    lines = [f"holds: {what}, on all of the {found.regions:,} regions"]
    if found.points is not None:
        points = [[str(v) for v in point] for point in found.points]
        lines = [
            f"violated: {what}",
            f"at   {short_point(found.points[0])}",
            f"then {short_point(found.points[1])}, where it is less",
        ]
    verdict = "holds" if found.holds else "violated"
    shown_object = {
        "verdict": verdict, "property": what, "points": points, "regions": found.regions,
    }  # fmt: skip
    return shown_object, lines, 0 if found.holds else VIOLATED


def lipschitz_said(network: Network, domain: Domain, norm: str, jobs: int | None) -> Said:
    """The least Lipschitz constant."""
    from polyrank.network.rational import nearest_float  # noqa: PLC0415
    from polyrank.verification.gradients import lipschitz  # noqa: PLC0415

    found = lipschitz(network, domain, norm, jobs=jobs)
    square = norm == "2"
    if square:
        value = f"{root_text(found.lower)} (proved: its square is in [lower, upper] of --json)"
        near = root(found.upper)
    else:
        value = shown(found.lower)
        rounded = nearest_float(found.lower)
        near = rounded if math.isfinite(rounded) else None
    lines = [
        f"certified: the least Lipschitz constant, norm {norm}, is {value}",
        f"attained in the region of {short_point(found.witness)}",
        f"{found.regions:,} regions, {found.exact:,} of them exactly",
    ]
    said = {
        "norm": norm,
        "squares": square,
        "lower": str(found.lower),
        "upper": str(found.upper),
        "near": near,
        "witness": [str(v) for v in found.witness],
        "regions": found.regions,
    }
    return said, lines, 0


def equal_said(
    network: Network, other: Path, reading: Reading, domain: Domain, jobs: int | None
) -> Said:
    """Whether two networks are the same function."""
    from polyrank.verification.pair import same_function  # noqa: PLC0415

    found = same_function(network, reading.load(other), domain, jobs=jobs)
    said: dict[str, Any] = {
        "verdict": "holds" if found.same else "violated",
        "property": f"the same function as {other.name}",
        "regions": found.regions,
        "point": None,
        "outputs": None,
    }
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


def difference_said(
    network: Network,
    other: Path,
    reading: Reading,
    domain: Domain,
    seconds: float | None,
    jobs: int | None,
) -> Said:
    """The greatest difference of an output of two networks."""
    from polyrank.verification.maximum import greatest  # noqa: PLC0415
    from polyrank.verification.pair import difference_network  # noqa: PLC0415

    pair = difference_network(network, reading.load(other))
    outputs = pair.widths[-1]
    best, certified, at = None, True, 0
    for j in range(outputs):
        for sign in (1, -1):
            weights = [sign if i == j else 0 for i in range(outputs)]
            limit = math.inf if seconds is None else seconds / (2 * outputs)
            found = greatest(pair, domain, weights, seconds=limit, jobs=jobs)
            certified = certified and found.certified
            if best is None or found.value > best.value:
                best, at = found, j
    if best is None:
        raise AssertionError("a network has an output")
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
