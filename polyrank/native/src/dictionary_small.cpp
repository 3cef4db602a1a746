// The dictionary search in few dimensions.
#include "search_of.hpp"

namespace polyrank {

std::unique_ptr<AnySearch> small_search([[maybe_unused]] const Network &net, std::int64_t d,
                                        [[maybe_unused]] SearchSizes sizes) {
  switch (d) {
#ifndef POLYRANK_ANY_DIMENSION
    case 2: return std::make_unique<SearchOf<DictionaryProgram<2>>>(net, d, sizes);
    case 3: return std::make_unique<SearchOf<DictionaryProgram<3>>>(net, d, sizes);
    case 4: return std::make_unique<SearchOf<DictionaryProgram<4>>>(net, d, sizes);
    case 5: return std::make_unique<SearchOf<DictionaryProgram<5>>>(net, d, sizes);
    case 6: return std::make_unique<SearchOf<DictionaryProgram<6>>>(net, d, sizes);
#endif
    default: return nullptr;
  }
}

}  // namespace polyrank
