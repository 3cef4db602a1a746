"""Options that several verbs share, in groups: how to read a network, which domain, which manifold.

A verb names a group in its signature, ``reading: Reading``; :func:`grouped` turns that parameter
into the options of the group, one for each field.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

import polyrank as pr
from polyrank_cli.failures import sentences

if TYPE_CHECKING:
    from polyrank.network.normal_form import Network
    from polyrank.regions.limits import Limits

__all__ = [
    "DomainChoice",
    "ForceOption",
    "JobsOption",
    "JsonOption",
    "LimitChoice",
    "LowRankChoice",
    "ManifoldChoice",
    "MnistOption",
    "NetworkArgument",
    "Only",
    "PictureOption",
    "PointsOption",
    "ProcessesOption",
    "QuietOption",
    "Reading",
    "RunArgument",
    "SearchTreeOption",
    "ThroughLayerOption",
    "TimeOption",
    "directory_output",
    "grouped",
]

NetworkArgument = Annotated[
    Path,
    typer.Argument(
        metavar="NETWORK",
        help="Saved weights: .npz .safetensors .nnet .json .onnx .onnx.gz .pt .pth .keras .h5 "
        ".hdf5 .mat.",
    ),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
PictureOption = Annotated[
    Path | None,
    typer.Option("--picture", metavar="FILE", help="Draw to a .png, .svg or .pdf file."),
]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", metavar="N", min=1, help="Threads. Default: all cores."),
]
ProcessesOption = Annotated[int, typer.Option("--jobs", metavar="N", min=1, help="Processes.")]
TimeOption = Annotated[
    float | None,
    typer.Option(
        "--time", metavar="SECONDS", min=0.0, help="Stop after so many seconds, honestly."
    ),
]
ThroughLayerOption = Annotated[
    int | None,
    typer.Option(
        "--through-layer", metavar="K", help="The decomposition by the first K layers only."
    ),
]
SearchTreeOption = Annotated[
    bool,
    typer.Option("--proof", help="Write the search tree to -o/--output, for polyrank check."),
]
PointsOption = Annotated[
    Path | None,
    typer.Option("--points", metavar="FILE", help="Points: .npy, .csv or - (stdin), one per row."),
]
MnistOption = Annotated[
    Path | None,
    typer.Option("--mnist", metavar="DIR", help="The MNIST test images of a folder."),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace what is there, if polyrank wrote it.")
]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="No messages, no progress.")]


def directory_output(help_: str) -> Any:
    """The option -o/--output of a verb that writes a new directory."""
    return typer.Option("-o", "--output", metavar="DIR", help=help_)


class LowRankName(StrEnum):
    """Readings of the low-rank part."""

    collapsing = "collapsing"
    all = "all"


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a network's file."""

    output_relu: Annotated[
        bool, typer.Option("--output-relu", help="The output layer has a ReLU too.")
    ] = False
    activation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Activation of files that hold weights only (default: relu)."
        ),
    ] = None
    slope: Annotated[
        str | None,
        typer.Option(metavar="ALPHA", help="Negative slope of a LeakyReLU, exact: 0.01 or 1/100."),
    ] = None
    raw: Annotated[
        bool | None,
        typer.Option(
            "--raw/--folded",
            help="Leave the normalisation of a .nnet header out, or fold it in (default).",
            show_default=False,
        ),
    ] = None
    cut_final: Annotated[
        bool,
        typer.Option(
            "--cut-final", help="Drop a final Softmax, Sigmoid or Tanh, which changes no region."
        ),
    ] = False
    part: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which network of a file that holds several (actor); a,b joins two in this order.",
        ),
    ] = None

    def record(self, path: Path) -> dict[str, Any]:
        """What a run keeps, so that its network can be read again."""
        return {"path": str(path.resolve()), "options": asdict(self)}

    def load(self, path: Path) -> Network:
        """Read a network with these options."""
        return pr.load(path, **asdict(self))


@dataclass(frozen=True, slots=True)
class DomainChoice:
    """The domain options as they were typed; see :func:`polyrank_cli.domains.chosen_domain`."""

    box: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="LO HI",
            help="Box LO <= x <= HI: two numbers, or two comma-separated lists, exact.",
        ),
    ] = None
    box_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Box: npz or json with lower, upper.")
    ] = None
    vnnlib: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Input constraints of a VNN-LIB property.")
    ] = None
    case: Annotated[
        int | None,
        typer.Option(metavar="N", help="Which case of a VNN-LIB disjunction, from 0."),
    ] = None
    polytope: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A x <= b: npz or json with A, b.")
    ] = None
    slice: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="x = origin + basis u: npz or json with origin, basis; --box, --box-file or "
            "--polytope then bound u.",
        ),
    ] = None
    input_range: Annotated[
        bool,
        typer.Option(
            "--input-range", help="The box that the header of an .nnet network states as its range."
        ),
    ] = False

    @property
    def given(self) -> bool:
        """True if a domain was named."""
        return any(value is not None and value is not False for value in asdict(self).values())


