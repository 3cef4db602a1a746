// Replays segments of a proof log (polyrank/proof/format.py) and rows of a table on rounded rows.
//
// Every step is applied to its cell and its claim proved with bounds of rounding errors. A claim
// that these do not prove is handed back, with its cell's region, to be decided on exact integers.
// Where a step cannot be applied at all, or a row of the table states other bits or ranks, this
// stops and says at which byte; polyrank/proof/replay.py then goes on from there, exactly, or says
// what is wrong.
#include <exception>

#include "regions.hpp"

namespace polyrank_check {

enum Step : int {
  kEnd,
  kZero,
  kSplit,
  kNext,
  kLeaf,
  kDefer,
  kCubeNegative,
  kCubePositive,
  kNegative,
  kPositive,
  kNegativeBy,
  kPositiveBy,
  kNegativeBox,
  kPositiveBox
};

// kContinue: rows of the table are needed, or what is handed back is to be taken.
enum Status : std::int64_t { kDone, kContinue, kStopped, kNoMemory };

constexpr std::size_t kFull = std::size_t{1} << 20;  // integers that are handed back at once

// What is handed back: kind, byte of the step or number of the row, and what the kind needs.
enum Left : std::int64_t {
  // goal, whether rows were named, count, their numbers, count, coordinates, region: they prove
  // that
  // the goal is >= 0
  kSign,
  kNothing,  // unit, region: its row is identically zero
  kInside,   // number, row of the table, region: the row is positive at the witness
  kRank      // rank, row of the table, region: it is the rank of the layers below
};

extern "C" {

// Rows of the table, one for every leaf: bits, ranks, points (u, 1) and how wrong their entries may
// be.
struct CheckTable {
  std::int64_t count;
  const std::uint8_t *code, *zero;  // (count, bytes)
  const std::int16_t *ranks;        // (count, depth)
  const double *points;             // (count, k + 1)
  const double *errors;             // (count,)
};

struct CheckState {
  std::int64_t byte, leaves, steps, tests;
  const std::int64_t *left, *deferred;
  std::int64_t left_size, deferred_size;
};

}  // extern "C"

// A cell on the stack has the first rows of the one above it, but for the last of its own: it is
// the other half of a cut. So there is one list of rows, and every cell keeps its last one.
struct Cell {
  Region *region;
  Words open, positive, zero;
  std::int64_t count, last;  // of its rows, and the number of the last one, if there is one
  Sums sums;                 // of units that are decided
};

class Replay {
public:
  explicit Replay(const CheckProblem &problem) : problem_(problem), regions_(problem_) {
    whole_ = regions_.whole();
    regions_.keep(whole_);
    all_.resize(problem.k);
    for (std::int64_t l = 0; l < problem.k; l++) all_[l] = l;
    forms_.resize(problem.dim);
    for (std::int64_t l = 0; l < problem.dim; l++) forms_[l] = l;
  }

  // Starts a segment, and returns a number that is at least that of its leaves.
  std::int64_t begin(const std::uint8_t *segment, std::int64_t size, std::int64_t byte,
                     std::int64_t width, const std::int64_t *cell, const std::int64_t *assumed,
                     std::int64_t count, bool paired) {
    segment_ = segment;
    paired_ = paired;
    size_ = size;
    p_ = byte;
    width_ = width;
    leaves_ = steps_ = tests_ = 0;
    while (cells_) pop();
    deferred_.clear();
    left_.clear();
    assumed_.assign(assumed, assumed + count);
    read(cell, push());
    return std::count(segment + byte, segment + size, kLeaf);
  }

