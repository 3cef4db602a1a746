// The state of a search over cells with vertices, and the domain that it starts from.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "constraints.hpp"
#include "network.hpp"
#include "output.hpp"
#include "path.hpp"
#include "running_rows.hpp"
#include "split.hpp"
#include "vertex_pool.hpp"

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

// Names of hyperplanes outside the core: 64 bits, the far side of a cone as -2^40.
inline constexpr std::int64_t outer_label(Label label) {
  return label == at_infinity ? -(std::int64_t{1} << 40) : label;
}
inline constexpr Label inner_label(std::int64_t label) {
  return label == outer_label(at_infinity) ? at_infinity : static_cast<Label>(label);
}

// The domain as cells with vertices: polyrank/cells/vertices/root.py, RootArrays, field by field.
struct Root {
  Array<const double, 2> x;                // (P, d)
  Array<const double, 1> err;              // (P,)
  Array<const bool, 1> origin;             // (P,)
  Array<const bool, 1> ray;                // (P,)
  Array<const std::int64_t, 2> integers;   // (P, d + 1)
  Array<const bool, 1> has_integers;       // (P,)
  Array<const std::int64_t, 2> label;      // (P, 3)
  Array<const std::uint64_t, 2> off_wall;  // (P, words) rows of the domain that are positive there
  Array<const std::int64_t, 2> cell;       // (C, 4) slices of `cycle` and of the facets
  Array<const std::int64_t, 1> cycle;
  Array<const std::int64_t, 1> edge;        // like `cycle`: label of the edge to the next vertex
  Array<const std::int64_t, 2> facet;       // (F, 3) slice of `cycle`, label
  Array<const std::int64_t, 1> root_units;  // units of layer 1 whose cones fill R^k
  std::int64_t conic;
  std::int64_t walls;  // rows of the domain with signs; 0 on cones
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
  const bool conic;  // homogeneous coordinates: vertices up to a positive factor
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
  std::vector<SignWord> gathered;                 // OR of the signs over the cell on top, per layer
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

  POLYRANK_COLD VertexSearch(const Network &network, const Root &root, const VertexOptions &options)
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

  POLYRANK_COLD void load(const Root &root) {
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
                            top,
                            0,
                            -1,
                            0,
                            0,
                            small(f),
                            true,
                            1.0 / static_cast<double>(cells)});
    reserve_cell(pool.cells.size());
  }

private:
  static constexpr std::int64_t log_bytes = std::int64_t{1} << 22;
};

}  // namespace polyrank::vertices
