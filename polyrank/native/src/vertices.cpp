// The search over cells with vertices, as the outside sees it: one handle per search.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "cells_with_vertices.hpp"
#include "interface.hpp"
#include "vertex_task.hpp"

namespace polyrank::vertices {

// Where a search stands: polyrank/cells/vertices/core.py, Status, field by field.
struct Status {
  std::int64_t open_cells;
  std::int64_t fresh;      // the layer of the cell on top is not entered yet
  std::int64_t regions;    // since the last drain
  std::int64_t log_bytes;  // since the last drain
  std::int64_t kept_vertices, kept_entries, kept_facets;
  double done_share;
};

// Counters: core.py, Counts, field by field.
struct Counts {
  Statistics statistics;
  VertexCounts signs;
};

// Regions, the log and kept cells since the last drain, in arrays of the caller.
struct Results {
  Array<std::uint8_t, 2> bit, zero;
  Array<std::int16_t, 2> rank;
  Array<double, 2> point;
  Array<std::uint8_t, 1> log;
};

struct KeptArrays {
  Array<std::int64_t, 2> first;
  Array<double, 2> x;
  Array<double, 1> err;
  Array<std::uint64_t, 2> pos, neg;
  Array<std::int64_t, 2> label;
  Array<std::int64_t, 1> cycle, facet_size, facet_label;
};

// The cell on top, the path that leads to it and what is asked about it.
struct TopSizes {
  std::int64_t layer, fresh, cone, rows, vertices, labels, questions, certify_unit, certify_side;
};

struct TopArrays {
  Array<std::int64_t, 1> vertex;        // numbers of its vertices among the root's, or -1
  Array<std::int64_t, 2> vertex_label;  // (vertices, 3)
  Array<std::uint64_t, 2> pos, neg;     // (vertices, words)
  Array<std::int64_t, 1> label;         // of its facets
  Array<std::uint64_t, 1> open_units, split_units;
  Array<std::int64_t, 2> question;  // (questions, 6) vertex, unit, number in the root, labels
  Array<std::int64_t, 1> row_unit;  // of each row of the proof's cell, -1 for walls
  Array<std::int64_t, 1> row_of;    // of each unit on the path
  Array<std::int8_t, 1> bit, zero, split;
};

// A task of any dimension.
struct AnyTask {
  virtual ~AnyTask() = default;
  virtual std::vector<std::uint8_t> bytes() = 0;
};

template <int K, int D> struct TaskOf final : AnyTask {
  VertexTask<K, D> task;
  TaskOf() = default;
  explicit TaskOf(VertexTask<K, D> &&taken) : task(std::move(taken)) {}
  std::vector<std::uint8_t> bytes() override { return bytes_of(task); }
};

struct Engine {
  virtual ~Engine() = default;
  virtual AnyTask *take(std::int64_t cell) = 0;
  virtual AnyTask *read(const std::uint8_t *bytes, std::size_t size) const = 0;
  virtual void load(const AnyTask &task) = 0;
  virtual Stop run(std::int64_t base, std::int64_t budget, double seconds) = 0;
  virtual void accept(const double *point) = 0;
  virtual void open_segment() = 0;
  virtual void answer(const std::int8_t *signs, std::int64_t count) = 0;
  virtual void certify(const std::int64_t *rows, std::int64_t count) = 0;
  virtual void status(Status &out) const = 0;
  virtual void counts(Counts &out) const = 0;
  virtual void results(const Results &out) const = 0;
  virtual void kept(const KeptArrays &out) const = 0;
  virtual void drain() = 0;
  virtual void top_sizes(TopSizes &out) const = 0;
  virtual void top(const TopArrays &out) = 0;
};

template <int K, bool H> struct EngineOf final : Engine {
  VertexSearch<K, H> search;

  using Task = TaskOf<VertexSearch<K, H>::K, VertexSearch<K, H>::D>;

  EngineOf(const Network &net, const Root &root, const VertexOptions &options)
      : search(net, root, options) {}

  AnyTask *take(std::int64_t cell) override {
    return new Task(take_task(search, static_cast<std::size_t>(cell)));
  }
  AnyTask *read(const std::uint8_t *bytes, std::size_t size) const override {
    auto task = std::make_unique<Task>();
    return read_task(task->task, bytes, size) ? task.release() : nullptr;
  }
  void load(const AnyTask &task) override {
    load_task(search, static_cast<const Task &>(task).task);
  }

  Stop run(std::int64_t base, std::int64_t budget, double seconds) override {
    return vertices::run(search, base, budget, seconds);
  }
  void accept(const double *point) override {
    std::copy_n(point, K, search.chart_point);
    vertices::accept(search);
  }
  void open_segment() override { vertices::open_segment(search); }
  void answer(const std::int8_t *signs, std::int64_t count) override {
    auto &answers = search.questions.answers;
    answers.insert(answers.end(), signs, signs + count);
  }
  POLYRANK_COLD void certify(const std::int64_t *rows, std::int64_t count) override {
    const auto [unit, side] = search.to_certify;
    ProofLog &log = search.path.log;
    log.unit(side > 0 ? LogStep::positive_by : LogStep::negative_by, unit);
    log.put_index(count);
    for (std::int64_t q = 0; q < count; q++) log.put_index(rows[q]);
    search.pool.open_of(search.pool.cells.size() - 1)[unit >> 6] &=
        ~(std::uint64_t{1} << (unit & 63));
  }
  void status(Status &out) const override {
    const auto size = [](const auto &array) { return static_cast<std::int64_t>(array.size()); };
    const auto &cells = search.pool.cells;
    out = {size(cells),
           !cells.empty() && cells.back().fresh,
           search.output.count,
           search.path.log.size,
           size(search.kept.err),
           size(search.kept.cycle),
           size(search.kept.facet_size),
           search.done_share};
  }
  void counts(Counts &out) const override { out = {search.path.stat, search.counts}; }
  void results(const Results &out) const override {
    const Regions &regions = search.output;
    std::copy_n(regions.bit.data(), out.bit.size(), out.bit.data);
    std::copy_n(regions.zero.data(), out.zero.size(), out.zero.data);
    std::copy_n(regions.rank.data(), out.rank.size(), out.rank.data);
    std::copy_n(regions.point.data(), out.point.size(), out.point.data);
    std::copy_n(search.path.log.data(), out.log.size(), out.log.data);
  }
  POLYRANK_COLD void kept(const KeptArrays &out) const override {
    const KeptCells &cells = search.kept;
    std::copy(cells.first.begin(), cells.first.end(), out.first.data);
    std::copy(cells.x.begin(), cells.x.end(), out.x.data);
    std::copy(cells.err.begin(), cells.err.end(), out.err.data);
    std::copy(cells.pos.begin(), cells.pos.end(), out.pos.data);
    std::copy(cells.neg.begin(), cells.neg.end(), out.neg.data);
    std::copy(cells.label.begin(), cells.label.end(), out.label.data);
    std::copy(cells.cycle.begin(), cells.cycle.end(), out.cycle.data);
    std::copy(cells.facet_size.begin(), cells.facet_size.end(), out.facet_size.data);
    std::copy(cells.facet_label.begin(), cells.facet_label.end(), out.facet_label.data);
  }
  void drain() override {
    search.output.count = 0;
    search.path.log.size = 0;
    search.kept.clear();
  }
  std::int64_t label_of(std::int32_t v, int q) const {
    return outer_label(q < K ? search.pool.vertices[v].label[q < K ? q : 0] : at_infinity);
  }
  void top_sizes(TopSizes &out) const override {
    const OpenPolytope &cell = search.pool.cells.back();
    out = {cell.layer,
           cell.fresh,
           cell.cone,
           cell.rows,
           cell.faces.vertex_size,
           K == 3 ? cell.faces.list_size : cell.faces.vertex_size,
           static_cast<std::int64_t>(search.questions.open.size()),
           search.to_certify.unit,
           search.to_certify.side};
  }
  POLYRANK_COLD void top(const TopArrays &out) override {
    auto &pool = search.pool;
    const std::size_t f = pool.cells.size() - 1;
    const OpenPolytope &cell = pool.cells[f];
    search.write_path(cell.layer);
    for (std::int32_t p = 0; p < cell.faces.vertex_size; p++) {
      const std::int32_t v = pool.cycle[cell.faces.vertex_first + p];
      out.vertex(p) = pool.vertices[v].root;
      for (int q = 0; q < 3; q++) out.vertex_label(p, q) = label_of(v, q);
      for (std::int32_t w = 0; w < pool.words; w++) {
        out.pos(p, w) = pool.signs_of(v)[w].pos;
        out.neg(p, w) = pool.signs_of(v)[w].neg;
      }
    }
    std::int64_t labels = 0;
    all_labels(search, cell.faces, [&](Label l) {
      out.label(labels++) = outer_label(l);
      return true;
    });
    std::copy_n(pool.open_of(f), out.open_units.size(), out.open_units.data);
    std::copy_n(pool.split_of(f), out.split_units.size(), out.split_units.data);
    for (std::int64_t q = 0; q < out.question.shape[0]; q++) {
      const auto [vertex, unit] = search.questions.open[static_cast<std::size_t>(q)];
      out.question(q, 0) = vertex;
      out.question(q, 1) = unit;
      out.question(q, 2) = pool.vertices[vertex].root;
      for (int j = 0; j < 3; j++) out.question(q, 3 + j) = label_of(vertex, j);
    }
    std::copy_n(search.rows.unit.data(), out.row_unit.size(), out.row_unit.data);
    std::copy_n(search.row_of.data(), out.row_of.size(), out.row_of.data);
    std::copy_n(search.path.bit.data(), out.bit.size(), out.bit.data);
    std::copy_n(search.path.zero.data(), out.zero.size(), out.zero.data);
    std::copy_n(search.path.split.data(), out.split.size(), out.split.data);
  }
};

template <int K>
Engine *make(const Network &net, const Root &root, const VertexOptions &options) {
  if (net.homogeneous) return new EngineOf<K, true>(net, root, options);
  return new EngineOf<K, false>(net, root, options);
}

}  // namespace polyrank::vertices

