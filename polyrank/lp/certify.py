"""The rigorous side of the LP oracle: what float and integer arithmetic can *prove*.

Rows are float approximations of exact rows: row m carries ``radius[m]`` with
``|a_ml − a*_ml| ≤ radius[m]`` for every coefficient and for the constant, plus the rounding of
one evaluation, so that for every u in the cube ``|u_l| ≤ 1`` (and for a point known to one
rounding per coordinate)

    |fl(a_m·u + b_m) − (a*_m·u + b*_m)| ≤ (d + 1) radius[m].

``radius`` therefore bounds coefficient errors and evaluation errors at once.

Emptiness of one side is proved by Farkas multipliers: ``s·z = c + Σ λ_q row_q`` with λ ≥ 0 and
c ≥ 0 on the cell. Three proofs, cheapest first:

* :func:`by_residual`: the identity holds up to a residual that the cube bounds, and c exceeds it.
* :func:`by_enclosure`: all constants vanish structurally (central rows), the basis matrix is
  proved regular and every exact λ_q is enclosed away from zero. Decides sup = 0.
* :func:`by_integers`: rows are exact integers; with D = |det| the multipliers D λ are integers,
  and the identity is verified in 64-bit integers. Decides every touching case that fits.

No fastmath here: the bounds assume IEEE arithmetic, round to nearest. Rows and points are at most 1
in magnitude and every bound has a term of at least 2**-53 of it, so a product that underflows (off
by 2**-1075) is covered by the inflation. Multipliers may be of any size: infinities and NaN fail
every comparison here, which is written so that they do.
"""

from __future__ import annotations

import numpy as np

from polyrank.lp.jit import shared

__all__ = ["by_enclosure", "by_integers", "by_residual", "independent", "integer_rank"]

#: Inflation that covers the rounding inside the bounds themselves (sums of < 2**12 terms).
INFLATE = 1.0 + 2.0**-40


@shared
def by_residual(table, radius, basis, rates, objective, objective_radius):
    """Prove ``objective ≥ 0`` on the cell from approximate multipliers and a bounded cube.

    Parameters
    ----------
    table : (capacity, d + 1) array
        Rows of the cell, the constant last.
    radius : (capacity,) array
        Error bound per row.
    basis, rates : (d,) arrays
        Rows and their approximate multipliers; negative ones are taken as zero.
    objective : (d + 1,) array
        The oriented form s·z.

    Notes
    -----
    With μ = max(λ, 0): ``s z* = Σ μ_q row*_q + r·u + c`` where r and c are the residuals; the first
    sum is ≥ 0 on the cell and ``|r·u| ≤ Σ |r_l|``. Exact coefficients differ from the float ones
    by at most radius each, which costs ``(d + 1)(radius + Σ μ_q radius_q)``; that term also covers
    the rounding of the residual, since radius includes (d + 4) units of the row's magnitude.
    """
    d = basis.shape[0]
    error = objective_radius
    for q in range(d):
        if rates[q] > 0.0 and basis[q] >= 0:
            error += rates[q] * radius[basis[q]]
    c = objective[d]
    spread = 0.0
    for l in range(d + 1):
        r = objective[l]
        for q in range(d):
            if rates[q] > 0.0 and basis[q] >= 0:
                r -= rates[q] * table[basis[q], l]
        if l < d:
            spread += abs(r)
        else:
            c = r
    return c >= (spread + (d + 1) * error) * INFLATE


