// A walk of one dimension behind the interface of any.
#pragma once

#include "any_walk.hpp"
#include "facet_walk.hpp"

namespace polyrank {

template <int D> class WalkOf final : public AnyWalk {
public:
  explicit WalkOf(const WalkTask &task)
      : walk_(task.net, task.run, task.dim, task.own_walls, task.layers, task.begin, task.end) {}
  std::int64_t advance(std::int64_t begin, std::int64_t end) override { return walk(walk_, begin, end); }
  const Found &found() const override { return walk_.found; }
  const GraphStatistics &statistics() const override { return walk_.stat; }

private:
  Walk<D> walk_;
};

}  // namespace polyrank