using polyrank::Array;
using polyrank::vertices::Engine;

// Cells of dimension k = 1, 2 or 3. The arrays of the network have to outlive the search. Null
// where memory ran out.
POLYRANK_API void *polyrank_vertices_new(const polyrank::Network *net,
                                         const polyrank::vertices::Root *root, std::int64_t k,
                                         std::int64_t output, std::int64_t keep, std::int64_t log) {
  try {
    const polyrank::vertices::VertexOptions options{output, keep != 0, log != 0};
    return k == 1   ? polyrank::vertices::make<1>(*net, *root, options)
           : k == 2 ? polyrank::vertices::make<2>(*net, *root, options)
                    : polyrank::vertices::make<3>(*net, *root, options);
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

POLYRANK_API void polyrank_vertices_free(void *search) { delete static_cast<Engine *>(search); }

// Takes an open cell, counted from the bottom of the stack, out of a search; null where memory ran
// out.
POLYRANK_API void *polyrank_vertices_take(void *search, std::int64_t cell) {
  try {
    return static_cast<Engine *>(search)->take(cell);
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

// Bytes of a task: how many, or, where the array is large enough, the bytes too; -1 where memory
// ran out.
POLYRANK_API std::int64_t polyrank_vertices_task_bytes(void *task, Array<std::uint8_t, 1> out) {
  try {
    const auto bytes = static_cast<polyrank::vertices::AnyTask *>(task)->bytes();
    const auto size = static_cast<std::int64_t>(bytes.size());
    if (size <= out.shape[0]) std::copy(bytes.begin(), bytes.end(), out.data);
    return size;
  } catch (const std::bad_alloc &) {
    return -1;
  }
}

// A task for a search of the same problem from such bytes; null where they are not those of one.
POLYRANK_API void *polyrank_vertices_read_task(const void *search,
                                               Array<const std::uint8_t, 1> bytes) {
  try {
    return static_cast<const Engine *>(search)->read(bytes.data,
                                                     static_cast<std::size_t>(bytes.shape[0]));
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

POLYRANK_API void polyrank_vertices_free_task(void *task) {
  delete static_cast<polyrank::vertices::AnyTask *>(task);
}

// Gives a cell to a search of the same problem that has none open; 0 where memory ran out.
POLYRANK_API std::int64_t polyrank_vertices_load(void *search, const void *task) {
  try {
    static_cast<Engine *>(search)->load(*static_cast<const polyrank::vertices::AnyTask *>(task));
    return 1;
  } catch (const std::bad_alloc &) {
    return 0;
  }
}

// A member of Stop, or -1 where memory ran out.
POLYRANK_API std::int64_t polyrank_vertices_run(void *search, std::int64_t base,
                                                std::int64_t budget, double seconds) {
  try {
    return static_cast<std::int64_t>(static_cast<Engine *>(search)->run(base, budget, seconds));
  } catch (const std::bad_alloc &) {
    return -1;
  }
}

// The cell on top is a region with this witness; 0 where memory ran out.
POLYRANK_API std::int64_t polyrank_vertices_accept(void *search, Array<const double, 1> point) {
  try {
    static_cast<Engine *>(search)->accept(point.data);
    return 1;
  } catch (const std::bad_alloc &) {
    return 0;
  }
}

POLYRANK_API void polyrank_vertices_open_segment(void *search) {
  static_cast<Engine *>(search)->open_segment();
}

// Signs that answer the open questions, in their order; 0 where memory ran out.
POLYRANK_API std::int64_t polyrank_vertices_answer(void *search,
                                                   Array<const std::int8_t, 1> signs) {
  try {
    static_cast<Engine *>(search)->answer(signs.data, signs.shape[0]);
    return 1;
  } catch (const std::bad_alloc &) {
    return 0;
  }
}

// Rows of the proof's cell with exact multipliers >= 0 for the miss in question.
POLYRANK_API void polyrank_vertices_certify(void *search, Array<const std::int64_t, 1> rows) {
  static_cast<Engine *>(search)->certify(rows.data, rows.shape[0]);
}

POLYRANK_API void polyrank_vertices_status(const void *search, polyrank::vertices::Status *out) {
  static_cast<const Engine *>(search)->status(*out);
}

POLYRANK_API void polyrank_vertices_counts(const void *search, polyrank::vertices::Counts *out) {
  static_cast<const Engine *>(search)->counts(*out);
}

POLYRANK_API void polyrank_vertices_results(const void *search,
                                            const polyrank::vertices::Results *out) {
  static_cast<const Engine *>(search)->results(*out);
}

POLYRANK_API void polyrank_vertices_kept(const void *search,
                                         const polyrank::vertices::KeptArrays *out) {
  static_cast<const Engine *>(search)->kept(*out);
}

POLYRANK_API void polyrank_vertices_drain(void *search) { static_cast<Engine *>(search)->drain(); }

POLYRANK_API void polyrank_vertices_top_sizes(const void *search,
                                              polyrank::vertices::TopSizes *out) {
  static_cast<const Engine *>(search)->top_sizes(*out);
}

POLYRANK_API void polyrank_vertices_top(void *search, const polyrank::vertices::TopArrays *out) {
  static_cast<Engine *>(search)->top(*out);
}
