// The layers of a network on the regions of the layers below, in rounded rows.
#pragma once

#include <bit>
#include <cstring>
#include <memory>

#include "reduced.hpp"
#include "rounded.hpp"

namespace polyrank_check {

using Words = std::vector<std::uint64_t>;

inline bool has(const Words &set, std::int64_t i) { return set[i >> 6] >> (i & 63) & 1; }
inline void add(Words &set, std::int64_t i) { set[i >> 6] |= std::uint64_t{1} << (i & 63); }
inline void drop(Words &set, std::int64_t i) { set[i >> 6] &= ~(std::uint64_t{1} << (i & 63)); }

extern "C" {

// One layer; made from exact numbers by polyrank/proof/rounding.py, as all pointers here are.
struct CheckLayer {
  std::int64_t units, inputs;
  const double *weights;        // (inputs + 1, units): [W | b] 2^-shift, rows sum up to at most 1
  const double *slopes;         // (2, units): where a unit is negative, and positive, 2^-shift
  const std::uint8_t *live;     // (2, units): which slopes are not 0; a float cannot say it
  const std::uint8_t *plane;    // which units have a hyperplane
  const std::int64_t *leaders;  // of units that are a multiple of an earlier one; else -1
  const std::uint8_t *same;     // whether the factor is positive
  double one;                   // stands for 1 in what the layer below hands on
  double unit;                  // 2^t: rows times it are integers, where they have no error
  double handed;                // 2^t for what the layer below hands on; 0: it is never whole
  double norm;                  // the greatest sum of absolute values of a row, as integers
  std::int64_t fits;            // whether rows of the layer can be rounded
  std::int64_t linear;          // whether no unit has a constant, on any region
};

struct CheckProblem {
  std::int64_t k, depth, walls, artificial, dim, bounded;
  const double *wall_values;  // (walls, k + 1)
  const double *wall_errors, *wall_sizes, *wall_units;
  const std::int64_t *wall_axes;  // the one coordinate that a wall reads, or -1
  const CheckLayer *layers;
};

}  // extern "C"

// A region of the layers below `layer`, with the rows of that layer on it.
struct Region {
  Region *below = nullptr;
  std::int64_t layer = 0, uses = 0, rank = -1;
  Words positive, zero;  // decisions of the units of the layer below
  bool vanishing = false;
  std::vector<std::uint8_t> code, zeros;  // bits so far
  std::vector<double> values;             // (k + 1, units)
  std::vector<double> parts;              // (2, units): errors of coefficients, and of constants
  std::vector<double> errors, sizes, units;
  std::vector<double> doubts;  // errors, and what a sum of products rounds off
  bool tried = false;          // the rank was looked for, with that of the region below
  // units of the layer whose rows, without constants, are proved to be linearly independent
  std::vector<std::int64_t> independent;
};

// The terms of some units of a layer in the rows of the next one, summed in the order in which they
// came.
struct Sums {
  std::vector<double>
      values;  // (k + 1, units) without constants, then (2, units) errors as in Region::parts
  Words done;  // the units whose terms these are; empty where nothing is kept
};

class Regions {
public:
  explicit Regions(const CheckProblem &given)
      : problem(given), prover(given.k, given.bounded != 0) {
    const std::int64_t depth = problem.depth;
    starts.assign(depth + 1, 0);
    bits.assign(depth + 1, 0);
    for (std::int64_t layer = 0; layer < depth; layer++) {
      const CheckLayer &here = problem.layers[layer];
      starts[layer + 1] = starts[layer] + here.units;
      std::int64_t own = 0;
      Words plane(words(layer), 0), open;
      places.emplace_back();
      for (std::int64_t i = 0; i < here.units; i++)
        if (here.plane[i]) {
          own++;
          add(plane, i);
          places.back().push_back(i);
        }
      open = plane;
      for (std::int64_t i = 0; i < here.units; i++)
        if (here.leaders[i] >= 0) drop(open, i);
      bits[layer + 1] = bits[layer] + own;
      planes.push_back(plane);
      tied.push_back(open != plane);
      opens.push_back(open);
    }
    bytes = std::max<std::int64_t>(1, (bits[depth] + 7) / 8);
    free_.resize(depth + 1);
  }

