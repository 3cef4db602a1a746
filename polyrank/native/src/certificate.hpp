// The rigorous side of the LP oracle: what float and integer arithmetic can *prove*.
//
// Rows are float approximations of exact rows: row m carries radius[m] with
// |a_ml - a*_ml| <= radius[m] for every coefficient and for the constant, plus the rounding of one
// evaluation, so that for every u in the cube |u_l| <= 1 (and for a point known to one rounding per
// coordinate)
//
//     |fl(a_m.u + b_m) - (a*_m.u + b*_m)| <= (d + 1) radius[m].
//
// radius therefore bounds coefficient errors and evaluation errors at once.
//
// Emptiness of one side is proved by Farkas multipliers: s.z = c + sum_q lambda_q row_q with
// lambda >= 0 and c >= 0 on the cell. Four proofs, cheapest first:
//
// * by_residual: the identity holds up to a residual that the cube bounds, and c exceeds it.
// * by_integers: rows are exact integers; with D = |det| the multipliers D lambda are integers, and
//   the identity is verified in integers. Decides every touching case that fits into 64 bits.
// * by_enclosure: all constants vanish structurally (central rows), the basis matrix is proved
//   regular and every exact lambda_q is enclosed away from zero. Decides sup = 0.
// * by_residues: as by_integers for larger integers, by determinants modulo enough primes.
//
// Every comparison is written so that a NaN proves nothing.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>

#include "compose.hpp"
#include "dimension.hpp"
#include "network.hpp"
#include "residue.hpp"

namespace polyrank {

// The rows that a certificate speaks about: row m at table + m·stride.
struct Rows {
  const double *table;
  const double *radius;
};

// Proves objective >= 0 on the cell from approximate multipliers and a bounded cube.
//
// With mu = max(lambda, 0): s z* = sum_q mu_q row*_q + r.u + c where r and c are the residuals; the
// first sum is >= 0 on the cell and |r.u| <= sum_l |r_l|. Exact coefficients differ from the float
// ones by at most radius each, which costs (d + 1)(radius + sum_q mu_q radius_q); that term also
// covers the rounding of the residual, since radius includes (d + 4) units of the row's magnitude.
template <int D>
inline bool by_residual(Dimension<D> dim, Rows rows, const int *basis, const double *rates,
                        const double *objective, double objective_radius) {
  const int d = dim.size(), stride = dim.stride();
  double error = objective_radius;
  for (int q = 0; q < d; q++)
    if (rates[q] > 0.0 && basis[q] >= 0) error += rates[q] * rows.radius[basis[q]];
  double spread = 0.0, c = 0.0;
  for (int l0 = 0; l0 < stride; l0 += lane_count) {
    Lanes r, a;
    load(r, objective + l0);
    for (int q = 0; q < d; q++) {
      if (!(rates[q] > 0.0 && basis[q] >= 0)) continue;
      load(a, rows.table + basis[q] * stride + l0);
      r -= rates[q] * a;
    }
    for (int j = 0; j < lane_count; j++) {
      if (l0 + j < d) spread += std::fabs(r[j]);
      if (l0 + j == d) c = r[j];
    }
  }
  return c >= (spread + (d + 1) * error) * inflate;
}

// How far exact multipliers can be from approximate ones.
//
// With A the exact basis matrix (rows), X the approximate inverse and F = I - A^T X^T, ||F|| < 1
// (maximal row sum) makes A regular, and the exact lambda differs from the approximate one by
// X^T (I - F)^-1 rho with rho the residual, hence by at most sum_k |X_kq| ||rho|| / (1 - ||F||).
struct Enclosure {
  bool regular;
  double rounding;  // bound of the error of each coefficient of the residual
  double scale;     // |lambda*_q - lambda_q| <= scale · sum_k |X_kq|

