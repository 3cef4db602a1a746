"""Options that several verbs share: how to read a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import polyrank as pr

if TYPE_CHECKING:
    from polyrank.network.normal_form import Network

__all__ = [
    "ActivationOption",
    "CutFinalOption",
    "JsonOption",
    "NetworkArgument",
    "OutputReluOption",
    "RawOption",
    "SlopeOption",
    "load_network",
]

NetworkArgument = Annotated[
    Path, typer.Argument(metavar="NETWORK", help="Saved weights: .npz .safetensors .nnet .onnx ...")
]
OutputReluOption = Annotated[
    bool, typer.Option("--output-relu", help="The output layer has a ReLU too.")
]
ActivationOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Activation of files that hold weights only (default: relu)."
    ),
]
SlopeOption = Annotated[
    str | None,
    typer.Option(metavar="ALPHA", help="Negative slope of a LeakyReLU, exact: 0.01 or 1/100."),
]
RawOption = Annotated[
    bool | None,
    typer.Option(
        "--raw/--folded",
        help="Leave the normalisation of a .nnet header out, or fold it in (default).",
        show_default=False,
    ),
]
CutFinalOption = Annotated[
    bool,
    typer.Option(
        "--cut-final", help="Drop a final Softmax, Sigmoid or Tanh, which changes no region."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def load_network(
    path: Path,
    *,
    output_relu: bool,
    activation: str | None,
    slope: str | None,
    raw: bool | None,
    cut_final: bool,
) -> Network:
    """Read a network with the options of the command line."""
    return pr.load(
        path,
        output_relu=output_relu,
        activation=activation,
        slope=slope,
        raw=raw,
        cut_final=cut_final,
    )
