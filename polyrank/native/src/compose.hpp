// Composite affine rows of a layer on a region, in float64 with a proven error bound.
//
// On a region with fixed codeword through layer k - 1, the pre-activations of layer k are affine in
// the cube coordinates u. Rows are scaled by powers of two (exact) to magnitude <= 1; `scale` keeps
// the factor that restores the value that the next layer reads.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>

#include "dimension.hpp"
#include "float_model.hpp"

namespace polyrank {

// Rows smaller than this are not resolved in float64; exact arithmetic decides them.
inline constexpr double tiny_row = 0x1p-400;

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

// The affine forms of one layer on a region: true row = scale · (row ± error), entries <= 1.
struct LayerRows {
  double *rows;   // (units, stride), the constant at index d
  double *error;  // (units,) bound of the error of every coefficient
  double *scale;  // (units,)
};

// A layer's map from the layer below.
struct LayerMap {
  const double
      *weight;  // (units_in, units_out): transposed matrix, float64 rounding of the exact one
  const double *bias;     // (units_out,)
  bool exact_weight;      // the float weights and biases are the exact ones
  bool exact_arithmetic;  // every product and sum is known to be exact in float64 (small integers)
  int constant_column;    // column that takes the bias: d, or the homogenising coordinate
  int units_in, units_out;
};

// Rows of one layer from the rows of the layer below. `slope` holds the slope of each unit below on
// this region (0 for an inactive ReLU); `columns` (d + 1, column_stride) and `magnitude` are
// scratch with room for whole lanes; `columns` holds the normalised rows column by column
// afterwards.
//
// |error_i| <= sum_j |W_ij s_j| (error_j + gamma) + gamma |b_i| with gamma for the number of terms,
// since normalised rows have entries of magnitude <= 1. A row all of whose terms vanish is exact.
template <int D>
inline void compose(Dimension<D> dim, const LayerMap &map, const double *slope, LayerRows below,
                    LayerRows out, double *columns, std::int64_t column_stride, double *magnitude) {
  const int width = dim.size() + 1, stride = dim.stride(), n = map.units_out;
  const double *__restrict const weight = map.weight;
  double *__restrict const sums = columns;
  double *__restrict const sizes = magnitude;
  for (int l = 0; l < width; l++)
    for (int i = 0; i < n; i++) sums[l * column_stride + i] = 0.0;
  int terms = 4;
  for (int j = 0; j < map.units_in; j++) terms += slope[j] * below.scale[j] != 0.0;
  const double g = gamma(terms + (map.exact_weight ? 0 : 2));
  const double rounding = map.exact_arithmetic ? 0.0 : g;
  for (int i = 0; i < n; i++) sizes[i] = 0.0;
  if (n <= 4) {
    // dot products: no branch on units that are off as often as not
    for (int i = 0; i < n; i++)
      for (int j = 0; j < map.units_in; j++) {
        const double c = weight[j * n + i] * (slope[j] * below.scale[j]);
        sizes[i] += std::fabs(c) * (below.error[j] + rounding);
        for (int l = 0; l < width; l++)
          sums[l * column_stride + i] += c * below.rows[j * stride + l];
      }
  } else {
    for (int j = 0; j < map.units_in; j++) {
      const double f = slope[j] * below.scale[j];
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
    const double b = map.bias[i];
    sums[map.constant_column * column_stride + i] += b;
    double e = sizes[i] * (1.0 + 0x1p-40);
    if (!map.exact_arithmetic && (e > 0.0 || !map.exact_weight)) e += g * std::fabs(b);
    double big = 0.0;
    for (int l = 0; l < width; l++) {
      const double v = std::fabs(sums[l * column_stride + i]);
      big = v > big ? v : big;
    }
    double down = 0.0;
    if (big == 0.0 && e == 0.0) {
      out.error[i] = 0.0;
      out.scale[i] = 0.0;
    } else if (big < tiny_row && e < tiny_row) {
      // Too close to underflow for a relative bound: keep only |coefficient| <= 2 tiny_row.
      out.error[i] = 1.0;
      out.scale[i] = 2.0 * tiny_row;
    } else {
      const int power = exponent_of(big > e ? big : e);
      down = power_of_two(-power);
      out.error[i] = e * down;
      out.scale[i] = power_of_two(power);
    }
    for (int l = 0; l < width; l++) {
      const double v = down == 0.0 ? 0.0 : sums[l * column_stride + i] * down;
      sums[l * column_stride + i] = v;
      out.rows[i * stride + l] = v;
    }
  }
}

}  // namespace polyrank
