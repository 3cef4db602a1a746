// The search over cells with vertices: depth first, layer by layer, unit by unit.
//
// The signs of a layer's units at the vertices of a cell say all: a unit with vertices strictly on
// both sides cuts the cell, every other unit has one weak sign on it. Signs are bits, so that one OR
// over a cell's vertices finds every unit that cuts. A cut keeps all vertices and adds those on the
// cut edges, and there only units with opposite signs at the two ends are evaluated.
//
// What float bounds and integers do not decide is asked: `run` returns Stop::ask, the caller answers
// in rationals and calls again. Processing a cell has no effect before its questions are answered, so
// it starts again and finds the answers in the order in which it asks.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <vector>

#include "miss.hpp"
#include "network.hpp"
#include "output.hpp"
#include "constraints.hpp"
#include "path.hpp"
#include "points.hpp"
#include "proof_log.hpp"
#include "running_rows.hpp"
#include "split.hpp"
#include "vertex.hpp"
#include "vertex_pool.hpp"
#include "vertex_signs.hpp"

namespace polyrank::vertices {

// A vertex and a unit whose sign there only exact arithmetic tells.
struct Question {
  std::int32_t vertex, unit;
};

struct Questions {
  std::vector<Question> open;
  std::vector<std::int8_t> answers;  // in the order in which the cell on top asks
  std::size_t cursor = 0;
};

struct VertexCounts {
  std::int64_t by_integers = 0;   // signs by integers
  std::int64_t layer_signs = 0;   // signs at vertices of layers
  std::int64_t single_signs = 0;  // signs one by one
};

struct Miss {
  std::int32_t unit, side;
};

// Scratch of evaluate_layer.
struct LayerScratch {
  struct Known {
    std::uint64_t ask, up, down;  // units to evaluate, positive, negative on the whole cell
  };
  Buffer<double> reach, sums;
  std::vector<Known> known;

  explicit LayerScratch(std::int64_t width)
      : reach(width, 0.0), sums(width, 0.0), known(static_cast<std::size_t>((width + 63) / 64)) {}
};

// Finished cells with their faces, for a cell complex; offsets per region.
struct KeptCells {
  std::vector<std::int64_t> first;  // (rows + 1) triples: vertices, cycle entries, facets
  std::vector<double> x, err;
  std::vector<std::uint64_t> pos, neg;
  std::vector<std::int64_t> label;  // three per vertex
  std::vector<std::int64_t> cycle;  // local vertex numbers
  std::vector<std::int64_t> facet_size, facet_label;