_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def _bytes(size: str | None, option: str) -> int | None:
    """A size in bytes: ``4GB``, ``500MB``, ``1e9``."""
    if size is None:
        return None
    found = re.fullmatch(r"(\d+\.?\d*(?:e\d\d?)?) ?([kKMGT]?B?)", size.strip(), re.ASCII)
    if found is None or found[2].upper() not in _BYTES:
        raise typer.BadParameter(f"{size!r} is no size such as 4GB or 500MB", param_hint=option)
    return int(float(found[1]) * _BYTES[found[2].upper()])


@dataclass(frozen=True, slots=True)
class LimitChoice:
    """What a long run may use; see :class:`polyrank.regions.limits.Limits`."""

    time: TimeOption = None
    max_regions: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Stop when N regions are found.")
    ] = None
    max_memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Stop at this much memory: 4GB, 500MB.")
    ] = None
    max_disk: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Stop when so much is written: 50GB.")
    ] = None

    def limits(self) -> Limits | None:
        """These limits; None where none is set: a run without limits needs no tasks."""
        if self == LimitChoice():
            return None
        from polyrank.regions.limits import Limits  # noqa: PLC0415  (loads numpy)

        return Limits(
            self.time,
            self.max_regions,
            _bytes(self.max_memory, "--max-memory"),
            _bytes(self.max_disk, "--max-disk"),
        )


@dataclass(frozen=True, slots=True)
class LowRankChoice:
    """Which cells are of low rank; see :func:`polyrank.topology.low_rank.low_rank_part`."""

    low_rank: Annotated[
        LowRankName | None,
        typer.Option(
            help="Which maximal cells of low rank (--below) make up A. collapsing: those whose "
            "image has a lower dimension than the cell, which is what the map collapses; all: "
            "every one, also those that the map embeds (default: collapsing; with --ambient, all).",
        ),
    ] = None
    ambient: Annotated[
        bool,
        typer.Option(
            "--ambient", help="Rank of the map on all of R^n instead of that on the manifold."
        ),
    ] = False

    @property
    def reading(self) -> Literal["collapsing", "all"] | None:
        """The reading by name."""
        return None if self.low_rank is None else self.low_rank.value


@dataclass(frozen=True, slots=True)
class ManifoldChoice:
    """How to read a manifold; see :func:`polyrank_cli.manifolds.chosen_manifold`."""

    alpha: Annotated[
        float | None,
        typer.Option(metavar="R", help="Alpha complex of radius R of a point cloud (needs gudhi)."),
    ] = None
    rips: Annotated[
        float | None,
        typer.Option(metavar="R", help="Vietoris-Rips complex of radius R of a point cloud."),
    ] = None
    max_dimension: Annotated[
        int | None,
        typer.Option(
            metavar="D",
            help="With --alpha or --rips: leave out simplices above dimension D; homology is then "
            "printed in degrees below D only (default: all of an alpha complex, up to 4 of a Rips "
            "complex).",
        ),
    ] = None
    merge_points: Annotated[
        bool,
        typer.Option(
            "--merge-points",
            help="Make points of a file with equal coordinates one vertex.",
        ),
    ] = False
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Class of every point of the cloud (.npy), for --class."),
    ] = None
    label: Annotated[
        int | None,
        typer.Option("--class", metavar="N", help="Only the simplices of this class."),
    ] = None


class Only(tuple[str, ...]):
    """The fields of a group that a verb takes: ``Annotated[DomainChoice, Only(("box",))]``."""

    __slots__ = ()


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with every group of its signature spread out into options."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        annotated = get_origin(hints[name]) is Annotated
        kind, *notes = get_args(hints[name]) if annotated else [hints[name]]
        if not is_dataclass(kind):
            parameters.append(_keyword(name, hints[name], parameter.default))
            continue
        only = next((note for note in notes if isinstance(note, Only)), None)
        own = [f for f in fields(kind) if only is None or f.name in only]
        groups[name] = kind, [f.name for f in own]  # type: ignore[assignment]
        types = get_type_hints(kind, include_extras=True)
        parameters += [_keyword(f.name, types[f.name], f.default) for f in own]

    def run(**given: Any) -> None:
        for name, (kind, names) in groups.items():
            given[name] = kind(**{n: given.pop(n) for n in names})
        with sentences():  # also while modules are still being loaded
            command(**given)

    run.__doc__ = command.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )
