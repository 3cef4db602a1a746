#include "separation.hpp"

#include <new>

#include "interface.hpp"

using polyrank::Array;
using polyrank::Separation;

// Decides the pairs: apart(p) = 1 where a hyperplane is proved, near(p, ·) near its normal vector;
// face(p) is the dimension of the common face, or −1.
// Returns 0 if there was no memory.
POLYRANK_API std::int64_t polyrank_separate(
    Array<const double, 2> image, Array<const double, 2> error, Array<const std::int64_t, 1> start,
    Array<const std::int64_t, 1> vertex, Array<const std::int64_t, 1> dimension,
    Array<const std::int64_t, 2> pairs, Array<const std::int64_t, 1> face,
    Array<std::uint8_t, 1> apart, Array<double, 2> near) {
  try {
    Separation separation({image, error, start, vertex, dimension});
    for (std::int64_t p = 0; p < pairs.shape[0]; p++)
      apart(p) = separation.apart(pairs(p, 0), pairs(p, 1), face(p), near.row(p));
  } catch (const std::bad_alloc &) {
    return 0;
  }
  return 1;
}
