"""``polyrank sample``: certified codewords and exact ranks of points, checked against a run."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import polyrank as pr
from polyrank_cli.failures import REJECTED, UNDECIDED, refuse_existing, say, sentences
from polyrank_cli.options import (
    DomainChoice,
    ForceOption,
    JobsOption,
    JsonOption,
    MnistOption,
    NetworkArgument,
    PictureOption,
    PointsOption,
    QuietOption,
    Reading,
    directory_output,
)
from polyrank_cli.streams import tell

if TYPE_CHECKING:
    from polyrank.sampling.estimate import Estimate

__all__ = ["sample_command"]


class Arithmetic(StrEnum):
    """First arithmetic of the forward pass."""

    float32 = "float32"
    float64 = "float64"


class OnTies(StrEnum):
    """What happens to points on a hyperplane."""

    strict = "strict"
    inactive = "inactive"


def sample_command(
    network: NetworkArgument,
    *,
    points: PointsOption = None,
    mnist: MnistOption = None,
    uniform: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="N uniform points of the domain.")
    ] = None,
    normal: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="N normal points, kept in the domain.")
    ] = None,
    where: DomainChoice,
    scale: Annotated[
        float, typer.Option(metavar="S", min=0.0, help="Standard deviation of normal points.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="Seed of the draws.")] = 0,
    run: Annotated[Path | None, typer.Option(metavar="DIR", help="Check against this run.")] = None,
    below: Annotated[
        int | None,
        typer.Option(
            metavar="M",
            help="Regions of rank below M are low-rank (default: the domain's dimension).",
        ),
    ] = None,
    arithmetic: Annotated[
        Arithmetic, typer.Option(help="First arithmetic; open signs go to the next one.")
    ] = Arithmetic.float64,
    ties: Annotated[
        OnTies,
        typer.Option(
            help="Points on a hyperplane: set aside, or taken with the bit 1 iff z > 0, as in the "
            "paper."
        ),
    ] = OnTies.strict,
    jobs: JobsOption = None,
    numerical: Annotated[
        int, typer.Option(metavar="N", min=0, help="Codewords whose SVD rank is compared.")
    ] = 1000,
    output: Annotated[Path | None, directory_output("Write the estimate.")] = None,
    per_point: Annotated[
        bool, typer.Option("--per-point", help="With -o: codeword and ranks of every single point.")
    ] = False,
    picture: PictureOption = None,
    reading: Reading,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Sample NETWORK: certified codewords, their exact ranks at every layer, histograms.

    With --run, every sampled codeword must be a region of the run, and the domain is the run's.
    Points on a hyperplane are recognised exactly and lie in no open region: they are set aside,
    unless --ties inactive takes them with the codeword that has 1 where z > 0.

    Exit status: 0, 3 if no point is left that has a rank, 4 if the sample contradicts the run (the
    exact point is printed), 1 error, 2 wrong usage.
    """
    # numpy and pyarrow load here, which is more than --help may take
    from polyrank.report.histogram import draw_histograms  # noqa: PLC0415
    from polyrank.report.picture import picture_file, save_picture  # noqa: PLC0415
    from polyrank.report.tables import word_text  # noqa: PLC0415
    from polyrank.sampling.numerical import numerical_ranks  # noqa: PLC0415
    from polyrank.sampling.points import mnist_images, points_file  # noqa: PLC0415
    from polyrank_cli.domains import chosen_domain  # noqa: PLC0415
    from polyrank_cli.progress import stage_line  # noqa: PLC0415

    given = {"--points": points, "--mnist": mnist, "--uniform": uniform, "--normal": normal}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise typer.BadParameter("give exactly one of --points, --mnist, --uniform, --normal")
    if per_point and output is None:
        raise typer.BadParameter("--per-point writes a table beside the estimate of -o/--output")
    if below is not None and run is None:
        raise typer.BadParameter("--below says what of a run is low-rank: give --run too")
    with sentences():
        if picture is not None:
            picture_file(picture)
        loaded = reading.load(network)
        opened = None if run is None else pr.open_run(run)
        domain: Any = pr.WholeSpace() if opened is None else opened.domain
        if where.given:
            domain = chosen_domain(where, loaded)
        data = None
        if points is not None or mnist is not None:
            data = points_file(points) if points is not None else mnist_images(Path(str(mnist)))
        refuse_existing(output, force=force)
        with stage_line(quiet=quiet or as_json):
            estimate = pr.sample(
                loaded,
                data,
                domain,
                uniform=uniform,
                normal=normal,
                scale=scale,
                seed=seed,
                run=opened,
                below=below,
                ties=ties.value,
                dtype=arithmetic.value,
                follow=per_point,
                jobs=jobs,
            )
        extra: dict[str, Any] = {
            "drawn": named[0].removeprefix("--"),
            "seed": seed,
            "domain": domain.describe(),
            "numerical_rank": numerical_ranks(estimate, limit=numerical) if numerical else None,
        }
        compared = estimate.cross_check
        if output is not None:
            estimate.save(output, extra)
        if picture is not None:
            save_picture(draw_histograms(estimate.summary()), picture)
        if as_json:
            typer.echo(json.dumps({**estimate.summary(), **extra}))
        else:
            _show(estimate, extra)
        if compared is not None and compared.contradictions and opened is not None:
            for found in compared.contradictions[:10]:
                word = word_text([bit == "1" for bit in found.codeword], opened.layer_bits)
                say(
                    f"contradiction: {found.reason}: codeword {word} at the exact point "
                    f"({', '.join(found.point)})"
                )
            raise typer.Exit(REJECTED)
        if not len(estimate.packed):
            say(_nothing_left(estimate))
            raise typer.Exit(UNDECIDED)


