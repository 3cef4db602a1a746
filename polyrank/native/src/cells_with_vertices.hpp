// The search over cells with vertices: depth first, layer by layer, unit by unit.
//
// The signs of a layer's units at the vertices of a cell say all: a unit with vertices strictly on
// both sides cuts the cell, every other unit has one weak sign on it. Signs are bits, so that one
// OR over a cell's vertices finds every unit that cuts. A cut keeps all vertices and adds those on
// the cut edges, and there only units with opposite signs at the two ends are evaluated.
//
// What float bounds and integers do not decide is asked: `run` returns Stop::ask, the caller
// answers in rationals and calls again. Processing a cell has no effect before its questions are
// answered, so it starts again and finds the answers in the order in which it asks.
#pragma once

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>

#include "miss.hpp"
#include "proof_log.hpp"
#include "split.hpp"
#include "vertex_regions.hpp"
#include "vertex_search.hpp"
#include "vertex_signs.hpp"

namespace polyrank::vertices {

// Why `run` returned.
enum class Stop : int {
  done = 0,
  output_full = 1,
  budget = 3,  // or the time is up
  log_full = 4,
  ask = 10,      // answer the questions and call again
  witness = 12,  // the cell on top is a region; accept it with a witness
  certify = 13,  // a miss on the cell on top needs exact multipliers
};

// OR of the signs of layer k over the cell's vertices; returns the first unit that cuts, or -1.
template <class S> int gather(S &s, int k, const Faces &cell) {
  const auto &pool = s.pool;
  const std::int32_t w0 = s.word_start[k], w1 = s.word_start[k + 1];
  const std::int32_t *vertices = &pool.cycle[cell.vertex_first];
  int cut = -1;
  for (std::int32_t w = w0; w < w1; w++) {
    std::uint64_t pos = 0, neg = 0;
    const SignWord *signs = pool.signs.data() + w;
    for (std::int32_t p = 0; p < cell.vertex_size; p++) {
      const SignWord &word = signs[static_cast<std::size_t>(vertices[p]) * pool.words];
      pos |= word.pos;
      neg |= word.neg;
    }
    s.gathered[w] = {pos, neg};
    if (cut < 0 && (pos & neg) != 0) cut = (w - w0) * 64 + std::countr_zero(pos & neg);
  }
  return cut;
}

// Adds to the next layer's rows the units of layer k that no longer cut cell f.
template <class S> void add_decided(S &s, int k, std::size_t f) {
  if (k + 1 >= s.layers) return;
  const std::int32_t w0 = s.word_start[k];
  const std::int64_t a = s.net.unit_start(k);
  std::uint64_t *pending = s.pool.pending_of(f);
  for (std::int32_t w = w0; w < s.word_start[k + 1]; w++) {
    const SignWord all = s.gathered[w];
    // multiples of other units wait for these
    const std::uint64_t ready =
        pending[w - w0] & ~(all.pos & all.neg) & (s.counted[w] | s.no_plane[w]);
    pending[w - w0] &= ~ready;
    const std::uint64_t up = all.pos | s.no_plane[w];
    for (std::uint64_t rest = ready & ((up & s.live_pos[w]) | (~up & s.live_neg[w])); rest != 0;
         rest &= rest - 1) {
      const int i = std::countr_zero(rest);
      const std::int64_t j = (w - w0) * 64 + i;
      const bool above = (up >> i & 1) != 0;
      s.next_rows.note(s.path, k + 1, j, above ? s.net.slope_pos(a + j) : s.net.slope_neg(a + j));
    }
  }
  s.next_rows.add(f, k + 1);
}

// The region's bits, zeros and bounding units of layer k on the path, and its rank.
template <class S> void close_layer(S &s, int k, std::size_t f) {
  const Network &net = s.net;
  const std::int32_t w0 = s.word_start[k], w1 = s.word_start[k + 1];
  const std::uint64_t *walls = s.pool.split_of(f);
  const auto a = net.unit_start(k);
  const int n = static_cast<int>(net.units(k));
  if (s.plain[k]) {
    for (std::int32_t w = w0; w < w1; w++) {
      const SignWord all = s.gathered[w];
      s.bounding[w] = walls[w - w0];
      s.path.active[w - w0] =
          ((all.pos & s.live_pos[w]) | (~all.pos & s.live_neg[w])) & (all.pos | all.neg);
    }
    if (!s.all_plain) s.write_layer(k);
    rank_of_active(s.path, k);
    return;
  }
  for (int i = 0; i < n; i++) {
    const std::uint64_t bit = std::uint64_t{1} << (i & 63);
    const SignWord all = s.gathered[w0 + (i >> 6)];
    s.split[i] = (walls[i >> 6] & bit) != 0;
    s.bits[i] = !net.hyperplane(a + i) ? 1
                : net.tie(a + i) >= 0  ? 3
                : (all.pos & bit) != 0 ? 1
                : (all.neg & bit) != 0 ? 0
                                       : 2;
  }
  finish_layer(s.path, k, s.bits.data(), s.split.data());
  if (k + 1 >= s.layers) return;
  std::uint64_t *pending = s.pool.pending_of(f);
  for (std::int32_t w = 0; w < w1 - w0; w++) {
    for (std::uint64_t rest = pending[w]; rest != 0; rest &= rest - 1) {
      const std::int64_t j = 64 * w + std::countr_zero(rest);
      s.next_rows.note(s.path, k + 1, j, s.path.slope_of(a + j));
    }
    pending[w] = 0;
  }
  s.next_rows.add(f, k + 1);
}

// Bounds of the signs of layer k's units, and what needs no vertex: units without a hyperplane,
// tied ones, constant rows, the cube's bound.
template <class S> void enter(S &s, int k) {
  constexpr int D = S::D;
  const Network &net = s.net;
  const std::int64_t a = net.unit_start(k), n = net.units(k), stride = s.path.column_stride;
  LayerScratch &scratch = s.layer_scratch;
  const double *columns = s.path.columns.data() + a, *radii = s.path.radius.data() + a;
  for (std::int64_t w = 0; 64 * w < n; w++) {
    Mask special{};
    const std::int64_t base = 64 * w, end = n - base < 64 ? n - base : 64;
    for (std::int64_t i = 0; i < end; i += lane_count) {
      Lanes spread{}, flat{}, c, v, radius;
      for (int l = 0; l < D; l++) {
        load(v, columns + l * stride + base + i);
        absolute(v, v);
        spread += v;
        if (l == D - 2) flat = spread;
      }
      load(c, columns + D * stride + base + i);
      absolute(c, c);
      load(radius, radii + base + i);
      store(scratch.reach.data() + base + i, radius * (D + 1) * inflate);
      store(scratch.sums.data() + base + i, (spread + D * radius) * inflate);
      const Lanes zero{};
      Mask found = (c > (spread + (D + 1) * radius) * inflate) | (spread == zero);
      if (S::homogeneous) found |= flat == zero;
      Mask bit;
      load_bits(bit, i);
      special |= found & bit;
    }
    std::uint64_t valid = end == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << end) - 1;
    std::uint64_t chosen =
        static_cast<std::uint64_t>(special[0] | special[1] | special[2] | special[3]);
    const std::int64_t at = s.word_start[k] + w;
    chosen = (chosen | ~s.counted[at]) & valid;
    LayerScratch::Known known{valid & ~chosen, 0, 0};
    for (; chosen != 0; chosen &= chosen - 1) {
      const std::int64_t i = base + std::countr_zero(chosen);
      const std::uint64_t bit = chosen & -chosen;
      switch (decide_unit(s.path.dim, s.path, k, i)) {
        case undecided: known.ask |= bit; break;
        case positive: known.up |= bit & ~s.no_plane[at]; break;
        case negative: known.down |= bit; break;
        default: break;
      }
    }
    scratch.known[static_cast<std::size_t>(w)] = known;
  }
}

