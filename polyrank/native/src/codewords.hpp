// A run's codewords: rows of bytes, found again by an open-addressing table of Zobrist keys.
//
// A key only says where to look: codewords are compared bit by bit.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "array.hpp"

namespace polyrank {

inline constexpr std::int64_t missing = -2;      // no listed region has the codeword
inline constexpr std::int32_t domain_wall = -1;  // "neighbour" across a wall of the domain

struct CodeTable {
  Array<const std::uint8_t, 2> code;  // (regions, bytes)
  Array<const std::uint64_t, 1> key;  // (bits,)
  Array<std::int32_t, 1> table;       // a power of two many places, -1 where empty

  std::int64_t regions() const { return code.shape[0]; }
  std::int64_t bytes() const { return code.shape[1]; }
  std::int64_t place(std::uint64_t value) const {
    return static_cast<std::int64_t>(value & static_cast<std::uint64_t>(table.shape[0] - 1));
  }
  std::int64_t next(std::int64_t place) const { return (place + 1) & (table.shape[0] - 1); }

  std::uint64_t hash(std::int64_t r, std::int64_t bits) const {
    std::uint64_t value = 0;
    for (std::int64_t b = 0; b < bits; b++)
      if ((code(r, b >> 3) >> (b & 7)) & 1) value ^= key(b);
    return value;
  }

  // The row whose codeword is row r's with the given bits flipped, or missing. value is its hash.
  std::int64_t find(std::uint64_t value, std::int64_t r, const std::int64_t *flip,
                    std::int64_t flips) const {
    for (std::int64_t at = place(value); table(at) >= 0; at = next(at)) {
      const std::int64_t s = table(at);
      const std::uint8_t *there = code.row(s), *here = code.row(r);
      bool same = true;
      for (std::int64_t c = 0; c < bytes() && same; c++) {
        int x = there[c] ^ here[c];
        for (std::int64_t f = 0; f < flips; f++)
          if (flip[f] >> 3 == c) x ^= 1 << (flip[f] & 7);
        same = x == 0;
      }
      if (same) return s;
    }
    return missing;
  }

  // The keys of every byte's bits together: hashing a row reads one for each byte.
  std::vector<std::uint64_t> byte_keys(std::int64_t bits) const {
    std::vector<std::uint64_t> out(static_cast<std::size_t>(256 * bytes()), 0);
    for (std::int64_t b = 0; b < bits; b++) {
      std::uint64_t *of_byte = out.data() + 256 * (b >> 3);
      const int bit = 1 << (b & 7);
      for (int value = bit; value < 2 * bit; value++)
        of_byte[value] = of_byte[value - bit] ^ key(b);
    }
    return out;
  }

  // Enters every codeword. Returns a row that is listed twice, or -1.
  std::int64_t fill(std::int64_t bits) {
    const std::vector<std::uint64_t> keys = byte_keys(bits);
    for (std::int64_t r = 0; r < regions(); r++) {
      std::uint64_t value = 0;
      for (std::int64_t c = 0; c < bytes(); c++)
        value ^= keys[static_cast<std::size_t>(256 * c + code(r, c))];
      std::int64_t at = place(value);
      for (; table(at) >= 0; at = next(at)) {
        const std::uint8_t *there = code.row(table(at)), *here = code.row(r);
        bool same = true;
        for (std::int64_t c = 0; c < bytes() && same; c++) same = there[c] == here[c];
        if (same) return r;
      }
      table(at) = static_cast<std::int32_t>(r);
    }
    return -1;
  }

  // Of how many rows the bit is the first in which they differ from the row before. Of two opposite
  // rows in turn the second one is left out.
  void first_differences(std::int64_t bits, Array<std::int64_t, 1> out) const {
    for (std::int64_t r = 1, before = 0; r < regions(); r++) {
      std::int64_t first = bits, apart = 0;
      for (std::int64_t c = 0; c < bytes(); c++) {
        const int x = code(r, c) ^ code(before, c);
        apart += std::popcount(static_cast<unsigned>(x));
        if (x != 0 && first == bits) first = 8 * c + std::countr_zero(static_cast<unsigned>(x));
      }
      if (apart == bits) continue;
      out(first)++;
      before = r;
    }
  }

  // Number of pairs of rows that differ in exactly one bit.
  std::int64_t pairs(std::int64_t bits) const {
    std::int64_t count = 0;
    for (std::int64_t r = 0; r < regions(); r++) {
      const std::uint64_t value = hash(r, bits);
      for (std::int64_t b = 0; b < bits; b++) count += find(value ^ key(b), r, &b, 1) > r;
    }
    return count;
  }
};

// What the walk knows of a run besides its codewords: polyrank/graph/arrays.py, Codes.
struct Listing {
  CodeTable codes;
  Array<const std::uint8_t, 2> zero;        // bits of the units that vanish; no row where none does
  Array<const double, 2> witness;           // (regions, k), NaN where it is not float64
  Array<const std::int64_t, 1> bit;         // (units,) bit of each unit, -1 without hyperplane
  Array<const std::int64_t, 1> unit;        // (bits,) unit of each bit
  Array<const std::int64_t, 1> stage;       // first unit of each stage, then their end
  Array<const std::uint8_t, 2> mask;        // (stages + 1, bytes): bits of the stages before
  Array<const std::int64_t, 1> flip_start;  // (units + 1,)
  Array<const std::int64_t, 1>
      flip;  // bits of the units that are multiples of a unit, itself first
  Array<const std::uint64_t, 1> flip_key;  // (units,) their keys together
};

}  // namespace polyrank
