// What leaves a search: regions, row by row.
#pragma once

#include <algorithm>
#include <cstdint>

#include "path.hpp"

namespace polyrank {

struct Regions {
  std::int64_t count = 0;
  std::int64_t capacity = 0;
  std::int64_t code_bytes = 1;
  std::int64_t planes = 0;  // units with a hyperplane
  bool leading = true;      // they come before all others
  std::int64_t layers = 0;
  std::int64_t chart_dim = 0;
  Buffer<std::uint8_t>
      bit;  // (capacity, code_bytes) bits of the units with a hyperplane, lowest first
  Buffer<std::uint8_t> zero;  // (capacity, code_bytes) identically zero
  Buffer<std::int16_t> rank;  // (capacity, layers) proved, or -1
  Buffer<double> point;       // (capacity, chart_dim) the witness
  Buffer<double> point_low;   // (capacity, chart_dim) its second doubles
  std::int64_t thin = 0;      // rows whose witness has any; where there are none nothing is written

  Regions() = default;
  POLYRANK_COLD Regions(const Network &net, std::int64_t rows)
      : capacity(rows), layers(net.layers()), chart_dim(net.centre.shape[0]) {
    for (std::int64_t g = 0; g < net.total(); g++) {
      if (net.hyperplane(g)) leading = leading && planes == g;
      planes += net.hyperplane(g);
    }
    code_bytes = planes > 8 ? (planes + 7) / 8 : 1;
    bit = Buffer<std::uint8_t>(rows * code_bytes);
    zero = Buffer<std::uint8_t>(rows * code_bytes);
    rank = Buffer<std::int16_t>(rows * layers);
    point = Buffer<double>(rows * chart_dim);
    point_low = Buffer<double>(rows * chart_dim);
  }
};

// Writes the path's region with the witness `point` (chart coordinates) and its second doubles,
// null where it has none.
template <int D> inline void emit_region(Path<D> &path, Regions &out, const double *point,
                                         const double *low = nullptr) {
  const Network &net = path.net;
  std::uint8_t *bit = out.bit.data() + out.count * out.code_bytes,
               *zero = out.zero.data() + out.count * out.code_bytes;
  std::int64_t place = 0;
  if (out.leading) {
    for (; place < out.code_bytes; place++) {
      const std::int64_t left = out.planes - 8 * place;
      const std::uint64_t mask = left < 8 ? (1u << left) - 1u : 255u;
      bit[place] = static_cast<std::uint8_t>(detail::packed(&path.bit[8 * place]) & mask);
      zero[place] = static_cast<std::uint8_t>(detail::packed(&path.zero[8 * place]) & mask);
    }
  } else {
    std::fill_n(bit, out.code_bytes, std::uint8_t{0});
    std::fill_n(zero, out.code_bytes, std::uint8_t{0});
    for (std::int64_t g = 0; g < path.units; g++) {
      if (!net.hyperplane(g)) continue;
      bit[place >> 3] = static_cast<std::uint8_t>(bit[place >> 3] | path.bit[g] << (place & 7));
      zero[place >> 3] = static_cast<std::uint8_t>(zero[place >> 3] | path.zero[g] << (place & 7));
      place++;
    }
  }
  for (std::int64_t l = 0; l < out.layers; l++)
    out.rank[out.count * out.layers + l] =
        static_cast<std::int16_t>(path.rank[static_cast<std::size_t>(l)]);
  for (std::int64_t l = 0; l < out.chart_dim; l++)
    out.point[out.count * out.chart_dim + l] = point[l];
  if (low || out.thin > 0) {
    double *const to = out.point_low.data();
    if (out.thin == 0) std::fill_n(to, out.count * out.chart_dim, 0.0);
    for (std::int64_t l = 0; l < out.chart_dim; l++)
      to[out.count * out.chart_dim + l] = low ? low[l] : 0.0;
    out.thin += low != nullptr;
  }
  out.count++;
  path.stat.regions++;
}

}  // namespace polyrank
