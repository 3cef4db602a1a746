"""The rank of a prefix: layer K's units along the directions that its open units do not see.

Let layer K−1 be affine, ``z = J y + c``, on a region of layers 1..K−2; let the signs of its units D
be decided and U be open, and let the columns of N span the common kernel of J on U. On every region
of the prefix whose live units in layer K include E::

    rank J_K ≥ rank (W_K[E, D] A_D J_D N),     A_D: the slopes of D.

*Proof.* Along N the units of U do not change, whatever their signs, so that the derivative of layer
K's pre-activations along N is W_K[:, D] A_D J_D N, and J_K N holds non-zero multiples of its rows
E. ∎  The bound can be as large as dim N ≥ k − |U|: with r to be proved, k − r units may stay open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from flint import fmpq_mat, fmpz_mat
from numpy.typing import NDArray

from polyrank.lp.farkas import integer_table
from polyrank.minrank.covers import contracted
from polyrank.network.normal_form import Layer

__all__ = ["Directions"]


class Directions:
    """The rows W_K A_D J_D N modulo a prime, for any signs of the decided units.

    Parameters
    ----------
    z : fmpq_mat, shape (n, k + 1)
        The pre-activations of layer K−1.
    below, last : Layer
        Layers K−1 and K.
    units : sequence of int
        Those of layer K that count; first those that are live everywhere.
    always : int
        How many these are.
    decided : int
        The first units of layer K−1 are decided, so many.
    prime : int
        Below 2**31. A rank modulo it bounds the rank over ℚ from below.

    Attributes
    ----------
    sides : two ndarrays of int64, shape (decided, m · v)
        What a decided unit adds to the rows, (m, v), where it is off and where it is on.
    units, always : int
    """

    def __init__(
        self,
        z: fmpq_mat,
        below: Layer,
        last: Layer,
        units: Sequence[int],
        always: int,
        decided: int,
        prime: int,
    ) -> None:
        k = z.ncols() - 1
        table = z.numer_denom()[0].tolist()
        linear = fmpz_mat(len(table), k, [v for row in table for v in row[:k]])
        along = linear
        if decided < len(table):
            seen = fmpz_mat(
                len(table) - decided, k, [v for row in table[decided:] for v in row[:k]]
            )
            kernel, dimension = seen.nullspace()
            part = [v for row in kernel.tolist() for v in row[:dimension]]
            along = linear * fmpz_mat(k, dimension, part)
        self._width = along.ncols()
        self._prime = prime
        self.units, self.always = len(units), always
        residues = [int(v) % prime for v in along.entries()]
        moves = np.array(residues, dtype=np.int64).reshape(len(table), self._width)[:decided]
        rows = integer_table(last.weight_exact)  # positive multiples of rows have the same ranks
        weights = [rows[i][j] % prime for j in range(decided) for i in units]
        weight = np.array(weights, dtype=np.int64).reshape(decided, len(units), 1)
        common = math.lcm(*(int(s.q) for pair in below.slopes_exact for s in pair))
        sides = []
        for side in (0, 1):
            slopes = [int(pair[side] * common) % prime for pair in below.slopes_exact[:decided]]
            scaled = np.array(slopes, dtype=np.int64)[:, None] * moves % prime
            each = weight * scaled[:, None, :] % prime
            sides.append(np.ascontiguousarray(each.reshape(decided, len(units) * self._width)))
        self.sides = sides[0], sides[1]

    def elements(self, positive: NDArray[np.bool_]) -> tuple[int, NDArray[np.int64]]:
        """The rank of the units that are always live, and the others modulo these."""
        total = self.sides[1][positive].sum(axis=0) + self.sides[0][~positive].sum(axis=0)
        table = (total % self._prime).reshape(self.units, self._width)
        return contracted(table, self.always, self._prime)
