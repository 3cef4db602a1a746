// Linear bounds of a network's units on a box, and proved lower bounds of affine functions of its
// last layer.
//
// On a box every unit lies between two lines of its pre-activation z,
//
//     low_slope · z + low_offset <= h <= high_slope · z + high_offset     for  lower <= z <= upper,
//
// so that a row c·h + k of a layer's outputs is at least a row of its pre-activations (the low line
// where c >= 0, the high one elsewhere), that is, a row of the outputs of the layer below; at the
// inputs the box gives a number. Source: G. Singh, T. Gehr, M. Püschel, M. Vechev, "An abstract
// domain for certifying neural networks", POPL 2019 (DeepPoly); H. Zhang et al., "Efficient neural
// network robustness certification with general activation functions", NeurIPS 2018 (CROWN).
//
// Signs of units may be assumed: s z >= 0. An assumed unit is one line, and a row of
// pre-activations is at least itself less beta s z, for every multiplier beta >= 0. Of the two
// lines of an open unit the one that is not the chord may have any slope between those of its
// sides. Both are multipliers of the dual of the linear relaxation; dual_ascent.hpp proposes them
// (S. Wang et al., "Beta-CROWN", NeurIPS 2021).
//
// Units of the two halves of a layer may be twins (twin_lines.hpp): their difference has bounds and
// lines of its own.
//
// Everything is computed to nearest. What rounding can have cost is bounded beside it: with every
// value of a layer known to be at most H in magnitude, the true row differs from the computed one
// by at most gamma · sum |c| (|W| H + |b|) at an affine step, whatever the input. Weights, biases
// and slopes are the nearest floats of exact numbers, which one rounding more covers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "array.hpp"
#include "buffer.hpp"
#include "compose.hpp"
#include "float_model.hpp"
#include "lanes.hpp"
#include "twin_lines.hpp"

namespace polyrank {

// polyrank/verification/arrays.py, BoundArrays, field by field. Layers without output rows.
struct BoundNetwork {
  Array<const std::int64_t, 1> units;         // per layer
  Array<const std::int64_t, 1> unit_start;    // first unit of each layer, length L + 1
  Array<const double, 1> weight;              // row-major weights of all layers, flattened
  Array<const std::int64_t, 1> weight_start;  // length L
  Array<const double, 1> bias;                // per unit
  Array<const double, 1> slope_neg;
  Array<const double, 1> slope_pos;
  Array<const double, 2> rows;      // functions of the last layer's outputs (or the inputs)
  Array<const double, 1> constant;  // per row
  Array<const std::int64_t, 1> disjunct_start;  // first row of each disjunct, length D + 1
  std::int64_t twins;  // whether unit i and unit n + i of every layer of 2 n units are twins

  std::int64_t layers() const { return units.shape[0]; }
  std::int64_t total() const { return unit_start(layers()); }
};

// A dense matrix with rows of whole lanes.
struct PaddedMatrix {
  std::int64_t rows = 0, columns = 0, stride = 0;
  Buffer<double> entries;

  PaddedMatrix() = default;
  PaddedMatrix(std::int64_t m, std::int64_t n)
      : rows(m), columns(n), stride(padded(n)), entries(m * padded(n), 0.0) {}
  double *row(std::int64_t i) { return entries.data() + i * stride; }
  const double *row(std::int64_t i) const { return entries.data() + i * stride; }
};

class LinearBounds {
public:
  const std::int64_t inputs;
  Buffer<double> lower, upper;       // proved bounds of all pre-activations on the box
  std::vector<std::int8_t> assumed;  // per unit: the sign that is assumed, or 0

