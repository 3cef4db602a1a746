// Ranks: a float proof that rows are independent, and the exact rank of integer rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "compose.hpp"
#include "dimension.hpp"
#include "network.hpp"
#include "residue.hpp"

namespace polyrank {

// Scratch of `independent` for up to `rows` rows of `width` columns (`stride` doubles apart).
struct RankScratch {
  double *work;     // (rows, stride)
  double *largest;  // (rows,) largest magnitude of each row of `work`
  double *lower;    // (rows, width) multipliers of the elimination
  double *inverse;  // (width, 2 width)
  int *column;      // (width,) pivot columns
  bool *used;       // (rows,)
};

// Proves that a 2 x 2 or 3 x 3 matrix with rows a_i +- radius_i is regular, by its determinant.
//
// It is linear in every row and at most the product of the rows' 1-norms S_i: row by row, the
// errors change it by at most sum_i n radius_i prod_{j != i} (S_j + n radius_j), and its own
// rounding is at most gamma prod S_i with gamma for the operations of a term.
inline bool regular(const double *rows, const double *radius, int size, int stride) {
  const double *a = rows, *b = rows + stride, *c = rows + 2 * stride;
  double det, bound;
  if (size == 2) {
    det = a[0] * b[1] - a[1] * b[0];
    const double s = std::fabs(a[0]) + std::fabs(a[1]), t = std::fabs(b[0]) + std::fabs(b[1]);
    const double p = 2.0 * radius[0], q = 2.0 * radius[1];
    bound = p * (t + q) + q * (s + p) + gamma(4) * (s * t);
  } else {
    det = a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) +
          a[2] * (b[0] * c[1] - b[1] * c[0]);
    double s[3], n[3];
    for (int i = 0; i < 3; i++) {
      const double *row = rows + i * stride;
      n[i] = 3.0 * radius[i];
      s[i] = std::fabs(row[0]) + std::fabs(row[1]) + std::fabs(row[2]) + n[i];
    }
    bound = n[0] * (s[1] * s[2]) + n[1] * (s[0] * s[2]) + n[2] * (s[0] * s[1]) +
            gamma(8) * (s[0] * s[1] * s[2]);
  }
  // the last term covers products that underflow
  return std::fabs(det) > bound * inflate + 0x1p-1000;
}

