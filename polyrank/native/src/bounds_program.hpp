// Linear programs over a cell inside a box: few rows, many bounded coordinates.
//
// A cell is {low <= u <= high : a_m.u + b_m >= 0, m < rows}; bounds are no rows here. Of a linear
// form o the dual of its minimisation is
//
//     max over lambda >= 0 of  c + sum_l min(r_l low_l, r_l high_l)
//
// with the residual (r, c) = o - sum_m lambda_m (a_m, b_m): a concave function of as many numbers
// as there are rows, whatever the dimension of the box. It proves itself: any lambda >= 0 with a
// positive value shows o > 0 on the cell, in one pass over the coordinates.
//
// The dual simplex method with bound flips goes up along it. A basis is a set Q of t tight rows and
// a set F of as many free coordinates with A_QF regular: multipliers come from the columns F, the
// other coordinates sit at the bound that the sign of the residual names, and the rows Q give u_F.
// A pivot takes the row or the bound that is violated most and walks over all coordinates that
// reach zero residual on the way as long as the dual grows. One pivot costs O(n (t + rows)). Only
// the t x t inverse is carried along.
//
// Where the rows Q span the row space of the layer below, the residual vanishes in every coordinate
// and no step would gain anything: costs are moved by a little, first, and proofs do not look at
// these. A basis that decides nothing with them goes on without.
//
// Most hyperplanes that cut a cell are seen to without a program: straight lines from a known point
// inside lead to the other side (projected_line.hpp).
//
// Sources: R. Fourer, Notes on the dual simplex method (1994), on the long step; A. Koberstein, The
// dual simplex method (2005), section 3.3.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "box_walls.hpp"
#include "dictionary_program.hpp"
#include "projected_line.hpp"

namespace polyrank {

class BoundsProgram {
public:
  static constexpr int D = 0;

private:
  BoxWalls box_;
  WallRows walls_;

public:
  Constraints<0> cell;  // without the walls that are bounds

  BoundsProgram(const Network &net, std::int64_t d)
      : box_(net),
        walls_(net, box_.other),
        cell(walls_.with(net), d),
        n_(static_cast<int>(d)),
        stride_(Dimension<0>(d).stride()),
        all_walls_(net.wall_rows.shape[0]),
        square_(static_cast<int>(padded(most_tight(net, d)))),
        x_(d, 0.0),
        inverse_(square_ * square_, 0.0),
        work_(2 * (square_ + 4) * (square_ + 4), 0.0),
        objective_(stride_, 0.0),
        nudge_(stride_, 0.0),
        cost_(stride_, 0.0),
        residual_(stride_, 0.0),
        proof_residual_(stride_, 0.0),
        turn_(stride_, 0.0),
        slack_(cell.capacity, 0.0),
        base_slack_(cell.capacity + 1, 0.0),
        centre_(d, 0.0),
        centre_slack_(cell.capacity, 0.0),
        lambda_(square_, 0.0),
        proof_lambda_(square_, 0.0),
        weight_(square_, 0.0),
        column_(square_, 0.0),
        gram_(cell.capacity * cell.capacity, 0.0),
        pull_(square_ + 1, 0.0),
        along_(cell.capacity + 1, 0.0),
        line_(cell.capacity + 1),
        at_high_(d, 0),
        free_(d, 0),
        left_out_(cell.capacity, false) {
    const auto most = static_cast<std::size_t>(square_);
    tight_.reserve(most);
    coordinate_.reserve(most);
    breaks_.reserve(static_cast<std::size_t>(d));
    for (int l = 0; l < n_; l++) centre_[l] = 0.5 * (box_.low[l] + box_.high[l]);
    for (int m = 0; m < cell.walls; m++) find_products(m);
    double at = 0.5;
    for (int l = 0; l < n_; l++) {
      at += 0.6180339887498949;  // the golden ratio's multiples are spread evenly
      at -= std::floor(at);
      nudge_[l] = (at < 0.5 ? -1.0 - at : at) * largest_nudge;
    }
  }

  // Whether the bounded domain of the record is a box, up to a few other walls, and, unless `asked`
  // for with 1, in so many dimensions that this is faster.
  static bool takes(const Network &net, std::int64_t d, std::int64_t asked) {
    if (!net.bounded || asked == 0 || (asked < 0 && d < least_dimension)) return false;
    const BoxWalls box(net);
    return box.complete && box.other.size() <= most_others;
  }

  static StateSize state_size(const Network &net, std::int64_t d) {
    const std::int64_t t = most_tight(net, d), s = padded(t);
    return {2 * t + 1, 0, s * s};
  }
  void save(OpenCells &open, std::int64_t f) const {
    int *basis = open.basis(f);
    *basis++ = tight();
    basis = std::copy(tight_.begin(), tight_.end(), basis);
    std::copy(coordinate_.begin(), coordinate_.end(), basis);
    std::copy_n(inverse_.data(), tight() * square_, open.inverse(f));
  }
  void restore(OpenCells &open, std::int64_t f) {
    const int *basis = open.basis(f);
    const int t = *basis++;
    set_basis({basis, basis + t}, {basis + t, basis + 2 * t});
    std::copy_n(open.inverse(f), t * square_, inverse_.data());
  }
  // A basis serves every part of the cell: the dual method starts at any.
  static constexpr bool sided = false;
  static constexpr bool few_dimensions = false;