  LinearBounds(const BoundNetwork &net, std::int64_t d)
      : inputs(d), lower(net.total(), 0.0), upper(net.total(), 0.0), net_(net) {
    std::int64_t below = d, widest = d;
    for (std::int64_t k = 0; k < net.layers(); k++) {
      const std::int64_t n = net.units(k);
      PaddedMatrix w(n, below);
      for (std::int64_t i = 0; i < n; i++)
        std::copy_n(net.weight.data + net.weight_start(k) + i * below, below, w.row(i));
      weight_.push_back(std::move(w));
      below = n;
      widest = std::max(widest, n);
    }
    PaddedMatrix out(net.rows.shape[0], below);
    for (std::int64_t i = 0; i < out.rows; i++) std::copy_n(net.rows.row(i), below, out.row(i));
    weight_.push_back(std::move(out));
    const std::int64_t most = std::max<std::int64_t>(2 * widest + 2, net.rows.shape[0]);
    form_ = PaddedMatrix(most, widest);
    next_ = PaddedMatrix(most, widest);
    constant_ = Buffer<double>(most, 0.0);
    slack_ = Buffer<double>(most, 0.0);
    unit_ = Buffer<std::int64_t>(most, 0);
    sign_ = Buffer<double>(most, 0.0);
    index_ = Buffer<std::int64_t>(widest, 0);
    value_ = Buffer<double>(padded(widest), 0.0);
    const std::int64_t total = net.total();
    low_slope_ = Buffer<double>(total, 0.0);
    low_offset_ = Buffer<double>(total, 0.0);
    high_slope_ = Buffer<double>(total, 0.0);
    high_offset_ = Buffer<double>(total, 0.0);
    size_ = Buffer<double>(total, 0.0);
    on_lines_ = Buffer<double>(total, 0.0);
    output_ = Buffer<double>(total, 0.0);
    reach_ = Buffer<double>(total + net.rows.shape[0], 0.0);
    spread_ = std::vector<double>(static_cast<std::size_t>(net.layers()) + 1, 0.0);
    spread_z_ = spread_;
    bound_ = Buffer<double>(net.rows.shape[0], 0.0);
    assumed.assign(static_cast<std::size_t>(total), 0);
    if (net.twins != 0) {
      difference_.assign(static_cast<std::size_t>(total), LinePair());
      lines_ = difference_;
      twin_open_.assign(static_cast<std::size_t>(total), 0);
    }
    push_ = Buffer<double>(total, 0.0);
    coefficient_ = Buffer<double>(total, 0.0);
  }

  std::int64_t unstable = 0;  // units whose sign the bounds leave open

  // Bounds of every unit on the box, from those in `lower` and `upper`, which hold already; those
  // of the first `known` layers are left as they are.
  void take_box(const double *low, const double *high, std::int64_t known) {
    low_ = low;
    high_ = high;
    unstable = 0;
    spread_[0] = 0.0;
    for (std::int64_t l = 0; l < inputs; l++)
      spread_[0] += std::max(std::fabs(low[l]), std::fabs(high[l]));
    for (std::int64_t k = 0; k < net_.layers(); k++) bound_layer(k, k >= known);
    reach(net_.layers());
  }

  bool open(std::int64_t g) const {
    return lower[g] < 0.0 && upper[g] > 0.0 && net_.slope_neg(g) != net_.slope_pos(g);
  }

  // Proved lower bounds of the rows of the property, and their forms in the inputs.
  void bound_rows() {
    const std::int64_t m = net_.rows.shape[0], last = net_.layers() - 1;
    for (std::int64_t r = 0; r < m; r++) {
      std::copy_n(weight_.back().row(r), weight_.back().stride, form_.row(r));
      constant_[r] = net_.constant(r);
      slack_[r] = unit_roundoff * 2.0 * reach_[net_.total() + r];
    }
    descend(last, m);
    for (std::int64_t r = 0; r < m; r++) bound_[r] = value_on_box(r);
  }
  double row_bound(std::int64_t r) const { return bound_[r]; }
  // The bound is 0 but for what rounding may do: more halving does not help.
  bool touches(std::int64_t r) const { return bound_[r] > -0x1p-36 * reach_[net_.total() + r]; }
  // What a bound of a combination of rows has to exceed to be positive however it is rounded.
  double doubt(std::int64_t first, std::int64_t count, const double *factor) const {
    double sum = 0.0;
    for (std::int64_t r = 0; r < count; r++) sum += factor[r] * reach_[net_.total() + first + r];
    return 0x1p-40 * sum;
  }
  // The coefficients of the inputs that gave the bound, and the constant.
  const double *row_form(std::int64_t r) const { return form_.row(r); }
  double row_constant(std::int64_t r) const { return constant_[r]; }

