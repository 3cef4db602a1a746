// The search for a flat of small rank that meets every cover.
//
// The linear parts of the units, modulo a prime, are the elements of a matroid. A cover is a set of
// units of which at least one is live on every region. The search asks whether the live units of
// some region can lie in a flat of rank <= last: it chooses a cover that the current flat misses,
// adds each of its units in turn, closes, and goes on. A unit that has had its turn is banned from
// the flats of its later siblings. A flat that meets every known cover is handed out, to be refuted
// by a new cover or to be found realised.
//
// Source of the branching: J. W. Chinneck, Feasibility and Infeasibility in Optimization (2008),
// chapter 7 (covers of irreducible infeasible subsystems); here on flats instead of sets.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "array.hpp"
#include "residue.hpp"

namespace polyrank {

// Known covers: row c lists the first lengths[c] elements of elements(c, .); count rows are in use.
struct Covers {
  Array<const std::int64_t, 2> elements;
  Array<const std::int64_t, 1> lengths;
  std::int64_t count;
};

class FlatSearch {
public:
  enum Status { failed = -1, done = 0, needed = 1, paused = 2 };

  // Starts at the flat of the elements that are zero; levels is one more than the greatest rank.
  FlatSearch(Array<const std::int64_t, 2> elements, std::int64_t levels)
      : units_(elements.shape[0]),
        words_((elements.shape[0] + 63) / 64),
        factors_(static_cast<std::size_t>(elements.shape[1])),
        times_(static_cast<std::size_t>(elements.shape[0])),
        path_(static_cast<std::size_t>(levels)) {
    for (std::int64_t d = 0; d < levels; d++) {
      Level &level = path_[static_cast<std::size_t>(d)];
      level.width = std::max<std::int64_t>(0, elements.shape[1] - d);
      if (d == 0 || d + 1 < levels)  // nothing is added to a flat of the last level
        level.reduced.assign(static_cast<std::size_t>(units_ * level.width), 0);
      level.flat.assign(static_cast<std::size_t>(words_), 0);
      level.banned.assign(static_cast<std::size_t>(words_), 0);
      level.cover.reserve(static_cast<std::size_t>(units_));
    }
    Level &root = path_[0];
    for (std::int64_t i = 0; i < units_; i++) {
      bool zero = true;
      for (std::int64_t j = 0; j < root.width; j++) {
        const std::int64_t v = elements(i, j);
        root.reduced[static_cast<std::size_t>(i * root.width + j)] = v;
        zero = zero && v == 0;
      }
      if (zero) add(root.flat, i);
    }
  }

  // done: modulo the covers, every flat with the live units of a region has rank > last.
  // needed: the flat at the current depth meets every cover. paused: the budget of flats is used
  // up. `covers` are those of the last call and perhaps more.
  Status advance(const Covers &covers, std::int64_t last, std::int64_t prime, std::int64_t budget) {
    learn(covers);
    for (std::int64_t entered = 0;;) {
      Level &here = path_[static_cast<std::size_t>(depth)];
      if (!here.chosen) {
        if (depth + 1 == last && no_two_parallel(here, prime)) {
          if (!survivors(here)) return needed;
        } else {
          const std::uint64_t *cover = choose(here, last - depth);
          if (cover == nullptr) return needed;
          here.cover.clear();
          if (depth < last)
            for (std::int64_t e = 0; e < units_; e++)
              if (has(cover, e) && !has(here.banned.data(), e)) here.cover.push_back(e);
        }
        order(here.cover);
        here.chosen = true;
        here.turn = 0;
      }
      if (here.turn == here.cover.size()) {
        if (depth == 0) return done;
        depth--;
        continue;
      }
      if (entered >= budget) return paused;
      const std::int64_t element = here.cover[here.turn++];
      entered++;
      nodes++;
      bool inside = false;
      if (depth + 1 < last)
        inside = enter(element, prime);
      else if (!leaf_is_refuted(here, element, prime))
        inside = enter_leaf(element, prime);
      add(here.banned, element);
      if (inside) depth++;
    }
  }

  // Whether an element is in the current flat.
  bool in_flat(std::int64_t element) const {
    return has(path_[static_cast<std::size_t>(depth)].flat.data(), element);
  }

  // Whether no flat below the current one may take in an element.
  bool is_banned(std::int64_t element) const {
    return has(path_[static_cast<std::size_t>(depth)].banned.data(), element);
  }

  std::int64_t units() const { return units_; }

  std::int64_t depth = 0;  // level of the current flat
  std::int64_t nodes = 0;  // flats entered so far

private:
  using Mask = std::vector<std::uint64_t>;  // one bit per element

  // One flat on the path, of rank equal to its level over the root.
  struct Level {
    std::int64_t width = 0;
    std::vector<std::int64_t> reduced;  // multiples of the elements modulo the flat and the prime
    Mask flat, banned;
    std::vector<std::int64_t> cover;  // elements to be added in turn
    std::size_t turn = 0;
    bool chosen = false;

