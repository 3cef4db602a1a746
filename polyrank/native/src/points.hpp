// Interior points: rounding to float64 points of the chart, proven signs, proven membership.
#pragma once

#include <cmath>
#include <cstdint>

#include "constraints.hpp"
#include "two_doubles.hpp"

namespace polyrank {

// An interior point in the cube, known to one rounding or, with second doubles, exactly.
struct InteriorPoint {
  const double *cube;
  const double *low;  // null: to one rounding
};

// Rounds a cube point u to a float64 chart point y and replaces u by y's cube coordinates.
// In homogeneous coordinates t becomes a power of two, so that y / 1 is the point itself.
// False where the point cannot be represented.
inline bool round_to_chart(const Network &net, double *u, double *y) {
  const std::int64_t k = net.centre.shape[0];
  if (net.homogeneous) {
    const double t = u[k];
    if (!(t > 1e-280)) return false;
    double big = 1.0;
    for (std::int64_t l = 0; l < k; l++) {
      y[l] = net.half_width(l) * (u[l] / t);
      u[l] = y[l] / net.half_width(l);
      if (!(std::fabs(y[l]) < 1e280)) return false;
      big = std::fabs(u[l]) > big ? std::fabs(u[l]) : big;
    }
    if (!(big < 1e280)) return false;
    const double down = power_of_two(-exponent_of(big));
    for (std::int64_t l = 0; l < k; l++) u[l] *= down;
    u[k] = down;
    return true;
  }
  for (std::int64_t l = 0; l < k; l++) {
    y[l] = net.centre(l) + net.half_width(l) * u[l];
    u[l] = (y[l] - net.centre(l)) / net.half_width(l);
  }
  return true;
}

// Whether a float times a power of two is exact: neither is subnormal.
inline bool scales_exactly(double value, double factor) {
  return value == 0.0 || (std::fabs(value) > 0x1p-1000 && std::fabs(value * factor) > 0x1p-1000);
}

// As the first round_to_chart, for a cube point that is a sum of two doubles: afterwards it is
// exactly the point of the chart point: a sum of two doubles as well, or a double unless `sums`.
inline bool round_to_chart(const Network &net, double *u, double *low, double *y, double *y_low,
                           bool sums) {
  const std::int64_t k = net.centre.shape[0];
  double down = 1.0;
  if (net.homogeneous) {
    const TwoDoubles t{u[k], low[k]};
    if (!(t.high > 1e-200)) return false;
    double big = 1.0;
    for (std::int64_t l = 0; l < k; l++) {
      const TwoDoubles v = TwoDoubles{u[l], low[l]} / t;
      y[l] = net.half_width(l) * v.high;
      y_low[l] = sums ? net.half_width(l) * v.low : 0.0;
      if (!(std::fabs(y[l]) < 1e200)) return false;
      big = std::fabs(v.high) > big ? std::fabs(v.high) : big;
    }
    if (!(big < 1e200)) return false;
    down = power_of_two(-exponent_of(big));
    u[k] = down;
    low[k] = 0.0;
  }
  for (std::int64_t l = 0; l < k; l++) {
    const double factor = net.half_width(l) / down;
    if (!net.homogeneous) {
      const TwoDoubles v = TwoDoubles{net.centre(l), 0.0} + TwoDoubles{u[l], low[l]} * factor;
      y[l] = v.high;
      y_low[l] = sums ? v.low : 0.0;
    }
    double terms[] = {y_low[l], -net.centre(l), y[l]};
    TwoDoubles v;
    if (!exact_sum_of(terms, 3, v)) return false;
    u[l] = v.high / factor;
    low[l] = v.low / factor;
    if (!scales_exactly(v.high, 1.0 / factor) || !scales_exactly(v.low, 1.0 / factor)) return false;
  }
  return true;
}

// Value of unit g's affine form at a point of the cube.
template <int D, int E>
inline double value_at(Dimension<D> dim, const Path<E> &path, std::int64_t g, const double *point) {
  const double *row = path.rows.data() + g * dim.stride();
  double z = row[dim.size()];
  for (int l = 0; l < dim.size(); l++) z += row[l] * point[l];
  return z;
}

// Beyond this a value of unit g has a proved sign.
template <int D> inline double sign_limit(const Path<D> &path, std::int64_t g) {
  return path.radius[g] * (path.dim.size() + 1) * inflate;
}

// Proven signs at an interior point of the undecided units of a layer (0: not proven).
template <int D, int E>
inline void proven_signs(Dimension<D> dim, const Path<E> &path, std::int64_t start,
                         std::int64_t units, const double *point, std::int8_t *sign,
                         const std::int8_t *bits) {
  const int d = dim.size();
  const double factor = (d + 1) * inflate;
  for (std::int64_t i0 = 0; i0 < units; i0 += lane_count) {
    const double *at = path.columns.data() + start + i0;
    Lanes z, a, limit;
    load(z, at + d * path.column_stride);
    for (int l = 0; l < d; l++) {
      load(a, at + l * path.column_stride);
      z += a * point[l];
    }
    load(limit, path.radius.data() + start + i0);
    limit *= factor;
    const Mask found = (z < -limit) - (z > limit);
    for (int j = 0; j < lane_count && i0 + j < units; j++)
      if (bits[i0 + j] < 0) sign[i0 + j] = static_cast<std::int8_t>(found[j]);
  }
}

// Proof that a point is strictly inside every row of the cell.
template <int D>
inline bool strictly_inside(Dimension<D> dim, const Constraints<0> &cell, std::int64_t rows,
                            const double *u) {
  const int d = dim.size();
  const double factor = (d + 1) * inflate;
  for (int l = 0; l < d; l++)
    if (!(std::fabs(u[l]) <= 1.0)) return false;
  const Columns columns = cell.by_column();
  for (std::int64_t m = 0; m < rows; m += lane_count) {
    const double *at = columns.entries + m;
    Lanes z, a, limit;
    load(z, at + d * cell.capacity);
    if (m < columns.axes) {
      detail::combine_axes(columns, static_cast<int>(m), u, a);
      z += a;
    } else {
      for (int l = 0; l < d; l++) {
        load(a, at + l * cell.capacity);
        z += a * u[l];
      }
    }
    load(limit, cell.radius.data() + m);
    const Mask inside = z > limit * factor;
    for (int j = 0; j < lane_count && m + j < rows; j++)
      if (!inside[j]) return false;
  }
  return true;
}

// Whether the cube point u + low is exactly the point of the chart point y + y_low (its cone where
// cells are cones), not only to one rounding.
inline bool is_exact_point(const Network &net, const double *u, const double *low, const double *y,
                           const double *y_low) {
  const std::int64_t k = net.centre.shape[0];
  double cone = 1.0;
  if (net.homogeneous) {
    if (!(u[k] > 0.0) || low[k] != 0.0) return false;
    cone = 1.0 / u[k];
  } else if (!net.bounded) {
    std::int64_t l = 0;
    while (l < k && u[l] == 0.0) l++;
    if (l < k) cone = y[l] / u[l] / net.half_width(l);
  }
  if (!(cone > 0.0 && cone == power_of_two(exponent_of(cone) - 1))) return false;
  for (std::int64_t l = 0; l < k; l++) {
    const double factor = net.half_width(l) * cone;
    if (!scales_exactly(u[l], factor) || !scales_exactly(low[l], factor)) return false;
    double terms[] = {y_low[l], -low[l] * factor, -net.centre(l), -u[l] * factor, y[l]};
    TwoDoubles difference;
    if (!exact_sum_of(terms, 5, difference) || difference.high != 0.0 || difference.low != 0.0)
      return false;
  }
  return true;
}

// As proven_signs, with exact values of the rows without error at a point without error, where
// bounds have left the sign open.
template <int D>
POLYRANK_COLD void exact_signs(const Path<D> &path, std::int64_t start, std::int64_t units,
                               const double *point, const double *low, std::int8_t *sign,
                               const std::int8_t *bits) {
  for (std::int64_t i = 0; i < units; i++) {
    if (bits[i] >= 0 || sign[i] != 0 || path.error[start + i] != 0.0) continue;
    const double z = proved_value(path.dim, path.row(start + i), point, low);
    sign[i] = static_cast<std::int8_t>(z > 0.0 ? 1 : z < 0.0 ? -1 : 0);
  }
}

// As strictly_inside, with exact values of the rows without error at a point without error.
template <int D>
POLYRANK_COLD bool exactly_inside(const Constraints<D> &cell, std::int64_t rows, const double *u,
                                  const double *low) {
  const int d = cell.dim.size();
  for (int l = 0; l < d; l++)
    if (!(std::fabs(u[l]) <= 1.0)) return false;
  for (std::int64_t m = 0; m < rows; m++) {
    const double *row = cell.row(m);
    double z = row[d];
    for (int l = 0; l < d; l++) z += row[l] * u[l];
    if (z > cell.radius[m] * ((d + 1) * inflate)) continue;
    if (!cell.exact[m] || !(proved_value(cell.dim, row, u, low) > 0.0)) return false;
  }
  return true;
}

}  // namespace polyrank
