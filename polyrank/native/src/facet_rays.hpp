// Points of a region, rays through it, and the points that prove a facet.
//
// p, the region's witness, is strictly inside every row. A point q that is strictly outside one row
// and strictly inside every other row that is not redundant shows that row to be a facet: the
// segment p q leaves the region through the relative interior of it, and there no redundant row
// vanishes either, unless it is a multiple.
#pragma once

#include <cmath>

#include "facet_program.hpp"
#include "points.hpp"

namespace polyrank {

// The power of two that brings a number >= 1 below one.
inline double scaled_down(double big) { return power_of_two(-exponent_of(big)); }

// Cube coordinates of the witness of region r; false where it is not a float64 point.
inline bool load_witness(const Walk &w, std::int64_t r, double *out) {
  const int k = w.chart;
  const double *y = w.run.witness.row(r);
  for (int l = 0; l < k; l++)
    if (!std::isfinite(y[l])) return false;
  const auto largest = [k](const double *v) {
    double big = 1.0;
    for (int l = 0; l < k; l++) big = std::fabs(v[l]) > big ? std::fabs(v[l]) : big;
    return big;
  };
  for (int l = 0; l < k; l++) out[l] = (y[l] - w.net.centre(l)) / w.net.half_width(l);
  if (w.net.homogeneous) {
    const double big = largest(out);
    if (!(big < 1e280)) return false;
    const double down = scaled_down(big);
    for (int l = 0; l < k; l++) out[l] *= down;
    out[k] = down;
    return true;
  }
  if (w.net.constant_column == k && k == w.d()) {
    const double big = largest(out);
    if (big > 1.0) {  // a cone: any positive multiple will do
      const double down = scaled_down(big);
      for (int l = 0; l < k; l++) out[l] *= down;
    }
  }
  return true;
}

// The value at p, the witness of region r, of a row without error; 0 where it is not proved to be
// positive.
inline double exact_depth(const Walk &w, int m, std::int64_t r) {
  const int row = w.cell().row[m];
  const double error = w.is_unit(row) ? w.path.error[row - w.walls] : w.net.wall_error(row);
  if (error != 0.0 ||
      !is_exact_point(w.net, w.p.data(), w.none.data(), w.run.witness.row(r), w.none.data()))
    return 0.0;
  return std::max(0.0, proved_value(w.dim, w.cell().form.data() + m * w.dim.stride(), w.p.data(),
                                    w.none.data()));
}

// Values of the candidates at p, the witness of region r; false unless all are proved to be
// positive.
inline bool measure_depths(Walk &w, std::int64_t r) {
  CellRows &cell = w.cell();
  const double factor = (w.d() + 1) * inflate;
  cell_slacks(w, w.p.data(), cell.depth.data());
  const double *depth = cell.depth.data(), *radius = cell.radius.data();
  int outside = 0;
  for (int m = cell.always; m < cell.count; m++) outside += !(depth[m] > radius[m] * factor);
  if (outside == 0) return true;
  for (int m = cell.always; m < cell.count; m++) {
    if (depth[m] > radius[m] * factor) continue;
    cell.depth[m] = exact_depth(w, m, r);
    if (!(cell.depth[m] > 0.0)) return false;
  }
  return true;
}

// The first two candidates met from p along a ray; -1 where there is none within reach.
struct Hits {
  int first = -1, second = -1;
  double t1, t2;
};

inline Hits shoot(Walk &w, double reach) {
  CellRows &cell = w.cell();
  const int d = w.d();
  const double *direction = w.lp.direction.data();
  double *__restrict const rate = w.lp.rate.data();
  double *__restrict const steps = cell.value.data();
  w.stat.rays++;
  for (int m = 0; m < cell.count; m++) rate[m] = cell.columns[m] * direction[0];
  for (int l = 1; l < d; l++) {
    if (direction[l] == 0.0) continue;
    const double *__restrict const column = cell.columns.data() + l * cell.capacity;
    for (int m = 0; m < cell.count; m++) rate[m] += column[m] * direction[l];
  }
  for (int m = 0; m < cell.count; m++)
    steps[m] = rate[m] < 0.0 ? cell.depth[m] / -rate[m] : infinity;
  Hits hits{-1, -1, reach, reach};
  for (int m = cell.always; m < cell.count; m++) {
    const double t = steps[m];
    if (!(t < hits.t2) || cell.status[m] == Status::attached || cell.status[m] == Status::out)
      continue;
    if (t < hits.t1)
      hits = {m, hits.first, t, hits.t1};
    else
      hits = {hits.first, m, hits.t1, t};
  }
  if (w.net.homogeneous && direction[d - 1] < 0.0) {  // stay at t > 0
    const double t = w.p[d - 1] / -direction[d - 1];
    if (t <= hits.t1) return {-1, -1, t, t};
    if (t < hits.t2) hits.t2 = t, hits.second = -1;
  }
  return hits;
}

// The row that a row is a multiple of, at the end of the chain; itself where it is none.
inline int root(const Walk &w, int row) {
  for (bool moved = true; moved;) {
    moved = false;
    for (int a = 0; a < w.height && !moved; a++)
      if (w.attached[static_cast<std::size_t>(a)].row == row) {
        row = w.attached[static_cast<std::size_t>(a)].of;
        moved = true;
      }
  }
  return row;
}

// Proves that q is strictly outside one candidate, strictly inside those not redundant.
inline bool beyond_at(Walk &w, int index) {
  const CellRows &cell = w.cell();
  const int d = w.d();
  double size = 1.0;
  for (int l = 0; l < d; l++) {
    if (!(std::fabs(w.q[l]) <= 4.0)) return false;
    size = std::fabs(w.q[l]) > size ? std::fabs(w.q[l]) : size;
  }
  const double factor = (d + 1) * inflate * size;
  cell_slacks(w, w.q.data(), w.cell().value.data());
  if (!(-cell.value[index] > cell.radius[index] * factor)) return false;
  for (int m = cell.always; m < cell.count; m++)
    if (!(cell.value[m] > cell.radius[m] * factor) && cell.status[m] != Status::out && m != index)
      return false;
  if (w.height == 0) return true;
  for (int m = cell.always; m < cell.count; m++) {
    if (cell.status[m] != Status::attached || root(w, cell.row[m]) == cell.row[index]) continue;
    const double *form = cell.form.data() + m * w.dim.stride();
    double z = form[d];
    for (int l = 0; l < d; l++) z += form[l] * w.q[l];
    if (!(z > cell.radius[m] * factor)) return false;
  }
  return true;
}

// Proves a facet by the float64 chart point next to the one at step t of the ray.
inline bool beyond_at_step(Walk &w, int index, double t) {
  for (int l = 0; l < w.d(); l++) w.q[l] = w.p[l] + t * w.lp.direction[l];
  if (!round_to_chart(w.net, w.q.data(), w.y.data()) || !beyond_at(w, index)) return false;
  for (int l = 0; l < w.chart; l++)
    w.cell().point[static_cast<std::int64_t>(index) * w.chart + l] = w.y[l];
  w.cell().has_point[index] = true;
  return true;
}

// Proves a facet by a float64 chart point on a ray, a little beyond it.
inline bool beyond_on_ray(Walk &w, int index, Hits hits) {
  const double t2 = hits.t2 > 4.0 * hits.t1 ? 4.0 * hits.t1 : hits.t2;
  for (const double share : {0.5, 0.125, 0.02})
    if (beyond_at_step(w, index, hits.t1 + (t2 - hits.t1) * share)) return true;
  return false;
}

}  // namespace polyrank
