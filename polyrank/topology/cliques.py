"""Simplices of alpha and Vietoris-Rips complexes by gudhi, here or in a process of their own.

One call of gudhi can last for minutes and answers nothing meanwhile. Large complexes are therefore
made by a process of their own, which ends at once with Ctrl-C: this module, run as a script, reads
the question from its standard input and writes the simplices to its standard output.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from polyrank.errors import DomainError, PolyrankError, UnsupportedError

__all__ = ["Cliques", "cliques_of", "compute"]

_MAX_SIMPLICES = 5_000_000
_RIPS_DIMENSION = 4  # a Rips complex is built up to this dimension, if not told otherwise …
_RIPS_SIMPLICES = 100_000  # … and, above dimension 2, while it has at most so many simplices
_AT_ONCE = 300  # so many points, in up to three dimensions, take a fraction of a second


@dataclass(frozen=True, slots=True, eq=False)
class Cliques:
    """Simplices by dimension.

    Attributes
    ----------
    simplices : tuple of int64 arrays, shape (f_d, d + 1)
    degrees : int or None
        The dimension above which simplices were left out; None if there are none above.
    """

    simplices: tuple[NDArray[np.int64], ...]
    degrees: int | None


def cliques_of(
    points: NDArray[np.float64],
    radius: float,
    kind: Literal["alpha", "rips"],
    max_dimension: int | None,
) -> Cliques:
    """The simplices of a complex, as :func:`polyrank.topology.point_cloud.complex_of_points` says.

    Raises
    ------
    UnsupportedError
        If gudhi is not installed.
    DomainError
        If the complex is too large.
    """
    if find_spec("gudhi") is None:
        raise _without_gudhi()
    count, n = points.shape
    if count <= _AT_ONCE and n <= 3:
        return compute(points, radius, kind, max_dimension)
    question = io.BytesIO()
    np.savez(
        question,
        points=points,
        radius=radius,
        kind=kind,
        max_dimension=-1 if max_dimension is None else max_dimension,
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(p for p in sys.path if p))
    with subprocess.Popen(
        [sys.executable, "-m", "polyrank.topology.cliques"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        try:
            answer, said = process.communicate(question.getvalue())
        except BaseException:
            process.kill()
            process.wait()
            raise
    if process.returncode != 0:
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
        if process.returncode == 1 and last:
            raise DomainError(last)
        raise DomainError(
            f"gudhi could not build the {kind} complex of {count} points (its process ended with "
            f"status {process.returncode}); use a smaller radius or fewer points"
        )
    with np.load(io.BytesIO(answer)) as found:
        degrees = int(found["degrees"])
        arrays = tuple(found[f"simplices_{d}"] for d in range(len(found.files) - 1))
    return Cliques(arrays, None if degrees < 0 else degrees)


def _answer() -> None:
    """Answer the question on standard input: the process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that asks ends this process
    with np.load(io.BytesIO(sys.stdin.buffer.read())) as asked:
        top = int(asked["max_dimension"])
        kind: Literal["alpha", "rips"] = "alpha" if str(asked["kind"]) == "alpha" else "rips"
        points, radius = asked["points"], float(asked["radius"])
    try:
        found = compute(points, radius, kind, None if top < 0 else top)
    except PolyrankError as error:
        print(error, file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
    arrays = {f"simplices_{d}": rows for d, rows in enumerate(found.simplices)}
    degrees = -1 if found.degrees is None else found.degrees
    np.savez(sys.stdout.buffer, degrees=degrees, **arrays)  # type: ignore[arg-type]


def compute(
    points: NDArray[np.float64],
    radius: float,
    kind: Literal["alpha", "rips"],
    max_dimension: int | None,
) -> Cliques:
    """As :func:`cliques_of`, in this process."""
    try:
        import gudhi  # noqa: PLC0415
    except ImportError:
        raise _without_gudhi() from None
    if kind == "alpha":
        tree = gudhi.AlphaComplex(points=points).create_simplex_tree(
            max_alpha_square=float(radius) ** 2
        )
        top = max_dimension or points.shape[1]
        degrees = top if tree.dimension() > top else None
    else:
        edges = gudhi.RipsComplex(
            points=points, max_edge_length=2.0 * float(radius)
        ).create_simplex_tree(max_dimension=1)
        tree, degrees = _expanded(edges, max_dimension)
        top = tree.dimension() if degrees is None else degrees
    if tree.num_simplices() > _MAX_SIMPLICES:
        raise _too_large(kind, f"{tree.num_simplices():,}")
    facets: list[list[list[int]]] = [[] for _ in range(top + 1)]
    for simplex, _ in tree.get_skeleton(top):
        facets[len(simplex) - 1].append(simplex)
    return Cliques(tuple(np.array(rows, dtype=np.int64) for rows in facets if rows), degrees)


def _without_gudhi() -> UnsupportedError:
    return UnsupportedError(
        "complexes of point clouds need gudhi: pip install 'polyrank[topology]'"
    )


def _too_large(kind: str, count: str) -> DomainError:
    return DomainError(
        f"the {kind} complex has {count} simplices, more than {_MAX_SIMPLICES:,}; use a smaller "
        "radius, fewer points or a lower largest dimension"
    )


def _expanded(edges: Any, max_dimension: int | None) -> tuple[Any, int | None]:
    """The Rips complex of a graph, dimension by dimension, as far as it is asked for and fits.

    Returns
    -------
    tree : gudhi.SimplexTree
    degrees : int or None
        The dimension above which simplices are missing; None if there are none above.
    """
    limit = max_dimension or _RIPS_DIMENSION
    tree = edges
    for dimension in range(2, limit + 2):
        # one dimension beyond the limit shows whether anything is left out there
        top = tree.dimension()
        if top < dimension - 1:
            return tree, None  # no simplex of the dimension before: none of this one either
        beyond = dimension > limit
        optional = beyond or (max_dimension is None and dimension > 2)
        bound = next_bound(tree, top)
        if tree.num_simplices() + bound > (_RIPS_SIMPLICES if optional else _MAX_SIMPLICES):
            if optional:
                return tree, top
            raise _too_large("rips", f"too many, possibly {bound:,}")
        before, tree = tree, edges.copy()
        tree.expansion(dimension)
        if beyond:
            return before, (limit if tree.dimension() > limit else None)
    return tree, None


def next_bound(tree: Any, top: int) -> int:
    """At least as many as there are cliques of one more vertex than the largest simplices have."""
    graph = [s for s, _ in tree.get_skeleton(1) if len(s) == 2]
    if not graph:
        return 0
    a, b = np.array(graph).T
    size = int(b.max()) + 1
    ones = np.ones(2 * len(a), np.int64)
    both = sparse.csr_array((ones, (np.r_[a, b], np.r_[b, a])), shape=(size, size))
    if top == 1:  # exactly: every triangle is seen from each of its edges
        return int((both @ both).multiply(both).sum()) // 6
    common = int(((both @ both).multiply(both)).max())
    largest = sum(1 for s, _ in tree.get_skeleton(top) if len(s) == top + 1)
    return largest * max(0, common - top + 1) // (top + 2)


if __name__ == "__main__":
    _answer()