    const std::int64_t *row(std::int64_t unit) const { return reduced.data() + unit * width; }
  };

  static void add(Mask &mask, std::int64_t e) {
    mask[static_cast<std::size_t>(e >> 6)] |= std::uint64_t{1} << (e & 63);
  }
  static bool has(const std::uint64_t *mask, std::int64_t e) {
    return mask[e >> 6] >> (e & 63) & 1;
  }

  bool disjoint(const std::uint64_t *a, const Mask &b) const {
    std::uint64_t common = 0;
    for (std::int64_t w = 0; w < words_; w++) common |= a[w] & b[static_cast<std::size_t>(w)];
    return common == 0;
  }

  const std::uint64_t *mask(std::int64_t cover) const { return masks_.data() + cover * words_; }

  // Takes in covers as masks; the latest are tried first.
  void learn(const Covers &covers) {
    masks_.resize(static_cast<std::size_t>(covers.count * words_), 0);
    for (std::int64_t c = static_cast<std::int64_t>(order_.size()); c < covers.count; c++) {
      for (std::int64_t q = 0; q < covers.lengths(c); q++) {
        const std::int64_t e = covers.elements(c, q);
        masks_[static_cast<std::size_t>(c * words_ + (e >> 6))] |= std::uint64_t{1} << (e & 63);
        times_[static_cast<std::size_t>(e)]++;
      }
      order_.push_back(c);
      std::swap(order_.front(), order_.back());
    }
  }

  // Elements of many covers first: without them, their later siblings soon miss a cover.
  void order(std::vector<std::int64_t> &cover) const {
    std::sort(cover.begin(), cover.end(), [this](std::int64_t a, std::int64_t b) {
      const std::int64_t m = times_[static_cast<std::size_t>(a)];
      const std::int64_t n = times_[static_cast<std::size_t>(b)];
      return m != n ? m > n : a < b;
    });
  }

  // Closes the flat with one more element at the next level; false if that takes in a banned one.
  bool enter(std::int64_t element, std::int64_t prime) {
    return prime == mersenne31 ? enter_modulo<true>(element, prime)
                               : enter_modulo<false>(element, prime);
  }

  // Rows become from * head[pivot] - from[pivot] * head, without the column of the pivot.
  template <bool mersenne>
  bool enter_modulo(std::int64_t element, std::int64_t prime) {
    if (mersenne) prime = mersenne31;
    const Level &here = path_[static_cast<std::size_t>(depth)];
    Level &child = path_[static_cast<std::size_t>(depth + 1)];
    const std::int64_t *head = here.row(element), width = child.width;
    const std::int64_t pivot = pivot_of(head), lead = head[pivot];
    for (std::int64_t j = 0; j < width; j++)
      factors_[static_cast<std::size_t>(j)] = prime - head[j + (j >= pivot)];
    const std::int64_t *factors = factors_.data();
    child.flat = here.flat;
    child.banned = here.banned;
    for (std::int64_t i = 0; i < units_; i++) {
      const std::int64_t *from = here.row(i), f = from[pivot];
      std::int64_t *to = child.reduced.data() + i * width, total = 0;
      for (std::int64_t j = 0; j < pivot; j++)
        total |= to[j] = residue(from[j] * lead + f * factors[j], prime);
      for (std::int64_t j = pivot; j < width; j++)
        total |= to[j] = residue(from[j + 1] * lead + f * factors[j], prime);
      if (total != 0) continue;
      if (has(child.banned.data(), i)) return false;
      add(child.flat, i);
    }
    child.chosen = false;
    return true;
  }

  // The same on the last level, to which nothing is added any more: no rows.
  bool enter_leaf(std::int64_t element, std::int64_t prime) {
    const Level &here = path_[static_cast<std::size_t>(depth)];
    Level &child = path_[static_cast<std::size_t>(depth + 1)];
    const std::int64_t *head = here.row(element), pivot = pivot_of(head);
    child.flat = here.flat;
    child.banned = here.banned;
    for (std::int64_t i = 0; i < units_; i++) {
      if (has(here.flat.data(), i) || !parallel(here.row(i), head, pivot, here.width, prime))
        continue;
      if (has(child.banned.data(), i)) return false;
      add(child.flat, i);
    }
    child.chosen = false;
    return true;
  }

  // Whether a known cover has no allowed element in the flat with one more element. Only its own
  // elements are looked at: which of them are parallel to the new one modulo the flat.
  bool leaf_is_refuted(const Level &here, std::int64_t element, std::int64_t prime) {
    const std::int64_t *head = here.row(element), pivot = pivot_of(head);
    for (std::size_t i = 0; i < order_.size(); i++) {
      const std::uint64_t *cover = mask(order_[i]);
      if (has(cover, element) || !disjoint(cover, here.flat)) continue;
      bool missed = true;
      for (std::int64_t w = 0; w < words_ && missed; w++) {
        std::uint64_t left = cover[w] & ~here.banned[static_cast<std::size_t>(w)];
        for (; left && missed; left &= left - 1)
          missed =
              !parallel(here.row(64 * w + std::countr_zero(left)), head, pivot, here.width, prime);
      }
      if (!missed) continue;
      std::swap(order_[i], order_[i / 2]);  // what refutes often is tried early
      return true;
    }
    return false;
  }

  // Whether no two elements outside the flat are parallel modulo the flat; true is **proved**. Then
  // one more element is a flat of its own: their first two coordinates have different ratios. The
  // inverses of all second coordinates are had from that of their product.
  bool no_two_parallel(const Level &here, std::int64_t prime) {
    if (here.width < 2) return false;
    ratios_.clear();
    products_.clear();
    std::int64_t product = 1, at_infinity = 0;
    for (std::int64_t i = 0; i < units_; i++) {
      if (has(here.flat.data(), i)) continue;
      const std::int64_t *row = here.row(i);
      if (row[1] == 0) {
        if (row[0] == 0 || ++at_infinity > 1) return false;
        continue;
      }
      products_.push_back(product);
      ratios_.push_back(i);
      product = residue(product * row[1], prime);
    }
    std::int64_t inverse = inverse_residue(product, prime);
    for (std::size_t q = ratios_.size(); q-- > 0;) {
      const std::int64_t *row = here.row(ratios_[q]);
      ratios_[q] = residue(residue(inverse * products_[q], prime) * row[0], prime);
      inverse = residue(inverse * row[1], prime);
    }
    std::sort(ratios_.begin(), ratios_.end());
    return std::adjacent_find(ratios_.begin(), ratios_.end()) == ratios_.end();
  }

  // Where one more element is a flat of its own: those that are in every cover that the flat
  // misses; false if there is no such cover.
  bool survivors(Level &here) {
    left_.resize(static_cast<std::size_t>(words_));
    for (std::size_t w = 0; w < left_.size(); w++) left_[w] = ~(here.flat[w] | here.banned[w]);
    bool missed = false;
    here.cover.clear();
    for (std::size_t i = 0; i < order_.size(); i++) {
      const std::uint64_t *cover = mask(order_[i]);
      if (!disjoint(cover, here.flat)) continue;
      missed = true;
      std::uint64_t any = 0, fewer = 0;
      for (std::size_t w = 0; w < left_.size(); w++) {
        fewer |= left_[w] & ~cover[w];
        any |= left_[w] &= cover[w];
      }
      if (fewer != 0 && i > 0) std::swap(order_[i], order_[i - i / 8 - 1]);  // tried earlier
      if (any == 0) return true;
    }
    if (!missed) return false;
    for (std::int64_t e = 0; e < units_; e++)
      if (has(left_.data(), e)) here.cover.push_back(e);
    return true;
  }

  static std::int64_t pivot_of(const std::int64_t *row) {
    std::int64_t pivot = 0;
    while (row[pivot] == 0) pivot++;
    return pivot;
  }

  static bool parallel(const std::int64_t *row, const std::int64_t *head, std::int64_t pivot,
                       std::int64_t width, std::int64_t prime) {
    for (std::int64_t j = 0; j < width; j++)
      if (residue(row[j] * head[pivot], prime) != residue(row[pivot] * head[j], prime))
        return false;
    return true;
  }

  // A known cover that the flat misses, of few elements that are not banned; null if none. Where
  // only leaves are below, a few of those that refute often are compared.
  const std::uint64_t *choose(const Level &here, std::int64_t levels_left) const {
    const std::uint64_t *best = nullptr;
    std::int64_t fewest = 0, compared = 0;
    const std::int64_t most = levels_left > 1   ? static_cast<std::int64_t>(order_.size())
                              : levels_left > 0 ? compared_above_leaves
                                                : 1;
    for (const std::int64_t c : order_) {
      const std::uint64_t *cover = mask(c);
      if (!disjoint(cover, here.flat)) continue;
      std::int64_t allowed = 0;
      for (std::int64_t w = 0; w < words_; w++)
        allowed += std::popcount(cover[w] & ~here.banned[static_cast<std::size_t>(w)]);
      if (best == nullptr || allowed < fewest) {
        best = cover;
        fewest = allowed;
      }
      if (allowed == 0 || ++compared == most) break;
    }
    return best;
  }

  static constexpr std::int64_t compared_above_leaves = 32;

  std::int64_t units_, words_;
  Mask masks_;  // of the covers, words_ each
  Mask left_;
  std::vector<std::int64_t> order_, factors_, ratios_, products_;
  std::vector<std::int64_t> times_;  // in how many covers an element is
  std::vector<Level> path_;
};

}  // namespace polyrank