  // Steps, until a leaf has no row any more, or a step cannot be applied, or all are done.
  Status steps(const CheckTable &table) {
    left_.clear();
    deferred_.clear();
    std::int64_t used = 0;
    while (p_ < size_) {
      if (left_.size() + deferred_.size() > kFull) return kContinue;
      const int step = segment_[p_];
      if (step == kEnd) {
        if (p_ + 1 != size_) return kStopped;
        for (std::int64_t c = 0; c < cells_; c++) write(stack_[c]);
        return kDone;
      }
      if (!cells_) return kStopped;
      Cell &cell = stack_[cells_ - 1];
      if (step >= kCubeNegative && step <= kPositiveBox) {
        if (!sign(cell, step)) return kStopped;
        continue;
      }
      if (step == kZero || step == kSplit) {
        const std::int64_t unit = decided(cell);
        if (unit < 0) return kStopped;
        const std::int64_t layer = cell.region->layer;
        const std::int64_t number = 2 * (problem_.walls + regions_.starts[layer] + unit);
        drop(cell.open, unit);
        if (step == kSplit) {
          add_decided(cell, unit);
          halve(unit, number);
        } else {
          nothing(*cell.region, unit, p_);
          add(cell.zero, unit);
        }
        p_ += 3;
      } else if (step == kNext) {
        if (cell.region->layer + 1 >= problem_.depth || !complete(cell)) return kStopped;
        enter(cell);
        const Words &plane = regions_.planes[cell.region->layer];
        cell.open = plane;
        cell.positive.assign(plane.size(), 0);
        cell.zero.assign(plane.size(), 0);
        p_++;
      } else if (step == kLeaf) {
        if (cell.region->layer + 1 != problem_.depth || !complete(cell)) return kStopped;
        const std::int64_t own = paired_ ? 2 : 1;
        if (used + own > table.count) return kContinue;
        if (!leaf(cell, table, used)) return kStopped;
        used += own;
        leaves_ += own;
        pop();
        p_++;
      } else if (step == kDefer) {
        write(cell);
        pop();
        p_++;
      } else {
        return kStopped;
      }
      steps_++;
    }
    return kStopped;
  }

  // Rows of the table from number `first` on, each by its own witness; `leaves` counts them.
  Status rows(std::int64_t first, const CheckTable &table) {
    left_.clear();
    leaves_ = 0;
    const std::int64_t good = read(table);
    return visit(whole_, first, table, 0, good) && good == table.count ? kDone : kStopped;
  }

  CheckState state() const {
    return {p_,
            leaves_,
            steps_,
            tests_,
            left_.data(),
            deferred_.data(),
            static_cast<std::int64_t>(left_.size()),
            static_cast<std::int64_t>(deferred_.size())};
  }

private:
  const CheckProblem problem_;
  Regions regions_;
  Region *whole_;
  const std::uint8_t *segment_ = nullptr;
  bool paired_ = false;
  std::int64_t size_ = 0, p_ = 0, width_ = 1, leaves_ = 0, steps_ = 0, tests_ = 0;
  std::vector<Cell> stack_;  // the first `cells_`; the others keep their memory
  std::int64_t cells_ = 0;
  std::vector<Inequality> rows_;  // of the cell on top: the first `count`
  std::vector<std::int64_t> left_, deferred_, assumed_, all_, forms_, columns_;
  Inequalities used_, linear_;
  Words decided_;  // scratch
  std::vector<Words>
      stated_;  // per layer: of every row of the table, the units that are positive, then zero

  static std::int64_t two(const std::uint8_t *at) { return at[0] | at[1] << 8; }

  Cell &push() {
    if (cells_ == static_cast<std::int64_t>(stack_.size())) stack_.emplace_back();
    return stack_[cells_++];
  }

  void pop() {
    regions_.leave(stack_[--cells_].region);
    if (cells_) put_last(stack_[cells_ - 1]);
  }

  Inequality inequality(const Region *region, std::int64_t number) const {
    return {regions_.row(region, number >> 1), number & 1 ? -1.0 : 1.0, number};
  }

  void put_last(const Cell &cell) {
    if (cell.count) rows_[cell.count - 1] = inequality(cell.region, cell.last);
  }

  // The cell on top is cut by a unit: the positive half comes on top of the other.
  void halve(std::int64_t unit, std::int64_t number) {
    Cell &up = push(), &down = stack_[cells_ - 2];
    up.region = down.region;
    regions_.keep(up.region);
    up.open = down.open;
    up.positive = down.positive;
    up.zero = down.zero;
    if (down.sums.done.empty())
      up.sums.done.clear();
    else
      up.sums = down.sums;
    add(up.positive, unit);
    up.count = ++down.count;
    up.last = number;
    down.last = number + 1;
    if (static_cast<std::int64_t>(rows_.size()) < up.count) rows_.resize(2 * up.count);
    put_last(up);
  }