@shared
def by_enclosure(
    table, radius, basis, inverse, rates, objective, objective_radius, central, member, dimension
):
    """Prove that the exact multipliers are ≥ 0; constants must vanish structurally.

    The caller guarantees that the constant of the objective is exactly zero, and ``central[row]``
    that a row's is; a row with a positive multiplier must be central. With A the exact basis
    matrix (rows), X the approximate inverse and F = I − Aᵀ Xᵀ, ``‖F‖∞ < 1`` makes A regular, and
    the exact λ differs from the approximate one by ``Xᵀ (I − F)⁻¹ ρ`` with ρ the residual, hence
    by at most ``Σ_k |X_kq| ‖ρ‖∞ / (1 − ‖F‖∞)``.

    A multiplier that is not enclosed away from zero is accepted only when structure proves it to
    be zero: the objective lies in a linear space of dimension ≤ ``dimension`` (the row space of
    the previous layer on this region), ``member[row]`` says that a row lies in it too, and
    ``dimension`` many basis rows with enclosed positive multipliers are members. Being
    independent they span the space, so the objective is their combination and, A being regular,
    every other multiplier is exactly zero.
    """
    d = basis.shape[0]
    total = objective_radius
    for q in range(d):
        if basis[q] < 0:
            return False
        total += abs(rates[q]) * radius[basis[q]]
    rho = 0.0
    for l in range(d):
        r = objective[l]
        for q in range(d):
            r -= rates[q] * table[basis[q], l]
        if not abs(r) < np.inf:
            return False
        rho = max(rho, abs(r))
    rho = (rho + total) * INFLATE
    # ‖F‖∞ with F[l, k] = δ − Σ_q A[q, l] X[k, q] (row sums over k)
    norm = 0.0
    for l in range(d):
        # the rounding of δ = 1 is not covered by the rows' radius
        row_sum = (d + 2) * 2.0**-52
        for k in range(d):
            f = 1.0 if k == l else 0.0
            e = 0.0
            for q in range(d):
                f -= table[basis[q], l] * inverse[k, q]
                e += radius[basis[q]] * abs(inverse[k, q])
            row_sum += abs(f) + e
        if not row_sum < 0.5:  # nor NaN
            return False
        norm = max(norm, row_sum)
    norm *= INFLATE
    if not norm < 0.5:
        return False
    scale = rho / (1.0 - norm) * INFLATE
    positive = 0
    members = True
    for q in range(d):
        width = 0.0
        for k in range(d):
            width += abs(inverse[k, q])
        width *= scale * INFLATE
        if rates[q] > width:
            if not central[basis[q]]:
                return False
            positive += 1
            members = members and member[basis[q]]
        elif rates[q] < -width:
            return False
    return positive == d or (members and positive >= dimension)


@shared
def by_integers(table, exponent, basis, rates, objective, objective_exponent, work):
    """Prove ``objective ≥ 0`` by an identity in integers.

    ``exponent[m] >= 0`` says that ``row_m · 2**exponent[m]`` has integer entries *exactly*
    (negative: the row is not exact and the proof is refused). With D = |det A| of the integer
    basis matrix, ``D·objective = Σ μ_q row_q + c`` must hold coefficient by coefficient with
    integers μ_q ≥ 0 and c ≥ 0. Every term and every partial sum stays below 2**62, so that
    64-bit integers are exact. ``work`` is ``(d, 2 d)`` scratch.
    """
    d = basis.shape[0]
    if objective_exponent < 0:
        return False
    for q in range(d):
        b = basis[q]
        if b < 0 or exponent[b] < 0:
            return False
        scale = 2.0 ** exponent[b]
        for l in range(d):
            work[q, l] = table[b, l] * scale
    det = 1.0
    for c in range(d):
        p = c
        big = abs(work[c, c])
        for q in range(c + 1, d):
            if abs(work[q, c]) > big:
                big = abs(work[q, c])
                p = q
        if big == 0.0:
            return False
        det *= big
        if det > 1e15:
            return False
        if p != c:
            for l in range(d):
                t = work[c, l]
                work[c, l] = work[p, l]
                work[p, l] = t
        for q in range(c + 1, d):
            f = work[q, c] / work[c, c]
            if f != 0.0:
                for l in range(c, d):
                    work[q, l] -= f * work[c, l]
    det = np.rint(det)
    if not det >= 1.0:
        return False
    objective_scale = 2.0**objective_exponent
    limit = 2.0**60 / (d + 2)
    for l in range(d + 1):
        value = objective[l] * objective_scale
        if not (abs(value) * det <= limit and abs(value) <= 2.0**53):
            return False
        total = np.int64(value) * np.int64(det)
        for q in range(d):
            b = basis[q]
            scale = 2.0 ** exponent[b]
            mu = np.rint(rates[q] * (det * objective_scale / scale))
            entry = table[b, l] * scale
            if not (0.0 <= mu <= 2.0**53 and abs(entry) <= 2.0**53 and mu * abs(entry) <= limit):
                return False
            total -= np.int64(mu) * np.int64(entry)
        if l < d:
            if total != 0:
                return False
        elif total < 0:
            return False
    return True