  const CheckProblem &problem;
  Prover prover;
  std::vector<std::int64_t> starts, bits;
  std::vector<std::vector<std::int64_t>> places;  // units with a hyperplane
  std::vector<Words> planes, opens;               // these; and those that have to be decided
  std::vector<bool> tied;                         // whether these differ
  std::int64_t bytes;                             // of a codeword

  std::int64_t words(std::int64_t layer) const { return (problem.layers[layer].units + 63) / 64; }

  // Units that are tied are decided like their leaders or opposite to them.
  void resolve(std::int64_t layer, Words &positive, Words &zero) const {
    const CheckLayer &here = problem.layers[layer];
    for (std::size_t w = 0; w < positive.size(); w++) {
      positive[w] &= opens[layer][w];
      zero[w] &= opens[layer][w];
    }
    if (!tied[layer]) return;
    for (std::int64_t i = 0; i < here.units; i++) {
      const std::int64_t leader = here.leaders[i];
      if (leader < 0) continue;
      if (has(zero, leader))
        add(zero, i);
      else if (has(positive, leader) == (here.same[i] != 0))
        add(positive, i);
    }
  }

  // The domain; and the part of a region of a layer with these decisions of its units.
  Region *whole() {
    Region *region = fresh(0);
    region->below = nullptr;
    region->rank = problem.k;
    region->vanishing = false;
    region->code.assign(bytes, 0);
    region->zeros.assign(bytes, 0);
    if (problem.depth) start(*region);
    return region;
  }

  // `sums`: of the units of the layer, on a cell that holds the part.
  Region *part(Region *below, const Words &positive, const Words &zero,
               const Sums *sums = nullptr) {
    const std::int64_t layer = below->layer + 1;
    Region *region = fresh(layer);
    region->below = below;
    below->uses++;
    region->rank = -1;
    region->tried = false;
    region->independent.clear();
    region->positive = positive;
    region->zero = zero;
    region->vanishing = std::any_of(zero.begin(), zero.end(), [](std::uint64_t w) { return w; });
    region->code = below->code;
    region->zeros = below->zeros;
    pack(region->code, layer - 1, positive);
    if (region->vanishing) pack(region->zeros, layer - 1, zero);
    if (layer < problem.depth) enter(*region, sums);
    return region;
  }

  // Adds the terms of units of a region's layer, which have these decisions on a part of it.
  void add_terms(const Region &below, const Words &units, const Words &positive, const Words &zero,
                 Sums &sums) {
    if (below.layer + 1 >= problem.depth) return;
    const std::int64_t n = problem.layers[below.layer + 1].units;
    if (n < kLanes) return;
    if (sums.done.empty()) {
      sums.values.assign((problem.k + 3) * n, 0.0);
      sums.done.assign(units.size(), 0);
    }
    list_.clear();
    for (std::size_t w = 0; w < units.size(); w++) {
      for (std::uint64_t rest = units[w] & ~sums.done[w]; rest; rest &= rest - 1)
        list_.push_back(static_cast<std::int64_t>(64 * w) + std::countr_zero(rest));
      sums.done[w] |= units[w];
    }
    if (list_.empty()) return;
    hand_on(below, positive, zero);
    double *parts = &sums.values[(problem.k + 1) * n];
    add_listed(below.layer + 1, sums.values.data(), parts, parts + n);
  }

  // All units of a layer.
  Words units(std::int64_t layer) const {
    Words out(words(layer), 0);
    for (std::int64_t i = 0; i < problem.layers[layer].units; i++) add(out, i);
    return out;
  }

