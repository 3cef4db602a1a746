// Multipliers for the linear relaxation of a network on a box with signs of some units: slopes of
// the free lines of open units, and a multiplier for every assumed sign (linear_bounds.hpp). Any
// choice of them gives a proved bound. They are found by ascent along supergradients with the step
// rule of D. P. Kingma, J. Ba, "Adam", ICLR 2015, and kept as few bits: 8 of a slope, a float32 of
// a multiplier.
//
// Then the unit is chosen whose signs divide the cell: of those at which the relaxation loses most,
// the one whose two halves have the greatest bounds (filtered smart branching: A. De Palma et al.,
// "Improved branch and bound for neural network verification via Lagrangian decomposition", 2021).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "linear_bounds.hpp"

namespace polyrank {

// For one disjunct: per unit, the share of its free slope in 255ths, and the multiplier of its
// sign.
struct Multipliers {
  std::vector<std::uint8_t> slope;
  std::vector<float> push;
};

// The unit that divides a cell, and the half that follows first.
struct UnitChoice {
  std::int64_t unit = -1;
  bool positive_first = false;
};

class DualAscent {
public:
  DualAscent(const BoundNetwork &net, LinearBounds &bounds) : net_(net), bounds_(bounds) {
    const auto units = static_cast<std::size_t>(net.total());
    for (auto *each : {&share_, &push_, &at_, &mean_, &square_}) each->assign(units, 0.0);
  }

  // The multipliers with which the lines start: those that every other bound has.
  Multipliers plain() const {
    Multipliers out;
    const auto units = static_cast<std::size_t>(net_.total());
    out.push.assign(units, 0.0F);
    out.slope.resize(units);
    for (std::size_t u = 0; u < units; u++) {
      const auto g = static_cast<std::int64_t>(u);
      out.slope[u] = bounds_.upper[g] > -bounds_.lower[g] ? 255 : 0;
    }
    return out;
  }

  // A better bound of a combination of rows, at most as good as `enough`; the multipliers become
  // those of the bound, and the last form of the bounds is theirs. The last step is `last` times as
  // long as the first one.
  double climb(std::int64_t first, std::int64_t count, const double *factor, double enough,
               int steps, double last, Multipliers &best) {
    list_units();
    double value = bound(first, count, factor, best), most = value;
    Multipliers now = best;
    for (const std::int64_t g : units_) {
      const auto u = static_cast<std::size_t>(g);
      share_[u] = best.slope[u] / 255.0;
      push_[u] = best.push[u];
      mean_[u] = square_[u] = 0.0;
    }
    const double typical = greatest_coefficient();
    for (int step = 1; step <= steps && !(most > enough) && !units_.empty(); step++) {
      ascend(step, typical, 0.4 * std::pow(last, static_cast<double>(step - 1) / steps));
      for (const std::int64_t g : units_) {
        const auto u = static_cast<std::size_t>(g);
        now.slope[u] = static_cast<std::uint8_t>(std::lrint(share_[u] * 255.0));
        now.push[u] = static_cast<float>(push_[u]);
      }
      value = bound(first, count, factor, now);
      if (value > most) {
        most = value;
        best = now;
      }
    }
    return bound(first, count, factor, best);
  }

  // By how much each open unit can have lowered the last bound.
  void add_gaps(std::vector<double> &score) const {
    for (std::int64_t g = 0; g < net_.total(); g++)
      if (bounds_.open(g)) score[static_cast<std::size_t>(g)] += bounds_.gap(g);
  }

