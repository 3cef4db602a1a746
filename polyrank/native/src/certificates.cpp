// The proofs that the engines rest on, one by one and on plain arrays: what tests attack.
#include <algorithm>
#include <new>

#include "buffer.hpp"
#include "certificate.hpp"
#include "compose.hpp"
#include "interface.hpp"
#include "rank.hpp"

using namespace polyrank;

namespace {

using Reals = Array<const double, 1>;
using Matrix = Array<const double, 2>;
using Integers = Array<const std::int64_t, 1>;

// A copy with rows of whole lanes.
Buffer<double> padded_copy(Matrix from, std::int64_t stride) {
  Buffer<double> to(from.shape[0] * stride, 0.0);
  for (std::int64_t i = 0; i < from.shape[0]; i++)
    std::copy_n(from.row(i), from.shape[1], &to[i * stride]);
  return to;
}

Buffer<double> padded_copy(Reals from, std::int64_t stride) {
  Buffer<double> to(stride, 0.0);
  std::copy_n(from.data, from.shape[0], to.data());
  return to;
}

template <class T> Buffer<T> copy_of(Integers from) {
  Buffer<T> to(from.shape[0], T{});
  for (std::int64_t i = 0; i < from.shape[0]; i++) to[i] = static_cast<T>(from(i));
  return to;
}

// Proofs in a dimension at run time; -1 where memory ran out.
template <class Prove> std::int64_t proved(Prove prove) {
  try {
    return static_cast<std::int64_t>(prove());
  } catch (const std::bad_alloc &) {
    return -1;
  }
}

}  // namespace

// rows (m, d + 1), radius (m,), basis and rates (d,), objective (d + 1,).
POLYRANK_API std::int64_t polyrank_by_residual(Matrix rows, Reals radius, Integers basis,
                                               Reals rates, Reals objective,
                                               double objective_radius) {
  return proved([&] {
    const Dimension<0> dim(basis.shape[0]);
    const Buffer<double> table = padded_copy(rows, dim.stride()),
                         goal = padded_copy(objective, dim.stride());
    const Buffer<double> multipliers = padded_copy(rates, dim.square());
    return by_residual(dim, Rows{table.data(), radius.data}, copy_of<int>(basis).data(),
                       multipliers.data(), goal.data(), objective_radius);
  });
}

// As by_residual; inverse (d, d), central and member (m,).
POLYRANK_API std::int64_t polyrank_by_enclosure(Matrix rows, Reals radius, Integers basis,
                                                Matrix inverse, Reals rates, Reals objective,
                                                double objective_radius,
                                                Array<const bool, 1> central,
                                                Array<const bool, 1> member,
                                                std::int64_t dimension) {
  return proved([&] {
    const Dimension<0> dim(basis.shape[0]);
    const Buffer<double> table = padded_copy(rows, dim.stride()),
                         goal = padded_copy(objective, dim.stride());
    const Buffer<double> square = padded_copy(inverse, dim.square()),
                         multipliers = padded_copy(rates, dim.square());
    return by_enclosure(dim, Rows{table.data(), radius.data}, copy_of<int>(basis).data(),
                        square.data(), multipliers.data(), goal.data(), objective_radius,
                        central.data, member.data, static_cast<int>(dimension));
  });
}

// As by_residual; exponent (m,).
POLYRANK_API std::int64_t polyrank_by_integers(Matrix rows, Integers exponent, Integers basis,
                                               Reals rates, Reals objective,
                                               std::int64_t objective_exponent) {
  return proved([&] {
    const Dimension<0> dim(basis.shape[0]);
    const Buffer<double> table = padded_copy(rows, dim.stride()),
                         goal = padded_copy(objective, dim.stride());
    const Buffer<double> multipliers = padded_copy(rates, dim.square());
    Buffer<double> work(2 * dim.size() * dim.square(), 0.0);
    return by_integers(dim, table.data(), exponent.data, copy_of<int>(basis).data(),
                       multipliers.data(), goal.data(), objective_exponent, work.data());
  });
}

