// The walk over regions in a box of many dimensions, where bounds are no rows.
//
// A region is {low <= u <= high : a_m.u + b_m > 0}, with one row for each unit that is not
// constant there and few for other walls of the domain. Each region is settled by itself:
//
// * A row carries a facet if a point is strictly beyond it and strictly inside everything else:
//   the witness of the region that is listed across it, what lines from the middle of the region
//   lead to, or what a linear program finds. It is redundant if multipliers prove it on the cell of
//   all others (bounds_program.hpp), often those of the rows at which such a line ends; what is
//   redundant is left out from then on, so that of several multiples of one row the last one
//   stays. Where one that was left out is not proved to be positive in a point of a facet, it may
//   be such a multiple, and rationals say what is across.
// * A bound carries a facet if a point on it is strictly inside all rows. Nearly every one does:
//   rows are combinations of the few of the first layer, and along the part of an axis that is
//   orthogonal to these none of them changes. From a point far from all bounds such steps end on
//   them, inside, for all bounds at once; the axes themselves serve where rows are far, and only
//   what is left costs a linear program.
//
// What neither proves makes the region open, as in facet_walk.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "any_walk.hpp"
#include "bounds_program.hpp"

namespace polyrank {

class BoxWalk final : public AnyWalk {
public:
  explicit BoxWalk(const WalkTask &task);

  std::int64_t advance(std::int64_t begin, std::int64_t end) override;
  const Found &found() const override { return found_; }
  const GraphStatistics &statistics() const override { return stat_; }

  static constexpr std::int64_t least_dimension = 40;  // below, facet_walk.hpp is faster
  // Whether no two walls bound the same coordinate on the same side.
  bool one_wall_each() const { return one_wall_each_; }

private:
  // So many facets that lead nowhere get a point; more are not described.
  static constexpr std::int64_t most_points = 128;

  // A row of the current region: what carries it, in the numbers of walks, and its unit.
  struct Candidate {
    int row;
    std::int64_t unit, layer;  // -1, -1: a wall
    bool out;
  };
  // Rows that imply a row, perhaps, and their multipliers; none: not known.
  struct Implied {
    std::vector<int> by;
    std::vector<double> factor;
  };
  // A facet of the current region; its point begins at this place of points_, -1: none.
  struct Facet {
    int row;
    std::int64_t to, point;
  };

  Network net_;
  Listing run_;
  int n_, walls_;
  std::int64_t layers_, chart_, first_;
  Path<0> path_;
  BoundsProgram program_;
  ProjectedLine line_;
  Found found_;
  GraphStatistics stat_;
  bool one_wall_each_ = true;
  std::vector<int> wall_;  // of the lower bounds, then of the upper ones

  // Vectors that are nearly orthonormal and span the coefficients of all rows, nearly; none where
  // these are more than half the coordinates. Then per coordinate: the square of the length of
  // their column.
  std::vector<Buffer<double>> span_;
  Buffer<double> in_span_;

  std::int64_t at_ = -1;  // the region whose rows the path holds, -1: none
  std::uint64_t hash_ = 0;
  std::int64_t zero_layer_ = -1;  // the last layer with a unit that vanishes identically
  std::vector<Candidate> rows_;
  std::vector<Facet> facets_;
  std::vector<double> points_;
  std::vector<std::int64_t> seen_;  // per row: the place in views_ of a point beyond it, or -1
  std::vector<double> views_;
  std::vector<Implied> implied_;  // per row
  Buffer<double> p_, q_, x_, y_, middle_, deep_, depth_, least_low_, least_high_, wanted_, square_;
  int inside_ = 1;  // points of which deep_ is the mean
  Buffer<double> middle_slack_, pull_;
  std::vector<Status> bounds_;  // lower ones, then upper ones
  std::int64_t described_ = 0;

  double limit_of(int m, double widest = 1.0) const {
    return program_.cell.radius[m] * (n_ + widest) * inflate;
  }
  double doubt() const { return gamma(n_ + 4) * (n_ + 1); }
  bool in_box(const double *u, int except) const {
    const BoxWalls &box = program_.box();
    for (int l = 0; l < n_; l++)
      if (l != except && !(u[l] > box.inner_low[l] + doubt() && u[l] < box.inner_high[l] - doubt()))
        return false;
    return true;
  }

  void decode(std::int64_t r);
  bool load_witness(std::int64_t r, double *out) const;
  void gather();
  bool settle(std::int64_t r);
  bool settle_row(std::int64_t r, int m);
  void to_middle(const double *from, double *to) const;
  void look_around();
  void look_beyond(int m);
  void see(int m);
  void settle_bounds(const double *base);
  void settle_bounds_along_fibres(const double *base);
  void settle_bounds_deep_inside();
  void find_span();
  bool beyond_bound(const double *base, int l, bool low);
  bool settle_bound(int l, bool low);
  void emit(std::int64_t r);
  void emit_open(std::int64_t r);
  bool beyond(int m, const double *u, double widest, int axis) const;
  bool beyond_at_listed(int m, std::int64_t s);
  bool may_be_multiple(int m, const double *u) const;
};

}  // namespace polyrank