  // A proved lower bound of sum_r factor_r · row r, over the rows from `first` on; the form is in
  // row_form(0).
  double bound_combination(std::int64_t first, std::int64_t count, const double *factor) {
    double *to = form_.row(0);
    std::fill_n(to, weight_.back().stride, 0.0);
    constant_[0] = 0.0;
    double sum = 0.0;
    for (std::int64_t r = 0; r < count; r++) {
      const double f = factor[r];
      if (f == 0.0) continue;
      const double *row = weight_.back().row(first + r);
      for (std::int64_t j = 0; j < weight_.back().columns; j++) to[j] += f * row[j];
      constant_[0] += f * net_.constant(first + r);
      sum += f * reach_[net_.total() + first + r];
    }
    slack_[0] = gamma(count + 4) * sum +
                static_cast<double>(count) * 16.0 * underflow * (2.0 + spread_.back());
    descend<true>(net_.layers() - 1, 1);
    return value_on_box(0);
  }

  // The multiplier beta of an assumed unit, for bound_combination.
  void push(std::int64_t g, double beta) {
    push_[g] = beta * static_cast<double>(assumed[static_cast<std::size_t>(g)]);
  }
  // The free line of an open unit has the slope neg + share (pos - neg).
  void lean(std::int64_t g, double share) {
    const double neg = net_.slope_neg(g), pos = net_.slope_pos(g);
    const double slope =
        std::clamp(neg + share * (pos - neg), std::min(neg, pos), std::max(neg, pos));
    (pos > neg ? low_slope_[g] : high_slope_[g]) = slope;
  }
  // An open unit as if it had a sign: a proposal.
  void fix(std::int64_t g, int sign) {
    low_slope_[g] = high_slope_[g] = sign > 0 ? net_.slope_pos(g) : net_.slope_neg(g);
    low_offset_[g] = high_offset_[g] = 0.0;
  }
  // The lines that follow from the bounds of a unit.
  void unfix(std::int64_t g) {
    set_lines(g);
    push_[g] = 0.0;
  }
  // Where on the box a form is least across an input.
  double least_at(const double *form, std::int64_t l) const {
    return form[l] >= 0.0 ? low_[l] : high_[l];
  }
  // The coefficient of a unit's output in what bound_combination carried down last.
  double coefficient(std::int64_t g) const { return coefficient_[g]; }
  // The unit's free line was used for it.
  bool uses_free_line(std::int64_t g) const {
    return net_.slope_pos(g) > net_.slope_neg(g) ? coefficient_[g] > 0.0 : coefficient_[g] < 0.0;
  }
  // By how much the line that was used can be off, at most, times the coefficient.
  double gap(std::int64_t g) const {
    const double c = std::fabs(coefficient_[g]), l = lower[g], u = upper[g];
    if (!uses_free_line(g)) return c * std::fabs(low_offset_[g] + high_offset_[g]);
    const double slope = net_.slope_pos(g) > net_.slope_neg(g) ? low_slope_[g] : high_slope_[g];
    return c * std::max(std::fabs((net_.slope_neg(g) - slope) * l),
                        std::fabs((net_.slope_pos(g) - slope) * u));
  }
  // The pre-activations at a point if every unit were on the line that was used last, to nearest.
  void follow(const double *x, double *out) {
    take_values(x, inputs);
    for (std::int64_t k = 0; k < net_.layers(); k++) {
      double *h = next_.row(0);
      for (std::int64_t i = 0; i < net_.units(k); i++) {
        const std::int64_t g = net_.unit_start(k) + i;
        const double sum = net_.bias(g) + dot(weight_[static_cast<std::size_t>(k)], i);
        out[g] = sum;
        const bool up = coefficient_[g] < 0.0;
        h[i] = up ? high_slope_[g] * sum + high_offset_[g] : low_slope_[g] * sum + low_offset_[g];
      }
      take_values(h, net_.units(k));
    }
  }

