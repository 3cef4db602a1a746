"""The section of a chart: the coordinates that the first layer sees, exactly.

**Theorem.** Let the domain be ``{A y ≤ b}`` in the chart's coordinates y of R^k and let ``M`` be
the matrix of the rows of A and of ``W_1 B`` (the first layer's weights on the basis B). Let
``L = ker M`` and let ``S`` be r = rank M coordinate axes whose columns of M are independent. Then
``R^k = S ⊕ L``; the domain is ``(S ∩ domain) + L``; the network is constant along L; and the
regions of the domain are the sets ``region of the section + L``, one for each, with the same
codewords, identically vanishing units, facets, neighbours and affine maps along S, and the same
ranks at every layer.

*Proof.* M is one-to-one on S (its columns there are independent), so ``S ∩ L = 0``, and the
dimensions r and k − r add up. For y = s + l, ``A y = A s`` and ``W_1 B y = W_1 B s``: membership in
the domain and the values of every layer depend on s alone. Hence the set of one codeword is its
part in S plus L, and it is open, empty or without interior in R^k exactly where that part is so in
S. A common face of two such closures is a face in S plus L: codimensions agree. The linear part
through layer K factors as ``J W_1 B`` and vanishes on L, so its image is the image of S. ∎

A point of the section, ``x = origin + B S s``, has zeros in the other k − r coordinates of the
chart: on R^n the witness is lifted without a single new digit. Floats propose the axes (QR with
pivoting, so that the rows stay apart); residues modulo a prime prove their columns independent;
that no others are is proved by counting rows, or by the exact rank.

Up to three dimensions the chart stays as it is: pictures and lists of vertices are in the
coordinates of the user there, and the search is fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat

from polyrank.blas import one_thread
from polyrank.lp.farkas import integer_rows
from polyrank.network.exact_rank import exact_rank, modular_pivots
from polyrank.network.normal_form import Network
from polyrank.network.rational import nearest_float
from polyrank.polyhedra.domain import Domain
from polyrank.polyhedra.system import Inequalities
from polyrank.posed.chart import Chart, bounding_box, chart, simplified

__all__ = ["Quotient", "chart_for", "quotient", "section"]

#: Domains of at most this dimension keep the coordinates of their chart.
PLAIN = 3


def chart_for(network: Network, domain: Domain) -> Chart:
    """The chart of a domain in which a network is searched: its section.

    Raises
    ------
    EmptyDomainError, DomainError, TypeError
        As :func:`polyrank.posed.chart.chart`.
    """
    return section(network, chart(domain, network.input_dim))


@dataclass(frozen=True, slots=True, eq=False)
class Quotient:
    """What a network and a domain see of a chart's coordinates.

    Attributes
    ----------
    forms : fmpz_mat, shape (m, k)
        The matrix M of the theorem: rows of the domain and of layer 1, as multiples in integers.
    axes : tuple of int
        rank M coordinates, increasing, whose columns of M are independent.
    """

    forms: fmpz_mat
    axes: tuple[int, ...]

    def coordinates(self, point: fmpq_mat) -> fmpq_mat:
        """The s of the section, (r, 1), on which the forms are what they are at a chart point."""
        return _projected(self.forms, self.axes, point)

    def basis_of_forms(self) -> fmpq_mat:
        """Rank M independent rows of M."""
        part = _columns(fmpq_mat(self.forms), self.axes)
        turned = part.transpose().numer_denom()[0]
        rows = modular_pivots(turned)
        if len(rows) < len(self.axes):
            rows = _pivots(turned)
        k = self.forms.ncols()
        return fmpq_mat(len(rows), k, [self.forms[i, j] for i in rows for j in range(k)])


def quotient(network: Network, whole: Chart) -> Quotient | None:
    """What is divided out of a chart; None where it stays as it is."""
    if whole.bounded or whole.k <= PLAIN:
        return None
    matrix = _forms(network, whole)
    axes = _independent_columns(matrix, whole.k)
    return None if len(axes) == whole.k else Quotient(matrix, tuple(axes))


def _forms(network: Network, whole: Chart) -> fmpz_mat:
    linear = whole.linear_part(network.layers[0].weight_exact)
    rows = [
        *(row[:-1] for row in whole.rows),
        *(row[:-1] for row in integer_rows(Inequalities.of(linear, fmpq_mat(linear.nrows(), 1)))),
    ]
    distinct = list(dict.fromkeys(row for row in rows if any(row)))
    return fmpz_mat(len(distinct), whole.k, [v for row in distinct for v in row])


def section(network: Network, whole: Chart) -> Chart:
    """The section of a chart; the chart itself where nothing can be divided out.

    **Proves** the theorem's premises: the columns of the chosen axes are independent, and the rank
    of M is their number. ``lineality`` of what is returned is the dimension of L.
    """
    seen = quotient(network, whole)
    if seen is None:
        return whole
    axes = seen.axes
    inequalities = Inequalities.of(_columns(whole.A, axes), whole.b)
    rows = integer_rows(inequalities)
    interior = simplified(rows, _projected(seen.forms, axes, whole.interior))
    box = bounding_box(rows, interior)
    proof = replace(whole.proof, lower=box.lower_proof, upper=box.upper_proof, ray=box.ray)
    return Chart(
        whole.origin,
        _columns(whole.basis, axes),
        inequalities,
        interior,
        box.lower,
        box.upper,
        whole.names,
        proof,
        whole.k - len(axes),
    )


def _columns(matrix: fmpq_mat, axes: Sequence[int]) -> fmpq_mat:
    m = matrix.nrows()
    return fmpq_mat(m, len(axes), [matrix[i, j] for i in range(m) for j in axes])


def _independent_columns(matrix: fmpz_mat, k: int) -> list[int]:
    """As many columns as the rank, increasing, proved independent."""
    most = min(matrix.nrows(), k)
    if most == 0:
        return []
    best = modular_pivots(matrix)
    if len(best) < most and exact_rank(fmpq_mat(matrix)) != len(best):
        best = _pivots(matrix)
    if len(best) == k:
        return best
    proposed = sorted(_stable_columns(matrix, len(best)))
    part = _columns(fmpq_mat(matrix), proposed)
    independent = len(modular_pivots(part.numer_denom()[0])) == len(best)
    return proposed if independent else best


def _pivots(matrix: fmpz_mat) -> list[int]:
    table, _, rank = matrix.rref()
    return [next(j for j in range(matrix.ncols()) if table[i, j] != 0) for i in range(rank)]


def _stable_columns(matrix: fmpz_mat, rank: int) -> list[int]:
    """The columns that QR with pivoting takes first, of rows scaled to length one."""
    rows = []
    for row in matrix.tolist():
        largest = max(abs(v) for v in row)
        rows.append([nearest_float(fmpq(v, largest)) for v in row])
    table = np.array(rows)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    # loaded before its threads are limited
    from scipy.linalg import qr  # noqa: PLC0415  (a third of a second of every start)

    with one_thread():  # threads cost more than they give where cores are busy
        order = qr(table, mode="r", pivoting=True)[1]
    return [int(j) for j in order[:rank]]


def _projected(matrix: fmpz_mat, axes: Sequence[int], point: fmpq_mat) -> fmpq_mat:
    """The s with ``M S s = M point``: the point moved along L into the section."""
    if not any(v != 0 for v in point.entries()):
        return fmpq_mat(len(axes), 1)
    exact = fmpq_mat(matrix)
    part = _columns(exact, axes)
    transposed = part.transpose()
    return (transposed * part).solve(transposed * (exact * point))
