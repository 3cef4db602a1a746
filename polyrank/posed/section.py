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
from itertools import chain, compress

import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat

from polyrank.blas import one_thread
from polyrank.lp.farkas import integer_row_of, integer_rows
from polyrank.network.exact_rank import independent_rows, modular_pivots, rank_of_rows
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
    forms : fmpq_mat, shape (r, k)
        r = rank M independent rows of the matrix M of the theorem, as multiples in integers.
    axes : tuple of int
        r coordinates, increasing, whose columns of M are independent.
    """

    forms: fmpq_mat
    axes: tuple[int, ...]

    def coordinates(self, point: fmpq_mat) -> fmpq_mat:
        """The s of the section, (r, 1), on which the forms are what they are at a chart point."""
        if not any(v != 0 for v in point.entries()):
            return fmpq_mat(len(self.axes), 1)
        return _columns(self.forms, self.axes).solve(self.forms * point)


def quotient(network: Network, whole: Chart) -> Quotient | None:
    """What is divided out of a chart; None where it stays as it is."""
    if whole.bounded or whole.k <= PLAIN:
        return None
    forms = _forms(network, whole)
    most = min(len(forms), whole.k)
    rows = independent_rows(forms)
    if len(rows) == whole.k:
        return None
    if len(rows) < most and rank_of_rows(forms) != len(rows):
        rows = _pivots(_matrix(forms).transpose())
        if len(rows) == whole.k:
            return None
    basis = _matrix([forms[i] for i in rows])
    return Quotient(fmpq_mat(basis), tuple(_axes(forms, basis)))


def _forms(network: Network, whole: Chart) -> list[tuple[int, ...]]:
    """The distinct rows of M that are not zero."""
    k = whole.k
    units = (integer_row_of(k, terms) for terms in whole.linear_rows(network.layers[0]))
    rows = chain((row[:-1] for row in whole.rows), units)
    return list(dict.fromkeys(row for row in rows if any(row)))


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
    interior = simplified(rows, seen.coordinates(whole.interior))
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


def _axes(forms: Sequence[Sequence[int]], basis: fmpz_mat) -> list[int]:
    """As many columns as the basis of the forms has rows, increasing, proved independent."""
    rank = basis.nrows()
    if rank == 0:
        return []
    proposed = sorted(_stable_columns(forms, rank))
    part = _columns(fmpq_mat(basis), proposed)
    independent = len(modular_pivots(part.numer_denom()[0])) == rank
    return proposed if independent else _pivots(basis)


def _matrix(rows: Sequence[Sequence[int]]) -> fmpz_mat:
    return fmpz_mat(len(rows), len(rows[0]) if rows else 0, [v for row in rows for v in row])


def _pivots(matrix: fmpz_mat) -> list[int]:
    table, _, rank = matrix.rref()
    return [next(j for j in range(matrix.ncols()) if table[i, j] != 0) for i in range(rank)]


def _stable_columns(forms: Sequence[Sequence[int]], rank: int) -> list[int]:
    """The columns that QR with pivoting takes first, of rows scaled to length one."""
    table = np.zeros((len(forms), len(forms[0])))
    for i, row in enumerate(forms):
        largest = max(abs(v) for v in row)
        for j in compress(range(len(row)), row):
            table[i, j] = nearest_float(fmpq(row[j], largest))
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    # loaded before its threads are limited
    from scipy.linalg import qr  # noqa: PLC0415  (a third of a second of every start)

    with one_thread():  # threads cost more than they give where cores are busy
        order = qr(table, mode="r", pivoting=True)[1]
    return [int(j) for j in order[:rank]]
