// The simplex method in sums of two doubles, for cells that are too thin for doubles.
//
// The same steps as in simplex.hpp, one entry at a time. Rows are doubles and exact; the point, the
// inverse of the basis matrix and all that is computed from them carry about 104 bits, so that a
// basis whose condition number is far beyond 2^53 still leaves the right point. It only *proposes*.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "buffer.hpp"
#include "dimension.hpp"
#include "two_doubles.hpp"

namespace polyrank {

class ThinSimplex {
public:
  explicit ThinSimplex(int d)
      : d_(d), basis_(d, -1), x_(d), direction_(d), inverse_(d * d), high_(d, 0.0), low_(d, 0.0) {}

  // The optimum.
  const double *high() const { return high_.data(); }
  const double *low() const { return low_.data(); }

  // Begins at an interior point with free slots; no second doubles: null.
  void start(const double *point, const double *low) {
    const int d = d_;
    for (int l = 0; l < d; l++) {
      x_[l] = {point[l], low ? low[l] : 0.0};
      basis_[l] = -1;
      for (int q = 0; q < d; q++) inverse_[l * d + q] = {l == q ? 1.0 : 0.0, 0.0};
    }
  }

  // Minimises the linear form over the rows, oriented >= 0 on the cell. False where no optimum was
  // reached.
  bool minimise(const double *table, int stride, int rows, const double *objective,
                std::int64_t &pivots) {
    const int d = d_;
    for (int count = 0; count < most_pivots; count++) {
      const Choice edge = choose(objective, count > bland_after);
      if (edge.slot < 0) {
        for (int l = 0; l < d; l++) high_[l] = x_[l].high, low_[l] = x_[l].low;
        return true;
      }
      for (int l = 0; l < d; l++) {
        const TwoDoubles v = inverse_[l * d + edge.slot];
        direction_[l] = edge.sign > 0 ? v : -v;
      }
      const int row = first_met(table, stride, rows, edge.slot, count > bland_after);
      if (row < 0) return false;
      exchange(table + static_cast<std::int64_t>(row) * stride, edge, row);
      pivots++;
    }
    return false;
  }

  // The basis and its inverse, rounded; rows of the inverse are `square` doubles apart.
  void copy_basis(int *basis, double *inverse, int square) const {
    const int d = d_;
    for (int l = 0; l < d; l++) {
      basis[l] = basis_[l];
      for (int q = 0; q < d; q++) inverse[l * square + q] = inverse_[l * d + q].high;
    }
  }

private:
  static constexpr int most_pivots = 200;
  static constexpr int bland_after = 40;
  // What is smaller, relative to its terms, counts as zero while searching.
  static constexpr double tolerance = 0x1p-80;

  struct Choice {
    int slot, sign;
  };

  // Sum of the products of doubles with sums of two.
  TwoDoubles value(const double *row, const TwoDoubles *at) const {
    TwoDoubles sum{};
    for (int l = 0; l < d_; l++) sum = sum + at[l] * row[l];
    return sum;
  }

  // A free slot, or the edge along which the form falls most steeply, or that of the lowest row.
  Choice choose(const double *objective, bool bland) const {
    const int d = d_;
    Choice best{-1, 1};
    double most = 0.0;
    for (int q = 0; q < d; q++) {
      TwoDoubles rate{};
      double size = 0.0, terms = 0.0;
      for (int l = 0; l < d; l++) {
        const TwoDoubles v = inverse_[l * d + q];
        rate = rate + v * objective[l];
        size += std::fabs(v.high);
        terms += std::fabs(v.high * objective[l]);
      }
      const bool free = basis_[q] < 0;
      if (!free && !(rate.high < -tolerance * terms)) continue;
      const double gain = std::fabs(rate.high) / size + (free ? 1e3 : 0.0);
      const bool better = bland && !free && best.slot >= 0 && basis_[best.slot] >= 0
                              ? basis_[q] < basis_[best.slot]
                              : best.slot < 0 || gain > most;
      if (!better) continue;
      most = gain;
      best = {q, free && rate.high > 0.0 ? -1 : 1};
    }
    return best;
  }

  // The row that is met first along the direction: of several the one that turns away most, or the
  // lowest.
  int first_met(const double *table, int stride, int rows, int slot, bool bland) {
    const int d = d_;
    int best = -1;
    TwoDoubles length{};
    double steepest = 0.0;
    for (int m = 0; m < rows; m++) {
      bool held = false;
      for (int q = 0; q < d; q++) held = held || (q != slot && basis_[q] == m);
      if (held) continue;
      const double *row = table + static_cast<std::int64_t>(m) * stride;
      const TwoDoubles rate = value(row, direction_.data());
      if (!(rate.high < 0.0)) continue;
      double terms = 0.0;
      for (int l = 0; l < d; l++) terms += std::fabs(direction_[l].high * row[l]);
      if (!(rate.high < -tolerance * terms)) continue;
      TwoDoubles slack = value(row, x_.data()) + TwoDoubles{row[d], 0.0};
      double size = std::fabs(row[d]);
      for (int l = 0; l < d; l++) size += std::fabs(x_[l].high * row[l]);
      if (slack.high < tolerance * size) slack = {};
      const TwoDoubles step = slack / -rate, ahead = step - length;
      const bool tied = best >= 0 && std::fabs(ahead.high) <= tolerance * length.high;
      if (best >= 0 && (tied ? bland || rate.high > steepest : ahead.high > 0.0)) continue;
      best = m;
      length = step;
      steepest = rate.high;
    }
    length_ = length;
    return best;
  }

  void exchange(const double *row, Choice edge, int entering) {
    const int d = d_;
    const TwoDoubles pivot = value(row, direction_.data());
    for (int l = 0; l < d; l++) x_[l] = x_[l] + direction_[l] * length_;
    // the column of the new row, along which it grows by one
    for (int l = 0; l < d; l++) direction_[l] = direction_[l] / pivot;
    for (int q = 0; q < d; q++) {
      if (q == edge.slot) continue;
      TwoDoubles a{};
      for (int l = 0; l < d; l++) a = a + inverse_[l * d + q] * row[l];
      for (int l = 0; l < d; l++) inverse_[l * d + q] = inverse_[l * d + q] - direction_[l] * a;
    }
    for (int l = 0; l < d; l++) inverse_[l * d + edge.slot] = direction_[l];
    basis_[edge.slot] = entering;
  }

  int d_;
  Buffer<int> basis_;
  Buffer<TwoDoubles> x_, direction_;
  Buffer<TwoDoubles> inverse_;  // d × d: column q leads away from basis row q
  Buffer<double> high_, low_;
  TwoDoubles length_{};
};

}  // namespace polyrank