// Rows of the layer of the cell on top, its signs at the cell's vertices, its open units; false
// where a question is open.
template <class S> bool open_layer(S &s, std::size_t f) {
  auto &pool = s.pool;
  OpenPolytope &cell = pool.cells[f];
  const int layer = cell.layer;
  const std::int64_t mark = s.path.log.size;
  if (layer > 0 && !s.next_rows.rows(f, layer, s.path)) {
    s.write_path(layer);
    next_layer(s.path, layer);
  }
  if (s.bare[layer]) {
    std::fill(s.layer_scratch.known.begin(), s.layer_scratch.known.end(), LayerScratch::Known{});
  } else {
    enter(s, layer);
    evaluate_layer(s, layer, cell.faces.vertex_first, cell.faces.vertex_size);
  }
  if (!s.questions.open.empty()) {
    s.path.log.size = mark;
    return false;
  }
  for (std::int32_t p = 0; p < cell.faces.vertex_size; p++) {
    auto &vertex = pool.vertices[pool.cycle[cell.faces.vertex_first + p]];
    vertex.layers_done = std::max(vertex.layers_done, layer + 1);
  }
  std::uint64_t *open = pool.open_of(f), *split = pool.split_of(f), *pending = pool.pending_of(f);
  const std::int64_t n = s.net.units(layer);
  for (std::int64_t w = 0; 64 * w < n; w++) {
    open[w] = s.layer_scratch.known[static_cast<std::size_t>(w)].ask;
    split[w] = 0;
    pending[w] = n - 64 * w >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << (n - 64 * w)) - 1;
  }
  s.next_rows.clear(f, layer + 1);
  if (layer == 0 && s.conic)
    // cone f of R^K is made by these units
    for (const std::int32_t g : s.root_units) {
      const std::uint64_t bit = std::uint64_t{1} << (g & 63);
      open[g >> 6] &= ~bit;
      split[g >> 6] |= bit;
    }
  cell.fresh = false;
  s.questions.answers.clear();
  s.questions.cursor = 0;
  return true;
}

