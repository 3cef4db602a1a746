// The network as the search reads it: polyrank/cells/arrays.py, NetArrays, field by field.
#pragma once

#include "array.hpp"

namespace polyrank {

struct Network {
  Array<const std::int64_t, 1> units;       // units per layer
  Array<const std::int64_t, 1> unit_start;  // first unit of each layer, length L + 1
  Array<const double, 1> weight;            // transposed weights of layers 2.., flattened
  Array<const std::int64_t, 1> weight_start;
  Array<const double, 1> bias;  // per unit
  Array<const double, 1> slope_neg;
  Array<const double, 1> slope_pos;
  Array<const bool, 1> exact_weight;      // per layer: float weights are exact
  Array<const bool, 1> exact_arithmetic;  // per layer: composite rows are exact
  Array<const std::int64_t, 1> lsb;  // per layer: rows are integers times 2^-lsb, -1 where unknown
  Array<const bool, 1> central;      // per layer: constants vanish structurally (exactly 0)
  Array<const bool, 1> linear;       // per layer: so do the coefficients of the constant column
  Array<const bool, 1> hyperplane;   // per unit
  Array<const std::int64_t, 1> tie;  // per unit: unit of the layer it is proportional to, or -1
  Array<const std::int8_t, 1> tie_sign;
  Array<const std::int64_t, 1>
      direction;  // per unit: first unit of the layer with a proportional weight row
  Array<const std::int64_t, 1>
      weight_rank;  // per layer: an upper bound of the rank of the weight matrix
  Array<const double, 2> first_rows;
  Array<const double, 1> first_error;
  Array<const std::int64_t, 1> first_power;  // zero_row where a row is exactly zero
  Array<const std::int64_t, 1> first_exponent;
  Array<const double, 2> wall_rows;
  Array<const double, 1> wall_error;
  Array<const std::int64_t, 1> wall_exponent;
  // Residues modulo the first of `word_primes` of exact integer multiples of the walls, then of the
  // rows of layer 1, (rows, primes, d + 1), all in the same coordinates, which need not be those of
  // the cube; and bounds of their norms, 0 where a row is zero, negative where another row stands
  // for the one that it is. Empty where floats hold the rows.
  Array<const std::int64_t, 3> exact_residues;
  Array<const double, 1> exact_norm;
  std::int64_t constant_column;
  std::int64_t linear_columns;
  std::int64_t homogeneous;
  std::int64_t bounded;
  Array<const double, 1> centre;
  Array<const double, 1> half_width;

  std::int64_t layers() const { return units.shape[0]; }
  std::int64_t total() const { return unit_start(layers()); }
  std::int64_t widest() const {
    std::int64_t n = 0;
    for (std::int64_t k = 0; k < layers(); k++) n = units(k) > n ? units(k) : n;
    return n;
  }
};

// NaN compares false in every proof: no bound is taken for proved that is none.
inline constexpr double inflate =
    1.0 + 0x1p-40;  // covers the rounding inside the bounds themselves (sums of < 2^12 terms)

}  // namespace polyrank
