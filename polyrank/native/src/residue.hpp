// Residues modulo primes below 2^31: products of two fit into 63 bits.
#pragma once

#include <cstdint>

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

}  // namespace polyrank