// Process open cells until `base` are left, a buffer is full, a question is open, so many steps are
// taken (`budget`), or so many seconds have passed.
template <class S> Stop run(S &s, std::int64_t base, std::int64_t budget, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  constexpr int steps_between_looks = 16;
  int steps = 0;
  auto &pool = s.pool;
  ProofLog &log = s.path.log;
  const bool logging = log.on();
  const std::int64_t log_limit = log.capacity() - log_reserve(s.net.total(), S::D);
  while (static_cast<std::int64_t>(pool.cells.size()) > base) {
    const std::size_t f = pool.cells.size() - 1;
    pool.top = pool.cells[f].top;
    if (s.output.count >= s.output.capacity) return Stop::output_full;
    if (logging && log.size > log_limit) return Stop::log_full;
    if (budget <= 0) return Stop::budget;
    if (++steps == steps_between_looks) {
      if (Clock::now() > end) return Stop::budget;
      steps = 0;
    }
    pool.reserve_halves(pool.cells[f].faces);
    s.reserve_cell(f);
    budget--;
    s.questions.cursor = 0;
    s.questions.open.clear();
    const int layer = pool.cells[f].layer;
    if (pool.cells[f].fresh && !open_layer(s, f)) return Stop::ask;
    if (logging && pool.cells[f].unit >= 0) {
      OpenPolytope &cell = pool.cells[f];
      const std::int64_t g = s.net.unit_start(layer) + cell.unit;
      push_row(s.rows, s.path, cell.rows, g, cell.side);
      s.row_of[static_cast<std::size_t>(g)] = cell.rows++;
      cell.unit = -1;
    }
    const int cut = gather(s, layer, pool.cells[f].faces);
    if (logging && log_misses(s, layer, f)) return Stop::certify;
    add_decided(s, layer, f);
    const std::int64_t mark = log.size;
    if (cut >= 0) {
      const Cut by{layer, cut, s.word_start[layer] + (cut >> 6), std::uint64_t{1} << (cut & 63)};
      const OpenPolytope whole = pool.cells[f];
      Halves halves;
      if constexpr (S::K == 3)
        split_polyhedron(s, by, whole.faces, s.crossings, halves);
      else if constexpr (S::K == 2)
        split_polygon(s, by, whole.faces, halves);
      else
        split_segment(s, by, whole.faces, halves);
      if (!s.questions.open.empty()) {
        log.size = mark;
        return Stop::ask;
      }
      s.questions.answers.clear();
      s.path.stat.cells++;
      s.path.stat.cuts++;
      log.unit(LogStep::split, cut);
      std::uint64_t *open = pool.open_of(f), *split = pool.split_of(f);
      open[cut >> 6] &= ~by.bit;
      split[cut >> 6] |= by.bit;
      std::copy_n(open, pool.layer_words, pool.open_of(f + 1));
      std::copy_n(split, pool.layer_words, pool.split_of(f + 1));
      std::copy_n(pool.pending_of(f), pool.layer_words, pool.pending_of(f + 1));
      s.next_rows.copy(f, f + 1, layer + 1);
      const double share = whole.share * 0.5;
      pool.cells[f] = {halves.half[0], pool.top,   layer, cut,  -1,
                       whole.rows,     whole.cone, false, share};
      pool.cells.push_back(
          {halves.half[1], pool.top, layer, cut, 1, whole.rows, whole.cone, false, share});
      continue;
    }
    close_layer(s, layer, f);
    if (layer + 1 < s.layers) {
      log.step(LogStep::next);
      pool.cells[f].layer = layer + 1;
      pool.cells[f].fresh = true;
      continue;
    }
    s.path.stat.cells++;
    if (!find_witness(s, pool.cells[f].faces)) return Stop::witness;
    accept(s);
  }
  return Stop::done;
}

