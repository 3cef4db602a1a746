// Linear programs over a cell by one dense simplex dictionary: any rows, few dimensions.
//
// A *program* is what a search asks whether a unit is negative or positive somewhere on a cell. Two
// of them have the same members: this one and bounds_program.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "cells.hpp"
#include "constraints.hpp"
#include "points.hpp"
#include "simplex.hpp"
#include "thin_simplex.hpp"

namespace polyrank {

enum class Verdict { misses, cuts, open };

// Copies row g, oriented to `side`, to a linear form that is to be minimised.
template <int D>
inline void set_objective(Dimension<D> dim, const Path<0> &path, std::int64_t g, int side,
                          double *objective) {
  const double s = side > 0 ? 1.0 : -1.0;
  const double *row = path.rows.data() + g * dim.stride();
  for (int l = 0; l <= dim.size(); l++) objective[l] = s * row[l];
}

class DictionaryProgram {
public:
  static constexpr int D = 0;
  Constraints<0> cell;

  POLYRANK_COLD DictionaryProgram(const Network &net, std::int64_t d)
      : cell(net, d),
        dim_(d),
        thin_(dim_.size()),
        now_(dim_),
        noted_(dim_),
        kept_(dim_),
        slack_(cell.capacity, 0.0),
        rate_(cell.capacity, 0.0),
        reach_(cell.capacity, 0.0),
        rates_(dim_.square(), 0.0),
        objective_(dim_.stride(), 0.0),
        square_(2 * d * dim_.square(), 0.0),
        integers_(residue_work(d)) {}

  // What an open cell keeps of a vertex: numbers of rows, coordinates, entries of the inverse.
  static StateSize state_size(const Network &, std::int64_t d) { return {d, d, d * padded(d)}; }
  void save(OpenCells &open, std::int64_t f) const { write(now_, open, f); }
  void restore(OpenCells &open, std::int64_t f) {
    std::copy_n(open.basis(f), now_.basis.size(), now_.basis.data());
    std::copy_n(open.x(f), now_.x.size(), now_.x.data());
    std::copy_n(open.inverse(f), now_.inverse.size(), now_.inverse.data());
  }

  // The vertex serves only the part of the cell that it belongs to.
  static constexpr bool sided = true;
  // Where these are few, what it does is compiled for each number of them.
  static constexpr bool few_dimensions = true;
  // A second vertex, for the other part: `remember` notes the one of now (a test that starts
  // without a vertex notes the last point before the one that it ends at), `keep` makes what was
  // noted the second one. A vertex here may be a point that fewer rows hold.
  void remember() {
    has_noted_ = true;
    std::copy_n(now_.basis.data(), now_.basis.size(), noted_.basis.data());
    std::copy_n(now_.x.data(), now_.x.size(), noted_.x.data());
    std::copy_n(now_.inverse.data(), now_.inverse.size(), noted_.inverse.data());
  }
  void keep() { std::swap(noted_, kept_); }
  // What was noted, null where this test has noted nothing.
  const double *remembered() const { return has_noted_ ? noted_.x.data() : nullptr; }
  const double *kept() const { return kept_.x.data(); }
  void save_kept(OpenCells &open, std::int64_t f) const { write(kept_, open, f); }

  // The vertex that the last program ended at, or the point that it had reached.
  const double *x() const { return now_.x.data(); }
  // Its second doubles, null where it has none.
  const double *x_low() const { return in_two_ ? thin_.low() : nullptr; }
  // Whether rows of the cell hold the vertex.
  bool complete() const {
    for (int q = 0; q < dim_.size(); q++)
      if (now_.basis[q] < 0) return false;
    return true;
  }
  // Rows that a log can name: the walls and the units.
  static std::int64_t logged_rows(const Network &net) {
    return net.wall_rows.shape[0] + net.total();
  }
  // Row indices, or as much, that a step can have.
  static std::int64_t logged_indices(const Network &, std::int64_t d) { return d; }
  void log_miss(ProofLog &log, std::int64_t unit, int side) const {
    log.miss(unit, side, now_.basis.data(), dim_.size());
  }

