// Twins: two units of a layer with one pair of slopes, such as the same unit of a network and of
// its rounded or pruned version, and lines around the difference of their outputs.
//
// Let f(z) = neg z for z < 0 and pos z for z >= 0, and let delta = z_a - z_b lie in [l, u]. The
// slope of a chord of f lies between neg and pos, so that
//
//     min(neg delta, pos delta) <= f(z_a) - f(z_b) <= max(neg delta, pos delta),
//
// and over [l, u] each side lies on one side of its chord. Where a sign is known, more is: with f
// convex, f(z_b) >= pos z_b and f(z_b) >= neg z_b, hence f(z_a) - f(z_b) <= s delta if f(z_a) = s
// z_a, and f(z_a) - f(z_b) >= s delta if f(z_b) = s z_b; with f concave the other way round.
// Source: B. Paulsen, J. Wang, C. Wang, "ReluDiff: differential verification of deep neural
// networks", ICSE 2020; B. Paulsen et al., "NeuroDiff", ASE 2020 (the chords).
//
// A row p h_a + q h_b is p d + (p + q) h_b and (p + q) h_a - q d with d = h_a - h_b. Of the three
// the one is taken whose lines can be off by least.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

namespace polyrank {

// The line below and the line above, and by how much each can be off.
struct LinePair {
  double low_slope = 0.0, low_offset = 0.0, low_gap = 0.0;
  double high_slope = 0.0, high_offset = 0.0, high_gap = 0.0;
  double size = 0.0;  // what a line can be in magnitude

  // The line that bounds `factor` times the function from below.
  double slope(double factor) const { return factor < 0.0 ? high_slope : low_slope; }
  double offset(double factor) const { return factor < 0.0 ? high_offset : low_offset; }
  double loss(double factor) const {
    return std::fabs(factor) * (factor < 0.0 ? high_gap : low_gap);
  }
};

// Lines of f(z_a) - f(z_b). sign_a, sign_b: 1 (>= 0), -1 (<= 0) or 0 (open).
inline LinePair twin_lines(double neg, double pos, double l, double u, int sign_a, int sign_b) {
  const double least = std::min(neg, pos), most = std::max(neg, pos);
  const int above = pos > neg ? sign_a : sign_b, below = pos > neg ? sign_b : sign_a;
  double steep = std::fabs(neg) + std::fabs(pos);
  LinePair out;
  out.low_slope = u <= 0.0 ? most : least;
  out.high_slope = u <= 0.0 ? least : most;
  const double on_above = above > 0 ? pos : neg,
               on_below = below > 0 ? pos : neg;  // of known signs
  const auto top = [&](double x) { return above != 0 ? on_above * x : std::max(neg * x, pos * x); };
  const auto bottom = [&](double x) {
    return below != 0 ? on_below * x : std::min(neg * x, pos * x);
  };
  // the slope of the chord of a side, and the offsets of the lines through its ends
  const auto chord = [&](const auto &side, double &slope) {
    slope = (side(u) - side(l)) / (u - l);
    steep += std::fabs(slope);
    const double at_l = side(l) - slope * l, at_u = side(u) - slope * u;
    return std::pair(std::min(at_l, at_u), std::max(at_l, at_u));
  };
  const bool crossed = l < 0.0 && u > 0.0;
  if (above != 0)
    out.high_slope = on_above;
  else if (crossed)
    out.high_offset = chord(top, out.high_slope).second;
  if (below != 0)
    out.low_slope = on_below;
  else if (crossed)
    out.low_offset = chord(bottom, out.low_slope).first;
  for (const double x : {l, u}) {
    out.low_gap = std::max(out.low_gap, top(x) - (out.low_slope * x + out.low_offset));
    out.high_gap = std::max(out.high_gap, out.high_slope * x + out.high_offset - bottom(x));
  }
  out.size = 0x1p-1000 + 4.0 * steep * std::max(std::fabs(l), std::fabs(u));
  return out;
}

// What p h_a + q h_b becomes below the two units: coefficients of z_a and z_b, a constant, and the
// magnitudes that rounding is a share of.
struct PairStep {
  double of_a, of_b, constant, error;
};

inline PairStep pair_step(double p, double q, const LinePair &a, const LinePair &b,
                          const LinePair &d, double reach_a, double reach_b) {
  const double s = p + q;
  const double direct = a.loss(p) + b.loss(q), by_b = d.loss(p) + b.loss(s),
               by_a = d.loss(-q) + a.loss(s);
  if (!(std::min(by_a, by_b) < direct)) {
    const double of_a = p * a.slope(p), of_b = q * b.slope(q);
    return {of_a, of_b, p * a.offset(p) + q * b.offset(q),
            std::fabs(p) * a.size + std::fabs(q) * b.size + std::fabs(of_a) * reach_a +
                std::fabs(of_b) * reach_b};
  }
  const bool on_b = by_b <= by_a;
  const double t = on_b ? p : -q;  // of the difference
  const LinePair &base = on_b ? b : a;
  const double of_d = t * d.slope(t), of_base = s * base.slope(s);
  return {on_b ? of_d : of_base + of_d, on_b ? of_base - of_d : -of_d,
          t * d.offset(t) + s * base.offset(s),
          std::fabs(t) * d.size + std::fabs(s) * base.size + std::fabs(of_d) * (reach_a + reach_b) +
              std::fabs(of_base) * (on_b ? reach_b : reach_a)};
}

}  // namespace polyrank
