"""Normalised or physical units: which of the two a property of an ``.nnet`` network speaks.

The header of an ``.nnet`` file states an input range and a normalisation. VNN-COMP states its
properties in normalised inputs, the papers state theirs in physical units, and the weights are the
same. The wrong choice gives a right answer to another question, so it is never made silently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
from flint import fmpq

from polyrank.network.normal_form import Network
from polyrank.network.rational import to_fmpq
from polyrank.polyhedra.domain import Box, Domain
from polyrank.posed.chart import chart
from polyrank_cli.options import Reading

__all__ = ["in_its_units", "input_range", "needs_convention", "settled_convention"]


def needs_convention(network: Network, reading: Reading) -> bool:
    """Whether a normalisation that the file states was folded in, and nobody said that it be."""
    return reading.raw is None and network.source.get("normalisation") == "folded"


def in_its_units(
    path: Path, network: Network, domain: Domain, reading: Reading
) -> tuple[Network, Reading, str]:
    """The network in the units of the domain, how it was read, and a sentence that says why."""
    raw, note = settled_convention(network, domain)
    settled = replace(reading, raw=raw)
    return (settled.load(path) if raw else network), settled, note


def settled_convention(
    network: Network, domain: Domain, *, rounding: float = 1e-6
) -> tuple[bool, str]:
    """Decide whether a domain is in normalised inputs (raw) or in physical units (folded).

    Parameters
    ----------
    network : Network
        Read with the normalisation folded in.
    domain : Domain
        The input constraints of the property.
    rounding : float
        A bound may exceed the header's range by this share of the range: properties are
        written with few digits. It takes no part in any result but this choice.

    Returns
    -------
    raw : bool
        True if the domain is in normalised inputs.
    note : str
        One sentence that says what was chosen and why.

    Raises
    ------
    typer.BadParameter
        If the domain fits the ranges of both conventions or of neither.
    """
    header: Mapping[str, Any] = network.source["header"]
    found = chart(domain, network.input_dim)
    bounds = None
    if found.lower is not None and found.upper is not None:
        bounds = _ambient(found.origin.entries(), found.basis.tolist(), found.lower, found.upper)
    fits: list[str] = []
    if header["lower"] is not None and bounds is not None:
        lower, upper = _exact(header["lower"]), _exact(header["upper"])
        means, ranges = _exact(header["means"]), _exact(header["ranges"])
        slack = to_fmpq(rounding)
        if _contains(lower, upper, bounds, slack):
            fits.append("--folded")
        scale = list(zip(means[:-1], ranges[:-1], strict=True))
        if _contains(_normalised(lower, scale), _normalised(upper, scale), bounds, slack):
            fits.append("--raw")
    if len(fits) == 1:
        raw = fits[0] == "--raw"
        units = "normalised inputs" if raw else "physical units"
        return raw, (
            f"the property lies in the header's input range in {units} only: "
            f"taking {fits[0]} (rounding {rounding:g})"
        )
    reason = (
        "the header states no input range to compare with"
        if header["lower"] is None
        else "the property is unbounded"
        if bounds is None
        else "the property fits the header's input range either way"
        if fits
        else "the property fits the header's input range neither way"
    )
    raise typer.BadParameter(
        f"{network.name}: {reason}; say --raw (the property is in normalised inputs) or --folded "
        "(it is in physical units)"
    )


def input_range(network: Network | None) -> Domain:
    """The input range of an ``.nnet`` header, in normalised inputs if the network was read raw.

    Raises
    ------
    typer.BadParameter
        If the network states no range.
    """
    header = None if network is None else network.source.get("header")
    if network is None or header is None or header["lower"] is None:
        raise typer.BadParameter(
            "--input-range is read from the header of an .nnet network; this one states none: "
            "give the box with --box or --box-file"
        )
    lower, upper = _exact(header["lower"]), _exact(header["upper"])
    if network.source.get("normalisation") == "raw":
        means, ranges = _exact(header["means"]), _exact(header["ranges"])
        scale = list(zip(means[:-1], ranges[:-1], strict=True))
        lower, upper = _normalised(lower, scale), _normalised(upper, scale)
    return Box(lower, upper)


def _exact(values: Sequence[float]) -> list[fmpq]:
    return [to_fmpq(v) for v in values]


def _normalised(values: Sequence[fmpq], scale: Sequence[tuple[fmpq, fmpq]]) -> list[fmpq]:
    return [(v - mean) / size for v, (mean, size) in zip(values, scale, strict=True)]


def _ambient(
    origin: Sequence[fmpq],
    basis: Sequence[Sequence[fmpq]],
    lower: Sequence[fmpq],
    upper: Sequence[fmpq],
) -> list[tuple[fmpq, fmpq]]:
    """Bounds of every input coordinate over the chart's bounding box."""
    bounds: list[tuple[fmpq, fmpq]] = []
    for start, row in zip(origin, basis, strict=True):
        ends = [sorted((c * a, c * b)) for c, a, b in zip(row, lower, upper, strict=True)]
        low = sum((end[0] for end in ends), start)
        high = sum((end[1] for end in ends), start)
        bounds.append((low, high))
    return bounds


def _contains(
    lower: Sequence[fmpq], upper: Sequence[fmpq], bounds: Sequence[tuple[fmpq, fmpq]], slack: fmpq
) -> bool:
    return all(
        low >= least - slack * (most - least) and high <= most + slack * (most - least)
        for least, most, (low, high) in zip(lower, upper, bounds, strict=True)
    )
