// The verification of a property on a box by bisection: depth first over a tree of boxes, on which
// signs of units may be assumed.
//
// A box is *closed* when every disjunct of the negated property has a row that is proved positive
// on it. Otherwise it is halved across one input, or, where `by_units` and units are open, divided
// by the sign of one (dual_ascent.hpp), or handed back as *hard*: when few units are
// open on it and it is deep or only rounding is in doubt, when halves have long had no unit less
// that is open (those whose doubt is rounding, overflow or underflow, and kinks much closer to each
// other than the box is wide), when it is too deep, or has no midpoint.
// A property that is touched, but not violated, is decided there only. The tree leaves as a log in
// preorder, one code per box; its splits are at floating-point midpoints, so that whoever checks
// the tree computes the same boxes.
//
// Where the bounds leave a row open, the corner at which they are attained and the centre of the
// box are tried: a point at which floating point sees a disjunct hold is a *candidate*, which the
// caller decides exactly.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

#include "dual_ascent.hpp"
#include "linear_bounds.hpp"

namespace polyrank {

// Codes of the log; polyrank/proof/tree.py. 2 + 2 l + o: halved across input l, and the upper half
// follows first where o = 1; with l = d + g divided by the sign of unit g, of all layers, z >= 0
// first where o = 1. A closed box is followed by one entry for every disjunct: its number, and a
// row of it (from 0), or `combination` and a float32 factor for each row, or `multiplied`, the same
// factors, the share of the free slope of every unit in 255ths and a float32 multiplier of each
// sign that is assumed, from the first one on.
enum class BoxCode : int { closed = 0, hard = 1, split = 2 };

// polyrank/verification/bisection.py knows the numbers.
enum class BisectionStop : int { done = 0, budget = 1, hard_full = 2, candidate = 3 };

struct OpenBox {
  std::vector<double> low, high, lower, upper;  // the box; bounds of the units that hold on it
  std::int64_t depth = 0;
  std::int64_t fewest = INT64_MAX;       // units that were open on this box or one around it
  std::int64_t stalled = 0;              // how often it was halved since there were as few
  std::int64_t known = 0;                // layers whose bounds are those of this box
  std::vector<std::int64_t> signs;       // assumed, in order: 2 g + 1 is z_g >= 0, 2 g is z_g <= 0
  std::vector<Multipliers> multipliers;  // of every disjunct, found on the box around it, or none
};

class Bisection {
public:
  static constexpr std::int64_t combination = 65535, multiplied = 65534;  // in the place of a row
  std::vector<std::uint8_t> log;                                          // codes, two bytes each
  std::vector<double> hard;             // boxes handed back: low, high
  std::vector<std::int8_t> hard_signs;  // for each of them, the assumed sign of every unit
  std::vector<double> candidates;       // points
  std::int64_t boxes = 0, closed = 0, hard_count = 0;
  double done_share = 0.0;  // of the whole, since the task was begun

  Bisection(const BoundNetwork &net, std::int64_t d, std::int64_t soft_depth,
            std::int64_t most_depth, bool by_units)
      : bounds_(net, d),
        ascent_(net, bounds_),
        net_(net),
        d_(d),
        soft_depth_(soft_depth),
        most_depth_(most_depth),
        by_units_(by_units) {
    values_.resize(static_cast<std::size_t>(net.rows.shape[0]));
    point_.resize(static_cast<std::size_t>(d));
  }

  void start(const double *low, const double *high, std::int64_t depth) {
    OpenBox box;
    box.low.assign(low, low + d_);
    box.high.assign(high, high + d_);
    const auto units = static_cast<std::size_t>(net_.total());
    box.lower.assign(units, -HUGE_VAL);
    box.upper.assign(units, HUGE_VAL);
    box.depth = depth;
    adopt(box);
  }

  void adopt(const OpenBox &box) {
    open_.clear();
    open_.push_back(box);
    done_share = 0.0;
  }

  std::int64_t open() const { return static_cast<std::int64_t>(open_.size()); }

