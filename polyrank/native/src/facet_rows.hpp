// The rows of a stage on the current cell, and all rows of a cell, positive inside.
#pragma once

#include "facet_state.hpp"
#include "facet_vertices.hpp"

namespace polyrank {

// Composes the rows of layer k on the cell that the layers below it fix.
inline void load_layer(Walk &w, int k) {
  w.loaded[k]++;
  if (k == 0) {
    first_layer(w.path);
    return;
  }
  const std::int64_t a = w.net.unit_start(k - 1);
  int live = 0;
  for (std::int64_t g = a; g < w.net.unit_start(k); g++)
    live += w.path.slope_of(g) != 0.0 && !w.path.zero[g] && w.path.power[g] != zero_row;
  const auto below = static_cast<std::size_t>(k - 1);
  w.path.bound[below] =
      std::min(live, k == 1 ? static_cast<int>(w.net.linear_columns) : w.path.bound[below - 1]);
  next_layer(w.path, k);
}

// Writes a row, on its side, to the columns and the form of place m.
inline void write_row(Walk &w, int m, int row, double side) {
  const double *from = w.form_of(row);
  double *to = w.cell().form.data() + m * w.dim.stride();
  for (int l = 0; l <= w.d(); l++)
    w.cell().columns[l * w.cell().capacity + m] = to[l] = side * from[l];
  w.cell().side[m] = side;
  std::uint64_t &word = w.cell().side_word[m >> 6];
  word = side > 0.0 ? word | bit_of(m) : word & ~bit_of(m);
}

// Appends a row to the cell's.
inline void append_row(Walk &w, int row) {
  CellRows &cell = w.cell();
  const int m = cell.count++;
  cell.row[m] = row;
  cell.position[row] = m;
  cell.status[m] = Status::open;
  write_row(w, m, row, w.orient[row]);
  cell.radius[m] = w.radius_of(row);
  cell.exponent[m] = w.exponent_of_row(row);
  cell.central[m] = w.is_unit(row) ? w.net.central(w.layer_of(row)) : w.is_central_wall(row);
  cell.member[m] = false;
  if (row < w.own_walls) cell.wall_word[m >> 6] |= bit_of(m);
}

// Starts the cell that the stages before s fix, with its rows.
inline void gather_kept(Walk &w, int s) {
  for (int m = w.cell().always; m < w.cell().count; m++) w.cell().position[w.cell().row[m]] = -1;
  w.cell().count = w.cell().always;
  for (std::int64_t c = 0; c < w.cell().wall_word.size(); c++) w.cell().wall_word[c] = 0;
  for (const int row : w.kept[static_cast<std::size_t>(s)]) append_row(w, row);
  w.vertices().clear();
}

// Appends the units of stage s that may cut the cell.
inline void gather_cutting(Walk &w, int s) {
  const int begin = w.cell().count;
  for (const int g : w.cutting[static_cast<std::size_t>(s)])
    if (!w.path.zero[g]) append_row(w, w.walls + g);
  place_vertices(w, begin);
}

// Brings the rows to the side of the current region.
inline void turn_rows(Walk &w) {
  for (int m = w.cell().always; m < w.cell().count; m++) {
    const int row = w.cell().row[m];
    if (w.orient[row] != w.cell().side[m]) write_row(w, m, row, w.orient[row]);
  }
}

// Keeps a row from blocking any step of the linear program; turn_rows puts it back.
inline void take_out(Walk &w, int m) {
  for (int l = 0; l < w.d(); l++) w.cell().columns[l * w.cell().capacity + m] = 0.0;
  w.cell().columns[w.d() * w.cell().capacity + m] = 1.0;
  w.cell().side[m] = 0.0;
}

inline void put_back(Walk &w, int m) {
  const double *form = w.cell().form.data() + m * w.dim.stride();
  for (int l = 0; l <= w.d(); l++) w.cell().columns[l * w.cell().capacity + m] = form[l];
  w.cell().side[m] = w.orient[w.cell().row[m]];
}

// Which of the cell's rows lie in the space of the live rows of layer j - 1, with t where layer k
// has constants.
inline void mark_members(Walk &w, int j, int k) {
  const std::int64_t below = j > 0 ? w.net.unit_start(j - 1) : 0, here = w.net.unit_start(j);
  const bool linear = w.net.linear(k);
  for (int m = 0; m < w.cell().always; m++) w.cell().member[m] = w.cell().constant[m] && !linear;
  for (int m = w.cell().always; m < w.cell().count; m++) {
    const std::int64_t g = w.cell().row[m] - w.walls;
    w.cell().member[m] = g >= 0 &&
                         (g >= here || (j > 0 && g >= below && w.path.slope_of(g) != 0.0)) &&
                         (!linear || w.net.linear(w.layer_of(w.cell().row[m])));
  }
}

}  // namespace polyrank
