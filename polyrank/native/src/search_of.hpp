// A search with one kind of linear programs behind the interface of any.
#pragma once

#include "any_search.hpp"
#include "search.hpp"

namespace polyrank {

template <class Program> class SearchOf final : public AnySearch {
public:
  SearchOf(const Network &net, std::int64_t d, SearchSizes sizes)
      : search_(net, d, sizes.output, sizes.hard, sizes.points, sizes.log != 0) {}

  bool load(std::int64_t layer, bool paired, const std::int8_t *bits, const std::int8_t *split,
            const LoadedPoints &given) override {
    return search_.load(layer, paired, bits, split, given);
  }
  int run(std::int64_t layers, std::int64_t budget) override {
    return static_cast<int>(search_.run(layers, budget));
  }
  void take_open(std::int64_t *layer, std::int8_t *decision, std::int8_t *splits,
                 double *chart_points, double *chart_low) override {
    search_.take_open(layer, decision, splits, chart_points, chart_low);
  }
  void take_last(SearchTask &task) override { search_.take_last(task); }
  void adopt(const SearchTask &task) override { search_.adopt(task); }
  SearchView view() const override {
    const Regions &out = search_.regions;
    const HardCells &hard = search_.hard;
    return {search_.open.count,    out.count,
            out.code_bytes,        out.bit.data(),
            out.zero.data(),       out.rank.data(),
            out.point.data(),      out.thin,
            out.point_low.data(),  hard.count,
            hard.layer.data(),     hard.bit.data(),
            hard.split.data(),     hard.flag.data(),
            hard.point.data(),     hard.point_low.data(),
            search_.path.log.size, search_.path.log.data(),
            search_.done_share,    &search_.path.stat};
  }
  void drained() override {
    search_.regions.count = 0;
    search_.regions.thin = 0;
    search_.hard.count = 0;
    search_.path.log.size = 0;
  }

private:
  Search<Program> search_;
};

}  // namespace polyrank