  template <int D> double width(Dimension<D> dim, const double *inverse, int q) const {
    double sum = 0.0;
    for (int k = 0; k < dim.size(); k++) sum += std::fabs(inverse[k * dim.square() + q]);
    return sum * (scale * inflate);
  }
};

template <int D>
inline Enclosure enclose(Dimension<D> dim, Rows rows, const int *basis, const double *inverse,
                         const double *rates, const double *objective, double objective_radius) {
  constexpr Enclosure failed{false, 0.0, 0.0};
  const int d = dim.size(), stride = dim.stride(), s = dim.square();
  double total = objective_radius;
  for (int q = 0; q < d; q++) {
    if (basis[q] < 0) return failed;
    total += std::fabs(rates[q]) * rows.radius[basis[q]];
  }
  double rho = 0.0, norm = 0.0;
  for (int l0 = 0; l0 < d; l0 += lane_count) {
    Lanes r, a, sum;
    load(r, objective + l0);
    for (int q = 0; q < d; q++) {
      load(a, rows.table + basis[q] * stride + l0);
      r -= rates[q] * a;
    }
    // ||F|| with F[l, k] = delta - sum_q A[q, l] X[k, q] (row sums over k);
    // the rounding of delta = 1 is not covered by the rows' radius
    fill(sum, (d + 2) * 0x1p-52);
    for (int k = 0; k < d; k++) {
      Lanes f = lane_indices + l0 == static_cast<double>(k) ? Lanes{} + 1.0 : Lanes{};
      double e = 0.0;
      for (int q = 0; q < d; q++) {
        load(a, rows.table + basis[q] * stride + l0);
        f -= a * inverse[k * s + q];
        e += rows.radius[basis[q]] * std::fabs(inverse[k * s + q]);
      }
      absolute(a, f);
      sum += a + e;
    }
    for (int j = 0; j < lane_count && l0 + j < d; j++) {
      const double size = std::fabs(r[j]);
      if (!(size < 0x1p1000) || !(sum[j] * inflate < 0.5)) return failed;
      rho = size > rho ? size : rho;
      norm = sum[j] > norm ? sum[j] : norm;
    }
  }
  rho = (rho + total) * inflate;
  norm *= inflate;
  return {true, total, rho / (1.0 - norm) * inflate};
}

// Proves that the exact multipliers are >= 0; constants must vanish structurally.
//
// The caller guarantees that the constant of the objective is exactly zero, and central[row] that a
// row's is; a row with a positive multiplier must be central.
//
// A multiplier that is not enclosed away from zero is accepted only when structure proves it to be
// zero: the objective lies in a linear space of dimension <= `dimension` (the row space of the
// previous layer on this region), member[row] says that a row lies in it too, and `dimension` many
// basis rows with enclosed positive multipliers are members. Being independent they span the space,
// so the objective is their combination and, A being regular, every other multiplier is exactly
// zero.
template <int D>
inline bool by_enclosure(Dimension<D> dim, Rows rows, const int *basis, const double *inverse,
                         const double *rates, const double *objective, double objective_radius,
                         const bool *central, const bool *member, int dimension) {
  const int d = dim.size();
  const Enclosure enclosure =
      enclose(dim, rows, basis, inverse, rates, objective, objective_radius);
  if (!enclosure.regular) return false;
  int positive = 0;
  bool members = true;
  for (int q = 0; q < d; q++) {
    const double width = enclosure.width(dim, inverse, q);
    if (rates[q] > width) {
      if (!central[basis[q]]) return false;
      positive++;
      members = members && member[basis[q]];
    } else if (!(rates[q] >= -width)) {
      return false;
    }
  }
  return positive == d || (members && positive >= dimension);
}

// How the multipliers of an identity in integers look.
struct IntegerProof {
  bool proved;
  bool tight;                  // the constant c is zero
  int support;                 // how many multipliers are positive
  int slot;                    // the last slot with a positive multiplier, -1 for none
  std::uint64_t positive = 0;  // by residues: bit q says that of slot q the multiplier is positive
};

// Proves objective >= 0 by an identity in integers.
//
// exponent[m] >= 0 says: row_m · 2^exponent[m] has integer entries *exactly* (negative: the row
// is not exact and the proof is refused). With D = |det A| of the integer basis matrix,
// D·objective = sum_q mu_q row_q + c must hold coefficient by coefficient with integers mu_q >= 0
// and c >= 0. Every term and every partial sum stays below 2^62, so that 64-bit integers are exact.
// `work` is d × square scratch.
template <int D>
inline IntegerProof integer_proof(Dimension<D> dim, const double *table,
                                  const std::int64_t *exponent, const int *basis,
                                  const double *rates, const double *objective,
                                  std::int64_t objective_exponent, double *work) {
  constexpr IntegerProof refused{false, false, 0, -1};
  const int d = dim.size(), stride = dim.stride(), s = dim.square();
  if (objective_exponent < 0) return refused;
  for (int q = 0; q < d; q++) {
    const int b = basis[q];
    if (b < 0 || exponent[b] < 0) return refused;
    const double scale = power_of_two(exponent[b]);
    for (int l = 0; l < d; l++) work[q * s + l] = table[b * stride + l] * scale;
  }
  double det = 1.0;
  for (int c = 0; c < d; c++) {
    int p = c;
    double big = std::fabs(work[c * s + c]);
    for (int q = c + 1; q < d; q++) {
      const double v = std::fabs(work[q * s + c]);
      if (v > big) big = v, p = q;
    }
    if (big == 0.0) return refused;
    det *= big;
    if (!(det <= 1e15)) return refused;
    if (p != c)
      for (int l = 0; l < d; l++) std::swap(work[c * s + l], work[p * s + l]);
    for (int q = c + 1; q < d; q++) {
      const double f = work[q * s + c] / work[c * s + c];
      if (f == 0.0) continue;
      for (int l = c; l < d; l++) work[q * s + l] -= f * work[c * s + l];
    }
  }
  det = std::rint(det);
  if (!(det >= 1.0)) return refused;
  const double objective_scale = power_of_two(objective_exponent);
  const double limit = 0x1p60 / (d + 2);
  IntegerProof proof{true, false, 0, -1};
  for (int l = 0; l <= d; l++) {
    const double value = objective[l] * objective_scale;
    if (!(std::fabs(value) * det <= limit && std::fabs(value) <= 0x1p53)) return refused;
    std::int64_t sum = static_cast<std::int64_t>(value) * static_cast<std::int64_t>(det);
    for (int q = 0; q < d; q++) {
      const int b = basis[q];
      const double scale = power_of_two(exponent[b]);
      const double mu = std::rint(rates[q] * (det * objective_scale / scale));
      const double entry = table[b * stride + l] * scale;
      if (!(mu >= 0.0 && mu <= 0x1p53 && std::fabs(entry) <= 0x1p53 &&
            mu * std::fabs(entry) <= limit))
        return refused;
      sum -= static_cast<std::int64_t>(mu) * static_cast<std::int64_t>(entry);
      if (l == 0 && mu > 0.0) proof.support++, proof.slot = q;
    }
    if (l < d ? sum != 0 : sum < 0) return refused;
    proof.tight = sum == 0;
  }
  return proof;
}

template <int D>
inline bool by_integers(Dimension<D> dim, const double *table, const std::int64_t *exponent,
                        const int *basis, const double *rates, const double *objective,
                        std::int64_t objective_exponent, double *work) {
  return integer_proof(dim, table, exponent, basis, rates, objective, objective_exponent, work)
      .proved;
}

// Proves objective >= 0 where rows are exact integers, of any size: signs of determinants by
// residues.
//
// By Cramer's rule the multipliers of objective = sum_q lambda_q row_q + c are lambda_q = mu_q / D
// with D = det A, and D, mu_q and D c are determinants of integers, at most H = the product of the
// norms of all rows involved (Hadamard; a norm is at least one). Modulo primes whose product
// exceeds 8 H their signs are read off; no float is asked. `work` has room for residue_work(d)
// numbers.
inline constexpr std::int64_t residue_work(std::int64_t d) {
  return 2 * (d + 1) * (d + 1) + (d + 2) * (SignOfResidues::most + 3);
}

// `bound` >= 8 H; fill(prime, m): of the first `available` primes, m[l · (d + 1) + q] is
// coefficient l of basis row q, with q = d of the objective.
template <class Fill>
inline IntegerProof proof_by_residues(int d, double bound, int available, std::uint64_t idle,
                                      std::uint64_t *work, Fill &&fill) {
  constexpr IntegerProof refused{false, false, 0, -1};
  constexpr int most = SignOfResidues::most;
  const int n = d + 1, numbers = d + 2;
  std::uint64_t *const m = work;
  std::uint64_t *const found = m + n * n;  // (numbers, most): D, mu_q and D c per prime
  std::uint64_t *const scale =
      found + numbers * most;  // of the rows: diagonal, all heads, constants
  std::uint64_t *const prefix = scale + numbers, *const inverse = prefix + numbers;
  int primes[most], place[64], count = 0;
  double product = 1.0;
  for (int prime = 0; prime < available && !(product > bound); prime++) {
    const std::int64_t p = word_primes[prime];
    const Modulus mod(p);
    fill(prime, m);
    // Gauss-Jordan without divisions; the last row, of the constants, is reduced along
    std::uint64_t used = 0, odd = 0;
    scale[d] = scale[n] = 1;
    int q = 0;
    for (; q < d; q++) {
      int pivot = 0;
      while (pivot < d && ((used >> pivot & 1) || m[pivot * n + q] == 0)) pivot++;
      if (pivot == d) break;  // the prime divides the determinant
      for (int r = 0; r < q; r++) odd ^= place[r] > pivot;
      used |= std::uint64_t{1} << pivot;
      place[q] = pivot;
      const std::uint64_t head = m[pivot * n + q];
      scale[q] = head;
      for (int i = 0; i < n; i++) {
        const std::uint64_t f = m[i * n + q];
        if (i == pivot || f == 0) continue;
        for (int l = q; l < n; l++)
          m[i * n + l] = mod(m[i * n + l] * head + (mod.prime - f) * m[pivot * n + l]);
        std::uint64_t &factor = i == d ? scale[n] : scale[d];
        factor = mod(factor * head);
        for (int r = 0; r < q; r++)
          if (place[r] == i) scale[r] = mod(scale[r] * head);
      }
    }
    if (q < d) continue;
    // all inverses from one
    std::uint64_t all = 1;
    for (int i = 0; i < numbers; i++) {
      prefix[i] = all;
      all = mod(all * scale[i]);
    }
    std::uint64_t rest =
        static_cast<std::uint64_t>(inverse_residue(static_cast<std::int64_t>(all), p));
    for (int i = numbers - 1; i >= 0; i--) {
      inverse[i] = mod(rest * prefix[i]);
      rest = mod(rest * scale[i]);
    }
    std::uint64_t det = odd ? mod.prime - 1 : 1;
    for (int r = 0; r < d; r++) det = mod(det * scale[r]);
    det = mod(det * inverse[d]);
    found[d * most + count] = det;
    for (int r = 0; r < d; r++)
      found[r * most + count] = mod(mod(det * m[place[r] * n + d]) * inverse[r]);
    found[n * most + count] = mod(mod(det * m[d * n + d]) * inverse[n]);
    primes[count++] = prime;
    product *= static_cast<double>(p) * (1.0 - 0x1p-50);
  }
  if (!(product > bound)) return refused;
  const int sign = SignOfResidues::sign(primes, count, found + d * most);
  if (sign == 0) return refused;
  IntegerProof proof{true, false, 0, -1};
  for (int i = 0; i < numbers; i++) {
    if (i == d) continue;
    const int of = sign * SignOfResidues::sign(primes, count, found + i * most);
    if (of < 0 || (of > 0 && i < d && (idle >> i & 1))) return refused;
    if (i == n)
      proof.tight = of == 0;
    else if (of > 0)
      proof.support++, proof.slot = i, proof.positive |= std::uint64_t{1} << i;
  }
  return proof;
}

// Row m times 2^exponent[m] has integer entries, as for integer_proof.
inline IntegerProof by_residues(int d, int stride, const double *table,
                                const std::int64_t *exponent, const int *basis,
                                const double *objective, std::int64_t objective_exponent,
                                std::int64_t *work) {
  constexpr IntegerProof refused{false, false, 0, -1};
  const int n = d + 1;
  if (objective_exponent < 0 || d > 63) return refused;
  for (int q = 0; q < d; q++)
    if (basis[q] < 0 || exponent[basis[q]] < 0) return refused;
  // column q holds basis row q, the last one the objective, all divided by powers of two
  std::int64_t *const integers = work;
  double bound = 8.0 * (1.0 + 0x1p-30);
  for (int q = 0; q < n; q++) {
    const double *row = q < d ? table + basis[q] * stride : objective;
    const double scale = power_of_two(q < d ? exponent[basis[q]] : objective_exponent);
    std::uint64_t bits = 0;
    for (int l = 0; l < n; l++) {
      const double v = row[l] * scale;
      if (!(std::fabs(v) <= 0x1p53)) return refused;
      integers[l * n + q] = static_cast<std::int64_t>(v);
      bits |= static_cast<std::uint64_t>(integers[l * n + q]);
    }
    if (bits == 0) return refused;
    const int shift = std::countr_zero(bits);
    double norm = 0.0;
    for (int l = 0; l < n; l++) {
      integers[l * n + q] >>= shift;
      norm += static_cast<double>(integers[l * n + q]) * static_cast<double>(integers[l * n + q]);
    }
    bound *= std::sqrt(norm) * inflate;
  }
  const auto fill = [&](int prime, std::uint64_t *m) {
    const std::int64_t p = word_primes[prime];
    for (int i = 0; i < n * n; i++) {
      const std::int64_t v = integers[i] % p;
      m[i] = static_cast<std::uint64_t>(v < 0 ? v + p : v);
    }
  };
  return proof_by_residues(d, bound, SignOfResidues::most, 0,
                           reinterpret_cast<std::uint64_t *>(work + n * n), fill);
}

// The same from residues of exact rows that are made beforehand (Network::exact_residues): form[q]
// is the number of a row there, negative where there is none, and side[q] = -1 turns it; q = d is
// the objective. Where a norm is negative, any other row stands for the one that bounds a cone: an
// identity in which its multiplier is zero holds whatever that row is.
inline IntegerProof by_exact_forms(const Network &net, int d, const int *form,
                                   const std::int8_t *side, std::int64_t *work) {
  constexpr IntegerProof refused{false, false, 0, -1};
  const int n = d + 1;
  if (d > 63) return refused;
  double bound = 8.0 * (1.0 + 0x1p-30);
  std::uint64_t idle = 0;
  for (int q = 0; q < n; q++) {
    if (form[q] < 0 || form[q] >= net.exact_norm.shape[0]) return refused;
    const double norm = std::fabs(net.exact_norm(form[q]));
    if (!(norm >= 1.0)) return refused;
    if (net.exact_norm(form[q]) < 0.0) idle |= std::uint64_t{1} << q;
    bound *= norm * inflate;
  }
  const auto fill = [&](int prime, std::uint64_t *m) {
    const auto p = static_cast<std::uint64_t>(word_primes[prime]);
    for (int q = 0; q < n; q++) {
      const std::int64_t *row =
          net.exact_residues.data + (form[q] * net.exact_residues.shape[1] + prime) * n;
      for (int l = 0; l < n; l++) {
        const auto v = static_cast<std::uint64_t>(row[l]);
        m[l * n + q] = side[q] < 0 && v != 0 ? p - v : v;
      }
    }
  };
  return proof_by_residues(d, bound, static_cast<int>(net.exact_residues.shape[1]), idle,
                           reinterpret_cast<std::uint64_t *>(work), fill);
}

}  // namespace polyrank
