"""``polyrank bounds``: how many regions networks of given widths can have, and have on average."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from polyrank_cli.failures import sentences
from polyrank_cli.options import JsonOption
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from fractions import Fraction

    from polyrank.counts.bounds import Bounds

__all__ = ["bounds_command"]


def bounds_command(
    widths: Annotated[
        str, typer.Argument(metavar="WIDTHS", help="Inputs and ReLU units per layer: 4-5-5-5.")
    ],
    *,
    bias: Annotated[bool, typer.Option("--bias/--no-bias", help="Do layers have biases?")] = True,
    as_json: JsonOption = False,
) -> None:
    """How many activation regions ReLU networks of these WIDTHS have on R^n: at most, on average.

    Upper bounds by Serra et al. and Montufar et al.; for the first layer Zaslavsky's number, exact
    in general position, and what follows for random rows whose law does not change with their sign.

    Exit status: 0, 1 error, 2 wrong usage.
    """
    from polyrank.counts.bounds import bounds  # noqa: PLC0415  (numpy)
    from polyrank.digits import json_text  # noqa: PLC0415  (flint)

    with sentences():
        found = bounds(widths, bias=bias)
        if as_json:
            typer.echo(json_text(found.summary(), (", ", ": ")))
        else:
            _show(found)


def _show(found: Bounds) -> None:
    from polyrank.counts.bounds import long_number  # noqa: PLC0415

    m, first, *more = found.widths
    where = f"on R^{m}"
    tell(f"at most {long_number(found.upper)} activation regions {where}")
    if more:
        tell(f"  Serra et al. 2018: {long_number(found.serra)}")
        tell(f"  Montufar 2017: {long_number(found.montufar)}")
    tell(f"  trivial, 2^{sum(found.widths[1:])}: {long_number(found.trivial)}")
    kind = "in general position" if found.bias else "through 0, else in general position"
    exactly = long_number(found.zaslavsky)
    tell(f"the first layer, {first} hyperplanes {kind}: exactly {exactly} (Zaslavsky)")
    if more and found.attained is not None:
        tell(f"some network has at least {long_number(found.attained)} (Montufar et al. 2014)")
    tell(
        "a first layer whose rows are in general position with a law that no change of signs "
        "changes (Cover, Wendel):"
    )
    tell(f"  a region of rank 0 exists with probability {float(found.rank_0):.6g}")
    low = found.expected_by_rank[:m]
    shown = ", ".join(f"{r}: {_average(v)}" for r, v in enumerate(low[:12]))
    rest = "" if len(low) <= 12 else f", ... (all {len(low)} with --json)"
    tell(f"  expected regions by rank < {m}: {shown}{rest}")
    if found.naive_low_rank is not None:
        tell(
            f"  some region of rank < {m}, if codewords were drawn at random (they are not): "
            f"probability {found.naive_low_rank:.6g}"
        )


def _average(value: Fraction) -> str:
    from polyrank.counts.bounds import long_number  # noqa: PLC0415

    whole = value.numerator // value.denominator
    return long_number(whole) if whole >= 10**15 else f"{float(value):.4g}"
