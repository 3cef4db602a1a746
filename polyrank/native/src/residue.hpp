// Residues modulo primes below 2^31: products of two fit into 63 bits.
#pragma once

#include <cstdint>

#include "array.hpp"

namespace polyrank {

inline constexpr std::int64_t mersenne31 = 2147483647;

// A number in [0, 2^63) modulo the prime; modulo 2^31 - 1 without a division.
inline std::int64_t residue(std::int64_t value, std::int64_t prime) {
  if (prime == mersenne31) {
    value = (value & mersenne31) + (value >> 31);
    value = (value & mersenne31) + (value >> 31);
    return value >= mersenne31 ? value - mersenne31 : value;
  }
  return value % prime;
}

// The inverse of a residue that is not zero, by Fermat's little theorem.
inline std::int64_t inverse_residue(std::int64_t value, std::int64_t prime) {
  std::int64_t result = 1, base = value;
  for (std::int64_t power = prime - 2; power > 0; power >>= 1) {
    if (power & 1) result = residue(result * base, prime);
    base = residue(base * base, prime);
  }
  return result;
}

// One layer on residues: values (r, inputs) to out (r, units). Unit i has the slope pos(i) on row r where
// bit(i) is -1 or set in the row's words, neg(i) elsewhere.
struct ResidueLayer {
  Array<const std::int64_t, 2> weight;
  Array<const std::int64_t, 1> bias, neg, pos, bit;
};

inline void apply(const ResidueLayer &layer, Array<const std::uint8_t, 2> words, Array<const std::int64_t, 2> values,
                  std::int64_t prime, Array<std::int64_t, 2> out) {
  for (std::int64_t r = 0; r < values.shape[0]; r++)
    for (std::int64_t i = 0; i < layer.weight.shape[0]; i++) {
      const std::int64_t *weight = layer.weight.row(i), *value = values.row(r), b = layer.bit(i);
      std::int64_t z = layer.bias(i);
      for (std::int64_t j = 0; j < values.shape[1]; j++) z = residue(z + weight[j] * value[j], prime);
      const bool on = b < 0 || ((words(r, b >> 3) >> (b & 7)) & 1);
      out(r, i) = residue(z * (on ? layer.pos(i) : layer.neg(i)), prime);
    }
}

}  // namespace polyrank
