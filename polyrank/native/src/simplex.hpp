// The float side of the LP oracle: primal simplex steps over the rows of one cell.
//
// A cell is {u : a_m.u + b_m >= 0, m < rows} inside the cube |u_l| <= 1. The state is a point x, a
// basis (d row indices, -1 for a *free* slot that no row holds yet) and the inverse X of the basis
// matrix: column q of X is the edge direction that moves away from basis row q and keeps the others
// tight. Nothing accumulates beyond X: slacks and reduced costs come from the original rows, so a
// basis can be re-derived at any time (refactor).
//
// Everything here only *proposes*: points and bases. certificate.hpp decides.
#pragma once

#include <cmath>
#include <limits>
#include <utility>

#include "dimension.hpp"

namespace polyrank {

// Relative size below which a rate counts as zero while searching (never while proving).
inline constexpr double rate_tolerance = 1e-11;

struct Edge {
  int slot;  // -1 at an optimum
  double sign;
};

struct Step {
  int row;  // -1 where nothing blocks
  double length;
};

// Slacks a_m.x + b_m of the first `rows` rows at x. `columns` holds the rows column by column, the
// constants last, `capacity` (a multiple of the lanes) doubles from one column to the next; `out`
// has room for whole lanes.
template <int D>
inline void slacks(Dimension<D> dim, const double *columns, std::int64_t capacity, int rows,
                   const double *x, double *out) {
  const int d = dim.size();
  for (int m = 0; m < rows; m += lane_count) {
    Lanes sum, a;
    load(sum, columns + d * capacity + m);
    for (int l = 0; l < d; l++) {
      load(a, columns + l * capacity + m);
      sum += a * x[l];
    }
    store(out + m, sum);
  }
}

// Reduced costs of the objective along the edges, into `rates` (whole lanes): at an optimum they
// are the multipliers with objective = sum_q rates_q a_q.
template <int D> inline void reduced_costs(Dimension<D> dim, const double *inverse,
                                           const double *objective, double *rates) {
  const int d = dim.size(), s = dim.square();
  for (int q = 0; q < s; q += lane_count) {
    Lanes r{}, v;
    for (int l = 0; l < d; l++) {
      load(v, inverse + l * s + q);
      r += objective[l] * v;
    }
    store(rates + q, r);
  }
}

// Picks the edge along which the linear form `objective` falls: the steepest relative to its length
// in the 1-norm or, with `bland`, the one of lowest row index. Free slots are filled first.
template <int D>
inline Edge choose_edge(Dimension<D> dim, const double *inverse, const int *basis,
                        const double *objective, bool bland, double *rates) {
  const int d = dim.size(), s = dim.square();
  Edge best{-1, 1.0};
  double best_rate = 0.0;
  for (int q0 = 0; q0 < s; q0 += lane_count) {
    Lanes r{}, size{}, v, a;
    for (int l = 0; l < d; l++) {
      load(v, inverse + l * s + q0);
      r += objective[l] * v;
      absolute(a, v);
      size += a;
    }
    store(rates + q0, r);
    r /= size;
    for (int j = 0; j < lane_count && q0 + j < d; j++) {
      const int q = q0 + j;
      const double rate = r[j];
      if (basis[q] < 0) {
        // A free slot must be filled; prefer the steepest one, either way along its line.
        const double gain = std::fabs(rate) + 1e3;
        if (gain > best_rate) best = {q, rate > 0.0 ? -1.0 : 1.0}, best_rate = gain;
      } else if (rate < -rate_tolerance) {
        const bool better =
            bland ? best.slot < 0 || (basis[best.slot] >= 0 && basis[q] < basis[best.slot])
                  : -rate > best_rate;
        if (better) best = {q, 1.0}, best_rate = -rate;
      }
    }
  }
  return best;
}

// First row met along `sign` times column `slot` of the inverse. `rate` receives a_m.direction and
// `reach` the step to each row. Among rows met at (almost) the same step the one with the largest
// rate wins, or the lowest index with `bland`.
template <int D>
inline Step ratio_test(Dimension<D> dim, const double *columns, std::int64_t capacity, int rows,
                       const double *slack, const double *inverse, const int *basis, Edge edge,
                       bool bland, double *rate, double *reach) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const int d = dim.size(), s = dim.square();
  double size = 0.0;
  for (int l = 0; l < d; l++) size += std::fabs(edge.sign * inverse[l * s + edge.slot]);
  for (int m = 0; m < rows; m += lane_count) {
    Lanes sum, a;
    load(sum, columns + m);
    sum *= edge.sign * inverse[edge.slot];
    for (int l = 1; l < d; l++) {
      load(a, columns + l * capacity + m);
      sum += a * (edge.sign * inverse[l * s + edge.slot]);
    }
    store(rate + m, sum);
  }
  for (int m = rows; m < padded(rows); m++) rate[m] = 0.0;
  for (int q = 0; q < d; q++)
    if (basis[q] >= 0 && q != edge.slot) rate[basis[q]] = 0.0;
  const double cutoff = -rate_tolerance * size;
  Lanes least, far;
  fill(least, infinity);
  fill(far, infinity);
  for (int m = 0; m < rows; m += lane_count) {
    Lanes r, t, zero{};
    load(r, rate + m);
    load(t, slack + m);
    t = t < zero ? zero : t;
    t = -t / r;
    t = r < cutoff ? t : far;
    least = t < least ? t : least;
    store(reach + m, t);
  }
  double first = infinity;
  for (int j = 0; j < lane_count; j++) first = least[j] < first ? least[j] : first;
  // Only rows about as near as the nearest one can win.
  const double window = first * (1.0 + 1e-11) + 1e-299;
  Step best{-1, infinity};
  double steepest = 0.0;
  for (int m = 0; m < rows; m++) {
    const double t = reach[m], r = rate[m];
    if (!(t <= window) || !(r < cutoff)) continue;
    if (t < best.length * (1.0 - 1e-12) - 1e-300 || (t <= best.length && !bland && r < steepest)) {
      best = {m, t};
      steepest = r;
    }
  }
  return best;
}

