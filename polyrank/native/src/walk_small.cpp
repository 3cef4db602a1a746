// The walk over regions of few dimensions.
#include "walk_of.hpp"

namespace polyrank {

std::unique_ptr<AnyWalk> small_walk(const WalkTask &task) {
  switch (task.dim) {
#ifndef POLYRANK_ANY_DIMENSION
    case 2: return std::make_unique<WalkOf<2>>(task);
    case 3: return std::make_unique<WalkOf<3>>(task);
    case 4: return std::make_unique<WalkOf<4>>(task);
    case 5: return std::make_unique<WalkOf<5>>(task);
    case 6: return std::make_unique<WalkOf<6>>(task);
#endif
    default: return nullptr;
  }
}

}  // namespace polyrank
