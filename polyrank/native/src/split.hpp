// A cell cut in two by a hyperplane that has vertices strictly on both sides.
//
// Purely combinatorial, given the signs: nothing here looks at a coordinate. Vertices on the
// hyperplane belong to both halves. The vertex list of a half is a slice of the cycles; for
// polygons and segments it is the cycle itself.
#pragma once

#include <cstdint>
#include <vector>

#include "vertex.hpp"
#include "vertex_pool.hpp"

namespace polyrank::vertices {

// The unit that cuts, and where its signs lie.
struct Cut {
  int layer, unit;
  std::int32_t word;
  std::uint64_t bit;
};

// [0] the half where the unit is negative, [1] the other one.
struct Halves {
  Faces half[2];
};

// An edge that the hyperplane cuts, as the first of its two facets runs along it, the label of that
// facet, and the new vertex. The second facet runs the other way and completes the vertex's labels.
struct CutEdge {
  std::int32_t from, to, vertex;
  Label label;
};

template <class S> int side_of(S &s, std::int32_t v, const Cut &cut) {
  const SignWord signs = s.pool.signs_of(v)[cut.word];
  return (signs.pos & cut.bit) != 0 ? 1 : (signs.neg & cut.bit) != 0 ? -1 : 0;
}

template <class S> void split_segment(S &s, const Cut &cut, const Faces &cell, Halves &out) {
  auto &pool = s.pool;
  const std::int32_t u = pool.cycle[cell.vertex_first], w = pool.cycle[cell.vertex_first + 1];
  const std::int32_t v = pool.top.vertices++;
  cut_edge(s, cut.layer, cut.unit, u, w, at_infinity, at_infinity, v);
  for (int part = 0; part < 2; part++) {
    const std::int32_t q = pool.top.entries;
    pool.top.entries += 2;
    const bool keep_u = (side_of(s, u, cut) > 0) == (part == 1);
    pool.cycle[q] = keep_u ? u : v;
    pool.cycle[q + 1] = keep_u ? v : w;
    out.half[part] = {q, 2, 0, 0};
  }
}

// One pass round the cycle writes both halves.
template <class S> void split_polygon(S &s, const Cut &cut, const Faces &cell, Halves &out) {
  auto &pool = s.pool;
  const std::int32_t first = cell.vertex_first, size = cell.vertex_size;
  const auto g = static_cast<Label>(s.net.unit_start(cut.layer) + cut.unit);
  const std::int32_t low = pool.top.entries, high = low + size + 2;
  pool.top.entries = high + size + 2;
  std::int32_t a = low, b = high;
  int here = side_of(s, pool.cycle[first], cut);
  for (std::int32_t j = 0; j < size; j++) {
    const std::int32_t u = pool.cycle[first + j];
    const Label label = pool.edge[first + j];
    const std::int32_t w = pool.cycle[first + (j + 1 < size ? j + 1 : 0)];
    const int there = side_of(s, w, cut);
    // signs are random: both halves are written, and what is not theirs is written over
    pool.cycle[a] = u;
    pool.edge[a] = here == 0 && there > 0 ? g : label;
    a += here <= 0;
    pool.cycle[b] = u;
    pool.edge[b] = here == 0 && there < 0 ? g : label;
    b += here >= 0;
    if (here * there < 0) {
      const std::int32_t v = pool.top.vertices++;
      cut_edge(s, cut.layer, cut.unit, u, w, label, at_infinity, v);
      pool.cycle[a] = v;
      pool.edge[a++] = here < 0 ? g : label;
      pool.cycle[b] = v;
      pool.edge[b++] = here > 0 ? g : label;
    }
    here = there;
  }
  out.half[0] = {low, a - low, 0, 0};
  out.half[1] = {high, b - high, 0, 0};
}

// Clip the facets, then close both halves with the section.
template <class S>
void split_polyhedron(S &s, const Cut &cut, const Faces &cell, std::vector<CutEdge> &crossings,
                      Halves &out) {
  auto &pool = s.pool;
  const auto g = static_cast<Label>(s.net.unit_start(cut.layer) + cut.unit);
  // two facet lists, each with room for every facet and the section
  const std::int32_t low = pool.top.lists, high = low + cell.list_size + 1;
  pool.top.lists = high + cell.list_size + 1;
  std::int32_t a = low, b = high, start = -1, links = 0;
  crossings.clear();
  std::int8_t *const sides = pool.side.data();
  for (std::int32_t j = 0; j < cell.vertex_size; j++) {
    const std::int32_t v = pool.cycle[cell.vertex_first + j];
    sides[v] = static_cast<std::int8_t>(side_of(s, v, cut));
  }
  for (std::int32_t q = cell.list_first; q < cell.list_first + cell.list_size; q++) {
    const std::int32_t c = pool.lists[q];
    const Facet facet = pool.facets[c];
    const std::int32_t first = facet.first, size = facet.size;
    std::int32_t above = 0, below = 0;
    for (std::int32_t j = 0; j < size; j++) {
      const int side = sides[pool.cycle[first + j]];
      above += side > 0;
      below += side < 0;
    }
    if (below == 0) {
      pool.lists[b++] = c;
      if (above < size) {
        // an edge in the hyperplane bounds the section
        for (std::int32_t j = 0; j < size; j++) {
          const std::int32_t u = pool.cycle[first + j];
          const std::int32_t w = pool.cycle[first + (j + 1 < size ? j + 1 : 0)];
          if (sides[u] == 0 && sides[w] == 0) {
            pool.follows[w] = u;
            start = w;
            links++;
          }
        }
      }
      continue;
    }
    if (above == 0) {
      pool.lists[a++] = c;
      continue;
    }
    // at most one vertex more than before, and one place to write what is not theirs
    const std::int32_t p0 = pool.top.entries, m0 = p0 + size + 2;
    pool.top.entries = m0 + size + 2;
    std::int32_t p = p0, m = m0, enter = -1, leave = -1;
    int here = sides[pool.cycle[first]];
    for (std::int32_t j = 0; j < size; j++) {
      const std::int32_t u = pool.cycle[first + j];
      const std::int32_t w = pool.cycle[first + (j + 1 < size ? j + 1 : 0)];
      const int there = sides[w];
      pool.cycle[p] = u;
      p += here >= 0;
      pool.cycle[m] = u;
      m += here <= 0;
      if (here == 0) {
        if (there > 0)
          enter = u;
        else if (there < 0)
          leave = u;
      } else if (here * there < 0) {
        std::int32_t v = -1;
        for (const CutEdge &edge : crossings)
          if (edge.from == w && edge.to == u) {
            v = edge.vertex;
            cut_edge(s, cut.layer, cut.unit, w, u, edge.label, facet.label, v);
            break;
          }
        if (v < 0) {
          v = pool.top.vertices++;
          crossings.push_back({u, w, v, facet.label});
        }
        pool.cycle[p++] = v;
        pool.cycle[m++] = v;
        if (there > 0)
          enter = v;
        else
          leave = v;
      }
      here = there;
    }
    // the positive part runs leave -> enter along the hyperplane: the section runs against it
    pool.follows[enter] = leave;
    start = enter;
    links++;
    const std::int32_t e = pool.top.facets;
    pool.top.facets = e + 2;
    pool.facets[e] = {m0, m - m0, facet.label};
    pool.lists[a++] = e;
    pool.facets[e + 1] = {p0, p - p0, facet.label};
    pool.lists[b++] = e + 1;
  }
  // the section, forwards for the positive half and backwards for the negative one
  for (int part = 0; part < 2; part++) {
    const std::int32_t e = pool.top.facets++, at = pool.top.entries;
    pool.facets[e] = {at, links, g};
    pool.top.entries = at + links;
    std::int32_t v = start;
    for (std::int32_t j = 0; j < links; j++) {
      pool.cycle[part == 1 ? at + j : at + links - 1 - j] = v;
      v = pool.follows[v];
    }
    if (part == 1)
      pool.lists[b++] = e;
    else
      pool.lists[a++] = e;
  }
  // vertex lists
  for (int part = 0; part < 2; part++) {
    const std::int32_t at = pool.top.entries;
    std::int32_t n = at;
    for (std::int32_t j = 0; j < cell.vertex_size; j++) {
      const std::int32_t u = pool.cycle[cell.vertex_first + j];
      const int side = sides[u];
      pool.cycle[n] = u;
      n += part == 1 ? side >= 0 : side <= 0;
    }
    for (const CutEdge &edge : crossings) pool.cycle[n++] = edge.vertex;
    pool.top.entries = n;
    out.half[part] = {at, n - at, part == 0 ? low : high, part == 0 ? a - low : b - high};
  }
}

}  // namespace polyrank::vertices
