#include "flats.hpp"

#include <algorithm>
#include <new>

#include "interface.hpp"

using polyrank::Array;
using polyrank::FlatSearch;

POLYRANK_API void *polyrank_flats_new(Array<const std::int64_t, 2> elements, std::int64_t levels) {
  try {
    return new FlatSearch(elements, levels);
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

POLYRANK_API void polyrank_flats_free(void *search) { delete static_cast<FlatSearch *>(search); }

POLYRANK_API std::int64_t polyrank_flats_advance(void *search,
                                                 Array<const std::int64_t, 2> elements,
                                                 Array<const std::int64_t, 1> lengths,
                                                 std::int64_t count, std::int64_t last,
                                                 std::int64_t prime, std::int64_t budget) {
  return static_cast<FlatSearch *>(search)->advance({elements, lengths, count}, last, prime, budget);
}

POLYRANK_API std::int64_t polyrank_flats_depth(const void *search) {
  return static_cast<const FlatSearch *>(search)->depth;
}

POLYRANK_API std::int64_t polyrank_flats_nodes(const void *search) {
  return static_cast<const FlatSearch *>(search)->nodes;
}

POLYRANK_API void polyrank_flats_flat(const void *search, Array<std::uint8_t, 1> out) {
  const auto &flat = static_cast<const FlatSearch *>(search)->flat();
  std::copy(flat.begin(), flat.end(), out.data);
}