  // The box that comes last in the order of the tree.
  OpenBox take_last() {
    OpenBox box = std::move(open_.front());
    open_.pop_front();
    return box;
  }

  BisectionStop run(std::int64_t budget) {
    for (; !open_.empty(); budget--) {
      if (budget <= 0) return BisectionStop::budget;
      OpenBox box = std::move(open_.back());
      open_.pop_back();
      boxes++;
      if (!settle(box)) return BisectionStop::candidate;
      if (hard_count >= 64) return BisectionStop::hard_full;
    }
    return BisectionStop::done;
  }

private:
  LinearBounds bounds_;
  DualAscent ascent_;
  const BoundNetwork net_;
  const std::int64_t d_, soft_depth_, most_depth_;
  const bool by_units_;
  std::deque<OpenBox> open_;
  std::vector<double> values_, point_;

  void put(std::int64_t code) {
    log.push_back(static_cast<std::uint8_t>(code & 255));
    log.push_back(static_cast<std::uint8_t>(code >> 8));
  }

  void finished(const OpenBox &box) { done_share += std::ldexp(1.0, -static_cast<int>(box.depth)); }

  std::int64_t rows_of(std::int64_t disjunct) const {
    return net_.disjunct_start(disjunct + 1) - net_.disjunct_start(disjunct);
  }

  // The row of a disjunct with the greatest bound.
  std::int64_t best_row(std::int64_t disjunct) const {
    std::int64_t best = -1;
    for (std::int64_t r = net_.disjunct_start(disjunct); r < net_.disjunct_start(disjunct + 1); r++)
      if (best < 0 || bounds_.row_bound(r) > bounds_.row_bound(best)) best = r;
    return best;
  }

  bool violates(const double *x) {
    bounds_.evaluate(x, values_.data());
    for (std::int64_t c = 0; c + 1 < net_.disjunct_start.shape[0]; c++) {
      bool all = true;
      for (std::int64_t r = net_.disjunct_start(c); r < net_.disjunct_start(c + 1); r++)
        all = all && values_[static_cast<std::size_t>(r)] <= 0.0;
      if (all) return true;
    }
    return false;
  }

  // Factors of a disjunct's rows, sum 1, whose combination is bounded as well as can be by the
  // forms of the rows: a subgradient method. `point_` becomes a point at which all forms are small.
  void combine(std::int64_t first, std::int64_t count, const OpenBox &box) {
    const auto n = static_cast<std::size_t>(count), d = static_cast<std::size_t>(d_);
    forms_.resize(n * (d + 1));
    for (std::size_t r = 0; r < n; r++) {
      const std::int64_t at = first + static_cast<std::int64_t>(r);
      double size = 0.0;
      for (std::size_t l = 0; l < d; l++) {
        forms_[r * (d + 1) + l] = bounds_.row_form(at)[l];
        size += std::fabs(forms_[r * (d + 1) + l]) * (box.high[l] - box.low[l]);
      }
      forms_[r * (d + 1) + d] = bounds_.row_constant(at);
      scale_ = r == 0 ? size : std::max(scale_, size);
    }
    factor_.assign(n, 1.0 / static_cast<double>(n));
    best_.assign(factor_.begin(), factor_.end());
    point_.assign(d, 0.0);
    gradient_.resize(n);
    double best = -HUGE_VAL, weight = 0.0;
    for (int step = 1; step <= steps_; step++) {
      // the corner where the combination is least, and all rows there
      double value = 0.0;
      for (std::size_t r = 0; r < n; r++) gradient_[r] = forms_[r * (d + 1) + d];
      for (std::size_t l = 0; l < d; l++) {
        double c = 0.0;
        for (std::size_t r = 0; r < n; r++) c += factor_[r] * forms_[r * (d + 1) + l];
        const double x = c >= 0.0 ? box.low[l] : box.high[l];
        point_[l] += x * step;
        for (std::size_t r = 0; r < n; r++) gradient_[r] += forms_[r * (d + 1) + l] * x;
      }
      weight += step;
      for (std::size_t r = 0; r < n; r++) value += factor_[r] * gradient_[r];
      if (value > best) {
        best = value;
        best_.assign(factor_.begin(), factor_.end());
      }
      if (!(scale_ > 0.0)) break;
      double sum = 0.0;
      const double rate = 4.0 / (scale_ * std::sqrt(static_cast<double>(step)));
      for (std::size_t r = 0; r < n; r++) {
        factor_[r] *= std::exp(rate * (gradient_[r] - value));
        sum += factor_[r];
      }
      for (std::size_t r = 0; r < n; r++) factor_[r] /= sum;
    }
    for (std::size_t l = 0; l < d; l++)
      point_[l] = std::min(std::max(point_[l] / weight, box.low[l]), box.high[l]);
    // float32 is enough, and what the log keeps
    for (std::size_t r = 0; r < n; r++) {
      const double kept = static_cast<double>(static_cast<float>(best_[r]));
      best_[r] = kept > 1e-6 ? kept : 0.0;
    }
  }