// Proves that some `size` of the first `count` rows are linearly independent, and which: `chosen`.
//
// Complete pivoting picks a size × size minor A = L U - E with |E| <= gamma |L| |U| (Higham,
// Accuracy and Stability of Numerical Algorithms, Theorem 9.3). With R the errors of the rows, A +
// R is regular if || |U^-1| |L^-1| (|E| + |R|) || < 1 (maximal row sum), and the inverse of a
// triangular matrix is bounded by that of its comparison matrix. Where that bound is too coarse,
// ||I - A X|| < 1 for an approximate inverse X, errors included, proves the same. radius[i] bounds
// the error of every coefficient of row i. Rows are padded with zeros to `stride`, a multiple of
// the lanes.
inline bool independent(const double *rows, const double *radius, int count, int width, int stride,
                        int size, int *chosen, const RankScratch &scratch) {
  if (size == 1) {
    for (int i = 0; i < count; i++)
      for (int l = 0; l < width; l++)
        if (std::fabs(rows[i * stride + l]) > radius[i]) {
          chosen[0] = i;
          return true;
        }
    return false;
  }
  if (count == size && width == size && size <= 3 && regular(rows, radius, size, stride)) {
    for (int q = 0; q < size; q++) chosen[q] = q;
    return true;
  }
  double *const work = scratch.work, *const lower = scratch.lower;
  for (int i = 0; i < count; i++) {
    Lanes most{}, v, a;
    for (int l = 0; l < stride; l += lane_count) {
      load(v, rows + i * stride + l);
      store(work + i * stride + l, v);
      absolute(a, v);
      most = a > most ? a : most;
    }
    scratch.largest[i] = largest(most);
    scratch.used[i] = false;
  }
  for (int step = 0; step < size; step++) {
    double best = 0.0;
    int bi = -1, bl = -1;
    for (int i = 0; i < count; i++)
      if (!scratch.used[i] && scratch.largest[i] > best) best = scratch.largest[i], bi = i;
    if (bi < 0 || best <= 4.0 * radius[bi]) return false;
    for (int l = width - 1; l >= 0; l--)
      if (std::fabs(work[bi * stride + l]) == best) bl = l;
    if (bl < 0) return false;
    scratch.used[bi] = true;
    chosen[step] = bi;
    scratch.column[step] = bl;
    const double *const pivot = work + bi * stride;
    for (int i = 0; i < count; i++) {
      if (scratch.used[i]) continue;
      double *const row = work + i * stride;
      const double f = row[bl] / pivot[bl];
      lower[i * width + step] = f;
      if (f == 0.0) continue;
      Lanes most{}, v, p, a;
      for (int l = 0; l < stride; l += lane_count) {
        load(v, row + l);
        load(p, pivot + l);
        v -= f * p;
        v = lane_indices + l == static_cast<double>(bl) ? Lanes{} : v;
        store(row + l, v);
        absolute(a, v);
        most = a > most ? a : most;
      }
      scratch.largest[i] = largest(most);
    }
  }
  // the comparison matrices, applied to the row sums of the errors
  double *const bound = scratch.largest;
  double *const upper = scratch.inverse;  // row sums of |U|
  for (int k = 0; k < size; k++) {
    upper[k] = 0.0;
    for (int j = k; j < size; j++)
      upper[k] += std::fabs(work[chosen[k] * stride + scratch.column[j]]);
  }
  const double rounding = gamma(size + 2);
  for (int i = 0; i < size; i++) {
    const double *const l = lower + chosen[i] * width;
    double errors = upper[i], known = 0.0;
    for (int k = 0; k < i; k++) {
      errors += std::fabs(l[k]) * upper[k];
      known += std::fabs(l[k]) * bound[k];
    }
    bound[i] = size * (radius[chosen[i]] + 0x1p-1000) + rounding * errors + known;
  }
  bool proved = true;
  for (int i = size - 1; i >= 0; i--) {
    const double *const u = work + chosen[i] * stride;
    for (int j = i + 1; j < size; j++) bound[i] += std::fabs(u[scratch.column[j]]) * bound[j];
    bound[i] /= std::fabs(u[scratch.column[i]]);
    proved = proved && bound[i] * inflate < 1.0;
  }
  if (proved) return true;
  // approximate inverse by Gauss-Jordan without pivoting (the order is a pivot order)
  double *const inverse = scratch.inverse;
  const int w = 2 * size;
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++) {
      inverse[i * w + j] = rows[chosen[i] * stride + scratch.column[j]];
      inverse[i * w + size + j] = i == j ? 1.0 : 0.0;
    }
  for (int c = 0; c < size; c++) {
    if (!(std::fabs(inverse[c * w + c]) >= 1e-290)) return false;
    const double scale = 1.0 / inverse[c * w + c];
    for (int j = 0; j < w; j++) inverse[c * w + j] *= scale;
    for (int i = 0; i < size; i++) {
      const double f = inverse[i * w + c];
      if (i == c || f == 0.0) continue;
      for (int j = 0; j < w; j++) inverse[i * w + j] -= f * inverse[c * w + j];
    }
  }
  for (int i = 0; i < size; i++) {
    double sum = (size + 2) * 0x1p-52;
    for (int j = 0; j < size; j++) {
      double f = i == j ? 1.0 : 0.0, e = 0.0;
      for (int l = 0; l < size; l++) {
        f -= rows[chosen[i] * stride + scratch.column[l]] * inverse[l * w + size + j];
        e += std::fabs(inverse[l * w + size + j]);
      }
      sum += std::fabs(f) + e * radius[chosen[i]];
    }
    if (!(sum * inflate < 1.0)) return false;
  }
  return true;
}

