#include "flats.hpp"

#include <new>

#include "flats_of_prefixes.hpp"
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

// -1 without memory.
POLYRANK_API std::int64_t polyrank_flats_advance(void *search,
                                                 Array<const std::int64_t, 2> elements,
                                                 Array<const std::int64_t, 1> lengths,
                                                 std::int64_t count, std::int64_t last,
                                                 std::int64_t prime, std::int64_t budget) {
  try {
    return static_cast<FlatSearch *>(search)->advance({elements, lengths, count}, last, prime,
                                                      budget);
  } catch (const std::bad_alloc &) {
    return FlatSearch::failed;
  }
}

POLYRANK_API std::int64_t polyrank_flats_depth(const void *search) {
  return static_cast<const FlatSearch *>(search)->depth;
}

POLYRANK_API std::int64_t polyrank_flats_nodes(const void *search) {
  return static_cast<const FlatSearch *>(search)->nodes;
}

POLYRANK_API void polyrank_flats_flat(const void *search, Array<std::uint8_t, 1> out) {
  const auto *flats = static_cast<const FlatSearch *>(search);
  for (std::int64_t e = 0; e < flats->units(); e++) out(e) = flats->in_flat(e);
}

POLYRANK_API void polyrank_flats_banned(const void *search, Array<std::uint8_t, 1> out) {
  const auto *flats = static_cast<const FlatSearch *>(search);
  for (std::int64_t e = 0; e < flats->units(); e++) out(e) = flats->is_banned(e);
}

// Sums of residues of at most 2^31 units stay below 2^63. -1 without memory.
POLYRANK_API std::int64_t polyrank_flats_of_prefixes(
    Array<const std::uint8_t, 2> positive, Array<const std::int64_t, 2> on,
    Array<const std::int64_t, 2> off, std::int64_t units, std::int64_t always,
    Array<const std::uint8_t, 2> wants_on, Array<const std::uint8_t, 2> wants_off,
    Array<const std::int64_t, 2> elements, Array<const std::int64_t, 1> lengths, std::int64_t count,
    std::int64_t rank, std::int64_t prime, std::int64_t budget, Array<std::uint8_t, 1> out,
    Array<std::int64_t, 1> nodes) {
  try {
    polyrank::FlatsOfPrefixes search;
    const std::int64_t done =
        search.run({positive, on, off, units, always},
                   {wants_on, wants_off, {elements, lengths, count}}, rank, prime, budget, out);
    nodes(0) = search.nodes;
    return done;
  } catch (const std::bad_alloc &) {
    return -1;
  }
}
