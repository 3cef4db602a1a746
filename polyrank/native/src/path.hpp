// The current path of a search: the codeword of the layers above the cell, the affine rows of every
// layer on it, what needs no linear program, and ranks.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "buffer.hpp"
#include "compose.hpp"
#include "dimension.hpp"
#include "network.hpp"
#include "proof_log.hpp"
#include "rank.hpp"
#include "statistics.hpp"

namespace polyrank {

// Decisions of a unit on a cell, as in polyrank/cells/task.py.
enum Decision : std::int8_t {
  undecided = -1,
  negative = 0,
  positive = 1,
  identically_zero = 2,
  tied = 3
};

// Sets of units that were proved independent on some region of a layer.
struct IndependentSets {
  static constexpr int capacity = 32;

  std::int64_t words = 1;
  std::vector<std::uint64_t> members;  // (capacity, words) bit i: unit i of the layer
  std::int64_t size[capacity] = {};
  int filled = 0;  // the first `filled` sets are proved on the current rows
  int next = 0;    // place of the next one

  explicit IndependentSets(std::int64_t units)
      : words((units + 63) / 64), members(static_cast<std::size_t>(capacity * words), 0) {}

  const std::uint64_t *set(int c) const { return members.data() + c * words; }
  std::uint64_t *set(int c) { return members.data() + c * words; }

