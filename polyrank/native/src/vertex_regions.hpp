// A cell that is a region: its witness, its row in the output, and the cell itself where it is
// kept.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "points.hpp"
#include "vertex.hpp"
#include "vertex_search.hpp"

namespace polyrank::vertices {

// Proof that the candidate lies strictly on the cell's side of one of its facets.
template <class S> bool strictly_beyond(const S &s, Label label) {
  constexpr int D = S::D;
  if (label == at_infinity) return true;
  const Hyperplane plane = hyperplane_of(s, label);
  double z = plane.row[D];
  for (int l = 0; l < D; l++) z += plane.row[l] * s.candidate[l];
  if (label >= 0 && !s.is_above(label)) z = -z;
  return z > plane.radius * (D + 1) * inflate;
}

template <class S, class F> bool all_labels(const S &s, const Faces &cell, F &&holds) {
  const auto &pool = s.pool;
  if constexpr (S::K == 3) {
    for (std::int32_t q = cell.list_first; q < cell.list_first + cell.list_size; q++)
      if (!holds(pool.facets[pool.lists[q]].label)) return false;
  } else {
    for (std::int32_t p = cell.vertex_first; p < cell.vertex_first + cell.vertex_size; p++)
      if (!holds(S::K == 2 ? pool.edge[p] : pool.vertices[pool.cycle[p]].label[0])) return false;
  }
  return true;
}

// A float64 point strictly inside the cell, proved, in `chart_point`.
template <class S> bool find_witness(S &s, const Faces &cell) {
  constexpr int D = S::D;
  for (int attempt = 0; attempt < 3; attempt++) {
    double sum[D] = {}, weight = 0.0;
    for (std::int32_t p = 0; p < cell.vertex_size; p++) {
      const double t = attempt == 0 ? 1.0 : 1.0 + (p * (7 + 4 * attempt)) % 5;
      const auto &vertex = s.pool.vertices[s.pool.cycle[cell.vertex_first + p]];
      weight += t;
      for (int l = 0; l < D; l++) sum[l] += t * vertex.x[l];
    }
    for (int l = 0; l < D; l++) s.candidate[l] = sum[l] / weight;
    if (!round_to_chart(s.net, s.candidate, s.chart_point)) continue;
    bool inside = true;
    for (int l = 0; l < D; l++) inside = inside && std::fabs(s.candidate[l]) <= 1.0;
    inside = inside && all_labels(s, cell, [&](Label label) { return strictly_beyond(s, label); });
    if (S::homogeneous && !(s.candidate[D - 1] > 0.0)) inside = false;
    if (inside) return true;
  }
  return false;
}

// Copy the cell with its faces; its vertices get the numbers of their places.
template <class S> void keep_cell(S &s, const Faces &cell) {
  constexpr int D = S::D;
  auto &pool = s.pool;
  auto &kept = s.kept;
  for (std::int32_t p = 0; p < cell.vertex_size; p++) {
    const std::int32_t v = pool.cycle[cell.vertex_first + p];
    const auto &vertex = pool.vertices[v];
    if constexpr (S::K == 3) pool.follows[v] = p;
    kept.x.insert(kept.x.end(), vertex.x, vertex.x + D);
    kept.err.push_back(vertex.err);
    const SignWord *signs = pool.signs_of(v);
    for (std::int32_t w = 0; w < pool.words; w++) {
      kept.pos.push_back(signs[w].pos);
      kept.neg.push_back(signs[w].neg);
    }
    for (int q = 0; q < 3; q++)
      kept.label.push_back(outer_label(q < S::K ? vertex.label[q < S::K ? q : 0] : at_infinity));
  }
  if constexpr (S::K == 3) {
    for (std::int32_t q = cell.list_first; q < cell.list_first + cell.list_size; q++) {
      const Facet &facet = pool.facets[pool.lists[q]];
      kept.facet_size.push_back(facet.size);
      kept.facet_label.push_back(outer_label(facet.label));
      for (std::int32_t j = facet.first; j < facet.first + facet.size; j++)
        kept.cycle.push_back(pool.follows[pool.cycle[j]]);
    }
  } else {
    for (std::int32_t p = 0; p < cell.vertex_size; p++) kept.cycle.push_back(p);
  }
  kept.first.push_back(static_cast<std::int64_t>(kept.err.size()));
  kept.first.push_back(static_cast<std::int64_t>(kept.cycle.size()));
  kept.first.push_back(static_cast<std::int64_t>(kept.facet_size.size()));
}

// Write the path's region; whole words where every layer is plain.
template <class S> void emit(S &s) {
  if (!s.all_plain) {
    emit_region(s.path, s.output, s.chart_point);
    return;
  }
  Regions &out = s.output;
  std::uint8_t *bit = out.bit.data() + out.count * out.code_bytes;
  std::uint8_t *zero = out.zero.data() + out.count * out.code_bytes;
  std::uint64_t bits = 0, zeros = 0;
  int filled = 0;
  const auto flush = [&](int bytes) {
    for (int c = 0; c < bytes; c++) {
      *bit++ = static_cast<std::uint8_t>(bits >> (8 * c));
      *zero++ = static_cast<std::uint8_t>(zeros >> (8 * c));
    }
  };
  for (int k = 0; k < s.layers; k++) {
    if (s.bare[k]) continue;
    int left = static_cast<int>(s.net.units(k));
    for (std::int32_t w = s.word_start[k]; w < s.word_start[k + 1]; w++) {
      const int count = std::min(left, 64);
      left -= count;
      const std::uint64_t mask = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
      const std::uint64_t up = s.gathered[w].pos & mask;
      const std::uint64_t none = mask & ~(s.gathered[w].pos | s.gathered[w].neg);
      bits |= up << filled;
      zeros |= none << filled;
      const int taken = std::min(count, 64 - filled);
      filled += taken;
      if (filled == 64) {
        flush(8);
        filled = count - taken;
        bits = filled > 0 ? up >> taken : 0;
        zeros = filled > 0 ? none >> taken : 0;
      }
    }
  }
  flush((filled + 7) / 8);
  // without a hyperplane a codeword still has a byte
  if (bit == out.bit.data() + out.count * out.code_bytes) flush(1);
  for (std::int64_t l = 0; l < out.layers; l++)
    out.rank[out.count * out.layers + l] =
        static_cast<std::int16_t>(s.path.rank[static_cast<std::size_t>(l)]);
  for (std::int64_t l = 0; l < out.chart_dim; l++)
    out.point[out.count * out.chart_dim + l] = s.chart_point[l];
  out.count++;
  s.path.stat.regions++;
}

// The cell on top, with the witness in `chart_point`, is a region.
template <class S> void accept(S &s) {
  const OpenPolytope &cell = s.pool.cells.back();
  if (s.keeps) keep_cell(s, cell.faces);
  emit(s);
  s.path.log.step(LogStep::leaf);
  s.done_share += cell.share;
  s.pool.cells.pop_back();
}

}  // namespace polyrank::vertices