// Goes to the blocking row: updates the point, the slacks, the basis and its inverse.
// `table` holds the rows row by row.
template <int D>
inline void move(Dimension<D> dim, const double *table, int rows, double *slack, double *inverse,
                 int *basis, double *x, Edge edge, Step step, const double *rate) {
  const int d = dim.size(), s = dim.square();
  const double along = edge.sign * step.length;
  for (int l = 0; l < d; l++) x[l] += along * inverse[l * s + edge.slot];
  for (int m = 0; m < rows; m += lane_count) {
    Lanes z, r;
    load(z, slack + m);
    load(r, rate + m);
    z += step.length * r;
    store(slack + m, z);
  }
  slack[step.row] = 0.0;
  const double pivot = edge.sign * rate[step.row];
  for (int l = 0; l < d; l++) inverse[l * s + edge.slot] /= pivot;
  const double *row = table + step.row * dim.stride();
  for (int q0 = 0; q0 < s; q0 += lane_count) {
    Lanes a{}, v;
    for (int l = 0; l < d; l++) {
      load(v, inverse + l * s + q0);
      a += row[l] * v;
    }
    if (edge.slot >= q0 && edge.slot < q0 + lane_count) a[edge.slot - q0] = 0.0;
    for (int l = 0; l < d; l++) {
      load(v, inverse + l * s + q0);
      v -= a * inverse[l * s + edge.slot];
      store(inverse + l * s + q0, v);
    }
  }
  basis[edge.slot] = step.row;
}

// Recomputes the inverse of the basis matrix from the rows (Gauss-Jordan, row pivoting). A free
// slot stands for a coordinate row. `work` is d × 2·square. False where the matrix is numerically
// singular (the inverse is then garbage).
template <int D> inline bool refactor(Dimension<D> dim, const double *table, const int *basis,
                                      double *inverse, double *work) {
  const int d = dim.size(), s = dim.square(), w = 2 * s;
  for (int q = 0; q < d; q++) {
    for (int l = 0; l < w; l++) work[q * w + l] = 0.0;
    for (int l = 0; l < d; l++)
      work[q * w + l] = basis[q] >= 0 ? table[basis[q] * dim.stride() + l] : (l == q ? 1.0 : 0.0);
    work[q * w + s + q] = 1.0;
  }
  for (int c = 0; c < d; c++) {
    int p = c;
    double big = std::fabs(work[c * w + c]);
    for (int q = c + 1; q < d; q++) {
      const double v = std::fabs(work[q * w + c]);
      if (v > big) big = v, p = q;
    }
    if (big < 1e-290) return false;
    if (p != c)
      for (int l = 0; l < w; l++) std::swap(work[c * w + l], work[p * w + l]);
    const double scale = 1.0 / work[c * w + c];
    for (int l = c; l < w; l++) work[c * w + l] *= scale;
    for (int q = 0; q < d; q++) {
      const double t = work[q * w + c];
      if (q == c || t == 0.0) continue;
      for (int l = c; l < w; l++) work[q * w + l] -= t * work[c * w + l];
    }
  }
  for (int q = 0; q < d; q++)
    for (int l = 0; l < s; l++) inverse[q * s + l] = l < d ? work[q * w + s + l] : 0.0;
  return true;
}

}  // namespace polyrank