  // The unit of a step, which is open; -1 if there is none.
  std::int64_t decided(const Cell &cell) const {
    if (p_ + 3 > size_) return -1;
    const std::int64_t unit = two(segment_ + p_ + 1);
    return unit < problem_.layers[cell.region->layer].units && has(cell.open, unit) ? unit : -1;
  }

  bool complete(const Cell &cell) const {
    const Words &open = regions_.opens[cell.region->layer];
    for (std::size_t w = 0; w < open.size(); w++)
      if (cell.open[w] & open[w]) return false;
    return true;
  }

  // Goes on to the region that a cell is, all of whose units are decided.
  void enter(Cell &cell) {
    regions_.resolve(cell.region->layer, cell.positive, cell.zero);
    Region *region = regions_.part(cell.region, cell.positive, cell.zero, &cell.sums);
    regions_.keep(region);
    regions_.leave(cell.region);
    cell.region = region;
    cell.sums.done.clear();
  }

  // Before a cell is cut by a unit: what is decided goes to the sums that both halves share.
  void add_decided(Cell &cell, std::int64_t unit) {
    const std::int64_t layer = cell.region->layer;
    if (layer + 1 >= problem_.depth) return;
    decided_ = regions_.opens[layer];
    for (std::size_t w = 0; w < decided_.size(); w++) decided_[w] &= ~cell.open[w];
    drop(decided_, unit);
    regions_.add_terms(*cell.region, decided_, cell.positive, cell.zero, cell.sums);
  }

  // ---- claims

  bool sign(Cell &cell, int step) {
    const std::int64_t unit = decided(cell);
    if (unit < 0) return false;
    const bool positive = step & 1;
    std::int64_t count = 0, width = width_, columns = 0, at = p_ + 3;
    if (step == kNegative || step == kPositive) count = problem_.dim;
    if (step >= kNegativeBy) {
      if (p_ + 5 > size_) return false;
      count = two(segment_ + at);
      width = 2;
      at += 2;
      if (step >= kNegativeBox) columns = count;
    }
    if (columns && !problem_.bounded) return false;
    const std::int64_t end = at + count * width + columns * 2;
    if (end > size_) return false;
    const std::int64_t none = (std::int64_t{1} << 8 * width) - 1;
    const std::int64_t layer = cell.region->layer;
    const std::int64_t place = problem_.walls + regions_.starts[layer] + unit;
    used_.clear();
    columns_.clear();
    bool all = true, units = true;
    for (std::int64_t q = 0; q < count; q++, at += width) {
      const std::int64_t index = width == 1 ? segment_[at] : two(segment_ + at);
      if (index == none) {
        all = false;
        continue;
      }
      if (index >= cell.count) return false;
      const Inequality &row = rows_[index];
      const std::int64_t own = row.number >> 1;
      if (own < problem_.walls && own >= problem_.artificial) {
        all = false;
        continue;
      }
      used_.push_back(&row);
      units = units && row.row.unit > 0.0;
    }
    for (std::int64_t q = 0; q < columns; q++, at += 2) {
      columns_.push_back(two(segment_ + at));
      if (columns_.back() >= problem_.k) return false;
    }
    const Row goal = regions_.row(cell.region, place);
    const double side = positive ? 1.0 : -1.0;
    if (!proved(goal, side,
                columns            ? columns_
                : problem_.bounded ? all_
                                   : forms_,
                all, units && goal.unit > 0.0, columns > 0)) {
      left_.push_back(kSign);
      left_.push_back(p_);
      left_.push_back(2 * place + !positive);
      left_.push_back(count > 0);
      left_.push_back(static_cast<std::int64_t>(used_.size()));
      for (const Inequality *row : used_) left_.push_back(row->number);
      list(columns_);
      describe(*cell.region);
    }
    drop(cell.open, unit);
    if (positive) add(cell.positive, unit);
    steps_++;
    tests_ += count > 0;
    p_ = end;
    return true;
  }

