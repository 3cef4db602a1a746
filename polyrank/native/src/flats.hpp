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

#include <cstdint>
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
  enum Status { done = 0, needed = 1, paused = 2 };

  // Starts at the flat of the elements that are zero; levels is one more than the greatest rank.
  FlatSearch(Array<const std::int64_t, 2> elements, std::int64_t levels)
      : units_(elements.shape[0]), width_(elements.shape[1]), path_(static_cast<std::size_t>(levels)) {
    for (Level &level : path_) {
      level.reduced.assign(static_cast<std::size_t>(units_ * width_), 0);
      level.flat.assign(static_cast<std::size_t>(units_), 0);
      level.banned.assign(static_cast<std::size_t>(units_), 0);
      level.cover.reserve(static_cast<std::size_t>(units_));  // nothing is allocated later
    }
    for (std::int64_t i = 0; i < units_; i++) {
      bool zero = true;
      for (std::int64_t j = 0; j < width_; j++) {
        const std::int64_t v = elements(i, j);
        path_[0].reduced[static_cast<std::size_t>(i * width_ + j)] = v;
        zero = zero && v == 0;
      }
      path_[0].flat[static_cast<std::size_t>(i)] = zero;
    }
  }

  // done: modulo the covers, every flat with the live units of a region has rank > last.
  // needed: the flat at the current depth meets every cover. paused: the budget of flats is used up.
  Status advance(const Covers &covers, std::int64_t last, std::int64_t prime, std::int64_t budget) {
    for (std::int64_t entered = 0;;) {
      Level &here = path_[static_cast<std::size_t>(depth)];
      if (!here.chosen) {
        const std::int64_t cover = choose(here, covers, depth == last);
        if (cover < 0) return needed;
        here.cover.clear();
        if (depth < last)
          for (std::int64_t q = 0; q < covers.lengths(cover); q++) {
            const std::int64_t e = covers.elements(cover, q);
            if (!here.banned[static_cast<std::size_t>(e)]) here.cover.push_back(e);
          }
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
      const bool open = depth + 1 < last || !leaf_is_refuted(here, element, covers, prime);
      const bool entered_child = open && enter(element, last, prime);
      here.banned[static_cast<std::size_t>(element)] = 1;
      if (entered_child) depth++;
    }
  }

  const std::vector<std::uint8_t> &flat() const { return path_[static_cast<std::size_t>(depth)].flat; }

  std::int64_t depth = 0;  // level of the current flat
  std::int64_t nodes = 0;  // flats entered so far

 private:
  // One flat on the path, of rank equal to its level over the root.
  struct Level {
    std::vector<std::int64_t> reduced;  // the elements modulo the flat and the prime, unit by unit
    std::vector<std::uint8_t> flat, banned;
    std::vector<std::int64_t> cover;  // elements to be added in turn
    std::size_t turn = 0;
    bool chosen = false;

    const std::int64_t *row(std::int64_t unit, std::int64_t width) const {
      return reduced.data() + unit * width;
    }
  };

  // Closes the flat with one more element at the next level; false if that takes in a banned one.
  // On the last level nothing is added any more, so its elements are not reduced.
  bool enter(std::int64_t element, std::int64_t last, std::int64_t prime) {
    const Level &here = path_[static_cast<std::size_t>(depth)];
    Level &child = path_[static_cast<std::size_t>(depth + 1)];
    const bool inner = depth + 1 < last;
    const std::int64_t *head = here.row(element, width_);
    std::int64_t pivot = 0;
    while (head[pivot] == 0) pivot++;
    const std::int64_t scale = inverse_residue(head[pivot], prime);
    for (std::int64_t i = 0; i < units_; i++) {
      const auto at = static_cast<std::size_t>(i);
      const std::int64_t *from = here.row(i, width_);
      std::int64_t *to = child.reduced.data() + i * width_;
      child.banned[at] = here.banned[at];
      if (here.flat[at]) {
        child.flat[at] = 1;
        if (inner)
          for (std::int64_t j = 0; j < width_; j++) to[j] = 0;
        continue;
      }
      const std::int64_t f = prime - residue(from[pivot] * scale, prime);
      bool zero = true;
      if (inner) {
        std::int64_t total = 0;
        for (std::int64_t j = 0; j < width_; j++) {
          to[j] = residue(from[j] + f * head[j], prime);
          total |= to[j];
        }
        zero = total == 0;
      } else {
        for (std::int64_t j = 0; j < width_ && zero; j++)
          zero = residue(from[j] + f * head[j], prime) == 0;
      }
      if (zero && here.banned[at]) return false;
      child.flat[at] = zero;
    }
    child.chosen = false;
    return true;
  }

  // Whether a known cover misses the flat with one more element; only the cover is reduced.
  bool leaf_is_refuted(const Level &here, std::int64_t element, const Covers &covers,
                       std::int64_t prime) const {
    const std::int64_t *head = here.row(element, width_);
    std::int64_t pivot = 0;
    while (head[pivot] == 0) pivot++;
    for (std::int64_t c = covers.count - 1; c >= 0; c--) {
      bool missed = true;
      for (std::int64_t q = 0; q < covers.lengths(c) && missed; q++) {
        const std::int64_t e = covers.elements(c, q);
        missed = !here.flat[static_cast<std::size_t>(e)] && e != element &&
                 !parallel(here.row(e, width_), head, pivot, prime);
      }
      if (missed) return true;
    }
    return false;
  }

  bool parallel(const std::int64_t *row, const std::int64_t *head, std::int64_t pivot,
                std::int64_t prime) const {
    for (std::int64_t j = 0; j < width_; j++)
      if (residue(row[j] * head[pivot], prime) != residue(row[pivot] * head[j], prime)) return false;
    return true;
  }

  // A known cover that the flat misses, with the fewest elements that are not banned; -1 if none.
  static std::int64_t choose(const Level &here, const Covers &covers, bool any) {
    std::int64_t best = -1, fewest = covers.elements.shape[1] + 1;
    for (std::int64_t c = covers.count - 1; c >= 0; c--) {
      std::int64_t allowed = 0;
      bool missed = true;
      for (std::int64_t q = 0; q < covers.lengths(c) && missed; q++) {
        const auto e = static_cast<std::size_t>(covers.elements(c, q));
        missed = !here.flat[e];
        allowed += !here.banned[e];
      }
      if (missed && allowed < fewest) {
        best = c;
        fewest = allowed;
        if (allowed == 0 || any) break;
      }
    }
    return best;
  }

  std::int64_t units_, width_;
  std::vector<Level> path_;
};

}  // namespace polyrank