  // The units of a layer whose bits are set.
  void unpack(const std::uint8_t *from, std::int64_t layer, std::uint64_t *set) const {
    const std::int64_t at = bits[layer], own = bits[layer + 1] - at;
    for (std::int64_t first = 0; first < own; first += 64) {
      const std::int64_t count = std::min<std::int64_t>(64, own - first), start = at + first;
      std::uint64_t word = 0;
      for (std::int64_t b = start >> 3, shift = -(start & 7); shift < count; b++, shift += 8)
        word |= shift < 0 ? std::uint64_t{from[b]} >> -shift : std::uint64_t{from[b]} << shift;
      if (count < 64) word &= (std::uint64_t{1} << count) - 1;
      if (own == problem.layers[layer].units)  // every unit has a bit
        set[first >> 6] = word;
      else
        for (; word; word &= word - 1) {
          const std::int64_t unit = places[layer][first + std::countr_zero(word)];
          set[unit >> 6] |= std::uint64_t{1} << (unit & 63);
        }
    }
  }

  void keep(Region *region) { region->uses++; }

  void leave(Region *region) {
    while (region && --region->uses == 0) {
      Region *below = region->below;
      free_[region->layer].push_back(region);
      region = below;
    }
  }

  // Row `place` among the walls and then all units, on a region.
  Row row(const Region *region, std::int64_t place) const {
    const CheckProblem &p = problem;
    if (place < p.walls) {
      const double *values = p.wall_values + place * (p.k + 1), unit = p.wall_units[place];
      return {values,
              1,
              p.wall_errors[place],
              p.wall_sizes[place],
              unit,
              unit > 0.0 && values[p.k] == 0.0};
    }
    place -= p.walls;
    while (place < starts[region->layer]) region = region->below;
    const std::int64_t i = place - starts[region->layer];
    return {region->values.data() + i, p.layers[region->layer].units,
            region->errors[i],         region->sizes[i],
            region->units[i],          p.layers[region->layer].linear != 0};
  }

  // Whether side * row is proved positive at a point (u, 1), whose entries may be wrong by `error`.
  bool inside(const Row &row, double side, const double *point, double most, double error,
              std::int64_t axis = -1) const {
    const std::int64_t k = problem.k;
    double value = 0.0;
    if (axis >= 0) {
      value = row[axis] * point[axis] + row[k] * point[k];
    } else {
      for (std::int64_t l = 0; l <= k; l++) value += row[l] * point[l];
    }
    const double own = row.error + row.size * (static_cast<double>(k + 5) * kRounding);
    const double doubt = own * most + ((own + row.size) * error + kLost);
    return side * value > doubt * kMore && std::isfinite(value);
  }

  // Looks for the rank of the layers below a region, once that of the region below is known. It
  // is at most that, and at most the number of rows that are not zero by their slope or their
  // decision; it is that much if so many of these rows are proved to be independent before they
  // are multiplied by slopes.
  void look_for_rank(Region &region) {
    if (region.rank >= 0 || region.tried) return;
    region.tried = true;
    Region &below = *region.below;
    const CheckLayer &under = problem.layers[below.layer];
    if (!under.fits) return;
    const auto on = [&](std::int64_t j) { return hands_on(region, j); };
    std::vector<std::int64_t> &known = below.independent;
    if (static_cast<std::int64_t>(known.size()) == below.rank &&
        std::all_of(known.begin(), known.end(), on)) {
      region.rank = below.rank;
      return;
    }
    list_.clear();
    for (std::int64_t j = 0; j < under.units; j++)
      if (on(j)) list_.push_back(j);
    const std::int64_t live = static_cast<std::int64_t>(list_.size());
    const std::int64_t rank = std::min(below.rank, live);
    if (prover.independent(rank, below.values.data(), under.units, below.parts.data(), list_,
                           known)) {
      region.rank = rank;
      return;
    }
    known.clear();
    list_.resize(under.units);
    std::iota(list_.begin(), list_.end(), 0);
    hand_on(below, region.positive, region.zero);
    const std::int64_t m = static_cast<std::int64_t>(list_.size());
    if (prover.has_rank(rank, handed_.data(), m, handed_errors_.data()))
      region.rank = rank;
    else
      reduce(region);
  }

private:
  static constexpr std::int64_t kLanes = 8;  // fewer units are not worth a loop of their own

