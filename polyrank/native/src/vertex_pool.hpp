// Cells with their vertices: a pool used as one stack.
//
// A cell is a convex polytope of dimension K <= 3: a list of vertices and a list of facets. For
// K = 3 a facet is the cycle of its vertices, anticlockwise seen from outside. A polygon (K = 2) is
// one such cycle whose edges carry the labels; a segment (K = 1) has two vertices, which carry the
// labels.
//
// A vertex *is* its K labels. Coordinates are float approximations with a proven bound, and
// integers where they are small; the sign of a unit at a vertex is two bits, positive and negative,
// zero is neither.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace polyrank::vertices {

// A label names a hyperplane: g >= 0 is unit g over all layers, -1 - m row m of the domain.
using Label = std::int32_t;
// The far side of a cone, which no row describes.
inline constexpr Label at_infinity = std::numeric_limits<Label>::min();

// 64 signs: bit i of pos or of neg is set, or of neither where the sign is zero.
struct SignWord {
  std::uint64_t pos, neg;
};

template <int K, int D> struct Vertex {
  double x[D];                   // approximate coordinates, |x| <= 1
  double err;                    // bound of |x - true| in every coordinate
  std::int64_t integers[D + 1];  // exact up to a positive factor, where known
  Label label[K];
  std::int32_t layers_done;  // layers whose signs are there
  std::int32_t root;         // its number among the root's vertices, or -1
  bool has_integers;
  bool origin;  // the vertex is exactly 0
  bool ray;     // a direction of the cell, not a point of it
};

struct Facet {
  std::int32_t first, size;  // slice of the cycles
  Label label;
};

// How much of the pool is in use; what lies above belongs to nobody.
struct Tops {
  std::int32_t vertices, entries, facets, lists;
};

// The vertices and facets of a cell: slices of the cycles and of the facet lists.
struct Faces {
  std::int32_t vertex_first, vertex_size, list_first, list_size;
};

struct OpenPolytope {
  Faces faces;
  Tops top;  // below which its data lies
  std::int32_t layer;
  std::int32_t unit;  // unit (in layer) whose side the cell is and whose row the
  std::int32_t side;  // proof's cell does not have yet, or -1
  std::int32_t rows;  // rows of the proof's cell above this one
  std::int32_t cone;  // number of the root cell that it lies in
  bool fresh;         // the layer's rows are not composed yet
  double share;       // of the tree
};

template <int K, int D> struct VertexPool {
  std::vector<Vertex<K, D>> vertices;
  std::vector<SignWord> signs;      // `words` per vertex: the layers, then the domain's rows
  std::vector<std::int32_t> cycle;  // vertex lists
  std::vector<Label> edge;          // K <= 2: label of the edge from this entry to the next
  std::vector<Facet> facets;
  std::vector<std::int32_t> lists;    // facet lists
  std::vector<std::int32_t> follows;  // per vertex: the chain of the section
  std::vector<std::int8_t> side;      // per vertex: of the hyperplane that cuts
  std::vector<OpenPolytope> cells;    // open cells, the next one last
  // per open cell, `layer_words` each
  std::vector<std::uint64_t> open_units;   // units of the layer whose sign the proof does not have
  std::vector<std::uint64_t> split_units;  // units of the layer that bound the cell
  std::vector<std::uint64_t> pending;      // units that the next layer's rows do not have yet
  Tops top{};
  std::int32_t words = 0;
  std::int32_t layer_words = 0;

  SignWord *signs_of(std::int32_t v) { return &signs[static_cast<std::size_t>(v) * words]; }
  std::uint64_t *open_of(std::size_t f) { return &open_units[f * layer_words]; }
  std::uint64_t *split_of(std::size_t f) { return &split_units[f * layer_words]; }
  std::uint64_t *pending_of(std::size_t f) { return &pending[f * layer_words]; }

  // Room for so many more of each.
  void reserve(std::int32_t more_vertices, std::int32_t more_entries, std::int32_t more_facets,
               std::int32_t more_lists) {
    const auto grow = [](auto &array, std::size_t size) {
      if (array.size() < size) array.resize(size + size / 2);
    };
    const auto most = static_cast<std::size_t>(top.vertices + more_vertices);
    grow(vertices, most);
    grow(signs, most * words);
    if constexpr (K == 3) {
      grow(follows, most);
      grow(side, most);
    }
    grow(cycle, top.entries + more_entries);
    if constexpr (K <= 2) grow(edge, top.entries + more_entries);
    if constexpr (K == 3) {
      grow(facets, top.facets + more_facets);
      grow(lists, top.lists + more_lists);
    }
  }

  // Room for the cells f and f + 1.
  void reserve_cell(std::size_t f) {
    if (open_units.size() >= (f + 2) * layer_words) return;
    open_units.resize(2 * (f + 2) * layer_words);
    split_units.resize(open_units.size());
    pending.resize(open_units.size());
  }

  // Room for the halves of a cell, whatever the cut.
  void reserve_halves(const Faces &cell) {
    std::int32_t facet_count = 1, entries = cell.vertex_size;
    if constexpr (K == 3) {
      facet_count = cell.list_size;
      entries = 0;
      for (std::int32_t q = 0; q < facet_count; q++)
        entries += facets[lists[cell.list_first + q]].size;
    }
    const std::int32_t fresh = facet_count + 4;
    reserve(fresh, 2 * (cell.vertex_size + entries + 4 * fresh), 2 * fresh, 2 * fresh);
  }
};

}  // namespace polyrank::vertices
