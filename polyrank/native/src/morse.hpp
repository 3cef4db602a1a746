// Acyclic matchings of a chain complex, and the boundary of what they leave.
//
// Two cells a < b with incidence +-1 are cancelled when b has a as its only face left (a
// coreduction) or a has b as its only coface left (a reduction); where neither is to be had, a cell
// of the largest dimension left is set aside as critical. Such a matching is acyclic (discrete
// Morse theory).
//
// Sources: R. Forman, Morse theory for cell complexes (1998); M. Mrozek and B. Batko, Coreduction
// homology algorithm (2009); S. Harker et al., Discrete Morse theoretic algorithms for computing
// homology of complexes and maps (2014).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "array.hpp"

namespace polyrank {

// Faces (or cofaces) of every cell in one compressed table.
struct Incidences {
  Array<const std::int64_t, 1> pointer;  // (cells + 1,)
  Array<const std::int64_t, 1> cell;     // the faces of cell c: pointer(c) .. pointer(c + 1)
  Array<const std::int64_t, 1> number;   // their incidence numbers
};

// Calls visit(position in the table) for every face of a cell.
template <class Visit> void each(const Incidences &table, std::int64_t c, Visit visit) {
  for (std::int64_t i = table.pointer(c); i < table.pointer(c + 1); i++) visit(i);
}

// The matching of cells with equal labels. mate is -1 for critical cells; gradient paths lead from
// smaller to larger keys.
class Matching {
public:
  Matching(const Incidences &faces, const Incidences &cofaces, Array<const std::int64_t, 1> label,
           Array<std::int64_t, 1> mate, Array<std::int64_t, 1> key)
      : faces_(faces),
        cofaces_(cofaces),
        label_(label),
        mate_(mate),
        key_(key),
        total_(label.shape[0]),
        alive_(size(total_), 1),
        down_(size(total_), 0),
        up_(size(total_), 0) {
    queue_.reserve(size(4 * total_ + 4));
    for (std::int64_t c = 0; c < total_; c++) {
      mate_(c) = -1;
      key_(c) = 0;
    }
  }

  void run() {
    for (std::int64_t c = 0; c < total_; c++)
      each(faces_, c, [&](std::int64_t i) {
        const std::int64_t f = faces_.cell(i);
        if (label_(f) != label_(c)) return;
        down_[size(c)]++;
        up_[size(f)]++;
      });
    for (std::int64_t c = 0; c < total_; c++)
      if (down_[size(c)] == 1 || up_[size(c)] == 1) queue_.push_back(c);
    std::int64_t last = total_ - 1, time = 0;
    for (;;) {
      Pair pair = next_pair();
      if (pair.first < 0) {
        while (last >= 0 && !alive_[size(last)]) last--;
        if (last < 0) return;
        remove(last);
        continue;
      }
      mate_(pair.first) = pair.second;
      mate_(pair.second) = pair.first;
      time++;
      // from a reduction to later pairs, from a coreduction to earlier ones, never back
      key_(pair.first) = pair.reduction ? time : 2 * total_ + 2 - time;
      remove(pair.first);
      remove(pair.second);
    }
  }

private:
  struct Pair {
    std::int64_t first, second;  // face and coface, or -1
    bool reduction;
  };

  static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

  // The first cell left with the same label, where its incidence number is +-1; else -1.
  std::int64_t only(const Incidences &table, std::int64_t c) const {
    for (std::int64_t i = table.pointer(c); i < table.pointer(c + 1); i++) {
      const std::int64_t f = table.cell(i);
      if (!alive_[size(f)] || label_(f) != label_(c)) continue;
      return table.number(i) == 1 || table.number(i) == -1 ? f : -1;
    }
    return -1;
  }

  Pair next_pair() {
    while (head_ < queue_.size()) {
      const std::int64_t c = queue_[head_++];
      if (!alive_[size(c)]) continue;
      if (down_[size(c)] == 1)
        if (const std::int64_t f = only(faces_, c); f >= 0) return {f, c, false};
      if (up_[size(c)] == 1)
        if (const std::int64_t f = only(cofaces_, c); f >= 0) return {c, f, true};
    }
    return {-1, -1, false};
  }