  // Closes, halves or hands back a box; false where a candidate was found.
  bool settle(OpenBox &box) {
    std::copy(box.lower.begin(), box.lower.end(), bounds_.lower.data());
    std::copy(box.upper.begin(), box.upper.end(), bounds_.upper.data());
    std::fill(bounds_.assumed.begin(), bounds_.assumed.end(), std::int8_t{0});
    for (const std::int64_t sign : box.signs)
      bounds_.assumed[static_cast<std::size_t>(sign / 2)] = sign % 2 == 1 ? 1 : -1;
    bounds_.take_box(box.low.data(), box.high.data(), box.known);
    bounds_.bound_rows();
    const std::int64_t disjuncts = net_.disjunct_start.shape[0] - 1;
    const bool relaxed = by_units_ && (bounds_.unstable > 0 || !box.signs.empty());
    if (relaxed && box.multipliers.empty())
      box.multipliers.assign(static_cast<std::size_t>(disjuncts), ascent_.plain());
    std::vector<double> &score = score_;
    score.assign(static_cast<std::size_t>(d_), 0.0);
    std::vector<double> &lean = lean_;
    lean.assign(static_cast<std::size_t>(d_), 0.0);
    bool all_closed = true, found = false, touched = true;
    proof_.clear();
    const auto open_form = [&](const double *form) {
      for (std::int64_t l = 0; l < d_; l++) {
        const auto at = static_cast<std::size_t>(l);
        const double slant = form[l] * (box.high[at] - box.low[at]);
        lean[at] += slant;
        point_[at] = form[l] >= 0.0 ? box.low[at] : box.high[at];
      }
      try_point(found);
    };
    // bounds of combinations overwrite the forms of the rows: they come last, and the forms again
    // before each combination that is made of them
    later_.clear();
    singles_.clear();
    for (std::int64_t c = 0; c < disjuncts; c++) {
      const std::int64_t r = best_row(c), first = net_.disjunct_start(c);
      if (r >= 0 && bounds_.row_bound(r) > 0.0) {
        note_row(c, r - first);
        continue;
      }
      if (r >= 0 && (relaxed || net_.disjunct_start(c + 1) - first > 1)) {
        later_.push_back(c);
        continue;
      }
      all_closed = false;
      if (r < 0) continue;
      touched = touched && bounds_.touches(r);
      open_form(bounds_.row_form(r));
      singles_.push_back(r);
    }
    bool rows_in_place = true;
    std::int64_t worst = -1;
    double worst_bound = HUGE_VAL;
    unit_score_.assign(static_cast<std::size_t>(net_.total()), 0.0);
    for (const std::int64_t c : later_) {
      const std::int64_t first = net_.disjunct_start(c), count = net_.disjunct_start(c + 1) - first;
      if (count > 1) {
        if (!rows_in_place) bounds_.bound_rows();
        combine(first, count, box);
        try_point(found);
      } else {
        best_.assign(1, 1.0);
      }
      rows_in_place = false;
      if (relaxed) {
        Multipliers &found_here = box.multipliers[static_cast<std::size_t>(c)];
        const double enough = bounds_.doubt(first, count, best_.data());
        const bool affine = bounds_.unstable == 0;  // where the ascent can reach the minimum
        const int steps = affine ? affine_steps_ : box.signs.empty() ? root_steps_ : steps_here_;
        const double last = affine ? 1e-5 : 0.5;
        const double bound =
            ascent_.climb(first, count, best_.data(), enough, steps, last, found_here);
        if (bound > enough) {
          note_multiplied(box, c, count);
        } else {
          all_closed = false;
          open_form(bounds_.row_form(0));
          ascent_.add_gaps(unit_score_);
          if (bound < worst_bound) {
            worst = c;
            worst_bound = bound;
            worst_factor_ = best_;
          }
        }
        ascent_.plain_lines();
        continue;
      }
      if (bounds_.bound_combination(first, count, best_.data()) > 0.0) {
        note_combination(c, count);
        continue;
      }
      all_closed = false;
      open_form(bounds_.row_form(0));
      bounds_.influence(first, count, best_.data(), score.data());
    }
    const double one = 1.0;
    for (const std::int64_t r : singles_) bounds_.influence(r, 1, &one, score.data());
    if (all_closed) {
      put(static_cast<int>(BoxCode::closed));
      log.insert(log.end(), proof_.begin(), proof_.end());
      closed++;
      finished(box);
      return true;
    }
    for (std::int64_t l = 0; l < d_; l++) {
      const auto at = static_cast<std::size_t>(l);
      point_[at] = 0.5 * (box.low[at] + box.high[at]);
    }
    try_point(found);
    if (worst >= 0 && bounds_.unstable > 0 && box.depth < most_depth_) {
      divide(box, worst);
      return !found;
    }
    if (worst >= 0)  // all units have a sign: the box is halved after all
      bounds_.influence(net_.disjunct_start(worst), rows_of(worst), worst_factor_.data(),
                        score.data());
    std::int64_t across = -1;
    for (std::int64_t l = 0; l < d_; l++) {
      const auto at = static_cast<std::size_t>(l);
      // a coordinate without a float between its bounds cannot be halved
      if (!(point_[at] > box.low[at] && point_[at] < box.high[at])) continue;
      if (across < 0 || score[at] > score[static_cast<std::size_t>(across)]) across = l;
    }
    const bool decided = worst >= 0 && soft_depth_ < most_depth_;  // with affine outputs
    const bool plain = bounds_.unstable <= few_units &&
                       (box.depth >= soft_depth_ || decided || (later_.empty() && touched));
    box.stalled = bounds_.unstable < box.fewest ? 0 : box.stalled + 1;
    box.fewest = std::min(box.fewest, bounds_.unstable);
    const bool vain = box.stalled >= patience + patience_per_input * d_ &&
                      bounds_.unstable <= some_units && soft_depth_ < most_depth_;
    if (across < 0 || box.depth >= most_depth_ || plain || vain) {
      put(static_cast<int>(BoxCode::hard));
      hard.insert(hard.end(), box.low.begin(), box.low.end());
      hard.insert(hard.end(), box.high.begin(), box.high.end());
      hard_signs.insert(hard_signs.end(), bounds_.assumed.begin(), bounds_.assumed.end());
      hard_count++;
      finished(box);
      return !found;
    }
    const auto at = static_cast<std::size_t>(across);
    const bool upper_first = lean[at] < 0.0;  // towards smaller values of the rows
    put(static_cast<int>(BoxCode::split) + 2 * across + (upper_first ? 1 : 0));
    // bounds of open units are found afresh in each half, so that a closed box is closed by itself
    for (std::int64_t g = 0; g < net_.total(); g++) {
      const auto u = static_cast<std::size_t>(g);
      const bool stable = bounds_.lower[g] >= 0.0 || bounds_.upper[g] <= 0.0;
      box.lower[u] = stable ? bounds_.lower[g] : -HUGE_VAL;
      box.upper[u] = stable ? bounds_.upper[g] : HUGE_VAL;
    }
    box.depth++;
    box.known = 0;
    OpenBox half = box;
    half.high[at] = box.low[at] = point_[at];  // half: below; box: above
    // the one that follows first is on top
    if (upper_first) {
      open_.push_back(std::move(half));
      open_.push_back(std::move(box));
    } else {
      open_.push_back(std::move(box));
      open_.push_back(std::move(half));
    }
    return !found;
  }

