// Unevaluated sums of two doubles: about 106 bits. Sums and products of doubles without an error,
// and the sign of a scalar product that is proved by them.
#pragma once

#include <cmath>
#include <cstdint>

#include "compose.hpp"
#include "dimension.hpp"

namespace polyrank {

// high + low, where |low| is at most half a unit of high's last place.
struct TwoDoubles {
  double high = 0.0, low = 0.0;
};

// a + b = high + low (Knuth), also where a result is subnormal.
POLYRANK_INLINE TwoDoubles exact_sum(double a, double b) {
  const double s = a + b, part = s - a;
  return {s, (a - (s - part)) + (b - part)};
}

// a · b = high + low (Dekker; factors below 2^996); off by at most five times the smallest float
// where something is subnormal.
POLYRANK_INLINE TwoDoubles exact_product(double a, double b) {
  constexpr double split = 0x1p27 + 1.0;
  const double p = a * b, ca = split * a, cb = split * b;
  const double a1 = ca - (ca - a), a2 = a - a1, b1 = cb - (cb - b), b2 = b - b1;
  return {p, a2 * b2 - (((p - a1 * b1) - a2 * b1) - a1 * b2)};
}

// The next operations are off by a few units of the 104th bit: they propose, and prove nothing.
POLYRANK_INLINE TwoDoubles operator-(TwoDoubles a) { return {-a.high, -a.low}; }
POLYRANK_INLINE TwoDoubles operator+(TwoDoubles a, TwoDoubles b) {
  const TwoDoubles s = exact_sum(a.high, b.high), t = exact_sum(a.low, b.low);
  const TwoDoubles u = exact_sum(s.high, s.low + t.high);
  return exact_sum(u.high, u.low + t.low);
}
POLYRANK_INLINE TwoDoubles operator-(TwoDoubles a, TwoDoubles b) { return a + -b; }
POLYRANK_INLINE TwoDoubles operator*(TwoDoubles a, double b) {
  const TwoDoubles p = exact_product(a.high, b);
  return exact_sum(p.high, p.low + a.low * b);
}
POLYRANK_INLINE TwoDoubles operator*(TwoDoubles a, TwoDoubles b) {
  const TwoDoubles p = exact_product(a.high, b.high);
  return exact_sum(p.high, p.low + (a.high * b.low + a.low * b.high));
}
inline TwoDoubles operator/(TwoDoubles a, TwoDoubles b) {
  const double first = a.high / b.high;
  const TwoDoubles rest = a - b * first;
  const double second = rest.high / b.high;
  return exact_sum(first, second) + TwoDoubles{(rest - b * second).high / b.high, 0.0};
}

// A sum of doubles, rounded: to the sign of the exact one or to zero where the sign is not proved.
//
// The terms are s + c + sum e exactly, with s and c summed without error and |sum |e|| at most
// (n u)^2 times the sum of the magnitudes; what is lost is the rounding of that last sum and of the
// result (Ogita, Rump and Oishi, Accurate sum and dot product, SIAM J. Sci. Comput. 26, 2005, SumK
// with K = 3). Eight times gamma^3 leaves room for both.
class SignedSum {
public:
  POLYRANK_INLINE void add(double term) {
    const TwoDoubles s = exact_sum(sum_, term), c = exact_sum(second_, s.low);
    sum_ = s.high;
    second_ = c.high;
    third_ += c.low;
    size_ += std::fabs(term);
  }
  POLYRANK_INLINE void add_product(double a, double b) {
    const TwoDoubles p = exact_product(a, b);
    add(p.high);
    add(p.low);
  }
  // `terms` have been added, with `products` products among them.
  POLYRANK_INLINE double value(int terms, int products) const {
    const TwoDoubles s = exact_sum(sum_, second_);
    const double result = s.high + (s.low + third_), g = gamma(terms + 4);
    const double bound = 8.0 * (g * g * g) * size_ + 16.0 * (products + 1) * underflow;
    return std::fabs(result) > bound ? result : 0.0;
  }

private:
  double sum_ = 0.0, second_ = 0.0, third_ = 0.0, size_ = 0.0;
};

// The value of an affine form at the point u + low, rounded, both taken as the floats that they
// are; 0 where its sign is not proved.
template <int D>
inline double proved_value(Dimension<D> dim, const double *row, const double *u,
                           const double *low) {
  const int d = dim.size();
  SignedSum sum;
  sum.add(row[d]);
  for (int l = 0; l < d; l++) {
    if (row[l] == 0.0) continue;
    sum.add_product(row[l], u[l]);
    if (low[l] != 0.0) sum.add_product(row[l], low[l]);
  }
  return sum.value(4 * d + 1, 2 * d);
}

// Whether doubles add up to a sum of two exactly; `terms` are overwritten.
inline bool exact_sum_of(double *terms, int count, TwoDoubles &out) {
  for (int pass = 0; pass < count; pass++)
    for (int i = 1; i < count; i++) {
      const TwoDoubles s = exact_sum(terms[i], terms[i - 1]);
      terms[i] = s.high;
      terms[i - 1] = s.low;
    }
  for (int i = 0; i + 2 < count; i++)
    if (terms[i] != 0.0) return false;
  out = {terms[count - 1], count > 1 ? terms[count - 2] : 0.0};
  return std::fabs(out.high) < 0x1p1000;
}

}  // namespace polyrank
