// Interior points: rounding to float64 points of the chart, proven signs, proven membership.
#pragma once

#include <cmath>
#include <cstdint>

#include "constraints.hpp"

namespace polyrank {

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
      y[l] = u[l] / t;
      big = std::fabs(y[l]) > big ? std::fabs(y[l]) : big;
    }
    if (!(big < 1e280)) return false;
    const double down = power_of_two(-exponent_of(big));
    for (std::int64_t l = 0; l < k; l++) u[l] = y[l] * down;
    u[k] = down;
    return true;
  }
  for (std::int64_t l = 0; l < k; l++) {
    y[l] = net.centre(l) + net.half_width(l) * u[l];
    u[l] = (y[l] - net.centre(l)) / net.half_width(l);
  }
  return true;
}

// Value of unit g's affine form at a point of the cube.
template <int D> inline double value_at(const Path<D> &path, std::int64_t g, const double *point) {
  const double *row = path.row(g);
  double z = row[path.dim.size()];
  for (int l = 0; l < path.dim.size(); l++) z += row[l] * point[l];
  return z;
}

// Beyond this a value of unit g has a proved sign.
template <int D> inline double sign_limit(const Path<D> &path, std::int64_t g) {
  return path.radius[g] * (path.dim.size() + 1) * inflate;
}

// Proven signs at an interior point of the undecided units of a layer (0: not proven).
template <int D>
inline void proven_signs(const Path<D> &path, std::int64_t start, std::int64_t units,
                         const double *point, std::int8_t *sign, const std::int8_t *bits) {
  const int d = path.dim.size();
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
template <int D> inline bool strictly_inside(const Constraints<D> &cell, std::int64_t rows,
                                             const double *u) {
  const int d = cell.dim.size();
  const double factor = (d + 1) * inflate;
  for (int l = 0; l < d; l++)
    if (!(std::fabs(u[l]) <= 1.0)) return false;
  for (std::int64_t m = 0; m < rows; m += lane_count) {
    const double *at = cell.columns.data() + m;
    Lanes z, a, limit;
    load(z, at + d * cell.capacity);
    for (int l = 0; l < d; l++) {
      load(a, at + l * cell.capacity);
      z += a * u[l];
    }
    load(limit, cell.radius.data() + m);
    const Mask inside = z > limit * factor;
    for (int j = 0; j < lane_count && m + j < rows; j++)
      if (!inside[j]) return false;
  }
  return true;
}

// Sign of an affine form at a point, both taken as the floats that they are; 0 where it is not
// proved. A scalar product in twice the working precision: off by at most u |value| + gamma^2 times
// the sum of the magnitudes, and 5 n times the smallest float (Ogita, Rump and Oishi, Accurate sum
// and dot product, SIAM J. Sci. Comput. 26, 2005, Proposition 5.5 and its remark on underflow).
template <int D> inline int exact_sign(Dimension<D> dim, const double *row, const double *u) {
  const int d = dim.size();
  double sum = row[d], error = 0.0, size = std::fabs(row[d]);
  for (int l = 0; l < d; l++) {
    const double product = row[l] * u[l], lost = std::fma(row[l], u[l], -product);
    const double next = sum + product, part = next - sum;
    error += ((sum - (next - part)) + (product - part)) + lost;
    sum = next;
    size += std::fabs(product);
  }
  const double value = sum + error, g = gamma(d + 2);
  const double bound = 2.0 * (g * g * size) + 16.0 * (d + 1) * underflow;
  return value > bound ? 1 : value < -bound ? -1 : 0;
}

// Whether the cube point u is exactly the point of the chart point y (its cone in homogeneous
// coordinates), not only to one rounding.
inline bool is_exact_point(const Network &net, const double *u, const double *y) {
  const std::int64_t k = net.centre.shape[0];
  if (net.homogeneous && !(u[k] > 0.0 && u[k] == power_of_two(exponent_of(u[k]) - 1))) return false;
  for (std::int64_t l = 0; l < k; l++) {
    // a factor that is a power of two is exact where nothing is subnormal
    if (u[l] != 0.0 && !(std::fabs(u[l]) > 0x1p-900)) return false;
    if (net.homogeneous) {
      if (u[l] / u[k] != y[l]) return false;
      continue;
    }
    const double difference = y[l] - net.centre(l), part = difference - y[l];
    if ((y[l] - (difference - part)) + (-net.centre(l) - part) != 0.0) return false;
    if (difference / net.half_width(l) != u[l] || u[l] * net.half_width(l) != difference)
      return false;
  }
  return true;
}

// As proven_signs, with exact values of the rows without error at a point without error, where
// bounds have left the sign open.
template <int D>
inline void exact_signs(const Path<D> &path, std::int64_t start, std::int64_t units,
                        const double *point, std::int8_t *sign, const std::int8_t *bits) {
  for (std::int64_t i = 0; i < units; i++)
    if (bits[i] < 0 && sign[i] == 0 && path.error[start + i] == 0.0)
      sign[i] = static_cast<std::int8_t>(exact_sign(path.dim, path.row(start + i), point));
}

// As strictly_inside, with exact values of the rows without error at a point without error.
template <int D>
inline bool exactly_inside(const Constraints<D> &cell, std::int64_t rows, const double *u) {
  const int d = cell.dim.size();
  for (int l = 0; l < d; l++)
    if (!(std::fabs(u[l]) <= 1.0)) return false;
  for (std::int64_t m = 0; m < rows; m++) {
    const double *row = cell.row(m);
    double z = row[d];
    for (int l = 0; l < d; l++) z += row[l] * u[l];
    if (z > cell.radius[m] * ((d + 1) * inflate)) continue;
    if (!cell.exact[m] || exact_sign(cell.dim, row, u) <= 0) return false;
  }
  return true;
}

}  // namespace polyrank
