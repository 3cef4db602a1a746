// All vertices of a cell, where it has few: they tell its facets and which rows are redundant.
//
// Theorem. Let V be a set of simple vertices of a bounded cell, not empty, and let every edge from
// one of them end in another one. Then V are all its vertices, since the graph of a polytope is
// connected, and the cell is their convex hull. So a row carries a facet if it meets one of them,
// and is redundant if not.
//
// Each vertex is proved simple once, for all the cells around it; so is each edge between two of
// them. That two simple vertices lie on one edge needs no ratio test: they share d - 1 rows and
// belong to one cell.
#pragma once

#include "facet_program.hpp"

namespace polyrank {

// Cells of more dimensions have too many vertices.
inline constexpr int most_dimensions_with_vertices = 3;

inline bool lists_vertices(const Walk &w) {
  return w.d() <= most_dimensions_with_vertices && w.cell().always == 0;
}

// Rows that meet in a simple vertex, among the 64 of a word.
inline std::uint64_t meeting(const Walk &w, int v, int c) {
  const int rows = std::min(w.cell().count - 64 * c, 64);
  return ~static_cast<std::uint64_t>(w.vertices().mask[c * w.vertices().most + v]) &
         (~std::uint64_t{0} >> (64 - rows));
}

// The place of a row of a simple vertex such that it is not known where the vertex's edge in the
// current cell that leaves the row ends; -1 where all are known.
inline int open_edge(const Walk &w, int v) {
  const VertexStore &store = w.vertices();
  for (int c = 0; 64 * c < w.cell().count; c++) {
    const std::uint64_t sides = w.cell().side_word[c];
    const std::int64_t at = static_cast<std::int64_t>(c) * store.most + v;
    const std::uint64_t there = (store.linked_up[at] & sides) | (store.linked_down[at] & ~sides);
    if (const std::uint64_t open = meeting(w, v, c) & ~there; open != 0)
      return 64 * c + std::countr_zero(open);
  }
  return -1;
}

// Notes the edge between two simple vertices of the cell if they share all rows but one.
POLYRANK_INLINE void link(Walk &w, int u, int v) {
  VertexStore &store = w.vertices();
  const int words = (w.cell().count + 63) >> 6;
  int apart = 0;
  for (int c = 0; c < words; c++)
    apart += std::popcount(static_cast<std::uint64_t>(store.mask[c * store.most + u] ^
                                                      store.mask[c * store.most + v]));
  if (apart != 2) return;
  for (int c = 0; c < words; c++) {
    const std::uint64_t of_u = meeting(w, u, c), of_v = meeting(w, v, c),
                        sides = w.cell().side_word[c];
    store.linked_up[c * store.most + u] |= of_u & ~of_v & sides;
    store.linked_down[c * store.most + u] |= of_u & ~of_v & ~sides;
    store.linked_up[c * store.most + v] |= of_v & ~of_u & sides;
    store.linked_down[c * store.most + v] |= of_v & ~of_u & ~sides;
  }
}

// Goes from the witness to a vertex.
inline bool go_to_vertex(Walk &w) {
  Program &lp = w.lp;
  start_at_witness(w);
  cell_slacks(w, lp.x.data(), lp.slack.data());
  for (int q = 0; q < w.d(); q++) {
    const Edge edge{q, 1.0};
    const Step step = first_met(w, edge, false);
    if (step.row < 0) return false;
    go_along(w, edge, step);
  }
  return true;
}

// Proves that the program's vertex is simple, from its rows again where its inverse does not do.
inline bool proves_simple(Walk &w) {
  Program &lp = w.lp;
  const int d = w.d(), s = w.dim.square();
  const auto correct = [&] {
    for (int q = 0; q < d; q++) {
      const double *form = w.cell().form.data() + lp.basis[q] * w.dim.stride();
      double z = form[d];
      for (int l = 0; l < d; l++) z += form[l] * lp.x[l];
      lp.rates[q] = z;
    }
    for (int l = 0; l < d; l++)
      for (int q = 0; q < d; q++) lp.x[l] -= lp.inverse[l * s + q] * lp.rates[q];
  };
  correct();
  if (is_simple(w)) return true;
  if (!refactor(w.dim, w.cell().form.data(), lp.basis.data(), lp.inverse.data(), lp.square.data()))
    return false;
  correct();
  return is_simple(w);
}

// Proves that a vertex of the region is simple.
inline bool settle_vertex(Walk &w, int v) {
  if (w.vertices().simple[v]) return true;
  start_at_vertex(w, v);
  if (!proves_simple(w)) return false;
  keep_vertex(w, true);
  return w.vertices().simple[v];
}

// Finds the vertex at the other end of the edge of a simple vertex that leaves the row at a place,
// and proves it simple.
inline bool follow_edge(Walk &w, int v, int place) {
  Program &lp = w.lp;
  start_at_vertex(w, v);
  cell_slacks(w, lp.x.data(), lp.slack.data());
  Edge edge{0, 1.0};
  while (lp.basis[edge.slot] != place) edge.slot++;
  const Step step = first_met(w, edge, false);
  if (step.row < 0) return false;
  go_along(w, edge, step);
  if (!proves_simple(w)) return false;
  const std::size_t before = w.vertices().active.size();
  keep_vertex(w, true);
  return w.vertices().active.size() == before + 1;
}

// Finds all vertices of the cell, each proved to be simple; false where that fails.
inline bool find_vertices(Walk &w) {
  const std::vector<int> &active = w.vertices().active;
  if (2 * w.vertices().size > w.vertices().most) w.vertices().clear();
  if (active.empty()) {
    if (!go_to_vertex(w) || !proves_simple(w)) return false;
    keep_vertex(w, true);
  }
  bool linked = true;
  for (std::size_t i = 0; i < active.size(); i++) {
    if (!settle_vertex(w, active[i])) return false;
    linked = linked && open_edge(w, active[i]) < 0;
  }
  if (linked) return true;
  for (std::size_t i = 0; i < active.size(); i++)
    for (std::size_t j = 0; j < i; j++) link(w, active[i], active[j]);
  for (std::size_t i = 0; i < active.size(); i++)
    for (int place = open_edge(w, active[i]); place >= 0; place = open_edge(w, active[i])) {
      if (!follow_edge(w, active[i], place)) return false;
      const int found = active.back();
      for (std::size_t j = 0; j + 1 < active.size(); j++) link(w, active[j], found);
      if (open_edge(w, active[i]) == place) return false;
    }
  for (const int v : active)
    if (!w.vertices().simple[v] || open_edge(w, v) >= 0) return false;
  return true;
}

// Decides every row of the cell by its vertices: facets stay open where `final`, so that a proof
// with the neighbour can follow, but those on the domain's walls. False, and nothing is decided,
// where that fails.
inline bool settle_at_vertices(Walk &w, bool final) {
  w.now->complete = lists_vertices(w) && (w.now->uncut || find_vertices(w));
  if (!w.now->complete) return false;
  const VertexStore &store = w.vertices();
  CellRows &cell = w.cell();
  for (int c = 0; 64 * c < cell.count; c++) {
    std::int64_t apart = -1;
    for (const int v : store.active) apart &= store.mask[c * store.most + v];
    if (final) wall_facets(w, c, ~static_cast<std::uint64_t>(apart));
    for (int m = 64 * c; m < std::min(64 * (c + 1), cell.count); m++) {
      if ((static_cast<std::uint64_t>(apart) & bit_of(m)) != 0)
        cell.status[m] = Status::out;
      else if (!final)
        cell.status[m] = Status::facet;
    }
  }
  return true;
}

// Finds out for the units of a stage from all vertices of the cell of the stages before.
inline void find_courses(Walk &w, int stage) {
  const VertexStore &store = w.vertices();
  const int d = w.d(), s = w.dim.square();
  const std::int64_t begin = w.run.stage(stage), units = w.run.stage(stage + 1) - begin,
                     stride = w.path.column_stride;
  double error = 0.0, size = 1.0;
  for (const int v : store.active) {
    error = std::max(error, store.error[v]);
    for (int l = 0; l < d; l++) size = std::max(size, std::fabs(store.x[v * s + l]));
  }
  const double factor = (d + 1) * inflate * size, shift = error * inflate;
  for (std::int64_t i = 0; i < units; i += lane_count) {
    const double *columns = w.path.columns.data() + begin + i;
    Lanes low, high, limit;
    fill(low, infinity);
    fill(high, -infinity);
    for (const int v : store.active) {
      Lanes z, a;
      load(z, columns + d * stride);
      for (int l = 0; l < d; l++) {
        load(a, columns + l * stride);
        z += a * store.x[v * s + l];
      }
      low = z < low ? z : low;
      high = z > high ? z : high;
    }
    load(limit, w.path.radius.data() + begin + i);
    limit = limit * factor + shift;
    const Mask up = low > limit, down = high < -limit, cut = (low < -limit) & (high > limit);
    for (int j = 0; j < lane_count && i + j < units; j++)
      w.course[i + j] = (w.orient[w.walls + begin + i + j] > 0.0 ? up[j] : down[j]) != 0
                            ? Course::beside
                        : cut[j] != 0 ? Course::cutting
                                      : Course::unsure;
  }
}

}  // namespace polyrank