  // About how much a combination of rows can change across each input: the greatest slope that some
  // choice of the open units' slopes gives, times the width. A proposal.
  void influence(std::int64_t first, std::int64_t count, const double *factor, double *out) {
    const PaddedMatrix &top = weight_.back();
    double *least = next_.row(0), *most = next_.row(1);
    for (std::int64_t j = 0; j < top.columns; j++) {
      least[j] = 0.0;
      for (std::int64_t r = 0; r < count; r++) least[j] += factor[r] * top.row(first + r)[j];
      most[j] = least[j];
    }
    for (std::int64_t k = net_.layers() - 1; k >= 0; k--) {
      const std::int64_t a = net_.unit_start(k), n = net_.units(k);
      const PaddedMatrix &w = weight_[static_cast<std::size_t>(k)];
      double *below_least = form_.row(0), *below_most = form_.row(1);
      std::fill_n(below_least, w.stride, 0.0);
      std::fill_n(below_most, w.stride, 0.0);
      for (std::int64_t i = 0; i < n; i++) {
        const std::int64_t g = a + i;
        double s = net_.slope_pos(g), t = s;
        if (upper[g] <= 0.0)
          s = t = net_.slope_neg(g);
        else if (lower[g] < 0.0)
          t = net_.slope_neg(g);
        const double p[] = {least[i] * s, least[i] * t, most[i] * s, most[i] * t};
        const double lo = std::min(std::min(p[0], p[1]), std::min(p[2], p[3]));
        const double hi = std::max(std::max(p[0], p[1]), std::max(p[2], p[3]));
        if (lo == 0.0 && hi == 0.0) continue;
        const double *row = w.row(i);
        for (std::int64_t j = 0; j < w.columns; j++) {
          const double v = row[j];
          below_least[j] += v >= 0.0 ? v * lo : v * hi;
          below_most[j] += v >= 0.0 ? v * hi : v * lo;
        }
      }
      std::swap(form_, next_);
      least = next_.row(0);
      most = next_.row(1);
    }
    for (std::int64_t l = 0; l < inputs; l++)
      out[l] += std::max(std::fabs(least[l]), std::fabs(most[l])) * (high_[l] - low_[l]);
  }

  // The rows of the property at a point, to nearest: a proposal.
  void evaluate(const double *x, double *out) {
    std::copy_n(x, inputs, value_.data());
    std::int64_t n = inputs;
    for (std::int64_t k = 0; k < net_.layers(); k++) {
      double *z = next_.row(0);
      for (std::int64_t i = 0; i < net_.units(k); i++) {
        const std::int64_t g = net_.unit_start(k) + i;
        double sum = net_.bias(g);
        const double *w = weight_[static_cast<std::size_t>(k)].row(i);
        for (std::int64_t j = 0; j < n; j++) sum += w[j] * value_[j];
        z[i] = sum * (sum > 0.0 ? net_.slope_pos(g) : net_.slope_neg(g));
      }
      n = net_.units(k);
      std::copy_n(z, n, value_.data());
    }
    for (std::int64_t r = 0; r < net_.rows.shape[0]; r++) {
      double sum = net_.constant(r);
      for (std::int64_t j = 0; j < n; j++) sum += weight_.back().row(r)[j] * value_[j];
      out[r] = sum;
    }
  }

private:
  static constexpr double more_ = 1.0 + 0x1p-30;  // covers the rounding of sums of bounds
  static constexpr double least_ = 0x1p-1000;     // covers products that underflow inside bounds

  const BoundNetwork net_;
  std::vector<PaddedMatrix> weight_;
  PaddedMatrix form_, next_;         // rows being carried down
  Buffer<double> constant_, slack_;  // their constants, and what rounding can have cost
  Buffer<std::int64_t> unit_, index_;
  Buffer<double> sign_, value_;
  // per unit: the two lines; what any of its lines can be in magnitude, and those that it has,
  // which is one where it has a sign; |h|; sum |W| H + |b|
  Buffer<double> low_slope_, low_offset_, high_slope_, high_offset_, size_, on_lines_, output_,
      reach_;
  std::vector<double> spread_, spread_z_;  // per layer below: sum of H; sum of |z|
  // per unit of a first half: the lines of its difference from its twin, if one of them is open
  std::vector<LinePair> difference_, lines_;  // and those of both
  std::vector<std::int8_t> twin_open_;
  Buffer<double> bound_;
  // per unit: beta s; the coefficient of its output in the row that was carried down last, alone
  Buffer<double> push_, coefficient_;
  const double *low_ = nullptr, *high_ = nullptr;

  double input_size(std::int64_t l) const {
    return std::max(std::fabs(low_[l]), std::fabs(high_[l]));
  }

