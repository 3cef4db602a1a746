// Four doubles at once, and rows padded to whole lanes. One lane is one IEEE operation: neither the
// order of a sum nor its rounding depends on the instruction set.
#pragma once

#include <cstdint>
#include <cstring>

namespace polyrank {

inline constexpr int lane_count = 4;
inline constexpr std::int64_t padded(std::int64_t n) {
  return (n + lane_count - 1) & ~std::int64_t{lane_count - 1};
}
inline constexpr int padded(int n) { return (n + lane_count - 1) & ~(lane_count - 1); }

typedef double Lanes __attribute__((vector_size(8 * lane_count)));
typedef std::int64_t Mask __attribute__((vector_size(8 * lane_count)));

// Number of each lane: comparing it picks one, where writing a lane through memory would stall.
inline constexpr Lanes lane_indices = {0.0, 1.0, 2.0, 3.0};

#define POLYRANK_INLINE [[gnu::always_inline]] inline
// What runs once in a search, or where cheaper ways have failed: out of line and compiled for size,
// which is half of the time of compiling it.
#define POLYRANK_COLD [[gnu::cold, gnu::noinline]]

// References instead of values: no vector crosses a call, so that no calling convention matters.
POLYRANK_INLINE void load(Lanes &to, const double *from) { std::memcpy(&to, from, sizeof to); }
POLYRANK_INLINE void store(double *to, const Lanes &from) { std::memcpy(to, &from, sizeof from); }
POLYRANK_INLINE void fill(Lanes &to, double v) { to = Lanes{v, v, v, v}; }
POLYRANK_INLINE void absolute(Lanes &to, const Lanes &from) {
  // between vectors of one size a cast keeps the bits
  to = (Lanes)((Mask)from & INT64_MAX);
}

// Which of the next lanes of integers are negative.
POLYRANK_INLINE void negative_lanes(Mask &to, const int *from) {
  typedef int Integers __attribute__((vector_size(4 * lane_count)));
  Integers v;
  std::memcpy(&v, from, sizeof v);
  to = __builtin_convertvector(v, Mask) < 0;
}

// Largest lane; NaN is passed over.
POLYRANK_INLINE double largest(const Lanes &v) {
  const double a = v[0] > v[1] ? v[0] : v[1], b = v[2] > v[3] ? v[2] : v[3];
  return a > b ? a : b;
}

}  // namespace polyrank
