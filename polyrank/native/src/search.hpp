// The dictionary search: depth first over the cells of every layer's arrangement.
//
// A *cell* is a set of decided units of the current layer inside a region of the layers below. The
// search keeps a stack of open cells. Processing a cell (settle) decides for every undecided unit
// whether its hyperplane
//
// * **cuts** the cell: interior points of both signs are known, or
// * **misses** it: Farkas multipliers prove that one side is empty.
//
// Units that miss are never looked at again below this cell; among those that cut one is chosen and
// splits the cell in two. The interior points found on the way stay with the half that they lie in,
// and a unit that has points of both signs in a half needs no LP there. A cell with no undecided
// unit is a region of the layer: the next layer's rows are composed on it, or it is a result.
//
// What float and integer arithmetic cannot prove makes the cell *hard*: it is handed back, with the
// units in question, and the caller decides it in rational arithmetic. Nothing is dropped.
//
// A *paired* cell of a central arrangement stands for itself and the cell opposite to it
// (polyrank/cells/opposite.py): what is decided on one holds on the other with the other sign, and
// every region found is followed by its opposite.
//
// A search can be stopped between any two cells, its open cells exported as tasks and resumed
// elsewhere.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cells.hpp"
#include "dictionary_program.hpp"
#include "output.hpp"
#include "points.hpp"
#include "search_task.hpp"