  // sum_j |W_ij| H_j + |b_i| of layer k, or of the rows of the property.
  void reach(std::int64_t k) {
    const PaddedMatrix &w = weight_[static_cast<std::size_t>(k)];
    const bool last = k == net_.layers();
    const std::int64_t start = last ? net_.total() : net_.unit_start(k);
    for (std::int64_t i = 0; i < w.rows; i++) {
      double sum = least_ + std::fabs(last ? net_.constant(i) : net_.bias(start + i));
      for (std::int64_t j = 0; j < w.columns; j++)
        sum +=
            std::fabs(w.row(i)[j]) * (k == 0 ? input_size(j) : output_[net_.unit_start(k - 1) + j]);
      reach_[start + i] = sum;
    }
  }

  void bound_layer(std::int64_t k, bool afresh) {
    const std::int64_t a = net_.unit_start(k), n = net_.units(k);
    const PaddedMatrix &w = weight_[static_cast<std::size_t>(k)];
    reach(k);
    std::int64_t m = 0;
    for (std::int64_t i = 0; afresh && i < n; i++) {
      const std::int64_t g = a + i;
      // no line of a stable unit depends on its bounds
      if (lower[g] >= 0.0 || upper[g] <= 0.0) continue;
      for (const double sign : {1.0, -1.0}) {
        unit_[m] = g;
        sign_[m] = sign;
        for (std::int64_t j = 0; j < w.columns; j++) form_.row(m)[j] = sign * w.row(i)[j];
        for (std::int64_t j = w.columns; j < w.stride; j++) form_.row(m)[j] = 0.0;
        constant_[m] = sign * net_.bias(g);
        slack_[m] = 2.0 * unit_roundoff * reach_[g];
        m++;
      }
    }
    descend(k - 1, m);
    for (std::int64_t r = 0; r < m; r++) {
      const double v = value_on_box(r);
      const std::int64_t g = unit_[r];
      if (sign_[r] > 0.0)
        lower[g] = v > lower[g] ? v : lower[g];
      else
        upper[g] = -v < upper[g] ? -v : upper[g];
    }
    double sum = 0.0, sum_z = 0.0;
    for (std::int64_t g = a; g < a + n; g++) {
      set_lines(g);
      if (open(g)) unstable++;
      sum += output_[g];
      sum_z += size_[g];
    }
    spread_[static_cast<std::size_t>(k) + 1] = sum;
    spread_z_[static_cast<std::size_t>(k) + 1] = sum_z;
    if (net_.twins != 0) bound_differences(k);
  }

  // 1 (>= 0), -1 (<= 0) or 0: what the bounds say of a unit.
  int sign_of(std::int64_t g) const { return lower[g] >= 0.0 ? 1 : upper[g] <= 0.0 ? -1 : 0; }

  // Bounds of z_a - z_b of the twins of layer k one of which is open, and the lines of h_a - h_b.
  // The difference of two rows is wrong by one rounding of each weight and one of the difference.
  void bound_differences(std::int64_t k) {
    const std::int64_t first = net_.unit_start(k), half = net_.units(k) / 2;
    const PaddedMatrix &w = weight_[static_cast<std::size_t>(k)];
    std::int64_t m = 0;
    for (std::int64_t i = 0; i < half; i++) {
      const std::int64_t a = first + i, b = a + half;
      twin_open_[static_cast<std::size_t>(a)] = open(a) || open(b);
      if (!(open(a) || open(b))) continue;
      lines_[static_cast<std::size_t>(a)] = lines_of(a);
      lines_[static_cast<std::size_t>(b)] = lines_of(b);
      for (const double sign : {1.0, -1.0}) {
        unit_[m] = a;
        for (std::int64_t j = 0; j < w.stride; j++)
          form_.row(m)[j] = sign * (w.row(i)[j] - w.row(i + half)[j]);
        constant_[m] = sign * (net_.bias(a) - net_.bias(b));
        slack_[m] = 4.0 * unit_roundoff * (reach_[a] + reach_[b]);
        m++;
      }
    }
    descend(k - 1, m);
    for (std::int64_t r = 0; r < m; r += 2) {
      const std::int64_t a = unit_[r], b = a + half;
      const double l = value_on_box(r), u = -value_on_box(r + 1);
      // bounds that overflowed say nothing
      twin_open_[static_cast<std::size_t>(a)] = std::isfinite(l) && std::isfinite(u);
      difference_[static_cast<std::size_t>(a)] =
          twin_lines(net_.slope_neg(a), net_.slope_pos(a), l, u, sign_of(a), sign_of(b));
    }
  }