// Rank modulo p < 2^31 of the first `count` rows of residues, which are reduced in place.
inline int rank_modulo(std::int64_t *residues, int count, int width, std::int64_t p) {
  int rank = 0;
  for (int column = 0; column < width && rank < count; column++) {
    int pivot = rank;
    while (pivot < count && residues[pivot * width + column] == 0) pivot++;
    if (pivot == count) continue;
    if (pivot != rank)
      for (int l = 0; l < width; l++)
        std::swap(residues[pivot * width + l], residues[rank * width + l]);
    const std::int64_t head = residues[rank * width + column];
    for (int i = rank + 1; i < count; i++) {
      const std::int64_t f = residues[i * width + column];
      if (f == 0) continue;
      for (int l = column; l < width; l++) {
        const std::int64_t v =
            (residues[i * width + l] * head) % p - (f * residues[rank * width + l]) % p;
        residues[i * width + l] = v < 0 ? v + p : v;
      }
    }
    rank++;
  }
  return rank;
}

// Exact rank of integer rows, or -1 where 64-bit residues cannot prove it.
//
// Row index[i] times 2^exponent has integer entries. The rank modulo any prime is a lower bound. If
// r is the largest one and the product of the used primes exceeds the Hadamard bound of every minor
// of order r + 1, those minors vanish modulo the product and therefore are zero: the rank is r.
// `residues` has room for count × width.
inline int integer_rank(const double *rows, int stride, const std::int64_t *exponent,
                        const int *index, int count, int width, std::int64_t *residues) {
  double largest = 1.0;
  for (int i = 0; i < count; i++) {
    const int r = index[i];
    if (exponent[r] < 0) return -1;
    const double scale = power_of_two(exponent[r]);
    double norm = 0.0;
    for (int l = 0; l < width; l++) {
      const double v = rows[r * stride + l] * scale;
      if (!(std::fabs(v) <= 0x1p53)) return -1;
      norm += v * v;
    }
    largest = norm > largest ? norm : largest;
  }
  int rank = 0;
  double product = 1.0;
  for (int turn = 0; turn < 4; turn++) {
    const std::int64_t p = word_primes[turn];
    for (int i = 0; i < count; i++) {
      const int r = index[i];
      const double scale = power_of_two(exponent[r]);
      for (int l = 0; l < width; l++) {
        const std::int64_t v = static_cast<std::int64_t>(rows[r * stride + l] * scale) % p;
        residues[i * width + l] = v < 0 ? v + p : v;
      }
    }
    const int found = rank_modulo(residues, count, width, p);
    rank = found > rank ? found : rank;
    product *= static_cast<double>(p);
    if (rank == count || rank == width) return rank;
    // the product of the rank + 1 largest row norms, generously rounded up
    const double bound = std::pow(largest * (1.0 + 0x1p-40), 0.5 * (rank + 1)) * (1.0 + 0x1p-30);
    if (bound < product * 0.99) return rank;
  }
  return -1;
}

// The same from residues that are made beforehand: rows first + index[i] of
// Network::exact_residues, their first `width` columns.
inline int exact_form_rank(const Network &net, std::int64_t first, const int *index, int count,
                           int width, std::int64_t *residues) {
  if (net.exact_norm.shape[0] == 0) return -1;
  double largest = 1.0;
  for (int i = 0; i < count; i++) {
    const double norm = net.exact_norm(first + index[i]);
    if (!(norm >= 1.0)) return -1;
    largest = norm > largest ? norm : largest;
  }
  const std::int64_t primes = net.exact_residues.shape[1], columns = net.exact_residues.shape[2];
  int rank = 0;
  double product = 1.0;
  for (std::int64_t turn = 0; turn < primes; turn++) {
    const std::int64_t p = word_primes[turn];
    for (int i = 0; i < count; i++)
      std::copy_n(net.exact_residues.data + ((first + index[i]) * primes + turn) * columns, width,
                  residues + i * width);
    const int found = rank_modulo(residues, count, width, p);
    rank = found > rank ? found : rank;
    product *= static_cast<double>(p);
    if (rank == count || rank == width) return rank;
    const double bound = std::pow(largest, rank + 1) * (1.0 + 0x1p-30);
    if (bound < product * 0.99) return rank;
  }
  return -1;
}

}  // namespace polyrank
