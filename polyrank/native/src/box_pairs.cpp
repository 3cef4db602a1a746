#include "box_pairs.hpp"

#include <new>

#include "interface.hpp"

using polyrank::Array;
using polyrank::BoxPairs;

POLYRANK_API void *polyrank_box_pairs_new(Array<const double, 2> low, Array<const double, 2> high,
                                          Array<const std::int64_t, 1> group) {
  try {
    return new BoxPairs(low, high, group);
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

POLYRANK_API void polyrank_box_pairs_free(void *pairs) { delete static_cast<BoxPairs *>(pairs); }

// 1: that was all, 0: there may be more, −1: out of memory.
POLYRANK_API std::int64_t polyrank_box_pairs_advance(void *pairs, std::int64_t budget) {
  try {
    return static_cast<BoxPairs *>(pairs)->advance(budget);
  } catch (const std::bad_alloc &) {
    return -1;
  }
}

POLYRANK_API std::int64_t polyrank_box_pairs_size(const void *pairs) {
  return static_cast<std::int64_t>(static_cast<const BoxPairs *>(pairs)->found.size()) / 2;
}

POLYRANK_API void polyrank_box_pairs_copy(const void *pairs, Array<std::int64_t, 2> out) {
  const auto &found = static_cast<const BoxPairs *>(pairs)->found;
  std::copy(found.begin(), found.end(), out.data);
}
