// The search for flats of small rank on many prefixes of a layer, each with the covers that hold on
// it: polyrank/minrank/lifted.py says what a prefix and a clause are.
#pragma once

#include <cstdint>
#include <vector>

#include "array.hpp"
#include "flats.hpp"
#include "residue.hpp"

namespace polyrank {

// positive(b, j): prefix b has unit j on. on(j, .), off(j, .): what unit j adds to the elements of
// the next layer, unit by unit, on either side; the first `always` of them are live everywhere.
struct Prefixes {
  Array<const std::uint8_t, 2> positive;
  Array<const std::int64_t, 2> on, off;
  std::int64_t units, always;
};

// Cover c holds where the units of on(c, .) are on and those of off(c, .) are off.
struct Clauses {
  Array<const std::uint8_t, 2> on, off;
  Covers covers;
};

class FlatsOfPrefixes {
public:
  // Answers for prefixes in turn, while the budget of flats lasts: 1 where every region has rank >=
  // `rank` (modulo the clauses), 0 where that is not shown. The number of prefixes with an answer.
  std::int64_t run(const Prefixes &prefixes, const Clauses &clauses, std::int64_t rank,
                   std::int64_t prime, std::int64_t budget, Array<std::uint8_t, 1> out) {
    const std::int64_t last = prefixes.positive.shape[0];
    for (std::int64_t b = 0; b < last; b++) {
      if (nodes >= budget) return b;
      nodes++;
      const std::int64_t base = elements_of(prefixes, b, prime);
      if (rank <= base) {
        out(b) = 1;
        continue;
      }
      choose(prefixes, clauses, b);
      const std::int64_t free = prefixes.units - prefixes.always;
      const std::int64_t width = prefixes.units ? prefixes.on.shape[1] / prefixes.units : 0;
      FlatSearch search({elements_.data() + prefixes.always * width, {free, width}}, rank - base);
      const Covers mine{{covers_.data(), {count_, clauses.covers.elements.shape[1]}},
                        {lengths_.data(), {count_}},
                        count_};
      out(b) = search.advance(mine, rank - base - 1, prime, most) == FlatSearch::done;
      nodes += search.nodes;
    }
    return last;
  }

  std::int64_t nodes = 0;  // flats entered and prefixes looked at

private:
  static constexpr std::int64_t most = 1 << 14;  // flats of one prefix

  // The elements of the next layer on a prefix, and the rank of those that are always live, modulo
  // which the others are taken.
  std::int64_t elements_of(const Prefixes &p, std::int64_t b, std::int64_t prime) {
    const std::int64_t size = p.on.shape[1];
    elements_.assign(static_cast<std::size_t>(size), 0);
    for (std::int64_t j = 0; j < p.positive.shape[1]; j++) {
      const std::int64_t *more = p.positive(b, j) ? p.on.row(j) : p.off.row(j);
      for (std::int64_t i = 0; i < size; i++) elements_[static_cast<std::size_t>(i)] += more[i];
    }
    for (std::int64_t &v : elements_) v = residue(v, prime);
    const std::int64_t width = p.units ? size / p.units : 0;
    std::int64_t base = 0;
    for (std::int64_t a = 0; a < p.always; a++) {
      std::int64_t *head = elements_.data() + a * width, pivot = 0;
      while (pivot < width && head[pivot] == 0) pivot++;
      if (pivot == width) continue;
      const std::int64_t scale = inverse_residue(head[pivot], prime);
      for (std::int64_t i = a + 1; i < p.units; i++) {
        std::int64_t *row = elements_.data() + i * width;
        if (row[pivot] == 0) continue;
        const std::int64_t f = prime - residue(row[pivot] * scale, prime);
        for (std::int64_t c = 0; c < width; c++) row[c] = residue(row[c] + f * head[c], prime);
      }
      base++;
    }
    return base;
  }

  // The covers of the clauses that hold on a prefix.
  void choose(const Prefixes &p, const Clauses &clauses, std::int64_t b) {
    const std::int64_t width = clauses.covers.elements.shape[1];
    covers_.clear();
    lengths_.clear();
    count_ = 0;
    for (std::int64_t c = 0; c < clauses.covers.count; c++) {
      bool holds = true;
      for (std::int64_t j = 0; j < clauses.on.shape[1] && holds; j++) {
        if (!clauses.on(c, j) && !clauses.off(c, j)) continue;
        holds = j < p.positive.shape[1] && (clauses.on(c, j) != 0) == (p.positive(b, j) != 0);
      }
      if (!holds) continue;
      const std::int64_t *row = clauses.covers.elements.row(c);
      covers_.insert(covers_.end(), row, row + width);
      lengths_.push_back(clauses.covers.lengths(c));
      count_++;
    }
  }

  std::vector<std::int64_t> elements_, covers_, lengths_;
  std::int64_t count_ = 0;
};

}  // namespace polyrank