  std::vector<std::unique_ptr<Region>> all_;
  std::vector<std::vector<Region *>> free_;
  std::vector<double> factor_, handed_, handed_errors_, sums_, weights_;
  std::vector<std::int64_t> whole_row_, list_;
  Reduced reduced_;

  Region *fresh(std::int64_t layer) {
    Region *region;
    if (free_[layer].empty()) {
      all_.push_back(std::make_unique<Region>());
      region = all_.back().get();
      region->layer = layer;
      if (layer < problem.depth) {
        const std::int64_t n = problem.layers[layer].units;
        region->values.resize((problem.k + 1) * n);
        region->parts.resize(2 * n);
        region->errors.resize(n);
        region->sizes.resize(n);
        region->units.resize(n);
        region->doubts.resize(n);
      }
    } else {
      region = free_[layer].back();
      free_[layer].pop_back();
    }
    region->uses = 0;
    return region;
  }

  void pack(std::vector<std::uint8_t> &into, std::int64_t layer, const Words &set) const {
    std::int64_t at = bits[layer];
    if (bits[layer + 1] - at != problem.layers[layer].units) {
      for (const std::int64_t unit : places[layer]) {
        if (has(set, unit)) into[at >> 3] |= static_cast<std::uint8_t>(1u << (at & 7));
        at++;
      }
      return;
    }
    for (std::uint64_t word : set) {  // every unit has a bit
      for (std::int64_t b = at; word; b += 8, word >>= 8) {
        const unsigned shifted = static_cast<unsigned>(word & 255) << (b & 7);
        into[b >> 3] |= static_cast<std::uint8_t>(shifted);
        if (shifted >> 8) into[(b >> 3) + 1] |= static_cast<std::uint8_t>(shifted >> 8);
      }
      at += 64;
    }
  }

  // The rows of the first layer.
  void start(Region &region) const {
    const CheckLayer &here = problem.layers[0];
    std::memcpy(region.values.data(), here.weights, sizeof(double) * (problem.k + 1) * here.units);
    const double error = here.norm >= kWhole ? kRounding : 0.0;
    std::fill(region.parts.begin(), region.parts.end(), error);
    measure(region);
  }

  // Sizes and errors on the cube, where the absolute values of all coefficients add up.
  void measure(Region &region) const {
    const CheckLayer &here = problem.layers[region.layer];
    const std::int64_t n = here.units, k = problem.k;
    const double round = static_cast<double>(k + 5) * kRounding;
    if (!here.fits) std::fill(region.parts.begin(), region.parts.end(), HUGE_VAL);
    std::fill(region.sizes.begin(), region.sizes.end(), 0.0);
    for (std::int64_t l = 0; l <= k; l++) {
      const double *values = &region.values[l * n];
      for (std::int64_t i = 0; i < n; i++) region.sizes[i] += std::fabs(values[i]);
    }
    for (std::int64_t i = 0; i < n; i++) {
      region.errors[i] = (region.parts[i] * static_cast<double>(k) + region.parts[n + i]) * kMore;
      region.units[i] = region.errors[i] == 0.0 ? here.unit : 0.0;
      region.doubts[i] = region.errors[i] + region.sizes[i] * round;
    }
  }