@shared
def independent(rows, radius, count, size, chosen, work, inverse, picked_columns, used):
    """Prove that some ``size`` of the first ``count`` rows are linearly independent.

    Parameters
    ----------
    rows : (capacity, c) array
        Float rows; destroyed copies go to ``work``.
    radius : (capacity,) array
        Coefficient error bound per row.
    chosen : (size,) int array, output
        Indices of the independent rows.

    Returns
    -------
    bool : True only with proof: complete pivoting picks a ``size × size`` minor A, and
    ``‖I − A X‖∞ < 1`` for an approximate inverse X, errors included, makes the exact minor
    regular.
    """
    width = rows.shape[1]
    if size == 1:
        for i in range(count):
            for l in range(width):
                if abs(rows[i, l]) > radius[i]:
                    chosen[0] = i
                    return True
        return False
    for i in range(count):
        for l in range(width):
            work[i, l] = rows[i, l]
    for i in range(count):
        used[i] = False
    for step in range(size):
        best = 0.0
        bi = -1
        bl = -1
        for i in range(count):
            if not used[i]:
                for l in range(width):
                    if abs(work[i, l]) > best:
                        best = abs(work[i, l])
                        bi = i
                        bl = l
        if bi < 0 or best <= 4.0 * radius[bi]:
            return False
        used[bi] = True
        chosen[step] = bi
        picked_columns[step] = bl
        for i in range(count):
            if not used[i]:
                f = work[i, bl] / work[bi, bl]
                if f != 0.0:
                    for l in range(width):
                        work[i, l] -= f * work[bi, l]
                    work[i, bl] = 0.0
    # approximate inverse by Gauss-Jordan without pivoting (the order is a pivot order)
    for i in range(size):
        for j in range(size):
            inverse[i, j] = rows[chosen[i], picked_columns[j]]
            inverse[i, size + j] = 1.0 if i == j else 0.0
    for c in range(size):
        if abs(inverse[c, c]) < 1e-290:
            return False
        f = 1.0 / inverse[c, c]
        for j in range(2 * size):
            inverse[c, j] *= f
        for i in range(size):
            if i != c:
                f = inverse[i, c]
                if f != 0.0:
                    for j in range(2 * size):
                        inverse[i, j] -= f * inverse[c, j]
    for i in range(size):
        row_sum = (size + 2) * 2.0**-52
        for j in range(size):
            f = 1.0 if i == j else 0.0
            e = 0.0
            for l in range(size):
                f -= rows[chosen[i], picked_columns[l]] * inverse[l, size + j]
                e += abs(inverse[l, size + j])
            row_sum += abs(f) + e * radius[chosen[i]]
        if not row_sum * INFLATE < 1.0:
            return False
    return True


#: Primes just below 2**31: residues multiply within 64-bit integers.
PRIMES = (2147483647, 2147483629, 2147483587, 2147483579)


@shared
def _rank_modulo(integers, count, width, p):
    """Rank modulo p of the first ``count`` rows, which are reduced in place."""
    rank = 0
    for column in range(width):
        pivot = -1
        for i in range(rank, count):
            if integers[i, column] != 0:
                pivot = i
                break
        if pivot < 0:
            continue
        if pivot != rank:
            for l in range(width):
                t = integers[pivot, l]
                integers[pivot, l] = integers[rank, l]
                integers[rank, l] = t
        head = integers[rank, column]
        for i in range(rank + 1, count):
            f = integers[i, column]
            if f != 0:
                for l in range(column, width):
                    v = (integers[i, l] * head) % p - (f * integers[rank, l]) % p
                    integers[i, l] = v + p if v < 0 else v
        rank += 1
        if rank == count:
            break
    return rank


@shared
def integer_rank(rows, exponent, index, count, width, integers):
    """Exact rank of integer rows, or −1 where 64-bit residues cannot prove it.

    Row ``index[i]`` times ``2**exponent`` has integer entries. The rank modulo any prime is a
    lower bound. If r is the largest one and the product of the used primes exceeds the Hadamard
    bound of every minor of order r + 1, those minors vanish modulo the product and therefore are
    zero: the rank is r.
    """
    for i in range(count):
        if exponent[index[i]] < 0:
            return -1
    rank = 0
    product = 1.0
    for turn in range(4):
        p = PRIMES[turn]
        bound = 1.0
        for i in range(count):
            r = index[i]
            scale = 2.0 ** exponent[r]
            for l in range(width):
                v = rows[r, l] * scale
                if not abs(v) <= 2.0**53:
                    return -1
                integers[i, l] = np.int64(v) % p
        found = _rank_modulo(integers, count, width, p)
        if found > rank:
            rank = found
        product *= p
        if rank == count or rank == width:
            return rank
        # the product of the rank + 1 largest row norms, generously rounded up
        largest = 1.0
        for i in range(count):
            r = index[i]
            scale = 2.0 ** exponent[r]
            norm = 0.0
            for l in range(width):
                norm += (rows[r, l] * scale) ** 2
            if norm > largest:
                largest = norm
        bound = (largest * (1.0 + 2.0**-40)) ** (0.5 * (rank + 1)) * (1.0 + 2.0**-30)
        if bound < product * 0.99:
            return rank
    return -1
