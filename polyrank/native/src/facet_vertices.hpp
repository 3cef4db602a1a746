// The vertices that programs met, and what they tell about the regions around them.
//
// A vertex is kept with the sides of the rows that do not meet in it. It is a vertex of every
// region of the cell on the same side of those rows, whatever the side of the rows that meet in it,
// so that a few machine words say which of the vertices belong to a region.
//
// At a *simple* vertex exactly d independent rows meet, by proof; each of them carries a facet of
// every region around it.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "facet_state.hpp"
#include "simplex.hpp"

namespace polyrank {

inline std::uint64_t bit_of(std::int64_t m) { return std::uint64_t{1} << (m & 63); }

inline constexpr double infinity = std::numeric_limits<double>::infinity();

// Slacks of the cell's rows at a point of the cube.
inline void cell_slacks(Walk &w, const double *x, double *out) {
  with_dimension(w.dim,
                 [&](auto dim) { slacks(dim, w.cell().by_column(), w.cell().count, x, out); });
}

// Lists the kept vertices that the current region has.
inline void select_vertices(Walk &w) {
  VertexStore &store = w.vertices();
  const int words = (w.cell().count + 63) >> 6;
  store.active.clear();
  for (int v = 0; v < store.size; v += 2 * lane_count) {
    Mask apart[2] = {};
    for (int c = 0; c < words; c++) {
      const auto sides = static_cast<std::int64_t>(w.cell().side_word[c]);
      for (int h = 0; h < 2; h++) {
        const std::int64_t at = c * store.most + v + h * lane_count;
        Mask word, mask;
        std::memcpy(&word, &store.word[at], sizeof word);
        std::memcpy(&mask, &store.mask[at], sizeof mask);
        apart[h] |= (word ^ sides) & mask;
      }
    }
    const Mask here[2] = {apart[0] == 0, apart[1] == 0}, some = here[0] | here[1];
    if ((some[0] | some[1] | some[2] | some[3]) == 0) continue;
    for (int j = 0; j < 2 * lane_count && v + j < store.size; j++)
      if (here[j / lane_count][j % lane_count]) store.active.push_back(v + j);
  }
}

// Notes the sides on which the kept vertices lie of the rows from place `begin` on, which are new.
// A simple one stays so where it is proved to be off all of them.
inline void place_vertices(Walk &w, int begin) {
  VertexStore &store = w.vertices();
  for (int v = 0; v < store.size; v++) {
    const double *x = &store.x[v * w.dim.square()];
    double size = 1.0;
    for (int l = 0; l < w.d(); l++) size = std::max(size, std::fabs(x[l]));
    const double factor = (w.d() + 1) * inflate * size, error = store.error[v] * inflate;
    bool simple = store.simple[v];
    for (int m = begin; m < w.cell().count; m++) {
      double z = w.cell().columns[w.d() * w.cell().capacity + m];
      for (int l = 0; l < w.d(); l++) z += w.cell().columns[l * w.cell().capacity + m] * x[l];
      const bool inside = (w.cell().side_word[m >> 6] & bit_of(m)) != 0;
      const auto bit = static_cast<std::int64_t>(bit_of(m));
      std::int64_t &word = store.word[(m >> 6) * store.most + v];
      store.mask[(m >> 6) * store.most + v] |= bit;
      word = (z > 0.0) == inside ? word | bit : word & ~bit;
      simple = simple && std::fabs(z) > w.cell().radius[m] * factor + error;
    }
    store.simple[v] = simple;
  }
}

// Notes that a kept vertex is one of the current cell, where the rows of its basis meet.
inline void place_here(Walk &w, int v) {
  VertexStore &store = w.vertices();
  const int count = w.cell().count;
  for (int c = 0; c < store.words; c++) {
    const int rows = std::clamp(count - 64 * c, 0, 64);
    store.word[c * store.most + v] = static_cast<std::int64_t>(w.cell().side_word[c]);
    store.mask[c * store.most + v] =
        rows == 0 ? 0 : static_cast<std::int64_t>(~std::uint64_t{0} >> (64 - rows));
  }
  for (int q = 0; q < w.d(); q++) {
    const int b = store.basis[v * w.d() + q];
    store.mask[(b >> 6) * store.most + v] &= ~static_cast<std::int64_t>(bit_of(b));
  }
}

// Whether the row of a kept vertex's basis has been turned since the vertex was kept.
inline bool is_turned(const Level &level, int v, int row) {
  return ((level.cell.side_word[row >> 6] & bit_of(row)) != 0) != level.vertices.is_above(v, row);
}

// Begins the rows of a layer with the vertices of the cell that they divide, which the layer before
// it has met.
inline void inherit_vertices(Walk &w, const Level &above) {
  VertexStore &store = w.vertices();
  const VertexStore &from = above.vertices;
  const int d = w.d(), s = w.dim.square();
  for (const int v : from.active) {
    int *basis = &store.basis[store.size * d];
    bool there = true;
    for (int q = 0; q < d && there; q++) {
      const int b = from.basis[v * d + q];
      basis[q] = b < above.cell.always ? b : w.cell().position[above.cell.row[b]];
      there = basis[q] >= 0;
    }
    if (!there) continue;
    const int at = store.size++;
    for (int l = 0; l < d; l++) store.x[at * s + l] = from.x[v * s + l];
    for (int q = 0; q < d; q++) {
      const bool turned = is_turned(above, v, from.basis[v * d + q]);
      for (int l = 0; l < d; l++) {
        const double edge = from.inverse[(v * d + l) * s + q];
        store.inverse[(at * d + l) * s + q] = turned ? -edge : edge;
      }
    }
    store.simple[at] = from.simple[v];
    store.error[at] = from.error[v];
    store.clear_links(at);
    place_here(w, at);
    store.active.push_back(at);
  }
}

// Puts the program to the interior point p with free slots.
inline void start_at_witness(Walk &w) {
  const int d = w.d(), s = w.dim.square();
  for (int q = 0; q < d; q++) {
    w.lp.basis[q] = -1;
    w.lp.x[q] = w.p[q];
    for (int l = 0; l < d; l++) w.lp.inverse[l * s + q] = l == q ? 1.0 : 0.0;
  }
}

// The linear part of the objective at a kept vertex.
inline double objective_at(const Walk &w, int v) {
  double z = 0.0;
  for (int l = 0; l < w.d(); l++) z += w.lp.objective[l] * w.vertices().x[v * w.dim.square() + l];
  return z;
}

// Puts the program to a kept vertex of the region.
template <int D> void start_at_vertex(Walk &w, Dimension<D> dim, int v) {
  const VertexStore &store = w.vertices();
  const int d = dim.size(), s = dim.square();
  for (int q = 0; q < d; q++) {
    const int b = store.basis[v * d + q];
    w.lp.basis[q] = b;
    w.lp.x[q] = store.x[v * s + q];
    const bool turned = is_turned(*w.now, v, b);
    for (int l = 0; l < d; l++) {
      const double edge = store.inverse[(v * d + l) * s + q];
      w.lp.inverse[l * s + q] = turned ? -edge : edge;
    }
  }
}
[[gnu::noinline]] inline void start_at_vertex(Walk &w, int v) {
  with_dimension(w.dim, [&](auto dim) { start_at_vertex(w, dim, v); });
}

// Puts the program to the region's vertex where the objective is least; vertices on the row
// `without` are left out. Returns its place among the region's vertices, or -1 with the program at
// the witness.
inline int start_at_lowest(Walk &w, int without) {
  const VertexStore &store = w.vertices();
  int best = -1;
  double low = infinity;
  for (std::size_t i = 0; i < store.active.size(); i++) {
    const int v = store.active[i];
    if (without >= 0 && store.meets(v, without)) continue;
    const double z = objective_at(w, v);
    if (z < low) low = z, best = static_cast<int>(i);
  }
  if (best < 0) {
    start_at_witness(w);
    return -1;
  }
  start_at_vertex(w, store.active[static_cast<std::size_t>(best)]);
  return best;
}

// Takes a vertex off the region's list: it is none of its vertices after all.
inline void drop_vertex(Walk &w, int place) {
  w.vertices().active[static_cast<std::size_t>(place)] = w.vertices().active.back();
  w.vertices().active.pop_back();
}

// The region's vertex that is the program's point up to rounding, or -1.
inline int listed_there(const Walk &w) {
  for (const int v : w.vertices().active) {
    double apart = 0.0;
    for (int l = 0; l < w.d(); l++)
      apart += std::fabs(w.vertices().x[v * w.dim.square() + l] - w.lp.x[l]);
    if (apart < 1e-12) return v;
  }
  return -1;
}

// A place for a vertex of the region, put on its list.
inline int next_place(VertexStore &store) {
  int v = store.size;
  if (v < store.most) {
    store.size++;
  } else {
    v = store.turn;
    store.turn = (v + 1) % store.most;
    store.forget_links();
    for (const int listed : store.active)
      if (listed == v) return v;
  }
  store.active.push_back(v);
  return v;
}

// Proves that exactly the rows of the basis meet in a vertex next to x, independent.
//
// With the edges e_q of the basis scaled to L1 size one and e their sum, x + delta (e - 2 e_c) is
// strictly outside row c and strictly inside the other rows b of the basis if
// delta (a_b.e_b - sum_{q != b} |a_b.e_q|) exceeds the value of row b at x. Rows outside the basis
// change by at most d delta, half the least of them. A region on the same side of those has p
// strictly inside every row; the segment from p to this point leaves it through row c alone, and
// with row b turned around the same holds for -e_b.
//
// The true vertex is x + sum_q y_q e_q; of the largest |y_c|, row c says that it times (a_c.e_c -
// sum_{q != c} |a_c.e_q|) is at most the value of row c at x. Leaves a bound of sum_q |y_q| in
// lp.error.
template <int D> bool is_simple(Walk &w, Dimension<D> dim) {
  const int d = dim.size(), s = dim.square(), stride = dim.stride();
  CellRows &cell = w.cell();
  Program &lp = w.lp;
  double size = 1.0;
  for (int l = 0; l < d; l++) {
    if (!(std::fabs(lp.x[l]) <= 4.0)) return false;  // nor NaN
    size = std::fabs(lp.x[l]) > size ? std::fabs(lp.x[l]) : size;
  }
  const double factor = (d + 1) * inflate * size;
  slacks(dim, cell.by_column(), cell.count, lp.x.data(), cell.value.data());
  for (int q = 0; q < d; q++) {
    lp.rates[q] = std::fabs(cell.value[lp.basis[q]]);
    cell.value[lp.basis[q]] = infinity;
  }
  double least = 1.0;
  for (int m = 0; m < cell.count; m++) {
    const double z = cell.value[m] - cell.radius[m] * factor;
    if (!(z > least)) least = z;
    if (cell.side[m] == 0.0) return false;
  }
  if (!(least > 0.0)) return false;
  double apart = 0.0;
  const double delta = 0.5 * least / d;
  for (int q = 0; q < d; q++) {
    double length = 0.0;
    for (int l = 0; l < d; l++) length += std::fabs(lp.inverse[l * s + q]);
    lp.sizes[q] = length;
  }
  for (int c = 0; c < d; c++) {
    const int b = lp.basis[c];
    for (int q0 = 0; q0 < d; q0 += lane_count) {
      Lanes along{}, edge, length;
      for (int l = 0; l < d; l++) {
        load(edge, lp.inverse.data() + l * s + q0);
        along += cell.form[b * stride + l] * edge;
      }
      load(length, lp.sizes.data() + q0);
      store(lp.work.data() + q0, along / length);
    }
    double left = lp.work[c];
    for (int q = 0; q < d; q++)
      if (q != c) left -= std::fabs(lp.work[q]);
    const double r = cell.radius[b];
    if (!(left > ((lp.rates[c] + r * factor) / delta + 4 * (d + 1) * r) * inflate)) return false;
    apart = std::max(apart, (lp.rates[c] + r * factor) / (left - 4 * (d + 1) * r * inflate));
  }
  lp.error = d * apart * inflate;
  return true;
}
[[gnu::noinline]] inline bool is_simple(Walk &w) {
  return with_dimension(w.dim, [&](auto dim) { return is_simple(w, dim); });
}

// Keeps the vertex of the program, which may have been proved simple.
inline void keep_vertex(Walk &w, bool simple) {
  VertexStore &store = w.vertices();
  const int d = w.d(), s = w.dim.square();
  int v = listed_there(w);
  if (v >= 0 && !simple) return;
  if (v < 0) {
    v = next_place(store);
  } else if (store.simple[v]) {
    bool same = true;
    for (int q = 0; q < d; q++) same = same && store.meets(v, w.lp.basis[q]);
    if (!same) store.forget_links();
  }
  for (int q = 0; q < d; q++) {
    store.basis[v * d + q] = w.lp.basis[q];
    store.x[v * s + q] = w.lp.x[q];
    for (int l = 0; l < d; l++) store.inverse[(v * d + q) * s + l] = w.lp.inverse[q * s + l];
  }
  place_here(w, v);
  store.simple[v] = simple;
  store.error[v] = w.lp.error;
  store.clear_links(v);
}

// The undecided walls among some places of the cell carry a facet: simple vertices show them.
inline void wall_facets(Walk &w, int block, std::uint64_t places) {
  CellRows &cell = w.cell();
  for (places &= cell.wall_word[block]; places != 0; places &= places - 1) {
    const int m = 64 * block + std::countr_zero(places);
    if (cell.status[m] != Status::open) continue;
    cell.status[m] = Status::facet;
    cell.to[m] = unknown;
    cell.has_point[m] = false;
  }
}

// The walls that meet in simple vertices of the region which are known.
inline void known_walls(Walk &w) {
  const VertexStore &store = w.vertices();
  for (int c = 0; 64 * c < w.cell().count; c++) {
    std::int64_t apart = -1;
    for (const int v : store.active)
      if (store.simple[v]) apart &= store.mask[c * store.most + v];
    wall_facets(w, c, ~static_cast<std::uint64_t>(apart));
  }
}

// What is known of the program's vertex.
enum class Meeting : std::int8_t { not_asked, simple, not_simple };

// Marks the walls that meet in the program's vertex, if some of them is undecided and the vertex
// simple.
inline Meeting walls_here(Walk &w) {
  const auto is_open_wall = [&](int m) {
    return m >= w.cell().always && w.cell().status[m] == Status::open &&
           w.cell().row[m] < w.own_walls;
  };
  bool some = false;
  for (int q = 0; q < w.d(); q++) {
    if (w.lp.basis[q] < 0) return Meeting::not_simple;
    some = some || is_open_wall(w.lp.basis[q]);
  }
  if (!some) return Meeting::not_asked;
  if (!is_simple(w)) return Meeting::not_simple;
  for (int q = 0; q < w.d(); q++) wall_facets(w, w.lp.basis[q] >> 6, bit_of(w.lp.basis[q]));
  return Meeting::simple;
}

}  // namespace polyrank
