// Open cells of a search with the interior points that they own, and cells that are handed back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "path.hpp"

namespace polyrank {

struct OpenCell {
  std::int64_t layer;        // whose units are being decided
  std::int64_t rows;         // constraints of the parent
  std::int64_t unit;         // unit (in the layer) of the row to add, or -1
  std::int64_t side;         // +1 or -1
  std::int64_t first, last;  // its interior points
  double share;              // of the tree
  bool has_vertex;           // a vertex with its basis and inverse is stored with it
};

// Entries that an open cell keeps of a vertex.
struct StateSize {
  std::int64_t basis, x, inverse;
};

// The stack. A search is depth first: at most one open cell for every unit and layer.
class OpenCells {
public:
  std::int64_t count = 0;

  POLYRANK_COLD OpenCells(const Network &net, StateSize state)
      : state_(state), widest_(net.widest()) {
    const std::int64_t most = net.total() + net.layers() + 2;
    cells_ = Buffer<OpenCell>(most);
    bits_ = Buffer<std::int8_t>(most * widest_);
    splits_ = Buffer<std::int8_t>(most * widest_);
    basis_ = Buffer<int>(most * state.basis);
    x_ = Buffer<double>(most * state.x);
    inverse_ = Buffer<double>(most * state.inverse);
  }

  OpenCell &push() { return cells_[count++]; }
  POLYRANK_COLD void drop_first() {
    const auto down = [this](auto &entries, std::int64_t each) {
      std::copy(entries.data() + each, entries.data() + count * each, entries.data());
    };
    down(cells_, 1);
    down(bits_, widest_);
    down(splits_, widest_);
    down(basis_, state_.basis);
    down(x_, state_.x);
    down(inverse_, state_.inverse);
    count--;
  }
  const StateSize &state() const { return state_; }
  OpenCell &operator[](std::int64_t f) { return cells_[f]; }
  std::int8_t *bits(std::int64_t f) { return bits_.data() + f * widest_; }  // as in Decision
  std::int8_t *splits(std::int64_t f) { return splits_.data() + f * widest_; }
  int *basis(std::int64_t f) { return basis_.data() + f * state_.basis; }
  double *x(std::int64_t f) { return x_.data() + f * state_.x; }
  double *inverse(std::int64_t f) { return inverse_.data() + f * state_.inverse; }

private:
  StateSize state_;
  std::int64_t widest_;
  Buffer<OpenCell> cells_;
  Buffer<std::int8_t> bits_, splits_;
  Buffer<int> basis_;
  Buffer<double> x_, inverse_;
};

// Interior points: cube coordinates, chart coordinates (the exact witnesses) and the signs of the
// layer's units (0: unknown). Points of thin cells are sums of two doubles.
struct Points {
  std::int64_t d, chart_dim, widest;
  std::int64_t capacity;
  std::int64_t end = 0;  // place of the next point

  POLYRANK_COLD Points(const Network &net, std::int64_t dim, std::int64_t most)
      : d(dim), chart_dim(net.centre.shape[0]), widest(net.widest()) {
    const std::int64_t bytes = 16 * (d + chart_dim) + widest;
    const std::int64_t cells = net.total() + net.layers() + 2;
    capacity = std::max(4 * widest + 64, std::min(cells * (widest + 2), most_bytes / bytes));
    if (most > 0) capacity = most;
    cube_ = Buffer<double>(capacity * d);
    chart_ = Buffer<double>(capacity * chart_dim);
    cube_low_ = Buffer<double>(capacity * d);
    chart_low_ = Buffer<double>(capacity * chart_dim);
    signs_ = Buffer<std::int8_t>(capacity * widest);
    exact_ = Buffer<bool>(capacity);
  }