  const double *x() const { return x_.data(); }
  const double *x_low() const { return nullptr; }
  bool complete() const { return true; }
  static std::int64_t logged_rows(const Network &net) {
    return net.wall_rows.shape[0] + net.total();
  }
  static std::int64_t logged_indices(const Network &net, std::int64_t d) {
    return 2 * most_tight(net, d) + 1;
  }
  void log_miss(ProofLog &log, std::int64_t unit, int side) const {
    log.miss_on_box(unit, side, tight());
    for (const int m : tight_)
      log.put_index(m < cell.walls ? box_.other[static_cast<std::size_t>(m)]
                                   : all_walls_ + m - cell.walls);
    for (const int l : coordinate_) log.put_index(l);
  }

  void push(const Path<0> &path, std::int64_t m, std::int64_t g, int side) {
    push_row(cell, path, m, g, side);
    find_products(static_cast<int>(m));
  }

  void mark(const Path<0> &path, std::int64_t k, std::int64_t rows) {
    if (path.net.central(k)) mark_rows(cell, path, k, k - 1, rows);
  }

  // Bounds of the coordinates.
  const BoxWalls &box() const { return box_; }
  // The value of row m at a point of the cube, to one rounding of a sum.
  double value_of(int m, const double *u) const { return value(row(m), u); }
  // The product of the coefficients of two rows, nearly.
  double gram(int m, int i) const {
    return m < i ? gram_[i * cell.capacity + m] : gram_[m * cell.capacity + i];
  }
  // A row that is left out bounds nothing, as if it were not there.
  void leave_out(int m, bool out) {
    left_out_[m] = out;
    if (out && std::find(tight_.begin(), tight_.end(), m) != tight_.end()) set_basis({}, {});
  }
  // Other rows follow: no basis is theirs.
  void forget_basis() { set_basis({}, {}); }

  bool strictly_inside(Dimension<0>, std::int64_t rows, const double *u) const {
    const double doubt = gamma(n_ + 4) * (n_ + 1);  // as for any other row
    for (int l = 0; l < n_; l++)
      if (!(u[l] > box_.inner_low[l] + doubt && u[l] < box_.inner_high[l] - doubt)) return false;
    return polyrank::strictly_inside(cell.dim, cell, rows, u);
  }
  bool exactly_inside(std::int64_t rows, const double *u, const double *low) const {
    for (int l = 0; l < n_; l++)
      if (!(u[l] > box_.inner_low[l] && u[l] < box_.inner_high[l])) return false;
    return polyrank::exactly_inside(cell, rows, u, low);
  }

  // Whether multipliers of other rows prove row m to be positive on their cell, by residual.
  bool implied(int m, const std::vector<int> &by, const double *factor) {
    std::copy_n(row(m), stride_, objective_.data());
    std::vector<int> rows = by;
    tight_.swap(rows);
    for (int q = 0; q < tight(); q++) proof_lambda_[q] = std::max(factor[q], 0.0);
    subtract_rows(objective_.data(), proof_lambda_.data(), proof_residual_.data());
    const bool proved = by_residual(cell.radius[m]);
    tight_.swap(rows);
    return proved;
  }

  // As DictionaryProgram::test; x is then a point of the closed cell.
  template <class Found> Verdict test(Dimension<0>, Path<0> &path, std::int64_t k,
                                      std::int64_t rows, std::int64_t g, int side,
                                      InteriorPoint start, bool fresh, Found &&found) {
    set_objective(path.dim, path, g, side, objective_.data());
    const Objective of{path.radius[g], path.exponent[g], k};
    if (!fresh) set_basis({}, {});
    if (seen_along_lines(of, static_cast<int>(rows), start.cube, found)) return Verdict::cuts;
    return minimise(path, of, rows, start.cube, fresh, found);
  }

  // The same of row m, positive on the cell of all others: `misses` says that they imply it. Its
  // unit is one of layer k, -1 for a wall.
  template <class Found> Verdict test_row(Path<0> &path, std::int64_t k, std::int64_t rows, int m,
                                          const double *start, Found &&found) {
    std::copy_n(row(m), stride_, objective_.data());
    left_out_[m] = true;
    // the basis of the last test serves this one, but for this very row
    const bool fresh = std::find(tight_.begin(), tight_.end(), m) == tight_.end();
    const Verdict verdict =
        minimise(path, {cell.radius[m], cell.exponent[m], k}, rows, start, fresh, found);
    left_out_[m] = false;
    return verdict;
  }

