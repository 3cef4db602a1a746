// Rows of a table, for the complex: vertices, edges and faces that several regions share.
#include "shared_rows.hpp"

#include <new>

#include "interface.hpp"

// Returns the number of classes; -1 where memory ran out.
POLYRANK_API std::int64_t polyrank_distinct_rows(polyrank::Array<const std::uint64_t, 2> rows,
                                                 polyrank::Array<std::int64_t, 1> first,
                                                 polyrank::Array<std::int64_t, 1> number) {
  try {
    return polyrank::distinct_rows(rows, first, number);
  } catch (const std::bad_alloc &) {
    return -1;
  }
}

POLYRANK_API void polyrank_union_rows(polyrank::Array<const std::uint64_t, 2> rows,
                                      polyrank::Array<const std::int64_t, 1> member,
                                      polyrank::Array<const std::int64_t, 1> start,
                                      polyrank::Array<const std::int64_t, 1> end,
                                      polyrank::Array<std::uint64_t, 2> out) {
  polyrank::union_rows(rows, member, start, end, out);
}