  // The unit to divide by, for the bound of one combination.
  UnitChoice choose(std::int64_t first, std::int64_t count, const double *factor,
                    const Multipliers &found, const std::vector<double> &score) {
    list_units();
    std::vector<std::int64_t> open;
    for (const std::int64_t g : units_)
      if (bounds_.open(g)) open.push_back(g);
    const auto better = [&](std::int64_t a, std::int64_t b) {
      const double p = score[static_cast<std::size_t>(a)], q = score[static_cast<std::size_t>(b)];
      return p > q || (p == q && a < b);
    };
    const auto tried = std::min<std::size_t>(open.size(), tried_);
    std::partial_sort(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(tried), open.end(),
                      better);
    UnitChoice best;
    double greatest = -HUGE_VAL;
    bound(first, count, factor, found);
    for (std::size_t i = 0; i < tried; i++) {
      const std::int64_t g = open[i];
      double half[2];
      for (const int sign : {1, -1}) {
        bounds_.fix(g, sign);
        half[sign > 0 ? 0 : 1] = bounds_.bound_combination(first, count, factor);
      }
      bounds_.unfix(g);
      bounds_.lean(g, found.slope[static_cast<std::size_t>(g)] / 255.0);
      const double low = std::min(half[0], half[1]), high = std::max(half[0], half[1]);
      const double worth = low + 1e-3 * (high - low);
      if (best.unit < 0 || worth > greatest) {
        greatest = worth;
        best = {g, half[0] < half[1]};
      }
    }
    plain_lines();
    return best;
  }

  // Lines as the bounds have them, without multipliers.
  void plain_lines() {
    list_units();
    for (const std::int64_t g : units_) bounds_.unfix(g);
  }

private:
  static constexpr std::size_t tried_ = 12;
  const BoundNetwork net_;
  LinearBounds &bounds_;
  std::vector<std::int64_t> units_;  // those that have a multiplier
  std::vector<double> share_, push_, at_, mean_, square_, point_;

  void list_units() {
    units_.clear();
    for (std::int64_t g = 0; g < net_.total(); g++)
      if (bounds_.open(g) || bounds_.assumed[static_cast<std::size_t>(g)] != 0) units_.push_back(g);
  }

  double bound(std::int64_t first, std::int64_t count, const double *factor,
               const Multipliers &with) {
    for (const std::int64_t g : units_) {
      const auto u = static_cast<std::size_t>(g);
      if (bounds_.assumed[u] != 0)
        bounds_.push(g, static_cast<double>(with.push[u]));
      else
        bounds_.lean(g, with.slope[u] / 255.0);
    }
    return bounds_.bound_combination(first, count, factor);
  }

  double greatest_coefficient() const {
    double most = 0.0;
    for (std::int64_t g = 0; g < net_.total(); g++)
      most = std::max(most, std::fabs(bounds_.coefficient(g)));
    return most;
  }

  // One step from the point at which the last form is least.
  void ascend(int step, double typical, double rate) {
    const double *form = bounds_.row_form(0);
    point_.resize(static_cast<std::size_t>(bounds_.inputs));
    for (std::int64_t l = 0; l < bounds_.inputs; l++)
      point_[static_cast<std::size_t>(l)] = bounds_.least_at(form, l);
    bounds_.follow(point_.data(), at_.data());
    const double first = 1.0 - std::pow(decay_, step), second = 1.0 - std::pow(decay_square_, step);
    for (const std::int64_t g : units_) {
      const auto u = static_cast<std::size_t>(g);
      const bool pushed = bounds_.assumed[u] != 0;
      double slope = 0.0;
      if (pushed)
        slope = -static_cast<double>(bounds_.assumed[u]) * at_[u];
      else if (bounds_.uses_free_line(g))
        slope = bounds_.coefficient(g) * at_[u] * (net_.slope_pos(g) - net_.slope_neg(g));
      mean_[u] = decay_ * mean_[u] + (1.0 - decay_) * slope;
      square_[u] = decay_square_ * square_[u] + (1.0 - decay_square_) * slope * slope;
      const double root = std::sqrt(square_[u] / second);
      if (!(root > 0.0)) continue;
      const double move = rate * (mean_[u] / first) / root;
      if (pushed)
        push_[u] = std::max(0.0, push_[u] + typical * move);
      else
        share_[u] = std::clamp(share_[u] + move, 0.0, 1.0);
    }
  }

  static constexpr double decay_ = 0.9, decay_square_ = 0.999;
};

}  // namespace polyrank