  // The same of a bound, the lower or the upper one of a coordinate. The others and the rows bound
  // the cell that it falls to a part of; points of it are up to 1 beyond the bound.
  template <class Found> Verdict test_bound(Path<0> &path, std::int64_t rows, int l, bool low,
                                            const double *start, Found &&found) {
    double &bound = low ? box_.low[l] : box_.high[l];
    const double here = bound, inner = low ? box_.inner_low[l] : box_.inner_high[l];
    std::fill_n(objective_.data(), stride_, 0.0);
    objective_[l] = low ? 1.0 : -1.0;
    objective_[n_] = low ? -inner : inner;
    bound += low ? -1.0 : 1.0;
    widest_ = 2.0;
    const std::int64_t exponent = here == inner ? box_.shift : -1;
    const Verdict verdict =
        minimise(path, {gamma(n_ + 4), exponent, -1}, rows, start, false, found);
    bound = here;
    widest_ = 1.0;
    return verdict;
  }

  // Whether the multipliers of the basis prove side · z >= 0 of unit g, by residual.
  bool optimal(Dimension<0>, const Path<0> &path, std::int64_t g, int side) {
    set_objective(path.dim, path, g, side, objective_.data());
    find_multipliers(objective_.data(), proof_lambda_.data());
    for (int q = 0; q < tight(); q++)
      if (proof_lambda_[q] < 0.0) return false;
    subtract_rows(objective_.data(), proof_lambda_.data(), proof_residual_.data());
    return by_residual(path.radius[g]);
  }

private:
  static constexpr std::int64_t least_dimension = 16;
  static constexpr std::size_t most_others = 32;
  static constexpr int most_pivots = 400, refactor_after = 40;
  static constexpr double tolerance = 1e-11, largest_nudge = 0x1p-20;

  int n_, stride_;
  std::int64_t all_walls_;
  int square_;  // doubles from one row of the inverse to the next
  Buffer<double> x_;
  std::vector<int> tight_, coordinate_;  // the basis: rows Q and coordinates F
  Buffer<double> inverse_;               // (F, Q), of A_QF
  // scratch
  Buffer<double> work_, objective_, nudge_, cost_, residual_, proof_residual_, turn_;
  Buffer<double> slack_, base_slack_, centre_, centre_slack_, lambda_, proof_lambda_, weight_,
      column_;
  Buffer<double> gram_;  // (capacity, capacity) products of the rows, below the diagonal
  Buffer<double> pull_;
  Buffer<double> along_;  // products of the rows with the objective, and of that with itself
  ProjectedLine line_;
  Buffer<std::int8_t> at_high_, free_;
  Buffer<bool> left_out_;
  double widest_ = 1.0;  // of the coordinates of the cell's points, at most; of all but one: 1
  // What proofs need to know of the form in objective_.
  struct Objective {
    double radius;
    std::int64_t exponent, layer;  // layer: -1 of a wall
  };
  struct Break {
    double ratio, weight;
    int l;
  };
  std::vector<Break> breaks_;

  // What is violated: a row (slot < 0), or a bound of the free coordinate in a slot.
  struct Violation {
    int row, slot;
    double sign;   // of the coordinate in the bound
    double depth;  // 0 where nothing is violated
  };

  static std::int64_t most_tight(const Network &net, std::int64_t d) {
    return std::min(d, static_cast<std::int64_t>(most_others) + net.total());
  }
  int tight() const { return static_cast<int>(tight_.size()); }
  const double *row(int m) const { return cell.table.data() + std::int64_t{m} * stride_; }
  double value(const double *form, const double *u) const {
    constexpr int blocks = 4;
    Lanes sum[blocks]{}, a, v;
    int l = 0;
    for (; l + blocks * lane_count <= n_; l += blocks * lane_count)
      for (int b = 0; b < blocks; b++) {
        load(a, form + l + b * lane_count);
        load(v, u + l + b * lane_count);
        sum[b] += a * v;
      }
    sum[0] += sum[1];
    sum[2] += sum[3];
    sum[0] += sum[2];
    double z = form[n_] + ((sum[0][0] + sum[0][1]) + (sum[0][2] + sum[0][3]));
    for (; l < n_; l++) z += form[l] * u[l];
    return z;
  }
  double product(const double *a, const double *b) const { return value(a, b) - a[n_]; }
  void find_products(int m) {
    centre_slack_[m] = value(row(m), centre_.data());
    for (int i = 0; i <= m; i++) gram_[m * cell.capacity + i] = product(row(m), row(i));
  }
  void set_basis(std::vector<int> rows, std::vector<int> coordinates) {
    for (const int l : coordinate_) free_[l] = 0;
    tight_ = std::move(rows);
    coordinate_ = std::move(coordinates);
    for (const int l : coordinate_) free_[l] = 1;
  }

  void find_multipliers(const double *form, double *factor) const {
    const int t = tight();
    for (int q = 0; q < t; q++) factor[q] = 0.0;
    for (int j = 0; j < t; j++) {
      const double v = form[coordinate_[static_cast<std::size_t>(j)]];
      for (int q = 0; q < t; q++) factor[q] += v * inverse_[j * square_ + q];
    }
  }
  // to := from - sum_q factor_q row_q, in whole lanes
  void subtract_rows(const double *from, const double *factor, double *to) const {
    const int t = tight();
    for (int l = 0; l < stride_; l += lane_count) {
      Lanes r, a;
      load(r, from + l);
      for (int q = 0; q < t; q++) {
        load(a, row(tight_[static_cast<std::size_t>(q)]) + l);
        r -= factor[q] * a;
      }
      store(to + l, r);
    }
  }
  // Multipliers of the objective itself, those below zero taken as zero, and their residual.
  void find_proof() {
    find_multipliers(objective_.data(), proof_lambda_.data());
    for (int q = 0; q < tight(); q++) proof_lambda_[q] = std::max(proof_lambda_[q], 0.0);
    subtract_rows(objective_.data(), proof_lambda_.data(), proof_residual_.data());
  }