  // Rows (k + 1, m) times the slopes, and the errors of coefficients and constants (m), of the m
  // units that are listed and do not hand on 0 exactly, which alone stay in the list: slopes,
  // products and then the weights and a sum of c + 1 of them are rounded.
  void hand_on(const Region &below, const Words &positive, const Words &zero) {
    const CheckLayer &under = problem.layers[below.layer];
    const std::int64_t c = under.units, k = problem.k;
    const double *first = below.parts.data(), *second = first + c;
    factor_.resize(list_.size());
    std::size_t m = 0;
    for (const std::int64_t j : list_) {  // without branches: signs cannot be predicted
      const std::int64_t bit = positive[j >> 6] >> (j & 63) & 1;
      const double factor = under.slopes[j + c * bit] * !has(zero, j);
      list_[m] = j;
      factor_[m] = factor;
      m += (factor != 0.0) | !(first[j] < HUGE_VAL) | !(second[j] < HUGE_VAL);
    }
    list_.resize(m);
    handed_.resize(static_cast<std::size_t>(k + 1) * m);
    handed_errors_.assign(m, 0.0);
    sums_.resize(m);
    for (std::int64_t l = 0; l <= k; l++) {
      const double *values = &below.values[l * c];
      double *handed = handed_.data() + static_cast<std::size_t>(l) * m;
      for (std::size_t q = 0; q < m; q++) handed[q] = values[list_[q]] * factor_[q];
      if (l < k)
        for (std::size_t q = 0; q < m; q++)
          handed_errors_[q] = std::max(handed_errors_[q], std::fabs(handed[q]));
    }
    const double n = static_cast<double>(c + 6) * kRounding;
    const double *constants = handed_.data() + static_cast<std::size_t>(k) * m;
    for (std::size_t q = 0; q < m; q++) {
      const double more = std::fabs(factor_[q]) * kMore;
      handed_errors_[q] = first[list_[q]] * more + handed_errors_[q] * n + kTiny;
      sums_[q] = second[list_[q]] * more + std::fabs(constants[q]) * n + kTiny;
    }
  }

  // Whether a unit of the layer below a region is not zero there by its slope or its decision.
  bool hands_on(const Region &region, std::int64_t j) const {
    const CheckLayer &under = problem.layers[region.layer - 1];
    return under.live[(has(region.positive, j) ? under.units : 0) + j] && !has(region.zero, j);
  }

  // The rank of rows that are integers: those of the layer below whose slopes are not 0.
  void reduce(Region &region) {
    const Region &below = *region.below;
    const CheckLayer &under = problem.layers[region.layer - 1];
    const std::int64_t c = under.units, k = problem.k;
    reduced_.start(k);
    whole_row_.resize(k);
    for (std::int64_t j = 0; j < c && reduced_.rank() < below.rank; j++) {
      if (!hands_on(region, j)) continue;
      if (!(below.units[j] > 0.0)) return;
      for (std::int64_t l = 0; l < k; l++) {
        const double value = below.values[l * c + j] * below.units[j];
        if (!(std::fabs(value) < kWhole)) return;
        whole_row_[l] = static_cast<std::int64_t>(value);
      }
      reduced_.add(whole_row_);
      if (reduced_.overflow()) return;
    }
    region.rank = reduced_.rank();
  }

