// Signs of units at vertices: float bounds first, then integers, then a question to rationals.
//
// A vertex is x +- err in every coordinate, a row is (a +- error) x + b +- error up to its scale;
// one evaluation in float64 is off by at most
//
//     radius (d + 1) + (sum |a_l| + d radius) err,      radius = error + gamma_{d+4},
//
// since |x_l| <= 1 (see compose.hpp). Beyond that the sign is proved.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "certificate.hpp"
#include "compose.hpp"
#include "vertex_pool.hpp"

namespace polyrank::vertices {

struct IntegerValue {
  std::int64_t value;
  bool known;
};

// The row at integer homogeneous coordinates, times a positive factor. Larger exponents than 30
// cannot give products below 2^62.
template <int D>
IntegerValue integer_value(const double *row, std::int64_t exponent, const std::int64_t *vertex) {
  if (exponent < 0 || exponent > 30) return {0, false};
  const double unit = power_of_two(exponent);
  double size = 0.0;
  for (int l = 0; l <= D; l++)
    size += std::fabs(row[l]) * unit * std::fabs(static_cast<double>(vertex[l]));
  if (!(size < 0x1p62)) return {0, false};
  std::int64_t total = 0;
  for (int l = 0; l <= D; l++) total += static_cast<std::int64_t>(row[l] * unit) * vertex[l];
  return {total, true};
}

// Sign of unit g at a vertex that its coordinates and their bounds prove; 0 where they prove none.
template <class S, class Vertex> int float_sign(const S &s, std::int64_t g, const Vertex &vertex) {
  constexpr int D = S::D;
  const double *row = s.path.row(g);
  double z = row[D], size = 0.0;
  for (int l = 0; l < D; l++) {
    z += row[l] * vertex.x[l];
    size += std::fabs(row[l]);
  }
  const double radius = s.path.radius[g];
  const double limit = (radius * (D + 1) + (size + D * radius) * vertex.err) * inflate;
  if (z > limit) return 1;
  if (z < -limit) return -1;
  return 0;
}

// What sign_at gives besides -1, 0 and 1.
inline constexpr int sign_unknown = 2;

// Proven sign of unit i of layer k at vertex v, or sign_unknown.
template <class S> int sign_at(S &s, int k, int i, std::int32_t v) {
  constexpr int D = S::D;
  const auto g = s.net.unit_start(k) + i;
  const auto &vertex = s.pool.vertices[v];
  if (vertex.origin && s.net.central(k)) return 0;
  if (const int sign = float_sign(s, g, vertex); sign != 0) return sign;
  if (vertex.has_integers) {
    const auto [value, known] =
        integer_value<D>(s.path.row(g), s.path.exponent[g], vertex.integers);
    if (known) {
      s.counts.by_integers++;
      return value > 0 ? 1 : value < 0 ? -1 : 0;
    }
  }
  return sign_unknown;
}

// Like sign_at, but what is unknown is answered by exact arithmetic, or asked.
template <class S> int asked_sign(S &s, int k, int i, std::int32_t v) {
  s.counts.single_signs++;
  const int sign = sign_at(s, k, i, v);
  if (sign != sign_unknown) return sign;
  const std::size_t asked = s.questions.cursor++;
  if (asked < s.questions.answers.size()) return s.questions.answers[asked];
  s.questions.open.push_back({v, static_cast<std::int32_t>(s.net.unit_start(k) + i)});
  return 0;
}

// The bits 1 << i .. 1 << (i + 3), for i < 64 a multiple of four.
POLYRANK_INLINE void load_bits(Mask &to, std::int64_t i) { to = Mask{1, 2, 4, 8} << i; }

// Signs of layer k's units at a cell's vertices that do not have them yet.
//
// Signs are random, so nothing here branches on them: comparisons become bits, and only what no
// comparison proved is looked at again. The bounds are those that `enter` left.
template <class S> void evaluate_layer(S &s, int k, std::int32_t first, std::int32_t size) {
  constexpr int D = S::D;
  auto &pool = s.pool;
  const auto &scratch = s.layer_scratch;
  const std::int64_t n = s.net.units(k), a = s.net.unit_start(k);
  const std::int32_t w0 = s.word_start[k], w1 = s.word_start[k + 1];
  const double *columns = s.path.columns.data() + a;
  for (std::int32_t p = first; p < first + size; p++) {
    const std::int32_t v = pool.cycle[p];
    auto &vertex = pool.vertices[v];
    if (vertex.layers_done > k) continue;
    s.counts.layer_signs += n;
    const bool zero = vertex.origin && s.net.central(k);
    SignWord *signs = pool.signs_of(v);
    for (std::int32_t w = w0; w < w1; w++) {
      std::uint64_t pos = 0, neg = 0;
      const std::int64_t base = (w - w0) * 64, count = n - base < 64 ? n - base : 64;
      const auto [ask, up, down] = scratch.known[static_cast<std::size_t>(w - w0)];
      if (!zero) {
        Mask above{}, below{};
        for (std::int64_t i = 0; i < count; i += lane_count) {
          Lanes z, c, limit, spread;
          load(z, columns + D * s.path.column_stride + base + i);
          for (int l = 0; l < D; l++) {
            load(c, columns + l * s.path.column_stride + base + i);
            z += c * vertex.x[l];
          }
          load(limit, scratch.reach.data() + base + i);
          load(spread, scratch.sums.data() + base + i);
          limit += spread * vertex.err;
          Mask bit;
          load_bits(bit, i);
          above |= (z > limit) & bit;
          below |= (z < -limit) & bit;
        }
        pos = static_cast<std::uint64_t>(above[0] | above[1] | above[2] | above[3]) & ask;
        neg = static_cast<std::uint64_t>(below[0] | below[1] | below[2] | below[3]) & ask;
        for (std::uint64_t rest = ask & ~(pos | neg); rest != 0; rest &= rest - 1) {
          const int sign = asked_sign(s, k, static_cast<int>(base + std::countr_zero(rest)), v);
          const std::uint64_t bit = rest & -rest;
          if (sign > 0)
            pos |= bit;
          else if (sign < 0)
            neg |= bit;
        }
      }
      if (!vertex.ray) {
        pos |= up;
        neg |= down;
      }
      signs[w] = {pos, neg};
    }
  }
}

}  // namespace polyrank::vertices
