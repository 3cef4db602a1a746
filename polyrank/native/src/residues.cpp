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

POLYRANK_API void polyrank_residue_layer(
    Array<const std::int64_t, 2> weight, Array<const std::int64_t, 1> bias,
    Array<const std::int64_t, 1> neg, Array<const std::int64_t, 1> pos,
    Array<const std::int64_t, 1> bit, Array<const std::uint8_t, 2> words,
    Array<const std::int64_t, 2> values, std::int64_t prime, Array<std::int64_t, 2> out) {
  polyrank::apply({weight, bias, neg, pos, bit}, words, values, prime, out);
}