def _nothing_left(estimate: Estimate) -> str:
    text = (
        f"NO POINT IS LEFT, so that there is no codeword and no rank: of {estimate.points:,} "
        f"points {estimate.outside:,} are outside the domain and {estimate.on_hyperplane:,} lie "
        "on a hyperplane"
    )
    if estimate.on_hyperplane and estimate.ties == "strict":
        text += "; --ties inactive takes these with the bit 1 iff z > 0"
    return text


def _show(estimate: Estimate, extra: dict[str, Any]) -> None:
    facts, compared = estimate.summary(), estimate.cross_check
    tell(
        f"{facts['points']:,} points, {facts['distinct_codewords']:,} distinct codewords, "
        f"{facts['on_hyperplane']:,} points on a hyperplane "
        f"{'set aside' if estimate.ties == 'strict' else 'taken with the bit 1 iff z > 0'}, "
        f"{facts['outside_domain']:,} outside the domain"
    )
    alone = facts["codewords_of_points_on_hyperplanes_only"]
    if alone:
        tell(
            f"{alone:,} of the codewords have points on hyperplanes only: theirs need not be the "
            "codeword of a region"
        )
    tell(
        f"{facts['exact_points']:,} points decided in exact arithmetic, "
        f"{facts['corrected_bits']:,} bits of the float pass corrected"
    )
    for entry in facts["ranks"]:
        shown = ", ".join(f"{r}: {n:,}" for r, n in entry["by_samples"].items())
        left = entry["open_codewords"]
        note = f" ({left} codewords open)" if left else ""
        tell(f"rank through layer {entry['layer']} by samples: {shown}{note}")
    numerical = extra["numerical_rank"]
    if numerical is not None:
        tell(
            f"numerical rank (SVD) differs from the exact one in {len(numerical['disagreements'])} "
            f"places of {numerical['compared']:,} codewords"
        )
    if compared is not None:
        listed = "" if compared.certified_run else " listed; the run is not certified"
        tell(f"regions hit: {compared.hit:,} of {compared.regions:,}{listed}")
        if compared.volume_missed is not None:
            share = facts["cross_check"]["volume_missed"]
            of = "volume" if compared.certified_run else "the listed regions' volume"
            tell(f"share of {of} missed: {share:.6g}")
        if not compared.certified_run and compared.unlisted:
            tell(
                f"{compared.unlisted:,} codewords are not listed; the run is not certified, so "
                "that this is no contradiction"
            )
        for entry in compared.layers:
            tell(
                f"layer {entry['layer']}: {'' if compared.certified_run else 'listed '}low-rank "
                f"regions missed {entry['low_rank_regions_missed']:,} of "
                f"{entry['low_rank_regions']:,}; minimum rank sampled {entry['sampled_min_rank']}, "
                f"listed {entry['listed_min_rank']}"
            )
    seconds = estimate.seconds
    tell(f"{seconds['forward']:.2f} s forward, {seconds['ranks']:.2f} s ranks")
