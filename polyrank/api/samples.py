"""``polyrank.sample``: points that are given or drawn, alone or against a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from polyrank.cells.threads import asked_threads
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Domain, WholeSpace
from polyrank.posed.chart import chart
from polyrank.regions.run import Run
from polyrank.sampling.codewords import restricted_network
from polyrank.sampling.crosscheck import RunCheck
from polyrank.sampling.estimate import Estimate, Ties
from polyrank.sampling.estimate import sample as sample_blocks
from polyrank.sampling.points import (
    array_blocks,
    input_points,
    normal_blocks,
    uniform_blocks,
    within,
)

__all__ = ["sample"]


def sample(
    network: Network,
    points: Any = None,
    domain: Domain | None = None,
    *,
    uniform: int | None = None,
    normal: int | None = None,
    scale: float = 1.0,
    seed: int = 0,
    run: Run | None = None,
    below: int | None = None,
    ties: Ties = "strict",
    dtype: DTypeLike = np.float64,
    follow: bool = False,
    jobs: int | None = None,
) -> Estimate:
    """Certified codewords of points and their exact ranks, counted.

    Parameters
    ----------
    network : Network
    points : array_like of float, shape (N, n)
        Or, instead of them, ``uniform`` or ``normal``.
    domain : Domain, optional
        Points outside it are set aside; where points are given, it has full dimension. Default: the
        domain of ``run``, else all of R^n.
    uniform, normal : int, optional
        As many points of the domain, drawn in its own coordinates: uniformly, or by the normal law
        around 0 of standard deviation ``scale`` on the condition that they lie in the domain.
    scale : float
    seed : int
        Of the draws.
    run : Run, optional
        Every sampled codeword is looked for in it: ``cross_check`` of the answer says what the
        sample missed, and where run and sample contradict each other.
    below : int, optional
        Regions of the run of rank < ``below`` are called low-rank; default: the dimension of its
        domain.
    ties : {"strict", "inactive"}
        Points on a hyperplane, as images on a black background are to a MaxPool: set aside, or
        taken with the codeword that has 1 exactly where z > 0.
    dtype : float64 (default) or float32
        First arithmetic; what it leaves open goes to the next one.
    follow : bool
        Keep the codeword of every point too, for ``per_point()``.
    jobs : int, optional
        Threads; default: all processors that this process may use.

    Raises
    ------
    DomainError
        If points are given and the domain is flat (floats do not lie on it exactly), or
        ``uniform`` ones are asked of an unbounded domain.
    NetworkError
        If points do not fit the network or are not finite.
    RunError
        If the run is of another network or on another domain.
    ValueError
        Unless exactly one of ``points``, ``uniform`` and ``normal`` is given; if ``below`` is given
        without ``run``; if a number of points, ``scale`` or ``seed`` is negative, or ``ties`` is
        neither of the two.

    Notes
    -----
    **Proves**: every counted codeword is that of a region, with the ranks stated (or an interval of
    them); with a contradiction, that the run or this program is wrong. **Does not prove** anything
    about regions that no point met.

    Examples
    --------
    >>> import polyrank as pr
    >>> net = pr.Network.from_arrays([[[1.0], [1.0]], [[1.0, -1.0]]], [[0.0, -1.0], [0.0]])
    >>> run = pr.enumerate_regions(net, pr.Box(-1, 2))
    >>> found = pr.sample(net, [[-0.5], [1.5]], run=run)
    >>> found.cross_check.hit, found.cross_check.regions, str(found.cross_check.volume_missed)
    (2, 3, '1/3')
    """
    if sum(v is not None for v in (points, uniform, normal)) != 1:
        raise ValueError("give exactly one of points, uniform=, normal=")
    if below is not None and run is None:
        raise ValueError("below= says what of a run is low-rank: give run= too")
    for name, value in (("uniform", uniform), ("normal", normal), ("scale", scale), ("seed", seed)):
        if value is not None and not value >= 0:
            raise ValueError(f"{name}= is {value}, expected 0 or more")
    check = None if run is None else RunCheck(run, network)
    if check is None:
        charted = chart(WholeSpace() if domain is None else domain, network.input_dim)
        sampled = restricted_network(network, charted.origin, charted.basis)
    else:
        if domain is not None:
            check.same_domain(domain)
        charted, sampled = check.chart, check.sampled
    keep = None
    if points is not None:
        table = input_points(points, network)
        keep = within(charted)
        blocks, number = array_blocks(table), len(table)
    elif uniform is not None:
        blocks, number = uniform_blocks(charted, uniform, seed), uniform
    else:
        number = normal or 0
        blocks = normal_blocks(charted, number, seed, scale)
    found = sample_blocks(
        sampled,
        blocks,
        dtype=dtype,
        workers=asked_threads(jobs),
        on_new=check,
        keep=keep,
        ties=ties,
        follow=follow,
        expected=number,
    )
    return found if check is None else replace(found, cross_check=check.finish(found, m=below))
