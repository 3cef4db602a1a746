// The verification of a property on a box for Python: an opaque handle.
#include "bisection.hpp"

#include <exception>
#include <memory>

#include "interface.hpp"

using polyrank::Array;
using polyrank::Bisection;
using polyrank::OpenBox;

// What Python reads between two calls of run().
struct BisectionView {
  std::int64_t open, boxes, closed;
  std::int64_t log_size;
  const std::uint8_t *log;
  std::int64_t hard;  // rows (2, d) of the next
  const double *hard_boxes;
  const std::int8_t *hard_signs;  // rows (units)
  std::int64_t candidates;        // doubles in the next
  const double *candidate_points;
  double done_share;
};

// Null where memory runs out.
POLYRANK_API Bisection *polyrank_bisection_new(const polyrank::BoundNetwork *net, std::int64_t d,
                                               std::int64_t soft_depth, std::int64_t most_depth,
                                               std::int64_t by_units) {
  try {
    return new Bisection(*net, d, soft_depth, most_depth, by_units != 0);
  } catch (const std::exception &) {
    return nullptr;
  }
}

POLYRANK_API void polyrank_bisection_free(Bisection *search) { delete search; }

POLYRANK_API void polyrank_bisection_start(Bisection *search, Array<const double, 1> low,
                                           Array<const double, 1> high, std::int64_t depth) {
  search->start(low.data, high.data, depth);
}

// -1 where memory runs out.
POLYRANK_API std::int64_t polyrank_bisection_run(Bisection *search, std::int64_t budget) {
  try {
    return static_cast<std::int64_t>(search->run(budget));
  } catch (const std::exception &) {
    return -1;
  }
}

POLYRANK_API void polyrank_bisection_view(const Bisection *search, BisectionView *view) {
  *view = {search->open(),
           search->boxes,
           search->closed,
           static_cast<std::int64_t>(search->log.size()),
           search->log.data(),
           search->hard_count,
           search->hard.data(),
           search->hard_signs.data(),
           static_cast<std::int64_t>(search->candidates.size()),
           search->candidates.data(),
           search->done_share};
}

// Log, hard boxes and candidates have been read.
POLYRANK_API void polyrank_bisection_drained(Bisection *search) {
  search->log.clear();
  search->hard.clear();
  search->hard_signs.clear();
  search->candidates.clear();
  search->hard_count = 0;
}

// The last open box as a task for another search of the same problem; null where memory runs out.
POLYRANK_API OpenBox *polyrank_bisection_take_last(Bisection *search) {
  try {
    return new OpenBox(search->take_last());
  } catch (const std::exception &) {
    return nullptr;
  }
}

POLYRANK_API void polyrank_bisection_free_task(OpenBox *box) { delete box; }

POLYRANK_API void polyrank_bisection_adopt(Bisection *search, const OpenBox *box) {
  search->adopt(*box);
}
