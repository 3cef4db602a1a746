// A dictionary search whatever its linear programs, and how one is made.
#pragma once

#include <cstdint>
#include <memory>

#include "network.hpp"
#include "search_task.hpp"
#include "statistics.hpp"

namespace polyrank {

// What Python reads between two calls of run(): counts, and where the results lie.
struct SearchView {
  std::int64_t open;     // cells on the stack
  std::int64_t regions;  // rows of the next four
  std::int64_t code_bytes;
  const std::uint8_t *bit;
  const std::uint8_t *zero;
  const std::int16_t *rank;
  const double *point;
  std::int64_t
      thin;  // witnesses that are sums of two doubles: where there are none, nothing follows
  const double *point_low;
  std::int64_t hard;  // rows of the next six
  const std::int64_t *hard_layer;
  const std::int8_t *hard_bit;
  const std::int8_t *hard_split;
  const bool *hard_flag;
  const double *hard_point;
  const double *hard_point_low;
  std::int64_t log_size;
  const std::uint8_t *log;
  double done_share;
  const Statistics *statistics;
};

struct SearchSizes {
  std::int64_t output;  // rows of results
  std::int64_t hard;    // rows of cells that are handed back
  std::int64_t points;  // interior points, 0: as many as seem useful
  std::int64_t log;     // whether a proof log is written
  std::int64_t bounds;  // bounds are no rows: 1, 0, or -1 where that suits the domain
};

class AnySearch {
public:
  virtual ~AnySearch() = default;
  virtual bool load(std::int64_t layer, bool paired, const std::int8_t *bits,
                    const std::int8_t *split, const LoadedPoints &given) = 0;
  virtual int run(std::int64_t layers, std::int64_t budget) = 0;
  virtual void take_open(std::int64_t *layer, std::int8_t *decision, std::int8_t *splits,
                         double *chart_points, double *chart_low) = 0;
  virtual void take_last(SearchTask &task) = 0;
  virtual void adopt(const SearchTask &task) = 0;
  virtual SearchView view() const = 0;
  virtual void drained() = 0;  // results and log have been read
};

// With bounds that are no rows; null where that does not suit the domain.
std::unique_ptr<AnySearch> bounds_search(const Network &net, std::int64_t d, SearchSizes sizes);
std::unique_ptr<AnySearch> rows_search(const Network &net, std::int64_t d, SearchSizes sizes);

}  // namespace polyrank
