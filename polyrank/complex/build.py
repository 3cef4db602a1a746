"""The complex of a network on a domain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from polyrank.cells.engine import Options
from polyrank.cells.task import Batch, SearchProgress, settled
from polyrank.cells.vertices.core import KeptCells
from polyrank.cells.vertices.search import VertexSearch
from polyrank.complex.cell_complex import CellComplex, Signs
from polyrank.complex.glue import glue
from polyrank.errors import DomainError, UnsupportedError
from polyrank.network.normal_form import Network
from polyrank.polyhedra.domain import Domain
from polyrank.posed.chart import chart as chart_of
from polyrank.posed.problem import Problem
from polyrank.stages import tell

__all__ = ["cell_complex"]


def cell_complex(
    network: Network,
    domain: Domain,
    *,
    through_layer: int | None = None,
    progress: Callable[[SearchProgress], None] | None = None,
    jobs: int | None = None,
) -> CellComplex:
    """Every cell of the arrangement that a network cuts a bounded domain into, dimension 1 to 3.

    Parameters
    ----------
    network : Network
    domain : Domain
        Bounded; of dimension 1 to 3, or a slice or simplex of that dimension in any R^n.
    through_layer : int, optional
        The decomposition by the first K layers. Default: all.
    progress : callable, optional
        Called now and then with the state of the search.
    jobs : int, optional
        Threads of the search; the complex does not depend on them. Default: all that this process
        may use.

    Raises
    ------
    DomainError
        If the domain is unbounded.
    UnsupportedError
        If its dimension is not 1 to 3.
    EmptyDomainError
        If it has no point.

    Notes
    -----
    **Proves**: see :class:`~polyrank.complex.cell_complex.CellComplex`. Source: the regions'
    closures are polytopes that meet face to face, since pre-activations are continuous (Grigsby and
    Lindsey, "On transversality of bent hyperplane arrangements and the topological expressiveness
    of ReLU neural networks", SIAM J. Appl. Algebra Geom. 6, 2022, section 4).

    Examples
    --------
    >>> import polyrank as pr
    >>> net = pr.Network.from_arrays([[[1, 0], [0, 1]], [[1, 1]]], [[0, 0], [0]])
    >>> cells = cell_complex(net, pr.Box(-1, 1))
    >>> cells.f_vector, cells.euler_characteristic
    ((9, 12, 4), 1)
    """
    where = chart_of(domain, network.input_dim)
    if not 1 <= where.k <= 3:
        raise UnsupportedError(
            f"a cell complex needs a domain of dimension 1 to 3, this one has dimension {where.k}; "
            "take a slice of it"
        )
    if not where.bounded:
        raise DomainError("a cell complex needs a bounded domain; give a box, polytope or simplex")
    layers = through_layer or len(network.layers)
    problem = Problem(network, where, layers)
    kept: list[KeptCells] = []
    batches: list[Batch] = []

    def told(state: SearchProgress) -> None:
        tell("of the tree of cells", state.share, 1.0)
        if progress is not None:
            progress(state)

    search = VertexSearch(
        problem,
        lambda batch: batches.append(settled(batch, problem)),
        Options(progress=told, jobs=jobs),
        keep=kept.append,
    )
    search.run()
    cells = _joined(kept)
    glued = glue(cells, where.k)
    net = problem.arrays
    centre, half = net.centre, net.half_width
    signs = Signs(
        glued.pos,
        glued.neg,
        search.worker.core.word_start,
        net.units,
        net.tie,
        net.tie_sign,
        net.hyperplane,
        where.inequalities.m,
    )
    return CellComplex(
        network,
        where,
        signs,
        glued.boundary,
        centre + half * cells.x[glued.first],
        cells.err[glued.first],
        np.concatenate([batch.rank for batch in batches]),
    )


def _joined(kept: list[KeptCells]) -> KeptCells:
    """All batches as one, offsets shifted."""
    offset = np.zeros(3, dtype=np.int64)
    first = []
    for part in kept:
        first.append(part.first[:-1] + offset)
        offset = offset + part.first[-1]
    arrays = {
        name: np.concatenate([getattr(part, name) for part in kept])
        for name in KeptCells._fields
        if name != "first"
    }
    return KeptCells(first=np.concatenate([*first, offset[None]]), **arrays)
