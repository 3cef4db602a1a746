// A vertex where a hyperplane cuts an edge: coordinates with a proven bound, integers, signs.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "certificate.hpp"
#include "compose.hpp"
#include "vertex_pool.hpp"
#include "vertex_signs.hpp"

namespace polyrank::vertices {

inline constexpr double no_bound = std::numeric_limits<double>::infinity();

// The inverse of an n x n matrix, n <= 3, by cofactors; false where the determinant is 0.
inline bool inverse_of(int n, const double m[3][3], double out[3][3]) {
  if (n == 1) {
    if (m[0][0] == 0.0) return false;
    out[0][0] = 1.0 / m[0][0];
    return true;
  }
  if (n == 2) {
    const double det = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    if (det == 0.0) return false;
    const double r = 1.0 / det;
    out[0][0] = m[1][1] * r;
    out[0][1] = -m[0][1] * r;
    out[1][0] = -m[1][0] * r;
    out[1][1] = m[0][0] * r;
    return true;
  }
  const double a = m[1][1] * m[2][2] - m[1][2] * m[2][1];
  const double b = m[1][2] * m[2][0] - m[1][0] * m[2][2];
  const double c = m[1][0] * m[2][1] - m[1][1] * m[2][0];
  const double det = m[0][0] * a + m[0][1] * b + m[0][2] * c;
  if (det == 0.0) return false;
  const double r = 1.0 / det;
  out[0][0] = a * r;
  out[1][0] = b * r;
  out[2][0] = c * r;
  out[0][1] = (m[0][2] * m[2][1] - m[0][1] * m[2][2]) * r;
  out[1][1] = (m[0][0] * m[2][2] - m[0][2] * m[2][0]) * r;
  out[2][1] = (m[0][1] * m[2][0] - m[0][0] * m[2][1]) * r;
  out[0][2] = (m[0][1] * m[1][2] - m[0][2] * m[1][1]) * r;
  out[1][2] = (m[0][2] * m[1][0] - m[0][0] * m[1][2]) * r;
  out[2][2] = (m[0][0] * m[1][1] - m[0][1] * m[1][0]) * r;
  return true;
}

// Coefficients of a hyperplane, constant last, and their radius.
struct Hyperplane {
  const double *row;
  double radius;
};

template <class S> Hyperplane hyperplane_of(const S &s, Label g) {
  if (g >= 0) return {s.path.row(g), s.path.radius[g]};
  return {s.rows.row(-1 - g), s.rows.radius[-1 - g]};
}

// The step of refine for two lines: the inverse is adj / det, only det rounded.
template <class S> void refine_in_plane(const S &s, Vertex<2, 2> &vertex) {
  const Hyperplane first = hyperplane_of(s, vertex.label[0]);
  const Hyperplane second = hyperplane_of(s, vertex.label[1]);
  const double a1 = first.row[0], b1 = first.row[1], c1 = first.row[2], r1 = first.radius;
  const double a2 = second.row[0], b2 = second.row[1], c2 = second.row[2], r2 = second.radius;
  const double det = a1 * b2 - a2 * b1;
  if (det == 0.0) {
    vertex.err = no_bound;
    return;
  }
  double x = vertex.x[0], y = vertex.x[1];
  double u = a1 * x + b1 * y + c1, t = a2 * x + b2 * y + c2;
  x = std::min(1.0, std::max(-1.0, x - (b2 * u - b1 * t) / det));
  y = std::min(1.0, std::max(-1.0, y - (a1 * t - a2 * u) / det));
  u = std::fabs(a1 * x + b1 * y + c1) + 3.0 * r1;
  t = std::fabs(a2 * x + b2 * y + c2) + 3.0 * r2;
  const double size = std::fabs(det);
  const double e =
      std::max(std::fabs(b2) * u + std::fabs(b1) * t, std::fabs(a2) * u + std::fabs(a1) * t) / size;
  const double tilt =
      std::max(std::fabs(b2) * r1 + std::fabs(b1) * r2, std::fabs(a2) * r1 + std::fabs(a1) * r2);
  const double defect =
      (2.0 * tilt + gamma(4) * (std::fabs(a1 * b2) + std::fabs(a2 * b1))) / size * inflate;
  vertex.x[0] = x;
  vertex.x[1] = y;
  vertex.err = defect < 0.5 ? e / (1.0 - defect) * inflate : no_bound;
}

// One Newton step on the vertex's own hyperplanes, and a proven bound of what is left.
//
// With R the hyperplanes' linear parts in the free coordinates and C ~ R^-1,
// |x - true| <= |C| |R x + c| / (1 - |C R - I|), every term rounded upwards. In homogeneous
// coordinates the largest coordinate is held fixed, and t of a direction is 0.
template <class S> void refine(const S &s, Vertex<S::K, S::D> &vertex) {
  constexpr int K = S::K, D = S::D;
  int fixed = -1;
  if (s.conic) {
    fixed = 0;
    for (int l = 1; l < D; l++)
      if (std::fabs(vertex.x[l]) > std::fabs(vertex.x[fixed])) fixed = l;
  }
  int column[3], n = 0;
  for (int l = 0; l < D; l++) {
    if (l == fixed || (S::homogeneous && l == D - 1 && vertex.ray)) continue;
    if (n == 3) {
      vertex.err = no_bound;
      return;
    }
    column[n++] = l;
  }
  if constexpr (K == 2 && D == 2) {
    if (n == 2 && !s.conic) {
      refine_in_plane(s, vertex);
      return;
    }
  }
  double m[3][3] = {}, c[3][3] = {}, radius[3] = {}, residual[3] = {};
  const double *row[3] = {};
  int rows = 0;
  for (int q = 0; q < K; q++) {
    if (vertex.label[q] == at_infinity) continue;
    if (rows == n) {
      vertex.err = no_bound;
      return;
    }
    const Hyperplane plane = hyperplane_of(s, vertex.label[q]);
    row[rows] = plane.row;
    radius[rows] = plane.radius;
    for (int j = 0; j < n; j++) m[rows][j] = plane.row[column[j]];
    rows++;
  }
  if (rows != n || !inverse_of(n, m, c)) {
    vertex.err = no_bound;
    return;
  }
  for (int step = 0; step < 2; step++) {
    for (int q = 0; q < n; q++) {
      double z = row[q][D];
      for (int l = 0; l < D; l++) z += row[q][l] * vertex.x[l];
      residual[q] = z;
    }
    if (step == 1) break;
    for (int j = 0; j < n; j++) {
      double delta = 0.0;
      for (int q = 0; q < n; q++) delta += c[j][q] * residual[q];
      const double x = vertex.x[column[j]] - delta;
      vertex.x[column[j]] = std::min(1.0, std::max(-1.0, x));
    }
  }
  double worst = 0.0, defect = 0.0;
  for (int j = 0; j < n; j++) {
    double e = 0.0, row_defect = 0.0, size = 0.0;
    for (int q = 0; q < n; q++) {
      e += std::fabs(c[j][q]) * (std::fabs(residual[q]) + radius[q] * (D + 1));
      size += std::fabs(c[j][q]) * (radius[q] * n);
    }
    for (int q = 0; q < n; q++) {
      double sum = j == q ? -1.0 : 0.0, big = 1.0;
      for (int r = 0; r < n; r++) {
        sum += c[j][r] * m[r][q];
        big += std::fabs(c[j][r] * m[r][q]);
      }
      row_defect += std::fabs(sum) + big * gamma(n + 3);
    }
    row_defect += size;
    if (!(e < no_bound && row_defect < 0.5)) {  // nor NaN
      vertex.err = no_bound;
      return;
    }
    worst = std::max(worst, e);
    defect = std::max(defect, row_defect);
  }
  vertex.err = worst / (1.0 - defect) * inflate;
}

// Choose between the two opposite vectors that a cone's vertex could be, or give up its bound.
//
// The hyperplanes and the bound of refine leave the direction open. t decides for points, for rays
// a unit of the root cone: it keeps its weak sign on the cone, so at v it has the sign that u or w
// has.
template <class S> void orient(S &s, std::int32_t u, std::int32_t w, Vertex<S::K, S::D> &vertex) {
  constexpr int D = S::D;
  int flip = 0;
  if (S::homogeneous && !vertex.ray) {
    if (std::fabs(vertex.x[D - 1]) > vertex.err) flip = vertex.x[D - 1] > 0.0 ? 1 : -1;
  } else {
    for (const std::int32_t g : s.root_units) {
      const std::uint64_t bit = std::uint64_t{1} << (g & 63);
      const SignWord at_u = s.pool.signs_of(u)[g >> 6], at_w = s.pool.signs_of(w)[g >> 6];
      const int known = (at_u.pos | at_w.pos) & bit ? 1 : (at_u.neg | at_w.neg) & bit ? -1 : 0;
      if (known == 0) continue;
      if (const int sign = float_sign(s, g, vertex); sign != 0) {
        flip = sign * known;
        break;
      }
    }
  }
  if (flip == 0)
    vertex.err = no_bound;
  else if (flip < 0)
    for (int l = 0; l < D; l++) vertex.x[l] = -vertex.x[l];
}

// Integer homogeneous coordinates of the cut of edge (u, w), where they stay small.
template <class S>
void cut_integers(const S &s, Label g, const Vertex<S::K, S::D> &u, const Vertex<S::K, S::D> &w,
                  Vertex<S::K, S::D> &vertex) {
  constexpr int D = S::D;
  vertex.has_integers = false;
  if (!(u.has_integers && w.has_integers)) return;
  const auto at_u = integer_value<D>(s.path.row(g), s.path.exponent[g], u.integers);
  const auto at_w = integer_value<D>(s.path.row(g), s.path.exponent[g], w.integers);
  if (!(at_u.known && at_w.known)) return;
  const std::int64_t zu = std::abs(at_u.value), zw = std::abs(at_w.value);
  for (int l = 0; l <= D; l++)
    if (!(static_cast<double>(zw) * std::fabs(static_cast<double>(u.integers[l])) +
              static_cast<double>(zu) * std::fabs(static_cast<double>(w.integers[l])) <
          0x1p62))
      return;
  std::int64_t common = 0;
  for (int l = 0; l <= D; l++) {
    vertex.integers[l] = zw * u.integers[l] + zu * w.integers[l];
    common = std::gcd(common, vertex.integers[l]);
  }
  if (common > 1)
    for (int l = 0; l <= D; l++) vertex.integers[l] /= common;
  vertex.has_integers = common > 0;
}

// Makes v the vertex where unit i of layer k cuts the edge (u, w); `first` and `second` label that
// edge. The unit has strictly opposite signs at u and w.
template <class S>
void cut_edge(S &s, int k, int i, std::int32_t u, std::int32_t w, Label first, Label second,
              std::int32_t v) {
  constexpr int K = S::K, D = S::D;
  auto &pool = s.pool;
  const auto g = static_cast<Label>(s.net.unit_start(k) + i);
  auto &vertex = pool.vertices[v];
  const auto &from = pool.vertices[u], &to = pool.vertices[w];
  vertex.label[0] = g;
  if constexpr (K >= 2) vertex.label[1] = first;
  if constexpr (K == 3) vertex.label[2] = second;
  vertex.ray = from.ray && to.ray;
  vertex.root = -1;
  const double *row = s.path.row(g);
  double zu = row[D], zw = row[D];
  for (int l = 0; l < D; l++) {
    zu += row[l] * from.x[l];
    zw += row[l] * to.x[l];
  }
  zu = std::fabs(zu);
  zw = std::fabs(zw);
  const double part = zu + zw > 0.0 ? zu / (zu + zw) : 0.5;
  double big = 0.0;
  for (int l = 0; l < D; l++) {
    vertex.x[l] = from.x[l] + part * (to.x[l] - from.x[l]);
    if (std::fabs(vertex.x[l]) > big) big = std::fabs(vertex.x[l]);
  }
  if (s.conic && big > 0.0) {
    const double up = power_of_two(-exponent_of(big));
    for (int l = 0; l < D; l++) vertex.x[l] *= up;
  }
  vertex.origin = false;
  if (!s.conic) {
    bool central = s.net.central(k);
    for (int q = 1; q < K; q++) {
      const Label h = vertex.label[q];
      if (!central || h == at_infinity) continue;
      central = h >= 0 ? s.net.central(s.layer_of(h)) : s.rows.central[-1 - h];
    }
    vertex.origin = central;
  }
  if (vertex.origin) {
    for (int l = 0; l < D; l++) vertex.x[l] = 0.0;
    vertex.err = 0.0;
  } else {
    refine(s, vertex);
    if (s.conic) orient(s, u, w, vertex);
  }
  cut_integers(s, g, from, to, vertex);
  // signs: equal or zero at both ends stays; opposite signs have to be evaluated
  const std::int32_t here = s.word_start[k], next = s.word_start[k + 1];
  const std::int32_t walls = s.walls_word(), end = pool.words;
  const SignWord *at_u = pool.signs_of(u), *at_w = pool.signs_of(w);
  SignWord *signs = pool.signs_of(v);
  for (std::int32_t word = 0; word < end; word++) {
    if (word == next && word < walls) word = walls;
    const std::uint64_t clash =
        (at_u[word].pos & at_w[word].neg) | (at_u[word].neg & at_w[word].pos);
    std::uint64_t pos = (at_u[word].pos | at_w[word].pos) & ~clash;
    std::uint64_t neg = (at_u[word].neg | at_w[word].neg) & ~clash;
    if (clash != 0 && word >= here) {
      for (std::uint64_t rest = clash; rest != 0; rest &= rest - 1) {
        const int bit_index = std::countr_zero(rest);
        const int j = (word - here) * 64 + bit_index;
        if (j == i) continue;
        const std::uint64_t bit = std::uint64_t{1} << bit_index;
        const int sign = asked_sign(s, k, j, v);
        if (sign > 0)
          pos |= bit;
        else if (sign < 0)
          neg |= bit;
      }
    }
    signs[word] = {pos, neg};
  }
  vertex.layers_done = k + 1;
}

}  // namespace polyrank::vertices