  // Adds the terms of the units that are listed: what they hand on times their weights.
  void add_listed(std::int64_t layer, double *values, double *first, double *second) const {
    const CheckLayer &here = problem.layers[layer];
    const std::int64_t n = here.units, k = problem.k;
    const std::size_t m = list_.size();
    std::size_t at = 0;
    for (; at + 4 <= m; at += 4) {
      const std::int64_t *j = &list_[at];
      const double *a = here.weights + j[0] * n, *b = here.weights + j[1] * n,
                   *e = here.weights + j[2] * n, *f = here.weights + j[3] * n;
      const auto add = [&](double *__restrict to, const double *by) {
        const double p = by[0], q = by[1], r = by[2], s = by[3];
        for (std::int64_t i = 0; i < n; i++) to[i] += (p * a[i] + q * b[i]) + (r * e[i] + s * f[i]);
      };
      const auto add_sizes = [&](double *__restrict to, const double *by) {
        const double p = by[0], q = by[1], r = by[2], s = by[3];
        for (std::int64_t i = 0; i < n; i++)
          to[i] += (p * std::fabs(a[i]) + q * std::fabs(b[i])) +
                   (r * std::fabs(e[i]) + s * std::fabs(f[i]));
      };
      for (std::int64_t l = 0; l <= k; l++)
        add(values + l * n, &handed_[static_cast<std::size_t>(l) * m + at]);
      add_sizes(first, &handed_errors_[at]);
      add_sizes(second, &sums_[at]);
    }
    for (; at < m; at++) {
      const double *weights = here.weights + list_[at] * n;
      for (std::int64_t l = 0; l <= k; l++) {
        const double factor = handed_[static_cast<std::size_t>(l) * m + at];
        double *to = values + l * n;
        for (std::int64_t i = 0; i < n; i++) to[i] += factor * weights[i];
      }
      const double e = handed_errors_[at], f = sums_[at];
      for (std::int64_t i = 0; i < n; i++) {
        const double size = std::fabs(weights[i]);
        first[i] += e * size;
        second[i] += f * size;
      }
    }
  }

  // The rows of a region's layer, from what the layer below hands on and the sums of some of it.
  void enter(Region &region, const Sums *sums) {
    const CheckLayer &here = problem.layers[region.layer];
    const Region &below = *region.below;
    const std::int64_t c = here.inputs, n = here.units, k = problem.k;
    const bool kept = sums && !sums->done.empty();
    if (kept) {
      const auto parts = sums->values.begin() + (k + 1) * n;
      std::copy(sums->values.begin(), parts, region.values.begin());
      std::copy(parts, sums->values.end(), region.parts.begin());
    } else {
      std::fill(region.values.begin(), region.values.end(), 0.0);
      std::fill(region.parts.begin(), region.parts.end(), 0.0);
    }
    // all is whole if the integers that these numbers stand for are small; slopes are at most 1
    double most = here.handed > 0.0 ? here.one : HUGE_VAL;
    for (std::int64_t j = 0; most < HUGE_VAL && j < 2 * c; j++)
      if (below.parts[j] != 0.0) most = HUGE_VAL;
    if (most < HUGE_VAL)
      for (const double value : below.values) most = std::max(most, std::fabs(value));
    list_.clear();
    for (std::int64_t j = 0; j < c; j++)
      if (!kept || !has(sums->done, j)) list_.push_back(j);
    hand_on(below, region.positive, region.zero);
    double *first = region.parts.data(), *second = first + n;
    if (n < kLanes) {  // unit by unit
      const std::int64_t m = static_cast<std::int64_t>(list_.size());
      weights_.resize(list_.size());
      for (std::int64_t i = 0; i < n; i++) {
        for (std::int64_t q = 0; q < m; q++) weights_[q] = here.weights[list_[q] * n + i];
        for (std::int64_t l = 0; l <= k; l++)
          region.values[l * n + i] = dot(handed_.data() + l * m, weights_.data(), m);
        for (double &weight : weights_) weight = std::fabs(weight);
        first[i] = dot(handed_errors_.data(), weights_.data(), m);
        second[i] = dot(sums_.data(), weights_.data(), m);
      }
    } else {  // input by input
      add_listed(region.layer, region.values.data(), first, second);
    }
    const double *biases = here.weights + c * n;
    double *constants = &region.values[k * n];
    const double lost = here.one * (static_cast<double>(c + 6) * kRounding) + 4 * kTiny;
    for (std::int64_t i = 0; i < n; i++) {
      constants[i] += biases[i] * here.one;
      first[i] = first[i] * kMore + 4 * kTiny;
      second[i] = second[i] * kMore + lost;
    }
    if (most * here.handed * here.norm < kWhole)
      std::fill(region.parts.begin(), region.parts.end(), 0.0);
    measure(region);
  }
};

}  // namespace polyrank_check
