// What a table of floats says before a search begins: rows of magnitude one, multiples of each
// other, independent rows.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "array.hpp"
#include "buffer.hpp"
#include "rank.hpp"

namespace polyrank {

// Rows on their own scales, and what is known of them.
struct NormalisedRows {
  Array<double, 2> rows;            // (m, w) given = rows · 2^power where a row is whole
  Array<std::int64_t, 1> power;     // (m,) of the least power of two that no entry exceeds
  Array<std::int64_t, 1> exponent;  // (m,) least e >= 0 with integers rows · 2^e; -1 beyond 53
  Array<bool, 1> whole;             // (m,) the row lost no bit when it was scaled
};

// Least e >= 0 for which value · 2^e is an integer; value is not 0.
inline int binary_places(double value) {
  int power = 0;
  const double mantissa = std::frexp(value, &power);
  const auto digits = static_cast<std::int64_t>(mantissa * 0x1p53);
  const int places = 53 - std::countr_zero(static_cast<std::uint64_t>(digits)) - power;
  return places > 0 ? places : 0;
}

inline void normalise_rows(Array<const double, 2> given, const NormalisedRows &out) {
  const std::int64_t width = given.shape[1];
  for (std::int64_t i = 0; i < given.shape[0]; i++) {
    const double *from = given.row(i);
    double *to = out.rows.row(i), size = 0.0;
    for (std::int64_t l = 0; l < width; l++)
      size = std::fabs(from[l]) > size ? std::fabs(from[l]) : size;
    int power = 0;
    if (std::frexp(size, &power) == 0.5) power--;
    bool whole = true;
    int places = 0;
    for (std::int64_t l = 0; l < width; l++) {
      to[l] = std::ldexp(from[l], -power);
      whole = whole && std::ldexp(to[l], power) == from[l];
      if (to[l] != 0.0 && std::isfinite(to[l])) {
        const int own = binary_places(to[l]);
        places = own > places ? own : places;
      }
    }
    out.power(i) = power;
    out.whole(i) = whole;
    out.exponent(i) = places <= 53 ? places : -1;
  }
}

// A product of two floats, exactly: digits · 2^exponent, the digits odd, or 0.
struct ExactProduct {
  __int128 digits;
  int exponent;

  ExactProduct(double a, double b) {
    int p = 0, q = 0;
    const double x = std::frexp(a, &p), y = std::frexp(b, &q);
    digits = static_cast<__int128>(static_cast<std::int64_t>(x * 0x1p53)) *
             static_cast<std::int64_t>(y * 0x1p53);
    exponent = digits != 0 ? p + q : 0;
    while (digits != 0 && (digits & 1) == 0) digits /= 2, exponent++;
  }
  bool operator==(const ExactProduct &) const = default;
};

// Per row the first one that it is a multiple of, possibly itself, or -1 for a zero row; and the
// sign of its first entry that is not zero. Equal rationals have equal float quotients, products
// decide.
inline void find_multiples(Array<const double, 2> table, Array<std::int64_t, 1> of,
                           Array<std::int8_t, 1> sign) {
  const std::int64_t width = table.shape[1];
  std::unordered_map<std::uint64_t, std::vector<std::int64_t>> seen;
  seen.reserve(static_cast<std::size_t>(table.shape[0]));
  for (std::int64_t i = 0; i < table.shape[0]; i++) {
    const double *row = table.row(i);
    std::int64_t lead = 0;
    while (lead < width && row[lead] == 0.0) lead++;
    of(i) = -1;
    sign(i) = 1;
    if (lead == width) continue;
    sign(i) = row[lead] < 0.0 ? -1 : 1;
    std::uint64_t hash = 0xcbf29ce484222325;
    for (std::int64_t l = 0; l < width; l++)
      hash = (hash ^ std::bit_cast<std::uint64_t>(row[l] / row[lead] + 0.0)) * 0x9e3779b97f4a7c15,
      hash ^= hash >> 29;
    std::vector<std::int64_t> &group = seen[hash];
    for (const std::int64_t j : group) {
      const double *other = table.row(j);
      bool same = other[lead] != 0.0;
      for (std::int64_t l = 0; same && l < width; l++)
        same = ExactProduct(row[l], other[lead]) == ExactProduct(other[l], row[lead]);
      if (same) {
        of(i) = j;
        break;
      }
    }
    if (of(i) >= 0) continue;
    of(i) = i;
    group.push_back(i);
  }
}

// Whether floats prove that some `size` >= 1 rows are linearly independent. A power of two changes
// nothing about a row; what underflows is far below the radius, which covers the rounding.
inline bool independent_rows(Array<const double, 2> table, std::int64_t size) {
  const std::int64_t count = table.shape[0], width = table.shape[1], stride = padded(width);
  if (size > count || size > width) return false;
  Buffer<double> rows(count * stride, 0.0), work(count * stride), largest(count);
  Buffer<double> radius(count, gamma(width + 4));
  Buffer<double> lower(count * width), inverse(2 * width * width);
  Buffer<int> column(width), chosen(width);
  Buffer<bool> used(count);
  for (std::int64_t i = 0; i < count; i++) {
    const double *row = table.row(i);
    double size_of_row = 0.0;
    for (std::int64_t l = 0; l < width; l++) size_of_row = std::max(size_of_row, std::fabs(row[l]));
    const int power = exponent_of(size_of_row);
    for (std::int64_t l = 0; l < width; l++) rows[i * stride + l] = std::ldexp(row[l], -power);
  }
  return independent(
      rows.data(), radius.data(), static_cast<int>(count), static_cast<int>(width),
      static_cast<int>(stride), static_cast<int>(size), chosen.data(),
      {work.data(), largest.data(), lower.data(), inverse.data(), column.data(), used.data()});
}

}  // namespace polyrank
