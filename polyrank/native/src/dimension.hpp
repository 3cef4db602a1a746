// The dimension of the cube: a constant of the program where D > 0, a number at run time for D = 0.
#pragma once

#include "lanes.hpp"

namespace polyrank {

template <int D> struct Dimension {
  int at_run_time;

  explicit constexpr Dimension(std::int64_t d) : at_run_time(static_cast<int>(d)) {}

  constexpr int size() const {
    if constexpr (D > 0)
      return D;
    else
      return at_run_time;
  }
  // Doubles from one row to the next: d coefficients, the constant at index d, zeros.
  constexpr int stride() const { return padded(size() + 1); }
  // The same for a d × d matrix.
  constexpr int square() const { return padded(size()); }
};

}  // namespace polyrank