  // `all`: no row is missing; `units`: all are integers.
  bool proved(const Row &goal, double side, const std::vector<std::int64_t> &columns, bool all,
              bool units, bool box) {
    Prover &prover = regions_.prover;
    if (problem_.bounded && prover.by_identity(goal, side, used_, columns, false)) return true;
    if (units && prover.by_identity(goal, side, used_, columns, true)) return true;
    if (box || used_.empty()) return false;
    if (goal.linear) {  // so are the rows that count, as linear forms on R^k
      linear_.clear();
      for (const Inequality *used : used_)
        if (used->row.linear) linear_.push_back(used);
      if (counts(linear_, problem_.k) && prover.by_cone(goal, side, linear_)) return true;
    }
    if (problem_.bounded || !all || !counts(used_, problem_.dim)) return false;
    return prover.by_cone(goal, side, used_);
  }

  static bool counts(const Inequalities &rows, std::int64_t dimension) {
    return dimension > 0 && static_cast<std::int64_t>(rows.size()) == dimension;
  }

  // The row of a unit is identically zero: proved by integers, or left.
  void nothing(const Region &region, std::int64_t unit, std::int64_t where) {
    const std::int64_t place = problem_.walls + regions_.starts[region.layer] + unit;
    const Row row = regions_.row(&region, place);
    bool zero = row.error == 0.0 && row.unit > 0.0;
    for (std::int64_t l = 0; l <= problem_.k; l++) zero = zero && row[l] == 0.0;
    if (zero) return;
    left_.push_back(kNothing);
    left_.push_back(where);
    left_.push_back(unit);
    describe(region);
  }

  void inside(const Region &region, const Inequality &own, const double *point, double most,
              double error, std::int64_t where, std::int64_t row) {
    const std::int64_t place = own.number >> 1;
    const bool wall = place < problem_.walls;
    if (wall && place >= problem_.artificial) return;
    if (regions_.inside(own.row, own.sign, point, most, error,
                        wall ? problem_.wall_axes[place] : -1))
      return;
    left_.push_back(kInside);
    left_.push_back(where);
    left_.push_back(own.number);
    left_.push_back(row);
    describe(region);
  }

  // The ranks of a region are those of a row of the table; false: of another row they were others.
  bool ranks(Region *region, const std::int16_t *stated, std::int64_t where, std::int64_t row) {
    const std::int64_t rank = stated[region->layer - 1];
    if (rank < 0) return false;
    if (region->below->layer && !ranks(region->below, stated, where, row)) return false;
    regions_.look_for_rank(*region);
    if (region->rank < 0) {
      region->rank = rank;
      left_.push_back(kRank);
      left_.push_back(where);
      left_.push_back(rank);
      left_.push_back(row);
      describe(*region);
    }
    return region->rank == rank;
  }

  // Row i of the table states a cell; if cells are paired, the next row states its opposite.
  bool leaf(Cell &cell, const CheckTable &table, std::int64_t i) {
    const Words positive = cell.positive, zero = cell.zero;
    Region *below = cell.region;
    enter(cell);
    bool good = described(cell.region, cell.count, false, table, i);
    if (good && paired_) {
      Region *turned = opposite(cell.region);
      good = described(turned, cell.count, true, table, i + 1);
      regions_.leave(turned);
    }
    if (!good) {  // the cell is to be what it was
      regions_.keep(below);
      regions_.leave(cell.region);
      cell.region = below;
      cell.positive = positive;
      cell.zero = zero;
    }
    return good;
  }

  // Row i of the table states the bits and ranks of a region, and its witness lies where so many
  // rows of the cell on top, and those that are assumed, are positive; `turned`: those of units
  // negative.
  bool described(Region *region, std::int64_t count, bool turned, const CheckTable &table,
                 std::int64_t i) {
    const std::int64_t bytes = regions_.bytes;
    if (std::memcmp(region->code.data(), table.code + i * bytes, bytes) ||
        std::memcmp(region->zeros.data(), table.zero + i * bytes, bytes) ||
        !ranks(region, table.ranks + i * problem_.depth, p_, i))
      return false;
    const double *point = table.points + i * (problem_.k + 1);
    const double most = greatest(point);
    const auto check = [&](const Inequality &row) {
      const bool other = turned && row.number >> 1 >= problem_.walls;
      inside(*region, other ? inequality(region, row.number ^ 1) : row, point, most,
             table.errors[i], p_, i);
    };
    for (std::int64_t r = 0; r < count; r++) check(rows_[r]);
    for (const std::int64_t number : assumed_) check(inequality(region, number));
    return true;
  }