  void push(const Path<0> &path, std::int64_t m, std::int64_t g, int side) {
    push_row(cell, path, m, g, side);
  }

  // Before the units of layer k are decided on a cell of so many rows.
  void mark(const Path<0> &path, std::int64_t k, std::int64_t rows) {
    marked_ = rows;
    if (path.net.central(k)) mark_rows(cell, path, k, k - 1, rows);
  }

  template <int N> bool strictly_inside(Dimension<N> dim, std::int64_t rows,
                                        const double *u) const {
    return polyrank::strictly_inside(dim, cell, rows, u);
  }
  bool exactly_inside(std::int64_t rows, const double *u, const double *low) const {
    return polyrank::exactly_inside(cell, rows, u, low);
  }

  // Whether unit g of layer k takes the sign -side inside the cell: minimises side · z_g from the
  // current basis. `fresh` says that x and its basis are valid; otherwise the search starts at the
  // interior point `base` with free slots. Misses: proved that side · z_g >= 0 on the cell. Cuts:
  // `found(exactly)` has made a proven point on the way from the base to x.
  //
  // Where doubles end without a proof, and rows are exact, the program is solved once more in sums
  // of two doubles; at once where the base is a point that only those can tell.
  template <int N, class Found>
  Verdict test(Dimension<N> dim, Path<0> &path, std::int64_t k, std::int64_t rows, std::int64_t g,
               int side, InteriorPoint base, bool fresh, Found &&found);

  // Whether the vertex is the optimum of side · z of unit g, proved by residual.
  template <int N> bool optimal(Dimension<N> dim, const Path<0> &path, std::int64_t g, int side) {
    set_objective(dim, path, g, side, objective_.data());
    reduced_costs(dim, now_.inverse.data(), objective_.data(), rates_.data());
    for (int q = 0; q < dim.size(); q++)
      if (rates_[q] < 0.0) return false;
    return by_residual(dim, cell.rows(), now_.basis.data(), rates_.data(), objective_.data(),
                       path.radius[g]);
  }

private:
  static constexpr int most_pivots = 400;
  static constexpr int bland_after = 30;

  Dimension<0> dim_;
  ThinSimplex thin_;
  int side_ = 1;             // of the objective
  bool in_two_ = false;      // the last program was solved in sums of two doubles
  std::int64_t marked_ = 0;  // rows of the cell that are marked
  // A point, its basis and the inverse of the basis matrix.
  struct State {
    Buffer<double> x, inverse;
    Buffer<int> basis;
    explicit State(Dimension<0> dim)
        : x(dim.size(), 0.0), inverse(dim.size() * dim.square(), 0.0), basis(dim.size(), 0) {}
  };
  State now_, noted_, kept_;
  bool has_noted_ = false;  // by this test or for it
  // scratch
  Buffer<double> slack_, rate_, reach_, rates_, objective_, square_;
  Buffer<std::int64_t> integers_;