  // Two cells, in which one unit has either sign. Bounds of the layers up to it stay what they are.
  void divide(OpenBox &box, std::int64_t worst) {
    const std::int64_t first = net_.disjunct_start(worst);
    const UnitChoice chosen =
        ascent_.choose(first, rows_of(worst), worst_factor_.data(),
                       box.multipliers[static_cast<std::size_t>(worst)], unit_score_);
    const std::int64_t g = chosen.unit;
    put(static_cast<int>(BoxCode::split) + 2 * (d_ + g) + (chosen.positive_first ? 1 : 0));
    std::int64_t layer = 0;
    while (net_.unit_start(layer + 1) <= g) layer++;
    for (std::int64_t h = 0; h < net_.total(); h++) {
      const auto u = static_cast<std::size_t>(h);
      const bool kept = h < net_.unit_start(layer + 1) || !bounds_.open(h);
      box.lower[u] = kept ? bounds_.lower[h] : -HUGE_VAL;
      box.upper[u] = kept ? bounds_.upper[h] : HUGE_VAL;
    }
    box.depth++;
    box.known = layer + 1;
    OpenBox other = box;
    const auto at = static_cast<std::size_t>(g);
    box.lower[at] = other.upper[at] = 0.0;
    box.signs.push_back(2 * g + 1);
    other.signs.push_back(2 * g);
    // the one that follows first is on top
    open_.push_back(chosen.positive_first ? std::move(other) : std::move(box));
    open_.push_back(chosen.positive_first ? std::move(box) : std::move(other));
  }

