// Composite affine rows of a layer on a region, in float64 with a proven error bound.
//
// On a region with fixed codeword through layer k - 1, the pre-activations of layer k are affine in
// the cube coordinates u. Rows are scaled by powers of two (exact) to magnitude <= 1; an integer
// `power` keeps the exponent that restores the value that the next layer reads. Exponents are
// integers because a product of weights, slopes and widths soon leaves the range of floats: scaled
// rows meet neither overflow nor underflow, and a row is called zero only if no term of it is
// there.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>

#include "dimension.hpp"
#include "float_model.hpp"

namespace polyrank {

// The power of a row that is exactly zero, in every coefficient (polyrank.cells.compose.ZERO_ROW).
inline constexpr std::int64_t zero_row = -(std::int64_t{1} << 40);
// Factors of a layer within 2^(+-300) are used as they are; others are brought below one.
inline constexpr double largest_factor = 0x1p300;
// Rows below this, and biases far from their layer, are composed again on their own scale.
inline constexpr double fine = 0x1p-300;
// Terms below 2^-600 of a row's largest are left out, and counted in its error.
inline constexpr int left_out = -600;

// Higham's gamma_n = n u / (1 - n u), rounded up: n roundings cost at most this, relatively.
inline constexpr double gamma(std::int64_t n) {
  return static_cast<double>(n) * unit_roundoff * (1.0 + 0x1p-30);
}

// The exponent e of a positive float: 2^(e - 1) <= value < 2^e, read off its bits.
inline int exponent_of(double value) {
  const int e = static_cast<int>((std::bit_cast<std::int64_t>(value) >> 52) & 0x7FF);
  if (e == 0 || e == 0x7FF) {
    int power = 0;
    std::frexp(value, &power);
    return power;
  }
  return e - 1022;
}

// The float 2^exponent, assembled from its bits.
inline double power_of_two(std::int64_t exponent) {
  if (exponent < -1022 || exponent > 1023)
    return std::ldexp(1.0, static_cast<int>(exponent < -4000  ? -4000
                                            : exponent > 4000 ? 4000
                                                              : exponent));
  return std::bit_cast<double>((exponent + 1023) << 52);
}

// value · 2^shift, exact wherever the result is neither subnormal nor infinite.
inline double scaled(double value, std::int64_t shift) {
  if (shift < -1022 || shift > 1023)
    return std::ldexp(value, static_cast<int>(shift < -4096 ? -4096 : shift > 4096 ? 4096 : shift));
  return value * power_of_two(shift);
}

// The affine forms of a layer on a region: true row = 2^power · (row ± error), entries and errors
// at most 1.
struct LayerRows {
  double *rows;         // (units, stride), the constant at index d
  double *error;        // (units,) bound of the error of every coefficient
  std::int64_t *power;  // (units,) zero_row where the row is exactly zero
};

// A layer's map from the layer below.
struct LayerMap {
  const double
      *weight;  // (units_in, units_out): transposed matrix, float64 rounding of the exact one: no
                // entry is 0 that is not 0 exactly, all others are within 2^(+-500)
  const double *bias;     // (units_out,) the same, of any magnitude where exact, else 2^(+-1000)
  bool exact_weight;      // the float weights and biases are the exact ones
  bool exact_arithmetic;  // every product and sum is known to be exact in float64 (small integers)
  int constant_column;    // column that takes the bias: d, or the homogenising coordinate
  int units_in, units_out;
};

// Factors slope_j · 2^(power_j - base) of the normalised rows below.
struct Factors {
  int live;           // how many are not zero
  std::int64_t base;  // 0, or such that the largest factor is in [1/2, 1)
  bool ordinary;  // base is 0 and every factor within 2^(+-300); else those below 2^left_out may
                  // vanish
};

inline Factors factors(const double *slope, const std::int64_t *power, int units_in,
                       double *factor) {
  int live = 0;
  double low = 0x1p1000, high = 0.0;
  for (int j = 0; j < units_in; j++) {
    if (slope[j] == 0.0 || power[j] == zero_row) {
      factor[j] = 0.0;
      continue;
    }
    live++;
    factor[j] = power[j] >= -500 && power[j] <= 500 ? slope[j] * power_of_two(power[j]) : 0.0;
    const double size = std::fabs(factor[j]);
    low = size < low ? size : low;
    high = size > high ? size : high;
  }
  if (live == 0 || (low >= 1.0 / largest_factor && high <= largest_factor)) return {live, 0, true};
  std::int64_t base = zero_row;
  for (int j = 0; j < units_in; j++)
    if (slope[j] != 0.0 && power[j] != zero_row) {
      const std::int64_t e = exponent_of(slope[j]) + power[j];
      base = e > base ? e : base;
    }
  for (int j = 0; j < units_in; j++)
    if (slope[j] != 0.0 && power[j] != zero_row) factor[j] = scaled(slope[j], power[j] - base);
  return {live, base, false};
}

// A row on its own scale: the true row is 2^power · (sums ± error), zero if power is zero_row.
struct OwnRow {
  double error;
  std::int64_t power;
};

// Row i from its own terms, scaled so that the largest is about one; the coefficients are written
// to `sums`, column_stride apart. Terms below 2^left_out are left out, which costs twice that much
// (|row ± error| <= 2).
POLYRANK_COLD inline OwnRow on_its_own(int width, int stride, const LayerMap &map,
                                       const double *slope, LayerRows below, int i, double g,
                                       double *sums, std::int64_t column_stride) {
  const int n = map.units_out;
  for (int l = 0; l < width; l++) sums[l * column_stride + i] = 0.0;
  std::int64_t top = zero_row;
  int terms = 0;
  for (int j = 0; j < map.units_in; j++) {
    const double w = map.weight[static_cast<std::int64_t>(j) * n + i];
    if (w == 0.0 || slope[j] == 0.0 || below.power[j] == zero_row) continue;
    terms++;
    const std::int64_t e = exponent_of(w) + exponent_of(slope[j]) + below.power[j];
    top = e > top ? e : top;
  }
  double b = map.bias[i];
  if (b != 0.0 && exponent_of(b) > top) top = exponent_of(b);
  if (top == zero_row) return {0.0, zero_row};
  double size = 0.0;
  int lost = 1;
  for (int j = 0; j < map.units_in; j++) {
    const double w = map.weight[static_cast<std::int64_t>(j) * n + i];
    if (w == 0.0 || slope[j] == 0.0 || below.power[j] == zero_row) continue;
    const int e = exponent_of(w), f = exponent_of(slope[j]);
    const std::int64_t under = e + f + below.power[j] - top;
    if (under < left_out) {
      lost++;
      continue;
    }
    const double c = scaled(w, -e) * scaled(slope[j], -f) * power_of_two(under);
    size += std::fabs(c) * (below.error[j] + g);
    for (int l = 0; l < width; l++)
      sums[l * column_stride + i] += c * below.rows[static_cast<std::int64_t>(j) * stride + l];
  }
  if (b != 0.0) {
    if (exponent_of(b) - top < left_out) {
      lost++;
    } else {
      b = scaled(b, -top);
      sums[map.constant_column * column_stride + i] += b;
      if (terms > 0 || !map.exact_weight) size += g * std::fabs(b);
    }
  }
  if (terms > 0) size += lost * power_of_two(left_out + 2);
  return {size * (1.0 + 0x1p-40), top};
}

// Rows of one layer from the rows of the layer below. `slope` holds the slope of each unit below on
// this region (0 for an inactive ReLU), 0 or within 2^(+-500); `columns` (d + 1, column_stride),
// `factor` and `magnitude` are scratch with room for whole lanes; `columns` holds the normalised
// rows column by column afterwards.
//
// |error_i| <= sum_j |W_ij f_j| (error_j + gamma) + gamma |b_i| with gamma for the number of terms,
// since normalised rows have entries of magnitude <= 1. A row all of whose terms vanish is exact.
//
// Underflow. With |f_j| <= 2^300 (or <= 1) a product W_ij (f_j row_jl) is off by at most
// 2^(500 - 1074) where one of its factors is subnormal; with a base other than 0, factors that are
// subnormal or vanish are below 2^-1022 and their terms below 2^(500 - 1021). Of a row whose
// largest coefficient or error is at least `fine`, the error computed is at least gamma sum_j |W_ij
// f_j| >= 2^-54 fine, so all of this is below 2^-100 of it (for up to 2^60 units) and is covered by
// the factor 1 + 2^-40. Every other row that is not known to have no terms is composed on its own
// scale.
template <int D>
inline void compose(Dimension<D> dim, const LayerMap &map, const double *slope, LayerRows below,
                    LayerRows out, double *columns, std::int64_t column_stride, double *factor,
                    double *magnitude) {
  const int width = dim.size() + 1, stride = dim.stride(), n = map.units_out;
  const double *__restrict const weight = map.weight;
  double *__restrict const sums = columns;
  double *__restrict const sizes = magnitude;
  for (int l = 0; l < width; l++)
    for (int i = 0; i < n; i++) sums[l * column_stride + i] = 0.0;
  const Factors layer = factors(slope, below.power, map.units_in, factor);
  const double g = gamma(4 + layer.live + (map.exact_weight ? 0 : 2));
  const double rounding = map.exact_arithmetic ? 0.0 : g;
  for (int i = 0; i < n; i++) sizes[i] = 0.0;
  if (n <= 4) {
    // dot products: no branch on units that are off as often as not
    for (int i = 0; i < n; i++)
      for (int j = 0; j < map.units_in; j++) {
        const double c = weight[j * n + i] * factor[j];
        sizes[i] += std::fabs(c) * (below.error[j] + rounding);
        for (int l = 0; l < width; l++)
          sums[l * column_stride + i] += c * below.rows[j * stride + l];
      }
  } else {
    for (int j = 0; j < map.units_in; j++) {
      const double f = factor[j];
      if (f == 0.0) continue;
      const double af = std::fabs(f) * (below.error[j] + rounding);
      const double *__restrict const w = weight + static_cast<std::int64_t>(j) * n;
      for (int i = 0; i < n; i++) sizes[i] += std::fabs(w[i]) * af;
      for (int l = 0; l < width; l++) {
        const double v = f * below.rows[j * stride + l];
        if (v == 0.0) continue;
        double *__restrict const sum = sums + l * column_stride;
        for (int i = 0; i < n; i++) sum[i] += w[i] * v;
      }
    }
  }
  for (int i = 0; i < n; i++) {
    double b = map.bias[i];
    double e = sizes[i] * (1.0 + 0x1p-40);
    // without a base that fits all, no magnitude may mean that every term underflowed
    bool alone = !layer.ordinary && !map.exact_arithmetic && sizes[i] == 0.0;
    if (!layer.ordinary && b != 0.0) {
      const std::int64_t shift = exponent_of(b) - layer.base;
      alone = alone || ((shift < left_out || shift > -left_out) && !map.exact_arithmetic);
      b = alone ? 0.0 : scaled(b, -layer.base);
    }
    sums[map.constant_column * column_stride + i] += b;
    if (!map.exact_arithmetic && (e > 0.0 || !map.exact_weight)) e += g * std::fabs(b);
    const auto largest = [&] {
      double big = e;
      for (int l = 0; l < width; l++) {
        const double v = std::fabs(sums[l * column_stride + i]);
        big = v > big ? v : big;
      }
      return big;
    };
    double top = largest();
    std::int64_t own = layer.base;
    if (alone || !(top >= fine || map.exact_arithmetic)) {
      if (layer.ordinary && sizes[i] == 0.0 && b == 0.0) {
        top = 0.0;  // every term would count: |W_ij f_j| gamma >= 2^(-500 - 300 - 53)
      } else {
        const OwnRow row = on_its_own(width, stride, map, slope, below, i, g, sums, column_stride);
        e = row.error;
        own = row.power;
        top = largest();
      }
    }
    double down = 0.0;
    if (top == 0.0) {
      out.error[i] = 0.0;
      out.power[i] = zero_row;
    } else {
      const int exponent = exponent_of(top);
      down = power_of_two(-exponent);
      out.error[i] = e * down;
      out.power[i] = exponent + own;
    }
    for (int l = 0; l < width; l++) {
      const double v = down == 0.0 ? 0.0 : sums[l * column_stride + i] * down;
      sums[l * column_stride + i] = v;
      out.rows[i * stride + l] = v;
    }
  }
}

}  // namespace polyrank