  // The region with the other sign of every unit of layer 1 that is not identically zero, kept; of
  // a central arrangement, whose later layers have no hyperplanes.
  Region *opposite(const Region *region) {
    if (!region->below) {
      regions_.keep(whole_);
      return whole_;
    }
    Region *below = opposite(region->below);
    Words positive = region->positive;
    if (region->layer == 1)
      for (std::size_t w = 0; w < positive.size(); w++)
        positive[w] = regions_.planes[0][w] & ~(region->positive[w] | region->zero[w]);
    Region *out = regions_.part(below, positive, region->zero);
    regions_.keep(out);
    regions_.leave(below);
    return out;
  }

  double greatest(const double *point) const {
    double most = 0.0;
    for (std::int64_t l = 0; l <= problem_.k; l++) most = std::max(most, std::fabs(point[l]));
    return most;
  }

  // ---- rows by their witnesses

  // The decisions that rows of the table state, layer by layer; how many rows state any.
  std::int64_t read(const CheckTable &table) {
    const std::int64_t bytes = regions_.bytes;
    stated_.assign(problem_.depth, {});
    for (std::int64_t layer = 0; layer < problem_.depth; layer++)
      stated_[layer].assign(table.count * 2 * regions_.words(layer), 0);
    for (std::int64_t i = 0; i < table.count; i++) {
      const std::uint8_t *code = table.code + i * bytes, *zeros = table.zero + i * bytes;
      std::uint8_t both = 0;
      for (std::int64_t b = 0; b < bytes; b++) both |= code[b] & zeros[b];
      if (both) return i;
      for (std::int64_t at = regions_.bits.back(); at < 8 * bytes; at++)
        if ((code[at >> 3] | zeros[at >> 3]) >> (at & 7) & 1) return i;
      for (std::int64_t layer = 0; layer < problem_.depth; layer++) {
        std::uint64_t *positive = stated(layer, i), *zero = positive + regions_.words(layer);
        regions_.unpack(code, layer, positive);
        regions_.unpack(zeros, layer, zero);
      }
    }
    return table.count;
  }

  std::uint64_t *stated(std::int64_t layer, std::int64_t i) {
    return &stated_[layer][i * 2 * regions_.words(layer)];
  }

  // Rows begin .. end - 1 of the table, which lie in a region.
  bool visit(Region *region, std::int64_t first, const CheckTable &table, std::int64_t begin,
             std::int64_t end) {
    const std::int64_t layer = region->layer;
    if (layer == problem_.depth) {
      for (std::int64_t i = begin; i < end; i++, leaves_++)
        if (!row(region, first, table, i)) return false;
      return true;
    }
    std::vector<std::int64_t> starts;  // of rows that follow one another with the same decisions
    const std::int64_t words = 2 * regions_.words(layer);
    for (std::int64_t i = begin; i < end; i++)
      if (i == begin ||
          !std::equal(stated(layer, i), stated(layer, i) + words, stated(layer, i - 1)))
        starts.push_back(i);
    if (starts.empty()) return true;
    starts.push_back(end);
    return divide(region, first, table, starts, 0, starts.size() - 1, {});
  }

  // Parts a .. b - 1 of a region. What the units hand on that have the same sign on all of them is
  // added up once.
  bool divide(Region *region, std::int64_t first, const CheckTable &table,
              const std::vector<std::int64_t> &starts, std::size_t a, std::size_t b, Sums sums) {
    const std::int64_t layer = region->layer, n = regions_.words(layer);
    if (layer + 1 == problem_.depth) {  // nothing is handed on
      for (; a < b; a++)
        if (!part(region, first, table, starts[a], starts[a + 1], nullptr)) return false;
      return true;
    }
    const std::uint64_t *own = stated(layer, starts[a]);
    if (b - a > 1) {
      const Words positive(own, own + n), zero(own + n, own + 2 * n);
      Words same = regions_.units(layer);
      for (std::size_t part = a + 1; part < b; part++) {
        const std::uint64_t *other = stated(layer, starts[part]);
        for (std::int64_t w = 0; w < n; w++)
          same[w] &= ~((own[w] ^ other[w]) | (own[n + w] ^ other[n + w]));
      }
      regions_.add_terms(*region, same, positive, zero, sums);
      const std::size_t middle = a + (b - a) / 2;
      return divide(region, first, table, starts, a, middle, sums) &&
             divide(region, first, table, starts, middle, b, std::move(sums));
    }
    return part(region, first, table, starts[a], starts[b], &sums);
  }

