// The search of a box in many dimensions, whose bounds are no rows.
#include "bounds_program.hpp"
#include "search_of.hpp"

namespace polyrank {

std::unique_ptr<AnySearch> bounds_search(const Network &net, std::int64_t d, SearchSizes sizes) {
  if (!BoundsProgram::takes(net, d, sizes.bounds)) return nullptr;
  return std::make_unique<SearchOf<BoundsProgram>>(net, d, sizes);
}

}  // namespace polyrank