  static constexpr int steps_ = 48;
  static constexpr int root_steps_ = 60, steps_here_ = 30, affine_steps_ = 400;  // of the ascent
  static constexpr std::int64_t few_units = 6, some_units = 32;
  static constexpr std::int64_t patience = 8, patience_per_input = 4;  // of halving in vain
  std::vector<double> unit_score_, worst_factor_;
  std::vector<double> score_, lean_;
  std::vector<double> forms_, factor_, best_, gradient_;
  double scale_ = 0.0;
  std::vector<std::int64_t> later_, singles_;
  std::vector<std::uint8_t> proof_;  // of a box that is closed: for every disjunct, in any order

  void try_point(bool &found) {
    if (found || !violates(point_.data())) return;
    candidates.insert(candidates.end(), point_.begin(), point_.end());
    found = true;
  }

  void note(std::int64_t value) {
    proof_.push_back(static_cast<std::uint8_t>(value & 255));
    proof_.push_back(static_cast<std::uint8_t>(value >> 8));
  }

  // The disjunct is refuted by one of its rows.
  void note_row(std::int64_t disjunct, std::int64_t row) {
    note(disjunct);
    note(row);
  }

  void note_float(float value) {
    std::uint8_t bytes[4];
    std::memcpy(bytes, &value, 4);
    proof_.insert(proof_.end(), bytes, bytes + 4);
  }

  // The disjunct is refuted by a combination of its rows (`how`: whether multipliers follow).
  void note_combination(std::int64_t disjunct, std::int64_t count, std::int64_t how = combination) {
    note(disjunct);
    note(how);
    for (std::int64_t r = 0; r < count; r++)
      note_float(static_cast<float>(best_[static_cast<std::size_t>(r)]));
  }

  // The same with multipliers of units.
  void note_multiplied(const OpenBox &box, std::int64_t disjunct, std::int64_t count) {
    note_combination(disjunct, count, multiplied);
    const Multipliers &with = box.multipliers[static_cast<std::size_t>(disjunct)];
    proof_.insert(proof_.end(), with.slope.begin(), with.slope.end());
    for (const std::int64_t sign : box.signs)
      note_float(with.push[static_cast<std::size_t>(sign / 2)]);
  }
};

}  // namespace polyrank