  // Proves objective >= 0 on the cell by the minimum of the residual over the box, coordinate by
  // coordinate; errors as in certificate.hpp.
  bool by_residual(double objective_radius) const {
    double error = objective_radius;
    for (int q = 0; q < tight(); q++)
      error += proof_lambda_[q] * cell.radius[tight_[static_cast<std::size_t>(q)]];
    double spread = std::fabs(proof_residual_[n_]), least = proof_residual_[n_];
    for (int l = 0; l < n_; l++) {
      const double r = proof_residual_[l];
      spread += std::fabs(r);
      least += std::min(r * box_.low[l], r * box_.high[l]);
    }
    const double lost = widest_ * spread * gamma(n_ + 8);
    return least >= (lost + (n_ + widest_) * error) * (inflate + gamma(4 * n_));
  }

  bool by_integers_on_box(std::int64_t objective_exponent);
  bool by_row_space(const Path<0> &path, const Objective &of);
  bool proved(Path<0> &path, const Objective &of);
  template <class Found> Verdict minimise(Path<0> &path, const Objective &of, std::int64_t rows,
                                          const double *base, bool fresh, Found &&found);
  template <class Found>
  bool seen_along_lines(const Objective &of, int rows, const double *base, Found &&found);
  bool nearest(int rows, double z);
  double reach(int rows, const double *base) const;
  void find_point(int rows);
  Violation worst_violation(int rows) const;
  bool pivot(const Violation &violation);
  void remove(int q0, int j0);
  void drop_negative();
  bool refactor_basis();
  int select_break(double depth, double limit);
};

// The same by integers: with D = |det A_QF| all D lambda are integers, and the minimum of the
// residual is one of integers.
inline bool BoundsProgram::by_integers_on_box(std::int64_t objective_exponent) {
  __extension__ typedef __int128 Wide;
  const int t = tight();
  if (objective_exponent < 0 || box_.shift < 0) return false;
  double det = 1.0;
  for (int i = 0; i < t; i++) {
    const int m = tight_[static_cast<std::size_t>(i)];
    if (cell.exponent[m] < 0) return false;
    const double scale = power_of_two(cell.exponent[m]);
    for (int j = 0; j < t; j++)
      work_[i * square_ + j] = row(m)[coordinate_[static_cast<std::size_t>(j)]] * scale;
  }
  for (int c = 0; c < t; c++) {
    int p = c;
    for (int i = c + 1; i < t; i++)
      if (std::fabs(work_[i * square_ + c]) > std::fabs(work_[p * square_ + c])) p = i;
    const double big = std::fabs(work_[p * square_ + c]);
    det *= big;
    if (big == 0.0 || !(det <= 1e15)) return false;
    for (int l = 0; l < t; l++) std::swap(work_[c * square_ + l], work_[p * square_ + l]);
    for (int i = c + 1; i < t; i++) {
      const double f = work_[i * square_ + c] / work_[c * square_ + c];
      for (int l = c; l < t; l++) work_[i * square_ + l] -= f * work_[c * square_ + l];
    }
  }
  det = std::rint(det);
  if (!(det >= 1.0)) return false;
  // every sum below stays under 2^62
  const double scale = power_of_two(objective_exponent), limit = 0x1p60 / (t + 2);
  const double wide = power_of_two(box_.shift);
  Wide least = 0;
  for (int l = 0; l <= n_; l++) {
    const double v = objective_[l] * scale;
    if (!(std::fabs(v) <= 0x1p53 && std::fabs(v) * det <= limit)) return false;
    std::int64_t r = static_cast<std::int64_t>(v) * static_cast<std::int64_t>(det);
    for (int q = 0; q < t; q++) {
      const int m = tight_[static_cast<std::size_t>(q)];
      const double row_scale = power_of_two(cell.exponent[m]), entry = row(m)[l] * row_scale;
      const double mu = std::rint(proof_lambda_[q] * (det * scale / row_scale));
      if (!(mu >= 0.0 && mu <= 0x1p53 && std::fabs(entry) <= 0x1p53 &&
            mu * std::fabs(entry) <= limit))
        return false;
      r -= static_cast<std::int64_t>(mu) * static_cast<std::int64_t>(entry);
    }
    // |r| <= 2^62 and bounds of at most 31 bits: a sum of 2^30 terms fits
    if (l == n_)
      least += static_cast<Wide>(r) * static_cast<std::int64_t>(wide);
    else
      least += std::min(static_cast<Wide>(r) * static_cast<std::int64_t>(box_.low[l] * wide),
                        static_cast<Wide>(r) * static_cast<std::int64_t>(box_.high[l] * wide));
  }
  return least >= 0;
}

// Proves objective >= 0 where it is zero at the vertex of a cone, by structure: constants are
// exactly zero, the rows Q lie in a space of dimension <= t that holds the objective (the row space
// of the layer below), and span it as A_QF is proved regular. Then the objective is the combination
// of them that its coordinates F determine, and its multipliers are enclosed away from zero.
inline bool BoundsProgram::by_row_space(const Path<0> &path, const Objective &of) {
  const int t = tight();
  const std::int64_t k = of.layer;
  if (t == 0 || k < 0 || !path.net.central(k)) return false;
  const std::int64_t dimension =
      k > 0 ? path.bound[static_cast<std::size_t>(k - 1)] : path.net.weight_rank(0);
  if (t < dimension) return false;
  const Dimension<0> dim(t);
  const int stride = dim.stride(), s = dim.square();
  std::vector<double> table(static_cast<std::size_t>(t * stride), 0.0),
      objective(static_cast<std::size_t>(stride), 0.0), radius(static_cast<std::size_t>(t)),
      inverse(static_cast<std::size_t>(t * s), 0.0), rates(static_cast<std::size_t>(s), 0.0);
  std::vector<int> basis(static_cast<std::size_t>(s), 0);
  for (int q = 0; q < t; q++) {
    const auto i = static_cast<std::size_t>(q);
    const int m = tight_[i];
    if (!cell.central[m] || !cell.member[m]) return false;
    for (int j = 0; j < t; j++) {
      const int l = coordinate_[static_cast<std::size_t>(j)];
      table[static_cast<std::size_t>(q * stride + j)] = row(m)[l];
      inverse[static_cast<std::size_t>(j * s + q)] = inverse_[j * square_ + q];
    }
    objective[i] = objective_[coordinate_[i]];
    radius[i] = cell.radius[m];
    rates[i] = proof_lambda_[q];
    basis[i] = q;
  }
  const Enclosure enclosure = enclose(dim, Rows{table.data(), radius.data()}, basis.data(),
                                      inverse.data(), rates.data(), objective.data(), of.radius);
  if (!enclosure.regular) return false;
  for (int q = 0; q < t; q++)
    if (!(rates[static_cast<std::size_t>(q)] > enclosure.width(dim, inverse.data(), q)))
      return false;
  return true;
}

// Proof of objective >= 0 on the cell from the basis.
inline bool BoundsProgram::proved(Path<0> &path, const Objective &of) {
  find_proof();
  if (by_residual(of.radius)) {
    path.stat.by_residual++;
    return true;
  }
  if (by_integers_on_box(of.exponent)) {
    path.stat.by_integers++;
    return true;
  }
  if (!by_row_space(path, of)) return false;
  path.stat.by_enclosure++;
  return true;
}

// Proposes x, the point nearest to the centre of the box (in the Euclidean norm) in which the
// rows of the basis are zero and the objective is z, and finds its slacks. False where the products
// of the rows do not determine it.
inline bool BoundsProgram::nearest(int rows, double z) {
  const int t = tight();
  const auto entry = [this](int i, int j) -> double & { return work_[i * (square_ + 4) + j]; };
  const auto at = [this](int q) { return tight_[static_cast<std::size_t>(q)]; };
  const double own = product(objective_.data(), objective_.data());
  for (int q = 0; q < t; q++) {
    for (int i = 0; i <= q; i++) entry(q, i) = gram(at(q), at(i));
    entry(t, q) = product(row(at(q)), objective_.data());
    pull_[q] = -centre_slack_[at(q)];
  }
  entry(t, t) = own;
  pull_[t] = z - value(objective_.data(), centre_.data());
  // Cholesky; an objective that the rows span has its value from them
  int size = t + 1;
  for (int i = 0; i < size; i++)
    for (int j = 0; j <= i; j++) {
      double v = entry(i, j);
      for (int l = 0; l < j; l++) v -= entry(i, l) * entry(j, l);
      if (j < i) {
        entry(i, j) = v / entry(j, j);
      } else if (v > 1e-10 * entry(i, i)) {
        entry(i, i) = std::sqrt(v);
      } else if (i == t) {
        size = t;
      } else {
        return false;
      }
    }
  for (int i = 0; i < size; i++) {
    for (int j = 0; j < i; j++) pull_[i] -= entry(i, j) * pull_[j];
    pull_[i] /= entry(i, i);
  }
  for (int i = size - 1; i >= 0; i--) {
    for (int j = i + 1; j < size; j++) pull_[i] -= entry(j, i) * pull_[j];
    pull_[i] /= entry(i, i);
  }
  std::copy_n(centre_.data(), n_, x_.data());
  for (int i = 0; i < size; i++) {
    const double *form = i < t ? row(at(i)) : objective_.data();
    for (int l = 0; l < n_; l++) x_[l] += pull_[i] * form[l];
  }
  for (int m = 0; m < rows; m++) slack_[m] = value(row(m), x_.data());
  return true;
}

// How far the cell goes on the way from the base to x, whose slacks are known: 1 at most.
inline double BoundsProgram::reach(int rows, const double *base) const {
  double step = 1.0;
  for (int m = 0; m < rows; m++)
    if (slack_[m] < 0.0 && !left_out_[m])
      step = std::min(step, base_slack_[m] / (base_slack_[m] - slack_[m]));
  for (int l = 0; l < n_; l++) {
    if (x_[l] < box_.low[l]) step = std::min(step, (base[l] - box_.low[l]) / (base[l] - x_[l]));
    if (x_[l] > box_.high[l]) step = std::min(step, (box_.high[l] - base[l]) / (x_[l] - base[l]));
  }
  return step;
}

// The point of the basis, and the slacks of the rows there.
inline void BoundsProgram::find_point(int rows) {
  const int t = tight();
  for (int l = 0; l < n_; l++) {
    const double r = residual_[l];
    at_high_[l] = r > tolerance ? 0 : r < -tolerance ? 1 : at_high_[l];
    x_[l] = free_[l] ? 0.0 : at_high_[l] ? box_.high[l] : box_.low[l];
  }
  for (int m = 0; m < rows; m++) slack_[m] = value(row(m), x_.data());
  for (int j = 0; j < t; j++) {
    double v = 0.0;
    for (int q = 0; q < t; q++)
      v -= inverse_[j * square_ + q] * slack_[tight_[static_cast<std::size_t>(q)]];
    column_[j] = v;
  }
  for (int j = 0; j < t; j++) {
    const int l = coordinate_[static_cast<std::size_t>(j)];
    x_[l] = column_[j];
    for (int m = 0; m < rows; m++) slack_[m] += row(m)[l] * column_[j];
  }
  for (const int m : tight_) slack_[m] = 0.0;
}

inline BoundsProgram::Violation BoundsProgram::worst_violation(int rows) const {
  Violation worst{-1, -1, 0.0, tolerance};
  for (int m = 0; m < rows; m++)
    if (-slack_[m] > worst.depth && !left_out_[m]) worst = {m, -1, 1.0, -slack_[m]};
  if (worst.row >= 0) return worst;  // rows first: where they meet is in the box, mostly
  for (int j = 0; j < tight(); j++) {
    const int l = coordinate_[static_cast<std::size_t>(j)];
    const double below = box_.low[l] - x_[l], above = x_[l] - box_.high[l];
    if (below > worst.depth) worst = {-1, j, 1.0, below};
    if (above > worst.depth) worst = {-1, j, -1.0, above};
  }
  if (worst.row < 0 && worst.slot < 0) worst.depth = 0.0;
  return worst;
}

// The place in `breaks_` of the coordinate at which the dual stops growing, by ratio below `limit`;
// those before it are passed. -1: none does. Quickselect by weight.
inline int BoundsProgram::select_break(double depth, double limit) {
  auto first = breaks_.begin(), last = breaks_.end();
  last = std::partition(first, last, [limit](const Break &b) { return b.ratio < limit; });
  const auto end = last;
  double left = depth;
  while (first != last) {
    const auto middle = first + (last - first) / 2;
    const double at = middle->ratio;
    const auto above = std::partition(first, last, [at](const Break &b) { return b.ratio < at; });
    double sum = 0.0;
    for (auto b = first; b != above; ++b) sum += b->weight;
    if (sum >= left) {
      last = above;
      continue;
    }
    left -= sum;
    // those at this very ratio, the heaviest first
    const auto beyond = std::partition(above, last, [at](const Break &b) { return b.ratio == at; });
    std::sort(above, beyond, [](const Break &a, const Break &b) { return a.weight > b.weight; });
    for (auto b = above; b != beyond; ++b) {
      left -= b->weight;
      if (left <= 0.0) return static_cast<int>(b - breaks_.begin());
    }
    first = beyond;
  }
  for (auto b = breaks_.begin(); b != end; ++b) at_high_[b->l] ^= 1;
  return -1;
}

// One dual step on what is violated; false where none is found.
inline bool BoundsProgram::pivot(const Violation &violation) {
  const int t = tight(), j0 = violation.slot;
  const double *a = j0 < 0 ? row(violation.row) : nullptr;
  double size = 1.0;
  for (int q = 0; q < t; q++) {
    double w = 0.0;
    if (a)
      for (int j = 0; j < t; j++)
        w += a[coordinate_[static_cast<std::size_t>(j)]] * inverse_[j * square_ + q];
    else
      w = violation.sign * inverse_[j0 * square_ + q];
    weight_[q] = w;
    size += std::fabs(w);
  }
  if (a) {
    subtract_rows(a, weight_.data(), turn_.data());
  } else {
    std::fill_n(turn_.data(), stride_, 0.0);
    subtract_rows(turn_.data(), weight_.data(), turn_.data());
  }
  // the first multiplier that falls to zero
  const double cutoff = tolerance * size;
  int leaving = -1;
  double limit = std::numeric_limits<double>::infinity();
  for (int q = 0; q < t; q++)
    if (weight_[q] > cutoff && lambda_[q] / weight_[q] < limit)
      limit = lambda_[q] / weight_[q], leaving = q;
  breaks_.clear();
  for (int l = 0; l < n_; l++) {
    if (free_[l]) continue;
    const double v = at_high_[l] ? -turn_[l] : turn_[l];
    if (!(v > cutoff)) continue;
    const double r = at_high_[l] ? -residual_[l] : residual_[l];
    breaks_.push_back({std::max(r, 0.0) / v, v * (box_.high[l] - box_.low[l]), l});
  }
  const int at = select_break(violation.depth, limit);
  if (at < 0 && leaving < 0) return false;
  if (at >= 0)
    for (int b = 0; b < at; b++) at_high_[breaks_[static_cast<std::size_t>(b)].l] ^= 1;
  const auto entry = [this](int i, int j) -> double & { return inverse_[i * square_ + j]; };
  if (at >= 0) {
    const int l = breaks_[static_cast<std::size_t>(at)].l;
    for (int i = 0; i < t; i++) {
      double v = 0.0;
      for (int q = 0; q < t; q++) v += entry(i, q) * row(tight_[static_cast<std::size_t>(q)])[l];
      column_[i] = v;
    }
    if (a) {  // one row and one coordinate more
      const double pivot_value = turn_[l];
      for (int i = 0; i < t; i++) {
        for (int q = 0; q < t; q++) entry(i, q) += column_[i] * weight_[q] / pivot_value;
        entry(i, t) = -column_[i] / pivot_value;
      }
      for (int q = 0; q < t; q++) entry(t, q) = -weight_[q] / pivot_value;
      entry(t, t) = 1.0 / pivot_value;
      tight_.push_back(violation.row);
      coordinate_.push_back(l);
    } else {  // another coordinate
      for (int q = 0; q < t; q++) entry(j0, q) /= column_[j0];
      for (int i = 0; i < t; i++)
        if (i != j0)
          for (int q = 0; q < t; q++) entry(i, q) -= column_[i] * entry(j0, q);
      const int old = coordinate_[static_cast<std::size_t>(j0)];
      free_[old] = 0;
      at_high_[old] = violation.sign < 0.0;
      coordinate_[static_cast<std::size_t>(j0)] = l;
    }
    free_[l] = 1;
    return true;
  }
  if (a) {  // another row
    const double w = weight_[leaving];
    for (int i = 0; i < t; i++) {
      entry(i, leaving) /= w;
      for (int q = 0; q < t; q++)
        if (q != leaving) entry(i, q) -= entry(i, leaving) * weight_[q];
    }
    tight_[static_cast<std::size_t>(leaving)] = violation.row;
    return true;
  }
  // one row and one coordinate less
  const int old = coordinate_[static_cast<std::size_t>(j0)];
  remove(leaving, j0);
  at_high_[old] = violation.sign < 0.0;
  return true;
}

// Takes a row and a coordinate, by their places, out of the basis.
inline void BoundsProgram::remove(int q0, int j0) {
  const int last = tight() - 1;
  const double by = inverse_[j0 * square_ + q0];
  for (int i = 0; i <= last; i++) {
    if (i == j0) continue;
    const double f = inverse_[i * square_ + q0] / by;
    for (int q = 0; q <= last; q++) inverse_[i * square_ + q] -= f * inverse_[j0 * square_ + q];
  }
  for (int q = 0; q <= last; q++) inverse_[j0 * square_ + q] = inverse_[last * square_ + q];
  for (int i = 0; i < last; i++) inverse_[i * square_ + q0] = inverse_[i * square_ + last];
  free_[coordinate_[static_cast<std::size_t>(j0)]] = 0;
  coordinate_[static_cast<std::size_t>(j0)] = coordinate_.back();
  tight_[static_cast<std::size_t>(q0)] = tight_.back();
  coordinate_.pop_back();
  tight_.pop_back();
}

// Makes the basis one of the dual method: rows whose multiplier of the costs is negative leave it.
inline void BoundsProgram::drop_negative() {
  for (;;) {
    find_multipliers(cost_.data(), lambda_.data());
    int q0 = -1, j0 = 0;
    for (int q = 0; q < tight(); q++)
      if (lambda_[q] < 0.0 && (q0 < 0 || lambda_[q] < lambda_[q0])) q0 = q;
    if (q0 < 0) return;
    for (int j = 1; j < tight(); j++)
      if (std::fabs(inverse_[j * square_ + q0]) > std::fabs(inverse_[j0 * square_ + q0])) j0 = j;
    remove(q0, j0);
  }
}

// The inverse of A_QF from the rows (Gauss-Jordan with pivoting); false where it is singular.
inline bool BoundsProgram::refactor_basis() {
  const int t = tight(), w = 2 * square_;
  for (int q = 0; q < t; q++) {
    const double *a = row(tight_[static_cast<std::size_t>(q)]);
    for (int j = 0; j < t; j++) {
      work_[q * w + j] = a[coordinate_[static_cast<std::size_t>(j)]];
      work_[q * w + square_ + j] = j == q ? 1.0 : 0.0;
    }
  }
  for (int c = 0; c < t; c++) {
    int p = c;
    for (int q = c + 1; q < t; q++)
      if (std::fabs(work_[q * w + c]) > std::fabs(work_[p * w + c])) p = q;
    if (!(std::fabs(work_[p * w + c]) >= 1e-290)) return false;
    if (p != c)
      for (int l = 0; l < w; l++) std::swap(work_[c * w + l], work_[p * w + l]);
    const double scale = 1.0 / work_[c * w + c];
    for (int l = c; l < square_ + t; l++) work_[c * w + l] *= scale;
    for (int q = 0; q < t; q++) {
      const double f = work_[q * w + c];
      if (q == c || f == 0.0) continue;
      for (int l = c; l < square_ + t; l++) work_[q * w + l] -= f * work_[c * w + l];
    }
  }
  for (int j = 0; j < t; j++)
    for (int q = 0; q < t; q++) inverse_[j * square_ + q] = work_[j * w + square_ + q];
  return true;
}

// Whether a straight line from the base leads beyond the objective's hyperplane, to a point that
// `found` takes.
template <class Found>
bool BoundsProgram::seen_along_lines(const Objective &of, int rows, const double *base,
                                     Found &&found) {
  const double limit = of.radius * (n_ + 1) * inflate;
  for (int m = 0; m < rows; m++) {
    base_slack_[m] = value(row(m), base);
    along_[m] = product(row(m), objective_.data());
  }
  base_slack_[rows] = value(objective_.data(), base);
  along_[rows] = product(objective_.data(), objective_.data());
  const auto gram_here = [&](int i, int j) {
    if (i == rows) return along_[j];
    return j == rows ? along_[i] : gram(i, j);
  };
  bool seen = false;
  line_.go_down(
      rows, rows + 1, base_slack_.data(), gram_here, [rows](int m) { return m == rows; },
      [&](int) {
        std::copy_n(base, n_, x_.data());
        for (int m = 0; m <= rows; m++) {
          if (line_.share[m] == 0.0) continue;
          const double *form = m < rows ? row(m) : objective_.data();
          for (int l = 0; l < n_; l++) x_[l] += line_.share[m] * form[l];
        }
        std::copy_n(line_.slack.data(), rows, slack_.data());
        const double step = reach(rows, base);
        for (int l = 0; l < n_ && step < 1.0; l++) x_[l] = base[l] + step * (x_[l] - base[l]);
        seen = value(objective_.data(), x_.data()) < -limit && found(false);
      });
  return seen;
}

// Minimises objective_ until it is proved to be >= 0 on the cell or `found` takes a point.
template <class Found>
Verdict BoundsProgram::minimise(Path<0> &path, const Objective &of, std::int64_t rows,
                                const double *base, bool fresh, Found &&found) {
  const int count = static_cast<int>(rows);
  const double limit = of.radius * (n_ + 1) * inflate, base_value = value(objective_.data(), base);
  for (int m = 0; m < count; m++) base_slack_[m] = value(row(m), base);
  if (!fresh) set_basis({}, {});
  bool nudged = true;
  for (int l = 0; l < stride_; l++) cost_[l] = objective_[l] + nudge_[l];
  drop_negative();
  double tried = 0.0;
  bool turned = true;  // other rows are tight than in the last round
  // a basis that was handed on is derived again before it decides anything
  for (int pivots = 0, since = fresh ? 1 : 0;;) {
    find_multipliers(cost_.data(), lambda_.data());
    subtract_rows(cost_.data(), lambda_.data(), residual_.data());
    find_point(count);
    double z = value(objective_.data(), x_.data());
    if (z > -4.0 * limit && proved(path, of)) return Verdict::misses;
    const Violation worst = worst_violation(count);
    const auto reached = [&](double there) {
      // as far as the cell goes on the way from the base to x
      const double step = reach(count, base),
                   value_there = base_value + step * (there - base_value);
      if (!(value_there < -limit && value_there < 1.5 * tried)) return false;
      tried = value_there;
      for (int l = 0; l < n_ && step < 1.0; l++) x_[l] = base[l] + step * (x_[l] - base[l]);
      return found(false);
    };
    if (z < -limit) {
      if (reached(z)) return Verdict::cuts;
      if (worst.slot >= 0 && turned && nearest(count, z) &&
          reached(value(objective_.data(), x_.data())))
        return Verdict::cuts;
      find_point(count);
    }
    if (worst.depth == 0.0 || since >= refactor_after) {
      if (since == 0 && !nudged) return z < 0.0 && found(true) ? Verdict::cuts : Verdict::open;
      if (worst.depth == 0.0) {
        nudged = false;
        std::copy_n(objective_.data(), stride_, cost_.data());
        drop_negative();
      }
      since = 0;
      path.stat.refactored++;
      if (!refactor_basis()) {
        set_basis({}, {});
        return Verdict::open;
      }
      continue;
    }
    const int t = tight();
    if (pivots >= most_pivots || !pivot(worst)) {
      set_basis({}, {});
      return Verdict::open;
    }
    turned = worst.row >= 0 || tight() != t;
    pivots++;
    since++;
    path.stat.pivots++;
  }
}

}  // namespace polyrank