  // Rows begin .. end - 1 of the table, which lie in one part of a region.
  bool part(Region *region, std::int64_t first, const CheckTable &table, std::int64_t begin,
            std::int64_t end, const Sums *sums) {
    const std::int64_t layer = region->layer, n = regions_.words(layer);
    const std::uint64_t *own = stated(layer, begin);
    positive_.assign(own, own + n);
    zero_.assign(own + n, own + 2 * n);
    Region *part = regions_.part(region, positive_, zero_, sums);
    regions_.keep(part);
    if (part->vanishing)
      for (const std::int64_t unit : regions_.places[layer])
        if (has(part->zero, unit)) nothing(*region, unit, first + begin);
    const bool good = visit(part, first, table, begin, end);
    regions_.leave(part);
    return good;
  }

  bool row(Region *region, std::int64_t first, const CheckTable &table, std::int64_t i) {
    if (region->below && !ranks(region, table.ranks + i * problem_.depth, first + i, i))
      return false;
    const double *point = table.points + i * (problem_.k + 1);
    const double most = greatest(point);
    for (std::int64_t w = 0; w < problem_.walls; w++)
      inside(*whole_, inequality(whole_, 2 * w), point, most, table.errors[i], first + i, i);
    for (; region->below; region = region->below)
      signs(*region->below, *region, point, most, table.errors[i], first + i, i);
    return true;
  }

  // All units of a layer that do not vanish have the signs of a part of its region at a point.
  void signs(const Region &region, const Region &part, const double *point, double most,
             double error, std::int64_t where, std::int64_t i) {
    const std::int64_t n = problem_.layers[region.layer].units, k = problem_.k;
    values_.resize(n);
    for (std::int64_t j = 0; j < n; j++) values_[j] = region.values[j] * point[0];
    for (std::int64_t l = 1; l <= k; l++) {
      const double *row = &region.values[l * n], u = point[l];
      for (std::int64_t j = 0; j < n; j++) values_[j] += row[j] * u;
    }
    for (std::size_t w = 0; w < part.positive.size(); w++) {
      const std::int64_t start = 64 * static_cast<std::int64_t>(w);
      const std::int64_t count = std::min<std::int64_t>(64, n - start);
      const double *values = &values_[start], *doubts = &region.doubts[start],
                   *sizes = &region.sizes[start];
      const std::uint64_t positive = part.positive[w];
      std::uint64_t unsure = 0;
      for (std::int64_t j = 0; j < count; j++) {
        const double own = doubts[j];
        const double doubt = (own * most + ((own + sizes[j]) * error + kLost)) * kMore;
        const double value = positive >> j & 1 ? values[j] : -values[j];
        // no number, and what is infinite, is not sure
        const bool sure = (value > doubt) & (value < HUGE_VAL);
        unsure |= (sure ? std::uint64_t{0} : std::uint64_t{1}) << j;
      }
      unsure &= regions_.planes[region.layer][w] & ~part.zero[w];
      for (; unsure; unsure &= unsure - 1) {
        const std::int64_t unit = start + std::countr_zero(unsure);
        const std::int64_t number =
            2 * (problem_.walls + regions_.starts[region.layer] + unit) + !has(part.positive, unit);
        left_.push_back(kInside);
        left_.push_back(where);
        left_.push_back(number);
        left_.push_back(i);
        describe(region);
      }
    }
  }

  std::vector<double> values_;
  Words positive_, zero_;

  // ---- cells and regions as integers

  void list(const std::vector<std::int64_t> &numbers) {
    left_.push_back(static_cast<std::int64_t>(numbers.size()));
    left_.insert(left_.end(), numbers.begin(), numbers.end());
  }

