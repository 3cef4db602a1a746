// The walls of a domain that bound one coordinate each, apart from its other walls.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "compose.hpp"
#include "network.hpp"

namespace polyrank {

// In cube coordinates: the cell lies in low <= u <= high, and a point with inner_low < u <
// inner_high is inside of these walls. Bounds are rounded outwards and inwards.
struct BoxWalls {
  Buffer<double> low, high, inner_low, inner_high;
  bool complete = true;             // every coordinate has both bounds
  std::int64_t shift = 0;           // bounds times 2^shift are integers, -1 where they are rounded
  std::vector<std::int64_t> other;  // places of the other walls

  explicit BoxWalls(const Network &net)
      : low(net.wall_rows.shape[1] - 1, -2.0),
        high(low.size(), 2.0),
        inner_low(low.size(), -2.0),
        inner_high(low.size(), 2.0) {
    const std::int64_t d = low.size();
    for (std::int64_t m = 0; m < net.wall_rows.shape[0]; m++) {
      const double *row = net.wall_rows.row(m);
      std::int64_t axis = -1, count = 0;
      for (std::int64_t l = 0; l < d; l++)
        if (row[l] != 0.0) axis = l, count++;
      if (count == 1)
        bound(axis, row[axis], row[d], net.wall_error(m));
      else
        other.push_back(m);
    }
    for (std::int64_t l = 0; l < d; l++) {
      complete = complete && low[l] >= -1.5 && high[l] <= 1.5;
      // the domain lies in the cube
      low[l] = std::max(low[l], -1.0);
      high[l] = std::min(high[l], 1.0);
      for (const double v : {low[l], high[l]})
        while (shift >= 0 && v * power_of_two(shift) != std::rint(v * power_of_two(shift)))
          shift = shift < 30 ? shift + 1 : -1;
    }
  }

private:
  // a u + b >= 0 with |a| in (1/2, 1], up to `error` in both: the cube holds the domain, so that
  // |b| <= |a|.
  void bound(std::int64_t l, double a, double b, double error) {
    const double v = -b / a;
    const double doubt = error == 0.0 && std::fabs(a) == 1.0 ? 0.0 : 8.0 * (error + unit_roundoff);
    if (!(std::fabs(a) > 0.25)) {
      complete = false;
      return;
    }
    if (doubt != 0.0) shift = -1;
    if (a > 0.0) {
      low[l] = std::max(low[l], v - doubt);
      inner_low[l] = std::max(inner_low[l], v + doubt);
    } else {
      high[l] = std::min(high[l], v + doubt);
      inner_high[l] = std::min(inner_high[l], v - doubt);
    }
  }
};

// Walls of a network's record that are kept, as arrays of their own.
struct WallRows {
  std::vector<double> rows, error;
  std::vector<std::int64_t> exponent;

  WallRows(const Network &net, const std::vector<std::int64_t> &kept) {
    const std::int64_t width = net.wall_rows.shape[1];
    for (const std::int64_t m : kept) {
      rows.insert(rows.end(), net.wall_rows.row(m), net.wall_rows.row(m) + width);
      error.push_back(net.wall_error(m));
      exponent.push_back(net.wall_exponent(m));
    }
  }

  // The record with these walls only.
  Network with(Network net) const {
    const auto count = static_cast<std::int64_t>(error.size());
    net.wall_rows.data = rows.data();
    net.wall_rows.shape[0] = count;
    net.wall_error.data = error.data();
    net.wall_error.shape[0] = count;
    net.wall_exponent.data = exponent.data();
    net.wall_exponent.shape[0] = count;
    return net;
  }
};

}  // namespace polyrank
