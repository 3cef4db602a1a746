"""``polyrank bounds``: how many regions networks of given widths can have, and have on average."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from polyrank_cli.failures import sentences
from polyrank_cli.options import JsonOption
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from fractions import Fraction

    from polyrank.counts.bounds import Bounds

__all__ = ["bounds_command"]

_LONG = 10**15


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

    with sentences():
        found = bounds(widths, bias=bias)
        if as_json:
            typer.echo(json.dumps(found.summary()))
        else:
            _show(found)


def _show(found: Bounds) -> None:
    m, first, *more = found.widths
    where = f"on R^{m}"
    tell(f"at most {_text(found.upper)} activation regions {where}")
    if more:
        tell(f"  Serra et al. 2018: {_text(found.serra)}")
        tell(f"  Montufar 2017: {_text(found.montufar)}")
    tell(f"  trivial, 2^{sum(found.widths[1:])}: {_text(found.trivial)}")
    kind = "in general position" if found.bias else "through 0, else in general position"
    tell(
        f"the first layer, {first} hyperplanes {kind}: exactly {_text(found.zaslavsky)} (Zaslavsky)"
    )
    if more and found.attained is not None:
        tell(f"some network has at least {_text(found.attained)} (Montufar et al. 2014)")
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


def _text(number: int) -> str:
    """All digits, or of a long number the first ones."""
    if number < _LONG:
        return f"{number:,}"
    if number.bit_length() > 10_000:  # Python writes no integers of more digits by default
        return f"about 10^{int(number.bit_length() * 0.30103)}"
    text = str(number)
    return f"{text[0]}.{text[1:4]}e{len(text) - 1}"


def _average(value: Fraction) -> str:
    whole = value.numerator // value.denominator
    return _text(whole) if whole >= _LONG else f"{float(value):.4g}"
