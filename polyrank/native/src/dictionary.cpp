// The dictionary search for Python: an opaque handle.
#include <exception>
#include <memory>

#include "any_search.hpp"
#include "array.hpp"
#include "interface.hpp"

using polyrank::AnySearch;
using polyrank::Array;

// Null where memory runs out.
POLYRANK_API AnySearch *polyrank_search_new(const polyrank::Network *net, std::int64_t dim,
                                            const polyrank::SearchSizes *sizes) {
  try {
    auto search = polyrank::bounds_search(*net, dim, *sizes);
    if (!search) search = polyrank::rows_search(*net, dim, *sizes);
    return search.release();
  } catch (const std::exception &) {
    return nullptr;
  }
}

POLYRANK_API void polyrank_search_free(AnySearch *search) { delete search; }

// Points have one row each: cube coordinates and, exactly, chart coordinates, as sums of two
// doubles.
POLYRANK_API std::int64_t polyrank_search_load(
    AnySearch *search, std::int64_t layer, std::int64_t paired, Array<const std::int8_t, 1> bits,
    Array<const std::int8_t, 1> split, Array<const double, 2> cube, Array<const double, 2> cube_low,
    Array<const double, 2> chart, Array<const double, 2> chart_low) {
  return search->load(layer, paired != 0, bits.data, split.data,
                      {cube.shape[0], cube.data, cube_low.data, chart.data, chart_low.data});
}

POLYRANK_API std::int64_t polyrank_search_run(AnySearch *search, std::int64_t layers,
                                              std::int64_t budget) {
  return search->run(layers, budget);
}

// One row for every open cell.
POLYRANK_API void polyrank_search_take_open(AnySearch *search, Array<std::int64_t, 1> layer,
                                            Array<std::int8_t, 2> decision,
                                            Array<std::int8_t, 2> splits,
                                            Array<double, 2> chart_points,
                                            Array<double, 2> chart_low) {
  search->take_open(layer.data, decision.data, splits.data, chart_points.data, chart_low.data);
}

// The last open cell as a task for another search of the same problem; null where memory runs out.
POLYRANK_API polyrank::SearchTask *polyrank_search_take_last(AnySearch *search) {
  try {
    auto task = std::make_unique<polyrank::SearchTask>();
    search->take_last(*task);
    return task.release();
  } catch (const std::exception &) {
    return nullptr;
  }
}

POLYRANK_API void polyrank_search_free_task(polyrank::SearchTask *task) { delete task; }

POLYRANK_API void polyrank_search_adopt(AnySearch *search, const polyrank::SearchTask *task) {
  search->adopt(*task);
}

POLYRANK_API void polyrank_search_view(const AnySearch *search, polyrank::SearchView *view) {
  *view = search->view();
}

POLYRANK_API void polyrank_search_drained(AnySearch *search) { search->drained(); }
