// The walk over regions of more dimensions, and of any number of them.
#include "walk_of.hpp"

namespace polyrank {

std::unique_ptr<AnyWalk> large_walk(const WalkTask &task) {
  switch (task.dim) {
#ifndef POLYRANK_ANY_DIMENSION
    case 7: return std::make_unique<WalkOf<7>>(task);
    case 8: return std::make_unique<WalkOf<8>>(task);
    case 9: return std::make_unique<WalkOf<9>>(task);
    case 10: return std::make_unique<WalkOf<10>>(task);
#endif
    default: return std::make_unique<WalkOf<0>>(task);
  }
}

}  // namespace polyrank