  void clear() {
    first.assign(3, 0);
    x.clear(), err.clear(), pos.clear(), neg.clear(), label.clear(), cycle.clear();
    facet_size.clear(), facet_label.clear();
  }
};

// Why `run` returned.
enum class Stop : int {
  done = 0,
  output_full = 1,
  budget = 3,    // or the time is up
  log_full = 4,
  ask = 10,      // answer the questions and call again
  witness = 12,  // the cell on top is a region; accept it with a witness
  certify = 13,  // a miss on the cell on top needs exact multipliers
};

// Names of hyperplanes outside the core: 64 bits, the far side of a cone as -2^40.
inline constexpr std::int64_t outer_label(Label label) {
  return label == at_infinity ? -(std::int64_t{1} << 40) : label;
}
inline constexpr Label inner_label(std::int64_t label) {
  return label == outer_label(at_infinity) ? at_infinity : static_cast<Label>(label);
}

// The domain as cells with vertices: polyrank/cells/vertices/root.py, RootArrays, field by field.
struct Root {
  Array<const double, 2> x;               // (P, d)
  Array<const double, 1> err;             // (P,)
  Array<const bool, 1> origin;            // (P,)
  Array<const bool, 1> ray;               // (P,)
  Array<const std::int64_t, 2> integers;  // (P, d + 1)
  Array<const bool, 1> has_integers;      // (P,)
  Array<const std::int64_t, 2> label;     // (P, 3)
  Array<const std::uint64_t, 2> off_wall; // (P, words) rows of the domain that are positive there
  Array<const std::int64_t, 2> cell;      // (C, 4) slices of `cycle` and of the facets
  Array<const std::int64_t, 1> cycle;
  Array<const std::int64_t, 1> edge;      // like `cycle`: label of the edge to the next vertex
  Array<const std::int64_t, 2> facet;     // (F, 3) slice of `cycle`, label
  Array<const std::int64_t, 1> root_units;  // units of layer 1 whose cones fill R^k
  std::int64_t conic;
  std::int64_t walls;                     // rows of the domain with signs; 0 on cones
};

// How many regions a batch has, whether cells are kept, whether a proof is logged.
struct VertexOptions {
  std::int64_t output;
  bool keep, log;
};

// The search, for cells of dimension K in D coordinates: D = K on polytopes and on central cones,
// K + 1 on homogeneous cones.
template <int Dim, bool Homogeneous> struct VertexSearch {
  static constexpr int K = Dim, D = Dim + (Homogeneous ? 1 : 0);
  static constexpr bool homogeneous = Homogeneous;

  const Network net;
  const int layers;
  const bool conic;      // homogeneous coordinates: vertices up to a positive factor
  const bool keeps;
  Path<D> path;
  Regions output;
  Constraints<D> rows;
  RunningRows<D> next_rows;
  VertexPool<K, D> pool;
  Questions questions;
  VertexCounts counts;
  LayerScratch layer_scratch;
  KeptCells kept;
  Miss to_certify{};
  double done_share = 0.0;
  std::vector<std::int32_t> word_start;  // first word of each layer, of the walls, end
  std::vector<std::uint64_t> counted;    // units with a hyperplane of their own, and all rows
  std::vector<std::uint64_t> no_plane;   // units without a hyperplane
  std::vector<std::uint64_t> live_pos, live_neg;  // units whose slope on that side is not 0
  std::vector<SignWord> gathered;        // OR of the signs over the cell on top, per layer
  std::vector<std::uint64_t> bounding;   // units of the path's layers that bound the region
  std::vector<std::int32_t> root_units;  // units of layer 1 whose cones fill R^K
  std::vector<int> row_of;               // row of the proof's cell that a unit on the path is
  std::vector<int> tight;                // scratch of certified
  std::vector<CutEdge> crossings;        // scratch of split_polyhedron
  std::vector<std::int8_t> bits, split;  // of the layer
  std::vector<char> plain;               // per layer: every unit has a hyperplane of its own
  std::vector<char> bare;                // per layer: no unit has a hyperplane
  bool all_plain = true;                 // every layer is plain or bare
  double candidate[D], chart_point[K];

  VertexSearch(const Network &network, const Root &root, const VertexOptions &options)
      : net(network),
        layers(static_cast<int>(network.layers())),
        conic(root.conic != 0),
        keeps(options.keep),
        path(network, D),
        output(network, options.output),
        rows(network, D),
        next_rows(network),
        layer_scratch(network.widest()),
        row_of(static_cast<std::size_t>(network.total()), 0),
        bits(static_cast<std::size_t>(network.widest()), 0),
        split(static_cast<std::size_t>(network.widest()), 0) {
    if (options.log)
      path.log = ProofLog(log_bytes + log_reserve(net.total(), D), rows.walls + net.total() + 1);
    std::int32_t words = 0;
    for (int k = 0; k < layers; k++) {
      word_start.push_back(words);
      words += static_cast<std::int32_t>((net.units(k) + 63) / 64);
    }
    word_start.push_back(words);
    words += static_cast<std::int32_t>(root.walls > 0 ? (root.walls + 63) / 64 : 1);
    word_start.push_back(words);
    counted.assign(static_cast<std::size_t>(words), 0);
    gathered.assign(static_cast<std::size_t>(words), SignWord{0, 0});
    for (auto *array : {&no_plane, &live_pos, &live_neg, &bounding})
      array->assign(static_cast<std::size_t>(words), 0);
    for (int k = 0; k < layers; k++) {
      bool every = true, none = true;
      for (std::int64_t i = 0; i < net.units(k); i++) {
        const std::int64_t g = net.unit_start(k) + i;
        const bool own = net.hyperplane(g) && net.tie(g) < 0;
        every = every && own;
        none = none && !net.hyperplane(g);
        const std::uint64_t bit = std::uint64_t{1} << (i & 63);
        const std::int64_t w = word_start[k] + (i >> 6);
        if (own) counted[w] |= bit;
        if (!net.hyperplane(g)) no_plane[w] |= bit;
        if (net.slope_pos(g) != 0.0) live_pos[w] |= bit;
        if (net.slope_neg(g) != 0.0) live_neg[w] |= bit;
      }
      plain.push_back(every);
      bare.push_back(none);
      all_plain = all_plain && (every || none);
    }
    for (std::int64_t m = 0; m < root.walls; m++)
      counted[walls_word() + (m >> 6)] |= std::uint64_t{1} << (m & 63);
    pool.words = words;
    pool.layer_words = static_cast<std::int32_t>((net.widest() + 63) / 64);
    for (std::int64_t q = 0; q < root.root_units.size(); q++)
      root_units.push_back(static_cast<std::int32_t>(root.root_units(q)));
    kept.clear();
    load(root);
    first_layer(path);
  }

  int layer_of(std::int64_t g) const {
    int layer = 0;
    while (net.unit_start(layer + 1) <= g) layer++;
    return layer;
  }
  std::int32_t walls_word() const { return word_start[layers]; }
  // The side of a unit of the path that does not vanish on the cell on top.
  bool is_above(Label g) const {
    const int layer = layer_of(g);
    const std::int64_t i = g - net.unit_start(layer);
    return (gathered[word_start[layer] + (i >> 6)].pos >> (i & 63) & 1) != 0;
  }

  // Room for the cells f and f + 1.
  void reserve_cell(std::size_t f) {
    pool.reserve_cell(f);
    next_rows.reserve(f + 2);
  }

  // Bits, zeros and bounding units of the path's layers below k as bytes.
  void write_path(int k) {
    for (int layer = 0; layer < k; layer++)
      if (plain[layer]) write_layer(layer);
  }

  void write_layer(int k) {
    const std::int64_t a = net.unit_start(k);
    for (std::int64_t i = 0; i < net.units(k); i++) {
      const std::int64_t w = word_start[k] + (i >> 6);
      const SignWord all = gathered[w];
      path.bit[a + i] = all.pos >> (i & 63) & 1;
      path.zero[a + i] = ~(all.pos | all.neg) >> (i & 63) & 1;
      path.split[a + i] = bounding[w] >> (i & 63) & 1;
    }
  }

  void load(const Root &root) {
    const auto small = [](std::int64_t n) { return static_cast<std::int32_t>(n); };
    const std::int32_t points = small(root.err.size());
    pool.reserve(points, small(root.cycle.size()), small(root.facet.shape[0]),
                 small(root.facet.shape[0]));
    for (std::int32_t v = 0; v < points; v++) {
      auto &vertex = pool.vertices[v];
      for (int l = 0; l < D; l++) vertex.x[l] = root.x(v, l);
      for (int l = 0; l <= D; l++) vertex.integers[l] = root.integers(v, l);
      for (int q = 0; q < K; q++) vertex.label[q] = inner_label(root.label(v, q));
      vertex.err = root.err(v);
      vertex.layers_done = 0;
      vertex.root = v;
      vertex.has_integers = root.has_integers(v);
      vertex.origin = root.origin(v);
      vertex.ray = root.ray(v);
      SignWord *signs = pool.signs_of(v) + walls_word();
      for (std::int64_t w = 0; w < root.off_wall.shape[1]; w++) signs[w].pos = root.off_wall(v, w);
    }
    for (std::int64_t p = 0; p < root.cycle.size(); p++) {
      pool.cycle[p] = small(root.cycle(p));
      if constexpr (K <= 2) pool.edge[p] = inner_label(root.edge(p));
    }
    if constexpr (K == 3)
      for (std::int64_t q = 0; q < root.facet.shape[0]; q++) {
        pool.facets[q] = {small(root.facet(q, 0)), small(root.facet(q, 1)),
                          inner_label(root.facet(q, 2))};
        pool.lists[q] = small(q);
      }
    const std::int32_t facets = small(root.facet.shape[0]);
    const Tops top{points, small(root.cycle.size()), facets, facets};
    const std::int64_t cells = root.cell.shape[0];
    for (std::int64_t f = 0; f < cells; f++)
      pool.cells.push_back({{small(root.cell(f, 0)), small(root.cell(f, 1)), small(root.cell(f, 2)),
                             small(root.cell(f, 3))},
                            top, 0, -1, 0, 0, small(f), true, 1.0 / static_cast<double>(cells)});
    reserve_cell(pool.cells.size());
  }

private:
  static constexpr std::int64_t log_bytes = std::int64_t{1} << 22;
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
    const std::uint64_t ready = pending[w - w0] & ~(all.pos & all.neg) & (s.counted[w] | s.no_plane[w]);
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
    s.bits[i] = !net.hyperplane(a + i)     ? 1
                : net.tie(a + i) >= 0      ? 3
                : (all.pos & bit) != 0     ? 1
                : (all.neg & bit) != 0     ? 0
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
    out.rank[out.count * out.layers + l] = static_cast<std::int16_t>(s.path.rank[static_cast<std::size_t>(l)]);
  for (std::int64_t l = 0; l < out.chart_dim; l++) out.point[out.count * out.chart_dim + l] = s.chart_point[l];
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

// Bounds of the signs of layer k's units, and what needs no vertex: units without a hyperplane, tied
// ones, constant rows, the cube's bound.
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
    std::uint64_t chosen = static_cast<std::uint64_t>(special[0] | special[1] | special[2] | special[3]);
    const std::int64_t at = s.word_start[k] + w;
    chosen = (chosen | ~s.counted[at]) & valid;
    LayerScratch::Known known{valid & ~chosen, 0, 0};
    for (; chosen != 0; chosen &= chosen - 1) {
      const std::int64_t i = base + std::countr_zero(chosen);
      const std::uint64_t bit = chosen & -chosen;
      switch (decide_unit(s.path, k, i)) {
        case undecided: known.ask |= bit; break;
        case positive: known.up |= bit & ~s.no_plane[at]; break;
        case negative: known.down |= bit; break;
        default: break;
      }
    }
    scratch.known[static_cast<std::size_t>(w)] = known;
  }
}

// Rows of the layer of the cell on top, its signs at the cell's vertices, its open units; false where
// a question is open.
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
      pool.cells[f] = {halves.half[0], pool.top, layer, cut, -1, whole.rows, whole.cone, false, share};
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
template <class S> void open_segment(S &s) {
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