  static void put(std::vector<std::int64_t> &into, const Words &set) {
    for (const std::uint64_t word : set) into.push_back(static_cast<std::int64_t>(word));
  }

  // The layer, and the decisions of the units of all layers below it.
  static void describe(std::vector<std::int64_t> &into, const Region &region) {
    into.push_back(region.layer);
    const std::size_t at = into.size();
    for (const Region *line = &region; line->below; line = line->below) {
      std::vector<std::int64_t> own;
      put(own, line->positive);
      put(own, line->zero);
      into.insert(into.begin() + static_cast<std::ptrdiff_t>(at), own.begin(), own.end());
    }
  }

  void describe(const Region &region) { describe(left_, region); }

  void write(const Cell &cell) {
    describe(deferred_, *cell.region);
    put(deferred_, cell.open);
    put(deferred_, cell.positive);
    put(deferred_, cell.zero);
    deferred_.push_back(cell.count);
    for (std::int64_t r = 0; r + 1 < cell.count; r++) deferred_.push_back(rows_[r].number);
    if (cell.count) deferred_.push_back(cell.last);
  }

  void read(const std::int64_t *at, Cell &cell) {
    const auto set = [&](std::int64_t layer) {
      Words out(regions_.words(layer));
      for (std::uint64_t &word : out) word = static_cast<std::uint64_t>(*at++);
      return out;
    };
    const std::int64_t layer = *at++;
    Region *region = whole_;
    regions_.keep(region);
    for (std::int64_t below = 0; below < layer; below++) {
      const Words positive = set(below), zero = set(below);
      Region *part = regions_.part(region, positive, zero);
      regions_.keep(part);
      regions_.leave(region);
      region = part;
    }
    cell.region = region;
    cell.open = set(layer);
    cell.positive = set(layer);
    cell.zero = set(layer);
    cell.sums.done.clear();
    cell.count = *at++;
    rows_.resize(cell.count);
    for (std::int64_t r = 0; r < cell.count; r++) rows_[r] = inequality(region, at[r]);
    if (cell.count) cell.last = at[cell.count - 1];
  }
};

}  // namespace polyrank_check

using polyrank_check::CheckProblem;
using polyrank_check::CheckState;
using polyrank_check::CheckTable;
using polyrank_check::Replay;

#if defined(_WIN32)
#define POLYRANK_EXPORT extern "C" __declspec(dllexport)
#else
#define POLYRANK_EXPORT extern "C" __attribute__((visibility("default")))
#endif

POLYRANK_EXPORT void *polyrank_check_open(const CheckProblem *problem) try {
  return new Replay(*problem);
} catch (const std::exception &) {
  return nullptr;
}

POLYRANK_EXPORT void polyrank_check_close(void *replay) { delete static_cast<Replay *>(replay); }

// Starts a segment at a byte, on a cell; `assumed`: numbers of rows that every leaf has beside its
// own; `paired`: every cell stands for itself and its opposite.
POLYRANK_EXPORT std::int64_t polyrank_check_begin(void *replay, const std::uint8_t *segment,
                                                  std::int64_t size, std::int64_t byte,
                                                  std::int64_t width, const std::int64_t *cell,
                                                  const std::int64_t *assumed, std::int64_t count,
                                                  std::int64_t paired) try {
  return static_cast<Replay *>(replay)->begin(segment, size, byte, width, cell, assumed, count,
                                              paired != 0);
} catch (const std::exception &) {
  return -1;
}

POLYRANK_EXPORT std::int64_t polyrank_check_steps(void *replay, const CheckTable *table,
                                                  CheckState *state) try {
  const std::int64_t status = static_cast<Replay *>(replay)->steps(*table);
  *state = static_cast<Replay *>(replay)->state();
  return status;
} catch (const std::exception &) {
  return polyrank_check::kNoMemory;
}

POLYRANK_EXPORT std::int64_t polyrank_check_rows(void *replay, std::int64_t first,
                                                 const CheckTable *table, CheckState *state) try {
  const std::int64_t status = static_cast<Replay *>(replay)->rows(first, *table);
  *state = static_cast<Replay *>(replay)->state();
  return status;
} catch (const std::exception &) {
  return polyrank_check::kNoMemory;
}