namespace polyrank {

// Why a call of run() returned; polyrank/cells/search.py knows the numbers.
enum class Stop : int { done = 0, output_full = 1, hard_full = 2, budget = 3, log_full = 4 };

template <class Program> class Search {
public:
  static constexpr int D = Program::D;
  Path<D> path;
  Program program;
  OpenCells open;
  Points points;
  Regions regions;
  HardCells hard;
  double done_share = 0.0;  // share of the tree below the task that is done

  POLYRANK_COLD Search(const Network &net, std::int64_t d, std::int64_t output,
                       std::int64_t hard_rows, std::int64_t most_points, bool log)
      : path(net, d),
        program(net, d),
        open(net, Program::state_size(net, d)),
        points(net, d, most_points),
        regions(net, output),
        hard(net, hard_rows),
        dim_(d) {
    const std::int64_t widest = net.widest();
    if (log) path.log = ProofLog(log_bytes + reserve(), Program::logged_rows(net) + 1);
    candidate_ = Buffer<double>(d, 0.0);
    candidate_low_ = Buffer<double>(d, 0.0);
    no_low_ = Buffer<double>(d, 0.0);
    chart_point_ = Buffer<double>(net.centre.shape[0], 0.0);
    chart_point_low_ = Buffer<double>(net.centre.shape[0], 0.0);
    bits_ = Buffer<std::int8_t>(widest, 0);
    split_ = Buffer<std::int8_t>(widest, 0);
    above_ = Buffer<std::int8_t>(widest, 0);
    below_ = Buffer<std::int8_t>(widest, 0);
    flagged_ = Buffer<std::int8_t>(widest, 0);
  }

  // Puts a task on the empty stack: the layer whose units are being decided (-1 for the root), the
  // decisions of all units, which of them bound the cell, and points strictly inside it. False
  // where float arithmetic cannot prove any point to be inside.
  POLYRANK_COLD bool load(std::int64_t layer, bool paired, const std::int8_t *bits,
                          const std::int8_t *split, const LoadedPoints &given);

  // Processes open cells until none is left, a buffer is full or `budget` cells are done.
  Stop run(std::int64_t layers, std::int64_t budget);

  // Copies the open cells, bottom of the stack first, and empties the stack.
  //
  // A cell's layers below its own are those of the current path: the search is depth first, so only
  // layers above the topmost open cell's have been overwritten since it was pushed.
  POLYRANK_COLD void take_open(std::int64_t *layer, std::int8_t *decision, std::int8_t *splits,
                               double *chart_points, double *chart_low);

  // Takes the cell at the bottom of the stack, the last one in the order of the search, out of it.
  POLYRANK_COLD void take_last(SearchTask &task);

  // Goes on from a cell of another search of the same problem; the stack is empty.
  POLYRANK_COLD void adopt(const SearchTask &task);

private:
  static constexpr std::int64_t log_bytes = std::int64_t{1} << 22;

  Dimension<D> dim_;
  // scratch
  Buffer<double> candidate_, candidate_low_, chart_point_, chart_point_low_;
  Buffer<double> no_low_;                        // (d,) second doubles of a point that has none
  Buffer<std::int8_t> bits_, split_;             // decisions of the layer's units on the cell
  Buffer<std::int8_t> above_, below_, flagged_;  // per unit: points of that sign are known; hard
  bool has_kept_ = false;                        // the program's second vertex is one of the cell
  bool paired_ = false;                          // every open cell is

  std::int64_t reserve() const {
    return log_reserve(path.units, Program::logged_indices(path.net, dim_.size()));
  }

  // Calls f with the dimension, as a constant where the program is one for few dimensions.
  template <class F> auto on_dimension(F &&f) {
    if constexpr (Program::few_dimensions)
      return with_dimension(dim_, f);
    else
      return f(dim_);
  }

  struct Settled {
    int cutting;      // first unit that cuts, -1 for none
    bool hard;        // some unit is not decided
    bool has_vertex;  // the program's vertex is valid
  };

  template <int N> bool add_point(Dimension<N> dim, std::int64_t g, std::int64_t rows,
                                  std::int64_t base);
  POLYRANK_COLD bool add_exact_point(std::int64_t g, std::int64_t rows, std::int64_t base,
                                     int side);
  void find_signs(std::int64_t k, std::int64_t r, const std::int8_t *bits);
  template <int N>
  Settled settle(Dimension<N> dim, std::int64_t k, std::int64_t rows, std::int64_t first,
                 std::int64_t &last, bool has_vertex);
  void split_cell(std::int64_t k, std::int64_t rows, std::int64_t first, std::int64_t last,
                  bool has_vertex, int i, double share);
  POLYRANK_COLD void emit_hard(std::int64_t k, std::int64_t point);
  void emit(std::int64_t layers, std::int64_t point);
};

// Tries to make an interior point on the other side of unit g from the program's x, on the way from
// the interior point `base`. Appends it behind the last point when bounds prove it.
template <class Program> template <int N>
bool Search<Program>::add_point(Dimension<N> dim, std::int64_t g, std::int64_t rows,
                                std::int64_t base) {
  const int d = dim.size();
  const double *from = points.cube(base), *x = program.x();
  const double zb = value_at(dim, path, g, from), zv = value_at(dim, path, g, x);
  double t0 = 0.0;
  if ((zb > 0.0) != (zv > 0.0)) t0 = zb / (zb - zv);
  if (!(t0 >= 0.0 && t0 <= 1.0)) t0 = 0.0;
  const double limit = sign_limit(path, g);
  for (const double share : {0.5, 0.875, 0.125}) {
    const double t = t0 + (1.0 - t0) * share;
    for (int l = 0; l < d; l++) candidate_[l] = from[l] + t * (x[l] - from[l]);
    if (!round_to_chart(path.net, candidate_.data(), chart_point_.data())) continue;
    const double z = value_at(dim, path, g, candidate_.data());
    if ((zv > 0.0 && !(z > limit)) || (zv < 0.0 && !(z < -limit))) continue;
    if (!program.strictly_inside(dim, rows, candidate_.data())) continue;
    points.put(points.end, candidate_.data(), chart_point_.data());
    return true;
  }
  return false;
}

// The same where the cell is so thin that only exact values show a point of it on the side of unit
// g that is opposite to `side`: a point of doubles if there is one, or of sums of two.
template <class Program>
bool Search<Program>::add_exact_point(std::int64_t g, std::int64_t rows, std::int64_t base,
                                      int side) {
  if (path.error[g] != 0.0) return false;
  const int d = dim_.size();
  const double *from = points.cube(base), *x = program.x();
  const double *x_low = program.x_low() ? program.x_low() : no_low_.data();
  const double *low = points.exact(base) ? points.cube_low(base) : no_low_.data();
  double *const candidate = candidate_.data(), *const candidate_low = candidate_low_.data();
  double *const chart = chart_point_.data(), *const chart_low = chart_point_low_.data();
  const double zb = proved_value(dim_, path.row(g), from, low);
  const double zv = proved_value(dim_, path.row(g), x, x_low);
  if (!(zv * side < 0.0)) return false;
  // the way from x back to the hyperplane, which can be a tiny part of that to the base
  const double back = zb * side > 0.0 ? zv / (zv - zb) : 1.0;
  for (const bool sums : {false, true})
    for (const double share : {0.5, 0.125, 0.875}) {
      for (int l = 0; l < d; l++) {
        const TwoDoubles end{x[l], x_low[l]};
        const TwoDoubles v = end + (TwoDoubles{from[l], low[l]} - end) * (back * share);
        candidate[l] = v.high;
        candidate_low[l] = v.low;
      }
      if (!round_to_chart(path.net, candidate, candidate_low, chart, chart_low, sums)) continue;
      if (!(proved_value(dim_, path.row(g), candidate, candidate_low) * side < 0.0)) continue;
      if (!program.exactly_inside(rows, candidate, candidate_low)) continue;
      points.put_exact(points.end, candidate, candidate_low, chart, chart_low);
      return true;
    }
  return false;
}

// Proven signs of layer k's undecided units at point r.
template <class Program>
void Search<Program>::find_signs(std::int64_t k, std::int64_t r, const std::int8_t *bits) {
  const std::int64_t a = path.net.unit_start(k), n = path.net.units(k);
  on_dimension(
      [&](auto dim) { proven_signs(dim, path, a, n, points.cube(r), points.signs(r), bits); });
  if (points.exact(r))
    exact_signs(path, a, n, points.cube(r), points.cube_low(r), points.signs(r), bits);
}

// Decides every undecided unit of the layer on this cell; `last` is the end of its points.
template <class Program> template <int N>
typename Search<Program>::Settled Search<Program>::settle(Dimension<N> dim, std::int64_t k,
                                                          std::int64_t rows, std::int64_t first,
                                                          std::int64_t &last, bool has_vertex) {
  const std::int64_t a = path.net.unit_start(k), n = path.net.units(k);
  for (std::int64_t i = 0; i < n; i++) above_[i] = below_[i] = flagged_[i] = 0;
  for (std::int64_t r = first; r < last; r++) {
    const std::int8_t *sign = points.signs(r);
    for (std::int64_t i = 0; i < n; i++) {
      above_[i] = static_cast<std::int8_t>(above_[i] | (sign[i] > 0));
      below_[i] = static_cast<std::int8_t>(below_[i] | (sign[i] < 0));
    }
  }
  bool hard_units = false;
  int first_cut = -1;  // where it splits, most likely: a vertex is kept on either side of it
  has_kept_ = false;
  for (std::int64_t i = 0; i < n; i++) {
    if (bits_[i] >= 0) continue;
    if (above_[i] && below_[i]) {
      path.stat.by_points++;
      if (first_cut < 0) first_cut = static_cast<int>(i);
      continue;
    }
    const int sides = !above_[i] && !below_[i] ? 2 : 1;
    int missed = 0;
    const std::int64_t mark = path.log.size;
    for (int turn = 0; turn < sides; turn++) {
      const int side = sides == 1 ? (above_[i] ? 1 : -1) : (turn == 0 ? 1 : -1);
      // a base point on the known side
      std::int64_t base = first;
      for (std::int64_t r = first; r < last; r++)
        if (points.signs(r)[i] == side) {
          base = r;
          break;
        }
      points.end = last;
      path.stat.tests++;
      if constexpr (Program::sided)
        if (has_vertex) program.remember();
      const InteriorPoint start{points.cube(base),
                                points.exact(base) ? points.cube_low(base) : nullptr};
      const Verdict verdict =
          program.test(dim, path, k, rows, a + i, side, start, has_vertex, [&](bool exactly) {
            return exactly ? add_exact_point(a + i, rows, base, side)
                           : add_point(dim, a + i, rows, base);
          });
      path.stat.cuts += verdict == Verdict::cuts;
      // what sums of two doubles end at is a vertex or nothing
      has_vertex = verdict != Verdict::open && (program.complete() || program.x_low() == nullptr);
      if constexpr (Program::sided)
        if (has_vertex && program.remembered() != nullptr) {
          if (first_cut < 0 && verdict == Verdict::cuts) first_cut = static_cast<int>(i);
          if (first_cut >= 0 && (value_at(dim, path, a + first_cut, program.remembered()) > 0.0) !=
                                    (value_at(dim, path, a + first_cut, program.x()) > 0.0)) {
            program.keep();
            has_kept_ = true;
          }
        }
      if (verdict == Verdict::cuts && last + 1 >= points.capacity) {
        // no room for the point that proves it: let exact arithmetic split the cell
        path.stat.points_dropped++;
        flagged_[i] = 1;
      } else if (verdict == Verdict::cuts) {
        std::int8_t *sign = points.signs(last);
        find_signs(k, last, bits_.data());
        for (std::int64_t j = 0; j < n; j++) {
          if (bits_[j] >= 0) continue;
          above_[j] = static_cast<std::int8_t>(above_[j] | (sign[j] > 0));
          below_[j] = static_cast<std::int8_t>(below_[j] | (sign[j] < 0));
        }
        last++;
      } else if (verdict == Verdict::misses) {
        missed++;
        program.log_miss(path.log, i, side);
        if (sides == 1) {
          bits_[i] = side > 0 ? positive : negative;
          break;
        }
      } else {
        flagged_[i] = 1;
      }
    }
    if (sides == 2 && bits_[i] < 0) {
      // both sides empty needs the row to vanish: exact arithmetic must say so
      if (flagged_[i] || missed == 2)
        flagged_[i] = 1;
      else if (missed == 1)
        bits_[i] = above_[i] ? positive : negative;
    }
    if (flagged_[i]) {
      if (above_[i] && below_[i])
        flagged_[i] = 0;
      else
        hard_units = true;
    }
    if (bits_[i] < 0) path.log.size = mark;
    if (bits_[i] < 0 || !has_vertex || !program.complete()) continue;
    // other units whose optimum is this very vertex need no search
    for (std::int64_t j = i + 1; j < n; j++) {
      if (bits_[j] >= 0 || above_[j] == below_[j]) continue;
      const int side = above_[j] ? 1 : -1;
      if (!program.optimal(dim, path, a + j, side)) continue;
      bits_[j] = side > 0 ? positive : negative;
      path.stat.by_vertex++;
      program.log_miss(path.log, j, side);
    }
  }
  int cutting = -1;
  for (std::int64_t i = 0; i < n && cutting < 0; i++)
    if (bits_[i] < 0 && !flagged_[i]) cutting = static_cast<int>(i);
  return {cutting, hard_units, has_vertex};
}

// Splits the cell by the cutting unit i and pushes both halves.
template <class Program>
void Search<Program>::split_cell(std::int64_t k, std::int64_t rows, std::int64_t first,
                                 std::int64_t last, bool has_vertex, int i, double share) {
  const std::int64_t a = path.net.unit_start(k), n = path.net.units(k), g = a + i;
  path.log.unit(LogStep::split, i);
  // points of the negative side first, the others after; points on neither side are dropped
  std::int64_t low = first;
  for (std::int64_t r = first; r < last; r++)
    if (points.signs(r)[i] < 0) points.swap(r, low++, n);
  std::int64_t high = low;
  for (std::int64_t r = low; r < last; r++)
    if (points.signs(r)[i] > 0) points.swap(r, high++, n);
  const double z = has_vertex ? value_at(dim_, path, g, program.x()) : path.row(g)[dim_.size()];
  const double limit = path.radius[g] * (dim_.size() + 1);
  for (const int side : {-1, 1}) {
    OpenCell &half = open.push();
    half.layer = k;
    half.rows = rows;
    half.unit = i;
    half.side = side;
    half.first = side < 0 ? first : low;
    half.last = side < 0 ? low : high;
    half.share = share * 0.5;
    // a vertex on its side: the one of now, or the second one
    const bool here = has_vertex && (!Program::sided || z * side >= -limit);
    bool there = false;
    if constexpr (Program::sided)
      there = !here && has_kept_ && value_at(dim_, path, g, program.kept()) * side >= -limit;
    half.has_vertex = here || there;
    const std::int64_t f = open.count - 1;
    std::copy_n(bits_.data(), n, open.bits(f));
    std::copy_n(split_.data(), n, open.splits(f));
    open.bits(f)[i] = side > 0 ? positive : negative;
    open.splits(f)[i] = 1;
    if (here) program.save(open, f);
    if constexpr (Program::sided)
      if (there) program.save_kept(open, f);
  }
}

// Hands the cell back: path bits, this layer's decisions, the units in question, a point.
template <class Program> void Search<Program>::emit_hard(std::int64_t k, std::int64_t point) {
  const std::int64_t n = path.net.units(k), r = hard.count;
  hard.layer[r] = k;
  std::int8_t *bit = hard.bit.data() + r * path.units, *split = hard.split.data() + r * path.units;
  write_prefix(path, k, bits_.data(), split_.data(), bit, split);
  for (std::int64_t i = 0; i < hard.widest; i++) {
    hard.flag[r * hard.widest + i] = i < n && flagged_[i] != 0;
  }
  std::copy_n(points.chart(point), points.chart_dim, hard.point.data() + r * points.chart_dim);
  points.copy_chart_low(point, hard.point_low.data() + r * points.chart_dim);
  hard.count++;
  path.stat.hard++;
}

// Writes the path's region with a point inside, and the one opposite to it if the cell is paired.
template <class Program> void Search<Program>::emit(std::int64_t layers, std::int64_t point) {
  const double *y = points.chart(point);
  const double *low = points.thin(point) ? points.chart_low(point) : nullptr;
  emit_region(path, regions, y, low);
  if (!paired_) return;
  turn_first_layer(path);
  region_rank(path, 0);
  for (std::int64_t k = 1; k < layers; k++) {
    next_layer(path, k);  // its units have no hyperplane: their bits stay what they are
    region_rank(path, k);
  }
  for (std::int64_t l = 0; l < points.chart_dim; l++) {
    chart_point_[l] = 0.0 - y[l];
    if (low) chart_point_low_[l] = 0.0 - low[l];
  }
  emit_region(path, regions, chart_point_.data(), low ? chart_point_low_.data() : nullptr);
  turn_first_layer(path);
}

template <class Program>
bool Search<Program>::load(std::int64_t layer, bool paired, const std::int8_t *bits,
                           const std::int8_t *split, const LoadedPoints &given) {
  const Network &net = path.net;
  paired_ = paired;
  const std::int64_t start = layer >= 0 ? layer : 0;
  open.count = 0;
  done_share = 0.0;
  std::int64_t rows = program.cell.walls;
  first_layer(path);
  for (std::int64_t k = 0; k <= start; k++) {
    if (k > 0) next_layer(path, k);
    const std::int64_t a = net.unit_start(k);
    for (std::int64_t i = 0; i < net.units(k); i++)
      if (layer >= 0 && split[a + i] == 1)
        program.push(path, rows++, a + i, bits[a + i] == 1 ? 1 : -1);
    if (k < start) finish_layer(path, k, bits + a, split + a);
  }
  const std::int64_t k = points.chart_dim, d = dim_.size();
  std::int64_t inside = 0;
  for (std::int64_t p = 0; p < given.count; p++)
    if (std::all_of(given.chart_low + p * k, given.chart_low + (p + 1) * k,
                    [](double v) { return v == 0.0; }) &&
        program.strictly_inside(dim_, rows, given.cube + p * d))
      points.put(inside++, given.cube + p * d, given.chart + p * k);
  for (std::int64_t p = 0; inside == 0 && p < given.count; p++) {
    const double *u = given.cube + p * d, *low = given.cube_low + p * d;
    const double *y = given.chart + p * k, *y_low = given.chart_low + p * k;
    if (!is_exact_point(net, u, low, y, y_low) || !program.exactly_inside(rows, u, low)) continue;
    points.put_exact(0, u, low, y, y_low);
    inside = 1;
  }
  if (inside == 0) return false;
  OpenCell &task = open.push();
  const std::int64_t a = net.unit_start(start), n = net.units(start);
  if (layer < 0) {
    enter_layer(dim_, path, 0, open.bits(0), open.splits(0));
  } else {
    std::copy_n(bits + a, n, open.bits(0));
    std::copy_n(split + a, n, open.splits(0));
  }
  for (std::int64_t p = 0; p < inside; p++) find_signs(start, p, open.bits(0));
  task = OpenCell{start, rows, -1, 0, 0, inside, 1.0, false};
  return true;
}

template <class Program> Stop Search<Program>::run(std::int64_t layers, std::int64_t budget) {
  const Network &net = path.net;
  const std::int64_t log_limit = path.log.capacity() - reserve();
  for (; open.count > 0; budget--) {
    if (regions.count + paired_ >= regions.capacity) return Stop::output_full;
    if (hard.count >= hard.capacity) return Stop::hard_full;
    if (path.log.on() && path.log.size > log_limit) return Stop::log_full;
    if (budget <= 0) return Stop::budget;
    const std::int64_t f = --open.count;
    const OpenCell now = open[f];
    path.stat.cells++;
    std::int64_t k = now.layer, rows = now.rows, last = now.last;
    bool undecided_units = false, has_vertex = now.has_vertex;
    for (std::int64_t i = 0; i < net.units(k); i++) {
      bits_[i] = open.bits(f)[i];
      split_[i] = open.splits(f)[i];
      undecided_units = undecided_units || bits_[i] < 0;
    }
    if (now.unit >= 0)
      program.push(path, rows++, net.unit_start(k) + now.unit, static_cast<int>(now.side));
    if (has_vertex) program.restore(open, f);
    for (;;) {
      if (undecided_units) {
        program.mark(path, k, rows);
        const Settled settled = on_dimension(
            [&](auto dim) { return settle(dim, k, rows, now.first, last, has_vertex); });
        has_vertex = settled.has_vertex;
        if (settled.hard) {
          emit_hard(k, now.first);
          path.log.step(LogStep::defer);
          done_share += now.share;
          break;
        }
        if (settled.cutting >= 0) {
          split_cell(k, rows, now.first, last, has_vertex, settled.cutting, now.share);
          break;
        }
      }
      finish_layer(path, k, bits_.data(), split_.data());
      if (k + 1 == layers) {
        emit(layers, now.first);
        path.log.step(LogStep::leaf);
        done_share += now.share;
        break;
      }
      k++;
      path.log.step(LogStep::next);
      next_layer(path, k);
      on_dimension([&](auto dim) { enter_layer(dim, path, k, bits_.data(), split_.data()); });
      undecided_units = false;
      for (std::int64_t i = 0; i < net.units(k); i++)
        undecided_units = undecided_units || bits_[i] < 0;
      if (!undecided_units) continue;
      last = std::min(last, now.first + 8);
      for (std::int64_t p = now.first; p < last; p++) find_signs(k, p, bits_.data());
    }
  }
  return Stop::done;
}

template <class Program>
void Search<Program>::take_open(std::int64_t *layer, std::int8_t *decision, std::int8_t *splits,
                                double *chart_points, double *chart_low) {
  for (std::int64_t f = 0; f < open.count; f++) {
    layer[f] = open[f].layer;
    write_prefix(path, open[f].layer, open.bits(f), open.splits(f), decision + f * path.units,
                 splits + f * path.units);
    std::copy_n(points.chart(open[f].first), points.chart_dim, chart_points + f * points.chart_dim);
    points.copy_chart_low(open[f].first, chart_low + f * points.chart_dim);
  }
  open.count = 0;
}

template <class Program> void Search<Program>::take_last(SearchTask &task) {
  const Network &net = path.net;
  const std::int64_t d = dim_.size();
  OpenCell &from = open[0];
  const std::int64_t k = from.layer, a = net.unit_start(k), n = net.units(k);
  task.cell = from;
  task.paired = paired_;
  task.bits.assign(open.bits(0), open.bits(0) + n);
  task.splits.assign(open.splits(0), open.splits(0) + n);
  task.path_bit.assign(path.bit.data(), path.bit.data() + a);
  task.path_zero.assign(path.zero.data(), path.zero.data() + a);
  task.path_split.assign(path.split.data(), path.split.data() + a);
  task.path_rank.assign(path.rank.begin(), path.rank.begin() + k);
  task.path_bound.assign(path.bound.begin(), path.bound.begin() + k);
  for (std::int64_t m = program.cell.walls; m < from.rows; m++) {
    task.row_unit.push_back(program.cell.unit[m]);
    task.row_side.push_back(program.cell.side[m]);
  }
  if (from.has_vertex) {
    task.basis.assign(open.basis(0), open.basis(0) + open.state().basis);
    task.x.assign(open.x(0), open.x(0) + open.state().x);
    task.inverse.assign(open.inverse(0), open.inverse(0) + open.state().inverse);
  }
  for (std::int64_t r = from.first; r < from.last; r++) {
    task.cube_points.insert(task.cube_points.end(), points.cube(r), points.cube(r) + d);
    task.chart_points.insert(task.chart_points.end(), points.chart(r),
                             points.chart(r) + points.chart_dim);
    task.point_signs.insert(task.point_signs.end(), points.signs(r), points.signs(r) + n);
    task.point_exact.push_back(points.exact(r));
    if (!points.exact(r)) continue;
    task.cube_low.insert(task.cube_low.end(), points.cube_low(r), points.cube_low(r) + d);
    task.chart_low.insert(task.chart_low.end(), points.chart_low(r),
                          points.chart_low(r) + points.chart_dim);
  }
  open.drop_first();
}

template <class Program> void Search<Program>::adopt(const SearchTask &task) {
  const Network &net = path.net;
  const std::int64_t d = dim_.size(), k = task.cell.layer, n = net.units(k);
  std::copy(task.path_bit.begin(), task.path_bit.end(), path.bit.data());
  std::copy(task.path_zero.begin(), task.path_zero.end(), path.zero.data());
  std::copy(task.path_split.begin(), task.path_split.end(), path.split.data());
  std::copy(task.path_rank.begin(), task.path_rank.end(), path.rank.begin());
  std::copy(task.path_bound.begin(), task.path_bound.end(), path.bound.begin());
  first_layer(path);
  for (std::int64_t l = 1; l <= k; l++) next_layer(path, l);
  for (std::size_t m = 0; m < task.row_unit.size(); m++)
    program.push(path, program.cell.walls + static_cast<std::int64_t>(m), task.row_unit[m],
                 task.row_side[m]);
  open.count = 0;
  done_share = 0.0;
  paired_ = task.paired;
  OpenCell &to = open.push();
  to = task.cell;
  to.last -= to.first;
  to.first = 0;
  std::copy(task.bits.begin(), task.bits.end(), open.bits(0));
  std::copy(task.splits.begin(), task.splits.end(), open.splits(0));
  if (to.has_vertex) {
    std::copy(task.basis.begin(), task.basis.end(), open.basis(0));
    std::copy(task.x.begin(), task.x.end(), open.x(0));
    std::copy(task.inverse.begin(), task.inverse.end(), open.inverse(0));
  }
  std::int64_t exact = 0;
  for (std::int64_t r = 0; r < to.last; r++) {
    const double *cube = task.cube_points.data() + r * d;
    const double *chart = task.chart_points.data() + r * points.chart_dim;
    if (task.point_exact[static_cast<std::size_t>(r)]) {
      points.put_exact(r, cube, task.cube_low.data() + exact * d, chart,
                       task.chart_low.data() + exact * points.chart_dim);
      exact++;
    } else {
      points.put(r, cube, chart);
    }
    std::copy_n(task.point_signs.data() + r * n, n, points.signs(r));
  }
}

}  // namespace polyrank
