// Rows in float64 with bounds of their errors, and what they prove.
//
// A rounded row holds float64 numbers r with an error e >= 0, such that the exact coefficients are
// 2^t (r_l + e_l) with |e_l| <= e for some t. Every operation adds what it may have rounded off: a
// sum of n products, in any order, is wrong by at most n + 1 times 2^-53 of the sum of absolute
// values (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1); twice
// that is taken. That holds above the smallest normal number. Below it a product loses at most
// 2^-1075, whatever its factors are; so every bound ends with an absolute term that is more than
// all of these (kTiny, kLost). Weights and slopes below 2^-1000, whose loss later factors could
// blow up, are not rounded at all: their layer and those above are left to integers. A partial sum
// that overflows proves nothing.
//
// Rows with e = 0 are integers times a known power of two, and sums of products of integers are
// exact while the absolute values add up to less than 2^52. Multipliers, rays and inverses are
// proposals: nothing depends on how they are found, and what is infinite or no number proves
// nothing.
//
// Needs IEEE arithmetic: no fast-math, nothing contracted.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace polyrank_check {

constexpr double kRounding = 0x1p-52;  // twice what one operation rounds off
constexpr double kWhole = 0x1p52;      // sums of integers up to here are exact
constexpr double kMore = 1 + 0x1p-30;  // for what rounds bounds themselves
constexpr double kTiny = 0x1p-900;     // more than all that underflow can do to a coefficient
constexpr double kLost = 0x1p-1000;    // more than it can do to a sum of products

// The sum of products of n numbers, in an order that keeps four sums apart.
inline double dot(const double *a, const double *b, std::int64_t n) {
  double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0;
  std::int64_t j = 0;
  for (; j + 4 <= n; j += 4) {
    s0 += a[j] * b[j];
    s1 += a[j + 1] * b[j + 1];
    s2 += a[j + 2] * b[j + 2];
    s3 += a[j + 3] * b[j + 3];
  }
  for (; j < n; j++) s0 += a[j] * b[j];
  return (s0 + s1) + (s2 + s3);
}

// One rounded row of k + 1 numbers, `stride` apart, the constant last.
struct Row {
  const double *values;
  std::int64_t stride;
  double error;  // the sum of the errors of all coefficients, on the cube
  double size;   // the sum of their absolute values
  double unit;   // 2^t if the error is 0 and 2^t times the row are integers; else 0
  bool linear;   // the constant is exactly 0

  double operator[](std::int64_t l) const { return values[l * stride]; }
};

// A row that is >= 0 on a cell, times 1 or -1. Its number: twice its place among walls and units,
// + 1 for its negative.
struct Inequality {
  Row row;
  double sign;
  std::int64_t number;
};

using Inequalities = std::vector<const Inequality *>;

// Solves A x = b in least pivots: A has `lines` equations and `columns` unknowns, row by row, with
// b as the last column of `table`. Unknowns without a pivot are 0. Returns the product of the
// pivots.
inline double solve(double *table, std::int64_t lines, std::int64_t columns, double *x,
                    std::int64_t *lead) {
  const std::int64_t w = columns + 1;
  double product = 1.0;
  std::int64_t done = 0;
  std::fill(x, x + columns, 0.0);
  std::fill(lead, lead + columns, -1);
  for (std::int64_t q = 0; q < columns && done < lines; q++) {
    std::int64_t best = done;
    for (std::int64_t i = done + 1; i < lines; i++)
      if (std::fabs(table[i * w + q]) > std::fabs(table[best * w + q])) best = i;
    const double pivot = table[best * w + q];
    if (!(std::fabs(pivot) > 0.0)) continue;
    if (best != done) std::swap_ranges(table + best * w, table + best * w + w, table + done * w);
    product *= pivot;
    for (std::int64_t i = done + 1; i < lines; i++) {
      const double factor = table[i * w + q] / pivot;
      if (factor == 0.0) continue;
      for (std::int64_t j = q + 1; j < w; j++) table[i * w + j] -= factor * table[done * w + j];
    }
    lead[q] = done++;
  }
  for (std::int64_t q = columns - 1; q >= 0; q--) {
    if (lead[q] < 0) continue;
    const double *line = table + lead[q] * w;
    double value = line[columns];
    for (std::int64_t j = q + 1; j < columns; j++) value -= line[j] * x[j];
    x[q] = value / line[q];
  }
  return product;
}