  void swap(int a, int b) {
    for (std::int64_t w = 0; w < words; w++) std::swap(set(a)[w], set(b)[w]);
    std::swap(size[a], size[b]);
  }
};

template <int D> struct Path {
  Dimension<D> dim;
  Network net;
  std::int64_t units;          // of all layers
  std::int64_t column_stride;  // doubles from one column of `columns` to the next

  // affine forms of every layer on the path: true row = 2^power · (row ± error)
  Buffer<double> rows;            // (units, stride) normalised rows
  Buffer<double> columns;         // (d + 1, column_stride) the same column by column
  Buffer<double> error;           // (units,) coefficient error bounds
  Buffer<std::int64_t> power;     // (units,) zero_row where the row is exactly zero
  Buffer<double> radius;          // (units,) error + rounding of one evaluation
  Buffer<std::int64_t> exponent;  // (units,) row · 2^exponent is integer; -1 where unknown

  // final bits of the layers above the cell's
  Buffer<std::int8_t> bit;            // (units,) 0 or 1
  Buffer<std::int8_t> zero;           // (units,) 1 where identically zero
  Buffer<std::int8_t> split;          // (units,) 1 where the unit bounds the region
  std::vector<int> rank;              // (layers,) proved, or -1
  std::vector<int> bound;             // (layers,) proved upper bound
  std::vector<IndependentSets> sets;  // (layers,)

  Statistics stat;
  ProofLog log;

  // scratch
  Buffer<double> slope, factor, magnitude;
  Buffer<double> rank_rows, rank_radius, rank_work, rank_largest, rank_lower, rank_inverse;
  Buffer<int> rank_index, chosen, chosen_column;
  Buffer<bool> used;
  Buffer<std::int64_t> residues;
  Buffer<std::int8_t> live_on, live_off;    // per unit: 1 where the slope there is not zero
  std::vector<std::uint64_t> active;        // units of the layer with a non-zero slope
  std::vector<std::uint64_t> chosen_units;  // a set of units of the layer

  POLYRANK_COLD Path(const Network &network, std::int64_t d)
      : dim(d),
        net(network),
        units(network.total()),
        column_stride(padded(network.total())),
        rows(units * dim.stride(), 0.0),
        columns((d + 1) * column_stride, 0.0),
        error(units, 0.0),
        power(units, zero_row),
        radius(units, 0.0),
        exponent(units, -1),
        bit(units + 8, 0),
        zero(units + 8, 0),
        split(units, 0),
        rank(static_cast<std::size_t>(network.layers()), 0),
        bound(static_cast<std::size_t>(network.layers()), 0) {
    const std::int64_t widest = network.widest(),
                       width = network.linear_columns > 1 ? network.linear_columns : 1;
    for (std::int64_t k = 0; k < network.layers(); k++) sets.emplace_back(network.units(k));
    slope = Buffer<double>(widest, 0.0);
    factor = Buffer<double>(widest, 0.0);
    magnitude = Buffer<double>(widest, 0.0);
    rank_rows = Buffer<double>(widest * padded(width), 0.0);
    rank_radius = Buffer<double>(widest, 0.0);
    rank_work = Buffer<double>(widest * padded(width), 0.0);
    rank_largest = Buffer<double>(widest, 0.0);
    rank_lower = Buffer<double>(widest * width, 0.0);
    rank_inverse = Buffer<double>(2 * width * width, 0.0);
    rank_index = Buffer<int>(widest, 0);
    chosen = Buffer<int>(width, 0);
    chosen_column = Buffer<int>(width, 0);
    used = Buffer<bool>(widest, false);
    residues = Buffer<std::int64_t>(widest * width, 0);
    active.assign(static_cast<std::size_t>((widest + 63) / 64), 0);
    chosen_units = active;
    live_on = Buffer<std::int8_t>(units + 8, 0);
    live_off = Buffer<std::int8_t>(units + 8, 0);
    for (std::int64_t g = 0; g < units; g++) {
      live_on[g] = network.slope_pos(g) != 0.0;
      live_off[g] = network.slope_neg(g) != 0.0;
    }
  }

  const double *row(std::int64_t g) const { return rows.data() + g * dim.stride(); }
  double *row(std::int64_t g) { return rows.data() + g * dim.stride(); }
  double slope_of(std::int64_t g) const {
    return bit[g] == 1 ? net.slope_pos(g) : net.slope_neg(g);
  }
};

// Loads the rows of layer 1, which are the same on the whole domain.
template <int D> POLYRANK_COLD void first_layer(Path<D> &path) {
  const Network &net = path.net;
  const int d = path.dim.size();
  for (std::int64_t i = 0; i < net.units(0); i++) {
    for (int l = 0; l <= d; l++) {
      path.row(i)[l] = net.first_rows(i, l);
      path.columns[l * path.column_stride + i] = net.first_rows(i, l);
    }
    path.error[i] = net.first_error(i);
    path.power[i] = net.first_power(i);
    path.exponent[i] = net.first_exponent(i);
    path.radius[i] = path.error[i] + gamma(d + 4);
  }
}

// Composes the rows of layer k (0-based, k >= 1) on the region given by the path's bits. Compiled
// once for all searches and walks: next_layer.cpp.
template <int D> void next_layer(Path<D> &path, std::int64_t k);

// Dimension, at most, of a linear space in which the rows of layer k lie: that which the rows of
// layer j < k span on the path's region, or all of it for j = -1, with the constant column where
// layer k has constants. With j the dimension falls, and fewer other rows lie in the space.
template <int D> inline int row_space(const Path<D> &path, std::int64_t k, std::int64_t j) {
  const int below =
      j >= 0 ? path.bound[static_cast<std::size_t>(j)] : static_cast<int>(path.net.linear_columns);
  return below + (path.net.homogeneous && !path.net.linear(k));
}

// What needs no LP about unit i of layer k: no hyperplane, tied, constant rows, the cube's bound.
template <int D, int E>
inline Decision decide_unit(Dimension<D> dim, Path<E> &path, std::int64_t k, std::int64_t i) {
  const Network &net = path.net;
  const int d = dim.size();
  const std::int64_t g = net.unit_start(k) + i;
  if (!net.hyperplane(g)) return positive;
  if (net.tie(g) >= 0) {
    path.stat.by_structure++;
    return tied;
  }
  const auto constant = [&](double c) {
    path.log.unit(c > 0.0 ? LogStep::cube_positive : LogStep::cube_negative, i);
    return c > 0.0 ? positive : negative;
  };
  const double *row = path.rows.data() + g * dim.stride();
  double spread = 0.0;
  for (int l = 0; l < d; l++) spread += std::fabs(row[l]);
  const double c = row[d];
  if (spread == 0.0 && path.error[g] == 0.0) {
    path.stat.by_structure++;
    if (c != 0.0) return constant(c);
    path.log.unit(LogStep::zero, i);
    return identically_zero;
  }
  if (net.homogeneous && path.error[g] == 0.0) {
    bool slanted = false;
    for (int l = 0; l < d - 1; l++) slanted = slanted || row[l] != 0.0;
    if (!slanted) {
      // a multiple of t, which is positive
      path.stat.by_structure++;
      return constant(row[d - 1]);
    }
  }
  if (std::fabs(c) > (spread + (d + 1) * path.radius[g]) * inflate) {
    path.stat.by_interval++;
    return constant(c);
  }
  return undecided;
}

// The same for all units of layer k.
template <int D, int E>
inline void enter_layer(Dimension<D> dim, Path<E> &path, std::int64_t k, std::int8_t *bits,
                        std::int8_t *split) {
  for (std::int64_t i = 0; i < path.net.units(k); i++) {
    split[i] = 0;
    bits[i] = decide_unit(dim, path, k, i);
  }
}

namespace detail {

// The lowest bits of eight bytes, as the bits of one.
inline std::uint64_t packed(const std::int8_t *bytes) {
  std::uint64_t v = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&v, bytes, 8);
    return ((v & 0x0101010101010101) * 0x0102040810204080) >> 56;
  }
  for (int i = 0; i < 8; i++) v |= static_cast<std::uint64_t>(bytes[i] & 1) << i;
  return v;
}

