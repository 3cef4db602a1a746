// The dimension of the cube: a constant of the program where D > 0, a number at run time for D = 0.
#pragma once

#include <array>
#include <type_traits>
#include <vector>

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

// A row of one function call, in whole lanes: on the stack where the dimension is known.
template <int D> class LocalRow {
public:
  explicit LocalRow(Dimension<D> dim) {
    if constexpr (D == 0) entries_.resize(static_cast<std::size_t>(padded(dim.size())));
  }
  double &operator[](int l) { return entries_[static_cast<std::size_t>(l)]; }

private:
  std::conditional_t<(D > 0), std::array<double, static_cast<std::size_t>(padded(D))>,
                     std::vector<double>>
      entries_;
};

}  // namespace polyrank
