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

// Calls f with the dimension as a constant, also where it is known at run time only and is one of a
// few. The loops of linear programs are compiled so, ten times; what is around them once, which
// halves the build.
template <int D, class F> POLYRANK_INLINE auto with_dimension(Dimension<D> dim, F &&f) {
  if constexpr (D > 0) return f(dim);
#ifndef POLYRANK_ANY_DIMENSION
  switch (dim.size()) {
    case 2: return f(Dimension<2>(2));
    case 3: return f(Dimension<3>(3));
    case 4: return f(Dimension<4>(4));
    case 5: return f(Dimension<5>(5));
    case 6: return f(Dimension<6>(6));
    case 7: return f(Dimension<7>(7));
    case 8: return f(Dimension<8>(8));
    case 9: return f(Dimension<9>(9));
    case 10: return f(Dimension<10>(10));
    default: break;
  }
#endif
  return f(dim);
}

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
