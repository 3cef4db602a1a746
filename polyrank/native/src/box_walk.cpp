#include "box_walk.hpp"

namespace polyrank {

BoxWalk::BoxWalk(const WalkTask &task)
    : net_(task.net),
      run_(task.run),
      n_(static_cast<int>(task.dim)),
      walls_(static_cast<int>(task.own_walls)),
      layers_(task.layers),
      chart_(task.net.centre.shape[0]),
      first_(task.begin),
      path_(task.net, task.dim),
      program_(task.net, task.dim),
      line_(program_.cell.capacity),
      wall_(static_cast<std::size_t>(2 * task.dim), -1),
      bounds_(static_cast<std::size_t>(2 * task.dim), Status::open) {
  const std::int64_t room = padded(n_) + 1;
  for (auto *each : {&p_, &q_, &x_, &middle_, &deep_, &least_low_, &least_high_})
    *each = Buffer<double>(room, 0.0);
  y_ = Buffer<double>(chart_, 0.0);
  const std::int64_t rows = program_.cell.capacity;
  for (auto *each : {&depth_, &wanted_, &square_, &middle_slack_})
    *each = Buffer<double>(rows, 0.0);
  pull_ = Buffer<double>(n_, 0.0);
  found_.open.assign(static_cast<std::size_t>(task.end - task.begin), 0);
  for (int m = 0; m < walls_; m++) {
    const double *row = net_.wall_rows.row(m);
    int axis = -1, count = 0;
    for (int l = 0; l < n_; l++)
      if (row[l] != 0.0) axis = l, count++;
    if (count != 1) continue;
    int &wall = wall_[static_cast<std::size_t>(row[axis] > 0.0 ? axis : n_ + axis)];
    one_wall_each_ = one_wall_each_ && wall < 0;
    wall = m;
  }
  first_layer(path_);
  find_span();
}

void BoxWalk::find_span() {
  in_span_ = Buffer<double>(n_, 0.0);
  const auto add = [this](const double *row) {
    Buffer<double> vector(n_, 0.0);
    double size = 0.0;
    for (int l = 0; l < n_; l++) size += row[l] * row[l];
    if (!(size > 0.0)) return;
    for (int l = 0; l < n_; l++) vector[l] = row[l] / std::sqrt(size);
    for (int turn = 0; turn < 2; turn++) {
      for (const Buffer<double> &other : span_) {
        double along = 0.0;
        for (int l = 0; l < n_; l++) along += other[l] * vector[l];
        for (int l = 0; l < n_; l++) vector[l] -= along * other[l];
      }
      size = 0.0;
      for (int l = 0; l < n_; l++) size += vector[l] * vector[l];
      if (size < 1e-20) return;
      for (int l = 0; l < n_; l++) vector[l] /= std::sqrt(size);
    }
    span_.push_back(std::move(vector));
  };
  const auto others = static_cast<std::int64_t>(program_.box().other.size());
  for (std::int64_t m = 0; m < others; m++) add(program_.cell.row(m));
  const auto too_many = [this] { return 2 * span_.size() > static_cast<std::size_t>(n_); };
  for (std::int64_t g = 0; g < net_.units(0) && !too_many(); g++) add(path_.row(g));
  if (too_many()) span_.clear();
  for (const Buffer<double> &vector : span_)
    for (int l = 0; l < n_; l++) in_span_[l] += vector[l] * vector[l];
}

std::int64_t BoxWalk::advance(std::int64_t begin, std::int64_t end) {
  std::int64_t opened = 0;
  for (std::int64_t r = begin; r < end; r++) {
    decode(r);
    gather();
    if (settle(r)) continue;
    found_.open[static_cast<std::size_t>(r - first_)] = 1;
    opened++;
  }
  stat_.pivots = path_.stat.pivots;
  stat_.by_residual = path_.stat.by_residual;
  stat_.by_integers = path_.stat.by_integers;
  stat_.by_enclosure = path_.stat.by_enclosure;
  return opened;
}

// Puts bits, hash and the rows of all layers to region r.
void BoxWalk::decode(std::int64_t r) {
  const CodeTable &codes = run_.codes;
  std::int64_t layer = at_ < 0 ? 0 : layers_;  // the first one that differs
  hash_ = 0;
  zero_layer_ = -1;
  if (at_ < 0) std::fill_n(path_.bit.data(), net_.total(), std::int8_t{1});
  for (std::int64_t k = 0; k < layers_; k++)
    for (std::int64_t g = net_.unit_start(k); g < net_.unit_start(k + 1); g++) {
      const std::int64_t b = run_.bit(g);
      if (b < 0) continue;
      const auto on = static_cast<std::int8_t>((codes.code(r, b >> 3) >> (b & 7)) & 1);
      std::int8_t zero = 0;
      if (run_.zero.shape[0] > 0)
        zero = static_cast<std::int8_t>((run_.zero(r, b >> 3) >> (b & 7)) & 1);
      if (zero) zero_layer_ = k;
      if (on) hash_ ^= codes.key(b);
      if (on != path_.bit[g] || zero != path_.zero[g]) layer = std::min(layer, k);
      path_.bit[g] = on;
      path_.zero[g] = zero;
    }
  at_ = r;
  for (std::int64_t k = layer + 1; k < layers_; k++) {
    int live = 0;
    for (std::int64_t g = net_.unit_start(k - 1); g < net_.unit_start(k); g++)
      live += path_.slope_of(g) != 0.0 && !path_.zero[g] && path_.power[g] != zero_row;
    const auto below = static_cast<std::size_t>(k - 1);
    path_.bound[below] =
        std::min(live, k == 1 ? static_cast<int>(net_.linear_columns) : path_.bound[below - 1]);
    next_layer(path_, k);
  }
}

// Cube coordinates of the witness of region r; false where it is not a float64 point.
bool BoxWalk::load_witness(std::int64_t r, double *out) const {
  const double *y = run_.witness.row(r);
  for (std::int64_t l = 0; l < chart_; l++) {
    if (!std::isfinite(y[l])) return false;
    out[l] = (y[l] - net_.centre(l)) / net_.half_width(l);
  }
  return true;
}

// The rows of the region: walls that bound no coordinate, and units that are not constant.
void BoxWalk::gather() {
  rows_.clear();
  for (const std::int64_t m : program_.box().other)
    rows_.push_back({static_cast<int>(m), -1, -1, false});
  for (std::int64_t k = 0; k < layers_; k++)
    for (std::int64_t g = net_.unit_start(k); g < net_.unit_start(k + 1); g++) {
      if (!net_.hyperplane(g) || net_.tie(g) >= 0 || path_.zero[g]) continue;
      double spread = 0.0;
      for (int l = 0; l < n_; l++) spread += std::fabs(path_.row(g)[l]);
      if (path_.error[g] == 0.0 && spread == 0.0) {
        stat_.by_structure++;
        continue;
      }
      // strictly on one side of the whole cube, which is the region's side
      if (std::fabs(path_.row(g)[n_]) > (spread + (n_ + 1) * path_.radius[g]) * inflate) {
        stat_.by_interval++;
        continue;
      }
      const auto m = static_cast<std::int64_t>(rows_.size());
      program_.push(path_, m, g, path_.bit[g] ? 1 : -1);
      rows_.push_back({walls_ + static_cast<int>(g), g, k, false});
    }
  for (std::size_t m = 0; m < rows_.size(); m++) program_.leave_out(static_cast<int>(m), false);
  program_.forget_basis();
}

// Whether a point is proved to be strictly beyond row m (m < 0: it need not be beyond any) and
// strictly inside every other one; and strictly inside all bounds but those of one axis.
bool BoxWalk::beyond(int m, const double *u, double widest, int axis) const {
  if (m >= 0 && !(program_.value_of(m, u) < -limit_of(m, widest))) return false;
  for (int i = 0; i < static_cast<int>(rows_.size()); i++)
    if (i != m && !rows_[static_cast<std::size_t>(i)].out &&
        !(program_.value_of(i, u) > limit_of(i, widest)))
      return false;
  return in_box(u, axis);
}

// Whether the witness of a listed region shows that row m carries a facet.
//
// Across a unit of the last layer it does: all other rows are rows of both regions, and each
// witness is shown to be inside its own region, here or in rationals. Below that layer it must be
// seen.
bool BoxWalk::beyond_at_listed(int m, std::int64_t s) {
  if (rows_[static_cast<std::size_t>(m)].layer == layers_ - 1) return true;
  return load_witness(s, q_.data()) && beyond(m, q_.data(), 1.0, -1) &&
         !may_be_multiple(m, q_.data());
}

// Whether a row that was left out is not proved to be positive where the way to a point beyond row
// m meets it: a multiple of it vanishes there, and no other redundant row does.
bool BoxWalk::may_be_multiple(int m, const double *u) const {
  const double before = depth_[m], after = program_.value_of(m, u);
  const double share = before / (before - after);
  for (int i = 0; i < static_cast<int>(rows_.size()); i++) {
    if (!rows_[static_cast<std::size_t>(i)].out) continue;
    const double there = program_.value_of(i, u);
    if (there > limit_of(i)) continue;
    // t is known up to the errors of two values
    const double doubtful = 4.0 * (limit_of(m) / (before - after) + 0x1p-50);
    if (!(depth_[i] + (there - depth_[i]) * share >
          4.0 * limit_of(i) + doubtful * std::fabs(there - depth_[i])))
      return true;
  }
  return false;
}

// Writes the facets of region r.
void BoxWalk::emit(std::int64_t r) {
  for (const Facet &facet : facets_) {
    const std::int64_t to = facet.to;
    if (to == domain_wall) {
      found_.wall_region.push_back(static_cast<std::int32_t>(r));
      found_.wall_row.push_back(facet.row);
      continue;
    }
    stat_.missing += to == missing;
    stat_.pending += to == pending;
    const bool forward = to > r;
    const bool described =
        forward || to == pending || (to == missing && described_++ < most_points);
    if (facet.point >= 0 && described) {
      found_.owner.push_back(forward ? found_.edges() : -1 - found_.odds());
      const double *point = points_.data() + facet.point;
      found_.point.insert(found_.point.end(), point, point + chart_);
    }
    if (!forward) {
      found_.odd.insert(found_.odd.end(), {r, to, facet.row});
      continue;
    }
    found_.edge_source.push_back(static_cast<std::int32_t>(r));
    found_.edge_target.push_back(static_cast<std::int32_t>(to));
    found_.edge_row.push_back(facet.row);
    found_.alone.push_back(1);
  }
}

// Names the rows of a region that is open, but for those that are proved redundant.
void BoxWalk::emit_open(std::int64_t r) {
  const auto name = [&](int row) { found_.odd.insert(found_.odd.end(), {r, candidate_row, row}); };
  for (const Candidate &candidate : rows_)
    if (!candidate.out) name(candidate.row);
  for (std::size_t i = 0; i < bounds_.size(); i++)
    if (bounds_[i] != Status::out && wall_[i] >= 0) name(wall_[i]);
}

// Decides whether row m carries a facet, and lists it; false where that stays open.
bool BoxWalk::settle_row(std::int64_t r, int m) {
  Candidate &candidate = rows_[static_cast<std::size_t>(m)];
  const std::int64_t g = candidate.unit;
  std::int64_t to = domain_wall;
  const bool mixed = g >= 0 && zero_layer_ > candidate.layer;
  if (g >= 0) {
    to = run_.codes.find(hash_ ^ run_.flip_key(g), r, run_.flip.data + run_.flip_start(g),
                         run_.flip_start(g + 1) - run_.flip_start(g));
    if (to >= 0 && !mixed && beyond_at_listed(m, to)) {
      stat_.by_segment++;
      facets_.push_back({candidate.row, to, -1});
      return true;
    }
  }
  if (const std::int64_t view = seen_[static_cast<std::size_t>(m)]; view >= 0) {
    stat_.rays++;
    if (mixed) to = pending;
    facets_.push_back({candidate.row, to, static_cast<std::int64_t>(points_.size())});
    points_.insert(points_.end(), views_.begin() + view, views_.begin() + view + chart_);
    return true;
  }
  const Implied &implied = implied_[static_cast<std::size_t>(m)];
  const auto is_out = [this](int i) { return rows_[static_cast<std::size_t>(i)].out; };
  if (!implied.by.empty() && std::none_of(implied.by.begin(), implied.by.end(), is_out) &&
      program_.implied(m, implied.by, implied.factor.data())) {
    stat_.by_vertex++;
    candidate.out = true;
    program_.leave_out(m, true);
    return true;
  }
  const int count = static_cast<int>(rows_.size());
  stat_.lps++;
  if (g >= 0) program_.mark(path_, candidate.layer, count);
  bool multiple = false;
  const auto found = [&](bool exactly) {
    if (exactly) return false;
    const double *x = program_.x();
    const double before = depth_[m], after = program_.value_of(m, x);
    if (!(after < 0.0)) return false;
    const double share = before / (before - after);
    for (const double more : {0.5, 0.875, 0.125}) {
      const double t = share + (1.0 - share) * more;
      for (int l = 0; l < n_; l++) q_[l] = p_[l] + t * (x[l] - p_[l]);
      if (!round_to_chart(net_, q_.data(), y_.data()) || !beyond(m, q_.data(), 1.0, -1)) continue;
      multiple = may_be_multiple(m, q_.data());
      return true;
    }
    return false;
  };
  const Verdict verdict = program_.test_row(path_, candidate.layer, count, m, p_.data(), found);
  if (verdict == Verdict::open || multiple) return false;
  if (verdict == Verdict::misses) {
    candidate.out = true;
    program_.leave_out(m, true);
    return true;
  }
  // a unit above it vanishes on the region: its row on the other side decides
  if (mixed) to = pending;
  facets_.push_back({candidate.row, to, static_cast<std::int64_t>(points_.size())});
  points_.insert(points_.end(), y_.data(), y_.data() + chart_);
  return true;
}

// Moves a point inside the box along the directions in which no row changes, away from the bounds:
// projections in turn onto a smaller box and onto these directions, from its centre on.
void BoxWalk::to_middle(const double *from, double *to) const {
  constexpr int rounds = 8;
  const BoxWalls &box = program_.box();
  for (int l = 0; l < n_; l++) to[l] = 0.5 * (box.low[l] + box.high[l]);
  for (int round = 0; round < rounds; round++) {
    for (const Buffer<double> &vector : span_) {
      double along = 0.0;
      for (int l = 0; l < n_; l++) along += vector[l] * (from[l] - to[l]);
      for (int l = 0; l < n_; l++) to[l] += along * vector[l];
    }
    if (round == rounds - 1) break;
    bool inside = true;
    for (int l = 0; l < n_; l++) {
      const double spare = 0.1 * (box.high[l] - box.low[l]);
      const double v = std::clamp(to[l], box.low[l] + spare, box.high[l] - spare);
      inside = inside && v == to[l];
      to[l] = v;
    }
    if (inside) return;
  }
  double step = 1.0;
  for (int l = 0; l < n_; l++) {
    const double way = to[l] - from[l];
    if (to[l] < box.low[l]) step = std::min(step, 0.9 * (box.low[l] - from[l]) / way);
    if (to[l] > box.high[l]) step = std::min(step, 0.9 * (box.high[l] - from[l]) / way);
  }
  for (int l = 0; l < n_; l++) to[l] = from[l] + step * (to[l] - from[l]);
}

// Looks for points beyond single rows, along straight lines from the middle of the region.
void BoxWalk::look_around() {
  const int count = static_cast<int>(rows_.size());
  seen_.assign(static_cast<std::size_t>(count), -1);
  views_.clear();
  implied_.resize(rows_.size());
  for (Implied &implied : implied_) implied.by.clear();
  to_middle(p_.data(), middle_.data());
  if (!beyond(-1, middle_.data(), 1.0, -1)) std::copy_n(p_.data(), n_, middle_.data());
  for (int m = 0; m < count; m++) middle_slack_[m] = program_.value_of(m, middle_.data());
  for (int m = 0; m < count; m++)
    if (seen_[static_cast<std::size_t>(m)] < 0) look_beyond(m);
}

void BoxWalk::look_beyond(int m) {
  const bool stopped = line_.go_down(
      m, static_cast<int>(rows_.size()), middle_slack_.data(),
      [this](int i, int j) { return program_.gram(i, j); },
      [this](int i) { return seen_[static_cast<std::size_t>(i)] < 0; }, [this](int i) { see(i); });
  if (!stopped) return;
  Implied &implied = implied_[static_cast<std::size_t>(m)];
  implied.by = line_.met;
  implied.factor.assign(line_.pull.data(), line_.pull.data() + line_.met.size());
}

// Keeps the point that the line has come to if it is proved to be beyond row m alone.
void BoxWalk::see(int m) {
  std::copy_n(middle_.data(), n_, q_.data());
  for (int i = 0; i < static_cast<int>(rows_.size()); i++) {
    if (line_.share[i] == 0.0) continue;
    const double *row = program_.cell.row(i);
    for (int l = 0; l < n_; l++) q_[l] += line_.share[i] * row[l];
  }
  if (!in_box(q_.data(), -1)) {
    std::copy_n(q_.data(), n_, x_.data());
    to_middle(x_.data(), q_.data());
  }
  if (!round_to_chart(net_, q_.data(), y_.data()) || !beyond(m, q_.data(), 1.0, -1)) return;
  seen_[static_cast<std::size_t>(m)] = static_cast<std::int64_t>(views_.size());
  views_.insert(views_.end(), y_.data(), y_.data() + chart_);
}

// Marks the bounds on which the steps along the axes from a point inside end strictly inside all
// rows.
void BoxWalk::settle_bounds(const double *base) {
  const BoxWalls &box = program_.box();
  if (!in_box(base, -1)) return;
  const Lanes none = Lanes{} + HUGE_VAL;
  for (int l = 0; l < n_; l += lane_count) {
    store(least_low_.data() + l, none);
    store(least_high_.data() + l, none);
  }
  for (int m = 0; m < static_cast<int>(rows_.size()); m++) {
    if (rows_[static_cast<std::size_t>(m)].out) continue;
    // twice the bound of a sum covers the step's three roundings
    const double *row = program_.cell.row(m);
    const double spare = program_.value_of(m, base) - 2.0 * limit_of(m);
    for (int l = 0; l < n_; l++) {
      const double a = row[l];
      // up to where the bound can be
      const double low = std::min(a * (box.low[l] - base[l]), a * (box.inner_low[l] - base[l]));
      const double high = std::min(a * (box.high[l] - base[l]), a * (box.inner_high[l] - base[l]));
      least_low_[l] = std::min(least_low_[l], spare + low);
      least_high_[l] = std::min(least_high_[l], spare + high);
    }
  }
  for (int l = 0; l < n_; l++) {
    if (least_low_[l] > 0.0) bounds_[static_cast<std::size_t>(l)] = Status::facet;
    if (least_high_[l] > 0.0) bounds_[static_cast<std::size_t>(n_ + l)] = Status::facet;
  }
}

// The same along other lines. With v_k the vectors of the span, the direction of coordinate l is d
// = e_l - sum_k v_kl v_k, with d_l = 1 - sum_k v_kl^2 and |d_j| <= |v_.l| |v_.j| for all others j;
// a row a changes along it by a_l - sum_k (a . v_k) v_kl, which is about 0. Any vectors will do:
// what they are not shows in these numbers, which are computed with bounds.
void BoxWalk::settle_bounds_along_fibres(const double *base) {
  const BoxWalls &box = program_.box();
  if (span_.empty() || !in_box(base, -1)) return;
  double margin = 2.0, longest = 0.0;
  for (int l = 0; l < n_; l++) {
    margin = std::min({margin, base[l] - box.inner_low[l], box.inner_high[l] - base[l]});
    longest = std::max(longest, in_span_[l]);
  }
  margin -= 4.0 * doubt();
  // steps along the axes up to which all rows stay positive
  double *const most = least_low_.data();
  for (int l = 0; l < n_; l++) most[l] = HUGE_VAL;
  const auto r = static_cast<int>(span_.size());
  const double rounding = (r + 1) * gamma(n_ + r + 16) * n_;
  for (int m = 0; m < static_cast<int>(rows_.size()); m++) {
    if (rows_[static_cast<std::size_t>(m)].out) continue;
    const double *row = program_.cell.row(m);
    const double spare = program_.value_of(m, base) - 2.0 * limit_of(m);
    if (!(spare > 0.0)) return;
    double *const rest = least_high_.data();
    std::copy_n(row, n_, rest);
    for (const Buffer<double> &vector : span_) {
      double along = 0.0;
      for (int l = 0; l < n_; l++) along += vector[l] * row[l];
      for (int l = 0; l < n_; l++) rest[l] -= along * vector[l];
    }
    for (int l = 0; l < n_; l++)
      most[l] = std::min(most[l], spare / (std::fabs(rest[l]) + rounding));
  }
  for (int l = 0; l < n_; l++) {
    const double along = (1.0 - in_span_[l]) * (1.0 - 1e-9) - 1e-9;
    if (!(along > 0.0)) continue;
    const double aside = std::sqrt(in_span_[l] * longest) * (1.0 + 1e-9) + 1e-9;
    const auto reaches = [&](double way) {
      const double step = way / along * (1.0 + 1e-9);
      return step < most[l] && step * aside < margin;
    };
    if (reaches(base[l] - box.low[l])) bounds_[static_cast<std::size_t>(l)] = Status::facet;
    if (reaches(box.high[l] - base[l])) bounds_[static_cast<std::size_t>(n_ + l)] = Status::facet;
  }
}

// The same from points deep inside: where every row has a value that a step along an axis cannot
// use up, or a part of that, and no coordinate is close to its bounds. Found by projections in
// turn onto these half-spaces and the smaller box (L. G. Gubin, B. T. Polyak, E. V. Raik, "The
// method of projections for finding the common point of convex sets", USSR Computational
// Mathematics 7, 1967), as far as they get.
void BoxWalk::settle_bounds_deep_inside() {
  constexpr int most_parts = 6, rounds = 40;
  const BoxWalls &box = program_.box();
  const int count = static_cast<int>(rows_.size());
  const auto is_out = [this](int m) { return rows_[static_cast<std::size_t>(m)].out; };
  for (int m = 0; m < count; m++) {
    const double *row = program_.cell.row(m);
    wanted_[m] = square_[m] = 0.0;
    for (int l = 0; l < n_; l++) {
      wanted_[m] = std::max(wanted_[m], 2.5 * std::fabs(row[l]));
      square_[m] += row[l] * row[l];
    }
  }
  for (int l = 0; l < n_; l++) q_[l] = 0.5 * (box.low[l] + box.high[l]);
  double part = 1.0;
  for (int turn = 0; turn < most_parts; turn++, part *= 0.25) {
    if (std::find(bounds_.begin(), bounds_.end(), Status::open) == bounds_.end()) return;
    bool moved = true;
    for (int round = 0; round < rounds && moved; round++) {
      moved = false;
      for (int m = 0; m < count; m++) {
        if (is_out(m) || !(square_[m] > 0.0)) continue;
        const double lack = part * wanted_[m] - program_.value_of(m, q_.data());
        if (!(lack > 0.0)) continue;
        moved = true;
        const double *row = program_.cell.row(m), factor = 1.5 * lack / square_[m];
        for (int l = 0; l < n_; l++) q_[l] += factor * row[l];
      }
      for (int l = 0; l < n_; l++) {
        const double spare = 0.1 * (box.high[l] - box.low[l]);
        q_[l] = std::clamp(q_[l], box.low[l] + spare, box.high[l] - spare);
      }
    }
    // as far as the region goes on the way there, for what the projections have not reached
    double step = 1.0;
    for (int m = 0; m < count; m++) {
      const double there = program_.value_of(m, q_.data());
      if (!is_out(m) && there < 0.1 * depth_[m])
        step = std::min(step, 0.9 * depth_[m] / (depth_[m] - there));
    }
    for (int l = 0; l < n_; l++) x_[l] = p_[l] + step * (q_[l] - p_[l]);
    settle_bounds_along_fibres(x_.data());
    settle_bounds(x_.data());
    if (turn == 0) std::copy_n(x_.data(), n_, deep_.data());
  }
}

// Whether a bound carries a facet since the directions in which no row changes lead from a point
// inside to one beyond it: from where they do in the box of the other coordinates, by projections
// in turn.
bool BoxWalk::beyond_bound(const double *base, int l, bool low) {
  constexpr int rounds = 60;
  const BoxWalls &box = program_.box();
  const double rest = 1.0 - in_span_[l];
  if (span_.empty() || !(rest > 1e-6)) return false;
  const double target = low ? box.low[l] - 4.0 * doubt() : box.high[l] + 4.0 * doubt();
  std::copy_n(base, n_, q_.data());
  for (int round = 0; round < rounds; round++) {
    // back to the values of the rows at the base, by the other coordinates alone
    q_[l] = target;
    double own = 0.0;
    for (std::size_t k = 0; k < span_.size(); k++) {
      double along = 0.0;
      for (int j = 0; j < n_; j++) along += span_[k][j] * (base[j] - q_[j]);
      pull_[static_cast<std::int64_t>(k)] = along;
      own += along * span_[k][l];
    }
    for (std::size_t k = 0; k < span_.size(); k++) {
      const double by = pull_[static_cast<std::int64_t>(k)] + own / rest * span_[k][l];
      for (int j = 0; j < n_; j++) q_[j] += by * span_[k][j];
    }
    q_[l] = target;
    if (in_box(q_.data(), l)) return beyond(-1, q_.data(), 2.0, l);
    for (int j = 0; j < n_; j++) {
      const double spare = 0.0001 * (box.high[j] - box.low[j]);
      q_[j] = std::clamp(q_[j], box.low[j] + spare, box.high[j] - spare);
    }
  }
  return false;
}

// Decides by a linear program whether a bound carries a facet; false where that stays open.
bool BoxWalk::settle_bound(int l, bool low) {
  const BoxWalls &box = program_.box();
  const double bound = low ? box.low[l] : box.high[l], before = std::fabs(p_[l] - bound);
  Status &status = bounds_[static_cast<std::size_t>(low ? l : n_ + l)];
  double met = 0.0;
  stat_.lps++;
  const Verdict verdict = program_.test_bound(
      path_, static_cast<std::int64_t>(rows_.size()), l, low, p_.data(), [&](bool exactly) {
        const double *x = program_.x();
        const double after = low ? x[l] - bound : bound - x[l];
        if (exactly || !(after < 0.0)) return false;
        met = before / (before - after);
        for (const double more : {0.5, 0.875, 0.125}) {
          const double t = met + (1.0 - met) * more;
          for (int i = 0; i < n_; i++) q_[i] = p_[i] + t * (x[i] - p_[i]);
          const bool out = low ? q_[l] < bound - doubt() : q_[l] > bound + doubt();
          if (!out || !beyond(-1, q_.data(), 2.0, l)) continue;
          met /= t;
          return true;
        }
        return false;
      });
  if (verdict == Verdict::misses) status = Status::out;
  if (verdict != Verdict::cuts) return verdict == Verdict::misses;
  status = Status::facet;
  // on the way there, close to the bound: others are near, often
  for (int i = 0; i < n_; i++) x_[i] = p_[i] + 0.875 * met * (q_[i] - p_[i]);
  settle_bounds(x_.data());
  // and the mean of such points is deeper inside than any of them
  inside_++;
  for (int i = 0; i < n_; i++) deep_[i] += (x_[i] - deep_[i]) / inside_;
  settle_bounds_along_fibres(deep_.data());
  return true;
}

// Finds the facets of region r, whose rows are gathered; false where one stays open.
bool BoxWalk::settle(std::int64_t r) {
  facets_.clear();
  points_.clear();
  std::fill(bounds_.begin(), bounds_.end(), Status::open);
  if (!load_witness(r, p_.data()) || !beyond(-1, p_.data(), 1.0, -1)) return false;
  const int count = static_cast<int>(rows_.size());
  for (int m = 0; m < count; m++) depth_[m] = program_.value_of(m, p_.data());
  look_around();
  bool done = true;
  for (int m = 0; m < count; m++) done = settle_row(r, m) && done;
  settle_bounds(p_.data());
  settle_bounds_along_fibres(middle_.data());
  std::copy_n(middle_.data(), n_, deep_.data());
  inside_ = 1;
  settle_bounds_deep_inside();
  for (int i = 0; i < 2 * n_ && done; i++) {
    Status &status = bounds_[static_cast<std::size_t>(i)];
    if (status != Status::open) continue;
    const int l = i < n_ ? i : i - n_;
    if (beyond_bound(deep_.data(), l, i < n_))
      status = Status::facet;
    else
      done = settle_bound(l, i < n_);
  }
  if (!done) {
    emit_open(r);
    return false;
  }
  for (std::size_t i = 0; i < bounds_.size(); i++)
    if (bounds_[i] == Status::facet) facets_.push_back({wall_[i], domain_wall, -1});
  emit(r);
  return true;
}

std::unique_ptr<AnyWalk> box_walk(const WalkTask &task) {
  if (task.dim < BoxWalk::least_dimension || !BoundsProgram::takes(task.net, task.dim, -1))
    return nullptr;
  if (task.net.wall_rows.shape[0] != task.own_walls) return nullptr;
  auto walk = std::make_unique<BoxWalk>(task);
  return walk->one_wall_each() ? std::move(walk) : nullptr;
}

}  // namespace polyrank