  // The lines of a unit, and by how much they can be off.
  LinePair lines_of(std::int64_t g) const {
    LinePair out;
    out.low_slope = low_slope_[g];
    out.low_offset = low_offset_[g];
    out.high_slope = high_slope_[g];
    out.high_offset = high_offset_[g];
    out.size = size_[g];
    if (open(g))
      for (const double z : {lower[g], 0.0, upper[g]}) {
        const double h = z * (z > 0.0 ? net_.slope_pos(g) : net_.slope_neg(g));
        out.low_gap = std::max(out.low_gap, h - (out.low_slope * z + out.low_offset));
        out.high_gap = std::max(out.high_gap, out.high_slope * z + out.high_offset - h);
      }
    return out;
  }

  void set_lines(std::int64_t g) {
    const double l = lower[g], u = upper[g], neg = net_.slope_neg(g), pos = net_.slope_pos(g);
    const double most = std::max(std::fabs(l), std::fabs(u));
    low_offset_[g] = high_offset_[g] = 0.0;
    double chord = 0.0;
    if (l >= 0.0 || neg == pos) {
      low_slope_[g] = high_slope_[g] = pos;
      output_[g] = std::fabs(pos) * most * more_;
    } else if (u <= 0.0) {
      low_slope_[g] = high_slope_[g] = neg;
      output_[g] = std::fabs(neg) * most * more_;
    } else {
      const double at_l = neg * l, at_u = pos * u;
      chord = (at_u - at_l) / (u - l);
      const double support = u > -l ? pos : neg;
      const double first = at_l - chord * l, second = at_u - chord * u;
      output_[g] = std::max(std::fabs(at_l), std::fabs(at_u)) * more_;
      if (pos > neg) {  // convex
        low_slope_[g] = support;
        high_slope_[g] = chord;
        high_offset_[g] = std::max(first, second);
      } else {
        high_slope_[g] = support;
        low_slope_[g] = chord;
        low_offset_[g] = std::min(first, second);
      }
    }
    size_[g] = least_ + 4.0 * (std::fabs(neg) + std::fabs(pos) + std::fabs(chord)) * most;
    const bool sign = l >= 0.0 || u <= 0.0 || neg == pos;
    on_lines_[g] = sign ? least_ + 4.0 * std::fabs(low_slope_[g]) * most : size_[g];
    output_[g] += least_;
  }

  // Unit j of layer k is one of twins that are carried down together.
  bool taken_with_twin(std::int64_t k, std::int64_t j) const {
    const std::int64_t half = net_.units(k) / 2, g = net_.unit_start(k) + (j < half ? j : j - half);
    return twin_open_[static_cast<std::size_t>(g)] != 0;
  }

