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

// Rows column by column, the constants last; `capacity` (a multiple of the lanes) doubles from one
// column to the next. The first `axes` rows (a multiple of the lanes, too) have one coefficient
// each that may not be zero: `along`, of coordinate `axis`. Such are the walls of a box.
struct Columns {
  const double *entries;
  std::int64_t capacity;
  int axes = 0;
  const int *axis = nullptr;
  const double *along = nullptr;

  const double *operator[](int l) const { return entries + l * capacity; }
};

namespace detail {

// The values of the next rows of one coefficient, without their constants.
POLYRANK_INLINE void combine_axes(const Columns &columns, int m, const double *direction,
                                  Lanes &out) {
  const int *axis = columns.axis + m;
  out = Lanes{direction[axis[0]], direction[axis[1]], direction[axis[2]], direction[axis[3]]};
  Lanes a;
  load(a, columns.along + m);
  out *= a;
}

// One or two blocks of lanes of sum_l columns[l] · direction[l], added to `start` where there is
// one.
template <int D, int Blocks>
POLYRANK_INLINE void combine_block(Dimension<D> dim, const double *columns, std::int64_t capacity,
                                   const double *direction, const double *start, double *out) {
  Lanes sum[Blocks], a;
  for (int b = 0; b < Blocks; b++) {
    if (start) {
      load(sum[b], start + b * lane_count);
      load(a, columns + b * lane_count);
      sum[b] += a * direction[0];
    } else {
      load(sum[b], columns + b * lane_count);
      sum[b] *= direction[0];
    }
  }
  for (int l = 1; l < dim.size(); l++)
    for (int b = 0; b < Blocks; b++) {
      load(a, columns + l * capacity + b * lane_count);
      sum[b] += a * direction[l];
    }
  for (int b = 0; b < Blocks; b++) store(out + b * lane_count, sum[b]);
}

template <int D>
POLYRANK_INLINE void combine(Dimension<D> dim, const Columns &columns, int rows,
                             const double *direction, const double *start, double *out) {
  int m = 0;
  for (; m < columns.axes; m += lane_count) {
    Lanes sum, a;
    combine_axes(columns, m, direction, sum);
    if (start) {
      load(a, start + m);
      sum += a;
    }
    store(out + m, sum);
  }
  const double *const entries = columns.entries;
  const std::int64_t capacity = columns.capacity;
  for (; m + lane_count < rows; m += 2 * lane_count)
    combine_block<D, 2>(dim, entries + m, capacity, direction, start ? start + m : nullptr,
                        out + m);
  if (m < rows)
    combine_block<D, 1>(dim, entries + m, capacity, direction, start ? start + m : nullptr,
                        out + m);
}

}  // namespace detail

// Slacks a_m.x + b_m of the first `rows` rows at x; `out` has room for whole lanes.
template <int D>
inline void slacks(Dimension<D> dim, const Columns &columns, int rows, const double *x,
                   double *out) {
  detail::combine(dim, columns, rows, x, columns[dim.size()], out);
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
// in the 1-norm or, with `bland`, the one of lowest row index. Free slots are filled first. `basis`
// has room for whole lanes.
template <int D>
inline Edge choose_edge(Dimension<D> dim, const double *inverse, const int *basis,
                        const double *objective, bool bland, double *rates) {
  const int d = dim.size(), s = dim.square();
  Lanes most{}, at{};
  fill(at, -1.0);
  int lowest = -1;
  bool free_slot = false;
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
    // What is gained along an edge: nothing, how steeply it falls, or, for a free slot, which must
    // be filled either way along its line, far more than that.
    Lanes gain = r < -rate_tolerance ? -r : Lanes{};
    absolute(a, r);
    Mask free;
    negative_lanes(free, basis + q0);
    gain = free ? a + 1e3 : gain;
    const Mask better = gain > most;
    most = better ? gain : most;
    at = better ? lane_indices + q0 : at;
    if (bland)
      for (int j = 0; j < lane_count && q0 + j < d; j++) {
        free_slot = free_slot || basis[q0 + j] < 0;
        if (gain[j] > 0.0 && (lowest < 0 || basis[q0 + j] < basis[lowest])) lowest = q0 + j;
      }
  }
  double best = 0.0, slot = -1.0;
  for (int j = 0; j < lane_count; j++) {
    const bool better = most[j] > best || (most[j] == best && at[j] < slot);
    best = better ? most[j] : best;
    slot = better ? at[j] : slot;
  }
  int q = static_cast<int>(slot);
  if (bland && !free_slot) q = lowest;
  if (q < 0) return {-1, 0.0};
  return {q, basis[q] < 0 && rates[q] > 0.0 ? -1.0 : 1.0};
}

// First row met along `sign` times column `slot` of the inverse. `rate` receives a_m.direction and
// `reach` the step to each row. Among rows met at (almost) the same step the one with the largest
// rate wins, or the lowest index with `bland`.
template <int D>
inline Step ratio_test(Dimension<D> dim, const Columns &columns, int rows, const double *slack,
                       const double *inverse, const int *basis, Edge edge, bool bland, double *rate,
                       double *reach) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const int d = dim.size(), s = dim.square();
  double size = 0.0;
  LocalRow<D> direction(dim);
  for (int l = 0; l < d; l++) {
    direction[l] = edge.sign * inverse[l * s + edge.slot];
    size += std::fabs(direction[l]);
  }
  detail::combine(dim, columns, rows, &direction[0], nullptr, rate);
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
  // Only rows about as near as the nearest one can win; it is mostly alone.
  const double window = first * (1.0 + 1e-11) + 1e-299;
  Mask near{};
  Lanes last{};
  for (int m = 0; m < rows; m += lane_count) {
    Lanes t;
    load(t, reach + m);
    const Mask here = t <= window;
    near -= here;
    last = here ? lane_indices + m : last;
  }
  if (near[0] + near[1] + near[2] + near[3] == 1 && first < infinity) {
    const int row = static_cast<int>(last[0] + last[1] + last[2] + last[3]);
    return {row, reach[row]};
  }
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
  const double along = edge.sign * step.length, pivot = edge.sign * rate[step.row];
  for (int m = 0; m < rows; m += lane_count) {
    Lanes z, r;
    load(z, slack + m);
    load(r, rate + m);
    z += step.length * r;
    store(slack + m, z);
  }
  slack[step.row] = 0.0;
  LocalRow<D> column(dim);
  for (int l0 = 0; l0 < d; l0 += lane_count) {
    Lanes v{};
    for (int j = 0; j < lane_count; j++)
      if (l0 + j < d) v[j] = inverse[(l0 + j) * s + edge.slot];
    for (int j = 0; j < lane_count; j++)
      if (l0 + j < d) x[l0 + j] += along * v[j];
    v /= pivot;
    for (int j = 0; j < lane_count; j++)
      if (l0 + j < d) inverse[(l0 + j) * s + edge.slot] = v[j];
    store(&column[l0], v);
  }
  const double *row = table + static_cast<std::int64_t>(step.row) * dim.stride();
  for (int q0 = 0; q0 < s; q0 += lane_count) {
    Lanes a{}, v;
    for (int l = 0; l < d; l++) {
      load(v, inverse + l * s + q0);
      a += row[l] * v;
    }
    a = lane_indices + q0 == static_cast<double>(edge.slot) ? Lanes{} : a;
    for (int l = 0; l < d; l++) {
      load(v, inverse + l * s + q0);
      v -= a * column[l];
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