// The units of layer k with a non-zero slope that are not identically zero, into `active`.
template <int D> inline void find_active(Path<D> &path, std::int64_t k) {
  const std::int64_t a = path.net.unit_start(k), n = path.net.units(k);
  for (std::int64_t w = 0; 64 * w < n; w++) {
    std::uint64_t word = 0;
    const std::int64_t end = n - 64 * w < 64 ? n - 64 * w : 64;
    for (std::int64_t i = 0; i < end; i += 8) {
      const std::int64_t g = a + 64 * w + i;
      const std::uint64_t on = packed(&path.bit[g]);
      const std::uint64_t live =
          (on & packed(&path.live_on[g])) | (~on & packed(&path.live_off[g]));
      word |= (live & ~packed(&path.zero[g])) << i;
    }
    if (end < 64) word &= (std::uint64_t{1} << end) - 1;
    path.active[static_cast<std::size_t>(w)] = word;
  }
}

inline bool subset(const std::uint64_t *set, const std::uint64_t *of, std::int64_t words) {
  for (std::int64_t w = 0; w < words; w++)
    if (set[w] & ~of[w]) return false;
  return true;
}

// Whether units that were proved independent on these rows before are all active now.
template <int D> inline bool cached_rank(Path<D> &path, std::int64_t k, std::int64_t size) {
  const IndependentSets &sets = path.sets[static_cast<std::size_t>(k)];
  for (int c = 0; c < sets.filled; c++)
    if (sets.size[c] == size && subset(sets.set(c), path.active.data(), sets.words)) {
      path.stat.rank_cached++;
      return true;
    }
  return false;
}

// Whether the first `live` units of the index are part of a set that was proved independent on
// these rows before.
template <int D> inline bool within_independent(Path<D> &path, std::int64_t k, int live) {
  IndependentSets &sets = path.sets[static_cast<std::size_t>(k)];
  std::fill(path.chosen_units.begin(), path.chosen_units.end(), 0);
  for (int r = 0; r < live; r++)
    path.chosen_units[static_cast<std::size_t>(path.rank_index[r] >> 6)] |=
        std::uint64_t{1} << (path.rank_index[r] & 63);
  for (int c = 0; c < sets.filled; c++)
    if (sets.size[c] > live && subset(path.chosen_units.data(), sets.set(c), sets.words)) {
      path.stat.rank_cached++;
      return true;
    }
  return false;
}

template <int D> inline RankScratch rank_scratch(Path<D> &path) {
  return {path.rank_work.data(),    path.rank_largest.data(),  path.rank_lower.data(),
          path.rank_inverse.data(), path.chosen_column.data(), path.used.data()};
}

// Copies a unit's linear part to row r of the rank's matrix.
template <int D> inline void take_row(Path<D> &path, std::int64_t r, std::int64_t g) {
  const std::int64_t width = path.net.linear_columns, stride = padded(width);
  for (std::int64_t l = 0; l < width; l++) path.rank_rows[r * stride + l] = path.row(g)[l];
  path.rank_radius[r] = path.radius[g];
}

template <int D> inline bool proved_independent(Path<D> &path, int count, int size) {
  const int width = static_cast<int>(path.net.linear_columns);
  return independent(path.rank_rows.data(), path.rank_radius.data(), count, width, padded(width),
                     size, path.chosen.data(), rank_scratch(path));
}

// Whether some units that were independent on other rows of the layer are so on these.
template <int D> inline bool independent_again(Path<D> &path, std::int64_t k, int size) {
  IndependentSets &sets = path.sets[static_cast<std::size_t>(k)];
  const std::int64_t a = path.net.unit_start(k);
  const int count = sets.filled;
  for (int c = count; c < count + 8 && c < IndependentSets::capacity; c++) {
    if (sets.size[c] != size || !subset(sets.set(c), path.active.data(), sets.words)) continue;
    int r = 0;
    for (std::int64_t w = 0; w < sets.words; w++)
      for (std::uint64_t left = sets.set(c)[w]; left; left &= left - 1)
        take_row(path, r++, a + 64 * w + std::countr_zero(left));
    if (!proved_independent(path, size, size)) continue;
    sets.swap(c, count);
    sets.filled = count + 1;
    sets.next = (count + 1) % IndependentSets::capacity;
    path.stat.rank_minors++;
    return true;
  }
  return false;
}

}  // namespace detail