  void remove(std::int64_t c) {
    alive_[size(c)] = 0;
    const auto lose = [&](const Incidences &table, std::vector<std::int64_t> &left) {
      each(table, c, [&](std::int64_t i) {
        const std::int64_t f = table.cell(i);
        if (alive_[size(f)] && label_(f) == label_(c) && --left[size(f)] == 1) queue_.push_back(f);
      });
    };
    lose(faces_, up_);
    lose(cofaces_, down_);
  }

  const Incidences &faces_, &cofaces_;
  Array<const std::int64_t, 1> label_;
  Array<std::int64_t, 1> mate_, key_;
  std::int64_t total_;
  std::vector<std::uint8_t> alive_;
  std::vector<std::int64_t> down_, up_;  // faces and cofaces left, with the same label
  std::vector<std::int64_t> queue_;
  std::size_t head_ = 0;
};

// The boundaries of the critical cells, followed down the gradient paths, as (column, row, value).
class MorseBoundary {
public:
  std::vector<std::int64_t> column, row, value;

  // order(c) is the position of a tail c in the order of keys, cell_at its inverse. False: a number
  // does not fit into 62 bits, and nothing is concluded.
  bool run(const Incidences &faces, Array<const std::int64_t, 1> mate,
           Array<const std::int64_t, 1> order, Array<const std::int64_t, 1> cell_at,
           Array<const std::int64_t, 1> dimension, Array<const std::int64_t, 1> critical) {
    const auto total = static_cast<std::size_t>(mate.shape[0]);
    std::vector<std::int64_t> flow(total, 0);
    std::vector<std::uint8_t> queued(total, 0);
    std::vector<std::int64_t> heap, found;
    for (std::int64_t n = 0; n < critical.shape[0]; n++) {
      heap.clear();
      found.clear();
      std::int64_t source = critical(n), sign = 1, skipped = -1;
      while (source >= 0) {
        for (std::int64_t i = faces.pointer(source); i < faces.pointer(source + 1); i++) {
          const std::int64_t f = faces.cell(i), partner = mate(f);
          if (f == skipped) continue;
          if (partner >= 0 && dimension(partner) < dimension(f)) continue;  // flows nowhere
          std::int64_t &to = flow[static_cast<std::size_t>(f)];
          const double bound =
              std::fabs(static_cast<double>(sign) * static_cast<double>(faces.number(i))) +
              std::fabs(static_cast<double>(to));
          if (bound > limit) return false;
          to += sign * faces.number(i);
          std::uint8_t &waits = queued[static_cast<std::size_t>(f)];
          if (waits) continue;
          waits = 1;
          if (partner < 0) {
            found.push_back(f);
          } else {
            heap.push_back(order(f));
            std::push_heap(heap.begin(), heap.end(), std::greater<>());
          }
        }
        source = -1;
        while (!heap.empty() && source < 0) {
          std::pop_heap(heap.begin(), heap.end(), std::greater<>());
          const std::int64_t tail = cell_at(heap.back());
          heap.pop_back();
          queued[static_cast<std::size_t>(tail)] = 0;
          std::int64_t &carried = flow[static_cast<std::size_t>(tail)];
          if (carried == 0) continue;
          source = mate(tail);
          skipped = tail;
          each(faces, source, [&](std::int64_t i) {
            if (faces.cell(i) == tail) sign = -carried * faces.number(i);  // the entry is +-1
          });
          carried = 0;
        }
      }
      for (const std::int64_t f : found) {
        std::int64_t &arrived = flow[static_cast<std::size_t>(f)];
        queued[static_cast<std::size_t>(f)] = 0;
        if (arrived != 0) {
          column.push_back(critical(n));
          row.push_back(f);
          value.push_back(arrived);
        }
        arrived = 0;
      }
    }
    return true;
  }

private:
  static constexpr double limit = 4.0e18;  // below 2^62: a sum of two products still fits
};

}  // namespace polyrank
