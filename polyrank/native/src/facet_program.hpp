// Is a row redundant on a cell? A linear program over all rows of the cell.
//
// It starts at the lowest vertex that an earlier program of the cell has met, and ends in a proof,
// at a vertex on the row, or, where the row itself is taken out, at a point that violates it.
#pragma once

#include <cmath>

#include "facet_rows.hpp"

namespace polyrank {

enum class RowVerdict { redundant, proportional, tight, violated, undecided };

struct Outcome {
  RowVerdict verdict;
  // proportional, or redundant like it: place of the row that it is a multiple of; tight: its basis
  // slot
  int other = -1;
};

inline constexpr int most_graph_pivots = 300, graph_bland_after = 30;
// Multipliers smaller than this share of the largest are left out of a proof.
inline constexpr double negligible = 1e-13;

// Puts the objective to a row, positive inside.
inline void set_objective(Walk &w, int row) {
  const double s = w.orient[row], *form = w.form_of(row);
  for (int l = 0; l <= w.d(); l++) w.lp.objective[l] = s * form[l];
}

// A row that is a multiple of a basis row: of no facet if that is always there or redundant.
inline Outcome multiple_of(const Walk &w, int slot) {
  const int b = w.lp.basis[slot];
  if (w.cell().status[b] == Status::out) return {RowVerdict::redundant, b};
  return {RowVerdict::proportional, b};
}

inline bool enclosed(Walk &w, int row, int dimension) {
  const Program &lp = w.lp;
  return by_enclosure(w.dim, w.cell_rows(), lp.basis.data(), lp.inverse.data(), lp.rates.data(),
                      lp.objective.data(), w.radius_of(row), w.cell().central.data(),
                      w.cell().member.data(), dimension);
}

// Whether the program's rates, or a kept vertex's, prove a row redundant within bounds.
[[gnu::noinline]] inline bool within_bounds(const Walk &w, const int *basis, int row) {
  return with_dimension(w.dim, [&](auto dim) {
    return by_residual(dim, w.cell_rows(), basis, w.lp.rates.data(), w.lp.objective.data(),
                       w.radius_of(row));
  });
}

// A row on which integers have decided: it vanishes on a facet only if it is a positive multiple of
// one other.
inline Outcome decided(Walk &w, const IntegerProof &proof) {
  w.stat.by_integers++;
  if (!proof.tight || proof.support != 1) return {RowVerdict::redundant};
  return multiple_of(w, proof.slot);
}

// By the exact rows of walls and of layer 1, where floats do not hold them.
inline IntegerProof proof_by_forms(Walk &w, int row) {
  constexpr IntegerProof refused{false, false, 0, -1};
  const int d = w.d();
  if (w.net.exact_norm.shape[0] == 0 || d > 63) return refused;
  int form[64];
  std::int8_t side[64];
  for (int q = 0; q <= d; q++) {
    int other = row;
    if (q < d) {
      const int m = w.lp.basis[q];
      if (m < 0) return refused;
      other = m < w.cell().always ? w.own_walls + m : w.cell().row[m];
    }
    form[q] = other;  // rows of later layers are beyond the last
    side[q] = w.orient[other] < 0.0 ? std::int8_t{-1} : std::int8_t{1};
  }
  return by_exact_forms(w.net, d, form, side, w.integers.data());
}

// Whether the current basis proves the objective, a row, redundant, by integers of any size. Leaves
// in the rates which multipliers are positive: floats may have taken a small one for zero.
[[gnu::noinline]] inline Outcome prove_by_residues(Walk &w, int row) {
  Program &lp = w.lp;
  IntegerProof proof =
      by_residues(w.d(), w.dim.stride(), w.cell().form.data(), w.cell().exponent.data(),
                  lp.basis.data(), lp.objective.data(), w.exponent_of_row(row), w.integers.data());
  if (!proof.proved) proof = proof_by_forms(w, row);
  if (!proof.proved) return {RowVerdict::undecided};
  for (int q = 0; q < w.d(); q++) lp.rates[q] = static_cast<double>(proof.positive >> q & 1);
  return decided(w, proof);
}

// Whether the current basis proves the objective, a row, redundant.
//
// In the space that the live rows of a layer below span, with t where the row's own layer has
// constants, lie the row, and other rows above them; where it has fewer dimensions than the cell,
// multipliers of rows outside it vanish.
inline Outcome prove(Walk &w, int row) {
  Program &lp = w.lp;
  const int d = w.d();
  double big = 0.0;
  for (int q = 0; q < d; q++) big = lp.rates[q] > big ? lp.rates[q] : big;
  for (int q = 0; q < d; q++)
    if (std::fabs(lp.rates[q]) < negligible * big) lp.rates[q] = 0.0;
  if (within_bounds(w, lp.basis.data(), row)) {
    w.stat.by_residual++;
    return {RowVerdict::redundant};
  }
  const IntegerProof proof =
      integer_proof(w.dim, w.cell().form.data(), w.cell().exponent.data(), lp.basis.data(),
                    lp.rates.data(), lp.objective.data(), w.exponent_of_row(row), lp.square.data());
  if (proof.proved) return decided(w, proof);
  if (!w.is_unit(row)) {
    if (w.is_central_wall(row) && enclosed(w, row, d)) {
      w.stat.by_enclosure++;
      return d >= 2 ? Outcome{RowVerdict::redundant} : multiple_of(w, 0);
    }
    return prove_by_residues(w, row);
  }
  const int k = w.layer_of(row);
  if (!w.net.central(k)) return prove_by_residues(w, row);
  const auto found = [&](int dimension) {
    w.stat.by_enclosure++;
    if (dimension >= 2) return Outcome{RowVerdict::redundant};
    // one row spans the space: the objective is its multiple
    int best = 0;
    for (int q = 1; q < d; q++)
      if (lp.rates[q] > lp.rates[best]) best = q;
    return multiple_of(w, best);
  };
  if (enclosed(w, row, d)) return found(d);
  // the row spaces of layers j - 1, from the highest that holds the row
  const bool live = k < w.layer_here() && w.path.slope_of(row - w.walls) != 0.0;
  for (int j = live ? k + 1 : k; j >= 0; j--) {
    const int dimension = row_space(w.path, k, j - 1);
    if (dimension >= d) break;
    mark_members(w, j, k);
    if (enclosed(w, row, dimension)) return found(dimension);
  }
  return prove_by_residues(w, row);
}

inline bool feasible(Walk &w) {
  cell_slacks(w, w.lp.x.data(), w.lp.slack.data());
  for (int m = 0; m < w.cell().count; m++)
    if (w.lp.slack[m] < -1e-7) return false;
  return true;
}

// Tries to prove a row, none of the cell's, redundant at the lowest vertex that is known. For cells
// whose rows have not been turned since the vertices were kept.
inline bool redundant_at_vertex(Walk &w, int row) {
  const int d = w.d(), s = w.dim.square();
  set_objective(w, row);
  int best = -1;
  double low = infinity;
  for (const int v : w.vertices().active) {
    const double z = objective_at(w, v);
    if (z < low) low = z, best = v;
  }
  if (best < 0 || low + w.lp.objective[d] < 0.0) return false;
  for (int q = 0; q < d; q++) {
    double r = 0.0;
    for (int l = 0; l < d; l++)
      r += w.lp.objective[l] * w.vertices().inverse[(best * d + l) * s + q];
    if (r < -1e-9) return false;
    w.lp.rates[q] = r;
  }
  return within_bounds(w, &w.vertices().basis[best * d], row);
}

// An edge from the program's vertex along which the objective falls.
[[gnu::noinline]] inline Edge steepest_edge(Walk &w, bool bland) {
  Program &lp = w.lp;
  return with_dimension(w.dim, [&](auto dim) {
    return choose_edge(dim, lp.inverse.data(), lp.basis.data(), lp.objective.data(), bland,
                       lp.rates.data());
  });
}

// The first of the cell's rows that the program meets along an edge.
[[gnu::noinline]] inline Step first_met(Walk &w, Edge edge, bool bland) {
  Program &lp = w.lp;
  return with_dimension(w.dim, [&](auto dim) {
    return ratio_test(dim, w.cell().by_column(), w.cell().count, lp.slack.data(), lp.inverse.data(),
                      lp.basis.data(), edge, bland, lp.rate.data(), lp.reach.data());
  });
}

// Takes the program there.
[[gnu::noinline]] inline void go_along(Walk &w, Edge edge, Step step) {
  Program &lp = w.lp;
  with_dimension(w.dim, [&](auto dim) {
    move(dim, w.cell().form.data(), w.cell().count, lp.slack.data(), lp.inverse.data(),
         lp.basis.data(), lp.x.data(), edge, step, lp.rate.data());
  });
}

// Minimises a row, positive inside, over the cell's rows. `index` is its place among them, -1 where
// it is none of them; with `alone` that place has been taken out, and the search stops at the first
// point where the objective is negative; with `certify` vertices on the way show walls to be
// facets.
//
// violated leaves the point in lp.x; redundant leaves the proof in lp.basis and lp.rates.
inline Outcome minimise(Walk &w, int row, int index, bool alone, bool certify) {
  Program &lp = w.lp;
  CellRows &cell = w.cell();
  const int d = w.d(), s = w.dim.square(), stride = w.dim.stride();
  set_objective(w, row);
  const int without = alone ? index : -1;
  int start = start_at_lowest(w, without);
  const double limit = w.radius_of(row) * (2 * d + 2) * inflate;
  bool ready = false, refreshed = false;
  Meeting meeting = Meeting::not_asked;
  for (int pivots = 0;;) {
    const bool bland = pivots > graph_bland_after;
    const Edge edge = steepest_edge(w, bland);
    int tight = -1;
    if (edge.slot < 0) {
      for (int q = 0; q < d; q++)
        if (lp.basis[q] == index) tight = q;
      if (tight < 0) {
        const Outcome outcome = prove(w, row);
        if (outcome.verdict != RowVerdict::undecided) {
          if (pivots > 0) {
            keep_vertex(w, meeting == Meeting::simple);
            w.stat.lps++;
          } else {
            w.stat.by_vertex++;
          }
          return outcome;
        }
      }
    }
    if (!ready) {
      ready = true;
      bool moved = false;
      while (!feasible(w)) {
        if (start < 0) {
          w.stat.lps++;
          return {RowVerdict::undecided};
        }
        moved = true;
        drop_vertex(w, start);
        start = start_at_lowest(w, without);
      }
      if (moved) continue;
    }
    if (tight >= 0) {
      if (pivots > 0) w.stat.lps++;
      return {RowVerdict::tight, tight};
    }
    double z = lp.objective[d];
    for (int l = 0; l < d; l++) z += lp.objective[l] * lp.x[l];
    if (z < -16.0 * limit && (z < -1e-9 || refreshed || edge.slot < 0)) {
      w.stat.lps++;
      return {RowVerdict::violated};
    }
    if (edge.slot < 0) {
      if (refreshed || !refactor(w.dim, cell.form.data(), lp.basis.data(), lp.inverse.data(),
                                 lp.square.data())) {
        w.stat.lps++;
        return {RowVerdict::undecided};
      }
      refreshed = true;
      for (int l = 0; l < d; l++) {
        double v = 0.0;
        for (int q = 0; q < d; q++)
          if (lp.basis[q] >= 0) v -= lp.inverse[l * s + q] * cell.form[lp.basis[q] * stride + d];
        lp.x[l] = v;
      }
      cell_slacks(w, lp.x.data(), lp.slack.data());
      continue;
    }
    Step step{-1, 0.0};
    if (pivots < most_graph_pivots) step = first_met(w, edge, bland);
    if (step.row < 0 || !(step.length < 1e18)) {
      w.stat.lps++;
      double slope = 0.0;
      for (int l = 0; l < d; l++)
        slope += lp.objective[l] * edge.sign * lp.inverse[l * s + edge.slot];
      if (!alone || !(slope < -1e-9) || pivots >= most_graph_pivots) return {RowVerdict::undecided};
      // without the row the cell is not bounded
      for (int l = 0; l < d; l++)
        lp.x[l] += (z + 1.0) / -slope * edge.sign * lp.inverse[l * s + edge.slot];
      return {RowVerdict::violated};
    }
    go_along(w, edge, step);
    pivots++;
    w.stat.pivots++;
    if (certify) meeting = walls_here(w);
    if (step.row == index) {
      w.stat.lps++;
      bool full = true;
      for (int q = 0; q < d; q++) full = full && lp.basis[q] >= 0;
      if (full)
        keep_vertex(w, certify && (meeting == Meeting::simple ||
                                   (meeting == Meeting::not_asked && is_simple(w))));
      return {RowVerdict::tight, edge.slot};
    }
  }
}

// Proof that row a is a positive multiple of row b: exact cross products of small integers.
inline bool proportional(const Walk &w, int a, int b) {
  const std::int64_t ea = w.exponent_of_row(a), eb = w.exponent_of_row(b);
  if (ea < 0 || eb < 0) return false;
  const double *ra = w.form_of(a), *rb = w.form_of(b);
  const double sa = w.orient[a] * power_of_two(ea), sb = w.orient[b] * power_of_two(eb);
  int lead = 0;
  while (lead <= w.d() && rb[lead] == 0.0) lead++;
  if (lead > w.d()) return false;
  const double ha = ra[lead] * sa, hb = rb[lead] * sb;
  if (!(ha * hb > 0.0)) return false;
  for (int l = 0; l <= w.d(); l++) {
    const double va = ra[l] * sa, vb = rb[l] * sb;
    const double most_a = std::fabs(va) > std::fabs(ha) ? std::fabs(va) : std::fabs(ha);
    const double most_b = std::fabs(vb) > std::fabs(hb) ? std::fabs(vb) : std::fabs(hb);
    if (!(most_a * most_b <= 0x1p53) || va * hb != vb * ha) return false;
  }
  return true;
}

}  // namespace polyrank
