// The rows that bound the current cell: the domain's walls first, then the units that split it.
#pragma once

#include <cstdint>

#include "certificate.hpp"
#include "path.hpp"
#include "simplex.hpp"

namespace polyrank {

template <int D> struct Constraints {
  Dimension<D> dim;
  std::int64_t walls;      // rows of the domain (and of the cube)
  std::int64_t capacity;   // doubles from one column to the next
  Buffer<double> table;    // (capacity, stride) row by row, oriented: >= 0 on the cell
  Buffer<double> columns;  // (d + 1, capacity) column by column
  int axes = 0;      // so many of the first walls have one coefficient each, whole lanes of them:
  Buffer<int> axis;  // (walls,) of this coordinate
  Buffer<double> along;  // (walls,)
  Buffer<double> radius;
  Buffer<std::int64_t> exponent;
  Buffer<std::int64_t> unit;  // unit of the row among all layers, -1 for walls
  Buffer<std::int8_t> side;   // +1 or -1: how the unit's row is turned
  Buffer<bool> exact;         // the row has no error
  Buffer<bool> central;       // the constant is exactly zero
  Buffer<bool> member;        // lies in the space of row_space() (see by_enclosure)
  Buffer<bool> constant;      // a wall that is a multiple of the homogenising coordinate

  POLYRANK_COLD Constraints(const Network &net, std::int64_t d)
      : dim(d),
        walls(net.wall_rows.shape[0]),
        capacity(padded(walls + net.total() + 1)),
        table(capacity * dim.stride(), 0.0),
        columns((d + 1) * capacity, 0.0),
        axis(walls, 0),
        along(walls, 0.0),
        radius(capacity, 0.0),
        exponent(capacity, -1),
        unit(capacity, -1),
        side(capacity, 1),
        exact(capacity, false),
        central(capacity, false),
        member(capacity, false),
        constant(net.homogeneous ? walls : 0, false) {
    for (std::int64_t m = 0; m < walls; m++) {
      bool flat = net.wall_error(m) == 0.0;
      int coefficients = 0;
      for (std::int64_t l = 0; l <= d; l++) {
        const double v = net.wall_rows(m, l);
        if (l < d && v != 0.0) {
          axis[m] = static_cast<int>(l);
          along[m] = v;
          coefficients++;
        }
        columns[l * capacity + m] = table[m * dim.stride() + l] = v;
        if (l < net.constant_column) flat = flat && v == 0.0;
      }
      if (coefficients <= 1 && axes == m) axes++;
      radius[m] = net.wall_error(m) + gamma(d + 4);
      exponent[m] = net.wall_exponent(m);
      exact[m] = net.wall_error(m) == 0.0;
      central[m] = net.wall_rows(m, d) == 0.0 && net.wall_error(m) == 0.0;
      if (net.homogeneous) constant[m] = flat && central[m];
    }
    axes -= axes % lane_count;
  }

  const double *row(std::int64_t m) const { return table.data() + m * dim.stride(); }
  Rows rows() const { return {table.data(), radius.data()}; }
  Columns by_column() const { return {columns.data(), capacity, axes, axis.data(), along.data()}; }
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

// Sets `central` and membership in row_space(path, k, j): of the units of layers j + 1 .. k, and of
// those of layer j that have a slope.
template <int D> inline void mark_rows(Constraints<D> &cell, const Path<D> &path, std::int64_t k,
                                       std::int64_t j, std::int64_t rows) {
  const Network &net = path.net;
  const std::int64_t below = j >= 0 ? net.unit_start(j) : 0, above = net.unit_start(j + 1);
  for (std::int64_t m = 0; m < cell.constant.size(); m++)
    cell.member[m] = cell.constant[m] && !net.linear(k);
  for (std::int64_t m = cell.walls; m < rows; m++) {
    const std::int64_t g = cell.unit[m];
    std::int64_t layer = 0;
    while (net.unit_start(layer + 1) <= g) layer++;
    cell.central[m] = net.central(layer);
    cell.member[m] = g >= above || (j >= 0 && g >= below && path.slope_of(g) != 0.0);
  }
}

}  // namespace polyrank