// The inverse (d, d) of A (d, d), both row by row; false where a pivot vanishes.
inline bool invert(std::vector<double> &A, std::int64_t d, std::vector<double> &inverse) {
  inverse.assign(d * d, 0.0);
  for (std::int64_t i = 0; i < d; i++) inverse[i * d + i] = 1.0;
  for (std::int64_t i = 0; i < d; i++) {
    std::int64_t best = i;
    for (std::int64_t r = i + 1; r < d; r++)
      if (std::fabs(A[r * d + i]) > std::fabs(A[best * d + i])) best = r;
    const double pivot = A[best * d + i];
    if (!(std::fabs(pivot) > 0.0)) return false;
    if (best != i) {
      std::swap_ranges(&A[best * d], &A[best * d] + d, &A[i * d]);
      std::swap_ranges(&inverse[best * d], &inverse[best * d] + d, &inverse[i * d]);
    }
    for (std::int64_t j = 0; j < d; j++) {
      A[i * d + j] /= pivot;
      inverse[i * d + j] /= pivot;
    }
    for (std::int64_t r = 0; r < d; r++) {
      const double factor = A[r * d + i];
      if (r == i || factor == 0.0) continue;
      for (std::int64_t j = 0; j < d; j++) {
        A[r * d + j] -= factor * A[i * d + j];
        inverse[r * d + j] -= factor * inverse[i * d + j];
      }
    }
  }
  return true;
}

// Proves claims about rounded rows on R^k. `bounded`: the domain lies in the cube |u_l| <= 1.
class Prover {
public:
  Prover(std::int64_t k, bool bounded) : k_(k), bounded_(bounded) {}

  // Whether side * goal is >= 0 wherever all rows (times their signs) are, and not identically 0: a
  // sum of them with factors >= 0 is at most it. `columns`: the coordinates in which they are made
  // to agree. `whole`: all are integers times their units. A factor of the wrong sign counts as 0.
  bool by_identity(const Row &goal, double side, const Inequalities &rows,
                   const std::vector<std::int64_t> &columns, bool whole) {
    const std::int64_t d = static_cast<std::int64_t>(rows.size());
    if (!whole && d == k_ && d == static_cast<std::int64_t>(columns.size()))
      if ((d == 2 && identity<2>(goal, side, rows)) || (d == 3 && identity<3>(goal, side, rows)) ||
          (d == 4 && identity<4>(goal, side, rows)))
        return true;
    const std::int64_t lines = static_cast<std::int64_t>(columns.size());
    const double own = whole ? goal.unit : 1.0;
    double scale = 1.0;
    table_.resize(lines * (d + 1));
    factors_.resize(d);
    lead_.resize(d);
    rest_.resize(k_ + 1);
    if (d) {
      for (std::int64_t i = 0; i < lines; i++) {
        double *line = &table_[i * (d + 1)];
        for (std::int64_t q = 0; q < d; q++)
          line[q] = rows[q]->row[columns[i]] * (whole ? rows[q]->row.unit : 1.0);
        line[d] = goal[columns[i]] * own;
      }
      const double determinant = solve(table_.data(), lines, d, factors_.data(), lead_.data());
      if (whole) {  // Cramer: integers, if these are the multipliers of integer rows
        scale = std::rint(std::fabs(determinant));
        for (double &factor : factors_) factor = std::rint(factor * scale);
      }
    }
    return leaves_positive(k_, d, goal, side, rows, whole, scale, factors_.data(), rest_.data());
  }

  // Whether the goal is > 0 inside of where d = rows.size() linear forms on R^d are >= 0, by rays.
  //
  // Let the columns of V be rays such that M = (row_i(V_j)) has off-diagonal entries <= 0 and is
  // strictly dominated by its positive diagonal in every row. Then M^-1 >= 0 (M is an M-matrix), so
  // a point v with all row_i(v) >= 0 is V M^-1 (row(v)), a sum of the rays with factors >= 0, and
  // the goal is > 0 there if it is so on each ray. The rays are those of the inverse of the forms,
  // moved outwards a little.
  bool by_cone(const Row &goal, double side, const Inequalities &rows) {
    const std::int64_t d = static_cast<std::int64_t>(rows.size());
    table_.resize(d * d);
    for (std::int64_t l = 0; l < d; l++)
      for (std::int64_t r = 0; r < d; r++) table_[l * d + r] = rows[r]->row[l];
    if (!invert(table_, d, rays_)) return false;
    const double n = static_cast<double>(d + 2) * kRounding;
    error_.resize(d);
    length_.resize(d);
    for (std::int64_t r = 0; r < d; r++) error_[r] = rows[r]->row.error + rows[r]->row.size * n;
    // ray q is line q of the inverse: all forms vanish on it but form q
    rest_.assign(d, 0.0);
    factors_.resize(d * d);
    for (std::int64_t q = 0; q < d; q++)
      for (std::int64_t l = 0; l < d; l++) {
        const double moved =
            rays_[q * d + l] * (rows[q]->sign * error_[q] * static_cast<double>(4 * d));
        factors_[q * d + l] = moved;
        rest_[l] += moved;
      }
    for (std::int64_t q = 0; q < d; q++) {
      double most = 0.0;
      for (std::int64_t l = 0; l < d; l++) most = std::max(most, std::fabs(rays_[q * d + l]));
      double length = 0.0;
      for (std::int64_t l = 0; l < d; l++) {
        double &v = rays_[q * d + l];
        v = v * rows[q]->sign / most - (rest_[l] - factors_[q * d + l]);
        length += std::fabs(v);
      }
      length_[q] = length * kMore;
    }
    for (std::int64_t q = 0; q < d; q++) {
      double value = 0.0;
      for (std::int64_t l = 0; l < d; l++) value += goal[l] * rays_[q * d + l];
      value *= side;
      if (!(value > length_[q] * (goal.error + goal.size * n) + kLost && std::isfinite(value)))
        return false;
    }
    for (std::int64_t i = 0; i < d; i++) {
      double total = 0.0, lost = 0.0;
      for (std::int64_t q = 0; q < d; q++) {
        double value = 0.0;
        for (std::int64_t l = 0; l < d; l++) value += rows[i]->row[l] * rays_[q * d + l];
        value *= rows[i]->sign;
        const double doubt = error_[i] * length_[q] + kLost;
        if (!std::isfinite(value) || (q != i && !(value + doubt <= 0.0))) return false;
        total += value;
        lost += doubt + std::fabs(value) * n;
      }
      if (!(total > lost * kMore)) return false;
    }
    return true;
  }

