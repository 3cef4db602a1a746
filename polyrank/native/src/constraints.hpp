// The rows that bound the current cell: the domain's walls first, then the units that split it.
#pragma once

#include <cstdint>

#include "certificate.hpp"
#include "path.hpp"

namespace polyrank {

template <int D> struct Constraints {
  Dimension<D> dim;
  std::int64_t walls;      // rows of the domain (and of the cube)
  std::int64_t capacity;   // doubles from one column to the next
  Buffer<double> table;    // (capacity, stride) row by row, oriented: >= 0 on the cell
  Buffer<double> columns;  // (d + 1, capacity) column by column
  Buffer<double> radius;
  Buffer<std::int64_t> exponent;
  Buffer<std::int64_t> unit;  // unit of the row among all layers, -1 for walls
  Buffer<std::int8_t> side;   // +1 or -1: how the unit's row is turned
  Buffer<bool> exact;         // the row has no error
  Buffer<bool> central;       // the constant is exactly zero
  Buffer<bool> member;        // lies in the row space of the layer below (see by_enclosure)

  Constraints(const Network &net, std::int64_t d)
      : dim(d),
        walls(net.wall_rows.shape[0]),
        capacity(padded(walls + net.total() + 1)),
        table(capacity * dim.stride(), 0.0),
        columns((d + 1) * capacity, 0.0),
        radius(capacity, 0.0),
        exponent(capacity, -1),
        unit(capacity, -1),
        side(capacity, 1),
        exact(capacity, false),
        central(capacity, false),
        member(capacity, false) {
    for (std::int64_t m = 0; m < walls; m++) {
      bool flat = net.wall_error(m) == 0.0;
      for (std::int64_t l = 0; l <= d; l++) {
        const double v = net.wall_rows(m, l);
        columns[l * capacity + m] = table[m * dim.stride() + l] = v;
        if (l < net.constant_column) flat = flat && v == 0.0;
      }
      radius[m] = net.wall_error(m) + gamma(d + 4);
      exponent[m] = net.wall_exponent(m);
      exact[m] = net.wall_error(m) == 0.0;
      central[m] = net.wall_rows(m, d) == 0.0 && net.wall_error(m) == 0.0;
      member[m] = net.homogeneous && flat && central[m];
    }
  }

  const double *row(std::int64_t m) const { return table.data() + m * dim.stride(); }
  Rows rows() const { return {table.data(), radius.data()}; }
};

// Writes unit g's row, oriented to `side`, as constraint m.
template <int D> inline void push_row(Constraints<D> &cell, const Path<D> &path, std::int64_t m,
                                      std::int64_t g, int side) {
  const double s = side > 0 ? 1.0 : -1.0;
  const double *row = path.row(g);
  for (int l = 0; l <= cell.dim.size(); l++)
    cell.columns[l * cell.capacity + m] = cell.table[m * cell.dim.stride() + l] = s * row[l];
  cell.radius[m] = path.radius[g];
  cell.exponent[m] = path.exponent[g];
  cell.exact[m] = path.error[g] == 0.0;
  cell.unit[m] = g;
  cell.side[m] = side > 0 ? 1 : -1;
}

// Sets `central` and membership in the row space that layer k's rows live in.
template <int D> inline void mark_rows(Constraints<D> &cell, const Path<D> &path, std::int64_t k,
                                       std::int64_t rows) {
  const Network &net = path.net;
  const std::int64_t below = k > 0 ? net.unit_start(k - 1) : 0, here = net.unit_start(k);
  for (std::int64_t m = cell.walls; m < rows; m++) {
    const std::int64_t g = cell.unit[m];
    std::int64_t layer = 0;
    while (net.unit_start(layer + 1) <= g) layer++;
    cell.central[m] = net.central(layer);
    cell.member[m] = g >= here || (k > 0 && g >= below && path.slope_of(g) != 0.0);
  }
}

}  // namespace polyrank
