// An open cell taken out of a search with vertices, with all that another search of the same
// problem needs to go on from it: the cell with its faces, and the path that leads to it.
//
// Rows are handed on as they are and not composed again, so that what is found below the cell does
// not depend on who works on it, to the last bit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "cells_with_vertices.hpp"

namespace polyrank::vertices {

template <int K, int D> struct VertexTask {
  OpenPolytope cell;  // its faces are slices of the arrays below
  std::vector<Vertex<K, D>> vertices;
  std::vector<SignWord> signs;
  std::vector<std::int32_t> cycle;
  std::vector<Label> edge;
  std::vector<Facet> facets;
  std::vector<std::uint64_t> open_units, split_units, pending;
  std::vector<double> sums;  // of the next layer's rows
  bool plain;
  // the path
  std::vector<double> rows, error;
  std::vector<std::int64_t> power, exponent;
  std::vector<SignWord> gathered;
  std::vector<std::uint64_t> bounding;
  std::vector<std::int8_t> bit, zero, split;
  std::vector<int> rank, bound;

  // Calls f with every array, in one order for writing and reading.
  template <class F> void each_array(F &&f) {
    f(vertices), f(signs), f(cycle), f(edge), f(facets), f(open_units), f(split_units), f(pending);
    f(sums), f(rows), f(error), f(power), f(exponent), f(gathered), f(bounding);
    f(bit), f(zero), f(split), f(rank), f(bound);
  }
};

// A task as bytes, for the same build of the core on a machine of the same kind: the cell, `plain`,
// then each array with its length before it.
template <int K, int D> POLYRANK_COLD std::vector<std::uint8_t> bytes_of(VertexTask<K, D> &task) {
  static_assert(std::is_trivially_copyable_v<OpenPolytope> &&
                std::is_trivially_copyable_v<Vertex<K, D>>);
  std::vector<std::uint8_t> out;
  const auto put = [&](const void *from, std::size_t size) {
    const auto *bytes = static_cast<const std::uint8_t *>(from);
    out.insert(out.end(), bytes, bytes + size);
  };
  put(&task.cell, sizeof(task.cell));
  put(&task.plain, sizeof(task.plain));
  task.each_array([&](const auto &array) {
    const auto count = static_cast<std::uint64_t>(array.size());
    put(&count, sizeof(count));
    put(array.data(), array.size() * sizeof(array[0]));
  });
  return out;
}

// Reads such bytes; false where they are not those of a task.
template <int K, int D>
POLYRANK_COLD bool read_task(VertexTask<K, D> &task, const std::uint8_t *bytes, std::size_t size) {
  bool fits = true;
  const auto get = [&](void *to, std::size_t wanted) {
    fits = fits && wanted <= size;
    if (!fits || wanted == 0) return;
    std::memcpy(to, bytes, wanted);
    bytes += wanted;
    size -= wanted;
  };
  get(&task.cell, sizeof(task.cell));
  get(&task.plain, sizeof(task.plain));
  task.each_array([&](auto &array) {
    std::uint64_t count = 0;
    get(&count, sizeof(count));
    fits = fits && count <= size / sizeof(array[0]);
    if (!fits) return;
    array.resize(count);
    get(array.data(), array.size() * sizeof(array[0]));
  });
  return fits && size == 0;
}

// Takes open cell f out of the search. It is depth first: the layers above the cell's are those of
// the current path, and so are the rows of its own layer.
template <class S> POLYRANK_COLD VertexTask<S::K, S::D> take_task(S &s, std::size_t f) {
  constexpr int K = S::K, D = S::D;
  auto &pool = s.pool;
  VertexTask<K, D> task;
  task.cell = pool.cells[f];
  OpenPolytope &cell = task.cell;
  std::unordered_map<std::int32_t, std::int32_t> number;
  const auto own = [&](std::int32_t v) {
    const auto [at, fresh] = number.emplace(v, static_cast<std::int32_t>(task.vertices.size()));
    if (fresh) {
      task.vertices.push_back(pool.vertices[v]);
      task.signs.insert(task.signs.end(), pool.signs_of(v), pool.signs_of(v) + pool.words);
    }
    return at->second;
  };
  for (std::int32_t p = cell.faces.vertex_first;
       p < cell.faces.vertex_first + cell.faces.vertex_size; p++) {
    task.cycle.push_back(own(pool.cycle[p]));
    if constexpr (K <= 2) task.edge.push_back(pool.edge[p]);
  }
  if constexpr (K == 3)
    for (std::int32_t q = cell.faces.list_first; q < cell.faces.list_first + cell.faces.list_size;
         q++) {
      const Facet &facet = pool.facets[pool.lists[q]];
      task.facets.push_back(
          {static_cast<std::int32_t>(task.cycle.size()), facet.size, facet.label});
      for (std::int32_t j = 0; j < facet.size; j++)
        task.cycle.push_back(own(pool.cycle[facet.first + j]));
    }
  const auto size = [](const auto &array) { return static_cast<std::int32_t>(array.size()); };
  cell.faces = {0, cell.faces.vertex_size, 0, size(task.facets)};
  cell.top = {size(task.vertices), size(task.cycle), size(task.facets), size(task.facets)};
  const auto words = [&](const std::uint64_t *from) {
    return std::vector<std::uint64_t>(from, from + pool.layer_words);
  };
  task.open_units = words(pool.open_of(f));
  task.split_units = words(pool.split_of(f));
  task.pending = words(pool.pending_of(f));
  task.sums = s.next_rows.sums(f);
  task.plain = s.next_rows.plain(f);
  const std::int64_t layers = cell.layer,
                     own_layer = cell.fresh && layers > 0 ? layers : layers + 1;
  const std::int64_t units = s.net.unit_start(own_layer);
  const Path<D> &path = s.path;
  s.write_path(cell.layer);
  const auto first = [&](const auto &array, std::int64_t n) {
    return std::vector(array.data(), array.data() + n);
  };
  task.rows = first(path.rows, units * padded(D + 1));
  task.error = first(path.error, units);
  task.power = first(path.power, units);
  task.exponent = first(path.exponent, units);
  task.bit = first(path.bit, s.net.unit_start(layers));
  task.zero = first(path.zero, s.net.unit_start(layers));
  task.split = first(path.split, s.net.unit_start(layers));
  task.gathered = first(s.gathered, s.word_start[layers]);
  task.bounding = first(s.bounding, s.word_start[layers]);
  task.rank = first(path.rank, layers);
  task.bound = first(path.bound, layers);
  // close the gap in the stack
  for (std::size_t g = f; g + 1 < pool.cells.size(); g++) {
    std::copy_n(pool.open_of(g + 1), pool.layer_words, pool.open_of(g));
    std::copy_n(pool.split_of(g + 1), pool.layer_words, pool.split_of(g));
    std::copy_n(pool.pending_of(g + 1), pool.layer_words, pool.pending_of(g));
    s.next_rows.move(g + 1, g);
  }
  pool.cells.erase(pool.cells.begin() + static_cast<std::ptrdiff_t>(f));
  return task;
}

// Goes on from a task; no cell of the search is open.
template <class S> POLYRANK_COLD void load_task(S &s, const VertexTask<S::K, S::D> &task) {
  constexpr int K = S::K, D = S::D;
  auto &pool = s.pool;
  pool.top = {0, 0, 0, 0};
  const Tops &top = task.cell.top;
  pool.reserve(top.vertices, top.entries, top.facets, top.lists);
  std::copy(task.vertices.begin(), task.vertices.end(), pool.vertices.begin());
  std::copy(task.signs.begin(), task.signs.end(), pool.signs.begin());
  std::copy(task.cycle.begin(), task.cycle.end(), pool.cycle.begin());
  if constexpr (K <= 2) std::copy(task.edge.begin(), task.edge.end(), pool.edge.begin());
  if constexpr (K == 3) {
    std::copy(task.facets.begin(), task.facets.end(), pool.facets.begin());
    for (std::int32_t q = 0; q < top.lists; q++) pool.lists[q] = q;
  }
  pool.cells.assign(1, task.cell);
  s.reserve_cell(0);
  std::copy(task.open_units.begin(), task.open_units.end(), pool.open_of(0));
  std::copy(task.split_units.begin(), task.split_units.end(), pool.split_of(0));
  std::copy(task.pending.begin(), task.pending.end(), pool.pending_of(0));
  s.next_rows.set(0, task.sums, task.plain);
  Path<D> &path = s.path;
  std::copy(task.rows.begin(), task.rows.end(), path.rows.data());
  std::copy(task.error.begin(), task.error.end(), path.error.data());
  std::copy(task.power.begin(), task.power.end(), path.power.data());
  std::copy(task.exponent.begin(), task.exponent.end(), path.exponent.data());
  for (std::size_t g = 0; g < task.error.size(); g++) {
    const auto unit = static_cast<std::int64_t>(g);
    path.radius[unit] = task.error[g] + gamma(D + 4);
    for (int l = 0; l <= D; l++) path.columns[l * path.column_stride + unit] = path.row(unit)[l];
  }
  std::copy(task.bit.begin(), task.bit.end(), path.bit.data());
  std::copy(task.zero.begin(), task.zero.end(), path.zero.data());
  std::copy(task.split.begin(), task.split.end(), path.split.data());
  std::copy(task.gathered.begin(), task.gathered.end(), s.gathered.begin());
  std::copy(task.bounding.begin(), task.bounding.end(), s.bounding.begin());
  std::copy(task.rank.begin(), task.rank.end(), path.rank.begin());
  std::copy(task.bound.begin(), task.bound.end(), path.bound.begin());
  for (auto &sets : path.sets) sets.filled = sets.next = 0;
  s.questions = {};
}

}  // namespace polyrank::vertices
