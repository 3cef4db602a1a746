// The rows of the next layer as sums that run along the tree.
//
// On a region of layer k - 1 the rows of layer k are sums over the units of layer k - 1, each with
// the slope of its side. A unit that is decided on a cell of the tree has one side on everything
// below it: its terms are added there, once for all regions below. Where most units do not cut a
// region of the layer above, that is a fraction of the terms that composing every region's rows
// anew would add.
//
// The bound is that of compose.hpp, with gamma for as many terms as the layer has units: it holds
// for sums in any order. The order is that of the decisions on the way to the cell, so that rows do
// not depend on who follows it. Where a factor or a row is too large or too small for plain sums
// (see compose.hpp on underflow), `rows` refuses, and the layer is composed from its units.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "compose.hpp"
#include "lanes.hpp"
#include "network.hpp"
#include "path.hpp"

namespace polyrank::vertices {

template <int D> class RunningRows {
public:
  POLYRANK_COLD explicit RunningRows(const Network &net) : net_(net) {
    std::int64_t size = 0;
    widest_ = 0;
    for (std::int64_t k = 1; k < net.layers(); k++) {
      start_.push_back(size);
      size += net.units(k - 1) * padded(net.units(k));
      widest_ = std::max(widest_, padded(net.units(k)));
    }
    weight_ = Buffer<double>(size, 0.0);
    bias_ = Buffer<double>(padded(net.total()), 0.0);
    std::copy_n(net.bias.data, net.bias.size(), bias_.data());
    for (std::int64_t k = 1; k < net.layers(); k++)
      for (std::int64_t j = 0; j < net.units(k - 1); j++)
        std::copy_n(
            net.weight.data + net.weight_start(k) + j * net.units(k), net.units(k),
            weight_.data() + start_[static_cast<std::size_t>(k - 1)] + j * padded(net.units(k)));
    terms_.resize(static_cast<std::size_t>(net.widest()));
  }

  // Room for the sums of that many cells.
  void reserve(std::size_t cells) {
    const std::size_t size = cells * static_cast<std::size_t>(slot_size());
    if (sums_.size() < size) sums_.resize(2 * size);
    if (plain_.size() < cells) plain_.resize(2 * cells);
  }

  // Begins the sums of layer k at a cell.
  void clear(std::size_t cell, std::int64_t k) {
    if (k >= net_.layers()) return;
    std::fill_n(slot(cell), (D + 2) * padded(net_.units(k)), 0.0);
    plain_[cell] = 1;
  }

  void copy(std::size_t from, std::size_t to, std::int64_t k) {
    if (k >= net_.layers()) return;
    std::copy_n(slot(from), (D + 2) * padded(net_.units(k)), slot(to));
    plain_[to] = plain_[from];
  }

  // Where the sums of a cell are kept outside of a search.
  std::vector<double> sums(std::size_t cell) const {
    return std::vector<double>(slot(cell), slot(cell) + slot_size());
  }
  bool plain(std::size_t cell) const { return plain_[cell] != 0; }
  void set(std::size_t cell, const std::vector<double> &sums, bool plain) {
    std::copy(sums.begin(), sums.end(), slot(cell));
    plain_[cell] = plain;
  }
  void move(std::size_t from, std::size_t to) {
    std::copy_n(slot(from), slot_size(), slot(to));
    plain_[to] = plain_[from];
  }

  // Notes that unit j of layer k - 1 has this slope on a cell; `add` adds what was noted.
  void note(const Path<D> &path, std::int64_t k, std::int64_t j, double slope) {
    const std::int64_t g = net_.unit_start(k - 1) + j;
    const std::int64_t power = path.power[g];
    if (slope == 0.0 || power == zero_row) return;
    Term &term = terms_[static_cast<std::size_t>(count_++)];
    const double f = power >= -500 && power <= 500 ? slope * power_of_two(power) : 0.0;
    term.size = std::fabs(f);
    ordinary_ = ordinary_ && term.size >= 1.0 / largest_factor && term.size <= largest_factor;
    const double *row = path.row(g);
    for (int l = 0; l <= D; l++) term.row[l] = f * row[l];
    term.size *= path.error[g] + (net_.exact_arithmetic(k) ? 0.0 : rounding(k));
    term.weight =
        weight_.data() + start_[static_cast<std::size_t>(k - 1)] + j * padded(net_.units(k));
  }

  void add(std::size_t cell, std::int64_t k) {
    if (count_ == 0) return;
    const std::int64_t n = padded(net_.units(k));
    double *sums = slot(cell);
    std::int64_t i = 0;
    for (; i + 2 * lane_count <= n; i += 2 * lane_count) add_lanes<2>(sums + i, n, i);
    for (; i < n; i += lane_count) add_lanes<1>(sums + i, n, i);
    plain_[cell] = plain_[cell] && ordinary_;
    count_ = 0;
    ordinary_ = true;
  }

  // Writes the rows of layer k, whose units are all decided on the cell, to the path. False where
  // they have to be composed from the units.
  bool rows(std::size_t cell, std::int64_t k, Path<D> &path) const {
    if (!plain_[cell]) return false;
    const std::int64_t n = net_.units(k), m = padded(n), a = net_.unit_start(k);
    const double *const sums = slot(cell);
    const bool exact = net_.exact_arithmetic(k), exact_weight = net_.exact_weight(k);
    const std::int64_t constant = net_.constant_column < D + 1 ? net_.constant_column : D;
    const double g = rounding(k), evaluation = gamma(D + 4);
    for (std::int64_t i = 0; i < n; i += lane_count) {
      Lanes c[D + 1], e, b, top, size;
      for (int l = 0; l <= D; l++) load(c[l], sums + l * m + i);
      load(b, bias_.data() + a + i);
      load(e, sums + (D + 1) * m + i);
      c[constant] += b;
      absolute(b, b);
      e *= 1.0 + 0x1p-40;
      if (!exact) {
        Lanes more = b * g, none{};
        if (exact_weight) more = e > none ? more : none;
        e += more;
      }
      top = e;
      for (int l = 0; l <= D; l++) {
        absolute(size, c[l]);
        top = size > top ? size : top;
      }
      Lanes low, high;
      fill(low, fine);
      fill(high, 0x1p900);
      const Mask usual = (top >= low) & (top <= high);
      // 2^(e - 1) <= top < 2^e, as exponent_of
      const Mask exponent = ((Mask)top >> 52) - 1022;
      Lanes down = (Lanes)((1023 - exponent) << 52);
      if (!(usual[0] & usual[1] & usual[2] & usual[3])) {
        for (int j = 0; j < lane_count && i + j < n; j++) {
          if (usual[j]) continue;
          // a row without terms: each would count, |W f| gamma >= 2^(-500 - 300 - 53)
          if (top[j] != 0.0) return false;
          down[j] = 0.0;
        }
      }
      const std::int64_t count = n - i < lane_count ? n - i : lane_count;
      e *= down;
      for (int l = 0; l <= D; l++) {
        c[l] *= down;
        double *column = path.columns.data() + l * path.column_stride + a + i;
        for (std::int64_t j = 0; j < count; j++) {
          column[j] = c[l][j];
          path.row(a + i + j)[l] = c[l][j];
        }
      }
      for (std::int64_t j = 0; j < count; j++) {
        const std::int64_t u = a + i + j;
        path.error[u] = e[j];
        path.power[u] = usual[j] ? exponent[j] : zero_row;
        path.radius[u] = e[j] + evaluation;
        if (exact) path.exponent[u] = usual[j] ? net_.lsb(k) + exponent[j] : 0;
      }
    }
    path.sets[static_cast<std::size_t>(k)].filled = 0;
    path.sets[static_cast<std::size_t>(k)].next = 0;
    return true;
  }

private:
  struct Term {
    const double *weight;  // of the unit to all units of the next layer, whole lanes
    double row[D + 1];     // factor times row
    double size;           // |factor| (error + gamma)
  };

  std::int64_t slot_size() const { return (D + 2) * widest_; }
  double *slot(std::size_t cell) {
    return sums_.data() + static_cast<std::int64_t>(cell) * slot_size();
  }
  const double *slot(std::size_t cell) const {
    return sums_.data() + static_cast<std::int64_t>(cell) * slot_size();
  }
  double rounding(std::int64_t k) const {
    return gamma(4 + net_.units(k - 1) + (net_.exact_weight(k) ? 0 : 2));
  }

  template <int B> void add_lanes(double *sums, std::int64_t stride, std::int64_t at) const {
    Lanes sum[D + 2][B];
    for (int l = 0; l < D + 2; l++)
      for (int q = 0; q < B; q++) load(sum[l][q], sums + l * stride + q * lane_count);
    for (std::int64_t t = 0; t < count_; t++) {
      const Term &term = terms_[static_cast<std::size_t>(t)];
      for (int q = 0; q < B; q++) {
        Lanes w;
        load(w, term.weight + at + q * lane_count);
        for (int l = 0; l <= D; l++) sum[l][q] += w * term.row[l];
        absolute(w, w);
        sum[D + 1][q] += w * term.size;
      }
    }
    for (int l = 0; l < D + 2; l++)
      for (int q = 0; q < B; q++) store(sums + l * stride + q * lane_count, sum[l][q]);
  }

  const Network net_;
  std::int64_t widest_;  // doubles from one column of a cell's sums to the next, at most
  std::vector<std::int64_t> start_;  // of each layer's weights, from the second layer on
  Buffer<double> weight_, bias_;     // rows of whole lanes
  std::vector<double> sums_;         // per cell: D + 1 columns and the bounds
  std::vector<char> plain_;          // per cell: every factor was ordinary
  std::vector<Term> terms_;
  std::int64_t count_ = 0;
  bool ordinary_ = true;
};

}  // namespace polyrank::vertices
