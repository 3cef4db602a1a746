// Straight lines down a linear form inside a cell: where a row is in the way, the line goes on
// along that one (J. B. Rosen, "The gradient projection method for nonlinear programming", Journal
// of the SIAM 8, 1960).
//
// All of it is in products of rows, whatever the dimension: only a point that is proposed needs
// coordinates, those of the beginning plus sum_m share_m row_m. Bounds of coordinates are not seen.
// Nothing here proves anything.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "buffer.hpp"

namespace polyrank {

class ProjectedLine {
public:
  Buffer<double> slack, share;  // per row: its value where the line is, its part in the way there
  std::vector<int> met;         // rows that are in the way
  Buffer<double> pull;          // their multipliers, with which their sum is nearest to the form

  explicit ProjectedLine(std::int64_t rows)
      : slack(rows, 0.0),
        share(rows, 0.0),
        pull(most_steps, 0.0),
        rate_(rows, 0.0),
        factor_(most_steps * most_steps, 0.0) {}

  // Goes down row m of so many, from where they have the values `from`; gram(i, j) is the product
  // of two rows. Each step ends before the first row that it meets; where `wanted` names that row,
  // `propose` is called with the line somewhat beyond it. True where rows are in the way that do
  // not let it go on: they imply row m, perhaps. False where it came to row m, or got lost.
  template <class Gram, class Wanted, class Propose>
  bool go_down(int m, int count, const double *from, Gram &&gram, Wanted &&wanted,
               Propose &&propose) {
    std::copy_n(from, count, slack.data());
    std::fill_n(share.data(), count, 0.0);
    met.clear();
    for (int step = 0; step < most_steps; step++) {
      // along rows that are in the way, and away from those that are not any more
      for (;;) {
        if (!find_pull(m, gram)) return false;  // more rows than dimensions
        int least = -1;
        for (int i = 0; i < static_cast<int>(met.size()); i++)
          if (pull[i] < 0.0 && (least < 0 || pull[i] < pull[least])) least = i;
        if (least < 0) break;
        met[static_cast<std::size_t>(least)] = met.back();
        met.pop_back();
      }
      int first = -1;
      double near = HUGE_VAL, far = HUGE_VAL;
      for (int i = 0; i < count; i++) {
        double rate = -gram(i, m);
        for (std::size_t j = 0; j < met.size(); j++)
          rate += pull[static_cast<std::int64_t>(j)] * gram(i, met[j]);
        rate_[i] = rate;
        if (!(rate < -1e-9 * gram(i, i)) || std::find(met.begin(), met.end(), i) != met.end())
          continue;
        const double t = slack[i] / -rate;
        far = std::min(far, std::max(t, near));
        if (t < near) near = t, first = i;
      }
      if (first < 0) break;
      const auto go = [&](double t) {
        share[m] -= t;
        for (std::size_t j = 0; j < met.size(); j++)
          share[met[j]] += t * pull[static_cast<std::int64_t>(j)];
        for (int i = 0; i < count; i++) slack[i] += t * rate_[i];
      };
      if (wanted(first)) {
        const double t = near + 0.5 * std::min(far - near, near);
        go(t);
        propose(first);
        go(-t);
      }
      if (first == m) return false;
      go(0.9 * near);
      met.push_back(first);
    }
    return true;
  }

private:
  static constexpr int most_steps = 32;  // each of which adds at most one row
  Buffer<double> rate_, factor_;

  // By Cholesky; false where the rows in the way do not determine their multipliers.
  template <class Gram> bool find_pull(int m, Gram &&gram) {
    const auto size = static_cast<int>(met.size());
    const auto at = [this](int i) { return met[static_cast<std::size_t>(i)]; };
    const auto factor = [&](int i, int j) -> double & { return factor_[i * most_steps + j]; };
    for (int i = 0; i < size; i++) {
      for (int j = 0; j <= i; j++) {
        double v = gram(at(i), at(j));
        for (int l = 0; l < j; l++) v -= factor(i, l) * factor(j, l);
        if (j < i)
          factor(i, j) = v / factor(j, j);
        else if (v > 1e-12 * gram(at(i), at(i)))
          factor(i, i) = std::sqrt(v);
        else
          return false;
      }
      double v = gram(at(i), m);
      for (int j = 0; j < i; j++) v -= factor(i, j) * pull[j];
      pull[i] = v / factor(i, i);
    }
    for (int i = size - 1; i >= 0; i--) {
      for (int j = i + 1; j < size; j++) pull[i] -= factor(j, i) * pull[j];
      pull[i] /= factor(i, i);
    }
    return true;
  }
};

}  // namespace polyrank
