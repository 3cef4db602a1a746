// The facets of a region as they are handed out, and those of the opposite region.
//
// Theorem. In a central arrangement on R^k, -R is a region with R, and F is a facet of R if and
// only if -F is one of -R; across it lies the region opposite to R's neighbour.
//
// Runs list opposite regions one after the other, so that the second takes its facets from the
// first.
#pragma once

#include "facet_polytope.hpp"
#include "facets.hpp"

namespace polyrank {

// What lies across a facet: domain_wall, a region, missing or pending; and the lowest row that
// carries it.
struct Across {
  std::int64_t to;
  int lowest;
};

inline Across cross(Walk &w, int row, std::int64_t r, int zero_layer) {
  const Listing &run = w.run;
  int lowest = row, layer = -1;
  bool mixed = false;
  std::int64_t count = 0;
  std::uint64_t value = w.hash;
  for (int a = -1; a < w.height; a++) {
    const int other = a < 0 ? row : w.attached[static_cast<std::size_t>(a)].row;
    if (a >= 0 && root(w, other) != row) continue;
    lowest = std::min(lowest, other);
    if (!w.is_unit(other)) continue;
    const std::int64_t g = other - w.walls;
    mixed = mixed || zero_layer > w.layer[g] || (layer >= 0 && w.layer[g] != layer);
    layer = w.layer[g];
    for (std::int64_t f = run.flip_start(g); f < run.flip_start(g + 1); f++)
      w.flips[static_cast<std::size_t>(count++)] = run.flip(f);
    value ^= run.flip_key(g);
  }
  if (!w.is_unit(lowest)) return {domain_wall, lowest};
  if (mixed) {  // a unit above another one vanishes on the facet: its row on the other side decides
    w.stat.pending++;
    return {pending, lowest};
  }
  return {run.codes.find(value, r, w.flips.data(), count), lowest};
}

inline void keep_point(Walk &w, std::int64_t owner, int m, double side) {
  w.found.owner.push_back(owner);
  const double *point = w.cell().point.data() + static_cast<std::int64_t>(m) * w.chart;
  for (int l = 0; l < w.chart; l++) w.found.point.push_back(side * point[l]);
}

inline void keep_odd(Walk &w, std::int64_t r, std::int64_t to, int row) {
  w.found.odd.insert(w.found.odd.end(), {r, to, row});
}

// Lists the facets of region r that earlier ones have not told it of.
inline void list_facets(Walk &w, std::int64_t r, int zero_layer) {
  const CellRows &cell = w.cell();
  int facets = 0;
  for (int m = cell.always; m < cell.count; m++) {
    w.places[facets] = m;
    facets += (cell.status[m] == Status::facet) & (cell.to[m] != known);
  }
  w.facets.clear();
  for (int i = 0; i < facets; i++) {
    const int m = w.places[i], row = cell.row[m];
    if (cell.to[m] != unknown) {
      w.facets.push_back({m, row, true, cell.to[m]});
      continue;
    }
    const Across across = cross(w, row, r, zero_layer);
    w.facets.push_back(
        {m, across.lowest, across.lowest == row && across.to >= 0 && is_alone(w, row), across.to});
  }
}

// Writes the listed facets, of region r. Points are on the side of the region that was walked over.
inline void emit_facets(Walk &w, std::int64_t r, double side) {
  Found &found = w.found;
  for (const NewFacet &facet : w.facets) {
    const std::int64_t to = facet.to;
    if (to == domain_wall) {
      found.wall_region.push_back(static_cast<std::int32_t>(r));
      found.wall_row.push_back(facet.row);
    } else if (to > r) {
      const auto e = static_cast<std::int32_t>(found.edges());
      const bool linked = facet.linked && w.in_block(to);
      found.edge_source.push_back(static_cast<std::int32_t>(r));
      found.edge_target.push_back(static_cast<std::int32_t>(to));
      found.edge_row.push_back(facet.row);
      found.edge_next.push_back(last_edge);
      found.alone.push_back(!linked);
      if (linked) {
        std::int32_t &head = found.head[static_cast<std::size_t>(to - w.first)];
        found.edge_next.back() = head;
        head = e;
      }
      if (w.cell().has_point[facet.place]) keep_point(w, e, facet.place, side);
    } else {
      if (to < 0) keep_point(w, -1 - found.odds(), facet.place, side);
      keep_odd(w, r, to, facet.row);
      w.stat.missing += to == missing;
    }
  }
}

// Whether region r + 1 is listed as the opposite of region r, its witness as that of r.
inline bool is_opposite(const Walk &w, std::int64_t r) {
  const Listing &run = w.run;
  const CodeTable &codes = run.codes;
  if (r + 1 >= codes.regions()) return false;
  const bool zeros = run.zero.shape[0] > 0;
  for (std::int64_t c = 0; c < codes.bytes(); c++) {
    const int vanish = zeros ? run.zero(r, c) : 0;
    if (zeros && run.zero(r + 1, c) != vanish) return false;
    if ((codes.code(r, c) ^ codes.code(r + 1, c)) != (run.mask(w.stages, c) & ~vanish))
      return false;
  }
  for (int l = 0; l < w.chart; l++)
    if (!(run.witness(r + 1, l) == -run.witness(r, l))) return false;
  return true;
}

// Writes the facets of the region after the one whose facets are listed, if it is the opposite one
// and all its neighbours are listed like those of the first; false, and nothing is written, where
// that is not so.
inline bool turn_facets(Walk &w) {
  const std::int64_t r = w.listed, turned = r + 1;
  if ((r & 1) != 0 || !is_opposite(w, r)) return false;
  const CodeTable &codes = w.run.codes;
  const CellRows &cell = w.cell();
  int told = 0;
  for (int m = cell.always; m < cell.count; m++)
    told += (cell.status[m] == Status::facet) & (cell.to[m] == known);
  for (std::int32_t e = w.found.head[static_cast<std::size_t>(turned - w.first)]; e != last_edge;
       e = w.found.edge_next[static_cast<std::size_t>(e)]) {
    const int m = cell.position[w.found.edge_row[static_cast<std::size_t>(e)]];
    if (m < 0 || cell.status[m] != Status::facet || cell.to[m] != known) return false;
    told--;
  }
  if (told != 0) return false;
  for (const NewFacet &facet : w.facets) {
    const std::int64_t to = facet.to, across = to ^ 1;
    if (to < 0 || across >= codes.regions() || (to > r) != (across > turned)) return false;
    for (std::int64_t c = 0; c < codes.bytes(); c++)
      if ((codes.code(to, c) ^ codes.code(r, c)) != (codes.code(across, c) ^ codes.code(turned, c)))
        return false;
  }
  for (NewFacet &facet : w.facets) facet.to ^= 1;
  emit_facets(w, turned, -1.0);
  w.listed = -1;
  w.stat.by_opposite++;
  return true;
}

}  // namespace polyrank
