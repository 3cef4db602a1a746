// How many verdicts each rung gave, and other counters: polyrank/cells/task.py, STATISTICS, in
// order.
#pragma once

#include <cstdint>

namespace polyrank {

struct Statistics {
  std::int64_t tests = 0;
  std::int64_t pivots = 0;
  std::int64_t by_residual = 0;
  std::int64_t by_enclosure = 0;
  std::int64_t by_integers = 0;
  std::int64_t by_interval = 0;
  std::int64_t by_structure = 0;
  std::int64_t by_points = 0;
  std::int64_t by_vertex = 0;
  std::int64_t cuts = 0;
  std::int64_t hard = 0;
  std::int64_t cells = 0;
  std::int64_t regions = 0;
  std::int64_t rank_minors = 0;
  std::int64_t rank_cached = 0;
  std::int64_t rank_integers = 0;
  std::int64_t rank_open = 0;
  std::int64_t points_dropped = 0;
  std::int64_t refactored = 0;
};

}  // namespace polyrank
