#include "float_table.hpp"

#include <new>

#include "interface.hpp"

using polyrank::Array;

POLYRANK_API void polyrank_normalise_rows(Array<const double, 2> given,
                                          const polyrank::NormalisedRows *out) {
  polyrank::normalise_rows(given, *out);
}

// 0 where memory ran out.
POLYRANK_API std::int64_t polyrank_find_multiples(Array<const double, 2> table,
                                                  Array<std::int64_t, 1> of,
                                                  Array<std::int8_t, 1> sign) {
  try {
    polyrank::find_multiples(table, of, sign);
    return 1;
  } catch (const std::bad_alloc &) {
    return 0;
  }
}

// 1 where floats prove that some `size` rows are independent; -1 where memory ran out.
POLYRANK_API std::int64_t polyrank_independent_rows(Array<const double, 2> table,
                                                    std::int64_t size) {
  try {
    return polyrank::independent_rows(table, size);
  } catch (const std::bad_alloc &) {
    return -1;
  }
}
