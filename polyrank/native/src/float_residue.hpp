// Elimination modulo a prime below 2^21 in binary64: products of two residues are below 2^42, so
// that every operation here is exact, and the rest of an elimination may be one product of
// matrices.
#pragma once

#include <cmath>
#include <cstdint>

#include "array.hpp"
#include "residue.hpp"

namespace polyrank {

// A value below 2^53 in magnitude, modulo the prime.
inline double float_residue(double v, double prime, double inverse) {
  double r = v - std::floor(v * inverse) * prime;
  // the quotient may be off by one
  if (r < 0.0) {
    r += prime;
  } else if (r >= prime) {
    r -= prime;
  }
  return r;
}

inline void reduce(Array<double, 2> matrix, double prime) {
  const double inverse = 1.0 / prime;
  for (std::int64_t i = 0; i < matrix.size(); i++)
    matrix.data[i] = float_residue(matrix.data[i], prime, inverse);
}

// Eliminates the panel of rows start .. in place; returns how many rows it has.
//
// Row r of the panel ends as a row with pivot 1 that vanishes in the pivot columns of the panel's
// other rows; rows that vanish get the pivot column -1.
inline std::int64_t eliminate_panel(Array<double, 2> matrix, std::int64_t start,
                                    Array<std::uint8_t, 1> used, double prime,
                                    Array<std::int64_t, 1> columns) {
  const double inverse = 1.0 / prime;
  const std::int64_t left = matrix.shape[0] - start, width = matrix.shape[1];
  const std::int64_t count = left < columns.shape[0] ? left : columns.shape[0];
  for (std::int64_t r = 0; r < count; r++) {
    double *row = matrix.row(start + r);
    std::int64_t pivot = 0;
    while (pivot < width && (row[pivot] == 0.0 || used(pivot))) pivot++;
    columns(r) = pivot < width ? pivot : -1;
    if (pivot == width) continue;
    used(pivot) = 1;
    const auto f = static_cast<double>(
        inverse_residue(static_cast<std::int64_t>(row[pivot]), static_cast<std::int64_t>(prime)));
    for (std::int64_t j = 0; j < width; j++) row[j] = float_residue(row[j] * f, prime, inverse);
    for (std::int64_t s = 0; s < count; s++) {
      double *other = matrix.row(start + s);
      if (s == r || other[pivot] == 0.0) continue;
      const double g = prime - other[pivot];
      for (std::int64_t j = 0; j < width; j++)
        other[j] = float_residue(other[j] + g * row[j], prime, inverse);
    }
  }
  return count;
}

}  // namespace polyrank
