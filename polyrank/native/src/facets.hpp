// Sorts the candidates of a cell into facets and redundant rows.
//
// The facets of a region are proved in the order of their cost: those on walls that a simple vertex
// shows, those that an earlier neighbour has proved, those that the segment to the witness of a
// listed neighbour crosses, those next to a vertex. A row is proved redundant by a remembered
// identity, or by a linear program over all other rows; a point that violates it alone shows that
// it is a facet.
#pragma once

#include <algorithm>
#include <cmath>

#include "facet_proofs.hpp"
#include "facet_rays.hpp"

namespace polyrank {

inline constexpr int most_rounds = 60;

// Notes that a row is a multiple of another one.
inline void attach(Walk &w, int row, int of) {
  w.attached[static_cast<std::size_t>(w.height++)] = {row, of};
}

inline bool is_alone(const Walk &w, int row) {
  for (int a = 0; a < w.height; a++) {
    const Attached &pair = w.attached[static_cast<std::size_t>(a)];
    if (pair.row == row || pair.of == row) return false;
  }
  return true;
}

inline void mark_facet(Walk &w, int m, std::int64_t to) {
  w.cell().status[m] = Status::facet;
  w.cell().to[m] = to;
}

// Whether region r may prove its facet to another one itself: those that earlier regions of its
// block have proved it takes from them.
inline bool is_news(const Walk &w, std::int64_t r, std::int64_t s) {
  return s > r || (s >= 0 && s < w.first);
}

// Lists the undecided candidates, without a branch for each. Returns how many there are.
inline int list_open(Walk &w) {
  const CellRows &cell = w.cell();
  int open = 0;
  for (int m = cell.always; m < cell.count; m++) {
    w.places[open] = m;
    open += cell.status[m] == Status::open;
  }
  return open;
}

// Rules out the undecided candidates that a remembered proof shows redundant.
inline void recall_rows(Walk &w) {
  for (int i = 0, open = list_open(w); i < open; i++)
    if (const int m = w.places[i]; recall(w, w.cell().row[m])) w.cell().status[m] = Status::out;
}

// Reads what the lookup of the neighbours will need: one wait for all of them, not one each. Leaves
// -1 in cell.to of the candidates in w.places across which no region is listed.
inline void look_ahead(Walk &w, std::int64_t r, int open) {
  const CodeTable &codes = w.run.codes;
  CellRows &cell = w.cell();
  for (int i = 0; i < open; i++) {
    const int m = w.places[i], row = cell.row[m];
    cell.to[m] =
        w.is_unit(row) ? codes.table(codes.place(w.hash ^ w.run.flip_key(row - w.walls))) : -1;
  }
  for (int i = 0; i < open; i++) {
    const int m = w.places[i];
    if (!is_news(w, r, cell.to[m])) continue;
    __builtin_prefetch(codes.code.row(cell.to[m]));
    if (w.layer_of(cell.row[m]) != w.layers - 1) __builtin_prefetch(w.run.witness.row(cell.to[m]));
  }
}

// Whether a listed neighbour's witness shows that the row at place m carries a facet.
//
// Across a unit of the last layer it does: all other rows are rows of both regions, and each
// witness is shown to be inside its own region, by measure_depths or in rationals. Below that layer
// the segment between them must be seen to cross nothing else.
inline bool crosses_alone(Walk &w, int m, std::int64_t s) {
  CellRows &cell = w.cell();
  if (w.layer_of(cell.row[m]) == w.layers - 1) {
    cell.has_point[m] = false;
    return true;
  }
  if (!load_witness(w, s, w.q.data())) return false;
  if (beyond_at(w, m)) {
    cell.has_point[m] = false;
    return true;
  }
  for (int l = 0; l < w.d(); l++) w.lp.direction[l] = w.q[l] - w.p[l];
  const Hits hits = shoot(w, 1.0);
  return hits.first == m && hits.t2 > hits.t1 * (1.0 + 1e-9) && beyond_on_ray(w, m, hits);
}

// Facets of region r that its neighbours tell; false where a neighbour's facet is no candidate.
//
// Across the hyperplane of a unit that no other row is a multiple of only that unit (with the
// multiples that it has in its own layer) changes its bit, so that the neighbour is found by its
// codeword.
inline bool known_facets(Walk &w, std::int64_t r, int zero_layer) {
  CellRows &cell = w.cell();
  const Listing &run = w.run;
  if (!w.now->complete) known_walls(w);
  for (std::int32_t e = w.found.head[static_cast<std::size_t>(r - w.first)]; e != last_edge;
       e = w.found.edge_next[static_cast<std::size_t>(e)]) {
    const int m = cell.position[w.found.edge_row[static_cast<std::size_t>(e)]];
    if (m < 0 || cell.status[m] != Status::open) return false;
    mark_facet(w, m, known);
    w.stat.from_neighbours++;
  }
  if (!w.now->complete) recall_rows(w);
  const int open = list_open(w);
  look_ahead(w, r, open);
  for (int i = 0; i < open; i++) {
    const int m = w.places[i], row = cell.row[m];
    if (cell.to[m] >= 0 && w.layer_of(row) >= zero_layer && is_alone(w, row)) {
      const std::int64_t g = row - w.walls;
      const std::int64_t s =
          run.codes.find(w.hash ^ run.flip_key(g), r, run.flip.data + run.flip_start(g),
                         run.flip_start(g + 1) - run.flip_start(g));
      if (is_news(w, r, s) && crosses_alone(w, m, s)) {
        mark_facet(w, m, s);
        w.stat.by_segment++;
        continue;
      }
    }
  }
  return true;
}

// Facets among the undecided rows of the current basis: next to a simple vertex all are.
//
// With the edges of the vertex scaled to size one, e their sum without the one that leaves the row,
// c = x + delta e lies on the row and inside the others: z_b(c) = delta / size_b where row b is in
// the basis, and at least half the slack elsewhere. The ray from p through c stays inside the
// others up to the step 1 + eta with eta below all z(c) / z(p).
inline void facets_at_vertex(Walk &w) {
  CellRows &cell = w.cell();
  Program &lp = w.lp;
  const int d = w.d(), s = w.dim.square();
  double least = infinity, share = infinity;
  for (int q = 0; q < d; q++)
    if (lp.basis[q] >= 0) lp.slack[lp.basis[q]] = infinity;
  for (int m = cell.always; m < cell.count; m++)
    if (cell.status[m] != Status::out) {
      least = std::min(least, lp.slack[m]);
      share = std::min(share, lp.slack[m] / cell.depth[m]);
    }
  for (int l = 0; l < d; l++) w.inner[l] = 0.0;
  for (int q = 0; q < d; q++) {
    if (lp.basis[q] < 0) continue;
    double size = 0.0;
    for (int l = 0; l < d; l++) size += std::fabs(lp.inverse[l * s + q]);
    lp.rates[q] = size;
    for (int l = 0; l < d; l++) w.inner[l] += lp.inverse[l * s + q] / size;
  }
  const double delta = 0.5 * std::min(least, 1.0) / d;
  for (int q = 0; q < d; q++) {
    const int m = lp.basis[q];
    if (m < 0 || cell.status[m] != Status::open) continue;
    double eta = 0.25 * share;
    for (int c = 0; c < d; c++) {
      const int n = lp.basis[c];
      if (c != q && n >= 0 && cell.status[n] != Status::out)
        eta = std::min(eta, 0.5 * delta / (lp.rates[c] * cell.depth[n]));
    }
    for (int l = 0; l < d; l++) {
      const double edge = lp.inverse[l * s + q] / lp.rates[q];
      lp.direction[l] = lp.x[l] + delta * (w.inner[l] - edge) - w.p[l];
    }
    if (beyond_at_step(w, m, 1.0 + std::min(eta, 1.0))) mark_facet(w, m, unknown);
  }
}

// The same for one slot, with steps measured along the direction: for narrow facets.
inline void facet_at_vertex(Walk &w, int slot) {
  CellRows &cell = w.cell();
  Program &lp = w.lp;
  const int d = w.d(), s = w.dim.square(), m = lp.basis[slot];
  for (int l = 0; l < d; l++)
    lp.direction[l] = w.inner[l] - lp.inverse[l * s + slot] / lp.rates[slot];
  double reach = 1.0;
  for (int n = cell.always; n < cell.count; n++) {
    double along = 0.0;
    for (int l = 0; l < d; l++) along += cell.columns[l * cell.capacity + n] * lp.direction[l];
    if (along < -1e-9 && lp.slack[n] < reach * -along && cell.status[n] != Status::out)
      reach = std::max(lp.slack[n], 0.0) / -along;
  }
  for (int l = 0; l < d; l++) lp.direction[l] = lp.x[l] + 0.5 * reach * lp.direction[l] - w.p[l];
  const Hits hits = shoot(w, 1e30);
  if (hits.first == m && hits.t2 > hits.t1 * (1.0 + 1e-12) && beyond_on_ray(w, m, hits))
    mark_facet(w, m, unknown);
}

// Places of a new facet (or -1), and of a candidate that is a multiple of it (or -1).
struct FirstMet {
  int facet = -1, multiple = -1;
};

// A facet on the way from p to the point lp.x that violates a row and no other.
inline FirstMet new_facet(Walk &w, int rounds) {
  CellRows &cell = w.cell();
  const int d = w.d();
  double size = 0.0;
  for (int l = 0; l < d; l++) size = std::max(size, std::fabs(w.lp.x[l] - w.p[l]));
  int turn = 0;
  for (const double nudge : {0.0, 1e-3, 2e-2, 1e-5, 0.2}) {
    for (int l = 0; l < d; l++) {
      const double noise = std::fmod((turn * 7 + l * 13 + rounds * 5) * 0.6180339887498949, 1.0);
      w.lp.direction[l] = w.lp.x[l] - w.p[l] + nudge * size * (noise - 0.5);
    }
    turn++;
    const Hits hits = shoot(w, 1e30);
    if (hits.first < 0 || cell.status[hits.first] != Status::open) continue;
    if (!(hits.t2 > hits.t1 * (1.0 + 1e-9))) {
      if (hits.second >= 0 && cell.status[hits.second] == Status::open &&
          proportional(w, cell.row[hits.second], cell.row[hits.first]))
        return {hits.first, hits.second};
      continue;
    }
    if (beyond_on_ray(w, hits.first, hits)) {
      mark_facet(w, hits.first, unknown);
      return {hits.first, -1};
    }
  }
  return {};
}

// Notes that the candidate at one place is a multiple of another, and takes it out of the programs.
inline void take_apart(Walk &w, int index, int other) {
  w.cell().status[index] = Status::attached;
  take_out(w, index);
  w.vertices().clear();
  attach(w, w.cell().row[index], w.cell().row[other]);
}

// Decides every candidate that is not decided yet; false where one stays open. On a cell that is no
// region (final false) a row that is not proved redundant counts as a facet.
inline bool settle_rows(Walk &w, bool final) {
  CellRows &cell = w.cell();
  const bool certify = final && cell.always == 0;
  if (!final) recall_rows(w);  // of a region known_facets has done so
  const int open = list_open(w);
  for (int i = 0; i < open; i++) {
    const int m = w.places[i], row = cell.row[m];
    // among central rows every vertex lies on redundant ones as well
    bool alone = w.net.central(w.is_unit(row) ? w.layer_of(row) : 0);
    for (int rounds = 1; cell.status[m] == Status::open; rounds++) {
      if (rounds > most_rounds) return false;
      if (alone) take_out(w, m);
      const Outcome outcome = minimise(w, row, m, alone, certify);
      if (alone) put_back(w, m);
      if (outcome.verdict == RowVerdict::redundant) {
        cell.status[m] = Status::out;
        // a multiple of a row that is redundant here may carry a facet where that row does
        if (outcome.other < cell.always) remember(w, row);
      } else if (outcome.verdict == RowVerdict::proportional) {
        take_apart(w, m, outcome.other);
      } else if (!final) {
        cell.status[m] = Status::facet;  // an upper cell may keep a row that is not needed
      } else if (!alone) {
        if (outcome.verdict == RowVerdict::tight) {
          if (cell.status[m] == Status::open) {
            cell_slacks(w, w.lp.x.data(), w.lp.slack.data());
            facets_at_vertex(w);
          }
          if (cell.status[m] == Status::open) facet_at_vertex(w, outcome.other);
        }
        alone = true;
      } else if (outcome.verdict == RowVerdict::violated) {
        const FirstMet hit = new_facet(w, rounds);
        if (hit.multiple >= 0)
          take_apart(w, hit.multiple, hit.facet);
        else if (hit.facet < 0)
          return false;
      } else {
        return false;
      }
    }
  }
  return true;
}

}  // namespace polyrank