  template <int N, class Found>
  Verdict test_in_doubles(Dimension<N> dim, Path<0> &path, std::int64_t k, std::int64_t rows,
                          std::int64_t g, const double *base, bool fresh, Found &&found);
  template <class Found>
  POLYRANK_COLD Verdict test_in_two(Path<0> &path, std::int64_t k, std::int64_t rows,
                                    std::int64_t g, InteriorPoint base, Found &&found);
  template <int N> bool proved(Dimension<N> dim, Path<0> &path, std::int64_t k, std::int64_t g);
  [[gnu::noinline]] bool refactored() {
    return refactor(dim_, cell.table.data(), now_.basis.data(), now_.inverse.data(),
                    square_.data());
  }
  [[gnu::noinline]] bool proved_otherwise(Path<0> &path, std::int64_t k, std::int64_t g) {
    if (by_integers(dim_, cell.table.data(), cell.exponent.data(), now_.basis.data(), rates_.data(),
                    objective_.data(), path.exponent[g], square_.data())) {
      path.stat.by_integers++;
      return true;
    }
    if (path.net.central(k) && by_enclosures(path, k, g)) {
      path.stat.by_enclosure++;
      return true;
    }
    if (!by_residues(dim_.size(), dim_.stride(), cell.table.data(), cell.exponent.data(),
                     now_.basis.data(), objective_.data(), path.exponent[g], integers_.data())
             .proved &&
        !by_forms(path, g))
      return false;
    path.stat.by_integers++;
    return true;
  }
  // By the exact rows of walls and of layer 1, where floats do not hold them.
  bool by_forms(const Path<0> &path, std::int64_t g) {
    const Network &net = path.net;
    if (net.exact_norm.shape[0] == 0 || dim_.size() > 63) return false;
    int form[64];
    std::int8_t side[64];
    const int d = dim_.size();
    for (int q = 0; q < d; q++) {
      const int m = now_.basis[q];
      form[q] = static_cast<int>(m < cell.walls ? m : cell.walls + cell.unit[m]);
      side[q] = m < cell.walls ? std::int8_t{1} : cell.side[m];
    }
    form[d] = static_cast<int>(cell.walls + g);  // rows of later layers are beyond the last
    side[d] = static_cast<std::int8_t>(side_);
    return by_exact_forms(net, d, form, side, integers_.data()).proved;
  }
  bool by_enclosures(Path<0> &path, std::int64_t k, std::int64_t g);
  static void write(const State &state, OpenCells &open, std::int64_t f) {
    std::copy_n(state.basis.data(), state.basis.size(), open.basis(f));
    std::copy_n(state.x.data(), state.x.size(), open.x(f));
    std::copy_n(state.inverse.data(), state.inverse.size(), open.inverse(f));
  }
};

// Proof of objective >= 0 on the cell from the current basis.
template <int N>
bool DictionaryProgram::proved(Dimension<N> dim, Path<0> &path, std::int64_t k, std::int64_t g) {
  if (by_residual(dim, cell.rows(), now_.basis.data(), rates_.data(), objective_.data(),
                  path.radius[g])) {
    path.stat.by_residual++;
    return true;
  }
  return proved_otherwise(path, k, g);
}

// The same by enclosed multipliers, in the row space of the layer below and, where other rows share
// in the proof, of those below that one.
inline bool DictionaryProgram::by_enclosures(Path<0> &path, std::int64_t k, std::int64_t g) {
  bool found = false;
  std::int64_t j = k - 1;
  for (;; j--) {
    if (j < k - 1) mark_rows(cell, path, k, j, marked_);
    found = by_enclosure(dim_, cell.rows(), now_.basis.data(), now_.inverse.data(), rates_.data(),
                         objective_.data(), path.radius[g], cell.central.data(), cell.member.data(),
                         row_space(path, k, j));
    if (found || j < 0 || row_space(path, k, j - 1) >= dim_.size()) break;
  }
  if (j < k - 1) mark_rows(cell, path, k, k - 1, marked_);
  return found;
}

template <int N, class Found>
Verdict DictionaryProgram::test(Dimension<N> dim, Path<0> &path, std::int64_t k, std::int64_t rows,
                                std::int64_t g, int side, InteriorPoint base, bool fresh,
                                Found &&found) {
  set_objective(dim, path, g, side, objective_.data());
  side_ = side;
  in_two_ = false;
  if (!fresh) has_noted_ = false;
  bool thin = false;
  for (int l = 0; base.low && l < dim_.size(); l++) thin = thin || base.low[l] != 0.0;
  if (!thin) {
    const Verdict verdict = test_in_doubles(dim, path, k, rows, g, base.cube, fresh, found);
    if (verdict != Verdict::open) return verdict;
  }
  if (path.error[g] != 0.0) return Verdict::open;
  for (std::int64_t m = 0; m < rows; m++)
    if (!cell.exact[m]) return Verdict::open;
  return test_in_two(path, k, rows, g, base, found);
}

template <class Found>
Verdict DictionaryProgram::test_in_two(Path<0> &path, std::int64_t k, std::int64_t rows,
                                       std::int64_t g, InteriorPoint base, Found &&found) {
  const int d = dim_.size(), s = dim_.square();
  thin_.start(base.cube, base.low);
  if (!thin_.minimise(cell.table.data(), dim_.stride(), static_cast<int>(rows), objective_.data(),
                      path.stat.pivots))
    return Verdict::open;
  in_two_ = true;
  thin_.copy_basis(now_.basis.data(), now_.inverse.data(), s);
  for (int l = 0; l < d; l++) now_.x[l] = thin_.high()[l];
  // the least value, and no less: the point is as far from the hyperplane as the cell reaches
  if (found(true)) return Verdict::cuts;
  reduced_costs(dim_, now_.inverse.data(), objective_.data(), rates_.data());
  return complete() && proved(dim_, path, k, g) ? Verdict::misses : Verdict::open;
}

template <int N, class Found>
Verdict DictionaryProgram::test_in_doubles(Dimension<N> dim, Path<0> &path, std::int64_t k,
                                           std::int64_t rows, std::int64_t g, const double *base,
                                           bool fresh, Found &&found) {
  const int d = dim.size(), s = dim.square();
  if (!fresh) {
    for (int q = 0; q < d; q++) {
      now_.basis[q] = -1;
      now_.x[q] = base[q];
      for (int l = 0; l < d; l++) now_.inverse[l * s + q] = l == q ? 1.0 : 0.0;
    }
  }
  const int count = static_cast<int>(rows);
  bool slack_valid = false, refreshed = false, tried = false;
  const double limit = sign_limit(path, g);
  for (int pivots = 0;;) {
    double z = objective_[d];
    for (int l = 0; l < d; l++) z += objective_[l] * now_.x[l];
    if (z < -limit) {
      tried = true;
      if (found(false)) return Verdict::cuts;
    }
    const bool bland = pivots > bland_after;
    const Edge edge = choose_edge(dim, now_.inverse.data(), now_.basis.data(), objective_.data(),
                                  bland, rates_.data());
    if (edge.slot < 0) {
      for (int q = 0; q < d; q++)
        if (now_.basis[q] >= count)
          return Verdict::open;  // never prove anything from a row that is not the cell's
      if ((z > -4.0 * limit || !tried) && proved(dim, path, k, g)) return Verdict::misses;
      if (refreshed)
        // a cell so thin that only exact values show a point of it on the other side
        return z < 0.0 && found(true) ? Verdict::cuts : Verdict::open;
      refreshed = true;
      path.stat.refactored++;
      if (!refactored()) return Verdict::open;
      // the vertex itself: A x = -b on the basis rows
      for (int l = 0; l < d; l++) {
        double v = 0.0;
        for (int q = 0; q < d; q++)
          if (now_.basis[q] >= 0) v -= now_.inverse[l * s + q] * cell.row(now_.basis[q])[d];
        now_.x[l] = v;
      }
      slack_valid = false;
      continue;
    }
    if (pivots >= most_pivots) return Verdict::open;
    if (!slack_valid) slacks(dim, cell.by_column(), count, now_.x.data(), slack_.data());
    slack_valid = true;
    const Step step = ratio_test(dim, cell.by_column(), count, slack_.data(), now_.inverse.data(),
                                 now_.basis.data(), edge, bland, rate_.data(), reach_.data());
    if (step.row < 0 || !(step.length < 1e18)) {
      if (refreshed) return Verdict::open;
      refreshed = true;
      if (!refactored()) return Verdict::open;
      continue;
    }
    if (!fresh) remember();
    move(dim, cell.table.data(), count, slack_.data(), now_.inverse.data(), now_.basis.data(),
         now_.x.data(), edge, step, rate_.data());
    pivots++;
    path.stat.pivots++;
  }
}

}  // namespace polyrank