// As by_integers, without multipliers: the basis alone.
POLYRANK_API std::int64_t polyrank_by_residues(Matrix rows, Integers exponent, Integers basis,
                                               Reals objective, std::int64_t objective_exponent) {
  return proved([&] {
    const Dimension<0> dim(basis.shape[0]);
    const Buffer<double> table = padded_copy(rows, dim.stride());
    const Buffer<double> goal = padded_copy(objective, dim.stride());
    Buffer<std::int64_t> work(residue_work(dim.size()), 0);
    return by_residues(dim.size(), dim.stride(), table.data(), exponent.data,
                       copy_of<int>(basis).data(), goal.data(), objective_exponent, work.data())
        .proved;
  });
}

// The primes of which residues are taken, as many as there is room for; how many they are.
POLYRANK_API std::int64_t polyrank_word_primes(Array<std::int64_t, 1> out) {
  const std::int64_t count = std::min<std::int64_t>(SignOfResidues::most, out.shape[0]);
  std::copy_n(word_primes, count, out.data);
  return count;
}

// rows (n, d + 1); chosen (size,) receives the independent rows.
POLYRANK_API std::int64_t polyrank_independent(Matrix rows, Reals radius,
                                               Array<std::int64_t, 1> chosen) {
  return proved([&] {
    const std::int64_t count = rows.shape[0], width = rows.shape[1], stride = padded(width),
                       size = chosen.shape[0];
    const Buffer<double> table = padded_copy(rows, stride);
    Buffer<double> work(count * stride, 0.0), largest(count, 0.0), lower(count * width, 0.0);
    Buffer<double> inverse(2 * width * width, 0.0);
    Buffer<int> column(width, 0), picked(width, 0);
    Buffer<bool> used(count, false);
    const bool found = independent(
        table.data(), radius.data, static_cast<int>(count), static_cast<int>(width),
        static_cast<int>(stride), static_cast<int>(size), picked.data(),
        {work.data(), largest.data(), lower.data(), inverse.data(), column.data(), used.data()});
    std::copy_n(picked.data(), size, chosen.data);
    return found;
  });
}

// Rank of integer rows (n, w) times 2^exponent, or -1.
POLYRANK_API std::int64_t polyrank_integer_rank(Matrix rows, Integers exponent) {
  return proved([&] {
    const std::int64_t count = rows.shape[0], width = rows.shape[1], stride = padded(width);
    const Buffer<double> table = padded_copy(rows, stride);
    Buffer<int> index(count, 0);
    for (std::int64_t i = 0; i < count; i++) index[i] = static_cast<int>(i);
    Buffer<std::int64_t> residues(count * width, 0);
    return integer_rank(table.data(), static_cast<int>(stride), exponent.data, index.data(),
                        static_cast<int>(count), static_cast<int>(width), residues.data());
  });
}

// weight (units_in, units_out), rows (units_in, d + 1), out_rows (units_out, d + 1); the bias goes
// to the last column.
POLYRANK_API std::int64_t polyrank_compose(Matrix weight, Reals bias, std::int64_t exact_arithmetic,
                                           Reals slope, Matrix rows, Reals error, Integers power,
                                           Array<double, 2> out_rows, Array<double, 1> out_error,
                                           Array<std::int64_t, 1> out_power) {
  return proved([&] {
    const Dimension<0> dim(rows.shape[1] - 1);
    const std::int64_t n_in = weight.shape[0], n_out = weight.shape[1];
    Buffer<double> below = padded_copy(rows, dim.stride()),
                   errors = padded_copy(error, padded(n_in));
    Buffer<std::int64_t> powers = copy_of<std::int64_t>(power);
    Buffer<double> above(n_out * dim.stride(), 0.0), columns((dim.size() + 1) * padded(n_out), 0.0);
    Buffer<double> magnitude(n_out, 0.0), factor(n_in, 0.0);
    const LayerMap map{weight.data,
                       bias.data,
                       true,
                       exact_arithmetic != 0,
                       dim.size(),
                       static_cast<int>(n_in),
                       static_cast<int>(n_out)};
    compose(dim, map, slope.data, LayerRows{below.data(), errors.data(), powers.data()},
            LayerRows{above.data(), out_error.data, out_power.data}, columns.data(), padded(n_out),
            magnitude.data(), factor.data());
    for (std::int64_t i = 0; i < n_out; i++)
      std::copy_n(&above[i * dim.stride()], dim.size() + 1, out_rows.row(i));
    return true;
  });
}
