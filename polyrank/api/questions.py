"""The questions of the command line as functions of a network and data at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polyrank.api.run import Run, enumerate_regions
from polyrank.api.tables import HomologyTable
from polyrank.errors import NetworkError
from polyrank.minrank.maximum import maximum_rank
from polyrank.minrank.minimum import minimum_rank
from polyrank.minrank.result import MaximumRank, MinimumRank
from polyrank.network.normal_form import Network
from polyrank.network.rational import to_fmpq
from polyrank.polyhedra.domain import Domain, WholeSpace
from polyrank.sampling.points import input_points
from polyrank.sampling.region_at import RegionAt, region_at
from polyrank.sampling.slices import chosen_points, slice_through
from polyrank.topology.layers import homology_table
from polyrank.topology.manifold import Manifold
from polyrank.topology.named import named_manifold
from polyrank.topology.restriction import restrict

__all__ = ["at", "homology", "minrank", "slice"]


def at(
    network: Network,
    x: Sequence[Any],
    domain: Domain | None = None,
    *,
    layers: tuple[int, ...] | None = None,
    budget: int = 200,
    seconds: float = 60.0,
) -> RegionAt:
    """The region of a point, exactly, and the nearest regions of lower rank.

    Parameters
    ----------
    network : Network
    x : sequence of n numbers
        Each is taken exactly: a float as the rational that it encodes, ``"1/3"`` as it says.
    domain : Domain, optional
        Of full dimension, with the point strictly inside; default: all of R^n.
    layers : tuple of int, optional
        Layers (1-based) whose lower ranks are looked for; default: all.
    budget : int
        At most this many regions are taken on the way; 0 looks for none.
    seconds : float
        Bounds the time for facets in many dimensions, their distances, and the search; rows that
        were not decided are counted.

    Raises
    ------
    NetworkError
        If the point does not have n finite coordinates, or there is no such layer.
    DomainError
        If the domain is flat, or the point is not strictly inside it.

    Examples
    --------
    >>> net = Network.from_arrays([[[1.0], [1.0]], [[1.0, -1.0]]], [[0.0, -1.0], [0.0]])
    >>> found = at(net, ["1/4"])
    >>> found.bits.tolist(), found.ranks, [str(f.crossing[0]) for f in found.facets]
    ([True, False], ((1, 1), (1, 1)), ['0', '1'])
    """
    try:
        point = [to_fmpq(v) for v in x]
    except ValueError as problem:
        raise NetworkError(
            f"the point has a coordinate that is no finite number: {problem}"
        ) from None
    where = WholeSpace() if domain is None else domain
    return region_at(network, point, where, layers=layers, budget=budget, seconds=seconds)


def slice(  # noqa: A001  (the name of the verb)
    network: Network, points: Any, *, extended: bool = False, **options: Any
) -> Run:
    """Every region on the segment or triangle of two or three points, certified.

    Parameters
    ----------
    network : Network
    points : array_like of float, shape (2, n) or (3, n)
        Taken exactly.
    extended : bool
        The whole line or plane through them.
    **options
        Those of :func:`polyrank.enumerate_regions`.

    Raises
    ------
    DomainError
        If there are not two or three points, one is not finite, or they are affinely dependent.
    NetworkError
        If they do not fit the network.
    """
    chosen = chosen_points(input_points(points, network), None)
    domain = slice_through(chosen, extended=extended)
    notes = {"slice": {"file": "", "rows": None}, **options.pop("notes", {})}
    return enumerate_regions(network, domain, notes=notes, **options)


def minrank(
    network: Network, domain: Domain | None = None, *, greatest: bool = False, **options: Any
) -> MinimumRank | MaximumRank:
    """The least rank through a layer over all regions, or with ``greatest`` the greatest.

    Parameters
    ----------
    network : Network
    domain : Domain, optional
        Default: R^n.
    greatest : bool
        :func:`polyrank.maximum_rank` instead of :func:`polyrank.minimum_rank`.
    **options
        Those of the function: ``layer``, ``seconds``, ``below`` …

    Raises
    ------
    NetworkError, EmptyDomainError, DomainError, RunError, ValueError
        As the function.

    Examples
    --------
    >>> net = Network.from_arrays([[[1.0], [-1.0]], [[1.0, 1.0]]], [[-1.0, -1.0], [0.0]])
    >>> minrank(net).lower, minrank(net, greatest=True).upper
    (0, 1)
    """
    ask = maximum_rank if greatest else minimum_rank
    return ask(network, domain, **options)


def homology(
    network: Network,
    manifold: Manifold | str,
    *,
    below: int = 1,
    layers: Sequence[int] | None = None,
    coefficients: str | int = "Z",
    jobs: int | None = None,
) -> HomologyTable:
    """What collapsing the part of rank below a bound would do to a manifold, layer by layer.

    For the homology of the image itself see :func:`polyrank.image`.

    Parameters
    ----------
    network : Network
    manifold : Manifold or str
        A text such as ``"torus:24"`` is a shape, another one a file.
    below : int
        Cells of rank < ``below`` are collapsed.
    layers : sequence of int, optional
        1-based; default: all.
    coefficients : "Z", "Q" or a prime
    jobs : int, optional
        Threads; default: all that this process may use.

    Raises
    ------
    DomainError
        If the manifold lies in another space, a layer does not exist or ``below`` is less than 1.
    """
    space = named_manifold(manifold)
    cells = restrict(network, space, through_layer=max(layers) if layers else None, jobs=jobs)
    return HomologyTable(
        homology_table(cells, rank=below - 1, layers=layers, coefficients=coefficients, jobs=jobs)
    )
