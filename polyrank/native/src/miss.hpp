// The proof log of a search with vertices: rows that name why a unit misses a cell.
//
// A unit that stopped cutting is weakly on its side at the vertex where it is least, the optimum of
// a linear program over the cell. Where that vertex is provably the only one, and no more rows than
// necessary hold with equality there, these are the optimal basis and their multipliers are >= 0.
// Elsewhere all sets of the rows that hold with equality are tried, and those that the float or
// integer certificates accept are logged. Where none is accepted, exact arithmetic is asked.
//
// On a bounded domain the certificate is z = c + sum lambda_q row_q with the K rows of a vertex. On
// cones there are no constants, and a row l of the cell takes the place of 1: t >= 0, or where all
// is central one of the cell's facets. With m the least value of z/l, z - m l is >= 0 on the cell
// and vanishes where the ratio is least: z = m l + sum lambda_q row_q with the rows of that vertex.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "certificate.hpp"
#include "proof_log.hpp"
#include "vertex.hpp"
#include "vertex_pool.hpp"

namespace polyrank::vertices {

// Whether the rows `basis` have multipliers that prove side z_g >= 0 on the cell, whose rows are
// marked.
template <class S> bool accepted(S &s, int layer, Label g, int side, const int *basis) {
  constexpr int D = S::D;
  constexpr Dimension<D> dim(D);
  // the row t >= 0, last in the basis, is a unit vector: the others are solved for first
  constexpr int n = S::homogeneous ? D - 1 : D;
  double m[3][3] = {}, c[3][3] = {};
  for (int q = 0; q < n; q++)
    for (int l = 0; l < n; l++) m[q][l] = s.rows.row(basis[q])[l];
  if (!inverse_of(n, m, c)) return false;
  const double sign = side > 0 ? 1.0 : -1.0;
  alignas(32) double objective[dim.stride()] = {}, rates[dim.square()] = {};
  alignas(32) double inverse[D * dim.square()] = {};
  for (int l = 0; l <= D; l++) objective[l] = sign * s.path.row(g)[l];
  for (int q = 0; q < n; q++) {
    double r = 0.0;
    for (int l = 0; l < n; l++) {
      r += objective[l] * c[l][q];
      inverse[l * dim.square() + q] = c[l][q];
    }
    rates[q] = r;
  }
  if constexpr (n < D) {
    double rest = objective[n];
    for (int q = 0; q < n; q++) rest -= rates[q] * s.rows.row(basis[q])[n];
    rates[n] = rest;
    inverse[n * dim.square() + n] = 1.0;
    for (int l = 0; l < n; l++)
      for (int q = 0; q < n; q++)
        inverse[l * dim.square() + n] -= c[l][q] * s.rows.row(basis[q])[n];
  }
  for (int q = 0; q < D; q++)
    if (!(rates[q] >= -1e-9)) return false;
  const double radius = s.path.radius[g];
  const Rows rows{s.rows.table.data(), s.rows.radius.data()};
  if (s.conic) {
    if (by_enclosure(dim, rows, basis, inverse, rates, objective, radius, s.rows.central.data(),
                     s.rows.member.data(), row_space(s.path, layer, layer - 1)))
      return true;
  } else if (by_residual(dim, rows, basis, rates, objective, radius)) {
    // the checker solves for the multipliers: they have to be provably >= 0 themselves
    for (int q = 0; q < D; q++)
      if (!(rates[q] >= 1e-6)) return false;
    return true;
  }
  double work[D * dim.square()];
  return by_integers(dim, s.rows.table.data(), s.rows.exponent.data(), basis, rates, objective,
                     s.path.exponent[g], work);
}

// The row l of the cell that takes the place of 1, where there are no constants.
template <class S> int leading_row(S &s, const Faces &cell) {
  if constexpr (S::homogeneous) return 0;
  const auto &pool = s.pool;
  Label label = s.root_units[0];
  if constexpr (S::K == 2) {
    std::int32_t p = cell.vertex_first;
    while (pool.edge[p] == at_infinity) p++;
    label = pool.edge[p];
  } else if constexpr (S::K == 3) {
    std::int32_t q = cell.list_first;
    while (pool.facets[pool.lists[q]].label == at_infinity) q++;
    label = pool.facets[pool.lists[q]].label;
  }
  return s.row_of[label];
}

struct Value {
  double z, limit;
};

// A row at a vertex, and what that is off by at most.
template <int K, int D>
Value bounded_value(const double *row, double radius, const Vertex<K, D> &vertex) {
  double z = row[D], size = 0.0;
  for (int l = 0; l < D; l++) {
    z += row[l] * vertex.x[l];
    size += std::fabs(row[l]);
  }
  return {z, (radius * (D + 1) + (size + D * radius) * vertex.err) * inflate};
}

// Whether l > 0 at a vertex of the cell, by its sign.
template <class S> bool above(S &s, int lead, std::int32_t v) {
  const std::int64_t g = s.rows.unit[lead];
  if (g < 0) return !s.pool.vertices[v].ray;
  const int layer = s.layer_of(g);
  const auto j = g - s.net.unit_start(layer);
  const SignWord signs = s.pool.signs_of(v)[s.word_start[layer] + (j >> 6)];
  return ((signs.pos | signs.neg) >> (j & 63) & 1) != 0;
}

// The vertex at which z/l is provably less than at all others with l > 0, or -1.
template <class S>
std::int32_t least_ratio(S &s, const Faces &cell, int lead, Label g, int side) {
  const double sign = side > 0 ? 1.0 : -1.0;
  constexpr double infinite = std::numeric_limits<double>::infinity();
  std::int32_t best = -1;
  double low = infinite, top = infinite, floor = infinite;
  for (std::int32_t p = cell.vertex_first; p < cell.vertex_first + cell.vertex_size; p++) {
    const std::int32_t v = s.pool.cycle[p];
    if (!above(s, lead, v)) continue;
    const auto &vertex = s.pool.vertices[v];
    auto [z, limit] = bounded_value(s.path.row(g), s.path.radius[g], vertex);
    const auto [size, reach] = bounded_value(s.rows.row(lead), s.rows.radius[lead], vertex);
    z *= sign;
    if (!(size - reach > 0.0) || !(limit < infinite)) return -1;
    double upper = (z + limit) / (size - reach);
    double lower = (z - limit) / (z > limit ? size + reach : size - reach);
    upper += std::fabs(upper) * (inflate - 1.0);
    lower -= std::fabs(lower) * (inflate - 1.0);
    if (best < 0 || upper < top) {
      if (best >= 0) floor = std::min(floor, low);
      best = v;
      top = upper;
      low = lower;
    } else {
      floor = std::min(floor, lower);
    }
  }
  return floor > top ? best : -1;
}

// The vertex at which z is provably less than at all others, or -1.
template <class S> std::int32_t least_value(S &s, const Faces &cell, Label g, int side) {
  constexpr int D = S::D;
  constexpr double infinite = std::numeric_limits<double>::infinity();
  const double sign = side > 0 ? 1.0 : -1.0;
  const double *row = s.path.row(g);
  double size = 0.0;
  for (int l = 0; l < D; l++) size += std::fabs(row[l]);
  const double reach = s.path.radius[g] * (D + 1), factor = size + D * s.path.radius[g];
  std::int32_t best = -1;
  double low = infinite;
  double top = infinite;    // upper bound of the least value
  double floor = infinite;  // least lower bound of the others
  for (std::int32_t p = cell.vertex_first; p < cell.vertex_first + cell.vertex_size; p++) {
    const std::int32_t v = s.pool.cycle[p];
    const auto &vertex = s.pool.vertices[v];
    double z = row[D];
    for (int l = 0; l < D; l++) z += row[l] * vertex.x[l];
    z *= sign;
    const double limit = (reach + factor * vertex.err) * inflate;
    if (!(limit < infinite)) return -1;
    if (best < 0 || z + limit < top) {
      if (best >= 0) floor = std::min(floor, low);
      best = v;
      top = z + limit;
      low = z - limit;
    } else {
      floor = std::min(floor, z - limit);
    }
  }
  return floor > top ? best : -1;
}

// Whether its own units and domain rows alone vanish at the vertex, later layers aside.
template <class S> bool is_simple(S &s, int layer, std::int32_t v) {
  int labels = 0;
  for (const Label label : s.pool.vertices[v].label) labels += label != at_infinity;
  const std::int32_t next = s.word_start[layer + 1], walls = s.walls_word();
  const SignWord *signs = s.pool.signs_of(v);
  int zeros = 0;
  for (std::int32_t word = 0; word < s.pool.words; word++) {
    if (word == next && word < walls) word = walls;
    zeros += std::popcount(s.counted[word] & ~(signs[word].pos | signs[word].neg));
    if (zeros > labels) return false;
  }
  return zeros == labels;
}

// Log the rows of the vertex that is provably the only optimum; false where there is none.
template <class S> bool only_optimum(S &s, int layer, const Faces &cell, int lead, int i,
                                     int side) {
  const auto g = static_cast<Label>(s.net.unit_start(layer) + i);
  const std::int32_t best =
      lead < 0 ? least_value(s, cell, g, side) : least_ratio(s, cell, lead, g, side);
  if (best < 0 || !is_simple(s, layer, best)) return false;
  int basis[S::D] = {}, n = 0;
  for (const Label label : s.pool.vertices[best].label)
    if (label != at_infinity) basis[n++] = label >= 0 ? s.row_of[label] : -1 - label;
  if (lead >= 0) basis[n] = lead;
  s.path.log.miss(i, side, basis, S::D);
  return true;
}

// Find and log the rows that prove a miss; false where none is proved.
template <class S>
bool certified(S &s, int layer, const OpenPolytope &cell, int lead, int i, int side) {
  constexpr int D = S::D;
  const auto g = static_cast<Label>(s.net.unit_start(layer) + i);
  const double sign = side > 0 ? 1.0 : -1.0;
  std::int32_t best = -1;
  double least = std::numeric_limits<double>::infinity();
  const Faces &faces = cell.faces;
  for (std::int32_t p = faces.vertex_first; p < faces.vertex_first + faces.vertex_size; p++) {
    const std::int32_t v = s.pool.cycle[p];
    const auto &vertex = s.pool.vertices[v];
    double z = sign * bounded_value(s.path.row(g), s.path.radius[g], vertex).z;
    if (lead >= 0) {
      if (!above(s, lead, v)) continue;
      z /= bounded_value(s.rows.row(lead), s.rows.radius[lead], vertex).z;
    }
    if (z < least) {
      least = z;
      best = v;
    }
  }
  if (best < 0) return false;
  // rows that hold with equality at the vertex
  auto &tight = s.tight;
  tight.clear();
  const SignWord *signs = s.pool.signs_of(best);
  for (int m = 0; m < cell.rows; m++) {
    std::int32_t word = s.walls_word() + (m >> 6);
    int bit = m & 63;
    if (m >= s.rows.walls) {
      const std::int64_t h = s.rows.unit[m];
      const int row_layer = s.layer_of(h);
      const auto j = static_cast<int>(h - s.net.unit_start(row_layer));
      word = s.word_start[row_layer] + (j >> 6);
      bit = j & 63;
    } else if (lead >= 0) {
      continue;
    }
    if (((signs[word].pos | signs[word].neg) >> bit & 1) == 0) {
      if (tight.size() == s.split.size()) return false;
      tight.push_back(m);
    }
  }
  if (s.conic) {
    s.write_path(layer);
    mark_rows(s.rows, s.path, layer, layer - 1, cell.rows);
  }
  int basis[D];
  const int n = lead >= 0 ? D - 1 : D;
  if (lead >= 0) basis[n] = lead;
  const auto works = [&] {
    if (!accepted(s, layer, g, side, basis)) return false;
    s.path.log.miss(i, side, basis, D);
    return true;
  };
  if (n == 0) return works();
  const int count = static_cast<int>(tight.size());
  for (int a = 0; a < count; a++) {
    basis[0] = tight[a];
    if (n == 1) {
      if (works()) return true;
      continue;
    }
    for (int b = a + 1; b < count; b++) {
      basis[1] = tight[b];
      if (n == 2) {
        if (works()) return true;
        continue;
      }
      for (int c = b + 1; c < count; c++) {
        basis[2] = tight[c];
        if (works()) return true;
      }
    }
  }
  return false;
}

// Log every unit that stopped cutting; true where exact arithmetic has to name the rows. The unit
// in question is then in `s.to_certify`.
template <class S> bool log_misses(S &s, int layer, std::size_t f) {
  const OpenPolytope &cell = s.pool.cells[f];
  const int lead = s.conic ? leading_row(s, cell.faces) : -1;
  std::uint64_t *open = s.pool.open_of(f);
  const std::int32_t w0 = s.word_start[layer];
  for (std::int32_t w = w0; w < s.word_start[layer + 1]; w++) {
    const SignWord all = s.gathered[w];
    std::uint64_t &left = open[w - w0];
    for (std::uint64_t closed = left & ~(all.pos & all.neg); closed != 0; closed &= closed - 1) {
      const int index = std::countr_zero(closed);
      const std::uint64_t bit = std::uint64_t{1} << index;
      const int i = (w - w0) * 64 + index;
      const int side = (all.pos & bit) != 0 ? 1 : (all.neg & bit) != 0 ? -1 : 0;
      if (side == 0) {
        s.path.log.unit(LogStep::zero, i);
      } else if (!only_optimum(s, layer, cell.faces, lead, i, side) &&
                 !certified(s, layer, cell, lead, i, side)) {
        s.to_certify = {i, side};
        return true;
      }
      left &= ~bit;
    }
  }
  return false;
}

}  // namespace polyrank::vertices
