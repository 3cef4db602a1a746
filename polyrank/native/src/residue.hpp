// Residues modulo primes below 2^31: products of two fit into 63 bits.
#pragma once

#include <cstdint>

#include "array.hpp"

namespace polyrank {

inline constexpr std::int64_t mersenne31 = 2147483647;

// The largest primes below 2^31.
inline constexpr std::int64_t word_primes[] = {
    2147483647, 2147483629, 2147483587, 2147483579, 2147483563, 2147483549, 2147483543, 2147483497,
    2147483489, 2147483477, 2147483423, 2147483399, 2147483353, 2147483323, 2147483269, 2147483249,
    2147483237, 2147483179, 2147483171, 2147483137, 2147483123, 2147483077, 2147483069, 2147483059};

// Reduction modulo a prime below 2^31 by a multiplication (Barrett).
struct Modulus {
  std::uint64_t prime, reciprocal;

  constexpr Modulus() : prime(1), reciprocal(0) {}
  explicit constexpr Modulus(std::int64_t p)
      : prime(static_cast<std::uint64_t>(p)), reciprocal(~std::uint64_t{0} / prime) {}

  // value modulo the prime. With m = floor((2^64 - 1) / p), value m / 2^64 > value / p - 1, so that
  // the quotient is at most one too small.
  std::uint64_t operator()(std::uint64_t value) const {
    __extension__ typedef unsigned __int128 Wide;
    const std::uint64_t q =
        static_cast<std::uint64_t>((static_cast<Wide>(value) * reciprocal) >> 64);
    const std::uint64_t r = value - q * prime;
    return r >= prime ? r - prime : r;
  }
};

// A number in [0, 2^63) modulo the prime; modulo 2^31 - 1 without a division.
inline constexpr std::int64_t residue(std::int64_t value, std::int64_t prime) {
  if (prime == mersenne31) {
    value = (value & mersenne31) + (value >> 31);
    value = (value & mersenne31) + (value >> 31);
    return value >= mersenne31 ? value - mersenne31 : value;
  }
  return value % prime;
}

// The inverse of a residue that is not zero, by Fermat's little theorem.
inline constexpr std::int64_t inverse_residue(std::int64_t value, std::int64_t prime) {
  std::int64_t result = 1, base = value;
  for (std::int64_t power = prime - 2; power > 0; power >>= 1) {
    if (power & 1) result = residue(result * base, prime);
    base = residue(base * base, prime);
  }
  return result;
}

// An integer from its residues modulo several of `word_primes`: only its sign is wanted.
//
// Mixed radix (Garner): the integer, or the integer plus the product P of the primes if it is
// negative, is v_1 + v_2 p_1 + v_3 p_1 p_2 + ... with 0 <= v_i < p_i. Where its magnitude is below
// P / 8, the last digit is in the first or in the last eighth.
class SignOfResidues {
public:
  static constexpr int most = sizeof(word_primes) / sizeof(word_primes[0]);

  // `primes[i]`: index of the i-th prime that is used; `residues` are overwritten.
  static int sign(const int *primes, int count, std::uint64_t *residues) {
    bool zero = true;
    for (int j = 0; j < count; j++) {
      const Modulus mod(word_primes[primes[j]]);
      std::uint64_t v = residues[j];
      for (int i = 0; i < j; i++)
        v = mod((v + mod.prime - mod(residues[i])) *
                static_cast<std::uint64_t>(inverse_.of[primes[i]][primes[j]]));
      residues[j] = v;
      zero = zero && v == 0;
    }
    if (zero) return 0;
    return residues[count - 1] > mod_half(primes[count - 1]) ? -1 : 1;
  }

private:
  struct Table {
    std::int64_t of[most][most];  // inverse of the first prime modulo the second
  };
  static constexpr Table inverses() {
    Table table{};
    for (int i = 0; i < most; i++)
      for (int j = 0; j < most; j++)
        if (i != j)
          table.of[i][j] = inverse_residue(word_primes[i] % word_primes[j], word_primes[j]);
    return table;
  }
  static std::uint64_t mod_half(int prime) {
    return static_cast<std::uint64_t>(word_primes[prime]) / 2;
  }
  static const Table inverse_;
};

inline constexpr SignOfResidues::Table SignOfResidues::inverse_ = SignOfResidues::inverses();

// One layer on residues: values (r, inputs) to out (r, units). Unit i has the slope pos(i) on row r
// where bit(i) is -1 or set in the row's words, neg(i) elsewhere.
struct ResidueLayer {
  Array<const std::int64_t, 2> weight;
  Array<const std::int64_t, 1> bias, neg, pos, bit;
};

inline void apply(const ResidueLayer &layer, Array<const std::uint8_t, 2> words,
                  Array<const std::int64_t, 2> values, std::int64_t prime,
                  Array<std::int64_t, 2> out) {
  for (std::int64_t r = 0; r < values.shape[0]; r++)
    for (std::int64_t i = 0; i < layer.weight.shape[0]; i++) {
      const std::int64_t *weight = layer.weight.row(i), *value = values.row(r), b = layer.bit(i);
      std::int64_t z = layer.bias(i);
      for (std::int64_t j = 0; j < values.shape[1]; j++)
        z = residue(z + weight[j] * value[j], prime);
      const bool on = b < 0 || ((words(r, b >> 3) >> (b & 7)) & 1);
      out(r, i) = residue(z * (on ? layer.pos(i) : layer.neg(i)), prime);
    }
}

}  // namespace polyrank
