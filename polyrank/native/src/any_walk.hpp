// A walk over a run's regions whatever its dimension, and how one is made.
#pragma once

#include <cstdint>
#include <memory>

#include "facet_state.hpp"

namespace polyrank {

class AnyWalk {
public:
  virtual ~AnyWalk() = default;
  virtual std::int64_t advance(std::int64_t begin, std::int64_t end) = 0;
  virtual const Found &found() const = 0;
  virtual const GraphStatistics &statistics() const = 0;
};

// What a walk is asked: the dimension of the cube, the domain's own walls, layers, the block of regions.
struct WalkTask {
  const Network &net;
  const Listing &run;
  std::int64_t dim, own_walls, layers, begin, end;
};

// The dimensions are compiled in several units; the first returns null for what is the second's.
std::unique_ptr<AnyWalk> small_walk(const WalkTask &task);
std::unique_ptr<AnyWalk> large_walk(const WalkTask &task);

}  // namespace polyrank
