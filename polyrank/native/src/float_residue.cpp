#include "float_residue.hpp"

#include "interface.hpp"

using polyrank::Array;

POLYRANK_API void polyrank_residues_reduce(Array<double, 2> matrix, double prime) {
  polyrank::reduce(matrix, prime);
}

POLYRANK_API std::int64_t polyrank_residues_panel(Array<double, 2> matrix, std::int64_t start,
                                                  Array<std::uint8_t, 1> used, double prime,
                                                  Array<std::int64_t, 1> columns) {
  return polyrank::eliminate_panel(matrix, start, used, prime, columns);
}