  double *cube(std::int64_t r) { return cube_.data() + r * d; }
  double *chart(std::int64_t r) { return chart_.data() + r * chart_dim; }
  std::int8_t *signs(std::int64_t r) { return signs_.data() + r * widest; }
  // Cube coordinates are the point itself, and its cell is so thin that signs need that.
  bool exact(std::int64_t r) const { return exact_[r]; }
  // Second doubles, of exact points only.
  double *cube_low(std::int64_t r) { return cube_low_.data() + r * d; }
  double *chart_low(std::int64_t r) { return chart_low_.data() + r * chart_dim; }
  // Whether a chart coordinate is no double.
  bool thin(std::int64_t r) const {
    if (!exact_[r]) return false;
    for (std::int64_t l = 0; l < chart_dim; l++)
      if (chart_low_[r * chart_dim + l] != 0.0) return true;
    return false;
  }
  // The second doubles of a chart point, zero where it has none.
  void copy_chart_low(std::int64_t r, double *to) const {
    if (exact_[r])
      std::copy_n(chart_low_.data() + r * chart_dim, chart_dim, to);
    else
      std::fill_n(to, chart_dim, 0.0);
  }

  void put(std::int64_t r, const double *cube_point, const double *chart_point) {
    std::copy_n(cube_point, d, cube(r));
    std::copy_n(chart_point, chart_dim, chart(r));
    std::fill_n(signs(r), widest, std::int8_t{0});
    exact_[r] = false;
  }
  void put_exact(std::int64_t r, const double *cube_point, const double *low,
                 const double *chart_point, const double *chart_point_low) {
    put(r, cube_point, chart_point);
    std::copy_n(low, d, cube_low(r));
    std::copy_n(chart_point_low, chart_dim, chart_low(r));
    exact_[r] = true;
  }

  // Exchanges two points; only the first n signs matter.
  void swap(std::int64_t r, std::int64_t s, std::int64_t n) {
    if (r == s) return;
    std::swap_ranges(cube(r), cube(r) + d, cube(s));
    std::swap_ranges(chart(r), chart(r) + chart_dim, chart(s));
    std::swap_ranges(signs(r), signs(r) + n, signs(s));
    if (exact_[r] || exact_[s]) {
      std::swap_ranges(cube_low(r), cube_low(r) + d, cube_low(s));
      std::swap_ranges(chart_low(r), chart_low(r) + chart_dim, chart_low(s));
    }
    std::swap(exact_[r], exact_[s]);
  }

private:
  static constexpr std::int64_t most_bytes = std::int64_t{1} << 28;
  Buffer<double> cube_, chart_, cube_low_, chart_low_;
  Buffer<std::int8_t> signs_;
  Buffer<bool> exact_;
};

// Cells that float and integer arithmetic do not decide.
struct HardCells {
  std::int64_t count = 0, capacity, widest;
  Buffer<std::int64_t> layer;
  Buffer<std::int8_t> bit;    // (capacity, units) as in Decision
  Buffer<std::int8_t> split;  // (capacity, units)
  Buffer<bool> flag;          // (capacity, widest) the layer's units in question
  Buffer<double> point;       // (capacity, chart_dim) an interior point
  Buffer<double> point_low;   // (capacity, chart_dim) its second doubles

  POLYRANK_COLD HardCells(const Network &net, std::int64_t most)
      : capacity(most),
        widest(net.widest()),
        layer(most),
        bit(most * net.total()),
        split(most * net.total()),
        flag(most * widest, false),
        point(most * net.centre.shape[0]),
        point_low(most * net.centre.shape[0]) {}
};

// The decisions of all units for a cell of layer k: the path's above it, its own, then undecided.
template <int D>
POLYRANK_COLD void write_prefix(const Path<D> &path, std::int64_t k, const std::int8_t *bits,
                                const std::int8_t *split, std::int8_t *all_bits,
                                std::int8_t *all_splits) {
  const std::int64_t a = path.net.unit_start(k), n = path.net.units(k);
  for (std::int64_t g = 0; g < path.units; g++) {
    const bool here = g >= a && g < a + n;
    all_bits[g] = g < a  ? (path.zero[g] == 1 ? std::int8_t{identically_zero} : path.bit[g])
                  : here ? bits[g - a]
                         : std::int8_t{undecided};
    all_splits[g] = g < a ? path.split[g] : here ? split[g - a] : std::int8_t{0};
  }
}

}  // namespace polyrank
