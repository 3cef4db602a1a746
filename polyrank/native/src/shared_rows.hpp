// Rows of a table of words: which are equal, and what several have together.
//
// Equal rows are found by an open-addressing table of hashes. A hash only says where to look: rows
// are compared word by word.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "array.hpp"

namespace polyrank {

inline std::uint64_t hash_of(const std::uint64_t *row, std::int64_t words) {
  std::uint64_t value = 0x9E3779B97F4A7C15;
  for (std::int64_t v = 0; v < words; v++) {
    value = (value ^ row[v]) * 0xD6E8FEB86659FD93;
    value ^= value >> 32;
  }
  return value;
}

// Classes of equal rows, numbered in the order of their first rows: `first` receives that row of
// each class, `number` the class of each row. Returns how many classes there are.
inline std::int64_t distinct_rows(Array<const std::uint64_t, 2> rows, Array<std::int64_t, 1> first,
                                  Array<std::int64_t, 1> number) {
  const std::int64_t words = rows.shape[1];
  std::vector<std::int64_t> table(1024,
                                  -1);  // a power of two many places, at most half of them taken
  std::vector<std::uint64_t> hashes;    // of the classes
  const auto place = [&](std::uint64_t hash) {
    return static_cast<std::size_t>(hash) & (table.size() - 1);
  };
  const auto next = [&](std::size_t at) { return (at + 1) & (table.size() - 1); };
  for (std::int64_t r = 0; r < rows.shape[0]; r++) {
    const std::uint64_t *row = rows.row(r), hash = hash_of(row, words);
    std::size_t at = place(hash);
    for (; table[at] >= 0; at = next(at)) {
      const std::int64_t c = table[at];
      if (hashes[static_cast<std::size_t>(c)] == hash &&
          std::equal(row, row + words, rows.row(first(c))))
        break;
    }
    if (table[at] >= 0) {
      number(r) = table[at];
      continue;
    }
    const auto fresh = static_cast<std::int64_t>(hashes.size());
    table[at] = number(r) = fresh;
    first(fresh) = r;
    hashes.push_back(hash);
    if (2 * hashes.size() < table.size()) continue;
    table.assign(2 * table.size(), -1);
    for (std::size_t c = 0; c < hashes.size(); c++) {
      std::size_t to = place(hashes[c]);
      while (table[to] >= 0) to = next(to);
      table[to] = static_cast<std::int64_t>(c);
    }
  }
  return static_cast<std::int64_t>(hashes.size());
}

// The bits that the rows member(start(i)) .. member(end(i) - 1) have together, for every i.
inline void union_rows(Array<const std::uint64_t, 2> rows, Array<const std::int64_t, 1> member,
                       Array<const std::int64_t, 1> start, Array<const std::int64_t, 1> end,
                       Array<std::uint64_t, 2> out) {
  const std::int64_t words = rows.shape[1];
  for (std::int64_t i = 0; i < start.shape[0]; i++) {
    std::uint64_t *to = out.row(i);
    std::fill(to, to + words, 0);
    for (std::int64_t m = start(i); m < end(i); m++) {
      const std::uint64_t *from = rows.row(member(m));
      for (std::int64_t v = 0; v < words; v++) to[v] |= from[v];
    }
  }
}

}  // namespace polyrank
