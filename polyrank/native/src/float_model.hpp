// What every bound of the core rests on: IEEE binary64, round to nearest, gradual underflow, and an
// evaluation that neither keeps more digits nor contracts a product and a sum.
#pragma once

#include <cfloat>
#include <limits>

static_assert(std::numeric_limits<double>::is_iec559, "the bounds assume IEEE arithmetic");
static_assert(std::numeric_limits<double>::digits == 53, "the bounds assume binary64");
static_assert(std::numeric_limits<double>::has_denorm == std::denorm_present,
              "the bounds assume gradual underflow");
static_assert(FLT_EVAL_METHOD == 0, "the bounds assume that doubles are evaluated as doubles");
#if defined(__FAST_MATH__) || defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "the core must not be compiled with fast-math"
#endif

namespace polyrank {
inline constexpr double unit_roundoff = 0x1p-53;
// The rounding of one operation whose result is subnormal is absolute: at most this.
inline constexpr double underflow = 0x1p-1074;
}  // namespace polyrank