  // Carries m rows of layer k's outputs down to the inputs; the multipliers of assumed units are
  // taken off where `Pushed`.
  template <bool Pushed = false>
  void descend(std::int64_t k, std::int64_t m) {
    for (; k >= 0; k--) {
      const std::int64_t a = net_.unit_start(k), n = net_.units(k);
      const PaddedMatrix &w = weight_[static_cast<std::size_t>(k)];
      const double rounding = gamma(n + 32);
      const double lost =
          static_cast<double>(n + 16) * 16.0 * underflow *
          (2.0 + spread_[static_cast<std::size_t>(k)] + spread_z_[static_cast<std::size_t>(k) + 1]);
      if (Pushed) std::copy_n(form_.row(0), n, coefficient_.data() + a);
      for (std::int64_t r = 0; r < m; r++) {
        const double *c = form_.row(r);
        double add = 0.0, bias = 0.0, error = std::fabs(constant_[r]);
        std::int64_t count = 0;
        for (std::int64_t j = 0; j < n; j++) {
          const double v = c[j];
          const std::int64_t g = a + j;
          if (v == 0.0 && !(Pushed && push_[g] != 0.0)) continue;
          if (net_.twins != 0 && taken_with_twin(k, j)) continue;
          const bool up = v < 0.0;
          const double slope = up ? high_slope_[g] : low_slope_[g];
          const double offset = up ? high_offset_[g] : low_offset_[g];
          add += v * offset;
          error += std::fabs(v) * on_lines_[g];
          const double carried = Pushed ? v * slope - push_[g] : v * slope;
          if (carried == 0.0) continue;
          index_[count] = j;
          value_[count++] = carried;
          bias += carried * net_.bias(g);
          error += std::fabs(carried) * reach_[g];
        }
        if (net_.twins != 0) {
          const std::int64_t half = n / 2;
          for (std::int64_t j = 0; j < half; j++) {
            const std::int64_t g = a + j;
            if (!taken_with_twin(k, j) || (c[j] == 0.0 && c[j + half] == 0.0)) continue;
            const PairStep step =
                pair_step(c[j], c[j + half], lines_[static_cast<std::size_t>(g)],
                          lines_[static_cast<std::size_t>(g + half)],
                          difference_[static_cast<std::size_t>(g)], reach_[g], reach_[g + half]);
            add += step.constant;
            error += step.error;
            for (const std::int64_t i : {j, j + half}) {
              const double carried = i == j ? step.of_a : step.of_b;
              if (carried == 0.0) continue;
              index_[count] = i;
              value_[count++] = carried;
              bias += carried * net_.bias(a + i);
            }
          }
        }
        slack_[r] += 2.0 * rounding * error + lost;
        constant_[r] += add + bias;
        combine(w, count, next_.row(r));
      }
      std::swap(form_, next_);
    }
  }

  // sum_t value_t · row index_t of W.
  void combine(const PaddedMatrix &w, std::int64_t count, double *out) const {
    std::int64_t at = 0;
    for (; at + 8 * lane_count <= w.stride; at += 8 * lane_count) lanes<8>(w, count, at, out);
    for (; at + 2 * lane_count <= w.stride; at += 2 * lane_count) lanes<2>(w, count, at, out);
    for (; at < w.stride; at += lane_count) lanes<1>(w, count, at, out);
  }

  template <int B>
  void lanes(const PaddedMatrix &w, std::int64_t count, std::int64_t at, double *out) const {
    Lanes sum[B] = {};
    for (std::int64_t t = 0; t < count; t++) {
      const double *row = w.row(index_[t]) + at;
      Lanes factor;
      fill(factor, value_[t]);
      for (int q = 0; q < B; q++) {
        Lanes v;
        load(v, row + q * lane_count);
        sum[q] += factor * v;
      }
    }
    for (int q = 0; q < B; q++) store(out + at + q * lane_count, sum[q]);
  }

  // Values for dot(), zeros up to whole lanes behind them.
  void take_values(const double *from, std::int64_t n) {
    std::copy_n(from, n, value_.data());
    std::fill(value_.data() + n, value_.data() + padded(n), 0.0);
  }

  // Row i of W times the values, to nearest.
  double dot(const PaddedMatrix &w, std::int64_t i) const {
    const double *row = w.row(i);
    Lanes sum[4] = {};
    std::int64_t at = 0;
    for (; at + 4 * lane_count <= w.stride; at += 4 * lane_count)
      for (int q = 0; q < 4; q++) {
        Lanes a, b;
        load(a, row + at + q * lane_count);
        load(b, value_.data() + at + q * lane_count);
        sum[q] += a * b;
      }
    for (; at < w.stride; at += lane_count) {
      Lanes a, b;
      load(a, row + at);
      load(b, value_.data() + at);
      sum[0] += a * b;
    }
    sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    double parts[lane_count], total = 0.0;
    store(parts, sum[0]);
    for (int q = 0; q < lane_count; q++) total += parts[q];
    return total;
  }

  double value_on_box(std::int64_t r) const {
    const double *c = form_.row(r);
    double sum = constant_[r], error = std::fabs(constant_[r]);
    for (std::int64_t l = 0; l < inputs; l++) {
      sum += c[l] * (c[l] >= 0.0 ? low_[l] : high_[l]);
      error += std::fabs(c[l]) * input_size(l);
    }
    const double total =
        slack_[r] + gamma(inputs + 8) * error + static_cast<double>(inputs + 8) * 16.0 * underflow;
    return sum - total * more_;
  }
};

}  // namespace polyrank
