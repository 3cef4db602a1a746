// What a walk over a run's regions is asked and what it answers; see facet_walk.hpp, box_walk.hpp.
#pragma once

#include <cstdint>
#include <memory>

#include "facet_state.hpp"

namespace polyrank {

class AnyWalk {
public:
  virtual ~AnyWalk() = default;
  // Facets of the next regions of the block; returns how many of them are open.
  virtual std::int64_t advance(std::int64_t begin, std::int64_t end) = 0;
  virtual const Found &found() const = 0;
  virtual const GraphStatistics &statistics() const = 0;
};

// The dimension of the cube, the domain's own walls, layers, the block of regions.
struct WalkTask {
  const Network &net;
  const Listing &run;
  std::int64_t dim, own_walls, layers, begin, end;
};

// The walk of box_walk.hpp; null where the domain is no box of many dimensions, up to a few other
// walls.
std::unique_ptr<AnyWalk> box_walk(const WalkTask &task);

}  // namespace polyrank
