// An open cell with all that another search of the same problem needs to go on from it as if it
// were this one: nothing is computed again that could come out differently.
#pragma once

#include <cstdint>
#include <vector>

#include "cells.hpp"

namespace polyrank {

// Points strictly inside a task's cell: coordinates in the cube, to one rounding each or better,
// and exactly in the chart; sums of two doubles.
struct LoadedPoints {
  std::int64_t count;
  const double *cube, *cube_low;    // (count, d)
  const double *chart, *chart_low;  // (count, k)
};

struct SearchTask {
  OpenCell cell{};
  bool paired = false;
  std::vector<std::int8_t> bits, splits;                     // of the cell's layer
  std::vector<std::int8_t> path_bit, path_zero, path_split;  // of the layers above it
  std::vector<int> path_rank, path_bound;
  std::vector<std::int64_t> row_unit;  // the units that bound the cell, in order
  std::vector<std::int8_t> row_side;
  std::vector<int> basis;
  std::vector<double> x, inverse;
  std::vector<double> cube_points, chart_points;
  std::vector<std::int8_t> point_signs;
  std::vector<std::int8_t> point_exact;
  std::vector<double> cube_low, chart_low;  // of the exact points only
};

}  // namespace polyrank