// Rows of the cell on top in the order that a segment's head, and its splits, give them.
template <class S> POLYRANK_COLD void open_segment(S &s) {
  auto &pool = s.pool;
  const std::size_t f = pool.cells.size() - 1;
  OpenPolytope &cell = pool.cells[f];
  s.write_path(cell.layer);
  int rows = static_cast<int>(s.rows.walls);
  const int made = static_cast<int>(s.root_units.size());
  for (int k = 0; k <= cell.layer; k++) {
    const std::int64_t a = s.net.unit_start(k);
    for (int i = 0; i < s.net.units(k); i++) {
      const std::uint64_t bit = std::uint64_t{1} << (i & 63);
      int side = 0;
      if (cell.fresh && s.conic && cell.layer == 0) {
        for (int j = 0; j < made; j++)
          if (s.root_units[j] == i) side = cell.cone >> (made - 1 - j) & 1 ? 1 : -1;
      } else if (k < cell.layer) {
        if (s.path.split[a + i] == 1) side = s.path.bit[a + i] == 1 ? 1 : -1;
      } else if (!cell.fresh && (pool.split_of(f)[i >> 6] & bit) != 0) {
        side = -1;
        for (std::int32_t p = 0; p < cell.faces.vertex_size; p++) {
          const std::int32_t v = pool.cycle[cell.faces.vertex_first + p];
          if ((pool.signs_of(v)[s.word_start[k] + (i >> 6)].pos & bit) != 0) side = 1;
        }
      }
      if (side == 0) continue;
      push_row(s.rows, s.path, rows, a + i, side);
      s.row_of[static_cast<std::size_t>(a + i)] = rows++;
    }
  }
  cell.rows = rows;
  cell.unit = -1;
}

}  // namespace polyrank::vertices