// Rank of the map through layer k on the path's region: proved, or -1 with an upper bound. `active`
// holds the units of the layer that have a slope there and are not identically zero.
template <int D> inline void rank_of_active(Path<D> &path, std::int64_t k) {
  const Network &net = path.net;
  const std::size_t at = static_cast<std::size_t>(k);
  const std::int64_t a = net.unit_start(k), n = net.units(k);
  IndependentSets &sets = path.sets[at];
  int bound = k == 0 ? static_cast<int>(net.linear_columns) : path.bound[at - 1];
  if (net.weight_rank(k) < bound) bound = static_cast<int>(net.weight_rank(k));
  if (bound == 0 || detail::cached_rank(path, k, bound) ||
      detail::independent_again(path, k, bound)) {
    path.bound[at] = bound;
    path.rank[at] = bound;
    return;
  }
  int live = 0;
  for (std::int64_t i = 0; i < n; i++) {
    const std::int64_t g = a + i;
    if (!(path.active[static_cast<std::size_t>(i >> 6)] >> (i & 63) & 1) ||
        path.power[g] == zero_row)
      continue;
    bool fresh = net.direction(g) >= 0;
    if (fresh && net.direction(g) != i)
      // rows of one direction add one to the rank at most
      for (int r = 0; r < live && fresh; r++)
        fresh = net.direction(a + path.rank_index[r]) != net.direction(g);
    if (fresh) path.rank_index[live++] = static_cast<int>(i);
  }
  if (live < bound) {
    bound = live;
    if (bound == 0 || detail::cached_rank(path, k, bound)) {
      path.bound[at] = bound;
      path.rank[at] = bound;
      return;
    }
  }
  path.bound[at] = bound;
  if (live == bound && detail::within_independent(path, k, live)) {
    path.rank[at] = bound;
    return;
  }
  for (int r = 0; r < live; r++) detail::take_row(path, r, a + path.rank_index[r]);
  if (detail::proved_independent(path, live, bound)) {
    path.rank[at] = bound;
    path.stat.rank_minors++;
    const int c = sets.next;
    for (std::int64_t w = 0; w < sets.words; w++) sets.set(c)[w] = 0;
    for (int q = 0; q < bound; q++) {
      const int i = path.rank_index[path.chosen[q]];
      sets.set(c)[i >> 6] |= std::uint64_t{1} << (i & 63);
    }
    sets.size[c] = bound;
    sets.next = (c + 1) % IndependentSets::capacity;
    if (sets.filled < IndependentSets::capacity) sets.filled++;
    return;
  }
  const int width = static_cast<int>(net.linear_columns);
  int rank = integer_rank(path.row(a), path.dim.stride(), &path.exponent[a], path.rank_index.data(),
                          live, width, path.residues.data());
  if (rank < 0 && k == 0)
    rank = exact_form_rank(net, net.wall_rows.shape[0], path.rank_index.data(), live, width,
                           path.residues.data());
  path.rank[at] = rank;
  if (rank >= 0) {
    path.bound[at] = rank;
    path.stat.rank_integers++;
  } else {
    path.stat.rank_open++;
  }
}

// The same, from the path's bits.
template <int D> inline void region_rank(Path<D> &path, std::int64_t k) {
  detail::find_active(path, k);
  rank_of_active(path, k);
}

// Writes the bits of a region of layer k to the path and determines its rank.
template <int D> inline void finish_layer(Path<D> &path, std::int64_t k, const std::int8_t *bits,
                                          const std::int8_t *split) {
  const Network &net = path.net;
  const std::int64_t a = net.unit_start(k);
  for (std::int64_t i = 0; i < net.units(k); i++) {
    const std::int64_t g = a + i;
    std::int8_t b = bits[i], zero = 0;
    if (b == tied) {
      b = bits[net.tie(g)];
      if (b != identically_zero && net.tie_sign(g) < 0) b = static_cast<std::int8_t>(1 - b);
    }
    if (b == identically_zero) {
      zero = 1;
      b = 0;
    }
    path.bit[g] = b;
    path.zero[g] = zero;
    path.split[g] = split[i];
  }
  region_rank(path, k);
}

// Turns the path's region of layer 1 into the opposite one, of a central arrangement: every unit
// changes its sign but those that are identically zero. Ranks and other layers stay what they were.
template <int D> inline void turn_first_layer(Path<D> &path) {
  for (std::int64_t g = 0; g < path.net.units(0); g++)
    if (path.net.hyperplane(g) && !path.zero[g])
      path.bit[g] = static_cast<std::int8_t>(1 - path.bit[g]);
}

}  // namespace polyrank