  // Whether a matrix is proved to have rank `rank`: its k lines of c numbers are known up to
  // `errors` (c), of at least c + 2 roundings of their entries and more than underflow can do.
  //
  // If the leading minor of order r of T A S, for some T and S, is not 0, the rank of A is at least
  // r.
  bool has_rank(std::int64_t rank, const double *lines, std::int64_t c, const double *errors) {
    if (rank == 0) return true;
    if (rank > k_ || rank > c) return false;
    const double k = static_cast<double>(k_);
    double lost = 0.0;
    for (std::int64_t j = 0; j < c; j++) lost += errors[j];
    lost *= k * (k + 2);
    const double *right = dice(rank * (c + k_)), *left = right + rank * c;
    narrow_.resize(k_ * rank);
    for (std::int64_t l = 0; l < k_; l++)
      for (std::int64_t r = 0; r < rank; r++)
        narrow_[r * k_ + l] = dot(&lines[l * c], right + r * c, c);
    table_.resize(rank * rank);
    for (std::int64_t i = 0; i < rank; i++)
      for (std::int64_t r = 0; r < rank; r++)
        table_[i * rank + r] = dot(left + i * k_, &narrow_[r * k_], k_);
    double most = 0.0;
    for (double v : table_) most = std::max(most, std::fabs(v));
    lost += (k + 4) * kRounding * most;
    return regular(rank, lost);
  }

  // Whether so many columns of a matrix are found, among those that are named, that are proved to
  // be independent; they are written to `chosen`. Its k lines of c numbers are known up to
  // `errors` (c). Pivots propose a minor of the matrix, which is proved to be regular.
  bool independent(std::int64_t rank, const double *lines, std::int64_t c, const double *errors,
                   const std::vector<std::int64_t> &named, std::vector<std::int64_t> &chosen) {
    const std::int64_t m = static_cast<std::int64_t>(named.size());
    chosen.clear();
    if (rank > k_ || rank > m) return false;
    narrow_.resize(k_ * m);
    order_.resize(k_);
    for (std::int64_t l = 0; l < k_; l++) {
      order_[l] = l;
      for (std::int64_t q = 0; q < m; q++) narrow_[l * m + q] = lines[l * c + named[q]];
    }
    double lost = kTiny;
    for (std::int64_t r = 0; r < rank; r++) {
      std::int64_t line = r, column = 0;
      double most = 0.0;
      for (std::int64_t l = r; l < k_; l++)
        for (std::int64_t q = 0; q < m; q++)
          if (const double size = std::fabs(narrow_[order_[l] * m + q]); size > most) {
            most = size;
            line = l;
            column = q;
          }
      if (!(most > 0.0)) return false;
      std::swap(order_[r], order_[line]);
      chosen.push_back(named[column]);
      lost = std::max(lost, errors[chosen.back()] + kTiny);
      const double *pivot = &narrow_[order_[r] * m];
      for (std::int64_t l = r + 1; l < k_; l++) {
        double *other = &narrow_[order_[l] * m];
        const double factor = other[column] / pivot[column];
        for (std::int64_t q = 0; q < m; q++) other[q] -= factor * pivot[q];
        other[column] = 0.0;
      }
    }
    table_.resize(rank * rank);
    double most = 0.0;
    for (std::int64_t i = 0; i < rank; i++)
      for (std::int64_t r = 0; r < rank; r++) {
        const double v = table_[i * rank + r] = lines[order_[i] * c + chosen[r]];
        most = std::max(most, std::fabs(v));
      }
    return regular(rank, lost + static_cast<double>(k_ + 4) * kRounding * most);
  }

private:
  std::int64_t k_;
  bool bounded_;
  std::vector<double> table_, factors_, rest_, rays_, error_, length_, narrow_, minor_, dice_;
  std::vector<std::int64_t> lead_, order_;

