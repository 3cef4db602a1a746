// The walk over a run's regions: the facets of every region, each with its proof.
//
// It goes block by block. Within a block a facet is proved once, for both its regions; across the
// end of one each region proves it for itself, so that what is found in a block does not depend on
// the others.
//
// A region is the intersection of the walls of the domain and one half-space per unit. The walk
// goes through the regions in the order of the file, which is that of a depth-first search. The
// units of every layer are divided into *stages*, such that the cells of a stage are several times
// as many as those of the stage before. The walk keeps for every prefix of stages the rows that are
// not proved redundant on the prefix's cell; a region's candidates are those of the cell above and
// the units of the last stage that are not constant there. What float and integer arithmetic cannot
// prove makes the region *open*: it is handed back and decided in rational arithmetic.
//
// Since the network is continuous, only units that vanish on the facet change sign across it; where
// none of them lies above another the neighbour's codeword is the region's with their bits flipped,
// and it is looked up among the run's codewords.
#pragma once

#include "any_walk.hpp"
#include "facets_found.hpp"

namespace polyrank {

// What changed from the region before.
struct Change {
  int stage;       // the first stage that differs
  int zero_layer;  // the last layer with a unit that vanishes identically, or -1
};

// Puts bits, zeros, orientations, words and hash to region r; those of region w.at are there,
// unless `fresh`.
inline Change decode(Walk &w, std::int64_t r, bool fresh) {
  const CodeTable &codes = w.run.codes;
  const std::int64_t bits = w.run.unit.shape[0];
  Change change{fresh ? 0 : w.stages, -1};
  if (fresh) {
    w.hash = 0;
    for (std::int64_t g = 0; g < w.net.total(); g++) {
      w.path.bit[g] = 1;
      w.path.zero[g] = 0;
      w.orient[w.walls + g] = 1.0;
    }
    for (std::int64_t v = 0; v < w.word.size(); v++) w.word[v] = 0;
  }
  for (std::int64_t c = 0; c < codes.bytes(); c++) {
    const int now = codes.code(r, c), x = fresh ? 255 : now ^ codes.code(w.at, c);
    if (x == 0) continue;
    for (int j = 0; j < 8; j++) {
      const std::int64_t b = 8 * c + j;
      if (((x >> j) & 1) == 0 || b >= bits) continue;
      const std::int64_t g = w.run.unit(b);
      const int k = w.layer[g];
      change.stage = std::min(change.stage, w.stage[g]);
      const std::int64_t i = g - w.net.unit_start(k);
      std::uint64_t &word = w.word[k * w.words + (i >> 6)];
      const bool on = (now >> j) & 1;
      w.path.bit[g] = on;
      w.orient[w.walls + g] = on ? 1.0 : -1.0;
      if (on || !fresh) {
        word ^= bit_of(i);
        w.hash ^= codes.key(b);
      }
    }
  }
  if (w.run.zero.shape[0] > 0)
    for (std::int64_t b = 0; b < bits; b++) {
      const std::int64_t g = w.run.unit(b);
      const auto vanish = static_cast<std::int8_t>((w.run.zero(r, b >> 3) >> (b & 7)) & 1);
      if (vanish) change.zero_layer = w.layer[g];
      if (vanish != w.path.zero[g]) {
        w.path.zero[g] = vanish;
        change.stage = std::min(change.stage, w.stage[g]);
      }
    }
  return change;
}

// OR of the differences between region r and those after it with the same stages before s.
inline void load_varying(Walk &w, std::int64_t r, int s) {
  const CodeTable &codes = w.run.codes;
  const std::int64_t bytes = codes.bytes();
  const std::int64_t step = w.central && is_opposite(w, r) ? 2 : 1;
  std::uint8_t *__restrict const varying = w.varying.data();
  const std::uint8_t *here = codes.code.row(r), *mask = w.run.mask.row(s);
  for (std::int64_t c = 0; c < bytes; c++) varying[c] = 0;
  for (std::int64_t other = r + step; other < codes.regions(); other += step) {
    const std::uint8_t *there = codes.code.row(other);
    for (std::int64_t c = 0; c < bytes; c++)
      if ((there[c] ^ here[c]) & mask[c]) return;
    for (std::int64_t c = 0; c < bytes; c++)
      varying[c] = static_cast<std::uint8_t>(varying[c] | (there[c] ^ here[c]));
  }
}

// Units of stage s on the cell of the stages before, that of region r: those not proved redundant
// there.
inline void sieve(Walk &w, std::int64_t r, int s) {
  const int d = w.d();
  const Level &above = w.levels[static_cast<std::size_t>(s)];
  const bool complete =
      above.complete && w.vertices().active.size() == above.vertices.active.size();
  if (complete)
    find_courses(w, s);
  else
    load_varying(w, r, s);
  bool varying = !complete;  // which bits vary is known
  std::vector<int> &out = w.cutting[static_cast<std::size_t>(s)];
  out.clear();
  for (std::int64_t g = w.run.stage(s); g < w.run.stage(s + 1); g++) {
    if (!w.net.hyperplane(g) || w.net.tie(g) >= 0 || w.path.zero[g]) continue;
    const Course course = complete ? w.course[g - w.run.stage(s)] : Course::unsure;
    if (course == Course::beside) {
      w.stat.by_vertex++;
      continue;
    }
    if (course == Course::cutting) {
      out.push_back(static_cast<int>(g));
      continue;
    }
    if (!varying) load_varying(w, r, s);
    varying = true;
    const std::int64_t bit = w.run.bit(g);
    if (!((w.varying[static_cast<std::size_t>(bit >> 3)] >> (bit & 7)) & 1)) {
      const int row = w.walls + static_cast<int>(g);
      const double *form = w.form_of(row);
      double spread = 0.0;
      bool slanted = false;
      for (int l = 0; l < d; l++) {
        spread += std::fabs(form[l]);
        slanted = slanted || (l < d - 1 && form[l] != 0.0);
      }
      if (w.path.error[g] == 0.0 && (spread == 0.0 || (w.net.homogeneous && !slanted))) {
        w.stat.by_structure++;
        continue;
      }
      if (std::fabs(form[d]) > (spread + (d + 1) * w.radius_of(row)) * inflate) {
        w.stat.by_interval++;
        continue;
      }
      if (redundant_at_vertex(w, row)) {
        w.stat.by_vertex++;
        w.stat.by_residual++;
        continue;
      }
      const Outcome outcome = minimise(w, row, -1, false, false);
      if (outcome.verdict == RowVerdict::redundant) continue;
      if (outcome.verdict == RowVerdict::proportional) {
        attach(w, row, w.cell().row[outcome.other]);
        continue;
      }
    }
    out.push_back(static_cast<int>(g));
  }
  w.now->uncut = complete && out.empty() &&
                 w.vertices().size == static_cast<int>(above.vertices.active.size());
}

// Every candidate is undecided again.
inline void renew(Walk &w) {
  for (int m = w.cell().always; m < w.cell().count; m++) w.cell().status[m] = Status::open;
}

// Hands the rows that are left to the cells below.
inline void keep_rows(Walk &w, int s) {
  std::vector<int> &out = w.kept[static_cast<std::size_t>(s)];
  out.clear();
  for (int m = w.cell().always; m < w.cell().count; m++)
    if (w.cell().status[m] == Status::facet) out.push_back(w.cell().row[m]);
}

// Facets of the regions begin .. end - 1 of the block, which follow those that were walked over.
// Returns how many of them are open.
inline std::int64_t walk(Walk &w, std::int64_t begin, std::int64_t end) {
  std::int64_t opened = 0;
  for (std::int64_t r = begin; r < end; r++) {
    if (w.listed >= 0 && w.listed == r - 1 && turn_facets(w)) continue;
    const bool fresh = !w.valid;
    const Change change = decode(w, r, fresh);
    w.valid = true;
    w.at = r;
    w.listed = -1;
    if (!load_witness(w, r, w.p.data())) {
      w.found.open[static_cast<std::size_t>(r - w.first)] = 1;
      opened++;
      w.valid = false;
      continue;
    }
    w.height = 0;
    bool done = true, consistent = false;
    for (int s = fresh ? -1 : change.stage; s < w.stages && done; s++) {
      const bool final = s == w.stages - 1;
      w.level = s;
      w.now = &w.levels[static_cast<std::size_t>(s + 1)];
      if (s < 0) {  // the domain itself
        w.kept[0].clear();
        for (int m = 0; m < w.own_walls; m++) w.kept[0].push_back(m);
        gather_kept(w, 0);
      } else if (s > change.stage || fresh) {
        if (w.run.stage(s) == w.net.unit_start(w.layer_here())) load_layer(w, w.layer_here());
        w.stat.cells++;
        gather_kept(w, s);
        inherit_vertices(w, w.levels[static_cast<std::size_t>(s)]);
        sieve(w, r, s);
        w.attached_count[static_cast<std::size_t>(s)] = w.height;
        gather_cutting(w, s);
      } else {
        w.height = w.attached_count[static_cast<std::size_t>(s)];
        if (w.now->gathered) {
          turn_rows(w);
        } else {
          gather_kept(w, s);
          gather_cutting(w, s);
          w.now->uncut = false;
        }
      }
      w.now->gathered = true;
      renew(w);
      select_vertices(w);
      consistent = final;
      done = measure_depths(w, r);
      const bool settled = done && settle_at_vertices(w, final);
      if (done && final) {
        done = known_facets(w, r, change.zero_layer);
        consistent = done;
      }
      done = done && ((settled && !final) || settle_rows(w, final));
      if (done && !final) keep_rows(w, s + 1);
    }
    if (done) {
      list_facets(w, r, change.zero_layer);
      emit_facets(w, r, 1.0);
      if (w.central) w.listed = r;
      continue;
    }
    const bool final = w.level == w.stages - 1;
    if (consistent)
      for (int m = w.cell().always; m < w.cell().count; m++)
        if (w.cell().status[m] != Status::out) keep_odd(w, r, candidate_row, w.cell().row[m]);
    if (!final) w.valid = false;
    w.now->gathered = false;
    w.found.open[static_cast<std::size_t>(r - w.first)] = 1;
    opened++;
  }
  return opened;
}

class FacetWalk final : public AnyWalk {
public:
  explicit FacetWalk(const WalkTask &task)
      : walk_(task.net, task.run, task.dim, task.own_walls, task.layers, task.begin, task.end) {}
  std::int64_t advance(std::int64_t begin, std::int64_t end) override {
    return walk(walk_, begin, end);
  }
  const Found &found() const override { return walk_.found; }
  const GraphStatistics &statistics() const override { return walk_.stat; }

private:
  Walk walk_;
};

}  // namespace polyrank
