"""Level sets and decision boundaries of the output as exact subcomplexes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray
from scipy.sparse import csc_array

from polyrank.cells.task import SearchProgress
from polyrank.chains.chain import ChainComplex
from polyrank.chains.groups import Homology, homology
from polyrank.complex.build import cell_complex
from polyrank.complex.cell_complex import CellComplex
from polyrank.errors import NetworkError
from polyrank.network.normal_form import Layer, Network
from polyrank.network.rational import RationalArray, to_fmpq
from polyrank.polyhedra.domain import Domain

__all__ = ["LevelSet", "decision_boundary", "level_homology", "level_set"]

Progress = Callable[[SearchProgress], None]


@dataclass(frozen=True, slots=True, eq=False)
class LevelSet:
    """The points of the domain where an affine form of the outputs vanishes, as cells.

    Attributes
    ----------
    complex : CellComplex
        The complex of the network with that form as one more unit.
    mask : tuple of (f_d,) bool arrays
        Which cells lie in the level set; closed under taking faces.
    description : str
    """

    complex: CellComplex
    mask: tuple[NDArray[np.bool_], ...]
    description: str

    @property
    def f_vector(self) -> tuple[int, ...]:
        """Number of its cells of each dimension 0..k."""
        return tuple(int(m.sum()) for m in self.mask)

    @property
    def euler_characteristic(self) -> int:
        """Σ (−1)^d f_d."""
        return sum((-1) ** d * n for d, n in enumerate(self.f_vector))


def level_set(
    network: Network,
    domain: Domain,
    level: Any = 0,
    *,
    output: int = 0,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> LevelSet:
    """``{x : output_i(x) = level}``.

    Parameters
    ----------
    network : Network
    domain : Domain
        Bounded, of dimension 1 to 3.
    level : exact number
        Number, fraction or decimal text.
    output : int
        0-based output.
    progress : callable, optional
        Called now and then with the state of the search.
    jobs : int, optional
        As for :func:`~polyrank.complex.build.cell_complex`.

    Raises
    ------
    NetworkError
        If there is no such output.
    """
    value = to_fmpq(level)
    row = _selected(network, {output: 1})
    return _where_zero(network, domain, row, -value, f"output {output} = {value}", progress, jobs)


def decision_boundary(
    network: Network,
    domain: Domain,
    first: int,
    second: int,
    *,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> LevelSet:
    """``{x : output_first(x) = output_second(x)}``, 0-based.

    Raises
    ------
    NetworkError
        If there are no such two outputs.
    """
    if first == second:
        raise NetworkError(f"a boundary is between two outputs, got {first} twice")
    row = _selected(network, {first: 1, second: -1})
    name = f"output {first} = output {second}"
    return _where_zero(network, domain, row, fmpq(0), name, progress, jobs)


def _selected(network: Network, entries: dict[int, int]) -> list[fmpq]:
    row = [fmpq(0)] * network.layers[-1].units
    for index, value in entries.items():
        if not 0 <= index < network.layers[-1].units:
            raise NetworkError(
                f"{network.name!r} has outputs 0 to {network.layers[-1].units - 1}, got {index}"
            )
        row[index] = fmpq(value)
    return row


def _where_zero(
    network: Network,
    domain: Domain,
    row: Sequence[fmpq],
    shift: fmpq,
    description: str,
    progress: Progress | None,
    jobs: int | None,
) -> LevelSet:
    """The form as a unit of one more layer: cells where its sign is 0 are the level set."""
    unit = Layer(
        RationalArray.from_fmpq_mat(fmpq_mat(1, len(row), list(row))),
        RationalArray.from_rationals([shift], (1,)),
        RationalArray.from_floats([0.0]),
        RationalArray.from_floats([1.0]),
    )
    longer = Network((*network.layers, unit), network.name)
    cells = cell_complex(longer, domain, progress=progress, jobs=jobs)
    mask = tuple(cells.signs.of_units(d)[:, -1] == 0 for d in range(cells.dimension + 1))
    return LevelSet(cells, mask, description)


def level_homology(level: LevelSet, coefficients: str | int = "Z") -> Homology:
    """Homology of the level set, cut off by the domain's wall.

    **Proves**: the groups of the closed subcomplex {x in the domain : form(x) = 0}. **Does not
    prove** anything about the level set outside the domain.
    """
    mask, boundary = level.mask, level.complex.boundary
    matrices = tuple(
        csc_array(boundary[d - 1][mask[d - 1]][:, mask[d]].astype(np.int64))
        for d in range(1, len(mask))
    )
    return homology(ChainComplex(level.f_vector, matrices), coefficients)