  // by_identity of N = k rows, solved without a choice of pivots.
  template <int N>
  bool identity(const Row &goal, double side, const Inequalities &rows) {
    double table[N][N + 1], inverse[N], factors[N], rest[N + 1];
    for (int l = 0; l < N; l++) {
      for (int q = 0; q < N; q++) table[l][q] = rows[q]->row[l];
      table[l][N] = goal[l];
    }
    for (int q = 0; q < N; q++) {
      inverse[q] = 1.0 / table[q][q];
      for (int l = q + 1; l < N; l++) {
        const double factor = table[l][q] * inverse[q];
        for (int j = q + 1; j <= N; j++) table[l][j] -= factor * table[q][j];
      }
    }
    for (int q = N - 1; q >= 0; q--) {
      double value = table[q][N];
      for (int j = q + 1; j < N; j++) value -= table[q][j] * factors[j];
      factors[q] = value * inverse[q];
    }
    return leaves_positive(N, N, goal, side, rows, false, 1.0, factors, rest);
  }

  // Whether scale * goal less the sum of d rows times factors proves what by_identity says; `rest`
  // is room for k + 1 numbers.
  [[gnu::always_inline]] bool leaves_positive(std::int64_t k, std::int64_t d, const Row &goal,
                                              double side, const Inequalities &rows, bool whole,
                                              double scale, const double *factors,
                                              double *rest) const {
    const double own = whole ? goal.unit : 1.0;
    double size = goal.size * own * scale, unknown = goal.error * scale;
    bool zero = true;
    for (std::int64_t l = 0; l <= k; l++) {
      rest[l] = goal[l] * own * scale;
      zero = zero && goal[l] == 0.0;
    }
    for (std::int64_t q = 0; q < d; q++) {
      const double factor = factors[q];
      if (!(factor * rows[q]->sign * side > 0.0)) continue;
      const Row &row = rows[q]->row;
      const double unit = whole ? row.unit : 1.0;
      for (std::int64_t l = 0; l <= k; l++) rest[l] -= factor * (row[l] * unit);
      size += std::fabs(factor) * (row.size * unit);
      unknown += std::fabs(factor) * row.error;
    }
    const double lost =
        (unknown + size * (static_cast<double>(k + 1 + d + 4) * kRounding)) * kMore + kLost;
    double slope = 0.0;
    for (std::int64_t l = 0; l < k; l++) slope += std::fabs(rest[l]);
    const double least = side * rest[k] - slope;
    if (!(scale > 0.0)) return false;
    if (whole && unknown == 0.0 && size < kWhole && !zero && least >= 0.0 &&
        (bounded_ || slope == 0.0))
      return true;
    return bounded_ && least > lost && std::isfinite(least);  // > 0 on the cube is not 0
  }

  // Whether a matrix A is proved to be regular, by |1 - B A| < 1 for an approximate inverse B: it
  // is known as `table_` (rank, rank) up to `lost`, at least k + 4 roundings of its greatest entry.
  bool regular(std::int64_t rank, double lost) {
    minor_ = table_;
    if (!invert(table_, rank, rays_)) return false;
    for (std::int64_t q = 0; q < rank; q++) {
      double norm = 0.0, size = 0.0;
      for (std::int64_t r = 0; r < rank; r++) {
        double rest = q == r ? 1.0 : 0.0;
        for (std::int64_t l = 0; l < rank; l++) rest -= rays_[q * rank + l] * minor_[l * rank + r];
        norm += std::fabs(rest);
        size += std::fabs(rays_[q * rank + r]);
      }
      if (!(norm + size * (static_cast<double>(k_) * lost) < 0.5)) return false;
    }
    return true;
  }

  // So many numbers in [-1, 1]: any would do.
  const double *dice(std::int64_t count) {
    while (static_cast<std::int64_t>(dice_.size()) < count) {
      std::uint64_t x = static_cast<std::uint64_t>(dice_.size()) + 0x9e3779b97f4a7c15u;
      x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
      x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
      dice_.push_back(static_cast<double>(x >> 11) * 0x1p-52 - 1.0);
    }
    return dice_.data();
  }
};

}  // namespace polyrank_check
