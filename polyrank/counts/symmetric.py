r"""How often a codeword is realised by a random layer whose rows have a sign-symmetric law.

**Theorem.** Let the rows ``(w_i, b_i)``, i = 1..n, of a layer on R^m be random such that

(a) flipping the sign of any row does not change their joint law, and
(b) they are almost surely in general position (any m + 1 hyperplanes have no common point, any m
    have one).

Then every codeword σ in {0, 1}^n is realised by a region with the same probability::

    P[σ is realised] = Z(n, m) / 2^n,        Z(n, m) = Σ_{j ≤ m} C(n, j).

*Proof.* Let R(A) be the set of codewords of the regions of the arrangement A. If row i is replaced
by its negative, the hyperplanes stay where they are and bit i of every codeword is complemented:
``R(εA) = ε·R(A)`` for ε in {±1}^n, where ε acts by complementing bits. By (a), A has the law of εA
with ε uniform and independent of A, so that::

    P[σ in R(A)] = E P[σ in ε·R(A) | A] = E P[ε·σ in R(A) | A] = E |R(A)| / 2^n,

because ε·σ is uniform on {0, 1}^n. By (b) and Zaslavsky's theorem |R(A)| = Z(n, m) almost surely. ∎

*Consequences.* Codewords of size k (k active units) are C(n, k) in number: the expected number of
regions of codeword size k is ``C(n, k) Z(n, m) / 2^n``. In general position the rank of a ReLU
layer on a region of codeword size k is min(k, m), so that this is the expected number of regions of
rank k < m; a region of rank 0 has codeword 0 and exists with probability ``Z(n, m) / 2^n``: always
for n ≤ m, with probability ½ at n = 2m + 1 (the binomial coefficients C(2m + 1, j), j ≤ m, are
half of all), and exponentially rarely beyond.

*On a domain.* The proof uses (b) only for |R(A)|. For the regions of any domain D of R^m with
interior, ``P[σ is realised in D] = E N_D / 2^n``, where N_D is the number of regions that meet D,
and so ``E[regions of codeword size k in D] = C(n, k) E N_D / 2^n``. Hence rank 0 is at most as
likely on a box as on R^m.

*Without biases* (a central arrangement) the same proof gives ``2 Σ_{j < m} C(n − 1, j) / 2^n``:
for σ = 0 this is Wendel's probability that n random vectors lie in a half-space.

The *naive* count draws the Z(n, m) codewords of the regions without replacement from all 2^n. The
probability of a given codeword is then right by accident, since only the number of codewords
matters; that of "some region has rank < m" is not, because the codewords of one arrangement are
not drawn independently.

Sources: J. G. Wendel, "A problem in geometric probability", Math. Scand. 11 (1962); T. M. Cover,
"Geometrical and statistical properties of systems of linear inequalities with applications in
pattern recognition", IEEE Trans. Electronic Computers EC-14 (1965); the naive count: K. Beshkov and
G. T. Einevoll, "A rank decomposition for the topological classification of neural representations"
(2024), section 3.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np

from polyrank.counts.arrangement import central_regions, regions

__all__ = [
    "codeword_probability",
    "expected_by_rank",
    "expected_by_size",
    "naive_low_rank_probability",
]

_TERMS = 1 << 20


def codeword_probability(n: int, m: int, *, bias: bool = True) -> Fraction:
    """Probability that a given codeword is that of a region on R^m: ``Z(n, m) / 2^n``.

    Also the probability that a region of rank 0 exists. Proved in the module's docstring, for rows
    with a sign-symmetric law in general position; without ``bias`` for a central arrangement.

    Parameters
    ----------
    n, m : int
        Units and inputs.
    bias : bool

    Examples
    --------
    >>> codeword_probability(5, 2), codeword_probability(3, 7)
    (Fraction(1, 2), Fraction(1, 1))
    """
    count = regions(n, m) if bias else central_regions(n, m)
    return Fraction(count, 2**n)


def expected_by_size(n: int, m: int, *, bias: bool = True) -> list[Fraction]:
    """Expected number of regions of codeword size k on R^m, for k = 0..n: ``C(n, k) Z / 2^n``.

    Examples
    --------
    >>> [str(v) for v in expected_by_size(3, 2)]
    ['7/8', '21/8', '21/8', '7/8']
    """
    each = codeword_probability(n, m, bias=bias)
    return [comb(n, k) * each for k in range(n + 1)]


def expected_by_rank(n: int, m: int, *, bias: bool = True) -> list[Fraction]:
    """Expected number of regions of rank r of a ReLU layer on R^m, for r = 0..min(n, m).

    In general position the rank on a region of codeword size k is min(k, m).

    Examples
    --------
    >>> [str(v) for v in expected_by_rank(3, 2)]
    ['7/8', '21/8', '7/2']
    """
    each = codeword_probability(n, m, bias=bias)
    low = [comb(n, r) * each for r in range(min(n, m))]
    return [*low, each * 2**n - sum(low, Fraction(0))]


def naive_low_rank_probability(n: int, m: int) -> float:
    """Probability of a region of rank < m if codewords were drawn without replacement.

    ``1 − C(2^n − L, Z) / C(2^n, Z)`` with ``L = Σ_{k < m} C(n, k)`` codewords of rank < m. **Does
    not prove** anything about layers: their codewords are not drawn independently.

    Examples
    --------
    >>> naive_low_rank_probability(3, 5), round(naive_low_rank_probability(4, 1), 6)
    (1.0, 0.3125)
    """
    total, drawn = 2**n, regions(n, m)
    low = sum(comb(n, k) for k in range(min(m, n + 1)))
    if low == 0:
        return 0.0
    if low + drawn > total:
        return 1.0
    # log of Π_{i < low} (total − drawn − i) / (total − i): terms are smooth in i
    steps = min(low, _TERMS)
    i = (np.arange(steps) + 0.5) * (float(low) / steps) - 0.5
    logs = np.log1p(-float(drawn) / (float(total) - i))
    return float(-np.expm1(logs.mean() * float(low)))
